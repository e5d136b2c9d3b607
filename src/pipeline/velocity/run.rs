//! The velocity of every cell: drift, probability flow, score and growth rate.

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::UnitTime;
use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::linalg::product_nt;
use crate::pipeline::fit::oddities::say_repeated;
use crate::pipeline::interpolate::{InterpolateOptions, interpolate};
use crate::pipeline::shared::population::Space;
use crate::pipeline::shared::process::Process;
use crate::pipeline::velocity::options::{VelocityOptions, chosen_genes};
use crate::progress::{self, Event, Progress};

/// Velocities of cells, in data units per unit of time.
///
/// See [`velocity`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Velocities {
    /// Names of the cells; `tTIME-NUMBER` for populations of a bridge.
    pub ids: Vec<String>,
    /// Time of each cell.
    pub times: Vec<f64>,
    /// Coordinates of the cells, `(n_cells, dim)`.
    pub points: Array2<f64>,
    /// The drift `b` of the bridge at each cell, `(n_cells, dim)`.
    pub drift: Array2<f64>,
    /// The score `∇ log p` at each cell, `(n_cells, dim)`, per data unit. Rows of times at which it is unknown are
    /// NaN; `None` if it is unknown at all times.
    pub score: Option<Array2<f64>>,
    /// The velocity `b − (σ²/2) ∇ log p` of the probability flow, `(n_cells, dim)`; NaN and `None` as for `score`.
    pub flow: Option<Array2<f64>>,
    /// Posterior growth rate of each cell per unit of time, NaN for cells of the last time; `None` if the model
    /// has no growth.
    pub growth: Option<Vec<f64>>,
    /// Speed and noise at each time.
    pub speeds: Vec<SpeedAt>,
}

/// Speed of the cells of one time, compared with the noise.
///
/// ```
/// use sbcell::pipeline::SpeedAt;
///
/// let at =
///     SpeedAt { time: 1.0, n_cells: 40, speed: 0.2, travelled: 0.4, noise: 0.9, arriving: false };
/// assert!(at.noise_dominates());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedAt {
    /// The time.
    pub time: f64,
    /// Number of cells.
    pub n_cells: usize,
    /// Median length of the drift, in data units per unit of time.
    pub speed: f64,
    /// Median length of the drift times the length of the interval, in data units.
    pub travelled: f64,
    /// Root mean square displacement by noise alone over the interval, `√(dim σ² Δt)`, in data units.
    pub noise: f64,
    /// Whether cells arrive with this velocity: true at the last time, where no interval begins.
    pub arriving: bool,
}

impl SpeedAt {
    /// Whether noise moves a cell further over the interval than the drift does.
    pub fn noise_dominates(&self) -> bool {
        self.travelled < self.noise
    }
}

impl Velocities {
    /// Length of the drift of each cell, in data units per unit of time.
    pub fn speed(&self) -> Vec<f64> {
        norms(self.drift.view())
    }

    /// Velocities in the fitted coordinates as velocities of genes, `v Wᵀ`, `(n_cells, n_genes)`.
    ///
    /// `W` contains the loadings, `(n_genes, dim)`. Time and memory O(n_cells · n_genes · dim) and
    /// O(n_cells · n_genes).
    ///
    /// # Errors
    /// [`Error::NoGeneSpace`] if the model has no genes.
    pub fn in_genes(model: &Model, velocity: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        match &model.pca {
            Some(pca) => Ok(product_nt(velocity, pca.loadings())),
            None => Err(Error::NoGeneSpace { source_name: model.header.source.clone() }),
        }
    }
}

