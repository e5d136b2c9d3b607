//! Bridges whose answer is known in closed form, from `data-samples/known-answer`.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use sbcell::bridge::{Bridge, Covariance, LightSbBridge, LightSbSolver, UnitTime};
use sbcell::linalg::Cholesky;
use sbcell::{Epsilon, Seed, Silent};

use crate::answers::{GaussianPair, gaussian_pairs, matrix, table};
use crate::support::{at, moments, normal, problem};

/// Every pair of the file from its means and covariances: plan and law half way.
#[test]
fn gaussian_bridges_are_exact() {
    let half = at(0.5);
    let pairs = gaussian_pairs();
    assert_eq!(pairs.len(), 12);
    for pair in pairs {
        let bridge = population_bridge(&pair);
        let close = |what: &str, a: &Array2<f64>, b: &Array2<f64>| {
            let off = (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            assert!(off < 1e-8, "d = {}, ε = {}: {what} off by {off}", pair.dim, pair.eps);
        };
        let row = |values: &[f64]| matrix(&[values.to_vec()]);
        let (m0, cross) = (row(&pair.m0), matrix(&pair.C_cross_cov));
        // The plan is linear with slope S: its covariance with the start is S₀ S.
        let s = bridge.mixture().matrix(0);
        close("cross-covariance", &matrix(&pair.S0).dot(&s), &cross);
        close("mean of the end", &bridge.conditional_mean(m0.view()).unwrap(), &row(&pair.m1));
        let plan = bridge.conditional_plan(m0.row(0)).unwrap();
        let end = s.dot(&matrix(&pair.S0)).dot(&s) + plan.covariance();
        close("covariance of the end", &end, &matrix(&pair.S1));
        // b(x, ½) = 2 (E[X₁ | X = x] − x), and the slope of E[X₁ | X = x] is (½ Cᵀ + ½ S₁) Σ⁻¹
        // with the covariance Σ half way: both from the known joint law.
        let mid = matrix(&pair.bridge_mid_cov);
        let x = &row(&pair.bridge_mid_mean) + 0.7;
        let off =
            Cholesky::new(mid.view()).unwrap().inverse().dot(&Array1::from_elem(pair.dim, 0.7));
        let ahead = ((&cross.t() + &matrix(&pair.S1)) * 0.5).dot(&off);
        let expected = (row(&pair.m1) + &ahead - &x) * 2.0;
        close("drift", &bridge.drift(x.view(), half).unwrap(), &expected);
    }
}

fn population_bridge(pair: &GaussianPair) -> LightSbBridge {
    let (m0, m1) = (Array1::from(pair.m0.clone()), Array1::from(pair.m1.clone()));
    let (s0, s1) = (matrix(&pair.S0), matrix(&pair.S1));
    let epsilon = Epsilon::new(pair.eps).unwrap();
    LightSbBridge::between(m0.view(), s0.view(), m1.view(), s1.view(), epsilon).unwrap()
}

/// One full Gaussian fitted to cells is the closed form between the Gaussians of these cells.
#[test]
fn one_full_gaussian_from_cells_is_the_closed_form_of_their_moments() {
    for pair in gaussian_pairs() {
        let n = 500;
        let cells = |mean: &[f64], covariance: &[Vec<f64>], seed| {
            let root = Cholesky::new(matrix(covariance).view()).unwrap();
            normal(n, pair.dim, seed).dot(&root.lower().t()) + ArrayView1::from(mean)
        };
        let (x, y) = (cells(&pair.m0, &pair.S0, 1), cells(&pair.m1, &pair.S1, 2));
        let epsilon = Epsilon::new(pair.eps).unwrap();
        let ends = [&x, &y].map(moments);
        let expected = LightSbBridge::between(
            ends[0].0.view(),
            ends[0].1.view(),
            ends[1].0.view(),
            ends[1].1.view(),
            epsilon,
        )
        .unwrap();
        let solver = LightSbSolver::default()
            .with_covariance(Covariance::Full.into())
            .with_n_gaussians(1.into());
        let (bridge, _) = solver.fit(&problem(&x, &y, pair.eps), Seed(0), &mut Silent).unwrap();
        for t in [0.0, 0.5, 1.0] {
            let drift = expected.drift(x.view(), at(t)).unwrap();
            let off = bridge.drift(x.view(), at(t)).unwrap() - &drift;
            let worst =
                off.iter().zip(&drift).fold(0.0, |m: f64, (o, b)| m.max(o.abs() / (1.0 + b.abs())));
            assert!(worst < 1e-8, "d = {}, ε = {}: {worst}", pair.dim, pair.eps);
        }
    }
}

/// Answers at points, and how far from them a fit to cells is.
struct Answers {
    q: Array2<f64>,
    mean: Array2<f64>,
    drift: Array2<f64>,
    trace: Array1<f64>,
    log_c: Array1<f64>,
}

/// Root mean square errors in units of the root mean square of the truth around its mean.
#[derive(Debug)]
struct Errors {
    mean: f64,
    drift_start: f64,
    drift_half: f64,
    /// Of `ln c`, in nats, up to its constant.
    log_c: f64,
    trace: f64,
    /// Half squared Bures–Wasserstein distance of conditional plans by mean and isotropic
    /// variance, in % of half the variance of the target: a lower bound of cBW₂²-UVP, which
    /// `mixture_bridges.rs` has exactly.
    uvp: f64,
}

impl Answers {
    fn read(name: &str, dim: usize) -> Self {
        let all = table(name, "answers");
        let block = |from: usize| all.slice(s![.., from * dim..(from + 1) * dim]).to_owned();
        let (trace, log_c) = (all.column(3 * dim).to_owned(), all.column(3 * dim + 1).to_owned());
        Self { q: block(0), mean: block(1), drift: block(2), trace, log_c }
    }

    fn errors(&self, bridge: &LightSbBridge, target: &Array2<f64>) -> Errors {
        let square = |x: &Array2<f64>| (x * x).sum() / x.nrows() as f64;
        let relative = |fit: &Array2<f64>, truth: &Array2<f64>| {
            let around = truth - &truth.mean_axis(Axis(0)).unwrap();
            (square(&(fit - truth)) / square(&around)).sqrt()
        };
        let means = bridge.conditional_mean(self.q.view()).unwrap();
        let half = at(0.5);
        let drift = bridge.drift(self.q.view(), half).unwrap();
        let dim = self.q.ncols() as f64;
        let traces: Array1<f64> = self
            .q
            .rows()
            .into_iter()
            .zip(means.rows())
            .map(|(q, mean)| {
                let plan = bridge.conditional_plan(q).unwrap();
                let spread = (&plan.means - &mean).mapv(|z| z * z) + &plan.covariances;
                plan.weights.dot(&spread.sum_axis(Axis(1)))
            })
            .collect();
        let widths: f64 = traces
            .iter()
            .zip(&self.trace)
            .map(|(a, b)| dim * ((a / dim).sqrt() - (b / dim).sqrt()).powi(2))
            .sum::<f64>()
            / traces.len() as f64;
        let off = bridge.potential(self.q.view(), UnitTime::START).unwrap()
            / bridge.epsilon().value()
            - &self.log_c;
        Errors {
            mean: relative(&means, &self.mean),
            drift_start: relative(&(&means - &self.q), &(&self.mean - &self.q)),
            drift_half: relative(&drift, &self.drift),
            log_c: off.std(0.0),
            trace: (&traces - &self.trace).mapv(f64::abs).sum() / self.trace.sum(),
            uvp: 100.0 * (square(&(&means - &self.mean)) + widths)
                / target.var_axis(Axis(0), 0.0).sum(),
        }
    }
}

fn fitted(x: &Array2<f64>, y: &Array2<f64>, epsilon: f64, n_gaussians: usize) -> LightSbBridge {
    let solver = LightSbSolver::default().with_n_gaussians(n_gaussians.into());
    solver.fit(&problem(x, y, epsilon), Seed(0), &mut Silent).unwrap().0
}

impl Errors {
    /// Measured values with a margin of about 1.5. In few dimensions the errors are those of
    /// 2 000 cells: they do not change from 5 to 50 Gaussians.
    fn at_most(&self, name: &str, limits: &Self) {
        let pairs = [
            (self.mean, limits.mean),
            (self.drift_start, limits.drift_start),
            (self.drift_half, limits.drift_half),
            (self.log_c, limits.log_c),
            (self.trace, limits.trace),
            (self.uvp, limits.uvp),
        ];
        println!("{name}: {self:.3?}");
        assert!(pairs.iter().all(|pair| pair.0 <= pair.1), "{name}: {self:?} above {limits:?}");
    }
}

fn limits([mean, drift_start, drift_half, log_c, trace, uvp]: [f64; 6]) -> Errors {
    Errors { mean, drift_start, drift_half, log_c, trace, uvp }
}

#[test]
fn mixture_bridges_are_found_from_unpaired_cells() {
    for (name, dim, epsilon, most) in [
        ("dim2_eps0.1", 2, 0.1, [0.09, 0.36, 0.36, 0.9, 0.11, 0.5]),
        ("dim2_eps1", 2, 1.0, [0.11, 0.18, 0.12, 0.2, 0.1, 0.7]),
        ("dim2_eps10", 2, 10.0, [0.08, 0.1, 0.08, 0.008, 0.02, 0.05]),
        ("dim5_eps1", 5, 1.0, [0.1, 0.15, 0.27, 0.16, 0.07, 0.5]),
    ] {
        let samples = table(name, "samples");
        let x = samples.slice(s![.., ..dim]).to_owned();
        let y = samples.slice(s![.., dim..]).to_owned();
        let bridge = fitted(&x, &y, epsilon, 10);
        Answers::read(name, dim).errors(&bridge, &y).at_most(name, &limits(most));
    }
}
