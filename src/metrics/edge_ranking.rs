//! Scores of ranked edges against a known network: areas under curves, early precision, signs.

use std::cmp::Ordering;

/// A possible edge, with its prediction and its state in the known network.
///
/// [`EdgeScores`] has an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Predicted importance, not negative; 0 for an edge that is not predicted.
    pub importance: f64,
    /// Predicted sign: 1, −1, or 0 if it is not predicted.
    pub sign: i8,
    /// Whether the network has the edge.
    pub present: bool,
    /// Sign in the network: 1, −1, or 0 if the edge is absent or its sign is not known.
    pub true_sign: i8,
}

/// Scores of a ranking of edges against a known network.
///
/// A score that is not defined (no candidate is an edge, or all are; no sign is known) is NaN.
///
/// ```
/// use sbcell::metrics::{Candidate, EdgeScores};
///
/// let candidate = |importance, present| {
///     let true_sign = if present { 1 } else { 0 };
///     Candidate { importance, sign: 1, present, true_sign }
/// };
/// // Both edges of the network come first.
/// let ranking = [candidate(0.9, true), candidate(0.7, true), candidate(0.2, false)];
/// let scores = EdgeScores::of(&ranking);
/// assert_eq!((scores.auroc, scores.average_precision), (1.0, 1.0));
/// assert_eq!(scores.sign_accuracy, 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeScores {
    /// Number of candidates.
    pub n_candidates: usize,
    /// Number of candidates that are edges.
    pub n_present: usize,
    /// Share of candidates that are edges, the expected precision of a random ranking.
    pub density: f64,
    /// Area under the receiver operating characteristic, with ties counted half; 0.5 by chance.
    pub auroc: f64,
    /// Average precision `Σ (R_n − R_{n−1}) P_n` over the distinct importances.
    pub average_precision: f64,
    /// Area under the precision-recall curve by the trapezoidal rule from (recall 0, precision 1), as
    /// in BEELINE (Pratapa 2020). It exceeds the average precision, in particular with many ties.
    pub trapezoid: f64,
    /// Average precision divided by the density.
    pub ap_ratio: f64,
    /// Precision among the first `n_present` candidates.
    ///
    /// Candidates that tie with the last of them count too, those of importance 0 never. Importances
    /// are rounded to six decimals, as in BEELINE.
    pub early_precision: f64,
    /// Early precision divided by the density (early precision ratio).
    pub epr: f64,
    /// Early precision ratio of activations, as in BEELINE.
    ///
    /// Candidates are all pairs except inhibitions, and the first ones as many as activations. The
    /// predicted sign is ignored.
    pub epr_activation: f64,
    /// Early precision ratio of inhibitions, defined likewise.
    pub epr_inhibition: f64,
    /// Share of edges with correct sign among the first `n_present` candidates, divided by half the
    /// density. Edges of unknown sign count as wrong.
    pub signed_epr: f64,
    /// Share of correct signs among edges of known sign and importance above 0.
    pub sign_accuracy: f64,
}

impl EdgeScores {
    /// The scores of `candidates` in any order. Time `O(n log n)`.
    pub fn of(candidates: &[Candidate]) -> Self {
        Self::with_rest(candidates, 0)
    }

    /// As [`EdgeScores::of`], with `n_rest` more candidates that are neither edges nor predicted.
    ///
    /// These need no memory. Among all pairs of many genes they are the majority.
    pub fn with_rest(candidates: &[Candidate], n_rest: usize) -> Self {
        let mut sorted = candidates.to_vec();
        sorted.sort_by(|a, b| b.importance.total_cmp(&a.importance));
        let curve = Curve::of(&sorted, n_rest);
        let n_candidates = sorted.len() + n_rest;
        let n_present = count(&sorted, |c| c.present);
        let density = n_present as f64 / n_candidates as f64;
        let first = early(&sorted, n_present);
        let share = |n: usize| n as f64 / first.len() as f64;
        let early_precision = share(count(first, |c| c.present));
        let right = |c: &Candidate| c.true_sign != 0 && c.sign == c.true_sign;
        let signed = count(&sorted, |c| c.true_sign != 0) > 0;
        let signed_precision = if signed { share(count(first, right)) } else { f64::NAN };
        let known = |c: &Candidate| c.true_sign != 0 && c.importance > 0.0;
        Self {
            n_candidates,
            n_present,
            density,
            auroc: curve.auroc,
            average_precision: curve.average_precision,
            trapezoid: curve.trapezoid,
            ap_ratio: curve.average_precision / density,
            early_precision,
            epr: early_precision / density,
            epr_activation: epr_of_sign(&sorted, n_rest, 1),
            epr_inhibition: epr_of_sign(&sorted, n_rest, -1),
            signed_epr: signed_precision / (density / 2.0),
            sign_accuracy: count(&sorted, |c| known(c) && right(c)) as f64
                / count(&sorted, known) as f64,
        }
    }

