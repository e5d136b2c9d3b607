//! Checks of a bridge that was read: its numbers, its masses, and its values at its own cells.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use crate::bridge::{Affine, Bridge, BridgeRecord, FlowNetworks, UnitTime, Walk};
use crate::data::{Snapshot, grown};
use crate::error::Result;
use crate::io::model::{Interval, IntervalGrowth};
use crate::linalg::Mlp;
use crate::metrics::Comparison;
use crate::rng::Seed;

/// Largest absolute value of a number of a model. Counts in single precision end at 1e38; the square
/// of this limit can still be multiplied without overflow.
const LARGEST: f64 = 1e60;

/// Largest distance of a moved cell, and largest drift, relative to the extent of the cells.
const FARTHEST: f64 = 1e30;

/// Drifts above this multiple of the extent of the cells are simulated to the end of the interval.
/// Networks grow with their input, so that repeated steps can diverge.
const FAST: f64 = 1e3;

/// Largest logarithm of the growth of a cell over an interval.
const MOST_GROWTH: f64 = 2000.0;

/// Largest number of steps of a flow over an interval.
const MOST_STEPS: usize = 1_000_000;

/// Largest absolute weight of a trained network.
const MOST_WEIGHT: f32 = 1e6;

/// Largest difference from one of the mass of a coupling that keeps the source's marginal. Tables of
/// pairs leave out the smallest masses.
const MASS_SLACK: f64 = 1e-2;

/// `Ok`, or a description of the problem.
type Checked = std::result::Result<(), String>;

/// Checks an interval that was read. `source` and `target` are the cells at its ends, in the
/// coordinates of its bridge.
///
/// The checks are: all numbers are of a usual size, the bridge can be restored, and drift, Jacobian,
/// score and draws at a few cells are finite. Time of restoring the bridge and of a few evaluations.
///
/// # Errors
/// A description of the problem, in words that follow the name of the file.
pub(super) fn sound(interval: &Interval, source: &Snapshot, target: &Snapshot) -> Checked {
    numbers(interval)?;
    if let Some(rates) = &interval.coupling_growth
        && rates.len() != source.n_cells()
    {
        let (n, m) = (rates.len(), source.n_cells());
        return Err(format!("it has {n} rates of growth for the couplings of {m} cells"));
    }
    parts(&interval.bridge)?;
    let bridge = restored(interval, source, target).map_err(|error| error.to_string())?;
    let epsilon = bridge.epsilon().value();
    let own = scales_noise(&interval.bridge);
    if !(is_size(epsilon) && (own || same(epsilon, interval.epsilon))) {
        let told = interval.epsilon;
        return Err(format!("`epsilon` of its bridge is {epsilon:?}, of the interval {told:?}"));
    }
    let steps = steps_of(&interval.bridge);
    Probe::new(&*bridge, source, target).all(steps).unwrap_or_else(|error| Err(error.to_string()))
}

/// Checks that an interval leads from the time `from` to the time `to`, has this `epsilon`, and has the
/// distances to its snapshot that this version computes.
///
/// # Errors
/// As [`sound`].
pub(super) fn as_asked(interval: &Interval, from: f64, to: f64, epsilon: f64) -> Checked {
    if interval.from.total_cmp(&from).is_ne() || interval.to.total_cmp(&to).is_ne() {
        return Err(format!("it is of {} → {}", interval.from, interval.to));
    }
    if !same(interval.epsilon, epsilon) {
        return Err(format!("its `epsilon` is {:?}, not {epsilon:?}", interval.epsilon));
    }
    if !interval.fit.iter().map(|entry| entry.0.as_str()).eq(Comparison::NAMES) {
        return Err("its distances are not those of this version".into());
    }
    Ok(())
}

/// Restores the bridge of an interval from its numbers and from the cells at its ends, the source
/// cells weighted by prior growth.
fn restored(interval: &Interval, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
    let record = interval.bridge.clone();
    let Some(growth) = &interval.growth else { return record.restore(source, target) };
    let prior = Array1::from(growth.prior.clone());
    let weighed = grown(source, prior.view(), interval.to - interval.from)?;
    record.restore(&weighed, target)
}

