//! Formulas and limits that no test held when they were broken on purpose.

use std::f64::consts::{PI, SQRT_2};
use std::path::Path;

use ndarray::{Array1, Array2, array};
use sbcell::bridge::{
    Bridge, Course, FlowSolver, GaussianBridge, Simulation, SinkhornSolver, UnitTime, simulate,
};
use sbcell::data::{Column, Matrix};
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::{Model, OpenModel};
use sbcell::pipeline::{
    self, CellSets, Dynamics, InterpolateOptions, PerturbOptions, Perturbed, Space,
};
use sbcell::preprocess::{Detected, Values, detect};
use sbcell::{Epsilon, Seed, Silent};

use crate::sandbox::{Answer, Sandbox};
use crate::support::problem;

/// Numbers of mean 0 and variance 1, those of different `k` uncorrelated.
fn wave(n: usize, k: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| SQRT_2 * (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos())
}

/// Cells of several days with columns of `obs`, in coordinates or genes.
struct Cells<'a> {
    days: &'a [i64],
    more: &'a [(&'a str, Column)],
}

impl Cells<'_> {
    /// Writes them with coordinates or with expression.
    fn write(&self, path: &Path, points: Option<&Array2<f64>>, genes: Option<&Array2<f32>>) {
        let names: Vec<String> = (0..self.days.len()).map(|cell| format!("c{cell}")).collect();
        let days = Column::Integers(self.days.iter().map(|&day| Some(day)).collect());
        let mut obs = vec![("day", &days)];
        obs.extend(self.more.iter().map(|(name, column)| (*name, column)));
        let obsm: Vec<_> = points.iter().map(|points| ("X_pca", points.view())).collect();
        let var_names =
            if genes.is_some() { GENES.map(str::to_string).to_vec() } else { Vec::new() };
        let content = H5adContent {
            obs_names: &names,
            obs: &obs,
            var_names: &var_names,
            x: genes.map(|x| MatrixContent::Single(x.view())),
            obsm: &obsm,
            ..H5adContent::default()
        };
        write_h5ad(path, &content).unwrap();
    }

    /// A fit in the coordinates `points`.
    fn fitted(&self, points: &Array2<f64>, flags: &str) -> (Sandbox, Answer) {
        let sandbox = Sandbox::new();
        self.write(&sandbox.path("d.h5ad"), Some(points), None);
        let line = "fit d.h5ad --timepoints day --use-rep X_pca --no-validation";
        let answer = sandbox.run(&format!("{line} {flags}"));
        assert!([0, 4].contains(&answer.code), "{}", answer.stderr);
        (sandbox, answer)
    }
}

/// `n[k]` cells at day k, normal in two coordinates but for their shape: deviation 3, mean 10 k.
fn clouds(n: &[usize]) -> (Array2<f64>, Vec<i64>) {
    let (mut rows, mut days) = (Vec::new(), Vec::new());
    for (k, &n) in n.iter().enumerate() {
        let (x, y) = (wave(n, 1), wave(n, 2));
        for i in 0..n {
            rows.extend([3.0 * x[i] + 10.0 * k as f64, 3.0 * y[i]]);
            days.push(k as i64);
        }
    }
    (Array2::from_shape_vec((days.len(), 2), rows).unwrap(), days)
}

fn population(sandbox: &Sandbox, at: f64, n_cells: usize, dynamics: Dynamics) -> Array2<f64> {
    let model = Model::read(&sandbox.path("sbcell-out")).unwrap();
    let options = InterpolateOptions::default()
        .with_at(vec![at])
        .with_n_cells(Some(n_cells))
        .with_space(Space::Pca)
        .with_dynamics(Some(dynamics))
        .with_seed(1);
    pipeline::interpolate(&model, &options, &mut Silent).unwrap().swap_remove(0).points
}

/// Whatever the diffusion and the direction, the population at a time has the mean and the variance of
/// the bridge, in the unit of the data.
#[test]
fn r180_every_diffusion_has_the_law_of_the_bridge_in_units_of_the_data() {
    // The later cells in deviations of the earlier ones, which is 3.
    for narrow in [1.0, 0.1] {
        let (mut points, days) = clouds(&[200, 200]);
        for (mut row, day) in points.rows_mut().into_iter().zip(&days) {
            let (middle, factor) = if *day == 1 { (10.0, narrow) } else { (0.0, 1.0) };
            row[0] = middle + factor * (row[0] - middle);
            row[1] *= factor;
        }
        let (sandbox, _) = Cells { days: &days, more: &[] }.fitted(&points, "--solver gaussian");
        follows_the_law(&sandbox, [9.0, 9.0 * narrow * narrow]);
    }
}

