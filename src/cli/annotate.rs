//! `sbcell annotate`: results of the model for each cell, written into the `.h5ad` file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::io::h5ad::DataFiles;
use sbcell::io::output::same_file;
use sbcell::pipeline::{self, AnnotateOptions, KEY, VelocityKind};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::shared::{ModelArgs, open_model, shown, with_help};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell annotate data.h5ad -o annotated.h5ad
      a copy with obs['sbcell_time'], obsm['X_sbcell'], obsm['sbcell_velocity'] and more
  sbcell annotate data.h5ad --in-place --add-layer velocity
      the file itself; velocities of genes in the layer that scVelo and CellRank read
  sbcell strip data.h5ad --in-place
      remove all of it

sbcell changes nothing that the file already contains: X, raw, layers and all other parts stay the
same byte for byte. An existing key that sbcell did not write is an error. sbcell writes a
complete copy and then replaces the file, so that an interruption leaves the old file or the new
one. Memory: the size of the file, for files as h5py writes them by default.";

/// Write times, velocities, growth and fates into the .h5ad file
///
/// sbcell finds the cells by their names. Cells that did not take part in the fit get NaN.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("key", |key| with_help(key, " [default: sbcell]")))]
pub(crate) struct AnnotateArgs {
    /// The file of the fit, or another file with the same names of cells
    #[arg(value_name = "DATA.h5ad")]
    data: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Table of fates, with names of cells in the first column: write each other column to
    /// obs/sbcell_fate_…. You can give this flag several times
    #[arg(long, value_name = "FILE")]
    fates: Vec<PathBuf>,
    /// Another table (.csv, .tsv, .parquet), with names of cells in the first column: write each other
    /// column to obs/sbcell_…. You can give this flag several times
    #[arg(long = "table", value_name = "FILE")]
    tables: Vec<PathBuf>,
    /// Velocity to write
    #[arg(long, value_enum, default_value_t)]
    velocity: VelocityKind,
    /// Embedding of obsm, such as X_umap, on which the velocity is projected: obsm/velocity_umap. You
    /// can give this flag several times
    #[arg(long, value_name = "KEY")]
    project: Vec<String>,
    /// Also write this layer: layers/velocity, with NaN for genes outside the model
    #[arg(long, alias = "layers", value_enum, value_name = "LAYER")]
    add_layer: Vec<AddedLayer>,
    #[command(flatten)]
    key: KeyArgs,
}

/// `--key` of the commands that write or remove annotations.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Name of an annotation: its key in uns, and the prefix of its other keys
    #[arg(long, alias = "key-added", value_name = "NAME")]
    pub(crate) key: Option<String>,
}

/// The output of a command that edits a file.
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
    /// The file to write. With `--in-place` this is `data`, or the file to which it links.
    ///
    /// # Errors
    /// [`Error::SameFile`] if `--out` is the input.
    pub(crate) fn of(self, data: &Path) -> Result<PathBuf> {
        let Self { out, in_place: _ } = self;
        match out {
            None => Ok(data.canonicalize().unwrap_or_else(|_| data.to_path_buf())),
            Some(out) if same_file(&out, data) => Err(Error::SameFile { path: out }),
            Some(out) => Ok(out),
        }
    }

    /// Whether the command changes the input itself.
    pub(crate) fn in_place(&self) -> bool {
        self.in_place
    }
}

/// Layers that can be added. The library has a switch, `AnnotateOptions::layer`; a word leaves room
/// for other layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AddedLayer {
    /// Velocities of genes
    Velocity,
}

/// Runs `sbcell annotate`: edits the file, remembers its new hash in the model, and prints the keys
/// that were written.
///
/// # Errors
/// As [`pipeline::annotate`]; [`Error::SameFile`] if `--out` is the input.
pub(crate) fn run(args: AnnotateArgs, overwrite: bool, terminal: &mut Terminal) -> Result<Outcome> {
    let AnnotateArgs {
        data,
        model: ModelArgs { model: folder },
        target,
        fates,
        tables,
        velocity,
        project,
        add_layer,
        key: KeyArgs { key },
    } = args;
    let in_place = target.in_place();
    DataFiles::find(&data)?.check_one("annotate")?;
    let out = target.of(&data)?;
    let layer = add_layer.contains(&AddedLayer::Velocity);
    let key = key.unwrap_or_else(|| KEY.into());
    let options = AnnotateOptions::default()
        .with_key(key)
        .with_velocity(velocity)
        .with_project(project)
        .with_layer(layer)
        .with_fates(fates)
        .with_tables(tables)
        .with_overwrite(overwrite);
    let model = open_model(&folder, terminal)?;
    let source = if in_place { &out } else { &data };
    let fitted = in_place && pipeline::is_fitted_file(source, &folder, terminal)?;
    let mut annotate = |out: &Path| pipeline::annotate(&model, source, out, &options, terminal);
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
    terminal.record("n_found", &done.n_found);
    terminal.record("n_cells", &done.n_cells);
    terminal.record("written", &done.written);
    terminal.wrote(if in_place { &data } else { &out });
    terminal.say(&format!("wrote {}", shown(if in_place { &data } else { &out })));
    Ok(Outcome::Done)
}
