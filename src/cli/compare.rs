//! `sbcell compare`: condition against condition.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::chart::{ChartFormat, Difference, draw_differences};
use sbcell::pipeline::{
    self, CompareKind, CompareOptions, Compared, ComparedRow, ConditionModel, condition_folders,
};

use crate::cli::Outcome;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    BootstrapArgs, CouplingNoiseArgs, GeneArgs, ModelArgs, RegulatorArgs, ResampleArgs, aligned,
    open_model, short, shown, up_to, with_help,
};
use crate::cli::terminal::{Lines, Terminal};

const EXAMPLES: &str = "\
Examples:
  sbcell fit data.h5ad --timepoints day --condition-key treatment --out models
  sbcell compare --model models --groupby cell_type --batch-key donor
      every treatment against the first one, with donors as replicates
  sbcell compare --model models --groupby cell_type --reference control --genes markers.txt
      also the mean expression of some genes; control is the reference
  sbcell compare --model models --groupby cell_type --plot compare.svg
      the clearest differences of each kind with their intervals
  sbcell compare --model models --groupby cell_type --edges 20 --tfs tfs.txt
      also the first 20 regulatory edges of both conditions together, from the regulators of a list

Columns: kind, reference, condition, time, time_to, group, target, n_reference and n_condition
(cells), value_reference, value_condition, difference (condition minus reference), lo and hi (95 %
interval over resamples), relabelled (mean difference under permuted labels), p (permutation test),
q (Benjamini-Hochberg over all rows of the kind).

Kinds: population (energy distance between the conditions, at snapshots and halfway between them,
in units of the scale of the fit), share (of a group in a time), fate (share of a group at the last
common time among the descendants of cells of the first one; no group: of all its cells),
transition (the same over one interval), growth (descendants of a group's cells relative to the
mean cell), trend (mean expression), ancestors (mean expression, in which a cell counts by its
descendants in a group of the last common time), edge (effect of the regulator in `group` on
`target`: expression per unit of time for one unit more of the regulator, as in `sbcell grn`).

Edges: the rows are the most important edges of the cells of both conditions together, not those
that differ most, so that the test is fair. An edge that `sbcell grn` finds in one condition alone
is no proof of a difference: read the row of the difference, its interval and its q-value.

Permutations exchange labels of cells within a time, or of whole batches with --batch-key. The
coordinates and ε are held. Fates, transitions and populations halfway are computed for each
labelling on the entropic coupling of its cells alone, without growth, clocks and curves.";

/// Compare conditions: populations, shares, fates, transitions, growth, genes and edges, with tests
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("model", |model| model.help("Folder of the models of several conditions, written \
    by `sbcell fit --condition-key`")))]
#[command(mut_arg("out", |out| out.default_value("compare.csv")))]
#[command(mut_arg("genes", |genes| genes.help("File with names of genes, one per line, whose mean \
    expression is compared [default: none]. With --edges also the targets of edges [default: the genes \
    of the model]")))]
#[command(mut_arg("tfs", |tfs| with_help(tfs.requires("edges"), ". For --edges")))]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Condition with which the others are compared [default: the first of --conditions, or the
    /// first by name]
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    /// Conditions to compare [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    conditions: Vec<String>,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    genes: GeneArgs,
    #[command(flatten)]
    noise: CouplingNoiseArgs,
    #[command(flatten)]
    resample: ResampleArgs,
    /// Number of permutations of the labels
    #[arg(long, value_name = "N", default_value_t = CompareOptions::default().permutations,
          value_parser = up_to::<100_000>, help_heading = "Bootstrap")]
    permutations: usize,
    /// Largest number of cells of each condition and time that permutations and edges use, drawn at random
    #[arg(long, value_name = "N", default_value_t = CompareOptions::default().test_cells,
          help_heading = "Bootstrap")]
    test_cells: usize,
    #[command(flatten)]
    edges: EdgeArgs,
    #[command(flatten)]
    table: TableArgs,
    /// Chart to draw, .svg, .png or .pdf: the clearest differences of each kind
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    plot: Option<PathBuf>,
}

/// The regulatory edges that are compared.
#[derive(Debug, Args)]
#[command(next_help_heading = "Edges")]
struct EdgeArgs {
    /// Compare regulatory edges: the N most important ones of both conditions together, 50 without N.
    /// Every resample and permutation estimates them anew, which takes time [default: none]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "50",
          value_parser = up_to::<100_000>)]
    edges: Option<usize>,
    #[command(flatten)]
    tfs: RegulatorArgs,
}

/// Largest number of differences of one kind in the chart.
const DRAWN: usize = 12;

