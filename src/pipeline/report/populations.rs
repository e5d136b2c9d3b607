//! Populations at and between the times, in the first two coordinates of the model.

use std::path::Path;

use ndarray::ArrayView2;
use rand::seq::SliceRandom;

use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::io::report::{Frame, Populations, Rows};
use crate::rng::Seed;

/// Most points of all populations together.
const POINTS: usize = 18_000;
/// The points of one time.
type Cloud = (f64, Vec<[f64; 2]>);

/// Most populations.
const FRAMES: usize = 400;

/// Reads the populations that `interpolate` wrote, with the measured cells of each time beside them.
///
/// # Errors
/// Those of reading the table; [`Error::Unreadable`] if it lacks coordinates of the model.
pub(super) fn populations(path: &Path, model: &Model, seed: Seed) -> Result<Populations> {
    let axes = first_two(model);
    let needed = [axes[0].as_str(), axes[1].as_str()];
    let table = Rows::read(path, &["time"])?;
    if let Some(name) = needed.iter().find(|name| table.column(name).is_none()) {
        return Err(Error::Unreadable {
            path: path.to_path_buf(),
            problem: format!("it has no column `{name}`"),
            way_out: Some(
                "give populations in the coordinates of the model (the parameter `space = pca`)"
                    .into(),
            ),
        });
    }
    let times = table.numbers("time");
    let (x, y) = (table.numbers(needed[0]), table.numbers(needed[1]));
    let points = (0..table.len()).map(|row| (times[row], [x[row], y[row]]));
    let mut drawn: Vec<Cloud> = Vec::new();
    for (time, point) in points.filter(|(t, p)| t.is_finite() && p.iter().all(|v| v.is_finite())) {
        match drawn.iter_mut().find(|entry| entry.0.total_cmp(&time).is_eq()) {
            Some(entry) => entry.1.push(point),
            None => drawn.push((time, vec![point])),
        }
    }
    let measured = model.header.snapshots.iter().map(|snapshot| {
        let here = model.cell_times.iter().zip(model.points.rows());
        let here = here.filter(|entry| entry.0.total_cmp(&snapshot.time).is_eq());
        (snapshot.time, here.map(|entry| pair(entry.1.as_slice().unwrap_or_default())).collect())
    });
    let measured: Vec<Cloud> = measured.collect();
    // A population drawn at the time of a snapshot is the snapshot again.
    drawn.retain(|entry| measured.iter().all(|other| other.0.total_cmp(&entry.0).is_ne()));
    let drawn = drawn.into_iter().map(|entry| (false, entry));
    let mut all: Vec<(bool, Cloud)> =
        measured.into_iter().map(|entry| (true, entry)).chain(drawn).collect();
    all.sort_by(|one, other| one.1.0.total_cmp(&other.1.0));
    all.truncate(FRAMES);
    let most = POINTS / all.len().max(1);
    let frames = all
        .into_iter()
        .enumerate()
        .map(|(k, (measured, (time, mut points)))| {
            let n_cells = points.len();
            points.shuffle(&mut seed.stream("report/populations", k as u64));
            points.truncate(most);
            Frame { time, measured, n_cells, points }
        })
        .collect();
    Ok(Populations { axes, frames })
}

/// Names of the first two coordinates; the second is empty if there is one.
pub(super) fn first_two(model: &Model) -> [String; 2] {
    let of = |k: usize| model.header.dimensions.get(k).cloned().unwrap_or_default();
    if model.header.dimensions.len() < 2 { [of(0), of(0)] } else { [of(0), of(1)] }
}

/// The first two numbers; the first twice if there is one.
fn pair(row: &[f64]) -> [f64; 2] {
    match row {
        [x, y, ..] => [*x, *y],
        [x] => [*x, *x],
        [] => [f64::NAN; 2],
    }
}

/// The first two coordinates of each row.
pub(super) fn pairs(points: ArrayView2<'_, f64>) -> Vec<[f64; 2]> {
    points
        .rows()
        .into_iter()
        .map(|row| pair(&row.iter().take(2).copied().collect::<Vec<_>>()))
        .collect()
}
