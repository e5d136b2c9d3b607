//! BRIDGES OF A GIVEN PLAN: cells are paired first, by any cost, then carried to their partners.

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
