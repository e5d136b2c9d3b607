//! The folder of an unfinished fit: each interval when it is solved, then all other files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bridge::BridgeProblem;
use crate::error::{Error, Result};
use crate::io::bridge_check;
use crate::io::chart::{draw_coupling_noise, draw_scree};
use crate::io::file::{self, io_error};
use crate::io::model::exchange::{names_in, partial_folder, remove_any};
use crate::io::model::publish::{COUPLING, PLAN, SCREE, check_output};
use crate::io::model::{
    BRIDGES, GENES, HEADER, Interval, Model, bridge_file, detail_names, longest_bridge,
};
use crate::io::model_check;
use crate::io::networks;
use crate::io::run::{json_text, read_json, read_json_of, write_json};
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::lineage::CouplingNoise;
use crate::preprocess::{Pca, Scree};

/// The choices that the data made in a fit; each is written as a table and a chart.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choices<'a> {
    /// The number of components, if the data chose it.
    pub(crate) scree: Option<&'a Scree>,
    /// The ε of couplings, if the data chose it.
    pub(crate) coupling: Option<&'a CouplingNoise>,
}

/// The folder of an unfinished fit, `OUT.partial`.
///
/// If this value is dropped before [`PartialModel::publish`], the folder stays on disk for the parameter
/// `resume` if it contains an interval, and is removed otherwise.
#[derive(Debug)]
pub(crate) struct PartialModel {
    pub(super) folder: PathBuf,
    pub(super) out: PathBuf,
}

impl Drop for PartialModel {
    fn drop(&mut self) {
        let intervals = fs::read_dir(self.folder.join(BRIDGES));
        if intervals.is_ok_and(|mut entries| entries.next().is_none()) {
            // An error is ignored: at most an empty folder stays, and the fit has its own error.
            let _ = remove_unfinished(&self.folder);
        }
    }
}

impl PartialModel {
    /// Creates the folder `OUT.partial`. With `resume`, continues an existing one of the same `plan`. The
    /// caller must hold the lock of `out` and must have called [`crate::io::model::recover`].
    ///
    /// # Errors
    /// [`Error::OutputTaken`] if `out` exists and is no model; [`Error::OtherPlan`] if `resume` finds an
    /// unfinished fit of other data or parameters; [`Error::Io`] if the folder cannot be created.
    pub(crate) fn start(out: &Path, plan: &str, resume: bool) -> Result<Self> {
        check_output(out)?;
        let folder = partial_folder(out);
        let plan_file = folder.join(PLAN);
        // A plan that cannot be read belongs to a fit that died while it wrote the plan.
        let started = read_json::<String>(&plan_file);
        match started {
            Ok(started) if resume && started != plan => return Err(Error::OtherPlan { folder }),
            Ok(_) if resume => {}
            _ => {
                remove_unfinished(&folder)?;
                file::create_folder(&folder)?;
                // Written without a temporary name: until the plan is complete, the folder contains
                // nothing but a part of it.
                fs::write(&plan_file, json_text(&plan)?).map_err(io_error("write", &plan_file))?;
            }
        }
        file::create_folder(&folder.join(BRIDGES))?;
        Ok(Self { folder, out: out.to_path_buf() })
    }

    /// Path of the unfinished folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The interval `from` → `to` if an earlier run has solved it. It is checked as in [`Model::read`],
    /// and must be the solution of `problem`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] or [`Error::NoFile`] if a file of it is damaged, missing, or belongs to another
    /// problem.
    pub(crate) fn interval(
        &self,
        from: f64,
        to: f64,
        problem: &BridgeProblem,
    ) -> Result<Option<Interval>> {
        let path = self.folder.join(bridge_file(from, to));
        if !path.exists() {
            return Ok(None);
        }
        let (source, target) = (problem.source(), problem.target());
        let most = longest_bridge([source.n_cells(), target.n_cells()], problem.dim());
        let mut interval: Interval = read_json_of(&path, most)?;
        networks::attach(&self.folder, std::slice::from_mut(&mut interval))?;
        match bridge_check::as_asked(&interval, from, to, problem.epsilon().value())
            .and_then(|()| bridge_check::sound(&interval, source, target))
        {
            Ok(()) => Ok(Some(interval)),
            Err(problem) => Err(Error::Unreadable { path, problem, way_out: None }),
        }
    }

