//! Stability and p-values of edges from repeated estimates on resampled cells and permuted times.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2};

use crate::grn::edge_matrix::EdgeMatrix;

/// Fraction of the candidate edges that count as found again, the most important ones.
const FIRST: f64 = 0.1;

/// All candidate edges: from each regulator, by place in `regulators`, to every other gene.
pub(super) fn candidates(regulators: &[usize], n_genes: usize) -> Vec<(usize, usize)> {
    let pairs = (0..regulators.len()).flat_map(|r| (0..n_genes).map(move |g| (r, g)));
    pairs.filter(|&(r, g)| regulators[r] != g).collect()
}

/// The most important tenth of all candidates, but at least as many edges as genes and at most half
/// of the candidates. Ties are ordered by regulator, then by target.
fn first(found: &EdgeMatrix, regulators: &[usize]) -> Vec<(usize, usize)> {
    let n_genes = found.importance.ncols();
    let mut order = candidates(regulators, n_genes);
    let n_first =
        ((FIRST * order.len() as f64).ceil() as usize).max(n_genes).min(order.len().div_ceil(2));
    order.sort_by(|a, b| found.importance[*b].total_cmp(&found.importance[*a]).then(a.cmp(b)));
    order.truncate(n_first);
    order
}

/// Agreement on the direction of edges: for the most important edges of `found` between two
/// regulators, the share of `resampled` estimates in which the same direction is the more important
/// one. NaN if there are no such edges or no resamples.
///
/// `regulators` are the gene numbers of the rows, increasing. In simulated courses two of three
/// one-way edges had the right direction where this is below 0.95, and seven of eight where it is
/// not (docs/benchmarks, "Direction").
pub fn direction_agreement(
    found: &EdgeMatrix,
    resampled: &[EdgeMatrix],
    regulators: &[usize],
) -> f64 {
    let forward = |of: &EdgeMatrix, (r, g): (usize, usize), back: (usize, usize)| {
        of.importance[[r, g]] > of.importance[[back.0, back.1]]
    };
    let (mut same, mut all) = (0.0, 0.0);
    for edge @ (r, g) in first(found, regulators) {
        let Ok(place) = regulators.binary_search(&g) else { continue };
        let back = (place, regulators[r]);
        for other in resampled {
            all += 1.0;
            same += f64::from(forward(other, edge, back) == forward(found, edge, back));
        }
    }
    same / all
}

/// Stability of each edge, `(R, G)`: the share of `resampled` estimates in which the edge is among
/// the most important tenth of all candidates and has the same sign as in `found`.
///
/// The tenth is replaced by the number of genes if that is larger, but never exceeds half of the
/// candidates. `regulators` are the gene numbers of the rows. All entries are NaN without
/// resamples.
///
/// ```
/// use ndarray::array;
/// use sbcell::grn::{EdgeMatrix, stability};
/// let edges = EdgeMatrix::of_correlations(array![[1.0, -0.9, 0.1]], &[0]);
/// // The edge from gene 0 to gene 1 comes back every time.
/// let share = stability(&edges, &[edges.clone(), edges.clone()], &[0]);
/// assert_eq!(share[[0, 1]], 1.0);
/// ```
pub fn stability(
    found: &EdgeMatrix,
    resampled: &[EdgeMatrix],
    regulators: &[usize],
) -> Array2<f64> {
    let shape = found.importance.dim();
    if resampled.is_empty() {
        return Array2::from_elem(shape, f64::NAN);
    }
    let mut share = Array2::zeros(shape);
    for other in resampled {
        for edge in first(other, regulators) {
            if other.importance[edge] > 0.0
                && (found.evidence[edge] < 0.0) == (other.evidence[edge] < 0.0)
            {
                share[edge] += 1.0;
            }
        }
    }
    share / resampled.len() as f64
}

