//! Answers of sbcell to a course, by the functions behind its commands and with their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Axis, s};
use sbcell::bridge::Link;
use sbcell::data::Snapshot;
use sbcell::io::model::OpenModel;
use sbcell::io::table::{Cells, Table, TableFormat, write};
use sbcell::metrics::Estimate;
use sbcell::pipeline::{
    CellSets, CouplingEpsilon, FateOptions, FitOptions, Running, TransitionOptions, fates, fit,
    transitions,
};
use sbcell::{Epsilon, Silent};
use tempfile::TempDir;

use crate::score::correlation;
use crate::simulate::Course;

/// A course with a model that was fitted to it, in a folder that goes with it.
pub(crate) struct Fitted<'a> {
    course: &'a Course,
    folder: TempDir,
    model: OpenModel,
    /// Coordinates of all cells in the order of the course.
    pub(crate) points: Array2<f64>,
}

/// Fates of the early cells, as `sbcell fates` gives them.
pub(crate) struct FoundFates {
    /// Probabilities, `(n_early, n_fates)`.
    pub(crate) probabilities: Array2<f64>,
    /// Ends of their intervals.
    pub(crate) lo: Array2<f64>,
    pub(crate) hi: Array2<f64>,
    /// Descendants relative to the mean cell.
    pub(crate) descendants: Array1<f64>,
}

/// Groups of early cells.
pub(crate) struct EarlyGroups {
    /// Names, sorted.
    pub(crate) names: Vec<String>,
    /// The cells of each group.
    pub(crate) members: Vec<Vec<usize>>,
}

impl<'a> Fitted<'a> {
    /// Fits `course` with `options`.
    pub(crate) fn of(course: &'a Course, options: &FitOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("course.h5ad");
        course.write(&data);
        let out = folder.path().join("model");
        drop(fit(&data, &out, options, Running::default(), &mut Silent).unwrap());
        let model = OpenModel::read(&out).unwrap();
        let rows: BTreeMap<&String, usize> =
            model.cells.iter().enumerate().map(|(row, name)| (name, row)).collect();
        let rows: Vec<usize> = course.names.iter().map(|name| rows[name]).collect();
        let points = model.points.select(Axis(0), &rows);
        Self { course, folder, model, points }
    }

    /// A path in the folder of the model.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The fates of the early cells by couplings with the noise `epsilon`, with intervals from `bootstrap` resamples.
    pub(crate) fn fates(&self, bootstrap: usize, epsilon: CouplingEpsilon) -> FoundFates {
        let course = self.course;
        let sets = CellSets::default().with_groupby(Some("cell_type".into()));
        let options = FateOptions::default()
            .with_sets(sets)
            .with_bootstrap(bootstrap)
            .with_coupling_epsilon(epsilon);
        let found = fates(&self.model, &options, &mut Silent).unwrap();
        let rows = rows_of(course, &found.cells);
        let floats = |suffix: &str| {
            let name = |fate: &String| format!("{fate}{suffix}");
            let names: Vec<String> = course.fate_names.iter().map(name).collect();
            found.cells.floats(&names).unwrap().select(Axis(0), &rows)
        };
        let descendants = found.cells.floats(&["descendants".into()]).unwrap();
        FoundFates {
            probabilities: floats(""),
            lo: floats("_lo"),
            hi: floats("_hi"),
            descendants: descendants.select(Axis(0), &rows).column(0).to_owned(),
        }
    }

    /// Fates of the early cells by one entropic plan from the first to the last time, with all cells of a time of
    /// equal weight, in the coordinates and scale of the model.
    pub(crate) fn plan(&self, epsilon: f64) -> Array2<f64> {
        let course = self.course;
        let points = &self.points / self.model.header.scale;
        let [early, late] = [0..course.n_early, course.late()]
            .map(|rows| Snapshot::new(points.slice(s![rows, ..]).to_owned()).unwrap());
        let link = Link::entropic(&early, &late, Epsilon::new(epsilon).unwrap()).unwrap();
        let mut found = link.pull(course.late_fates().view()).unwrap();
        for mut row in found.rows_mut() {
            row /= row.sum();
        }
        found
    }

    /// Shares of the fates among the descendants of each of `groups`, with intervals from resampled cells, or from
    /// resampled replicates. Groups and fates in order.
    pub(crate) fn shares(&self, groups: &EarlyGroups, by_batch: bool) -> Vec<Vec<Estimate>> {
        let course = self.course;
        let mut labels = course.labels();
        for (name, members) in groups.names.iter().zip(&groups.members) {
            for &cell in members {
                labels[cell].clone_from(name);
            }
        }
        let table = Table::default()
            .with("cell", Cells::Texts(course.names.clone()))
            .with("group", Cells::Texts(labels));
        let path = self.path("groups.csv");
        write(&path, &table, TableFormat::Csv).unwrap();
        let sets = CellSets::default().with_files(vec![path.to_string_lossy().into_owned()]);
        let last = course.times[course.times.len() - 1];
        let options = TransitionOptions::default()
            .with_sets(sets)
            .with_pairs(vec![(course.times[0], last)])
            .with_batch(by_batch.then(|| "batch".into()));
        let found = transitions(&self.model, &options, &mut Silent).unwrap();
        let shown = &found.shown[0];
        let fate = |name: &String| shown.targets.iter().position(|target| target == name).unwrap();
        let fates: Vec<usize> = course.fate_names.iter().map(fate).collect();
        let of_group = |name: &String| {
            let row = shown.rows.iter().find(|row| row.source == *name).unwrap();
            fates.iter().map(|&fate| row.shares[fate].clone()).collect()
        };
        groups.names.iter().map(of_group).collect()
    }

    /// All early cells as one group.
    pub(crate) fn everyone(&self) -> EarlyGroups {
        let members = vec![(0..self.course.n_early).collect()];
        EarlyGroups { names: vec!["early".into()], members }
    }

    /// Thirds of the early cells along the coordinate that separates the fates of the late cells best, so that the
    /// thirds differ in their fates.
    pub(crate) fn thirds(&self) -> EarlyGroups {
        let course = self.course;
        let fates = course.late_fates();
        let late = self.points.slice(s![course.late(), ..]);
        let separates = |column: usize| {
            let of = |fate| correlation(late.column(column), fate).abs();
            fates.columns().into_iter().map(of).fold(0.0, f64::max)
        };
        let best =
            (0..late.ncols()).max_by(|&a, &b| separates(a).total_cmp(&separates(b))).unwrap();
        let mut order: Vec<usize> = (0..course.n_early).collect();
        order.sort_by(|&a, &b| self.points[[a, best]].total_cmp(&self.points[[b, best]]));
        let members = order.chunks(order.len().div_ceil(3)).map(<[usize]>::to_vec).collect();
        EarlyGroups { names: ["third1", "third2", "third3"].map(String::from).to_vec(), members }
    }
}

/// The rows of the early cells of `course` in a table with the column `id`.
fn rows_of(course: &Course, table: &Table) -> Vec<usize> {
    let Some(Cells::Texts(ids)) = table.column("id") else { panic!("a table without cells") };
    let rows: BTreeMap<&String, usize> =
        ids.iter().enumerate().map(|(row, name)| (name, row)).collect();
    course.names[..course.n_early].iter().map(|name| rows[name]).collect()
}
