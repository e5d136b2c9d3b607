//! Resampled courses: the couplings of a course under bootstrap weights of its cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::error::Result;
use crate::lineage::bootstrap::shares;
use crate::lineage::{Bootstrap, Lineage};
use crate::metrics::{Drawn, Estimate};
use crate::progress::{Event, Progress, report};
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
/// use sbcell::{Epsilon, Seed, Silent, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// let resampled = Resampled::new(&lineage, None, 10, Seed(0), &mut Silent)?;
/// // The original course and ten resamples; weights of each sum to one.
/// assert_eq!(resampled.weights(0).dim(), (2, 11));
/// assert!((resampled.weights(0).column(3).sum() - 1.0).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Resampled<'a> {
    lineage: &'a Lineage,
    /// The draws, of these times and perhaps others.
    bootstrap: Bootstrap,
    /// Places of the times of `lineage` among those of `bootstrap`.
    places: Vec<usize>,
    /// Weights of the cells of each time, `(n, n_columns)`.
    weights: Vec<Array2<f64>>,
    /// Scalings of rows and columns of the coupling of each interval.
    scalings: Vec<(Array2<f64>, Array2<f64>)>,
}

impl<'a> Resampled<'a> {
    /// Draws `n_resamples` resamples of the cells of each time. If `batches` are given (one for each
    /// cell, time after time), whole batches are drawn, the same ones at all times.
    ///
    /// Time of 10 to 100 iterations for each interval, each of two products of the coupling with
    /// `n_resamples` vectors: for 4000 × 4000 cells and 100 resamples 6.4·10⁹ flops in single
    /// precision. Memory: 4 bytes for each pair of one interval, at most 512 MB, and about 200 bytes
    /// for each cell of one interval and each of at most 128 resamples.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if there is not one batch for each cell;
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn new(
        lineage: &'a Lineage,
        batches: Option<&[Vec<String>]>,
        n_resamples: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let sizes = (0..lineage.times().len()).map(|k| lineage.n_cells(k)).collect();
        let bootstrap = Bootstrap::new(sizes, batches, n_resamples, seed)?;
        let places: Vec<usize> = (0..lineage.times().len()).collect();
        Self::of(lineage, &bootstrap, &places, progress)
    }

    /// The couplings of some times of a course, at `places`, under resamples of its cells. Time and memory as
    /// [`Resampled::new`].
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn of(
        lineage: &'a Lineage,
        bootstrap: &Bootstrap,
        places: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let what = "resampling the cells".to_string();
        report(progress, Event::Begin { what, total: PARTS })?;
        let weights = bootstrap.weights(places);
        let pairs: Vec<f64> = lineage
            .links()
            .iter()
            .map(|link| link.shape().0 as f64 * link.shape().1 as f64)
            .collect();
        let all: f64 = pairs.iter().sum();
        let mut before = 0.0;
        let mut scalings = Vec::with_capacity(lineage.links().len());
        for (k, link) in lineage.links().iter().enumerate() {
            let mut step = |share: f64| {
                let done = PARTS as f64 * (before + share * pairs[k]) / all;
                report(progress, Event::Step { done: done as u64 })
            };
            let (own, arrived) = link.marginals();
            let source = shares(&weights[k] * &own.insert_axis(Axis(1)));
            let ends = &weights[lineage.end_of(k)];
            let target = shares(ends * &arrived.insert_axis(Axis(1)));
            // The course as it is has the marginals of the coupling.
            let mut alpha = Array2::from_elem(source.dim(), 1.0 / own.sum());
            let mut beta = Array2::ones(target.dim());
            if bootstrap.n_columns() > 1 {
                let drawn = s![.., 1..];
                let scaled = link.scaled_to(source.slice(drawn), target.slice(drawn), &mut step)?;
                alpha.slice_mut(drawn).assign(&scaled.0);
                beta.slice_mut(drawn).assign(&scaled.1);
            }
            scalings.push((alpha, beta));
            before += pairs[k];
        }
        report(progress, Event::End)?;
        let (bootstrap, places) = (bootstrap.clone(), places.to_vec());
        Ok(Self { lineage, bootstrap, places, weights, scalings })
    }

