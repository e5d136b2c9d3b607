//! Couplings between snapshots against their matrix written out.

use ndarray::{Array1, Array2, Axis, array};

use crate::bridge::{BridgeProblem, Coupling, Link, SinkhornBridge, SinkhornSolver};
use crate::data::Snapshot;
use crate::geometry::Epsilon;
use crate::progress::Silent;
use crate::rng::Seed;

fn waves(n: usize, f: f64, shift: f64) -> Snapshot {
    let points = Array2::from_shape_fn((n, 3), |(i, d)| {
        (f * (1 + i * 3 + d) as f64).sin() * 1.5 + shift * d as f64
    });
    let weights = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
    Snapshot::weighted(points, weights).unwrap()
}

/// An entropic plan, written out, and the link of it.
fn example() -> (Snapshot, Snapshot, Array2<f64>, Link) {
    // More than one chunk of rows and block of columns.
    let (source, target) = (waves(150, 0.37, 0.0), waves(530, 0.71, 2.0));
    let epsilon = Epsilon::new(0.4).unwrap();
    let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon).unwrap();
    let solver = SinkhornSolver { tolerance: 1e-9, ..SinkhornSolver::default() };
    let bridge: SinkhornBridge = solver.fit(&problem, &mut Silent).unwrap().0;
    let (f, g) = bridge.potentials();
    let centres = [&source, &target].map(|s| s.marginal().dot(&s.points()));
    let plan = Array2::from_shape_fn((150, 530), |(i, j)| {
        let x = &source.points().row(i) - &centres[0];
        let y = &target.points().row(j) - &centres[1];
        let off = x - y;
        let exponent = (f[i] + g[j] - 0.5 * off.dot(&off)) / 0.4;
        source.marginal()[i] * target.marginal()[j] * exponent.exp()
    });
    (source, target, plan, Link::all(bridge.plan()).unwrap())
}

