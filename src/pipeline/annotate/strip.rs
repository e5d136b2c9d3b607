//! `strip`: removes from an `.h5ad` what `annotate` wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::Result;
use crate::io::file;
use crate::io::h5ad::{DataFiles, Edited, H5ad, H5adEdit, edit_h5ad};
use crate::io::held::Held;
use crate::io::output::same_file;
use crate::pipeline::annotate::mark::{Mark, check_listed, marks};

/// The result of [`strip`]: what was removed, and what stays. See there for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped {
    /// Keys in `uns` of the marks that were removed.
    pub marks: Vec<String>,
    /// Keys of other marks, which stay.
    pub left: Vec<String>,
    /// Paths that were removed.
    pub removed: Vec<String>,
    /// How the file was written.
    pub edited: Edited,
}

/// Removes from the file `source` what `annotate` wrote under `key` (under every key if it is `None`), and writes
/// the rest to `out`, which may be the same file.
///
/// Without a mark, the file stays as it is, and another file `out` is a copy. Keys that a remaining mark also
/// lists stay. Content that an annotation with `overwrite` replaced does not come back.
///
/// ```
/// use sbcell::pipeline::{AnnotateOptions, annotate, example_model, marks, strip};
/// use sbcell::{Silent, io::h5ad::H5ad};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let file = folder.path().join("cells.h5ad");
/// annotate(&model, &file, &file, &AnnotateOptions::default(), &mut Silent)?;
/// let stripped = strip(&file, &file, None)?;
/// assert_eq!(stripped.marks, ["sbcell"]);
/// assert!(marks(&H5ad::open(&file)?)?.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`edit_h5ad`]; [`Error::Unreadable`](crate::Error::Unreadable) if a mark lists keys that `annotate` never
/// writes; [`Error::FileInUse`](crate::Error::FileInUse) and [`Error::FileChanged`](crate::Error::FileChanged)
/// if the file is changed in place and another process uses it.
pub fn strip(source: &Path, out: &Path, key: Option<&str>) -> Result<Stripped> {
    // First, so that a file that is no `.h5ad` is reported as such.
    DataFiles::find(source)?.check_one("strip")?;
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
