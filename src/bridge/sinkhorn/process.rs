//! The bridge of the entropic coupling: drift, Jacobian and exact draws from the target potential.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::bridge::sinkhorn::all_pairs::AllPairs;
use crate::bridge::sinkhorn::kernel::DenseKernel;
use crate::bridge::sinkhorn::pairs::{coupling, logs};
use crate::bridge::sinkhorn::sides::{Both, Kernel, Side};
use crate::bridge::sinkhorn::solver::centres;
use crate::bridge::{Bridge, BridgeRecord, Coupling, Link, SinkhornRecord, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::progress::Progress;
use crate::rng::Seed;

/// Smallest remaining fraction of the interval at which drift and Jacobian are evaluated.
///
/// The bridge ends in the target cells, so its drift has no limit at the end. Draws are exact and
/// do not need this bound.
const LEAST_LEFT: f64 = 0.01;

/// Rows that share a stream of random numbers. The size is fixed, so draws do not depend on the
/// number of threads.
const CHUNK: usize = 256;

/// The Schrödinger bridge between the cells of two snapshots, from the potential g of the target.
///
/// With `w_j(x, t) ∝ q_j exp((g_j − ‖x−y_j‖²/(2(1−t)))/ε)`,
///
/// ```text
/// drift      b(x,t) = (Σ_j w_j y_j − x) / (1−t)
/// Jacobian   ∂b/∂x  = (Cov_w(y) / (ε(1−t)) − I) / (1−t)
/// draw       choose y_j by w_j(x,s), then the Brownian bridge from (x,s) to (y_j,1)
/// ```
///
/// `X_1 | X_t = x` is `y_j` with probability `w_j`. At t = 0 this is the coupling; at any later
/// time it is the conditional distribution of the exact bridge between the samples. Drift and
/// Jacobian use 1−t of at least 0.01. A batch of k points takes two passes of `2 k m d` flops and
/// `k m` exponentials, for m target cells.
///
/// Source: Pooladian and Niles-Weed 2024 (arXiv 2408.11686), with the same ε.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeProblem, SinkhornSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0], [1.0]])?;
/// let target = Snapshot::new(array![[2.0], [3.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// let (bridge, _) = SinkhornSolver::default().fit(&problem, &mut Silent)?;
/// // Draws at the end are target cells.
/// let ends = bridge.sample_transition(source.points(), UnitTime::START, UnitTime::END, Seed(1))?;
/// assert!(ends.iter().all(|end| (end - 2.0).abs() < 1e-9 || (end - 3.0).abs() < 1e-9));
/// // The entropic map.
/// let means = bridge.conditional_mean(source.points())?;
/// assert!((means[[0, 0]] - 2.0).abs() < 0.1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SinkhornBridge {
    epsilon: Epsilon,
    source_centre: Array1<f64>,
    target_centre: Array1<f64>,
    source: Array2<f64>,
    target: Array2<f64>,
    masses: (Array1<f64>, Array1<f64>),
    potentials: (Array1<f64>, Array1<f64>),
    relaxation: (Option<f64>, Option<f64>),
    plan_marginal: Option<Array1<f64>>,
}

