//! The mark in `uns`: the list of keys that `annotate` wrote, checked before anything is removed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::h5ad::H5ad;

/// Prefix of the keys of projected velocities in `obsm`.
pub(super) const PROJECTED: &str = "velocity_";

/// Name of the layer of velocities.
pub(super) const LAYER: &str = "velocity";

/// Groups that `annotate` creates if the file has none.
pub(super) const CREATED: [&str; 3] = ["obsm", "layers", "uns"];

/// The entry of `uns` that `annotate` writes, as JSON.
///
/// ```
/// use sbcell::pipeline::Mark;
///
/// let text = r#"{"sbcell": "0.1.0", "command": "annotate", "parameters": {}, "seed": 0, "input": null,
///     "model_sha256": "", "units": {}, "keys": ["obs/sbcell_time", "uns/sbcell"], "created": ["uns"]}"#;
/// let mark: Mark = serde_json::from_str(text).unwrap();
/// assert_eq!(mark.keys.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Version of sbcell.
    pub sbcell: String,
    /// The command, `annotate`.
    pub command: String,
    /// The parameters of `annotate`.
    pub parameters: Value,
    /// Seed of the fit of the model.
    pub seed: u64,
    /// The file that was fitted, if the model has a run record.
    pub input: Option<MarkInput>,
    /// SHA-256 of the `model.json` of the model.
    pub model_sha256: String,
    /// Units of the written values, by path.
    pub units: BTreeMap<String, String>,
    /// Paths of all keys that were written, the mark last.
    pub keys: Vec<String>,
    /// Groups that did not exist before.
    pub created: Vec<String>,
}

/// The file on which a model was fitted.
///
/// ```
/// use sbcell::pipeline::MarkInput;
///
/// let input = MarkInput { file: "cells.h5ad".into(), sha256: "ab".repeat(32) };
/// assert_eq!(input.sha256.len(), 64);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkInput {
    /// File name, without folder.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// All marks of a file, by their keys in `uns`. Entries that are no mark are skipped.
///
/// # Errors
/// [`Error::Unreadable`] if the keys of `uns` cannot be read.
pub fn marks(file: &H5ad) -> Result<BTreeMap<String, Mark>> {
    let mut found = BTreeMap::new();
    for key in file.uns_keys()? {
        // An entry that cannot be read is no mark.
        let text = file.uns_text(&key).ok().flatten();
        if let Some(mark) = text.and_then(|text| serde_json::from_str(&text).ok()) {
            found.insert(key, mark);
        }
    }
    Ok(found)
}

/// Refuses a mark that lists paths which [`annotate`](crate::pipeline::annotate()) never writes under `key`.
///
/// Such a mark was edited or is damaged; removing its keys would delete other content of the file.
///
/// # Errors
/// [`Error::Unreadable`] with all of these paths.
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

/// Whether `name` is `prefix` and a non-empty rest without `/`.
fn is_after(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
}

/// Refuses to write `paths` that exist in the file, unless `annotate` wrote them (`own`).
///
/// # Errors
/// [`Error::KeysTaken`] with all of the existing paths.
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
