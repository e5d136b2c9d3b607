//! Ranked edges against a known network: areas under curves, early precision and signs.

use std::cmp::Ordering;

/// A pair of genes that could be an edge: what was predicted of it, and what is true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// How strongly the edge is predicted, not negative; 0 for an edge that is not predicted.
    pub importance: f64,
    /// The predicted sign: 1, −1, or 0 where nothing is said.
    pub sign: i8,
    /// Whether the edge is there.
    pub present: bool,
    /// Its true sign: 1, −1, or 0 where it is absent or not known.
    pub true_sign: i8,
}

/// How well a ranking of edges finds those of a network.
///
/// A number that has no meaning (no edge is true, or all are; no sign is known) is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeScores {
    /// Number of candidates.
    pub n_candidates: usize,
    /// Number of candidates that are edges.
    pub n_present: usize,
    /// Share of candidates that are edges, the level of chance for precisions.
    pub density: f64,
    /// Area under the receiver operating characteristic, ties counted half; 0.5 by chance.
    pub auroc: f64,
    /// Average precision `Σ (R_n − R_{n−1}) P_n` over the distinct importances.
    pub average_precision: f64,
    /// Area under the precision-recall curve by the trapezoidal rule from (recall 0, precision 1),
    /// as BEELINE (Pratapa 2020) reports it: above the average precision, more so with many ties.
    pub trapezoid: f64,
    /// Average precision over the density.
    pub ap_ratio: f64,
    /// Precision among the first `n_present` candidates. Candidates tied with the last of them
    /// are counted too, those of importance 0 never; importances are rounded to six decimals
    /// (as BEELINE does).
    pub early_precision: f64,
    /// Early precision over the density.
    pub epr: f64,
    /// Early precision ratio of activations: among the candidates that are no inhibitions, with
    /// as many first as there are activations; the predicted sign plays no part (BEELINE).
    pub epr_activation: f64,
    /// The same of inhibitions.
    pub epr_inhibition: f64,
    /// Share of the first `n_present` (as in `early_precision`) that are edges with the right
    /// sign, over half the density: both whether and how. Edges of unknown sign count as wrong.
    pub signed_epr: f64,
    /// Share of the edges of known sign and importance above 0 whose predicted sign is right.
    pub sign_accuracy: f64,
}

impl EdgeScores {
    /// Scores `candidates`, in any order. Time `O(n log n)`.
    pub fn of(candidates: &[Candidate]) -> Self {
        Self::with_rest(candidates, 0)
    }

    /// As [`EdgeScores::of`] with `n_rest` more candidates that are no edges and are not predicted
    /// (importance 0), which need no memory: those of all pairs of many genes.
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

    /// The scores by name, in the order of a table's columns.
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

fn count(candidates: &[Candidate], is: impl Fn(&Candidate) -> bool) -> usize {
    candidates.iter().filter(|candidate| is(candidate)).count()
}

/// The areas, from candidates sorted by falling importance.
struct Curve {
    auroc: f64,
    average_precision: f64,
    trapezoid: f64,
}

impl Curve {
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
        // All that is not predicted is tied.
        let others = (others.len() + n_rest > 0).then_some((others, n_rest));
        for (tied, more) in ties.chain(others) {
            let new_hits = count(tied, |c| c.present) as f64;
            let new_misses = (tied.len() + more) as f64 - new_hits;
            // Pairs (absent, present) in which the present edge is ahead, ties counted half.
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

/// The first `k` of candidates sorted by falling importance, with those tied with the last.
fn early(sorted: &[Candidate], k: usize) -> &[Candidate] {
    let rounded = |c: &Candidate| (c.importance * 1e6).round();
    let predicted = sorted.partition_point(|c| rounded(c) > 0.0);
    let k = k.min(predicted);
    let Some(last) = k.checked_sub(1).map(|place| rounded(&sorted[place])) else { return &[] };
    let tied = |c: &Candidate| rounded(c).total_cmp(&last) != Ordering::Less;
    &sorted[..sorted.partition_point(tied).min(predicted)]
}

/// Early precision ratio of the edges of one sign, among candidates that are not of the other.
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
