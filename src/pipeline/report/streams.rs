//! The mean direction of cells on an embedding, as arrows on a grid.
//!
//! Directions are those of the drift of the bridge that begins at the time of a cell (at the last time, of the bridge
//! that ends there), which `directed` carries onto the embedding.

use ndarray::{Array2, Axis};

use crate::error::Result;
use crate::geometry::{ArrowGrid, GridArrow};
use crate::io::model::Model;
use crate::io::report::{Arrow, Streams};
use crate::pipeline::report::cells::place;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::shared::placed::directed;
use crate::pipeline::shared::process::Process;
use crate::progress::Progress;

/// Most cells from which directions are computed.
const CELLS: usize = 4000;
/// The grid of the arrows.
const GRID: ArrowGrid = ArrowGrid { per_side: 26, least: 3.0 };

/// Arrows of the mean drift of the cells around each place of a grid. The first cells of `order` are used.
///
/// # Errors
/// Those of restoring the bridges and of [`directed`].
pub(super) fn streams(
    model: &Model,
    map: &CellEmbedding,
    order: &[usize],
    progress: &mut dyn Progress,
) -> Result<Streams> {
    let cells = &order[..order.len().min(CELLS)];
    let process = Process::restore(model)?;
    let mut drift = Array2::zeros((cells.len(), model.points.ncols()));
    for time in process.series.times() {
        let rows: Vec<usize> = (0..cells.len())
            .filter(|row| model.cell_times[cells[*row]].total_cmp(time).is_eq())
            .collect();
        if rows.is_empty() {
            continue;
        }
        let of: Vec<usize> = rows.iter().map(|row| cells[*row]).collect();
        let x = model.points.select(Axis(0), &of) / process.scale;
        let found = process.series.drift(x.view(), *time)? * process.scale;
        for (row, velocity) in rows.into_iter().zip(found.rows()) {
            drift.row_mut(row).assign(&velocity);
        }
    }
    let seen = directed(cells, drift.view(), model, map, progress)?;
    let places = map.points.select(Axis(0), cells);
    let times: Vec<f64> = cells.iter().map(|cell| model.cell_times[*cell]).collect();
    let (first, last) = times
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), t| (lo.min(*t), hi.max(*t)));
    let share = |time: f64| if last > first { (time - first) / (last - first) } else { 0.0 };
    let arrow = |of: GridArrow| Arrow { at: of.at, to: of.to, time: share(of.value) };
    let arrows = GRID.arrows(places.view(), seen.view(), &times)?;
    Ok(Streams {
        name: map.name(),
        axes: map.axes.clone(),
        points: cells.iter().map(|cell| place(map, *cell)).collect(),
        n_cells: cells.len(),
        arrows: arrows.into_iter().map(arrow).collect(),
    })
}
