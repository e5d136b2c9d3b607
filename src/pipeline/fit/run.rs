//! A plan carried out: coordinates, scale and noise, one bridge for each interval, the model folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::{Property, Stop};
use crate::data::TimeSeries;
use crate::error::Result;
use crate::io::hashed::{Hashed, n_bytes};
use crate::io::lock::FolderLock;
use crate::io::model::{
    Choices, FileRecord, Header, Interval, Model, PartialModel, Published, check_output, recover,
};
use crate::io::run::{OutputRecord, RunRecord, to_value, write_json};
use crate::pipeline::fit::auto_growth::{Search, or_off, say_off};
use crate::pipeline::fit::coupling::choose;
use crate::pipeline::fit::growth::Given;
use crate::pipeline::fit::growth_share::{CouplingGrowth, Course, coupling_growth};
use crate::pipeline::fit::hashing::beside_hash;
use crate::pipeline::fit::intervals::intervals;
use crate::pipeline::fit::oddities::{Oddities, Taking, say_values};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::plan::Plan;
use crate::pipeline::fit::scale::Spread;
use crate::pipeline::fit::selection::{check_extent, named};
use crate::pipeline::fit::shards::{SHARD_CELLS, Shards, are_divided};
use crate::pipeline::fit::solve::Task;
use crate::pipeline::fit::units::Units;
use crate::pipeline::fit::write::{header, interval_record, plan_hash};
use crate::pipeline::shared::coordinates::{MemoryLimit, Prepared, Raw};
use crate::pipeline::shared::counted::WHOLE_BYTES;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;
use crate::pipeline::shared::halves::halved_rows;
use crate::pipeline::shared::recorder::Recorder;
use crate::progress::{self, Progress};
use crate::rng::Seed;
use crate::share::Whole;

/// The result of a fit. The bridges themselves are in the folder [`FitSummary::out`].
///
/// [`fit`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FitSummary {
    /// Times, coordinates, scale and noise.
    pub header: Header,
    /// One entry for each interval: the report of the solver, and the distance of the bridge's end
    /// from the later snapshot.
    pub intervals: Vec<Interval>,
    /// The folder of the model.
    pub out: PathBuf,
    /// The hash of the file that was fitted, with those of the files of a course.
    pub input: Hashed,
    /// The lock of the folder. No other process writes to the folder before the last clone of the
    /// lock is dropped.
    pub lock: Arc<FolderLock>,
}

impl FitSummary {
    /// Whether the solver met its stopping criterion in every interval.
    pub fn converged(&self) -> bool {
        self.intervals.iter().all(|interval| interval.report.stop == Stop::Converged)
    }
}

/// Most bytes of used genes that a fit of many cells holds: those of about a million cells.
const HELD_BYTES: f64 = 2e9;

/// Settings of a fit that do not change its result.
///
/// ```
/// use sbcell::pipeline::Running;
///
/// let running = Running { memory: Some(4e9), ..Running::default() };
/// assert!(!running.resume);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Running {
    /// Take over the intervals that an interrupted fit with the same plan has found.
    pub resume: bool,
    /// Upper limit of the memory at any time, in bytes. A fit that needs more is refused. `None` sets
    /// no limit.
    pub memory: Option<f64>,
}

impl Running {
    /// Size of the used genes of many cells that are held for the next pass, in bytes. Others are read again.
    pub(super) fn held_bytes(self) -> f64 {
        self.memory.map_or(HELD_BYTES, |memory| HELD_BYTES.min(memory / 4.0))
    }

    /// Size of the largest matrix that is held whole in memory, in bytes. A larger one stays on
    /// disk and is read at every pass.
    pub(super) fn whole_bytes(self) -> f64 {
        self.memory.map_or(WHOLE_BYTES, |memory| WHOLE_BYTES.min(memory / 4.0))
    }
}

/// Reads `input`, fits one bridge for each interval, and writes the model to the folder `out`:
/// [`Plan::read`] and [`Plan::run`] in one call.
///
/// ```
/// use sbcell::bridge::GaussianSolver;
/// use sbcell::pipeline::{FitOptions, Running, SolverChoice, TimeOptions, fit};
///
/// # fn main() -> sbcell::Result<()> {
/// let data = "data-samples/semrau2017_mesc_ra.h5ad";
/// let options = FitOptions::default().with_time(TimeOptions::default().with_column(Some("time".into())).with_map(None)).with_n_pcs(2).with_solver(SolverChoice::of(GaussianSolver::default()));
/// let folder = tempfile::tempdir().unwrap();
/// let out = folder.path().join("model");
/// let summary = fit(data.as_ref(), &out, &options, Running::default(), &mut sbcell::Silent)?;
/// assert_eq!(summary.intervals.len(), 8);
/// assert!(summary.converged() && out.join("model.json").exists());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Plan::read`] and of [`Plan::run`].
pub fn fit(
    input: &Path,
    out: &Path,
    options: &FitOptions,
    running: Running,
    progress: &mut dyn Progress,
) -> Result<FitSummary> {
    options.check()?;
    check_output(out)?;
    Plan::read(input, options, progress)?.run(out, running, progress)
}

