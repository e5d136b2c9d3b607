//! The Sinkhorn solver: entropic optimal transport between all cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::bridge::sinkhorn::ascent::{Ascent, FARTHEST, Found, Goal};
use crate::bridge::sinkhorn::kernel::DenseKernel;
use crate::bridge::sinkhorn::sides::Both;
use crate::bridge::{BridgeProblem, FitReport, SinkhornBridge, Stop};
use crate::data::Snapshot;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::geometry::CostChoice;
use crate::progress::{Event, Progress, report};

/// Entropic optimal transport between all cells; exact for the two samples.
///
/// **Problem.** `min_P Σ P_ij C_ij + ε KL(P ‖ p ⊗ q)` over couplings P with the marginals p and q,
/// for the cost `C_ij = ½‖x_i − y_j‖²`. This is the static Schrödinger bridge. A relaxed marginal
/// (`source_relaxation`, `target_relaxation`) is replaced by a penalty `λ KL(P1 ‖ p)`. The solution
/// is
///
/// ```text
/// P_ij = p_i q_j exp((f_i + g_j − C_ij) / ε)
/// ```
///
/// **Method.** The solver maximises the dual. ε decreases from the scale of the costs in equal
/// steps by a factor of about four, unless no cost is above 80 ε. Far from the optimum the steps
/// are Sinkhorn iterations (Cuturi 2013). Near it they are Newton steps on the dual as a function
/// of f alone. Conjugate gradients solve each step, with the matrix `diag(P1) − P diag(1/Pᵀ1) Pᵀ`
/// (the idea of Tang et al. 2024, with the other potential eliminated). Nothing is random.
///
/// **Sums over pairs.** The kernel is stored if it fits into 256 MB, so that a step is two products
/// with a stored matrix. For small ε only pairs with a relevant mass are kept between steps
/// (Schmitzer 2019). Otherwise sums are computed in the log domain over blocks of a matrix product.
/// The reported errors are always over all pairs in double precision.
///
/// **Cost.** An iteration takes two passes of `2 n m` flops over the stored matrix (or over the
/// kept pairs), or of `2 n m d` flops and `n m` exponentials. Memory: the points, 80 bytes for each
/// cell, and up to 256 MB or 160 pairs of 40 bytes for each cell.
///
/// **Objective.** Minus the dual value, in the unit of the cost.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, SinkhornSolver, Stop};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0], [1.0]])?;
/// let target = Snapshot::new(array![[2.0], [3.0]])?;
/// let problem = BridgeProblem::new(source, target, Epsilon::new(0.1)?)?;
/// let (bridge, report) = SinkhornSolver::default().fit(&problem, &mut Silent)?;
/// assert_eq!(report.stop, Stop::Converged);
/// assert!(report.detail("source_error").unwrap() <= 1e-7);
/// // Little noise: nearly all mass moves by 2.
/// let coupling = bridge.coupling(1e-6)?;
/// assert!(coupling.row(0).1[0] > 0.49);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct SinkhornSolver {
    /// The cost that is minimised. With ½‖x−y‖² the result is a [`SinkhornBridge`], with a geodesic
    /// cost a [`crate::bridge::PlanBridge`] on Brownian bridges.
    #[serde(default)]
    pub cost: CostChoice,
    /// The solver stops when both marginal errors (sums of absolute differences) are at most this;
    /// > 0.
    pub tolerance: f64,
    /// Largest number of pairs of passes over the kernel, ≥ 1.
    pub max_iterations: usize,
    /// λ of the penalty `λ KL(P1 ‖ p)` for deviating from the source marginal, in the unit of the
    /// cost, like ε; > 0. `None` keeps the marginal. In the notation of unbalanced transport `τ =
    /// λ/(λ + ε)`.
    pub source_relaxation: Option<f64>,
    /// The same for the target marginal.
    pub target_relaxation: Option<f64>,
}

impl Default for SinkhornSolver {
    fn default() -> Self {
        Self {
            cost: CostChoice::default(),
            tolerance: 1e-7,
            max_iterations: 50_000,
            source_relaxation: None,
            target_relaxation: None,
        }
    }
}

