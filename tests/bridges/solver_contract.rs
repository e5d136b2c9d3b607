//! What every `BridgeSolver` promises, whatever it does inside.

use std::ops::ControlFlow;
use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView2, Axis, array, concatenate, s};
use rand::Rng;
use sbcell::bridge::{
    Bridge, BridgeProblem, BridgeRecord, BridgeSolver, Choice, Covariance, DsbmSolver, FitReport,
    FlowNetworks, FlowSolver, GaussianSolver, LightSbSolver, Mass, Member, OtSolver, OuSolver,
    SinkhornSolver, SplineSolver, UnitTime, euler_maruyama,
};
use sbcell::data::Snapshot;
use sbcell::geometry::{CostChoice, CostKind};
use sbcell::progress::{Event, Progress};
use sbcell::{Epsilon, Error, Seed, Silent};

use crate::support::{at, moments, normal, problem};

fn solvers() -> Vec<(&'static str, Box<dyn BridgeSolver>)> {
    let lightsb = |n_gaussians: usize, covariance: Covariance| {
        // Full matrices have flat directions: the same minimum is met to as many digits only if
        // the descent goes on for longer.
        let tolerance = if covariance == Covariance::Full { 1e-6 } else { 1e-3 };
        let (n_gaussians, covariance) = (n_gaussians.into(), covariance.into());
        let solver = LightSbSolver::default()
            .with_n_gaussians(n_gaussians)
            .with_covariance(covariance)
            .with_tolerance(tolerance);
        Box::new(solver) as Box<dyn BridgeSolver>
    };
    vec![
        ("lightsb", lightsb(4, Covariance::Diagonal)),
        ("lightsb, one Gaussian", lightsb(1, Covariance::Diagonal)),
        ("lightsb, scalar", lightsb(4, Covariance::Scalar)),
        ("lightsb, full", lightsb(4, Covariance::Full)),
        ("lightsb, one full Gaussian", lightsb(1, Covariance::Full)),
        ("lightsb, its own choice", Box::new(LightSbSolver::default())),
        ("gaussian", Box::new(GaussianSolver::default())),
        ("sinkhorn", Box::new(SinkhornSolver::default())),
        ("sinkhorn, shortest paths", Box::new(along_the_data())),
        ("sf2m", Box::new(small_flow(FlowSolver::sf2m()).with_n_layers(2))),
        ("ot-cfm", Box::new(small_flow(FlowSolver::ot_cfm()))),
        ("dsbm", Box::new(small_iterated())),
        ("ot", Box::new(OtSolver::default())),
        ("spline", Box::new(spline(0.0))),
        ("spline, noise given back", Box::new(spline(10.0))),
        ("ou, lightsb", pulled(Arc::from(lightsb(4, Covariance::Diagonal)), PULL)),
        ("ou, sinkhorn", pulled(Arc::new(SinkhornSolver::default()), PULL)),
        ("ou that repels, gaussian", pulled(Arc::new(GaussianSolver::default()), -PULL)),
    ]
}

/// Exact pairs and relaxed ones, every earlier cell with its weight.
fn spline(noise_back: f64) -> SplineSolver {
    let member = |relaxation| Member { relaxation, momentum: 1.0 };
    let members = vec![member(None), member(Some(5.0))];
    SplineSolver::default().with_members(members).with_mass(Mass::Kept).with_noise_back(noise_back)
}

fn along_the_data() -> SinkhornSolver {
    let kind = CostKind::GeodesicPath;
    SinkhornSolver::default().with_cost(CostChoice { kind, ..CostChoice::default() })
}

/// Whether cells are paired by their distance in space alone: distances along the data change with
/// the graph of neighbours, and prices in units of the variance of all cells with that, so when
/// snapshots move apart or a cell is there twice.
fn in_space(entry: &(&str, Box<dyn BridgeSolver>)) -> bool {
    !["sinkhorn, shortest paths", "spline", "spline, noise given back"].contains(&entry.0)
}

/// The pull of the references that are not Brownian.
const PULL: f64 = 0.8;

