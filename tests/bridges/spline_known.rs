//! Splines on courses whose paths, growth and width between the snapshots are known.

use ndarray::{Array1, Array2, Axis, array, concatenate, s};
use sbcell::bridge::{
    Bridge, BridgeSolver, Course, CourseSolver, Mass, Member, OtSolver, SplineSolver, UnitTime,
    Width,
};
use sbcell::data::Snapshot;
use sbcell::metrics::energy_distance;
use sbcell::{Error, Seed, Silent};

use crate::support::{at, normal, problem};

fn course(times: &[f64], snapshots: &[Array2<f64>]) -> Course {
    let problems = snapshots.windows(2).map(|ends| problem(&ends[0], &ends[1], 0.05));
    Course::new(times.to_vec(), problems.collect()).unwrap()
}

fn solver(relaxation: Option<f64>, momentum: f64, mass: Mass) -> SplineSolver {
    SplineSolver::default().with_members(vec![Member { relaxation, momentum }]).with_mass(mass)
}

/// Where the cells of an interval are half-way, each carried once.
fn middle(course: &Course, k: usize, solver: &SplineSolver) -> Array2<f64> {
    let (bridge, _) = solver.solve_one(course, k, Seed(1), &mut Silent).unwrap();
    let source = course.problems()[k].source();
    bridge.sample_transition(source.points(), UnitTime::START, at(0.5), Seed(2)).unwrap()
}

/// A small cloud carried around a circle.
fn circle(times: &[f64]) -> Vec<Array2<f64>> {
    let cloud = normal(80, 2, 3) * 0.05;
    let cloud = &cloud - &cloud.mean_axis(Axis(0)).unwrap();
    let at = |time: &f64| &cloud + &array![(0.9 * time).cos(), (0.9 * time).sin()];
    times.iter().map(at).collect()
}

#[test]
fn momentum_follows_a_circle_where_straight_lines_cut_it() {
    let times = [0.0, 1.0, 2.0, 3.0];
    let course = course(&times, &circle(&times));
    let radius = |momentum: f64| {
        let cells = middle(&course, 1, &solver(None, momentum, Mass::Kept));
        let centre = cells.mean_axis(Axis(0)).unwrap();
        centre.dot(&centre).sqrt()
    };
    // A chord of 0.9 is nearest to the middle by cos 0.45; a Catmull-Rom spline at its middle by
    // (9 cos 0.45 − cos 1.35)/8.
    assert!((radius(0.0) - 0.45_f64.cos()).abs() < 1e-3, "{}", radius(0.0));
    let spline = (9.0 * 0.45_f64.cos() - 1.35_f64.cos()) / 8.0;
    assert!((radius(1.0) - spline).abs() < 5e-3, "{} {spline}", radius(1.0));
    // The first interval has a neighbour on one side only: half of that.
    let cells = middle(&course, 0, &solver(None, 1.0, Mass::Kept));
    let centre = cells.mean_axis(Axis(0)).unwrap();
    let radius = centre.dot(&centre).sqrt();
    assert!((0.45_f64.cos() + 0.02..spline - 0.01).contains(&radius), "{radius}");
}

#[test]
fn without_momentum_relaxation_and_noise_it_is_exact_transport() {
    let times = [0.0, 1.0, 2.0];
    let course = course(&times, &[normal(60, 3, 1), normal(70, 3, 2) + 1.0, normal(50, 3, 3)]);
    let (straight, _) =
        OtSolver::default().solve(&course.problems()[1], Seed(1), &mut Silent).unwrap();
    for mass in [Mass::Kept, Mass::Relaxed] {
        let (bridge, report) =
            solver(None, 0.0, mass).solve_one(&course, 1, Seed(1), &mut Silent).unwrap();
        let x = course.problems()[1].source().points();
        let draws = |bridge: &dyn Bridge| {
            bridge.sample_transition(x, UnitTime::START, at(0.5), Seed(2)).unwrap()
        };
        let off = draws(&*bridge) - draws(&*straight);
        assert!(off.iter().all(|off| off.abs() < 1e-12));
        assert!(report.objective < report.start_objective);
        // Relaxed to the price of infinity: every cell has its weight.
        if let Some(shares) = bridge.plan_marginal() {
            assert!(shares.iter().all(|share| (share * 70.0 - 1.0).abs() < 1e-9));
        }
    }
}

