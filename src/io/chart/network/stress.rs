//! Stress majorisation: places in the plane whose distances are near given ones.

use ndarray::{Array1, Array2};

use crate::io::chart::network::rooms::Place;
use crate::linalg::dense_eigenpairs;

/// Largest number of rounds.
const ROUNDS: usize = 500;
/// A round that lowers the stress by a smaller share is the last one.
const ENOUGH: f64 = 1e-5;

/// The stress of `places`: `Σ (|xᵢ − xⱼ| − dᵢⱼ)² / dᵢⱼ²` over all pairs.
///
/// Distances are symmetric and positive outside of the diagonal, `(n, n)`.
pub(super) fn stress(places: &[Place], distances: &Array2<f64>) -> f64 {
    let mut sum = 0.0;
    for (i, a) in places.iter().enumerate() {
        for (j, b) in places[..i].iter().enumerate() {
            let d = distances[[i, j]];
            sum += ((a.0 - b.0).hypot(a.1 - b.1) / d - 1.0).powi(2);
        }
    }
    sum
}

/// Moves `places` until the stress hardly decreases. No round increases it.
///
/// In each round every place in turn moves to the minimum of the convex function that bounds the stress from
/// above and touches it at the present places (Gansner, Koren and North 2004, in the form for one node at a time).
pub(super) fn majorise(places: &mut [Place], distances: &Array2<f64>) {
    let mut before = stress(places, distances);
    for _ in 0..ROUNDS {
        round(places, distances);
        let now = stress(places, distances);
        if before - now <= ENOUGH * before {
            return;
        }
        before = now;
    }
}

/// One round of [`majorise`].
fn round(places: &mut [Place], distances: &Array2<f64>) {
    for i in 0..places.len() {
        let (mut x, mut y, mut total) = (0.0, 0.0, 0.0);
        for (j, other) in places.iter().enumerate().filter(|(j, _)| *j != i) {
            let d = distances[[i, j]];
            let (dx, dy) = (places[i].0 - other.0, places[i].1 - other.1);
            let length = dx.hypot(dy);
            let share = if length > 0.0 { d / length } else { 0.0 };
            let weight = 1.0 / (d * d);
            x += weight * (other.0 + share * dx);
            y += weight * (other.1 + share * dy);
            total += weight;
        }
        if total > 0.0 {
            places[i] = (x / total, y / total);
        }
    }
}

/// Places on a circle in the given order, with the mean distance of neighbours about `length`.
pub(super) fn circle(order: &[usize], length: f64) -> Vec<Place> {
    let n = order.len() as f64;
    let radius = length * n / std::f64::consts::TAU;
    let mut places = vec![(0.0, 0.0); order.len()];
    for (step, &node) in order.iter().enumerate() {
        let angle = std::f64::consts::TAU * step as f64 / n;
        places[node] = (radius * angle.cos(), radius * angle.sin());
    }
    places
}

/// Places by classical scaling (Torgerson 1952): the first two principal coordinates of the distances. `None` if
/// the decomposition fails.
pub(super) fn scaled(distances: &Array2<f64>) -> Option<Vec<Place>> {
    let n = distances.nrows();
    let squares = distances.mapv(|d| d * d);
    let means: Array1<f64> = squares.sum_axis(ndarray::Axis(1)) / n as f64;
    let mean = means.sum() / n as f64;
    let entry = |i: usize, j: usize| -0.5 * (squares[[i, j]] - means[i] - means[j] + mean);
    let pairs = dense_eigenpairs(n, 2.min(n), entry).ok()?;
    let coordinate = |axis: usize, i: usize| {
        let value = pairs.values.get(axis).copied().unwrap_or(0.0).max(0.0);
        if value > 0.0 { value.sqrt() * pairs.vectors[[axis, i]] } else { 0.0 }
    };
    Some((0..n).map(|i| (coordinate(0, i), coordinate(1, i))).collect())
}

