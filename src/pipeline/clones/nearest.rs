//! The fates of the nearest cells of the terminal time, as a prediction without a model.

use ndarray::{Array2, ArrayView2};

use crate::error::Result;
use crate::geometry::neighbours_among;
use crate::progress::Silent;

/// For each row of `cells` `(n, d)` the share of each fate among its `k` nearest rows of `late` `(m, d)`,
/// for each of the numbers `ks`: `(n, n_fates)` each. `fates` is the fate of each late cell.
///
/// Equal distances go to the smaller index. A `k` above m counts all late cells.
///
/// # Errors
/// As [`neighbours_among`].
pub(super) fn shares_of_nearest(
    cells: ArrayView2<'_, f64>,
    late: ArrayView2<'_, f64>,
    fates: &[usize],
    n_fates: usize,
    ks: &[usize],
) -> Result<Vec<Array2<f64>>> {
    let most = ks.iter().copied().max().unwrap_or(1);
    let near = neighbours_among(cells, late, most, &mut Silent)?;
    let shares = |&k: &usize| {
        let k = k.min(late.nrows());
        let mut shares = Array2::zeros((cells.nrows(), n_fates));
        for (mut shares, near) in shares.rows_mut().into_iter().zip(near.indices().rows()) {
            for &j in near.iter().take(k) {
                shares[fates[j as usize]] += 1.0 / k as f64;
            }
        }
        shares
    };
    Ok(ks.iter().map(shares).collect())
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
        let found = shares_of_nearest(x.view(), y.view(), &fates, 3, &[5, 20, 100]).unwrap();
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
