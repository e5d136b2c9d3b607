//! A result and the record of the run that made it, put in their places one after the other.
//!
//! The result is made under its own name in a folder beside its place. Its record, which has its hash, is
//! kept as `.NAME.sbcell-next` until the result is in place. A process that dies between the two leaves a
//! result that this record knows, so that the next run may replace it.

use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::io::file::{create_folder, io_error};
use crate::io::output::{is_stream, next_record, run_record};
use crate::io::run::{OutputRecord, RunRecord, write_json};
use crate::io::temporary::{TemporaryFolder, folder_of};

/// Makes the file `out` with `write`, which is given the path to write to, and puts `run` beside it;
/// gives what `write` gives. Standard output, devices and pipes have no record.
///
/// # Errors
/// That of `write`; [`crate::Error::Io`] if a file cannot be put in its place.
pub fn publish<T>(
    out: &Path,
    mut run: RunRecord,
    write: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    if is_stream(out) {
        return write(out);
    }
    if let Some(folder) = folder_of(out) {
        create_folder(folder)?;
    }
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let place = TemporaryFolder::beside(out).map_err(io_error("create", out))?;
    let made = place.path().join(name.as_ref());
    let done = write(&made)?;
    if let Ok(old) = fs::metadata(out) {
        fs::set_permissions(&made, old.permissions()).map_err(io_error("write", out))?;
    }
    run.outputs.push(OutputRecord::of(place.path(), &name)?);
    let next = next_record(out);
    write_json(&next, &run)?;
    let moved = |from: &Path, to: &Path| fs::rename(from, to).map_err(io_error("replace", to));
    moved(&made, out).inspect_err(|_| drop(fs::remove_file(&next)))?;
    moved(&next, &run_record(out))?;
    place.settle();
    Ok(done)
}
