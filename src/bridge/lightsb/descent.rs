//! The descent of one mixture: quasi-Newton steps, revival of empty Gaussians, and pruning.

use crate::bridge::Stop;
use crate::bridge::lightsb::anchored::Anchored;
use crate::bridge::lightsb::ends::Ends;
use crate::bridge::lightsb::grown::{LEAST_SHARE, revived};
use crate::bridge::lightsb::mixture::Mixture;
use crate::bridge::lightsb::objective::Objective;
use crate::bridge::lightsb::solver::LightSbSolver;

use crate::bridge::lightsb::start::{self, StartSettings};
use crate::error::{Error, Result};
use crate::linalg::Lbfgs;
use crate::progress::{Event, Progress, Unseen, report};
use crate::rng::Seed;

/// Number of steps in the memory of L-BFGS.
const MEMORY: usize = 15;

/// Steps whose gain is compared with the gain of as many steps before.
const WINDOW: usize = 5;

/// Multiple of the tolerance at which the descent stops before Gaussians without cells are moved.
const COARSE: f64 = 50.0;

/// Largest number of times that Gaussians without cells are moved.
const MOST_REVIVALS: usize = 5;

/// Multiple of the tolerance at which the comparison of initialisations stops.
const ROUGH: f64 = 10.0;

/// Largest number of steps of each initialisation before they are compared.
const MOST_ROUGH: usize = 30;

impl LightSbSolver {
    /// Initial mixtures: for each seed the better of the two mixtures from its clusters, without
    /// repetitions.
    pub(super) fn starts(
        &self,
        ends: &Ends,
        settings: StartSettings,
        objective: &mut Objective<'_>,
        seeds: &[Seed],
    ) -> Result<Vec<Mixture>> {
        let (source, target) = (ends.source.view(), ends.target.view());
        let mut starts: Vec<Mixture> = Vec::with_capacity(seeds.len());
        for &seed in seeds {
            let coupling = ends.coupling(self.n_coupled, seeds[0]);
            let found = start::from_coupling(coupling, source, target, settings, seed)?;
            // Equal clusters give equal descents.
            starts.extend(lowest(objective, found).filter(|found| !starts.contains(found)));
        }
        Ok(starts)
    }

    /// The initial mixture whose coarse descent ends lowest, after this descent.
    pub(super) fn lowest(
        &self,
        objective: &mut Objective<'_>,
        starts: Vec<Mixture>,
        floor: f64,
        progress: &mut dyn Progress,
    ) -> Result<Descent> {
        let only = starts.len() < 2;
        let until = Until { share: ROUGH * self.tolerance, steps: MOST_ROUGH };
        let mut best: Option<Descent> = None;
        for start in starts {
            let mut descent = Descent::begin(start, f64::NAN);
            if !only {
                let unseen = &mut Unseen(&mut *progress);
                descent.start_value = objective.evaluate(&descent.mixture).value;
                self.round(objective, &mut descent, floor, until, unseen)?;
            }
            // `total_cmp` sorts NaN above all numbers.
            let lower = best.as_ref().is_none_or(|b| descent.value.total_cmp(&b.value).is_lt());
            if lower {
                best = Some(descent);
            }
        }
        best.ok_or_else(|| Error::Numerical {
            what: "fitting the mixture",
            why: "there is no initial mixture".into(),
        })
    }

    /// Descends; then moves Gaussians that have lost their cells and descends again, while this
    /// lowers the objective.
    pub(super) fn descend(
        &self,
        objective: &mut Objective<'_>,
        mut descent: Descent,
        floor: f64,
        progress: &mut dyn Progress,
    ) -> Result<Descent> {
        if descent.value.is_nan() {
            descent.value = objective.evaluate(&descent.mixture).value;
            descent.start_value = descent.value;
        }
        let until = |share: f64| Until { share, steps: self.max_iterations };
        for _ in 0..=MOST_REVIVALS {
            let before = descent.value;
            self.round(objective, &mut descent, floor, until(COARSE * self.tolerance), progress)?;
            let gained = before - descent.value > self.tolerance * objective.error();
            match revived(objective, &descent.mixture, floor)? {
                Some(mixture) if gained => descent.mixture = mixture,
                _ => break,
            }
        }
        self.round(objective, &mut descent, floor, until(self.tolerance), progress)?;
        Ok(descent)
    }

    /// One L-BFGS descent. `floor` is the lower bound of S.
    pub(super) fn round(
        &self,
        objective: &mut Objective<'_>,
        descent: &mut Descent,
        floor: f64,
        until: Until,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let evaluation = objective.evaluate(&descent.mixture);
        let tolerance = until.share * objective.error();
        let epsilon = objective.epsilon();
        let (coordinates, point) = Anchored::new(&descent.mixture, &evaluation, epsilon, floor)?;
        let mut f =
            |point: &[f64], gradient: &mut [f64]| coordinates.value(objective, point, gradient);
        let mut search = Lbfgs::new(point, MEMORY, &mut f);
        let mut values = vec![search.value()];
        descent.stop = Stop::MaxIterations;
        while values.len() <= until.steps && descent.iterations < self.max_iterations {
            if !search.step(&mut f) {
                descent.stop = Stop::Converged;
                break;
            }
            descent.iterations += 1;
            values.push(search.value());
            report(progress, Event::Step { done: descent.iterations as u64 })?;
            if expected_decrease(&values).is_some_and(|decrease| decrease < tolerance) {
                descent.stop = Stop::Converged;
                break;
            }
        }
        descent.mixture = coordinates.mixture(search.point());
        descent.value = search.value();
        Ok(())
    }
}

