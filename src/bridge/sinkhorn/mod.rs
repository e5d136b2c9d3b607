//! SINKHORN: entropic optimal transport between all cells, and the bridge it gives.

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

pub use all_pairs::AllPairs;
pub use description::SINKHORN;
pub use plan::{EntropicPlan, debiased_map};
pub use process::SinkhornBridge;
pub use record::SinkhornRecord;
pub use solver::SinkhornSolver;
