//! `.h5ad` → one bridge for each interval, kept as they are found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array1;
use sha2::{Digest, Sha256};

use crate::bridge::Stop;
use crate::data::TimeSeries;
use crate::error::Result;
use crate::io::file;
use crate::io::h5ad::H5ad;
use crate::io::lock::FolderLock;
use crate::io::model::{
    FORMAT, FileRecord, Header, Interval, Model, PartialModel, Published, Reading, SnapshotRecord,
    check_output, recover,
};
use crate::io::run::{InputRecord, OutputRecord, RunRecord, write_json};
use crate::pipeline::config::FitOptions;
use crate::pipeline::counted::WHOLE_BYTES;
use crate::pipeline::growth::given;
use crate::pipeline::hashing::beside_hash;
use crate::pipeline::intervals::intervals;
use crate::pipeline::oddities::{Oddities, Taking, say_values};
use crate::pipeline::prepare::{Selection, check_extent, file_name, named, select};
use crate::pipeline::recorder::Recorder;
use crate::pipeline::scale::Spread;
use crate::pipeline::shared::coordinates::{MemoryLimit, Prepared, Raw};
use crate::pipeline::solve::Task;
use crate::pipeline::units::Units;
use crate::progress::{self, Progress};

/// How a fit went.
#[derive(Debug, Clone, PartialEq)]
pub struct FitSummary {
    /// Times, scale, noise.
    pub header: Header,
    /// One entry for each interval.
    pub intervals: Vec<Interval>,
    /// The folder of the model.
    pub out: PathBuf,
    /// SHA-256 of the file that was fitted.
    pub input_sha256: String,
    /// Nobody else writes to the folder before this goes.
    pub lock: Arc<FolderLock>,
}

impl FitSummary {
    /// Whether every bridge met its stopping criterion.
    pub fn converged(&self) -> bool {
        self.intervals.iter().all(|interval| interval.report.stop == Stop::Converged)
    }
}

/// How a fit runs; nothing of it changes a result.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Running {
    /// Take over what an unfinished run of the same plan has found.
    pub resume: bool,
    /// Bytes that it may take at its peak; no promise if `None`.
    pub memory: Option<f64>,
}

impl Running {
    /// Largest matrix that is read whole, in bytes.
    pub(super) fn whole_bytes(self) -> f64 {
        self.memory.map_or(WHOLE_BYTES, |memory| WHOLE_BYTES.min(memory / 4.0))
    }
}

/// Reads `input`, fits one bridge for each interval, writes the model to the folder `out`.
///
/// Each interval is written as soon as it is found, into `OUT.partial`, which becomes `out` at
/// the end; with `running.resume`, intervals found by an earlier, unfinished run of the same plan are
/// taken over.
///
/// The folder is locked until the summary goes: another fit into it is refused meanwhile.
///
/// # Errors
/// Whatever is wrong with the input, the parameters or the folder; [`crate::Error::InUse`] if another
/// process writes to the folder; [`crate::Error::Memory`] if more is
/// needed than `running` allows; the stop button.
pub fn fit(
    input: &Path,
    out: &Path,
    options: &FitOptions,
    running: Running,
    progress: &mut dyn Progress,
) -> Result<FitSummary> {
    options.check()?;
    check_output(out)?;
    let lock = Arc::new(FolderLock::take(out)?);
    say(&recover(out)?, progress)?;
    let listener = &mut *progress;
    let mut progress = Recorder::new(&mut *listener);
    let opened = H5ad::open(input)?;
    let selection = select(&opened, options, &mut progress)?;
    options.reference.check_times(&selection.axis)?;
    let known = given(&opened, &selection, &options.growth, &options.source, &mut progress)?;
    let read = |progress: &mut dyn Progress| -> Result<(usize, Prepared)> {
        let most = running.whole_bytes();
        let raw = Raw::read(&opened, &selection, options, &known, most, progress)?;
        let (n_genes, size) = (raw.n_genes(), raw.footprint(&opened, &selection, options)?);
        let memory = running.memory.map(|bytes| MemoryLimit { bytes, size });
        let prepared = raw.prepare(options, &known, memory, selection.axis.unit, progress);
        let named = |error| named(error, &opened, &selection, options);
        Ok((n_genes, prepared.map_err(named)?))
    };
    let (sha256, (n_genes_read, prepared)) = beside_hash(input, &mut progress, read)?;
    let plan = plan_hash(&sha256, options)?;
    let names = opened.obs_names()?;
    let cells: Vec<String> = selection.rows.iter().map(|&row| names[row].clone()).collect();
    let taking = Taking { selection: &selection, cells: &cells, options };
    say_values(&prepared.seen, taking, &opened, &mut progress)?;
    drop((names, opened));

    let series = TimeSeries::new(prepared.points.view(), &selection.times)?;
    let units = units(&series, taking, prepared.growth.as_ref(), &mut progress)?;
    check_extent(input, &cells, prepared.points.view(), units.scale)?;
    let file = FileRecord { bytes: Some(file::open(input)?.1), sha256: sha256.clone() };
    let header =
        Header { file: Some(file), ..header(&units, &selection, &prepared, options, plan) };
    let partial = PartialModel::start(out, &header.plan, running.resume)?;
    let known = (prepared.growth.as_ref(), selection.times.as_slice());
    let mut task = Task::new(&series, (&units, options), known)?;
    task.settle(&mut progress)?;
    let intervals = intervals(&task, &partial, &mut progress)?;
    drop(task);
    drop(series);

    let path = input.to_string_lossy().into_owned();
    let (file, cells_used) = (file_name(input), cells.len());
    let input = InputRecord { file, path, sha256, cells: cells_used, genes: n_genes_read };
    let model = Model {
        header,
        cells,
        cell_times: selection.times,
        points: prepared.points,
        genes: prepared.genes,
        pca: prepared.recipe.pca,
        intervals,
    };
    let files = partial.complete(&model)?;
    let mut run = RunRecord::new("fit", input, to_value(options)?);
    run.notes = progress.into_notes();
    run.intervals = model.intervals.iter().map(interval_record).collect();
    for name in &files {
        run.outputs.push(OutputRecord::of(partial.folder(), name)?);
    }
    write_json(&partial.folder().join("run.json"), &run)?;
    // Not among the notes in `run.json`, which are the same whatever was there before.
    say(&partial.publish()?, listener)?;
    let Model { header, intervals, .. } = model;
    let (out, input_sha256) = (out.to_path_buf(), run.input.sha256);
    Ok(FitSummary { header, intervals, out, input_sha256, lock })
}

