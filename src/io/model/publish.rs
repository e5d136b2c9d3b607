//! A finished folder put in its place in one step, whatever stood there and whenever the process dies.
//!
//! A fit writes `OUT.partial`, which holds `plan.json` from its first moment. When all of it is there
//! it gets the list `.sbcell-whole.json`: from then on it is the model, and whoever comes next puts it
//! in its place if its fit died ([`recover`]). The two folders are exchanged where the system can do
//! that; elsewhere files move one by one, `model.json` first out and last in, and a reader that finds
//! the list moves the rest. The list lies in `OUT` until nothing is left of the older model.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::file::io_error;
use crate::io::lock::FolderLock;
use crate::io::model::exchange::{carry_over, exchange, names_in, remove_any};
use crate::io::model::{BRIDGES, GENES, HEADER, PartialModel, RUN, derived};
use crate::io::networks;
use crate::io::run::{RunRecord, read_json, write_json};
use crate::io::staged;

pub use crate::io::model::exchange::partial_folder;

pub(in crate::io) const PLAN: &str = "plan.json";

/// The list of the files of a whole model that is not in its place yet.
const WHOLE: &str = ".sbcell-whole.json";

/// How often, ten milliseconds apart, a reader looks whether a fit has put its model in its place.
const LOOKS: usize = 200;

/// What a fit writes beside `model.json`.
pub(in crate::io) const OWN_NAMES: [&str; 8] = [
    RUN,
    "cells.parquet",
    GENES,
    "pcs.csv",
    "fit.csv",
    networks::WEIGHTS,
    networks::CURVE,
    BRIDGES,
];

/// What `fit` adds to a model when it has held out times.
pub(in crate::io) const VALIDATION: [&str; 5] = [
    "validation.csv",
    "validation.json",
    "validation.svg",
    "validation.png",
    "validation.run.json",
];

/// What became of files that were made from an older model in the same folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Files that were as their command had written them, and are gone.
    pub removed: Vec<String>,
    /// Files that were changed since, and stay.
    pub kept: Vec<String>,
}

impl Published {
    /// One sentence for each kind.
    pub fn notes(&self) -> Vec<String> {
        let listed = |names: &[String]| names.join(", ");
        let mut notes = Vec::new();
        if !self.removed.is_empty() {
            let names = listed(&self.removed);
            notes.push(format!(
                "removed what was made from the older model in this folder: {names}"
            ));
        }
        if !self.kept.is_empty() {
            let names = listed(&self.kept);
            notes.push(format!("made from the older model, changed since and left there: {names}"));
        }
        notes
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    /// The files of the model.
    files: Vec<String>,
    /// Files of the older model's folder that do not stay.
    dropped: Vec<String>,
}

impl PartialModel {
    /// Puts the finished folder in its place. An older model there is replaced at once; files that
    /// are not ours stay, files that were made from the older model do not.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be moved.
    pub fn publish(self) -> Result<Published> {
        let run: RunRecord = read_json(&self.folder.join(RUN))?;
        let mut files: Vec<String> = run.outputs.into_iter().map(|output| output.file).collect();
        files.push(RUN.into());
        put_in_place(&self.folder, &self.out, files)
    }
}

/// Ends what a fit to `out` could not end that died while it put its model in its place, and removes
/// what a dead evaluation left there. The caller holds the lock of `out`.
///
/// # Errors
/// [`Error::Io`] if a file cannot be moved or removed.
pub fn recover(out: &Path) -> Result<Published> {
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

/// As [`recover`], for readers: if it cannot be done, what is there is read as it is.
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

/// Whether a fit may write to `out`: nothing of the names it writes is there, or a fit wrote it;
/// and an unfinished fit is all that is in `OUT.partial`.
///
/// # Errors
/// [`Error::OutputTaken`] if it is there and not ours.
pub fn check_output(out: &Path) -> Result<()> {
    let by_fit = |folder: &Path| {
        read_json::<RunRecord>(&folder.join(RUN)).is_ok_and(|run| run.command == "fit")
    };
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

/// The whole model in `partial` becomes `out`. May be called again after it was interrupted.
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
    let stays = |name: &str| {
        let own = name == HEADER || OWN_NAMES.contains(&name) || VALIDATION.contains(&name);
        !own && !is_of_dead_run(name) && !whole.dropped.iter().any(|dropped| dropped == name)
    };
    // Not where a dead run has begun to move files one by one.
    let together = whole.files.iter().all(|name| partial.join(name).exists());
    if !(together && carry_over(out, partial, &stays) && exchange(partial, out)) {
        move_each(partial, out, &whole)?;
    }
    finish(partial, out)?;
    Ok(published)
}

/// Takes out of a whole model what its fit does not need any more, and what a dead run left in it.
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

/// Names of files that only a run writes that has not ended.
fn is_of_dead_run(name: &str) -> bool {
    name.starts_with('.') && (name.contains(".tmp-") || name.contains(".sbcell-"))
}

/// The files of `partial` into `out`, one by one; what a dead run has moved already is passed over.
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

/// `out` is the new model; what is left in `partial` is the older one, or nothing. What is not ours
/// there goes to `out`, the rest goes, and the list last.
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