/// Turns `places` about their mean, so that they extend most along the page.
pub(super) fn lay_flat(places: &mut [Place]) {
    let n = places.len().max(1) as f64;
    let sum = places.iter().fold((0.0, 0.0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
    let (mx, my) = (sum.0 / n, sum.1 / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for at in places.iter_mut() {
        *at = (at.0 - mx, at.1 - my);
        xx += at.0 * at.0;
        xy += at.0 * at.1;
        yy += at.1 * at.1;
    }
    let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
    let (sin, cos) = angle.sin_cos();
    for at in places.iter_mut() {
        *at = (cos * at.0 + sin * at.1, cos * at.1 - sin * at.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances along a path of `n` nodes whose steps are 10 long.
    fn path(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, n), |(i, j)| 10.0 * i.abs_diff(j) as f64)
    }

    fn apart(a: Place, b: Place) -> f64 {
        (a.0 - b.0).hypot(a.1 - b.1)
    }

    #[test]
    fn no_round_increases_the_stress_and_a_path_becomes_straight() {
        let distances = path(5);
        let mut places = circle(&[0, 3, 1, 4, 2], 10.0);
        let mut before = stress(&places, &distances);
        for _ in 0..60 {
            round(&mut places, &distances);
            let now = stress(&places, &distances);
            assert!(now <= before + 1e-12, "{now} after {before}");
            before = now;
        }
        let mut places = circle(&[0, 1, 2, 3, 4], 10.0);
        majorise(&mut places, &distances);
        let ends = apart(places[0], places[4]);
        for i in 0..5 {
            for j in 0..i {
                assert!(apart(places[i], places[j]) <= ends + 1e-9, "{i} {j}: {places:?}");
            }
        }
        assert!(ends > 38.0, "{places:?}");
    }

    #[test]
    fn a_place_moves_to_the_minimum_of_the_bound() {
        // With one other node the minimum is at the wanted distance in the same direction.
        let distances = path(2);
        let mut places = vec![(3.0, 4.0), (0.0, 0.0)];
        round(&mut places[..], &distances);
        assert!((places[0].0 - 6.0).abs() < 1e-12 && (places[0].1 - 8.0).abs() < 1e-12);
        assert!(stress(&places, &distances) < 1e-20);
        // Of three nodes, against the smallest value of the stress over a grid around the result.
        let distances = path(3);
        let mut places = vec![(0.0, 1.0), (9.0, 0.0), (22.0, 3.0)];
        majorise(&mut places, &distances);
        let least = stress(&places, &distances);
        for step in [-0.5, 0.5] {
            let mut other = places.clone();
            other[1].0 += step;
            assert!(stress(&other, &distances) > least);
        }
        let single: [Place; 2] = [(0.0, 0.0), (0.0, 30.0)];
        assert!((stress(&single, &path(2)) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn the_stress_has_no_slope_at_the_end() {
        // Three joined nodes, one of them with two leaves: their distances fit no places of the plane.
        let mut distances = Array2::from_elem((5, 5), 14.0);
        for (a, b, d) in [(0, 1, 10.0), (0, 2, 10.0), (0, 3, 4.0), (0, 4, 4.0), (3, 4, 8.0)] {
            distances[[a, b]] = d;
            distances[[b, a]] = d;
        }
        let mut places = circle(&[0, 1, 3, 2, 4], 10.0);
        for _ in 0..20_000 {
            round(&mut places, &distances);
        }
        assert!(stress(&places, &distances) > 1e-3);
        for node in 0..5 {
            for aside in [(1e-5, 0.0), (0.0, 1e-5)] {
                let moved = |sign: f64| {
                    let mut other = places.clone();
                    other[node].0 += sign * aside.0;
                    other[node].1 += sign * aside.1;
                    stress(&other, &distances)
                };
                let slope = (moved(1.0) - moved(-1.0)) / 2e-5;
                assert!(slope.abs() < 1e-7, "{node}: {slope}");
            }
        }
    }

    #[test]
    fn classical_scaling_recovers_places_of_the_plane() {
        let at: [Place; 4] = [(0.0, 0.0), (3.0, 0.0), (3.0, 4.0), (-1.0, 2.0)];
        let distances = Array2::from_shape_fn((4, 4), |(i, j)| apart(at[i], at[j]));
        let places = scaled(&distances).unwrap();
        assert!(stress(&places, &distances) < 1e-12, "{places:?}");
    }

    #[test]
    fn the_longest_extent_is_along_the_page() {
        let mut places: Vec<Place> = (0..5).map(|i| (5.0, 3.0 * f64::from(i))).collect();
        lay_flat(&mut places);
        assert!(places.iter().all(|at| at.1.abs() < 1e-9), "{places:?}");
        assert!((places[4].0 - places[0].0).abs() > 11.9);
    }
}
