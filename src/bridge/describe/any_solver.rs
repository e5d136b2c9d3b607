//! A solver with its hyperparameters: name in files, properties, work and memory.

use std::fmt::Debug;
use std::sync::Arc;

use crate::bridge::{BridgeSolver, CourseSolver, Mass};
use crate::error::Result;

/// A solver with its hyperparameters, and everything that the rest of sbcell must know about it.
///
/// The pipeline, the estimate of a dry run, the evaluation and model files ask this trait.
/// Nothing outside of a solver's folder depends on the concrete type.
///
/// ```
/// use sbcell::bridge::{AnySolver, CourseSize, LightSbSolver, Property};
///
/// let solver = LightSbSolver::default();
/// assert_eq!(solver.family(), "lightsb");
/// assert!(solver.check().is_ok());
/// assert!(solver.properties().contains(&Property::Diffuses));
/// let small = CourseSize { intervals: vec![[100, 100]], cells: 200, dims: 10.0 };
/// let large = CourseSize { intervals: vec![[1000, 1000]], cells: 2000, dims: 10.0 };
/// assert!(solver.work(&small) < solver.work(&large));
/// ```
pub trait AnySolver: Debug + Send + Sync {
    /// The name in files: the key of `parameters.solver` in `run.json`.
    fn family(&self) -> &'static str;

    /// The hyperparameters as JSON, as they appear in files.
    ///
    /// # Errors
    /// Those of serde.
    fn parameters(&self) -> serde_json::Result<serde_json::Value>;

    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] with the name of the parameter that is out of its range.
    fn check(&self) -> Result<()>;

    /// The solver, by the input it takes.
    fn solver(&self) -> Solver;

    /// The properties of the solver and of its bridges.
    fn properties(&self) -> Vec<Property>;

    /// Estimate of the floating-point operations for all bridges of a course.
    fn work(&self, size: &CourseSize) -> f64;

    /// Estimate of the memory during the computation of one bridge, without the cells themselves.
    /// The default is nothing.
    fn memory(&self) -> Held {
        Held::default()
    }

    /// The same solver, with or without the weights of earlier cells kept. `None` if the solver has
    /// no such option.
    fn with_mass(&self, mass: Mass) -> Option<Arc<dyn AnySolver>> {
        let _ = mass;
        None
    }

    /// The ways among which the data choose, for a solver with [`Property::Chooses`]. The first one is for
    /// courses without inner times. Each inner time of a course is held out and predicted with every
    /// candidate, by [`AnySolver::choice_cells`] cells of each time.
    fn candidates(&self) -> Vec<Candidate> {
        Vec::new()
    }

    /// Largest number of cells of each time that a choice by held-out inner times uses.
    fn choice_cells(&self) -> usize {
        500
    }
}

/// One of the ways among which a solver lets the data choose ([`AnySolver::candidates`]).
///
/// ```
/// use std::sync::Arc;
///
/// use sbcell::bridge::{Candidate, OtSolver};
///
/// // Both neighbouring snapshots pooled: each cell jumps to its partner at a random time.
/// let solver = Arc::new(OtSolver::default());
/// let (asynchrony, paced, curved) = (0.0, false, false);
/// let pooled = Candidate { name: "pooled", solver, asynchrony, paced, curved };
/// assert_eq!(pooled.solver.family(), "ot");
/// ```
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The name in notes.
    pub name: &'static str,
    /// The solver.
    pub solver: Arc<dyn AnySolver>,
    /// Asynchrony κ ≥ 0 of the cells' clocks; infinity for cells that move in step.
    pub asynchrony: f64,
    /// Whether populations move at the pace of the course; otherwise at constant speed.
    pub paced: bool,
    /// Whether populations follow the curve of the course; otherwise straight lines.
    pub curved: bool,
}

/// A solver, by the input it takes.
///
/// ```
/// use sbcell::bridge::{AnySolver, FlowSolver, GaussianSolver, Solver};
///
/// assert!(matches!(GaussianSolver::default().solver(), Solver::Each(_)));
/// assert!(matches!(AnySolver::solver(&FlowSolver::sf2m()), Solver::Joint(_)));
/// ```
#[derive(Debug)]
pub enum Solver {
    /// Solves each interval separately.
    Each(Box<dyn BridgeSolver>),
    /// Solves all intervals together.
    Joint(Box<dyn CourseSolver>),
}

