//! FLOWS: velocity and score of a whole course as two neural networks, trained without simulation.
//!
//! [`FlowSolver`] draws pairs of cells from a coupling and regresses the velocity and the score
//! along the paths between them (`[SF]²M`, OT-CFM, I-CFM). One pair of networks describes all
//! intervals. Their input is a position, standardised for its interval, and the time.
//! [`FlowBridge`] is the process of one interval. The networks learn the residual of the best
//! affine prediction ([`Affine`]), which makes their targets small.
//!
//! # Files
//!
//! - `couple`, `pairs`: couplings of cells, and pairs drawn from them in constant time
//! - `affine`: the affine prediction of an interval; `batch`: points on paths, targets, losses and
//!   gradients
//! - `training`: the descent of both networks; `networks`: the trained networks and their file
//! - `solver`, `process`, `description`: hyperparameters and report, the bridge, names and
//!   parameters

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
pub(super) use batch::{Field, Interval};
pub(super) use couple::Split;
pub(super) use description::{
    BATCH, HELD_OUT, LEARNING_RATE, N_LAYERS, N_STEPS, PATIENCE, WEIGHT_DECAY, WIDTH,
};
pub(crate) use description::{I_CFM, OT_CFM, SF2M};
pub use networks::{CurvePoint, FlowNetworks};
pub(super) use pairs::Pairs;
pub use process::{FlowBridge, FlowRecord};
pub use solver::FlowSolver;
pub(super) use solver::clocks;
pub(super) use training::{Trained, train};
