//! The bridge of an interval as it was read: its numbers, its masses, and what it does at its own cells.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use crate::bridge::{Affine, Bridge, BridgeRecord, FlowNetworks, UnitTime};
use crate::data::{Snapshot, grown};
use crate::error::Result;
use crate::io::model::{Interval, IntervalGrowth};
use crate::linalg::Mlp;
use crate::metrics::Comparison;
use crate::rng::Seed;

/// No number of a model is larger: counts in single precision end at 1e38, and squares of what is
/// below this can still be multiplied.
const LARGEST: f64 = 1e60;

/// No cell goes further than so many times as far as the cells are from the origin, and no drift is
/// faster.
const FARTHEST: f64 = 1e30;

/// Drifts of networks above so many times the extent of the cells are followed to the end: networks
/// grow with their input, and one step after the other leaves what is finite.
const FAST: f64 = 1e3;

/// No cell grows by more than the exponential of this over an interval.
const MOST_GROWTH: f64 = 2000.0;

/// No draw of a flow takes more steps over an interval.
const MOST_STEPS: usize = 1_000_000;

/// No weight of a trained network is larger.
const MOST_WEIGHT: f32 = 1e6;

/// How far the mass of a plan may be from one, if it keeps the source's marginal: tables of pairs
/// leave out the least of them.
const MASS_SLACK: f64 = 1e-2;

/// What is wrong, if anything.
type Checked = std::result::Result<(), String>;

/// Checks an interval that was read against the cells of its ends, in the coordinates of its bridge:
/// its numbers, whether the bridge can be restored, and drift, Jacobian, score and draws at a few of its
/// cells. Time of reading it, and of a few evaluations.
///
/// # Errors
/// What is wrong, in words that follow the name of the file.
pub(super) fn sound(interval: &Interval, source: &Snapshot, target: &Snapshot) -> Checked {
    numbers(interval)?;
    parts(&interval.bridge)?;
    let bridge = restored(interval, source, target).map_err(|error| error.to_string())?;
    let epsilon = bridge.epsilon().value();
    // A reference that pulls has a clock of its own.
    let own = matches!(interval.bridge, BridgeRecord::OrnsteinUhlenbeck(_));
    if !(is_size(epsilon) && (own || same(epsilon, interval.epsilon))) {
        let told = interval.epsilon;
        return Err(format!("`epsilon` of its bridge is {epsilon:?}, of the interval {told:?}"));
    }
    let steps = steps_of(&interval.bridge);
    Probe::new(&*bridge, source, target).all(steps).unwrap_or_else(|error| Err(error.to_string()))
}

/// Checks that an interval is the one `from` → `to` with this ε, and compared with its snapshot as fits
/// are.
///
/// # Errors
/// As [`sound`].
pub(super) fn as_asked(interval: &Interval, (from, to, epsilon): (f64, f64, f64)) -> Checked {
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

/// The bridge of an interval, from its numbers and the cells of its ends.
fn restored(interval: &Interval, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
    let record = interval.bridge.clone();
    let Some(growth) = &interval.growth else { return record.restore(source, target) };
    let prior = Array1::from(growth.prior.clone());
    let weighed = grown(source, prior.view(), interval.to - interval.from)?;
    record.restore(&weighed, target)
}

/// Whether every number of an interval is of a size that can be computed with.
fn numbers(interval: &Interval) -> Checked {
    let Interval { from, to, epsilon, report, fit, bridge, growth } = interval;
    if !is_size(*epsilon) {
        return Err(format!("`epsilon` must be finite and > 0, got {epsilon:?}"));
    }
    let mut told = vec![report.objective, report.start_objective];
    told.extend(report.details.iter().map(|entry| entry.1));
    told.extend(fit.iter().filter_map(|entry| entry.1));
    let mut lists: Vec<&[f64]> = vec![&told];
    of_record(bridge, &mut lists);
    if let Some(value) = lists.into_iter().flatten().find(|value| !is_number(**value)) {
        return Err(format!("a number must be of a usual size, got {value:?}"));
    }
    if let Some(IntervalGrowth { prior, posterior }) = growth {
        if prior.len() != posterior.len() {
            let (n, m) = (prior.len(), posterior.len());
            return Err(format!("it has {n} rates of growth before the fit and {m} after"));
        }
        let most = MOST_GROWTH / (to - from);
        if let Some(rate) =
            prior.iter().chain(posterior).find(|rate| rate.is_nan() || rate.abs() > most)
        {
            return Err(format!("a cell grows at the rate {rate:?}"));
        }
    }
    Ok(())
}

/// All numbers of a bridge; every field is named, so that a new one is not forgotten.
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
    }
}