/// Of a bridge between laws of these variances.
fn follows_the_law(sandbox: &Sandbox, [a, v]: [f64; 2]) {
    // ε is 0.1 on data divided by the mean deviation; the covariance of the ends is a S.
    let epsilon = 0.1 * f64::midpoint(a.sqrt(), v.sqrt()).powi(2);
    let s = 2.0 * v / (epsilon + (epsilon * epsilon + 4.0 * a * v).sqrt());
    let n = 20_000;
    for (t, backward) in [(0.3, false), (0.6, false), (0.3, true), (0.8, true)] {
        let noise = epsilon * t * (1.0 - t);
        let law = (1.0 - t) * (1.0 - t) * a + t * t * v + 2.0 * t * (1.0 - t) * a * s + noise;
        for diffusion in [0.0, 0.5, 2.0] {
            let found =
                population(sandbox, t, n, Dynamics { diffusion: diffusion.into(), backward });
            let (mean, variance) = (found.column(0).mean().unwrap(), found.column(0).var(0.0));
            let what = format!("{t} {backward} {diffusion}: {mean} {variance} {law}");
            // Every cell is taken as often: without diffusion only the steps (of second order, 100 for
            // an interval) are off. With it five standard errors, √(1/n) and √(2/n).
            let error = if diffusion > 0.0 { 5.0 / (n as f64).sqrt() } else { 0.0 };
            assert!((mean - 10.0 * t).abs() < law.sqrt() * error + 1e-2, "{what}");
            assert!((variance / law - 1.0).abs() < 1.5 * error + 2e-3, "{what}");
        }
    }
}

/// Backward in time it is the grown snapshot that cells come from, grown over the whole interval.
#[test]
fn r181_ancestors_are_cells_of_the_grown_snapshot() {
    let n = 60;
    let points = Array2::from_shape_fn((2 * n, 1), |(i, _)| (i % n) as f64 / 10.0 - 2.95);
    let days: Vec<i64> = (0..2 * n).map(|i| i64::from(i >= n)).collect();
    // Factors per day of e^x: a cell of coordinate x has e^x descendants at day 1.
    let rates = points.column(0).to_vec();
    let more = [("rate", Column::Floats(rates.clone()))];
    let flags = "--solver sinkhorn --growth-key rate --growth-unit rate/day --epsilon 0.3";
    let (sandbox, _) = Cells { days: &days, more: &more }.fitted(&points, flags);
    let weight = |x: &&f64| x.exp();
    let total: f64 = rates[..n].iter().map(|x| weight(&x)).sum();
    let grown: f64 = rates[..n].iter().map(|x| x * weight(&x)).sum::<f64>() / total;
    assert!(grown > 1.0);
    for t in [0.05, 0.2, 0.5] {
        let found =
            population(&sandbox, t, 4000, Dynamics { diffusion: 1.0.into(), backward: true });
        // The mean moves evenly from that of the grown cells to that of the later ones, which is 0.
        let (mean, wanted) = (found.mean().unwrap(), (1.0 - t) * grown);
        // Five standard errors of a deviation of 1.8, and steps.
        assert!((mean - wanted).abs() < 0.15 + 0.03, "{t}: {mean} {wanted}");
    }
}

const GENES: [&str; 7] = ["Wide", "Broad", "Some", "Little", "Four", "Six", "Signed"];
const PER_DAY: usize = 100;

