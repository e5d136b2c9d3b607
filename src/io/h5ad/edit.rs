//! Adds, replaces and removes parts of an `.h5ad`, in a copy that then takes its place.
//!
//! Existing data are not written again. New data and rebuilt group headers go to the end of the copy, and
//! every other dataset stays as it is, byte for byte ([`sbcell_hdf5::Editor`]). Tables of records
//! (anndata 0.6) become groups ([`super::convert`]). If unused space is a large part of the copy, the copy is
//! rewritten object by object.

use std::collections::BTreeSet;
use std::path::Path;

use ndarray::ArrayView2;
use sbcell_hdf5::{
    Attribute, Editor, Extended, Group, NewAttribute, Node, Values, edit_copy, survey,
};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::file;
use crate::io::h5ad::convert::{SlotRecords, TableRecords};
use crate::io::h5ad::part::Part;
use crate::io::h5ad::reclaim::reclaim;
use crate::io::h5ad::refused::not_edited;
use crate::io::h5ad::write::{
    array, check_names, dense, mark_categorical, mark_group, one_text, texts, write_codes,
};

/// The groups that an edit can reach into, with `obs`.
const SLOTS: [&str; 3] = ["obsm", "layers", "uns"];

/// Changes to an `.h5ad`. Fields that are left empty change nothing.
///
/// ```
/// use sbcell::data::Column;
/// use sbcell::io::h5ad::{Edited, H5ad, H5adContent, H5adEdit, edit_h5ad, write_h5ad};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("cells.h5ad");
/// let cells = ["a".to_string(), "b".to_string()];
/// write_h5ad(&path, &H5adContent { obs_names: &cells, ..H5adContent::default() })?;
/// let growth = ("growth".to_string(), Column::Floats(vec![1.5, 0.5]));
/// let edit = H5adEdit { obs: vec![growth.clone()], ..H5adEdit::default() };
/// assert_eq!(edit_h5ad(&path, &path, &edit)?, Edited::Extended);
/// assert_eq!(H5ad::open(&path)?.obs("growth")?, growth.1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct H5adEdit<'a> {
    /// Paths to remove, such as `obs/growth`; absent paths are ignored. `obsm`, `layers` or
    /// `uns` alone is removed if nothing else is in it.
    pub remove: Vec<String>,
    /// Columns of `obs`, at the end of the table or in the place of those of the same name. Texts
    /// become categoricals, and integers with missing entries become floats.
    pub obs: Vec<(String, Column)>,
    /// Arrays with one row per cell.
    pub obsm: Vec<(String, ArrayView2<'a, f64>)>,
    /// Matrices cells × genes, compressed.
    pub layers: Vec<(String, ArrayView2<'a, f32>)>,
    /// Texts.
    pub uns: Vec<(String, String)>,
}

/// How a file was edited. See [`H5adEdit`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// All existing data are where they were.
    Extended,
    /// The file was rewritten object by object, because it could not be extended or because much of it was
    /// unused space.
    Rewritten,
    /// Tables that were records, as anndata 0.6 writes them, are now groups of columns.
    Converted,
}

impl H5adEdit<'_> {
    /// The paths that are written, in the order of the fields.
    pub fn written(&self) -> Vec<String> {
        let Self { remove: _, obs, obsm, layers, uns } = self;
        let mut paths: Vec<String> = obs.iter().map(|(name, _)| format!("obs/{name}")).collect();
        paths.extend(obsm.iter().map(|(name, _)| format!("obsm/{name}")));
        paths.extend(layers.iter().map(|(name, _)| format!("layers/{name}")));
        paths.extend(uns.iter().map(|(name, _)| format!("uns/{name}")));
        paths
    }

    fn check(&self, file: &Part) -> Result<()> {
        let Self { remove: _, obs, obsm, layers, uns } = self;
        let same = |what, got: usize| {
            let expected = file.n_cells();
            if got == expected {
                return Ok(());
            }
            Err(Error::Shape { what, unit: "rows", expected, got })
        };
        obs.iter().try_for_each(|(_, column)| same("a column of obs", column.len()))?;
        obsm.iter().try_for_each(|(_, array)| same("an array of obsm", array.nrows()))?;
        layers.iter().try_for_each(|(_, layer)| same("a layer", layer.nrows()))?;
        check_names(obs.iter().map(|(name, _)| name.as_str()))?;
        check_names(obsm.iter().map(|(name, _)| name.as_str()))?;
        check_names(layers.iter().map(|(name, _)| name.as_str()))?;
        check_names(uns.iter().map(|(name, _)| name.as_str()))
    }
}

