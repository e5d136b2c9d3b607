//! What the rest of sbcell must know of a solver: its name in files, properties, work and memory.

use std::fmt::Debug;
use std::sync::Arc;

use crate::bridge::{BridgeSolver, Course, CourseSolver, Mass};
use crate::error::Result;
use crate::progress::Progress;
use crate::rng::Seed;

/// A solver with its hyperparameters, and all that the rest of sbcell must know of it.
///
/// Implemented beside each solver (`description.rs` in its folder). Nothing outside of that folder
/// matches on solvers: the command line, dry-run, `evaluate`, hints and files ask this trait.
pub trait AnySolver: Debug + Send + Sync {
    /// The name in files: the key of `parameters.solver` in `run.json`.
    fn family(&self) -> &'static str;

    /// The hyperparameters as they are in files.
    ///
    /// # Errors
    /// Those of serde.
    fn parameters(&self) -> serde_json::Result<serde_json::Value>;

    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a value out of range, by the name of the parameter.
    fn check(&self) -> Result<()>;

    /// The solver itself, by what it takes.
    fn solver(&self) -> Solver;

    /// What is true of its bridges and of how they are found.
    fn properties(&self) -> Vec<Property>;

    /// Floating-point operations that all bridges of a course take, roughly.
    fn work(&self, size: &CourseSize) -> f64;

    /// What it holds in memory while it finds a bridge, beside the cells.
    fn memory(&self) -> Held {
        Held::default()
    }

    /// The solver with earlier cells keeping their weight, or not, if it can do both.
    fn with_mass(&self, mass: Mass) -> Option<Arc<dyn AnySolver>> {
        let _ = mass;
        None
    }

    /// Chooses by `course` what is left to be chosen; asked of a solver with [`Property::Chooses`].
    /// `None` if there is nothing to choose.
    ///
    /// # Errors
    /// As [`CourseSolver::solve_course`].
    fn settle(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Option<Arc<dyn AnySolver>>> {
        let _ = (course, seed, progress);
        Ok(None)
    }
}

/// A solver, by what it takes.
#[derive(Debug)]
pub enum Solver {
    /// Each interval on its own.
    Each(Box<dyn BridgeSolver>),
    /// All intervals together.
    Joint(Box<dyn CourseSolver>),
}

/// What may be true of a solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// Its plan may leave the weights of the earlier snapshot, and so says which cells multiply.
    Relaxes,
    /// It iterates on an entropic plan, which takes the longer the smaller ε is.
    Entropic,
    /// Its bridges have the noise of the reference process.
    Diffuses,
    /// Its bridges know their score, so that any diffusion and the way back can be followed.
    KnowsScore,
    /// A bridge takes so long that a fit ends with one time held out instead of each.
    TakesLong,
    /// It leaves hyperparameters to be chosen from the course ([`AnySolver::settle`]).
    Chooses,
}

/// The sizes of a course that work depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct CourseSize {
    /// Cells of the earlier and the later snapshot of each interval.
    pub intervals: Vec<[usize; 2]>,
    /// Cells of all snapshots.
    pub cells: usize,
    /// Dimensions of the bridges.
    pub dims: f64,
}

/// What a solver holds in memory for the cells of an interval, beside their coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Bytes for each pair of an earlier and a later cell.
    pub per_pair: f64,
    /// Bytes for all pairs, at most.
    pub most_of_pairs: f64,
    /// Bytes for each cell.
    pub per_cell: f64,
    /// Copies of the coordinates of cells.
    pub copies: f64,
    /// Cells that are copied, at most.
    pub most_copied: f64,
}

impl Default for Held {
    /// Nothing.
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
    /// Bytes for an interval of `cells` cells at both ends together, in `dims` dimensions.
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
