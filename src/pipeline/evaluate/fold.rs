//! A course without one of its times, and the cells of this time in the same coordinates.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use crate::data::{Snapshot, TimeSeries};
use crate::error::{Error, Result};
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::halves::{Half, halves};
use crate::pipeline::evaluate::options::{EvaluateOptions, Learnt, Protocol};
use crate::pipeline::fit::growth::Given;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::scale::{Spread, pooled};
use crate::pipeline::fit::units::Units;
use crate::progress::{Progress, Unseen};
use crate::rng::Seed;

/// A course without one of its times, which is held out.
///
/// The *clock* is real time, or 0, 1, 2, … under protocols with equal spacing.
pub(super) struct Fold {
    /// Label of the held-out time.
    pub(super) label: String,
    /// The time before, the held-out time and the time after, as in the file.
    pub(super) real: [f64; 3],
    /// The held-out time on the clock.
    pub(super) at: f64,
    /// The snapshots of the other times, in data units and on the clock.
    pub(super) series: TimeSeries,
    /// The cells of the other times (n × d) in data units, in the order of the file.
    points: Array2<f64>,
    /// The time of each of these cells, on the clock.
    pub(super) cell_times: Vec<f64>,
    /// The growth rate of each of these cells, if there is a prior.
    pub(super) growth: Option<Array1<f64>>,
    /// Scale and noise of the series.
    pub(super) units: Units,
    /// The interval of the series that contains the held-out time.
    pub(super) interval: usize,
    /// The cells of the time before, the held-out time and the time after, in data units.
    pub(super) cells: [Snapshot; 3],
    /// The numbers of these cells among all cells of the evaluation.
    pub(super) rows: [Vec<usize>; 3],
    /// Whether coordinates were learnt from one half of the training cells, for the other half.
    pub(super) halved: bool,
}

impl Fold {
    /// Holds out inner time number `k`, by the protocol of `options`: one fold, or two with exchanged halves
    /// of the training cells where coordinates are learnt ([`halves`]).
    ///
    /// There is one fold as well if some time has too few cells for halves. Notes about the values are sent
    /// with `say`.
    ///
    /// # Errors
    /// Those of normalisation, gene selection and components; [`Error::Cancelled`].
    pub(super) fn all(
        cells: &Cells,
        options: &EvaluateOptions,
        k: usize,
        say: bool,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Self>> {
        let protocol = options.protocol;
        let of = |keep: &dyn Fn(usize) -> bool| cells.of(keep);
        let used = match protocol.learnt() {
            Learnt::Ends => of(&|number| number + 1 == k || number == k + 1),
            Learnt::Halves | Learnt::All => of(&|number| number != k),
        };
        let mut parts = if options.splits() {
            halves(&used, &cells.numbers, &cells.second)
                .map_or_else(|| vec![Half { learnt: used.clone(), used }], |both| both.to_vec())
        } else {
            let learnt =
                if protocol.learnt() == Learnt::All { of(&|_| true) } else { used.clone() };
            vec![Half { learnt, used }]
        };
        if !options.exchange {
            parts.truncate(1);
        }
        let mut folds = Vec::with_capacity(parts.len());
        for part in &parts {
            let mut unseen = Unseen(&mut *progress);
            if say && folds.is_empty() {
                folds.push(Self::new(cells, options, k, part, progress)?);
            } else {
                folds.push(Self::new(cells, options, k, part, &mut unseen)?);
            }
        }
        Ok(folds)
    }

    /// Holds out inner time number `k` with the cells of `part`.
    ///
    /// # Errors
    /// As [`Fold::all`].
    fn new(
        cells: &Cells,
        options: &EvaluateOptions,
        k: usize,
        part: &Half,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let protocol = options.protocol;
        let (times, numbers) = (cells.times(), &cells.numbers);
        let coordinates = coordinates(cells, options, part, &cells.of(&|n| n == k), progress)?;
        let clock = |number: usize| {
            if protocol.even_spacing() { number as f64 } else { times[number] }
        };
        let cell_times: Vec<f64> = part.used.iter().map(|&cell| clock(numbers[cell])).collect();
        let series = TimeSeries::new(coordinates.training.view(), &cell_times)?;
        let scale = if protocol == Protocol::LightSb {
            // The published scale: the deviation over all cells, with the differences between times.
            pooled(&concatenate![Axis(0), coordinates.training, coordinates.held])
        } else {
            Spread::within(&series).scale
        };
        let units = Units::of(&series, scale, options.fit.noise, cells.selection.axis.unit)?;
        let before = clock(k - 1);
        let interval = series.times().partition_point(|&time| time < before);
        let snapshots = series.snapshots();
        let (earlier, later) = (snapshots[interval].clone(), snapshots[interval + 1].clone());
        let at = |wanted: usize| -> Vec<usize> {
            part.used.iter().copied().filter(|&cell| numbers[cell] == wanted).collect()
        };
        let rows = [at(k - 1), cells.of(&|number| number == k), at(k + 1)];
        Ok(Self {
            label: cells.selection.axis.levels[k].label.clone(),
            real: [times[k - 1], times[k], times[k + 1]],
            at: clock(k),
            points: coordinates.training,
            cell_times,
            growth: coordinates.growth,
            units,
            interval,
            cells: [earlier, Snapshot::new(coordinates.held)?, later],
            rows,
            halved: options.splits() && part.learnt != part.used,
            series,
        })
    }

    /// One fold for each inner time of this fold's series (nested hold-out), in the coordinates of this
    /// fold and with at most `most` cells of each time. Methods are chosen by them.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::Shape`] if a snapshot is impossible.
    pub(super) fn inner(&self, most: usize, seed: Seed) -> Result<Vec<Self>> {
        let times = self.series.times();
        let mut rows = Vec::new();
        for (number, time) in times.iter().enumerate() {
            let here = |cell: &usize| self.cell_times[*cell].total_cmp(time).is_eq();
            let of_time: Vec<usize> = (0..self.cell_times.len()).filter(here).collect();
            let mut stream = seed.stream("evaluate/inner", number as u64);
            let n = of_time.len().min(most);
            let places = rand::seq::index::sample(&mut stream, of_time.len(), n);
            rows.extend(places.into_iter().map(|place| of_time[place]));
        }
        rows.sort_unstable();
        (1..times.len().saturating_sub(1)).map(|held| self.hold_out(held, &rows)).collect()
    }

    /// Holds out inner time number `held` of the series as well, with the cells `rows` only.
    fn hold_out(&self, held: usize, rows: &[usize]) -> Result<Self> {
        let times = self.series.times();
        let at = times[held];
        let is_held = |cell: &usize| self.cell_times[*cell].total_cmp(&at).is_eq();
        let (held_rows, left): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&c| is_held(c));
        let points = self.points.select(Axis(0), &left);
        let cell_times: Vec<f64> = left.iter().map(|&cell| self.cell_times[cell]).collect();
        let series = TimeSeries::new(points.view(), &cell_times)?;
        let snapshots = series.snapshots();
        let (earlier, later) = (snapshots[held - 1].clone(), snapshots[held].clone());
        let observed = Snapshot::new(self.points.select(Axis(0), &held_rows))?;
        let of = |time: f64| -> Vec<usize> {
            left.iter().copied().filter(|&c| self.cell_times[c].total_cmp(&time).is_eq()).collect()
        };
        Ok(Self {
            label: at.to_string(),
            real: [times[held - 1], at, times[held + 1]],
            at,
            growth: self.growth.as_ref().map(|rates| rates.select(Axis(0), &left)),
            units: self.units.clone(),
            interval: held - 1,
            rows: [of(times[held - 1]), held_rows, of(times[held + 1])],
            cells: [earlier, observed, later],
            halved: self.halved,
            points,
            cell_times,
            series,
        })
    }

