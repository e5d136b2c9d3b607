//! `sbcell grn`: model → edges.csv.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use sbcell::error::nearest;
use sbcell::io::chart::ChartFormat;
use sbcell::io::edges::EdgeDialect;
use sbcell::io::lists;
use sbcell::io::table::TableFormat;
use sbcell::pipeline::{self, EdgeFormat, EdgeSource, FoundEdges, GrnOptions, Regulators};
use sbcell::preprocess::Species;
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::formats::check_suffix;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell grn --out edges.csv
      all genes of the model may regulate; 20 resamples, 20 permutations of the times
  sbcell grn --tfs mouse --top 1000 --out edges.parquet
      regulators are transcription factors of mouse (or human, or a FILE of names)
  sbcell grn --by time --out edges.csv
      edges of each interval between neighbouring times (--group COL: of each group of cells)
  sbcell grn --format beeline --out rankedEdges.csv
      tab-separated Gene1, Gene2, EdgeWeight
  sbcell grn --out edges.graphml
      for Cytoscape, yEd, Gephi
  sbcell grn --plot edges.svg --plot-target Sox2
      draws the first edges to edges.svg, Sox2 and its regulators over time to edges.Sox2.svg

Columns: TF, target, importance (the rank of the edge), sign, effect (expression of the target per
unit of time for a unit more of the TF), stability (share of resamples that find it again), pvalue
and qvalue (against permuted times), lag (mean time from the earlier to the later cells), t0, t1,
group.

What to make of it: an edge says that cells with more of the TF had later more (or less) of the
target than the target's own past explains. It knows no regulator that was not measured. The null
deals the times anew: a small q-value says that the order of time supports the edge, not that it is
direct. Few or distant times leave little but association; compare with --source correlation.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreadable input, 4 all edges of some part are the
same (written, the part named).";

/// Signed, directed regulatory edges, with how sure they are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GrnArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// File to write: .csv, .tsv, .parquet or .graphml, or - for standard output
    /// [default: edges.csv, or as --format says]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Columns and separator; the suffix of --out must fit [default: sbcell's columns, separator by
    /// the suffix of --out]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Edges to keep of each group and interval, the most important first
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    top: usize,
    /// Picture of the first 30 edges to draw, .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Also draw this gene and its first regulators over time, to FILE with the gene's name in it;
    /// may be given several times
    #[arg(long, value_name = "GENE", requires = "plot")]
    plot_target: Vec<String>,
    #[command(flatten)]
    cells: CellArgs,
    #[command(flatten)]
    estimate: EstimateArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Genes and cells")]
