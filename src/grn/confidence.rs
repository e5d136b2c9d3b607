//! Confidence of edges: the probability that an edge is true, calibrated on simulated courses.

use ndarray::Array2;
use rand::seq::SliceRandom;

use crate::grn::course::CourseCells;
use crate::grn::edge_matrix::EdgeMatrix;
use crate::grn::replicates::candidates;
use crate::rng::Seed;

/// Number of features of an edge, with the constant.
pub const N_FEATURES: usize = 8;

/// Coefficients of [`features`], for the logarithm of the odds that an edge is true. They are printed
/// by `cargo bench --bench grn -- reliability`.
const COEFFICIENTS: [f64; N_FEATURES] =
    [3.2215, 2.9694, 0.8559, 0.8901, -0.3267, 0.3913, 0.1033, -1.7127];

/// Coefficient of the logarithm of the ratio of importances in both directions, for the logarithm of
/// the odds that an edge has this direction. It is printed by the same bench.
const DIRECTION: f64 = 3.2572;

/// Added to a relative importance before its logarithm is taken.
const LEAST: f64 = 0.03;

/// Added to the relative importances of both directions before they are compared.
const LEAST_OF_PAIR: f64 = 0.1;

/// Added to the losses of targets and edges before their logarithm is taken.
const LEAST_LOSS: f64 = 0.1;

/// Variance of a component that is too small to matter, for a target of unit variance.
const NEGLIGIBLE: f64 = 1e-4;

/// Expression in which genes of a cell say nothing about each other: the values of every gene are
/// shuffled among the cells of the same time (and perturbation), `(n_cells, n_genes)`.
///
/// Each gene keeps its distribution at every time, and so its course over time.
pub fn shuffled_within_times(cells: &CourseCells<'_>, seed: Seed) -> Array2<f32> {
    let mut values = cells.expression.values().to_owned();
    let mut stream = seed.stream("grn/shuffle", 0);
    for rows in cells.strata() {
        for mut column in values.columns_mut() {
            let mut some: Vec<f32> = rows.iter().map(|&row| column[row]).collect();
            some.shuffle(&mut stream);
            for (&row, value) in rows.iter().zip(some) {
                column[row] = value;
            }
        }
    }
    values
}

/// Squared components of the regulators of each gene: of an estimate on cells, and of estimates on shuffled cells.
struct Losses {
    /// Squared strengths on cells, `(R, G)`.
    of_cells: Array2<f64>,
    /// Mean squared strengths on shuffled cells, `(R, G)`.
    by_chance: Array2<f64>,
    /// Sums of both over the regulators of each gene, `G`.
    columns: Vec<[f64; 2]>,
}

impl Losses {
    fn of(real: &EdgeMatrix, shuffled: &[EdgeMatrix], regulators: &[usize]) -> Self {
        let squares =
            |of: &EdgeMatrix| of.strength.mapv(|s| if s.is_finite() { s * s } else { 0.0 });
        let of_cells = squares(real);
        let mut by_chance = Array2::<f64>::zeros(of_cells.raw_dim());
        for other in shuffled {
            by_chance += &(squares(other) / shuffled.len() as f64);
        }
        let sum = |of: &Array2<f64>, g: usize| -> f64 {
            let rows = (0..regulators.len()).filter(|&r| regulators[r] != g);
            rows.map(|r| of[[r, g]]).sum()
        };
        let columns =
            (0..of_cells.ncols()).map(|g| [sum(&of_cells, g), sum(&by_chance, g)]).collect();
        Self { of_cells, by_chance, columns }
    }

    /// Share of `real` that is lost if only `chance` is left.
    fn share([real, chance]: [f64; 2]) -> f64 {
        (1.0 - chance / real.max(NEGLIGIBLE)).clamp(0.0, 1.0)
    }

    /// Share that the whole course loses.
    fn of_course(&self) -> f64 {
        let sum = |k: usize| self.columns.iter().map(|of| of[k]).sum::<f64>();
        Self::share([sum(0), sum(1)])
    }
}

/// Share of the squared components of all regulators that is lost if genes are shuffled within times, from 0 to 1.
///
/// It is near 0 where genes say nothing about each other beyond their courses over time. The arguments are those of
/// [`confidence`]. NaN without `shuffled` estimates.
pub fn lost_by_shuffling(real: &EdgeMatrix, shuffled: &[EdgeMatrix], regulators: &[usize]) -> f64 {
    if shuffled.is_empty() {
        return f64::NAN;
    }
    Losses::of(real, shuffled, regulators).of_course()
}

