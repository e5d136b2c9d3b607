//! The share of gene-based growth rates that the data support, and whether they predict inner times.

use ndarray::{Array1, ArrayView1, Axis};

use crate::bridge::{Bridge, BridgeProblem, SinkhornBridge, SinkhornSolver, UnitTime, draw_cells};
use crate::data::{Snapshot, TimeSeries, grown, posterior_rates};
use crate::error::{Result, number};
use crate::geometry::Epsilon;
use crate::pipeline::fit::auto_growth::say_off;
use crate::pipeline::fit::choose::{PULL, at_least_noise, pooled};
use crate::pipeline::fit::growth::Growing;
use crate::progress::{self, Event, Progress, Silent};
use crate::rng::Seed;

/// Largest number of cells of each time from which shares are found.
const CELLS: usize = 300;
/// Least number of cells of a time.
const LEAST_CELLS: usize = 20;
/// ε of the couplings, as a fraction of the mean cost within the two snapshots.
const EPSILON: f64 = 0.1;
/// λ of the relaxed source weights, in the same unit.
const RELAXATION: f64 = 0.5;
/// Largest logarithm of the growth of a cell that a relaxed coupling may imply. Cells far from all others
/// have no bound of their own.
const MOST: f64 = 4.0;
/// Standard errors by which a share is lower than the slope.
const ERRORS: f64 = 2.0;
/// The lead that growth must have at inner times, in energy distances of the neighbouring times pooled.
const LEAD: f64 = 0.02;
/// The share that is used of a slope which no inner time can confirm.
const UNSEEN: f64 = 0.5;

/// The tolerance of the couplings, and their largest number of iterations: rough ones are enough.
const SOLVER: (f64, usize) = (1e-3, 500);

/// The rates per cell that couplings use, for each interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CouplingGrowth {
    /// The share of the gene-based rates in each interval, from 0 to 1.
    pub(super) shares: Vec<f64>,
    /// The rates of the source cells of each interval, multiplied by the share.
    pub(super) rates: Vec<Array1<f64>>,
}

/// One snapshot with the growth rates of its cells, in coordinates divided by the scale.
struct Cells {
    snapshot: Snapshot,
    rates: Array1<f64>,
}

/// The rates that couplings use, from the gene-based `rates` of the cells whose times are `cell_times`.
///
/// 1. In each interval a coupling with relaxed source weights is found without any prior. Its posterior
///    log-growth is regressed on the prior log-growth. The share is the slope less two standard errors,
///    between 0 and 1.
/// 2. Each inner time is held out. The share is found in the same way between its neighbours, which are then
///    coupled with and without growth. Growth is used only if the populations between them are nearer to the
///    held-out cells by [`LEAD`], after the difference is multiplied by `n/(n + 2)` for n inner times. The
///    distance is the one of [`crate::pipeline::fit::choose`].
///
/// Without inner times, half of the share is used. `None` with a note if growth is not used; `genes` are the
/// genes in words. Time `O(K m²)` for K intervals and m ≤ [`CELLS`] cells of each time.
///
/// # Errors
/// Those of the couplings; [`crate::Error::Cancelled`].
pub(super) fn coupling_growth(
    course: &Course<'_>,
    genes: &str,
    progress: &mut dyn Progress,
) -> Result<Option<CouplingGrowth>> {
    let times = course.series.times();
    let n_intervals = times.len() - 1;
    let cells = course.some()?;
    let total = (2 * n_intervals - 1) as u64;
    let what = "growth by genes".to_string();
    progress::report(progress, Event::Begin { what, total })?;
    let mut shares = Vec::with_capacity(n_intervals);
    for k in 0..n_intervals {
        shares.push(share(&cells[k], &cells[k + 1].snapshot, times[k + 1] - times[k])?);
        progress::report(progress, Event::Step { done: shares.len() as u64 })?;
    }
    let (mut leads, mut n_better) = (Vec::new(), 0);
    for k in 1..n_intervals {
        let seed = course.seed.child("inner", k as u64);
        let held =
            Held { earlier: &cells[k - 1], at: &cells[k].snapshot, later: &cells[k + 1].snapshot };
        if let Some(lead) = held.lead([times[k - 1], times[k], times[k + 1]], seed)? {
            n_better += usize::from(lead > 0.0);
            leads.push(lead);
        }
        progress::report(progress, Event::Step { done: (n_intervals + k) as u64 })?;
    }
    progress::report(progress, Event::End)?;
    if shares.iter().all(|share| *share <= 0.0) {
        let why = format!("relaxed couplings do not confirm the rates from {genes}");
        return say_off(&why, progress).map(|()| None);
    }
    let n = leads.len() as f64;
    let mean = leads.iter().sum::<f64>() / n.max(1.0);
    let why = if leads.is_empty() {
        for share in &mut shares {
            *share *= UNSEEN;
        }
        "half of what relaxed couplings confirm, as there is no inner time to hold out".to_string()
    } else if mean * n / (n + PULL) > LEAD {
        format!(
            "they predict {n_better} of {n} inner times better, by {} of the distance of the neighbouring \
             times pooled on average",
            number(mean)
        )
    } else {
        let why = format!(
            "the rates from {genes} do not clearly improve the prediction of inner times (better at \
             {n_better} of {n})"
        );
        return say_off(&why, progress).map(|()| None);
    };
    let each: Vec<String> = shares.iter().map(|share| format!("{share:.2}")).collect();
    let text = format!(
        "growth: couplings use rates from {genes}, multiplied by {} from interval to interval: {why}; \
         populations between the times do not use them",
        each.join(", ")
    );
    progress::note(progress, text)?;
    let rates = (0..n_intervals).zip(&shares).map(|(k, share)| course.rates(k) * *share).collect();
    Ok(Some(CouplingGrowth { shares, rates }))
}

