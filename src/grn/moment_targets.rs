//! Regulators of genes that regulate no other gene, from moments of snapshots, given the regulators' process.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::grn::course::CourseCells;
use crate::grn::group_moments::{Moments, NUGGET};
use crate::grn::snapshot_moments::{Interval, MomentFit, Process};
use crate::linalg::{Cholesky, product, product_nt, product_tn};

/// Smallest variance of a target that its regulators leave, for a target of unit variance.
const LEAST_VARIANCE: f64 = 0.01;

/// The process of the regulators and the intervals to which it was fitted.
pub(super) struct Fitted<'a> {
    pub(super) intervals: &'a [Interval],
    pub(super) process: &'a Process,
}

/// Moments of targets at one end of an interval.
struct TargetMoments {
    /// Mean of each target, `(T)`.
    mean: Array1<f64>,
    /// Variance of each target, `(T)`.
    variance: Array1<f64>,
    /// Covariances of regulators with targets, `(R, T)`.
    with_regulators: Array2<f64>,
}

/// Evidence of one interval about targets, for R regulators and T targets.
///
/// The carried covariance of the regulators with a target is linear in the effects a and the decay d
/// of the target: `P_Rg = F (Σ_RR h a + Σ_Rg (1 + h d))`. Its regression on the regulators,
/// `P_RR⁻¹ P_Rg`, is compared with the observed regression.
struct Known {
    /// `P_RR⁻¹ F Σ_Rg` for each target, `(R, T)`.
    own: Array2<f64>,
    /// Observed regression of each target on the regulators, `(R, T)`.
    observed: Array2<f64>,
    /// Observed covariance of the regulators, `(R, R)`.
    later: Array2<f64>,
    /// `effectsᵀ · later`, `(R, R)`, with the regression of one unit of a, `effects = P_RR⁻¹ F Σ_RR h`.
    pulled: Array2<f64>,
    /// `effectsᵀ · later · effects`, `(R, R)`.
    normal: Array2<f64>,
    /// Observed variance that the regulators leave of each target, `(T)`.
    left: Array1<f64>,
    /// Means of the regulators, `(R)`, and of the targets, `(T)`, before and after.
    regulators: Array1<f64>,
    targets: Array1<f64>,
    targets_later: Array1<f64>,
    length: f64,
}

impl MomentFit {
    /// Effects of the regulators, whose process is that of `core`, on each of the genes `targets`, `(R, T)`.
    ///
    /// The Gaussian likelihood of each target given the regulators is maximised with the variance that
    /// is left fixed at its observed value, which is a ridge regression with one solution for each
    /// round. One Euler step carries moments over an interval. Time `O(K R³ + T · rounds · R² (K + R))`.
    ///
    /// # Errors
    /// [`Error::Numerical`] if moments are not finite.
    pub(super) fn targets(
        &self,
        cells: &CourseCells<'_>,
        groups: &[Vec<usize>],
        core: Fitted<'_>,
        targets: &[usize],
    ) -> Result<Array2<f64>> {
        let known: Vec<Known> = groups
            .par_windows(2)
            .zip(core.intervals)
            .map(|(pair, interval)| {
                Known::of(cells, [&pair[0], &pair[1]], interval, core.process, targets)
            })
            .collect::<Option<_>>()
            .ok_or_else(not_finite)?;
        let most = core.process.drift.iter().fold(1e-12_f64, |most, a| most.max(a.abs()));
        let columns: Vec<Array1<f64>> = (0..targets.len())
            .into_par_iter()
            .map(|target| self.target(&known, target, most).ok_or_else(not_finite))
            .collect::<Result<_>>()?;
        let n_regulators = core.process.constant.len();
        Ok(Array2::from_shape_fn((n_regulators, targets.len()), |(r, t)| columns[t][r]))
    }

