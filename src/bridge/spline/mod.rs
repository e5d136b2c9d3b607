//! SPLINES: transport with relaxed marginals, whose pairs move on cubic paths through the course.
//!
//! [`SplineSolver`] couples the cells of each interval, bends the paths by the velocities of the
//! neighbouring intervals, and mixes the bridges of its [`Member`]s in equal shares. The result is
//! a [`crate::bridge::PlanBridge`] on curves. `docs/METHODS.md` (section 3, Splines) gives the
//! formula of each part.

mod bends;
mod couplings;
mod description;
mod noise;
mod solver;
mod woven;

pub use description::{MASS, SPLINE};
pub use solver::{Mass, Member, SplineSolver, Width};