/// When a descent ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    /// The further decrease that may remain, as a share of the standard error of the objective.
    pub(super) share: f64,
    /// Largest number of steps.
    pub(super) steps: usize,
}

/// The further decrease of the objective that its last values let expect, after five steps.
///
/// The gains of successive windows of five steps are continued as a geometric series: `gain · q /
/// (1 − q)`, where q is the ratio of the last two gains, from 0.2 to 0.9. Before ten steps q is
/// one half.
fn expected_decrease(values: &[f64]) -> Option<f64> {
    let gain = |ago: usize| {
        let last = values.len().checked_sub(1 + ago)?;
        Some(values[last.checked_sub(WINDOW)?] - values[last])
    };
    let last = gain(0)?;
    let ratio = gain(WINDOW).map_or(0.5, |before| (last / before).clamp(0.2, 0.9));
    // Two gains of zero have no ratio.
    Some(if ratio.is_nan() { 0.0 } else { last * ratio / (1.0 - ratio) })
}

/// The mixture with the lowest objective.
fn lowest(objective: &mut Objective<'_>, mixtures: Vec<Mixture>) -> Option<Mixture> {
    let valued = mixtures.into_iter().map(|mixture| (objective.evaluate(&mixture).value, mixture));
    valued.min_by(|a, b| a.0.total_cmp(&b.0)).map(|entry| entry.1)
}

/// A mixture during its descent.
pub(super) struct Descent {
    /// The current mixture.
    pub(super) mixture: Mixture,
    /// Its objective; NaN before the first evaluation.
    pub(super) value: f64,
    /// The objective of the initial mixture.
    pub(super) start_value: f64,
    /// Why the last descent stopped.
    pub(super) stop: Stop,
    /// Number of steps so far.
    pub(super) iterations: usize,
}

impl Descent {
    /// Before the first step.
    pub(super) fn begin(mixture: Mixture, value: f64) -> Self {
        Self { mixture, value, start_value: value, stop: Stop::Converged, iterations: 0 }
    }

    /// Removes Gaussians without cells at both ends, unless the objective then rises by more than
    /// `tolerance`. Returns the number of Gaussians that have target cells.
    pub(super) fn prune(&mut self, objective: &mut Objective<'_>, tolerance: f64) -> usize {
        let evaluation = objective.evaluate(&self.mixture);
        let least = LEAST_SHARE / self.mixture.n_gaussians() as f64;
        let (source, target) = (&evaluation.source.mass, &evaluation.target.mass);
        let all = 0..self.mixture.n_gaussians();
        let n_live = all.clone().filter(|&k| target[k] > least).count();
        let kept: Vec<usize> = all.filter(|&k| source[k].max(target[k]) > least).collect();
        if kept.is_empty() || kept.len() == self.mixture.n_gaussians() {
            return n_live;
        }
        let fewer = self.mixture.select(&kept);
        let value = objective.evaluate(&fewer).value;
        if value <= self.value + tolerance {
            (self.mixture, self.value) = (fewer, value);
        }
        n_live
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::bridge::Covariance;
    use crate::bridge::lightsb::start::Cells;

    #[test]
    fn a_geometric_decrease_is_continued_to_its_end() {
        let geometric = |q: f64, n: i32| (0..n).map(|i| q.powi(i)).collect::<Vec<_>>();
        assert!(expected_decrease(&geometric(0.8, 5)).is_none());
        // The value after infinitely many steps is zero.
        let values = geometric(0.8, 20);
        let expected = expected_decrease(&values).unwrap();
        assert!((expected - values[19]).abs() < 1e-12, "{expected} and {}", values[19]);
        let first = geometric(0.8, 8);
        assert!((expected_decrease(&first).unwrap() - (first[2] - first[7])).abs() < 1e-12);
        // A decrease that does not slow down lasts for nine more windows at least.
        let even: Vec<f64> = (0..20).map(|i| -f64::from(i)).collect();
        assert!((expected_decrease(&even).unwrap() - 45.0).abs() < 1e-9);
        assert!(expected_decrease(&[1.0; 12]).unwrap().abs() < 1e-300);
    }

    #[test]
    fn what_has_no_cells_is_left_out_unless_that_costs_too_much() {
        let x = Array2::from_shape_fn((40, 1), |(i, _)| 0.1 * i as f64 - 1.95);
        let even = Array1::from_elem(40, 1.0 / 40.0);
        let cells = Cells { points: x.view(), weights: even.view() };
        let mut objective = Objective::new(cells, cells, 0.5);
        let mixture = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![-200.0, 0.0],
            r: array![[3.0], [0.0]],
            s: array![[1.0], [0.8]],
        };
        let value = objective.evaluate(&mixture).value;
        let mut pruned = |value: f64| {
            let (mixture, stop) = (mixture.clone(), Stop::Converged);
            let mut descent = Descent { mixture, value, start_value: value, stop, iterations: 0 };
            (descent.prune(&mut objective, 1e-3), descent.mixture.n_gaussians())
        };
        assert_eq!(pruned(value), (1, 1));
        // As if the one without cells had been worth more than the tolerance.
        assert_eq!(pruned(value - 0.01), (1, 2));
    }
}
