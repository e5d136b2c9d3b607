//! Revival: a Gaussian without cells takes half of a Gaussian that cannot represent its cells alone.

use ndarray::{Array1, Array2};

use crate::bridge::lightsb::mixture::Mixture;
use crate::bridge::lightsb::objective::{Evaluation, Objective};

/// Fraction of an equal share of the target below which a Gaussian counts as without cells.
pub(super) const LEAST_SHARE: f64 = 1e-2;

/// Moves every Gaussian without cells next to one that gains most from a split. `None` if no
/// Gaussian is empty or no move lowers the objective.
///
/// Two halves of a Gaussian in the same position are as good as the whole. To move them apart by ±δ
/// changes the objective by `½ δᵀ (C_x/ε² + (εS)⁻¹ − (εS)⁻¹ C_y (εS)⁻¹) δ` times the mass, with the
/// covariances `C_x` and `C_y` of the Gaussian's cells. At a stationary point the diagonal of this
/// matrix is zero, because S is optimal among diagonal matrices. Its most negative direction is the
/// correlation that one diagonal Gaussian cannot represent. Takes `O((n_source + n_target) K d²)`
/// time.
pub(super) fn revived(objective: &mut Objective<'_>, mixture: &Mixture) -> Option<Mixture> {
    /// Lengths of the shift that are tried.
    const LENGTHS: [f64; 4] = [1.0, 0.5, 0.25, 0.1];
    let evaluation = objective.evaluate(mixture);
    let least = LEAST_SHARE / mixture.n_gaussians() as f64;
    let is_empty = |k: &usize| evaluation.target.mass[*k] < least;
    let empty: Vec<usize> = (0..mixture.n_gaussians()).filter(is_empty).collect();
    if empty.is_empty() {
        return None;
    }
    let mut splits: Vec<Split> = (0..mixture.n_gaussians())
        .filter(|k| !is_empty(k))
        .map(|k| Split::new(objective, mixture, &evaluation, k))
        .collect();
    splits.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    LENGTHS
        .into_iter()
        .map(|length| {
            let mut moved = mixture.clone();
            for (&into, split) in empty.iter().zip(&splits) {
                split.apply(&mut moved, into, length, objective.epsilon());
            }
            (objective.evaluate(&moved).value, moved)
        })
        .filter(|entry| entry.0 < evaluation.value)
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|entry| entry.1)
}

/// How to split Gaussian `k`.
struct Split {
    /// The Gaussian that is split.
    k: usize,
    /// The shift of one half.
    direction: Array1<f64>,
    /// Mean of the source cells, where both halves keep equal weights.
    anchor: Array1<f64>,
    /// Decrease of the objective for a shift of unit length.
    gain: f64,
}

impl Split {
    /// The best direction of a split.
    fn new(
        objective: &Objective<'_>,
        mixture: &Mixture,
        evaluation: &Evaluation,
        k: usize,
    ) -> Self {
        let epsilon = objective.epsilon();
        let anchor = evaluation.source.cluster(k).mean;
        let end = evaluation.target.cluster(k).mean;
        let (source, target) = objective.covariances(k, &anchor, &end);
        let inverse = mixture.covariance.matrix(evaluation.inverses.row(k), mixture.dim());
        let precision = inverse / epsilon;
        let source = source / (epsilon * epsilon);
        // In units of the standard error of `r` by its Fisher information.
        let information = &precision.diag() + &source.diag();
        let unit = information.mapv(|value| 1.0 / value.sqrt());
        let mut wish = precision.dot(&target).dot(&precision) - &precision - &source;
        for ((a, b), value) in wish.indexed_iter_mut() {
            *value *= unit[a] * unit[b];
        }
        let (value, direction) = largest_eigenvector(&wish);
        let gain = evaluation.target.mass[k] * value;
        Self { k, direction: direction * unit, anchor, gain }
    }

    /// Makes Gaussian `into` one half; the other half stays in the place of the whole.
    fn apply(&self, mixture: &mut Mixture, into: usize, length: f64, epsilon: f64) {
        let shift = &self.direction * length;
        let tilt = self.anchor.dot(&shift) / epsilon;
        let log_alpha = mixture.log_alpha[self.k] - std::f64::consts::LN_2;
        let (r, s) = (mixture.r.row(self.k).to_owned(), mixture.s.row(self.k).to_owned());
        for (k, sign) in [(self.k, 1.0), (into, -1.0)] {
            mixture.log_alpha[k] = log_alpha - sign * tilt;
            mixture.r.row_mut(k).assign(&(&r + &(&shift * sign)));
            mixture.s.row_mut(k).assign(&s);
        }
    }
}