fn pulled(inner: Arc<dyn BridgeSolver>, pull: f64) -> Box<dyn BridgeSolver> {
    Box::new(OuSolver { inner, pull, centre: Choice::Auto })
}

/// The pull of a solver's reference to the middle between the means of both snapshots.
fn pull(name: &str) -> f64 {
    match name {
        "ou, lightsb" | "ou, sinkhorn" => PULL,
        "ou that repels, gaussian" => -PULL,
        _ => 0.0,
    }
}

/// The shares of the start and of the end in the mean at `t` of the reference pinned at both, and
/// their derivatives: `sinh(b(1−t))/sinh b` and `sinh(bt)/sinh b`, which for `b → 0` are `1−t` and
/// `t`.
fn pinned(pull: f64, t: f64) -> [(f64, f64); 2] {
    if pull == 0.0 {
        return [(1.0 - t, t), (-1.0, 1.0)];
    }
    let (b, s) = (pull, pull.sinh());
    let places = ((b * (1.0 - t)).sinh() / s, (b * t).sinh() / s);
    [places, (-b * (b * (1.0 - t)).cosh() / s, b * (b * t).cosh() / s)]
}

fn mean(cells: &Array2<f64>) -> Array1<f64> {
    cells.mean_axis(Axis(0)).unwrap()
}

fn small_flow(plain: FlowSolver) -> FlowSolver {
    plain.with_width(16).with_batch(128).with_max_iterations(300).with_learning_rate(5e-3)
}

fn small_iterated() -> DsbmSolver {
    DsbmSolver::default()
        .with_n_projections(3)
        .with_n_pairs(600)
        .with_n_layers(2)
        .with_width(16)
        .with_batch(128)
        .with_max_iterations(150)
        .with_learning_rate(5e-3)
}

/// Whether a solver trains on random draws. Where a symmetry of the problem gives other draws (or
/// the same in other digits), it promises the same field in law only.
fn is_trained(name: &str) -> bool {
    ["sf2m", "ot-cfm", "dsbm"].contains(&name)
}

/// How far drifts may be apart, in units of the largest: `exact` where a solver has no draws of its
/// own; otherwise what two short trainings with different seeds were measured to differ by, with a
/// margin.
fn within(name: &str, exact: f64) -> f64 {
    if is_trained(name) { 0.5 } else { exact }
}

/// The record of a bridge as text and back, with what is kept in a file of its own.
fn written_and_read(bridge: &dyn Bridge) -> BridgeRecord {
    let text = serde_json::to_string(&bridge.record()).unwrap();
    let mut record: BridgeRecord = serde_json::from_str(&text).unwrap();
    if let (BridgeRecord::Flow(read), BridgeRecord::Flow(own)) = (&mut record, bridge.record()) {
        assert!(read.networks.is_none());
        let bytes = own.networks.unwrap().to_bytes().unwrap();
        read.networks = Some(Arc::new(FlowNetworks::from_bytes(&bytes).unwrap()));
    }
    record
}

/// A process without noise: cells go straight to their partners. Its drift is the velocity of the
/// nearest line, wherever x is, and does not pull x to the line; and a cell with two partners has
/// one drift at the start, so that small steps of it cannot do what draws do.
fn without_noise(bridge: &dyn Bridge) -> bool {
    bridge.noise_variance() < f64::MIN_POSITIVE
}

/// Two groups of cells that part, in three dimensions.
fn cells(n: usize) -> (Array2<f64>, Array2<f64>) {
    let mut source = normal(n, 3, 1);
    let mut target = normal(n + 30, 3, 2) * 0.6;
    for mut cell in source.rows_mut() {
        cell[1] *= 0.5;
    }
    for (i, mut cell) in target.rows_mut().into_iter().enumerate() {
        let side = if i % 3 == 0 { 2.0 } else { -1.5 };
        cell += &array![side, 1.0, 0.0];
    }
    (source, target)
}

fn example() -> BridgeProblem {
    let (source, target) = cells(200);
    problem(&source, &target, 0.5)
}

