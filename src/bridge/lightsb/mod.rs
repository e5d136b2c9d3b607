//! LightSB: the potential is a Gaussian mixture, so that everything of the bridge is closed form.
//!
//! Source of all formulas: Korotin, Gushchin, Burnaev 2024 (arXiv 2310.01174), props. 3.1–3.3,
//! rewritten without the singularity at `t = 1`.

mod anchored;
mod at_time;
mod choice;
mod covariance;
mod density;
#[cfg(test)]
mod density_known;
mod descent;
mod description;
mod ends;
mod frame;
mod gaussians;
mod held_out;
mod mixture;
mod objective;
mod potential;
mod process;
mod record;
mod rough;
mod solver;
mod split;
mod start;

pub use choice::Choice;
pub use covariance::Covariance;
pub use description::LIGHTSB;
pub use gaussians::GaussianMixture;
pub use mixture::Mixture;
pub use potential::ConditionalPlan;
pub use process::LightSbBridge;
pub use record::LightSbRecord;
pub use solver::LightSbSolver;
