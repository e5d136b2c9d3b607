//! LightSB: the Schrödinger bridge whose potential is a Gaussian mixture, with all formulas closed.
//!
//! The adjusted potential is `v(y) = Σ_k α_k N(y | r_k, ε S_k)`. Coupling, drift, Jacobian,
//! transition kernel and exact draws follow in closed form. [`LightSbSolver`] fits the parameters
//! ([`Mixture`]) by maximum likelihood of the coupling; [`LightSbBridge`] is the fitted process.
//!
//! Source of all formulas: Korotin, Gushchin, Burnaev 2024 (arXiv 2310.01174), Propositions 3.1 to
//! 3.3, rewritten without the singularity at `t = 1`.
//!
//! Reading order: `mixture`, `process`, `at_time` and `potential` contain the process; `objective`,
//! `anchored` and `frame` the objective and its coordinates; `start`, `rough`, `descent` and
//! `split` the optimisation; `held_out` the choice of size; `density` and `gaussians` the
//! densities.

mod anchored;
mod at_time;
mod choice;
mod choose;
mod covariance;
mod density;
#[cfg(test)]
mod density_known;
mod descent;
mod description;
mod ends;
mod frame;
mod gaussians;
mod grown;
mod held_out;
mod mixture;
mod objective;
mod potential;
mod process;
mod record;
mod rough;
mod shrunk;
mod solver;
mod start;

pub use choice::Choice;
pub use covariance::Covariance;
pub(crate) use description::LIGHTSB;
pub use gaussians::GaussianMixture;
pub use mixture::Mixture;
pub use potential::ConditionalPlan;
pub use process::LightSbBridge;
pub use record::LightSbRecord;
pub use solver::LightSbSolver;