/// Checks that no number of an interval would overflow in computations.
fn numbers(interval: &Interval) -> Checked {
    let Interval { from, to, epsilon, report, fit, bridge, growth, coupling_growth } = interval;
    if !is_size(*epsilon) {
        return Err(format!("`epsilon` must be finite and > 0, got {epsilon:?}"));
    }
    let mut told = vec![report.objective, report.start_objective];
    told.extend(report.details.iter().map(|entry| entry.1));
    told.extend(fit.iter().filter_map(|entry| entry.1));
    let mut lists: Vec<&[f64]> = vec![&told];
    of_record(bridge, &mut lists);
    if let Some(value) = lists.into_iter().flatten().find(|value| !is_number(**value)) {
        return Err(format!("a number must not be too large for computations, got {value:?}"));
    }
    let most = MOST_GROWTH / (to - from);
    let wild = |rate: &&f64| rate.is_nan() || rate.abs() > most;
    if let Some(rate) = coupling_growth.iter().flatten().find(wild) {
        return Err(format!("a cell grows at the rate {rate:?} in couplings"));
    }
    if let Some(IntervalGrowth { prior, posterior }) = growth {
        if prior.len() != posterior.len() {
            let (n, m) = (prior.len(), posterior.len());
            return Err(format!("it has {n} rates of growth before the fit and {m} after"));
        }
        if let Some(rate) = prior.iter().chain(posterior).find(wild) {
            return Err(format!("a cell grows at the rate {rate:?}"));
        }
    }
    Ok(())
}

/// Adds all numbers of a bridge to `lists`. The affine part is destructured, so that the compiler
/// reports a new field that is not checked.
fn of_record<'a>(record: &'a BridgeRecord, lists: &mut Vec<&'a [f64]>) {
    use std::slice::from_ref;
    let rows = |rows: &'a [Vec<f64>], lists: &mut Vec<&'a [f64]>| {
        lists.extend(rows.iter().map(Vec::as_slice));
    };
    match record {
        BridgeRecord::Gaussian(record) => {
            lists.extend([from_ref(&record.epsilon), &record.source_mean, &record.target_mean]);
            rows(&record.source_covariance, lists);
            rows(&record.slope, lists);
        }
        BridgeRecord::LightSb(record) => {
            lists.extend([from_ref(&record.epsilon), &record.source_mean, &record.target_mean]);
            lists.push(&record.log_alpha);
            rows(&record.r, lists);
            rows(&record.s, lists);
        }
        BridgeRecord::Flow(record) => {
            let Affine {
                source_mean,
                target_mean,
                source_variance,
                target_variance,
                covariance,
                least_variance,
                slopes: _,
            } = &record.affine;
            lists.extend([source_mean.as_slice(), target_mean, source_variance, target_variance]);
            lists.extend([covariance, from_ref(least_variance), &record.clock]);
            lists.push(from_ref(&record.epsilon));
        }
        BridgeRecord::Sinkhorn(record) => {
            lists.extend([from_ref(&record.epsilon), &record.source_potential]);
            lists.push(&record.target_potential);
            for lambda in [&record.source_relaxation, &record.target_relaxation] {
                lists.extend(lambda.as_ref().map(from_ref));
            }
        }
        BridgeRecord::Plan(record) => {
            lists.extend([from_ref(&record.epsilon), &record.mass, &record.factor]);
            for table in [&record.leave, &record.reach, &record.noise] {
                rows(table, lists);
            }
            if let Some((strength, width)) = &record.attraction {
                lists.extend([from_ref(strength), from_ref(width)]);
            }
        }
        BridgeRecord::Ends(record) => {
            lists.extend([from_ref(&record.epsilon), &record.mass]);
            rows(&record.forward, lists);
            rows(&record.backward, lists);
        }
        BridgeRecord::OrnsteinUhlenbeck(record) => {
            lists.extend([from_ref(&record.pull), &record.centre]);
            of_record(&record.inner, lists);
        }
        BridgeRecord::Clocked(record) => {
            lists.push(&record.speeds);
            lists.extend(record.asynchrony.as_ref().map(from_ref));
            lists.extend(record.displacement.as_deref());
            of_record(&record.inner, lists);
        }
        BridgeRecord::Curved(record) => {
            lists.extend([record.leave.as_slice(), &record.arrive]);
            of_record(&record.inner, lists);
        }
    }
}