/// The largest eigenvalue of a symmetric matrix and its eigenvector of length one, by 60 power
/// iterations. A rough direction is enough.
fn largest_eigenvector(matrix: &Array2<f64>) -> (f64, Array1<f64>) {
    /// Power iterations.
    const ROUNDS: usize = 60;
    let dim = matrix.nrows();
    // A shift by a bound of the spectrum makes the largest eigenvalue also the largest in size.
    let bound = matrix.rows().into_iter().map(|row| row.mapv(f64::abs).sum()).fold(0.0, f64::max);
    let mut vector: Array1<f64> = (0..dim).map(|d| 1.0 + 0.1 * (d as f64).sin()).collect();
    vector /= vector.dot(&vector).sqrt();
    for _ in 0..ROUNDS {
        let next = matrix.dot(&vector) + &vector * bound;
        let length = next.dot(&next).sqrt();
        if length > 0.0 {
            vector = next / length;
        }
    }
    (vector.dot(&matrix.dot(&vector)), vector)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::lightsb::covariance::Covariance;
    use crate::bridge::lightsb::start::Cells;
    use crate::rng::Seed;

    #[test]
    fn finds_the_largest_eigenvector() {
        let matrix = array![[0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, -5.0]];
        let (value, vector) = largest_eigenvector(&matrix);
        assert!((value - 2.0).abs() < 1e-6, "{value}");
        assert!((vector[0] - 0.5_f64.sqrt()).abs() < 1e-3, "{vector}");
    }

    #[test]
    fn both_halves_are_half_as_strong_as_the_whole_where_its_cells_are() {
        let split =
            Split { k: 0, direction: array![0.3, -0.2], anchor: array![2.0, 1.0], gain: 0.0 };
        let whole = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![0.4, -9.0],
            r: array![[0.5, -1.0], [0.0, 0.0]],
            s: array![[0.7, 0.2], [1.0, 1.0]],
        };
        let mut halves = whole.clone();
        split.apply(&mut halves, 1, 0.5, 0.1);
        let strength = |mixture: &Mixture, k: usize| {
            let tilt = mixture.s.row(k).dot(&(&split.anchor * &split.anchor))
                + 2.0 * mixture.r.row(k).dot(&split.anchor);
            mixture.log_alpha[k] + tilt / 0.2
        };
        let half = strength(&whole, 0) - std::f64::consts::LN_2;
        assert!((strength(&halves, 0) - half).abs() < 1e-12);
        assert!((strength(&halves, 1) - half).abs() < 1e-12);
        assert!((halves.r[[0, 0]] - halves.r[[1, 0]] - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_gaussian_without_cells_takes_half_of_one_that_cannot_follow_a_tilt() {
        let mut stream = Seed(1).stream("test/cells", 0);
        let cells: Array2<f64> =
            Array::from_shape_simple_fn((2000, 2), || StandardNormal.sample(&mut stream));
        let x = cells.slice(ndarray::s![..1000, ..]).to_owned();
        let mut y = cells.slice(ndarray::s![1000.., ..]).to_owned();
        for mut cell in y.rows_mut() {
            cell[1] = 0.9 * cell[0] + 0.4 * cell[1];
        }
        let even = Array1::from_elem(1000, 1e-3);
        let source = Cells { points: x.view(), weights: even.view() };
        let target = Cells { points: y.view(), weights: even.view() };
        let mut objective = Objective::new(source, target, 0.5);
        let mixture = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![0.0, -200.0],
            r: array![[0.0, 0.0], [3.0, 3.0]],
            s: array![[0.8, 0.8], [1.0, 1.0]],
        };
        let before = objective.evaluate(&mixture);
        let moved = revived(&mut objective, &mixture).unwrap();
        let after = objective.evaluate(&moved);
        assert!(after.value < before.value - 0.01, "{} to {}", before.value, after.value);
        assert!(before.target.mass[1] < 1e-10 && after.target.mass[1] > 0.3);
    }
}
