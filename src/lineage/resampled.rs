//! Resampled courses: the couplings of a course under bootstrap weights of its cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::lineage::Lineage;
use crate::metrics::{Drawn, Estimate, Resamples};
use crate::rng::Seed;

/// The couplings of a course under bootstrap weights of its cells. Column 0 is the course as it is;
/// each further column is one resample.
///
/// The coupling of a resample is the original one rescaled to its weights (Sinkhorn scaling), so that
/// the mass of a cell that was not drawn goes to its neighbours. The bridges are not fitted again:
/// intervals show the sampling variation of the cells, not that of the coordinates or of the fit.
///
/// ```
/// use ndarray::{Array2, array};
/// use sbcell::lineage::{Lineage, Resampled};
/// use sbcell::{Epsilon, Seed, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// let resampled = Resampled::new(&lineage, None, 10, Seed(0))?;
/// // The original course and ten resamples; weights of each sum to one.
/// assert_eq!(resampled.weights(0).dim(), (2, 11));
/// assert!((resampled.weights(0).column(3).sum() - 1.0).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Resampled<'a> {
    lineage: &'a Lineage,
    /// The batch of each cell, time after time, if batches are resampled.
    batches: Option<Vec<Vec<String>>>,
    /// Weights of the cells of each time, `(n, n_columns)`.
    weights: Vec<Array2<f64>>,
    /// Scalings of rows and columns of the coupling of each interval.
    scalings: Vec<(Array2<f64>, Array2<f64>)>,
}

impl<'a> Resampled<'a> {
    /// Draws `n_resamples` resamples of the cells of each time. If `batches` are given (one for each
    /// cell, time after time), whole batches are drawn, the same ones at all times.
    ///
    /// Time of some tens of scalings, each of two passes over all pairs for `n_resamples` columns.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one batch for each cell.
    pub fn new(
        lineage: &'a Lineage,
        batches: Option<&[Vec<String>]>,
        n_resamples: usize,
        seed: Seed,
    ) -> Result<Self> {
        let n_times = lineage.times().len();
        let mut counts: Vec<Array2<f64>> = Vec::with_capacity(n_times);
        match batches {
            None => {
                for k in 0..n_times {
                    let seed = seed.child("lineage/resample", k as u64);
                    let drawn = Resamples::of_cells(lineage.n_cells(k), n_resamples, seed);
                    counts.push(drawn.counts().to_owned());
                }
            }
            Some(batches) => {
                let sizes: Vec<usize> = (0..n_times).map(|k| lineage.n_cells(k)).collect();
                let got: Vec<usize> = batches.iter().map(Vec::len).collect();
                if got != sizes {
                    let (expected, got) = (sizes.iter().sum(), got.iter().sum());
                    let (what, unit) = ("the column of batches", "entries");
                    return Err(Error::Shape { what, unit, expected, got });
                }
                let all: Vec<&String> = batches.iter().flatten().collect();
                let drawn = Resamples::of_groups(&all, n_resamples, seed);
                let mut first = 0;
                for n in sizes {
                    let rows: Vec<usize> = (first..first + n).collect();
                    counts.push(drawn.select(&rows).counts().to_owned());
                    first += n;
                }
            }
        }
        let weights: Vec<Array2<f64>> = counts.into_iter().map(shares).collect();
        let mut scalings = Vec::with_capacity(lineage.links().len());
        for (k, link) in lineage.links().iter().enumerate() {
            let (own, arrived) = link.marginals();
            let source = shares(&weights[k] * &own.insert_axis(Axis(1)));
            let target = shares(&weights[k + 1] * &arrived.insert_axis(Axis(1)));
            let scaled = if n_resamples == 0 {
                (Array2::ones(source.dim()), Array2::ones(target.dim()))
            } else {
                link.scaled_to(source.view(), target.view())?
            };
            scalings.push(scaled);
        }
        let batches = batches.map(<[_]>::to_vec);
        Ok(Self { lineage, batches, weights, scalings })
    }