/// Genes of which all is known: two that are components, two of which 15 % and 7 % of the variance go
/// with the first, two that four and six cells have, and one that goes below zero.
fn genes() -> Array2<f32> {
    let waves: Vec<Array1<f64>> = (1..=4).map(|k| wave(PER_DAY, k)).collect();
    let mixed = |i: usize, share: f64, k: usize| {
        share.sqrt() * waves[0][i] + (1.0 - share).sqrt() * waves[k][i]
    };
    Array2::from_shape_fn((2 * PER_DAY, GENES.len()), |(cell, gene)| {
        let i = cell % PER_DAY;
        let value = match gene {
            0 => 50.0 + 10.0 * waves[0][i],
            1 => 20.0 + 5.0 * waves[1][i],
            2 => 3.0 + 0.2 * mixed(i, 0.15, 2),
            3 => 3.0 + 0.2 * mixed(i, 0.07, 3),
            4 => {
                if i < 4 {
                    0.1
                } else {
                    0.0
                }
            }
            5 => {
                if i < 6 {
                    0.1
                } else {
                    0.0
                }
            }
            _ => 2.0 * waves[1][i] - 1.0,
        };
        value as f32
    })
}

fn perturbed(sandbox: &Sandbox, gene: &str) -> Perturbed {
    let model = OpenModel::read(sandbox.path("sbcell-out")).unwrap();
    let data = sandbox.path("d.h5ad").to_string_lossy().into_owned();
    let options = PerturbOptions::default()
        .with_knockout(vec![gene.to_string()])
        .with_levels(Vec::new())
        .with_at(None)
        .with_until(None)
        .with_once(false)
        .with_sets(
            CellSets::default()
                .with_groupby(Some("side".into()))
                .with_files(Vec::new())
                .with_data(Some(data)),
        )
        .with_n_cells(1000)
        .with_bootstrap(0)
        .with_seed(1);
    pipeline::perturb(&model, &options, &mut Silent).unwrap()
}

/// What is said of a gene that is held down, where all of it is known.
#[test]
fn r182_what_coordinates_hold_of_a_gene_is_its_share_of_variance() {
    let sandbox = Sandbox::new();
    let x = genes();
    let days: Vec<i64> = (0..2 * PER_DAY).map(|cell| i64::from(cell >= PER_DAY)).collect();
    let side = |cell: usize| Some(if x[[cell, 0]] > 50.0 { "high" } else { "low" }.to_string());
    let more = [("side", Column::Texts((0..2 * PER_DAY).map(side).collect()))];
    Cells { days: &days, more: &more }.write(&sandbox.path("d.h5ad"), None, Some(&x));
    sandbox.done("fit d.h5ad --timepoints day --n-pcs 2 --solver gaussian --no-validation");

    let hardly = |of: &Perturbed| {
        of.warnings.iter().any(|text| text.contains("results hardly depend on it"))
    };
    let far = |of: &Perturbed| of.warnings.iter().any(|text| text.contains("not known there"));
    let rare = |of: &Perturbed| of.warnings.iter().any(|text| text.contains("hardly anything"));
    // Components turn by the square of 0.2/10 towards the small genes.
    for (gene, share, is_hardly) in [("Some", 0.15, false), ("Little", 0.07, true)] {
        let found = perturbed(&sandbox, gene);
        let held = found.held[0].variance_held.unwrap();
        assert!((held - share).abs() < 2e-3, "{gene}: {held}");
        assert!(hardly(&found) == is_hardly && !rare(&found), "{:?}", found.warnings);
    }
    // A gene of mean m and deviation s is √(m² + s²)/s from zero.
    let (wide, broad) = (perturbed(&sandbox, "Wide"), perturbed(&sandbox, "Broad"));
    assert!((wide.held[0].distance - 26.0_f64.sqrt()).abs() < 0.02, "{:?}", wide.held);
    assert!((broad.held[0].distance - 17.0_f64.sqrt()).abs() < 0.02, "{:?}", broad.held);
    // The part of "Broad" in the unit of its component, which it shares with "Signed": 25 of 25 + 4.
    assert!((broad.held[0].shown - 25.0 / 29.0).abs() < 2e-3, "{:?}", broad.held);
    assert!(far(&wide) && !far(&broad), "{:?} {:?}", wide.warnings, broad.warnings);
    // A twentieth of 100 cells is five.
    let (four, six) = (perturbed(&sandbox, "Four"), perturbed(&sandbox, "Six"));
    assert!(rare(&four) && !rare(&six), "{:?} {:?}", four.warnings, six.warnings);
    assert!(four.held[0].level.abs() < 1e-12);
    let least = x.column(6).iter().fold(f32::INFINITY, |a, b| a.min(*b));
    let signed = perturbed(&sandbox, "Signed");
    assert!((signed.held[0].level - f64::from(least)).abs() < 1e-12 && least < -3.0);

    // From 50 to 0 is five deviations down, and nobody is left on the high side.
    let row = wide.rows.iter().find(|row| row.gene == "Wide").unwrap();
    assert!((row.deviations + 5.0).abs() < 0.6, "{}", row.deviations);
    for row in &wide.rows {
        assert!((row.knockout - row.control - row.shift.value).abs() < 1e-9, "{row:?}");
    }
    let high = wide.groups.iter().find(|of| of.group == "high").unwrap();
    let (before, change) = (high.share, &high.change);
    assert!((before + change.value).abs() < 1e-12 && (before - 0.5).abs() < 0.15, "{before}");
}

