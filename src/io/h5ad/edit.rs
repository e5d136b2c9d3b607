//! Adds, replaces and removes parts of an `.h5ad`, in a copy that then takes its place.
//!
//! What is there is not written again: new data and rebuilt group headers go to the end of the copy,
//! and every other dataset stays as it is, byte for byte. Links that are kept in a way that the HDF5
//! crate cannot extend are first brought into one that it can ([`super::compact`]), and tables of
//! records (anndata 0.6) become groups ([`super::convert`]). What nothing leads to any more is left
//! behind by writing the copy anew, object by object, once it is a good part of the file.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_pure::{
    AttrValue, DatasetBuilder, FileAccessProperties, FileLocking, Group, RepackOptions,
    StagedGroup, SyncPolicy,
};
use ndarray::ArrayView2;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::file;
use crate::io::h5ad::compact::compact_groups;
use crate::io::h5ad::convert::{Records, SlotRecords, listed};
use crate::io::h5ad::element::Attribute;
use crate::io::h5ad::hdf5::{Folder, Node};
use crate::io::h5ad::read::H5ad;
use crate::io::h5ad::reclaim::reclaim;
use crate::io::h5ad::survey::{Survey, survey};
use crate::io::h5ad::write::{MatrixContent, check_names, dense, encoding, mark};

/// The groups that an edit can reach into, with `obs`.
const SLOTS: [&str; 3] = ["obsm", "layers", "uns"];

/// What is to be changed in an `.h5ad`; what is left empty stays as it is.
#[derive(Debug, Clone, Default)]
pub struct H5adEdit<'a> {
    /// Paths to remove, such as `obs/growth`; what is not there is no error. `obsm`, `layers` or
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

/// How a file was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// What was there is where it was.
    Extended,
    /// The file was written anew, object by object, because it could not be extended, or was in
    /// good part what nothing led to any more.
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

    fn check(&self, file: &H5ad) -> Result<()> {
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

impl H5ad {
    /// Whether there is something at `path`, such as `obs/growth` or `obsm`.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn holds(&self, path: &str) -> Result<bool> {
        let Some((slot, name)) = path.split_once('/') else {
            return Ok(self.root.child(path)?.is_some());
        };
        match self.root.child(slot)? {
            Some(Node::Folder(folder)) => Ok(folder.child(name)?.is_some()),
            _ => Ok(false),
        }
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
    let opened = H5ad::open(source)?;
    edit.check(&opened)?;
    let survey = survey(opened.root.container())?;
    let plan = Plan::of(&opened, edit)?;
    drop(opened);
    let converted = !plan.records.is_empty() || plan.slot.is_some();
    let mut how = if converted { Edited::Converted } else { Edited::Extended };
    file::replace_by_copy(source, path, |copy| {
        if let Err(error) = plan.applied(source, copy) {
            let hdf5_pure::Error::EditUnsupported(why) = error else {
                return Err(failed(source, &error.to_string()));
            };
            extend_otherwise(source, copy, &plan, &mut how)
                .map_err(|also| failed(source, &format!("{why}{also}")))?;
        }
        plan.confirm(source, copy)?;
        if !plan.deleted.is_empty()
            && survey == Survey::default()
            && reclaim(path, copy)?
            && how == Edited::Extended
        {
            how = Edited::Rewritten;
        }
        Ok(())
    })?;
    Ok(how)
}

/// Edits a copy in which the crate's own way failed; what stood in the way of that, if it fails too.
fn extend_otherwise(
    source: &Path,
    copy: &Path,
    plan: &Plan<'_, '_>,
    how: &mut Edited,
) -> std::result::Result<(), String> {
    let also = |error: &dyn std::fmt::Display| format!("; and {error}");
    file::copy_into(source, copy).map_err(|error| also(&error))?;
    let groups = ["", "obs", "obsm", "layers", "uns"];
    if compact_groups(copy, &groups).map_err(|error| also(&error))?
        && plan.applied(source, copy).is_ok()
    {
        return Ok(());
    }
    // Only what the crate would write again as it is.
    let survey = H5ad::open(source).and_then(|file| survey(file.root.container()));
    if !survey.is_ok_and(|found| found == Survey::default()) {
        return Err(String::new());
    }
    *how = Edited::Rewritten;
    guarded(source, || hdf5_pure::repack(source, copy, &RepackOptions::new()))
        .and_then(|()| plan.applied(source, copy))
        .map_err(|error| also(&error))
}

/// The crate's panics become its errors.
pub(super) fn guarded(
    source: &Path,
    work: impl FnOnce() -> std::result::Result<(), hdf5_pure::Error>,
) -> std::result::Result<(), hdf5_pure::Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let problem = format!("the HDF5 structures of `{}` are corrupt", source.display());
        Err(hdf5_pure::Error::Io(std::io::Error::other(problem)))
    })
}

