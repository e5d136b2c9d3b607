//! Principal components from the moments of shards.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::pipeline::fit::shards::{Work, unfit};
use crate::pipeline::shared::counted::Scaled;
use crate::preprocess::{Moments, Pca, PcaSolver, Scree};
use crate::progress::Progress;
use crate::rng::Seed;
use crate::share::{self, Packed, Summed};

/// The genes that are used, on the log scale, and their moments.
pub(super) struct Components<'w> {
    /// The fit with its shards.
    pub(super) work: &'w Work<'w>,
    /// The way of all cells to a log scale.
    scaled: &'w Scaled,
    /// Columns of the genes; `None` for all.
    columns: Option<&'w [usize]>,
    /// Whether this process reads all shards in both passes.
    holds: bool,
    /// Values of the first shards, for the next pass.
    held: Vec<Matrix>,
    /// Bytes of these values.
    n_held: f64,
    /// The moments of the shards so far.
    moments: Option<Moments>,
    /// The seed of the first vectors of Lanczos.
    seed: Seed,
}

/// Components as they are written.
#[derive(Serialize, Deserialize)]
pub(super) struct Learnt {
    /// Number of components.
    n_pcs: usize,
    /// The mean of each gene.
    mean: Packed<f64>,
    /// The loadings, gene by gene.
    loadings: Packed<f64>,
    /// The variance along each component.
    explained: Packed<f64>,
    /// One number: the variance of all genes.
    total: Packed<f64>,
    /// The eigenvalues of the correlation matrix, then the noise edge.
    scree: Option<Packed<f64>>,
}

impl<'w> Components<'w> {
    /// No shards yet.
    pub(super) fn new(
        work: &'w Work<'w>,
        scaled: &'w Scaled,
        columns: Option<&'w [usize]>,
        seed: Seed,
    ) -> Self {
        Self {
            work,
            scaled,
            columns,
            holds: false,
            held: Vec::new(),
            n_held: 0.0,
            moments: None,
            seed,
        }
    }

    /// The components of all cells, with the choice of their number.
    ///
    /// # Errors
    /// Those of reading and of [`PcaSolver::fit`]; [`Error::Memory`]; [`Error::Cancelled`].
    pub(super) fn learn(&mut self, progress: &mut dyn Progress) -> Result<(Pca, Option<Scree>)> {
        self.holds = progress.sharing().is_none();
        let n_used = self.columns.map_or(self.work.genes.len(), <[usize]>::len);
        self.work.check_memory(n_used as f64, 0.0)?;
        let [parts, whole] = &self.work.stages.components;
        let learnt = share::summed(self, [parts, whole], progress)?;
        self.moments = None;
        if learnt.mean.0.len() != n_used {
            return Err(unfit("components of other genes"));
        }
        learnt.components()
    }

    /// The used genes of shard `k` on the log scale.
    ///
    /// # Errors
    /// Those of reading; [`Error::Memory`]; [`Error::Cancelled`].
    pub(super) fn values(&mut self, k: usize, progress: &mut dyn Progress) -> Result<Matrix> {
        if let Some(matrix) = self.held.get_mut(k) {
            return Ok(std::mem::replace(matrix, Matrix::Dense(Array2::zeros((0, 0)))));
        }
        let shards = &self.work.shards;
        let cells = shards.read(k, progress)?;
        let scale = self.scaled.scale.of_cells(shards.cells(k));
        let kept = cells.keep(&scale, self.columns, progress);
        let matrix = kept.map_err(|error| shards.placed(k, error))?;
        let stored = bytes(&matrix) / 8.0 / matrix.n_cells().max(1) as f64;
        self.work.check_memory(matrix.n_genes() as f64, stored)?;
        Ok(matrix)
    }
}

impl Summed for Components<'_> {
    type Part = Moments;
    type Whole = Learnt;

    fn part(&mut self, k: usize, progress: &mut dyn Progress) -> Result<Moments> {
        let progress = &mut self.work.shards.within(k, progress);
        let matrix = self.values(k, progress)?;
        let moments = Moments::of(&matrix, progress)?;
        self.n_held += bytes(&matrix);
        if self.holds && self.held.len() == k && self.n_held <= self.work.shards.held {
            self.held.push(matrix);
        }
        Ok(moments)
    }

    fn add(&mut self, _k: usize, part: Moments) -> Result<()> {
        match &mut self.moments {
            Some(all) if all.n_genes() != part.n_genes() => {
                return Err(unfit("moments of other genes"));
            }
            Some(all) => all.join(&part),
            none => *none = Some(part),
        }
        Ok(())
    }

    fn whole(&mut self, progress: &mut dyn Progress) -> Result<Learnt> {
        let Some(moments) = &self.moments else { return Err(Error::Cancelled) };
        let n_pcs = self.work.plan.options.n_pcs;
        let solver = PcaSolver { n_pcs: n_pcs.most(), ..PcaSolver::default() };
        let (pca, scree) = solver.fit_moments(moments, n_pcs, self.seed, progress)?;
        Ok(Learnt::of(&pca, scree.as_ref()))
    }
}

impl Learnt {
    /// The components as they are written.
    fn of(pca: &Pca, scree: Option<&Scree>) -> Self {
        let all = |scree: &Scree| {
            Packed(scree.eigenvalues.iter().copied().chain([scree.edge]).collect::<Vec<f64>>())
        };
        Self {
            n_pcs: pca.n_pcs(),
            mean: Packed(pca.mean().to_vec()),
            loadings: Packed(pca.loadings().iter().copied().collect()),
            explained: Packed(pca.explained_variance().to_vec()),
            total: Packed(vec![pca.total_variance()]),
            scree: scree.map(all),
        }
    }

    /// The components with the choice of their number.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Parameter`] for damaged components.
    fn components(self) -> Result<(Pca, Option<Scree>)> {
        let Self { n_pcs, mean, loadings, explained, total, scree } = self;
        let (expected, got) = (mean.0.len() * n_pcs, loadings.0.len());
        let loadings = Array2::from_shape_vec((mean.0.len(), n_pcs), loadings.0)
            .map_err(|_| Error::Shape { what: "the loadings", unit: "numbers", expected, got })?;
        let total = total.0.first().copied().unwrap_or(f64::NAN);
        let pca = Pca::new(mean.0.into(), loadings, explained.0.into(), total)?;
        let scree = scree.and_then(|all| {
            let (edge, eigenvalues) = all.0.split_last()?;
            Some(Scree { eigenvalues: Array1::from(eigenvalues.to_vec()), edge: *edge })
        });
        Ok((pca, scree))
    }
}

/// Bytes of the values of a matrix with their columns.
fn bytes(matrix: &Matrix) -> f64 {
    match matrix {
        Matrix::Dense(x) => 4.0 * x.len() as f64,
        Matrix::Sparse(x) => 8.0 * x.n_stored() as f64,
    }
}
