//! The potential of a LightSB bridge, the coupling between its ends, and its objective.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::objective::Objective;
use crate::bridge::lightsb::process::LightSbBridge;
use crate::bridge::lightsb::start::Cells;
use crate::bridge::{Bridge, BridgeProblem, UnitTime};
use crate::error::{Error, Result, shape};
use crate::linalg::add_product;

/// The distribution of the end given the start, `Σ_k weights_k N(means_k, covariances_k)`.
///
/// ```
/// use ndarray::array;
/// use sbcell::Epsilon;
/// use sbcell::bridge::LightSbBridge;
///
/// # fn main() -> sbcell::Result<()> {
/// let (zero, one, unit) = (array![0.0], array![1.0], array![1.0]);
/// let (z, o, u) = (zero.view(), one.view(), unit.view());
/// let bridge = LightSbBridge::from_gaussians(z, u, o, u, Epsilon::new(0.3)?)?;
/// let plan = bridge.conditional_plan(array![0.0].view())?;
/// // A cell at the mean of the source ends around the mean of the target.
/// assert!((plan.mean()[0] - 1.0).abs() < 1e-12);
/// assert!(plan.covariance()[[0, 0]] < 0.3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionalPlan {
    /// K weights, summing to one.
    pub weights: Array1<f64>,
    /// Means, K × d.
    pub means: Array2<f64>,
    /// Entries of the covariances, K × `kind.n_entries(d)`.
    pub covariances: Array2<f64>,
    /// The kind of the covariances.
    pub kind: Covariance,
}

impl ConditionalPlan {
    /// The mean, d numbers.
    #[must_use]
    pub fn mean(&self) -> Array1<f64> {
        self.weights.dot(&self.means)
    }

    /// The covariance, d × d: within the Gaussians plus between them.
    #[must_use]
    pub fn covariance(&self) -> Array2<f64> {
        let within = self.weights.dot(&self.covariances);
        let mut covariance = self.kind.matrix(within.view(), self.means.ncols());
        let off = &self.means - &self.mean();
        let weighted = &off * &self.weights.view().insert_axis(Axis(1));
        add_product(covariance.view_mut(), 1.0, off.t(), weighted.view());
        covariance
    }
}

impl LightSbBridge {
    /// The distribution of the end given the start `x` (Proposition 3.2): `Σ_k p_k(x) N(r_k + S_k
    /// x, ε S_k)`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has d entries.
    pub fn conditional_plan(&self, x: ArrayView1<'_, f64>) -> Result<ConditionalPlan> {
        shape::columns("x", self.dim(), x.len())?;
        let z = &x - &self.source_mean;
        let shares = self.at(UnitTime::START).shares(z.view().insert_axis(Axis(0))).0;
        let kind = self.mixture.covariance;
        let mut means = &self.mixture.r + &self.target_mean;
        for (s, mean) in self.mixture.s.rows().into_iter().zip(means.rows_mut()) {
            kind.add_times(s, z.view(), mean);
        }
        let covariances = &self.mixture.s * self.epsilon.value();
        Ok(ConditionalPlan { weights: shares.row(0).to_owned(), means, covariances, kind })
    }