/// Features that tell true edges from false ones, for each candidate edge from a regulator (by place) to a
/// gene, in the order of regulators, then genes.
///
/// `found` is the estimate, `real` an estimate on the cells from which `shuffled` were made by
/// [`shuffled_within_times`] (the same as `found`, or one on fewer cells). The features are: 1; the
/// logarithm v of the importance over its root mean square; v²; the logarithm c of the share of the
/// regulators' components that is lost by shuffling, over all targets; v c; the same share for the
/// target; for the edge; and the logarithm of the number of regulators.
#[doc(hidden)]
pub fn features(
    found: &EdgeMatrix,
    real: &EdgeMatrix,
    shuffled: &[EdgeMatrix],
    regulators: &[usize],
) -> Vec<[f64; N_FEATURES]> {
    let (n_regulators, n_genes) = found.importance.dim();
    let all = candidates(regulators, n_genes);
    let scale = root_mean_square(&found.importance, &all);
    let losses = Losses::of(real, shuffled, regulators);
    let of_course = (losses.of_course() + LEAST).ln();
    let of_target: Vec<f64> =
        losses.columns.iter().map(|of| (Losses::share(*of) + LEAST_LOSS).ln()).collect();
    let of_number = (n_regulators as f64).ln();
    all.iter()
        .map(|&edge| {
            let v = (found.importance[edge] / scale + LEAST).ln();
            let of_edge = [losses.of_cells[edge] + NEGLIGIBLE, losses.by_chance[edge]];
            let of_edge = (Losses::share(of_edge) + LEAST_LOSS).ln();
            [1.0, v, v * v, of_course, v * of_course, of_target[edge.1], of_edge, of_number]
        })
        .collect()
}

/// Probability that each edge of `found` is true, `(R, G)`, calibrated on simulated courses of
/// families with known networks (METHODS, section 5).
///
/// It is a logistic function of the importance relative to other edges, and of what is lost if the
/// values of every gene are shuffled among cells of the same time, where genes still change but do not
/// act on each other. The arguments are those of [`features`]. It holds for
/// [`Estimator::Ensemble`](crate::grn::Estimator::Ensemble) with its defaults. All entries are NaN
/// without `shuffled` estimates; entries of a gene with itself are always NaN.
pub fn confidence(
    found: &EdgeMatrix,
    real: &EdgeMatrix,
    shuffled: &[EdgeMatrix],
    regulators: &[usize],
) -> Array2<f64> {
    let mut probability = Array2::from_elem(found.importance.raw_dim(), f64::NAN);
    if shuffled.is_empty() {
        return probability;
    }
    let all = candidates(regulators, found.importance.ncols());
    for (edge, of) in all.into_iter().zip(features(found, real, shuffled, regulators)) {
        let odds: f64 = of.iter().zip(COEFFICIENTS).map(|(x, c)| x * c).sum();
        probability[edge] = logistic(odds);
    }
    probability
}

/// Logarithm of the ratio of the importance of an edge to that of the reverse edge, `(R, G)`, with
/// a tenth of the root mean square added to both. NaN if the target is not a regulator.
#[doc(hidden)]
pub fn direction_ratio(found: &EdgeMatrix, regulators: &[usize]) -> Array2<f64> {
    let all = candidates(regulators, found.importance.ncols());
    let scale = LEAST_OF_PAIR * root_mean_square(&found.importance, &all);
    let mut ratio = Array2::from_elem(found.importance.raw_dim(), f64::NAN);
    for (r, g) in all {
        if let Ok(place) = regulators.binary_search(&g) {
            let back = found.importance[[place, regulators[r]]];
            ratio[[r, g]] = ((found.importance[[r, g]] + scale) / (back + scale)).ln();
        }
    }
    ratio
}

