//! Streamlines of the velocities of cells on an embedding.

use ndarray::{Array2, Axis};

use crate::error::{Error, Result};
use crate::geometry::{Projection, Streamlines};
use crate::io::chart::{Chart, MapLine};
use crate::io::model::OpenModel;
use crate::pipeline::plot::PlotOptions;
use crate::pipeline::plot::cells::coloured;
use crate::pipeline::plot::embedding::drawn;
use crate::pipeline::plot::style::n_cells;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::velocity::{VelocityOptions, velocity};
use crate::progress::{self, Progress};

/// Colour of streamlines.
const LINES: &str = "#333333";

/// Draws streamlines of the drift of `model` above its cells.
///
/// On an embedding of the file, the drift is projected by the directions to neighbouring cells
/// ([`Projection`]). On the coordinates of the model themselves, its first two components are drawn.
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
    let known: Vec<usize> = (0..model.cells.len())
        .filter(|&i| map.points.row(i).iter().all(|x| x.is_finite()))
        .collect();
    if known.len() < 3 {
        let (name, must) = ("basis", "an embedding in which at least three cells have a place");
        return Err(Error::Parameter { name, must, got: known.len().to_string() });
    }
    let pick = |of: &Array2<f64>| of.select(Axis(0), &known);
    let (seen, drift) = (pick(&map.points), pick(&found.drift));
    let is_model = map.key.is_none() && model.points.ncols() >= 2;
    let arrows = if is_model {
        drift.slice(ndarray::s![.., ..2]).to_owned()
    } else {
        let points = pick(&model.points);
        let projection = Projection::default();
        projection.project(points.view(), drift.view(), seen.view(), progress)?
    };
    let lines = Streamlines::default().lines(seen.view(), arrows.view())?;
    if lines.is_empty() {
        progress::note(progress, "cells have no common direction: there are no streamlines")?;
    }
    let of = coloured(model, options, progress)?;
    let way = if is_model { "drift" } else { "drift, projected by neighbours" };
    let words = [
        format!("Velocities of cells, coloured by {}", of.by),
        format!("{}; streamlines of the {way}", n_cells(model)),
    ];
    let line = |places| MapLine { places, colour: LINES.into(), is_stream: true };
    let lines = lines.into_iter().map(line).collect();
    Ok(options.laid_out(drawn(map, of, words, lines, options)))
}