/// What became of files that were made from an older model.
fn say(published: &Published, progress: &mut dyn Progress) -> Result<()> {
    published.notes().into_iter().try_for_each(|text| progress::note(&mut *progress, text))
}

/// The scale and the noise; says what is odd about the cells that give it.
fn units(
    series: &TimeSeries,
    taking: Taking<'_>,
    growth: Option<&Array1<f64>>,
    progress: &mut dyn Progress,
) -> Result<Units> {
    let spread = &Spread::within(series);
    let unit = taking.selection.axis.unit;
    let units = Units::of(series, spread.scale, taking.options.noise, unit)?;
    let odd = Oddities { taking, series, spread, units: &units, growth };
    odd.say(progress)?;
    Ok(units)
}

fn header(
    units: &Units,
    selection: &Selection,
    prepared: &Prepared,
    options: &FitOptions,
    plan: String,
) -> Header {
    let axis = &selection.axis;
    let snapshots = axis.levels.iter().map(|level| SnapshotRecord {
        label: level.label.clone(),
        time: level.time,
        n_cells: level.n_cells,
    });
    let pca = prepared.recipe.pca.as_ref();
    Header {
        format: FORMAT,
        sbcell: env!("CARGO_PKG_VERSION").to_string(),
        plan,
        time_column: axis.column.clone(),
        time_unit: units.time_unit.clone(),
        snapshots: snapshots.collect(),
        source: options.source.to_string(),
        values: prepared.recipe.values,
        reading: Some(Reading {
            time: options.time.clone(),
            source: options.source.clone(),
            values: options.values,
            filters: options.filters.clone(),
        }),
        file: None,
        dimensions: prepared.dimensions.clone(),
        scale: units.scale,
        sigma2: units.sigma2,
        epsilon: units.epsilon,
        seed: options.seed,
        explained_variance: pca.map(|pca| pca.explained_variance().to_vec()).unwrap_or_default(),
        total_variance: pca.map_or(0.0, crate::preprocess::Pca::total_variance),
    }
}

fn plan_hash(input_sha256: &str, options: &FitOptions) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(input_sha256);
    hash.update(to_value(options)?.to_string());
    Ok(file::hex(&hash.finalize()))
}

fn interval_record(interval: &Interval) -> serde_json::Value {
    let Interval { from, to, epsilon, report, fit, bridge: _, growth: _ } = interval;
    let fit: serde_json::Map<String, serde_json::Value> =
        fit.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    let details: serde_json::Map<String, serde_json::Value> =
        report.details.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    serde_json::json!({
        "from": from, "to": to, "epsilon": epsilon, "stop": report.stop,
        "iterations": report.iterations, "objective": report.objective,
        "start_objective": report.start_objective, "details": details, "fit": fit,
    })
}

/// Parameters as JSON.
pub(crate) fn to_value(options: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(options).map_err(|error| crate::error::Error::Numerical {
        what: "writing the parameters",
        why: error.to_string(),
    })
}
