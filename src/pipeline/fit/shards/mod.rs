//! Coordinates of a course of very many cells, shard by shard.
//!
//! A shard is a fixed number of cells, in the order of the course. Four passes read the cells: values, genes,
//! moments of the selected genes, coordinates. Sums over shards are added in order, so that the result has the same
//! bytes whoever computes a shard. Only one shard of values is in memory at a time, beside those that fit into the
//! memory that is given to them.

mod components;
mod coordinates;
mod genes;
mod stages;
#[cfg(test)]
mod tests;

use std::ops::Range;

use ndarray::Array1;

use crate::data::BLOCK_CELLS;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, MatrixInfo, MatrixSource, StorageFormat};
use crate::pipeline::fit::footprint::Footprint;
use crate::pipeline::fit::growth::Given;
use crate::pipeline::fit::options::{FitOptions, Source};
use crate::pipeline::fit::plan::Plan;
use crate::pipeline::fit::run::Running;
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::pipeline::fit::shards::components::Components;
use crate::pipeline::fit::shards::coordinates::{Placed, coordinates};
use crate::pipeline::fit::shards::genes::{Chosen, Genes};
pub(super) use crate::pipeline::fit::shards::stages::{Stages, are_divided};
use crate::pipeline::shared::component_notes::{names_of_components, say_not_halved, say_share};
use crate::pipeline::shared::coordinates::{Prepared, Recipe, Seen};
use crate::pipeline::shared::counted::{Counted, Scaled, bytes_of, scale_of};
use crate::pipeline::shared::recorder::Within;
use crate::pipeline::shared::unique_names::unique;
use crate::preprocess::Survey;
use crate::progress::Progress;
use crate::rng::Seed;
use crate::share;

/// Number of cells of a shard, a multiple of the cells of a block. Fixed, since sums are rounded shard by shard.
pub(super) const SHARD_CELLS: usize = 49 * BLOCK_CELLS;

/// Most genes that may be selected: components come from the Gram matrix of the genes.
const MOST_GENES: usize = 4_000;

/// The shards of the selected cells of a matrix.
pub(super) struct Shards<'p> {
    /// The file, or the files of the course.
    file: &'p H5ad,
    /// The matrix.
    source: MatrixSource,
    /// The selected rows of the file.
    rows: &'p [usize],
    /// Number of cells of each shard but the last.
    size: usize,
    /// Most bytes of a matrix that is read at once.
    most: f64,
    /// Most bytes of used genes that are held for the next pass.
    held: f64,
    /// All values, where one process reads all shards and they fit.
    whole: Option<Counted<'p>>,
}

impl<'p> Shards<'p> {
    /// The shards of `size` cells of the matrix that a fit reads; `None` if the fit does not work by shards: few
    /// cells, an embedding, storage by columns, or components of too many genes.
    ///
    /// # Errors
    /// As [`H5ad::matrix_info`].
    pub(super) fn of(plan: &'p Plan, running: Running, size: usize) -> Result<Option<Self>> {
        let Plan { file, options, selection, .. } = plan;
        if selection.rows.len() <= size || matches!(options.source, Source::Rep(_)) {
            return Ok(None);
        }
        let source = matrix_source(&options.source);
        let info = file.matrix_info(&source)?;
        if !is_by_shards(&info, options) {
            return Ok(None);
        }
        let (most, held) = (running.whole_bytes(), running.held_bytes());
        let rows = selection.rows.as_slice();
        Ok(Some(Self { file, source, rows, size, most, held, whole: None }))
    }

    /// Number of shards.
    pub(super) fn n(&self) -> usize {
        self.rows.len().div_ceil(self.size)
    }

    /// The places of the cells of shard `k` among the selected cells.
    pub(super) fn cells(&self, k: usize) -> Range<usize> {
        k * self.size..self.rows.len().min((k + 1) * self.size)
    }

    /// Reads all values at once, if one process reads all shards and they fit.
    ///
    /// # Errors
    /// Those of reading; [`Error::Cancelled`].
    fn hold(&mut self, progress: &mut dyn Progress) -> Result<()> {
        let bytes = bytes_of(&self.file.matrix_info(&self.source)?, self.rows.len());
        if progress.sharing().is_none() && bytes <= self.most {
            let whole = Counted::read(self.file, &self.source, self.rows, self.most, progress)?;
            self.whole = Some(whole);
        }
        Ok(())
    }

