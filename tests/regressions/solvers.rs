//! Bridges, perturbations and what is said of fits that did not converge.

use std::fs;

use ndarray::{Array1, Array2, Axis, array};
use sbcell::bridge::{
    Bridge, Choice, Course, Covariance, FlowSolver, GaussianBridge, LightSbSolver, Simulation,
    UnitTime, euler_maruyama, simulate,
};
use sbcell::{Epsilon, Seed, Silent};

use crate::sandbox::{Sandbox, root, sample};
use crate::support::{at, normal, problem};

/// Semrau 2017 in few dimensions, in the folder `sbcell-out`.
fn semrau(flags: &str) -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line = format!("fit data.h5ad --timepoints time --no-validation {flags}");
    assert!([0, 4].contains(&sandbox.run(&line).code));
    sandbox
}

/// The column `name` of a .csv, with the names in its first column.
fn column(text: &str, name: &str) -> Vec<(String, f64)> {
    let mut lines = text.lines();
    let place = lines.next().unwrap().split(',').position(|head| head == name).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[0].to_string(), cells[place].parse().unwrap_or(f64::NAN))
    };
    lines.map(row).collect()
}

fn of(text: &str, name: &str, gene: &str) -> f64 {
    column(text, name).into_iter().find(|row| row.0 == gene).unwrap().1
}

#[test]
fn r070_a_gene_that_is_held_down_does_not_rise() {
    let sandbox = semrau("--n-pcs 10 --solver gaussian");
    let said = sandbox.done("perturb --knockout Esrrb --bootstrap 0").stdout;
    let table = sandbox.text("perturb.csv");
    assert!(of(&table, "knockout", "Esrrb").abs() < 1e-12, "{table}");
    // The shift is to zero from where control cells are, by a simulation that holds it there.
    let (control, shift) = (of(&table, "control", "Esrrb"), of(&table, "shift", "Esrrb"));
    assert!((control + shift).abs() < 1e-9, "{control} {shift}");
    assert!((of(&table, "linear", "Esrrb") - shift).abs() < 1e-6);
    // How much of it the coordinates hold is always said.
    assert!(said.contains("% of its variance") && said.contains("sd from cells"), "{said}");
    // No interval was asked for: none is given.
    assert!(of(&table, "lo", "Esrrb").is_nan() && !said.contains("[-"), "{said}");
}

#[test]
fn r071_several_genes_are_held_together_and_some_cannot_be() {
    let sandbox = semrau("--n-pcs 10 --solver gaussian");
    sandbox.done("perturb --knockout Esrrb,Sparc,Esrrb --bootstrap 5");
    let table = sandbox.text("perturb.csv");
    for gene in ["Esrrb", "Sparc"] {
        let (control, shift) = (of(&table, "control", gene), of(&table, "shift", gene));
        assert!((control + shift).abs() < 1e-9, "{gene}: {control} {shift}");
    }
    // More genes than coordinates cannot have levels of their own.
    let genes: Vec<String> = column(&table, "control").into_iter().map(|row| row.0).collect();
    let refused = sandbox.run(&format!("perturb --knockout {}", genes[..11].join(",")));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot hold") && refused.stderr.contains("hint:"));
}

