//! The couplings and bends of one interval, from which the bridges of any members are made.

use ndarray::Array2;

use crate::bridge::plan::Pair;
use crate::bridge::spline::couplings::Found;
use crate::bridge::spline::noise::{BLUR_TO_CARRY, displacements, residual};
use crate::bridge::spline::solver::{Mass, Member};
use crate::bridge::{
    Attraction, Bend, BridgeProblem, Coupling, Ends, EndsBridge, FitReport, Motion, PlanBridge,
    Stop,
};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Noise below this fraction of the total variance is left out.
const LEAST_NOISE: f64 = 1e-9;

/// Couplings and bends of one interval.
#[derive(Debug)]
pub(crate) struct Woven<'a> {
    /// The problem of the interval.
    pub(super) problem: &'a BridgeProblem,
    /// The coupling of each relaxation.
    pub(super) plans: Vec<(Option<f64>, Found)>,
    /// The bend by the neighbouring intervals.
    pub(super) bend: Option<Bend>,
    /// Total variance of the course.
    pub(super) variance: f64,
    /// Whether earlier cells keep their weight.
    pub(super) mass: Mass,
    /// Covariance of the noise in displacements, computed on the first request.
    pub(super) residual: Option<Array2<f64>>,
    /// The attraction of the curves.
    pub(super) attraction: Option<Attraction>,
    /// Number of couplings that were computed, including those for velocities.
    pub(super) n_found: u64,
}

impl Woven<'_> {
    /// The bridge of `members` in equal shares, with the fraction `noise_back` of restored noise.
    /// The mass of a pair is the sum of its masses in members with the same momentum.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no member, or a member whose relaxation was not computed.
    pub(crate) fn bridge(
        &mut self,
        members: &[Member],
        noise_back: f64,
        progress: &mut dyn Progress,
    ) -> Result<PlanBridge> {
        let mut all: Vec<Pair> = Vec::new();
        for member in members {
            let plan = self.plans.iter().find(|plan| plan.0 == member.relaxation);
            let Some((_, Found { coupling, .. })) = plan else {
                let (name, must) = ("relaxation", "that of a member of the solver");
                return Err(Error::Parameter { name, must, got: format!("{member:?}") });
            };
            let weight = 1.0 / (members.len() as f64 * coupling.kept());
            all.extend(coupling.pairs().map(|(i, j, mass)| Pair {
                i,
                j,
                mass: mass * weight,
                factor: member.momentum,
            }));
        }
        let (source, target) = (self.problem.source(), self.problem.target());
        let (epsilon, motion) = (self.problem.epsilon(), Motion::Straight);
        let mut bridge = PlanBridge::of_pairs(source, target, merged(all), epsilon, motion)?;
        if let Some(bend) = &self.bend {
            bridge = bridge.bent(bend.clone())?;
        }
        if let Some(attraction) = self.attraction {
            bridge = bridge.attracted(attraction)?;
        }
        if noise_back > 0.0 {
            let covariance = if let Some(covariance) = self.residual.take() {
                covariance
            } else {
                let coupling = joint(&bridge, source, target)?;
                residual(self.problem, &coupling, self.variance, progress)?
            };
            // If all cells move in the same way, there is no noise to restore.
            if covariance.diag().sum() > LEAST_NOISE * self.variance {
                bridge = bridge.noisy(&covariance * noise_back)?;
            }
            self.residual = Some(covariance);
        }
        Ok(match self.mass {
            Mass::Relaxed => bridge.relaxed().growing_at_once(),
            Mass::Kept => bridge,
        })
    }

    /// The coupling of `members`, with displacements that neighbouring cells share.
    pub(super) fn by_ends(
        &mut self,
        members: &[Member],
        ends: Ends,
        progress: &mut dyn Progress,
    ) -> Result<EndsBridge> {
        let (source, target) = (self.problem.source(), self.problem.target());
        let coupling = joint(&self.bridge(members, 0.0, progress)?, source, target)?;
        let blur = BLUR_TO_CARRY * self.variance;
        let forward = displacements(source, target, blur, progress)?;
        let backward = -displacements(target, source, blur, progress)?;
        let epsilon = self.problem.epsilon();
        let bridge = EndsBridge::new(source, target, coupling, forward, backward, ends, epsilon)?;
        Ok(if self.mass == Mass::Relaxed { bridge.relaxed() } else { bridge })
    }
}

/// Sorts pairs by source cell, target cell and φ, and adds the masses of equal ones.
fn merged(mut all: Vec<Pair>) -> Vec<Pair> {
    all.sort_by(|a, b| (a.i, a.j).cmp(&(b.i, b.j)).then(a.factor.total_cmp(&b.factor)));
    let mut pairs: Vec<Pair> = Vec::with_capacity(all.len());
    for pair in all {
        match pairs.last_mut() {
            Some(last)
                if (last.i, last.j) == (pair.i, pair.j)
                    && last.factor.total_cmp(&pair.factor).is_eq() =>
            {
                last.mass += pair.mass;
            }
            _ => pairs.push(pair),
        }
    }
    pairs
}

/// The coupling of a bridge, regardless of the curves of its pairs.
fn joint(bridge: &PlanBridge, source: &Snapshot, target: &Snapshot) -> Result<Coupling> {
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for (i, j, mass) in bridge.pairs() {
        match pairs.last_mut() {
            Some(last) if (last.0, last.1) == (i, j) => last.2 += mass,
            _ => pairs.push((i, j, mass)),
        }
    }
    Coupling::new(source.n_cells(), target.n_cells(), pairs)
}

/// The report: means over the couplings.
pub(super) fn report_of(woven: &Woven<'_>) -> FitReport {
    let plans = &woven.plans;
    let converged = plans.iter().all(|plan| plan.1.converged);
    let mean = |of: fn(&Found) -> f64| {
        plans.iter().map(|plan| of(&plan.1)).sum::<f64>() / plans.len().max(1) as f64
    };
    let n_pairs: usize = plans.iter().map(|plan| plan.1.coupling.n_pairs()).sum();
    FitReport {
        stop: if converged { Stop::Converged } else { Stop::MaxIterations },
        iterations: woven.n_found as usize,
        objective: mean(|found| found.costs.1),
        start_objective: mean(|found| found.costs.0),
        details: vec![("n_plans".into(), plans.len() as f64), ("n_pairs".into(), n_pairs as f64)],
    }
}
