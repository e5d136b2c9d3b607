//! Model → which cell goes to which, in files of our own and in the shapes that other tools read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bridge::Coupling;
use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::model::Model;
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::io::temporary::number_in_name;
use crate::linalg::Csr;
use crate::pipeline::lineage::CourseOfCells;
use crate::pipeline::output::write_recorded;
use crate::progress::{self, Event, Progress};

/// The shape of couplings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// `FROM_TO.parquet` with `source`, `target`, `mass`.
    #[default]
    Parquet,
    /// The same table, comma-separated.
    Csv,
    /// The same, as [`TableFormat::SpreadsheetCsv`].
    #[cfg_attr(feature = "cli", value(skip))]
    SpreadsheetCsv,
    /// `tmaps_FROM_TO.h5ad`, cells × cells, whose rows sum to the growth, and `tmaps_g.txt`.
    Wot,
    /// `cellrank.h5ad` with all cells and `obsp['T_fwd']`, whose rows sum to one.
    Cellrank,
    /// `FROM_TO.parquet` with `id`, then one column per target cell.
    Moscot,
}

impl Export {
    /// This shape as spreadsheets can open it without harm, if `safe`.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        if safe && self == Self::Csv { Self::SpreadsheetCsv } else { self }
    }
}

/// What `couplings` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CouplingOptions {
    /// The shape.
    pub format: Export,
    /// Pairs with less of the mass of an even row are left out.
    pub least: f64,
    /// Seed of plans that are drawn.
    pub seed: u64,
}

impl Export {
    /// The file of the interval between two times.
    fn file(self, from: f64, to: f64) -> String {
        let stem = format!("{}_{}", number_in_name(from), number_in_name(to));
        match self {
            Self::Parquet | Self::Moscot => format!("{stem}.parquet"),
            Self::Csv | Self::SpreadsheetCsv => format!("{stem}.csv"),
            Self::Wot => format!("tmaps_{stem}.h5ad"),
            Self::Cellrank => CELLRANK.to_string(),
        }
    }
}

/// The file of all intervals for CellRank.
const CELLRANK: &str = "cellrank.h5ad";

/// The table of growth for WOT.
const WOT_GROWTH: &str = "tmaps_g.txt";

/// The files that [`couplings`] writes into folder `out` for snapshots at `times`.
pub fn coupling_files(out: &Path, times: &[f64], export: Export) -> Vec<PathBuf> {
    let mut names: Vec<String> =
        times.windows(2).map(|pair| export.file(pair[0], pair[1])).collect();
    names.dedup();
    if export == Export::Wot {
        names.push(WOT_GROWTH.to_string());
    }
    names.into_iter().map(|name| out.join(name)).collect()
}

/// Cells of a time that may be columns of a table.
const MOST_COLUMNS: usize = 20_000;

