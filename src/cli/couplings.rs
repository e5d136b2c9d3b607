//! `sbcell couplings`: which cell goes to which, in files.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, CouplingOptions, Export};

use crate::cli::Outcome;
use crate::cli::shared::{ModelArgs, open_model, short, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell couplings
      couplings/FROM_TO.parquet with source, target, mass
  sbcell couplings --export cellrank --out for-cellrank
      cellrank.h5ad: PrecomputedKernel('T_fwd', adata=anndata.read_h5ad('cellrank.h5ad'))
  sbcell couplings --export wot --out tmaps
      transport maps as Waddington-OT wrote them; also for RealTimeKernel.from_wot of CellRank
  sbcell couplings --export moscot --least 0 --out for-moscot
      problem[(FROM, TO)].set_solution(pandas.read_parquet('FROM_TO.parquet').set_index('id'))

The couplings are between the observed cells. A model of a plan (sinkhorn, ot, spline) gives its own; for
lightsb and gaussian it is the entropic plan with their ε; for networks, where drawn ends come down.";

/// The couplings between observed cells as files, also for Waddington-OT, CellRank and moscot
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CouplingsArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Shape of the files
    #[arg(long, value_enum, default_value_t, visible_alias = "format")]
    export: Export,
    /// Leave out pairs with less of the mass of an even row than this
    #[arg(long, value_name = "SHARE", default_value_t = 1e-4)]
    least: f64,
    /// Folder to write to
    #[arg(short, long, value_name = "DIR", default_value = "couplings")]
    out: PathBuf,
}

pub(crate) fn run(args: CouplingsArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let CouplingsArgs { model: ModelArgs { model: folder }, export, least, out } = args;
    let options =
        CouplingOptions { export: export.for_spreadsheets(terminal.spreadsheet_safe), least, seed };
    let model = open_model(&folder, terminal)?;
    for (file, kept) in pipeline::couplings(&out, &model, &options, terminal)? {
        terminal.say(&format!("wrote {} ({} % of the mass)", shown(&file), short(100.0 * kept)));
    }
    Ok(Outcome::Done)
}
