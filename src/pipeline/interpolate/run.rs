//! The population at given times: exact draws from the bridges, or paths of another process.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::{Clocked, FromCells, UnitTime, Way, draw_cells, own_clock, simulate_schedule};
use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::pipeline::interpolate::{Dynamics, InterpolateOptions};
use crate::pipeline::shared::population::{Population, check_space};
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;
use crate::share::{self, Division, Packed};

/// Simulated steps over a whole interval, for [`Dynamics`].
const STEPS: f64 = 100.0;

/// Smallest distance in local time of clocks from both ends of an interval, where cells-based scores end. Cells
/// whose clocks are nearer to their start stay there.
const NEAR: f64 = 1e-4;

/// Largest number of groups of similar clocks that are simulated together, for [`Dynamics`].
const CLOCKS: usize = 100;

/// The population at each of the times `options.at`.
///
/// Cells of the earlier snapshot are drawn by their weight and growth, and carried to the time by the exact
/// transition kernel of the bridge. At the time of a snapshot, its cells are drawn by their weight. With
/// [`InterpolateOptions::dynamics`], cells are instead moved in 100 steps per interval. A time has the same
/// cells whichever other times are asked for.
///
/// Time for each population is that of n exact draws (for LightSB O(n K d²), with K Gaussians and d
/// dimensions); memory O(n d).
///
/// ```
/// use sbcell::pipeline::{InterpolateOptions, example_model, interpolate};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // days 0, 1 and 2, two components
/// let options = InterpolateOptions::default().with_at(vec![0.5]).with_n_cells(Some(30));
/// let populations = interpolate(&model, &options, &mut Silent)?;
/// assert_eq!(populations[0].points.dim(), (30, 2));
/// assert!(!populations[0].observed);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::OutsideTimes`] for a time before the first snapshot or after the last; [`Error::NoGeneSpace`] if
/// genes are asked of a model without them; [`Error::Parameter`] for no cells; those of restoring the model.
pub fn interpolate(
    model: &Model,
    options: &InterpolateOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Population>> {
    let InterpolateOptions { at, n_cells, space, dynamics, seed, basis: _, data: _ } = options;
    if *n_cells == Some(0) {
        return Err(Error::Parameter { name: "n_cells", must: "at least 1", got: "0".into() });
    }
    check_space(model, *space)?;
    let process = Process::restore(model)?;
    let times = if at.is_empty() { middles(process.series.times()) } else { at.clone() };
    for &time in &times {
        process.series.locate(time)?;
    }
    let sizes = times.iter().map(|&time| Ok(size(&process, time, *n_cells)? as f64));
    let division = Division {
        work: sizes.collect::<Result<_>>()?,
        ..Division::even("times", times.iter().map(f64::to_string).collect())
    };
    let found = share::divided(&division, progress, &mut |range, progress| {
        let begin = Event::Begin { what: "interpolating".into(), total: range.len() as u64 };
        progress::report(progress, begin)?;
        let mut found = Vec::with_capacity(range.len());
        for (done, &time) in times[range].iter().enumerate() {
            found.push(population(&process, time, *n_cells, dynamics.as_ref(), Seed(*seed))?);
            progress::report(progress, Event::Step { done: done as u64 + 1 })?;
        }
        progress::report(progress, Event::End)?;
        Ok(found)
    })?;
    found.into_iter().zip(times).map(|(sampled, time)| sampled.at(time)).collect()
}

/// Cells of one time.
#[derive(Serialize, Deserialize)]
struct Sampled {
    /// Coordinates in data units, cell by cell.
    points: Packed<f64>,
    /// Number of coordinates of a cell.
    dim: usize,
    /// Whether these are draws from the observed cells of a snapshot.
    observed: bool,
}

impl Sampled {
    /// The population at `time`.
    ///
    /// # Errors
    /// [`Error::Shape`] for damaged coordinates.
    fn at(self, time: f64) -> Result<Population> {
        let Self { points, dim, observed } = self;
        let (n_cells, got) = (points.0.len() / dim.max(1), points.0.len());
        let points = Array2::from_shape_vec((n_cells, dim), points.0).map_err(|_| {
            let (what, unit, expected) = ("the coordinates", "numbers", n_cells * dim);
            Error::Shape { what, unit, expected, got }
        })?;
        let weights = Array1::from_elem(n_cells, 1.0 / n_cells as f64);
        Ok(Population { time, points, weights, observed })
    }
}

/// Number of cells at `time`: `n_cells`, or as many as at the start of the interval.
fn size(process: &Process, time: f64, n_cells: Option<usize>) -> Result<usize> {
    let (interval, local) = process.series.locate(time)?;
    let source = if local == UnitTime::END { interval + 1 } else { interval };
    Ok(n_cells.unwrap_or(process.snapshots[source].n_cells()))
}

/// The population at `time`.
fn population(
    process: &Process,
    time: f64,
    n_cells: Option<usize>,
    dynamics: Option<&Dynamics>,
    seed: Seed,
) -> Result<Sampled> {
    let (_, local) = process.series.locate(time)?;
    let at_end = local == UnitTime::END;
    let n_cells = size(process, time, n_cells)?;
    // The seed depends on the time, not on its position in the list, so that lists can be extended.
    let seed = seed.child("interpolate", time.to_bits());
    let observed = at_end || local == UnitTime::START;
    let points = match dynamics {
        Some(dynamics) if !observed => moved(process, time, n_cells, dynamics, seed)?,
        _ => process.sample_at(time, n_cells, seed)?,
    };
    let points = points * process.scale;
    let dim = points.ncols();
    Ok(Sampled { points: Packed(points.into_iter().collect()), dim, observed })
}

/// `n_cells` at `time`, simulated from one end of their interval, in the coordinates of the bridges.
///
/// A bridge that knows its score is simulated from it; otherwise the score is estimated from the cells at the
/// ends of the interval ([`FromCells`]). Cells on clocks of their own are simulated on these clocks, in groups
/// of similar clocks.
fn moved(
    process: &Process,
    time: f64,
    n_cells: usize,
    dynamics: &Dynamics,
    seed: Seed,
) -> Result<Array2<f64>> {
    let (interval, local) = process.series.locate(time)?;
    let bridge = &*process.series.bridges()[interval];
    let target = &process.snapshots[interval + 1];
    // Backward, source cells have the weight with which they arrive at the later snapshot.
    let until = if dynamics.backward { process.series.times()[interval + 1] } else { time };
    let source = process.source(interval, until)?;
    let (start, cells) =
        if dynamics.backward { (UnitTime::END, target) } else { (UnitTime::START, &source) };
    let rows = draw_cells(cells.marginal(), n_cells, seed.child("dynamics/cells", 0));
    let groups = match bridge.clocked() {
        None => vec![(local, (0..n_cells).collect())],
        Some(Clocked { clock, .. }) => {
            grouped(&clock.start(n_cells, local, seed.child("dynamics/clocks", 0)))?
        }
    };
    let ends = FromCells { bridge: own_clock(bridge), source: &source, target };
    let mut all = Array2::zeros((n_cells, bridge.dim()));
    for (number, (to, members)) in groups.iter().enumerate() {
        let seed = if number == 0 { seed } else { seed.child("dynamics/group", number as u64) };
        let rows: Vec<usize> = members.iter().map(|&member| rows[member]).collect();
        let x = cells.points().select(Axis(0), &rows);
        let to = match bridge.clocked() {
            None => *to,
            Some(_) => UnitTime::new(to.value().clamp(NEAR, 1.0 - NEAR))?,
        };
        let way = Way { rows: &rows, to, backward: dynamics.backward };
        let mut moved = along(&ends, x, start, way, dynamics, seed)?;
        if let Some(clocked) = bridge.clocked() {
            moved = clocked.moved(moved, &vec![to; members.len()], local, 1.0);
        }
        for (&member, row) in members.iter().zip(moved.rows()) {
            all.row_mut(member).assign(&row);
        }
    }
    Ok(all)
}

/// The cells `x`, which are the rows of `way` of one end of the interval, simulated to the time of `way`.
fn along(
    ends: &FromCells<'_>,
    x: Array2<f64>,
    start: UnitTime,
    way: Way<'_>,
    dynamics: &Dynamics,
    seed: Seed,
) -> Result<Array2<f64>> {
    let &Dynamics { ref diffusion, backward } = dynamics;
    let (bridge, to) = (ends.bridge, way.to);
    let itself = !backward && diffusion.is_of_process();
    if (to.value() - start.value()).abs() <= 1.5 * NEAR {
        return Ok(x);
    }
    if itself || bridge.noise_variance() <= 0.0 || bridge.score(x.view(), start)?.is_some() {
        let n_steps = (STEPS * (to.value() - start.value()).abs()).ceil() as usize;
        return simulate_schedule(bridge, x.view(), [start, to], diffusion, n_steps, seed);
    }
    ends.follow_schedule(way, diffusion, STEPS as usize, seed)
}

/// Cells with their own clocks in at most [`CLOCKS`] groups of similar clocks: the mean clock of each group,
/// and its cells.
fn grouped(clocks: &[UnitTime]) -> Result<Vec<(UnitTime, Vec<usize>)>> {
    let mut order: Vec<usize> = (0..clocks.len()).collect();
    order.sort_by(|&a, &b| clocks[a].value().total_cmp(&clocks[b].value()).then(a.cmp(&b)));
    let same = order.first().map(|&cell| clocks[cell]) == order.last().map(|&cell| clocks[cell]);
    let size = if same { clocks.len() } else { clocks.len().div_ceil(CLOCKS) };
    let mean = |cells: &[usize]| {
        let sum: f64 = cells.iter().map(|&cell| clocks[cell].value()).sum();
        UnitTime::new((sum / cells.len() as f64).clamp(0.0, 1.0))
    };
    order.chunks(size.max(1)).map(|cells| Ok((mean(cells)?, cells.to_vec()))).collect()
}

/// The midpoint of every interval.
fn middles(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect()
}