    /// `p_k(x)`, the probability of each Gaussian given a start at each row of `x`; n × K.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn conditional_weights(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let z = &x - &self.source_mean;
        Ok(self.at(UnitTime::START).shares(z.view()).0)
    }

    /// The mean of the end given the start at each row of `x`, `x + b(x, 0)`; n × d.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn conditional_mean(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        Ok(self.drift(x, UnitTime::START)? + x)
    }

    /// `ln c(x)` at each row of `x`, the normaliser of the conditional coupling. It is determined
    /// up to a constant.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn log_normaliser(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        shape::points(x, self.dim())?;
        let z = &x - &self.source_mean;
        // The exponents at time 0 contain −½|z|² of the heat kernel, which is not part of `c`.
        let totals = Array1::from(self.at(UnitTime::START).shares(z.view()).1);
        let half_squares = (&z * &z).sum_axis(Axis(1)) * 0.5;
        Ok(totals + (half_squares + z.dot(&self.target_mean)) / self.epsilon.value())
    }

    /// `ln v(y)` at each row of `y`, with the constant that belongs to
    /// [`LightSbBridge::log_normaliser`]: the mean of `ln c` over the source minus the mean of `ln
    /// v` over the target is the objective.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn log_mixture(&self, y: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        let epsilon = self.epsilon.value();
        let half_squares = (&y * &y).sum_axis(Axis(1)) * 0.5;
        let constant = 0.5 * self.dim() as f64 * (std::f64::consts::TAU * epsilon).ln();
        Ok((self.potential(y, UnitTime::END)? - half_squares) / epsilon - constant)
    }

    /// The potential `ψ(x, t)` at each row of `x`. Its gradient is the drift, and it solves `ψ_t +
    /// ½|∇ψ|² + (ε/2) Δψ = 0`, with `ψ(x, 0) = ε ln c(x) − ½|x|²`.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn potential(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array1<f64>> {
        shape::points(x, self.dim())?;
        let epsilon = self.epsilon.value();
        let totals = self.at(t).shares(self.centred(x, t).view()).1;
        let shift = &self.target_mean - &self.source_mean;
        let constant = 0.5 * self.source_mean.dot(&self.source_mean)
            - self.source_mean.dot(&self.target_mean)
            - 0.5 * t.value() * shift.dot(&shift);
        Ok(x.dot(&shift) + Array1::from(totals) * epsilon + constant)
    }

    /// The Jacobian `∂b_a/∂x_b` of the drift at one point, d × d, symmetric.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has d entries.
    pub fn jacobian(&self, x: ArrayView1<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        self.mean_jacobian(x.insert_axis(Axis(0)), t)
    }

    /// `L = E ln c(x) − E ln v(y)` over the snapshots of `problem` (Proposition 3.1), in nats:
    /// KL(true coupling ‖ this coupling) up to a constant of the problem. Lower is better. To
    /// evaluate on cells that the fit has not seen, make a problem of those cells.
    ///
    /// # Errors
    /// [`Error::Shape`] if the dimension of the problem differs; [`Error::Parameter`] if its ε
    /// differs.
    pub fn objective(&self, problem: &BridgeProblem) -> Result<f64> {
        shape::columns("the problem", self.dim(), problem.dim())?;
        if problem.epsilon() != self.epsilon {
            let got = problem.epsilon().value().to_string();
            return Err(Error::Parameter { name: "epsilon", must: "that of the bridge", got });
        }
        let epsilon = self.epsilon.value();
        let (source, target) = (problem.source(), problem.target());
        let x = &source.points() - &self.source_mean;
        let y = &target.points() - &self.target_mean;
        let moved = (source.marginal().dot(&x.dot(&self.target_mean))
            + target.marginal().dot(&y.dot(&self.source_mean))
            + self.source_mean.dot(&self.target_mean))
            / epsilon;
        let source = Cells { points: x.view(), weights: source.marginal() };
        let target = Cells { points: y.view(), weights: target.marginal() };
        let mut objective = Objective::new(source, target, epsilon);
        Ok(objective.evaluate(&self.mixture).value + moved)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::Mixture;
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;
    use crate::linalg::log_sum_exp;

    fn at(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    /// One bridge of each kind of matrix.
    fn examples() -> [LightSbBridge; 3] {
        [
            (Covariance::Scalar, array![[0.5], [1.7], [0.05]]),
            (Covariance::Diagonal, array![[0.5, 1.7], [1.1, 0.3], [0.9, 0.05]]),
            (Covariance::Full, array![[0.5, 0.6, 1.7], [1.1, -0.5, 0.3], [0.9, 0.1, 0.05]]),
        ]
        .map(|(covariance, s)| example(covariance, s))
    }

    fn example(covariance: Covariance, s: Array2<f64>) -> LightSbBridge {
        let r = array![[0.5, -0.3], [-1.0, 0.8], [0.1, 0.2]];
        let mixture = Mixture { covariance, log_alpha: array![0.2, -0.4, 0.1], r, s };
        let epsilon = Epsilon::new(0.7).unwrap();
        LightSbBridge::new(mixture, array![0.4, -1.0], array![1.3, 0.6], epsilon).unwrap()
    }

    fn points() -> Array2<f64> {
        array![[0.3, 0.9], [-0.7, 0.1], [1.9, -1.2], [0.0, 0.0]]
    }

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} and {b}");
    }

    #[test]
    fn the_drift_is_the_gradient_of_the_potential_and_the_jacobian_its_derivative() {
        for bridge in examples() {
            let step = 1e-5;
            for t in [0.0, 0.4, 1.0].map(at) {
                for x in points().rows() {
                    let drift = bridge.drift(x.insert_axis(Axis(0)), t).unwrap();
                    let jacobian = bridge.jacobian(x, t).unwrap();
                    for d in 0..2 {
                        let moved = |sign: f64| {
                            let mut x = x.to_owned();
                            x[d] += sign * step;
                            x.insert_axis(Axis(0))
                        };
                        let (ahead, behind) = (moved(1.0), moved(-1.0));
                        let psi = |x: &Array2<f64>| bridge.potential(x.view(), t).unwrap()[0];
                        let slope = (psi(&ahead) - psi(&behind)) / (2.0 * step);
                        close(drift[[0, d]], slope, 1e-8);
                        let b = |x: &Array2<f64>| bridge.drift(x.view(), t).unwrap();
                        let slopes = (b(&ahead) - b(&behind)) / (2.0 * step);
                        for e in 0..2 {
                            close(jacobian[[e, d]], slopes[[0, e]], 1e-8);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_potential_solves_the_hamilton_jacobi_bellman_equation() {
        for bridge in examples() {
            let step = 1e-5;
            for t in [0.1, 0.5, 0.9] {
                let psi = |t: f64| bridge.potential(points().view(), at(t)).unwrap();
                let by_time = (psi(t + step) - psi(t - step)) / (2.0 * step);
                let drift = bridge.drift(points().view(), at(t)).unwrap();
                for (i, x) in points().rows().into_iter().enumerate() {
                    let laplacian = bridge.jacobian(x, at(t)).unwrap().diag().sum();
                    let half_square = 0.5 * drift.row(i).dot(&drift.row(i));
                    // step² times the third derivative in time, which is large near the end.
                    close(by_time[i], -half_square - 0.5 * 0.7 * laplacian, 1e-7);
                }
            }
        }
    }

    #[test]
    fn the_potential_at_the_start_is_the_normaliser_and_at_the_end_the_mixture() {
        for bridge in examples() {
            let x = points();
            let psi = bridge.potential(x.view(), UnitTime::START).unwrap();
            let log_c = bridge.log_normaliser(x.view()).unwrap();
            for (i, row) in x.rows().into_iter().enumerate() {
                close(psi[i], 0.7 * log_c[i] - 0.5 * row.dot(&row), 1e-12);
            }
            // At t = 1, ψ(y) = ε ln v(y) + ½|y|² up to a constant, with v written out.
            let psi = bridge.potential(x.view(), UnitTime::END).unwrap();
            let mixture = bridge.mixture();
            let end = |y: ArrayView1<'_, f64>| {
                let logs: Vec<f64> = (0..3)
                    .map(|k| {
                        let s = mixture.matrix(k);
                        let z = &y - &bridge.target_mean - mixture.r.row(k);
                        let det = s[[0, 0]] * s[[1, 1]] - s[[0, 1]] * s[[0, 1]];
                        let square = s[[1, 1]] * z[0] * z[0] - 2.0 * s[[0, 1]] * z[0] * z[1]
                            + s[[0, 0]] * z[1] * z[1];
                        mixture.log_alpha[k] - 0.5 * det.ln() - 0.5 * square / (det * 0.7)
                    })
                    .collect();
                let z = &y - &bridge.target_mean;
                let shift = &bridge.target_mean - &bridge.source_mean;
                0.7 * log_sum_exp(&logs) + 0.5 * z.dot(&z) + y.dot(&shift)
            };
            for i in 1..4 {
                close(psi[i] - psi[0], end(x.row(i)) - end(x.row(0)), 1e-12);
            }
        }
    }

    #[test]
    fn one_gaussian_is_the_closed_form_bridge_between_gaussians() {
        let (m0, v0, m1, v1, epsilon) = (1.5, 0.8, -2.0, 2.5, 0.6);
        let bridge = LightSbBridge::from_gaussians(
            array![m0].view(),
            array![v0].view(),
            array![m1].view(),
            array![v1].view(),
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap();
        // b(x, t) = (E[X₁ | X_t = x] − x) / (1 − t) from the joint law of the ends, whose
        // covariance is ½ (√(4 v₀ v₁ + ε²) − ε).
        let cross = 0.5 * ((4.0 * v0 * v1 + epsilon * epsilon).sqrt() - epsilon);
        for t in [0.0, 0.3, 0.99] {
            let s = 1.0 - t;
            let variance = s * s * v0 + t * t * v1 + 2.0 * s * t * cross + epsilon * s * t;
            let regression = (s * cross + t * v1) / variance;
            for x in [-3.0, 0.2, 4.0] {
                let ahead = m1 + regression * (x - s * m0 - t * m1);
                let drift = bridge.drift(array![[x]].view(), at(t)).unwrap()[[0, 0]];
                close(drift, (ahead - x) / s, 1e-10);
            }
        }
        let plan = bridge.conditional_plan(array![0.2].view()).unwrap();
        close(plan.means[[0, 0]], m1 + cross / v0 * (0.2 - m0), 1e-12);
        close(plan.covariances[[0, 0]], v1 - cross * cross / v0, 1e-12);
    }

    #[test]
    fn the_conditional_plan_has_the_conditional_mean_and_the_weights_of_the_paper() {
        for bridge in examples() {
            let x = points();
            let means = bridge.conditional_mean(x.view()).unwrap();
            let weights = bridge.conditional_weights(x.view()).unwrap();
            for (i, row) in x.rows().into_iter().enumerate() {
                let plan = bridge.conditional_plan(row).unwrap();
                let mean = plan.weights.dot(&plan.means);
                (0..2).for_each(|d| close(means[[i, d]], mean[d], 1e-12));
                (0..3).for_each(|k| close(plan.weights[k], weights[[i, k]], 1e-12));
                // α_k exp((zᵀ S z + 2 rᵀ z) / 2ε), the formula of prop. 3.2 as it stands.
                let z = &row - &bridge.source_mean;
                let mixture = bridge.mixture();
                let raw: Array1<f64> = (0..3)
                    .map(|k| {
                        let quadratic =
                            z.dot(&mixture.matrix(k).dot(&z)) + 2.0 * mixture.r.row(k).dot(&z);
                        (mixture.log_alpha[k] + quadratic / 1.4).exp()
                    })
                    .collect();
                (0..3).for_each(|k| close(weights[[i, k]], raw[k] / raw.sum(), 1e-12));
            }
        }
    }

    #[test]
    fn the_objective_is_the_mean_normaliser_minus_the_mean_log_mixture() {
        for bridge in examples() {
            let (x, y) = (points(), array![[1.0, 0.5], [2.2, -0.4]]);
            let source = Snapshot::weighted(x.clone(), array![1.0, 2.0, 0.5, 0.0]).unwrap();
            let target = Snapshot::weighted(y.clone(), array![3.0, 1.0]).unwrap();
            let problem =
                BridgeProblem::new(source.clone(), target.clone(), bridge.epsilon()).unwrap();
            // ln v(y) = (ψ(y, 1) − ½|y|²)/ε − ½ ln det 2πε: the constant is that of one Gaussian
            // density, the rest was tested above.
            let psi = bridge.potential(y.view(), UnitTime::END).unwrap();
            let log_v: Array1<f64> = (0..2)
                .map(|j| {
                    (psi[j] - 0.5 * y.row(j).dot(&y.row(j))) / 0.7
                        - (std::f64::consts::TAU * 0.7).ln()
                })
                .collect();
            for (a, b) in bridge.log_mixture(y.view()).unwrap().iter().zip(&log_v) {
                close(*a, *b, 1e-12);
            }
            let log_c = bridge.log_normaliser(x.view()).unwrap();
            let expected = source.marginal().dot(&log_c) - target.marginal().dot(&log_v);
            close(bridge.objective(&problem).unwrap(), expected, 1e-12);
            let other = BridgeProblem::new(source, target, Epsilon::new(0.8).unwrap()).unwrap();
            assert!(bridge.objective(&other).is_err());
        }
    }

    #[test]
    fn one_full_gaussian_is_the_closed_form_bridge_between_tilted_gaussians() {
        let (m0, m1, epsilon) = (array![1.0, -0.5], array![-2.0, 0.3], 0.6);
        let (v0, v1) = (array![[1.0, 0.7], [0.7, 2.0]], array![[0.5, -0.4], [-0.4, 1.5]]);
        let bridge = LightSbBridge::between(
            m0.view(),
            v0.view(),
            m1.view(),
            v1.view(),
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap();
        // The plan is linear with slope S and covariance ε S: it must end in the target.
        let plan = bridge.conditional_plan(m0.view()).unwrap();
        let s = bridge.mixture().matrix(0);
        let end = s.dot(&v0).dot(&s) + plan.covariance();
        for ((a, b), value) in end.indexed_iter() {
            close(*value, v1[[a, b]], 1e-12);
            close(plan.covariance()[[a, b]], epsilon * s[[a, b]], 1e-12);
        }
        (0..2).for_each(|d| close(plan.mean()[d], m1[d], 1e-12));
        // b(x, t) = (E[X₁ | X_t = x] − x) / (1 − t) from the joint law of the ends.
        let cross = v0.dot(&s);
        for t in [0.0, 0.3, 0.99] {
            let r = 1.0 - t;
            let variance = &v0 * (r * r)
                + &v1 * (t * t)
                + (&cross + &cross.t()) * (r * t)
                + Array2::<f64>::eye(2) * (epsilon * r * t);
            let regression = &cross.t() * r + &v1 * t;
            let det = variance[[0, 0]] * variance[[1, 1]] - variance[[0, 1]] * variance[[0, 1]];
            let inverse = array![
                [variance[[1, 1]], -variance[[0, 1]]],
                [-variance[[0, 1]], variance[[0, 0]]]
            ] / det;
            let x = array![0.9, -1.7];
            let ahead = &m1 + &regression.dot(&inverse).dot(&(&x - &(&m0 * r + &m1 * t)));
            let drift = bridge.drift(x.view().insert_axis(Axis(0)), at(t)).unwrap();
            (0..2).for_each(|d| close(drift[[0, d]], (ahead[d] - x[d]) / r, 1e-10));
        }
    }
}
