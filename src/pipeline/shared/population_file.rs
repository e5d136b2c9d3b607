//! Populations as a table or as an `.h5ad` file.

use std::path::Path;

use ndarray::Array2;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::model::Model;
use crate::io::output::is_stream;
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::pipeline::shared::population::{Population, Space, joined};

/// File format of populations.
///
/// ```
/// use std::path::Path;
///
/// use sbcell::pipeline::PopulationFormat;
///
/// assert_eq!(PopulationFormat::of(Path::new("day3.h5ad"))?, PopulationFormat::H5ad);
/// assert!(PopulationFormat::of(Path::new("day3.xlsx")).is_err());
/// # Ok::<(), sbcell::Error>(())
/// ```
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
    /// The format that the suffix of `path` names. A stream without a suffix gets CSV.
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

    /// With `safe`, CSV becomes [`PopulationFormat::SpreadsheetCsv`], whose names no spreadsheet executes as
    /// formulas. Other formats stay.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        if safe && self == Self::Csv { Self::SpreadsheetCsv } else { self }
    }

    /// The table format of this name; parquet for `.h5ad`, which is no table.
    pub(crate) fn of_tables(self) -> TableFormat {
        match self {
            Self::Csv => TableFormat::Csv,
            Self::SpreadsheetCsv => TableFormat::SpreadsheetCsv,
            Self::Parquet | Self::H5ad => TableFormat::Parquet,
        }
    }

    /// The suffix of files in this format, without a dot.
    #[doc(hidden)]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv | Self::SpreadsheetCsv => "csv",
            Self::H5ad => "h5ad",
        }
    }
}

/// Places of the cells of populations on an embedding.
#[derive(Debug)]
pub(crate) struct Places {
    /// Key of the embedding in `obsm`.
    pub(crate) key: String,
    /// The places, `(n, 2)`, population after population.
    pub(crate) points: Array2<f64>,
}

/// Writes all `populations` of `model` into the file `out`, in the coordinates `space`, with their `places` on an
/// embedding.
///
/// An `.h5ad` always has the fitted coordinates in `obsm`, and the genes in `X` with [`Space::Genes`].
/// Cells are called `tTIME-NUMBER`.
///
/// # Errors
/// [`Error::NoGeneSpace`] if genes are asked of a model without them; [`Error::Io`] if the file cannot be
/// written.
pub(crate) fn write(
    out: &Path,
    model: &Model,
    populations: &[Population],
    space: Space,
    format: PopulationFormat,
    places: Option<&Places>,
) -> Result<()> {
    let (names, points) = joined(model, populations, space)?;
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
        let (_, pcs) = joined(model, populations, Space::Pca)?;
        let (times, weights) = (Column::Floats(times), Column::Floats(weights));
        let in_genes = space == Space::Genes;
        let key = model.header.source.strip_prefix("obsm/").unwrap_or("X_pca");
        let mut obsm = vec![(key, pcs.view())];
        // The coordinates of the model may be this embedding.
        obsm.extend(
            places.filter(|of| of.key != key).map(|of| (of.key.as_str(), of.points.view())),
        );
        return write_h5ad(
            out,
            &H5adContent {
                obs_names: &cells,
                obs: &[("time", &times), ("weight", &weights)],
                var_names: if in_genes { &names } else { &[] },
                x: in_genes.then(|| MatrixContent::Double(points.view())),
                obsm: &obsm,
                ..H5adContent::default()
            },
        );
    }
    let mut table = Table::default()
        .with("time", Cells::Floats(times))
        .with("particle", Cells::Integers(particles))
        .with("weight", Cells::Floats(weights));
    table.push_points(&names, points.view());
    if let Some(Places { key, points }) = places {
        let name = key.strip_prefix("X_").unwrap_or(key);
        table.push_points(&[format!("{name}_1"), format!("{name}_2")], points.view());
    }
    table::write(out, &table, format.of_tables())
}