/// A course with gene-based growth rates.
pub(super) struct Course<'a> {
    /// The snapshots, in data units.
    pub(super) series: &'a TimeSeries,
    /// Data units per unit of the bridges' coordinates.
    pub(super) scale: f64,
    /// Growth rate of each cell per unit of time.
    pub(super) rates: &'a Array1<f64>,
    /// Time of each cell.
    pub(super) cell_times: &'a [f64],
    /// Seed of the cells that are drawn.
    pub(super) seed: Seed,
}

impl Course<'_> {
    /// The rates of the cells of snapshot `k`.
    fn rates(&self, k: usize) -> Array1<f64> {
        Growing::rates(self.series, k, self.rates, self.cell_times)
    }

    /// At most [`CELLS`] cells of each time with their rates.
    ///
    /// # Errors
    /// Those of [`Snapshot::new`].
    fn some(&self) -> Result<Vec<Cells>> {
        let of = |(k, snapshot): (usize, &Snapshot)| {
            let n = snapshot.n_cells();
            let even = Array1::from_elem(n, 1.0 / n as f64);
            let rows = draw_cells(even.view(), n.min(CELLS), self.seed.child("cells", k as u64));
            let points = snapshot.points().select(Axis(0), &rows) / self.scale;
            let rates = self.rates(k).select(Axis(0), &rows);
            Ok(Cells { snapshot: Snapshot::new(points)?, rates })
        };
        self.series.snapshots().iter().enumerate().map(of).collect()
    }
}

/// The share of the prior rates of the cells `source` that a relaxed coupling with `target` confirms, after
/// the time `length`. Zero with fewer than [`LEAST_CELLS`] cells on a side.
///
/// # Errors
/// Those of the coupling.
fn share(source: &Cells, target: &Snapshot, length: f64) -> Result<f64> {
    if source.snapshot.n_cells().min(target.n_cells()) < LEAST_CELLS {
        return Ok(0.0);
    }
    let bridge = coupled(&source.snapshot, target, Some(RELAXATION))?;
    let (Some(bridge), marginal) = (bridge, source.snapshot.marginal()) else { return Ok(0.0) };
    let Some(plan) = bridge.plan_marginal() else { return Ok(0.0) };
    let flat = Array1::zeros(source.rates.len());
    let found = posterior_rates(plan, marginal, flat.view(), 1.0)?;
    let found = found.mapv(|growth| growth.clamp(-MOST, MOST));
    let (slope, error) = regression((&source.rates * length).view(), found.view());
    let share = (slope - ERRORS * error).clamp(0.0, 1.0);
    Ok(if share.is_nan() { 0.0 } else { share })
}

/// The slope of the least-squares line of y over x, and its standard error: `b = Σ x̃ỹ / Σ x̃²` and
/// `se² = Σ (ỹ − b x̃)² / ((n − 2) Σ x̃²)` with centred x̃ and ỹ. NaN if x does not vary.
fn regression(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> (f64, f64) {
    let n = x.len() as f64;
    let (x, y) = (&x - x.sum() / n, &y - y.sum() / n);
    let square = x.dot(&x);
    let slope = x.dot(&y) / square;
    let rest = &y - &(&x * slope);
    (slope, (rest.dot(&rest) / ((n - 2.0) * square)).sqrt())
}

/// The entropic coupling of two snapshots, with ε and λ (`relaxation`) in units of the mean cost within them:
/// the sum of their variances. `None` if the cells do not differ.
///
/// # Errors
/// Those of the solver.
fn coupled(
    source: &Snapshot,
    target: &Snapshot,
    relaxation: Option<f64>,
) -> Result<Option<SinkhornBridge>> {
    let variance = |cells: &Snapshot| cells.points().var_axis(Axis(0), 0.0).sum();
    let cost = f64::midpoint(variance(source), variance(target));
    if !(cost > 0.0 && cost.is_finite()) {
        return Ok(None);
    }
    let problem =
        BridgeProblem::new(source.clone(), target.clone(), Epsilon::new(EPSILON * cost)?)?;
    let solver = SinkhornSolver {
        tolerance: SOLVER.0,
        max_iterations: SOLVER.1,
        source_relaxation: relaxation.map(|lambda| lambda * cost),
        ..SinkhornSolver::default()
    };
    Ok(Some(solver.fit(&problem, &mut Silent)?.0))
}

/// An inner time that is held out, with its neighbours.
struct Held<'a> {
    earlier: &'a Cells,
    at: &'a Snapshot,
    later: &'a Snapshot,
}

