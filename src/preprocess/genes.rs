//! Highly variable genes by dispersion within bins of mean expression.

use std::f64::consts::FRAC_1_SQRT_2;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{CellBlocks, Matrix};
use crate::error::{Error, Result};
use crate::linalg::at_most;
use crate::preprocess::log_scale::{LogScale, TASK, refuse_negative_block};
use crate::progress::Progress;
use crate::share::Packed;

/// Selects genes that vary more than other genes with a similar mean.
///
/// The method is the flavour `seurat` of `scanpy.pp.highly_variable_genes` with `n_top_genes`:
///
/// 1. The mean and the variance (denominator `n_cells − 1`) of `exp(x) − 1` give the dispersion
///    `ln(variance / mean)` of each gene.
/// 2. Genes are divided into `n_bins` bins of equal width of `ln(1 + mean)`.
/// 3. The dispersion is centred by the mean of its bin and divided by the standard deviation there
///    (denominator: the number of genes with a dispersion minus one). A gene that is alone in its bin
///    has the value 1.
/// 4. The `n_genes` genes of largest value are selected, with all genes that tie with the last. A
///    constant gene has no dispersion and is never selected.
///
/// Source: Satija et al. 2015 (Seurat), as in scanpy 1.11.5; a test compares the selections. There
/// are two differences to scanpy, both for cases that rounding decides there. A gene with a
/// coefficient of variation below 1e-6 is constant, and the two genes of a bin of two have the
/// values ±1/√2 exactly.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::{GeneSelector, LogScale};
///
/// let x = Matrix::Dense(array![[1.0, 0.0, 2.0], [1.0, 2.0, 1.9], [1.0, 0.1, 2.1]]);
/// let selector = GeneSelector { n_genes: 1, n_bins: 1 };
/// let genes = selector.select(&x, &LogScale::AsIs, &mut Silent)?;
/// assert_eq!(genes, [1]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneSelector {
    /// Number of genes to select, 1 or more.
    pub n_genes: usize,
    /// Number of bins of mean expression, 1 or more.
    pub n_bins: usize,
}

impl Default for GeneSelector {
    fn default() -> Self {
        Self { n_genes: 2000, n_bins: 20 }
    }
}

/// The statistics of one gene in the selection.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::{GeneSelector, LogScale};
///
/// let x = Matrix::Dense(array![[1.0, 0.0], [1.0, 2.0]]);
/// let genes = GeneSelector::default().statistics(&x, &LogScale::AsIs, &mut Silent)?;
/// assert!(genes[0].dispersion.is_nan() && genes[1].dispersion > 0.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneStatistics {
    /// `ln(1 + mean of exp(x) − 1)`.
    pub mean: f64,
    /// `ln(variance / mean)`; NaN for a constant gene.
    pub dispersion: f64,
    /// The dispersion relative to the genes of the same bin; NaN for a constant gene, or if all
    /// dispersions of the bin are equal.
    pub normalized: f64,
}

/// Smallest squared coefficient of variation of a gene that is not constant.
const SMALLEST_CV2: f64 = 1e-12;

impl GeneSelector {
    /// The selected columns of `x`, increasing.
    ///
    /// `x` has shape `(n_cells, n_genes)`; `scale` converts its values to a log scale. If `x` has at
    /// most `n_genes` genes, all genes that vary are selected. One pass, time `O(stored values)`,
    /// memory 16 bytes per gene for each 512 cells of a block.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a hyperparameter is zero; [`Error::Negative`] if a value is
    /// negative or NaN; [`Error::Overflows`] if `exp(x)` overflows; [`Error::Numerical`] if no gene
    /// varies; errors of reading `x`.
    pub fn select(
        &self,
        x: &dyn CellBlocks,
        scale: &LogScale,
        progress: &mut dyn Progress,
    ) -> Result<Vec<usize>> {
        let genes = self.statistics(x, scale, progress)?;
        self.of_statistics(&genes)
    }

    /// The selected genes by their statistics.
    ///
    /// # Errors
    /// [`Error::Numerical`] if no gene varies.
    fn of_statistics(&self, genes: &[GeneStatistics]) -> Result<Vec<usize>> {
        let selected: Vec<usize> = if self.n_genes >= genes.len() {
            (0..genes.len()).filter(|&j| !genes[j].dispersion.is_nan()).collect()
        } else {
            let mut sorted: Vec<f64> =
                genes.iter().map(|gene| gene.normalized).filter(|value| !value.is_nan()).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let last = sorted.get(self.n_genes - 1).or(sorted.last()).copied();
            let cutoff = last.unwrap_or(f64::INFINITY);
            (0..genes.len()).filter(|&j| at_most(cutoff, genes[j].normalized)).collect()
        };
        if selected.is_empty() {
            let why = "no gene varies between cells".to_string();
            return Err(Error::Numerical { what: "gene selection", why });
        }
        Ok(selected)
    }