fn solve(solver: &dyn BridgeSolver, problem: &BridgeProblem) -> (Box<dyn Bridge>, FitReport) {
    solver.solve(problem, Seed(3), &mut Silent).unwrap()
}

/// The largest difference, in units of the largest entry.
fn difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let largest = |values: &Array2<f64>| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    largest(&(a - b)) / largest(b).max(1e-300)
}

fn times() -> [UnitTime; 4] {
    [UnitTime::START, at(0.3), at(0.9), UnitTime::END]
}

/// The same law up to sampling: the difference of means is a few standard errors, covariances
/// agree to `5 √(2/n)` of the product of deviations. A short training and small steps may add a
/// tenth of a deviation to either.
fn same_moments(name: &str, a: &Array2<f64>, b: &Array2<f64>) {
    let ((mean_a, cov_a), (mean_b, cov_b)) = (moments(a), moments(b));
    let n = a.nrows().min(b.nrows()) as f64;
    let slack = if is_trained(name) { 0.1 } else { 0.0 };
    for d in 0..mean_a.len() {
        let error = (2.0 * cov_a[[d, d]] / n).sqrt();
        assert!(
            (mean_a[d] - mean_b[d]).abs() < 4.5 * error + slack * cov_a[[d, d]].sqrt(),
            "{name}: {mean_a} and {mean_b}"
        );
        for e in 0..mean_a.len() {
            let scale = (cov_a[[d, d]] * cov_a[[e, e]]).sqrt();
            let off = (cov_a[[d, e]] - cov_b[[d, e]]).abs();
            assert!(off < (5.0 * (2.0 / n).sqrt() + slack) * scale, "{name}:\n{cov_a}\n{cov_b}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let problem = example();
    for (name, solver) in solvers() {
        let on_threads = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let solver = &*solver;
            let problem = &problem;
            pool.install(|| {
                let (bridge, report) = solve(solver, problem);
                let x = problem.source().points();
                let drift = bridge.drift(x, at(0.4)).unwrap();
                let jacobian = bridge.mean_jacobian(x, at(0.4)).unwrap();
                let draws = bridge.sample_transition(x, at(0.1), at(0.7), Seed(5)).unwrap();
                (bridge.record(), report, drift, jacobian, draws)
            })
        };
        let one = on_threads(1);
        assert_eq!(one, on_threads(1), "{name}");
        assert_eq!(one, on_threads(2), "{name}");
        assert_eq!(one, on_threads(3), "{name}");
    }
}

#[test]
fn another_seed_draws_other_cells() {
    for (name, solver) in solvers() {
        let problem = example();
        let (bridge, _) = solve(&*solver, &problem);
        let draw = |seed| {
            let x = problem.source().points();
            bridge.sample_transition(x, UnitTime::START, UnitTime::END, Seed(seed)).unwrap()
        };
        assert_eq!(draw(1), draw(1), "{name}");
        // Without noise only the choice between several partners is left to chance.
        assert!(draw(1) != draw(2) || without_noise(&*bridge), "{name}");
    }
}

#[test]
fn the_order_of_cells_does_not_matter() {
    let (source, target) = cells(150);
    let x = source.clone();
    let plain = problem(&source, &target, 0.5);
    let reversed = |cells: &Array2<f64>| cells.slice(s![..;-1, ..]).to_owned();
    let turned = problem(&reversed(&source), &reversed(&target), 0.5);
    for (name, solver) in solvers() {
        let (a, _) = solve(&*solver, &plain);
        let (b, _) = solve(&*solver, &turned);
        for t in times() {
            let (a, b) = (a.drift(x.view(), t).unwrap(), b.drift(x.view(), t).unwrap());
            // Sums in another order differ in the last digits, and a descent that stops by a
            // tolerance multiplies that.
            assert!(difference(&a, &b) < within(name, 1e-6), "{name}: {:e}", difference(&a, &b));
        }
    }
}

#[test]
fn weight_two_is_the_cell_twice_and_weight_zero_is_no_cell() {
    let (source, target) = cells(120);
    let x = source.clone();
    let epsilon = Epsilon::new(0.5).unwrap();
    let twice = |cells: &Array2<f64>| {
        concatenate(Axis(0), &[cells.view(), cells.slice(s![..40, ..])]).unwrap()
    };
    let copied = problem(&twice(&source), &twice(&target), 0.5);
    let weighted = |cells: &Array2<f64>| {
        let absent = Array2::from_elem((5, 3), 7.0);
        let weights = (0..cells.nrows() + 5).map(|i| match i {
            i if i < 40 => 2.0,
            i if i < cells.nrows() => 1.0,
            _ => 0.0,
        });
        let points = concatenate(Axis(0), &[cells.view(), absent.view()]).unwrap();
        Snapshot::weighted(points, weights.collect()).unwrap()
    };
    let weighted = BridgeProblem::new(weighted(&source), weighted(&target), epsilon).unwrap();
    for (name, solver) in solvers().into_iter().filter(in_space) {
        let (a, _) = solve(&*solver, &copied);
        let (b, _) = solve(&*solver, &weighted);
        for t in times() {
            let (a, b) = (a.drift(x.view(), t).unwrap(), b.drift(x.view(), t).unwrap());
            // The sums are cut into chunks elsewhere, and a descent that stops by a tolerance
            // multiplies the last digits.
            assert!(difference(&a, &b) < within(name, 1e-3), "{name}: {:e}", difference(&a, &b));
        }
    }
}

#[test]
fn moving_each_snapshot_moves_the_bridge_with_it() {
    let (source, target) = cells(150);
    let x = source.clone();
    let plain = problem(&source, &target, 0.5);
    let (from, to) = (array![100.0, -50.0, 3.0], array![101.0, -48.0, 3.0]);
    let moved = problem(&(source + &from), &(target + &to), 0.5);
    for (name, solver) in solvers().into_iter().filter(in_space) {
        let (a, _) = solve(&*solver, &plain);
        let (b, _) = solve(&*solver, &moved);
        for t in times() {
            let [(start, end), (leaves, comes)] = pinned(pull(name), t.value());
            // The centre of a pull moves by the mean of both.
            let middle = (&from + &to) * 0.5;
            let place = &x + &(&from * start + &to * end + &middle * (1.0 - start - end));
            let moving = &from * leaves + &to * comes - &middle * (leaves + comes);
            let a = a.drift(x.view(), t).unwrap() + &moving;
            let b = b.drift(place.view(), t).unwrap();
            // Cells a hundred units away have lost two digits before we see them.
            assert!(difference(&a, &b) < within(name, 1e-5), "{name}: {:e}", difference(&a, &b));
        }
    }
}

#[test]
fn scaling_space_and_epsilon_scales_the_drift() {
    let (source, target) = cells(150);
    let plain = problem(&source, &target, 0.5);
    let scaled = problem(&(&source * 30.0), &(&target * 30.0), 450.0);
    for (name, solver) in solvers() {
        let (a, _) = solve(&*solver, &plain);
        let (b, _) = solve(&*solver, &scaled);
        for t in times() {
            let a = a.drift(source.view(), t).unwrap() * 30.0;
            let b = b.drift((&source * 30.0).view(), t).unwrap();
            assert!(difference(&a, &b) < within(name, 1e-6), "{name}: {:e}", difference(&a, &b));
        }
    }
}

#[test]
fn to_one_target_cell_it_is_a_brownian_bridge() {
    let (source, _) = cells(60);
    let end = array![[2.0, 1.0, 0.5]];
    let problem = problem(&source, &end, 0.5);
    for (name, solver) in solvers() {
        let (bridge, _) = solve(&*solver, &problem);
        let inside: &[f64] = if without_noise(&*bridge) { &[0.0] } else { &[0.0, 0.5, 0.9] };
        for &t in inside {
            let drift = bridge.drift(source.view(), at(t)).unwrap();
            // The derivative of the pinned mean at the start of what is left.
            let middle = (mean(&source) + end.row(0)) * 0.5;
            let left = 1.0 - t;
            let (leaves, comes) = pinned(pull(name) * left, 0.0)[1];
            let off = (&source - &middle) * leaves + (&end.row(0) - &middle) * comes;
            let expected = off / left;
            // A Gaussian of variance φ ε (φ = 1e-4) at the end pulls weaker by the share
            // φ t / (1 − t + φ t), and by φ at t = 0.
            let limit = within(name, 2e-3);
            assert!(difference(&drift, &expected) < limit, "{name} at {t}");
        }
        let draws =
            bridge.sample_transition(source.view(), UnitTime::START, UnitTime::END, Seed(1));
        let far = (&draws.unwrap() - &end).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        // The last of 50 steps leaves noise of deviation √(0.5 / 50), with 180 numbers drawn.
        let limit = if is_trained(name) { 0.6 } else { 0.05 };
        assert!(far < limit, "{name}: {far}");
    }
}

#[test]
fn degenerate_snapshots_are_solved() {
    let line = Array2::from_shape_fn((7, 1), |(i, _)| i as f64);
    let same = Array2::from_elem((9, 2), 4.0);
    let flat = Array2::from_shape_fn((30, 2), |(i, d)| if d == 0 { i as f64 } else { 1.0 });
    let pairs = [
        (array![[0.0, 1.0]], array![[3.0, 1.0]]),
        (same.clone(), same.clone()),
        (same.clone(), flat.clone()),
        (flat.clone(), same),
        (flat.clone(), flat),
        (line.clone(), array![[1.0], [1.0], [5.0]]),
        (line.clone(), Array2::from_shape_fn((90, 1), |(i, _)| if i < 30 { 5.0 } else { 1.0 })),
        (array![[2.0]], line),
    ];
    for (source, target) in pairs {
        for epsilon in [1e-3, 1.0, 1e3] {
            let problem = problem(&source, &target, epsilon);
            for (name, solver) in solvers() {
                let (bridge, report) = solve(&*solver, &problem);
                assert!(report.objective.is_finite(), "{name}: {report:?}");
                let n_gaussians = report.detail("n_gaussians").unwrap_or(0.0);
                assert!(n_gaussians <= target.nrows() as f64, "{name}: {report:?}");
                for t in times() {
                    let drift = bridge.drift(source.view(), t).unwrap();
                    let jacobian = bridge.mean_jacobian(source.view(), t).unwrap();
                    let draws =
                        bridge.sample_transition(source.view(), t, UnitTime::END, Seed(1)).unwrap();
                    let all = drift.iter().chain(&jacobian).chain(&draws);
                    assert!(all.into_iter().all(|v| v.is_finite()), "{name} at {t:?}");
                }
            }
        }
    }
}

#[test]
fn the_objective_never_ends_above_its_start() {
    for epsilon in [0.05, 0.5, 5.0] {
        let (source, target) = cells(200);
        let problem = problem(&source, &target, epsilon);
        for (name, solver) in solvers() {
            let (_, report) = solve(&*solver, &problem);
            assert!(report.objective <= report.start_objective, "{name}: {report:?}");
            if let (Some(live), Some(all)) = (report.detail("n_live"), report.detail("n_gaussians"))
            {
                assert!(0.0 < live && live <= all, "{name}: {report:?}");
            }
        }
    }
}

/// Lets `left` events pass and breaks at the next; keeps the steps of the last piece of work.
struct StopAfter {
    left: usize,
    begun: u64,
    steps: Vec<u64>,
}

impl Progress for StopAfter {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { total, .. } => {
                self.begun = *total;
                self.steps.clear();
            }
            Event::Step { done } => self.steps.push(*done),
            _ => (),
        }
        if self.left == 0 {
            return ControlFlow::Break(());
        }
        self.left -= 1;
        ControlFlow::Continue(())
    }
}

