//! Mean expression of the earlier and of the later cells of a step.

use ndarray::{Array1, Array2, Axis};

use crate::grn::expression::Expression;
use crate::grn::moments::{BLOCK, Shapes, evaluated};
use crate::grn::step::Step;

/// Means of the shapes of all genes, with cells weighted by the masses of the coupling. Columns are in
/// the order of [`evaluated`] in the moments.
pub(super) struct StepMeans {
    /// Means of the earlier shapes over the earlier cells, `(1, GF)`.
    pub(super) earlier: Array2<f64>,
    /// Means of the later shapes over the later cells, `(1, LG)`.
    pub(super) later: Array2<f64>,
}

impl StepMeans {
    /// The means of `step`. Time `O(n (F + L) G)` for n cells.
    pub(super) fn of(expression: &Expression, step: &Step, shapes: Shapes) -> Self {
        let (f, n_genes) = (shapes.earlier.len(), expression.n_genes());
        let (rows, columns) = step.coupling.marginals();
        let mean = |cells: &[usize], masses: &Array1<f64>, of: &[usize], strides| {
            let mut sum = Array1::<f64>::zeros(of.len() * n_genes);
            let chunks = cells.chunks(BLOCK).zip(masses.axis_chunks_iter(Axis(0), BLOCK));
            for (cells, masses) in chunks {
                sum += &masses.dot(&evaluated(expression, cells, of, strides));
            }
            (sum / masses.sum().max(f64::MIN_POSITIVE)).insert_axis(Axis(0))
        };
        Self {
            earlier: mean(&step.sources, &rows, shapes.earlier, [1, f]),
            later: mean(&step.targets, &columns, shapes.later, [n_genes, 1]),
        }
    }
}
