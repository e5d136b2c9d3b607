//! The two sides of a plan, and the operations that the solver needs of a kernel.

/// One of the two sets of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

impl Side {
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
    pub(super) source: Vec<f64>,
    pub(super) target: Vec<f64>,
}

impl Both {
    pub(super) fn of(&self, side: Side) -> &[f64] {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

/// What Sinkhorn's iterations and Newton's need of a kernel: computed anew, held, or sparse.
pub(super) trait Kernel: Sync {
    /// Whether sums for these potentials are as good as those over all pairs computed anew.
    fn covers(&self, potentials: &Both) -> bool;

    /// `ln Σ_j exp(−C_ij/ε + other_j)` for each cell `i` of `side`.
    fn log_sums(&self, side: Side, other: &[f64]) -> Vec<f64>;

    /// The matrix `exp(source_i + target_j − C_ij/ε)`, to be multiplied with vectors.
    fn plan<'a>(&'a self, logs: &'a Both) -> Box<dyn Plan + 'a>;
}

/// A plan that vectors can be multiplied with.
pub(super) trait Plan {
    /// `Σ_j P_ij weights_j` for each cell `i` of `side`, `j` over the other side.
    fn times(&self, side: Side, weights: &[f64]) -> Vec<f64>;
}
