//! Selection of variable genes and growth rates from sums over shards.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::linalg::Csr;
use crate::pipeline::fit::auto_growth::or_off;
use crate::pipeline::fit::growth::{Given, columns_of, from_genes};
use crate::pipeline::fit::shards::stages::growth_genes;
use crate::pipeline::fit::shards::{Work, cycled, unfit};
use crate::pipeline::shared::chosen_genes::{Choice, known_choice, say_variable};
use crate::pipeline::shared::counted::{Counted, Scaled};
use crate::preprocess::{GeneSelector, GeneSums, overflow};
use crate::progress::Progress;
use crate::share::{self, Division, Packed, Summed};

/// The genes that are used, and the growth of each cell.
pub(super) struct Chosen {
    /// Columns of the genes, increasing; `None` for all.
    pub(super) columns: Option<Vec<usize>>,
    /// Growth rate of each cell, if genes give it.
    pub(super) growth: Option<Array1<f64>>,
}

/// Sums over shards for each gene.
pub(super) struct Genes<'w> {
    /// The fit with its shards.
    work: &'w Work<'w>,
    /// The way of all cells to a log scale.
    scaled: &'w Scaled,
    /// The genes that are used, if sums need not decide.
    choice: Choice,
    /// The sums over the shards so far, if variable genes are selected.
    sums: Option<GeneSums>,
    /// The values of the genes of growth in all cells so far; `None` before the first, and once a shard has none.
    growth: Option<Matrix>,
    /// Number of shards so far.
    n_added: usize,
}

/// The sums of a shard.
#[derive(Serialize, Deserialize)]
pub(super) struct OfShard {
    /// The sums over its cells, if variable genes are selected.
    sums: Option<GeneSums>,
    /// The values of the genes of growth in its cells.
    growth: Option<Values>,
}

/// The result of all shards.
#[derive(Serialize, Deserialize)]
pub(super) struct OfAll {
    /// Columns of the genes that are used; `None` for all.
    columns: Option<Vec<usize>>,
    /// Growth rate of each cell.
    growth: Option<Packed<f64>>,
}

impl<'w> Genes<'w> {
    /// No shards yet.
    ///
    /// # Errors
    /// Those of [`known_choice`].
    pub(super) fn new(
        work: &'w Work<'w>,
        scaled: &'w Scaled,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let choice = known_choice(&work.genes, scaled, &work.plan.options, progress)?;
        Ok(Self { work, scaled, choice, sums: None, growth: None, n_added: 0 })
    }

    /// The result if no shard has to be read.
    pub(super) fn unread(self) -> Chosen {
        Chosen { columns: self.choice.columns(), growth: None }
    }

    /// The result of all shards.
    ///
    /// # Errors
    /// Those of reading and of gene selection; [`Error::Cancelled`].
    pub(super) fn divided(
        &mut self,
        divisions: [&Division; 2],
        progress: &mut dyn Progress,
    ) -> Result<Chosen> {
        let OfAll { columns, growth } = share::summed(self, divisions, progress)?;
        let n_cells = self.work.shards.rows.len();
        if growth.as_ref().is_some_and(|rates| rates.0.len() != n_cells) {
            return Err(unfit("growth of other cells"));
        }
        let n_genes = self.work.genes.len();
        let is_wrong = |columns: &Vec<usize>| {
            columns.iter().any(|column| *column >= n_genes)
                || columns.windows(2).any(|pair| pair[1] <= pair[0])
        };
        if columns.as_ref().is_some_and(is_wrong) {
            return Err(unfit("genes that the matrix does not have"));
        }
        Ok(Chosen { columns, growth: growth.map(|rates| rates.0.into()) })
    }

    /// The values of the genes of growth in shard `k`. `None` without them, and with a note if they cannot be read
    /// and nobody asked for growth.
    ///
    /// # Errors
    /// Those of reading; [`Error::Cancelled`].
    fn growth_of(
        &self,
        k: usize,
        cells: &Counted<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Values>> {
        let growth = &self.work.plan.growth;
        let Some(sets) = growth_genes(growth) else { return Ok(None) };
        let scale = self.scaled.scale.of_cells(self.work.shards.cells(k));
        let kept = scale.keep(cells.blocks(), Some(&columns_of(sets).0), progress);
        let kept = kept.map_err(|error| self.work.shards.placed(k, error));
        let values = kept.map(|matrix| Some(Values::of(&matrix)));
        if matches!(growth, Given::Auto(_)) { or_off(values, progress) } else { values }
    }

    /// The growth rate of each cell, from the values in all shards.
    ///
    /// # Errors
    /// Those of the scores, if somebody asked for growth; [`Error::Cancelled`].
    fn rates(&mut self, progress: &mut dyn Progress) -> Result<Option<Packed<f64>>> {
        let (plan, n_cells) = (self.work.plan, self.work.shards.rows.len());
        let (Some(sets), Some(values)) = (growth_genes(&plan.growth), self.growth.take()) else {
            return Ok(None);
        };
        let rates = from_genes(&values, &columns_of(sets).1, plan.selection.axis.unit);
        let rates = rates.map(|rates| Some(Packed(cycled(rates.iter().copied(), n_cells))));
        if matches!(plan.growth, Given::Auto(_)) { or_off(rates, progress) } else { rates }
    }
}

impl Summed for Genes<'_> {
    type Part = OfShard;
    type Whole = OfAll;

