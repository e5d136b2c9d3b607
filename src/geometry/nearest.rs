//! The nearest centre of each point, by matrix products.

use ndarray::{ArrayView1, ArrayView2, s};
use rayon::prelude::*;

use crate::linalg::product_nt;

/// Number of points in one task; fixed, so that results do not depend on threads.
const CHUNK: usize = 512;

/// For each of `points`, `(n, dim)`, the row of the nearest of `centres`, `(k, dim)`.
///
/// If several are equally near, it is the first. Time `2 n k dim` flops on all cores.
pub(crate) fn nearest_rows(
    points: ArrayView2<'_, f64>,
    centres: ArrayView2<'_, f64>,
) -> Vec<usize> {
    let halves: Vec<f64> = centres.rows().into_iter().map(|row| 0.5 * row.dot(&row)).collect();
    let chunks: Vec<Vec<usize>> = (0..points.nrows().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let end = points.nrows().min((chunk + 1) * CHUNK);
            let inner = product_nt(points.slice(s![chunk * CHUNK..end, ..]), centres);
            let closest = |row: ArrayView1<'_, f64>| {
                let closer = |best: usize, k: usize| {
                    if halves[k] - row[k] < halves[best] - row[best] { k } else { best }
                };
                (0..halves.len()).fold(0, closer)
            };
            inner.rows().into_iter().map(closest).collect()
        })
        .collect();
    chunks.concat()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn the_nearest_is_found_by_looking_at_all() {
        let wave = |n: usize, f: f64| {
            Array2::from_shape_fn((n, 3), |(i, d)| (f * (1 + i * 3 + d) as f64).sin() * 4.0)
        };
        let (points, centres) = (wave(700, 0.37), wave(23, 0.71));
        for (point, found) in
            points.rows().into_iter().zip(nearest_rows(points.view(), centres.view()))
        {
            let square = |k: usize| {
                let off = &point - &centres.row(k);
                off.dot(&off)
            };
            assert!((0..23).all(|k| square(found) <= square(k) + 1e-12));
        }
        let same = array![[1.0], [1.0]];
        assert_eq!(nearest_rows(array![[0.0]].view(), same.view()), [0]);
    }
}
