//! The output of `sample`: drawn populations, or means and deviations of measured cells.

use std::path::Path;

use crate::error::Result;
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::model::Model;
use crate::io::table::{self, Cells, Table};
use crate::pipeline::sample::{Imputed, SampleOptions, Sampled};
use crate::pipeline::shared::population::Space;
use crate::pipeline::shared::population_file::{self, PopulationFormat};
use crate::pipeline::shared::recorded::write_recorded;

/// Writes the draws of `sample` into the file `out`, and its run record beside it.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written; [`crate::Error::NoGeneSpace`] if genes are asked of a
/// model without them.
pub fn write_samples(
    out: &Path,
    model: &Model,
    sampled: &Sampled,
    options: &SampleOptions,
    format: PopulationFormat,
) -> Result<()> {
    write_recorded(out, "sample", model, options, |out| {
        population_file::write(out, model, &sampled.populations, options.space, format, None)
    })
}

/// Writes completed cells into the file `out`, and its run record beside it.
///
/// A table has one row for each cell and name: `cell`, `gene` (or `coordinate`), `mean`, `sd`. An `.h5ad` has
/// the means in `X` and the standard deviations in `layers['sd']`.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written.
pub fn write_imputed(
    out: &Path,
    model: &Model,
    imputed: &Imputed,
    options: &SampleOptions,
    format: PopulationFormat,
) -> Result<()> {
    let Imputed { cells, names, mean, deviation, .. } = imputed;
    if format == PopulationFormat::H5ad {
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
    let what = if options.space == Space::Genes { "gene" } else { "coordinate" };
    let rows = cells.iter().flat_map(|cell| std::iter::repeat_n(cell.clone(), names.len()));
    let table = Table::default()
        .with("cell", Cells::Texts(rows.collect()))
        .with(what, Cells::Texts(cells.iter().flat_map(|_| names.iter().cloned()).collect()))
        .with("mean", Cells::Floats(mean.iter().copied().collect()))
        .with("sd", Cells::Floats(deviation.iter().copied().collect()));
    let format = format.of_tables();
    write_recorded(out, "sample", model, options, |out| table::write(out, &table, format))
}
