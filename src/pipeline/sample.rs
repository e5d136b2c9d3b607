//! Model and times → more cells like those of each time, or a course that keeps less than the data.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use crate::bridge::UnitTime;
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::io::model::Model;
use crate::pipeline::interpolate::{Population, Space};
use crate::pipeline::process::Process;
use crate::progress::{self, Progress};
use crate::rng::Seed;
use crate::sampler::{Bandwidth, ChosenBandwidth, Copies, Sampler, Scheme, SelfBridge};

/// Neighbours whose distance is the local scale of a variable bandwidth.
pub(super) const NEIGHBOUR: usize = 10;

/// What `sample` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleOptions {
    /// The times; those of the snapshots if empty.
    pub at: Vec<f64>,
    /// Cells to draw at each time; as many as are there if `None`.
    pub n_cells: Option<usize>,
    /// How a step is made.
    pub scheme: Scheme,
    /// Steps from a cell to a draw.
    pub n_steps: usize,
    /// How ε is found.
    pub bandwidth: BandwidthChoice,
    /// Whether steps are longer where cells are sparse.
    pub variable: bool,
    /// Coordinates of the output.
    pub space: Space,
    /// A course that keeps less than the data, instead of single times.
    pub null: Option<Null>,
    /// Measured cells, instead of a population.
    pub measured: Option<MeasuredOptions>,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for SampleOptions {
    fn default() -> Self {
        let Sampler { scheme, n_steps } = Sampler::default();
        Self {
            at: Vec::new(),
            n_cells: None,
            scheme,
            n_steps,
            bandwidth: BandwidthChoice::Auto,
            variable: false,
            space: Space::Pca,
            null: None,
            measured: None,
            seed: 0,
        }
    }
}

/// How ε is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum BandwidthChoice {
    /// By cells held out: their likelihood, or, where something is measured, how well the rest of
    /// them is foretold.
    #[cfg_attr(feature = "cli", value(skip))]
    Auto,
    /// The likelihood of held-out cells is largest.
    HeldOut,
    /// The sum of the kernel grows fastest with ε.
    #[cfg_attr(feature = "cli", value(name = "rule"))]
    Growth,
    /// This variance of a step, on data divided by the scale of the fit.
    #[cfg_attr(feature = "cli", value(skip))]
    Given(f64),
}

/// A course that keeps less than the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Null {
    /// Each time is drawn from its own distribution: another sample of the same course.
    Marginals,
    /// Each time is drawn from the distribution of all times together: a course without change.
    Pooled,
}

/// What is done with measured cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredOptions {
    /// The file, without its folder.
    pub file: String,
    /// Standard deviation of each measurement; zero holds what was measured.
    pub deviation: f64,
    /// Draws for each cell.
    pub n_draws: usize,
}

impl MeasuredOptions {
    /// Draws for each cell, and steps to a draw, unless told otherwise: chains start from cells that
    /// fit what was measured, and take some steps to make the rest fit, too.
    pub const N_DRAWS: usize = 100;
    /// See [`MeasuredOptions::N_DRAWS`].
    pub const N_STEPS: usize = 10;
}

/// How the draws at one time came about.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleReport {
    /// The time; `None` for all times together.
    pub time: Option<f64>,
    /// Cells the law was learnt from.
    pub n_cells: usize,
    /// Whether they were observed rather than drawn from the bridge.
    pub observed: bool,
    /// Draws.
    pub n_draws: usize,
    /// The bandwidth.
    pub bandwidth: ChosenBandwidth,
    /// From how many cells a step draws, at the median cell.
    pub neighbours: f64,
    /// How far from bistochastic the plan is.
    pub error: f64,
    /// Near copies of cells; `None` where something was measured, which draws then share with cells.
    pub copies: Option<Copies>,
}

/// Draws at each time, and how they came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The draws.
    pub populations: Vec<Population>,
    /// One report for each law that was learnt.
    pub reports: Vec<SampleReport>,
}