/// P-value of every edge of `found`, `(R, G)`, against `permuted` estimates from cells whose times
/// were permuted.
///
/// The statistic is a z-score: the importance of an edge minus its mean over permutations, divided
/// by its standard deviation over permutations. The median standard deviation of all edges is added
/// to the denominator, so that edges of almost no variance do not dominate. The null distribution
/// are the z-scores of all edges in all permutations, each relative to the other permutations. The
/// p-value is `(1 + count)/(1 + total)`, hence never 0. All entries are NaN with fewer than three
/// permutations; entries of a gene with itself are always NaN. Time `O(E B²)` for E candidate edges
/// and B permutations.
///
/// Source: permutation p-values after Phipson & Smyth 2010, moderated as in Tusher et al. 2001.
pub fn p_values(found: &EdgeMatrix, permuted: &[EdgeMatrix], regulators: &[usize]) -> Array2<f64> {
    let shape = found.importance.dim();
    let mut p = Array2::from_elem(shape, f64::NAN);
    if permuted.len() < 3 {
        return p;
    }
    let all = candidates(regulators, shape.1);
    let n = permuted.len();
    let values = |edge: (usize, usize)| permuted.iter().map(move |other| other.importance[edge]);
    let spread = |of: &[f64], mean: f64| {
        (of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (of.len() - 1) as f64).sqrt()
    };
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let mut spreads: Vec<f64> = all
        .iter()
        .map(|&edge| {
            let of: Vec<f64> = values(edge).collect();
            spread(&of, mean(&of))
        })
        .collect();
    spreads.sort_by(f64::total_cmp);
    let floor = spreads.get(spreads.len() / 2).copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    let above = |value: f64, others: &[f64]| {
        let centre = mean(others);
        // The difference of a new value from a mean of n values has the variance s² (1 + 1/n).
        let wider = (1.0 + 1.0 / others.len() as f64).sqrt();
        (value - centre) / (wider * (spread(others, centre) + floor))
    };
    let mut null = Vec::with_capacity(all.len() * n);
    for &edge in &all {
        let of: Vec<f64> = values(edge).collect();
        for b in 0..n {
            let others: Vec<f64> = (0..n).filter(|&c| c != b).map(|c| of[c]).collect();
            null.push(above(of[b], &others));
        }
    }
    null.sort_by(f64::total_cmp);
    for &edge in &all {
        let of: Vec<f64> = values(edge).collect();
        let z = above(found.importance[edge], &of);
        let at_least = null.len() - null.partition_point(|other| *other < z);
        p[edge] = (1 + at_least) as f64 / (1 + null.len()) as f64;
    }
    p
}

/// Q-values (false discovery rates) of the p-values `p`, in the same order. NaN entries stay NaN
/// and do not count as tests. Time `O(n log n)`.
///
/// Source: Benjamini & Hochberg 1995.
///
/// ```
/// use ndarray::array;
/// let q = sbcell::grn::q_values(&array![0.01, 0.5, f64::NAN]);
/// assert_eq!((q[0], q[1]), (0.02, 0.5));
/// ```
pub fn q_values(p: &Array1<f64>) -> Array1<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| p[i].is_finite()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]).then(a.cmp(&b)));
    let n = order.len() as f64;
    let mut q = Array1::from_elem(p.len(), f64::NAN);
    let mut least = 1.0_f64;
    for (place, &i) in order.iter().enumerate().rev() {
        least = least.min(p[i] * n / (place + 1) as f64);
        q[i] = least;
    }
    q
}

