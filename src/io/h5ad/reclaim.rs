//! Space that nothing in a file leads to, left behind by writing the file anew.

use std::path::Path;

use hdf5_pure::RepackOptions;

use crate::error::Result;
use crate::io::file::{copy_into, io_error};
use crate::io::h5ad::edit::guarded;
use crate::io::h5ad::hdf5::{Folder, Node};
use crate::io::h5ad::read::H5ad;
use crate::io::temporary::Temporary;

/// Writes `copy`, which is to become `path`, anew if a good part of it is what nothing leads to; whether
/// it was.
pub(super) fn reclaim(path: &Path, copy: &Path) -> Result<bool> {
    /// Bytes that are not worth the work.
    const FEW: u64 = 1 << 16;
    let length =
        |at: &Path| std::fs::metadata(at).map(|found| found.len()).map_err(io_error("read", path));
    let before = length(copy)?;
    let live = H5ad::open(copy).and_then(|file| live_bytes(&file.root));
    if live.is_ok_and(|live| live + FEW + before / 8 > before) {
        return Ok(false);
    }
    let anew = Temporary::beside(path).map_err(io_error("create", path))?;
    let packed = guarded(path, || hdf5_pure::repack(copy, anew.path(), &RepackOptions::new()));
    let after = length(anew.path())?;
    if packed.is_err() || after + FEW / 2 > before {
        return Ok(false);
    }
    copy_into(anew.path(), copy)?;
    Ok(true)
}

/// Bytes of the data of all datasets as they are stored, strings on heaps not counted.
fn live_bytes(folder: &Folder) -> Result<u64> {
    let mut bytes = 0;
    for name in folder.children()? {
        bytes += match folder.child(&name)? {
            Some(Node::Folder(inside)) => live_bytes(&inside)?,
            Some(Node::Array(array)) => array.stored_bytes()?,
            None => 0,
        };
    }
    Ok(bytes)
}