    fn part(&mut self, k: usize, progress: &mut dyn Progress) -> Result<OfShard> {
        let Work { shards, .. } = self.work;
        let progress = &mut shards.within(k, progress);
        let cells = shards.read(k, progress)?;
        let growth = self.growth_of(k, &cells, progress)?;
        let sums = match &self.choice {
            Choice::Known(_) => None,
            Choice::Variable => {
                let scale = self.scaled.scale.of_cells(shards.cells(k));
                let sums = GeneSums::of(cells.blocks(), &scale, progress)
                    .map_err(|error| shards.placed(k, error))?;
                if let Some(gene) = sums.overflown() {
                    let error = overflow(cells.blocks(), &scale, gene, progress)?;
                    return Err(shards.placed(k, error));
                }
                Some(sums)
            }
        };
        Ok(OfShard { sums, growth })
    }

    fn add(&mut self, _k: usize, part: OfShard) -> Result<()> {
        match (&mut self.sums, part.sums) {
            (Some(all), Some(sums)) => all.add(&sums),
            (all, sums) => *all = all.take().or(sums),
        }
        let below = part.growth.map(Values::matrix).transpose()?;
        self.growth = match (self.growth.take(), below) {
            (Some(all), Some(below)) if all.n_genes() != below.n_genes() => {
                return Err(unfit("growth of other genes"));
            }
            (Some(mut all), Some(below)) => {
                all.append(below);
                Some(all)
            }
            (None, below) if self.n_added == 0 => below,
            _ => None,
        };
        self.n_added += 1;
        Ok(())
    }

    fn whole(&mut self, progress: &mut dyn Progress) -> Result<OfAll> {
        let growth = self.rates(progress)?;
        let columns = match (&self.choice, &self.sums) {
            (Choice::Variable, Some(sums)) => {
                let selector = GeneSelector {
                    n_genes: self.work.plan.options.n_top_genes,
                    ..GeneSelector::default()
                };
                let n_all = self.work.genes.len();
                say_variable(selector.select_by(sums)?, n_all, progress)?
            }
            (choice, _) => choice.columns(),
        };
        Ok(OfAll { columns, growth })
    }
}

/// The values of some genes in some cells.
#[derive(Serialize, Deserialize)]
enum Values {
    /// All values, cell by cell.
    Dense {
        /// Number of genes.
        n_genes: usize,
        /// The values.
        values: Packed<f32>,
    },
    /// The stored values, cell by cell.
    Sparse {
        /// Number of genes.
        n_genes: usize,
        /// Number of stored values of each cell.
        lengths: Packed<u32>,
        /// The gene of each value.
        genes: Packed<u32>,
        /// The values.
        values: Packed<f32>,
    },
}

impl Values {
    /// A copy of a matrix.
    fn of(matrix: &Matrix) -> Self {
        let n_genes = matrix.n_genes();
        match matrix {
            Matrix::Dense(x) => {
                Self::Dense { n_genes, values: Packed(x.iter().copied().collect()) }
            }
            Matrix::Sparse(x) => {
                let rows = || (0..x.n_rows()).map(|i| x.row(i));
                Self::Sparse {
                    n_genes,
                    lengths: Packed(rows().map(|row| row.0.len() as u32).collect()),
                    genes: Packed(rows().flat_map(|row| row.0.iter().copied()).collect()),
                    values: Packed(x.values().to_vec()),
                }
            }
        }
    }

    /// The matrix again.
    ///
    /// # Errors
    /// [`Error::SparseStructure`] or [`Error::Shape`] for damaged values.
    fn matrix(self) -> Result<Matrix> {
        match self {
            Self::Dense { n_genes, values } => {
                let (expected, got) = (values.0.len() / n_genes.max(1), values.0.len());
                Array2::from_shape_vec((expected, n_genes), values.0)
                    .map(Matrix::Dense)
                    .map_err(|_| Error::Shape { what: "the matrix", unit: "values", expected, got })
            }
            Self::Sparse { n_genes, lengths, genes, values } => {
                let mut indptr = Vec::with_capacity(lengths.0.len() + 1);
                indptr.push(0);
                let mut end = 0;
                indptr.extend(lengths.0.iter().map(|length| {
                    end += *length as usize;
                    end
                }));
                Csr::new(n_genes, indptr, genes.0, values.0).map(Matrix::Sparse)
            }
        }
    }
}
