//! Processes beside the exact draws: diffusions that change over time, small steps, densities of plans,
//! and likelihoods of cells.

use std::collections::BTreeMap;
use std::fs;

use crate::sandbox::{Sandbox, sample};
use crate::tables::{columns, numbers};

/// A folder with a model of three times of the sample and the groups of its cells.
fn fitted(solver: &str) -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let flags = "--timepoints time --obs-filter time<=12 --no-validation --n-pcs 3";
    sandbox.done(&format!("fit data.h5ad {flags} {solver}"));
    sandbox
}

/// Writes the file `start.csv`, in which the cells at 0 are one group.
fn with_start(sandbox: &Sandbox) {
    sandbox.done("velocity --out velocity.csv");
    let cells = columns(sandbox, "velocity.csv");
    let rows = cells["id"].iter().zip(&cells["time"]).filter(|(_, time)| *time == "0.0");
    let lines: Vec<String> = rows.map(|(cell, _)| format!("{cell},start")).collect();
    fs::write(sandbox.path("start.csv"), format!("cell,group\n{}\n", lines.join("\n"))).unwrap();
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

#[test]
fn diffusions_are_numbers_lines_and_tables_and_keep_the_population() {
    let sandbox = fitted("--solver gaussian");
    fs::write(sandbox.path("schedule.csv"), "time,g\n0,0\n0.5,2\n1,0\n").unwrap();
    let mut means = Vec::new();
    for flags in [
        "--diffusion 1",
        "--diffusion 0",
        "--diffusion 0.5:1.5",
        "--diffusion 2:0 --backward",
        "--diffusion-file schedule.csv",
    ] {
        sandbox.done(&format!("interpolate --at 9 --n-cells 2000 {flags} --out cells.csv"));
        let cells = columns(&sandbox, "cells.csv");
        let values = numbers(&cells["PC1"]);
        let centre = mean(&values);
        let spread = mean(&values.iter().map(|v| (v - centre).powi(2)).collect::<Vec<_>>()).sqrt();
        means.push([centre, spread]);
        let run = sandbox.text("cells.csv.run.json");
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        let diffusion = &run["parameters"]["dynamics"]["diffusion"];
        match flags {
            "--diffusion 0.5:1.5" => assert_eq!(diffusion["end"], 1.5),
            "--diffusion-file schedule.csv" => assert_eq!(diffusion[1][1], 2.0),
            _ => assert!(diffusion.is_number() || flags.contains(':'), "{diffusion}"),
        }
    }
    // The cells of the snapshot are no Gaussian, so its law and theirs differ a little.
    for [centre, spread] in &means {
        assert!((centre - means[0][0]).abs() < 0.15 * means[0][1], "{means:?}");
        assert!((spread / means[0][1] - 1.0).abs() < 0.1, "{means:?}");
    }
    for (flags, words) in [
        ("--diffusion -1", "finite and ≥ 0"),
        ("--diffusion 1:fast", "a number, or two numbers"),
        ("--diffusion 1 --diffusion-file schedule.csv", "cannot be used with"),
        ("--diffusion-file none.csv", "none.csv"),
    ] {
        let answer = sandbox.run(&format!("interpolate --at 9 {flags} --out cells.csv"));
        assert!(answer.code != 0 && answer.stderr.contains(words), "{flags}: {}", answer.stderr);
    }
}

#[test]
fn paths_in_small_steps_end_where_exact_paths_end() {
    let sandbox = fitted("--n-gaussians 3");
    with_start(&sandbox);
    let ends = |flags: &str| {
        let line =
            "trajectory --cells start.csv --forward --paths 1500 --grid 2 --paths-out paths.csv";
        sandbox.done(&format!("{line} {flags}"));
        let paths = columns(&sandbox, "paths.csv");
        let mut of: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (time, value) in paths["time"].iter().zip(numbers(&paths["PC1"])) {
            of.entry(time.clone()).or_default().push(value);
        }
        assert_eq!(of.len(), 5, "{flags}");
        of["12.0"].clone()
    };
    let (exact, steps) = (ends(""), ends("--scheme em --steps 60"));
    assert_ne!(exact, steps);
    let spread = mean(&exact.iter().map(|v| (v - mean(&exact)).powi(2)).collect::<Vec<_>>()).sqrt();
    // Two means of 1 500 draws differ by 0.037 standard errors each way; four of them and the steps.
    let off = (mean(&exact) - mean(&steps)).abs() / spread;
    assert!(off < 0.2, "{off}");
    assert_eq!(steps, ends("--scheme em --n-steps 60 --threads 1"));
    for (flags, words) in [
        ("--n-steps 60", "--scheme em"),
        ("--scheme em --n-steps 60 --paths-to 12:start", "cannot be used with"),
        ("--scheme em --n-steps 0", "at least 1"),
    ] {
        let line = "trajectory --cells start.csv --paths 5 --paths-out paths.csv";
        let answer = sandbox.run(&format!("{line} {flags}"));
        assert!(answer.code != 0 && answer.stderr.contains(words), "{flags}: {}", answer.stderr);
    }
}

#[test]
fn pairs_have_the_density_of_their_plan() {
    for solver in ["--n-gaussians 3", "--solver gaussian"] {
        let sandbox = fitted(solver);
        sandbox.done("couplings --format csv --least 0.01 --density");
        let pairs = columns(&sandbox, "couplings/0_6.csv");
        let (mass, given) = (numbers(&pairs["mass"]), numbers(&pairs["log_given"]));
        let both = numbers(&pairs["log_density"]);
        assert!(given.iter().chain(&both).all(|log| log.is_finite()));
        // Within the pairs of one cell, mass and density rank alike on the whole: the mass is the
        // density over that of the later cells.
        let mut concordant = [0_usize; 2];
        for i in 1..mass.len() {
            if pairs["source"][i] == pairs["source"][i - 1] {
                let same = (mass[i] > mass[i - 1]) == (given[i] > given[i - 1]);
                concordant[usize::from(same)] += 1;
            }
        }
        assert!(concordant[1] > concordant[0], "{solver}: {concordant:?}");
    }
    let sandbox = fitted("--solver sinkhorn");
    let answer = sandbox.run("couplings --format csv --density");
    assert!(answer.code != 0 && answer.stderr.contains("lightsb or gaussian"), "{}", answer.stderr);
    let answer = sandbox.run("couplings --format wot --density");
    assert!(answer.code != 0 && answer.stderr.contains("table of pairs"), "{}", answer.stderr);
}

#[test]
fn a_likelihood_of_cells_moves_the_draws() {
    let sandbox = fitted("--solver gaussian");
    // The names of the cells at 6, and their coordinates.
    sandbox.done("velocity --out velocity.csv");
    let cells = columns(&sandbox, "velocity.csv");
    let at: Vec<usize> =
        (0..cells["time"].len()).filter(|&row| cells["time"][row] == "6.0").collect();
    let table = |log: &dyn Fn(usize) -> String| {
        let lines = at.iter().enumerate();
        let lines = lines.map(|(place, &row)| format!("{},{}", cells["id"][row], log(place)));
        format!("cell,loglik\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    };
    let draw = |text: &str| {
        fs::write(sandbox.path("loglik.csv"), text).unwrap();
        let line = "sample --at 6 --n-cells 400 --likelihood loglik.csv --out draws.csv";
        let said = sandbox.done(line);
        (numbers(&columns(&sandbox, "draws.csv")["PC1"]), said.stdout + &said.stderr)
    };
    let (plain, said) = draw(&table(&|_| "0".into()));
    assert!(said.contains("effective cells"), "{said}");
    // Only the first half of the cells in the file.
    let half = |place: usize| if 2 * place < at.len() { "-1.5" } else { "-inf" }.to_string();
    let (some, _) = draw(&table(&half));
    assert_eq!((plain.len(), some.len()), (400, 400));
    assert_ne!(plain, some);
    // A measurement of PC1: draws have the mean and the deviation of the weighted cells. At the time of
    // a snapshot `interpolate` writes its cells in order.
    sandbox.done("interpolate --at 6 --out observed.csv");
    let x = numbers(&columns(&sandbox, "observed.csv")["PC1"]);
    let log = |x: f64| -(x - 2.0).powi(2) / 3.0;
    let weights: Vec<f64> = x.iter().map(|x| log(*x).exp()).collect();
    let total: f64 = weights.iter().sum();
    let weighted = |of: &dyn Fn(f64) -> f64| {
        x.iter().zip(&weights).map(|(x, w)| w * of(*x)).sum::<f64>() / total
    };
    let centre = weighted(&|x| x);
    let spread = weighted(&|x| (x - centre).powi(2)).sqrt();
    let (draws, _) = draw(&table(&|place| log(x[place]).to_string()));
    let found = mean(&draws);
    let found_spread = mean(&draws.iter().map(|x| (x - found).powi(2)).collect::<Vec<_>>()).sqrt();
    // 400 draws: three standard errors are 0.15 of a mean and 0.11 of a deviation.
    assert!((found - centre).abs() < 0.15 * spread, "{found} {centre}");
    assert!((found_spread / spread - 1.0).abs() < 0.15, "{found_spread} {spread}");
    let (_, said) = draw(&table(&|place| (if place < 15 { "0" } else { "-50" }).into()));
    assert!(said.contains("leaves 15.0 cells"), "{said}");
    fs::write(sandbox.path("loglik.csv"), "cell,loglik\nnobody,1\n").unwrap();
    for (flags, words) in [
        ("--at 6", "a value for every cell"),
        ("--at 6,12", "one time"),
        ("--at 9", "the time of a snapshot"),
    ] {
        let answer =
            sandbox.run(&format!("sample {flags} --likelihood loglik.csv --out draws.csv"));
        assert!(answer.code != 0 && answer.stderr.contains(words), "{flags}: {}", answer.stderr);
    }
}
