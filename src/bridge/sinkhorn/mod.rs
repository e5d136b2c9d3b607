//! SINKHORN: entropic optimal transport between all cells, and the exact bridge between the samples.
//!
//! [`SinkhornSolver`] finds the potentials f and g of the coupling `P_ij = p_i q_j exp((f_i + g_j −
//! C_ij)/ε)`. With the cost ½‖x−y‖² the potential of the target gives the process in closed form
//! ([`SinkhornBridge`]). With a geodesic cost only the coupling exists in closed form; its pairs
//! move on Brownian bridges ([`crate::bridge::PlanBridge`]).
//!
//! # Method
//!
//! The dual is maximised over f alone, because the optimal g for a given f is known:
//!
//! ```text
//! max_f  Σ_i p_i f_i + Σ_j q_j g_j(f) − ε (Σ_ij P_ij − 1),   g_j(f) = −ε ln Σ_i p_i exp((f_i − C_ij)/ε)
//! ```
//!
//! Its gradient is the marginal error `p − P1`, and minus its second derivative is `(diag(P1) − P
//! diag(1/Pᵀ1) Pᵀ)/ε`. A Sinkhorn iteration costs one product with P in each direction. So does one
//! iteration of conjugate gradients for a Newton step, and it converges in about the square root of
//! the number of iterations. A relaxed marginal replaces `p_i f_i` by `λ p_i (1 − exp(−f_i/λ))`.
//!
//! # Files
//!
//! - `solver`, `process`, `record`: hyperparameters and report, the bridge, its numbers; `masses`:
//!   the check of numbers from files
//! - `dual`: value, gradient and Newton step; `ascent`: decreasing ε, choice of step, stopping
//! - `sides`: the interface of a kernel; `kernel`: recomputed in blocks; `held`: stored; `sparse`:
//!   of the pairs with relevant mass
//! - `plan`, `pairs`, `all_pairs`: the coupling for any cost, as pairs, and as potentials; `single`:
//!   stored in single precision
//! - `clones`: a cost for leaving one's clone; `geodesic`: the bridge for a geodesic cost

mod all_pairs;
mod ascent;
mod clones;
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
mod single;
mod solver;
mod sparse;

pub(super) use all_pairs::AllPairs;
pub use clones::{CloneCost, SharedClones};
pub(crate) use description::SINKHORN;
pub use plan::EntropicPlan;
pub(super) use plan::debiased_map;
pub use process::SinkhornBridge;
pub use record::SinkhornRecord;
pub(super) use single::SingleRatios;
pub use solver::SinkhornSolver;
