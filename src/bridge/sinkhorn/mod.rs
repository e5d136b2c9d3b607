//! SINKHORN: entropic optimal transport between all cells, and the exact bridge between the samples.
//!
//! [`SinkhornSolver`] finds the potentials f and g of the coupling `P_ij = p_i q_j exp((f_i + g_j −
//! C_ij)/ε)`. With the cost ½‖x−y‖² the potential of the target gives the process in closed form
//! ([`SinkhornBridge`]). With a geodesic cost only the coupling exists in closed form; its pairs
//! move on Brownian bridges ([`crate::bridge::PlanBridge`]).
//!
//! Reading order: `solver` and `process`; then `dual` (the function that is maximised), `ascent`
//! (the maximisation) and `sides`, `kernel`, `held`, `sparse` (sums over pairs: recomputed, stored,
//! or of few pairs).

mod all_pairs;
mod ascent;
mod description;
mod dual;
mod geodesic;
mod held;
mod kernel;
mod masses;
mod pairs;
mod plan;
mod process;
mod record;
mod sides;
mod solver;
mod sparse;

pub(super) use all_pairs::AllPairs;
pub use description::SINKHORN;
pub use plan::EntropicPlan;
pub(super) use plan::debiased_map;
pub use process::SinkhornBridge;
pub use record::SinkhornRecord;
pub use solver::SinkhornSolver;
