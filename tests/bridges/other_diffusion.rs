//! A process whose diffusion is not that of its reference: which populations, and which ancestors.

use ndarray::{Array2, array};
use sbcell::bridge::{
    Bridge, Diffusion, FromCells, GaussianBridge, SinkhornSolver, UnitTime, Way, simulate_schedule,
};
use sbcell::{Epsilon, Seed, Silent};

use crate::support::{at, covariance, normal, problem};

const EPSILON: f64 = 0.4;
const VARIANCES: [f64; 2] = [0.8, 1.7];

/// The bridge between two normal laws around zero for a reference of variance `epsilon`.
fn bridge(epsilon: f64) -> GaussianBridge {
    let (zero, [a, b]) = (array![0.0], VARIANCES.map(|v| array![[v]]));
    let epsilon = Epsilon::new(epsilon).unwrap();
    GaussianBridge::between(zero.view(), a.view(), zero.view(), b.view(), epsilon).unwrap()
}

/// Cells of the source, and of the simulation of the bridge for ε at local time t.
fn simulated(diffusion: f64, t: f64) -> [Array2<f64>; 2] {
    let x = normal(40_000, 1, 1) * VARIANCES[0].sqrt();
    let span = [UnitTime::START, at(t)];
    let diffusion = Diffusion::from(diffusion);
    let y = simulate_schedule(&bridge(EPSILON), x.view(), span, &diffusion, 100, Seed(2)).unwrap();
    [x, y]
}

/// With the diffusion g the populations remain those of the reference for ε. They are not those of
/// the bridge for the reference of g² ε, which is another process.
#[test]
fn another_diffusion_keeps_the_populations_of_its_reference() {
    for g in [0.0, 0.5, 2.0, 3.0] {
        let variance = simulated(g, 0.5)[1].var(0.0);
        let kept = bridge(EPSILON).covariance(at(0.5))[[0, 0]];
        let other = bridge((g * g * EPSILON).max(1e-9)).covariance(at(0.5))[[0, 0]];
        println!("g = {g}: {variance:.3}, {kept:.3} for ε, {other:.3} for g² ε");
        // Five standard errors of a variance, 0.7 %.
        assert!((variance / kept - 1.0).abs() < 0.04);
        // With little noise the variance at the middle hardly depends on it.
        assert!(g < 1.0 || other / kept > 1.05);
    }
}

/// What changes is the correlation of a cell with its origin: `Cov(X₀, X_t) = v(0) exp ∫ a`, where
/// the slope a of the drift is `(v' − g² ε)/2v`, as `v' = 2 a v + g² ε` for a linear drift.
#[test]
fn more_diffusion_forgets_the_origin() {
    let (own, step) = (bridge(EPSILON), 1e-4);
    let v = |t: f64| own.covariance(at(t))[[0, 0]];
    let mut last = f64::INFINITY;
    for g in [0.0, 0.5, 1.0, 2.0, 3.0] {
        let slopes = (0..5000).map(|i| {
            let t = step * (f64::from(i) + 0.5);
            let growth = (v(t + 0.5 * step) - v(t - 0.5 * step)) / step;
            0.5 * (growth - g * g * EPSILON) / v(t)
        });
        let wanted = VARIANCES[0] * (slopes.sum::<f64>() * step).exp();
        let [x, y] = simulated(g, 0.5);
        let found = covariance(&x, &y)[[0, 0]];
        println!("g = {g}: covariance with the origin {found:.3}, derived {wanted:.3}");
        // Five standard errors of a covariance of 40 000 draws of variance near one.
        assert!((found - wanted).abs() < 0.03, "{found} {wanted}");
        assert!(wanted < last);
        last = wanted;
        if (g - 1.0).abs() < 1e-12 {
            let bridge = own.cross_covariance(UnitTime::START, at(0.5))[[0, 0]];
            assert!((wanted - bridge).abs() < 1e-3, "{wanted} {bridge}");
        }
    }
}

/// The same for a bridge that is known by its cells: populations at the middle have one variance,
/// whatever the diffusion on the way.
#[test]
fn schedules_of_a_coupling_of_cells_keep_its_population() {
    let (source, target) = (normal(150, 1, 3), normal(150, 1, 4) * 1.3 + 2.0);
    let problem = problem(&source, &target, EPSILON);
    let (own, _) = SinkhornSolver::default().fit(&problem, &mut Silent).unwrap();
    let ends = FromCells { bridge: &own, source: problem.source(), target: problem.target() };
    let rows: Vec<usize> = (0..15_000).map(|i| i % 150).collect();
    let exact = own.population(problem.source(), at(0.5), 15_000, Seed(5)).unwrap();
    let line = Diffusion::Linear { start: 0.0, end: 2.0 };
    let table = Diffusion::Table(vec![[0.2, 1.5], [0.5, 0.0]]);
    for (diffusion, backward) in
        [(line.clone(), false), (line, true), (table.clone(), false), (table, true)]
    {
        let way = Way { rows: &rows, to: at(0.5), backward };
        let y = ends.follow_schedule(way, &diffusion, 100, Seed(6)).unwrap();
        let off = (y.mean().unwrap() - exact.mean().unwrap()).abs();
        let ratio = y.var(0.0) / exact.var(0.0);
        println!("{diffusion}, backward {backward}: mean off by {off:.3}, variance {ratio:.3}");
        // Two standard errors of 15 000 draws are 0.02 and 2 %; and steps.
        assert!(off < 0.06 && (ratio - 1.0).abs() < 0.06, "{off} {ratio}");
    }
}