/// The limits of what is said of a course, each from both sides.
#[test]
fn r183_limits_of_what_is_said_of_cells_are_where_they_are_said_to_be() {
    let said = |n: &[usize], more: &[(&str, Column)], flags: &str| {
        let (points, days) = clouds(n);
        Cells { days: &days, more }.fitted(&points, flags).1.stderr
    };
    // Noise against variance, both of 9 in the data: ε = 1 is the limit.
    for (epsilon, is_said) in [("0.7", false), ("1.5", true)] {
        let text = said(&[60, 60], &[], &format!("--solver gaussian --epsilon {epsilon}"));
        assert_eq!(text.contains("the noise from"), is_said, "{text}");
    }
    // Two cells are few, three are not.
    for (n, is_said) in [(2, true), (3, false)] {
        let text = said(&[60, n], &[], "--solver gaussian");
        assert_eq!(text.contains("too few cells to describe"), is_said, "{text}");
    }
    // ε below 1e-9.
    for (epsilon, is_said) in [("5e-10", true), ("2e-9", false)] {
        let flags = format!("--solver sinkhorn --max-iterations 20 --epsilon {epsilon}");
        let text = said(&[20, 20], &[], &flags);
        assert_eq!(text.contains("so small that couplings"), is_said, "{text}");
    }
    // One cell of n that grows F times has (n−1+F)²/(n−1+F²) effective cells: of 60 cells 1.56 at 236,
    // of which the share is 80 %, and 2.99 at 80. Three cells are too few to say it of.
    for (n, factor, words) in [
        (60, 236.0, Some("80 % of the mass")),
        (60, 80.0, None),
        (4, 1e6, Some("100 % of the mass")),
        (3, 1e6, None),
    ] {
        let growth = (0..n + 60).map(|cell| if cell == 1 { factor } else { 1.0 }).collect();
        let more = [("growth", Column::Floats(growth))];
        let text = said(&[n, 60], &more, "--solver gaussian --growth-key growth");
        assert_eq!(text.contains("on one cell"), words.is_some(), "{n} {factor}: {text}");
        assert!(words.is_none_or(|words| text.contains(words)), "{n} {factor}: {text}");
    }
}

/// Ten cells are enough for a mean, nine are few.
#[test]
fn r184_fewer_than_ten_cells_are_said_and_ten_are_not() {
    let sandbox = Sandbox::new();
    let days: Vec<i64> = (0..2 * PER_DAY).map(|cell| i64::from(cell >= PER_DAY)).collect();
    let group = |cell: usize| match cell % PER_DAY {
        _ if cell < PER_DAY => "rest",
        0..10 => "ten",
        10..19 => "nine",
        _ => "rest",
    };
    let groups = (0..2 * PER_DAY).map(|cell| Some(group(cell).to_string())).collect();
    let more = [("side", Column::Texts(groups))];
    Cells { days: &days, more: &more }.write(&sandbox.path("d.h5ad"), None, Some(&genes()));
    sandbox.done("fit d.h5ad --timepoints day --n-pcs 2 --solver gaussian --no-validation");
    let said = sandbox.done("trends --groupby side --bootstrap 0").stderr;
    assert!(said.contains("nine at 1 (9.0)") && !said.contains("ten at 1"), "{said}");
    assert!(!said.contains("rest at 1"), "{said}");
}