impl SinkhornSolver {
    /// Largest number of bytes of the stored kernel.
    pub(crate) const MOST_HELD: usize = 256 << 20;

    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is out of its range.
    pub fn check(&self) -> Result<()> {
        let Self { cost, tolerance, max_iterations, source_relaxation, target_relaxation } = self;
        cost.check()?;
        at_least_one("max_iterations", *max_iterations)?;
        let positive = [
            ("tolerance", Some(*tolerance)),
            ("source_relaxation", *source_relaxation),
            ("target_relaxation", *target_relaxation),
        ];
        for (name, value) in positive {
            if let Some(value) = value
                && !(0.0 < value && value < f64::INFINITY)
            {
                let must = "finite and > 0";
                return Err(Error::Parameter { name, must, got: value.to_string() });
            }
        }
        Ok(())
    }

    /// The bridge for the cost ½‖x−y‖², whatever [`SinkhornSolver::cost`] is, with its concrete
    /// type.
    ///
    /// # Errors
    /// As [`crate::bridge::BridgeSolver::solve`].
    pub fn fit(
        &self,
        problem: &BridgeProblem,
        progress: &mut dyn Progress,
    ) -> Result<(SinkhornBridge, FitReport)> {
        let (source, target) = (problem.source(), problem.target());
        let centres = centres(source, target, self.is_relaxed());
        let x = &source.points() - &centres.0;
        let y = &target.points() - &centres.1;
        let spread = |points: &Array2<f64>, marginal: ArrayView1<'_, f64>| {
            marginal.iter().zip(points.rows()).map(|(mass, row)| mass * row.dot(&row)).sum::<f64>()
        };
        let mean_cost = 0.5 * (spread(&x, source.marginal()) + spread(&y, target.marginal()));
        let found = self.run(
            &|epsilon| DenseKernel::points(x.view(), y.view(), epsilon),
            source.marginal(),
            target.marginal(),
            mean_cost,
            problem.epsilon().value(),
            progress,
        )?;
        // Centring removed this constant from the objective.
        let apart = (&centres.0 - &centres.1).mapv(|d| 0.5 * d * d).sum();
        let mut report = self.report(&found);
        report.objective -= apart;
        report.start_objective -= apart;
        let bridge = SinkhornBridge::new(
            source,
            target,
            problem.epsilon(),
            Array1::from(found.source),
            Array1::from(found.target),
            self.source_relaxation,
            self.target_relaxation,
        )?;
        Ok((bridge, report))
    }

    /// Whether a marginal is relaxed.
    pub(super) fn is_relaxed(&self) -> bool {
        self.source_relaxation.is_some() || self.target_relaxation.is_some()
    }

    /// Maximises the dual for any kernel. `source` and `target` are the marginals; `mean_cost`
    /// determines the first ε.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a hyperparameter; [`Error::Numerical`] if the costs are not finite
    /// in units of ε; [`Error::Cancelled`].
    pub(super) fn run<'k>(
        &self,
        kernel_at: &dyn Fn(f64) -> DenseKernel<'k>,
        source: ArrayView1<'_, f64>,
        target: ArrayView1<'_, f64>,
        mean_cost: f64,
        epsilon: f64,
        progress: &mut dyn Progress,
    ) -> Result<Found> {
        self.check()?;
        let Self { cost: _, tolerance, max_iterations, source_relaxation, target_relaxation } =
            *self;
        if !(mean_cost / epsilon).is_finite() {
            let why = format!("the mean cost of a pair is {mean_cost:?}, with ε = {epsilon:?}");
            return Err(Error::Numerical { what: "entropic transport", why });
        }
        let (what, total) = ("coupling the cells".into(), max_iterations as u64);
        report(progress, Event::Begin { what, total })?;
        let masses = Both { source: source.to_vec(), target: target.to_vec() };
        let lambdas =
            [source_relaxation, target_relaxation].map(|lambda| lambda.unwrap_or(f64::INFINITY));
        let goal = Goal { tolerance, max_iterations };
        let reach = FARTHEST;
        let mut ascent = Ascent { goal, progress: &mut *progress, done: 0, damping: 0.0, reach };
        let found = ascent.run(kernel_at, &masses, lambdas, mean_cost, epsilon)?;
        report(progress, Event::End)?;
        Ok(found)
    }

    /// The report: marginal errors, number of iterations and the dual value.
    pub(super) fn report(&self, found: &Found) -> FitReport {
        let source_error: f64 = found.errors.source.iter().sum();
        let target_error: f64 = found.errors.target.iter().sum();
        let solved = source_error.max(target_error) <= self.tolerance;
        FitReport {
            stop: if solved { Stop::Converged } else { Stop::MaxIterations },
            iterations: found.iterations,
            objective: -found.value,
            start_objective: -found.start_value,
            details: vec![
                ("source_error".into(), source_error),
                ("target_error".into(), target_error),
                ("kept_pairs".into(), found.n_pairs as f64),
            ],
        }
    }
}

