//! Groups of cells, from a column of `obs` or from files that list cells.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::lists::read_cell_groups;
use crate::io::model::{Model, OpenModel};
use crate::lineage::Groups;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::notes;
use crate::pipeline::shared::states::{Asked, FoundStates, StateOptions};
use crate::progress::{self, Progress};

/// Where the groups of cells are written: a column of the fitted file, or files that list cells.
///
/// Exactly one of `groupby` and `files` is given, or at most one with `states`.
///
/// ```
/// use sbcell::pipeline::CellSets;
///
/// let by_column = CellSets::default().with_groupby(Some("cell_type".into()));
/// assert!(by_column.is_named() && !CellSets::default().is_named());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct CellSets {
    /// A column of `obs` of the fitted file; each of its values is a group.
    pub groupby: Option<String>,
    /// Files with one cell per line (the file is the group), with cells and their groups, or `.gmt` files
    /// with one set per line.
    pub files: Vec<String>,
    /// Path of the fitted file, if it is not where the fit found it.
    pub data: Option<String>,
    /// How groups are found without labels: the terminal states of the course. Columns and files then
    /// only give names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub states: Option<StateOptions>,
}

/// A group of cells at one of the times of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupAt {
    /// Index of the time.
    pub(crate) place: usize,
    /// Index of the group in [`Groups::names`].
    pub(crate) group: usize,
}

impl CellSets {
    /// As [`CellSets::read`]; with [`CellSets::states`] the groups are the terminal states at `at`, or at
    /// the last time.
    ///
    /// # Errors
    /// As [`CellSets::read`] and [`FoundStates::of`].
    pub(crate) fn read_at(
        &self,
        model: &OpenModel,
        course: &CourseOfCells,
        at: Option<f64>,
        progress: &mut dyn Progress,
    ) -> Result<Groups> {
        match self.found(model, course, at, progress)? {
            Some(found) => Ok(found.groups(course)),
            None => self.read(model, course, progress),
        }
    }

    /// The states of the course, if [`CellSets::states`] asks for them.
    ///
    /// # Errors
    /// As [`CellSets::read`] and [`FoundStates::of`].
    pub(crate) fn found(
        &self,
        model: &OpenModel,
        course: &CourseOfCells,
        at: Option<f64>,
        progress: &mut dyn Progress,
    ) -> Result<Option<FoundStates>> {
        let Some(options) = &self.states else { return Ok(None) };
        let groups = if self.is_named() { Some(self.read(model, course, progress)?) } else { None };
        let asked = Asked { groups: groups.as_ref(), at, data: self.data.as_deref() };
        FoundStates::of(model, course, options, &asked, progress).map(Some)
    }

    /// Whether a column or a file of groups is given.
    pub fn is_named(&self) -> bool {
        self.groupby.is_some() || !self.files.is_empty()
    }

    /// The groups of all cells of `model`, time by time. Notes tell how many cells have no group.
    ///
    /// # Errors
    /// [`Error::Parameter`] if neither or both of column and files are given, if no cell of a file is in the
    /// model, or if a cell is in two groups; those of reading the files.
    pub(crate) fn read(
        &self,
        model: &OpenModel,
        course: &CourseOfCells,
        progress: &mut dyn Progress,
    ) -> Result<Groups> {
        Ok(Groups::of_labels(&course.by_time(&self.labels(model, progress)?)))
    }

    /// The group of each cell of `model`, in its order; empty for none. Notes are those of [`CellSets::read`].
    ///
    /// # Errors
    /// As [`CellSets::read`].
    pub(crate) fn labels(
        &self,
        model: &OpenModel,
        progress: &mut dyn Progress,
    ) -> Result<Vec<String>> {
        match (&self.groupby, self.files.is_empty()) {
            (Some(column), true) => {
                let data = self.data.as_deref();
                let labels = Fitted::open(model, data, progress)?.groups(column)?;
                notes::say_unlabelled(&labels, column, progress)?;
                Ok(labels)
            }
            (None, false) => {
                if self.data.is_some() {
                    // The groups do not need this file, but a wrong path is an error all the same.
                    Fitted::open(model, self.data.as_deref(), progress)?;
                }
                self.of_files(model, progress)
            }
            (both, _) => {
                let got = if both.is_some() { "both" } else { "neither" };
                let (name, must) = ("groupby", "given, or the parameter `cells` in its place");
                Err(Error::Parameter { name, must, got: got.into() })
            }
        }
    }

    /// The label of each cell of `model` from the files; empty for cells that no file lists.
    fn of_files(&self, model: &Model, progress: &mut dyn Progress) -> Result<Vec<String>> {
        let place: BTreeMap<&String, usize> =
            model.cells.iter().enumerate().map(|(row, name)| (name, row)).collect();
        let mut labels = vec![String::new(); model.cells.len()];
        for file in &self.files {
            let named = read_cell_groups(Path::new(file))?;
            let (mut found, n_named) = (0, named.len());
            let mut sets: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for (cell, group) in named {
                let rows = sets.entry(group.clone()).or_default();
                let Some(&row) = place.get(&cell) else { continue };
                rows.push(row);
                if !labels[row].is_empty() && labels[row] != group {
                    let got = format!("`{cell}` in {} and {group}", labels[row]);
                    let (name, must) = ("cells", "sets without common cells");
                    return Err(Error::Parameter { name, must, got });
                }
                labels[row] = group;
                found += 1;
            }
            if found == 0 {
                let (name, must) = ("cells", "a file with names of cells of the model");
                return Err(Error::Parameter { name, must, got: format!("none in {file}") });
            }
            if found < n_named {
                let text = format!(
                    "{} of {n_named} cells of {file} are not in the model",
                    n_named - found
                );
                progress::note(progress, text)?;
            }
            notes::say_sets(model, file, &sets, progress)?;
        }
        Ok(labels)
    }
}