/// A law without width in a direction has no density there, and so no score, until noise gives it one.
#[test]
fn r185_a_law_that_is_flat_in_a_direction_has_no_score() {
    let (mean, flat, wide) = (array![0.0, 0.0], array![[1.0, 0.0], [0.0, 0.0]], Array2::eye(2));
    let bridge = GaussianBridge::between(
        mean.view(),
        flat.view(),
        mean.view(),
        wide.view(),
        Epsilon::new(0.4).unwrap(),
    )
    .unwrap();
    let x = array![[0.0, 1.0]];
    let score = |t: f64| bridge.score(x.view(), UnitTime::new(t).unwrap()).unwrap();
    assert_eq!(score(0.0), None);
    // In the second direction the process starts at 0 and ends with variance 1: t² + ε t (1−t).
    for t in [0.1_f64, 0.5, 1.0] {
        let found = score(t).unwrap()[[0, 1]];
        assert!((found * (t * t + 0.4 * t * (1.0 - t)) + 1.0).abs() < 1e-9, "{t}: {found}");
    }
}

/// A last step at an end is that of the probability flow, unless it is the process itself forward.
#[test]
fn r186_a_last_step_of_another_diffusion_is_that_of_the_flow() {
    let (m0, m1, s0, s1) = (array![0.5], array![-1.0], array![[1.0]], array![[0.3]]);
    let ends = ((m0.view(), s0.view()), (m1.view(), s1.view()));
    let bridge =
        GaussianBridge::between(ends.0.0, ends.0.1, ends.1.0, ends.1.1, Epsilon::new(0.8).unwrap())
            .unwrap();
    let x = array![[0.3], [2.0], [-1.5]];
    let at = |t: f64| UnitTime::new(t).unwrap();
    for (from, to, diffusions) in
        [(0.6, 1.0, [0.0, 0.5, 2.0]), (0.4, 0.0, [0.0, 0.5, 2.0]), (0.4, 0.0, [1.0, 1.5, 3.0])]
    {
        let drift = bridge.drift(x.view(), at(from)).unwrap();
        let score = bridge.score(x.view(), at(from)).unwrap().unwrap();
        let wanted = &x + &((drift - score * 0.4) * (to - from));
        for diffusion in diffusions {
            let how = Simulation { diffusion, n_steps: 1 };
            let y = simulate(&bridge, x.view(), at(from), at(to), how, Seed(1)).unwrap();
            let same = (&y - &wanted).iter().all(|off| off.abs() < 1e-12);
            assert!(same, "{from} {to} {diffusion}: {y} {wanted}");
        }
    }
}

/// To one cell the process is pinned: from s to t of the rest of the way it has the variance
/// `ε (t−s)(1−t)/(1−s)`.
#[test]
fn r187_a_transition_that_begins_half_way_has_the_noise_of_the_pinned_process() {
    let problem = problem(&array![[1.0]], &array![[-2.0]], 0.8);
    let bridge = SinkhornSolver::default().fit(&problem, &mut Silent).unwrap().0;
    let n = 20_000;
    let x = Array2::from_elem((n, 1), 0.4);
    let at = |t: f64| UnitTime::new(t).unwrap();
    for (s, t) in [(0.0_f64, 0.5), (0.5, 0.75), (0.8, 0.9)] {
        let y = bridge.sample_transition(x.view(), at(s), at(t), Seed(1)).unwrap();
        let wanted = 0.8 * (t - s) * (1.0 - t) / (1.0 - s);
        // Five standard errors: √(2/n) of a variance.
        let off = y.var(0.0) / wanted - 1.0;
        assert!(off.abs() < 5.0 * (2.0 / n as f64).sqrt(), "{s} {t}: {off}");
        let mean = 0.4 + (t - s) / (1.0 - s) * -2.4;
        assert!((y.mean().unwrap() - mean).abs() < 5.0 * (wanted / n as f64).sqrt());
    }
}

