//! A finished folder put in its place, and what may stand there before.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::file::io_error;
use crate::io::model::{BRIDGES, HEADER, PartialModel};
use crate::io::networks;
use crate::io::run::{RunRecord, read_json};

pub(super) const PLAN: &str = "plan.json";

/// What a fit writes beside `model.json`.
const OWN_NAMES: [&str; 8] = [
    "run.json",
    "cells.parquet",
    "genes.parquet",
    "pcs.csv",
    "fit.csv",
    networks::WEIGHTS,
    networks::CURVE,
    BRIDGES,
];

/// What `fit` adds to a model when it has held out times.
const VALIDATION: [&str; 5] = [
    "validation.csv",
    "validation.json",
    "validation.svg",
    "validation.png",
    "validation.run.json",
];

impl PartialModel {
    /// Puts the finished folder in its place. An older model there is replaced: `model.json`
    /// goes first and comes last, so that the folder holds a whole model or none. Files that
    /// are not ours stay.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be moved.
    pub fn publish(self) -> Result<()> {
        let plan = self.folder.join(PLAN);
        fs::remove_file(&plan).map_err(io_error("remove", &plan))?;
        if !self.out.exists() {
            return fs::rename(&self.folder, &self.out).map_err(io_error("create", &self.out));
        }
        let old_bridges = self.out.join(BRIDGES);
        let maybe_absent = [HEADER, "genes.parquet", "pcs.csv", networks::WEIGHTS, networks::CURVE];
        // Scores of the older model are none of this one's.
        for name in maybe_absent.into_iter().chain(VALIDATION) {
            let old = self.out.join(name);
            if old.exists() {
                fs::remove_file(&old).map_err(io_error("replace", &old))?;
            }
        }
        if old_bridges.exists() {
            fs::remove_dir_all(&old_bridges).map_err(io_error("replace", &old_bridges))?;
        }
        let mut names: Vec<_> = fs::read_dir(&self.folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(io_error("read", &self.folder))?;
        names.sort_by_key(|name| (name.to_str() == Some(HEADER), name.clone()));
        for name in names {
            let target = self.out.join(&name);
            fs::rename(self.folder.join(&name), &target).map_err(io_error("replace", &target))?;
        }
        fs::remove_dir(&self.folder).map_err(io_error("remove", &self.folder))
    }
}

/// Where an unfinished fit to `out` is kept.
pub fn partial_folder(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_os_string();
    name.push(".partial");
    PathBuf::from(name)
}

/// Whether a fit may write to `out`: nothing of the names it writes is there, or a fit wrote it;
/// and an unfinished fit is all that is in `OUT.partial`.
///
/// # Errors
/// [`Error::OutputTaken`] if it is there and not ours.
pub fn check_output(out: &Path) -> Result<()> {
    let run =
        || read_json::<RunRecord>(&out.join("run.json")).is_ok_and(|run| run.command == "fit");
    let foreign = || OWN_NAMES.iter().chain(&VALIDATION).any(|name| out.join(name).exists());
    let ours = out.join(HEADER).exists() || run();
    if out.is_file() || (!ours && foreign()) {
        return Err(Error::OutputTaken { path: out.to_path_buf() });
    }
    let partial = partial_folder(out);
    if partial.exists() && !partial.join(PLAN).exists() {
        return Err(Error::OutputTaken { path: partial });
    }
    Ok(())
}