    /// Effects of the regulators on one target. `most` is the largest entry of the regulators' drift.
    fn target(&self, known: &[Known], target: usize, most: f64) -> Option<Array1<f64>> {
        let n = known.first()?.regulators.len();
        // Effects, decay and constant.
        let mut system = Array2::<f64>::zeros((n + 2, n + 2));
        let mut right = Array1::<f64>::zeros(n + 2);
        for of in known {
            of.add(target, 1.0 / known.len() as f64, &mut system, &mut right);
        }
        // Without any change of the target its decay and constant are not determined.
        system[[n, n]] += NUGGET;
        system[[n + 1, n + 1]] += NUGGET;
        let mut penalties = Array1::from_elem(n, self.penalty);
        let mut found = Array1::zeros(n);
        for _ in 0..=self.rounds {
            let mut penalised = system.clone();
            for (place, penalty) in penalties.iter().enumerate() {
                penalised[[place, place]] += penalty;
            }
            found = Cholesky::new(penalised.view())?.solve(right.view());
            penalties = found
                .slice(s![..n])
                .mapv(|a| self.penalty / (a.abs() / most).clamp(self.floor, 1.0));
        }
        Some(found.slice(s![..n]).to_owned())
    }
}

impl Known {
    /// `None` if a covariance is not positive definite.
    fn of(
        cells: &CourseCells<'_>,
        [earlier_rows, later_rows]: [&[usize]; 2],
        interval: &Interval,
        fitted: &Process,
        targets: &[usize],
    ) -> Option<Self> {
        let h = interval.length;
        let mut step = &fitted.drift * h;
        step.diag_mut().mapv_inplace(|value| value + 1.0);
        let before = &interval.earlier.covariance;
        let half = product(step.view(), before.view());
        let mut carried = product_nt(half.view(), step.view());
        carried.diag_mut().scaled_add(h, &fitted.noise);
        let inverse = Cholesky::new(carried.view())?.inverse();
        let earlier = TargetMoments::of(cells, earlier_rows, &interval.earlier, targets);
        let later = TargetMoments::of(cells, later_rows, &interval.later, targets);
        let effects = product(inverse.view(), half.view()) * h;
        let moved = product(step.view(), earlier.with_regulators.view());
        let own = product(inverse.view(), moved.view());
        let of_later = &interval.later.covariance;
        let observed =
            product(Cholesky::new(of_later.view())?.inverse().view(), later.with_regulators.view());
        let explained = (&observed * &later.with_regulators).sum_axis(Axis(0));
        let pulled = product_tn(effects.view(), of_later.view());
        Some(Self {
            normal: product(pulled.view(), effects.view()),
            pulled,
            own,
            observed,
            later: of_later.clone(),
            left: (&later.variance - &explained).mapv(|left| left.max(LEAST_VARIANCE)),
            regulators: interval.earlier.mean.clone(),
            targets: earlier.mean,
            targets_later: later.mean,
            length: h,
        })
    }

    /// Adds the normal equations of `target`, with weight `share`. The unknowns are the effects, the
    /// decay and the constant of the target.
    fn add(&self, target: usize, share: f64, system: &mut Array2<f64>, right: &mut Array1<f64>) {
        let (n, h) = (self.regulators.len(), self.length);
        let weight = share / self.left[target];
        let own = self.own.column(target);
        let gap = &self.observed.column(target) - &own;
        let of_own = self.later.dot(&own);
        system.slice_mut(s![..n, ..n]).scaled_add(weight, &self.normal);
        let with_own = self.pulled.dot(&own) * h;
        system.slice_mut(s![..n, n]).scaled_add(weight, &with_own);
        system.slice_mut(s![n, ..n]).scaled_add(weight, &with_own);
        system[[n, n]] += weight * h * h * own.dot(&of_own);
        right.slice_mut(s![..n]).scaled_add(weight, &self.pulled.dot(&gap));
        right[n] += weight * h * of_own.dot(&gap);
        // The mean: its change is h (a μ_R + d μ_g + b).
        let mut slope = Array1::from_elem(n + 2, h);
        slope.slice_mut(s![..n]).zip_mut_with(&self.regulators, |slot, mean| *slot = h * mean);
        slope[n] = h * self.targets[target];
        let change = self.targets_later[target] - self.targets[target];
        right.scaled_add(weight * change, &slope);
        for (mut row, &a) in system.rows_mut().into_iter().zip(&slope) {
            row.scaled_add(weight * a, &slope);
        }
    }
}

