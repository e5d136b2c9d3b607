//! `sbcell annotate`: what the model knows of cells, written into their `.h5ad`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::io::output::same_file;
use sbcell::pipeline::{self, AnnotateOptions, KEY, VelocityKind};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::shared::{ModelArgs, open_model, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell annotate data.h5ad -o annotated.h5ad
      a copy with obs['sbcell_time'], obsm['X_sbcell'], obsm['sbcell_velocity'] and more
  sbcell annotate data.h5ad --in-place --layers velocity
      the file itself; velocities of genes where scVelo and CellRank look for them
  sbcell strip data.h5ad --in-place
      all of it out again

Nothing that is in the file is touched: X, raw, layers and all else stay byte for byte, and a key
that is taken and not ours is an error. The file is replaced by a finished copy, so that a kill at
any moment leaves the old file or the new one. Memory: the whole file, for files as h5py writes
them by default.";

/// Write times, velocities, growth and fates into the .h5ad
///
/// Cells are found by their names; cells that took no part in the fit have NaN.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AnnotateArgs {
    /// The file the model was fitted on, or another with the same names of cells
    #[arg(value_name = "DATA.h5ad")]
    data: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Tables of fates (cell names in the first column): obs/sbcell_fate_… of each other column
    #[arg(long, value_name = "FILE")]
    fates: Vec<PathBuf>,
    /// Other tables (.csv, .tsv, .parquet): obs/sbcell_… of each column but the first
    #[arg(long = "table", value_name = "FILE")]
    tables: Vec<PathBuf>,
    /// The velocity to write
    #[arg(long, value_enum, default_value_t)]
    velocity: VelocityKind,
    /// Project the velocity on this embedding of obsm, as in X_umap: obsm/velocity_umap
    #[arg(long, value_name = "KEY")]
    project: Vec<String>,
    /// Also write layers/velocity: velocities of genes, NaN for genes outside the model
    #[arg(long, value_enum, value_name = "LAYER")]
    layers: Vec<LayerArg>,
    /// Prefix of all names and key in uns, for several models in one file
    #[arg(long, value_name = "NAME", default_value = KEY)]
    key_added: String,
}

/// Where an edited file goes.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TargetArgs {
    /// File to write
    #[arg(short, long, value_name = "OUT.h5ad")]
    out: Option<PathBuf>,
    /// Change the file itself
    #[arg(long)]
    in_place: bool,
}

impl TargetArgs {
    /// The file to write. With `--in-place` that is `data`, or what it links to.
    ///
    /// # Errors
    /// [`Error::SameFile`] if `--out` is the file that is read.
    pub(crate) fn of(self, data: &Path) -> Result<PathBuf> {
        let Self { out, in_place: _ } = self;
        match out {
            None => Ok(data.canonicalize().unwrap_or_else(|_| data.to_path_buf())),
            Some(out) if same_file(&out, data) => Err(Error::SameFile { path: out }),
            Some(out) => Ok(out),
        }
    }

    /// Whether the file itself is changed.
    pub(crate) fn in_place(&self) -> bool {
        self.in_place
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LayerArg {
    Velocity,
}

pub(crate) fn run(args: AnnotateArgs, overwrite: bool, terminal: &mut Terminal) -> Result<Outcome> {
    let AnnotateArgs {
        data,
        model: ModelArgs { model: folder },
        target,
        fates,
        tables,
        velocity,
        project,
        layers,
        key_added,
    } = args;
    let in_place = target.in_place();
    let out = target.of(&data)?;
    let layer = layers.contains(&LayerArg::Velocity);
    let options =
        AnnotateOptions { key: key_added, velocity, project, layer, fates, tables, overwrite };
    let model = open_model(&folder, terminal)?;
    let source = if in_place { &out } else { &data };
    let fitted = in_place && pipeline::is_fitted_file(source, &folder, terminal)?;
    let mut annotate = |out: &Path| pipeline::annotate(&model, &options, (source, out), terminal);
    let done = if in_place {
        annotate(&out)?
    } else {
        pipeline::write_recorded(&out, "annotate", &model, &options, annotate)?
    };
    if fitted {
        pipeline::remember_annotated(source, &folder, terminal)?;
    }
    terminal.say(&format!("{} of {} cells took part in the fit", done.n_found, done.n_cells));
    for path in &done.written {
        let (slot, name) = path.split_once('/').unwrap_or((path, ""));
        terminal.say(&format!("  {slot}['{name}']"));
    }
    terminal.say(&format!("wrote {}", shown(if in_place { &data } else { &out })));
    Ok(Outcome::Done)
}