    /// Mean, dispersion and normalised dispersion of every column of `x`.
    ///
    /// The arguments are those of [`GeneSelector::select`].
    ///
    /// # Errors
    /// As for [`GeneSelector::select`], except that constant genes are no error.
    pub fn statistics(
        &self,
        x: &dyn CellBlocks,
        scale: &LogScale,
        progress: &mut dyn Progress,
    ) -> Result<Vec<GeneStatistics>> {
        self.check()?;
        let sums = GeneSums::of(x, scale, progress)?;
        if let Some(j) = sums.overflown() {
            return Err(overflow(x, scale, j, progress)?);
        }
        let mut genes = sums.statistics();
        normalize_within_bins(&mut genes, self.n_bins);
        Ok(genes)
    }

    /// As [`GeneSelector::select`], from sums over the cells.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a hyperparameter is zero; [`Error::Numerical`] if no gene varies.
    pub(crate) fn select_by(&self, sums: &GeneSums) -> Result<Vec<usize>> {
        self.check()?;
        let mut genes = sums.statistics();
        normalize_within_bins(&mut genes, self.n_bins);
        self.of_statistics(&genes)
    }

    fn check(&self) -> Result<()> {
        let Self { n_genes, n_bins } = *self;
        for (name, value) in [("n_genes", n_genes), ("n_bins", n_bins)] {
            if value < 1 {
                return Err(Error::Parameter { name, must: "1 or more", got: value.to_string() });
            }
        }
        Ok(())
    }
}

/// The error with the first value of gene `j` that overflows; one more pass over `x`.
pub(crate) fn overflow(
    x: &dyn CellBlocks,
    scale: &LogScale,
    j: usize,
    progress: &mut dyn Progress,
) -> Result<Error> {
    let mut found = None;
    x.each_block(progress, &mut |first, block| {
        for i in 0..block.n_cells() {
            let got = value_of(block, i, j);
            if found.is_none() && !unlogged(scale, first + i, got).is_finite() {
                found = Some((first + i, got));
            }
        }
        Ok(())
    })?;
    let step = if matches!(scale, LogScale::AsIs) { "exp(x)" } else { "normalisation" };
    Ok(if let Some((cell, got)) = found {
        Error::Overflows { step, got, cell: cell.to_string(), gene: j.to_string() }
    } else {
        let why = format!("the sum of gene {j} overflows");
        Error::Numerical { what: "gene selection", why }
    })
}

/// Entry `(i, j)` of a block.
fn value_of(x: &Matrix, i: usize, j: usize) -> f32 {
    match x {
        Matrix::Dense(x) => x[[i, j]],
        Matrix::Sparse(x) => {
            let (columns, values) = x.row(i);
            columns.binary_search(&(j as u32)).map_or(0.0, |place| values[place])
        }
    }
}

/// Sums of the values of each gene and of their squares, before the logarithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GeneSums {
    /// Number of cells.
    n_cells: usize,
    /// The sum of the values of each gene.
    values: Packed<f64>,
    /// The sum of their squares.
    squares: Packed<f64>,
}

impl GeneSums {
    /// The sums over the cells of `x` in one pass; those of tasks are added in order. `scale` is that of these cells.
    ///
    /// # Errors
    /// As [`GeneSelector::select`], but an overflow is no error.
    pub(crate) fn of(
        x: &dyn CellBlocks,
        scale: &LogScale,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let mut sums = vec![[0.0; 2]; x.n_genes()];
        x.each_block(progress, &mut |first, block| {
            scale.check(first, block)?;
            refuse_negative_block("gene selection", first, block)?;
            let starts: Vec<usize> = (0..block.n_cells()).step_by(TASK).collect();
            let parts: Vec<Vec<[f64; 2]>> = starts
                .into_par_iter()
                .map(|start| {
                    let mut sums = vec![[0.0; 2]; block.n_genes()];
                    for i in start..block.n_cells().min(start + TASK) {
                        add_row(&mut sums, block, i, |value| unlogged(scale, first + i, value));
                    }
                    sums
                })
                .collect();
            for part in parts {
                for (sum, part) in sums.iter_mut().zip(part) {
                    sum[0] += part[0];
                    sum[1] += part[1];
                }
            }
            Ok(())
        })?;
        let column = |k: usize| Packed(sums.iter().map(|sum| sum[k]).collect());
        Ok(Self { n_cells: x.n_cells(), values: column(0), squares: column(1) })
    }

