//! Couplings to groups of cells: less noise between the groups than within them.

use ndarray::{Array1, Array2, Axis};

use crate::data::Snapshot;
use crate::error::{Result, shape};
use crate::geometry::Epsilon;

/// Coordinates for each unit of [`group_noise`].
const PER_UNIT: f64 = 20.0;

/// The ε with which cells are coupled to groups of later cells, in squared units of the standard deviation
/// within a time: `max(1, dim / 20)`.
///
/// Between two groups with means μ₁ and μ₂ and unit variance in every coordinate, the log-odds of a cell
/// x are `x·(μ₁ − μ₂)` plus a constant (linear discriminant analysis). An entropic coupling gives
/// `x·(μ₁ − μ₂)/ε`, so that ε = 1 is right where all variance is within the groups. Many coordinates
/// have means that are less certain; `dim / 20` was right for simulated fates at 26 and 60 coordinates
/// (`docs/decisions/0031`).
///
/// ```
/// use sbcell::lineage::group_noise;
/// assert_eq!((group_noise(10), group_noise(50)), (1.0, 2.5));
/// ```
pub fn group_noise(dim: usize) -> f64 {
    (dim as f64 / PER_UNIT).max(1.0)
}

/// The cells of `target` moved apart by `groups`, such that the entropic coupling to them with `epsilon`
/// has the noise `between` between the groups.
///
/// The entropic coupling of x to y depends on `x·y/ε`, and on marginals. The part of y that is common to
/// its group, `μ_g − μ`, gets the factor `ε / between`: `x·(y − μ_g)/ε + x·(μ_g − μ)/between`. So cells
/// choose among groups by all cells of a group together, and among the cells of a group widely. Means
/// are shrunk towards the mean of all cells by what their scatter explains (positive-part James–Stein
/// estimate), so that groups without a difference of their means change nothing. Groups are moved apart
/// only: for `between` ≥ ε the cells stay. Cells without a group are one group.
///
/// # Errors
/// [`crate::Error::Shape`] if there is not one group for each cell.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, lineage::apart};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[-10.0], [-10.2], [10.2], [10.0]])?;
/// let groups = [Some(0), Some(0), Some(1), Some(1)];
/// let found = apart(&cells, &groups, Epsilon::new(2.0)?, 1.0)?;
/// // Twice as far from the middle; within a group as far as before.
/// assert!((found.points()[[0, 0]] + 20.1).abs() < 0.01);
/// assert!((found.points()[[2, 0]] - found.points()[[3, 0]] - 0.2).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
pub fn apart(
    target: &Snapshot,
    groups: &[Option<usize>],
    epsilon: Epsilon,
    between: f64,
) -> Result<Snapshot> {
    shape::rows("groups of the target", target.n_cells(), groups.len())?;
    let factor = epsilon.value() / between - 1.0;
    let mut points = target.points().to_owned();
    if factor <= 0.0 {
        return Ok(target.clone());
    }
    let offsets = offsets(&points, groups);
    let n_groups = offsets.nrows() - 1;
    for (mut row, group) in points.rows_mut().into_iter().zip(groups) {
        row.scaled_add(factor, &offsets.row(group.unwrap_or(n_groups)));
    }
    Snapshot::weighted(points, target.marginal().to_owned())
}

