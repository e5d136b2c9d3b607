//! Expression of the cells of a course, and the functions of it that regulation is modelled with.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayView2};

use crate::error::{Error, Result};

/// Number of equally populated bins of a gene for mutual information.
pub(super) const N_BINS: usize = 8;

/// Half-activation of each Hill function, as a fraction of the gene's range.
pub(crate) const THRESHOLDS: [f64; 3] = [0.25, 0.5, 0.75];

/// Number of shapes of a gene: its Hill functions by increasing threshold, then its standardised
/// value.
pub(crate) const N_SHAPES: usize = THRESHOLDS.len() + 1;

/// Expression of all cells of a course on a log scale, and the genes that may regulate.
///
/// A regulatory function sees a gene through its "shapes": three Hill functions of exponent 4 with
/// half-activation at 0.25, 0.5 and 0.75 of the gene's range, and the standardised value. The range
/// of a gene is from its 1st to its 99th percentile over all cells.
///
/// ```
/// use ndarray::array;
/// use sbcell::grn::Expression;
/// # fn main() -> sbcell::Result<()> {
/// // Three cells and two genes; the first gene may regulate.
/// let expression = Expression::new(array![[0.0, 1.0], [1.0, 1.0], [2.0, 4.0]], &[0])?;
/// assert_eq!((expression.n_cells(), expression.n_genes()), (3, 2));
/// assert!((expression.spread()[0] - (2.0_f64 / 3.0).sqrt()).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    values: Array2<f32>,
    regulators: Vec<usize>,
    /// The 1st percentile of each gene.
    low: Array1<f64>,
    /// Difference of the 99th and the 1st percentile of each gene.
    range: Array1<f64>,
    mean: Array1<f64>,
    spread: Array1<f64>,
    /// Bin of every gene in every cell, computed on first use.
    codes: OnceLock<Array2<u8>>,
}

impl Expression {
    /// Expression `values` `(n_cells, n_genes)` with the columns `regulators` of the genes that may
    /// regulate. Regulators are sorted, and duplicates are removed. Time `O(n_genes n_cells log
    /// n_cells)` for the percentiles.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no cell or no regulator, or if a regulator is no column.
    pub fn new(values: Array2<f32>, regulators: &[usize]) -> Result<Self> {
        let (n_cells, n_genes) = values.dim();
        let mut regulators = regulators.to_vec();
        regulators.sort_unstable();
        regulators.dedup();
        if n_cells == 0 || regulators.last().is_none_or(|last| *last >= n_genes) {
            let must = "columns of a matrix that has cells, at least one";
            let got = format!("{regulators:?}");
            return Err(Error::Parameter { name: "regulators", must, got });
        }
        let mut expression = Self {
            regulators,
            low: Array1::zeros(n_genes),
            range: Array1::zeros(n_genes),
            mean: Array1::zeros(n_genes),
            spread: Array1::zeros(n_genes),
            codes: OnceLock::new(),
            values,
        };
        for gene in 0..n_genes {
            let mut sorted: Vec<f64> =
                expression.values.column(gene).iter().map(|value| f64::from(*value)).collect();
            let mean = sorted.iter().sum::<f64>() / n_cells as f64;
            let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            sorted.sort_by(f64::total_cmp);
            let (low, high) = (quantile(&sorted, 0.01), quantile(&sorted, 0.99));
            expression.low[gene] = low;
            expression.range[gene] = high - low;
            expression.mean[gene] = mean;
            expression.spread[gene] = (variance / n_cells as f64).sqrt();
        }
        Ok(expression)
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.values.nrows()
    }

    /// Number of genes.
    pub fn n_genes(&self) -> usize {
        self.values.ncols()
    }

    /// Columns of the genes that may regulate, increasing.
    pub fn regulators(&self) -> &[usize] {
        &self.regulators
    }

    /// Standard deviation of each gene over all cells, `n_genes`, with denominator `n_cells`.
    pub fn spread(&self) -> &Array1<f64> {
        &self.spread
    }

    /// The values, `(n_cells, n_genes)`.
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Shape number `shape` (0 to 3) of `gene` in `cell`. Shapes 0 to 2 are the Hill functions
    /// `y⁴ / (y⁴ + (θ · range)⁴)`, with y the expression above the 1st percentile and θ = 0.25, 0.5,
    /// 0.75. Shape 3 is the standardised value.
    pub fn shape(&self, cell: usize, gene: usize, shape: usize) -> f64 {
        let value = f64::from(self.values[[cell, gene]]);
        match THRESHOLDS.get(shape) {
            Some(threshold) => hill(value - self.low[gene], threshold * self.range[gene]),
            None => standard(value - self.mean[gene], self.spread[gene]),
        }
    }