/// Probability that an edge between two genes, if there is one in one direction only, has the
/// direction from regulator to target, `(R, G)`. It is calibrated as [`confidence`] is, and 1 if the
/// target is not among the regulators.
pub fn direction_confidence(found: &EdgeMatrix, regulators: &[usize]) -> Array2<f64> {
    direction_ratio(found, regulators)
        .mapv(|ratio| if ratio.is_nan() { 1.0 } else { logistic(DIRECTION * ratio) })
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

fn root_mean_square(of: &Array2<f64>, all: &[(usize, usize)]) -> f64 {
    let sum: f64 = all.iter().map(|&edge| of[edge] * of[edge]).sum();
    (sum / all.len().max(1) as f64).sqrt().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::grn::expression::Expression;

    fn edges(importance: Array2<f64>, strength: Array2<f64>) -> EdgeMatrix {
        EdgeMatrix { evidence: importance.clone(), importance, strength, lag: 1.0 }
    }

    #[test]
    fn shuffling_keeps_each_gene_at_each_time_and_nothing_else() {
        let n = 60;
        let values = Array2::from_shape_fn((n, 3), |(i, g)| (i * (g + 1)) as f32);
        let expression = Expression::new(values.clone(), &[0, 1]).unwrap();
        let points = expression.standardised(&[0]);
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..n).map(|i| f64::from(i as u32 % 3)).collect(),
            weights: Array1::ones(n),
            growth: None,
            perturbed: None,
        };
        let shuffled = shuffled_within_times(&cells, Seed(1));
        let sorted = |of: &Array2<f32>, time: usize, gene: usize| {
            let mut some: Vec<f32> = (time..n).step_by(3).map(|i| of[[i, gene]]).collect();
            some.sort_by(f32::total_cmp);
            some
        };
        for (time, gene) in (0..9).map(|k| (k / 3, k % 3)) {
            assert_eq!(sorted(&shuffled, time, gene), sorted(&values, time, gene));
        }
        // Genes 0 and 1 no longer go together in the same cells.
        let gap = |i: usize| (2.0 * shuffled[[i, 0]] - shuffled[[i, 1]]).abs();
        let together = (0..n).filter(|&i| gap(i) < 0.5).count();
        assert!(together < n / 4, "{together}");
        assert_eq!(shuffled, shuffled_within_times(&cells, Seed(1)));
    }

    #[test]
    fn features_are_those_of_the_formulas() {
        // Two regulators (genes 0 and 2) and three genes; entries of a gene with itself do not count.
        let found = edges(
            array![[9.0, 0.8, 0.0], [0.6, 0.0, 9.0]],
            array![[9.0, 0.5, 0.1], [0.4, 0.2, 9.0]],
        );
        let half = edges(found.importance.clone(), &found.strength * 0.5_f64.sqrt());
        let gone = edges(found.importance.clone(), &found.strength * 0.0);
        // On average a quarter of the squares is left: the loss is 3/4.
        let of = features(&found, &found, &[half.clone(), gone.clone()], &[0, 2]);
        assert_eq!(of.len(), 4);
        let scale = (1.0_f64 / 4.0).sqrt();
        let v = (0.8 / scale + LEAST).ln();
        let c = (0.75_f64 + LEAST).ln();
        let expected = [1.0, v, v * v, c, v * c, 0.85_f64.ln(), f64::NAN, 2.0_f64.ln()];
        for (place, (ours, theirs)) in of[0].iter().zip(expected).enumerate() {
            assert!(place == 6 || (ours - theirs).abs() < 1e-12, "{place}: {ours} {theirs}");
        }
        assert!((lost_by_shuffling(&found, &[half, gone], &[0, 2]) - 0.75).abs() < 1e-12);
        assert!(lost_by_shuffling(&found, &[], &[0, 2]).is_nan());
        let of_edge = (1.0 - 0.25 * 0.25 / (0.25 + NEGLIGIBLE) + 0.1).ln();
        assert!((of[0][6] - of_edge).abs() < 1e-12);
    }

    #[test]
    fn an_edge_that_shuffling_destroys_is_more_certain() {
        let found = edges(
            array![[0.0, 3.0, 0.1], [0.2, 0.0, 0.1], [0.1, 0.2, 0.0]],
            array![[0.0, 0.8, 0.1], [0.1, 0.0, 0.1], [0.1, 0.1, 0.0]],
        );
        let regulators = [0, 1, 2];
        let gone = edges(found.importance.clone(), &found.strength * 0.1);
        let (real, chance) = (
            confidence(&found, &found, std::slice::from_ref(&gone), &regulators),
            confidence(&found, &found, std::slice::from_ref(&found), &regulators),
        );
        assert!(real[[0, 1]] > 0.5 && chance[[0, 1]] < real[[0, 1]], "{real} {chance}");
        assert!(real[[0, 1]] > real[[1, 0]] && real[[0, 0]].is_nan());
        assert!(confidence(&found, &found, &[], &regulators).iter().all(|p| p.is_nan()));
    }

    #[test]
    fn both_directions_have_probabilities_that_add_up_to_one() {
        let found = edges(array![[0.0, 3.0, 1.0], [1.0, 0.0, 1.0]], Array2::zeros((2, 3)));
        let direction = direction_confidence(&found, &[0, 1]);
        assert!((direction[[0, 1]] + direction[[1, 0]] - 1.0).abs() < 1e-12);
        assert!(direction[[0, 1]] > 0.5);
        // Gene 2 is no regulator: there is no other direction.
        assert!((direction[[0, 2]] - 1.0).abs() < 1e-12);
    }
}