struct CellArgs {
    /// Genes that may regulate: `human` or `mouse` for their transcription factors, or a file of
    /// names, one a line [default: every gene]
    #[arg(long, value_name = "FILE|human|mouse")]
    tfs: Option<String>,
    /// Genes that may be targets, names, one a line; which genes may regulate is for --tfs
    /// [default: those of the model, and regulators]
    #[arg(long, value_name = "FILE")]
    genes: Option<PathBuf>,
    /// The .h5ad file with the expression [default: the one that was fitted]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Column of `obs`: edges for each of its values
    #[arg(long, value_name = "COL")]
    group: Option<String>,
    /// Edges of each interval between neighbouring times
    #[arg(long, value_enum)]
    by: Option<ByArg>,
    /// Cells of each time (and group) that are looked at, at most, drawn evenly
    #[arg(long, value_name = "N", default_value_t = 2500)]
    cells_per_time: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Estimate")]
struct EstimateArgs {
    /// What edges are read from
    #[arg(long, value_enum, default_value_t, visible_alias = "method")]
    source: EdgeSource,
    /// Which cells are compared: `auto` for bins of time smoothed over neighbouring cells, or the
    /// number of intervals between the snapshots
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    lag: String,
    /// How edges to different targets compare
    #[arg(long, value_enum, default_value = "within")]
    rank: RankArg,
    /// Whose pairs of earlier and later cells
    #[arg(long, value_enum, default_value = "own")]
    coupling: CouplingArg,
    /// Resamples of cells behind the stability; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = up_to::<100_000>)]
    bootstrap: usize,
    /// Permutations of the times behind p- and q-values; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = up_to::<100_000>)]
    permutations: usize,
    /// Column of `obs` whose groups (batches, donors) are resampled instead of cells
    #[arg(long, value_name = "COL")]
    batch_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ByArg {
    /// Each interval on its own
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RankArg {
    /// Each target's regulators against each other: right where all genes are regulated
    Within,
    /// Edges to targets that are explained better first: for panels in which many genes are not
    Across,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CouplingArg {
    /// Entropic plans between neighbouring groups of cells, made for this
    Own,
    /// Between snapshots, the observed cells nearest to where the model's bridge takes each cell;
    /// the ensemble still has bins of smoothed time beside them
    Model,
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
    /// source, target, coef_mean, coef_abs (effects), p, -logp; comma-separated
    Celloracle,
    /// A graph for Cytoscape
    Graphml,
}

/// Where edges go unless told otherwise, with `--format` as it was typed.
pub(crate) fn default_out(format: Option<&str>) -> &'static str {
    let format = format.and_then(|name| <FormatArg as ValueEnum>::from_str(name, true).ok());
    format.map_or("edges.csv", FormatArg::default_out)
}

impl FormatArg {
    /// Where edges go unless told otherwise.
    fn default_out(self) -> &'static str {
        match self {
            Self::Parquet => "edges.parquet",
            Self::Graphml => "edges.graphml",
            _ => "edges.csv",
        }
    }

    /// Refuses a file whose suffix says otherwise; BEELINE's own lists are tab-separated `.csv`.
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
    fn options(
        cells: CellArgs,
        estimate: EstimateArgs,
        top: usize,
        seed: u64,
    ) -> Result<GrnOptions> {
        let CellArgs { tfs, genes, data, group, by, cells_per_time } = cells;
        let EstimateArgs { source, lag, rank, coupling, bootstrap, permutations, batch_key } =
            estimate;
        let regulators = match tfs {
            None => Regulators::All,
            Some(name) => match Species::from_str(&name) {
                Ok(species) => Regulators::Species(species),
                Err(_) => Regulators::Named(names_of_regulators(&name)?),
            },
        };
        let lag = match lag.as_str() {
            "auto" => None,
            text => Some(text.parse().map_err(|_| Error::Parameter {
                name: "--lag",
                must: "auto, or a number of intervals",
                got: text.into(),
            })?),
        };
        Ok(GrnOptions {
            source,
            lag,
            model_coupling: coupling == CouplingArg::Model,
            across_targets: rank == RankArg::Across,
            regulators,
            genes: genes.map(|path| lists::read_names(&path)).transpose()?,
            group,
            by_time: by == Some(ByArg::Time),
            batch: batch_key,
            bootstrap,
            permutations,
            top,
            drawn: Vec::new(),
            cells_per_time,
            data: data.map(|path| path.to_string_lossy().into_owned()),
            seed,
        })
    }
}

/// The names in a file, which may be a species written wrongly.
fn names_of_regulators(name: &str) -> Result<Vec<String>> {
    let species = ["human", "mouse"].map(String::from);
    lists::read_names(name.as_ref()).map_err(|error| match error {
        Error::NoFile { path, near, others } => {
            let meant = nearest(name, &species);
            let others =
                if others.is_empty() && near.is_empty() { species.to_vec() } else { others };
            Error::NoFile { path, near: [meant, near].concat(), others }
        }
        other => other,
    })
}

pub(crate) fn run(args: GrnArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let GrnArgs { model: ModelArgs { model: folder }, out, format, top, cells, estimate, .. } =
        args;
    let out = out.unwrap_or_else(|| format.map_or("edges.csv", FormatArg::default_out).into());
    if let Some(format) = format {
        format.check(&out)?;
    }
    let no_effects = matches!(estimate.source, EdgeSource::Mutual | EdgeSource::Correlation);
    if no_effects && format == Some(FormatArg::Celloracle) {
        let must =
            "another than celloracle with --source mi or correlation, which know no coefficients";
        return Err(Error::Parameter { name: "--format", must, got: "celloracle".into() });
    }
    let format = format.map_or_else(|| EdgeFormat::of(&out), |format| Ok(format.format()))?;
    let format = format.for_spreadsheets(terminal.spreadsheet_safe);
    let mut options = GrnArgs::options(cells, estimate, top, seed)?;
    options.drawn = args.plot_target;
    if let Some(plot) = &args.plot {
        ChartFormat::of(plot)?;
    }
    let model = open_model(&folder, terminal)?;
    let found = pipeline::grn(&model, &options, terminal)?;
    pipeline::write_edges(&out, &model, &found.rows, &options, format)?;
    say_first(&found, terminal);
    if let Some(plot) = &args.plot {
        for picture in pipeline::draw_found_edges(plot, &model, &found, &options)? {
            terminal.say(&format!("drew {}", shown(&picture)));
        }
    }
    terminal.say(&format!("wrote {} edges to {}", found.rows.len(), shown(&out)));
    if found.degenerate.is_empty() {
        return Ok(Outcome::Done);
    }
    terminal.say(&format!(
        "all edges are the same in {}: nothing can be told apart there",
        found.degenerate.join("; ")
    ));
    Ok(Outcome::NotConverged)
}

/// The first edges of the first part, beside plain correlation.
fn say_first(found: &FoundEdges, terminal: &Terminal) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (place, edge) in found.rows.iter().take(10).enumerate() {
        let arrow = if edge.activates { "→" } else { "⊣" };
        let mut row = vec![
            format!("{} {arrow} {}", edge.regulator, edge.target),
            short(edge.importance),
            short(edge.effect),
            short(edge.stability),
            short(edge.q_value),
        ];
        row.push(found.correlations.get(place).map_or_else(|| "–".into(), |r| short(*r)));
        rows.push(row);
    }
    let header = ["edge", "importance", "effect", "stability", "q", "correlation"];
    terminal.say(&aligned(&header, &rows));
    if let Some(overlap) = found.overlap {
        terminal.say(&format!(
            "of the first {} edges {} are also first by plain correlation ({} by chance)",
            overlap.first,
            overlap.shared,
            short(overlap.by_chance)
        ));
    }
}