fn failed(source: &Path, why: &str) -> Error {
    Error::Unreadable {
        path: source.to_path_buf(),
        problem: format!("nothing can be added to it as it is stored: {why}"),
        way_out: Some(
            "rewrite it once with anndata, `anndata.read_h5ad(FILE).write_h5ad(NEW)`, and give the \
             new file"
                .into(),
        ),
    }
}

/// What is to be done, found out before anything is touched.
struct Plan<'p, 'a> {
    edit: &'p H5adEdit<'a>,
    /// Paths to delete: what is removed and what is replaced.
    deleted: Vec<String>,
    /// Tables of records that become groups.
    records: Vec<Records>,
    /// `obsm`, if it was one too.
    slot: Option<SlotRecords>,
    /// Groups to create.
    created: Vec<&'static str>,
    /// The columns of `obs` afterwards, if it lists them.
    order: Option<Vec<String>>,
    n_cells: usize,
}

impl<'p, 'a> Plan<'p, 'a> {
    fn of(file: &H5ad, edit: &'p H5adEdit<'a>) -> Result<Self> {
        let mut records = Vec::new();
        let obs = if let Some(Node::Folder(obs)) = file.root.child("obs")? {
            Some(obs)
        } else {
            // anndata reads categories in `uns` only where `obs` is of records: both or none.
            for name in ["obs", "var"] {
                records.extend(Records::of(&file.root, name)?);
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
                Some(Node::Array(table)) if needed => {
                    slot_records = if slot == "obsm" { SlotRecords::of(&table)? } else { None };
                    if slot_records.is_none() {
                        return Err(failed(file.path(), &format!("`{slot}` is no group")));
                    }
                }
                Some(Node::Folder(folder)) if !needed && edit.remove.iter().any(|p| p == slot) => {
                    let inside = |name: &String| gone.contains(&format!("{slot}/{name}"));
                    if folder.children()?.iter().all(inside) {
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
            let names = records.first().map(Records::names).unwrap_or_default();
            Some(order_with(names, edit))
        };
        let (slot, n_cells) = (slot_records, file.n_cells());
        Ok(Self { edit, deleted, records, slot, created, order, n_cells })
    }

    /// [`Plan::apply`], with panics of the crate as errors.
    fn applied(&self, source: &Path, copy: &Path) -> std::result::Result<(), hdf5_pure::Error> {
        guarded(source, || {
            self.regroup(copy)?;
            self.apply(copy)
        })
    }

    /// Makes groups of tables of records, in commits of their own.
    fn regroup(&self, copy: &Path) -> std::result::Result<(), hdf5_pure::Error> {
        if self.records.is_empty() && self.slot.is_none() {
            return Ok(());
        }
        let opened = hdf5_pure::File::open_rw_with_options(copy, properties())?;
        let root = opened.root();
        for table in &self.records {
            root.delete(&table.path())?;
        }
        let used: BTreeSet<&String> = self.records.iter().flat_map(|table| &table.used).collect();
        used.into_iter().try_for_each(|path| root.delete(path))?;
        self.slot.iter().try_for_each(|_| root.delete("obsm"))?;
        opened.commit()?;
        self.records.iter().try_for_each(|table| table.stage(&root))?;
        self.slot.iter().try_for_each(|slot| slot.stage(&root))?;
        opened.commit()?;
        drop(root);
        opened.close()
    }

    /// Stages everything and commits it at once.
    fn apply(&self, copy: &Path) -> std::result::Result<(), hdf5_pure::Error> {
        let opened = hdf5_pure::File::open_rw_with_options(copy, properties())?;
        let root = opened.root();
        for path in &self.deleted {
            root.delete(path)?;
        }
        for slot in &self.created {
            root.create_group_with(slot, |group| mark_group(group, "dict", "0.1.0"))?;
        }
        let H5adEdit { remove: _, obs, obsm, layers, uns } = self.edit;
        for (name, column) in obs {
            stage_column(&root, &format!("obs/{name}"), column)?;
        }
        for (name, array) in obsm {
            root.create_dataset(&format!("obsm/{name}"), |dataset| {
                dense(dataset, MatrixContent::Double(*array), false);
            })?;
        }
        for (name, layer) in layers {
            root.create_dataset(&format!("layers/{name}"), |dataset| {
                dense(dataset, MatrixContent::Single(*layer), true);
            })?;
        }
        for (name, text) in uns {
            root.create_dataset(&format!("uns/{name}"), |dataset| {
                mark(dataset.with_vlen_strings(&[text]).with_shape(&[]), "string", "0.2.0");
            })?;
        }
        if let Some(order) = &self.order {
            opened.group("obs")?.set_attr("column-order", listed(order.clone()))?;
        }
        opened.commit()?;
        drop(root);
        opened.close()
    }

    /// Reads back from the copy that it is what was planned.
    fn confirm(&self, source: &Path, copy: &Path) -> Result<()> {
        let file = H5ad::open(copy)?;
        let wrong = |what: &str| failed(source, &format!("`{what}` was not written as planned"));
        if file.n_cells() != self.n_cells {
            return Err(wrong("obs"));
        }
        if let Some(order) = &self.order
            && let Some(Node::Folder(obs)) = file.root.child("obs")?
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
fn order_after(file: &H5ad, obs: &Folder, edit: &H5adEdit<'_>) -> Result<Option<Vec<String>>> {
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
            return Err(failed(file.path(), "the order of the columns of `obs` cannot be read"));
        }
    };
    Ok(Some(order_with(order, edit)))
}

/// The columns that a table lists.
fn listed_in(table: &Folder) -> Option<Vec<String>> {
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

/// The copy is locked by `file::replace_by_copy`, and synced there.
fn properties() -> FileAccessProperties {
    FileAccessProperties::new()
        .with_locking(FileLocking::Disabled)
        .with_sync_policy(SyncPolicy::OnClose)
}

fn mark_group(group: &mut StagedGroup<'_>, kind: &str, version: &str) {
    for (name, value) in encoding(kind, version) {
        group.set_attr(name, value);
    }
}

fn stage_column(
    root: &Group,
    path: &str,
    column: &Column,
) -> std::result::Result<(), hdf5_pure::Error> {
    let write = |fill: &mut dyn FnMut(&mut DatasetBuilder)| {
        root.create_dataset(path, |dataset| {
            fill(dataset);
            mark(dataset, "array", "0.2.0");
        })
        .map(|_| ())
    };
    match column {
        Column::Floats(values) => write(&mut |dataset| {
            dataset.with_f64_data(values);
        }),
        Column::Integers(values) => {
            if let Some(whole) = values.iter().copied().collect::<Option<Vec<i64>>>() {
                return write(&mut |dataset| {
                    dataset.with_i64_data(&whole);
                });
            }
            let floats: Vec<f64> =
                values.iter().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect();
            write(&mut |dataset| {
                dataset.with_f64_data(&floats);
            })
        }
        // All else by what would be printed.
        _ => stage_categorical(root, path, column),
    }
}

fn stage_categorical(
    root: &Group,
    path: &str,
    column: &Column,
) -> std::result::Result<(), hdf5_pure::Error> {
    let labels: Vec<Option<String>> = (0..column.len()).map(|i| column.label(i)).collect();
    let mut categories: Vec<&str> = labels.iter().flatten().map(String::as_str).collect();
    categories.sort_unstable();
    categories.dedup();
    let code = |label: &Option<String>| {
        let place = |label: &String| categories.partition_point(|other| *other < label.as_str());
        label.as_ref().map_or(-1, |label| place(label) as i32)
    };
    let codes: Vec<i32> = labels.iter().map(code).collect();
    root.create_group_with(path, |group| {
        mark_group(group, "categorical", "0.2.0");
        group.set_attr("ordered", AttrValue::U8(0));
        group.create_dataset("codes", |dataset| {
            if i8::try_from(categories.len()).is_ok() {
                let small: Vec<i8> = codes.iter().map(|&code| code as i8).collect();
                dataset.with_i8_data(&small);
            } else {
                dataset.with_i32_data(&codes);
            }
            mark(dataset, "array", "0.2.0");
        });
        group.create_dataset("categories", |dataset| {
            mark(dataset.with_vlen_strings(&categories), "string-array", "0.2.0");
        });
    })
    .map(|_| ())
}