/// A property of a solver. The pipeline asks for properties instead of names.
///
/// ```
/// use sbcell::bridge::{AnySolver, GaussianSolver, OtSolver, Property};
///
/// assert!(GaussianSolver::default().properties().contains(&Property::KnowsScore));
/// assert!(!OtSolver::default().properties().contains(&Property::Diffuses));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// The coupling may deviate from the weights of the earlier snapshot. It therefore implies how
    /// many descendants each cell has.
    Relaxes,
    /// The solver iterates on an entropic coupling, which takes longer for smaller ε.
    Entropic,
    /// The bridges have the noise of the reference process.
    Diffuses,
    /// The bridges know their score, so any diffusion and the way backward in time can be
    /// simulated.
    KnowsScore,
    /// One bridge takes so long that the check at the end of a fit holds out one time, not each
    /// time.
    TakesLong,
    /// The bridges couple observed cells, so that a position between the snapshots is a mean of two
    /// cells and populations there are narrow unless cells have clocks of their own.
    CouplesCells,
    /// The paths of the bridges are bent by the neighbouring intervals already, so no curve of the
    /// course is added.
    Bends,
    /// The couplings minimise another cost than ½‖x−y‖², such as a geodesic one. Fates then follow
    /// them, and not entropic couplings for ½‖x−y‖².
    OwnCost,
    /// The solver is chosen among several by the course ([`AnySolver::candidates`]).
    Chooses,
}

/// The sizes of a course that determine the work.
///
/// ```
/// use sbcell::bridge::CourseSize;
///
/// let size = CourseSize { intervals: vec![[300, 400], [400, 250]], cells: 950, dims: 10.0 };
/// assert_eq!(size.intervals.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CourseSize {
    /// Number of cells of the earlier and of the later snapshot, for each interval.
    pub intervals: Vec<[usize; 2]>,
    /// Number of cells of all snapshots together.
    pub cells: usize,
    /// Number of dimensions d.
    pub dims: f64,
}

/// Memory that a solver needs for the cells of one interval, without their coordinates.
///
/// ```
/// use sbcell::bridge::Held;
///
/// // A matrix of costs in double precision.
/// let held = Held { per_pair: 8.0, ..Held::default() };
/// // 1 000 cells at each end, in 50 dimensions.
/// assert!((held.bytes(2000.0, 50.0) - 8e6).abs() < 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Bytes for each pair of an earlier and a later cell.
    pub per_pair: f64,
    /// Largest number of bytes for all pairs together.
    pub most_of_pairs: f64,
    /// Bytes for each cell.
    pub per_cell: f64,
    /// Copies of the coordinates of cells.
    pub copies: f64,
    /// Largest number of cells that are copied.
    pub most_copied: f64,
}

impl Default for Held {
    /// No memory, and no limits.
    fn default() -> Self {
        Self {
            per_pair: 0.0,
            most_of_pairs: f64::INFINITY,
            per_cell: 0.0,
            copies: 0.0,
            most_copied: f64::INFINITY,
        }
    }
}

impl Held {
    /// Bytes for an interval of `cells` cells at both ends together, in `dims` dimensions. Pairs
    /// are counted as if both ends had half of the cells.
    #[must_use]
    pub fn bytes(&self, cells: f64, dims: f64) -> f64 {
        let Self { per_pair, most_of_pairs, per_cell, copies, most_copied } = self;
        let pairs = (per_pair * (cells / 2.0).powi(2)).min(*most_of_pairs);
        let copied = 8.0 * cells.min(*most_copied) * copies * dims;
        per_cell * cells + pairs + copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_cells_pairs_and_copies_up_to_their_limits() {
        assert!(Held::default().bytes(100.0, 5.0).abs() < 1e-12);
        let held = Held { per_pair: 8.0, per_cell: 3.0, copies: 2.0, ..Held::default() };
        // 3 · 100 + 8 · 50² + 8 · 100 · 2 · 5.
        assert!((held.bytes(100.0, 5.0) - 28_300.0).abs() < 1e-9);
        let less = Held { most_of_pairs: 1e3, most_copied: 10.0, ..held };
        assert!((less.bytes(100.0, 5.0) - (300.0 + 1e3 + 800.0)).abs() < 1e-9);
    }
}