/// Draws cells like those of each time: at the time of a snapshot from its cells, in between from the
/// population that the bridge gives there. With [`SampleOptions::null`], a course.
///
/// # Errors
/// [`Error::OutsideTimes`] for a time before the first snapshot or after the last;
/// [`Error::NoGeneSpace`] if genes are asked of a model without them; [`Error::Parameter`] for what
/// cannot be or means nothing together.
pub fn sample(
    model: &Model,
    options: &SampleOptions,
    progress: &mut dyn Progress,
) -> Result<Sampled> {
    check(model, options)?;
    let process = Process::restore(model)?;
    let seed = Seed(options.seed);
    if options.null == Some(Null::Pooled) {
        return pooled(&process, options, progress);
    }
    let all = options.at.is_empty();
    let times = if all { process.series.times().to_vec() } else { options.at.clone() };
    for &time in &times {
        process.series.locate(time)?;
    }
    let mut sampled = Sampled { populations: Vec::new(), reports: Vec::new() };
    for &time in &times {
        // The seed depends on the time itself, not on its place in the list that was asked for.
        let seed = seed.child("sample", time.to_bits());
        let source = Source::at(&process, time, seed)?;
        let n_draws = options.n_cells.unwrap_or(source.cells.n_cells());
        let (draws, mut report) = draw(&source, n_draws, options, seed, progress)?;
        report.time = Some(time);
        sampled.populations.push(population(time, draws * process.scale));
        warn(&report, progress)?;
        sampled.reports.push(report);
    }
    Ok(sampled)
}

/// The cells of one time, in the coordinates of the bridges.
pub(super) struct Source {
    pub(super) cells: Snapshot,
    pub(super) observed: bool,
}

impl Source {
    /// At the time of a snapshot its cells; in between as many as the earlier snapshot has, drawn from
    /// the bridge.
    pub(super) fn at(process: &Process, time: f64, seed: Seed) -> Result<Self> {
        let (interval, local) = process.series.locate(time)?;
        let end = local == UnitTime::END;
        let snapshot = &process.snapshots[if end { interval + 1 } else { interval }];
        if end || local == UnitTime::START {
            return Ok(Self { cells: snapshot.clone(), observed: true });
        }
        let seed = seed.child("sample/source", 0);
        let points = process.sample_at(time, snapshot.n_cells(), seed)?;
        Ok(Self { cells: Snapshot::new(points)?, observed: false })
    }
}

/// Cells of all times, drawn from their common law and dealt to the times in the numbers observed.
fn pooled(
    process: &Process,
    options: &SampleOptions,
    progress: &mut dyn Progress,
) -> Result<Sampled> {
    let views: Vec<_> = process.snapshots.iter().map(Snapshot::points).collect();
    let joined = concatenate(Axis(0), &views)
        .map_err(|error| Error::Numerical { what: "joining times", why: error.to_string() })?;
    let n_cells = joined.nrows();
    let source = Source { cells: Snapshot::new(joined)?, observed: true };
    let seed = Seed(options.seed).child("sample/pooled", 0);
    let (draws, report) = draw(&source, n_cells, options, seed, progress)?;
    warn(&report, progress)?;
    // Draws are in the order of the cells they started from: they are dealt in another one.
    let order = {
        use rand::seq::SliceRandom;
        let mut order: Vec<usize> = (0..n_cells).collect();
        order.shuffle(&mut seed.stream("sample/deal", 0));
        order
    };
    let draws = draws.select(Axis(0), &order) * process.scale;
    let mut first = 0;
    let mut populations = Vec::with_capacity(process.snapshots.len());
    for (snapshot, &time) in process.snapshots.iter().zip(process.series.times()) {
        let end = first + snapshot.n_cells();
        populations.push(population(time, draws.slice(s![first..end, ..]).to_owned()));
        first = end;
    }
    Ok(Sampled { populations, reports: vec![report] })
}

