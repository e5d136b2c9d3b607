//! Results that were computed from the model in a folder and lie beside it: populations, edges.

use std::path::Path;

use crate::error::Result;
use crate::io::file;
use crate::io::model::HEADER;
use crate::io::model::exchange::names_in;
use crate::io::model::publish::Published;
use crate::io::run::{RunRecord, read_json};
use crate::progress::Silent;

/// Suffix of the names of run records.
const RECORD: &str = ".run.json";

/// Finds the files in `folder` whose run records name the model there as input. Returns which of them
/// are unchanged (`removed`) and which were changed since (`kept`), and the names of all files that are
/// to be removed with the model: the unchanged files, then their records.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be read.
pub(super) fn of_older(folder: &Path) -> Result<(Published, Vec<String>)> {
    let (mut found, mut goes) = (Published::default(), Vec::new());
    let header = folder.join(HEADER);
    if !header.exists() {
        return Ok((found, goes));
    }
    let model = file::sha256(&header, &mut Silent)?;
    for name in names_in(folder)?.into_iter().filter(|name| name.ends_with(RECORD)) {
        // A file that is no run record stays.
        let Ok(run) = read_json::<RunRecord>(&folder.join(&name)) else { continue };
        if run.input.file != HEADER || run.input.sha256 != model {
            continue;
        }
        let mut changed = false;
        for output in run.outputs {
            let path = folder.join(&output.file);
            let inside = !output.file.contains(['/', '\\']);
            if !inside || !path.is_file() {
                continue;
            }
            if file::sha256(&path, &mut Silent)? == output.sha256 {
                found.removed.push(output.file);
            } else {
                found.kept.push(output.file);
                changed = true;
            }
        }
        if !changed {
            goes.push(name);
        }
    }
    goes = found.removed.iter().cloned().chain(goes).collect();
    Ok((found, goes))
}