/// Writes the couplings of the model into folder `out`; the files, each with its share of the mass that
/// is kept.
///
/// # Errors
/// [`Error::Parameter`] if a table would have too many columns or `least` is out of range;
/// [`Error::Io`] if a file cannot be written.
pub fn couplings(
    out: &Path,
    model: &Model,
    options: &CouplingOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<(PathBuf, f64)>> {
    if !(0.0..1.0).contains(&options.least) {
        let (name, must) = ("least", "at least 0 and below 1");
        return Err(Error::Parameter { name, must, got: options.least.to_string() });
    }
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let n = course.lineage.links().len();
    let what = "writing couplings".to_string();
    progress::report(progress, Event::Begin { what, total: n as u64 })?;
    let mut all = Vec::with_capacity(n);
    let mut files = Vec::new();
    for k in 0..n {
        let coupling = course.lineage.links()[k].coupling(options.least)?;
        let kept = coupling.kept() / course.lineage.links()[k].marginals().0.sum();
        if options.format == Export::Cellrank {
            all.push((coupling, kept));
        } else {
            let times = course.lineage.times();
            let file = out.join(options.format.file(times[k], times[k + 1]));
            write_recorded(&file, "couplings", model, options, |file| {
                one(file, (model, &course), (k, &coupling), options.format)
            })?;
            files.push((file, kept));
        }
        progress::report(progress, Event::Step { done: k as u64 + 1 })?;
    }
    match options.format {
        Export::Cellrank => {
            let file = out.join(CELLRANK);
            write_recorded(&file, "couplings", model, options, |file| {
                transition_matrix(file, (model, &course), &all)
            })?;
            files.push((file, all.iter().map(|(_, kept)| *kept).fold(1.0, f64::min)));
        }
        Export::Wot => {
            write_recorded(&out.join(WOT_GROWTH), "couplings", model, options, |file| {
                growth_table(file, (model, &course))
            })?;
        }
        Export::Parquet | Export::Csv | Export::SpreadsheetCsv | Export::Moscot => {}
    }
    progress::report(progress, Event::End)?;
    Ok(files)
}

fn names(model: &Model, course: &CourseOfCells, k: usize) -> Vec<String> {
    course.rows[k].iter().map(|&row| model.cells[row].clone()).collect()
}

/// The file of one interval.
fn one(
    file: &Path,
    (model, course): (&Model, &CourseOfCells),
    (k, coupling): (usize, &Coupling),
    export: Export,
) -> Result<()> {
    let (sources, targets) = (names(model, course, k), names(model, course, k + 1));
    match export {
        Export::Wot => {
            let growth = course.lineage.growth(k).to_vec();
            let maps = growing(coupling, &growth)?;
            let growth = Column::Floats(growth);
            write_h5ad(
                file,
                &H5adContent {
                    obs_names: &sources,
                    obs: &[("g0", &growth), ("g1", &growth)],
                    var_names: &targets,
                    x: Some(MatrixContent::Sparse(&maps)),
                    ..H5adContent::default()
                },
            )
        }
        Export::Moscot => {
            if targets.len() > MOST_COLUMNS {
                let (name, must) = ("format", "another than moscot above 20 000 cells at a time");
                return Err(Error::Parameter { name, must, got: targets.len().to_string() });
            }
            let mut columns = vec![vec![0.0; sources.len()]; targets.len()];
            coupling.pairs().for_each(|(i, j, mass)| columns[j][i] = mass);
            let mut table = Table::default().with("id", Cells::Texts(sources));
            for (name, column) in targets.into_iter().zip(columns) {
                table.push(name, Cells::Floats(column));
            }
            table::write(file, &table, TableFormat::Parquet)
        }
        _ => {
            let pairs: Vec<(usize, usize, f64)> = coupling.pairs().collect();
            let text = |of: &[String], place: &dyn Fn(&(usize, usize, f64)) -> usize| {
                Cells::Texts(pairs.iter().map(|pair| of[place(pair)].clone()).collect())
            };
            let table = Table::default()
                .with("source", text(&sources, &|pair| pair.0))
                .with("target", text(&targets, &|pair| pair.1))
                .with("mass", Cells::Floats(pairs.iter().map(|pair| pair.2).collect()));
            let format = match export {
                Export::Csv => TableFormat::Csv,
                Export::SpreadsheetCsv => TableFormat::SpreadsheetCsv,
                _ => TableFormat::Parquet,
            };
            table::write(file, &table, format)
        }
    }
}

/// Rows that sum to the growth of each cell relative to the mean cell, what was left out made up for.
fn growing(coupling: &Coupling, growth: &[f64]) -> Result<Csr> {
    let rows = growth.iter().enumerate().map(|(i, growth)| {
        let (targets, masses) = coupling.row(i);
        let total: f64 = masses.iter().sum();
        let values = masses.iter().map(|mass| (mass * growth / total) as f32);
        (targets.to_vec(), values.collect::<Vec<f32>>())
    });
    stacked(rows, coupling.shape().1)
}

fn stacked(rows: impl Iterator<Item = (Vec<u32>, Vec<f32>)>, n_columns: usize) -> Result<Csr> {
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for (of_row, numbers) in rows {
        columns.extend(of_row);
        values.extend(numbers);
        starts.push(columns.len());
    }
    Csr::new(n_columns, starts, columns, values)
}

/// `tmaps_g.txt`: `id`, `g0`, `g1`, tab-separated, cells of all times but the last.
fn growth_table(file: &Path, (model, course): (&Model, &CourseOfCells)) -> Result<()> {
    let last = course.rows.len() - 1;
    let ids = (0..last).flat_map(|k| names(model, course, k)).collect();
    let growth: Vec<f64> = (0..last).flat_map(|k| course.lineage.growth(k).to_vec()).collect();
    let table = Table::default()
        .with("id", Cells::Texts(ids))
        .with("g0", Cells::Floats(growth.clone()))
        .with("g1", Cells::Floats(growth));
    table::write(file, &table, TableFormat::Tsv)
}

/// All cells of the model, in its order: rows of sum one to the next time; the cells of the last time
/// stay where they are.
fn transition_matrix(
    file: &Path,
    (model, course): (&Model, &CourseOfCells),
    all: &[(Coupling, f64)],
) -> Result<()> {
    let mut rows: Vec<(Vec<u32>, Vec<f32>)> = vec![(Vec::new(), Vec::new()); model.cells.len()];
    for (k, (coupling, _)) in all.iter().enumerate() {
        for (i, &row) in course.rows[k].iter().enumerate() {
            let (targets, masses) = coupling.row(i);
            let total: f64 = masses.iter().sum();
            let mut entries: Vec<(u32, f32)> = targets
                .iter()
                .zip(masses)
                .map(|(&j, mass)| (course.rows[k + 1][j as usize] as u32, (mass / total) as f32))
                .collect();
            entries.sort_by_key(|entry| entry.0);
            rows[row] = entries.into_iter().unzip();
        }
    }
    for (row, (columns, values)) in rows.iter_mut().enumerate() {
        // The last time, and cells that nothing leads from.
        if columns.is_empty() {
            columns.push(row as u32);
            values.push(1.0);
        }
    }
    let matrix = stacked(rows.into_iter(), model.cells.len())?;
    let time = Column::Floats(model.cell_times.clone());
    let key = model.header.source.strip_prefix("obsm/").unwrap_or("X_pca");
    write_h5ad(
        file,
        &H5adContent {
            obs_names: &model.cells,
            obs: &[("sbcell_time", &time)],
            obsm: &[(key, model.points.view())],
            obsp: &[("T_fwd", &matrix)],
            ..H5adContent::default()
        },
    )
}