impl TargetMoments {
    fn of(
        cells: &CourseCells<'_>,
        rows: &[usize],
        regulators: &Moments,
        targets: &[usize],
    ) -> Self {
        let values = cells.expression.standardised(rows);
        let weights: ArrayView1<'_, f64> = regulators.weights.view();
        let of_targets = values.select(Axis(1), targets);
        let mean = weights.dot(&of_targets);
        let centred = of_targets - &mean;
        let variance = weights.dot(&centred.mapv(|value| value * value)) + NUGGET;
        let of_regulators =
            values.select(Axis(1), cells.expression.regulators()) - &regulators.mean;
        let weighted = &of_regulators * &weights.insert_axis(Axis(1));
        let with_regulators = product_tn(weighted.view(), centred.view());
        Self { mean, variance, with_regulators }
    }
}

fn not_finite() -> Error {
    let why = "moments are not finite".into();
    Error::Numerical { what: "fitting moments of targets", why }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::grn::expression::Expression;

    /// Cells at six times whose genes 0 and 1 regulate each other and gene 2. Expected moments follow
    /// from the process, and values are their exact square roots, so that moments have no error.
    fn values(drift: &Array2<f64>) -> (Array2<f32>, Vec<f64>) {
        let mut mean = array![0.5, -0.4, 0.2];
        let mut covariance = array![[0.6, 0.1, 0.05], [0.1, 0.7, 0.1], [0.05, 0.1, 0.5]];
        let step = Array2::<f64>::eye(3) + drift;
        let (mut rows, mut times) = (Vec::new(), Vec::new());
        for time in 0..6 {
            let root = Cholesky::new(covariance.view()).unwrap().lower().to_owned();
            for (side, column) in (0..6).map(|k| (if k < 3 { 1.0 } else { -1.0 }, k % 3)) {
                let shift = &root.column(column) * (side * 3.0_f64.sqrt());
                rows.extend((&mean + &shift).iter().map(|value| *value as f32));
                times.push(f64::from(time));
            }
            mean = step.dot(&mean) + array![0.1, 0.2, -0.1];
            covariance = step.dot(&covariance).dot(&step.t());
            covariance.diag_mut().mapv_inplace(|variance| variance + 0.05);
        }
        (Array2::from_shape_vec((times.len(), 3), rows).unwrap(), times)
    }

    #[test]
    fn effects_on_a_target_are_those_of_the_process() {
        let drift = array![[-0.3, 0.2, 0.0], [0.5, -0.2, 0.0], [0.4, -0.6, -0.3]];
        let (values, times) = values(&drift);
        let expression = Expression::new(values, &[0, 1]).unwrap();
        let all: Vec<usize> = (0..times.len()).collect();
        let points = expression.standardised(&all);
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: Array1::from(times),
            weights: Array1::ones(all.len()),
            growth: None,
            perturbed: None,
        };
        let fit = MomentFit { penalty: 1e-6, rounds: 0, ..MomentFit::default() };
        let (found, misfit) = fit.edges(&cells, &cells.snapshots(), &[1.0; 5]).unwrap();
        let spread = expression.spread();
        for (r, g) in [(0, 1), (1, 0), (0, 2), (1, 2)] {
            let expected = drift[[g, r]] * spread[r] / spread[g];
            let ours = found.evidence[[r, g]];
            assert!((ours - expected).abs() < 0.02, "{r} to {g}: {ours} {expected}");
        }
        assert!(misfit < 1e-3);
    }
}
