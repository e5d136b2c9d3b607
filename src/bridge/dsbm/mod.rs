//! DSBM: the Schrödinger bridge by iterated Markovian projections, with the networks of a flow.
//!
//! [`DsbmSolver`] trains velocity and score between pairs of cells, simulates the process that they
//! define, takes its ends as new pairs, and repeats. The bridges are [`crate::bridge::FlowBridge`].
//!
//! # Files
//!
//! - `solver`: hyperparameters, projections and reports; `ends`: pairs of the cells or of simulated
//!   ends, and the energy of a process between them
//! - `reversed`: the process backward in time; `description`: name and parameters

mod description;
mod ends;
mod reversed;
mod solver;

pub(crate) use description::DSBM;
pub use solver::DsbmSolver;