    /// The held-out time as local time of its interval, between 0 and 1.
    pub(super) fn local(&self) -> f64 {
        let times = self.series.times();
        let (from, to) = (times[self.interval], times[self.interval + 1]);
        (self.at - from) / (to - from)
    }

    /// The number of cells on each side of a distance that all predictions and the noise floor can have:
    /// the floor compares two halves of the held-out cells.
    pub(super) fn n_per_side(&self, most: usize) -> usize {
        let [earlier, held, later] = &self.cells;
        earlier.n_cells().min(later.n_cells()).min(held.n_cells() / 2).min(most)
    }
}

/// Coordinates of the cells of a fold, in data units.
struct Coordinates {
    /// Of the other times (n × d).
    training: Array2<f64>,
    /// The growth rates of the cells of the other times.
    growth: Option<Array1<f64>>,
    /// Of the held-out time (m × d).
    held: Array2<f64>,
}

/// Learns coordinates from the cells `part.learnt`, and applies them to the cells `part.used` and `held`.
///
/// # Errors
/// Those of normalisation, gene selection and components; [`Error::Numerical`] if coordinates are to be
/// divided by a deviation of zero.
fn coordinates(
    cells: &Cells,
    options: &EvaluateOptions,
    part: &Half,
    held: &[usize],
    progress: &mut dyn Progress,
) -> Result<Coordinates> {
    let protocol = options.protocol;
    let Half { learnt, used } = part;
    let unit = cells.selection.axis.unit;
    let fit = &FitOptions { values: cells.values, ..options.fit.clone() };
    let raw = cells.raw.select(learnt);
    let (mut of_training, growth, mut of_held) = if protocol.learnt() == Learnt::All {
        // The rows of `prepared` are the numbers of cells.
        let prepared = raw.prepare(fit, &cells.growth, None, unit, progress)?;
        let pick = |rows: &[usize]| prepared.points.select(Axis(0), rows);
        let growth = prepared.growth.as_ref().map(|rates| rates.select(Axis(0), used));
        (pick(used), growth, pick(held))
    } else if learnt == used {
        let prepared = raw.prepare(fit, &cells.growth.select(used), None, unit, progress)?;
        let of_held = prepared.recipe.apply(cells.raw.select(held))?;
        (prepared.points, prepared.growth, of_held)
    } else {
        let recipe = raw.prepare(fit, &Given::Nothing, None, unit, progress)?.recipe;
        let raw = cells.raw.select(used);
        let growth = recipe.growth(&raw, &cells.growth.select(used), unit)?;
        (recipe.apply(raw)?, growth, recipe.apply(cells.raw.select(held))?)
    };
    if protocol.whitens() {
        let deviations = deviations(of_training.view(), of_held.view())?;
        of_training /= &deviations;
        of_held /= &deviations;
    }
    Ok(Coordinates { training: of_training, growth, held: of_held })
}

/// The standard deviation of each coordinate over all cells, as in scikit-learn's `StandardScaler`.
///
/// # Errors
/// [`Error::Numerical`] if a coordinate does not vary.
fn deviations(training: ArrayView2<'_, f64>, held: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
    let deviations = concatenate![Axis(0), training, held].std_axis(Axis(0), 0.0);
    if deviations.iter().all(|&deviation| deviation > 0.0) {
        return Ok(deviations);
    }
    let why = "a coordinate does not vary and cannot be divided by its deviation".to_string();
    Err(Error::Numerical { what: "standardising coordinates", why })
}
