//! One way between the snapshots of a course: solver, clocks of cells, pace and curve.

use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::{
    Bridge, BridgeProblem, Candidate, CellClock, ClockedBridge, Curve, CurvedBridge, Property,
    UnitTime,
};
use crate::data::TimeSeries;
use crate::error::Result;
use crate::pipeline::fit::clock::{Asynchrony, Bending, Timing, clocks, curves};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::reference::Reference;
use crate::pipeline::solvers::SolverChoice;
use crate::rng::Seed;

/// A solver with asynchrony, timing and curve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Route {
    /// The name in notes.
    pub(super) name: String,
    /// The solver.
    pub(super) solver: SolverChoice,
    /// Asynchrony κ, infinity for cells that move in step.
    pub(super) kappa: f64,
    /// How fast an interval is crossed at its ends.
    pub(super) timing: Timing,
    /// Whether populations follow the curve of the course.
    pub(super) bend: Bending,
}

/// Asynchronies among which the inner times choose. The first one is the default.
const KAPPAS: [f64; 3] = [Asynchrony::COUPLED, f64::INFINITY, 0.5];

impl Route {
    /// The routes among which `options` let the data choose. The first one is for courses that cannot tell.
    pub(super) fn all(options: &FitOptions) -> Vec<Self> {
        let FitOptions { solver, asynchrony, timing, bend, .. } = options;
        let candidates = solver.candidates();
        if !candidates.is_empty() {
            // Ways that differ only in what the options fix are one.
            let mut routes: Vec<Self> = Vec::new();
            for route in candidates.into_iter().map(|candidate| Self::of(candidate, options)) {
                if !routes.iter().any(|other| other.is_as(&route)) {
                    routes.push(route);
                }
            }
            return routes;
        }
        let chosen = *asynchrony == Asynchrony::Auto && solver.has(Property::CouplesCells);
        let kappas = if chosen { KAPPAS.to_vec() } else { vec![asynchrony.kappa(solver)] };
        let bend = if solver.has(Property::Bends) { Bending::Off } else { *bend };
        let route = |kappa: f64| Self {
            name: if kappa.is_finite() { format!("κ = {kappa}") } else { "in step".into() },
            solver: solver.clone(),
            kappa,
            timing: *timing,
            bend,
        };
        kappas.into_iter().map(route).collect()
    }

    /// The first route of [`Route::all`].
    pub(super) fn first(options: &FitOptions) -> Self {
        Self::all(options).swap_remove(0)
    }

    /// The route of `candidate`, where `options` leave it to the data.
    fn of(candidate: Candidate, options: &FitOptions) -> Self {
        let Candidate { name, solver, asynchrony, paced, curved } = candidate;
        let kappa = match options.asynchrony {
            Asynchrony::Auto => asynchrony,
            Asynchrony::Off => f64::INFINITY,
            Asynchrony::Kappa(kappa) => kappa,
        };
        Self {
            name: name.into(),
            solver: solver.into(),
            kappa,
            timing: if paced { options.timing } else { Timing::Even },
            bend: if curved { options.bend } else { Bending::Off },
        }
    }

    /// Whether both are the same but for their names.
    fn is_as(&self, other: &Self) -> bool {
        self == &Self { name: self.name.clone(), ..other.clone() }
    }

    /// The clocks and curves of all intervals of `series`, in its coordinates divided by `scale`.
    ///
    /// # Errors
    /// Those of the clocks and curves.
    pub(super) fn between(
        &self,
        series: &TimeSeries,
        scale: f64,
        options: &FitOptions,
    ) -> Result<Between> {
        let seed = Seed(options.seed).child("clocks", 0);
        // Only the mean of a Brownian reference moves on a straight line.
        let straight = options.reference == Reference::Brownian;
        Ok(Between {
            clocks: clocks(series, self.kappa, self.timing, seed)?,
            curves: curves(series, self.bend, scale)?,
            about_the_mean: straight && self.bend == Bending::Auto && self.kappa.is_finite(),
            seed,
        })
    }
}

