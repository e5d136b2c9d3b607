//! The candidates of the solver `auto`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bridge::{AnySolver, Candidate, LightSbSolver, Mass, Member, OtSolver, SplineSolver};
use crate::error::{Error, Result};

/// The best of several ways between the snapshots, chosen by nested hold-out: each inner time of the course
/// is predicted from the other times in every [`AutoWay`].
///
/// Courses have few times, so chance decides which way has the smallest error. Another way than the first
/// is therefore used only if it is clearly better, the more so the fewer inner times there are. The first
/// way is a mixture, because the distance of a mixture is at most the mean distance of its members. A course
/// of two times has no inner time and gets the first way.
///
/// ```
/// use sbcell::pipeline::{AutoSolver, AutoWay, SolverChoice};
///
/// let auto = AutoSolver::default().with_ways(vec![AutoWay::Clocked, AutoWay::Pooled]);
/// auto.check().unwrap();
/// assert_eq!(SolverChoice::of(auto).name(), "auto");
/// assert!(AutoSolver::default().with_cells_per_time(2).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[serde(default)]
#[non_exhaustive]
pub struct AutoSolver {
    /// Whether earlier cells keep their weight in the coupling.
    pub mass: Mass,
    /// The ways among which to choose, at least one. The first one is for courses that cannot tell.
    pub ways: Vec<AutoWay>,
    /// Largest number of cells of each time that the choice uses, at least 10.
    pub cells_per_time: usize,
}

/// A way between the snapshots that [`AutoSolver`] can choose.
///
/// ```
/// use sbcell::pipeline::{AutoSolver, AutoWay};
///
/// assert_eq!(AutoSolver::default().ways, AutoWay::ALL);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AutoWay {
    /// Four splines in equal shares: exact and relaxed pairs, each on straight lines and on paths bent by the
    /// velocities of the neighbouring intervals; in step and at constant speed.
    Mixed,
    /// The default of `fit`: LightSB along the curve and at the pace of the course. Not available with
    /// relaxed weights.
    Lightsb,
    /// Exact pairs along the curve and at the pace of the course; cells have clocks of their own, κ = 2.
    Clocked,
    /// Exact pairs on straight lines, in step and at constant speed.
    Straight,
    /// Paths bent by the velocities of the neighbouring intervals, in step.
    Spline,
    /// Pairs with relaxed weights, else as [`AutoWay::Clocked`].
    Relaxed,
    /// Both snapshots pooled (the null model `FL`): each cell jumps to its partner at one random time.
    Pooled,
    /// As [`AutoWay::Pooled`], with both snapshots shifted so that the mean follows the curve (the null
    /// model `M`, from both sides).
    Shifted,
}

impl Default for AutoSolver {
    fn default() -> Self {
        Self { mass: Mass::default(), ways: AutoWay::ALL.to_vec(), cells_per_time: 500 }
    }
}

/// κ of [`AutoWay::Clocked`] and [`AutoWay::Relaxed`].
const KAPPA: f64 = 2.0;

/// Price of deviating from a marginal in [`AutoWay::Mixed`] and [`AutoWay::Relaxed`], in total variances of the cells.
const RELAXATION: f64 = 0.5;

impl AutoWay {
    /// All ways.
    pub const ALL: [Self; 8] = [
        Self::Mixed,
        Self::Clocked,
        Self::Lightsb,
        Self::Straight,
        Self::Spline,
        Self::Relaxed,
        Self::Pooled,
        Self::Shifted,
    ];

    /// The candidate of this way; `None` if it does not exist for this `mass`.
    fn candidate(self, mass: Mass) -> Option<Candidate> {
        let splines = |members: &[(Option<f64>, f64)]| -> Arc<dyn AnySolver> {
            let member = |&(relaxation, momentum)| Member { relaxation, momentum };
            let members = members.iter().map(member).collect();
            Arc::new(SplineSolver { members, mass, ..SplineSolver::default() })
        };
        let pairs = || match mass {
            Mass::Kept => Arc::new(OtSolver::default()) as Arc<dyn AnySolver>,
            Mass::Relaxed => splines(&[(None, 0.0)]),
        };
        let (in_step, relaxed) = (f64::INFINITY, Some(RELAXATION));
        let (solver, asynchrony, paced, curved) = match self {
            Self::Lightsb if mass == Mass::Relaxed => return None,
            Self::Lightsb => (Arc::new(LightSbSolver::default()) as _, in_step, true, true),
            Self::Mixed => {
                let members = [(None, 0.0), (None, 1.0), (relaxed, 0.0), (relaxed, 1.0)];
                (splines(&members), in_step, false, false)
            }
            Self::Clocked => (pairs(), KAPPA, true, true),
            Self::Straight => (pairs(), in_step, false, false),
            Self::Spline => (splines(&[(None, 1.0)]), in_step, false, false),
            Self::Relaxed => (splines(&[(relaxed, 0.0)]), KAPPA, true, true),
            Self::Pooled => (pairs(), 0.0, false, false),
            Self::Shifted => (pairs(), 0.0, true, true),
        };
        Some(Candidate { name: self.name(), solver, asynchrony, paced, curved })
    }

    /// The name in notes.
    fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Lightsb => "lightsb",
            Self::Clocked => "clocked",
            Self::Straight => "straight",
            Self::Spline => "spline",
            Self::Relaxed => "relaxed",
            Self::Pooled => "pooled",
            Self::Shifted => "shifted",
        }
    }
}

impl AutoSolver {
    /// Checks the ranges of `ways` and `cells_per_time`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range.
    pub fn check(&self) -> Result<()> {
        let Self { mass: _, ways: _, cells_per_time } = self;
        if self.found().is_empty() {
            let (name, must) = ("auto_ways", "at least one that exists for the choice of `mass`");
            return Err(Error::Parameter { name, must, got: format!("{:?}", self.ways) });
        }
        if *cells_per_time < 10 {
            let (name, must) = ("auto_cells", "at least 10");
            return Err(Error::Parameter { name, must, got: cells_per_time.to_string() });
        }
        Ok(())
    }

    /// The candidates of all ways that exist.
    pub(super) fn found(&self) -> Vec<Candidate> {
        self.ways.iter().filter_map(|way| way.candidate(self.mass)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_candidate_of_its_own() {
        for (mass, n) in [(Mass::Kept, 8), (Mass::Relaxed, 7)] {
            let candidates = AutoSolver::default().with_mass(mass).found();
            let mut names: Vec<&str> = candidates.iter().map(|found| found.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), n);
        }
        let none = AutoSolver::default().with_mass(Mass::Relaxed).with_ways(vec![AutoWay::Lightsb]);
        assert!(none.check().is_err() && none.with_mass(Mass::Kept).check().is_ok());
    }

    #[test]
    fn parameters_of_earlier_versions_are_read() {
        let text = r#"{"mass": "kept", "tolerance": 0.15, "cells_per_time": 1500}"#;
        let read: AutoSolver = serde_json::from_str(text).unwrap();
        assert_eq!(read, AutoSolver::default().with_mass(Mass::Kept).with_cells_per_time(1500));
    }
}