impl Held<'_> {
    /// The energy distance of the population without growth from the held-out cells, less that with growth,
    /// over the distance of both neighbours pooled. All distances have their uncertainty added. `None` with
    /// too few cells.
    ///
    /// # Errors
    /// Those of the couplings and distances.
    fn lead(&self, times: [f64; 3], seed: Seed) -> Result<Option<f64>> {
        let Self { earlier, at, later } = self;
        let source = &earlier.snapshot;
        if source.n_cells().min(at.n_cells()).min(later.n_cells()) < LEAST_CELLS {
            return Ok(None);
        }
        let length = times[2] - times[0];
        let local = UnitTime::new((times[1] - times[0]) / length)?;
        let share = share(earlier, later, length)?;
        if share <= 0.0 {
            return Ok(Some(0.0));
        }
        let rates = &earlier.rates * share;
        let distance = |rates: &Array1<f64>| -> Result<Option<f64>> {
            let Some(bridge) = coupled(&grown(source, rates.view(), length)?, later, None)? else {
                return Ok(None);
            };
            // Cells that will have descendants by then, carried half of the way.
            let cells = grown(source, rates.view(), length * local.value())?;
            let points = bridge.population(&cells, local, 2 * CELLS, seed)?;
            at_least_noise(&Snapshot::new(points)?, at).map(Some)
        };
        let (plain, with) = (distance(&Array1::zeros(rates.len()))?, distance(&rates)?);
        let null = at_least_noise(&pooled(source, later, local.value(), 1.0)?, at)?;
        Ok(plain.zip(with).map(|(plain, with)| (plain - with) / null))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::pipeline::shared::recorder::Recorder;

    /// Cells of two types far apart, `n[0]` and `n[1]` of them at each time 0, 1, 2, …, with these rates.
    struct Types<'a> {
        n: &'a [[usize; 2]],
        rates: [f64; 2],
    }

    impl Types<'_> {
        /// The type of each cell, and its time.
        fn cells(&self) -> Vec<(usize, f64)> {
            let of = |(k, n): (usize, &[usize; 2])| {
                let time = k as f64;
                [vec![(0, time); n[0]], vec![(1, time); n[1]]].concat()
            };
            self.n.iter().enumerate().flat_map(of).collect()
        }

        /// The growth of couplings, and the notes.
        fn found(&self) -> (Option<CouplingGrowth>, String) {
            let cells = self.cells();
            let points = Array2::from_shape_fn((cells.len(), 2), |(i, d)| {
                if d == 0 { 8.0 * cells[i].0 as f64 } else { (i * 13 % 11) as f64 / 11.0 }
            });
            let rates = cells.iter().map(|cell| self.rates[cell.0]).collect();
            let times: Vec<f64> = cells.iter().map(|cell| cell.1).collect();
            found(points, rates, &times)
        }
    }

    fn found(
        points: Array2<f64>,
        rates: Array1<f64>,
        cell_times: &[f64],
    ) -> (Option<CouplingGrowth>, String) {
        let series = TimeSeries::new(points.view(), cell_times).unwrap();
        let course =
            Course { series: &series, scale: 1.0, rates: &rates, cell_times, seed: Seed(0) };
        let mut silent = Silent;
        let mut notes = Recorder::new(&mut silent);
        let found = coupling_growth(&course, "some genes", &mut notes).unwrap();
        (found, notes.into_notes().concat())
    }

    #[test]
    fn the_slope_and_its_error_are_those_of_least_squares() {
        // numpy.polyfit and scipy.stats.linregress: 0.8, 0.230940…
        let (x, y) = (array![1.0, 2.0, 3.0, 4.0], array![1.0, 3.0, 2.0, 4.0]);
        let (slope, error) = regression(x.view(), y.view());
        // Σ x̃² = 5, Σ x̃ỹ = 4, Σ rest² = 5 − 16/5 = 1.8.
        assert!((slope - 0.8).abs() < 1e-12);
        assert!((error - (1.8_f64 / (2.0 * 5.0)).sqrt()).abs() < 1e-12);
        assert!(regression(array![1.0, 1.0].view(), array![0.0, 1.0].view()).0.is_nan());
    }

    /// Types that cannot become each other: the relaxed coupling knows their growth, ln 3 between them, and
    /// the prior says twice as much.
    #[test]
    fn a_prior_that_is_twice_the_truth_is_halved() {
        let cells = |n: usize, of_type: usize| {
            let points = Array2::from_shape_fn((60, 1), |(i, _)| if i < n { 0.0 } else { 9.0 });
            let rates = Array1::from_shape_fn(60, |i| if i < of_type { 3_f64.ln() } else { 0.0 });
            Cells { snapshot: Snapshot::new(points).unwrap(), rates }
        };
        let (source, target) = (cells(30, 30), cells(45, 30));
        let found = share(&source, &target.snapshot, 2.0).unwrap();
        assert!((found - 0.5).abs() < 0.01, "{found}");
        // Over half of the time the prior is the truth.
        let found = share(&source, &target.snapshot, 1.0).unwrap();
        assert!((found - 1.0).abs() < 0.02, "{found}");
        let few = Snapshot::new(target.snapshot.points().slice(ndarray::s![..19, ..]).to_owned());
        assert!(share(&source, &few.unwrap(), 1.0).unwrap().abs() < 1e-12);
    }

    #[test]
    fn growth_that_is_true_is_used_and_growth_that_is_false_is_not() {
        let n = &[[20, 40], [30, 30], [40, 20], [48, 12]];
        let (growth, notes) = Types { n, rates: [0.8, 0.0] }.found();
        let growth = growth.unwrap();
        assert!(growth.shares.iter().all(|share| *share > 0.4), "{:?}", growth.shares);
        assert!(notes.contains("2 of 2 inner times better"), "{notes}");
        for (k, n) in n.iter().take(3).enumerate() {
            assert_eq!(growth.rates[k].len(), n[0] + n[1]);
            assert!((growth.rates[k][0] - 0.8 * growth.shares[k]).abs() < 1e-12);
        }
        let (growth, notes) = Types { n, rates: [0.0, 0.8] }.found();
        assert!(growth.is_none() && notes.contains("do not confirm"), "{notes}");
        let (growth, notes) = Types { n, rates: [0.8, 0.8] }.found();
        assert!(growth.is_none() && notes.contains("do not confirm"), "{notes}");
    }

    #[test]
    fn half_is_used_without_inner_times() {
        let n = &[[20, 40], [30, 30], [40, 20]];
        let (all, _) = Types { n, rates: [0.8, 0.0] }.found();
        let (two, notes) = Types { n: &n[..2], rates: [0.8, 0.0] }.found();
        let (all, two) = (all.unwrap().shares[0], two.unwrap().shares[0]);
        assert!((two - 0.5 * all).abs() < 1e-12, "{two} {all}");
        assert!(notes.contains("no inner time to hold out"), "{notes}");
        let (none, _) = Types { n: &[[5, 10], [10, 5]], rates: [0.8, 0.0] }.found();
        assert!(none.is_none());
    }

    /// All cells move on at the same growth, and those ahead have more expression. Relaxed couplings find
    /// descendants for cells near the later time, which is no growth: inner times do not confirm it.
    #[test]
    fn cells_that_are_ahead_do_not_grow() {
        let n = 60;
        let cell_times: Vec<f64> = (0..4 * n).map(|cell| (cell / n) as f64).collect();
        let place = |cell: usize| cell_times[cell] + 3.0 * ((cell * 37 % n) as f64 / n as f64);
        let points = Array2::from_shape_fn((4 * n, 2), |(cell, d)| {
            if d == 0 { place(cell) } else { (cell * 13 % 11) as f64 / 11.0 }
        });
        let rates = Array1::from_shape_fn(4 * n, |cell| 0.3 * place(cell));
        let shares = {
            let cells = |k: usize| {
                let rows = ndarray::s![k * n..(k + 1) * n, ..];
                let snapshot = Snapshot::new(points.slice(rows).to_owned()).unwrap();
                Cells { snapshot, rates: rates.slice(ndarray::s![k * n..(k + 1) * n]).to_owned() }
            };
            share(&cells(0), &cells(1).snapshot, 1.0).unwrap()
        };
        assert!(shares > 0.2, "{shares}");
        let (growth, notes) = found(points, rates, &cell_times);
        assert!(growth.is_none() && notes.contains("do not clearly improve"), "{notes}");
    }
}
