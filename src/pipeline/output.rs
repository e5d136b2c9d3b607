//! Populations and edges into files, each with its run record beside it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::{Column, GeneIndex};
use crate::error::{Error, Result};
use crate::io::chart::{Chart, draw_edges, draw_regulators, draw_validation};
use crate::io::edges::{self, EdgeDialect, EdgeRow};
use crate::io::file;
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::lock::FolderLock;
use crate::io::model::{Model, recover};
use crate::io::output::is_stream;
use crate::io::recorded;
use crate::io::run::{InputRecord, OutputRecord, RunRecord, json_sha256, read_json, write_json};
use crate::io::staged::Staged;
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::io::validation::{self, Validation};
use crate::pipeline::evaluate::{EvaluateOptions, Evaluated};
use crate::pipeline::fit::to_value;
use crate::pipeline::grn::{FoundEdges, GrnOptions};
use crate::pipeline::impute::Imputed;
use crate::pipeline::interpolate::{InterpolateOptions, Population, Space};
use crate::pipeline::prepare::file_name;
use crate::pipeline::sample::{SampleOptions, Sampled};
use crate::pipeline::velocity::{Velocities, VelocityOptions, VelocitySpace, chosen_genes};
use crate::progress::Silent;

/// The files of a validation.
const VALIDATION_FILES: [&str; 4] =
    ["validation.csv", "validation.json", "validation.svg", "validation.png"];

/// The record of how they came about.
const VALIDATION_RUN: &str = "validation.run.json";

/// Edges in a picture.
const DRAWN_EDGES: usize = 30;

/// How populations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PopulationFormat {
    /// A table: `time`, `particle`, `weight`, then the coordinates.
    Parquet,
    /// The same table, comma-separated.
    Csv,
    /// The same, as [`TableFormat::SpreadsheetCsv`].
    #[cfg_attr(feature = "cli", value(skip))]
    SpreadsheetCsv,
    /// An AnnData file with the cells of all times; `obs` has `time` and `weight`.
    H5ad,
}

impl PopulationFormat {
    /// The format a file's suffix names.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the suffix is none of `parquet`, `csv`, `h5ad`.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("parquet") => Ok(Self::Parquet),
            Some("csv") => Ok(Self::Csv),
            Some("h5ad") => Ok(Self::H5ad),
            None if is_stream(path) => Ok(Self::Csv),
            _ => Err(Error::Parameter {
                name: "out",
                must: "a file that ends in .parquet, .csv or .h5ad (or give the parameter `format`)",
                got: path.display().to_string(),
            }),
        }
    }

    /// This format as spreadsheets can open it without harm, if `safe`.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        if safe && self == Self::Csv { Self::SpreadsheetCsv } else { self }
    }

    /// This format as one of tables, which an `.h5ad` is not.
    fn of_tables(self) -> TableFormat {
        match self {
            Self::Csv => TableFormat::Csv,
            Self::SpreadsheetCsv => TableFormat::SpreadsheetCsv,
            Self::Parquet | Self::H5ad => TableFormat::Parquet,
        }
    }

    /// The suffix of such files.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv | Self::SpreadsheetCsv => "csv",
            Self::H5ad => "h5ad",
        }
    }
}

/// Writes all populations into one file, and its run record.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written; [`Error::NoGeneSpace`] if genes are asked of a
/// model without them.
pub fn write_populations(
    out: &Path,
    model: &Model,
    populations: &[Population],
    options: &InterpolateOptions,
    format: PopulationFormat,
) -> Result<()> {
    write_recorded(out, "interpolate", model, options, |out| {
        write_clouds(out, model, populations, (options.space, format))
    })
}

/// As [`write_populations`], for the draws of `sample`.
///
/// # Errors
/// As [`write_populations`].
pub fn write_samples(
    out: &Path,
    model: &Model,
    sampled: &Sampled,
    options: &SampleOptions,
    format: PopulationFormat,
) -> Result<()> {
    write_recorded(out, "sample", model, options, |out| {
        write_clouds(out, model, &sampled.populations, (options.space, format))
    })
}

