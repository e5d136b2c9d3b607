//! `sbcell inspect`: the contents of an .h5ad file, and the commands that can use it.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, Inspection, MatrixReport, TimeColumn};

use crate::cli::Outcome;
use crate::cli::shared::{aligned, short};
use crate::cli::terminal::{Lines, Terminal};

const EXAMPLES: &str = "\
Examples:
  sbcell inspect data.h5ad
      shape, matrices, possible time columns, embeddings, usable commands
  sbcell inspect data.h5ad --json
      the same as JSON, for programs";

/// Largest number of values of a time column in the output.
const SHOWN_TIMES: usize = 12;

/// Show the contents of an .h5ad file and the commands that can use it
///
/// sbcell reads the annotation and a sample of each matrix. It lists the parts that it cannot read, with
/// the reason.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// AnnData file with the cells, or a folder or list of such files
    #[arg(value_name = "DATA.h5ad")]
    data: PathBuf,
}

/// Runs `sbcell inspect`: prints the contents of the file, as tables or as JSON.
///
/// # Errors
/// As [`pipeline::inspect`].
pub(crate) fn run(args: InspectArgs, terminal: &Terminal) -> Result<Outcome> {
    let InspectArgs { data } = args;
    let found = pipeline::inspect(&data)?;
    if terminal.is_json() {
        terminal.extend(&found);
        let usable = found.can_run.iter().filter(|ability| ability.why_not.is_none());
        let usable: Vec<&str> = usable.map(|ability| ability.command).collect();
        terminal.record("n_cells", &found.n_cells);
        terminal.record("n_genes", &found.n_genes);
        terminal.record("usable_commands", &usable);
    } else {
        terminal.data(&Lines::joined(&sections(&found), "\n\n"));
    }
    Ok(Outcome::Done)
}

/// The parts of the page: file, matrices, time columns, `obs`, embeddings, commands.
fn sections(found: &Inspection) -> Vec<Lines> {
    let mut sections = vec![head(found)];
    if !found.matrices.is_empty() {
        let rows: Vec<Vec<String>> = found.matrices.iter().map(matrix_row).collect();
        let columns = ["name", "shape", "stored as", "zeros", "values", "range"];
        sections.push(Lines::titled("matrices", &aligned(&columns, &rows)));
    }
    if found.time_columns.is_empty() {
        sections.push(Lines::of(["time: no column of obs looks like it".into()]));
    } else {
        let rows: Vec<Vec<String>> = found.time_columns.iter().map(time_row).collect();
        let columns = ["column", "values (cells)"];
        sections.push(Lines::titled("columns that may be the time", &aligned(&columns, &rows)));
    }
    let rows: Vec<Vec<String>> = found
        .obs
        .iter()
        .map(|column| {
            let kind = column.problem.as_deref().or(column.kind).unwrap_or("unreadable");
            let missing = column.n_missing.to_string();
            vec![column.name.clone(), kind.to_string(), column.n_distinct.to_string(), missing]
        })
        .collect();
    if !rows.is_empty() {
        let columns = ["column", "kind", "distinct", "missing"];
        sections.push(Lines::titled("obs", &aligned(&columns, &rows)));
    }
    if !found.embeddings.is_empty() {
        let rows: Vec<Vec<String>> = found
            .embeddings
            .iter()
            .map(|embedding| vec![embedding.key.clone(), embedding.dim.to_string()])
            .collect();
        sections.push(Lines::titled("embeddings (obsm)", &aligned(&["key", "dimensions"], &rows)));
    }
    let rows: Vec<Vec<String>> = found
        .can_run
        .iter()
        .map(|ability| {
            let answer = ability.why_not.as_ref().map_or("yes".into(), |why| format!("no: {why}"));
            vec![ability.command.to_string(), answer]
        })
        .collect();
    sections.push(Lines::titled("what could be run", &aligned(&["command", ""], &rows)));
    sections
}

/// The size of the file, the program that wrote it, and repeated names of genes.
fn head(found: &Inspection) -> Lines {
    let genes = found.n_genes.map_or("no genes".into(), |n| format!("{n} genes"));
    let mut lines = vec![
        format!(
            "{}: {} cells × {genes}, {}",
            found.file.display(),
            found.n_cells,
            size(found.n_bytes)
        ),
        format!("written by {}", found.written_by),
    ];
    lines.extend(found.remarks.iter().cloned());
    if let Some(first) = found.duplicate_genes.first() {
        let n = found.duplicate_genes.len();
        lines.push(format!("{n} gene names occur more than once, such as `{first}`"));
    }
    Lines::of(lines)
}

/// The row of a matrix, or the reason why it cannot be read.
fn matrix_row(matrix: &MatrixReport) -> Vec<String> {
    let Some(info) = &matrix.info else {
        let problem = matrix.problem.clone().unwrap_or_default();
        return vec![matrix.name.clone(), "–".into(), problem, "–".into(), "–".into(), "–".into()];
    };
    let compression = if info.compression.is_empty() {
        String::new()
    } else {
        format!(", {}", info.compression.join("+"))
    };
    let zeros = matrix.sparsity.map_or("–".into(), |share| format!("{:.0} %", 100.0 * share));
    let (looks, range) = matrix.values.map_or(("–".into(), "–".into()), |values| {
        let range = format!("{} to {}", short(f64::from(values.min)), short(f64::from(values.max)));
        (values.looks_like.to_string(), range)
    });
    vec![
        matrix.name.clone(),
        format!("{} × {}", info.n_cells, info.n_genes),
        format!("{} {}{compression}", info.format, info.dtype),
        zeros,
        looks,
        range,
    ]
}

/// The row of a possible time column: values with their numbers of cells, missing cells, unit.
fn time_row(column: &TimeColumn) -> Vec<String> {
    let mut values: Vec<String> = column
        .values
        .iter()
        .take(SHOWN_TIMES)
        .map(|(label, n_cells)| format!("{label} ({n_cells})"))
        .collect();
    if SHOWN_TIMES < column.values.len() {
        values.push(format!("… {} in all", column.values.len()));
    }
    if 0 < column.n_missing {
        values.push(format!("missing ({})", column.n_missing));
    }
    if let Some(unit) = &column.unit {
        values.push(format!("in {unit}"));
    }
    if let Some(problem) = &column.problem {
        values.push(problem.clone());
    }
    vec![column.name.clone(), values.join(", ")]
}

/// A size in kB, MB or GB; units are powers of ten.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", (bytes as f64 / 1e3).max(1.0)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
