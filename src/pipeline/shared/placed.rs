//! Places of any points of a model on an embedding of its cells, and directions of its cells there.

use ndarray::{Array2, ArrayView2, Axis};

use crate::error::Result;
use crate::geometry::{Projection, neighbours_among};
use crate::io::model::Model;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::progress::Progress;

/// Number of nearest cells whose places are averaged.
const NEAREST: usize = 8;

/// The place of each of `points`, `(n, dim)` in the coordinates of `model`, on `map`, as `(n, 2)`.
///
/// It is the mean of the places of the eight nearest cells in the coordinates of the model, weighted by
/// `exp(−(d/d₈)²)` with `d₈` the distance to the eighth. A point at a cell is at the place of this cell. On the first
/// two coordinates of the model, a point is where these coordinates are. Cells without a place are left out.
///
/// # Errors
/// Those of [`neighbours_among`], such as for a map without places.
pub(crate) fn placed(
    points: ArrayView2<'_, f64>,
    model: &Model,
    map: &CellEmbedding,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    if map.is_of(model) {
        return Ok(points.slice(ndarray::s![.., ..2]).to_owned());
    }
    let known = map.known();
    let cells = model.points.select(Axis(0), &known);
    let near = neighbours_among(points, cells.view(), NEAREST, progress)?;
    let mut places = Array2::zeros((points.nrows(), 2));
    for (i, mut place) in places.rows_mut().into_iter().enumerate() {
        let distances = near.distances();
        let far = distances.row(i).iter().copied().fold(0.0, f64::max);
        let at_cell = distances.row(i).iter().any(|distance| *distance <= 0.0);
        let mut total = 0.0;
        for (j, distance) in near.indices().row(i).iter().zip(distances.row(i)) {
            let share = if far > 0.0 { distance / far } else { 0.0 };
            // Also several cells can be at one point.
            let beside = at_cell && *distance > 0.0;
            let weight = if beside { 0.0 } else { (-share * share).exp() };
            place.scaled_add(weight, &map.points.row(known[*j as usize]));
            total += weight;
        }
        place /= total;
    }
    Ok(places)
}

/// The directions of `cells` of `model` on `map`, `(n, 2)`. `velocity` are those in the coordinates of the model,
/// `(n, dim)`, in the order of `cells`, which must have a place.
///
/// On the first two coordinates of the model they are the first two components. Otherwise they are projected by the
/// directions to neighbouring cells ([`Projection`]), so that only relative lengths have a meaning.
///
/// # Errors
/// Those of [`Projection::project`].
pub(crate) fn directed(
    cells: &[usize],
    velocity: ArrayView2<'_, f64>,
    model: &Model,
    map: &CellEmbedding,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    if map.is_of(model) {
        return Ok(velocity.slice(ndarray::s![.., ..2]).to_owned());
    }
    let (points, seen) = (model.points.select(Axis(0), cells), map.points.select(Axis(0), cells));
    Projection::default().project(points.view(), velocity, seen.view(), progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::example_model;
    use crate::progress::Silent;

    #[test]
    fn a_cell_is_near_its_own_place_and_a_point_between_cells_is_between_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let model = example_model(folder.path()).unwrap();
        // An embedding that is the model turned and enlarged.
        let points = Array2::from_shape_fn((72, 2), |(i, d)| {
            if d == 0 { -5.0 * model.points[[i, 1]] } else { 5.0 * model.points[[i, 0]] }
        });
        let mut map =
            CellEmbedding { points, axes: ["a".into(), "b".into()], key: Some("X_umap".into()) };
        let own = placed(model.points.view(), &model, &map, &mut Silent).unwrap();
        assert!((&own - &map.points).iter().all(|x| x.abs() < 1e-9));
        // The formula, written out for one point between two cells.
        let at = (&model.points.slice(ndarray::s![..1, ..])
            + &model.points.slice(ndarray::s![2..3, ..]))
            / 2.0;
        let found = placed(at.view(), &model, &map, &mut Silent).unwrap();
        let mut far: Vec<(f64, usize)> = (0..72)
            .map(|j| {
                let difference = &model.points.row(j) - &at.row(0);
                (difference.dot(&difference).sqrt(), j)
            })
            .collect();
        far.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weights: Vec<f64> =
            far[..8].iter().map(|of| (-(of.0 / far[7].0).powi(2)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let x: f64 = weights.iter().zip(&far).map(|(w, of)| w * map.points[[of.1, 0]] / sum).sum();
        assert!((found[[0, 0]] - x).abs() < 1e-9);
        map.key = None;
        let own = placed(model.points.view(), &model, &map, &mut Silent).unwrap();
        assert_eq!(own, model.points);
    }

    #[test]
    fn directions_turn_with_the_embedding_and_are_those_of_the_model_on_its_coordinates() {
        let folder = tempfile::tempdir().unwrap();
        let model = example_model(folder.path()).unwrap();
        let points = Array2::from_shape_fn((72, 2), |(i, d)| {
            if d == 0 { -5.0 * model.points[[i, 1]] } else { 5.0 * model.points[[i, 0]] }
        });
        let axes = ["a".to_string(), "b".to_string()];
        let mut map = CellEmbedding { points, axes, key: Some("X_umap".into()) };
        let all: Vec<usize> = (0..72).collect();
        // To the right in the model, upwards on the map.
        let right = Array2::from_shape_fn((72, 2), |(_, d)| [1.0, 0.0][d]);
        let of =
            |map: &CellEmbedding| directed(&all, right.view(), &model, map, &mut Silent).unwrap();
        let seen = of(&map).sum_axis(Axis(0));
        assert!(seen[1] > 3.0 * seen[0].abs(), "{seen}");
        map.key = None;
        assert_eq!(of(&map), right);
    }
}