    /// The values of shard `k`.
    ///
    /// # Errors
    /// Those of reading; [`Error::Cancelled`].
    fn read(&self, k: usize, progress: &mut dyn Progress) -> Result<Counted<'p>> {
        let cells = self.cells(k);
        if let Some(Counted::Whole(matrix)) = &self.whole {
            return Ok(Counted::Whole(matrix.select_cells(&cells.collect::<Vec<_>>())));
        }
        Counted::read(self.file, &self.source, &self.rows[cells], self.most, progress)
    }

    /// A receiver that puts the number of shard `k` before every text.
    fn within<'a>(&self, k: usize, inner: &'a mut dyn Progress) -> Within<'a> {
        Within { inner, place: format!("shard {} of {}", k + 1, self.n()) }
    }

    /// An error in shard `k`, with the place of the cell among all selected cells.
    fn placed(&self, k: usize, error: Error) -> Error {
        let start = self.cells(k).start;
        match error {
            Error::Negative { step, cell, gene, got } => {
                Error::Negative { step, cell: start + cell, gene, got }
            }
            Error::Overflows { step, got, cell, gene } => {
                let cell = cell.parse::<usize>().map_or(cell, |cell| (start + cell).to_string());
                Error::Overflows { step, got, cell, gene }
            }
            other => other,
        }
    }
}

/// Whether a fit of more cells than a shard has works by shards.
pub(super) fn is_by_shards(info: &MatrixInfo, options: &FitOptions) -> bool {
    let wanted = options.genes.as_ref().map_or(options.n_top_genes, Vec::len);
    let most = wanted.min(info.n_genes);
    info.format != StorageFormat::Csc && most <= MOST_GENES
}

/// The parts of a fit that all stages need.
struct Work<'p> {
    /// The fit.
    plan: &'p Plan,
    /// Its cells.
    shards: Shards<'p>,
    /// Its divisions.
    stages: Stages,
    /// Names of the genes of the matrix.
    genes: Vec<String>,
    /// The limit of memory.
    running: Running,
}

impl Plan {
    /// Reads the values of the selected cells shard by shard and learns their coordinates; also the number of genes
    /// of the matrix. The cells `halved` (increasing) get coordinates from each half of the genes too.
    ///
    /// # Errors
    /// As `Raw::prepare`.
    pub(super) fn prepare_shards(
        &self,
        mut shards: Shards<'_>,
        running: Running,
        halved: Vec<usize>,
        progress: &mut dyn Progress,
    ) -> Result<(usize, Prepared)> {
        let genes = unique(self.file.gene_names(&shards.source)?, progress)?;
        let stages = Stages::of(self, &shards, genes.len());
        share::announce(&stages.all(), progress)?;
        shards.hold(progress)?;
        let (n_genes, seed) = (genes.len(), Seed(self.options.seed));
        let work = Work { plan: self, shards, stages, genes, running };
        let scaled = work.values(progress)?;
        let seen = Seen { negative: !scaled.non_negative, empty: scaled.empty.clone() };
        let Chosen { columns, growth } = work.genes(&scaled, progress)?;
        let growth = match &self.growth {
            Given::Rates(rates) => Some(rates.clone()),
            Given::Nothing | Given::Genes(_) | Given::Auto(_) => growth,
        };
        let mut components = Components::new(&work, &scaled, columns.as_deref(), seed);
        let (pca, scree) = components.learn(progress)?;
        let is_asked = !halved.is_empty();
        let Placed { points, halves } =
            coordinates(&mut components, &pca, &halved, seed, progress)?;
        if is_asked && halves.is_none() {
            say_not_halved(pca.n_genes(), &self.options, progress)?;
        }
        say_share(&pca, progress)?;
        let names = match &columns {
            None => work.genes.clone(),
            Some(columns) => columns.iter().map(|&column| work.genes[column].clone()).collect(),
        };
        let dimensions = names_of_components(pca.n_pcs());
        let recipe = Recipe::of(&scaled.scale, columns, pca);
        let prepared =
            Prepared { points, dimensions, genes: names, growth, recipe, scree, halves, seen };
        Ok((n_genes, prepared))
    }
}

