//! What `annotate` leaves in `uns` about what it wrote, and how `strip` takes it all out again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::h5ad::{Edited, H5ad, H5adEdit, edit_h5ad};

/// The entry of `uns`, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Version of sbcell.
    pub sbcell: String,
    /// The command.
    pub command: String,
    /// What `annotate` was told.
    pub parameters: Value,
    /// Seed of the fit.
    pub seed: u64,
    /// Name and SHA-256 of the file that was fitted, if the model's `run.json` tells.
    pub input: Option<MarkInput>,
    /// SHA-256 of the model's `model.json`.
    pub model_sha256: String,
    /// Units, by path.
    pub units: BTreeMap<String, String>,
    /// Paths of all that was written.
    pub keys: Vec<String>,
    /// Groups that were not there before.
    pub created: Vec<String>,
}

/// The file a model was fitted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkInput {
    /// File name, without folder.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What was taken out of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped {
    /// The marks that were found, by the name they have in `uns`.
    pub marks: Vec<String>,
    /// Marks that are still there, because another was asked for.
    pub left: Vec<String>,
    /// Paths that are not there any more.
    pub removed: Vec<String>,
    /// How the file was written.
    pub edited: Edited,
}

/// All marks of a file, by their key in `uns`.
///
/// # Errors
/// [`Error::Unreadable`].
pub fn marks(file: &H5ad) -> Result<BTreeMap<String, Mark>> {
    let mut found = BTreeMap::new();
    for key in file.uns_keys()? {
        // What cannot be read is none of ours.
        let text = file.uns_text(&key).ok().flatten();
        if let Some(mark) = text.and_then(|text| serde_json::from_str(&text).ok()) {
            found.insert(key, mark);
        }
    }
    Ok(found)
}

/// Takes out of `source` what `annotate` wrote under `key`, or under every key if it is `None`, and
/// writes the rest to `out`, which may be the same file. Without a mark of ours the file stays as it
/// is, and `out`, if it is another, is a copy.
///
/// Keys that another mark lists too stay, if that mark does. What an annotation with `--overwrite`
/// replaced does not come back.
///
/// # Errors
/// As [`edit_h5ad`].
pub fn strip(source: &Path, out: &Path, key: Option<&str>) -> Result<Stripped> {
    let opened = H5ad::open(source)?;
    let (kept, marks): (BTreeMap<_, _>, BTreeMap<_, _>) =
        marks(&opened)?.into_iter().partition(|(name, _)| key.is_some_and(|key| key != name));
    let listed = |mark: &'_ Mark| [mark.keys.clone(), mark.created.clone()].concat();
    let others: BTreeSet<String> = kept.values().flat_map(listed).collect();
    let mut remove: Vec<String> = Vec::new();
    for mark in marks.values() {
        remove.extend(listed(mark).into_iter().filter(|path| !others.contains(path)));
    }
    remove.sort_unstable();
    remove.dedup();
    let mut removed = Vec::new();
    for path in remove.iter().filter(|path| path.contains('/')) {
        if opened.holds(path)? {
            removed.push(path.clone());
        }
    }
    drop(opened);
    let mut edited = Edited::Extended;
    if !remove.is_empty() {
        edited = edit_h5ad(source, out, &H5adEdit { remove, ..H5adEdit::default() })?;
    } else if source != out {
        file::replace_by_copy(source, out, |_| Ok(()))?;
    }
    let names = |of: BTreeMap<String, Mark>| of.into_keys().collect();
    Ok(Stripped { marks: names(marks), left: names(kept), removed, edited })
}

/// Refuses to write over what is not ours.
///
/// # Errors
/// [`Error::KeysTaken`] naming all that is in the way.
pub(super) fn check_free(file: &H5ad, paths: &[String], own: &BTreeSet<String>) -> Result<()> {
    let mut taken = Vec::new();
    for path in paths.iter().filter(|path| !own.contains(*path)) {
        if file.holds(path)? {
            taken.push(path.clone());
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    Err(Error::KeysTaken { path: file.path().to_path_buf(), keys: taken })
}
