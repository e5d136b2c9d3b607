//! Model → the velocity of every cell: drift, probability flow, score and growth rate.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::UnitTime;
use crate::data::GeneIndex;
use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::linalg::product_nt;
use crate::pipeline::asked::not_in_model;
use crate::pipeline::interpolate::{InterpolateOptions, Space, interpolate};
use crate::pipeline::oddities::say_repeated;
use crate::pipeline::process::Process;
use crate::progress::{self, Event, Progress};

/// What `velocity` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VelocityOptions {
    /// Times; the population there instead of the cells of the model. The cells if empty.
    pub at: Vec<f64>,
    /// Coordinates of the output.
    pub space: VelocitySpace,
    /// Genes to write; all of the model if empty.
    pub genes: Vec<String>,
    /// Seed of everything random: the populations.
    pub seed: u64,
}

/// Coordinates of velocities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum VelocitySpace {
    /// The coordinates in which the bridges were fitted.
    #[default]
    Pca,
    /// Expression of the model's genes, on the scale of the fit (log1p for counts).
    Genes,
    /// The coordinates, then the genes.
    Both,
}

impl VelocitySpace {
    /// Whether genes are asked for.
    pub fn has_genes(self) -> bool {
        matches!(self, Self::Genes | Self::Both)
    }
}

/// Velocities of cells, in data units per unit of the times.
#[derive(Debug, Clone, PartialEq)]
pub struct Velocities {
    /// Names of the cells.
    pub ids: Vec<String>,
    /// Time of each cell.
    pub times: Vec<f64>,
    /// Where the cells are, `(n_cells, dim)`.
    pub points: Array2<f64>,
    /// The drift `b` of the process that goes on from each cell, `(n_cells, dim)`.
    pub drift: Array2<f64>,
    /// `∇ log p` at each cell, `(n_cells, dim)`, per data unit; NaN in rows of times where it is not
    /// known, `None` if it is known at none.
    pub score: Option<Array2<f64>>,
    /// The velocity `b − (σ²/2) ∇ log p` of the probability flow, as `score`.
    pub flow: Option<Array2<f64>>,
    /// Growth rate of each cell per unit of the times, NaN where there is none; `None` if the model
    /// has no growth.
    pub growth: Option<Vec<f64>>,
    /// One line for each time.
    pub speeds: Vec<SpeedAt>,
}

/// How fast cells of one time move, against the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedAt {
    /// The time.
    pub time: f64,
    /// Number of cells.
    pub n_cells: usize,
    /// Median length of the drift, in data units per unit of time.
    pub speed: f64,
    /// Median length of the drift over the whole interval, in data units.
    pub travelled: f64,
    /// What noise alone moves a cell over the interval: `√(dim σ² Δt)`, in data units.
    pub noise: f64,
    /// Whether the velocity is that with which cells arrive: at the last time.
    pub arriving: bool,
}

impl SpeedAt {
    /// Whether noise moves a cell further than the drift does.
    pub fn noise_dominates(&self) -> bool {
        self.travelled < self.noise
    }
}

impl Velocities {
    /// Length of the drift of each cell.
    pub fn speed(&self) -> Vec<f64> {
        norms(self.drift.view())
    }

    /// Velocities in the fitted coordinates as velocities of genes, `(n_cells, n_genes)`: `v Wᵀ`; the
    /// mean of the genes does not move.
    ///
    /// # Errors
    /// [`Error::NoGeneSpace`] if the model knows no genes.
    pub fn in_genes(model: &Model, velocity: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        match &model.pca {
            Some(pca) => Ok(product_nt(velocity, pca.loadings())),
            None => Err(Error::NoGeneSpace { source_name: model.header.source.clone() }),
        }
    }
}

/// Velocities of every cell of `model` at its own time, or of populations at the times of `options`.
///
/// A cell of a time takes the bridge of the interval that begins there; at the last time, where none
/// begins, that of the last interval at its end. The score is that of the bridge if it knows its law
/// ([`crate::bridge::Bridge::score`]); else that of the law with which the interval before arrives
/// ([`crate::bridge::Bridge::score_from`]), so that the first time has none.
///
/// # Errors
/// [`Error::OutsideTimes`] for a time outside the course; [`Error::NoGeneSpace`] if genes are asked
/// of a model without them; [`Error::GeneNotAmong`] if one asked for is not in the model.
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

/// Places in the model of the genes asked for; of all if none is named.
///
/// # Errors
/// [`Error::GeneNotAmong`] naming the first that is not there.
pub(super) fn chosen_genes(model: &Model, wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok((0..model.genes.len()).collect());
    }
    let index = GeneIndex::new(&model.genes);
    wanted
        .iter()
        .map(|gene| {
            index.find(gene).map(|found| found.places[0]).ok_or_else(|| not_in_model(gene, model))
        })
        .collect()
}

/// Cells of one time.
struct Group {
    time: f64,
    /// Their rows in the model; `None` for a population.
    rows: Option<Vec<usize>>,
    /// `(n, dim)`, data units.
    points: Array2<f64>,
}

fn of_cells(model: &Model, process: &Process) -> Vec<Group> {
    let at = |time: f64| {
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&time).is_eq();
        let rows: Vec<usize> = (0..model.cells.len()).filter(here).collect();
        Group { time, points: model.points.select(Axis(0), &rows), rows: Some(rows) }
    };
    process.series.times().iter().map(|&time| at(time)).collect()
}

/// What is known of a [`Group`].
struct Found {
    group: Group,
    drift: Array2<f64>,
    score: Option<Array2<f64>>,
    flow: Option<Array2<f64>>,
    growth: Option<Vec<f64>>,
    speed: SpeedAt,
}

impl Found {
    fn of(process: &Process, group: Group) -> Result<Self> {
        let (interval, local) = process.series.locate(group.time)?;
        let (times, scale) = (process.series.times(), process.scale);
        let length = times[interval + 1] - times[interval];
        let bridge = &*process.series.bridges()[interval];
        let x = &group.points / scale;
        let drift = process.series.drift(x.view(), group.time)? * scale;
        let sigma2 = bridge.noise_variance() * scale * scale / length;
        let score = score_at(process, x.view(), group.time)?.map(|score| score / scale);
        // Where noise is not the same in all directions no bridge knows its score.
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

/// The score at points in the coordinates of the bridges, if it is known.
fn score_at(process: &Process, x: ArrayView2<'_, f64>, time: f64) -> Result<Option<Array2<f64>>> {
    let (interval, local) = process.series.locate(time)?;
    let bridges = process.series.bridges();
    if let Some(score) = bridges[interval].score(x, local)? {
        return Ok(Some(score));
    }
    // At its own time a cell is seen by the interval that arrives there.
    let (interval, local) = match (local == UnitTime::START, interval) {
        (true, 0) => return Ok(None),
        (true, later) => (later - 1, UnitTime::END),
        (false, here) => (here, local),
    };
    let end = if local == UnitTime::END { process.series.times()[interval + 1] } else { time };
    bridges[interval].score_from(&process.source(interval, end)?, x, local)
}

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

/// Says where the drift is small against the noise.
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
        "{which} noise moves a cell further over the interval than its drift: the velocity of one \
         cell says little of where it goes, the mean over many cells more"
    );
    progress::note(progress, text)
}

fn norms(rows: ArrayView2<'_, f64>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, middle) if n % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}
