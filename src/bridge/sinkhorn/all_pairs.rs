//! An entropic coupling between all pairs of cells, for products and draws, without its matrix.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::Coupling;
use crate::bridge::sinkhorn::clones::CloneCost;
use crate::bridge::sinkhorn::kernel::{DenseKernel, flat};
use crate::bridge::sinkhorn::pairs::coupling;
use crate::bridge::sinkhorn::sides::{Both, Kernel, Side};
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::linalg::{exp_block, product_nt};
use crate::rng::Seed;

/// The coupling `exp(a_i + b_j − ½‖x_i − y_j‖²/ε)` between source cells x and target cells y.
///
/// A product with k vectors is one pass: `2 (d + k)` flops and an exponential for each pair, and
/// memory for one block on each thread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AllPairs {
    /// Centred source cells, n × d.
    source: Array2<f64>,
    /// Centred target cells, m × d.
    target: Array2<f64>,
    /// ε of the coupling.
    epsilon: f64,
    /// The logarithms a and b.
    logs: Both,
    /// The cost of leaving one's clone, which is added to the cost of a pair.
    clones: Option<CloneCost>,
}

impl AllPairs {
    /// From centred cells and the logarithms a and b of the factors.
    pub(super) fn new(
        source: Array2<f64>,
        target: Array2<f64>,
        epsilon: Epsilon,
        logs: Both,
    ) -> Self {
        Self { source, target, epsilon: epsilon.value(), logs, clones: None }
    }

    /// With a cost for leaving one's clone.
    pub(super) fn with_clones(self, clones: CloneCost) -> Self {
        Self { clones: Some(clones), ..self }
    }

