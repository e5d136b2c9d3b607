//! `sbcell grn`: model → regulatory edges, edges.csv.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::io::chart::ChartFormat;
use sbcell::io::edges::EdgeDialect;
use sbcell::io::model::OpenModel;
use sbcell::io::table::TableFormat;
use sbcell::pipeline::{self, EdgeFormat, EdgeSource, FoundEdges, GrnOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::formats::check_suffix;
use crate::cli::shared::{
    BootstrapArgs, CellsPerTimeArgs, DataArgs, GeneArgs, ModelArgs, PlotArgs, RegulatorArgs,
    ResampleArgs, aligned, open_model, short, shown, up_to, with_help,
};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell grn --out edges.csv
      all genes of the model are regulators; 20 resamples, 20 permutations of the times
  sbcell grn --tfs mouse --top 1000 --out edges.parquet
      regulators are the transcription factors of mouse (or human, or names in a FILE)
  sbcell grn --by time --out edges.csv
      edges of each interval between neighbouring times (--groupby COL: of each group of cells)
  sbcell grn --perturbation-key knockout --out edges.csv
      a file with knock-outs beside controls: edges that also explain what the knock-outs changed
  sbcell grn --prior motifs.csv --out edges.csv
      edges whose regulator has a motif near the target (TF, target, weight) come first
  sbcell grn --format beeline --out rankedEdges.csv
      tab-separated Gene1, Gene2, EdgeWeight
  sbcell grn --out edges.graphml
      a graph for Cytoscape, yEd or Gephi
  sbcell grn --plot edges.svg --plot-gene Sox2
      edges.svg with the first edges; edges.Sox2.svg with Sox2 and its regulators over time
  sbcell grn --by time --plot-network network.svg --plot-heatmap heatmap.png
      the first edges of each interval as a graph, and the main regulators and targets as a heat map

Columns: TF, target, importance (rank weight of the edge), sign, effect (expression of the target
per unit of time for one unit more of the TF), confidence (probability that the edge is true, as
in simulated courses), direction (probability that the edge goes this way and not back, if it goes
one way), stability (share of resamples in which the edge is among the first with the same sign),
p_time and q_time (against permuted times), lag (mean time from the earlier to the later cells),
t0, t1, group, prior and importance_unaided (weight of the pair in --prior, and importance
without it). Edges are sorted by confidence.

Limits: an edge means that cells with more of the TF later had more (or less) of the target than
the earlier expression of the target explains. Regulators that were not measured are not
considered, and a hidden cause of both genes looks like an edge. The confidence was calibrated on
simulated courses in which all regulators are measured; expect less in real data. A small q_time
means that the order of the times matters (with knock-outs: within each of them), not that the
edge is true. With few or distant times the edges are hardly more than associations; compare them
with --source correlation.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreadable input, 4 all edges of some part have the
same importance (edges are written, and this part is named).";

/// Signed, directed regulatory edges, with confidence and stability
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("plot", |plot| with_help(plot, ", with the first 30 edges")))]
#[command(mut_arg("plot_gene", |gene| with_help(gene.alias("plot-target"), ". Each has a file of its \
    own, with its first regulators over time")))]
pub(crate) struct GrnArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    cells: CellArgs,
    #[command(flatten)]
    estimate: EstimateArgs,
    #[command(flatten)]
    resample: GrnResampleArgs,
    #[command(flatten)]
    charts: PlotArgs,
    #[command(flatten)]
    networks: NetworkArgs,
    #[command(flatten)]
    written: EdgeArgs,
}

/// The genes and cells that are used.
#[derive(Debug, Args)]
#[command(next_help_heading = "Genes and cells")]
#[command(mut_arg("genes", |genes| with_help(genes, " as targets; --tfs \
    selects regulators [default: the genes of the model, and the regulators]")))]
#[command(mut_arg("cells_per_time", |n| with_help(n, " (with --groupby, of each time and group) \
    [default: 2500]")))]
struct CellArgs {
    #[command(flatten)]
    tfs: RegulatorArgs,
    #[command(flatten)]
    genes: GeneArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Column of `obs` with groups of cells: edges for each group
    #[arg(long, alias = "group", value_name = "COL")]
    groupby: Option<String>,
    /// Edges for each interval between neighbouring times
    #[arg(long, value_enum)]
    by: Option<By>,
    /// Column of `obs` with the gene that was knocked out in each cell (several joined by `+` or `,`).
    /// Controls have no label, or `control`, `ctrl`, `wt`, `wild type`, `none`, `non-targeting` or `nt`
    #[arg(long, value_name = "COL")]
    perturbation_key: Option<String>,
    /// A further label of controls in the column of --perturbation-key
    #[arg(long, value_name = "LABEL")]
    control: Option<String>,
    #[command(flatten)]
    cells_per_time: CellsPerTimeArgs,
}

