//! Principal components: coordinates from expression, and expression from coordinates.

mod covariance;
mod moments;
mod moments_of_shards;
mod number;
mod solver;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::data::Matrix;
use crate::error::{Error, Result, shape};
use crate::linalg::{product_nt, product_tn};

pub(crate) use moments_of_shards::Moments;
pub use number::{NPcs, Scree, noise_edge};
pub use solver::{PcaMethod, PcaSolver};

/// Fitted principal components with loadings `W`.
///
/// A cell with expression `x` has the coordinates `z = Wᵀ (x − mean)`. A point `z` has the
/// expression `mean + W z`. Variances have the denominator `n_cells − 1`. In each component the
/// loading of largest size is positive. Source: Pearson 1901; Jolliffe 2002.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::Pca;
///
/// let pca = Pca::new(array![1.0, 5.0], array![[1.0], [0.0]], array![2.0], 3.0)?;
/// let z = pca.transform(&Matrix::Dense(array![[4.0, 6.0]]))?;
/// assert_eq!(z, array![[3.0]]);
/// assert_eq!(pca.inverse(z.view())?, array![[4.0, 5.0]]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    mean: Array1<f64>,
    loadings: Array2<f64>,
    explained_variance: Array1<f64>,
    total_variance: f64,
}

impl Pca {
    /// Principal components with known values, such as those of a file.
    ///
    /// `mean` has an entry for each gene. `loadings` has shape `(n_genes, n_pcs)` and orthonormal
    /// columns. `explained_variance` has a decreasing entry for each component; `total_variance` is
    /// the sum of the variances of all genes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the lengths do not agree; [`Error::Parameter`] if there is no component,
    /// a number is not finite, columns are not orthonormal to 1e-6, variances increase or are
    /// negative, or their sum exceeds `total_variance`.
    pub fn new(
        mean: Array1<f64>,
        loadings: Array2<f64>,
        explained_variance: Array1<f64>,
        total_variance: f64,
    ) -> Result<Self> {
        let (n_genes, n_pcs) = loadings.dim();
        shape::same("the mean", "genes", n_genes, mean.len())?;
        shape::same("the explained variance", "components", n_pcs, explained_variance.len())?;
        let refuse = |name, must, got| Err(Error::Parameter { name, must, got });
        if n_pcs == 0 {
            return refuse("components", "at least one", "none".into());
        }
        let numbers = mean.iter().chain(&loadings).chain(&explained_variance);
        if let Some(bad) = numbers.chain([&total_variance]).find(|number| !number.is_finite()) {
            return refuse("components", "finite", bad.to_string());
        }
        let gram = product_tn(loadings.view(), loadings.view());
        let off = gram.indexed_iter().map(|((i, j), entry)| (entry - f64::from(i == j)).abs());
        let worst = off.fold(0.0, f64::max);
        if worst > 1e-6 {
            return refuse("loadings", "orthonormal", format!("an error of {worst:.1e}"));
        }
        let falls = explained_variance.windows(2).into_iter().all(|pair| pair[1] <= pair[0]);
        let sum = explained_variance.sum();
        if !(falls && 0.0 <= explained_variance[n_pcs - 1] && sum <= total_variance * (1.0 + 1e-6))
        {
            let must = "decreasing, not negative and no more in sum than the total variance";
            return refuse("explained variance", must, format!("{explained_variance}"));
        }
        Ok(Self { mean, loadings, explained_variance, total_variance })
    }

    /// The coordinates `(x − mean) W` of cells, `(n_cells, n_pcs)`.
    ///
    /// `2 n_pcs` flops for each stored value; a sparse matrix remains sparse.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of genes of `x` is not that of the fit.
    pub fn transform(&self, x: &Matrix) -> Result<Array2<f64>> {
        if x.n_genes() != self.n_genes() {
            let (expected, got) = (self.n_genes(), x.n_genes());
            return Err(Error::Shape { what: "the matrix", unit: "genes", expected, got });
        }
        Ok(covariance::scores(x, self.mean.view(), self.loadings.view()))
    }

    /// As [`Pca::transform`] by some of the genes: the part of the coordinates that the genes with
    /// `is_used(gene)` contribute. The parts of disjoint sets of genes sum to the coordinates.
    ///
    /// # Errors
    /// As [`Pca::transform`].
    pub fn transform_by(&self, x: &Matrix, is_used: impl Fn(usize) -> bool) -> Result<Array2<f64>> {
        let mut loadings = self.loadings.clone();
        for (gene, mut row) in loadings.rows_mut().into_iter().enumerate() {
            if !is_used(gene) {
                row.fill(0.0);
            }
        }
        Self { loadings, ..self.clone() }.transform(x)
    }

    /// The expression `mean + W z` of points `z`, `(n_points, n_pcs)`, as `(n_points, n_genes)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of columns of `points` is not that of components.
    pub fn inverse(&self, points: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        if points.ncols() != self.n_pcs() {
            let (expected, got) = (self.n_pcs(), points.ncols());
            return Err(Error::Shape { what: "the points", unit: "columns", expected, got });
        }
        Ok(product_nt(points, self.loadings.view()) + &self.mean)
    }

    /// The first `n_pcs` components, or all if there are fewer. At least one is kept.
    #[must_use]
    pub fn first(&self, n_pcs: usize) -> Self {
        let n = n_pcs.clamp(1, self.n_pcs());
        let columns = ndarray::s![.., ..n];
        Self {
            mean: self.mean.clone(),
            loadings: self.loadings.slice(columns).as_standard_layout().into_owned(),
            explained_variance: self.explained_variance.slice(ndarray::s![..n]).to_owned(),
            total_variance: self.total_variance,
        }
    }

    /// Number of genes.
    pub fn n_genes(&self) -> usize {
        self.loadings.nrows()
    }

    /// Number of components.
    pub fn n_pcs(&self) -> usize {
        self.loadings.ncols()
    }

    /// Mean expression of each gene.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// The loadings `W`, `(n_genes, n_pcs)`, with orthonormal columns.
    pub fn loadings(&self) -> ArrayView2<'_, f64> {
        self.loadings.view()
    }

    /// Variance of the cells along each component, decreasing.
    pub fn explained_variance(&self) -> ArrayView1<'_, f64> {
        self.explained_variance.view()
    }

    /// The share of each component in the total variance.
    pub fn explained_variance_ratio(&self) -> Array1<f64> {
        &self.explained_variance / self.total_variance
    }

    /// The total variance: the sum of the variances of all genes.
    pub fn total_variance(&self) -> f64 {
        self.total_variance
    }
}