fn close(a: &Array2<f64>, b: &Array2<f64>) {
    let off = (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    assert!(off < 1e-12, "{off:e}");
}

#[test]
fn products_are_those_of_the_plan_written_out_however_it_is_held() {
    let (_, _, plan, link) = example();
    let v = Array2::from_shape_fn((530, 2), |(j, c)| (j as f64 * 0.3 + c as f64).cos());
    let u = Array2::from_shape_fn((150, 2), |(i, c)| (i as f64 * 0.2 + c as f64).sin());
    close(&link.pull(v.view()).unwrap(), &plan.dot(&v));
    close(&link.push(u.view()).unwrap(), &plan.t().dot(&u));
    let pairs = plan.indexed_iter().filter(|entry| *entry.1 > 0.0);
    let pairs = pairs.map(|((i, j), mass)| (i, j, *mass));
    let few = Link::pairs(Coupling::new(150, 530, pairs).unwrap()).unwrap();
    close(&few.pull(v.view()).unwrap(), &plan.dot(&v));
    close(&few.push(u.view()).unwrap(), &plan.t().dot(&u));
    assert!((link.information() - few.information()).abs() < 1e-9);
    let off = link.effective_partners() - few.effective_partners();
    assert!(off.iter().all(|off| off.abs() < 1e-6));
    assert!(link.pull(u.view()).is_err() && link.push(v.view()).is_err());
}

#[test]
fn information_and_partners_are_as_defined() {
    let (_, _, plan, link) = example();
    let (r, c) = (plan.sum_axis(Axis(1)), plan.sum_axis(Axis(0)));
    let direct: f64 = plan.indexed_iter().map(|((i, j), t)| t * (t / (r[i] * c[j])).ln()).sum();
    assert!((link.information() - direct).abs() < 1e-9);
    let entropy: f64 = plan.row(7).iter().map(|t| -(t / r[7]) * (t / r[7]).ln()).sum();
    assert!((link.effective_partners()[7] - entropy.exp()).abs() < 1e-9);
    let matching = Coupling::new(4, 4, (0..4).map(|i| (i, i, 0.25))).unwrap();
    let matching = Link::pairs(matching).unwrap();
    assert!((matching.information() - 4.0_f64.ln()).abs() < 1e-12);
    assert!(matching.effective_partners().iter().all(|k| (k - 1.0).abs() < 1e-12));
    let even = (0..4).flat_map(|i| (0..4).map(move |j| (i, j, 0.125)));
    let even = Link::pairs(Coupling::new(4, 4, even).unwrap()).unwrap();
    // Mass two, and nothing is known.
    assert!(even.information().abs() < 1e-12);
}

#[test]
fn mass_beyond_a_reach_is_counted_between_the_cells_themselves() {
    let (source, target, plan, link) = example();
    for reach in [2.0, 4.5] {
        let far = link.share_beyond(&source, &target, reach).unwrap();
        for i in [0, 77, 149] {
            let beyond: f64 = (0..530)
                .filter(|&j| {
                    let off = &source.points().row(i) - &target.points().row(j);
                    off.dot(&off).sqrt() > reach
                })
                .map(|j| plan[[i, j]])
                .sum();
            assert!((far[i] - beyond / plan.row(i).sum()).abs() < 1e-9);
        }
    }
}

#[test]
fn targets_are_drawn_by_mass_times_weight() {
    let (_, _, plan, link) = example();
    let weights = Array1::from_shape_fn(530, |j| f64::from(u8::from(j % 5 == 0)));
    let n = 20_000;
    let drawn = link.draw(&vec![3; n], weights.view(), Seed(1)).unwrap();
    let total: f64 = (0..530).step_by(5).map(|j| plan[[3, j]]).sum();
    assert!(drawn.iter().all(|j| j % 5 == 0));
    for j in (0..530).step_by(5) {
        let share = drawn.iter().filter(|k| **k == j).count() as f64 / n as f64;
        let wanted = plan[[3, j]] / total;
        assert!((share - wanted).abs() < 5.0 * (wanted / n as f64).sqrt() + 1e-4);
    }
}

#[test]
fn plans_for_other_weights_are_those_that_a_solver_finds() {
    let (source, target, plan, link) = example();
    let p = Array1::from_shape_fn(150, |i| source.marginal()[i] * (i % 4) as f64);
    let q = Array1::from_shape_fn(530, |j| target.marginal()[j] * (j % 3) as f64);
    let (p, q) = (&p / p.sum(), &q / q.sum());
    let columns = (p.view().insert_axis(Axis(1)), q.view().insert_axis(Axis(1)));
    let (alpha, beta) = link.scaled_to(columns.0, columns.1).unwrap();
    let scaled =
        Array2::from_shape_fn((150, 530), |(i, j)| alpha[[i, 0]] * plan[[i, j]] * beta[[j, 0]]);
    let weighted = |s: &Snapshot, w: &Array1<f64>| {
        Snapshot::weighted(s.points().to_owned(), w.clone()).unwrap()
    };
    let again =
        Link::entropic(&weighted(&source, &p), &weighted(&target, &q), Epsilon::new(0.4).unwrap());
    let v = Array2::from_shape_fn((530, 1), |(j, _)| (j as f64 * 0.3).cos());
    let off = scaled.dot(&v) - again.unwrap().pull(v.view()).unwrap();
    assert!(off.iter().map(|off| off.abs()).sum::<f64>() < 3e-4);
}

#[test]
fn drawn_ends_are_taken_to_their_cells() {
    let target = Snapshot::new(array![[0.0], [10.0], [20.0]]).unwrap();
    let ends = array![[19.0], [1.0], [9.0]];
    let link = Link::of_ends(ends, Array1::from_elem(3, 1.0 / 3.0).view(), &target).unwrap();
    let went = link.pull(target.points()).unwrap() * 3.0;
    close(&went, &array![[20.0], [0.0], [10.0]]);
}

/// The pairs of a transposed coupling are not in order as they come.
#[test]
fn sources_are_drawn_for_targets_of_a_coupling_that_is_held_as_pairs() {
    let pairs = [(0, 1, 0.25), (1, 0, 0.5), (1, 1, 0.25)];
    let link = Link::pairs(Coupling::new(2, 2, pairs).unwrap()).unwrap();
    let drawn = link.draw_back(&[0; 50], Seed(1)).unwrap();
    assert!(drawn.iter().all(|source| *source == 1));
    // Half of the mass of the second target comes from each source: five standard errors.
    let n = 10_000;
    let first = link.draw_back(&vec![1; n], Seed(2)).unwrap().iter().filter(|i| **i == 0).count();
    assert!((first as f64 / n as f64 - 0.5).abs() < 5.0 * 0.5 / (n as f64).sqrt());
}
