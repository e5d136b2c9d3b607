//! The fates of the nearest cells of the terminal time, as a prediction without a model.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::linalg::product_nt;

/// Rows of one task; fixed, so that results do not depend on the number of threads.
const ROWS: usize = 128;

/// For each row of `cells` `(n, d)` the share of each fate among its `k` nearest rows of `late` `(m, d)`,
/// for each of the numbers `ks`: `(n, n_fates)` each. `fates` is the fate of each late cell.
///
/// Equal distances go to the smaller index. A `k` above m counts all late cells. Takes `2 n m d` flops;
/// memory for one block of distances on each thread.
pub(super) fn shares_of_nearest(
    cells: ArrayView2<'_, f64>,
    late: ArrayView2<'_, f64>,
    fates: &[usize],
    n_fates: usize,
    ks: &[usize],
) -> Vec<Array2<f64>> {
    // Near the origin fewer digits are lost in the product.
    let centre = late.mean_axis(Axis(0)).unwrap_or_default();
    let (x, y) = (&cells - &centre, &late - &centre);
    let norms = y.map_axis(Axis(1), |row| row.dot(&row));
    let chunks: Vec<Vec<Vec<f64>>> = (0..x.nrows().div_ceil(ROWS))
        .into_par_iter()
        .map(|chunk| {
            let rows = chunk * ROWS..x.nrows().min((chunk + 1) * ROWS);
            let products = product_nt(x.slice(s![rows, ..]), y.view());
            let of_row = |row: ndarray::ArrayView1<'_, f64>| {
                let off = |j: usize| norms[j] - 2.0 * row[j];
                let mut order: Vec<usize> = (0..y.nrows()).collect();
                let compare = |a: &usize, b: &usize| off(*a).total_cmp(&off(*b)).then(a.cmp(b));
                let most = ks.iter().copied().max().unwrap_or(0).min(order.len());
                if most < order.len() {
                    order.select_nth_unstable_by(most, compare);
                    order.truncate(most);
                }
                order.sort_unstable_by(compare);
                let mut shares = Vec::with_capacity(ks.len() * n_fates);
                for &k in ks {
                    let near = &order[..k.min(order.len())];
                    let mut counts = vec![0.0; n_fates];
                    for &j in near {
                        counts[fates[j]] += 1.0;
                    }
                    shares.extend(counts.iter().map(|count| count / near.len().max(1) as f64));
                }
                shares
            };
            products.rows().into_iter().map(of_row).collect()
        })
        .collect();
    let rows = chunks.concat();
    (0..ks.len())
        .map(|k| Array2::from_shape_fn((rows.len(), n_fates), |(i, f)| rows[i][k * n_fates + f]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_all_distances_sorted() {
        let wave = |n: usize, f: f64| {
            Array2::from_shape_fn((n, 3), |(i, d)| (f * (i * 3 + d) as f64).sin() + 20.0)
        };
        let (x, y) = (wave(140, 1.3), wave(60, 0.7));
        let fates: Vec<usize> = (0..60).map(|j| j % 7 % 3).collect();
        let found = shares_of_nearest(x.view(), y.view(), &fates, 3, &[5, 20, 100]);
        for (i, row) in x.rows().into_iter().enumerate() {
            let mut order: Vec<(f64, usize)> = (0..60)
                .map(|j| {
                    let off = &row - &y.row(j);
                    (off.dot(&off), j)
                })
                .collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (shares, k) in found.iter().zip([5, 20, 60]) {
                for fate in 0..3 {
                    let n = order[..k].iter().filter(|entry| fates[entry.1] == fate).count();
                    assert!((shares[[i, fate]] - n as f64 / k as f64).abs() < 1e-12);
                }
            }
        }
    }
}