/// Writes `edit` of the file `source` to `path`, which may be the same file; `path` is what it was or
/// the edited file at any moment (see [`file::replace_by_copy`]).
///
/// Memory: what is written, and the whole file if it has the format that h5py writes by default.
///
/// # Errors
/// [`Error::Unreadable`] if `source` is no `.h5ad` or one that cannot be extended, with the way out;
/// [`Error::Shape`], [`Error::Parameter`] if the edit does not fit it; [`Error::Io`].
pub fn edit_h5ad(source: &Path, path: &Path, edit: &H5adEdit<'_>) -> Result<Edited> {
    let opened = Part::open(source)?;
    edit.check(&opened)?;
    let survey = survey(opened.root.file())?;
    let plan = Plan::of(&opened, edit)?;
    drop(opened);
    let converted = !plan.records.is_empty() || plan.slot.is_some();
    let mut how = if converted { Edited::Converted } else { Edited::Extended };
    file::replace_by_copy(source, path, |copy| {
        let groups = ["", "obs", "obsm", "layers", "uns"];
        if edit_copy(source, copy, &groups, &|copy| plan.apply(copy))? == Extended::Rewritten {
            how = Edited::Rewritten;
        }
        plan.confirm(source, copy)?;
        if !plan.deleted.is_empty()
            && survey.is_tree()
            && reclaim(path, copy)?
            && how == Edited::Extended
        {
            how = Edited::Rewritten;
        }
        Ok(())
    })?;
    Ok(how)
}

/// The steps of an edit, decided before anything is written.
struct Plan<'p, 'a> {
    edit: &'p H5adEdit<'a>,
    /// Paths to delete: what is removed and what is replaced.
    deleted: Vec<String>,
    /// Tables of records that become groups.
    records: Vec<TableRecords>,
    /// `obsm`, if it was one too.
    slot: Option<SlotRecords>,
    /// Groups to create.
    created: Vec<&'static str>,
    /// The columns of `obs` afterwards, if it lists them.
    order: Option<Vec<String>>,
    n_cells: usize,
}

impl<'p, 'a> Plan<'p, 'a> {
    fn of(file: &Part, edit: &'p H5adEdit<'a>) -> Result<Self> {
        let mut records = Vec::new();
        let obs = if let Some(Node::Group(obs)) = file.root.child("obs")? {
            Some(obs)
        } else {
            // anndata reads categories in `uns` only where `obs` is of records: both or none.
            for name in ["obs", "var"] {
                records.extend(TableRecords::of(&file.root, name)?);
            }
            None
        };
        let written = edit.written();
        let gone: BTreeSet<&String> = edit.remove.iter().chain(&written).collect();
        let mut deleted = Vec::new();
        for path in &gone {
            if path.contains('/') && file.holds(path)? {
                deleted.push((*path).clone());
            }
        }
        let (mut created, mut slot_records) = (Vec::new(), None);
        for slot in SLOTS {
            let needed = written.iter().any(|path| path.starts_with(&format!("{slot}/")));
            match file.root.child(slot)? {
                None if needed => created.push(slot),
                Some(Node::Dataset(table)) if needed => {
                    slot_records = if slot == "obsm" { SlotRecords::of(&table)? } else { None };
                    if slot_records.is_none() {
                        return Err(not_edited(file.path(), &format!("`{slot}` is no group")));
                    }
                }
                Some(Node::Group(group)) if !needed && edit.remove.iter().any(|p| p == slot) => {
                    let inside = |name: &String| gone.contains(&format!("{slot}/{name}"));
                    if group.children()?.iter().all(inside) {
                        deleted.retain(|path| !path.starts_with(&format!("{slot}/")));
                        deleted.push(slot.to_string());
                    }
                }
                _ => {}
            }
        }
        let order = if let Some(obs) = &obs {
            order_after(file, obs, edit)?
        } else {
            let names = records.first().map(TableRecords::names).unwrap_or_default();
            Some(order_with(names, edit))
        };
        let (slot, n_cells) = (slot_records, file.n_cells());
        Ok(Self { edit, deleted, records, slot, created, order, n_cells })
    }

