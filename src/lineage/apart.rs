//! Couplings to groups of cells: cells choose among groups by their means and covariance.

use ndarray::{Array1, Array2, Axis};

use crate::data::Snapshot;
use crate::error::{Result, shape};
use crate::geometry::Epsilon;
use crate::linalg::Cholesky;

/// The noise with which cells are coupled to groups of later cells, in units of the covariance of the
/// cells within their groups.
///
/// With 1, the log-odds of two groups are those of linear discriminant analysis for the later cells.
/// Earlier cells differ less: most have gone only a part of the way to a group. With 6, probabilities had
/// the right size in simulated courses with known fates, at 26 and at 60 coordinates
/// (`docs/decisions/0031`).
pub const GROUP_NOISE: f64 = 6.0;

/// Least part of the covariance within groups that is replaced by its diagonal.
const LEAST_DIAGONAL: f64 = 0.2;

/// Least variance of a coordinate within groups, as a part of the mean of all coordinates, within groups and
/// over all cells. The second keeps the log-odds of groups of equal cells finite.
const LEAST_VARIANCE: [f64; 2] = [0.05, 0.01];

/// Later cells for a coupling to groups of them. See [`apart`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Apart {
    /// The cells, moved by their groups.
    pub target: Snapshot,
    /// ε of the coupling to them.
    pub epsilon: Epsilon,
}

/// The cells of `target` moved by their `groups`, such that the entropic coupling to them with `epsilon`
/// chooses among the groups as a linear discriminant does.
///
/// ε is at least `noise` times the largest variance of a coordinate within groups. With less, a cell would
/// choose a wide group for the cells at its edge.
///
/// The entropic coupling of x to y depends on `x·y/ε`, and on marginals. Here the part of y that is common
/// to its group, `δ_g = μ_g − μ`, is replaced: `x·(y − δ_g)/ε + xᵀ Σ⁻¹ δ_g / noise`, with the covariance Σ of
/// the cells within their groups. So cells choose among groups by all cells of a group together, and
/// among the cells of a group with ε. A fifth of Σ, and `dim / n` if that is more, is its diagonal. Means
/// are shrunk towards the mean of all cells by what their scatter explains (positive-part James–Stein
/// estimate, in units of Σ), so that groups without a difference of their means change nothing. Cells
/// without a group are one group.
///
/// # Errors
/// [`crate::Error::Shape`] if there is not one group for each cell.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, lineage::apart};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[-11.0], [-9.0], [9.0], [11.0]])?;
/// let groups = [Some(0), Some(0), Some(1), Some(1)];
/// let found = apart(&cells, &groups, Epsilon::new(8.0)?, 2.0)?;
/// // The variance within groups is 2: means of ±10 become ±10 · 8 / (2 · 2), less what chance explains.
/// let points = found.target.points();
/// assert!((points[[2, 0]] + points[[3, 0]]) / 2.0 > 19.8);
/// // Within a group cells are as far apart as before.
/// assert!((points[[3, 0]] - points[[2, 0]] - 2.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
pub fn apart(
    target: &Snapshot,
    groups: &[Option<usize>],
    epsilon: Epsilon,
    noise: f64,
) -> Result<Apart> {
    shape::rows("groups of the target", target.n_cells(), groups.len())?;
    let mut points = target.points().to_owned();
    let Moves { rows, epsilon } = moves(&points, groups, epsilon.value(), noise);
    let n_groups = rows.nrows() - 1;
    for (mut row, group) in points.rows_mut().into_iter().zip(groups) {
        row += &rows.row(group.unwrap_or(n_groups));
    }
    let target = Snapshot::weighted(points, target.marginal().to_owned())?;
    Ok(Apart { target, epsilon: Epsilon::new(epsilon)? })
}

/// How cells are moved.
struct Moves {
    /// By how much the cells of each group are moved: `shrunk (ε / noise Σ⁻¹ δ_g − δ_g)`. The last row is
    /// that of cells without a group, `(n_groups + 1, dim)`.
    rows: Array2<f64>,
    /// ε of the coupling.
    epsilon: f64,
}

