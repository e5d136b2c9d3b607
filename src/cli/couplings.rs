//! `sbcell couplings`: the couplings between observed cells, as files.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, CouplingOptions, Export, WrittenCoupling};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::shared::{CouplingNoiseArgs, DataArgs, ModelArgs, open_model, short, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell couplings
      couplings/FROM_TO.parquet with source, target, mass
  sbcell couplings --density --format csv
      the same as text, with log densities of the plan of lightsb or gaussian
  sbcell couplings --format cellrank --out for-cellrank
      cellrank.h5ad: PrecomputedKernel('T_fwd', adata=anndata.read_h5ad('cellrank.h5ad'))
      (cells, coordinates and T_fwd, but no X: kernels and fates of CellRank need no expression)
  sbcell couplings --format wot --out tmaps
      transport maps in the format of Waddington-OT; also for RealTimeKernel.from_wot of CellRank
  sbcell couplings --format moscot --least 0 --out for-moscot
      problem[(FROM, TO)].set_solution(pandas.read_parquet('FROM_TO.parquet').set_index('id'))

The couplings are between observed cells of neighbouring times. By default they are entropic, with the
ε of couplings that the fit chose. fates and transitions couple distant times directly, and cells
choose among groups there; these couplings do not know groups. With --coupling-epsilon fit they are those of the bridges: a model of the solvers
sinkhorn, ot or spline contains them; for lightsb and gaussian, sbcell computes the entropic coupling
with the ε of the bridges; for networks, it draws ends of paths and assigns them to observed cells.

For steps of CellRank that use genes (lineage drivers, gene trends), take the cells of cellrank.h5ad from
your AnnData: adata = adata[cells.obs_names].copy(), then adata.obsp['T_fwd'] = cells.obsp['T_fwd'].";

/// Write the couplings between observed cells, also for Waddington-OT, CellRank and moscot
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CouplingsArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// File format
    #[arg(long, value_enum, default_value_t, alias = "export")]
    format: Export,
    /// Smallest mass of a pair to write, as a share of the mass that each pair of a uniform row has
    #[arg(long, value_name = "SHARE", default_value_t = 1e-4)]
    least: f64,
    /// Also write log densities of the plan at every pair, in the units of the data: log_given, of
    /// the later cell given the earlier one, and log_density, of both. For lightsb and gaussian
    #[arg(long)]
    density: bool,
    #[command(flatten)]
    noise: CouplingNoiseArgs,
    #[command(flatten)]
    clones: CloneCouplingArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Folder to write
    #[arg(short, long, value_name = "DIR", default_value = "couplings")]
    out: PathBuf,
}

/// Runs `sbcell couplings`: writes the files and prints each with the share of the mass that it has.
///
/// # Errors
/// As [`pipeline::couplings`].
pub(crate) fn run(args: CouplingsArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let CouplingsArgs {
        model: ModelArgs { model: folder },
        format,
        least,
        density,
        noise,
        clones,
        data,
        out,
    } = args;
    let format = format.for_spreadsheets(terminal.spreadsheet_safe);
    let options = CouplingOptions::default()
        .with_format(format)
        .with_least(least)
        .with_density(density)
        .with_coupling_epsilon(noise.coupling_epsilon)
        .with_clones(clones.coupling(data.path()))
        .with_seed(seed);
    let model = open_model(&folder, terminal)?;
    let written = pipeline::couplings(&out, &model, &options, terminal)?;
    let kept: Vec<f64> = written.iter().map(|of| of.kept).collect();
    terminal.record("kept", &kept);
    for WrittenCoupling { path, kept } in written {
        terminal.wrote(&path);
        terminal.say(&format!("wrote {} ({} % of the mass)", shown(&path), short(100.0 * kept)));
    }
    Ok(Outcome::Done)
}