#[test]
fn stops_when_asked_and_counts_its_steps() {
    for (name, solver) in solvers() {
        for left in [0, 1, 3] {
            let mut progress = StopAfter { left, begun: 0, steps: Vec::new() };
            let answer = solver.solve(&example(), Seed(0), &mut progress);
            assert!(matches!(answer, Err(Error::Cancelled)) || left > 1, "{name} after {left}");
        }
        let mut progress = StopAfter { left: usize::MAX, begun: 0, steps: Vec::new() };
        let (_, report) = solver.solve(&example(), Seed(0), &mut progress).unwrap();
        assert_eq!(progress.steps.last().copied().unwrap_or(0), report.iterations as u64, "{name}");
        let within = report.iterations as u64 <= progress.begun;
        assert!(progress.steps.is_sorted() && within, "{name}: {:?}", progress.steps);
    }
}

#[test]
fn a_limit_of_iterations_is_kept_and_reported() {
    let solver = LightSbSolver::default().with_max_iterations(2).with_tolerance(0.0);
    let (_, report) = solve(&solver, &example());
    assert_eq!((report.iterations, report.stop), (2, sbcell::bridge::Stop::MaxIterations));
}

#[test]
fn refuses_parameters_out_of_range_and_arrays_of_the_wrong_shape() {
    let plain = LightSbSolver::default;
    for bad in [
        plain().with_n_gaussians(Choice::Is(0)),
        plain().with_max_iterations(0),
        plain().with_n_coupled(0),
        plain().with_tolerance(f64::NAN),
        plain().with_tolerance(-1.0),
        plain().with_min_spread(0.0),
        plain().with_min_spread(f64::NAN),
    ] {
        let answer = bad.solve(&example(), Seed(0), &mut Silent);
        assert!(matches!(answer, Err(Error::Parameter { .. })), "{bad:?}");
    }
    for (name, solver) in solvers() {
        let (bridge, _) = solve(&*solver, &example());
        let narrow = Array2::zeros((4, 2));
        let (x, t) = (narrow.view(), UnitTime::START);
        assert!(matches!(bridge.drift(x, t), Err(Error::Shape { .. })), "{name}");
        assert!(matches!(bridge.mean_jacobian(x, t), Err(Error::Shape { .. })), "{name}");
        assert!(bridge.sample_transition(x, t, t, Seed(0)).is_err(), "{name}");
        let x = Array2::zeros((4, 3));
        let backwards = bridge.sample_transition(x.view(), at(0.5), at(0.4), Seed(0));
        assert!(matches!(backwards, Err(Error::Parameter { .. })), "{name}");
    }
}

