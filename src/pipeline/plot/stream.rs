//! Streamlines or arrows of the velocities of cells on an embedding.

use ndarray::{Array2, Axis};

use crate::error::{Error, Result};
use crate::geometry::{ArrowGrid, Streamlines};
use crate::io::chart::{Chart, LineMark, MapLine};
use crate::io::model::OpenModel;
use crate::pipeline::plot::PlotOptions;
use crate::pipeline::plot::cells::coloured;
use crate::pipeline::plot::embedding::drawn;
use crate::pipeline::plot::style::n_cells;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::shared::placed::directed;
use crate::pipeline::velocity::{VelocityOptions, velocity};
use crate::progress::{self, Progress};

/// Colour of streamlines and arrows.
const LINES: &str = "#333333";
/// The grid of arrows.
const GRID: ArrowGrid = ArrowGrid { per_side: 18, least: 2.0 };

/// Draws streamlines of the drift of `model` above its cells, or a grid of arrows with [`PlotOptions::arrows`].
///
/// On an embedding of the file, the drift is projected by the directions to neighbouring cells ([`directed`]). On the
/// coordinates of the model themselves, its first two components are drawn.
///
/// # Errors
/// Those of [`CellEmbedding::read`], [`velocity`] and [`coloured`]; [`Error::Parameter`] if fewer than three cells
/// have a place.
pub(super) fn stream(
    model: &OpenModel,
    options: &PlotOptions,
    progress: &mut dyn Progress,
) -> Result<Chart> {
    let data = options.sets.data.as_deref();
    let map = CellEmbedding::read(model, options.basis.as_deref(), data, progress)?;
    let found = velocity(model, &VelocityOptions::default(), progress)?;
    let known = map.known();
    if known.len() < 3 {
        let (name, must) = ("basis", "an embedding in which at least three cells have a place");
        return Err(Error::Parameter { name, must, got: known.len().to_string() });
    }
    let drift = found.drift.select(Axis(0), &known);
    let seen = directed(&known, drift.view(), model, &map, progress)?;
    let lines = lines(&map.points.select(Axis(0), &known), &seen, options.arrows)?;
    let name = if options.arrows { "arrows" } else { "streamlines" };
    if lines.is_empty() {
        let text = format!("cells have no common direction: there are no {name}");
        progress::note(progress, text)?;
    }
    let of = coloured(model, options, progress)?;
    let way = if map.is_of(model) { "drift" } else { "drift, projected by neighbours" };
    let words = [
        format!("Velocities of cells, coloured by {}", of.by),
        format!("{}; {name}: {way}", n_cells(&map)),
    ];
    Ok(options.laid_out(drawn(map, of, words, lines, options)))
}

/// Streamlines, or arrows on a grid, of the directions `seen` of cells at `places`, both `(n, 2)`.
///
/// # Errors
/// None for arrays of this shape.
fn lines(places: &Array2<f64>, seen: &Array2<f64>, arrows: bool) -> Result<Vec<MapLine>> {
    let line = |places, mark| MapLine { places, colour: LINES.into(), mark };
    if arrows {
        let found = GRID.arrows(places.view(), seen.view(), &[])?;
        return Ok(found.iter().map(|of| line(vec![of.at, of.to], LineMark::End)).collect());
    }
    let found = Streamlines::default().lines(places.view(), seen.view())?;
    Ok(found.into_iter().map(|places| line(places, LineMark::Middle)).collect())
}
