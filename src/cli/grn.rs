//! `sbcell grn`: model → edges.csv.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sbcell::Result;
use sbcell::io::edges::{EdgeDialect, EdgeRow};
use sbcell::io::lists;
use sbcell::io::model::Model;
use sbcell::io::table::TableFormat;
use sbcell::pipeline::{self, GrnOptions, JacobianKind};

use crate::cli::Outcome;
use crate::cli::shared::{ModelArgs, aligned, short, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell grn --out edges.csv
      all genes may regulate; columns TF, target, importance, sign, effect, t0, t1
  sbcell grn --tfs tfs.txt --top 1000 --out edges.parquet
      regulators from a list, the thousand most important edges
  sbcell grn --format beeline --out rankedEdges.csv
      tab-separated Gene1, Gene2, EdgeWeight

What to make of it: an edge's effect is d(rate of the target)/d(regulator) in the fitted process,
averaged over the intervals. The default reads it from how the mean displacement of cells depends on
where they start. It sees one population at a time, knows no confounders, and carries no p-value;
the Jacobian at a point (--jacobian mean) is symmetric for every Schrödinger bridge and cannot tell
regulator from target. Compare with a correlation before you believe an edge.";

/// Signed regulatory edges from the Jacobian of the fitted process
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GrnArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// File to write: .csv, .tsv or .parquet
    #[arg(short, long, value_name = "FILE", default_value = "edges.csv")]
    out: PathBuf,
    /// Which Jacobian of the fitted field
    #[arg(long, value_enum, default_value = "slope")]
    jacobian: JacobianArg,
    /// Names of genes that may regulate, one a line [default: every gene of the model]
    #[arg(long, value_name = "FILE")]
    tfs: Option<PathBuf>,
    /// Edges to keep, the most important first
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    top: usize,
    /// Columns and separator [default: sbcell's columns, separator by the suffix of --out]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum JacobianArg {
    /// Of the field's best affine fit over the cells: how their mean displacement over the
    /// interval depends on where they start
    Slope,
    /// At each point, averaged along the paths; symmetric before it is standardised
    Mean,
}

impl From<JacobianArg> for JacobianKind {
    fn from(jacobian: JacobianArg) -> Self {
        match jacobian {
            JacobianArg::Slope => Self::Slope,
            JacobianArg::Mean => Self::Mean,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// sbcell's columns, comma-separated
    Csv,
    /// sbcell's columns, parquet
    Parquet,
    /// TF, target, importance; comma-separated
    Grnboost2,
    /// Gene1, Gene2, EdgeWeight; tab-separated
    Beeline,
    /// source, target, weight (signed); comma-separated
    Decoupler,
}

pub(crate) fn run(args: GrnArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let GrnArgs { model: ModelArgs { model: folder }, out, jacobian, tfs, top, format } = args;
    let (dialect, format) = match format {
        None => (EdgeDialect::Sbcell, TableFormat::of(&out)?),
        Some(FormatArg::Csv) => (EdgeDialect::Sbcell, TableFormat::Csv),
        Some(FormatArg::Parquet) => (EdgeDialect::Sbcell, TableFormat::Parquet),
        Some(FormatArg::Grnboost2) => (EdgeDialect::Grnboost2, TableFormat::Csv),
        Some(FormatArg::Beeline) => (EdgeDialect::Beeline, TableFormat::Tsv),
        Some(FormatArg::Decoupler) => (EdgeDialect::Decoupler, TableFormat::Csv),
    };
    let regulators = tfs.map(|path| lists::read_names(&path)).transpose()?;
    let options = GrnOptions { jacobian: jacobian.into(), regulators, top, seed };
    let model = Model::read(&folder)?;
    let edges = pipeline::grn(&model, &options, terminal)?;
    pipeline::write_edges(&out, &model, &edges, &options, (dialect, format))?;
    say_first(&edges, terminal);
    terminal.say(&format!("wrote {} edges to {}", edges.len(), shown(&out)));
    Ok(Outcome::Done)
}

fn say_first(edges: &[EdgeRow], terminal: &Terminal) {
    let rows: Vec<Vec<String>> = edges
        .iter()
        .take(10)
        .map(|edge| {
            let arrow = if edge.effect < 0.0 { "⊣" } else { "→" };
            let text = format!("{} {arrow} {}", edge.regulator, edge.target);
            vec![text, short(edge.importance), short(edge.effect)]
        })
        .collect();
    terminal.say(&aligned(&["edge", "importance", "effect"], &rows));
}
