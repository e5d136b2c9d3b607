//! Publication of a result file together with its run record.
//!
//! The result is written in a temporary folder beside its path. Its run record, which contains its hash,
//! is written as `.NAME.sbcell-next`. Then the result and the record are renamed, in this order. If the
//! process dies between the two, the record under its temporary name identifies the result, so that
//! the next run may replace it.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::file::{create_folder, io_error};
use crate::io::output::{is_stream, next_record, run_record};
use crate::io::run::{OutputRecord, RunRecord, write_json};
use crate::io::temporary::{TemporaryFolder, folder_of};

/// Creates the file `out` with its run record `run` beside it, and returns the value of `write`.
///
/// `write` is called with the path to write to. It gets `out` itself for standard output, devices and
/// pipes, which have no record.
///
/// # Errors
/// The error of `write`; [`crate::Error::Io`] if a file cannot be written or renamed.
pub(crate) fn publish<T>(
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
    let final_folder = out.parent().unwrap_or(Path::new(""));
    // Errors name the files that the user knows.
    let known = |error: Error| error.moved(place.path(), final_folder);
    let done = write(&made).map_err(known)?;
    if let Ok(old) = fs::metadata(out) {
        fs::set_permissions(&made, old.permissions()).map_err(io_error("write", out))?;
    }
    run.outputs.push(OutputRecord::of(place.path(), &name).map_err(known)?);
    let (next, record) = (next_record(out), run_record(out));
    write_json(&next, &run).map_err(|error| error.moved(&next, &record))?;
    let moved = |from: &Path, to: &Path| fs::rename(from, to).map_err(io_error("replace", to));
    moved(&made, out).inspect_err(|_| drop(fs::remove_file(&next)))?;
    moved(&next, &record)?;
    place.settle();
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::run::InputRecord;

    #[test]
    fn an_error_of_the_writer_names_the_final_file() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/a.csv");
        let input = InputRecord {
            file: "a".into(),
            path: String::new(),
            sha256: String::new(),
            cells: 0,
            genes: 0,
            files: Vec::new(),
        };
        let run = || RunRecord::new("fates", input.clone(), serde_json::Value::Null);
        let wanted = format!("cannot write `{}`: disk on fire", out.display());
        let failed = publish(&out, run(), |made| -> Result<()> {
            Err(io_error("write", made)(std::io::Error::other("disk on fire")))
        });
        assert_eq!(failed.unwrap_err().to_string(), wanted);
        // A writer that wrote nothing.
        let failed = publish(&out, run(), |_| Ok(())).unwrap_err().to_string();
        assert!(failed.contains("deep/a.csv`") && !failed.contains("sbcell-"), "{failed}");
        // The record cannot be written.
        fs::create_dir(next_record(&out)).unwrap();
        let failed =
            publish(&out, run(), |made| fs::write(made, "a").map_err(io_error("write", made)));
        let failed = failed.unwrap_err().to_string();
        assert!(failed.contains("deep/a.csv.run.json`") && !failed.contains("sbcell-"), "{failed}");
    }
}
