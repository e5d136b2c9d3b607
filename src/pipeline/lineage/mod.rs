//! Cells over time, from a model: trajectories, fates, transitions, genes along them, diagnostics.

mod couplings;
mod diagnose;
mod fates;
mod genes;
mod notes;
mod perturb;
mod trajectory;
mod transitions;
mod warnings;

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::io::lists::read_cell_groups;
use crate::io::model::{Model, OpenModel};
use crate::io::table::{self, Table, TableFormat};
use crate::lineage::{Groups, Lineage, Resampled};
use crate::pipeline::fit::oddities::say_repeated;
use crate::pipeline::fitted::Fitted;
use crate::pipeline::output::write_recorded;
use crate::pipeline::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

pub use couplings::{CouplingOptions, Export, coupling_files, couplings};
pub use diagnose::{DiagnoseOptions, Diagnosed, diagnose};
pub use fates::{FateOptions, FateTables, TerminalGroup, fates};
pub use genes::{DriverOptions, DriverRow, TrendOptions, TrendTables, drivers, trends};
pub(in crate::pipeline) use notes::{say_unlabelled, say_without_batch};
pub use perturb::{GeneLevel, PerturbOptions, Perturbed, perturb};
pub use trajectory::{Direction, Trajectories, TrajectoryOptions, trajectory};
pub use transitions::{FoundTransitions, TransitionOptions, transitions};

/// Where groups of cells are written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSets {
    /// A column of `obs` of the fitted file.
    pub groupby: Option<String>,
    /// Files with cells, or cells and their groups.
    pub files: Vec<String>,
    /// The fitted file, if it is not where the fit found it.
    pub data: Option<String>,
}

/// The cells of a model, snapshot by snapshot, and the plans between them.
pub(super) struct CourseOfCells {
    pub(super) process: Process,
    pub(super) lineage: Lineage,
    /// Rows of the model's cells, for each time.
    pub(super) rows: Vec<Vec<usize>>,
}

impl CourseOfCells {
    /// Brings the model to life and finds the plan of every interval.
    pub(super) fn restore(model: &Model, seed: u64, progress: &mut dyn Progress) -> Result<Self> {
        say_repeated(&model.cells, progress)?;
        let process = Process::restore(model)?;
        let times = process.series.times().to_vec();
        let rows: Vec<Vec<usize>> = times
            .iter()
            .map(|time| {
                let at = |cell: &usize| model.cell_times[*cell].total_cmp(time).is_eq();
                (0..model.cells.len()).filter(at).collect()
            })
            .collect();
        let n = process.series.bridges().len();
        let what = "which cells go to which".to_string();
        progress::report(progress, Event::Begin { what, total: n as u64 })?;
        let mut links: Vec<Link> = Vec::with_capacity(n);
        for (k, bridge) in process.series.bridges().iter().enumerate() {
            let source = process.source(k, times[k + 1])?;
            let seed = Seed(seed).child("lineage/link", k as u64);
            links.push(bridge.link(&source, &process.snapshots[k + 1], seed)?);
            progress::report(progress, Event::Step { done: k as u64 + 1 })?;
        }
        progress::report(progress, Event::End)?;
        let lineage = Lineage::new(times, links)?;
        Ok(Self { process, lineage, rows })
    }

    /// Values of all cells of the model, time by time.
    pub(super) fn by_time<T: Clone>(&self, values: &[T]) -> Vec<Vec<T>> {
        self.rows.iter().map(|rows| rows.iter().map(|&row| values[row].clone()).collect()).collect()
    }

    pub(super) fn snapshots(&self) -> &[Snapshot] {
        &self.process.snapshots
    }

    /// Resamples of cells, or of the batches of column `batch`.
    pub(super) fn resampled(
        &self,
        model: &OpenModel,
        (data, batch): (Option<&str>, Option<&str>),
        (n_resamples, seed): (usize, u64),
        progress: &mut dyn Progress,
    ) -> Result<Resampled<'_>> {
        let batches = match batch {
            None => None,
            Some(column) => {
                let labels = Fitted::open(model, data, progress)?.labels(column)?;
                notes::say_without_batch(&labels, column, progress)?;
                let batches = self.by_time(&labels);
                self.say_lone_batches(&batches, column, progress)?;
                Some(batches)
            }
        };
        let seed = Seed(seed).child("lineage/resamples", 0);
        Resampled::new(&self.lineage, batches.as_deref(), (n_resamples, seed))
    }
}

impl CourseOfCells {
    /// Says which times have one batch only: resampling batches leaves their cells as they are.
    fn say_lone_batches(
        &self,
        batches: &[Vec<String>],
        column: &str,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let lone: Vec<String> = batches
            .iter()
            .zip(self.lineage.times())
            .filter(|(labels, _)| labels.iter().all(|label| *label == labels[0]))
            .map(|(_, time)| time.to_string())
            .collect();
        if lone.is_empty() {
            return Ok(());
        }
        let text = format!(
            "one value of `{column}` only at {}: resampling it says nothing of the scatter there, so \
             that there is no interval through it",
            lone.join(", ")
        );
        progress::note(progress, text)
    }
}

impl CellSets {
    /// Whether there is a column or a file of groups.
    pub fn is_named(&self) -> bool {
        self.groupby.is_some() || !self.files.is_empty()
    }

    /// The groups of the cells of a model.
    ///
    /// # Errors
    /// [`Error::Parameter`] if neither or both of column and files are given, or no cell of the files is
    /// in the model; those of reading.
    pub(super) fn read(
        &self,
        model: &OpenModel,
        course: &CourseOfCells,
        progress: &mut dyn Progress,
    ) -> Result<Groups> {
        let labels = match (&self.groupby, self.files.is_empty()) {
            (Some(column), true) => {
                let data = self.data.as_deref();
                let labels = Fitted::open(model, data, progress)?.labels(column)?;
                notes::say_unlabelled(&labels, column, progress)?;
                labels
            }
            (None, false) => {
                if self.data.is_some() {
                    // Nothing is read from it here; a wrong one is refused all the same.
                    Fitted::open(model, self.data.as_deref(), progress)?;
                }
                self.of_files(model, progress)?
            }
            (both, _) => {
                let got = if both.is_some() { "both" } else { "neither" };
                let (name, must) = ("groupby", "given, or the parameter `cells` in its place");
                return Err(Error::Parameter { name, must, got: got.into() });
            }
        };
        Ok(Groups::of_labels(&course.by_time(&labels)))
    }

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
            notes::say_sets((model, file), &sets, progress)?;
        }
        Ok(labels)
    }
}

/// A table of such a command, and its run record beside it.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_table(
    (out, format): (&Path, TableFormat),
    table: &Table,
    model: &Model,
    (command, options): (&str, &impl Serialize),
) -> Result<()> {
    write_recorded(out, command, model, options, |out| table::write(out, table, format))
}

/// The rows `[first, last]` of places for a time that may be left out: the last by default.
pub(super) fn place_or_last(lineage: &Lineage, at: Option<f64>) -> Result<usize> {
    at.map_or(Ok(lineage.times().len() - 1), |time| lineage.place(time))
}

/// Uniform weights over the cells of `groups` at place `k`, one column for each.
pub(super) fn even_sets(groups: &Groups, k: usize, of: &[usize]) -> ndarray::Array2<f64> {
    let mut sets = groups.indicators(k, of);
    for mut column in sets.axis_iter_mut(Axis(1)) {
        let total: f64 = column.sum();
        if total > 0.0 {
            column /= total;
        }
    }
    sets
}