    /// Adds the sums over further cells.
    pub(crate) fn add(&mut self, other: &Self) {
        self.n_cells += other.n_cells;
        let pairs = [(&mut self.values, &other.values), (&mut self.squares, &other.squares)];
        for (sums, others) in pairs {
            sums.0.iter_mut().zip(&others.0).for_each(|(sum, other)| *sum += other);
        }
    }

    /// The first gene whose values overflow.
    pub(crate) fn overflown(&self) -> Option<usize> {
        self.values.0.iter().position(|sum| !sum.is_finite())
    }

    /// Means and dispersions of all genes, not relative to others.
    fn statistics(&self) -> Vec<GeneStatistics> {
        let n = self.n_cells;
        let gene = |(&sum, &square): (&f64, &f64)| {
            let mean = sum / n.max(1) as f64;
            let variance = (square / n.max(1) as f64 - mean * mean) * n as f64
                / n.saturating_sub(1).max(1) as f64;
            let varies = variance > SMALLEST_CV2 * mean * mean;
            // A gene without expression has the mean 1e-12, as in scanpy; it affects the first bin.
            let mean = if mean > 0.0 { mean } else { 1e-12 };
            let dispersion = if varies { (variance / mean).ln() } else { f64::NAN };
            GeneStatistics { mean: mean.ln_1p(), dispersion, normalized: f64::NAN }
        };
        self.values.0.iter().zip(&self.squares.0).map(gene).collect()
    }
}

/// `exp(x) − 1` of a value on the log scale; for other values the argument of the logarithm.
///
/// The result is rounded to single precision, as counts are. Genes with the same values then have
/// exactly the same sums in any order of cells, and so tie.
fn unlogged(scale: &LogScale, cell: usize, x: f32) -> f64 {
    f64::from(match scale {
        LogScale::AsIs => f64::from(x).exp_m1() as f32,
        LogScale::Plain | LogScale::Normalised | LogScale::Counts { .. } => scale.scaled(cell, x),
    })
}

/// Adds the values of cell `i` and their squares to the sums of the genes.
fn add_row(sums: &mut [[f64; 2]], x: &Matrix, i: usize, value: impl Fn(f32) -> f64) {
    let mut add = |j: usize, x: f32| {
        let value = value(x);
        sums[j][0] += value;
        sums[j][1] += value * value;
    };
    match x {
        Matrix::Dense(x) => x.row(i).iter().enumerate().for_each(|(j, &value)| add(j, value)),
        Matrix::Sparse(x) => {
            let (columns, values) = x.row(i);
            columns.iter().zip(values).for_each(|(&j, &value)| add(j as usize, value));
        }
    }
}

/// Sets [`GeneStatistics::normalized`] of all genes.
fn normalize_within_bins(genes: &mut [GeneStatistics], n_bins: usize) {
    let edges = bin_edges(genes, n_bins);
    let mut members = vec![Vec::new(); n_bins];
    for (j, gene) in genes.iter().enumerate() {
        // Bins are open to the left: the upper edge is the first edge that is at least the mean.
        let bin = edges.partition_point(|&edge| edge < gene.mean);
        if (1..=n_bins).contains(&bin) && !gene.dispersion.is_nan() {
            members[bin - 1].push(j);
        }
    }
    for bin in members {
        // Welford's recurrence gives exactly zero if all dispersions are equal.
        let (mut mean, mut square) = (0.0, 0.0);
        for (k, &j) in bin.iter().enumerate() {
            let step = genes[j].dispersion - mean;
            mean += step / (k + 1) as f64;
            square += step * (genes[j].dispersion - mean);
        }
        let deviation = (square / (bin.len().max(2) - 1) as f64).sqrt();
        for &j in &bin {
            genes[j].normalized = match bin.len() {
                1 => 1.0,
                // Exact values, so that genes of such bins tie independently of rounding.
                2 if deviation > 0.0 => FRAC_1_SQRT_2.copysign(genes[j].dispersion - mean),
                _ if deviation > 0.0 => (genes[j].dispersion - mean) / deviation,
                _ => f64::NAN,
            };
        }
    }
}