/// The estimator of edges.
#[derive(Debug, Args)]
#[command(next_help_heading = "Estimate")]
struct EstimateArgs {
    /// Estimator of the edges
    #[arg(long, value_enum, default_value_t, visible_alias = "method")]
    source: EdgeSource,
    /// Which cells are compared: `auto` for bins of smoothed time, or the number of intervals between
    /// two snapshots
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    lag: String,
    /// How edges to different targets are ranked
    #[arg(long, value_enum, default_value_t = Rank::Within)]
    rank: Rank,
    /// Table of possible edges with weights from 0 to 1 (as from motifs or ChIP), .csv, .tsv or .parquet,
    /// with columns such as TF, target, weight; 1 without weights. An edge of weight 0 keeps half of its
    /// importance, one of weight 1 all of it
    #[arg(long, value_name = "FILE")]
    prior: Option<PathBuf>,
    /// Weight of the pairs that are not in the table of --prior [default: 0]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    prior_default: Option<f64>,
    /// Coupling that pairs earlier and later cells
    #[arg(long, value_enum, default_value_t = Pairing::Own)]
    coupling: Pairing,
}

/// Resamples and permutations.
#[derive(Debug, Args)]
#[command(mut_arg("bootstrap", |n| with_help(n.default_value("20"), ". The stability needs them")))]
struct GrnResampleArgs {
    #[command(flatten)]
    resample: ResampleArgs,
    /// Number of permutations of the times, for p-values and q-values; 0 for none
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = up_to::<100_000>,
        help_heading = "Bootstrap"
    )]
    permutations: usize,
}

/// Charts of all edges together.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
struct NetworkArgs {
    /// Graph to draw, .svg, .png or .pdf, with the first 40 edges; with --by and --groupby a panel for each
    /// interval and group, at most nine
    #[arg(long, value_name = "FILE")]
    plot_network: Option<PathBuf>,
    /// Heat map to draw, .svg, .png or .pdf, of the 40 regulators and 60 targets with the most important edges
    /// (25 and 30 in more than two panels); with --by and --groupby panels as in --plot-network
    #[arg(long, value_name = "FILE")]
    plot_heatmap: Option<PathBuf>,
}

impl NetworkArgs {
    /// Checks the suffixes of the charts, and that all charts are different files, before any long computation.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    fn check(&self, plot: Option<&Path>) -> Result<()> {
        let Self { plot_network, plot_heatmap } = self;
        let mut before: Vec<&Path> = plot.into_iter().collect();
        for (name, file) in [("--plot-network", plot_network), ("--plot-heatmap", plot_heatmap)] {
            let Some(file) = file.as_deref() else { continue };
            let refuse = |must| Error::Parameter { name, must, got: file.display().to_string() };
            ChartFormat::of(file).map_err(|_| refuse(ChartFormat::SUFFIXES))?;
            if before.contains(&file) {
                return Err(refuse("another file than that of another chart"));
            }
            before.push(file);
        }
        Ok(())
    }

    /// Draws the charts, and says which files they are.
    ///
    /// # Errors
    /// As [`pipeline::draw_found_network`].
    fn draw(
        &self,
        model: &OpenModel,
        found: &FoundEdges,
        options: &GrnOptions,
        terminal: &Terminal,
    ) -> Result<()> {
        let Self { plot_network, plot_heatmap } = self;
        if let Some(file) = plot_network {
            pipeline::draw_found_network(file, model, found, options)?;
        }
        if let Some(file) = plot_heatmap {
            pipeline::draw_found_heatmap(file, model, found, options)?;
        }
        for file in [plot_network, plot_heatmap].into_iter().flatten() {
            terminal.wrote(file);
            terminal.say(&format!("drew {}", shown(file)));
        }
        Ok(())
    }
}

/// The edge list that is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct EdgeArgs {
    /// Largest number of edges of each group and interval, the most important first
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    top: usize,
    /// Columns and file format; the suffix of --out must agree [default: the columns of sbcell, and the
    /// suffix of --out]
    #[arg(long, value_enum)]
    format: Option<EdgeFormatName>,
    /// Table to write: .csv, .tsv, .parquet or .graphml, or - for standard output [default: edges.csv,
    /// or with the suffix of --format]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Parts for which edges are estimated separately. The library has a switch, `GrnOptions::by_time`; a
/// word leaves room for other parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Each interval on its own
    Time,
}

/// Words for the library's switch `GrnOptions::across_targets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rank {
    /// Among the regulators of each target: for data in which all genes are regulated
    Within,
    /// Over all targets, better explained targets first: for panels with many unregulated genes
    Across,
}

