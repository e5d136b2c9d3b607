//! `sbcell grn-score`: scores of edges against a known network.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::table::{Cells, Table};
use sbcell::pipeline::{self, Candidates, GrnScore, GrnScoreOptions};

use crate::cli::Outcome;
use crate::cli::shared::{GeneArgs, aligned, short, shown, with_help};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell grn-score --truth refNetwork.csv edges.csv
      all ordered pairs of genes of the network are candidates
  sbcell grn-score --truth chip.tsv --candidates regulators --measured edges.csv genie3.csv
      two lists; candidates are the edges of known regulators, among the genes that the lists name
  sbcell grn-score --truth refNetwork.csv edges.csv --out scores.csv
      the scores as a table

sbcell reads edge lists and networks by their header: TF,target,importance (sbcell, GRNBoost2),
Gene1,Gene2,EdgeWeight or Type (BEELINE), source,target,weight (decoupler), coef_mean
(CellOracle). A network with a column `edge` of 0 and 1 lists the pairs that were tested; only
these are candidates.

A self-edge never counts. A candidate that a list does not name has importance 0. Scores are exact
for ties. `ap` is the average precision, `trapezoid` BEELINE's area under the precision-recall
curve, `epr` the early precision ratio; `+` and `-` are the ratios of activations and inhibitions,
`signed` that of edges with the right sign, `signs` the share of right signs among true edges.";

/// Score edges against a known network
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("genes", |genes| with_help(genes, " [default: the genes of the network]")))]
pub(crate) struct GrnScoreArgs {
    /// Edge lists: .csv, .tsv or .parquet
    #[arg(required = true, value_name = "EDGES")]
    edges: Vec<PathBuf>,
    /// Known network: .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Pairs of genes that count as candidates for an edge [default: listed, if the network lists the
    /// tested pairs; else all]
    #[arg(long, value_enum)]
    candidates: Option<Candidates>,
    #[command(flatten)]
    genes: GeneArgs,
    /// Leave out genes of the network that the edge list does not name
    #[arg(long)]
    measured: bool,
    /// Table to write: .csv, .tsv or .parquet, or - for standard output [default: none; the scores are
    /// printed]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs `sbcell grn-score`: prints the scores of each edge list, and writes them if asked.
///
/// # Errors
/// As [`pipeline::grn_score`].
pub(crate) fn run(args: GrnScoreArgs, terminal: &mut Terminal) -> Result<Outcome> {
    let GrnScoreArgs { edges, truth, candidates, genes, measured, out } = args;
    let format = out.as_deref().map(|out| terminal.table_format(out)).transpose()?;
    let genes = genes.names()?;
    let options = GrnScoreOptions::default()
        .with_candidates(candidates)
        .with_genes(genes)
        .with_measured(measured);
    let scored: Vec<GrnScore> = edges
        .iter()
        .map(|list| pipeline::grn_score(list, &truth, &options))
        .collect::<Result<_>>()?;
    let names: Vec<String> = edges.iter().map(|path| path.display().to_string()).collect();
    say(&names, &scored, terminal);
    if let (Some(path), Some(format)) = (out, format) {
        let table = scores_table(names, &scored);
        pipeline::write_scores(&path, &table, format, &truth, &options)?;
        terminal.wrote(&path);
        terminal.say(&format!("wrote {}", shown(&path)));
    }
    Ok(Outcome::Done)
}

/// Prints one row of scores per edge list.
fn say(names: &[String], scored: &[GrnScore], terminal: &Terminal) {
    const HEADER: [&str; 12] = [
        "list",
        "edges",
        "AUROC",
        "AP",
        "trapezoid",
        "AP/chance",
        "EPR",
        "EPR+",
        "EPR-",
        "signed",
        "signs",
        "outside",
    ];
    let rows: Vec<Vec<String>> = names
        .iter()
        .zip(scored)
        .map(|(name, GrnScore { scores, n_outside, .. })| {
            let counts = format!("{}/{}", scores.n_present, scores.n_candidates);
            let numbers = [
                scores.auroc,
                scores.average_precision,
                scores.trapezoid,
                scores.ap_ratio,
                scores.epr,
                scores.epr_activation,
                scores.epr_inhibition,
                scores.signed_epr,
                scores.sign_accuracy,
            ];
            let numbers =
                numbers.map(|number| if number.is_nan() { String::new() } else { short(number) });
            let row = [name.clone(), counts].into_iter().chain(numbers);
            row.chain([n_outside.to_string()]).collect()
        })
        .collect();
    terminal.say(&aligned(&HEADER, &rows));
    if let Some(first) = scored.first() {
        let (n_genes, n_named) = first.genes;
        terminal.say(&format!(
            "{n_genes} genes of the network count, of which {} names {n_named}; a random list has AP \
             {}, AUROC 0.5, EPR 1",
            names[0],
            short(first.scores.density)
        ));
    }
}

/// The scores as a table, one row per edge list.
fn scores_table(names: Vec<String>, scored: &[GrnScore]) -> Table {
    let whole = |value: &dyn Fn(&GrnScore) -> usize| {
        Cells::Integers(scored.iter().map(|score| value(score) as i64).collect())
    };
    let mut table = Table::default()
        .with("edges", Cells::Texts(names))
        .with("n_candidates", whole(&|score| score.scores.n_candidates))
        .with("n_true", whole(&|score| score.scores.n_present));
    let named: Vec<_> = scored.iter().map(|score| score.scores.named()).collect();
    for place in 0..named.first().map_or(0, |first| first.len()) {
        let values = named.iter().map(|scores| scores[place].1).collect();
        table.push(named[0][place].0, Cells::Floats(values));
    }
    table
}