#[test]
fn a_record_written_and_read_gives_the_same_bits() {
    for (name, solver) in solvers() {
        let problem = example();
        let (bridge, _) = solve(&*solver, &problem);
        let record = written_and_read(&*bridge);
        assert_eq!(record, bridge.record(), "{name}");
        let restored = record.restore(problem.source(), problem.target()).unwrap();
        let x = problem.source().points();
        for t in times() {
            assert_eq!(restored.drift(x, t).unwrap(), bridge.drift(x, t).unwrap(), "{name}");
        }
        assert_eq!((restored.dim(), restored.epsilon()), (bridge.dim(), bridge.epsilon()));
    }
}

#[test]
fn two_transitions_are_one_and_agree_with_many_small_steps() {
    // Bridges of a plan that is not that of the cost in space are not Markov; `plan_bridge.rs` has
    // their law in small steps.
    for (name, solver) in solvers().into_iter().filter(in_space) {
        let problem = example();
        let (bridge, _) = solve(&*solver, &problem);
        let n = 8_000;
        let x = many(problem.source().points(), n);
        let (start, half, end) = (UnitTime::START, at(0.45), UnitTime::END);
        let whole = bridge.sample_transition(x.view(), start, end, Seed(1)).unwrap();
        let first = bridge.sample_transition(x.view(), start, half, Seed(2)).unwrap();
        let second = bridge.sample_transition(first.view(), half, end, Seed(3)).unwrap();
        same_moments(name, &whole, &second);
        if !without_noise(&*bridge) {
            let steps = euler_maruyama(&*bridge, x.view(), start, half, 100, Seed(4)).unwrap();
            same_moments(name, &first, &steps);
        }
        let steps = euler_maruyama(&*bridge, first.view(), half, end, 200, Seed(5)).unwrap();
        same_moments(name, &second, &steps);
        let still = bridge.sample_transition(x.view(), half, half, Seed(6)).unwrap();
        assert_eq!(still, x, "{name}");
    }
}

