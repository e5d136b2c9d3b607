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
    (source, target, plan, Link::all(bridge.plan(), &mut Silent).unwrap())
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
    let (alpha, beta) = link.scaled_to(columns.0, columns.1, &mut |_| Ok(())).unwrap();
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
    let masses = Array1::from_elem(3, 1.0 / 3.0);
    let link = Link::of_ends(ends, masses.view(), &target, &mut Silent).unwrap();
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

/// Weights of `n_columns` resamples of the cells of a snapshot, some of them zero.
fn drawn(snapshot: &Snapshot, n_columns: usize, shift: usize) -> Array2<f64> {
    let mut weights = Array2::from_shape_fn((snapshot.n_cells(), n_columns), |(i, c)| {
        snapshot.marginal()[i] * (((i * 7 + c * 5 + shift) * 31 % 11) % 4) as f64
    });
    for mut column in weights.columns_mut() {
        let total = column.sum();
        column /= total;
    }
    weights
}

/// The weights of both ends under resamples, and the scalings of `link` to them.
fn resampled(most_stored: usize) -> (Array2<f64>, [Array2<f64>; 4]) {
    let (source, target, plan, link) = example();
    let (p, q) = (drawn(&source, 5, 0), drawn(&target, 5, 3));
    let (alpha, beta) =
        link.scaled_within(most_stored, p.view(), q.view(), &mut |_| Ok(())).unwrap();
    (plan, [p, q, alpha, beta])
}

#[test]
fn scaled_plans_have_the_wanted_marginals_in_single_and_in_double_precision() {
    // All pairs in single precision, or none.
    for most_stored in [usize::MAX, 0] {
        let (plan, [p, q, alpha, beta]) = resampled(most_stored);
        for c in 0..5 {
            let scaled = Array2::from_shape_fn(plan.dim(), |(i, j)| {
                alpha[[i, c]] * plan[[i, j]] * beta[[j, c]]
            });
            let off = |sums: Array1<f64>, wanted: ndarray::ArrayView1<'_, f64>| {
                (sums - wanted).iter().map(|off| off.abs()).sum::<f64>()
            };
            // 1e-4 is asked for; rounding of sums in single precision is 1e-6.
            assert!(off(scaled.sum_axis(Axis(1)), p.column(c)) < 1.03e-4, "{most_stored} {c}");
            assert!(off(scaled.sum_axis(Axis(0)), q.column(c)) < 3e-6, "{most_stored} {c}");
        }
    }
}

#[test]
fn scalings_are_the_same_from_stored_and_from_recomputed_masses() {
    let (_, [p, _, single, single_beta]) = resampled(usize::MAX);
    let (_, [_, _, double, double_beta]) = resampled(0);
    for (single, double) in [(single, double), (single_beta, double_beta)] {
        for (one, other) in single.iter().zip(&double) {
            // Rounding of single precision, through some iterations.
            assert!((one - other).abs() <= 1e-5 * other, "{one} {other}");
        }
    }
    assert!(p.iter().any(|weight| *weight < 1e-30));
}

#[test]
fn scalings_do_not_depend_on_threads() {
    let on = |threads: usize, most_stored: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| resampled(most_stored).1)
    };
    for most_stored in [usize::MAX, 0] {
        assert_eq!(on(1, most_stored), on(2, most_stored));
    }
}

/// Two far groups of cells with one cell each drawn, on different sides: the only partners have a
/// mass that single precision does not hold.
#[test]
fn partners_of_very_little_mass_are_found_in_double_precision() {
    let snapshot = |points: [f64; 4]| {
        Snapshot::new(Array2::from_shape_fn((4, 1), |(i, _)| points[i])).unwrap()
    };
    let (source, target) = (snapshot([0.0, 1.0, 10.0, 11.0]), snapshot([0.1, 1.1, 9.9, 11.1]));
    let link = Link::entropic(&source, &target, Epsilon::new(0.5).unwrap()).unwrap();
    // exp(−100) between the groups.
    let far = link.pull(array![[0.0], [0.0], [1.0], [1.0]].view()).unwrap()[[0, 0]];
    assert!(0.0 < far && far < 1e-30, "{far:e}");
    let (p, q) = (array![[0.5], [0.5], [0.0], [0.0]], array![[0.0], [0.0], [0.5], [0.5]]);
    let (alpha, beta) = link.scaled_to(p.view(), q.view(), &mut |_| Ok(())).unwrap();
    let left = link.pull(beta.view()).unwrap() * &alpha;
    assert!((&left - &p).iter().all(|off| off.abs() < 1e-4), "{left}");
    assert!(alpha[[0, 0]].is_finite() && beta[[2, 0]].is_finite());
}

#[test]
fn scalings_of_pairs_keep_to_them_and_stop_where_no_scaling_comes_closer() {
    let pairs = (0..40).map(|i| (i, i, 0.025));
    let link = Link::pairs(Coupling::new(40, 40, pairs).unwrap()).unwrap();
    let weights = |shift: usize| {
        let weights = Array2::from_shape_fn((40, 1), |(i, _)| ((i + shift) % 3) as f64);
        let total = weights.sum();
        weights / total
    };
    let (p, q) = (weights(0), weights(1));
    let mut rounds = 0;
    let (alpha, beta) = link
        .scaled_to(p.view(), q.view(), &mut |_| {
            rounds += 1;
            Ok(())
        })
        .unwrap();
    // A cell has its partner's weight if both are drawn, and nothing otherwise.
    for i in 0..40 {
        let mass = alpha[[i, 0]] * 0.025 * beta[[i, 0]];
        let both = p[[i, 0]] > 0.0 && q[[i, 0]] > 0.0;
        assert!((mass - if both { q[[i, 0]] } else { 0.0 }).abs() < 1e-12, "{i} {mass}");
    }
    assert!(rounds < 8, "{rounds}");
}

#[test]
fn scalings_end_after_few_rounds_tell_their_share_and_can_be_stopped() {
    let (source, target, _, link) = example();
    let (p, q) = (drawn(&source, 5, 0), drawn(&target, 5, 3));
    let mut told = Vec::new();
    let mut tell = |share| {
        told.push(share);
        Ok(())
    };
    link.scaled_to(p.view(), q.view(), &mut tell).unwrap();
    assert!(told.windows(2).all(|pair| pair[0] <= pair[1]), "{told:?}");
    assert!(told[0] < 0.1 && (told[told.len() - 1] - 1.0).abs() < 1e-12, "{told:?}");
    // At most a hundred are allowed.
    assert!(told.len() < 16, "{told:?}");
    let stopped = link.scaled_to(p.view(), q.view(), &mut |_| Err(crate::Error::Cancelled));
    assert!(matches!(stopped, Err(crate::Error::Cancelled)));
}
