//! Model and times → the population at these times.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::{FromCells, Simulation, UnitTime, Way, draw_cells, simulate};
use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::pipeline::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// What `interpolate` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InterpolateOptions {
    /// The times; the middle of every interval if empty.
    pub at: Vec<f64>,
    /// Cells at each time; as many as in the earlier snapshot if `None`.
    pub n_cells: Option<usize>,
    /// Coordinates of the output.
    pub space: Space,
    /// How cells are moved; by the bridges' own transitions if `None`.
    pub dynamics: Option<Dynamics>,
    /// Seed of everything random.
    pub seed: u64,
}

/// Another process with the law of the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dynamics {
    /// Diffusion in units of the bridge's own; 0 follows its probability flow.
    pub diffusion: f64,
    /// Backward in time, from the cells of the later snapshot to their ancestors.
    pub backward: bool,
}

/// Steps over a whole interval for [`Dynamics`].
const STEPS: f64 = 100.0;

/// Coordinates of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// The coordinates in which the bridges were fitted.
    #[default]
    Pca,
    /// Expression of the model's genes, on the scale of the fit (log1p for counts).
    Genes,
}

/// The population at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// The time.
    pub time: f64,
    /// Coordinates in the fitted space, `(n_cells, dim)`, in data units.
    pub points: Array2<f64>,
    /// Weights, summing to one.
    pub weights: Array1<f64>,
    /// Whether this is an observed snapshot rather than a sample of the bridge.
    pub observed: bool,
}

/// The population at each time: cells of the earlier snapshot carried by the bridge's exact
/// transition; at an observed time the observed cells themselves.
///
/// # Errors
/// [`Error::OutsideTimes`] for a time before the first snapshot or after the last;
/// [`Error::NoGeneSpace`] if genes are asked of a model without them.
pub fn interpolate(
    model: &Model,
    options: &InterpolateOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Population>> {
    let InterpolateOptions { at, n_cells, space, dynamics, seed } = options;
    if *n_cells == Some(0) {
        return Err(Error::Parameter { name: "n_cells", must: "at least 1", got: "0".into() });
    }
    if *space == Space::Genes && model.pca.is_none() {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    }
    let process = Process::restore(model)?;
    let times = if at.is_empty() { middles(process.series.times()) } else { at.clone() };
    for &time in &times {
        process.series.locate(time)?;
    }
    let begin = Event::Begin { what: "interpolating".into(), total: times.len() as u64 };
    progress::report(progress, begin)?;
    let mut populations = Vec::with_capacity(times.len());
    for (done, &time) in times.iter().enumerate() {
        populations.push(population(&process, time, *n_cells, (*dynamics, Seed(*seed)))?);
        progress::report(progress, Event::Step { done: done as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    Ok(populations)
}

fn population(
    process: &Process,
    time: f64,
    n_cells: Option<usize>,
    (dynamics, seed): (Option<Dynamics>, Seed),
) -> Result<Population> {
    let (interval, local) = process.series.locate(time)?;
    let at_end = local == UnitTime::END;
    let source = &process.snapshots[if at_end { interval + 1 } else { interval }];
    let n_cells = n_cells.unwrap_or(source.n_cells());
    // The seed depends on the time itself, not on its place in the list that was asked for.
    let seed = seed.child("interpolate", time.to_bits());
    let observed = at_end || local == UnitTime::START;
    let points = match dynamics {
        Some(dynamics) if !observed => moved(process, time, n_cells, (dynamics, seed))?,
        _ => process.sample_at(time, n_cells, seed)?,
    };
    let points = points * process.scale;
    let weights = Array1::from_elem(n_cells, 1.0 / n_cells as f64);
    Ok(Population { time, points, weights, observed })
}

/// `n_cells` at `time`, moved there from one end of their interval.
fn moved(
    process: &Process,
    time: f64,
    n_cells: usize,
    (dynamics, seed): (Dynamics, Seed),
) -> Result<Array2<f64>> {
    let Dynamics { diffusion, backward } = dynamics;
    let (interval, local) = process.series.locate(time)?;
    let bridge = &*process.series.bridges()[interval];
    let target = &process.snapshots[interval + 1];
    // Backward it is the law that arrives at the later snapshot.
    let until = if backward { process.series.times()[interval + 1] } else { time };
    let source = process.source(interval, until)?;
    let (start, cells) =
        if backward { (UnitTime::END, target) } else { (UnitTime::START, &source) };
    let rows = draw_cells(cells.marginal(), n_cells, seed.child("dynamics/cells", 0));
    let x = cells.points().select(Axis(0), &rows);
    let itself = !backward && (diffusion - 1.0).abs() < f64::EPSILON;
    if itself || bridge.noise_variance() <= 0.0 || bridge.score(x.view(), start)?.is_some() {
        let n_steps = (STEPS * (local.value() - start.value()).abs()).ceil() as usize;
        return simulate(bridge, x.view(), (start, local), Simulation { diffusion, n_steps }, seed);
    }
    let ends = FromCells { bridge, source: &source, target };
    let how = Simulation { diffusion, n_steps: STEPS as usize };
    ends.follow(Way { rows: &rows, to: local, backward }, how, seed)
}

/// The middle of every interval.
fn middles(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect()
}