impl Plan {
    /// Fits one bridge for each interval and writes the model to the folder `out`.
    ///
    /// Each interval is written to `OUT.partial` as soon as it is found. This folder becomes `out` at
    /// the end, as a whole. With `running.resume` the intervals of an interrupted run of the same
    /// plan are taken over.
    ///
    /// `out` is locked until the summary is dropped. A second fit into the folder is refused during
    /// this time.
    ///
    /// # Errors
    /// A matrix or embedding that cannot be read or normalised; parameters that do not fit the
    /// data; a failure of the solver; [`crate::Error::InUse`] if another process writes to `out`;
    /// [`crate::Error::OutputTaken`] if `out` holds other files; [`crate::Error::Memory`] if the fit
    /// needs more than `running` allows; [`crate::Error::Cancelled`].
    pub fn run(
        &self,
        out: &Path,
        running: Running,
        progress: &mut dyn Progress,
    ) -> Result<FitSummary> {
        check_output(out)?;
        let lock = Arc::new(FolderLock::take(out)?);
        say(&recover(out)?, progress)?;
        let listener = &mut *progress;
        let mut progress = Recorder::after(&self.notes, &mut *listener);
        let Self { file, options, selection, .. } = self;
        let path = file.path();
        let is_by_shards = Shards::of(self, running, SHARD_CELLS)?.is_some();
        let Ready { hashed, n_genes: n_genes_read, mut prepared, cells } =
            self.ready(running, &mut progress)?;
        let plan = plan_hash(&hashed.sha256, options)?;
        let taking = Taking { selection, cells: &cells, options };
        let series = TimeSeries::new(prepared.points.view(), &selection.times)?;
        // Bridges do not use growth that nobody asked for.
        let auto = if let Given::Auto(_) = self.growth { prepared.growth.take() } else { None };
        let growth = prepared.growth.as_ref();
        let units = units(&series, taking, growth, &mut progress)?;
        check_extent(path, &cells, prepared.points.view(), units.scale)?;
        let bytes = Some(n_bytes(file.files())?);
        let record = FileRecord { bytes, sha256: hashed.sha256.clone() };
        let header = header(&units, selection, &prepared, options, plan);
        let coupling = choose(&prepared, &selection.times, options, &mut progress)?;
        let (file, coupling_epsilon) = (Some(record), coupling.epsilon);
        let header = Header { file, coupling_epsilon, ..header };
        let partial = PartialModel::start(out, &header.plan, running.resume)?;
        let mut task = Task::new(&series, &units, options, growth, &selection.times)?;
        task.settle(&mut progress)?;
        task.couple(self.coupling_growth(&series, units.scale, auto.as_ref(), &mut progress)?);
        let intervals = if is_by_shards && !are_divided(options) {
            intervals(&task, &partial, &mut Whole(&mut progress))?
        } else {
            intervals(&task, &partial, &mut progress)?
        };
        drop(task);
        drop(series);

        let input = hashed.clone().record(path, cells.len(), n_genes_read);
        let model = Model {
            header,
            cells,
            cell_times: selection.times.clone(),
            points: prepared.points,
            genes: prepared.genes,
            pca: prepared.recipe.pca,
            intervals,
        };
        let mut run = RunRecord::new("fit", input, to_value(options)?);
        run.notes = progress.into_notes();
        let (scree, coupling) = (prepared.scree.as_ref(), coupling.noise.as_ref());
        complete(&partial, &model, Choices { scree, coupling }, run)?;
        // `run.json` does not contain these notes: it must not depend on what was in the folder before.
        say(&partial.publish()?, listener)?;
        let Model { header, intervals, .. } = model;
        let (out, input) = (out.to_path_buf(), hashed);
        Ok(FitSummary { header, intervals, out, input, lock })
    }