    /// The scores with their names, in the order of columns in output tables.
    pub fn named(&self) -> [(&'static str, f64); 11] {
        [
            ("density", self.density),
            ("auroc", self.auroc),
            ("average_precision", self.average_precision),
            ("trapezoid", self.trapezoid),
            ("ap_ratio", self.ap_ratio),
            ("early_precision", self.early_precision),
            ("epr", self.epr),
            ("epr_activation", self.epr_activation),
            ("epr_inhibition", self.epr_inhibition),
            ("signed_epr", self.signed_epr),
            ("sign_accuracy", self.sign_accuracy),
        ]
    }
}

/// Number of candidates with a property.
fn count(candidates: &[Candidate], is: impl Fn(&Candidate) -> bool) -> usize {
    candidates.iter().filter(|candidate| is(candidate)).count()
}

/// The areas under the two curves; the fields are those of [`EdgeScores`].
struct Curve {
    auroc: f64,
    average_precision: f64,
    trapezoid: f64,
}

impl Curve {
    /// The areas for candidates sorted by decreasing importance, with `n_rest` more at the end.
    fn of(sorted: &[Candidate], n_rest: usize) -> Self {
        let n_present = count(sorted, |c| c.present) as f64;
        let n_absent = (sorted.len() + n_rest) as f64 - n_present;
        let (mut hits, mut misses) = (0.0, 0.0);
        let (mut recall, mut precision) = (0.0, 1.0);
        let mut curve = Self { auroc: 0.0, average_precision: 0.0, trapezoid: 0.0 };
        let predicted = sorted.partition_point(|c| c.importance > 0.0);
        let (predicted, others) = sorted.split_at(predicted);
        let ties = predicted.chunk_by(|a, b| a.importance.total_cmp(&b.importance).is_eq());
        let ties = ties.map(|tied| (tied, 0));
        // All candidates that are not predicted are tied.
        let others = (others.len() + n_rest > 0).then_some((others, n_rest));
        for (tied, more) in ties.chain(others) {
            let new_hits = count(tied, |c| c.present) as f64;
            let new_misses = (tied.len() + more) as f64 - new_hits;
            // Pairs of an absent and a present edge in which the present one is first; ties count half.
            curve.auroc += new_misses * (hits + new_hits / 2.0);
            (hits, misses) = (hits + new_hits, misses + new_misses);
            let (now, of_these) = (hits / n_present, hits / (hits + misses));
            curve.average_precision += (now - recall) * of_these;
            curve.trapezoid += (now - recall) * f64::midpoint(of_these, precision);
            (recall, precision) = (now, of_these);
        }
        curve.auroc /= n_present * n_absent;
        curve
    }
}

/// The first `k` candidates in the order of decreasing importance, and all that tie with the last.
fn early(sorted: &[Candidate], k: usize) -> &[Candidate] {
    let rounded = |c: &Candidate| (c.importance * 1e6).round();
    let predicted = sorted.partition_point(|c| rounded(c) > 0.0);
    let k = k.min(predicted);
    let Some(last) = k.checked_sub(1).map(|place| rounded(&sorted[place])) else { return &[] };
    let tied = |c: &Candidate| rounded(c).total_cmp(&last) != Ordering::Less;
    &sorted[..sorted.partition_point(tied).min(predicted)]
}

/// Early precision ratio of edges of one sign, among all candidates except edges of the other.
fn epr_of_sign(sorted: &[Candidate], n_rest: usize, sign: i8) -> f64 {
    let of_sign = |c: &Candidate| c.present && c.true_sign == sign;
    let considered: Vec<Candidate> =
        sorted.iter().copied().filter(|c| !c.present || c.true_sign == sign).collect();
    let k = count(&considered, of_sign);
    let first = early(&considered, k);
    let precision = count(first, of_sign) as f64 / first.len() as f64;
    precision / (k as f64 / (considered.len() + n_rest) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(importance: f64, sign: i8, true_sign: i8) -> Candidate {
        Candidate { importance, sign, present: true_sign != 0, true_sign }
    }

    #[test]
    fn a_ranking_scored_by_hand() {
        // Ranks: true(+) ✓, false, true(−) with the wrong sign, false, true(+) not predicted.
        let candidates = [
            candidate(0.9, 1, 1),
            candidate(0.8, 1, 0),
            candidate(0.7, 1, -1),
            candidate(0.2, -1, 0),
            candidate(0.0, 0, 1),
        ];
        let scores = EdgeScores::of(&candidates);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        // Pairs won by a true edge: 2 + 1 + 0 of 6.
        close(scores.auroc, 3.0 / 6.0);
        close(scores.average_precision, (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0);
        // Trapezoids between precisions 1, 1 | 1/2 and 2/3 | 1/2 and 3/5.
        close(
            scores.trapezoid,
            (1.0 + f64::midpoint(0.5, 2.0 / 3.0) + f64::midpoint(0.5, 0.6)) / 3.0,
        );
        close(scores.early_precision, 2.0 / 3.0);
        close(scores.epr, 2.0 / 3.0 / 0.6);
        close(scores.ap_ratio, scores.average_precision / 0.6);
        // Activations: of the first two of (+, absent, absent, +): one.
        close(scores.epr_activation, 0.5 / 0.5);
        // Inhibitions: of the first of (absent, −, absent): none.
        close(scores.epr_inhibition, 0.0);
        close(scores.signed_epr, 1.0 / 3.0 / 0.3);
        close(scores.sign_accuracy, 0.5);
    }

    #[test]
    fn the_rest_is_scored_as_if_it_were_written_out() {
        let some = [
            candidate(0.9, 1, 1),
            candidate(0.8, 1, 0),
            candidate(0.7, 1, -1),
            candidate(0.2, -1, 0),
            candidate(0.0, 0, 1),
        ];
        for some in [&some[..], &some[..4], &some[..1], &[]] {
            for n_rest in [0, 1, 7] {
                let mut all = some.to_vec();
                all.extend(std::iter::repeat_n(candidate(0.0, 0, 0), n_rest));
                let (short, long) = (EdgeScores::with_rest(some, n_rest), EdgeScores::of(&all));
                assert_eq!(short.n_candidates, long.n_candidates);
                for ((name, a), (_, b)) in short.named().into_iter().zip(long.named()) {
                    assert!(
                        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
                        "{name} {a} {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn ties_with_the_last_early_edge_count_and_zeros_do_not() {
        let mut candidates = vec![candidate(0.5, 1, 1), candidate(0.3, 1, 1)];
        candidates.extend([0.3, 0.3, 0.300_000_1, 0.2999].map(|weight| candidate(weight, 1, 0)));
        candidates.push(candidate(0.0, 0, 0));
        let scores = EdgeScores::of(&candidates);
        // Five are 0.3 or more to six decimals.
        assert!((scores.early_precision - 0.4).abs() < 1e-12);
        // Of ten pairs the first edge wins five, the second two, and is tied in two.
        assert!((scores.auroc - 0.8).abs() < 1e-12);
        let few = [candidate(0.5, 1, 1), candidate(0.0, 0, 1), candidate(0.0, 0, 0)];
        assert!((EdgeScores::of(&few).early_precision - 1.0).abs() < 1e-12);
    }

    #[test]
    fn numbers_without_meaning_are_not_numbers() {
        let none = [candidate(0.5, 1, 0), candidate(0.1, 1, 0)];
        let scores = EdgeScores::of(&none);
        assert!(scores.auroc.is_nan() && scores.average_precision.is_nan());
        assert!(scores.epr.is_nan() && scores.sign_accuracy.is_nan());
        assert!(EdgeScores::of(&[]).auroc.is_nan());
    }
}
