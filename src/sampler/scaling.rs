//! Symmetric Sinkhorn scaling: factors that make the kernel of a snapshot bistochastic.

use ndarray::Array1;

use crate::error::Result;
use crate::progress::Progress;
use crate::sampler::kernel::Kernel;

/// Largest number of rounds. A round at least halves the error of a kernel without negative
/// eigenvalues.
const MOST_ROUNDS: usize = 200;

/// The factors `v` with `v_i Σ_j t_ij v_j w_j = 1` for every cell i.
///
/// Then `w_i v_i t_ij v_j w_j` is a coupling of the snapshot with itself. Symmetry of the kernel
/// makes one factor for each cell sufficient.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// `ln v_i` of each cell.
    pub log_factors: Array1<f64>,
    /// Number of rounds.
    pub rounds: usize,
    /// Marginal error `Σ_i w_i |v_i Σ_j t_ij v_j w_j − 1|` of the coupling.
    pub error: f64,
}

impl Scaling {
    /// Computes the factors by the iteration `v ← √(v / (T W v))` in logarithms.
    ///
    /// Near the solution a round multiplies the error along an eigenvector of the coupling by
    /// `(1 − λ)/2`, which is at most ½ for eigenvalues `0 ≤ λ ≤ 1`. An error of 1e-9 needs about 30
    /// rounds for any ε; alternate scaling of rows and columns would oscillate. A round takes
    /// `2 n² dim` flops and `n²` exponentials. Memory `O(n)` and a block for each thread.
    ///
    /// If the error does not reach `tolerance` after 200 rounds, [`Scaling::error`] shows it.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] if `progress` stops the computation.
    pub(crate) fn find(
        kernel: &Kernel,
        tolerance: f64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let weights: Vec<f64> = kernel.log_weights().iter().map(|log| log.exp()).collect();
        let mut log_factors = vec![0.0; kernel.n_cells()];
        let mut rounds = 0;
        loop {
            let sums = kernel.log_sums(&log_factors, progress)?;
            let rows = log_factors.iter().zip(&sums).map(|(own, sum)| (own + sum).exp());
            let error = rows.zip(&weights).map(|(row, weight)| weight * (row - 1.0).abs()).sum();
            if error <= tolerance || rounds == MOST_ROUNDS {
                return Ok(Self { log_factors: Array1::from(log_factors), rounds, error });
            }
            for (own, sum) in log_factors.iter_mut().zip(&sums) {
                *own = 0.5 * (*own - sum);
            }
            rounds += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::Epsilon;
    use crate::data::Snapshot;
    use crate::progress::Silent;

    #[test]
    fn two_cells_are_scaled_as_by_hand() {
        // With equal weights v is equal by symmetry: v² (1 + t)/2 = 1.
        let cells = Snapshot::new(array![[0.0], [1.5]]).unwrap();
        let kernel = Kernel::new(&cells, Epsilon::new(0.8).unwrap(), None, &mut Silent).unwrap();
        let scaling = Scaling::find(&kernel, 1e-14, &mut Silent).unwrap();
        let t = (-1.5_f64 * 1.5 / 1.6).exp();
        let expected = 0.5 * (2.0 / (1.0 + t)).ln();
        assert!(scaling.log_factors.iter().all(|log| (log - expected).abs() < 1e-13));
    }

    #[test]
    fn weights_act_as_copies_would() {
        let points = array![[0.0, 0.0], [1.0, 0.2], [0.3, -1.0]];
        let weighted = Snapshot::weighted(points.clone(), array![2.0, 1.0, 1.0]).unwrap();
        let copies = points.select(ndarray::Axis(0), &[0, 0, 1, 2]);
        let copied = Snapshot::new(copies).unwrap();
        let find = |cells: &Snapshot| {
            let epsilon = Epsilon::new(0.5).unwrap();
            let kernel = Kernel::new(cells, epsilon, None, &mut Silent).unwrap();
            Scaling::find(&kernel, 1e-13, &mut Silent).unwrap().log_factors
        };
        let (weighted, copied) = (find(&weighted), find(&copied));
        for (i, j) in [(0, 0), (0, 1), (1, 2), (2, 3)] {
            assert!((weighted[i] - copied[j]).abs() < 1e-12);
        }
    }

    #[test]
    fn the_error_halves_each_round_also_where_epsilon_is_tiny() {
        let points = Array2::from_shape_fn((80, 3), |(i, d)| ((i * 7 + d * 13) as f64).sin());
        let cells = Snapshot::new(points).unwrap();
        for epsilon in [1e-6, 1e-2, 1.0, 1e4] {
            let epsilon = Epsilon::new(epsilon).unwrap();
            let kernel = Kernel::new(&cells, epsilon, None, &mut Silent).unwrap();
            let scaling = Scaling::find(&kernel, 1e-10, &mut Silent).unwrap();
            assert!(scaling.error <= 1e-10 && scaling.rounds < 45, "{scaling:?}");
        }
    }
}
