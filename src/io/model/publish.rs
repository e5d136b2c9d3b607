//! Publication of a finished model in one step, safe against the death of the process at any moment.
//!
//! A fit writes the folder `OUT.partial`, which contains `plan.json` from the beginning. When all files
//! are complete, the list `.sbcell-whole.json` is written into it. From then on the folder is the model:
//! if the fit dies, the next process publishes it ([`recover`]). The folders `OUT.partial` and `OUT` are
//! exchanged in one step if the system supports this. Otherwise files are moved one by one:
//! `model.json` is removed first and moved last, and a reader that finds the list moves the remaining
//! files. The list stays in `OUT` until the older model is removed completely.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::file::io_error;
use crate::io::lock::FolderLock;
use crate::io::model::conditions::{holds, is_conditions};
use crate::io::model::exchange::{carry_over, exchange, names_in, remove_any};
use crate::io::model::{BRIDGES, GENES, HEADER, PartialModel, RUN, derived};
use crate::io::networks;
use crate::io::run::{RunRecord, read_json, write_json};
use crate::io::staged;

#[doc(hidden)]
pub use crate::io::model::exchange::partial_folder;

/// Name of the file with the plan of an unfinished fit.
pub(in crate::io) const PLAN: &str = "plan.json";

/// Name of the list of files of a complete model that is not yet published.
const WHOLE: &str = ".sbcell-whole.json";

/// Number of times, ten milliseconds apart, that a reader waits for a fit to publish its model.
const LOOKS: usize = 200;

/// Names of the table and the chart of the choice of components.
pub(super) const SCREE: [&str; 2] = ["scree.csv", "scree.svg"];

/// Names of the table and the chart of the choice of the ε of couplings.
pub(super) const COUPLING: [&str; 2] = ["coupling.csv", "coupling.svg"];

/// Names of the files and folders that a fit writes besides `model.json`.
pub(in crate::io) const OWN_NAMES: [&str; 12] = [
    RUN,
    "cells.parquet",
    GENES,
    "pcs.csv",
    SCREE[0],
    SCREE[1],
    COUPLING[0],
    COUPLING[1],
    "fit.csv",
    networks::WEIGHTS,
    networks::CURVE,
    BRIDGES,
];

/// Names of the files that a fit adds to a model if it evaluates held-out times.
pub(in crate::io) const VALIDATION: [&str; 5] = [
    "validation.csv",
    "validation.json",
    "validation.svg",
    "validation.png",
    "validation.run.json",
];

/// Files that were computed from an older model in the same folder, and were removed or kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// Files that nobody had changed; they were removed.
    pub(crate) removed: Vec<String>,
    /// Files that were changed after they were written; they stay.
    pub(crate) kept: Vec<String>,
}

impl Published {
    /// One note for the removed files and one for the kept ones, if there are any.
    pub(crate) fn notes(&self) -> Vec<String> {
        let listed = |names: &[String]| names.join(", ");
        let mut notes = Vec::new();
        if !self.removed.is_empty() {
            let names = listed(&self.removed);
            notes.push(format!("removed results of the older model in this folder: {names}"));
        }
        if !self.kept.is_empty() {
            let names = listed(&self.kept);
            notes.push(format!("kept results of the older model that were changed since: {names}"));
        }
        notes
    }
}

/// The list in [`WHOLE`].
#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    /// Files of the new model.
    files: Vec<String>,
    /// Files in the folder of the older model that are removed with it.
    dropped: Vec<String>,
}

impl PartialModel {
    /// Publishes the finished folder. An older model is replaced in one step. Foreign files in its folder
    /// stay; unchanged results that were computed from it are removed.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be moved.
    pub(crate) fn publish(self) -> Result<Published> {
        let run: RunRecord = read_json(&self.folder.join(RUN))?;
        let mut files: Vec<String> = run.outputs.into_iter().map(|output| output.file).collect();
        files.push(RUN.into());
        put_in_place(&self.folder, &self.out, files)
    }
}