/// The points that are subtracted from the coordinates of source and target.
///
/// If both marginals are kept, each snapshot is centred at its mean. Coupling and drift are
/// equivariant under shifts, and no digits are lost to cancellation. A relaxed coupling depends on
/// the distance between the snapshots, so both are centred at the mean of the target.
pub(super) fn centres(
    source: &Snapshot,
    target: &Snapshot,
    relaxed: bool,
) -> (Array1<f64>, Array1<f64>) {
    let mean = |points: ArrayView2<'_, f64>, marginal: ArrayView1<'_, f64>| marginal.dot(&points);
    let to = mean(target.points(), target.marginal());
    let from = if relaxed { to.clone() } else { mean(source.points(), source.marginal()) };
    (from, to)
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;
    use crate::bridge::Bridge;
    use crate::geometry::{Cost, Epsilon, SquaredEuclidean};
    use crate::linalg::{exact_plan, log_sum_exp};
    use crate::progress::Silent;

    const SHARP: f64 = 1e-12;

    fn solver(relaxation: (Option<f64>, Option<f64>)) -> SinkhornSolver {
        SinkhornSolver {
            tolerance: SHARP,
            source_relaxation: relaxation.0,
            target_relaxation: relaxation.1,
            ..SinkhornSolver::default()
        }
    }

    /// Cells of unequal weights.
    fn problem(n: usize, m: usize, epsilon: f64) -> BridgeProblem {
        let cells = |n: usize, f: f64, shift: f64| {
            let points = Array2::from_shape_fn((n, 3), |(i, d)| {
                (f * (1 + i * 3 + d) as f64).sin() * 1.5 + shift
            });
            let weights = (0..n).map(|i| 1.0 + (i % 4) as f64).collect();
            Snapshot::weighted(points, weights).unwrap()
        };
        let epsilon = Epsilon::new(epsilon).unwrap();
        BridgeProblem::new(cells(n, 1.3, 0.0), cells(m, 0.7, 0.5), epsilon).unwrap()
    }

    fn costs(problem: &BridgeProblem) -> Array2<f64> {
        let (x, y) = (problem.source().points(), problem.target().points());
        let mut costs = Array2::zeros((x.nrows(), y.nrows()));
        SquaredEuclidean::new(x, y).unwrap().rows(0, costs.view_mut());
        costs
    }

    /// The plan by Sinkhorn's iteration as in the textbook, all pairs in memory.
    fn direct(problem: &BridgeProblem, relaxation: (Option<f64>, Option<f64>)) -> Array2<f64> {
        let (epsilon, cost) = (problem.epsilon().value(), costs(problem));
        let tau = |lambda: Option<f64>| lambda.map_or(1.0, |lambda| lambda / (lambda + epsilon));
        let (p, q) = (problem.source().marginal(), problem.target().marginal());
        let (mut f, mut g) = (Array1::<f64>::zeros(p.len()), Array1::<f64>::zeros(q.len()));
        let best = |cost: ArrayView1<'_, f64>, other: &Array1<f64>, q: ArrayView1<'_, f64>| {
            let logs = (other - &cost) / epsilon + q.mapv(f64::ln);
            -epsilon * log_sum_exp(&logs.to_vec())
        };
        for _ in 0..20_000 {
            f = cost.rows().into_iter().map(|row| tau(relaxation.0) * best(row, &g, q)).collect();
            g = cost.columns().into_iter().map(|c| tau(relaxation.1) * best(c, &f, p)).collect();
        }
        Array2::from_shape_fn(cost.dim(), |(i, j)| {
            p[i] * q[j] * ((f[i] + g[j] - cost[[i, j]]) / epsilon).exp()
        })
    }

    /// All pairs of the bridge's plan.
    fn plan(bridge: &SinkhornBridge, shape: (usize, usize)) -> Array2<f64> {
        let mut plan = Array2::zeros(shape);
        for (i, j, mass) in bridge.coupling(0.0).unwrap().pairs() {
            plan[[i, j]] = mass;
        }
        plan
    }

    fn largest(values: &Array2<f64>) -> f64 {
        values.iter().fold(0.0, |most: f64, value| most.max(value.abs()))
    }

    #[test]
    fn the_plan_is_that_of_the_textbook_iteration_kept_and_relaxed() {
        for epsilon in [0.1, 1.0] {
            let problem = problem(25, 31, epsilon);
            for relaxation in
                [(None, None), (Some(1.0), Some(50.0)), (Some(0.5), None), (None, Some(2.0))]
            {
                let (bridge, report) = solver(relaxation).fit(&problem, &mut Silent).unwrap();
                assert_eq!(report.stop, Stop::Converged, "{relaxation:?}: {report:?}");
                let off = largest(&(plan(&bridge, (25, 31)) - direct(&problem, relaxation)));
                // Marginals are right to 1e-12 in sum.
                assert!(off < 1e-10, "{epsilon} {relaxation:?}: {off:e}");
            }
        }
    }

    #[test]
    fn the_primal_and_the_dual_value_meet() {
        for relaxation in [(None, None), (Some(0.7), Some(3.0))] {
            let problem = problem(25, 31, 0.2);
            let (bridge, report) = solver(relaxation).fit(&problem, &mut Silent).unwrap();
            let plan = plan(&bridge, (25, 31));
            let (p, q) = (problem.source().marginal(), problem.target().marginal());
            // KL with masses: Σ a ln(a/b) − a + b.
            let kl = |a: f64, b: f64| a * (a / b).ln() - a + b;
            let mut primal = (&plan * &costs(&problem)).sum();
            primal += 0.2 * plan.indexed_iter().map(|((i, j), a)| kl(*a, p[i] * q[j])).sum::<f64>();
            for (lambda, sums, wanted) in [
                (relaxation.0, plan.sum_axis(Axis(1)), p),
                (relaxation.1, plan.sum_axis(Axis(0)), q),
            ] {
                let kls: f64 = sums.iter().zip(wanted).map(|(a, b)| kl(*a, *b)).sum();
                primal += lambda.unwrap_or(0.0) * kls;
            }
            assert!((primal + report.objective).abs() < 1e-10, "{primal} {report:?}");
        }
    }

    /// A cell too far to be worth moving has no pair that matters, and still finite numbers.
    #[test]
    fn a_cell_far_from_all_others_is_left_behind_where_that_is_cheaper() {
        let mut x = Array2::from_shape_fn((40, 2), |(i, d)| ((2 * i + d) as f64).sin());
        x.row_mut(7).fill(30.0);
        let y = Array2::from_shape_fn((50, 2), |(j, d)| ((2 * j + d) as f64).cos());
        let snapshots = (Snapshot::new(x).unwrap(), Snapshot::new(y).unwrap());
        let epsilon = Epsilon::new(0.01).unwrap();
        let problem = BridgeProblem::new(snapshots.0, snapshots.1, epsilon).unwrap();
        let relaxed = SinkhornSolver {
            source_relaxation: Some(1.0),
            target_relaxation: Some(50.0),
            ..SinkhornSolver::default()
        };
        let (bridge, report) = relaxed.fit(&problem, &mut Silent).unwrap();
        assert_eq!(report.stop, Stop::Converged, "{report:?}");
        let shares = bridge.plan_marginal().unwrap();
        assert!(shares[7] < 1e-9 && shares[8] > 0.01, "{} {}", shares[7], shares[8]);
        let kept = SinkhornSolver::default().fit(&problem, &mut Silent).unwrap();
        assert_eq!(kept.1.stop, Stop::Converged, "{:?}", kept.1);
        assert!((kept.0.coupling(1e-9).unwrap().marginals().0[7] - 0.025).abs() < 1e-9);
    }

    /// One cell each: mass `m` costs `C m + (ε + λ₁ + λ₂)(m ln m − m + 1)`, least at
    /// `m = exp(−C/(ε + λ₁ + λ₂))`.
    #[test]
    fn one_cell_each_has_the_mass_that_balances_cost_and_penalties() {
        let (x, y) = (array![[0.0, 1.0]], array![[2.0, 0.0]]);
        let snapshots = (Snapshot::new(x).unwrap(), Snapshot::new(y).unwrap());
        let epsilon = Epsilon::new(0.3).unwrap();
        let problem = BridgeProblem::new(snapshots.0, snapshots.1, epsilon).unwrap();
        let (bridge, _) = solver((Some(1.5), Some(0.7))).fit(&problem, &mut Silent).unwrap();
        let mass = bridge.coupling(0.0).unwrap().kept();
        assert!((mass - (-2.5_f64 / 2.5).exp()).abs() < 1e-12, "{mass}");
        assert_eq!(bridge.plan_marginal().unwrap().to_vec(), [1.0]);
    }

    /// Two cells each, `p = (½, ½)`: with the plan `(s, ½ − s; q − s, ½ − q + s)` the ratio
    /// `P₀₀P₁₁ / P₀₁P₁₀` is `exp(−(C₀₀ + C₁₁ − C₀₁ − C₁₀)/ε)`, which is all that ε sees.
    #[test]
    fn two_cells_each_have_the_plan_of_the_quadratic_equation() {
        let source = Snapshot::new(array![[0.0], [1.0]]).unwrap();
        let target = Snapshot::weighted(array![[0.2], [1.5]], array![0.3, 0.7]).unwrap();
        let problem = BridgeProblem::new(source, target, Epsilon::new(0.4).unwrap()).unwrap();
        let (bridge, _) = solver((None, None)).fit(&problem, &mut Silent).unwrap();
        let plan = plan(&bridge, (2, 2));
        let cost = costs(&problem);
        let exponent = cost[[0, 0]] + cost[[1, 1]] - cost[[0, 1]] - cost[[1, 0]];
        let k = (-exponent / 0.4).exp();
        // s(½ − 0.3 + s) = k(½ − s)(0.3 − s).
        let (a, b, c) = (1.0 - k, 0.2 + 0.8 * k, -0.15 * k);
        let s = (-b + (b * b - 4.0 * a * c).sqrt()) / (2.0 * a);
        assert!((plan[[0, 0]] - s).abs() < 1e-12, "{} {s}", plan[[0, 0]]);
    }

    #[test]
    fn stiff_penalties_keep_marginals_and_soft_ones_leave_the_kernel() {
        let problem = problem(25, 31, 0.2);
        let kept = solver((None, None)).fit(&problem, &mut Silent).unwrap().0;
        let stiff = solver((Some(1e7), Some(1e7))).fit(&problem, &mut Silent).unwrap().0;
        let off = largest(&(plan(&kept, (25, 31)) - plan(&stiff, (25, 31))));
        assert!(off < 1e-7, "{off:e}");
        let soft = solver((Some(1e-9), Some(1e-9))).fit(&problem, &mut Silent).unwrap().0;
        let (p, q) = (problem.source().marginal(), problem.target().marginal());
        let cost = costs(&problem);
        let kernel =
            Array2::from_shape_fn((25, 31), |(i, j)| p[i] * q[j] * (-cost[[i, j]] / 0.2).exp());
        assert!(largest(&(plan(&soft, (25, 31)) - &kernel)) < 1e-8);
        let rows = kernel.sum_axis(Axis(1));
        let shares = &rows / rows.sum();
        let off = &soft.plan_marginal().unwrap() - &shares;
        assert!(off.iter().all(|off| off.abs() < 1e-7) && kept.plan_marginal().is_none());
    }

    /// `OT ≤ OT_ε ≤ OT + ε KL(exact plan | p ⊗ q) ≤ OT + ε ln(1/min p)`.
    #[test]
    fn without_noise_it_is_optimal_transport_and_with_much_it_is_independent() {
        let fine = problem(40, 50, 1e-3);
        let cost = costs(&fine);
        let (p, q) = (fine.source().marginal(), fine.target().marginal());
        let exact = exact_plan(cost.view(), p, q, &mut Silent).unwrap();
        let (bridge, report) = SinkhornSolver::default().fit(&fine, &mut Silent).unwrap();
        assert_eq!(report.stop, Stop::Converged, "{report:?}");
        let least = p.iter().fold(1.0, |least: f64, p| least.min(*p));
        let above = -report.objective - exact.cost;
        assert!((-1e-6..=1e-3 * (1.0 / least).ln()).contains(&above), "{above}");
        let spent = (&plan(&bridge, (40, 50)) * &cost).sum();
        assert!((spent - exact.cost).abs() < 1e-3 * (1.0 / least).ln());

        let coarse = problem(40, 50, 1e6);
        let (bridge, _) = solver((None, None)).fit(&coarse, &mut Silent).unwrap();
        let independent = Array2::from_shape_fn((40, 50), |(i, j)| p[i] * q[j]);
        // Costs up to 20 over ε.
        let off = plan(&bridge, (40, 50)) / &independent - 1.0;
        assert!(largest(&off) < 4e-5, "{}", largest(&off));
    }

    #[test]
    fn any_cost_is_coupled_and_half_squared_distances_give_the_same_plan() {
        let problem = problem(25, 31, 0.2);
        let (source, target) = (problem.source(), problem.target());
        let cost = SquaredEuclidean::new(source.points(), target.points()).unwrap();
        for relaxation in [(None, None), (Some(0.7), Some(3.0))] {
            let solver = solver(relaxation);
            let (p, q, epsilon) = (source.marginal(), target.marginal(), problem.epsilon());
            let coupled = solver.couple(&cost, p, q, epsilon, &mut Silent).unwrap();
            let (bridge, report) = solver.fit(&problem, &mut Silent).unwrap();
            assert!((report.objective - coupled.report().objective).abs() < 1e-10);
            let (a, b) = (bridge.coupling(1e-3).unwrap(), coupled.coupling(1e-3).unwrap());
            assert_eq!(a.n_pairs(), b.n_pairs());
            assert!(a.n_pairs() < 25 * 31 && a.kept() > 0.98 * plan(&bridge, (25, 31)).sum());
            assert!(a.pairs().zip(b.pairs()).all(|(a, b)| (a.2 - b.2).abs() < 1e-10));
            let short = target.marginal().slice_move(ndarray::s![1..]);
            let refused = solver.couple(&cost, p, short, epsilon, &mut Silent);
            assert!(refused.is_err());
        }
    }

    #[test]
    fn a_limit_of_iterations_is_kept_and_told() {
        let problem = problem(60, 50, 0.01);
        for most in [1, 2, 5, 17] {
            let solver = SinkhornSolver { max_iterations: most, ..solver((None, None)) };
            let (_, report) = solver.fit(&problem, &mut Silent).unwrap();
            assert_eq!((report.stop, report.iterations), (Stop::MaxIterations, most));
        }
        for bad in [
            SinkhornSolver { tolerance: 0.0, ..Default::default() },
            SinkhornSolver { tolerance: f64::NAN, ..Default::default() },
            SinkhornSolver { max_iterations: 0, ..Default::default() },
            SinkhornSolver { source_relaxation: Some(0.0), ..Default::default() },
            SinkhornSolver { target_relaxation: Some(f64::INFINITY), ..Default::default() },
        ] {
            assert!(bad.fit(&problem, &mut Silent).is_err(), "{bad:?}");
        }
    }
}
