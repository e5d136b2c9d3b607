//! Models and values that are sound one number at a time: forged models, values beyond what can be computed.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::read_header;
use sbcell::io::run::{OutputRecord, RunRecord, read_json, write_json};

use crate::course::{Course, N};
use crate::models::{FIT, change_json, refused, with_course};
use crate::sandbox::Sandbox;

/// Changes a file of a model, and records it as if a fit had written it so.
fn forge(sandbox: &Sandbox, part: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let folder = sandbox.path("sbcell-out");
    change_json(&folder.join(part), change);
    let path = folder.join("run.json");
    let mut run: RunRecord = read_json(&path).unwrap();
    run.outputs.retain(|output| output.file != part);
    run.outputs.push(OutputRecord::of(&folder, part).unwrap());
    write_json(&path, &run).unwrap();
}

/// What is changed in which part of a model by which solver.
type Forgery = (&'static str, &'static str, fn(&mut serde_json::Value));

const BRIDGE: &str = "bridges/0_1.json";

/// The bridge of an interval without clock and curve.
fn plain(interval: &mut serde_json::Value) -> &mut serde_json::Value {
    let mut bridge = &mut interval["bridge"];
    for layer in ["clocked", "curved"] {
        if bridge.get(layer).is_some() {
            bridge = &mut bridge[layer]["inner"];
        }
    }
    bridge
}

/// Numbers that are finite one by one, and of which no fit is.
const FORGERIES: [Forgery; 13] = [
    ("--solver sinkhorn", BRIDGE, |b| {
        plain(b)["sinkhorn"]["source_potential"][3] = 1e9.into();
    }),
    ("--solver sinkhorn", BRIDGE, |b| {
        plain(b)["sinkhorn"]["target_potential"][5] = 500.into();
    }),
    ("--solver sinkhorn", BRIDGE, |b| {
        // A cell's own potential by which it would send e¹⁰⁰ times its mass.
        let f = &mut plain(b)["sinkhorn"]["source_potential"][7];
        *f = (f.as_f64().unwrap() + 10.0).into();
    }),
    ("--solver sinkhorn --growth-file growth.csv", BRIDGE, |b| {
        plain(b)["sinkhorn"]["source_potential"][3] = (-1e9).into();
    }),
    ("--solver sinkhorn", "model.json", |m| {
        m["scale"] = (m["scale"].as_f64().unwrap() * 1e-9).into();
    }),
    ("--solver ot", "model.json", |m| {
        m["sigma2"] = (m["sigma2"].as_f64().unwrap() * 1e3).into();
    }),
    ("--solver ot", BRIDGE, |b| plain(b)["plan"]["mass"][0] = 1e9.into()),
    ("--solver gaussian", BRIDGE, |b| {
        for d in 0..3 {
            plain(b)["gaussian"]["slope"][d][d] = 1e59.into();
        }
    }),
    ("--solver gaussian", BRIDGE, |b| plain(b)["gaussian"]["source_mean"][0] = 1e50.into()),
    ("--n-gaussians 1", BRIDGE, |b| plain(b)["lightsb"]["r"][0][0] = 1e55.into()),
    ("--solver sinkhorn --reference ou --ou-rate 0.1", BRIDGE, |b| {
        let inner = &mut plain(b)["ornstein_uhlenbeck"]["inner"]["sinkhorn"];
        inner["target_potential"][0] = 1e30.into();
    }),
    ("--solver ot", BRIDGE, |b| b["epsilon"] = 7.into()),
    ("--solver sf2m --max-iterations 5 --steps 4", BRIDGE, |b| {
        plain(b)["flow"]["affine"]["target_mean"][0] = 1e55.into();
    }),
];

/// A model whose hashes were recorded anew after it was damaged opened, and commands failed with an
/// infinite mass or wrote drifts that were not finite.
#[test]
fn r138_a_forged_model_is_unreadable_whatever_was_forged() {
    let mut fitted = String::new();
    let sandbox = with_course(false);
    let rates: String = Course::new().cells.iter().map(|cell| format!("{cell},2\n")).collect();
    fs::write(sandbox.path("growth.csv"), rates).unwrap();
    for (number, (solver, part, change)) in FORGERIES.into_iter().enumerate() {
        if fitted != solver {
            let base = "fit data.h5ad --timepoints day --n-pcs 3 --no-validation --epsilon 0.1";
            let _ = fs::remove_dir_all(sandbox.path("sbcell-out"));
            let answer = sandbox.run(&format!("{base} {solver}"));
            assert!([0, 4].contains(&answer.code), "{solver}: {}", answer.stderr);
            fitted = solver.into();
        }
        let kept = |name: &str| fs::read(sandbox.path(&format!("sbcell-out/{name}"))).unwrap();
        let (whole, run) = (kept(part), kept("run.json"));
        sandbox.done("velocity --out v.csv");
        forge(&sandbox, part, change);
        for line in ["velocity --out w.csv", "diagnose"] {
            let answer = sandbox.run(line);
            let told = format!("{number} `{solver}` {part}: {line}\n{}", answer.stderr);
            assert_eq!(answer.code, 3, "{told}");
            assert!(answer.stderr.contains("hint: run `sbcell fit` again"), "{told}");
        }
        assert!(!sandbox.path("w.csv").exists());
        fs::write(sandbox.path(&format!("sbcell-out/{part}")), whole).unwrap();
        fs::write(sandbox.path("sbcell-out/run.json"), run).unwrap();
    }
}

