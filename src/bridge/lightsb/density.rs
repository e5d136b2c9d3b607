//! Densities of a LightSB bridge: of its transitions, of the plan, and of the law at one time.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::gaussians::GaussianMixture;
use crate::bridge::lightsb::process::{LightSbBridge, check_dim};
use crate::bridge::{Bridge, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::linalg::{product, product_nt, softmax_rows};

/// Points whose distances to all source cells are held together.
const CHUNK: usize = 32;

impl LightSbBridge {
    /// `ln p(X_s = y | X_t = x)` for the rows of `x` and `y`, pair by pair, with `span = (t, s)`.
    ///
    /// The process is Brownian motion weighted by `e^{ψ/ε}`, and with `ℓ_k` the exponents of the
    /// potential `ψ = ε ln Σ_k e^{ℓ_k}`, in centred coordinates,
    ///
    /// ```text
    /// ln p = ln N(y | x, ε (s−t) I) + ln Σ_k e^{ℓ_k(y, s)} − ln Σ_k e^{ℓ_k(x, t)}
    /// ```
    ///
    /// From 0 to 1 it is the plan given the start (prop. 3.2). Time `O(n · n_gaussians · dim)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` and `y` do not have `dim` columns and equally many rows;
    /// [`Error::Parameter`] unless the second time is after the first.
    pub fn log_transition(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
        span: (UnitTime, UnitTime),
    ) -> Result<Array1<f64>> {
        check_dim("x", self.dim(), x.ncols())?;
        check_dim("y", self.dim(), y.ncols())?;
        if x.nrows() != y.nrows() {
            let (expected, got) = (x.nrows(), y.nrows());
            return Err(Error::Shape { what: "y", unit: "rows", expected, got });
        }
        let (from, to) = span;
        let variance = self.variance(from, to)?;
        let (x, y) = (self.centred(x, from), self.centred(y, to));
        let before = Array1::from(self.at(from).shares(x.view()).1);
        let after = Array1::from(self.at(to).shares(y.view()).1);
        let off = y - x;
        let squares = (&off * &off).sum_axis(Axis(1));
        Ok(after - before - squares / (2.0 * variance) - self.log_constant(variance))
    }

    /// `ln π(x, y)` of the whole plan for the rows of `x` and `y`, pair by pair:
    /// `ln p₀(x) + ln π(y | x)` with the law `p₀` of the source.
    ///
    /// LightSB itself knows the plan only given the start; `p₀` comes from elsewhere, such as
    /// [`GaussianMixture::fit`].
    ///
    /// # Errors
    /// As [`LightSbBridge::log_transition`].
    pub fn log_plan(
        &self,
        source: &GaussianMixture,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
    ) -> Result<Array1<f64>> {
        let given = self.log_transition(x, y, (UnitTime::START, UnitTime::END))?;
        Ok(given + source.log_density(x)?)
    }

    /// `ln p_t` at each row of `x` of the process that starts from the weighted cells of `source`:
    /// `ln Σ_i p_i p(X_t = x | X_0 = x_i)`, exact for these cells.
    ///
    /// Time `O(n · n_cells · dim)`, memory `O(n_cells)` for 32 points at a time.
    ///
    /// # Errors
    /// As [`LightSbBridge::log_transition`]; [`Error::Parameter`] at `t = 0`, where cells have no
    /// density.
    pub fn log_marginal(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Array1<f64>> {
        let (variance, cells, points) = self.starts(source, x, t)?;
        let half_squares = (&points * &points).sum_axis(Axis(1)) * (0.5 / variance);
        let mut values = Array1::from(self.at(t).shares(points.view()).1) - half_squares;
        self.each_chunk((source, cells.view()), (variance, points.view()), |first, _, totals| {
            let rows = values.slice_mut(s![first..first + totals.len()]);
            rows.into_iter().zip(totals).for_each(|(value, total)| *value += total);
        });
        Ok(values - self.log_constant(variance))
    }

    /// `∇ ln p_t` of [`LightSbBridge::log_marginal`] at each row of `x`, same shape:
    /// `∇ψ(z, t)/ε + (Σ_i q_i z_i − z)/(εt)`, where z are centred coordinates and `q_i` the share of
    /// the process at `x` that started from cell i.
    ///
    /// Time and memory as there.
    ///
    /// # Errors
    /// As there.
    pub fn marginal_score(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Array2<f64>> {
        let (variance, cells, points) = self.starts(source, x, t)?;
        let at = self.at(t);
        let mut score = at.drift(points.view(), &at.shares(points.view()).0) / self.epsilon.value();
        score.scaled_add(-1.0 / variance, &points);
        self.each_chunk((source, cells.view()), (variance, points.view()), |first, shares, _| {
            let mut rows = score.slice_mut(s![first..first + shares.nrows(), ..]);
            rows.scaled_add(1.0 / variance, &product(shares, cells.view()));
        });
        Ok(score)
    }

    /// The variance of the reference up to `t`, and cells of the source and points in centred
    /// coordinates.
    fn starts(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<(f64, Array2<f64>, Array2<f64>)> {
        check_dim("x", self.dim(), x.ncols())?;
        check_dim("the source", self.dim(), source.dim())?;
        let variance = self.variance(UnitTime::START, t)?;
        Ok((variance, self.centred(source.points(), UnitTime::START), self.centred(x, t)))
    }

    /// For every 32 of `points` the shares of the `cells` they come from and the logarithms of the
    /// sums behind the shares, `ln Σ_i p_i exp(z·z_i/v − ½‖z_i‖²/v − LSE ℓ(z_i, 0))`.
    fn each_chunk(
        &self,
        (source, cells): (&Snapshot, ArrayView2<'_, f64>),
        (variance, points): (f64, ArrayView2<'_, f64>),
        mut work: impl FnMut(usize, ArrayView2<'_, f64>, &[f64]),
    ) {
        let start = self.at(UnitTime::START);
        let half_squares = (&cells * &cells).sum_axis(Axis(1)) * (0.5 / variance);
        let own =
            source.marginal().mapv(f64::ln) - Array1::from(start.shares(cells).1) - half_squares;
        for first in (0..points.nrows()).step_by(CHUNK) {
            let rows = first..points.nrows().min(first + CHUNK);
            let chunk = points.slice(s![rows.clone(), ..]);
            let mut logs = product_nt(chunk, cells) / variance + &own;
            let (mut totals, ones) = (vec![0.0; rows.len()], vec![1.0; rows.len()]);
            if let Some(logs) = logs.as_slice_mut() {
                softmax_rows(logs, cells.nrows(), &ones, &mut totals);
            }
            work(first, logs.view(), &totals);
        }
    }

    /// The law at `t` of the process that starts from the law `source`, if it is a mixture of
    /// Gaussians: that is when the potential is a single Gaussian, whose transition
    /// `N(Σ(t) z + t r, ε t Σ(t))` with `Σ(t) = (1−t) I + t S` is affine in the start z. With more
    /// of them the shares depend on the start, and there is no closed form.
    ///
    /// # Errors
    /// [`Error::Shape`] if the law has another dimension.
    pub fn marginal(
        &self,
        source: &GaussianMixture,
        t: UnitTime,
    ) -> Result<Option<GaussianMixture>> {
        check_dim("the source", self.dim(), source.dim())?;
        if self.mixture.n_gaussians() != 1 {
            return Ok(None);
        }
        let (dim, kind) = (self.dim(), Covariance::Full);
        let spread =
            self.mixture.matrix(0) * t.value() + Array2::<f64>::eye(dim) * (1.0 - t.value());
        let noise = &spread * (self.epsilon.value() * t.value());
        let centre = &self.source_mean * (1.0 - t.value())
            + (&self.target_mean + &self.mixture.r.row(0)) * t.value();
        let means = (source.means() - &self.source_mean).dot(&spread) + &centre;
        let mut covariances = Array2::zeros((source.n_gaussians(), kind.n_entries(dim)));
        for (j, mut row) in covariances.rows_mut().into_iter().enumerate() {
            let moved = spread.dot(&source.covariance(j)).dot(&spread) + &noise;
            row.assign(&kind.entries(moved.view()));
        }
        GaussianMixture::new(kind, source.weights().view(), means, covariances).map(Some)
    }

    /// Variance of the reference from one time to a later one.
    fn variance(&self, from: UnitTime, to: UnitTime) -> Result<f64> {
        if from < to {
            return Ok(self.epsilon.value() * (to.value() - from.value()));
        }
        let got = format!("{} to {}", from.value(), to.value());
        Err(Error::Parameter { name: "to", must: "after `from`", got })
    }

    /// `½ ln det 2π variance I`.
    fn log_constant(&self, variance: f64) -> f64 {
        0.5 * self.dim() as f64 * (std::f64::consts::TAU * variance).ln()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array};
    use rand_distr::{Distribution, StandardNormal, StandardUniform};

    use super::*;
    use crate::bridge::Mixture;
    use crate::geometry::Epsilon;
    use crate::rng::Seed;

    fn at(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    const WHOLE: (UnitTime, UnitTime) = (UnitTime::START, UnitTime::END);

    /// Three Gaussians in one dimension, away from the origin.
    fn line() -> LightSbBridge {
        let mixture = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![0.2, -0.4, 0.1],
            r: array![[0.5], [-1.0], [0.1]],
            s: array![[0.5], [1.1], [0.3]],
        };
        let epsilon = Epsilon::new(0.7).unwrap();
        LightSbBridge::new(mixture, array![2.0], array![-1.0], epsilon).unwrap()
    }

    fn plane() -> LightSbBridge {
        let mixture = Mixture {
            covariance: Covariance::Full,
            log_alpha: array![0.2, -0.4],
            r: array![[0.5, -0.3], [-1.0, 0.8]],
            s: array![[0.5, 0.2, 0.7], [1.1, -0.3, 0.4]],
        };
        let epsilon = Epsilon::new(0.7).unwrap();
        LightSbBridge::new(mixture, array![0.4, -1.0], array![1.3, 0.6], epsilon).unwrap()
    }

    /// Midpoints of `n` cells of a grid between two numbers, and the width of a cell.
    fn grid(from: f64, to: f64, n: usize) -> (Array2<f64>, f64) {
        let step = (to - from) / n as f64;
        (Array2::from_shape_fn((n, 1), |(i, _)| from + step * (i as f64 + 0.5)), step)
    }

    /// `x` for every row of `y`.
    fn beside(x: f64, y: &Array2<f64>) -> Array2<f64> {
        Array2::from_elem(y.dim(), x)
    }

    fn source() -> GaussianMixture {
        let (means, variances) = (array![[1.0], [3.0]], array![[0.5], [0.2]]);
        GaussianMixture::new(Covariance::Scalar, array![0.3, 0.7].view(), means, variances).unwrap()
    }

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} and {b}");
    }

    #[test]
    fn transitions_integrate_to_one_and_two_of_them_are_one() {
        let bridge = line();
        let (y, step) = grid(-15.0, 15.0, 3000);
        for span in [WHOLE, (at(0.0), at(0.4)), (at(0.4), at(1.0)), (at(0.3), at(0.9))] {
            for x in [-1.0, 2.0, 3.5] {
                let logs = bridge.log_transition(beside(x, &y).view(), y.view(), span).unwrap();
                close(logs.mapv(f64::exp).sum() * step, 1.0, 1e-10);
            }
        }
        let middle = (at(0.0), at(0.4));
        for (x, end) in [(2.0, -1.5), (0.5, 1.0)] {
            let first = bridge.log_transition(beside(x, &y).view(), y.view(), middle).unwrap();
            let ends = beside(end, &y);
            let second = bridge.log_transition(y.view(), ends.view(), (at(0.4), at(1.0))).unwrap();
            let both = (first + second).mapv(f64::exp).sum() * step;
            let whole = bridge.log_transition(array![[x]].view(), array![[end]].view(), WHOLE);
            close(both, whole.unwrap()[0].exp(), 1e-10);
        }
    }

    #[test]
    fn given_the_start_it_is_the_mixture_of_the_conditional_plan() {
        let bridge = plane();
        let step = 0.05;
        let y = Array2::from_shape_fn((400 * 400, 2), |(i, d)| {
            step * ((if d == 0 { i / 400 } else { i % 400 }) as f64 - 199.5)
        });
        for x in [array![0.3, 0.9], array![-1.0, -0.2]] {
            let plan = bridge.conditional_plan(x.view()).unwrap();
            let law =
                GaussianMixture::new(plan.kind, plan.weights.view(), plan.means, plan.covariances)
                    .unwrap();
            let expected = law.log_density(y.view()).unwrap();
            let starts = Array::from_shape_fn(y.dim(), |(_, d)| x[d]);
            let found = bridge.log_transition(starts.view(), y.view(), WHOLE).unwrap();
            // Far out the exponents are in the hundreds.
            found.iter().zip(&expected).for_each(|(a, b)| close(*a, *b, 1e-11));
            close(found.mapv(f64::exp).sum() * step * step, 1.0, 1e-8);
        }
    }

    #[test]
    fn one_gaussian_is_the_formula_written_out() {
        let (m0, v0, m1, v1, epsilon) = (1.5, 0.8, -2.0, 2.5, 0.6);
        let bridge = LightSbBridge::from_gaussians(
            (array![m0].view(), array![v0].view()),
            (array![m1].view(), array![v1].view()),
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap();
        // The plan is Gaussian with this covariance of the ends.
        let cross = 0.5 * ((4.0_f64 * v0 * v1 + epsilon * epsilon).sqrt() - epsilon);
        let normal = |off: f64, variance: f64| {
            -0.5 * off * off / variance - 0.5 * (std::f64::consts::TAU * variance).ln()
        };
        let left = v1 - cross * cross / v0;
        let variances = array![[v0]];
        let one = array![1.0];
        let law =
            GaussianMixture::new(Covariance::Scalar, one.view(), array![[m0]], variances).unwrap();
        for (x, y) in [(0.2, -1.0), (3.0, 0.5)] {
            let given = normal(y - m1 - cross / v0 * (x - m0), left);
            let (start, end) = (array![[x]], array![[y]]);
            let found = bridge.log_transition(start.view(), end.view(), WHOLE).unwrap()[0];
            close(found, given, 1e-12);
            let plan = bridge.log_plan(&law, start.view(), end.view()).unwrap()[0];
            close(plan, given + normal(x - m0, v0), 1e-12);
        }
        // And the law at t is the Gaussian of the interpolation.
        for t in [0.0, 0.3, 1.0] {
            let s = 1.0 - t;
            let variance = s * s * v0 + t * t * v1 + 2.0 * s * t * cross + epsilon * s * t;
            let found = bridge.marginal(&law, at(t)).unwrap().unwrap();
            close(found.means()[[0, 0]], s * m0 + t * m1, 1e-12);
            close(found.covariance(0)[[0, 0]], variance, 1e-12);
        }
    }

    #[test]
    fn the_whole_plan_integrates_to_one_and_has_its_marginals() {
        let (bridge, law) = (line(), source());
        let (x, dx) = grid(-3.0, 7.0, 200);
        let (y, dy) = grid(-14.0, 10.0, 800);
        let mut total = 0.0;
        for x in x.rows() {
            let starts = beside(x[0], &y);
            let sum = bridge.log_plan(&law, starts.view(), y.view()).unwrap().mapv(f64::exp).sum();
            let density = law.log_density(x.insert_axis(Axis(0))).unwrap()[0].exp();
            close(sum * dy, density, 1e-10);
            total += sum * dx * dy;
        }
        close(total, 1.0, 1e-8);
    }

    #[test]
    fn histograms_of_draws_agree_with_the_plan_and_with_the_law_at_a_time() {
        let (bridge, law, n) = (line(), source(), 200_000);
        let mut stream = Seed(4).stream("test/source", 0);
        let x: Array2<f64> = Array2::from_shape_simple_fn((n, 1), || {
            let uniform: f64 = StandardUniform.sample(&mut stream);
            let normal: f64 = StandardNormal.sample(&mut stream);
            if uniform < 0.3 {
                1.0 + 0.5_f64.sqrt() * normal
            } else {
                3.0 + 0.2_f64.sqrt() * normal
            }
        });
        let y = bridge.sample_transition(x.view(), WHOLE.0, WHOLE.1, Seed(5)).unwrap();
        // Boxes of half a unit; the density in each is integrated by a grid of 40 × 40 points.
        for (from, to) in [(1.0, -1.5), (3.0, -1.0), (2.5, 0.0), (0.0, -3.0)] {
            let inside = |v: f64, low: f64| (low..low + 0.5).contains(&v);
            let pairs = x.iter().zip(&y);
            let count = pairs.filter(|(x, y)| inside(**x, from) && inside(**y, to)).count();
            let ((xs, dx), (ys, dy)) = (grid(from, from + 0.5, 40), grid(to, to + 0.5, 40));
            let sum: f64 = xs
                .iter()
                .map(|x| {
                    let logs = bridge.log_plan(&law, beside(*x, &ys).view(), ys.view()).unwrap();
                    logs.mapv(f64::exp).sum() * dx * dy
                })
                .sum();
            let expected = sum * n as f64;
            // Five standard errors of a count.
            assert!((count as f64 - expected).abs() < 5.0 * expected.sqrt() + 1.0, "{count}");
            assert!(expected > 50.0, "{expected}");
        }
        let cells = Snapshot::new(x.slice(s![..300, ..]).to_owned()).unwrap();
        let many =
            x.slice(s![..300, ..]).select(Axis(0), &(0..n).map(|i| i % 300).collect::<Vec<_>>());
        let z = bridge.sample_transition(many.view(), WHOLE.0, at(0.6), Seed(6)).unwrap();
        for low in [-1.0, 0.0, 1.0] {
            let count = z.iter().filter(|z| (low..low + 0.5).contains(*z)).count() as f64;
            let (points, step) = grid(low, low + 0.5, 50);
            let logs = bridge.log_marginal(&cells, points.view(), at(0.6)).unwrap();
            let expected = logs.mapv(f64::exp).sum() * step * n as f64;
            assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{count} {expected}");
        }
    }

    #[test]
    fn the_law_at_a_time_is_the_sum_of_the_transitions_from_the_cells() {
        let bridge = plane();
        let cells = array![[0.3, 0.9], [-0.7, 0.1], [1.9, -1.2]];
        let source = Snapshot::weighted(cells.clone(), array![1.0, 3.0, 0.0]).unwrap();
        let x = Array2::from_shape_fn((70, 2), |(i, d)| 0.05 * (i as f64 - 35.0) + d as f64);
        for t in [0.2, 1.0] {
            let found = bridge.log_marginal(&source, x.view(), at(t)).unwrap();
            let from = |i: usize| {
                let start = Array2::from_shape_fn(x.dim(), |(_, d)| cells[[i, d]]);
                bridge.log_transition(start.view(), x.view(), (at(0.0), at(t))).unwrap()
            };
            let expected = from(0).mapv(f64::exp) * 0.25 + from(1).mapv(f64::exp) * 0.75;
            for (a, b) in found.iter().zip(&expected) {
                close(a.exp(), *b, 1e-11);
            }
        }
        assert!(bridge.log_marginal(&source, x.view(), at(0.0)).is_err());
    }

    #[test]
    fn the_score_is_the_slope_of_the_log_density() {
        let bridge = plane();
        let cells = array![[0.3, 0.9], [-0.7, 0.1], [1.9, -1.2]];
        let source = Snapshot::weighted(cells, array![1.0, 3.0, 2.0]).unwrap();
        let x = Array2::from_shape_fn((70, 2), |(i, d)| 0.05 * (i as f64 - 35.0) + d as f64);
        let h = 1e-5;
        for t in [0.2, 0.7, 1.0] {
            let score = bridge.marginal_score(&source, x.view(), at(t)).unwrap();
            for d in 0..2 {
                let moved = |by: f64| {
                    let mut x = x.clone();
                    x.column_mut(d).mapv_inplace(|value| value + by);
                    bridge.log_marginal(&source, x.view(), at(t)).unwrap()
                };
                let slope = (moved(h) - moved(-h)) / (2.0 * h);
                // Third derivatives times h², and rounding over h.
                score.column(d).iter().zip(&slope).for_each(|(a, b)| close(*a, *b, 1e-7));
            }
            let known = bridge.score_from(&source, x.view(), at(t)).unwrap();
            assert_eq!(known, Some(score));
        }
        assert!(bridge.score_from(&source, x.view(), at(0.0)).unwrap().is_none());
        assert!(bridge.score(x.view(), at(0.5)).unwrap().is_none());
        assert!(line().marginal_score(&source, x.view(), at(0.5)).is_err());
    }

    #[test]
    fn one_gaussian_carries_a_mixture_to_a_mixture() {
        let r = array![[0.5]];
        let one = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![0.0],
            r,
            s: array![[0.4]],
        };
        let epsilon = Epsilon::new(0.7).unwrap();
        let bridge = LightSbBridge::new(one, array![2.0], array![-1.0], epsilon).unwrap();
        let law = source();
        let (x, step) = grid(-6.0, 10.0, 3000);
        for t in [0.3, 1.0] {
            let found = bridge.marginal(&law, at(t)).unwrap().unwrap();
            for y in [-1.0, 0.5, 2.0] {
                let ends = beside(y, &x);
                let step_to =
                    bridge.log_transition(x.view(), ends.view(), (at(0.0), at(t))).unwrap();
                let logs = law.log_density(x.view()).unwrap() + step_to;
                let expected = logs.mapv(f64::exp).sum() * step;
                close(found.log_density(array![[y]].view()).unwrap()[0].exp(), expected, 1e-10);
            }
        }
        assert!(line().marginal(&law, at(0.5)).unwrap().is_none());
    }

    #[test]
    fn refuses_other_shapes_and_times_in_the_wrong_order() {
        let bridge = line();
        let (x, wide) = (array![[0.0]], array![[0.0, 1.0]]);
        assert!(bridge.log_transition(x.view(), wide.view(), WHOLE).is_err());
        assert!(bridge.log_transition(x.view(), array![[0.0], [1.0]].view(), WHOLE).is_err());
        assert!(bridge.log_transition(x.view(), x.view(), (at(0.5), at(0.5))).is_err());
        assert!(bridge.log_transition(x.view(), x.view(), (at(0.5), at(0.2))).is_err());
        assert!(plane().marginal(&source(), at(0.5)).is_err());
    }
}