/// Writes what was found of measured cells, and its run record: `cell`, `gene` (or `coordinate`),
/// `mean`, `sd` in a table, or an AnnData file with the means in `X` and `layers/sd`.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_imputed(
    out: &Path,
    model: &Model,
    imputed: &Imputed,
    options: &SampleOptions,
    format: PopulationFormat,
) -> Result<()> {
    let Imputed { cells, names, mean, deviation, .. } = imputed;
    let format = match format {
        PopulationFormat::H5ad => {
            let spread = [("sd", MatrixContent::Double(deviation.view()))];
            let content = H5adContent {
                obs_names: cells,
                var_names: names,
                x: Some(MatrixContent::Double(mean.view())),
                layers: &spread,
                ..H5adContent::default()
            };
            return write_recorded(out, "sample", model, options, |out| write_h5ad(out, &content));
        }
        tables => tables.of_tables(),
    };
    let what = if options.space == Space::Genes { "gene" } else { "coordinate" };
    let rows = cells.iter().flat_map(|cell| std::iter::repeat_n(cell.clone(), names.len()));
    let table = Table::default()
        .with("cell", Cells::Texts(rows.collect()))
        .with(what, Cells::Texts(cells.iter().flat_map(|_| names.iter().cloned()).collect()))
        .with("mean", Cells::Floats(mean.iter().copied().collect()))
        .with("sd", Cells::Floats(deviation.iter().copied().collect()));
    write_recorded(out, "sample", model, options, |out| table::write(out, &table, format))
}

fn write_clouds(
    out: &Path,
    model: &Model,
    populations: &[Population],
    (space, format): (Space, PopulationFormat),
) -> Result<()> {
    let (names, points) = coordinates(model, populations, space)?;
    let mut times = Vec::new();
    let mut particles = Vec::new();
    let mut weights = Vec::new();
    for population in populations {
        times.extend(std::iter::repeat_n(population.time, population.points.nrows()));
        particles.extend((0..population.points.nrows()).map(|particle| particle as i64));
        weights.extend(population.weights.iter().copied());
    }
    if format == PopulationFormat::H5ad {
        let cells: Vec<String> =
            times.iter().zip(&particles).map(|(t, p)| format!("t{t}-{p}")).collect();
        let (_, pcs) = coordinates(model, populations, Space::Pca)?;
        let (times, weights) = (Column::Floats(times), Column::Floats(weights));
        let in_genes = space == Space::Genes;
        let key = model.header.source.strip_prefix("obsm/").unwrap_or("X_pca");
        write_h5ad(
            out,
            &H5adContent {
                obs_names: &cells,
                obs: &[("time", &times), ("weight", &weights)],
                var_names: if in_genes { &names } else { &[] },
                x: in_genes.then(|| MatrixContent::Double(points.view())),
                obsm: &[(key, pcs.view())],
                ..H5adContent::default()
            },
        )?;
    } else {
        let mut table = Table::default()
            .with("time", Cells::Floats(times))
            .with("particle", Cells::Integers(particles))
            .with("weight", Cells::Floats(weights));
        table.push_points(&names, points.view());
        table::write(out, &table, format.of_tables())?;
    }
    Ok(())
}

/// Writes velocities as a table, and its run record: `id`, `time`, `growth_rate` if there is growth,
/// `speed`, then `velocity_`, `flow_` and `score_` of each coordinate, and the first two of each gene.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written; [`Error::NoGeneSpace`] if genes are asked of a model
/// without them.
pub fn write_velocities(
    out: &Path,
    model: &Model,
    found: &Velocities,
    options: &VelocityOptions,
    format: TableFormat,
) -> Result<()> {
    let mut table = Table::default()
        .with("id", Cells::Texts(found.ids.clone()))
        .with("time", Cells::Floats(found.times.clone()));
    if let Some(growth) = &found.growth {
        table.push("growth_rate", Cells::Floats(growth.clone()));
    }
    table.push("speed", Cells::Floats(found.speed()));
    let named = |prefix: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{prefix}_{name}")).collect()
    };
    let velocities = [("velocity", Some(&found.drift)), ("flow", found.flow.as_ref())];
    if options.space != VelocitySpace::Genes {
        for (prefix, values) in velocities.into_iter().chain([("score", found.score.as_ref())]) {
            let Some(values) = values else { continue };
            table.push_points(&named(prefix, &model.header.dimensions), values.view());
        }
    }
    if options.space.has_genes() {
        let chosen = chosen_genes(model, &options.genes)?;
        let names: Vec<String> = chosen.iter().map(|&gene| model.genes[gene].clone()).collect();
        for (prefix, values) in velocities {
            let Some(values) = values else { continue };
            let all = Velocities::in_genes(model, values.view())?;
            let values = all.select(ndarray::Axis(1), &chosen);
            table.push_points(&named(prefix, &names), values.view());
        }
    }
    write_recorded(out, "velocity", model, options, |out| table::write(out, &table, format))
}