/// The clocks and curves of all intervals of a course.
pub(super) struct Between {
    /// The clock of the cells in each interval.
    clocks: Vec<CellClock>,
    /// The curve of each interval.
    curves: Vec<Option<Curve>>,
    /// Whether the mean of the population follows the curve in step, and clocks act on distances from it.
    about_the_mean: bool,
    /// The seed of the draws by which the displacement of the mean is found.
    seed: Seed,
}

impl Between {
    /// Takes the clock and the curve of interval `k` from `other`.
    pub(super) fn replace(&mut self, k: usize, other: &Self) {
        self.clocks[k] = other.clocks[k];
        self.curves[k].clone_from(&other.curves[k]);
    }

    /// The bridge of interval `k` along the curve and on the clock of the cells, from the one along the
    /// straight line that solves `problem`.
    ///
    /// # Errors
    /// Those of the bridge's transition kernel.
    pub(super) fn around(
        &self,
        k: usize,
        bridge: Arc<dyn Bridge>,
        problem: &BridgeProblem,
    ) -> Result<Arc<dyn Bridge>> {
        let bridge: Arc<dyn Bridge> = match &self.curves[k] {
            None => bridge,
            Some(curve) => Arc::new(CurvedBridge::new(bridge, curve.clone())?),
        };
        let clock = self.clocks[k];
        if clock.is_plain() {
            return Ok(bridge);
        }
        let displacement = if self.about_the_mean {
            Some(displacement(&*bridge, problem, self.seed.child("displacement", k as u64))?)
        } else {
            None
        };
        Ok(Arc::new(ClockedBridge::new(bridge, clock).about_the_mean(displacement)?))
    }
}

/// The mean displacement of cells by the coupling of `bridge`: one draw of the end for each source cell.
///
/// With relaxed weights it differs from the displacement between the means of the snapshots. Its sampling
/// error does not move the mean of the clocked process.
///
/// # Errors
/// Those of the bridge's transition kernel.
fn displacement(bridge: &dyn Bridge, problem: &BridgeProblem, seed: Seed) -> Result<Array1<f64>> {
    let source = problem.source();
    let marginal = bridge.plan_marginal().unwrap_or_else(|| source.marginal());
    let (start, end) = (UnitTime::START, UnitTime::END);
    let ends = bridge.sample_transition(source.points(), start, end, seed)?;
    Ok(marginal.dot(&(ends - source.points())))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::bridge::SinkhornSolver;
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;
    use crate::progress::Silent;

    /// Half of the cells of both times are far from all cells of the other time. A coupling with relaxed
    /// weights leaves them out, and its mean displacement is then far from that between the snapshots.
    #[test]
    fn the_displacement_is_that_of_the_coupling() {
        let cells = |near: f64, far: f64| {
            Array2::from_shape_fn((40, 1), |(cell, _)| {
                0.01 * cell as f64 + if cell.is_multiple_of(2) { near } else { far }
            })
        };
        let (source, target) = (cells(0.0, -9.0), cells(1.0, 9.0));
        let (source, target) = (Snapshot::new(source).unwrap(), Snapshot::new(target).unwrap());
        let epsilon = Epsilon::new(0.05).unwrap();
        let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon).unwrap();
        let found = |lambda: Option<f64>| {
            let solver = SinkhornSolver {
                source_relaxation: lambda,
                target_relaxation: lambda,
                ..SinkhornSolver::default()
            };
            let bridge = solver.fit(&problem, &mut Silent).unwrap().0;
            let coupling = bridge.coupling(0.0).unwrap();
            let of = |(i, j, mass): (usize, usize, f64)| {
                mass * (target.points()[[j, 0]] - source.points()[[i, 0]])
            };
            let mass: f64 = coupling.pairs().map(|pair| pair.2).sum();
            let wanted = coupling.pairs().map(of).sum::<f64>() / mass;
            (displacement(&bridge, &problem, Seed(0)).unwrap()[0], wanted)
        };
        let ((kept, kept_wanted), (relaxed, relaxed_wanted)) = (found(None), found(Some(0.5)));
        // Without relaxation −9 goes to 1 and 0 to 9: 40 draws of displacements that deviate by ½.
        assert!((kept - kept_wanted).abs() < 0.4 && (kept_wanted - 9.5).abs() < 1e-6);
        assert!((relaxed - relaxed_wanted).abs() < 0.3 && relaxed_wanted < 1.5);
    }
}
