//! The output of `interpolate`: populations in one file, and its run record.

use std::path::Path;

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::pipeline::interpolate::InterpolateOptions;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::shared::placed::placed;
use crate::pipeline::shared::population::{Population, Space, joined};
use crate::pipeline::shared::population_file::{self, Places, PopulationFormat};
use crate::pipeline::shared::recorded::write_recorded;
use crate::progress::Progress;

/// Writes all populations into the file `out` in the coordinates `options.space`, and its run record beside it.
///
/// With `options.basis`, each cell also has a place on this embedding of the fitted file: the mean of the places of
/// the eight nearest cells of the model in its coordinates, weighted by distance; an observed cell is at its own
/// place. Tables have two more columns, such as `umap_1` and `umap_2`, and `.h5ad` files an entry of `obsm`.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written; [`crate::Error::NoGeneSpace`] if genes are asked of a
/// model without them; those of finding the fitted file, and [`crate::Error::UnknownKey`], for an embedding.
pub fn write_populations(
    out: &Path,
    model: &OpenModel,
    populations: &[Population],
    options: &InterpolateOptions,
    format: PopulationFormat,
    progress: &mut dyn Progress,
) -> Result<()> {
    let places = match &options.basis {
        None => None,
        Some(basis) => {
            let map = CellEmbedding::read(model, Some(basis), options.data.as_deref(), progress)?;
            let (_, points) = joined(model, populations, Space::Pca)?;
            let points = placed(points.view(), model, &map, progress)?;
            map.key.map(|key| Places { key, points })
        }
    };
    write_recorded(out, "interpolate", model, options, |out| {
        population_file::write(out, model, populations, options.space, format, places.as_ref())
    })
}
