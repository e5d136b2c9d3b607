//! Couplings at both ends of ε: a cheapest plan with little noise, independence with much.

use ndarray::{Array1, Array2, ArrayView2, Axis, array};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{
    Bridge, BridgeSolver, Covariance, FitReport, GaussianBridge, GaussianSolver, LightSbBridge,
    LightSbSolver, SinkhornBridge, SinkhornSolver, UnitTime,
};
use sbcell::geometry::{Cost, SquaredEuclidean};
use sbcell::linalg::exact_plan;
use sbcell::{Epsilon, Seed, Silent};

use crate::support::{centred, covariance, problem};

/// Two tilted clouds of deviations near one.
fn clouds(n: usize, m: usize) -> (Array2<f64>, Array2<f64>) {
    let normal = |n, seed| {
        let mut stream = Seed(seed).stream("limits", 0);
        Array2::from_shape_simple_fn((n, 3), || StandardNormal.sample(&mut stream))
    };
    let roots = (
        array![[1.2, 0.4, 0.0], [0.0, 0.8, -0.3], [0.0, 0.0, 1.0]],
        array![[0.9, 0.0, 0.0], [-0.5, 1.1, 0.0], [0.2, 0.3, 0.7]],
    );
    (normal(n, 1).dot(&roots.0), normal(m, 2).dot(&roots.1) + 1.0)
}

fn entropic(
    x: &Array2<f64>,
    y: &Array2<f64>,
    (epsilon, tolerance): (f64, f64),
) -> (SinkhornBridge, FitReport) {
    let solver = SinkhornSolver::default().with_tolerance(tolerance);
    let (bridge, report) = solver.fit(&problem(x, y, epsilon), &mut Silent).unwrap();
    assert!(report.stop.to_string().contains("converged"), "ε = {epsilon}: {report:?}");
    (bridge, report)
}

fn costs(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let mut costs = Array2::zeros((x.nrows(), y.nrows()));
    SquaredEuclidean::new(x.view(), y.view()).unwrap().rows(0, costs.view_mut());
    costs
}

/// `P*` is a cheapest plan and `P` the entropic one, so
///
/// ```text
/// ⟨P*, C⟩ ≤ ⟨P, C⟩ ≤ ⟨P, C⟩ + ε KL(P) ≤ ⟨P*, C⟩ + ε KL(P*),   KL(P*) ≤ ln min(n, m)
/// ```
///
/// with `KL` to the product of the marginals: it is the mutual information of the two ends, which is
/// at most the entropy of either.
#[test]
fn with_little_noise_the_entropic_plan_is_a_cheapest_one() {
    for (n, m) in [(60, 60), (50, 80)] {
        let (x, y) = clouds(n, m);
        let costs = costs(&x, &y);
        let even = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        let (p, q) = (even(n), even(m));
        let exact = exact_plan(costs.view(), p.view(), q.view(), &mut Silent).unwrap();
        let entropy = (n.min(m) as f64).ln();
        let mut last = f64::INFINITY;
        for epsilon in [1.0, 0.1, 0.01, 1e-3, 1e-4] {
            let (bridge, report) = entropic(&x, &y, (epsilon, 1e-7));
            let (mut cost, mut information) = (0.0, 0.0);
            let mut plan = Array2::<f64>::zeros((n, m));
            for (i, j, mass) in bridge.coupling(0.0).unwrap().pairs() {
                cost += mass * costs[[i, j]];
                information += mass * (mass * (n * m) as f64).ln();
                plan[[i, j]] = mass;
            }
            let moved: f64 = exact.entries.iter().map(|&(i, j, mass)| mass.min(plan[[i, j]])).sum();
            let (gap, value) = (cost - exact.cost, -report.objective);
            println!(
                "{n} × {m}, ε = {epsilon}: gap {gap:.3e} of at most {:.3e}, {moved:.4} of the plan",
                epsilon * entropy
            );
            // Marginals are kept to 1e-7, with costs of some tens.
            let slack = 1e-5;
            assert!(-slack < gap && gap < epsilon * (entropy - information) + slack);
            assert!(gap < last, "{gap} after {last}");
            assert!((value - cost - epsilon * information).abs() < slack);
            assert!(exact.cost < value + slack && value < exact.cost + epsilon * entropy + slack);
            last = gap;
            // The next best plan costs more by some δ > 0; below that the rest is exp(−δ/ε).
            assert!(epsilon > 2e-4 || (moved > 0.99 && gap < slack), "{moved} {gap}");
        }
    }
}