fn many(points: ArrayView2<'_, f64>, n: usize) -> Array2<f64> {
    let mut stream = Seed(8).stream("test/many", 0);
    let n_cells = points.nrows() as u64;
    let rows: Vec<usize> = (0..n).map(|_| (stream.next_u64() % n_cells) as usize).collect();
    points.select(Axis(0), &rows)
}

#[test]
fn the_end_of_a_gaussian_pair_has_the_moments_of_the_target() {
    let source = normal(1500, 2, 11) * &array![1.0, 2.0] + &array![1.0, 0.0];
    let target = normal(1500, 2, 12) * &array![0.5, 1.5] + &array![-1.0, 3.0];
    let problem = problem(&source, &target, 0.4);
    // A few round Gaussians cannot be one that is not round.
    let can = |entry: &(&str, _)| entry.0 != "lightsb, scalar";
    for (name, solver) in solvers().into_iter().filter(can) {
        let (bridge, _) = solve(&*solver, &problem);
        let (start, end) = (UnitTime::START, UnitTime::END);
        let draws = bridge.sample_transition(source.view(), start, end, Seed(1)).unwrap();
        same_moments(name, &draws, &target);
    }
}

#[test]
fn the_jacobian_is_the_derivative_of_the_drift() {
    let (source, _) = cells(40);
    let step = 1e-5;
    for (name, solver) in solvers() {
        let (bridge, _) = solve(&*solver, &example());
        for t in times() {
            let jacobian = bridge.mean_jacobian(source.view(), t).unwrap();
            let mut expected = Array2::zeros((3, 3));
            for d in 0..3 {
                let mut shift = Array1::zeros(3);
                shift[d] = step;
                let ahead = bridge.drift((&source + &shift).view(), t).unwrap();
                let behind = bridge.drift((&source - &shift).view(), t).unwrap();
                let slope = (ahead - behind).mean_axis(Axis(0)).unwrap() / (2.0 * step);
                expected.column_mut(d).assign(&slope);
            }
            // Central differences: step² of truncation, 1e-16 / step of rounding.
            assert!(difference(&jacobian, &expected) < 1e-6, "{name} at {t:?}");
        }
    }
}