impl SinkhornBridge {
    /// From the snapshots and the potentials f and g of their cells, in the unit of the cost.
    ///
    /// The coupling is `p_i q_j exp((f_i + g_j − C_ij)/ε)` with `C = ½‖x−y‖²`. If both marginals
    /// are kept, cells are taken relative to the mean of their snapshot. If a marginal is relaxed
    /// (λ of source or target), both are relative to the mean of the target.
    ///
    /// # Errors
    /// [`Error::Shape`] if the snapshots differ in dimension, or unless there is one potential for
    /// each cell; [`Error::Parameter`] if a potential is not finite, λ is not finite and > 0, or
    /// the masses of a relaxed coupling are not finite.
    pub fn new(
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
        source_potential: Array1<f64>,
        target_potential: Array1<f64>,
        source_relaxation: Option<f64>,
        target_relaxation: Option<f64>,
    ) -> Result<Self> {
        shape::same("the target snapshot", "dimensions", source.dim(), target.dim())?;
        let potentials = (source_potential, target_potential);
        let relaxation = (source_relaxation, target_relaxation);
        shape::same("the source potential", "cells", source.n_cells(), potentials.0.len())?;
        shape::same("the target potential", "cells", target.n_cells(), potentials.1.len())?;
        if let Some(value) = potentials.0.iter().chain(&potentials.1).find(|f| !f.is_finite()) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "potential", must: "finite", got });
        }
        for lambda in [relaxation.0, relaxation.1].into_iter().flatten() {
            if !(0.0 < lambda && lambda < f64::INFINITY) {
                let (name, must) = ("relaxation", "finite and > 0");
                return Err(Error::Parameter { name, must, got: lambda.to_string() });
            }
        }
        let relaxed = relaxation.0.is_some() || relaxation.1.is_some();
        let (source_centre, target_centre) = centres(source, target, relaxed);
        let masses = (source.marginal().to_owned(), target.marginal().to_owned());
        // The source potential is optimal for that of the target, so row sums follow from it.
        let plan_marginal = relaxation.0.map(|lambda| {
            let sums = &masses.0 * &potentials.0.mapv(|f| (-f / lambda).exp());
            let total = sums.sum();
            (sums / total, total)
        });
        if let Some((_, total)) = &plan_marginal
            && !(0.0 < *total && *total < f64::INFINITY)
        {
            let must = "such that the plan has a finite mass > 0";
            return Err(Error::Parameter { name: "potential", must, got: total.to_string() });
        }
        Ok(Self {
            epsilon,
            source: &source.points() - &source_centre,
            target: &target.points() - &target_centre,
            source_centre,
            target_centre,
            masses,
            potentials,
            relaxation,
            plan_marginal: plan_marginal.map(|found| found.0),
        })
    }

    /// The cells of source and target, each relative to its centre.
    pub(super) fn centred(&self) -> (ArrayView2<'_, f64>, ArrayView2<'_, f64>) {
        (self.source.view(), self.target.view())
    }

    /// Whether a marginal was relaxed.
    pub(super) fn is_relaxed(&self) -> bool {
        self.relaxation.0.is_some() || self.relaxation.1.is_some()
    }

    /// The potentials f of the source cells and g of the target cells, in the unit of the cost.
    pub fn potentials(&self) -> (ArrayView1<'_, f64>, ArrayView1<'_, f64>) {
        (self.potentials.0.view(), self.potentials.1.view())
    }

    /// The entropic map `E[X_1 | X_0 = x]` at each row of `x` (n × d), for any x.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn conditional_mean(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        Ok(self.drift(x, UnitTime::START)? + x)
    }

    /// The pairs whose mass is at least `least` times `1/n_source`.
    ///
    /// With `least = 1e-6` the omitted mass is below a millionth of `n_target`; [`Coupling::kept`]
    /// is the mass that remains. Takes one pass over all pairs and 40 bytes for each kept pair.
    ///
    /// # Errors
    /// [`Error::Parameter`] if no pair has this mass.
    pub fn coupling(&self, least: f64) -> Result<Coupling> {
        let kernel =
            DenseKernel::points(self.source.view(), self.target.view(), self.epsilon.value());
        coupling(&kernel, &self.logs(), least)
    }

    /// The coupling as potentials, for products and draws. It needs no matrix of n × m.
    pub(in crate::bridge) fn plan(&self) -> AllPairs {
        AllPairs::new(self.source.clone(), self.target.clone(), self.epsilon, self.logs())
    }

    /// Logarithms of the two factors of the coupling.
    pub(super) fn logs(&self) -> Both {
        logs(&self.masses, &self.potentials, self.epsilon.value())
    }

    /// Points relative to the centre at time t, and the remaining time.
    fn located(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<(Array2<f64>, f64)> {
        shape::points(x, self.dim())?;
        let t = t.value();
        let z = &x - &(&self.source_centre * (1.0 - t) + &self.target_centre * t);
        Ok((z, (1.0 - t).max(LEAST_LEFT)))
    }

    /// The kernel from points `z` to the target with `left` of the time remaining, and the
    /// logarithms with which its rows are `w_j(x, t)`.
    fn weights<'a>(&'a self, z: &'a Array2<f64>, left: f64) -> (DenseKernel<'a>, Both) {
        let kernel = DenseKernel::points(z.view(), self.target.view(), self.epsilon.value() * left);
        let target = self.logs().target;
        let mut source = kernel.log_sums(Side::Source, &target);
        for sum in &mut source {
            *sum = -*sum;
        }
        (kernel, Both { source, target })
    }
}

impl Bridge for SinkhornBridge {
    fn dim(&self) -> usize {
        self.target.ncols()
    }

    fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// `(Σ_j w_j y_j − x)/(ε(1−t)) + (Σ_i q_i x_i − x)/(εt)`, with `w_j` of the type's
    /// documentation and `q_i ∝ p_i exp(−‖x−x_i‖²/(2εt)) / Σ_j q_j exp((g_j − C_ij)/ε)`, the
    /// probability that the process at x started from cell i. Takes `O((n + m) n_cells d)` time.
    fn score_from(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        shape::columns("the source", self.dim(), source.dim())?;
        let z = self.located(x, t)?.0;
        if t == UnitTime::START || t == UnitTime::END {
            return Ok(None);
        }
        let (epsilon, past, left) = (self.epsilon.value(), t.value(), 1.0 - t.value());
        let (kernel, logs) = self.weights(&z, left);
        let ahead = (kernel.means(Side::Source, &logs, self.target.view()) - &z) / (epsilon * left);
        let cells = self.located(source.points(), UnitTime::START)?.0;
        // The logarithms with which the rows of the coupling from these cells sum to one.
        let starts = self.weights(&cells, 1.0).1.source;
        let masses = source.marginal();
        let target = masses.iter().zip(&starts).map(|(mass, log)| mass.ln() + log).collect();
        let back = DenseKernel::points(z.view(), cells.view(), epsilon * past);
        let mut logs = Both { source: Vec::new(), target };
        logs.source = back.log_sums(Side::Source, &logs.target);
        logs.source.iter_mut().for_each(|sum| *sum = -*sum);
        let behind = back.means(Side::Source, &logs, cells.view()) - &z;
        Ok(Some(ahead + behind / (epsilon * past)))
    }