    /// Writes [`Expression::shape`] of every gene into `row`: gene g at `place + g · stride`.
    pub(crate) fn fill_shape(
        &self,
        cell: usize,
        shape: usize,
        place: usize,
        stride: usize,
        row: &mut [f64],
    ) {
        let values = self.values.row(cell);
        let slots = row[place..].iter_mut().step_by(stride);
        if let Some(threshold) = THRESHOLDS.get(shape) {
            let known = self.low.iter().zip(&self.range);
            for (slot, (value, (low, range))) in slots.zip(values.iter().zip(known)) {
                *slot = hill(f64::from(*value) - low, threshold * range);
            }
        } else {
            let known = self.mean.iter().zip(&self.spread);
            for (slot, (value, (mean, spread))) in slots.zip(values.iter().zip(known)) {
                *slot = standard(f64::from(*value) - mean, *spread);
            }
        }
    }

    /// Bin of every gene in every cell, `(n_cells, n_genes)`. The borders are the 1/8, …, 7/8
    /// quantiles over all cells; quantiles that coincide count once, so that a gene with many zeros
    /// has fewer bins.
    pub(super) fn codes(&self) -> &Array2<u8> {
        self.codes.get_or_init(|| {
            let mut codes = Array2::zeros(self.values.raw_dim());
            for (column, mut codes) in self.values.columns().into_iter().zip(codes.columns_mut()) {
                let mut sorted: Vec<f64> = column.iter().map(|value| f64::from(*value)).collect();
                sorted.sort_by(f64::total_cmp);
                let mut edges: Vec<f64> =
                    (1..N_BINS).map(|b| quantile(&sorted, b as f64 / N_BINS as f64)).collect();
                edges.dedup();
                for (code, value) in codes.iter_mut().zip(column) {
                    *code = edges.partition_point(|edge| *edge <= f64::from(*value)) as u8;
                }
            }
            codes
        })
    }

    /// Standardised values of the cells `rows`, `(rows.len(), n_genes)`: expression minus the mean
    /// over all cells, divided by the standard deviation; 0 for genes that do not vary.
    pub fn standardised(&self, rows: &[usize]) -> Array2<f64> {
        let mut found = Array2::zeros((rows.len(), self.n_genes()));
        for (mut row, &cell) in found.rows_mut().into_iter().zip(rows) {
            if let Some(row) = row.as_slice_mut() {
                self.fill_shape(cell, N_SHAPES - 1, 0, 1, row);
            }
        }
        found
    }
}

/// Hill function `y⁴ / (y⁴ + half⁴)`; negative y count as 0.
fn hill(y: f64, half: f64) -> f64 {
    let fourth = |x: f64| (x * x) * (x * x);
    let above = fourth(y.max(0.0));
    above / (above + fourth(half.max(1e-9)))
}

/// Difference from the mean in standard deviations; 0 for a gene that does not vary.
fn standard(above_mean: f64, spread: f64) -> f64 {
    if spread > 0.0 { above_mean / spread } else { 0.0 }
}

/// Quantile `q` of sorted numbers, interpolated linearly between neighbours.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] * (1.0 - part) + sorted[above] * part
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn shapes_are_hill_functions_of_the_range_and_the_standard_score() {
        // 101 cells from 0 to 100: the 1st percentile is 1, the 99th 99.
        let values = Array2::from_shape_fn((101, 1), |(i, _)| i as f32);
        let expression = Expression::new(values, &[0]).unwrap();
        assert!((expression.range[0] - 98.0).abs() < 1e-9);
        for (cell, y) in [(0, 0.0_f64), (1, 0.0), (50, 49.0), (100, 99.0)] {
            for (shape, threshold) in THRESHOLDS.iter().enumerate() {
                let expected = y.powi(4) / (y.powi(4) + (threshold * 98.0).powi(4));
                assert!((expression.shape(cell, 0, shape) - expected).abs() < 1e-12);
            }
        }
        // Variance of 0, …, 100 is (101² − 1)/12 = 850.
        assert!((expression.shape(100, 0, 3) - 50.0 / 850.0_f64.sqrt()).abs() < 1e-6);
        assert!(Expression::new(array![[1.0]], &[1]).is_err());
        assert!(Expression::new(array![[1.0]], &[]).is_err());
    }
}
