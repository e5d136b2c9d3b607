//! The output of `grn`: an edge list or a graph, and pictures of the edges.

use std::path::{Path, PathBuf};

use crate::data::GeneIndex;
use crate::error::Result;
use crate::io::chart::{Chart, draw_edges, draw_heatmap, draw_network, draw_regulators};
use crate::io::edges::{self, EdgeDialect, EdgeRow};
use crate::io::file;
use crate::io::model::Model;
use crate::io::table::{self, TableFormat};
use crate::pipeline::grn::{FoundEdges, GrnOptions};
use crate::pipeline::shared::recorded::write_recorded;

/// Number of edges in a picture.
const DRAWN_EDGES: usize = 30;
/// Number of edges in a picture of a network.
const DRAWN_LINKS: usize = 40;

/// File format of an edge list.
///
/// ```
/// use std::path::Path;
///
/// use sbcell::pipeline::EdgeFormat;
///
/// assert_eq!(EdgeFormat::of(Path::new("edges.graphml"))?, EdgeFormat::GraphMl);
/// assert!(matches!(EdgeFormat::of(Path::new("edges.csv"))?, EdgeFormat::Table(..)));
/// # Ok::<(), sbcell::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeFormat {
    /// A table with the columns of sbcell or of another tool.
    Table(EdgeDialect, TableFormat),
    /// A graph, for Cytoscape, yEd, Gephi and networkx.
    GraphMl,
}

impl EdgeFormat {
    /// The format that the suffix of `path` names: a graph, or a table with the columns of sbcell.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if the suffix is none of `csv`, `tsv`, `txt`, `parquet`, `graphml`.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("graphml") => Ok(Self::GraphMl),
            _ => Ok(Self::Table(EdgeDialect::Sbcell, TableFormat::of(path)?)),
        }
    }

    /// With `safe`, CSV becomes CSV whose names no spreadsheet executes as formulas. Other formats stay.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        match self {
            Self::Table(dialect, format) => Self::Table(dialect, format.for_spreadsheets(safe)),
            Self::GraphMl => self,
        }
    }
}

/// Writes an edge list into the file `out`, and its run record beside it.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written.
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

/// Draws the first 30 edges of `found` into the file `plot`, and each gene of [`GrnOptions::drawn`] with its
/// regulators over time into a file beside it ([`picture_of`]). Each picture has a run record.
///
/// Returns the files that were drawn.
///
/// # Errors
/// [`crate::Error::Parameter`] if the suffix is not `.svg`, `.png` or `.pdf`; [`crate::Error::Io`] if a file cannot
/// be written.
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

/// Draws the first 40 edges of `found`, or of each of its groups and intervals, as a network into `file`, with its
/// run record beside it ([`draw_network`]).
///
/// # Errors
/// As [`draw_found_edges`].
pub fn draw_found_network(
    file: &Path,
    model: &Model,
    found: &FoundEdges,
    options: &GrnOptions,
) -> Result<()> {
    let chart = draw_network(&found.rows, DRAWN_LINKS);
    write_recorded(file, "grn", model, options, |file| chart.write(file))
}

/// Draws the edges of `found` between the most important genes as a heat map into `file`, with its run record
/// beside it ([`draw_heatmap`]).
///
/// # Errors
/// As [`draw_found_edges`].
pub fn draw_found_heatmap(
    file: &Path,
    model: &Model,
    found: &FoundEdges,
    options: &GrnOptions,
) -> Result<()> {
    let chart = draw_heatmap(&found.rows);
    write_recorded(file, "grn", model, options, |file| chart.write(file))
}

/// The file of the picture of `gene`: `plot` with the name of the gene before the suffix.
#[doc(hidden)]
pub fn picture_of(plot: &Path, gene: &str) -> PathBuf {
    let suffix = plot.extension().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    plot.with_extension(format!("{}.{suffix}", file::safe_name(gene)))
}