#[test]
fn two_dimensions_are_enough_and_a_hundred_not_too_many() {
    for dim in [2, 100] {
        let source = normal(150, dim, 21);
        let target = normal(160, dim, 22) * 0.8 + 1.0;
        // So many dimensions are so many costs: with less noise each cell has one partner.
        let problem = problem(&source, &target, 0.5);
        let wanted = target.mean_axis(Axis(0)).unwrap();
        for (name, solver) in solvers() {
            let (bridge, _) = solve(&*solver, &problem);
            assert_eq!(bridge.dim(), dim, "{name}");
            let jacobian = bridge.mean_jacobian(source.view(), at(0.5)).unwrap();
            assert!(jacobian.iter().all(|v| v.is_finite()), "{name} in {dim}");
            let (start, end) = (UnitTime::START, UnitTime::END);
            let draws = bridge.sample_transition(source.view(), start, end, Seed(1)).unwrap();
            // Means of 150 draws: 0.8/√150 each, 4.5 of them for the largest of a hundred, and
            // what a short training leaves.
            let limit = if is_trained(name) { 0.8 } else { 0.3 };
            let off = (&draws.mean_axis(Axis(0)).unwrap() - &wanted).mapv(f64::abs);
            let largest = off.iter().fold(0.0, |m: f64, v| m.max(*v));
            assert!(largest < limit, "{name} in {dim}: {largest}");
        }
    }
}
