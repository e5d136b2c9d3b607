//! The way between snapshots: asynchrony of the cells, pace and curve of each interval.

use std::fmt;
use std::str::FromStr;

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::{CellClock, Curve, Pace, Property, draw_cells};
use crate::data::{Snapshot, TimeSeries};
use crate::error::{Error, Result};
use crate::metrics::energy_distance;
use crate::pipeline::solvers::SolverChoice;
use crate::rng::Seed;

/// Whether cells move in step, or each on a clock of its own ([`CellClock`]).
///
/// ```
/// use sbcell::pipeline::{Asynchrony, FitOptions};
///
/// let options = FitOptions::default().with_asynchrony(Asynchrony::Kappa(2.0));
/// assert!(options.check().is_ok());
/// assert_eq!("off".parse::<Asynchrony>().unwrap(), Asynchrony::Off);
/// assert!("-1".parse::<Asynchrony>().is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Asynchrony {
    /// Clocks with κ = 2 for solvers that couple observed cells ([`Property::CouplesCells`]), unless
    /// another κ predicts the inner times of the course clearly better; cells
    /// in step for all others, whose populations are wider than means of two cells.
    #[default]
    Auto,
    /// All cells are at the same fraction of their way.
    Off,
    /// Clocks with this κ ≥ 0: 0 for one jump of each cell, large for cells almost in step.
    Kappa(f64),
}

impl Asynchrony {
    /// κ of [`Asynchrony::Auto`] for solvers that couple observed cells, where a course cannot tell
    /// (`docs/decisions/0027`).
    pub(super) const COUPLED: f64 = 2.0;

    /// Cells in step, as in models without this parameter.
    pub(crate) fn off() -> Self {
        Self::Off
    }

    /// κ for the bridges of `solver`, infinity for cells in step.
    pub(crate) fn kappa(self, solver: &SolverChoice) -> f64 {
        match self {
            Self::Auto if solver.has(Property::CouplesCells) => Self::COUPLED,
            Self::Auto | Self::Off => f64::INFINITY,
            Self::Kappa(kappa) => kappa,
        }
    }
}

impl fmt::Display for Asynchrony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Kappa(kappa) => write!(f, "{kappa}"),
        }
    }
}

impl FromStr for Asynchrony {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<f64>()) {
            ("auto", _) => Ok(Self::Auto),
            ("off", _) => Ok(Self::Off),
            (_, Ok(kappa)) if kappa >= 0.0 && kappa.is_finite() => Ok(Self::Kappa(kappa)),
            _ => {
                let must = "`auto`, `off`, or a number that is at least 0";
                Err(Error::Parameter { name: "asynchrony", must, got: text.into() })
            }
        }
    }
}

impl From<Asynchrony> for String {
    fn from(asynchrony: Asynchrony) -> Self {
        asynchrony.to_string()
    }
}

impl TryFrom<String> for Asynchrony {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// How fast an interval is crossed at its two ends.
///
/// ```
/// use sbcell::pipeline::{FitOptions, Timing};
///
/// let options = FitOptions::default().with_timing(Timing::Even);
/// assert_eq!(options.timing, Timing::Even);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// At constant speed
    Even,
    /// At the speed of the course, which changes between neighbouring intervals
    #[default]
    Auto,
}

impl Timing {
    /// Constant speed, as in models without this parameter.
    pub(crate) fn even() -> Self {
        Self::Even
    }
}

/// Whether populations follow the curve of the course between the snapshots ([`Curve`]).
///
/// ```
/// use sbcell::pipeline::{Bending, FitOptions};
///
/// let options = FitOptions::default().with_bend(Bending::Off);
/// assert_eq!(options.bend, Bending::Off);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Bending {
    /// On straight lines between the means of the snapshots
    Off,
    /// On a smooth curve through the means of the snapshots
    #[default]
    Auto,
}

impl Bending {
    /// Straight lines, as in models without this parameter.
    pub(crate) fn off() -> Self {
        Self::Off
    }
}

/// The curve of each interval, in the coordinates of `series` divided by `scale`; none without
/// bending.
///
/// # Errors
/// Those of [`Curve::through`].
pub(crate) fn curves(series: &TimeSeries, bend: Bending, scale: f64) -> Result<Vec<Option<Curve>>> {
    let n_intervals = series.times().len() - 1;
    if bend == Bending::Off {
        return Ok(vec![None; n_intervals]);
    }
    let mean = |snapshot: &Snapshot| snapshot.marginal().dot(&snapshot.points()) / scale;
    let means: Vec<Array1<f64>> = series.snapshots().iter().map(mean).collect();
    let curves = Curve::through(&means)?;
    Ok(curves.into_iter().map(|curve| Some(curve).filter(|curve| !curve.is_straight())).collect())
}