fn draw(
    source: &Source,
    n_draws: usize,
    options: &SampleOptions,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<(Array2<f64>, SampleReport)> {
    let cells = &source.cells;
    let neighbour = options.variable.then_some(NEIGHBOUR.min(cells.n_cells().saturating_sub(1)));
    let bandwidth = bandwidth(options.bandwidth)?;
    let chosen = bandwidth.choose(cells, neighbour, seed.child("sample/bandwidth", 0), progress)?;
    let bridge = SelfBridge::new(cells, chosen.epsilon, neighbour, progress)?;
    let sampler = Sampler { scheme: options.scheme, n_steps: options.n_steps };
    let draws = sampler.sample(&bridge, n_draws, seed.child("sample/draw", 0), progress)?;
    let seed = seed.child("sample/copies", 0);
    let copies = Copies::among(draws.view(), cells.points(), seed, progress)?;
    let report = report(source, &bridge, (chosen, n_draws), Some(copies))?;
    Ok((draws, report))
}

pub(super) fn report(
    source: &Source,
    bridge: &SelfBridge,
    (bandwidth, n_draws): (ChosenBandwidth, usize),
    copies: Option<Copies>,
) -> Result<SampleReport> {
    let mut neighbours = bridge.effective_neighbours(source.cells.points())?.to_vec();
    neighbours.sort_by(f64::total_cmp);
    Ok(SampleReport {
        time: None,
        n_cells: source.cells.n_cells(),
        observed: source.observed,
        n_draws,
        bandwidth,
        neighbours: neighbours[neighbours.len() / 2],
        error: bridge.scaling().error,
        copies,
    })
}

/// What the user should know of a law that was learnt.
pub(super) fn warn(report: &SampleReport, progress: &mut dyn Progress) -> Result<()> {
    let at = report.time.map_or("all times".to_string(), |time| format!("time {time}"));
    if report.bandwidth.at_limit {
        let text = format!(
            "{at}: the best bandwidth is the last that was tried ({:.3e}), as where many cells are \
             copies of each other",
            report.bandwidth.epsilon.value()
        );
        progress::note(progress, text)?;
    }
    if let Some(copies) = report.copies.filter(Copies::too_many) {
        let text = format!(
            "{at}: {:.0} % of the draws are near copies of a cell (nearer than its nearest other \
             cell), where new cells would have {:.0} %: the cells are too few for their dimension, \
             take a larger `epsilon` or fewer components",
            100.0 * copies.draws,
            100.0 * copies.held_out
        );
        progress::note(progress, text)?;
    }
    Ok(())
}

pub(super) fn bandwidth(choice: BandwidthChoice) -> Result<Bandwidth> {
    Ok(match choice {
        BandwidthChoice::Auto | BandwidthChoice::HeldOut => Bandwidth::HeldOut,
        BandwidthChoice::Growth => Bandwidth::Growth,
        BandwidthChoice::Given(epsilon) => Bandwidth::Given(given(epsilon)?),
    })
}

fn given(epsilon: f64) -> Result<Epsilon> {
    Epsilon::new(epsilon).map_err(|_| Error::Parameter {
        name: "epsilon",
        must: "finite and > 0",
        got: epsilon.to_string(),
    })
}

pub(super) fn check(model: &Model, options: &SampleOptions) -> Result<()> {
    let SampleOptions { at, n_cells, n_steps, bandwidth, space, null, measured, .. } = options;
    let refuse = |name, must, got: String| Err(Error::Parameter { name, must, got });
    if *n_cells == Some(0) {
        return refuse("n_cells", "at least 1", "0".into());
    }
    if *n_steps == 0 {
        return refuse("n_steps", "at least 1", "0".into());
    }
    if null.is_some() && (n_cells.is_some() || !at.is_empty() || measured.is_some()) {
        return refuse(
            "null",
            "without the parameter `at`, the parameter `n_cells` and measured cells",
            "both".into(),
        );
    }
    if let BandwidthChoice::Given(epsilon) = bandwidth {
        given(*epsilon)?;
    }
    if *space == Space::Genes && model.pca.is_none() {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    }
    Ok(())
}

fn population(time: f64, points: Array2<f64>) -> Population {
    let n = points.nrows();
    let weights = Array1::from_elem(n, 1.0 / n as f64);
    Population { time, points, weights, observed: false }
}