/// How cells of `groups` are moved for a coupling with at least `epsilon`.
fn moves(points: &Array2<f64>, groups: &[Option<usize>], epsilon: f64, noise: f64) -> Moves {
    let Means { offsets, counts } = means(points, groups);
    let n_groups = offsets.nrows() - 1;
    let mean = points.sum_axis(Axis(0)) / points.nrows().max(1) as f64;
    let mut rest = points - &mean;
    for (mut row, group) in rest.rows_mut().into_iter().zip(groups) {
        row -= &offsets.row(group.unwrap_or(n_groups));
    }
    let n = points.nrows() as f64;
    let present = counts.iter().filter(|count| **count > 0.0).count() as f64;
    let all = (points - &mean).mapv(|off| off * off).sum() / (n * points.ncols().max(1) as f64);
    let Some(Within { covariance, widest }) = within(&rest, n - present, all) else {
        return Moves { rows: offsets * 0.0, epsilon };
    };
    let epsilon = epsilon.max(noise * widest);
    let mut rows = offsets;
    for (mut offset, count) in rows.rows_mut().into_iter().zip(&counts) {
        let solved = covariance.solve(offset.view());
        let square = solved.dot(&offset);
        if square <= 0.0 {
            continue;
        }
        let by_chance = offset.len() as f64 * (1.0 / count - 1.0 / n);
        let shrunk = (1.0 - by_chance / square).max(0.0);
        let moved = (solved * (epsilon / noise) - &offset) * shrunk;
        offset.assign(&moved);
    }
    Moves { rows, epsilon }
}

/// The means of groups.
struct Means {
    /// Differences from the mean of all cells; zero for groups without cells. The last row is that of cells
    /// without a group, `(n_groups + 1, dim)`.
    offsets: Array2<f64>,
    /// Numbers of cells, `n_groups + 1`.
    counts: Array1<f64>,
}

/// The means of `groups`.
fn means(points: &Array2<f64>, groups: &[Option<usize>]) -> Means {
    let n_groups = groups.iter().flatten().map(|group| group + 1).max().unwrap_or(0);
    let mut offsets: Array2<f64> = Array2::zeros((n_groups + 1, points.ncols()));
    let mut counts: Array1<f64> = Array1::zeros(n_groups + 1);
    for (row, group) in points.rows().into_iter().zip(groups) {
        let group = group.unwrap_or(n_groups);
        offsets.row_mut(group).scaled_add(1.0, &row);
        counts[group] += 1.0;
    }
    let mean = points.sum_axis(Axis(0)) / points.nrows().max(1) as f64;
    for (mut row, count) in offsets.rows_mut().into_iter().zip(&counts) {
        if *count > 0.0 {
            row /= *count;
            row -= &mean;
        }
    }
    Means { offsets, counts }
}

/// The scatter of cells within their groups.
struct Within {
    /// Covariance, with a part of it replaced by its diagonal.
    covariance: Cholesky,
    /// Largest variance of a coordinate.
    widest: f64,
}