/// In one dimension all of the bridge is known: slope `s = 2v / (ε + √(ε² + 4 a v))`.
#[test]
fn r072_a_gaussian_target_may_be_far_narrower_than_the_noise() {
    let close = |what: &str, found: f64, wanted: f64| {
        assert!((found / wanted - 1.0).abs() < 1e-9, "{what}: {found:e} {wanted:e}");
    };
    for (a, v, epsilon) in [
        (1.0, 1e-8, 5.0),
        (1e-8, 1e-8, 5.0),
        (1.0, 1e-12, 0.5),
        (1e-8, 1.0, 5.0),
        (1.0, 1.0, 1e-6),
        (2.0, 1e-4, 0.1),
    ] {
        let what = format!("{a} {v} {epsilon}");
        let (m0, m1) = (array![0.5], array![-1.0]);
        let (s0, s1) = (array![[a]], array![[v]]);
        let ends = ((m0.view(), s0.view()), (m1.view(), s1.view()));
        let bridge = GaussianBridge::between(
            ends.0.0,
            ends.0.1,
            ends.1.0,
            ends.1.1,
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap();
        let root: f64 = epsilon * epsilon + 4.0 * a * v;
        let s = 2.0 * v / (epsilon + root.sqrt());
        close(&what, bridge.slope()[[0, 0]], s);
        close(&what, bridge.covariance(at(1.0))[[0, 0]], v);
        close(&what, bridge.cross_covariance(at(0.0), at(1.0))[[0, 0]], a * s);
        let x = array![[0.5], [0.5 + 3.0 * a.sqrt()]];
        for t in [0.0, 0.5, 0.99, 1.0] {
            let spread = 1.0 - t + t * s;
            let pull = (s - 1.0) / spread;
            close(&what, bridge.mean_jacobian(x.view(), at(t)).unwrap()[[0, 0]], pull);
            let off = x[[1, 0]] - (0.5 - 1.5 * t);
            close(&what, bridge.drift(x.view(), at(t)).unwrap()[[1, 0]], -1.5 + pull * off);
            let law = (1.0 - t).powi(2) * a
                + 2.0 * t * (1.0 - t) * a * s
                + t * t * v
                + epsilon * t * (1.0 - t);
            let score = bridge.score(x.view(), at(t)).unwrap().unwrap();
            close(&what, score[[1, 0]], -off / law);
        }
        // Draws at 1: deviation √(ε s) and slope s, from two bridges with the same noise.
        let wide = GaussianBridge::between(
            m0.view(),
            s0.view(),
            m1.view(),
            array![[1.0]].view(),
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap();
        let (start, end) = (UnitTime::START, UnitTime::END);
        let draw = |bridge: &GaussianBridge| {
            bridge.sample_transition(x.view(), start, end, Seed(1)).unwrap()[[0, 0]] + 1.0
        };
        let ratio = (s / wide.slope()[[0, 0]]).sqrt();
        let off = draw(&bridge).abs() / draw(&wide).abs() / ratio - 1.0;
        // Rounding of a draw about −1.
        assert!(off.abs() < 1e-9 + 1e-15 / (epsilon * s).sqrt(), "{what}: {off:e}");
    }
}

/// From a normal law to a narrow one: what is left of the noise of the last step is what the target has.
#[test]
fn r073_small_steps_end_with_the_variance_of_the_target() {
    let n = 20_000;
    let (m0, m1) = (array![0.0], array![1.0]);
    for v in [1e-6, 0.01, 0.5] {
        let (s0, s1) = (array![[1.0]], array![[v]]);
        let ends = ((m0.view(), s0.view()), (m1.view(), s1.view()));
        let bridge = GaussianBridge::between(
            ends.0.0,
            ends.0.1,
            ends.1.0,
            ends.1.1,
            Epsilon::new(2.0).unwrap(),
        )
        .unwrap();
        let x = normal(n, 1, 1);
        let span = (UnitTime::START, UnitTime::END);
        let how = Simulation { diffusion: 1.0, n_steps: 50 };
        let euler = euler_maruyama(&bridge, x.view(), span.0, span.1, 50, Seed(2)).unwrap();
        let heun = simulate(&bridge, x.view(), span.0, span.1, how, Seed(2)).unwrap();
        for y in [&euler, &heun] {
            // Five standard errors of a variance, and 15 % of the steps before. Noise of ε/steps that is
            // left would make it 0.04 more.
            let ratio = y.var(0.0) / v;
            let error = 5.0 * (2.0 / n as f64).sqrt() + 0.15;
            assert!((ratio - 1.0).abs() < error, "{v}: {ratio}");
            assert!((y.mean().unwrap() - 1.0).abs() < 0.05 * v.sqrt() + 1e-3);
        }
    }
}

#[test]
fn r074_any_diffusion_and_backward_go_with_every_solver_whose_score_is_known() {
    for solver in ["lightsb --n-gaussians 2", "gaussian", "sinkhorn"] {
        let sandbox = semrau(&format!("--n-pcs 3 --solver {solver}"));
        for line in ["--diffusion 0", "--diffusion 0.5 --backward", "--backward"] {
            let line = format!("interpolate --at 18,30 --n-cells 60 {line} --out out.csv");
            sandbox.done(&line);
            let first = column(&sandbox.text("out.csv"), "PC1");
            assert_eq!(first.len(), 120, "{solver}");
            assert!(first.iter().all(|row| row.1.is_finite()), "{solver}");
            sandbox.done(&format!("{line} --threads 1"));
            assert_eq!(first, column(&sandbox.text("out.csv"), "PC1"), "{solver}");
        }
    }
}

#[test]
fn r075_every_command_says_which_intervals_did_not_converge() {
    let sandbox =
        semrau("--n-pcs 3 --n-gaussians 2 --max-iterations 2 --obs-filter 'time in 0,24,48'");
    let line = "did not converge on 0 → 24, 24 → 48 (2 of 2 intervals)";
    for command in ["interpolate", "perturb --knockout Sparc", "velocity", "couplings"] {
        let said = sandbox.done(command).stderr;
        assert!(said.matches(line).count() == 1, "{command}: {said}");
    }
}

/// The door that says it: no command reads a model in another way.
#[test]
fn r076_no_command_reads_a_model_but_by_the_door_that_says_it() {
    let mut folders = vec![root().join("src/cli")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            if !path.ends_with("shared.rs") {
                assert!(!text.contains("Model::read("), "{}", path.display());
            }
        }
    }
}

#[test]
fn r077_without_resamples_nothing_is_better_or_worse() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line =
        "evaluate data.h5ad --timepoints time --at 24 --solver gaussian --n-pcs 3 --max-cells 60";
    let said = sandbox.done(&format!("{line} --bootstrap 0")).stdout;
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.join(" ").contains("no interval was asked for"), "{said}");
    assert!(!said.contains("better") && !said.contains("worse"), "{said}");
    let table = sandbox.text("sbcell-validation/validation.csv");
    let rows: Vec<&str> = table.lines().filter(|line| line.contains(",gaussian,energy,")).collect();
    // …,metric,value,lo,hi,n,rep
    assert!(rows.iter().all(|row| row.contains(",,,")) && !rows.is_empty(), "{rows:?}");
    let said = sandbox.done(&format!("{line} --bootstrap 5")).stdout;
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.join(" ").contains("5 resamples give no interval"), "{said}");
}