#[test]
fn r139_no_file_of_a_model_is_read_without_end() {
    let sandbox = with_course(true);
    for part in ["model.json", "run.json", BRIDGE] {
        let path = sandbox.path(&format!("sbcell-out/{part}"));
        let whole = fs::read(&path).unwrap();
        // Longer than any such file, and without content.
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 29).unwrap();
        let name = Path::new(part).file_name().unwrap().to_str().unwrap();
        refused(&sandbox, "velocity", 3, &[name, "it has more than the"]);
        #[cfg(unix)]
        {
            fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            refused(&sandbox, "velocity", 3, &[name, "it has more than the"]);
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, whole).unwrap();
    }
    sandbox.done("velocity");
}

/// Intervals of an unfinished fit were taken over as they were.
#[test]
fn r140_a_resumed_fit_finds_anew_what_was_damaged_meanwhile() {
    let sandbox = with_course(true);
    let expected = sandbox.files("sbcell-out");
    let plan = read_header(&sandbox.path("sbcell-out")).unwrap().plan;
    let partial = |name: &str| sandbox.path(&format!("sbcell-out.partial/{name}"));
    let forgeries: [fn(&mut serde_json::Value); 5] = [
        |_| {},
        |b| plain(b)["lightsb"]["r"][0][0] = 1e55.into(),
        |b| b["epsilon"] = 3.into(),
        |b| b["fit"] = serde_json::json!([]),
        |b| b["from"] = 0.5.into(),
    ];
    for (number, forgery) in forgeries.into_iter().enumerate() {
        fs::create_dir_all(partial("bridges")).unwrap();
        fs::write(partial("plan.json"), format!("\"{plan}\"\n")).unwrap();
        for name in ["bridges/0_1.json", "bridges/1_3.json"] {
            fs::copy(sandbox.path(&format!("sbcell-out/{name}")), partial(name)).unwrap();
        }
        if number > 0 {
            change_json(&partial(BRIDGE), forgery);
        }
        let answer = sandbox.done(&format!("{FIT} --no-validation --resume"));
        let anew = answer.stderr.contains("cannot be used and is fitted again");
        assert_eq!(anew, number > 0, "{}", answer.stderr);
        assert!(answer.stderr.contains("found before, taken over"), "{}", answer.stderr);
        assert!(sandbox.files("sbcell-out") == expected, "forgery {number}");
    }
    // Cut short, too.
    fs::create_dir_all(partial("bridges")).unwrap();
    fs::write(partial("plan.json"), format!("\"{plan}\"\n")).unwrap();
    fs::write(partial(BRIDGE), "{\"from\": 0").unwrap();
    let answer = sandbox.done(&format!("{FIT} --no-validation --resume"));
    assert!(answer.stderr.contains("fitted again"), "{}", answer.stderr);
    assert!(sandbox.files("sbcell-out") == expected);
}

/// Values at the ends of what numbers hold were errors of eigenvalues, panics, or models that could not
/// be opened.
#[test]
fn r141_values_that_cannot_be_computed_with_are_named() {
    let sandbox = with_course(false);
    let course = Course::new();
    let write = |name: &str, days: &[f64], counts: Array2<f32>, embedding: Array2<f64>| {
        let content = H5adContent {
            obs_names: &course.cells,
            obs: &[("day", &Column::Floats(days.to_vec()))],
            var_names: &course.genes,
            x: Some(MatrixContent::Single(counts.view())),
            obsm: &[("X_own", embedding.view())],
            ..H5adContent::default()
        };
        write_h5ad(&sandbox.path(name), &content).unwrap();
    };
    let calm = Array2::from_shape_fn((3 * N, 2), |(i, d)| ((3 * i + d) as f64).sin());
    let fit = "fit data.h5ad --timepoints day --no-validation --out new";
    for far in [1e300, -1e200, 1e60, 1e38] {
        let mut points = calm.clone();
        points[[7, 1]] = far;
        write("data.h5ad", &course.days, course.counts.clone(), points);
        for solver in ["gaussian", "sinkhorn", "lightsb"] {
            let line = format!("{fit} --use-rep X_own --solver {solver}");
            refused(&sandbox, &line, 3, &["cell `c7`", "hint: leave such cells out"]);
        }
    }
    let mut counts = course.counts.clone();
    counts[[9, 4]] = 3e38;
    write("data.h5ad", &course.days, counts.clone(), calm.clone());
    refused(&sandbox, &format!("{fit} --values as-is --n-pcs 3"), 3, &["cell `c9`"]);
    // Large, and no larger than can be computed with: what is written can be read.
    counts[[9, 4]] = 1e22;
    write("data.h5ad", &course.days, counts, calm.clone());
    sandbox.done(&format!("{fit} --values as-is --n-pcs 3 --solver gaussian"));
    sandbox.done("velocity --model new --out v.csv");
    fs::remove_dir_all(sandbox.path("new")).unwrap();
    for late in [1e308, 1e40] {
        let days: Vec<f64> =
            course.days.iter().map(|&day| if day > 2.0 { late } else { day }).collect();
        write("data.h5ad", &days, course.counts.clone(), calm.clone());
        refused(&sandbox, &format!("{fit} --n-pcs 3"), 3, &["obs/day holds the time 1e"]);
    }
    let days: Vec<f64> =
        course.days.iter().map(|&d| if (0.5..2.0).contains(&d) { 1e-300 } else { d }).collect();
    write("data.h5ad", &days, course.counts.clone(), calm);
    refused(&sandbox, &format!("{fit} --n-pcs 3"), 3, &["obs/day has intervals of 1e-300 and"]);
    assert!(!sandbox.path("new").exists());
}