/// Completes the publication of a model to `out` if its fit died during it, and that of the files of a
/// dead evaluation. The caller must hold the lock of `out`.
///
/// # Errors
/// [`Error::Io`] if a file cannot be moved or removed.
pub(crate) fn recover(out: &Path) -> Result<Published> {
    let partial = partial_folder(out);
    let published = if out.join(WHOLE).exists() {
        finish(&partial, out)?;
        Published::default()
    } else if partial.join(WHOLE).exists() {
        let whole: Whole = read_json(&partial.join(WHOLE))?;
        put_in_place(&partial, out, whole.files)?
    } else {
        Published::default()
    };
    staged::recover(out)?;
    Ok(published)
}

/// As [`recover`], for readers. Errors are ignored: the reader then reads the files as they are.
pub(super) fn settle(out: &Path) {
    let unsettled = || {
        let whole = out.join(WHOLE).exists() || partial_folder(out).join(WHOLE).exists();
        whole || staged::is_waiting(out)
    };
    for _ in 0..LOOKS {
        if !unsettled() {
            return;
        }
        match FolderLock::take(out) {
            Err(Error::InUse { .. }) => std::thread::sleep(Duration::from_millis(10)),
            Ok(_lock) => return drop(recover(out)),
            Err(_) => return,
        }
    }
}

/// Whether `folder` holds a model, the models of several conditions, or a complete model that is not yet published.
///
/// ```
/// assert!(sbcell::io::model::is_model("tests/fixtures/old-model/model".as_ref()));
/// assert!(!sbcell::io::model::is_model("tests/fixtures".as_ref()));
/// ```
pub fn is_model(folder: &Path) -> bool {
    let waits = folder.join(WHOLE).exists() || partial_folder(folder).join(WHOLE).exists();
    waits || folder.join(HEADER).is_file() || is_conditions(folder)
}

/// Checks that a fit may write to `out`: the folder contains no file with a name of a model, or it
/// contains a model; and `OUT.partial` contains nothing but an unfinished fit.
///
/// # Errors
/// [`Error::OutputTaken`] if one of the folders contains foreign files; [`Error::Parameter`] if `out`
/// holds the models of several conditions.
#[doc(hidden)]
pub fn check_output(out: &Path) -> Result<()> {
    let by_fit = |folder: &Path| {
        read_json::<RunRecord>(&folder.join(RUN)).is_ok_and(|run| run.command == "fit")
    };
    if is_conditions(out) {
        return Err(holds(out, "the models of several conditions"));
    }
    let foreign = || OWN_NAMES.iter().chain(&VALIDATION).any(|name| out.join(name).exists());
    let ours = out.join(HEADER).exists() || out.join(WHOLE).exists() || by_fit(out);
    let partial = partial_folder(out);
    let whole = partial.join(WHOLE).exists();
    let begun = whole || partial.join(PLAN).exists() || by_fit(&partial);
    if out.is_file() || (!ours && !whole && foreign()) {
        return Err(Error::OutputTaken { path: out.to_path_buf() });
    }
    let empty = || fs::read_dir(&partial).is_ok_and(|mut entries| entries.next().is_none());
    if partial.exists() && !begun && !out.join(WHOLE).exists() && !empty() {
        return Err(Error::OutputTaken { path: partial });
    }
    Ok(())
}

/// Makes the complete model in `partial` the model in `out`. It may be called again after an
/// interruption at any point.
fn put_in_place(partial: &Path, out: &Path, files: Vec<String>) -> Result<Published> {
    let (published, dropped) = derived::of_older(out)?;
    let whole = Whole { files, dropped };
    write_json(&partial.join(WHOLE), &whole)?;
    clear(partial, &whole.files)?;
    if !out.exists() {
        fs::rename(partial, out).map_err(io_error("create", out))?;
        finish(partial, out)?;
        return Ok(published);
    }
    let stays = |name: &str| is_foreign(name, &whole.dropped);
    // An exchange is wrong if a dead process has already moved some files.
    let together = whole.files.iter().all(|name| partial.join(name).exists());
    if !(together && carry_over(out, partial, &stays) && exchange(partial, out)) {
        move_each(partial, out, &whole)?;
    }
    finish(partial, out)?;
    Ok(published)
}