    /// Makes all changes to `copy`.
    fn apply(&self, copy: &Path) -> sbcell_hdf5::Result<()> {
        self.regroup(copy)?;
        self.change(copy)
    }

    /// Makes groups of tables of records, in commits of their own.
    fn regroup(&self, copy: &Path) -> sbcell_hdf5::Result<()> {
        if self.records.is_empty() && self.slot.is_none() {
            return Ok(());
        }
        let editor = Editor::open(copy)?;
        for table in &self.records {
            editor.delete(&table.path())?;
        }
        let used: BTreeSet<&String> = self.records.iter().flat_map(|table| &table.used).collect();
        used.into_iter().try_for_each(|path| editor.delete(path))?;
        self.slot.iter().try_for_each(|_| editor.delete("obsm"))?;
        editor.commit()?;
        self.records.iter().try_for_each(|table| table.stage(&editor))?;
        self.slot.iter().try_for_each(|slot| slot.stage(&editor))?;
        editor.commit()?;
        editor.close()
    }

    /// Deletes, creates and replaces everything in one commit.
    fn change(&self, copy: &Path) -> sbcell_hdf5::Result<()> {
        let editor = Editor::open(copy)?;
        for path in &self.deleted {
            editor.delete(path)?;
        }
        for slot in &self.created {
            editor.group(slot, |group| mark_group(group, "dict", "0.1.0"))?;
        }
        let H5adEdit { remove: _, obs, obsm, layers, uns } = self.edit;
        for (name, column) in obs {
            stage_column(&editor, &format!("obs/{name}"), column)?;
        }
        for (name, matrix) in obsm {
            let values = matrix.as_standard_layout();
            let values = Values::F64(values.as_slice().unwrap_or(&[]));
            editor.dataset(&format!("obsm/{name}"), &dense(values, matrix.dim(), false))?;
        }
        for (name, layer) in layers {
            let values = layer.as_standard_layout();
            let values = Values::F32(values.as_slice().unwrap_or(&[]));
            editor.dataset(&format!("layers/{name}"), &dense(values, layer.dim(), true))?;
        }
        for (name, text) in uns {
            editor.dataset(&format!("uns/{name}"), &one_text(&[text]))?;
        }
        if let Some(order) = &self.order {
            editor.attribute("obs", "column-order", NewAttribute::Texts(order.clone()))?;
        }
        editor.commit()?;
        editor.close()
    }

    /// Reads the copy and checks that it contains the planned changes.
    fn confirm(&self, source: &Path, copy: &Path) -> Result<()> {
        let file = Part::open(copy)?;
        let wrong =
            |what: &str| not_edited(source, &format!("`{what}` was not written as planned"));
        if file.n_cells() != self.n_cells {
            return Err(wrong("obs"));
        }
        if let Some(order) = &self.order
            && let Some(Node::Group(obs)) = file.root.child("obs")?
            && listed_in(&obs).unwrap_or_default() != *order
        {
            return Err(wrong("obs"));
        }
        let written = self.edit.written();
        for path in &written {
            if !file.holds(path)? {
                return Err(wrong(path));
            }
        }
        match self
            .deleted
            .iter()
            .find(|path| !written.contains(path) && file.holds(path).is_ok_and(|still| still))
        {
            Some(path) => Err(wrong(path)),
            None => Ok(()),
        }
    }
}

