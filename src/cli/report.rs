//! `sbcell report`: one page of HTML with all results of a folder.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, ReportOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::flags;
use crate::cli::places::{FolderParser, MODEL_FOLDER};
use crate::cli::run::is_of_run;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{open_model, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell report
      what there is in ./sbcell-out, to ./sbcell-out/report.html
  sbcell report sbcell-out --groupby cell_type --out report.html
      cells coloured by their type, with the colours that scanpy gave them
  sbcell report sbcell-out --fates fates.csv --transitions transitions.csv --edges edges.csv
      results that lie elsewhere

The page is one file without links to others: it opens from disk, prints, and works without scripts.
What was not computed is left out, with the command that computes it. sbcell_mqc.json beside the page
is a table for MultiQC.";

/// One page with all results: summary, maps, fates, transitions, genes, edges, validation
///
/// The folder is that of a model, or one with the model in model/ and results beside it: validation/,
/// populations, fates, transitions, trends and edges (.csv, .tsv or .parquet).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportArgs {
    /// Folder of results, or of a fitted model. Without it, sbcell-results is used where sbcell-out has
    /// no model
    #[arg(default_value = MODEL_FOLDER, value_parser = FolderParser { of_model: false })]
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    sets: SetArgs,
    /// Embedding of obsm on which cells are drawn [default: X_umap, or the first two coordinates of the
    /// model]
    #[arg(long, value_name = "KEY")]
    basis: Option<String>,
    /// Page to write [default: report.html in FOLDER]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Results that lie elsewhere than in the folder.
#[derive(Debug, Args)]
#[command(next_help_heading = "Results outside of FOLDER")]
struct ResultArgs {
    /// Folder that `sbcell evaluate` wrote [default: validation in FOLDER, or that of the fit]
    #[arg(long, value_name = "DIR")]
    validation: Option<PathBuf>,
    /// Table that `sbcell interpolate` wrote
    #[arg(long, value_name = "FILE")]
    populations: Option<PathBuf>,
    /// Table that `sbcell fates` wrote
    #[arg(long, value_name = "FILE")]
    fates: Option<PathBuf>,
    /// Table that `sbcell transitions` wrote
    #[arg(long, value_name = "FILE")]
    transitions: Option<PathBuf>,
    /// Table that `sbcell trends` wrote
    #[arg(long, value_name = "FILE")]
    trends: Option<PathBuf>,
    /// Table that `sbcell grn` wrote
    #[arg(long, value_name = "FILE")]
    edges: Option<PathBuf>,
}

impl ResultArgs {
    /// `options` with the results that were given.
    fn onto(self, options: ReportOptions) -> ReportOptions {
        let Self { validation, populations, fates, transitions, trends, edges } = self;
        let validation = validation.or(options.validation.clone());
        let populations = populations.or(options.populations.clone());
        let fates = fates.or(options.fates.clone());
        let transitions = transitions.or(options.transitions.clone());
        let trends = trends.or(options.trends.clone());
        let edges = edges.or(options.edges.clone());
        options
            .with_validation(validation)
            .with_populations(populations)
            .with_fates(fates)
            .with_transitions(transitions)
            .with_trends(trends)
            .with_edges(edges)
    }
}

/// The page that is written if none is named.
pub(crate) fn default_page(folder: &Path) -> PathBuf {
    folder.join("report.html")
}

/// Runs `sbcell report`: writes the page and prints its summary.
///
/// # Errors
/// As [`pipeline::report`]; [`Error::Parameter`] if `--out` is no page.
pub(crate) fn run(args: ReportArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let ReportArgs { folder, results, sets, basis, out } = args;
    let out = out.unwrap_or_else(|| default_page(&folder));
    let suffix = out.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    if !is_stream(&out) && !matches!(suffix.as_deref(), Some("html" | "htm")) {
        let must = "a file that ends in .html";
        return Err(Error::Parameter { name: "--out", must, got: out.display().to_string() });
    }
    let options = results
        .onto(ReportOptions::in_folder(&folder))
        .with_sets(sets.all_or_none()?)
        .with_basis(basis)
        .with_seed(seed);
    write_page(&out, &options, terminal)?;
    Ok(Outcome::Done)
}

/// Makes the page of the results that `options` names, writes it to `out`, and prints its three sentences.
///
/// # Errors
/// As [`pipeline::report`].
pub(crate) fn write_page(
    out: &Path,
    options: &ReportOptions,
    terminal: &mut Terminal,
) -> Result<()> {
    let model = open_model(&options.model, terminal)?;
    let mut report = pipeline::report(&model, options, terminal)?;
    if is_of_run(&options.folder) {
        // Notes of the fit come from the step of that name.
        report.reword_notes(&|text| flags::in_text_of_run(text, "fit"));
    }
    report.reword(&|text| flags::in_text(text));
    pipeline::write_report(out, &model, &report, options)?;
    terminal.wrote(out);
    terminal.wrote(&pipeline::multiqc_beside(out));
    let page = if is_stream(out) { "the page".into() } else { shown(out) };
    let findings = report.summary_outside(&page);
    terminal.record("findings", &findings);
    for sentence in &findings {
        terminal.say(sentence);
    }
    terminal.say(&format!("wrote {}: open it in a browser", shown(out)));
    Ok(())
}