/// Of networks that have learnt something: the velocity is the drift less half the score times ε, and
/// the Jacobian the derivative of the drift.
#[test]
fn r188_velocity_and_jacobian_of_a_flow_are_those_of_its_drift() {
    let n = 200;
    let cells = |k: usize, scale: f64| {
        let (x, y) = (wave(n, k), wave(n, k + 3));
        Array2::from_shape_fn((n, 2), |(i, d)| scale * if d == 0 { x[i] } else { y[i] * x[i] })
    };
    let problem = problem(&cells(1, 3.0), &(cells(2, 5.0) + 1.0), 2.0);
    let course = Course::new(vec![0.0, 1.0], vec![problem]).unwrap();
    let solver = FlowSolver::default().with_max_iterations(40).with_width(16);
    let bridge = solver.fit(&course, Seed(1), &mut Silent).unwrap().remove(0).0;
    let h = 1e-5;
    for t in [0.1, 0.5, 0.8] {
        let t = UnitTime::new(t).unwrap();
        for x in [array![[0.5, -1.0]], array![[3.0, 2.0]], array![[-4.0, 1.0]]] {
            let drift = |x: &Array2<f64>| bridge.drift(x.view(), t).unwrap();
            let score = bridge.score(x.view(), t).unwrap().unwrap();
            let velocity = bridge.velocity(x.view(), t).unwrap();
            // Half of ε, 2.
            let off = &velocity + &score - drift(&x);
            assert!(off.iter().all(|off| off.abs() < 1e-9), "{off}");
            let jacobian = bridge.mean_jacobian(x.view(), t).unwrap();
            for d in 0..2 {
                let moved = |by: f64| {
                    let mut x = x.clone();
                    x[[0, d]] += by;
                    drift(&x)
                };
                let slope = (moved(h) - moved(-h)) / (2.0 * h);
                for (row, slope) in slope.iter().enumerate() {
                    // Third derivatives times h², and rounding over h.
                    assert!((jacobian[[row, d]] - slope).abs() < 1e-6, "{jacobian} {slope}");
                }
            }
        }
    }
}

/// Values that go below zero may sum to less than nothing in every cell: none of these is empty.
#[test]
fn r189_scaled_cells_of_negative_sum_are_not_empty() {
    let sandbox = Sandbox::new();
    let days: Vec<i64> = (0..2 * PER_DAY).map(|cell| i64::from(cell >= PER_DAY)).collect();
    let x = genes() - 30.0;
    assert!(x.rows().into_iter().all(|row| row.sum() < 0.0));
    Cells { days: &days, more: &[] }.write(&sandbox.path("d.h5ad"), None, Some(&x));
    let line = "fit d.h5ad --timepoints day --n-pcs 2 --solver gaussian --no-validation";
    let said = sandbox.done(line).stderr;
    assert!(said.contains("is scaled") && !said.contains("nothing but zeros"), "{said}");
}

/// 40 cells with the same 12 values from `least` to 1.275 times that in different order, those of every
/// other cell larger by the share `off`.
fn about(least: f32, off: f32) -> Array2<f32> {
    Array2::from_shape_fn((40, 12), |(i, j)| {
        let value = least * (1.0 + 0.025 * ((i * 5 + j * 7) % 12) as f32);
        value * (1.0 + off * (i % 2) as f32)
    })
}

/// Depths are the same to 1 %, and to 0.01 % where values may be logarithms.
#[test]
fn r190_depths_are_compared_more_strictly_where_values_may_be_logarithms() {
    let found = |x: Array2<f32>| -> Detected { detect(&Matrix::Dense(x), &mut Silent).unwrap() };
    for (least, off, values) in [
        (41.3, 0.0, Values::Normalised),
        (41.3, 5e-3, Values::Normalised),
        (41.3, 5e-2, Values::Other),
        (12.1, 5e-3, Values::Log1p),
        // The sums of exp(x) − 1 are the same too: logarithms of normalised values.
        (12.1, 0.0, Values::Log1p),
    ] {
        assert_eq!(found(about(least, off)).values, values, "{least} {off}");
    }
    // Sums of 1, of which the sums of exp(x) − 1 differ by 0.02²/2 · 20, or 0.4 %: no logarithms.
    let wide = |i: usize, j: usize| if i.is_multiple_of(2) { 0.0 } else { [0.02, -0.02][j % 2] };
    for (off, values) in
        [(0.0, Values::Normalised), (5e-5, Values::Normalised), (1e-3, Values::Log1p)]
    {
        let x = Array2::from_shape_fn((40, 20), |(i, j)| {
            (0.05 + wide(i, j)) * (1.0 + off * f32::from(u8::from(i % 4 > 1)))
        });
        assert_eq!(found(x).values, values, "{off}");
    }
    let negative = found(about(401.3, 0.0) - 402.0);
    assert_eq!((negative.values, negative.common_depth), (Values::Scaled, None));
}