/// Conditional means `E[Y | X = x]` at the cells `x`.
fn ends(bridge: &dyn Bridge, x: &Array2<f64>) -> Array2<f64> {
    x + &bridge.drift(x.view(), UnitTime::START).unwrap()
}

/// Relative root mean square of a difference.
fn apart(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let square = |x: Array2<f64>| x.mapv(|v| v * v).sum();
    (square(a - b) / square(b.clone())).sqrt()
}

/// For ε → ∞ the plan is `p q (1 + x̃·ỹ/ε + O(ε⁻²))`, with `x̃`, `ỹ` centred: what is left of the
/// cost once everything that depends on one end alone is taken out is `−x̃·ỹ`.
#[test]
fn with_much_noise_the_entropic_plan_is_independent_at_the_rate_of_one_over_epsilon() {
    let (x, y) = clouds(150, 200);
    let products = centred(&x).dot(&centred(&y).t());
    let n_pairs = products.len() as f64;
    let mean_cost = costs(&x, &y).sum() / n_pairs;
    let slope = products.mapv(f64::abs).sum() / n_pairs;
    let curve = 0.5 * products.mapv(|v| v * v).sum() / n_pairs;
    for epsilon in [20.0, 200.0, 2000.0] {
        let (bridge, report) = entropic(&x, &y, (epsilon, 1e-11));
        let pairs: Vec<f64> =
            bridge.coupling(0.0).unwrap().pairs().map(|(_, _, mass)| mass).collect();
        assert_eq!(pairs.len(), products.len());
        let off: f64 = pairs.iter().map(|mass| (mass - 1.0 / n_pairs).abs()).sum();
        let (first, second) =
            (off * epsilon / slope, (mean_cost + report.objective) * epsilon / curve);
        println!(
            "ε = {epsilon}: {off:.2e} from independence, {first:.4} and {second:.4} of the rates"
        );
        // The terms that follow are smaller by x̃·ỹ/ε, whose largest values are near ten.
        assert!((first - 1.0).abs() < 10.0 / epsilon, "{first}");
        // The value is mean cost − rate/ε; its digits end at 1e-11 times ε.
        assert!((second - 1.0).abs() < 10.0 / epsilon + 1e-9 * epsilon, "{second}");
    }
}

/// From the same expansion `E[Y | X = x] = ȳ + Cov(y) x̃/ε + O(ε⁻²)`, for every law.
#[test]
fn with_much_noise_every_solver_forgets_where_a_cell_came_from_at_the_same_rate() {
    let (x, y) = clouds(600, 700);
    let expected = centred(&x).dot(&covariance(&y, &y));
    let solvers: [(&str, Box<dyn BridgeSolver>); 3] = [
        ("sinkhorn", Box::new(SinkhornSolver::default().with_tolerance(1e-10))),
        ("lightsb", Box::new(LightSbSolver::default())),
        ("gaussian", Box::new(GaussianSolver::default())),
    ];
    for (name, solver) in solvers {
        for epsilon in [20.0, 200.0] {
            let problem = problem(&x, &y, epsilon);
            let bridge = solver.solve(&problem, Seed(0), &mut Silent).unwrap().0;
            let moved = (ends(&*bridge, &x) - y.mean_axis(Axis(0)).unwrap()) * epsilon;
            let off = apart(&moved, &expected);
            println!("{name}, ε = {epsilon}: {off:.5} off the rate");
            // The next term is of relative size third moments/ε, with moments of a few.
            assert!(off < 4.0 / epsilon, "{name}, ε = {epsilon}: {off}");
        }
    }
}