/// Two types far apart that stay where they are; one goes from half of the cells to four fifths.
#[test]
fn growth_is_in_the_plan_where_it_may_be() {
    let types = |n: usize, m: usize, seed: u64| {
        let (a, b) = (normal(n, 2, seed) * 0.3, normal(m, 2, seed + 1) * 0.3 + 6.0);
        concatenate![Axis(0), a, b]
    };
    let course = course(&[0.0, 1.0], &[types(100, 100, 1), types(160, 40, 3)]);
    let solved = |mass| {
        let solver = solver(Some(0.2), 1.0, mass);
        solver.solve_one(&course, 0, Seed(1), &mut Silent).unwrap().0
    };
    let relaxed = solved(Mass::Relaxed);
    let shares = relaxed.plan_marginal().unwrap();
    let first: f64 = shares.slice(s![..100]).sum();
    // Masses of equal penalties meet between: √(½·⅘) to √(½·⅕), so two thirds.
    assert!((first - 2.0 / 3.0).abs() < 0.02, "{first}");
    assert!((relaxed.growth_by(at(0.5)) - 1.0).abs() < 1e-15);
    // No cell crosses the gap.
    let x = course.problems()[0].source().points();
    let there = relaxed.sample_transition(x, UnitTime::START, at(0.5), Seed(2)).unwrap();
    assert!(there.rows().into_iter().all(|row| row[0] < 2.0 || row[0] > 4.0));
    // Where weights are kept exact transport makes some cross.
    assert!(solved(Mass::Kept).plan_marginal().is_none());
    let straight = middle(&course, 0, &solver(None, 0.0, Mass::Kept));
    let crossing = straight.rows().into_iter().filter(|row| (2.0..4.0).contains(&row[0])).count();
    assert!(crossing >= 25, "{crossing}");
}

/// Cells that only seem to move because they are measured with noise, in thirty dimensions.
#[test]
fn what_is_to_keep_the_width_of_the_population_keeps_it() {
    let dim = 30;
    let cells = |seed: u64| {
        let mut cells = normal(250, dim, seed);
        cells.column_mut(0).mapv_inplace(|value| value * 3.0);
        cells
    };
    let (source, target) = (cells(1), cells(2) + &Array1::from_elem(dim, 0.2));
    let observed = Snapshot::new(cells(3) + &Array1::from_elem(dim, 0.1)).unwrap();
    let course = course(&[0.0, 1.0], &[source, target]);
    let score = |width: Width, noise_back: f64| {
        let solver = solver(None, 0.0, Mass::Kept).with_width(width).with_noise_back(noise_back);
        let points = middle(&course, 0, &solver);
        let variance = |points: &Array2<f64>| points.var_axis(Axis(0), 1.0).sum();
        let ratio = variance(&points) / variance(&observed.points().to_owned());
        (ratio, energy_distance(&Snapshot::new(points).unwrap(), &observed).unwrap().value)
    };
    let narrow = score(Width::Noise, 0.0);
    assert!(narrow.0 < 0.8, "{narrow:?}");
    for (width, noise_back) in [(Width::Noise, 1.0), (Width::Ends, 0.0), (Width::Map, 0.0)] {
        let whole = score(width, noise_back);
        assert!((0.9..1.1).contains(&whole.0), "{width:?}: {narrow:?} {whole:?}");
        assert!(whole.1 < 0.5 * narrow.1, "{width:?}: {narrow:?} {whole:?}");
    }
}