/// How an edge list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeFormat {
    /// A table in the columns of a tool.
    Table(EdgeDialect, TableFormat),
    /// A graph for Cytoscape and its like.
    GraphMl,
}

impl EdgeFormat {
    /// Our columns, or the graph, as a file's suffix says.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the suffix is none of `csv`, `tsv`, `txt`, `parquet`, `graphml`.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("graphml") => Ok(Self::GraphMl),
            _ => Ok(Self::Table(EdgeDialect::Sbcell, TableFormat::of(path)?)),
        }
    }

    /// This format as spreadsheets can open it without harm, if `safe`.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        match self {
            Self::Table(dialect, format) => Self::Table(dialect, format.for_spreadsheets(safe)),
            Self::GraphMl => self,
        }
    }
}

/// Writes an edge list, and its run record.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_edges(
    out: &Path,
    model: &Model,
    rows: &[EdgeRow],
    options: &GrnOptions,
    format: EdgeFormat,
) -> Result<()> {
    write_recorded(out, "grn", model, options, |out| match format {
        EdgeFormat::Table(dialect, format) => {
            table::write(out, &edges::table(rows, dialect), format)
        }
        EdgeFormat::GraphMl => edges::graphml::write(out, rows),
    })
}

/// Draws the first edges of `found` to `plot`, and each gene of [`GrnOptions::drawn`] with its
/// regulators over time beside it ([`picture_of`]), each with its run record. Gives the files.
///
/// # Errors
/// [`Error::Parameter`] for another suffix than `.svg` or `.png`; [`Error::Io`] if a file cannot be
/// written.
pub fn draw_found_edges(
    plot: &Path,
    model: &Model,
    found: &FoundEdges,
    options: &GrnOptions,
) -> Result<Vec<PathBuf>> {
    let draw = |chart: &Chart, file: &Path| {
        write_recorded(file, "grn", model, options, |file| chart.write(file))
    };
    draw(&draw_edges(&found.rows, DRAWN_EDGES), plot)?;
    let mut files = vec![plot.to_path_buf()];
    for gene in &options.drawn {
        let Some(profiles) = found.profiles.as_ref() else { continue };
        let Some(there) = GeneIndex::new(&profiles.genes).find(gene) else { continue };
        let there = &profiles.genes[there.places[0]];
        let Some(chart) = draw_regulators(profiles, &found.rows, there) else { continue };
        let file = picture_of(plot, gene);
        draw(&chart, &file)?;
        files.push(file);
    }
    Ok(files)
}

/// Where the picture of a gene goes: beside `plot`, the name of the gene before the suffix.
pub fn picture_of(plot: &Path, gene: &str) -> PathBuf {
    let suffix = plot.extension().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    plot.with_extension(format!("{}.{suffix}", file::safe_name(gene)))
}

/// Writes `validation.csv`, `.json`, `.svg`, `.png` and their run record into `folder`: all of them, or
/// none. The caller holds the lock of `folder`.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_validation(
    folder: &Path,
    evaluated: &Evaluated,
    options: &EvaluateOptions,
) -> Result<()> {
    let staged = Staged::start(folder)?;
    let names = write_validation_files(staged.place(), &evaluated.validation)?;
    let mut run = RunRecord::new("evaluate", evaluated.input.clone(), to_value(options)?);
    run.notes.clone_from(&evaluated.notes);
    for name in names {
        run.outputs.push(OutputRecord::of(staged.place(), name)?);
    }
    write_json(&staged.place().join(VALIDATION_RUN), &run)?;
    staged.publish(&[names.as_slice(), &[VALIDATION_RUN]].concat())
}

