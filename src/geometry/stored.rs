//! A cost in memory, with one number in single precision for each pair of cells.

use ndarray::{ArrayViewMut2, Axis};

use super::cost::Cost;
use crate::error::{Error, Result};

/// The costs of all pairs of source and target cells.
///
/// Four bytes for each pair. The relative rounding error of a cost `c` is at most `6·10⁻⁸`; for
/// `c/ε = 100` that of a mass is 6·10⁻⁶.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCost {
    n_rows: usize,
    n_columns: usize,
    /// The costs in rows.
    costs: Vec<f32>,
    /// Whether rows are target cells and columns source cells.
    turned: bool,
}

impl StoredCost {
    /// Largest number of pairs, 1.6 GB.
    pub const MAX_PAIRS: usize = 400_000_000;

    /// The cost with `n_rows` rows of `n_columns`; rows are target cells if `turned`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `costs` does not have this number of entries.
    pub(super) fn new(
        n_rows: usize,
        n_columns: usize,
        costs: Vec<f32>,
        turned: bool,
    ) -> Result<Self> {
        let (expected, got) = (n_rows * n_columns, costs.len());
        if expected == got {
            return Ok(Self { n_rows, n_columns, costs, turned });
        }
        Err(Error::Shape { what: "the cost", unit: "pairs", expected, got })
    }

    /// Checks the indices of cells and the number of pairs before a long computation.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an index that is not below `n_nodes`, an empty list, or more than
    /// [`StoredCost::MAX_PAIRS`] pairs.
    pub(super) fn check(n_nodes: usize, sources: &[usize], targets: &[usize]) -> Result<()> {
        let n_pairs = sources.len().saturating_mul(targets.len());
        if !(1..=Self::MAX_PAIRS).contains(&n_pairs) {
            let must = "between 1 and 4e8 pairs for a geodesic cost; use fewer cells";
            let got = format!("{} × {}", sources.len(), targets.len());
            return Err(Error::Parameter { name: "number of cells", must, got });
        }
        match sources.iter().chain(targets).find(|&&cell| cell >= n_nodes) {
            Some(cell) => {
                let must = "less than the number of cells of the graph";
                Err(Error::Parameter { name: "cell", must, got: cell.to_string() })
            }
            None => Ok(()),
        }
    }

    /// The cost of one pair.
    pub fn get(&self, source: usize, target: usize) -> f64 {
        f64::from(self.costs[self.place(source, target)])
    }

    /// The position of a pair in `costs`.
    fn place(&self, source: usize, target: usize) -> usize {
        let (row, column) = if self.turned { (target, source) } else { (source, target) };
        row * self.n_columns + column
    }
}

impl Cost for StoredCost {
    fn shape(&self) -> (usize, usize) {
        let Self { n_rows, n_columns, .. } = *self;
        if self.turned { (n_columns, n_rows) } else { (n_rows, n_columns) }
    }

    fn select(&self, sources: &[usize], targets: &[usize]) -> Box<dyn Cost> {
        let rows = sources.iter().flat_map(|&i| targets.iter().map(move |&j| (i, j)));
        let costs = rows.map(|(i, j)| self.costs[self.place(i, j)]).collect();
        let (n_rows, n_columns) = (sources.len(), targets.len());
        Box::new(Self { n_rows, n_columns, costs, turned: false })
    }

    fn block(&self, source: usize, target: usize, mut out: ArrayViewMut2<'_, f64>) {
        let (first, column, mut out) = if self.turned {
            (target, source, out.reversed_axes())
        } else {
            (source, target, out.view_mut())
        };
        for (i, mut row) in out.axis_iter_mut(Axis(0)).enumerate() {
            let start = (first + i) * self.n_columns + column;
            let costs = &self.costs[start..start + row.len()];
            row.iter_mut().zip(costs).for_each(|(out, cost)| *out = f64::from(*cost));
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn blocks_are_cut_out_of_either_order() {
        let (n, m) = (5, 7);
        let value = |i: usize, j: usize| (10 * i + j) as f32;
        let rows = (0..n).flat_map(|i| (0..m).map(move |j| value(i, j))).collect();
        let columns = (0..m).flat_map(|j| (0..n).map(move |i| value(i, j))).collect();
        let plain = StoredCost::new(n, m, rows, false).unwrap();
        let turned = StoredCost::new(m, n, columns, true).unwrap();
        for cost in [plain, turned] {
            assert_eq!(cost.shape(), (n, m));
            let (mut block, mut back) = (Array2::zeros((2, 3)), Array2::zeros((3, 2)));
            cost.block(3, 2, block.view_mut());
            cost.block_transposed(2, 3, back.view_mut());
            assert_eq!(block, ndarray::array![[32.0, 33.0, 34.0], [42.0, 43.0, 44.0]]);
            assert_eq!(back, block.t());
            assert!((cost.get(4, 6) - 46.0).abs() < 1e-12);
            let part = cost.select(&[4, 1], &[0, 6, 2]);
            let mut chosen = Array2::zeros(part.shape());
            part.rows(0, chosen.view_mut());
            assert_eq!(chosen, ndarray::array![[40.0, 46.0, 42.0], [10.0, 16.0, 12.0]]);
        }
        assert!(StoredCost::new(2, 2, vec![0.0; 3], false).is_err());
    }
}
