//! PLAN: bridges of a given coupling, whose pairs move on Brownian bridges, lines or cubic curves.
//!
//! Cells are paired first, by any cost; [`PlanBridge`] then moves each cell to its partner.
//! [`OtSolver`] pairs them by exact optimal transport. Sinkhorn with a geodesic cost and splines
//! use the same bridge. [`EndsBridge`] is a variant in which no position is a mean of two cells.
//!
//! # Method
//!
//! At time t a cell at x belongs to pair p with the probability `w_p(x) ∝ π_p N(x; c_p(t), t(1−t)
//! Γ)`, where `c_p` is the curve of the pair and Γ the covariance of the noise. Drift, Jacobian and
//! draws are means over these probabilities:
//!
//! ```text
//! drift      b = (Σ_p w_p g_p − x) / (1−t),   g_p = c_p + (1−t) ċ_p
//! Jacobian   ∂b/∂x = (Cov_w(g, ∂ ln w/∂x) − I) / (1−t)
//! ```
//!
//! Every quantity of a pair is a sum of a part of its source cell and a part of its target cell
//! (`Parts`). Matrix products therefore run over cells, and only additions and exponentials over
//! pairs: `O((n + m) d + n_pairs)` for each point, instead of `O(n_pairs · d)`. Attraction is the
//! exception, because it moves each curve by itself.
//!
//! # Files
//!
//! - `process`: the bridge; `options`: relaxed marginals, bends, attraction and noise; `record`:
//!   its numbers
//! - `pairs`: pairs, curves and parts; `posterior`: the probabilities `w_p`; `noise`: the
//!   covariance Γ; `attraction`: the kernel mean of the cells
//! - `ends`: the bridge without means of two cells
//! - `costs`: costs between snapshots; `solver`: exact transport

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
pub(crate) use description::OT;
pub(super) use description::{COST, HEAT_TIME, N_NEIGHBOURS};
pub use ends::{Ends, EndsBridge, EndsRecord};
pub use pairs::Bend;
pub(in crate::bridge) use pairs::Pair;
pub use process::{Motion, PlanBridge};
pub use record::PlanRecord;
pub use solver::OtSolver;
