//! The output of `interpolate`: populations in one file, and its run record.

use std::path::Path;

use crate::error::Result;
use crate::io::model::Model;
use crate::pipeline::interpolate::InterpolateOptions;
use crate::pipeline::shared::population::Population;
use crate::pipeline::shared::population_file::{self, PopulationFormat};
use crate::pipeline::shared::recorded::write_recorded;

/// Writes all populations into the file `out` in the coordinates `options.space`, and its run record beside it.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written; [`crate::Error::NoGeneSpace`] if genes are asked of a
/// model without them.
pub fn write_populations(
    out: &Path,
    model: &Model,
    populations: &[Population],
    options: &InterpolateOptions,
    format: PopulationFormat,
) -> Result<()> {
    write_recorded(out, "interpolate", model, options, |out| {
        population_file::write(out, model, populations, options.space, format)
    })
}
