//! FLOWS: velocity and score of a whole course as two networks, trained without simulation.

mod affine;
mod batch;
mod couple;
mod networks;
mod pairs;
mod process;
mod solver;
mod training;

pub use affine::Affine;
pub use networks::{CurvePoint, FlowNetworks};
pub use process::{FlowBridge, FlowRecord};
pub use solver::FlowSolver;
