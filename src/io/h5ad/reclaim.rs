//! Removal of unused space from a file, by rewriting its objects.

use std::path::Path;

use sbcell_hdf5::{live_bytes, rewrite};

use crate::error::Result;
use crate::io::file::{copy_into, io_error};
use crate::io::h5ad::part::Part;
use crate::io::temporary::Temporary;

/// Rewrites `copy`, which will replace `path`, if much of it is unused space. Returns whether it was
/// rewritten.
///
/// Only for files in which every object has one name ([`sbcell_hdf5::Survey::is_tree`]).
///
/// # Errors
/// [`crate::Error::Io`].
pub(super) fn reclaim(path: &Path, copy: &Path) -> Result<bool> {
    /// Unused bytes below which the file is not rewritten.
    const FEW: u64 = 1 << 16;
    let length =
        |at: &Path| std::fs::metadata(at).map(|found| found.len()).map_err(io_error("read", path));
    let before = length(copy)?;
    let live = Part::open(copy).and_then(|file| Ok(live_bytes(&file.root)?));
    if live.is_ok_and(|live| live + FEW + before / 8 > before) {
        return Ok(false);
    }
    let anew = Temporary::beside(path).map_err(io_error("create", path))?;
    let packed = rewrite(copy, anew.path());
    let after = length(anew.path())?;
    if packed.is_err() || after + FEW / 2 > before {
        return Ok(false);
    }
    copy_into(anew.path(), copy).map_err(|error| error.moved(anew.path(), path))?;
    Ok(true)
}