/// What a bridge has beside numbers of a usual size; that of the inner one, too.
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
        BridgeRecord::Gaussian(_) | BridgeRecord::LightSb(_) | BridgeRecord::Sinkhorn(_) => Ok(()),
    }
}

fn mass(masses: &[f64], relaxed: bool) -> Checked {
    let total: f64 = masses.iter().sum();
    let slack = if relaxed { LARGEST } else { MASS_SLACK };
    if 0.0 < total && (total - 1.0).abs() <= slack {
        return Ok(());
    }
    Err(format!("the masses of its pairs must sum to 1, got {total:?}"))
}

fn weights(networks: &FlowNetworks) -> Checked {
    let all = [Some(networks.flow()), networks.score()].into_iter().flatten();
    let wrong = |value: &&f32| value.is_nan() || value.abs() > MOST_WEIGHT;
    match all.flat_map(Mlp::parameters).find(wrong) {
        Some(weight) => Err(format!("a weight of its networks is {weight:?}")),
        None => Ok(()),
    }
}

/// Steps that a draw takes over the whole interval, for a bridge that takes steps.
fn steps_of(record: &BridgeRecord) -> Option<usize> {
    match record {
        BridgeRecord::Flow(record) => Some(record.n_steps),
        BridgeRecord::OrnsteinUhlenbeck(record) => steps_of(&record.inner),
        _ => None,
    }
}

/// A few cells of a bridge: of each snapshot the mean, and the cells that are furthest out.
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

    /// Everything; a draw in steps only where the drift is fast.
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
        // With many steps a part of the way says enough.
        let first = steps.map_or(0.5, |steps| (100.0 / steps as f64).min(0.5));
        let mut cells = self.source.clone();
        let mut from = UnitTime::START;
        for to in [UnitTime::new(first)?, UnitTime::END] {
            cells = self.bridge.sample_transition(cells.view(), from, to, Seed(0))?;
            if let Err(problem) = self.near("a cell that was carried on", cells.view()) {
                return Ok(Err(problem));
            }
            let drift = self.bridge.drift(cells.view(), to)?;
            if let Err(problem) = self.near("the drift at a cell that was carried on", drift.view())
            {
                return Ok(Err(problem));
            }
            from = to;
            if steps.is_some_and(|steps| steps > 1000) {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// The Jacobian and the scores at `cells`.
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

    /// Refuses what is not finite, or far beyond all cells.
    fn near(&self, what: &str, values: ArrayView2<'_, f64>) -> Checked {
        let most = FARTHEST * (1.0 + self.extent);
        match values.iter().find(|value| value.is_nan() || value.abs() > most) {
            Some(value) => Err(format!("{what} is {value:?}")),
            None => Ok(()),
        }
    }
}

/// The mean, the cell furthest from it, and those of the largest and least first coordinate.
fn outermost(cells: &Snapshot) -> Array2<f64> {
    let points = cells.points();
    let n = points.nrows();
    // Equal weights: a cell without mass is a place all the same.
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

/// How far from the origin a cell may be, in units of the scale of all: squares of it, and these over
/// ε, must be numbers that can be computed with.
const OUTERMOST: f64 = 1e20;

/// The same in data units: variances of it are of a usual size.
const OUTERMOST_IN_DATA: f64 = 1e25;

/// Whether a coordinate of a cell, in data units, can be computed with.
pub(crate) fn is_place(value: f64, scale: f64) -> bool {
    value.abs() <= OUTERMOST_IN_DATA && (value / scale).abs() <= OUTERMOST
}

/// Whether two numbers are the same but for rounding.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 1e-6
}

/// A number that can be squared and multiplied without leaving what is finite.
pub(super) fn is_number(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// A number that can be divided by, too.
pub(super) fn is_size(value: f64) -> bool {
    (1.0 / LARGEST..=LARGEST).contains(&value)
}
