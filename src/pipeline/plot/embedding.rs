//! Cells on an embedding.

use crate::error::Result;
use crate::io::chart::{Chart, MapLine, MapPicture, draw_map};
use crate::io::model::OpenModel;
use crate::pipeline::plot::PlotOptions;
use crate::pipeline::plot::cells::{Coloured, coloured};
use crate::pipeline::plot::style::n_cells;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::progress::Progress;

/// Draws the cells of `model`.
///
/// # Errors
/// Those of [`CellEmbedding::read`] and [`coloured`].
pub(super) fn embedding(
    model: &OpenModel,
    options: &PlotOptions,
    progress: &mut dyn Progress,
) -> Result<Chart> {
    let data = options.sets.data.as_deref();
    let map = CellEmbedding::read(model, options.basis.as_deref(), data, progress)?;
    let of = coloured(model, options, progress)?;
    let words = [format!("Cells by {}", of.by), n_cells(&map)];
    Ok(options.laid_out(drawn(map, of, words, Vec::new(), options)))
}

/// The chart of a map with these colours, title and words below it, and lines.
pub(super) fn drawn(
    map: CellEmbedding,
    of: Coloured,
    words: [String; 2],
    lines: Vec<MapLine>,
    options: &PlotOptions,
) -> Chart {
    let [title, below] = words;
    let subtitle = format!("{below}{}", of.note);
    let CellEmbedding { points, axes, .. } = map;
    let colouring = of.colouring;
    let picture = MapPicture { title, subtitle, axes, points, colouring, lines };
    draw_map(&picture, options.page())
}