    /// The course as it is.
    pub fn lineage(&self) -> &'a Lineage {
        self.lineage
    }

    /// Number of columns: the number of resamples plus one.
    pub fn n_columns(&self) -> usize {
        self.weights[0].ncols()
    }

    /// Number of units (cells or batches) that are resampled among the cells i at place `k` with
    /// `is_asked(i)`.
    pub fn drawn(&self, k: usize, is_asked: impl Fn(usize) -> bool) -> Drawn {
        let cells = (0..self.lineage.n_cells(k)).filter(|&i| is_asked(i));
        match &self.batches {
            None => Drawn::cells(cells.count()),
            Some(batches) => Drawn::batches(cells.map(|i| &batches[k][i])),
        }
    }

    /// Whether the times of all `places` have enough cells or batches for an interval.
    pub fn is_enough(&self, places: impl IntoIterator<Item = usize>) -> bool {
        places.into_iter().all(|k| self.drawn(k, |_| true).is_enough())
    }

    /// Weights of the cells at place `k`, `(n, n_columns)`. Columns sum to one.
    pub fn weights(&self, k: usize) -> ArrayView2<'_, f64> {
        self.weights[k].view()
    }

    /// Scalings of rows and columns of the coupling of interval `k`, `(n, n_columns)` and `(m, n_columns)`.
    pub(super) fn scalings(&self, k: usize) -> (ArrayView2<'_, f64>, ArrayView2<'_, f64>) {
        (self.scalings[k].0.view(), self.scalings[k].1.view())
    }

    /// [`Lineage::expect`] under every resample. `values` are `(m, n_columns · c)` with the c columns
    /// of a resample side by side; the result is `(n, n_columns · c)`. The rows of cells that a
    /// resample has not drawn are zero in its columns.
    ///
    /// # Errors
    /// As [`Lineage::expect`].
    pub fn expect(&self, k: usize, values: Array2<f64>) -> Result<Array2<f64>> {
        let becomes = self.becomes(k, values)?;
        Ok(self.weighed(k, becomes))
    }

    /// As [`Resampled::expect`], but without a factor for each cell and resample. The result is also
    /// defined for cells that a resample has not drawn; only the shares within a row are meaningful.
    ///
    /// # Errors
    /// As [`Lineage::expect`].
    pub(super) fn becomes(&self, k: usize, mut values: Array2<f64>) -> Result<Array2<f64>> {
        let beta = &self.scalings[k].1;
        let each = values.ncols() / self.n_columns();
        for (column, mut value) in values.columns_mut().into_iter().enumerate() {
            value *= &beta.column(column / each);
        }
        self.lineage.expect(k, values.view())
    }

    /// [`Resampled::expect`] from the result of [`Resampled::becomes`].
    pub(super) fn weighed(&self, k: usize, mut becomes: Array2<f64>) -> Array2<f64> {
        let (alpha, weights) = (&self.scalings[k].0, &self.weights[k]);
        let (each, n) = (becomes.ncols() / self.n_columns(), becomes.nrows() as f64);
        for (column, mut value) in becomes.columns_mut().into_iter().enumerate() {
            let b = column / each;
            let factors = alpha.column(b).into_iter().zip(weights.column(b));
            for (value, (alpha, weight)) in value.iter_mut().zip(factors) {
                *value = if *weight > 0.0 { *value * alpha / (n * weight) } else { 0.0 };
            }
        }
        becomes
    }
}

/// Columns scaled to a sum of one; a column without mass becomes even.
fn shares(mut weights: Array2<f64>) -> Array2<f64> {
    let n = weights.nrows().max(1) as f64;
    for mut column in weights.columns_mut() {
        let total: f64 = column.sum();
        if total > 0.0 {
            column /= total;
        } else {
            column.fill(1.0 / n);
        }
    }
    weights
}

/// The columns of `values` side by side, `n_columns` times.
pub(super) fn repeated(values: ArrayView2<'_, f64>, n_columns: usize) -> Array2<f64> {
    let each = values.ncols();
    Array2::from_shape_fn((values.nrows(), each * n_columns), |(i, c)| values[[i, c % each]])
}

/// 2.5th and 97.5th percentile of every row of `values` `(n, n_columns)` over the resamples. The first
/// column, which is the course as it is, does not count.
pub(super) fn intervals(values: ArrayView2<'_, f64>) -> (Array1<f64>, Array1<f64>) {
    let of_row = |row: ArrayView1<'_, f64>| {
        let estimate = Estimate::of(&row.to_owned());
        (estimate.lo, estimate.hi)
    };
    let (lo, hi): (Vec<f64>, Vec<f64>) = values.rows().into_iter().map(of_row).unzip();
    (Array1::from(lo), Array1::from(hi))
}