/// Whether the importances of all candidate edges carry no information: all are equal, all are
/// zero, or one is not finite.
pub(crate) fn is_degenerate(found: &EdgeMatrix, regulators: &[usize]) -> bool {
    let values: Vec<f64> = candidates(regulators, found.importance.ncols())
        .into_iter()
        .map(|edge| found.importance[edge])
        .collect();
    let distinct: BTreeSet<u64> = values.iter().map(|value| value.to_bits()).collect();
    values.iter().any(|value| !value.is_finite())
        || distinct.len() < 2 && values.len() > 1
        || values.iter().all(|value| *value == 0.0)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn edges(importance: Array2<f64>, evidence: Array2<f64>) -> EdgeMatrix {
        EdgeMatrix { strength: importance.clone(), importance, evidence, lag: 1.0 }
    }

    #[test]
    fn directions_agree_where_resamples_prefer_the_same_way() {
        let of = |values: [[f64; 3]; 2]| EdgeMatrix {
            importance: Array2::from_shape_fn((2, 3), |(r, g)| values[r][g]),
            evidence: Array2::ones((2, 3)),
            strength: Array2::ones((2, 3)),
            lag: 1.0,
        };
        // Genes 0 and 1 regulate; 0 → 1 comes first, then 1 → 2, whose target does not.
        let found = of([[0.0, 5.0, 0.1], [1.0, 0.0, 4.0]]);
        let turned = of([[0.0, 1.0, 0.1], [2.0, 0.0, 4.0]]);
        let agreement = |others: &[EdgeMatrix]| direction_agreement(&found, others, &[0, 1]);
        assert!(
            (agreement(&[found.clone(), turned.clone(), turned.clone()]) - 1.0 / 3.0).abs() < 1e-12
        );
        assert!((agreement(std::slice::from_ref(&found)) - 1.0).abs() < 1e-12);
        assert!(agreement(&[]).is_nan());
    }

    #[test]
    fn q_values_are_those_of_the_step_up_procedure() {
        let q = q_values(&array![0.01, 0.04, f64::NAN, 0.03, 0.5]);
        let expected = [0.04, 0.16 / 3.0, f64::NAN, 0.16 / 3.0, 0.5];
        for (ours, theirs) in q.iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-12 || theirs.is_nan() && ours.is_nan(), "{q}");
        }
    }

    #[test]
    fn stability_counts_what_comes_back_with_its_sign() {
        let ones = Array2::ones((2, 3));
        let found = edges(array![[0.0, 0.9, 0.1], [0.5, 0.0, 0.2]], ones.clone());
        let same = found.clone();
        let mut turned = found.clone();
        turned.evidence[[0, 1]] = -1.0;
        let share = stability(&found, &[same, turned], &[0, 1]);
        // Four candidates; at most half of them are first.
        assert_eq!(share, array![[0.0, 0.5, 0.0], [1.0, 0.0, 0.0]]);
        assert!(stability(&found, &[], &[0, 1])[[0, 1]].is_nan());
    }

    #[test]
    fn p_values_are_uniform_among_exchangeable_estimates() {
        let noise = |b: usize, r: usize, g: usize| {
            let mut x = (b * 7919 + r * 104_729 + g * 1299 + 17) as u64;
            for _ in 0..3 {
                x ^= x >> 12;
                x = x.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                x ^= x >> 29;
            }
            (x >> 11) as f64 / (1_u64 << 53) as f64
        };
        // Each edge has its own level and scatter.
        let one = |b: usize| {
            let values = Array2::from_shape_fn((20, 50), |(r, g)| {
                (r + g) as f64 + (1.0 + (g % 5) as f64) * noise(b, r, g)
            });
            edges(values.clone(), values)
        };
        let regulators: Vec<usize> = (0..20).collect();
        let permuted: Vec<EdgeMatrix> = (1..=20).map(one).collect();
        let p = p_values(&one(0), &permuted, &regulators);
        let mut sorted: Vec<f64> = p.iter().copied().filter(|p| p.is_finite()).collect();
        assert_eq!(sorted.len(), 20 * 49);
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let gap = sorted.iter().enumerate().map(|(i, p)| (p - (i as f64 + 0.5) / n).abs());
        // Kolmogorov and Smirnov at 1 %: 1.63/√980.
        assert!(gap.fold(0.0, f64::max) < 0.052);
        // An edge that is far above its own under permutation has the smallest p-value there is.
        let mut found = one(0);
        found.importance[[3, 7]] += 100.0;
        let least = p_values(&found, &permuted, &regulators)[[3, 7]];
        assert!((least - 1.0 / (1.0 + 20.0 * 980.0)).abs() < 1e-12);
    }

    #[test]
    fn what_says_nothing_is_known() {
        let zeros = Array2::zeros((2, 3));
        assert!(is_degenerate(&edges(zeros.clone(), zeros.clone()), &[0, 1]));
        assert!(is_degenerate(&edges(zeros.clone() + 0.5, zeros.clone()), &[0, 1]));
        let mut some = zeros.clone();
        some[[0, 2]] = 1.0;
        assert!(!is_degenerate(&edges(some.clone(), zeros.clone()), &[0, 1]));
        some[[1, 2]] = f64::NAN;
        assert!(is_degenerate(&edges(some, zeros), &[0, 1]));
    }
}