/// `T(x) = m₁ + A^{−½}(A^½ B A^½)^½ A^{−½} (x − m₀)` and, with noise, `T(x) − (ε/2) A⁻¹ (x − m₀)` up
/// to `O(ε²)`.
#[test]
fn with_little_noise_gaussian_and_lightsb_are_the_map_between_gaussians() {
    let (x, y) = clouds(600, 700);
    let (a, b) = (covariance(&x, &x), covariance(&y, &y));
    let map = GaussianBridge::between(
        Array1::zeros(3).view(),
        a.view(),
        Array1::zeros(3).view(),
        b.view(),
        Epsilon::new(1e-12).unwrap(),
    );
    let map = map.unwrap().slope().to_owned();
    // It is symmetric and carries one covariance to the other.
    assert!(apart(&map.dot(&a).dot(&map), &b) < 1e-9);
    let expected = centred(&x).dot(&map);
    // Where LightSB chooses this size, it shrinks the covariances.
    let one = LightSbSolver::default()
        .with_n_gaussians(1.into())
        .with_covariance(Covariance::Full.into());
    let solvers: [(&str, Box<dyn BridgeSolver>); 2] =
        [("lightsb", Box::new(one)), ("gaussian", Box::new(GaussianSolver::default()))];
    for (name, solver) in solvers {
        let mut last = None;
        for epsilon in [0.1, 0.01, 0.001] {
            let problem = problem(&x, &y, epsilon);
            let bridge = solver.solve(&problem, Seed(0), &mut Silent).unwrap().0;
            let moved = ends(&*bridge, &x) - y.mean_axis(Axis(0)).unwrap();
            let off = apart(&moved, &expected);
            println!("{name}, ε = {epsilon}: {off:.2e} off the map");
            if let Some(last) = last {
                // A tenth of ε, a tenth of the error, up to the second order.
                let ratio: f64 = last / off;
                assert!((ratio - 10.0).abs() < 1.0, "{name}, ε = {epsilon}: {off} after {last}");
            }
            last = Some(off);
        }
    }
}

#[test]
fn the_slope_in_one_dimension_has_both_limits() {
    let (a, b) = (1.7, 0.4);
    let (origin, variance) = (array![0.0], |v: f64| array![[v]]);
    let slope = |jacobian: Array2<f64>| 1.0 + jacobian[[0, 0]];
    for epsilon in [1e-4, 1e-2, 1.0, 1e2, 1e4] {
        let (a_matrix, b_matrix) = (variance(a), variance(b));
        let ends = ((origin.view(), a_matrix.view()), (origin.view(), b_matrix.view()));
        let noise = Epsilon::new(epsilon).unwrap();
        let at_start = |bridge: &dyn Bridge| {
            let x: ArrayView2<'_, f64> = a_matrix.view();
            slope(bridge.mean_jacobian(x, UnitTime::START).unwrap())
        };
        let expected = 2.0 * b / (epsilon + f64::sqrt(epsilon * epsilon + 4.0 * a * b));
        for found in [
            at_start(
                &GaussianBridge::between(ends.0.0, ends.0.1, ends.1.0, ends.1.1, noise).unwrap(),
            ),
            at_start(
                &LightSbBridge::between(ends.0.0, ends.0.1, ends.1.0, ends.1.1, noise).unwrap(),
            ),
        ] {
            // One minus numbers of size one leaves 1e-16, of a slope of b/ε.
            assert!((found / expected - 1.0).abs() < 1e-14 * (1.0 + epsilon / b), "{epsilon}");
            let small = f64::sqrt(b / a) - epsilon / (2.0 * a);
            assert!(epsilon > 0.1 || (found - small).abs() < epsilon * epsilon);
            assert!(epsilon < 10.0 || (found * epsilon / b - 1.0).abs() < 2.0 * a * b / epsilon);
        }
    }
}