/// q-value below which a row counts as different.
const CLEAR: f64 = 0.05;

/// Runs `sbcell compare`: writes the table, draws the chart, and prints one line for each kind.
///
/// # Errors
/// As [`pipeline::compare`].
pub(crate) fn run(args: CompareArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let CompareArgs {
        model: ModelArgs { model: folder },
        reference,
        conditions,
        sets,
        genes,
        noise,
        resample,
        permutations,
        test_cells,
        edges: EdgeArgs { edges, tfs },
        table,
        plot,
    } = args;
    let ResampleArgs { bootstrap: BootstrapArgs { bootstrap }, batch_key } = resample;
    let (out, format) = table.target(terminal)?;
    if let Some(plot) = &plot {
        ChartFormat::of(plot)?;
    }
    let options = CompareOptions::default()
        .with_sets(sets.all_or_none()?)
        .with_genes(genes.names()?)
        .with_batch(batch_key)
        .with_bootstrap(bootstrap)
        .with_permutations(permutations)
        .with_test_cells(test_cells)
        .with_edges(edges)
        .with_regulators(tfs.regulators()?)
        .with_coupling_epsilon(noise.coupling_epsilon)
        .with_seed(seed);
    options.check()?;
    let folders = condition_folders(&folder, reference.as_deref(), &conditions)?;
    let models = folders
        .into_iter()
        .map(|(name, folder)| Ok(ConditionModel { name, model: open_model(&folder, terminal)? }))
        .collect::<Result<Vec<_>>>()?;
    let found = pipeline::compare(&models, &options, terminal)?;
    let names: Vec<&String> = models.iter().map(|of| &of.name).collect();
    let recorded = serde_json::json!({ "conditions": names, "options": options });
    let record = folder.join("conditions.json");
    pipeline::write_recorded_without_model(&out, "compare", &record, &recorded, |out| {
        sbcell::io::table::write(out, &found.table, format)
    })?;
    if let Some(plot) = &plot {
        let chart = draw(&found);
        pipeline::write_recorded_without_model(plot, "compare", &record, &recorded, |plot| {
            chart.write(plot)
        })?;
        terminal.wrote(plot);
        terminal.say(&format!("drew {}", shown(plot)));
    }
    terminal.say(&said(&found));
    terminal.wrote(&out);
    terminal.record("n_rows", &found.rows.len());
    terminal.say(&format!("wrote {} rows to {}", found.rows.len(), shown(&out)));
    Ok(Outcome::Done)
}

/// The chart of the clearest differences of each kind.
fn draw(found: &Compared) -> sbcell::io::chart::Chart {
    let first = found.rows.first();
    let several =
        first.is_some_and(|first| found.rows.iter().any(|row| row.condition != first.condition));
    let title = match first {
        Some(row) if several => format!("conditions against {}", row.reference),
        Some(row) => format!("{} against {}", row.condition, row.reference),
        None => "no common cells".into(),
    };
    let of = |row: &ComparedRow| Difference {
        panel: row.kind.to_string(),
        name: if several { format!("{}: {}", row.condition, row.name()) } else { row.name() },
        value: row.difference,
        lo: row.lo,
        hi: row.hi,
        q: row.q,
    };
    draw_differences(&title, &found.rows.iter().map(of).collect::<Vec<_>>(), DRAWN)
}

/// One line for each kind: how many rows differ, and the row with the smallest p-value, of equal ones the
/// largest difference.
fn said(found: &Compared) -> Lines {
    let line = |kind: CompareKind| -> Option<Vec<String>> {
        let rows: Vec<&ComparedRow> = found.rows.iter().filter(|row| row.kind == kind).collect();
        let clear = rows.iter().filter(|row| row.q < CLEAR).count();
        let known = rows.iter().filter(|row| row.difference.is_finite());
        let clearest = known.min_by(|a, b| {
            let sizes = b.difference.abs().total_cmp(&a.difference.abs());
            a.p.total_cmp(&b.p).then(sizes)
        })?;
        let interval = if clearest.lo.is_finite() {
            format!("[{}, {}]", short(clearest.lo), short(clearest.hi))
        } else {
            "–".into()
        };
        Some(vec![
            kind.to_string(),
            format!("{clear}/{}", rows.len()),
            format!("{}: {}", clearest.condition, clearest.name()),
            short(clearest.difference),
            interval,
            short(clearest.q),
        ])
    };
    let rows: Vec<Vec<String>> = CompareKind::ALL.into_iter().filter_map(line).collect();
    aligned(&["kind", "q < 0.05", "clearest", "difference", "95 % interval", "q"], &rows)
}
