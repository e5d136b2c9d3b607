//! The two sides of a coupling, and the operations that the solver needs of a kernel.

/// One of the two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The cells at local time 0.
    Source,
    /// The cells at local time 1.
    Target,
}

impl Side {
    /// The other side.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
        }
    }
}

/// A value for each source cell and one for each target cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Both {
    /// One number for each source cell.
    pub(super) source: Vec<f64>,
    /// One number for each target cell.
    pub(super) target: Vec<f64>,
}

impl Both {
    /// The values of one side.
    pub(super) fn of(&self, side: Side) -> &[f64] {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

/// A kernel `exp(−C/ε)`. Sinkhorn iterations and Newton steps need only these sums over pairs.
/// Implementations recompute the pairs, store all of them, or store few.
pub(super) trait Kernel: Sync {
    /// Whether sums for these potentials are as accurate as sums over all pairs.
    fn covers(&self, potentials: &Both) -> bool;

    /// `ln Σ_j exp(−C_ij/ε + other_j)` for each cell `i` of `side`.
    fn log_sums(&self, side: Side, other: &[f64]) -> Vec<f64>;

    /// The matrix `exp(source_i + target_j − C_ij/ε)`, for products with vectors.
    fn plan<'a>(&'a self, logs: &'a Both) -> Box<dyn Plan + 'a>;
}

/// A coupling that multiplies vectors.
pub(super) trait Plan {
    /// `Σ_j P_ij weights_j` for each cell `i` of `side`, `j` over the other side.
    fn times(&self, side: Side, weights: &[f64]) -> Vec<f64>;
}
