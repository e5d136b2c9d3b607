//! COUPLINGS: which source cell goes to which target cell, with how much mass.

mod sparse;

use serde::{Deserialize, Serialize};

pub use sparse::Coupling;

/// How cells of two snapshots are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CouplingKind {
    /// The plan of entropic optimal transport, that of the Schrödinger bridge.
    Entropic,
    /// A cheapest plan.
    Exact,
    /// Every cell with every cell.
    Independent,
}