impl Work<'_> {
    /// The log scale of all cells.
    ///
    /// # Errors
    /// Those of reading; [`Error::Cancelled`].
    fn values(&self, progress: &mut dyn Progress) -> Result<Scaled> {
        let (shards, n_all) = (&self.shards, self.shards.rows.len());
        let found = share::divided(&self.stages.values, progress, &mut |range, progress| {
            let survey = |k: usize| {
                let progress = &mut shards.within(k, progress);
                let cells = shards.read(k, progress)?;
                Survey::of(cells.blocks(), shards.cells(k), n_all, progress)
            };
            range.map(survey).collect()
        })?;
        let is_whole = |(k, part): (usize, &Survey)| part.depths.0.len() == shards.cells(k).len();
        if !found.iter().enumerate().all(is_whole) {
            return Err(unfit("values of other cells"));
        }
        let joined = found.into_iter().reduce(|mut all, next| {
            all.join(next);
            all
        });
        let Some(survey) = joined else { return Err(Error::Cancelled) };
        let (detected, depths) = (survey.detected(), Array1::from(survey.depths.0));
        scale_of(&detected, depths, &self.plan.options, progress)
    }

    /// The genes that are used, and the growth of each cell.
    ///
    /// # Errors
    /// Those of reading and of gene selection; [`Error::Cancelled`].
    fn genes(&self, scaled: &Scaled, progress: &mut dyn Progress) -> Result<Chosen> {
        let mut genes = Genes::new(self, scaled, progress)?;
        match &self.stages.genes {
            Some([parts, whole]) => genes.divided([parts, whole], progress),
            None => Ok(genes.unread()),
        }
    }

    /// Refuses a fit whose values and components take more memory than it may. A cell has `stored` values of the
    /// `n_used` genes that are used.
    ///
    /// # Errors
    /// [`Error::Memory`].
    fn check_memory(&self, n_used: f64, stored: f64) -> Result<()> {
        let Some(memory) = self.running.memory else { return Ok(()) };
        let info = self.plan.file.matrix_info(&self.shards.source)?;
        let footprint = Footprint {
            used: (n_used, stored),
            dims: self.plan.options.n_pcs.most() as f64,
            ..footprint(&self.plan.selection, &info, self.plan.file.n_cells(), self.running)
        };
        let held = self.plan.options.solver.memory();
        Footprint { held, ..footprint }.check(Some(memory))
    }
}

/// The sizes of a fit by shards that are known before genes are selected.
pub(super) fn footprint(
    selection: &Selection,
    info: &MatrixInfo,
    cells_of_file: usize,
    running: Running,
) -> Footprint {
    let (n_cells, most) = (selection.rows.len(), running.whole_bytes());
    let bytes = bytes_of(info, n_cells);
    let shard = bytes_of(info, SHARD_CELLS.min(n_cells));
    Footprint {
        genes: info.n_genes as f64,
        stored: info.n_stored as f64 / info.n_cells.max(1) as f64,
        whole: if bytes <= most { bytes + shard } else { shard.min(most) },
        dense: info.format == StorageFormat::Dense,
        by_shards: Some(running.held_bytes()),
        ..Footprint::of_embedding(selection, cells_of_file, 0.0)
    }
}

/// The error for a result that has not the size of its part.
fn unfit(why: &str) -> Error {
    Error::Numerical { what: "reading a part of a computation", why: why.to_string() }
}

/// `numbers`, repeated until there are `n`. Where some shards are tried before others are computed, their cells stand
/// for those of all shards.
fn cycled(numbers: impl IntoIterator<Item = f64>, n: usize) -> Vec<f64> {
    let mut all: Vec<f64> = numbers.into_iter().collect();
    let known = all.len();
    if 0 < known && known < n {
        all.reserve_exact(n - known);
        (known..n).for_each(|i| all.push(all[i - known]));
    }
    all
}
