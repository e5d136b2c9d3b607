//! Draws from the law of a time, by chains along the bridge of its cells to themselves.

use ndarray::{Array1, Array2, Axis, concatenate, s};

use crate::bridge::UnitTime;
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::pipeline::sample::{Null, SampleOptions};
use crate::pipeline::shared::population::Population;
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Progress};
use crate::rng::Seed;
use crate::sampler::{ChosenBandwidth, Copies, Sampler, SelfBridge};

/// Number of neighbours whose distance is the local scale of a variable bandwidth.
pub(super) const NEIGHBOUR: usize = 10;

/// How the draws at one time were made, and how good they are.
///
/// See [`Sampled`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleReport {
    /// The time; `None` for all times together ([`Null::Pooled`]).
    pub time: Option<f64>,
    /// Number of cells from which the law was learned.
    pub n_cells: usize,
    /// Whether these cells were observed, and not drawn from the bridge.
    pub observed: bool,
    /// Effective number of these cells by their weights, `1/Σ_i w_i²`; all of them without a likelihood.
    pub effective_cells: f64,
    /// Number of draws.
    pub n_draws: usize,
    /// The bandwidth, and how it was chosen.
    pub bandwidth: ChosenBandwidth,
    /// Effective number of cells from which a step draws, `1/Σ_j p_j²`, at the median cell.
    pub neighbours: f64,
    /// Marginal error of the coupling of the cells with themselves.
    pub error: f64,
    /// Share of near copies of cells; `None` for measured cells, whose draws agree with cells on purpose.
    pub copies: Option<Copies>,
}

/// Draws at each time with their reports.
///
/// ```
/// use sbcell::pipeline::{SampleOptions, example_model, sample};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let options = SampleOptions::default().with_at(vec![1.0]).with_n_cells(Some(50));
/// let sampled = sample(&model, &options, &mut Silent)?;
/// assert_eq!(sampled.populations[0].points.nrows(), 50);
/// assert!(sampled.reports[0].observed && sampled.reports[0].n_cells == 24);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The draws, one population for each time.
    pub populations: Vec<Population>,
    /// One report for each law that was learned.
    pub reports: Vec<SampleReport>,
}

/// Draws new cells from the law of each time.
///
/// At the time of a snapshot the law is learned from its cells, in between from as many draws of the bridge.
/// A draw is a chain of `n_steps` steps from a random cell along the bridge of the cells to themselves
/// (Gottwald et al. 2024). With [`SampleOptions::null`], a whole null course is drawn. A
/// note warns of near copies of cells, and of a bandwidth at the limit of its search.
///
/// Time O(n² d) for the bridge of n cells in d dimensions, and O(n d) for each step of a draw.
///
/// # Errors
/// [`Error::OutsideTimes`] for a time before the first snapshot or after the last; [`Error::NoGeneSpace`] if
/// genes are asked of a model without them; [`Error::Parameter`] for values out of range, or parameters that
/// contradict each other.
pub fn sample(
    model: &Model,
    options: &SampleOptions,
    progress: &mut dyn Progress,
) -> Result<Sampled> {
    options.check(model)?;
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
        // The seed depends on the time, not on its position in the list, so that lists can be extended.
        let seed = seed.child("sample", time.to_bits());
        let source = Source::at(&process, time, seed)?;
        let n_draws = options.n_cells.unwrap_or(source.cells.n_cells());
        let (draws, mut report) = draw(&source, n_draws, options, seed, progress)?;
        report.time = Some(time);
        sampled.populations.push(Population::generated(time, draws * process.scale));
        warn(&report, progress)?;
        sampled.reports.push(report);
    }
    Ok(sampled)
}

/// The cells from which a law is learned, in the coordinates of the bridges.
pub(super) struct Source {
    /// The cells.
    pub(super) cells: Snapshot,
    /// Whether they were observed, and not drawn from the bridge.
    pub(super) observed: bool,
}

impl Source {
    /// The cells of the snapshot with index `k`, with these weights. Cells whose weight is below 1e-12 of the
    /// largest are left out.
    pub(super) fn weighted(process: &Process, k: usize, weights: &Array1<f64>) -> Result<Self> {
        let least = 1e-12 * weights.iter().fold(0.0, |most: f64, weight| most.max(*weight));
        let rows: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > least).collect();
        let points = process.snapshots[k].points().select(Axis(0), &rows);
        let cells = Snapshot::weighted(points, weights.select(Axis(0), &rows))?;
        Ok(Self { cells, observed: true })
    }

    /// The cells of the snapshot at `time`; between snapshots as many draws from the bridge as the earlier
    /// snapshot has cells.
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

/// A course of draws from the common law of all times, with the observed number of cells at each time.
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
    // Draws have the order of the cells from which their chains started, which depends on time.
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
        populations.push(Population::generated(time, draws.slice(s![first..end, ..]).to_owned()));
        first = end;
    }
    Ok(Sampled { populations, reports: vec![report] })
}

/// `n_draws` draws from the law of `source`, `(n_draws, dim)`, in the coordinates of the bridges.
pub(super) fn draw(
    source: &Source,
    n_draws: usize,
    options: &SampleOptions,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<(Array2<f64>, SampleReport)> {
    let cells = &source.cells;
    let neighbour = options.variable.then_some(NEIGHBOUR.min(cells.n_cells().saturating_sub(1)));
    let bandwidth = options.bandwidth.bandwidth()?;
    let chosen = bandwidth.choose(cells, neighbour, seed.child("sample/bandwidth", 0), progress)?;
    let bridge = SelfBridge::new(cells, chosen.epsilon, neighbour, progress)?;
    let sampler = Sampler { scheme: options.scheme, n_steps: options.n_steps };
    let draws = sampler.sample(&bridge, n_draws, seed.child("sample/draw", 0), progress)?;
    let seed = seed.child("sample/copies", 0);
    let copies = Copies::among(draws.view(), cells.points(), seed, progress)?;
    let report = report(source, &bridge, chosen, n_draws, Some(copies))?;
    Ok((draws, report))
}

/// The report on `n_draws` draws from `bridge`.
pub(super) fn report(
    source: &Source,
    bridge: &SelfBridge,
    bandwidth: ChosenBandwidth,
    n_draws: usize,
    copies: Option<Copies>,
) -> Result<SampleReport> {
    let mut neighbours = bridge.effective_neighbours(source.cells.points())?.to_vec();
    neighbours.sort_by(f64::total_cmp);
    Ok(SampleReport {
        time: None,
        n_cells: source.cells.n_cells(),
        observed: source.observed,
        effective_cells: 1.0 / source.cells.marginal().mapv(|w| w * w).sum(),
        n_draws,
        bandwidth,
        neighbours: neighbours[neighbours.len() / 2],
        error: bridge.scaling().error,
        copies,
    })
}

/// Notes a bandwidth at the limit of its search, and too many near copies of cells.
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