/// Cells on a sheet that is bent between the snapshots' ends: drawn to the data the way bends too.
#[test]
fn pulled_to_the_data_paths_stay_near_a_bent_sheet() {
    let arc = |from: f64, to: f64, n: usize, seed: u64| {
        let noise = normal(n, 2, seed) * 0.01;
        Array2::from_shape_fn((n, 2), |(i, d)| {
            let angle = from + (to - from) * i as f64 / n as f64;
            (if d == 0 { angle.cos() } else { angle.sin() }) + noise[[i, d]]
        })
    };
    // Both snapshots cover the arc, one more to the left, one more to the right.
    let (source, target) = (arc(0.0, 1.5, 200, 1), arc(0.8, 2.3, 200, 2));
    let course = course(&[0.0, 1.0], &[source, target]);
    let off = |pull: f64| {
        let solver = solver(None, 0.0, Mass::Kept).with_pull(pull).with_pull_width(5.0);
        let radius = middle(&course, 0, &solver).map_axis(Axis(1), |row| row.dot(&row).sqrt());
        (radius - 1.0).mapv(f64::abs).mean().unwrap()
    };
    assert!(off(0.0) > 0.05 && off(1.0) < 0.3 * off(0.0), "{} {}", off(0.0), off(1.0));
}

/// A mixture has the pairs of its members, half the mass each, and their curves.
#[test]
fn members_are_mixed_in_equal_shares() {
    let times = [0.0, 1.0, 2.0, 3.0];
    let course = course(&times, &circle(&times));
    let member = |momentum| Member { relaxation: None, momentum };
    let mixed = solver(None, 0.0, Mass::Kept).with_members(vec![member(0.0), member(1.0)]);
    let radius = |cells: &Array2<f64>| cells.map_axis(Axis(1), |row| row.dot(&row).sqrt());
    let straight = radius(&middle(&course, 1, &solver(None, 0.0, Mass::Kept)));
    let curved = radius(&middle(&course, 1, &solver(None, 1.0, Mass::Kept)));
    let found = radius(&middle(&course, 1, &mixed));
    let is = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let n_straight = found.iter().zip(&straight).filter(|(a, b)| is(**a, **b)).count();
    let n_curved = found.iter().zip(&curved).filter(|(a, b)| is(**a, **b)).count();
    assert_eq!(n_straight + n_curved, 80);
    assert!((25..=55).contains(&n_straight), "{n_straight}");
    // The same through a file.
    let (bridge, _) = mixed.solve_one(&course, 1, Seed(1), &mut Silent).unwrap();
    let ends = (course.problems()[1].source(), course.problems()[1].target());
    let again = bridge.record().restore(ends.0, ends.1).unwrap();
    let draws = |bridge: &dyn Bridge| {
        bridge.sample_transition(ends.0.points(), UnitTime::START, at(0.5), Seed(5)).unwrap()
    };
    assert_eq!(draws(&*bridge), draws(&*again));
}

#[test]
fn parameters_out_of_range_are_refused() {
    let good = SplineSolver::default();
    good.check().unwrap();
    let member = Member { relaxation: Some(0.0), momentum: 1.0 };
    for bad in [
        good.clone().with_members(Vec::new()),
        good.clone().with_members(vec![member]),
        good.clone().with_members(vec![Member { relaxation: None, momentum: -1.0 }]),
        good.clone().with_noise_back(f64::NAN),
        good.clone().with_blur(0.0),
        good.clone().with_pull(1.5),
        good.clone().with_pull_width(0.0),
    ] {
        assert!(matches!(bad.check(), Err(Error::Parameter { .. })), "{bad:?}");
    }
    let course = course(&[0.0, 1.0], &[normal(5, 2, 1), normal(5, 2, 2)]);
    assert!(good.with_members(Vec::new()).solve_course(&course, Seed(0), &mut Silent).is_err());
}