/// Whether `evaluate` may write to `folder`: nothing of the names it writes is there, or an earlier
/// evaluation or fit wrote it. What a dead one left there is put in its place or removed. Nobody else
/// writes to the folder before the lock goes. With `overwrite`, files that are not ours are replaced.
///
/// # Errors
/// [`Error::OutputTaken`] if a file is there that is not ours; [`Error::InUse`] if another process
/// writes to the folder.
pub fn check_validation_output(folder: &Path, overwrite: bool) -> Result<FolderLock> {
    if folder.is_file() {
        return Err(Error::OutputTaken { path: folder.to_path_buf() });
    }
    let lock = FolderLock::take(folder)?;
    recover(folder)?;
    let run = read_json::<RunRecord>(&folder.join(VALIDATION_RUN));
    let ours = run.is_ok_and(|run| run.command == "evaluate");
    let names = VALIDATION_FILES.iter().chain([&VALIDATION_RUN]);
    match names.map(|name| folder.join(name)).find(|path| path.exists()) {
        Some(path) if !ours && !overwrite => Err(Error::OutputTaken { path }),
        _ => Ok(lock),
    }
}

/// The files that `evaluate` writes into `folder`.
pub fn validation_files(folder: &Path) -> Vec<PathBuf> {
    VALIDATION_FILES.iter().chain([&VALIDATION_RUN]).map(|name| folder.join(name)).collect()
}

/// The files of a validation alone; their names.
pub(super) fn write_validation_files(
    folder: &Path,
    scores: &Validation,
) -> Result<[&'static str; 4]> {
    file::create_folder(folder)?;
    let names = VALIDATION_FILES;
    validation::write_table(&folder.join(names[0]), scores)?;
    validation::write(&folder.join(names[1]), scores)?;
    let chart = draw_validation(scores);
    chart.write_svg(&folder.join(names[2]))?;
    chart.write_png(&folder.join(names[3]))?;
    Ok(names)
}

fn coordinates(
    model: &Model,
    populations: &[Population],
    space: Space,
) -> Result<(Vec<String>, ndarray::Array2<f64>)> {
    let views: Vec<_> = populations.iter().map(|population| population.points.view()).collect();
    let joined = ndarray::concatenate(ndarray::Axis(0), &views)
        .map_err(|error| Error::Numerical { what: "joining times", why: error.to_string() })?;
    match (space, &model.pca) {
        (Space::Pca, _) => Ok((model.header.dimensions.clone(), joined)),
        (Space::Genes, Some(pca)) => Ok((model.genes.clone(), pca.inverse(joined.view())?)),
        (Space::Genes, None) => {
            Err(Error::NoGeneSpace { source_name: model.header.source.clone() })
        }
    }
}

/// Makes the file `out` of a model with `write`, and puts its run record beside it (see
/// [`recorded::publish`]).
///
/// # Errors
/// That of `write`; [`Error::Io`] if a file cannot be put in its place.
pub fn write_recorded<T>(
    out: &Path,
    command: &str,
    model: &Model,
    options: &impl Serialize,
    write: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let input = InputRecord {
        file: "model.json".into(),
        path: String::new(),
        sha256: json_sha256(&model.header)?,
        cells: model.cells.len(),
        genes: model.genes.len(),
    };
    recorded::publish(out, RunRecord::new(command, input, to_value(options)?), write)
}

/// As [`write_recorded`], of a file that is made of the file `source` without a model.
///
/// # Errors
/// As [`write_recorded`]; [`Error::Io`] if `source` cannot be read.
pub fn write_recorded_without_model<T>(
    out: &Path,
    command: &str,
    source: &Path,
    options: &impl Serialize,
    write: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let hash = || file::sha256(source, &mut Silent);
    let unread = is_stream(out) || is_stream(source);
    let sha256 = if unread { String::new() } else { hash()? };
    let (file, path) = (file_name(source), String::new());
    let input = InputRecord { file, path, sha256, cells: 0, genes: 0 };
    recorded::publish(out, RunRecord::new(command, input, to_value(options)?), write)
}