/// Checks the parts of a bridge other than the size of its numbers: clock, networks and masses. A bridge
/// that contains another is checked by the parts of the inner bridge.
fn parts(record: &BridgeRecord) -> Checked {
    match record {
        BridgeRecord::Flow(record) => {
            let clock = record.clock[1] > 0.0 && record.n_steps <= MOST_STEPS;
            if !clock {
                let steps = record.n_steps;
                return Err(format!("its clock is {:?}, with {steps} steps", record.clock));
            }
            record.networks.as_deref().map_or(Ok(()), weights)
        }
        BridgeRecord::Plan(record) => mass(&record.mass, record.relaxed),
        BridgeRecord::Ends(record) => mass(&record.mass, record.relaxed),
        BridgeRecord::OrnsteinUhlenbeck(record) => parts(&record.inner),
        BridgeRecord::Clocked(record) => parts(&record.inner),
        BridgeRecord::Curved(record) => parts(&record.inner),
        BridgeRecord::Gaussian(_) | BridgeRecord::LightSb(_) | BridgeRecord::Sinkhorn(_) => Ok(()),
    }
}

/// Checks that the masses of a coupling sum to one, or to any usual number if marginals are `relaxed`.
fn mass(masses: &[f64], relaxed: bool) -> Checked {
    let total: f64 = masses.iter().sum();
    let slack = if relaxed { LARGEST } else { MASS_SLACK };
    if 0.0 < total && (total - 1.0).abs() <= slack {
        return Ok(());
    }
    Err(format!("the masses of its pairs must sum to 1, got {total:?}"))
}

/// Checks the weights of all networks.
fn weights(networks: &FlowNetworks) -> Checked {
    let all = [Some(networks.flow()), networks.score()].into_iter().flatten();
    let wrong = |value: &&f32| value.is_nan() || value.abs() > MOST_WEIGHT;
    match all.flat_map(Mlp::parameters).find(wrong) {
        Some(weight) => Err(format!("a weight of its networks is {weight:?}")),
        None => Ok(()),
    }
}

/// Whether the bridge has another ε than its interval: an Ornstein-Uhlenbeck reference has a scale of its
/// own.
fn scales_noise(record: &BridgeRecord) -> bool {
    match record {
        BridgeRecord::OrnsteinUhlenbeck(_) => true,
        BridgeRecord::Clocked(record) => scales_noise(&record.inner),
        BridgeRecord::Curved(record) => scales_noise(&record.inner),
        _ => false,
    }
}

/// Number of steps of a draw over the whole interval; `None` for a bridge with exact transitions.
fn steps_of(record: &BridgeRecord) -> Option<usize> {
    match record {
        BridgeRecord::Flow(record) => Some(record.n_steps),
        BridgeRecord::OrnsteinUhlenbeck(record) => steps_of(&record.inner),
        BridgeRecord::Clocked(record) => steps_of(&record.inner),
        BridgeRecord::Curved(record) => steps_of(&record.inner),
        _ => None,
    }
}

/// A few cells at which a bridge is evaluated: the mean and the outermost cells of each snapshot.
struct Probe<'a> {
    bridge: &'a dyn Bridge,
    source: Array2<f64>,
    target: Array2<f64>,
    /// The largest coordinate of all cells.
    extent: f64,
}

impl<'a> Probe<'a> {
    fn new(bridge: &'a dyn Bridge, source: &Snapshot, target: &Snapshot) -> Self {
        let largest = |cells: &Snapshot| {
            cells.points().iter().fold(0.0, |most: f64, value| most.max(value.abs()))
        };
        let extent = largest(source).max(largest(target));
        Self { bridge, source: outermost(source), target: outermost(target), extent }
    }

