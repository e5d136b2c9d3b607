//! COUPLINGS: how much mass moves from which source cell to which target cell.
//!
//! [`Coupling`] stores the pairs that carry mass. [`CouplingKind`] is the choice of a solver.

mod sparse;

use serde::{Deserialize, Serialize};

pub use sparse::Coupling;

/// How a solver pairs the cells of two snapshots.
///
/// ```
/// use sbcell::bridge::{CouplingKind, FlowSolver};
///
/// assert_eq!(FlowSolver::ot_cfm().coupling, CouplingKind::Exact);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CouplingKind {
    /// The coupling of entropic transport with the ε of the problem: that of the Schrödinger
    /// bridge.
    Entropic,
    /// A coupling of minimal cost (optimal transport).
    Exact,
    /// The product of the marginals: every cell with every cell.
    Independent,
}