/// The shrunk offset of the mean of each group from that of all cells; the last row is that of cells
/// without a group, `(n_groups + 1, dim)`.
fn offsets(points: &Array2<f64>, groups: &[Option<usize>]) -> Array2<f64> {
    let n_groups = groups.iter().flatten().map(|group| group + 1).max().unwrap_or(0);
    let (n, dim) = points.dim();
    let mut sums: Array2<f64> = Array2::zeros((n_groups + 1, dim));
    let mut counts: Array1<f64> = Array1::zeros(n_groups + 1);
    for (row, group) in points.rows().into_iter().zip(groups) {
        let group = group.unwrap_or(n_groups);
        sums.row_mut(group).scaled_add(1.0, &row);
        counts[group] += 1.0;
    }
    let mean = points.sum_axis(Axis(0)) / n.max(1) as f64;
    let mut offsets = sums;
    for (mut row, count) in offsets.rows_mut().into_iter().zip(&counts) {
        if *count > 0.0 {
            row /= *count;
            row -= &mean;
        }
    }
    let mut within = 0.0;
    for (row, group) in points.rows().into_iter().zip(groups) {
        let off = &row - &mean - offsets.row(group.unwrap_or(n_groups));
        within += off.dot(&off);
    }
    let present = counts.iter().filter(|count| **count > 0.0).count();
    let scatter = within / n.saturating_sub(present).max(1) as f64;
    for (mut row, count) in offsets.rows_mut().into_iter().zip(&counts) {
        let square = row.dot(&row);
        if square > 0.0 {
            let by_chance = scatter * (1.0 / count - 1.0 / n as f64);
            row *= (1.0 - by_chance / square).max(0.0);
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::Link;
    use crate::rng::Seed;

    /// `n` cells with unit noise in `dim` coordinates; the first half is shifted by `shift` in the first.
    fn two_groups(n: usize, dim: usize, shift: f64, seed: u64) -> (Snapshot, Vec<Option<usize>>) {
        let mut stream = Seed(seed).stream("apart", 0);
        let points = Array2::from_shape_fn((n, dim), |(i, d)| {
            let noise: f64 = StandardNormal.sample(&mut stream);
            noise + if d == 0 && i < n / 2 { shift } else { 0.0 }
        });
        (Snapshot::new(points).unwrap(), (0..n).map(|i| Some(usize::from(i >= n / 2))).collect())
    }

    #[test]
    fn log_odds_of_two_groups_are_those_of_the_linear_discriminant() {
        // Late cells of two groups with unit variance, early cells between them: with wide noise within
        // groups and unit noise between them, log-odds have the slope of the discriminant in x.
        let (late, groups) = two_groups(2000, 4, 3.0, 1);
        let (early, _) = two_groups(300, 4, 0.0, 2);
        let epsilon = Epsilon::new(60.0).unwrap();
        let moved = apart(&late, &groups, epsilon, 1.0).unwrap();
        let link = Link::entropic(&early, &moved, epsilon).unwrap();
        let own =
            Array2::from_shape_fn((2000, 2), |(j, g)| f64::from(u8::from(groups[j] == Some(g))));
        let found = link.pull(own.view()).unwrap();
        let odds: Array1<f64> =
            found.rows().into_iter().map(|row| (row[0] / row[1]).ln()).collect();
        let x = early.points().column(0).to_owned();
        let (x, odds) = (&x - x.mean().unwrap(), &odds - odds.mean().unwrap());
        let slope = x.dot(&odds) / x.dot(&x);
        assert!((slope - 3.0).abs() < 0.25, "{slope}");
        // The coupling alone has a twentieth of it.
        let plain = Link::entropic(&early, &late, epsilon).unwrap().pull(own.view()).unwrap();
        let odds: Array1<f64> =
            plain.rows().into_iter().map(|row| (row[0] / row[1]).ln()).collect();
        assert!(x.dot(&odds) / x.dot(&x) < 0.1);
    }

    #[test]
    fn groups_without_a_difference_stay_and_those_with_one_are_hardly_shrunk() {
        let (same, groups) = two_groups(400, 10, 0.0, 3);
        let moved = offsets(&same.points().to_owned(), &groups);
        assert!(moved.row(0).dot(&moved.row(0)) < 0.01, "{moved}");
        let (other, groups) = two_groups(400, 10, 4.0, 4);
        let moved = offsets(&other.points().to_owned(), &groups);
        assert!((moved[[0, 0]] - 2.0).abs() < 0.2 && (moved[[1, 0]] + 2.0).abs() < 0.2);
    }

    #[test]
    fn cells_without_a_group_are_one_and_wide_groups_stay() {
        let cells = Snapshot::new(array![[0.0], [0.2], [8.0], [8.2]]).unwrap();
        let groups = [Some(3), Some(3), None, None];
        let epsilon = Epsilon::new(4.0).unwrap();
        let found = apart(&cells, &groups, epsilon, 2.0).unwrap();
        // Offsets of −4 and 4, shrunk by 0.02 (1/2 − 1/4) / 16.
        let shrunk = 4.0 * (1.0 - 0.02 * 0.25 / 16.0);
        assert!((found.points()[[0, 0]] + shrunk).abs() < 1e-9);
        assert!((found.points()[[3, 0]] - 8.2 - shrunk).abs() < 1e-9);
        assert_eq!(apart(&cells, &groups, epsilon, 5.0).unwrap(), cells);
        assert!(apart(&cells, &groups[..2], epsilon, 1.0).is_err());
    }
}