    /// Reads the values of the selected cells, learns their coordinates, and notes their oddities.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub(super) fn ready(&self, running: Running, progress: &mut dyn Progress) -> Result<Ready> {
        let Self { file, options, selection, .. } = self;
        let read = |progress: &mut dyn Progress| self.prepare(running, progress);
        let (hashed, (n_genes, prepared)) = beside_hash(file.files(), progress, read)?;
        let cells = selection.cell_names(file)?;
        let taking = Taking { selection, cells: &cells, options };
        say_values(&prepared.seen, taking, file, progress)?;
        Ok(Ready { hashed, n_genes, prepared, cells })
    }

    /// Reads the values of the selected cells and learns their coordinates; also the number of genes
    /// of the matrix.
    fn prepare(&self, running: Running, progress: &mut dyn Progress) -> Result<(usize, Prepared)> {
        let Self { file, options, selection, growth, .. } = self;
        let most = running.whole_bytes();
        let is_chosen = options.coupling_epsilon == CouplingEpsilon::Auto;
        let halved = if is_chosen { halved_rows(&selection.times) } else { Vec::new() };
        let found = match Shards::of(self, running, SHARD_CELLS)? {
            Some(shards) => self.prepare_shards(shards, running, halved, progress),
            None => self.prepare_whole(running, halved, progress),
        };
        let (n_genes, prepared) = found.map_err(|error| named(error, file, selection, options))?;
        let own = match growth {
            Given::Auto(Search::Found(genes)) => {
                or_off(genes.own_rates(file, selection, options, most, progress), progress)?
            }
            _ => None,
        };
        Ok((n_genes, Prepared { growth: own.or(prepared.growth), ..prepared }))
    }

    /// As [`Plan::prepare`], with the values of all cells at once.
    pub(super) fn prepare_whole(
        &self,
        running: Running,
        halved: Vec<usize>,
        progress: &mut dyn Progress,
    ) -> Result<(usize, Prepared)> {
        let Self { file, options, selection, growth, .. } = self;
        let most = running.whole_bytes();
        let raw = Raw::read(file, selection, options, growth, most, progress)?.halving(halved);
        let (n_genes, size) = (raw.n_genes(), raw.footprint(file, selection, options)?);
        let memory = running.memory.map(|bytes| MemoryLimit { bytes, size });
        let unit = selection.axis.unit;
        Ok((n_genes, raw.prepare(options, growth, memory, unit, progress)?))
    }

    /// Whether couplings can have growth of their own: those that the bridges hold cannot.
    fn couplings_grow(&self) -> bool {
        let FitOptions { solver, coupling_epsilon, .. } = &self.options;
        let held = solver.has(Property::CouplesCells) || solver.has(Property::OwnCost);
        let of_bridges = *coupling_epsilon == CouplingEpsilon::Fit || solver.has(Property::OwnCost);
        !(held && of_bridges)
    }

    /// The growth that couplings use, from the gene-based rates `auto`. `None`, with a note, if there are none
    /// or if they do not help.
    ///
    /// # Errors
    /// Those of [`coupling_growth`].
    pub(super) fn coupling_growth(
        &self,
        series: &TimeSeries,
        scale: f64,
        auto: Option<&Array1<f64>>,
        progress: &mut dyn Progress,
    ) -> Result<Option<CouplingGrowth>> {
        let (genes, rates) = match (&self.growth, auto) {
            (Given::Auto(Search::Found(_)), Some(_)) if !self.couplings_grow() => {
                let why =
                    "the couplings are those of the bridges, which cells of equal growth have";
                return say_off(why, progress).map(|()| None);
            }
            (Given::Auto(Search::Nothing(why)), _) => {
                return say_off(why, progress).map(|()| None);
            }
            (Given::Auto(Search::Found(genes)), Some(rates)) => (genes, rates),
            _ => return Ok(None),
        };
        let seed = Seed(self.options.seed).child("growth", 0);
        let course = Course { series, scale, rates, cell_times: &self.selection.times, seed };
        coupling_growth(&course, &genes.words(), progress)
    }
}

/// Everything that a fit reads of its cells.
pub(super) struct Ready {
    /// The hash of the file, or of the files of a course.
    pub(super) hashed: Hashed,
    /// Number of genes of the matrix that was read; zero with an embedding.
    pub(super) n_genes: usize,
    /// Coordinates and growth of the selected cells.
    pub(super) prepared: Prepared,
    /// Names of the selected cells.
    pub(super) cells: Vec<String>,
}

/// Writes all files of `model` except its intervals into the unfinished folder, `run` last, which gets its
/// intervals and outputs here.
///
/// # Errors
/// Those of [`PartialModel::complete`].
pub(super) fn complete(
    partial: &PartialModel,
    model: &Model,
    choices: Choices<'_>,
    mut run: RunRecord,
) -> Result<RunRecord> {
    let files = partial.complete(model, choices)?;
    run.intervals = model.intervals.iter().map(interval_record).collect();
    for name in &files {
        run.outputs.push(OutputRecord::of(partial.folder(), name)?);
    }
    write_json(&partial.folder().join("run.json"), &run)?;
    Ok(run)
}

/// Notes which files made from an older model in the folder were removed or kept.
pub(super) fn say(published: &Published, progress: &mut dyn Progress) -> Result<()> {
    published.notes().into_iter().try_for_each(|text| progress::note(&mut *progress, text))
}

/// The scale and the noise. Notes what is unusual about the cells that determine them.
pub(super) fn units(
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