    /// Writes a solved interval, the solution of `problem`, after checking that it could be read again.
    ///
    /// # Errors
    /// [`Error::Numerical`] if it could not be read again; [`Error::Io`] if it cannot be written.
    pub(crate) fn keep(&self, interval: &Interval, problem: &BridgeProblem) -> Result<()> {
        bridge_check::sound(interval, problem.source(), problem.target()).map_err(|why| {
            let why = format!("{why}; the values differ too much for numerical computations");
            Error::Numerical { what: "the bridge that was found", why }
        })?;
        networks::write(&self.folder, interval)?;
        write_json(&self.folder.join(bridge_file(interval.from, interval.to)), interval)
    }

    /// Writes all files except the intervals and `run.json`. Returns the names of all files of the model.
    /// `choices` are those that the data made.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the model could not be read again; [`Error::Io`] if a file cannot be
    /// written.
    pub(crate) fn complete(&self, model: &Model, choices: Choices<'_>) -> Result<Vec<String>> {
        model_check::writable(model)?;
        let mut files = vec![HEADER.to_string(), "cells.parquet".to_string()];
        let mut cells = Table::default()
            .with("cell", Cells::Texts(model.cells.clone()))
            .with("time", Cells::Floats(model.cell_times.clone()));
        if model.intervals.iter().any(|interval| interval.growth.is_some()) {
            for (name, rates) in growth_columns(model) {
                cells.push(name, Cells::Floats(rates));
            }
        }
        if model.intervals.iter().any(|interval| interval.coupling_growth.is_some()) {
            cells.push("growth_coupling", Cells::Floats(coupling_growth(model)));
        }
        cells.push_points(&model.header.dimensions, model.points.view());
        table::write(&self.folder.join("cells.parquet"), &cells, TableFormat::Parquet)?;
        if let Some(pca) = &model.pca {
            let mut genes = Table::default()
                .with("gene", Cells::Texts(model.genes.clone()))
                .with("mean", Cells::Floats(pca.mean().to_vec()));
            genes.push_points(&model.header.dimensions, pca.loadings());
            table::write(&self.folder.join(GENES), &genes, TableFormat::Parquet)?;
            let pcs = variance_table(&model.header.dimensions, pca);
            table::write(&self.folder.join("pcs.csv"), &pcs, TableFormat::Csv)?;
            files.extend([GENES.into(), "pcs.csv".into()]);
            if let Some(scree) = choices.scree {
                let [csv, svg] = SCREE.map(|name| self.folder.join(name));
                table::write(&csv, &scree_table(scree, pca.n_pcs()), TableFormat::Csv)?;
                draw_scree(scree, pca.n_pcs()).write_svg(&svg)?;
                files.extend(SCREE.map(String::from));
            }
        }
        if let Some(noise) = choices.coupling {
            let [csv, svg] = COUPLING.map(|name| self.folder.join(name));
            table::write(&csv, &coupling_table(noise), TableFormat::Csv)?;
            draw_coupling_noise(noise).write_svg(&svg)?;
            files.extend(COUPLING.map(String::from));
        }
        files.extend(model.intervals.iter().map(|i| bridge_file(i.from, i.to)));
        let fit = fit_table(&model.intervals);
        table::write(&self.folder.join("fit.csv"), &fit, TableFormat::Csv)?;
        files.push("fit.csv".into());
        let written = |name: &&str| self.folder.join(name).exists();
        files.extend(
            [networks::WEIGHTS, networks::CURVE].into_iter().filter(written).map(Into::into),
        );
        write_json(&self.folder.join(HEADER), &model.header)?;
        Ok(files)
    }
}

/// Removes an unfinished fit, the plan last, so that the rest is recognised as a fit at any moment.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for name in names_in(folder)?.into_iter().filter(|name| name != PLAN) {
        remove_any(&folder.join(name))?;
    }
    remove_any(folder)
}

/// Prior and posterior growth rate of every cell over the interval that begins at its time; NaN if there
/// is no such interval or growth is not modelled.
fn growth_columns(model: &Model) -> [(&'static str, Vec<f64>); 2] {
    let mut columns = [vec![f64::NAN; model.cells.len()], vec![f64::NAN; model.cells.len()]];
    for interval in &model.intervals {
        let Some(growth) = &interval.growth else { continue };
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&interval.from).is_eq();
        let cells = (0..model.cells.len()).filter(here);
        for ((cell, prior), posterior) in cells.zip(&growth.prior).zip(&growth.posterior) {
            columns[0][cell] = *prior;
            columns[1][cell] = *posterior;
        }
    }
    let [prior, posterior] = columns;
    [("growth_prior", prior), ("growth_rate", posterior)]
}

