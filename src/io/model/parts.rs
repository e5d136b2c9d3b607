//! Comparison of the files of a model with their hashes in `run.json`: whether one fit wrote them all.

use std::path::Path;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::model::{GENES, RUN};
use crate::io::model_check;
use crate::io::networks;
use crate::io::run::{LONGEST_JSON, OutputRecord, RunRecord, read_json};
use crate::progress::Silent;

/// Number of attempts to read a model that changes at the same time.
const ATTEMPTS: usize = 5;

/// Compares every file of the model in `folder` with the hash in its run record. Does nothing if there is
/// no record. Reads all files once, in parallel.
///
/// # Errors
/// [`Error::Unreadable`] for the first file of another fit; [`Error::Io`] or [`Error::NoFile`] for a
/// missing file.
pub(super) fn check(folder: &Path) -> Result<()> {
    let path = folder.join(RUN);
    if !path.exists() {
        return Ok(());
    }
    let run: RunRecord = read_json(&path).map_err(model_check::fit_again)?;
    if run.command != "fit" {
        return Err(foreign(folder, RUN));
    }
    let checked: Vec<Result<()>> =
        run.outputs.par_iter().map(|output| check_part(folder, output)).collect();
    checked.into_iter().collect::<Result<()>>()?;
    let listed = |name: &str| run.outputs.iter().any(|output| output.file == name);
    match [GENES, networks::WEIGHTS]
        .into_iter()
        .find(|name| !listed(name) && folder.join(name).exists())
    {
        Some(name) => Err(foreign(folder, name)),
        None => Ok(()),
    }
}

/// Calls `read` again as long as it fails and `run.json` changes, because a fit publishes its model at
/// the same time.
pub(super) fn steady<T>(folder: &Path, read: impl Fn() -> Result<T>) -> Result<T> {
    let record = || file::read_bytes(&folder.join(RUN), LONGEST_JSON).ok();
    let mut before = record();
    for _ in 1..ATTEMPTS {
        let failed = match read() {
            Err(
                error @ (Error::Io { .. }
                | Error::NoFile { .. }
                | Error::Unreadable { .. }
                | Error::NoModel { .. }),
            ) => error,
            done => return done,
        };
        let after = record();
        if after == before {
            return Err(failed);
        }
        before = after;
    }
    read()
}

/// Compares one file with its recorded hash.
fn check_part(folder: &Path, output: &OutputRecord) -> Result<()> {
    let found = file::sha256(&folder.join(&output.file), &mut Silent)?;
    if found == output.sha256 { Ok(()) } else { Err(foreign(folder, &output.file)) }
}

/// The error for a file of another fit.
fn foreign(folder: &Path, name: &str) -> Error {
    Error::Unreadable {
        path: folder.join(name),
        problem:
            "it belongs to another fit than the other files of the model, or was changed since"
                .into(),
        way_out: Some("run `sbcell fit` again".into()),
    }
}