/// Words for the library's switch `GrnOptions::model_coupling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pairing {
    /// Entropic couplings between neighbouring groups of cells, computed for this purpose
    Own,
    /// Between snapshots, each cell with the observed cells nearest to its end on the model's bridge.
    /// The ensemble also uses bins of smoothed time
    Model,
}

/// One word for the columns and the file format of an edge list.
///
/// Not the library's [`EdgeFormat`]: there every set of columns can have every table format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EdgeFormatName {
    /// Columns of sbcell, comma-separated
    Csv,
    /// Columns of sbcell, parquet
    Parquet,
    /// TF, target, importance; comma-separated
    Grnboost2,
    /// Gene1, Gene2, EdgeWeight; tab-separated
    Beeline,
    /// source, target, weight (signed); comma-separated
    Decoupler,
    /// source, target, coef_mean and coef_abs (effects), p, -logp; comma-separated
    Celloracle,
    /// A graph for Cytoscape, yEd or Gephi
    Graphml,
}

/// The default of `--out`, for the text of `--format`.
pub(crate) fn default_out(format: Option<&str>) -> &'static str {
    let format = format.and_then(|name| <EdgeFormatName as ValueEnum>::from_str(name, true).ok());
    format.map_or("edges.csv", EdgeFormatName::default_out)
}

impl EdgeFormatName {
    /// The default of `--out`.
    fn default_out(self) -> &'static str {
        match self {
            Self::Parquet => "edges.parquet",
            Self::Graphml => "edges.graphml",
            _ => "edges.csv",
        }
    }

    /// Refuses a file whose suffix belongs to another format. Lists of BEELINE are tab-separated files
    /// that end in `.csv`.
    ///
    /// # Errors
    /// [`Error::Parameter`], as [`check_suffix`].
    fn check(self, out: &Path) -> Result<()> {
        let name = self.to_possible_value().map(|value| value.get_name().to_string());
        let name = name.unwrap_or_default();
        let (fitting, must): (&[&str], _) = match self {
            Self::Parquet => {
                (&["parquet", "pq"], "a file that ends in .parquet, or another --format")
            }
            Self::Graphml => {
                (&["graphml", "xml"], "a file that ends in .graphml, or another --format")
            }
            Self::Beeline => (
                &["csv", "tsv", "txt", "tab"],
                "a file that ends in .csv, .tsv or .txt, or another --format",
            ),
            Self::Csv | Self::Grnboost2 | Self::Decoupler | Self::Celloracle => {
                (&["csv"], "a file that ends in .csv, or another --format")
            }
        };
        check_suffix(out, &name, fitting, must)
    }

    /// The columns and the format that the word stands for.
    fn format(self) -> EdgeFormat {
        let csv = |dialect| EdgeFormat::Table(dialect, TableFormat::Csv);
        match self {
            Self::Csv => csv(EdgeDialect::Sbcell),
            Self::Parquet => EdgeFormat::Table(EdgeDialect::Sbcell, TableFormat::Parquet),
            Self::Grnboost2 => csv(EdgeDialect::Grnboost2),
            Self::Beeline => EdgeFormat::Table(EdgeDialect::Beeline, TableFormat::Tsv),
            Self::Decoupler => csv(EdgeDialect::Decoupler),
            Self::Celloracle => csv(EdgeDialect::CellOracle),
            Self::Graphml => EdgeFormat::GraphMl,
        }
    }
}

impl GrnArgs {
    /// The options of the flags. Reads the small files that flags name.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a lag that is not a number; those of reading the files.
    fn options(self, seed: u64) -> Result<GrnOptions> {
        let Self { model: _, cells, estimate, resample, charts, networks: _, written } = self;
        let CellArgs { tfs, genes, data, groupby, by, perturbation_key, control, cells_per_time } =
            cells;
        let EstimateArgs { source, lag, rank, prior, prior_default, coupling } = estimate;
        let GrnResampleArgs { resample, permutations } = resample;
        let ResampleArgs { bootstrap: BootstrapArgs { bootstrap }, batch_key } = resample;
        let lag = match lag.as_str() {
            "auto" => None,
            text => Some(text.parse().map_err(|_| Error::Parameter {
                name: "--lag",
                must: "auto, or a number of intervals",
                got: text.into(),
            })?),
        };
        Ok(GrnOptions::default()
            .with_source(source)
            .with_lag(lag)
            .with_model_coupling(coupling == Pairing::Model)
            .with_across_targets(rank == Rank::Across)
            .with_regulators(tfs.regulators()?)
            .with_genes(genes.names()?)
            .with_groupby(groupby)
            .with_by_time(by == Some(By::Time))
            .with_batch(batch_key)
            .with_perturbation(perturbation_key)
            .with_control(control)
            .with_prior(prior.map(|path| path.to_string_lossy().into_owned()))
            .with_prior_default(prior_default)
            .with_bootstrap(bootstrap)
            .with_permutations(permutations)
            .with_top(written.top)
            .with_drawn(charts.plot_gene)
            .with_cells_per_time(
                cells_per_time.cells_per_time.unwrap_or(GrnOptions::default().cells_per_time),
            )
            .with_data(data.path())
            .with_seed(seed))
    }
}