    /// The drift with at least a hundredth of the interval left. At the end itself it therefore
    /// points to the nearest cells, with a hundred times their distance.
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let (z, left) = self.located(x, t)?;
        let (kernel, logs) = self.weights(&z, left);
        let pull = (kernel.means(Side::Source, &logs, self.target.view()) - &z) / left;
        Ok(pull + &(&self.target_centre - &self.source_centre))
    }

    /// `J = (Cov_w(y)/(ε(1−t)) − I)/(1−t)`, averaged, with 1−t as in the drift. Takes `O(n m d + (n
    /// + m) d²)` time.
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let (z, left) = self.located(x, t)?;
        let (kernel, logs) = self.weights(&z, left);
        let n = x.nrows().max(1) as f64;
        let means = kernel.means(Side::Source, &logs, self.target.view());
        let shares = Array1::from(kernel.plan(&logs).times(Side::Target, &vec![1.0; x.nrows()]));
        // Relative to one centre for all points, so that few digits are lost to cancellation.
        let centre = means.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(self.dim()));
        let (y, means) = (&self.target - &centre, &means - &centre);
        let square = y.t().dot(&(&y * &shares.insert_axis(Axis(1)))) - means.t().dot(&means);
        let mut jacobian = square / (n * self.epsilon.value() * left * left);
        jacobian.diag_mut().map_inplace(|value| *value -= 1.0 / left);
        Ok(jacobian)
    }

    /// A target cell by its weight, then the Brownian bridge to it: exact, without time steps.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let (start, span) = (from.value(), from.until(to)?);
        if span <= 0.0 {
            return Ok(x.to_owned());
        }
        let left = 1.0 - start;
        let z = self.located(x, from)?.0;
        let (kernel, logs) = self.weights(&z, left);
        let mut levels = vec![0.0; x.nrows()];
        for (chunk, levels) in levels.chunks_mut(CHUNK).enumerate() {
            let mut stream = seed.stream("sinkhorn/target cell", chunk as u64);
            levels.fill_with(|| StandardUniform.sample(&mut stream));
        }
        let chosen = kernel.choose(&logs, &levels);
        let share = span / left;
        let deviation = (self.epsilon.value() * span * (1.0 - to.value()) / left).sqrt();
        let mut draws = x.to_owned();
        for (chunk, mut rows) in draws.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
            let mut stream = seed.stream("sinkhorn/transition", chunk as u64);
            for (mut draw, j) in rows.rows_mut().into_iter().zip(&chosen[chunk * CHUNK..]) {
                let end = &self.target.row(*j) + &self.target_centre;
                draw.zip_mut_with(&end, |value, end| {
                    let noise: f64 = StandardNormal.sample(&mut stream);
                    *value = (1.0 - share) * *value + share * end + deviation * noise;
                });
            }
        }
        Ok(draws)
    }

    fn draws_by_ends(&self) -> bool {
        true
    }

    fn plan_marginal(&self) -> Option<ArrayView1<'_, f64>> {
        self.plan_marginal.as_ref().map(|shares| shares.view())
    }

    /// The coupling of this bridge.
    fn link(
        &self,
        _: &Snapshot,
        _: &Snapshot,
        _: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Link> {
        Link::all(self.plan(), progress)
    }

    fn record(&self) -> BridgeRecord {
        BridgeRecord::Sinkhorn(SinkhornRecord {
            epsilon: self.epsilon.value(),
            dim: self.dim(),
            source_relaxation: self.relaxation.0,
            target_relaxation: self.relaxation.1,
            source_potential: self.potentials.0.to_vec(),
            target_potential: self.potentials.1.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{BridgeProblem, SinkhornSolver};
    use crate::progress::Silent;

    fn waves(n: usize, f: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, 2), |(i, d)| (f * (1 + i * 2 + d) as f64).sin() * 1.5)
    }

    fn example(source: Array2<f64>, target: Array2<f64>) -> (BridgeProblem, SinkhornBridge) {
        let weights = (0..target.nrows()).map(|j| 1.0 + (j % 3) as f64).collect();
        let target = Snapshot::weighted(target, weights).unwrap();
        let epsilon = Epsilon::new(0.3).unwrap();
        let problem = BridgeProblem::new(Snapshot::new(source).unwrap(), target, epsilon).unwrap();
        let solver = SinkhornSolver { tolerance: 1e-12, ..SinkhornSolver::default() };
        let (bridge, _) = solver.fit(&problem, &mut Silent).unwrap();
        (problem, bridge)
    }

    /// Weights `w_j(x, t)` as the formula says, in the coordinates of the centred snapshots.
    fn weights(bridge: &SinkhornBridge, z: ArrayView1<'_, f64>, left: f64) -> Array1<f64> {
        let g = &bridge.potentials.1;
        let logs: Array1<f64> = bridge
            .target
            .rows()
            .into_iter()
            .zip(g)
            .map(|(y, g)| {
                let apart = &z - &y;
                (g - apart.dot(&apart) / (2.0 * left)) / 0.3
            })
            .collect();
        let largest = logs.iter().fold(f64::NEG_INFINITY, |a: f64, b| a.max(*b));
        let shares = (logs - largest).mapv(f64::exp) * &bridge.masses.1;
        let total = shares.sum();
        shares / total
    }

    #[test]
    fn drift_and_jacobian_are_the_formulas_written_out() {
        let (_, bridge) = example(waves(20, 1.3) + 3.0, waves(23, 0.7));
        let x = waves(9, 0.4);
        for t in [0.0_f64, 0.5, 0.95, 1.0] {
            let left = (1.0 - t).max(0.01);
            let time = UnitTime::new(t).unwrap();
            let drift = bridge.drift(x.view(), time).unwrap();
            let jacobian = bridge.mean_jacobian(x.view(), time).unwrap();
            let mut expected = Array2::zeros((2, 2));
            let centre = &bridge.source_centre * (1.0 - t) + &bridge.target_centre * t;
            for (x, drift) in x.rows().into_iter().zip(drift.rows()) {
                let z = &x - &centre;
                let w = weights(&bridge, z.view(), left);
                let mean = w.dot(&bridge.target);
                let pull = (&mean - &z) / left + &bridge.target_centre - &bridge.source_centre;
                assert!((&pull - &drift).iter().all(|off| off.abs() < 1e-10), "{t}");
                let spread = &bridge.target - &mean;
                let cov = spread.t().dot(&(&spread * &w.insert_axis(Axis(1))));
                let own = (cov / (0.3 * left) - Array2::<f64>::eye(2)) / left;
                expected += &(own / 9.0);
            }
            let off = &jacobian - &expected;
            // Rounding of a covariance over ε times the square of what is left.
            assert!(off.iter().all(|off| off.abs() < 1e-12 / (left * left)), "{t}: {off}");
        }
    }

    #[test]
    fn the_score_is_the_slope_of_the_law_of_draws() {
        let (problem, bridge) = example(waves(20, 1.3) + 3.0, waves(23, 0.7));
        // Other weights than those of the solve, as with growth.
        let masses = (0..20).map(|i| 1.0 + f64::from(i % 4)).collect();
        let source = problem.source().points().to_owned();
        let source = Snapshot::weighted(source, masses).unwrap();
        let coupling = bridge.coupling(0.0).unwrap();
        // The law at t: Brownian bridges between the cells of each pair.
        let log_law = |x: ArrayView1<'_, f64>, t: f64| {
            let mut sum = 0.0;
            for (i, j, mass) in coupling.pairs() {
                let (from, to) = (source.points(), problem.target().points());
                let off = &x - &(&from.row(i) * (1.0 - t) + &to.row(j) * t);
                // Rows of the plan sum to 1/20.
                let mass = mass * 20.0 * source.marginal()[i];
                sum += mass * (-off.dot(&off) / (2.0 * 0.3 * t * (1.0 - t))).exp();
            }
            sum.ln()
        };
        let x = waves(9, 0.4) + 1.5;
        let h = 1e-5;
        for t in [0.2, 0.5, 0.9] {
            let time = UnitTime::new(t).unwrap();
            let score = bridge.score_from(&source, x.view(), time).unwrap().unwrap();
            for ((i, d), found) in score.indexed_iter() {
                let moved = |by: f64| {
                    let mut x = x.row(i).to_owned();
                    x[d] += by;
                    log_law(x.view(), t)
                };
                let slope = (moved(h) - moved(-h)) / (2.0 * h);
                assert!((found - slope).abs() < 1e-5 * (1.0 + slope.abs()), "{t}: {found} {slope}");
            }
        }
        let at = |end| bridge.score_from(&source, x.view(), end).unwrap();
        assert!(at(UnitTime::START).is_none() && at(UnitTime::END).is_none());
    }

    #[test]
    fn draws_at_the_end_are_cells_as_often_as_the_plan_says() {
        let (problem, bridge) = example(waves(5, 1.3), waves(6, 0.7));
        let n = 40_000;
        let x = problem.source().points().row(2).broadcast((n, 2)).unwrap().to_owned();
        let ends =
            bridge.sample_transition(x.view(), UnitTime::START, UnitTime::END, Seed(1)).unwrap();
        let coupling = bridge.coupling(0.0).unwrap();
        let (targets, masses) = coupling.row(2);
        for (j, mass) in targets.iter().zip(masses) {
            let cell = problem.target().points().row(*j as usize).to_owned();
            let at = |end: &ArrayView1<'_, f64>| (&cell - end).pow2().sum() < 1e-20;
            let hits = ends.rows().into_iter().filter(at).count();
            let (share, wanted) = (hits as f64 / n as f64, mass * 5.0);
            // Five standard errors of a share.
            assert!((share - wanted).abs() < 5.0 * (wanted / n as f64).sqrt(), "{share} {wanted}");
        }
    }

    #[test]
    fn the_coupling_says_what_it_keeps() {
        let (problem, bridge) = example(waves(40, 1.3), waves(50, 0.7));
        let (whole, part) = (bridge.coupling(0.0).unwrap(), bridge.coupling(0.05).unwrap());
        assert_eq!(whole.n_pairs(), 2_000);
        let (source, target) = whole.marginals();
        // The tolerance of the solve.
        let off = (&source - &problem.source().marginal()).mapv(f64::abs).sum()
            + (&target - &problem.target().marginal()).mapv(f64::abs).sum();
        assert!(off < 1e-11 && (whole.kept() - 1.0).abs() < 1e-12);
        let left_out: f64 = whole.pairs().map(|pair| pair.2).filter(|m| *m < 0.05 / 40.0).sum();
        assert!(part.n_pairs() < 2_000 && (part.kept() - (1.0 - left_out)).abs() < 1e-12);
        let means = whole.conditional_mean(problem.target().points()).unwrap();
        let off = &bridge.conditional_mean(problem.source().points()).unwrap() - &means;
        assert!(off.iter().all(|off| off.abs() < 1e-11));
        assert!(bridge.coupling(50.0).is_err());
    }

    #[test]
    fn refuses_potentials_that_are_not_one_for_each_cell() {
        let (of, bridge) = example(waves(5, 1.3), waves(6, 0.7));
        let made = |f: Array1<f64>, g: Array1<f64>, lambda: Option<f64>| {
            SinkhornBridge::new(of.source(), of.target(), bridge.epsilon, f, g, lambda, None)
        };
        let (f, g) = bridge.potentials.clone();
        assert_eq!(made(f.clone(), g.clone(), None).unwrap(), bridge);
        assert!(made(g.clone(), g.clone(), None).is_err());
        assert!(made(f.clone(), f.clone(), None).is_err());
        assert!(made(&f * f64::NAN, g.clone(), None).is_err());
        assert!(made(f, g, Some(-1.0)).is_err());
    }
}
