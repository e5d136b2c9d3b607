//! Smoothed time: the time of each cell averaged over its neighbours, to order cells of one snapshot.

use ndarray::{Array1, Array2, ArrayView2};

use crate::error::Result;
use crate::geometry::neighbours;
use crate::progress::Silent;

/// Number of sweeps of the iteration. Each sweep divides the error by `1 + λ`.
const SWEEPS: usize = 60;

/// Parameters of smoothed time. Cells that are ahead of their snapshot get a later smoothed time.
///
/// ```
/// use sbcell::grn::{EdgeSearch, Smoothing};
/// // More smoothing: more neighbours and less weight of a cell's own time.
/// let smoothing = Smoothing { n_neighbours: 40, own: 1.0 };
/// let search = EdgeSearch::default().with_smoothing(smoothing);
/// assert!(search.smoothing.own < EdgeSearch::default().smoothing.own);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Number of nearest neighbours of a cell.
    pub n_neighbours: usize,
    /// λ, the weight of a cell's own time relative to the mean of its neighbours; greater than 0.
    pub own: f64,
}

/// Smoothed time `τ = ((1 + λ) I − D⁻¹W)⁻¹ λ t` of each cell, `n_cells`.
///
/// W is the graph of the cells `points` `(n_cells, dim)` of all times, in which two cells are
/// neighbours if either is among the nearest of the other; D are its degrees; t are `times`. This
/// is the regularised label propagation of Zhou et al. 2003 with snapshot numbers as labels. The
/// system is solved by 60 fixed-point sweeps, time `O(60 · n_cells · n_neighbours)` after the
/// search of neighbours. With fewer than three cells the times are returned as they are.
///
/// # Errors
/// Those of [`neighbours()`].
pub(crate) fn smoothed_time(
    points: ArrayView2<'_, f64>,
    times: &Array1<f64>,
    smoothing: Smoothing,
) -> Result<Array1<f64>> {
    let Smoothing { n_neighbours, own: weight } = smoothing;
    let n = points.nrows();
    if n < 3 {
        return Ok(times.clone());
    }
    let found = neighbours(points, n_neighbours, &mut Silent)?;
    let mut links: Vec<Vec<u32>> = vec![Vec::new(); n];
    for (i, row) in found.indices().rows().into_iter().enumerate() {
        for &j in row {
            links[i].push(j);
            links[j as usize].push(i as u32);
        }
    }
    for of in &mut links {
        of.sort_unstable();
        of.dedup();
    }
    let mut tau = times.clone();
    for _ in 0..SWEEPS {
        tau = links
            .iter()
            .zip(times)
            .map(|(of, own)| {
                let sum: f64 = of.iter().map(|&j| tau[j as usize]).sum();
                (weight * own + sum / of.len() as f64) / (1.0 + weight)
            })
            .collect();
    }
    Ok(tau)
}

/// Sorts cells by `tau` and cuts them into `n_bins` bins of equal size. All borders are moved by
/// the fraction `offset` of a bin, which adds a bin. Ties stay in the order of rows; empty bins are
/// left out.
pub(crate) fn equal_bins(tau: &Array1<f64>, n_bins: usize, offset: f64) -> Vec<Vec<usize>> {
    let n = tau.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| tau[a].total_cmp(&tau[b]).then(a.cmp(&b)));
    let bin = |place: usize| {
        let exact = (2 * place + 1) as f64 * n_bins as f64 / (2 * n) as f64;
        (exact + offset).floor() as usize
    };
    let mut bins = vec![Vec::new(); n_bins + 1];
    for (place, row) in order.into_iter().enumerate() {
        bins[bin(place)].push(row);
    }
    bins.retain(|rows| !rows.is_empty());
    bins
}

/// `points` with every column centred and scaled to variance one; constant columns become 0.
pub(crate) fn whitened_columns(points: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut scaled = points.to_owned();
    for mut column in scaled.columns_mut() {
        let (mean, spread) = (column.mean().unwrap_or(0.0), column.std(0.0));
        column.mapv_inplace(|value| if spread > 0.0 { (value - mean) / spread } else { 0.0 });
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Cholesky;

    #[test]
    fn it_solves_the_system_and_orders_cells_within_a_snapshot() {
        // Cells along a line, in two snapshots that overlap.
        let n = 60;
        let place = |i: usize| (i as f64 * 0.618_034).fract();
        let points = Array2::from_shape_fn((n, 1), |(i, _)| place(i));
        let times: Array1<f64> =
            (0..n).map(|i| f64::from(place(i) + 0.3 * (place(7 * i + 1) - 0.5) > 0.5)).collect();
        let smoothing = Smoothing { n_neighbours: 15, own: 2.0 };
        let tau = smoothed_time(points.view(), &times, smoothing).unwrap();
        // The system, with neighbours by sorting all distances.
        let mut graph = Array2::<f64>::zeros((n, n));
        for i in 0..n {
            let mut others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
            let distance = |j: usize| (points[[i, 0]] - points[[j, 0]]).abs();
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            for &j in others.iter().take(15) {
                (graph[[i, j]], graph[[j, i]]) = (1.0, 1.0);
            }
        }
        let degrees = graph.sum_axis(ndarray::Axis(1));
        // D ((1 + λ) I − D⁻¹W) is symmetric.
        let mut system = -&graph;
        (0..n).for_each(|i| system[[i, i]] += 3.0 * degrees[i]);
        let inverse = Cholesky::new(system.view()).unwrap().inverse();
        let expected = inverse.dot(&(2.0 * &degrees * &times));
        for (ours, theirs) in tau.iter().zip(&expected) {
            assert!((ours - theirs).abs() < 1e-10);
        }
        // Within the first snapshot, cells further along come later.
        let first: Vec<usize> = (0..n).filter(|&i| times[i] < 0.5).collect();
        let (early, late): (Vec<usize>, Vec<usize>) = first.iter().partition(|&&i| place(i) < 0.25);
        let mean = |rows: &[usize]| rows.iter().map(|&i| tau[i]).sum::<f64>() / rows.len() as f64;
        assert!(mean(&early) < mean(&late));
    }

    #[test]
    fn bins_are_even_and_ordered() {
        let tau = Array1::from(vec![0.5, 0.1, 0.9, 0.1, 0.7]);
        assert_eq!(equal_bins(&tau, 2, 0.0), [vec![1, 3], vec![0, 4, 2]]);
        assert_eq!(equal_bins(&tau, 2, 0.5), [vec![1], vec![3, 0, 4], vec![2]]);
        assert_eq!(equal_bins(&tau, 9, 0.0).len(), 5);
    }
}
