//! PLAN: bridges of a given coupling, whose pairs move on Brownian bridges, lines or cubic curves.
//!
//! Cells are paired first, by any cost; [`PlanBridge`] then moves each cell to its partner.
//! [`OtSolver`] pairs them by exact optimal transport. Sinkhorn with a geodesic cost and splines
//! use the same bridge. [`EndsBridge`] is a variant in which no position is a mean of two cells.

mod attraction;
mod costs;
mod description;
mod ends;
mod noise;
mod options;
mod pairs;
mod posterior;
mod process;
mod record;
mod solver;

pub use attraction::Attraction;
pub(super) use costs::{cost_between, course_ground, fit_course};
pub use description::OT;
pub(super) use description::{COST, HEAT_TIME, N_NEIGHBOURS};
pub use ends::{Ends, EndsBridge, EndsRecord};
pub use pairs::Bend;
pub(in crate::bridge) use pairs::Pair;
pub use process::{Motion, PlanBridge};
pub use record::PlanRecord;
pub use solver::OtSolver;