    /// The course as it is.
    pub fn lineage(&self) -> &'a Lineage {
        self.lineage
    }

    /// The draws of the cells. Its times can be more than those of the couplings.
    pub fn bootstrap(&self) -> &Bootstrap {
        &self.bootstrap
    }

    /// Number of columns: the number of resamples plus one.
    pub fn n_columns(&self) -> usize {
        self.weights[0].ncols()
    }

    /// Number of units (cells or batches) that are resampled among the cells i at place `k` with
    /// `is_asked(i)`.
    pub fn drawn(&self, k: usize, is_asked: impl Fn(usize) -> bool) -> Drawn {
        self.bootstrap.drawn(self.places[k], is_asked)
    }

    /// Whether the times of all `places` have enough cells or batches for an interval.
    pub fn is_enough(&self, places: impl IntoIterator<Item = usize>) -> bool {
        places.into_iter().all(|k| self.drawn(k, |_| true).is_enough())
    }

    /// Weights of the cells at place `k`, `(n, n_columns)`. Columns sum to one.
    pub fn weights(&self, k: usize) -> ArrayView2<'_, f64> {
        self.weights[k].view()
    }

    /// Scalings of rows and columns of the coupling of coupling `k`, `(n, n_columns)` and `(m, n_columns)`.
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
        let becomes = self.becomes(k, values, &mut || Ok(()))?;
        Ok(self.weighed(k, becomes))
    }

    /// As [`Resampled::expect`], but without a factor for each cell and resample. The result is also
    /// defined for cells that a resample has not drawn; only the shares within a row are meaningful.
    /// `step` is called after each of [`Resampled::n_steps`] steps.
    ///
    /// # Errors
    /// As [`Lineage::expect`]; those of `step`.
    pub(super) fn becomes(
        &self,
        k: usize,
        mut values: Array2<f64>,
        step: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Array2<f64>> {
        let beta = &self.scalings[k].1;
        let each = values.ncols() / self.n_columns();
        for (mut row, beta) in values.rows_mut().into_iter().zip(beta.rows()) {
            for (mut values, beta) in row.exact_chunks_mut(each).into_iter().zip(beta) {
                values *= *beta;
            }
        }
        let mut becomes = Array2::zeros((self.lineage.n_cells(k), values.ncols()));
        let parts = values.axis_chunks_iter(Axis(1), STEP);
        for (part, mut out) in parts.zip(becomes.axis_chunks_iter_mut(Axis(1), STEP)) {
            out.assign(&self.lineage.expect(k, part)?);
            step()?;
        }
        Ok(becomes)
    }

    /// Number of steps of an expectation over one coupling with `each` columns for each resample.
    pub(super) fn n_steps(&self, each: usize) -> u64 {
        (each * self.n_columns()).div_ceil(STEP) as u64
    }

    /// [`Resampled::expect`] from the result of [`Resampled::becomes`].
    pub(super) fn weighed(&self, k: usize, mut becomes: Array2<f64>) -> Array2<f64> {
        let (alpha, weights) = (&self.scalings[k].0, &self.weights[k]);
        let (each, n) = (becomes.ncols() / self.n_columns(), becomes.nrows() as f64);
        let cells = becomes.rows_mut().into_iter().zip(alpha.rows()).zip(weights.rows());
        for ((mut row, alpha), weights) in cells {
            let resamples = row.exact_chunks_mut(each).into_iter().zip(alpha).zip(weights);
            for ((mut values, alpha), weight) in resamples {
                let factor = alpha / (n * weight);
                values.mapv_inplace(|value| if *weight > 0.0 { value * factor } else { 0.0 });
            }
        }
        becomes
    }
}

/// Units of the progress of the scalings of a course.
const PARTS: u64 = 1000;

/// Columns of one step of an expectation.
const STEP: usize = 128;

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
    let rows: Vec<ArrayView1<'_, f64>> = values.rows().into_iter().collect();
    let (lo, hi): (Vec<f64>, Vec<f64>) = rows.into_par_iter().map(of_row).unzip();
    (Array1::from(lo), Array1::from(hi))
}
