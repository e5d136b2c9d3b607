//! Flags of `fit` that say how fast cells multiply.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::data::GrowthUnit;
use sbcell::io::lists;
use sbcell::pipeline::{GrowthOptions, GrowthPrior, GrowthTable};
use sbcell::preprocess::{GeneSets, Species};

use crate::cli::shared::up_to;

#[derive(Debug, Args)]
#[command(next_help_heading = "Growth")]
pub(crate) struct GrowthArgs {
    /// Column of `obs` with the growth of each cell: descendants after one day (see --growth-unit)
    ///
    /// Cells divide and die, so a type can gain share without any cell changing. The weight of
    /// a cell at the start of an interval is multiplied by its descendants at the end; without
    /// one of these flags every change of shares is taken for movement.
    #[arg(long, alias = "cell-growth-rates-field", value_name = "COL",
          conflicts_with_all = ["growth_file", "growth_genes", "prolif"])]
    growth_key: Option<String>,
    /// Table of two columns, cell and growth, such as `id`, `cell_growth_rate` of Waddington-OT
    #[arg(long, alias = "cell-growth-rates", value_name = "FILE",
          conflicts_with_all = ["growth_genes", "prolif"])]
    growth_file: Option<PathBuf>,
    /// What the numbers mean: `factor/TIME` (descendants of a cell) or `rate/TIME` (their
    /// logarithm), where TIME is day, h, wk and the like, or `unit` for that of the times
    #[arg(long, value_name = "UNIT", default_value_t = GrowthUnit::default())]
    growth_unit: GrowthUnit,
    /// Growth from the expression of shipped lists of genes of proliferation and apoptosis
    ///
    /// Births and deaths per day are the published curves of Waddington-OT and moscot over the
    /// mean z-score of each list. Genes are read whether or not they are highly variable.
    #[arg(long, value_enum, value_name = "SPECIES", conflicts_with = "prolif")]
    growth_genes: Option<Species>,
    /// The same with your own genes of proliferation, one name a line
    #[arg(long, value_name = "FILE", requires = "apop")]
    prolif: Option<PathBuf>,
    /// Your own genes of apoptosis, one name a line
    #[arg(long, value_name = "FILE", requires = "prolif")]
    apop: Option<PathBuf>,
    /// Solve each interval this often, from the second time on with the growth that the last
    /// plan implied
    #[arg(long, value_name = "N", default_value_t = GrowthOptions::default().iterations, value_parser = up_to::<1_000>)]
    growth_iters: usize,
}

impl GrowthArgs {
    /// Flags → parameters; reads the small files that flags name.
    pub(crate) fn options(self) -> Result<GrowthOptions> {
        let Self { growth_key, growth_file, growth_unit, growth_genes, prolif, apop, growth_iters } =
            self;
        let prior = match (growth_key, growth_file, growth_genes, prolif.zip(apop)) {
            (Some(column), ..) => GrowthPrior::Column(column),
            (_, Some(path), ..) => GrowthPrior::File(GrowthTable::read(&path)?),
            (_, _, Some(species), _) => GrowthPrior::Species(species),
            (_, _, _, Some((prolif, apop))) => GrowthPrior::Genes(GeneSets {
                proliferation: lists::read_names(&prolif)?,
                apoptosis: lists::read_names(&apop)?,
            }),
            _ => GrowthPrior::None,
        };
        Ok(GrowthOptions { prior, unit: growth_unit, iterations: growth_iters })
    }
}
