//! The mean direction of cells on an embedding, as arrows on a grid.

use ndarray::{Array2, Axis};

use crate::error::Result;
use crate::geometry::Projection;
use crate::io::model::Model;
use crate::io::report::{Arrow, Streams};
use crate::pipeline::report::cells::Place;
use crate::pipeline::shared::process::Process;
use crate::progress::Progress;

/// Most cells from which directions are computed.
const CELLS: usize = 4000;
/// Cells of the grid along each side.
const GRID: usize = 26;
/// Least weight of the cells around an arrow, in cells.
const LEAST: f64 = 3.0;

/// Arrows of the mean drift of the cells around each place of a grid. The first cells of `order` are used.
///
/// # Errors
/// Those of restoring the bridges and of [`Projection::project`].
pub(super) fn streams(
    model: &Model,
    place: &Place,
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
    let points: Vec<[f64; 2]> = cells.iter().map(|cell| place.points[*cell]).collect();
    let seen: Vec<[f64; 2]> = if place.of_model {
        super::populations::pairs(drift.view())
    } else {
        let embedding = Array2::from_shape_fn((cells.len(), 2), |(row, k)| points[row][k]);
        let x = model.points.select(Axis(0), cells);
        let arrows =
            Projection::default().project(x.view(), drift.view(), embedding.view(), progress)?;
        super::populations::pairs(arrows.view())
    };
    let times: Vec<f64> = cells.iter().map(|cell| model.cell_times[*cell]).collect();
    let arrows = on_grid(&points, &seen, &times);
    let (name, axes) = (place.name.clone(), place.axes.clone());
    Ok(Streams { name, axes, points, n_cells: cells.len(), arrows })
}

/// Means of the `directions` at `points` on a grid, weighted by a Gaussian of the width of a grid cell. The
/// longest arrow spans most of a grid cell.
fn on_grid(points: &[[f64; 2]], directions: &[[f64; 2]], times: &[f64]) -> Vec<Arrow> {
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
    };
    let ends = [0, 1].map(|k| range(&mut points.iter().map(|point| point[k])));
    let (first, last) = range(&mut times.iter().copied());
    let step = ends.map(|(lo, hi)| (hi - lo) / GRID as f64);
    if points.is_empty() || !step.iter().all(|step| *step > 0.0) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for i in 0..=GRID {
        for j in 0..=GRID {
            let at = [ends[0].0 + step[0] * i as f64, ends[1].0 + step[1] * j as f64];
            let (mut weight, mut sum, mut time) = (0.0, [0.0; 2], 0.0);
            for ((point, direction), t) in points.iter().zip(directions).zip(times) {
                let [a, b] = [0, 1].map(|k| (point[k] - at[k]) / step[k]);
                let square = a * a + b * b;
                if square < 6.0 {
                    let w = (-0.5 * square).exp();
                    weight += w;
                    time += w * t;
                    sum = [sum[0] + w * direction[0], sum[1] + w * direction[1]];
                }
            }
            if weight >= LEAST {
                found.push((at, sum.map(|part| part / weight), time / weight));
            }
        }
    }
    // Lengths in grid cells; long arrows are cut at the 95th percentile.
    let mut lengths: Vec<f64> =
        found.iter().map(|(_, d, _)| (d[0] / step[0]).hypot(d[1] / step[1])).collect();
    lengths.sort_by(f64::total_cmp);
    let long = lengths.get(lengths.len() * 19 / 20).or(lengths.last()).copied().unwrap_or(0.0);
    if long <= 0.0 {
        return Vec::new();
    }
    found
        .into_iter()
        .map(|(at, d, time)| {
            let length = (d[0] / step[0]).hypot(d[1] / step[1]) / long;
            // Square roots keep slow arrows visible.
            let scale = 1.15 * length.min(1.0).sqrt() / (length * long).max(1e-300);
            let to = [0, 1].map(|k| at[k] + d[k] * scale);
            let time = if last > first { (time - first) / (last - first) } else { 0.0 };
            Arrow { at, to, time }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_the_means_of_the_cells_around_them() {
        let points: Vec<[f64; 2]> =
            (0..400).map(|i| [f64::from(i % 20), f64::from(i / 20)]).collect();
        let left = vec![[-2.0, 0.0]; 400];
        let times: Vec<f64> = points.iter().map(|point| point[0]).collect();
        let arrows = on_grid(&points, &left, &times);
        assert!(arrows.len() > 100);
        for arrow in &arrows {
            assert!(arrow.to[0] < arrow.at[0] && (arrow.to[1] - arrow.at[1]).abs() < 1e-12);
            assert!((arrow.time - arrow.at[0] / 19.0).abs() < 0.06, "{arrow:?}");
        }
        assert!(on_grid(&points, &[[0.0, 0.0]; 400], &times).is_empty());
        assert!(on_grid(&[], &[], &[]).is_empty());
    }
}
