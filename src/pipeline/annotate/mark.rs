//! What `annotate` leaves in `uns` about what it wrote, and how `strip` takes it all out again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::h5ad::{Edited, H5ad, H5adEdit, edit_h5ad};
use crate::io::held::Held;
use crate::io::output::same_file;

/// Before the name of an embedding: the velocity that is projected on it, in `obsm`.
pub(super) const PROJECTED: &str = "velocity_";

/// The layer of velocities.
pub(super) const LAYER: &str = "velocity";

/// Groups that `annotate` may have to create.
pub(super) const CREATED: [&str; 3] = ["obsm", "layers", "uns"];

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

/// Refuses a mark that lists what [`crate::pipeline::annotate`] cannot have written under its key: the
/// file would lose what is not ours.
///
/// # Errors
/// [`Error::Unreadable`] naming all that it should not list.
pub(super) fn check_listed(file: &H5ad, key: &str, mark: &Mark) -> Result<()> {
    let ours = |path: &String| match path.split_once('/') {
        Some(("obs", name)) => is_after(name, &format!("{key}_")),
        Some(("obsm", name)) => {
            [format!("X_{key}"), format!("{key}_velocity")].iter().any(|own| own == name)
                || is_after(name, PROJECTED)
        }
        Some(("layers", name)) => name == LAYER,
        Some(("uns", name)) => name == key,
        _ => false,
    };
    let listed = mark.keys.iter().filter(|path| !ours(path));
    let created = mark.created.iter().filter(|slot| !CREATED.contains(&slot.as_str()));
    let others: Vec<String> = listed.chain(created).map(|path| format!("`{path}`")).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::Unreadable {
        path: file.path().to_path_buf(),
        problem: format!(
            "`uns/{key}` says that `annotate` wrote {}, which it never writes",
            others.join(", ")
        ),
        way_out: Some(format!(
            "nothing was changed; if the file is to be trusted, remove `uns['{key}']` with anndata"
        )),
    })
}

fn is_after(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
}

/// Takes out of `source` what `annotate` wrote under `key`, or under every key if it is `None`, and
/// writes the rest to `out`, which may be the same file. Without a mark of ours the file stays as it
/// is, and `out`, if it is another, is a copy. Nothing is removed that `annotate` cannot have written.
///
/// Keys that another mark lists too stay, if that mark does. What an annotation that overwrites
/// replaced does not come back.
///
/// # Errors
/// As [`edit_h5ad`]; [`Error::Unreadable`] if a mark lists what `annotate` cannot have written;
/// [`Error::FileInUse`], [`Error::FileChanged`] if the file itself is to be changed and another process
/// is at it.
pub fn strip(source: &Path, out: &Path, key: Option<&str>) -> Result<Stripped> {
    // First, so that what is no `.h5ad` is named for what it is.
    drop(H5ad::open(source)?);
    let held = if same_file(source, out) { Some(Held::take(source)?) } else { None };
    let opened = H5ad::open(source)?;
    let (kept, marks): (BTreeMap<_, _>, BTreeMap<_, _>) =
        marks(&opened)?.into_iter().partition(|(name, _)| key.is_some_and(|key| key != name));
    marks.iter().try_for_each(|(key, mark)| check_listed(&opened, key, mark))?;
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
    held.iter().try_for_each(Held::check)?;
    let mut edited = Edited::Extended;
    if !remove.is_empty() {
        edited = edit_h5ad(source, out, &H5adEdit { remove, ..H5adEdit::default() })?;
    } else if held.is_none() {
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
