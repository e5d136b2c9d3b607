//! FLOWS: velocity and score of a whole course as two networks, trained without simulation.

mod affine;
mod batch;
mod couple;
mod description;
mod networks;
mod pairs;
mod process;
mod solver;
mod training;

pub use affine::Affine;
pub use description::{I_CFM, OT_CFM, SF2M};
pub use networks::{CurvePoint, FlowNetworks};
pub use process::{FlowBridge, FlowRecord};
pub use solver::FlowSolver;