/// The `n_bins + 1` edges of bins of equal width of the means, as in `pandas.cut`.
///
/// The first edge is lowered by a thousandth of the range. If the range is zero, both ends move
/// outwards by a thousandth of their value.
fn bin_edges(genes: &[GeneStatistics], n_bins: usize) -> Vec<f64> {
    let mut low = genes.iter().map(|gene| gene.mean).fold(f64::INFINITY, f64::min);
    let mut high = genes.iter().map(|gene| gene.mean).fold(f64::NEG_INFINITY, f64::max);
    let range = high - low;
    if range <= 0.0 {
        low -= 0.001 * low.abs();
        high += 0.001 * high.abs();
    }
    let step = (high - low) / n_bins as f64;
    let mut edges: Vec<f64> = (0..=n_bins).map(|k| k as f64 * step + low).collect();
    edges[n_bins] = high;
    if range > 0.0 {
        edges[0] -= 0.001 * range;
    }
    edges
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use crate::progress::Silent;

    use super::*;

    /// Log-counts of three genes in four cells: a burst, a constant, an empty one.
    fn small() -> Matrix {
        let x: Array2<f32> = array![[0., 2., 0.], [0., 2., 0.], [0., 2., 0.], [8., 2., 0.]];
        Matrix::Dense(x.mapv(f32::ln_1p))
    }

    #[test]
    fn dispersions_agree_with_pencil_and_paper() {
        let genes =
            GeneSelector::default().statistics(&small(), &LogScale::AsIs, &mut Silent).unwrap();
        // Mean 2, variance (3·4 + 36)/3 = 16.
        assert!((genes[0].mean - 3_f64.ln()).abs() < 1e-7);
        assert!((genes[0].dispersion - 8_f64.ln()).abs() < 1e-6);
        assert!(genes[1].dispersion.is_nan() && genes[2].dispersion.is_nan());
        // Alone in its bin among those that vary.
        assert!((genes[0].normalized - 1.0).abs() < 1e-15);
    }

    #[test]
    fn asking_for_all_genes_gives_those_that_vary() {
        assert_eq!(
            GeneSelector::default().select(&small(), &LogScale::AsIs, &mut Silent).unwrap(),
            [0]
        );
        let one = GeneSelector { n_genes: 1, ..Default::default() };
        assert_eq!(one.select(&small(), &LogScale::AsIs, &mut Silent).unwrap(), [0]);
    }

    #[test]
    fn values_that_are_no_logarithms_are_selected_by_as_they_are() {
        let unlogged: Array2<f32> = array![[0., 900.5, 3.], [0., 900., 2.], [8., 900., 1.]];
        let unlogged = Matrix::Dense(unlogged);
        let of = |scale: &LogScale, x: &Matrix| {
            GeneSelector::default().statistics(x, scale, &mut Silent).unwrap()
        };
        let mut logged = unlogged.clone();
        crate::preprocess::log1p(&mut logged).unwrap();
        for (a, b) in of(&LogScale::AsIs, &logged).iter().zip(of(&LogScale::Plain, &unlogged)) {
            assert!((a.dispersion - b.dispersion).abs() < 1e-2, "{a:?} {b:?}");
        }
        let (plain, normalised) =
            (of(&LogScale::Plain, &unlogged), of(&LogScale::Normalised, &unlogged));
        assert_eq!(plain, normalised);
        // Mean 8/3, variance (64 − 64/3)/2.
        assert!((plain[0].dispersion - 8_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn refuses_what_cannot_be_selected_from() {
        let constant = Matrix::Dense(Array2::from_elem((5, 3), 1.0));
        assert!(GeneSelector::default().select(&constant, &LogScale::AsIs, &mut Silent).is_err());
        let negative = Matrix::Dense(array![[-1.0, 2.0]]);
        assert!(matches!(
            GeneSelector::default().select(&negative, &LogScale::AsIs, &mut Silent),
            Err(Error::Negative { .. })
        ));
        let counts = Matrix::Dense(array![[500.0, 2.0], [0.0, 0.0]]);
        assert!(matches!(
            GeneSelector::default().select(&counts, &LogScale::AsIs, &mut Silent),
            Err(Error::Overflows { .. })
        ));
        for bad in [(0, 20), (5, 0)] {
            let selector = GeneSelector { n_genes: bad.0, n_bins: bad.1 };
            assert!(matches!(
                selector.select(&small(), &LogScale::AsIs, &mut Silent),
                Err(Error::Parameter { .. })
            ));
        }
    }
}