/// The scatter within groups from the differences `rest` of cells to the means of their groups, with `degrees`
/// of freedom. `all` is the mean variance of a coordinate over all cells. `None` if all cells are equal.
fn within(rest: &Array2<f64>, degrees: f64, all: f64) -> Option<Within> {
    let dim = rest.ncols();
    let mut within = rest.t().dot(rest) / degrees.max(1.0);
    let diagonal = within.diag().to_owned();
    let [of_within, of_all] = LEAST_VARIANCE;
    let least = (of_within * diagonal.mean().unwrap_or(0.0)).max(of_all * all);
    let part = (dim as f64 / degrees.max(1.0)).clamp(LEAST_DIAGONAL, 1.0);
    within *= 1.0 - part;
    for (k, variance) in diagonal.iter().enumerate() {
        within[[k, k]] = variance.max(least);
    }
    let widest = diagonal.iter().copied().fold(0.0, f64::max);
    Some(Within { covariance: Cholesky::new(within.view())?, widest })
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::Link;
    use crate::rng::Seed;

    /// `n` cells with unit noise in `dim` coordinates, times 3 in the second; the first half is shifted by
    /// `shift` in the first.
    fn two_groups(n: usize, dim: usize, shift: f64, seed: u64) -> (Snapshot, Vec<Option<usize>>) {
        let mut stream = Seed(seed).stream("apart", 0);
        let points = Array2::from_shape_fn((n, dim), |(i, d)| {
            let noise: f64 = StandardNormal.sample(&mut stream);
            let noise = if d == 1 { 3.0 * noise } else { noise };
            noise + if d == 0 && i < n / 2 { shift } else { 0.0 }
        });
        (Snapshot::new(points).unwrap(), (0..n).map(|i| Some(usize::from(i >= n / 2))).collect())
    }

    #[test]
    fn log_odds_of_two_groups_are_those_of_the_linear_discriminant() {
        let (late, groups) = two_groups(2000, 4, 3.0, 1);
        let (early, _) = two_groups(300, 4, 0.0, 2);
        let epsilon = Epsilon::new(60.0).unwrap();
        let own =
            Array2::from_shape_fn((2000, 2), |(j, g)| f64::from(u8::from(groups[j] == Some(g))));
        let slopes = |late: &Snapshot| {
            let link = Link::entropic(&early, late, epsilon).unwrap();
            let found = link.pull(own.view()).unwrap();
            let odds: Array1<f64> =
                found.rows().into_iter().map(|row| (row[0] / row[1]).ln()).collect();
            let odds = &odds - odds.mean().unwrap();
            [0, 1].map(|column| {
                let x = early.points().column(column).to_owned();
                let x = &x - x.mean().unwrap();
                x.dot(&odds) / x.dot(&x)
            })
        };
        // Means 3 apart with unit variance: log-odds 3 x; nothing follows the noisy coordinate.
        let [shown, noisy] = slopes(&apart(&late, &groups, epsilon, 1.0).unwrap().target);
        assert!((shown - 3.0).abs() < 0.25 && noisy.abs() < 0.1, "{shown} {noisy}");
        let [shown, _] = slopes(&apart(&late, &groups, epsilon, 4.0).unwrap().target);
        assert!((shown - 0.75).abs() < 0.1, "{shown}");
        // The coupling alone has a twentieth of it.
        assert!(slopes(&late)[0] < 0.1);
    }

    #[test]
    fn moves_of_correlated_coordinates_are_those_of_the_inverse_written_out() {
        // Four cells within each of two groups at ±1, with covariance [[2, 1], [1, 2]] · 4 / 3 (8 − 2 degrees).
        let within = [[1.0, 1.0], [-1.0, -1.0], [1.0, 0.0], [-1.0, 0.0]];
        let mut rows = Vec::new();
        for side in [1.0, -1.0] {
            rows.extend(within.iter().map(|at| [at[0] + side, at[1]]));
        }
        let points = Array2::from_shape_fn((8, 2), |(i, d)| rows[i][d]);
        let groups: Vec<Option<usize>> = (0..8).map(|i| Some(i / 4)).collect();
        let found = moves(&points, &groups, 5.0, 1.0).rows;
        // Sums of squares 8 and 4, of products 4, over 6; a third (2 / 6) is the diagonal.
        let (a, b, c) = (8.0 / 6.0, 4.0 / 6.0, 4.0 / 6.0 * (2.0 / 3.0));
        let det = a * b - c * c;
        let solved = [b / det, -c / det];
        let shrunk = 1.0 - 2.0 * (0.25 - 0.125) / solved[0];
        let wanted = array![(5.0 * solved[0] - 1.0) * shrunk, 5.0 * solved[1] * shrunk];
        let off = &found.row(0) - &wanted;
        assert!(off.iter().all(|off| off.abs() < 1e-9), "{found} {wanted}");
    }

    #[test]
    fn groups_without_a_difference_stay() {
        let (same, groups) = two_groups(400, 10, 0.0, 3);
        let moved = apart(&same, &groups, Epsilon::new(10.0).unwrap(), 1.0).unwrap().target;
        let far = (&moved.points() - &same.points()).mapv(f64::abs).sum() / 4000.0;
        let (other, groups) = two_groups(400, 10, 4.0, 4);
        let moved = apart(&other, &groups, Epsilon::new(10.0).unwrap(), 1.0).unwrap().target;
        let further = (&moved.points() - &other.points()).mapv(f64::abs).sum() / 4000.0;
        assert!(far < 0.3 && further > 1.0, "{far} {further}");
    }

    #[test]
    fn a_wide_group_does_not_take_the_cells_at_the_edges() {
        // Two groups with the same mean; one is four times as wide. Cells at the edges are no more of it
        // than their linear log-odds say: half and half.
        let place = |i: usize| (i as f64 / 199.0 - 0.5) * 2.0;
        let late =
            Array2::from_shape_fn(
                (400, 1),
                |(i, _)| {
                    if i < 200 { place(i) } else { 4.0 * place(i - 200) }
                },
            );
        let groups: Vec<Option<usize>> = (0..400).map(|i| Some(i / 200)).collect();
        let early = Snapshot::new(Array2::from_shape_fn((50, 1), |(i, _)| i as f64 / 10.0 - 2.45));
        let (early, late) = (early.unwrap(), Snapshot::new(late).unwrap());
        let wide = |late: &Snapshot, epsilon: Epsilon| {
            let link = Link::entropic(&early, late, epsilon).unwrap();
            let own = Array2::from_shape_fn((400, 1), |(j, _)| f64::from(u8::from(j >= 200)));
            link.pull(own.view()).unwrap()[[49, 0]] * 50.0
        };
        let epsilon = Epsilon::new(1.0).unwrap();
        let found = apart(&late, &groups, epsilon, 6.0).unwrap();
        assert!((wide(&found.target, found.epsilon) - 0.5).abs() < 0.12);
        assert!(wide(&late, epsilon) > 0.85);
    }

    #[test]
    fn cells_without_a_group_are_one_and_equal_cells_do_no_harm() {
        let cells = Snapshot::new(array![[0.0], [0.2], [8.0], [8.2]]).unwrap();
        let groups = [Some(3), Some(3), None, None];
        let epsilon = Epsilon::new(4.0).unwrap();
        let found = apart(&cells, &groups, epsilon, 2.0).unwrap().target;
        // Means ±4 with variance 0.02 within, below a hundredth of that of all cells, 16.01.
        let least = 0.1601;
        let moved = 4.0 * (2.0 / least - 1.0) * (1.0 - least * (0.5 - 0.25) / 16.0);
        assert!((found.points()[[0, 0]] + moved).abs() < 1e-6, "{}", found.points());
        assert!((found.points()[[3, 0]] - 8.2 - moved).abs() < 1e-6);
        // Groups of equal cells have finite couplings.
        let points = Snapshot::new(array![[0.0], [0.0], [8.0], [8.0]]).unwrap();
        let found = apart(&points, &groups, epsilon, 2.0).unwrap();
        let link = Link::entropic(&cells, &found.target, found.epsilon).unwrap();
        assert!(
            (link.pull(array![[1.0], [1.0], [0.0], [0.0]].view()).unwrap()[[0, 0]] - 0.25).abs()
                < 1e-6
        );
        let equal = Snapshot::new(Array2::ones((4, 1))).unwrap();
        assert_eq!(apart(&equal, &groups, epsilon, 2.0).unwrap().target, equal);
        assert!(apart(&cells, &groups[..2], epsilon, 1.0).is_err());
    }
}