/// The columns of `obs` after the edit, if it changes them and the table lists them.
fn order_after(file: &Part, obs: &Group, edit: &H5adEdit<'_>) -> Result<Option<Vec<String>>> {
    let listed = obs.attribute("column-order");
    let touched = !edit.obs.is_empty() || edit.remove.iter().any(|path| path.starts_with("obs/"));
    if !touched || listed.is_none() {
        return Ok(None);
    }
    let order = match listed_in(obs) {
        // Kept as it is listed, even where it names the index.
        Some(names) => names,
        // An empty list is of any type.
        None if file.obs_columns()?.is_empty() => Vec::new(),
        None => {
            return Err(not_edited(
                file.path(),
                "the order of the columns of `obs` cannot be read",
            ));
        }
    };
    Ok(Some(order_with(order, edit)))
}

/// The columns that a table lists.
fn listed_in(table: &Group) -> Option<Vec<String>> {
    match table.attribute("column-order") {
        Some(Attribute::Texts(names)) => Some(names.clone()),
        Some(Attribute::Text(name)) => Some(vec![name.clone()]),
        _ => None,
    }
}

/// A list of columns without those removed, and those added at its end.
fn order_with(mut order: Vec<String>, edit: &H5adEdit<'_>) -> Vec<String> {
    let added = |name: &String| edit.obs.iter().any(|(new, _)| new == name);
    order.retain(|name| added(name) || !edit.remove.contains(&format!("obs/{name}")));
    for (name, _) in &edit.obs {
        if !order.contains(name) {
            order.push(name.clone());
        }
    }
    order
}

fn stage_column(editor: &Editor, path: &str, column: &Column) -> sbcell_hdf5::Result<()> {
    match column {
        Column::Floats(values) => editor.dataset(path, &array(Values::F64(values))),
        Column::Integers(values) => {
            if let Some(whole) = values.iter().copied().collect::<Option<Vec<i64>>>() {
                return editor.dataset(path, &array(Values::I64(&whole)));
            }
            let floats: Vec<f64> =
                values.iter().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect();
            editor.dataset(path, &array(Values::F64(&floats)))
        }
        // Other values are compared by their printed form.
        _ => stage_categorical(editor, path, column),
    }
}

fn stage_categorical(editor: &Editor, path: &str, column: &Column) -> sbcell_hdf5::Result<()> {
    let labels: Vec<Option<String>> = (0..column.len()).map(|i| column.label(i)).collect();
    let mut categories: Vec<&str> = labels.iter().flatten().map(String::as_str).collect();
    categories.sort_unstable();
    categories.dedup();
    let code = |label: &Option<String>| {
        let place = |label: &String| categories.partition_point(|other| *other < label.as_str());
        label.as_ref().map_or(-1, |label| place(label) as i32)
    };
    let codes: Vec<i32> = labels.iter().map(code).collect();
    editor.group(path, |group| {
        mark_categorical(group);
        write_codes(group, &codes, categories.len());
        group.dataset("categories", &texts(&categories));
    })
}

/// Adds a list of texts to `uns` of a file, for tests.
#[cfg(test)]
pub(crate) fn add_texts(path: &Path, key: &str, texts: &[&str]) {
    use sbcell_hdf5::{NewDataset, Values};

    let has_uns = Part::open(path).unwrap().holds("uns").unwrap();
    let editor = Editor::open(path).unwrap();
    if !has_uns {
        editor.group("uns", |_| {}).unwrap();
    }
    let texts = NewDataset::new(Values::Texts(texts));
    editor.dataset(&format!("uns/{key}"), &texts).unwrap();
    editor.commit().unwrap();
    editor.close().unwrap();
}
