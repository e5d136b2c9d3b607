//! SPLINES: transport with relaxed marginals, whose pairs move on cubic paths through the course.
//!
//! [`SplineSolver`] couples the cells of each interval, bends the paths by the velocities of the
//! neighbouring intervals, and mixes the bridges of its [`Member`]s in equal shares. The result is
//! a [`crate::bridge::PlanBridge`] on curves. `docs/METHODS.md` (section 3, Splines) gives the
//! formula of each part.
//!
//! # Files
//!
//! - `solver`: hyperparameters and the order of the computation; `description`: names and
//!   parameters
//! - `couplings`: couplings in the unit of the total variance, and mean partners
//! - `bends`: velocities of the neighbouring intervals; `noise`: the noise in displacements
//! - `woven`: couplings and bends of one interval, from which the bridge of any members is made

mod bends;
mod couplings;
mod description;
mod noise;
mod solver;
mod woven;

pub(crate) use description::{MASS, SPLINE};
pub use solver::{Mass, Member, SplineSolver, Width};
