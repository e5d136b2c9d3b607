//! Orders in which similar rows are neighbours, by hierarchical clustering.

use crate::linalg::{clearly_less, first_least};

/// A cluster of rows, in the order in which they stand.
struct Cluster {
    rows: Vec<usize>,
    /// Whether it was not merged into another one.
    alive: bool,
}

/// The order of `rows` by hierarchical clustering with average linkage of their cosine distances.
///
/// Of two merged clusters each is turned so that the rows that meet are similar. Distances that are equal within
/// rounding count as equal, and the cluster whose first row comes first goes first, so that the order is always the
/// same. A row of zeros has the distance 1 to every other row.
pub(super) fn similar_together(rows: &[Vec<f64>]) -> Vec<usize> {
    let between: Vec<Vec<f64>> =
        rows.iter().map(|a| rows.iter().map(|b| cosine_distance(a, b)).collect()).collect();
    ordered(&between)
}

/// The order of rows with the distances `between` them.
fn ordered(between: &[Vec<f64>]) -> Vec<usize> {
    let n = between.len();
    let mut linkage = between.to_vec();
    let mut clusters: Vec<Cluster> =
        (0..n).map(|row| Cluster { rows: vec![row], alive: true }).collect();
    for _ in 1..n {
        let Some((a, b)) = nearest(&clusters, &linkage) else { break };
        let (m, k) = (clusters[a].rows.len() as f64, clusters[b].rows.len() as f64);
        // The mean over all pairs of rows (Lance and Williams 1967).
        let mean = |(x, y): (&f64, &f64)| (m * x + k * y) / (m + k);
        let joined_row: Vec<f64> = linkage[a].iter().zip(&linkage[b]).map(mean).collect();
        for (row, &mean) in linkage.iter_mut().zip(&joined_row) {
            row[a] = mean;
        }
        linkage[a] = joined_row;
        let second = std::mem::take(&mut clusters[b].rows);
        clusters[b].alive = false;
        let first = std::mem::take(&mut clusters[a].rows);
        clusters[a].rows = joined(first, second, between);
    }
    clusters.into_iter().flat_map(|cluster| cluster.rows).collect()
}

/// The two clusters with the smallest linkage, the first of equal ones.
fn nearest(clusters: &[Cluster], linkage: &[Vec<f64>]) -> Option<(usize, usize)> {
    let mut best: Option<(usize, usize)> = None;
    for a in (0..clusters.len()).filter(|&a| clusters[a].alive) {
        for b in (a + 1..clusters.len()).filter(|&b| clusters[b].alive) {
            if best.is_none_or(|best| clearly_less(linkage[a][b], linkage[best.0][best.1])) {
                best = Some((a, b));
            }
        }
    }
    best
}

/// Both clusters one after the other, each as it is or turned round, so that the rows that meet are similar.
fn joined(first: Vec<usize>, second: Vec<usize>, between: &[Vec<f64>]) -> Vec<usize> {
    let turned = |rows: &[usize], turn: bool| -> Vec<usize> {
        if turn { rows.iter().rev().copied().collect() } else { rows.to_vec() }
    };
    let turns = [(false, false), (true, false), (false, true), (true, true)];
    let ways = turns.map(|turn| (turned(&first, turn.0), turned(&second, turn.1)));
    let meet = ways.iter().map(|way| match (way.0.last(), way.1.first()) {
        (Some(&a), Some(&b)) => between[a][b],
        _ => 0.0,
    });
    let best = first_least(meet).unwrap_or(0);
    let (mut rows, rest) = (ways[best].0.clone(), ways[best].1.clone());
    rows.extend(rest);
    rows
}

/// One minus the cosine of the angle between two rows; 1 if one of them is zero.
fn cosine_distance(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let scale = (dot(a, a) * dot(b, b)).sqrt();
    if scale > 0.0 { 1.0 - dot(a, b) / scale } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors at these angles, in degrees.
    fn at_angles(angles: &[f64]) -> Vec<Vec<f64>> {
        angles
            .iter()
            .map(|angle| vec![angle.to_radians().cos(), angle.to_radians().sin()])
            .collect()
    }

    #[test]
    fn angles_are_ordered_along_the_circle() {
        let order = similar_together(&at_angles(&[50.0, 0.0, 80.0, 10.0, 58.0, 3.0]));
        // By hand: 0 and 3, then 10 to them; 50 and 58, then 80; then both.
        assert!(order == [2, 4, 0, 3, 5, 1] || order == [1, 5, 3, 0, 4, 2], "{order:?}");
    }

    #[test]
    fn linkage_is_the_mean_over_all_pairs() {
        // A quadrilateral of the rows 0, 1, 2, 3 with long diagonals. Single linkage would join 2 to 1 and 3 to 0.
        let between = [
            vec![0.0, 0.9, 1.4, 1.0],
            vec![0.9, 0.0, 1.0, 1.4],
            vec![1.4, 1.0, 0.0, 1.05],
            vec![1.0, 1.4, 1.05, 0.0],
        ];
        assert_eq!(ordered(&between), [0, 1, 2, 3]);
        // With shorter diagonals, 2 is nearer to both others than to 3, and 3 follows at the side of 0.
        let between = [
            vec![0.0, 0.9, 1.08, 1.0],
            vec![0.9, 0.0, 1.0, 1.4],
            vec![1.08, 1.0, 0.0, 1.05],
            vec![1.0, 1.4, 1.05, 0.0],
        ];
        assert_eq!(ordered(&between), [2, 1, 0, 3]);
    }

    #[test]
    fn equal_rows_and_zeros_keep_their_order() {
        assert_eq!(similar_together(&vec![vec![1.0, 2.0]; 4]), [0, 1, 2, 3]);
        assert_eq!(similar_together(&vec![vec![0.0; 3]; 3]), [0, 1, 2]);
        let rows = vec![vec![1.0, 0.0], vec![0.0, 0.0], vec![1.0, 0.01]];
        assert_eq!(similar_together(&rows), [0, 2, 1]);
        assert!(similar_together(&[]).is_empty());
        assert_eq!(similar_together(&[vec![1.0]]), [0]);
    }

    #[test]
    fn opposite_rows_are_far_apart() {
        assert!((cosine_distance(&[1.0, 2.0], &[-2.0, -4.0]) - 2.0).abs() < 1e-12);
        assert!(cosine_distance(&[1.0, 2.0], &[2.0, 4.0]).abs() < 1e-12);
        assert!((cosine_distance(&[1.0, 0.0], &[0.0, 4.0]) - 1.0).abs() < 1e-12);
    }
}
