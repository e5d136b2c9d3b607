//! Populations at and between the times, on the embedding that the page shows.

use std::path::Path;

use ndarray::Array2;
use rand::seq::SliceRandom;

use crate::error::Result;
use crate::io::columns::Columns;
use crate::io::model::Model;
use crate::io::report::{Frame, Populations};
use crate::pipeline::report::cells::place;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::shared::placed::placed;
use crate::progress::Progress;
use crate::rng::Seed;

/// Most points of all populations together.
const POINTS: usize = 18_000;
/// Most populations.
const FRAMES: usize = 400;

/// The cells of one time: rows of the table, or cells of the model if they were measured.
struct Cells {
    time: f64,
    measured: bool,
    rows: Vec<usize>,
}

/// Reads the populations that `interpolate` wrote, with the measured cells of each time beside them.
///
/// Measured cells are at their own places on `map`. Generated cells are placed there by the measured cells that are
/// nearest in all coordinates of the model ([`placed`]), as by `interpolate` with a basis. Cells without a place are
/// left out. At most 18 000 cells are drawn, as many at each time as at any other.
///
/// # Errors
/// Those of reading the table, which must have all coordinates of the model; those of [`placed`].
pub(super) fn populations(
    path: &Path,
    model: &Model,
    map: &CellEmbedding,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Populations> {
    let table = Columns::read(path, "interpolate")?;
    let times = table.numbers("time")?;
    let names = model.header.dimensions.iter();
    let columns: Vec<Vec<f64>> = names.map(|name| table.numbers(name)).collect::<Result<_>>()?;
    let known = |row: &usize| columns.iter().all(|of| of[*row].is_finite());
    let drawn: Vec<usize> = (0..table.n_rows()).filter(known).collect();
    let mut all = at_times(&map.known(), &model.cell_times, true);
    // A population drawn at the time of a snapshot is the snapshot again.
    let is_new = |of: &Cells| {
        model.header.snapshots.iter().all(|other| other.time.total_cmp(&of.time).is_ne())
    };
    all.extend(at_times(&drawn, &times, false).into_iter().filter(is_new));
    all.sort_by(|one, other| one.time.total_cmp(&other.time));
    all.truncate(FRAMES);
    let most = POINTS / all.len().max(1);
    let mut frames = Vec::with_capacity(all.len());
    for (k, Cells { time, measured, mut rows }) in all.into_iter().enumerate() {
        let n_cells = rows.len();
        rows.shuffle(&mut seed.stream("report/populations", k as u64));
        rows.truncate(most);
        let points = if measured {
            rows.iter().map(|cell| place(map, *cell)).collect()
        } else {
            let shape = (rows.len(), columns.len());
            let points = Array2::from_shape_fn(shape, |(i, d)| columns[d][rows[i]]);
            places(&points, time, model, map, progress)?
        };
        frames.push(Frame { time, measured, n_cells, points });
    }
    let by_neighbours = map.key.is_some();
    Ok(Populations { name: map.name(), axes: map.axes.clone(), by_neighbours, frames })
}

/// The rows of each finite time, increasing.
fn at_times(rows: &[usize], times: &[f64], measured: bool) -> Vec<Cells> {
    let mut rows: Vec<usize> = rows.iter().copied().filter(|&i| times[i].is_finite()).collect();
    // Stable: rows of a time keep their order.
    rows.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
    rows.chunk_by(|&a, &b| times[a].total_cmp(&times[b]).is_eq())
        .map(|of| Cells { time: times[of[0]], measured, rows: of.to_vec() })
        .collect()
}

/// The places of generated `points`, `(n, dim)`, of one `time` on `map`.
///
/// # Errors
/// Those of [`placed`].
fn places(
    points: &Array2<f64>,
    time: f64,
    model: &Model,
    map: &CellEmbedding,
    progress: &mut dyn Progress,
) -> Result<Vec<[f64; 2]>> {
    if map.key.is_none() && points.ncols() < 2 {
        // A model of one coordinate is drawn over time.
        return Ok(points.iter().map(|x| [time, *x]).collect());
    }
    let found = placed(points.view(), model, map, progress)?;
    Ok(found.rows().into_iter().map(|row| [row[0], row[1]]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::example_model;
    use crate::progress::Silent;

    /// The populations of a table with these rows, on a map of `model`.
    fn read(rows: &str, model: &Model, map: &CellEmbedding) -> Result<Populations> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("populations.csv");
        std::fs::write(&path, rows).unwrap();
        populations(&path, model, map, Seed(0), &mut Silent)
    }

    #[test]
    fn populations_are_on_the_embedding_of_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let model = example_model(folder.path()).unwrap();
        let mut points = Array2::from_shape_fn((72, 2), |(i, d)| (10 * i + d) as f64);
        points[[1, 0]] = f64::NAN;
        points[[1, 1]] = f64::NAN;
        let axes = ["UMAP 1".to_string(), "UMAP 2".to_string()];
        let map = CellEmbedding { points, axes, key: Some("X_umap".into()) };
        // A generated cell where one cell is, one of a measured time, and one without coordinates.
        let [x, y] = [model.points[[34, 0]], model.points[[34, 1]]];
        let rows = format!("time,PC1,PC2\n0.5,{x},{y}\n1,{x},{y}\n0.5,,\n");
        let found = read(&rows, &model, &map).unwrap();
        assert_eq!((found.name.as_str(), found.axes[1].as_str()), ("UMAP", "UMAP 2"));
        assert!(found.by_neighbours);
        let kinds: Vec<(f64, bool, usize)> =
            found.frames.iter().map(|of| (of.time, of.measured, of.n_cells)).collect();
        // The second cell has no place.
        let expected = [(0.0, true, 23), (0.5, false, 1), (1.0, true, 24), (2.0, true, 24)];
        assert_eq!(kinds, expected);
        let generated = found.frames[1].points[0];
        assert!((generated[0] - 340.0).hypot(generated[1] - 341.0) < 1e-9, "{generated:?}");
        // Measured cells are at their own places.
        for at in &found.frames[2].points {
            let cell = (at[0] / 10.0).round() as usize;
            assert!(
                (model.cell_times[cell] - 1.0).abs() < 1e-12 && (at[1] - at[0] - 1.0).abs() < 1e-9
            );
        }
        // Without an embedding, they are where their coordinates are.
        let own = read(&rows, &model, &CellEmbedding::of_model(&model)).unwrap();
        assert_eq!((own.frames[1].points[0], own.by_neighbours), ([x, y], false));
        assert_eq!(own.name, "PC1 and PC2");
        assert!(read("time,PC1\n0.5,1\n", &model, &map).is_err());
    }

    #[test]
    fn a_model_of_one_coordinate_is_drawn_over_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = (*example_model(folder.path()).unwrap()).clone();
        model.points = model.points.slice(ndarray::s![.., ..1]).to_owned();
        model.header.dimensions.truncate(1);
        let found = read("time,PC1\n0.5,7\n", &model, &CellEmbedding::of_model(&model)).unwrap();
        assert_eq!(found.axes, ["time".to_string(), "PC1".to_string()]);
        assert_eq!(found.frames[1].points, [[0.5, 7.0]]);
        assert!(found.frames[2].points.iter().all(|at| (at[0] - 1.0).abs() < 1e-12));
    }
}