    /// Evaluates drift, derivatives and draws. Draws of bridges that take steps are slow, so they are
    /// evaluated only if the drift is fast.
    fn all(&self, steps: Option<usize>) -> Result<Checked> {
        let both = concatenate![Axis(0), self.source, self.target];
        let middle = UnitTime::new(0.5)?;
        let mut fastest: f64 = 0.0;
        for (cells, at) in
            [(&self.source, UnitTime::START), (&both, middle), (&self.target, UnitTime::END)]
        {
            let drift = self.bridge.drift(cells.view(), at)?;
            fastest = drift.iter().fold(fastest, |most, value| most.max(value.abs()));
            if let Err(problem) = self.near("the drift at a cell", drift.view()) {
                return Ok(Err(problem));
            }
        }
        if let Err(problem) = self.derivatives(&both, middle)? {
            return Ok(Err(problem));
        }
        if steps.is_some() && fastest <= FAST * (1.0 + self.extent) {
            return Ok(Ok(()));
        }
        // With many steps a part of the interval is enough to see a divergence.
        let first = steps.map_or(0.5, |steps| (100.0 / steps as f64).min(0.5));
        let mut walk = Walk::new(self.bridge, self.source.view());
        for to in [UnitTime::new(first)?, UnitTime::END] {
            walk.step(to, Seed(0))?;
            if let Err(problem) = self.near("a moved cell", walk.points()) {
                return Ok(Err(problem));
            }
            let drift = self.bridge.drift(walk.points(), to)?;
            if let Err(problem) = self.near("the drift at a moved cell", drift.view()) {
                return Ok(Err(problem));
            }
            if steps.is_some_and(|steps| steps > 1000) {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// Evaluates the Jacobian and the scores at `cells`.
    fn derivatives(&self, cells: &Array2<f64>, at: UnitTime) -> Result<Checked> {
        let sized = |what: &str, values: &Array2<f64>| match values.iter().find(|v| !is_number(**v))
        {
            Some(value) => Err(format!("{what} is {value:?}")),
            None => Ok(()),
        };
        let jacobian = self.bridge.mean_jacobian(cells.view(), at)?;
        if let Err(problem) = sized("the derivative of its drift", &jacobian) {
            return Ok(Err(problem));
        }
        let started = Snapshot::new(self.source.clone())?;
        let own = self.bridge.score(cells.view(), at)?;
        let of_cells = self.bridge.score_from(&started, cells.view(), at)?;
        let mut scores = [own, of_cells].into_iter().flatten();
        Ok(scores.try_for_each(|score| sized("its score at a cell", &score)))
    }

    /// Checks that values are finite and not far beyond all cells.
    fn near(&self, what: &str, values: ArrayView2<'_, f64>) -> Checked {
        let most = FARTHEST * (1.0 + self.extent);
        match values.iter().find(|value| value.is_nan() || value.abs() > most) {
            Some(value) => Err(format!("{what} is {value:?}")),
            None => Ok(()),
        }
    }
}

/// The mean of the cells, the cell furthest from it, and the cells with the largest and the smallest
/// first coordinate.
fn outermost(cells: &Snapshot) -> Array2<f64> {
    let points = cells.points();
    let n = points.nrows();
    // Equal weights, because a cell without mass also has a position.
    let mean = points.sum_axis(Axis(0)) / n as f64;
    let off = |i: usize| {
        let off = &points.row(i) - &mean;
        off.dot(&off)
    };
    let best = |of: &dyn Fn(usize) -> f64| (0..n).max_by(|&a, &b| of(a).total_cmp(&of(b)));
    let chosen = [best(&off), best(&|i| points[[i, 0]]), best(&|i| -points[[i, 0]])];
    let rows: Vec<usize> = chosen.into_iter().flatten().collect();
    concatenate![Axis(0), mean.insert_axis(Axis(0)), points.select(Axis(0), &rows)]
}

/// Largest coordinate of a cell in scaled units. Its square, also divided by ε, does not overflow.
const OUTERMOST: f64 = 1e20;

/// Largest coordinate of a cell in data units. Its square is below [`LARGEST`].
const OUTERMOST_IN_DATA: f64 = 1e25;

/// Whether the coordinate `value` of a cell, in data units, is small enough for computations.
pub(crate) fn is_place(value: f64, scale: f64) -> bool {
    value.abs() <= OUTERMOST_IN_DATA && (value / scale).abs() <= OUTERMOST
}

/// Whether two numbers differ by rounding only (relative difference below 1e-6).
pub(super) fn same(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 1e-6
}

/// Whether a number is finite and can be squared and multiplied without overflow.
pub(super) fn is_number(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// Whether a number is positive, and can also be a divisor without overflow.
pub(super) fn is_size(value: f64) -> bool {
    (1.0 / LARGEST..=LARGEST).contains(&value)
}