/// Largest number of cells of each snapshot by which speeds are measured.
const CELLS: usize = 500;

/// Smallest speed of an interval relative to the fastest one.
const SLOWEST: f64 = 1e-3;

/// The clock of each interval of `series`, with asynchrony `kappa`.
///
/// # Errors
/// [`Error::Parameter`] for a negative κ; those of [`paces`].
pub(crate) fn clocks(
    series: &TimeSeries,
    kappa: f64,
    timing: Timing,
    seed: Seed,
) -> Result<Vec<CellClock>> {
    let paces = paces(series, timing, seed)?;
    paces.into_iter().map(|pace| CellClock::new(kappa, pace)).collect()
}

/// The pace of each interval of `series`.
///
/// The speed of an interval is the distance `√(E w + E²/4)` between its snapshots divided by its
/// length, with the energy distance E and the mean distance w within both snapshots. This is the
/// shift δ for which `E = 2 (√(w² + δ²) − w)`, the energy distance of two equal populations that
/// are δ apart in many dimensions: `√(E w)` for a small shift, `E/2` for a large one. The speed at
/// a snapshot is the geometric mean of the speeds of the intervals before and after it, so that an
/// interval between a fast and a slow one is crossed early. The first and the last interval have
/// their own speed at the outer end. Only ratios of speeds matter; none counts as slower than a
/// thousandth of the fastest. An energy distance below its sampling error counts as this error. At
/// most [`CELLS`] cells of each snapshot are compared.
///
/// # Errors
/// Those of the energy distance, which needs two cells of each time.
fn paces(series: &TimeSeries, timing: Timing, seed: Seed) -> Result<Vec<Pace>> {
    let n_intervals = series.times().len() - 1;
    let enough = series.snapshots().iter().all(|snapshot| snapshot.n_cells() >= 2);
    if timing == Timing::Even || n_intervals < 2 || !enough {
        return Ok(vec![Pace::EVEN; n_intervals]);
    }
    let some: Vec<Snapshot> = series
        .snapshots()
        .iter()
        .enumerate()
        .map(|(k, snapshot)| {
            let n = snapshot.n_cells();
            let even = Array1::from_elem(n, 1.0 / n as f64);
            let rows = draw_cells(even.view(), n.min(CELLS), seed.child("timing", k as u64));
            Snapshot::new(snapshot.points().select(Axis(0), &rows))
        })
        .collect::<Result<_>>()?;
    let speeds: Vec<f64> = some
        .windows(2)
        .zip(series.times().windows(2))
        .map(|(ends, times)| {
            let energy = energy_distance(&ends[0], &ends[1])?;
            let n = ends[0].n_cells().min(ends[1].n_cells()) as f64;
            let within = f64::midpoint(energy.within_x, energy.within_y);
            let apart = energy.value.max(within / n);
            let shift = (apart * within + apart * apart / 4.0).sqrt();
            Ok(shift / (times[1] - times[0]))
        })
        .collect::<Result<_>>()?;
    let fastest = speeds.iter().copied().fold(0.0, f64::max);
    if !(fastest > 0.0 && fastest.is_finite()) {
        return Ok(vec![Pace::EVEN; n_intervals]);
    }
    let share = |k: usize| (speeds[k] / fastest).max(SLOWEST).sqrt();
    let between = |a: usize, b: usize| share(a) * share(b);
    (0..n_intervals)
        .map(|k| {
            Pace::new(between(k.saturating_sub(1), k), between(k, (k + 1).min(n_intervals - 1)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// Five cells around each of these positions on a line.
    fn course(places: &[f64], times: &[f64]) -> TimeSeries {
        let cells: Vec<(f64, f64)> = places
            .iter()
            .zip(times)
            .flat_map(|(place, time)| (0..5).map(move |i| (place + 0.01 * f64::from(i), *time)))
            .collect();
        let points = Array2::from_shape_fn((cells.len(), 1), |(row, _)| cells[row].0);
        let times: Vec<f64> = cells.iter().map(|cell| cell.1).collect();
        TimeSeries::new(points.view(), &times).unwrap()
    }

    #[test]
    fn an_interval_between_a_fast_and_a_slow_one_is_crossed_early() {
        // Narrow snapshots: the energy distance is twice the shift, but for the distances within.
        let series = course(&[0.0, 8.0, 10.0, 10.5], &[0.0, 1.0, 2.0, 4.0]);
        let paces = paces(&series, Timing::Auto, Seed(0)).unwrap();
        let v = [8.0, 2.0, 0.25].map(|speed| speed / 8.0_f64);
        let wanted = [
            [v[0], (v[0] * v[1]).sqrt()],
            [(v[0] * v[1]).sqrt(), (v[1] * v[2]).sqrt()],
            [(v[1] * v[2]).sqrt(), v[2]],
        ];
        for (pace, wanted) in paces.iter().zip(wanted) {
            for (found, wanted) in pace.speeds().into_iter().zip(wanted) {
                assert!((found / wanted - 1.0).abs() < 0.02, "{found} {wanted}");
            }
        }
        assert!(paces[1].speeds()[0] > paces[1].speeds()[1]);
    }

    /// Wide clouds in many dimensions that are moved at constant speed over uneven intervals: the
    /// energy distance is far from linear in the shift, and the pace is even all the same.
    #[test]
    fn constant_speed_over_uneven_intervals_is_even() {
        use rand_distr::{Distribution, StandardNormal};
        let (dim, n, times) = (30, 400, [0.0, 1.0, 2.0, 6.0, 7.0]);
        let mut random = Seed(3).stream("test", 0);
        let mut points = Array2::from_shape_simple_fn((n * times.len(), dim), || {
            StandardNormal.sample(&mut random)
        });
        let labels: Vec<f64> = times.iter().flat_map(|time| vec![*time; n]).collect();
        for (mut row, time) in points.rows_mut().into_iter().zip(&labels) {
            row[0] += 3.0 * time;
        }
        let series = TimeSeries::new(points.view(), &labels).unwrap();
        for pace in paces(&series, Timing::Auto, Seed(0)).unwrap() {
            let [start, end] = pace.speeds();
            assert!((start / end).ln().abs() < 0.12, "{start} {end}");
        }
    }

    #[test]
    fn equal_speeds_and_single_intervals_are_even() {
        let series = course(&[0.0, 1.0, 2.0], &[0.0, 1.0, 2.0]);
        assert!(paces(&series, Timing::Auto, Seed(0)).unwrap().iter().all(|pace| pace.is_even()));
        let series = course(&[0.0, 5.0, 6.0], &[0.0, 1.0, 2.0]);
        assert_eq!(paces(&series, Timing::Even, Seed(0)).unwrap(), [Pace::EVEN; 2]);
        // Without any movement or width there is no speed; beside a fast interval a still one is slow.
        let still = TimeSeries::new(Array2::zeros((6, 1)).view(), &[0., 0., 1., 1., 2., 2.]);
        let paces_of = |series: &TimeSeries| paces(series, Timing::Auto, Seed(0)).unwrap();
        assert_eq!(paces_of(&still.unwrap()), [Pace::EVEN; 2]);
        let mut points = Array2::zeros((6, 1));
        points[[0, 0]] = 1e300;
        let far = TimeSeries::new(points.view(), &[0., 0., 1., 1., 2., 2.]).unwrap();
        assert!(paces_of(&far).iter().all(|pace| pace.speeds().iter().all(|v| *v > 0.0)));
        let single = course(&[0.0, 5.0], &[0.0, 1.0]);
        assert_eq!(paces(&single, Timing::Auto, Seed(0)).unwrap(), [Pace::EVEN]);
    }

    #[test]
    fn asynchrony_is_written_and_read_as_one_types_it() {
        for (asynchrony, text) in
            [(Asynchrony::Auto, "auto"), (Asynchrony::Off, "off"), (Asynchrony::Kappa(0.5), "0.5")]
        {
            assert_eq!(asynchrony.to_string(), text);
            assert_eq!(text.parse::<Asynchrony>().unwrap(), asynchrony);
            let json = serde_json::to_string(&asynchrony).unwrap();
            assert_eq!(serde_json::from_str::<Asynchrony>(&json).unwrap(), asynchrony);
        }
        for bad in ["-1", "nan", "inf", "on", ""] {
            assert!(bad.parse::<Asynchrony>().is_err(), "{bad}");
        }
    }
}
