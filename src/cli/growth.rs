//! Flags of the growth of cells: where growth rates come from, and their unit.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::data::GrowthUnit;
use sbcell::io::lists;
use sbcell::pipeline::{GrowthOptions, GrowthPrior, GrowthTable};
use sbcell::preprocess::{GeneSets, Species};

use crate::cli::shared::up_to;

/// Growth where no flag says where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Unasked {
    /// By the genes in the file, for couplings, where it helps.
    Auto,
    /// None.
    None,
}

/// Growth rates of cells, and how often the solver refines them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Growth")]
pub(crate) struct GrowthArgs {
    /// Growth by the proliferation and apoptosis genes in the file (auto), or no growth (none)
    ///
    /// With auto, sbcell finds the species by its genes and computes growth rates as with
    /// --growth-genes. Couplings (fates, transitions, trends, drivers and the like) use the share of
    /// the rates that the data confirm, if they improve the prediction of inner times. Populations
    /// between the times do not use them.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Unasked::Auto,
          conflicts_with_all = ["growth_key", "growth_file", "growth_genes", "prolif"])]
    growth: Unasked,
    /// Column of `obs` with the growth of each cell, in the unit of --growth-unit
    ///
    /// Cells divide and die, so the share of a cell type can change although no cell changes its
    /// type. sbcell multiplies the weight of a cell at the start of an interval by its number of
    /// descendants at the end. Without growth, the solver explains every change of shares by movement.
    #[arg(long, alias = "cell-growth-rates-field", value_name = "COL",
          conflicts_with_all = ["growth_file", "growth_genes", "prolif"])]
    growth_key: Option<String>,
    /// Table with two columns, cell and growth, such as `id` and `cell_growth_rate` of
    /// Waddington-OT
    #[arg(long, alias = "cell-growth-rates", value_name = "FILE",
          conflicts_with_all = ["growth_genes", "prolif"])]
    growth_file: Option<PathBuf>,
    /// Unit of growth: `factor/TIME` for descendants of a cell, `rate/TIME` for their logarithm. TIME
    /// is day, h, wk or another unit, or `unit` for the unit of the times
    #[arg(long, value_name = "UNIT", default_value_t = GrowthUnit::default())]
    growth_unit: GrowthUnit,
    /// Compute growth from the expression of built-in lists of proliferation and apoptosis genes
    ///
    /// Births and deaths per day follow the published curves of Waddington-OT and moscot over the
    /// mean z-score of each list. sbcell reads these genes even if they are not highly variable.
    #[arg(long, value_enum, value_name = "SPECIES", conflicts_with = "prolif")]
    growth_genes: Option<Species>,
    /// Compute growth from your own proliferation genes: a file with one name per line
    #[arg(long, value_name = "FILE", requires = "apop")]
    prolif: Option<PathBuf>,
    /// Your own apoptosis genes for --prolif: a file with one name per line
    #[arg(long, value_name = "FILE", requires = "prolif")]
    apop: Option<PathBuf>,
    /// Number of times that each interval is solved. From the second time on, the growth is that of
    /// the previous coupling
    #[arg(long, value_name = "N", default_value_t = GrowthOptions::default().iterations, value_parser = up_to::<1_000>)]
    growth_iters: usize,
}

impl GrowthArgs {
    /// The options of growth. Reads the small files that flags name.
    ///
    /// # Errors
    /// Those of reading the files.
    pub(crate) fn options(self) -> Result<GrowthOptions> {
        let Self {
            growth,
            growth_key,
            growth_file,
            growth_unit,
            growth_genes,
            prolif,
            apop,
            growth_iters,
        } = self;
        let prior = match (growth_key, growth_file, growth_genes, prolif.zip(apop)) {
            (Some(column), ..) => GrowthPrior::Column(column),
            (_, Some(path), ..) => GrowthPrior::File(GrowthTable::read(&path)?),
            (_, _, Some(species), _) => GrowthPrior::Species(species),
            (_, _, _, Some((prolif, apop))) => GrowthPrior::Genes(GeneSets {
                proliferation: lists::read_names(&prolif)?,
                apoptosis: lists::read_names(&apop)?,
            }),
            _ if growth == Unasked::None => GrowthPrior::None,
            _ => GrowthPrior::Auto,
        };
        Ok(GrowthOptions::default()
            .with_prior(prior)
            .with_unit(growth_unit)
            .with_iterations(growth_iters))
    }
}