    /// Number of source cells and number of target cells.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.source.nrows(), self.target.nrows())
    }

    /// The logarithms a and b.
    pub(super) fn logs(&self) -> &Both {
        &self.logs
    }

    /// The kernel of these cells.
    pub(super) fn kernel(&self) -> DenseKernel<'_> {
        DenseKernel::points(self.source.view(), self.target.view(), self.epsilon)
            .with_clones(self.clones.as_ref(), self.epsilon)
    }

    /// `T V` for `values` V (n_target × k); n_source × k.
    pub(crate) fn times(&self, values: ArrayView2<'_, f64>) -> Array2<f64> {
        self.kernel().means(Side::Source, &self.logs, values)
    }

    /// `Tᵀ U` for `values` U (n_source × k); n_target × k.
    pub(crate) fn transposed_times(&self, values: ArrayView2<'_, f64>) -> Array2<f64> {
        self.kernel().means(Side::Target, &self.logs, values)
    }

    /// `Σ_j T_ij ln T_ij` of each source cell.
    pub(crate) fn log_moments(&self) -> Array1<f64> {
        let kernel = self.kernel();
        let own = kernel.with_norms(Side::Source, &self.logs.source);
        let other = kernel.with_norms(Side::Target, &self.logs.target);
        if self.clones.is_some() {
            return sums_of(&kernel, &own, &other, |_, t| t * t.ln());
        }
        let dim = self.source.ncols();
        let mut values = Array2::ones((self.target.nrows(), dim + 2));
        values.slice_mut(s![.., 2..]).assign(&self.target);
        for (value, log) in values.column_mut(1).iter_mut().zip(&other) {
            // A cell without mass does not contribute.
            *value = if log.is_finite() { *log } else { 0.0 };
        }
        let sums = kernel.means(Side::Source, &self.logs, values.view());
        let of_row = |i: usize| {
            let row = sums.row(i);
            let log = if own[i].is_finite() { own[i] } else { 0.0 };
            row[0] * log + row[1] + self.source.row(i).dot(&row.slice(s![2..])) / self.epsilon
        };
        (0..own.len()).map(of_row).collect()
    }

    /// `Σ_j T_ij²` of each source cell over the `marked` target cells.
    pub(crate) fn squares(&self, marked: &[bool]) -> Array1<f64> {
        let kernel = self.kernel();
        let own = kernel.with_norms(Side::Source, &self.logs.source);
        let other = kernel.with_norms(Side::Target, &self.logs.target);
        sums_of(&kernel, &own, &other, |j, t| if marked[j] { t * t } else { 0.0 })
    }

    /// For each source cell the mass of its pairs that are further apart than `reach`. `x`
    /// (n_source × d) and `y` (n_target × d) are the cells before centring.
    pub(crate) fn mass_beyond(
        &self,
        reach: f64,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
    ) -> Array1<f64> {
        let kernel = self.kernel();
        let own = kernel.with_norms(Side::Source, &self.logs.source);
        let other = kernel.with_norms(Side::Target, &self.logs.target);
        let squares = |points: ArrayView2<'_, f64>| points.map_axis(Axis(1), |row| row.dot(&row));
        let (x2, y2) = (squares(x), squares(y));
        let chunks = kernel.in_chunks(Side::Source, |rows, blocks| {
            let mut sums = vec![0.0; rows.len()];
            let x = x.slice(s![rows.clone(), ..]);
            blocks.visit(|columns, block| {
                let products = product_nt(x, y.slice(s![columns.clone(), ..]));
                exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
                for ((r, c), mass) in block.indexed_iter() {
                    let square = x2[rows.start + r] + y2[columns.start + c];
                    if square - 2.0 * products[[r, c]] > reach * reach {
                        sums[r] += mass;
                    }
                }
            });
            sums
        });
        Array1::from(chunks.concat())
    }

    /// The pairs whose mass is at least `least` times `1/n_source`; 40 bytes for each pair.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if no pair has this mass.
    pub(crate) fn coupling(&self, least: f64) -> Result<Coupling> {
        coupling(&self.kernel(), &self.logs, least)
    }

    /// The same coupling with source and target exchanged.
    pub(crate) fn transposed(&self) -> Self {
        let Self { source, target, epsilon, logs, clones } = self;
        let logs = Both { source: logs.target.clone(), target: logs.source.clone() };
        let clones = clones.as_ref().map(CloneCost::transposed);
        Self { source: target.clone(), target: source.clone(), epsilon: *epsilon, logs, clones }
    }

    /// Draws a target cell for each of `rows` (source cells, in any order and number), with
    /// probabilities proportional to `T_ij weights_j`.
    pub(crate) fn draw(
        &self,
        rows: &[usize],
        weights: ArrayView1<'_, f64>,
        seed: Seed,
    ) -> Vec<usize> {
        let points = self.source.select(Axis(0), rows);
        let clones = self.clones.as_ref().map(|clones| clones.select(rows));
        let kernel = DenseKernel::points(points.view(), self.target.view(), self.epsilon)
            .with_clones(clones.as_ref(), self.epsilon);
        let target: Vec<f64> =
            self.logs.target.iter().zip(weights).map(|(log, weight)| log + weight.ln()).collect();
        // With these logarithms the rows of the weighted coupling sum to one.
        let sums = kernel.log_sums(Side::Source, &target);
        let source = sums.into_iter().map(|sum| -sum).collect();
        let mut stream = seed.stream("link/draw", 0);
        let levels: Vec<f64> = rows.iter().map(|_| StandardUniform.sample(&mut stream)).collect();
        kernel.choose(&Both { source, target }, &levels)
    }
}

/// `Σ_j f(j, T_ij)` over the pairs with mass of each source cell. `own` and `other` are the logarithms with the
/// parts of single cells.
fn sums_of(
    kernel: &DenseKernel<'_>,
    own: &[f64],
    other: &[f64],
    f: impl Fn(usize, f64) -> f64 + Sync,
) -> Array1<f64> {
    let chunks = kernel.in_chunks(Side::Source, |rows, blocks| {
        let mut sums = vec![0.0; rows.len()];
        blocks.visit(|columns, block| {
            exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
            for (sum, row) in sums.iter_mut().zip(block.rows()) {
                let pairs = columns.clone().zip(row).filter(|(_, t)| **t > 0.0);
                *sum += pairs.map(|(j, t)| f(j, *t)).sum::<f64>();
            }
        });
        sums
    });
    Array1::from(chunks.concat())
}
