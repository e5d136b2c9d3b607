//! `sbcell plot`: one figure from a model or from the files of other commands.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::chart::ChartFormat;
use sbcell::pipeline::{self, ColourBy, PlotKind, PlotOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{ModelArgs, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell plot embedding --groupby cell_type --out cells.pdf
      cells on X_umap of the file (or on PC1 and PC2), in the colours of the file
  sbcell plot embedding --colour-by Sox2 --width 85 --font-size 7 --out sox2.svg
      the expression of a gene, in the width of a column of a paper
  sbcell plot stream --out stream.png --dpi 150
      streamlines of the velocities; with --arrows a grid of arrows
  sbcell plot sankey transitions.csv
      transitions between groups, to sankey.svg
  sbcell plot heatmap trends.csv --set XEN --height 120
      genes over time

Kinds and the files that they read:
  embedding, stream   the model (--model)
  paths               paths.csv of `sbcell trajectory --paths 20 --paths-out paths.csv`
  sankey              transitions.csv of `sbcell transitions`
  fates               fates.csv of `sbcell fates`: a triangle of three fates, else bars of means
  trends              trends.csv of `sbcell trends`
  heatmap             the same, or edges.csv of `sbcell grn`
  edges               edges.csv of `sbcell grn`
  validation          validation.json of `sbcell evaluate` or `sbcell fit`
  scree               scree.csv of `sbcell fit`";

/// Draw one figure: cells, streams, paths, transitions, fates, genes, edges or scores
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlotArgs {
    /// Kind of figure
    #[arg(value_name = "KIND", hide_possible_values = true)]
    kind: PlotKind,
    /// File to draw; also the table of fates for --colour-by fate=NAME [default: the file of the kind
    /// listed below, in this folder or in that of the model]
    #[arg(value_name = "FILE")]
    input: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Colours of cells: time, group, growth, fate=NAME, or the name of a gene [default: group with
    /// --groupby or --cells, otherwise time]
    #[arg(long, value_name = "WHAT", visible_alias = "color-by")]
    colour_by: Option<String>,
    /// Embedding of the .h5ad file, such as umap [default: X_umap, then X_tsne, then the first two
    /// coordinates of the model]
    #[arg(long, value_name = "KEY")]
    basis: Option<String>,
    /// Gene of trends and heatmap. You can give this flag several times [default: those that change
    /// most]
    #[arg(long, value_name = "GENE")]
    gene: Vec<String>,
    /// Set of cells whose genes a heatmap shows [default: the first]
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Draw a stream as a grid of arrows in place of streamlines
    #[arg(long)]
    arrows: bool,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    figure: FigureArgs,
}

/// The form of a figure.
#[derive(Debug, Args)]
#[command(next_help_heading = "Figure")]
struct FigureArgs {
    /// Figure to write: .svg, .pdf or .png [default: KIND.svg]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Width in millimetres (a column of a paper: 85, a page: 180)
    #[arg(long, value_name = "MM")]
    width: Option<f64>,
    /// Height in millimetres
    #[arg(long, value_name = "MM")]
    height: Option<f64>,
    /// Size of text in points [default: 9]
    #[arg(long, value_name = "PT")]
    font_size: Option<f64>,
    /// Pixels of a .png per inch
    #[arg(long, value_name = "N", default_value_t = 300.0)]
    dpi: f64,
    /// Colours of groups, such as #0072b2,#d55e00, in the order of the legend [default: those of
    /// `uns` of the file, otherwise a palette for people with colour vision deficiency]
    #[arg(long, value_name = "COLOUR,…", value_delimiter = ',')]
    palette: Vec<String>,
    /// Title in place of the one that says what is shown
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Logarithmic scale of colours that show numbers
    #[arg(long)]
    log: bool,
}

/// The file that a figure of the kind `kind` is written to without `--out`.
pub(crate) fn default_out(kind: &str) -> String {
    format!("{kind}.svg")
}

/// Runs `sbcell plot`.
///
/// # Errors
/// As [`pipeline::plot()`].
pub(crate) fn run(args: PlotArgs, terminal: &mut Terminal) -> Result<Outcome> {
    let PlotArgs { kind, input, model, colour_by, basis, gene, set, arrows, sets, figure } = args;
    let FigureArgs { out, width, height, font_size, dpi, palette, title, log } = figure;
    let out = out.unwrap_or_else(|| default_out(kind.name()).into());
    check_suffix(&out)?;
    let options = PlotOptions::of(kind)
        .with_input(input)
        .with_sets(sets.all_or_none()?)
        .with_colour_by(colour_by.as_deref().map(ColourBy::of))
        .with_basis(basis)
        .with_genes(gene)
        .with_set(set)
        .with_arrows(arrows)
        .with_title(title)
        .with_palette(palette)
        .with_width(width)
        .with_height(height)
        .with_font_size(font_size)
        .with_dpi(dpi)
        .with_log(log);
    pipeline::plot(&model.model, &out, &options, terminal)?;
    terminal.wrote(&out);
    terminal.record("kind", &kind.name());
    terminal.say(&format!("drew {}", shown(&out)));
    Ok(Outcome::Done)
}

/// Refuses a suffix of another format, with the name of the flag.
///
/// # Errors
/// [`Error::Parameter`].
fn check_suffix(out: &Path) -> Result<()> {
    let got = out.display().to_string();
    let refused = |_| Error::Parameter { name: "--out", must: ChartFormat::SUFFIXES, got };
    ChartFormat::of(out).map(|_| ()).map_err(refused)
}