/// Runs `sbcell grn`: writes the edges, draws the charts, and prints the first edges.
///
/// The outcome is [`Outcome::NotConverged`] if all edges of some part have the same importance.
///
/// # Errors
/// As [`pipeline::grn`]; [`Error::Parameter`] for flags that contradict each other.
pub(crate) fn run(args: GrnArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let EdgeArgs { format, ref out, top: _ } = args.written;
    let folder = args.model.model.clone();
    let out = out.clone();
    let out = out.unwrap_or_else(|| format.map_or("edges.csv", EdgeFormatName::default_out).into());
    if let Some(format) = format {
        format.check(&out)?;
    }
    let no_effects = matches!(args.estimate.source, EdgeSource::Mutual | EdgeSource::Correlation);
    if no_effects && format == Some(EdgeFormatName::Celloracle) {
        let must =
            "another than celloracle with --source mi or correlation, which have no coefficients";
        return Err(Error::Parameter { name: "--format", must, got: "celloracle".into() });
    }
    let format = format.map_or_else(|| EdgeFormat::of(&out), |format| Ok(format.format()))?;
    let format = format.for_spreadsheets(terminal.spreadsheet_safe);
    args.charts.check()?;
    let (plot, networks) = (args.charts.plot.clone(), args.networks.clone());
    networks.check(plot.as_deref())?;
    let options = args.options(seed)?;
    let model = open_model(&folder, terminal)?;
    let found = pipeline::grn(&model, &options, terminal)?;
    pipeline::write_edges(&out, &model, &found.rows, &options, format)?;
    say_first(&found, terminal);
    if let Some(plot) = &plot {
        for picture in pipeline::draw_found_edges(plot, &model, &found, &options)? {
            terminal.wrote(&picture);
            terminal.say(&format!("drew {}", shown(&picture)));
        }
    }
    networks.draw(&model, &found, &options, terminal)?;
    terminal.wrote(&out);
    terminal.record("n_edges", &found.rows.len());
    terminal.say(&format!("wrote {} edges to {}", found.rows.len(), shown(&out)));
    if found.degenerate.is_empty() {
        return Ok(Outcome::Done);
    }
    terminal.say(&format!(
        "all edges have the same importance in {}: their order there has no meaning",
        found.degenerate.join("; ")
    ));
    Ok(Outcome::NotConverged)
}

/// Prints how many edges are more likely true than false, and how many of these are expected to be true.
fn say_confident(found: &FoundEdges, terminal: &Terminal) {
    let known: Vec<f64> =
        found.rows.iter().map(|edge| edge.confidence).filter(|p| p.is_finite()).collect();
    if known.is_empty() {
        return;
    }
    let likely: Vec<f64> = known.iter().copied().filter(|p| *p >= 0.5).collect();
    if likely.is_empty() {
        terminal.say(
            "no edge is more likely true than false (confidence of at least 0.5): the first edges are \
             candidates at most",
        );
        return;
    }
    let expected: f64 = likely.iter().sum();
    let who = match likely.len() {
        1 => "1 edge is".into(),
        n => format!("{n} edges are"),
    };
    terminal.say(&format!(
        "{who} more likely true than false: about {expected:.0} should be true, if this course is like the \
         simulated ones"
    ));
}

/// Prints the first edges of the first part, beside their plain correlation.
fn say_first(found: &FoundEdges, terminal: &Terminal) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (place, edge) in found.rows.iter().take(10).enumerate() {
        let arrow = if edge.activates { "→" } else { "⊣" };
        let mut row = vec![
            format!("{} {arrow} {}", edge.regulator, edge.target),
            short(edge.confidence),
            short(edge.direction),
            short(edge.importance),
            short(edge.effect),
            short(edge.stability),
        ];
        row.push(found.correlations.get(place).map_or_else(|| "–".into(), |r| short(*r)));
        rows.push(row);
    }
    let header =
        ["edge", "confidence", "direction", "importance", "effect", "stability", "correlation"];
    terminal.say(&aligned(&header, &rows));
    say_confident(found, terminal);
    if let Some(overlap) = found.overlap {
        terminal.say(&format!(
            "of the first {} edges, {} are also among the first by plain correlation ({} by chance)",
            overlap.first,
            overlap.shared,
            short(overlap.by_chance)
        ));
    }
}