/// Three clusters that go to three others, crosswise: clusters of the target that begin in a bad place
/// leave a local minimum.
#[test]
fn r078_the_same_minimum_is_found_from_every_seed() {
    let cloud = |n: usize, seed: u64, spread: f64| {
        let centres = array![[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [3.0, 3.0], [6.0, 1.0]];
        let mut points = normal(n, 2, seed) * spread;
        for (i, mut row) in points.rows_mut().into_iter().enumerate() {
            row += &centres.row(i % 5);
        }
        points
    };
    let problem = problem(&normal(300, 2, 1), &cloud(300, 2, 0.3), 0.2);
    let solver = LightSbSolver::default()
        .with_n_gaussians(Choice::Is(5))
        .with_covariance(Choice::Is(Covariance::Full));
    let objectives: Array1<f64> = (0..8)
        .map(|seed| solver.fit(&problem, Seed(seed), &mut Silent).unwrap().1.objective)
        .collect();
    let lowest = objectives.iter().fold(f64::INFINITY, |a: f64, b| a.min(*b));
    assert!(objectives.iter().all(|value| value - lowest < 0.05), "{objectives}");
    assert_eq!(objectives.len_of(Axis(0)), 8);
}

/// Networks that have learnt nothing leave the affine field of the moments, which is that of two normal
/// laws: the end has the variance of the target, not ε/steps more.
#[test]
fn r079_a_flow_ends_with_the_variance_of_its_target() {
    let n = 400;
    for deviation in [0.03, 0.2, 1.0] {
        let target = normal(n, 2, 2) * deviation + 1.0;
        let source = normal(n, 2, 1);
        let problem = problem(&source, &target, 1.0);
        let course = Course::new(vec![0.0, 1.0], vec![problem]).unwrap();
        let solver = FlowSolver::default().with_max_iterations(1).with_learning_rate(1e-9);
        let bridge = solver.fit(&course, Seed(1), &mut Silent).unwrap().remove(0).0;
        let x = Array2::from_shape_fn((20 * n, 2), |(i, d)| source[[i % n, d]]);
        let y =
            bridge.sample_transition(x.view(), UnitTime::START, UnitTime::END, Seed(2)).unwrap();
        for (y, target) in y.columns().into_iter().zip(target.columns()) {
            let ratio = y.var(0.0) / target.var(0.0);
            // Five standard errors of 8 000 draws, and 10 % of the steps before.
            assert!((ratio - 1.0).abs() < 0.18, "{deviation}: {ratio}");
        }
    }
}
