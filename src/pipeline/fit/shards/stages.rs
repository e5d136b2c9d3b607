//! The divisions of a fit by shards, in their order.

use crate::bridge::Solver;
use crate::pipeline::fit::growth::Given;
use crate::pipeline::fit::intervals;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::plan::Plan;
use crate::pipeline::fit::route::Route;
use crate::pipeline::fit::shards::Shards;
use crate::share::Division;

/// The divisions of a fit by shards.
pub(in crate::pipeline::fit) struct Stages {
    /// The kind of values.
    pub(super) values: Division,
    /// Sums over the cells for each gene, and their result; `None` if all genes are used and none gives growth.
    pub(super) genes: Option<[Division; 2]>,
    /// Moments of the genes that are used, and components.
    pub(super) components: [Division; 2],
    /// Coordinates of the cells.
    pub(super) coordinates: Division,
    /// The bridges; `None` if they are not divided.
    intervals: Option<Division>,
}

impl Stages {
    /// The divisions of the fit of `plan` by `shards`, for a matrix of `n_genes` genes.
    pub(super) fn of(plan: &Plan, shards: &Shards<'_>, n_genes: usize) -> Self {
        let Plan { options, growth, .. } = plan;
        let by_shard = |what: &'static str| {
            let cells = (0..shards.n()).map(|k| shards.cells(k));
            let name =
                |cells: std::ops::Range<usize>| format!("cells {}–{}", cells.start + 1, cells.end);
            // The last shard has fewer cells, but a matrix of its genes as large as that of the others.
            Division::even(what, cells.map(name).collect())
        };
        let selects = options.genes.is_none() && options.n_top_genes < n_genes;
        let genes = (selects || growth_genes(growth).is_some())
            .then(|| [by_shard("genes of shards"), Division::single("selection of genes")]);
        Self {
            values: by_shard("values of shards"),
            genes,
            components: [by_shard("moments of shards"), Division::single("components")],
            coordinates: by_shard("coordinates of shards"),
            intervals: are_divided(options).then(|| intervals::division(plan.selection())),
        }
    }

    /// All divisions, in their order.
    pub(super) fn all(&self) -> Vec<Division> {
        let Self { values, genes, components, coordinates, intervals } = self;
        let mut all = vec![values.clone()];
        all.extend(genes.iter().flatten().cloned());
        all.extend(components.iter().cloned());
        all.push(coordinates.clone());
        all.extend(intervals.clone());
        all
    }
}

/// Whether every interval has a bridge of its own, whichever way the data choose.
pub(in crate::pipeline::fit) fn are_divided(options: &FitOptions) -> bool {
    Route::all(options).iter().all(|route| matches!(route.solver.solver(), Solver::Each(_)))
}

/// The genes of growth that are in the matrix of the coordinates; `None` without them.
pub(super) fn growth_genes(growth: &Given) -> Option<&[Vec<usize>; 2]> {
    match growth {
        Given::Genes(sets) => Some(sets),
        Given::Auto(search) => search.shared(),
        Given::Nothing | Given::Rates(_) => None,
    }
}
