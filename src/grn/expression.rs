//! Expression of the cells of a course, and what genes look like to a regulatory function.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayView2};

use crate::error::{Error, Result};

/// Bins of equal numbers of cells that a gene is cut into for information.
pub(super) const N_BINS: usize = 8;

/// Half-activation of each Hill function, as a part of the gene's range.
pub const THRESHOLDS: [f64; 3] = [0.25, 0.5, 0.75];

/// Shapes of a gene: its Hill functions by rising threshold, then its standardised value.
pub const N_SHAPES: usize = THRESHOLDS.len() + 1;

/// Expression on a log scale, with what is needed to see it through Hill functions.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    values: Array2<f32>,
    regulators: Vec<usize>,
    /// The 1st percentile of each gene.
    low: Array1<f64>,
    /// From the 1st to the 99th percentile.
    range: Array1<f64>,
    mean: Array1<f64>,
    spread: Array1<f64>,
    /// The bin of every gene in every cell, once it was asked for.
    codes: OnceLock<Array2<u8>>,
}

impl Expression {
    /// From `values` `(n_cells, n_genes)` and the columns of the genes that may regulate, which
    /// are sorted and taken once each.
    ///
    /// # Errors
    /// [`Error::Parameter`] without a cell or a regulator, or for a regulator that is no column.
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

    /// The genes that may regulate, increasing.
    pub fn regulators(&self) -> &[usize] {
        &self.regulators
    }

    /// Standard deviation of each gene over all cells.
    pub fn spread(&self) -> &Array1<f64> {
        &self.spread
    }

    /// The values, `(n_cells, n_genes)`.
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Shape `shape` of `gene` in `cell`: `y⁴ / (y⁴ + (θ range)⁴)` with y the expression above the
    /// 1st percentile and θ of [`THRESHOLDS`], or the standardised value for the last shape.
    pub fn shape(&self, cell: usize, gene: usize, shape: usize) -> f64 {
        let value = f64::from(self.values[[cell, gene]]);
        match THRESHOLDS.get(shape) {
            Some(threshold) => hill(value - self.low[gene], threshold * self.range[gene]),
            None => standard(value - self.mean[gene], self.spread[gene]),
        }
    }

    /// [`Expression::shape`] of every gene, gene g at `place + g · stride` of `row`.
    pub fn fill_shape(
        &self,
        cell: usize,
        shape: usize,
        (place, stride): (usize, usize),
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

    /// The bin of every gene in every cell: below and between the 1/8, …, 7/8 quantiles over all
    /// cells, quantiles that coincide counted once.
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

    /// Standardised values of the cells `rows`, `(rows, n_genes)`.
    pub fn standardised(&self, rows: &[usize]) -> Array2<f64> {
        let mut found = Array2::zeros((rows.len(), self.n_genes()));
        for (mut row, &cell) in found.rows_mut().into_iter().zip(rows) {
            if let Some(row) = row.as_slice_mut() {
                self.fill_shape(cell, N_SHAPES - 1, (0, 1), row);
            }
        }
        found
    }
}

/// `y⁴ / (y⁴ + half⁴)`, with y not below zero.
fn hill(y: f64, half: f64) -> f64 {
    let fourth = |x: f64| (x * x) * (x * x);
    let above = fourth(y.max(0.0));
    above / (above + fourth(half.max(1e-9)))
}

fn standard(above_mean: f64, spread: f64) -> f64 {
    if spread > 0.0 { above_mean / spread } else { 0.0 }
}

/// The quantile of sorted numbers, linear between neighbours.
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