/// The growth rate of every cell that couplings use and bridges do not; NaN where there is none.
fn coupling_growth(model: &Model) -> Vec<f64> {
    let mut column = vec![f64::NAN; model.cells.len()];
    for interval in &model.intervals {
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&interval.from).is_eq();
        let cells = (0..model.cells.len()).filter(here);
        let rates = interval.coupling_growth.iter().flatten();
        cells.zip(rates).for_each(|(cell, rate)| column[cell] = *rate);
    }
    column
}

/// The content of `pcs.csv`: variance and share of the total of each component.
fn variance_table(names: &[String], pca: &Pca) -> Table {
    let variance = pca.explained_variance();
    Table::default()
        .with("pc", Cells::Texts(names.to_vec()))
        .with("variance", Cells::Floats(variance.to_vec()))
        .with("share", Cells::Floats((&variance / pca.total_variance()).to_vec()))
}

/// The content of `scree.csv`: the eigenvalues by which the number of components was chosen. The first
/// `n_kept` components are kept.
fn scree_table(scree: &Scree, n_kept: usize) -> Table {
    let Scree { eigenvalues, edge } = scree;
    let n = eigenvalues.len();
    let kept = (0..n).map(|place| (place < n_kept).to_string());
    Table::default()
        .with("component", Cells::Integers((1..=n as i64).collect()))
        .with("eigenvalue", Cells::Floats(eigenvalues.to_vec()))
        .with("noise_edge", Cells::Floats(vec![*edge; n]))
        .with("kept", Cells::Texts(kept.collect()))
}

/// The content of `coupling.csv`: the agreement of both halves of the genes at every ε that was tried.
fn coupling_table(noise: &CouplingNoise) -> Table {
    let CouplingNoise { epsilon, curve, .. } = noise;
    let chosen = curve.iter().map(|point| point.epsilon.total_cmp(epsilon).is_eq().to_string());
    Table::default()
        .with("epsilon", Cells::Floats(curve.iter().map(|point| point.epsilon).collect()))
        .with("agreement", Cells::Floats(curve.iter().map(|point| point.agreement).collect()))
        .with("error", Cells::Floats(curve.iter().map(|point| point.error).collect()))
        .with("chosen", Cells::Texts(chosen.collect()))
}

/// The content of `fit.csv`: report and distances of each interval.
fn fit_table(intervals: &[Interval]) -> Table {
    let floats =
        |value: &dyn Fn(&Interval) -> f64| Cells::Floats(intervals.iter().map(value).collect());
    let counts = |value: &dyn Fn(&Interval) -> usize| {
        Cells::Integers(intervals.iter().map(|interval| value(interval) as i64).collect())
    };
    let stops = intervals.iter().map(|i| i.report.stop.to_string()).collect();
    let mut table = Table::default()
        .with("from", floats(&|i| i.from))
        .with("to", floats(&|i| i.to))
        .with("epsilon", floats(&|i| i.epsilon))
        .with("stop", Cells::Texts(stops))
        .with("iterations", counts(&|i| i.report.iterations))
        .with("objective", floats(&|i| i.report.objective))
        .with("start_objective", floats(&|i| i.report.start_objective));
    for name in detail_names(intervals) {
        let values: Vec<f64> =
            intervals.iter().map(|i| i.report.detail(&name).unwrap_or(f64::NAN)).collect();
        let whole = values.iter().all(|value| value.fract().abs() < f64::MIN_POSITIVE);
        let cells = if whole {
            Cells::Integers(values.iter().map(|&value| value as i64).collect())
        } else {
            Cells::Floats(values)
        };
        table.push(name, cells);
    }
    let names = intervals.first().map(|interval| interval.fit.clone()).unwrap_or_default();
    for (column, (name, _)) in names.into_iter().enumerate() {
        table.push(name, floats(&|i| i.fit[column].1.unwrap_or(f64::NAN)));
    }
    table
}