/// Velocities of all cells of `model` at their own times, or of populations at the times `options.at`.
///
/// A cell has the drift of the bridge of the interval that begins at its time. At the last time, no interval
/// begins; cells there have the drift with which the last interval ends. The score is that of the bridge if the
/// bridge knows its law ([`crate::bridge::Bridge::score`]). Otherwise it is the score of the law with which the
/// previous interval arrives ([`crate::bridge::Bridge::score_from`]), so that the first time has none.
///
/// ```
/// use sbcell::pipeline::{VelocityOptions, example_model, velocity};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let found = velocity(&model, &VelocityOptions::default(), &mut Silent)?;
/// assert_eq!(found.drift.dim(), (model.cells.len(), 2));
/// assert_eq!(found.speeds.len(), 3);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::OutsideTimes`] for a time outside the course; [`Error::NoGeneSpace`] if genes are asked of a model
/// without them; [`Error::GeneNotAmong`] for a gene that is not in the model.
pub fn velocity(
    model: &Model,
    options: &VelocityOptions,
    progress: &mut dyn Progress,
) -> Result<Velocities> {
    let VelocityOptions { at, space, genes, seed } = options;
    if space.has_genes() && model.pca.is_none() {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    }
    chosen_genes(model, genes)?;
    say_repeated(&model.cells, progress)?;
    let process = Process::restore(model)?;
    let groups = if at.is_empty() {
        of_cells(model, &process)
    } else {
        let populations = InterpolateOptions {
            at: at.clone(),
            n_cells: None,
            space: Space::Pca,
            dynamics: None,
            seed: *seed,
            ..InterpolateOptions::default()
        };
        interpolate(model, &populations, progress)?
            .into_iter()
            .map(|population| Group {
                time: population.time,
                rows: None,
                points: population.points,
            })
            .collect()
    };
    let total = groups.len() as u64;
    progress::report(progress, Event::Begin { what: "velocities".into(), total })?;
    let mut found = Vec::with_capacity(groups.len());
    for (done, group) in groups.into_iter().enumerate() {
        found.push(Found::of(&process, group)?);
        progress::report(progress, Event::Step { done: done as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    let grows = process.growth.iter().any(Option::is_some);
    let velocities = joined(model, found, grows);
    warn(&velocities.speeds, progress)?;
    Ok(velocities)
}

/// Cells of one time.
struct Group {
    /// The time.
    time: f64,
    /// Rows of the cells in the model; `None` for a population of a bridge.
    rows: Option<Vec<usize>>,
    /// Coordinates, `(n, dim)`, in data units.
    points: Array2<f64>,
}

/// The cells of the model, time by time.
fn of_cells(model: &Model, process: &Process) -> Vec<Group> {
    let at = |time: f64| {
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&time).is_eq();
        let rows: Vec<usize> = (0..model.cells.len()).filter(here).collect();
        Group { time, points: model.points.select(Axis(0), &rows), rows: Some(rows) }
    };
    process.series.times().iter().map(|&time| at(time)).collect()
}

/// A [`Group`] with its velocities, in data units.
struct Found {
    group: Group,
    drift: Array2<f64>,
    score: Option<Array2<f64>>,
    flow: Option<Array2<f64>>,
    growth: Option<Vec<f64>>,
    speed: SpeedAt,
}

impl Found {
    /// Evaluates the bridges at the cells of `group`.
    fn of(process: &Process, group: Group) -> Result<Self> {
        let (interval, local) = process.series.locate(group.time)?;
        let (times, scale) = (process.series.times(), process.scale);
        let length = times[interval + 1] - times[interval];
        let bridge = &*process.series.bridges()[interval];
        let x = &group.points / scale;
        let drift = process.series.drift(x.view(), group.time)? * scale;
        let rate = bridge.clocked().map_or(1.0, |clocked| clocked.clock.pace().rate(local));
        let sigma2 = bridge.noise_variance() * rate * scale * scale / length;
        let score = score_at(process, x.view(), group.time)?.map(|score| score / scale);
        // With noise that differs between directions, no bridge knows its score, so there is no flow.
        let noisy = sigma2 > 0.0 && bridge.noise_factor().is_none();
        let flow = score.as_ref().filter(|_| noisy).map(|s| &drift - &(s * (0.5 * sigma2)));
        let speed = SpeedAt {
            time: group.time,
            n_cells: x.nrows(),
            speed: median(norms(drift.view())),
            travelled: median(norms(drift.view())) * length,
            noise: (sigma2 * length * x.ncols() as f64).sqrt(),
            arriving: local == UnitTime::END,
        };
        let starts = group.rows.is_some() && local == UnitTime::START;
        let growth = process.growth[interval].as_ref().filter(|_| starts).map(|g| g.to_vec());
        Ok(Self { group, drift, score, flow, growth, speed })
    }
}

/// The score at the points `x` (both in the coordinates of the bridges), if it is known.
fn score_at(process: &Process, x: ArrayView2<'_, f64>, time: f64) -> Result<Option<Array2<f64>>> {
    let (interval, local) = process.series.locate(time)?;
    let bridges = process.series.bridges();
    if let Some(score) = bridges[interval].score(x, local)? {
        return Ok(Some(score));
    }
    // At the time of a snapshot, the interval that ends there has a law with a density; its start has none.
    let (interval, local) = match (local == UnitTime::START, interval) {
        (true, 0) => return Ok(None),
        (true, later) => (later - 1, UnitTime::END),
        (false, here) => (here, local),
    };
    let end = if local == UnitTime::END { process.series.times()[interval + 1] } else { time };
    bridges[interval].score_from(&process.source(interval, end)?, x, local)
}

/// All groups in one: cells of the model in its order, populations one after the other.
fn joined(model: &Model, found: Vec<Found>, grows: bool) -> Velocities {
    let of_model = found.iter().all(|found| found.group.rows.is_some());
    let n = found.iter().map(|found| found.drift.nrows()).sum();
    let dim = model.points.ncols();
    let empty = || Array2::from_elem((n, dim), f64::NAN);
    let mut out = Velocities {
        ids: vec![String::new(); n],
        times: vec![f64::NAN; n],
        points: empty(),
        drift: empty(),
        score: found.iter().any(|found| found.score.is_some()).then(empty),
        flow: found.iter().any(|found| found.flow.is_some()).then(empty),
        growth: (grows && of_model).then(|| vec![f64::NAN; n]),
        speeds: Vec::with_capacity(found.len()),
    };
    let mut first = 0;
    for found in found {
        let Found { group, drift, score, flow, growth, speed } = found;
        let n_here = drift.nrows();
        let rows = match &group.rows {
            Some(rows) => rows.clone(),
            None => (first..first + n_here).collect(),
        };
        for (place, &row) in rows.iter().enumerate() {
            out.ids[row] = match group.rows {
                Some(_) => model.cells[row].clone(),
                None => format!("t{}-{place}", group.time),
            };
            out.times[row] = group.time;
            out.points.row_mut(row).assign(&group.points.row(place));
            out.drift.row_mut(row).assign(&drift.row(place));
            for (all, here) in [(&mut out.score, &score), (&mut out.flow, &flow)] {
                if let (Some(all), Some(here)) = (all, here) {
                    all.row_mut(row).assign(&here.row(place));
                }
            }
            if let (Some(all), Some(here)) = (&mut out.growth, &growth) {
                all[row] = here[place];
            }
        }
        first += n_here;
        out.speeds.push(speed);
    }
    out
}

/// Notes the times at which noise moves cells further than the drift does.
fn warn(speeds: &[SpeedAt], progress: &mut dyn Progress) -> Result<()> {
    let noisy: Vec<String> =
        speeds.iter().filter(|s| s.noise_dominates()).map(|s| s.time.to_string()).collect();
    if noisy.is_empty() {
        return Ok(());
    }
    let which = if 1 < noisy.len() && noisy.len() == speeds.len() {
        "at every time".to_string()
    } else {
        format!("at {}", noisy.join(", "))
    };
    let text = format!(
        "{which} noise moves a cell further over the interval than its drift: the velocity of a single \
         cell predicts little of where it goes; average over many cells"
    );
    progress::note(progress, text)
}

/// The Euclidean norm of each row.
fn norms(rows: ArrayView2<'_, f64>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect()
}

/// The median; NaN without values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, middle) if n % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}