/// Removes from a complete model the files that only the fit needed, and the remains of dead processes.
fn clear(partial: &Path, files: &[String]) -> Result<()> {
    let listed = |name: &str| files.iter().any(|file| file == name);
    for name in names_in(partial)? {
        let own = name == PLAN || OWN_NAMES.contains(&name.as_str());
        let outdated = own && name != BRIDGES && !listed(&name);
        if outdated || (name != WHOLE && is_of_dead_run(&name)) {
            remove_any(&partial.join(name))?;
        }
    }
    clear_bridges(partial, files)
}

/// Removes the bridges in `folder` that are not among `files`.
fn clear_bridges(folder: &Path, files: &[String]) -> Result<()> {
    let bridges = folder.join(BRIDGES);
    for name in names_in(&bridges)? {
        let listed = format!("{BRIDGES}/{name}");
        if !files.contains(&listed) {
            remove_any(&bridges.join(name))?;
        }
    }
    Ok(())
}

/// Whether `name` in the folder of an older model belongs neither to the model nor to the results `dropped`.
pub(super) fn is_foreign(name: &str, dropped: &[String]) -> bool {
    let own = name == HEADER || OWN_NAMES.contains(&name) || VALIDATION.contains(&name);
    !own && !is_of_dead_run(name) && !dropped.iter().any(|dropped| dropped == name)
}

/// Whether `name` is that of a temporary file, which remains only if its process died.
fn is_of_dead_run(name: &str) -> bool {
    name.starts_with('.') && (name.contains(".tmp-") || name.contains(".sbcell-"))
}

/// Moves the files of `partial` to `out` one by one. Files that a dead process has already moved are
/// skipped.
fn move_each(partial: &Path, out: &Path, whole: &Whole) -> Result<()> {
    for name in &whole.dropped {
        remove_any(&out.join(name))?;
    }
    if partial.join(HEADER).exists() {
        remove_any(&out.join(HEADER))?;
    }
    let listed = |name: &str| whole.files.iter().any(|file| file == name);
    for name in OWN_NAMES.into_iter().chain(VALIDATION) {
        if name != BRIDGES && !listed(name) {
            remove_any(&out.join(name))?;
        }
    }
    let bridges = out.join(BRIDGES);
    fs::create_dir_all(&bridges).map_err(io_error("create", &bridges))?;
    let mut files: Vec<&String> = whole.files.iter().collect();
    files.sort_by_key(|name| name.as_str() == HEADER);
    for name in files {
        let (from, to) = (partial.join(name), out.join(name));
        if from.exists() {
            fs::rename(&from, &to).map_err(io_error("replace", &to))?;
        }
    }
    clear_bridges(out, &whole.files)?;
    let list = out.join(WHOLE);
    fs::rename(partial.join(WHOLE), &list).map_err(io_error("replace", &list))
}

/// Completes a publication: `out` is the new model, and `partial` contains the older one or nothing.
/// Foreign files in `partial` are moved to `out`, then `partial` is removed, and the list last.
fn finish(partial: &Path, out: &Path) -> Result<()> {
    let list = out.join(WHOLE);
    let whole: Whole = read_json(&list)?;
    for name in names_in(partial)? {
        let own = name == HEADER
            || name == PLAN
            || OWN_NAMES.contains(&name.as_str())
            || VALIDATION.contains(&name.as_str());
        let goes = own || is_of_dead_run(&name) || whole.dropped.contains(&name);
        let to = out.join(&name);
        if !goes && !to.exists() {
            fs::rename(partial.join(&name), &to).map_err(io_error("replace", &to))?;
        }
    }
    remove_any(partial)?;
    remove_any(&list)
}
