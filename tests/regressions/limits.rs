//! Threads, memory, damaged models, and bytes that must not depend on the machine.

use std::fs;
use std::process::Command;

use sbcell::io::h5ad::H5ad;
use sbcell::io::table::{self, Cells, Table, TableFormat};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, dialect, root, sample};

/// What a run says on stderr, with a variable in the environment.
fn said(sandbox: &Sandbox, line: &str, variable: Option<(&str, &str)>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbcell"));
    command.args(line.split_whitespace()).current_dir(sandbox.path(""));
    command.env_remove("SLURM_CPUS_PER_TASK").env_remove("RAYON_NUM_THREADS");
    command.envs(variable);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn r130_no_more_threads_than_cores() {
    let sandbox = Sandbox::with(&sample("kouno2013_thp1"));
    let cores = std::thread::available_parallelism().unwrap().get();
    let line = "inspect data.h5ad";
    for (flag, variable, by) in [
        (" --threads 1000000", None, "--threads asks for 1000000"),
        ("", Some(("SLURM_CPUS_PER_TASK", "100000")), "SLURM_CPUS_PER_TASK asks for 100000"),
        ("", Some(("RAYON_NUM_THREADS", "100000")), "RAYON_NUM_THREADS asks for 100000"),
    ] {
        let text = said(&sandbox, &format!("{line}{flag}"), variable);
        let notes: Vec<&str> = text.lines().filter(|line| line.contains("threads")).collect();
        assert_eq!(notes.len(), 1, "{text}");
        assert!(notes[0].starts_with(&format!("note: {by}")), "{text}");
        assert!(notes[0].contains(&format!("; {cores} are used, as there are {cores} core")));
    }
    for few in ["", " --threads 1", " --quiet --threads 1000000"] {
        let text = said(&sandbox, &format!("{line}{few}"), None);
        assert!(!text.contains("threads"), "{text}");
    }
}

/// A change of a document at a place, such as `/snapshots/0/time`; `None` takes it out.
fn changed(sandbox: &Sandbox, file: &str, place: &str, value: Option<Value>) {
    let mut document: Value = serde_json::from_str(&sandbox.text(file)).unwrap();
    let (parent, key) = place.rsplit_once('/').unwrap();
    match (document.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key.into(), value)),
        (Value::Object(fields), None) => drop(fields.remove(key)),
        (Value::Array(entries), Some(value)) => entries[key.parse::<usize>().unwrap()] = value,
        (Value::Array(entries), None) => drop(entries.remove(key.parse().unwrap())),
        (other, _) => panic!("{place}: {other}"),
    }
    fs::write(sandbox.path(file), document.to_string()).unwrap();
}

/// Refused by every command that opens a model, in one line that names the file.
fn refused(sandbox: &Sandbox, file: &str, what: &str) {
    for line in ["interpolate --model m --out x.csv", "velocity --model m --out x.csv"] {
        let answer = sandbox.run(line);
        let told = format!("{what}: {line}\n{}", answer.stderr);
        assert_eq!(answer.code, 3, "{told}");
        let name = file.strip_prefix("m/").unwrap();
        let mut lines = answer.stderr.lines();
        let first = lines.next().unwrap_or_default();
        assert!(first.starts_with("error: cannot read") && first.contains(name), "{told}");
        assert_eq!(lines.collect::<Vec<_>>(), ["", "hint: run `sbcell fit` again"], "{told}");
        assert!(!sandbox.path("x.csv").exists(), "{told}");
    }
}

fn restored(sandbox: &Sandbox, file: &str, what: &str, damage: impl FnOnce()) {
    let whole = fs::read(sandbox.path(file)).unwrap();
    // With its record every part is compared by its hash first, which is tested with the models.
    let record = fs::read(sandbox.path("m/run.json")).unwrap();
    fs::remove_file(sandbox.path("m/run.json")).unwrap();
    damage();
    refused(sandbox, file, what);
    fs::write(sandbox.path(file), whole).unwrap();
    fs::write(sandbox.path("m/run.json"), record).unwrap();
}

fn bridge_of(sandbox: &Sandbox) -> String {
    let names = sandbox.files("m/bridges");
    format!("m/bridges/{}", names[0].0)
}

#[test]
fn r131_a_model_that_contradicts_itself_is_refused_when_it_is_opened() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    sandbox.done(
        "-q fit data.h5ad --timepoints time --n-pcs 3 --n-gaussians 2 --out m \
         --bend off --timing even",
    );
    sandbox.done("interpolate --model m --out whole.csv");
    fs::remove_file(sandbox.path("m/run.json")).unwrap();
    let bridge = bridge_of(&sandbox);
    for (file, place, value) in [
        ("m/model.json", "/snapshots/0/n_cells", Some(json!(14))),
        ("m/model.json", "/snapshots/0/n_cells", Some(json!(u64::MAX))),
        ("m/model.json", "/snapshots/1/time", Some(json!(-1.0))),
        ("m/model.json", "/snapshots/1/time", Some(json!(6.5))),
        ("m/model.json", "/snapshots/4", None),
        ("m/model.json", "/snapshots", Some(json!([]))),
        ("m/model.json", "/dimensions", Some(json!([]))),
        ("m/model.json", "/scale", Some(json!(0.0))),
        ("m/model.json", "/scale", Some(json!(1e308))),
        ("m/model.json", "/epsilon", Some(Value::Null)),
        ("m/model.json", "/sigma2", Some(json!(-1.0))),
        (&bridge, "/from", Some(json!(0.5))),
        (&bridge, "/epsilon", Some(json!(-0.1))),
        (&bridge, "/bridge/lightsb/epsilon", Some(json!(0.0))),
        (&bridge, "/bridge/lightsb/s/0/1", Some(json!(-1.0))),
        (&bridge, "/bridge/lightsb/r/0/1", Some(json!(1e308))),
        (&bridge, "/bridge/lightsb/r/0", None),
        (&bridge, "/bridge/lightsb/source_mean/0", None),
        (&bridge, "/bridge", None),
    ] {
        let what = format!("{place} {value:?}");
        // A file that lacks what another names is at fault as well as the one that names it.
        let named = match place {
            // No bridge leads there.
            "/snapshots/1/time" if value == Some(json!(6.5)) => "m/bridges/0_6.5.json",
            "/snapshots/0/n_cells" if value == Some(json!(14)) => "m/cells.parquet",
            "/snapshots/0/n_cells" | "/snapshots/4" => "m/cells.parquet",
            _ => file,
        };
        let whole = fs::read(sandbox.path(file)).unwrap();
        changed(&sandbox, file, place, value);
        refused(&sandbox, named, &what);
        fs::write(sandbox.path(file), whole).unwrap();
    }
    assert_eq!(sandbox.done("interpolate --model m --out whole.csv").code, 0);
}

#[test]
fn r132_cells_and_genes_of_a_model_are_checked_too() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    sandbox.done("-q fit data.h5ad --timepoints time --n-pcs 3 --solver gaussian --out m");
    let with = |file: &str, change: &dyn Fn(&str, &mut Cells)| {
        let whole = table::read_parquet(&sandbox.path(file)).unwrap();
        let mut made = Table::default();
        for name in whole.names() {
            let mut cells = whole.column(&name).unwrap().clone();
            change(&name, &mut cells);
            made.push(name, cells);
        }
        table::write(&sandbox.path(file), &made, TableFormat::Parquet).unwrap();
    };
    let set = |column: &'static str, value: f64| {
        move |name: &str, cells: &mut Cells| match cells {
            Cells::Floats(values) if name == column => values[3] = value,
            _ => {}
        }
    };
    let fewer = |_: &str, cells: &mut Cells| match cells {
        Cells::Floats(values) => drop(values.pop()),
        Cells::Texts(values) => drop(values.pop()),
        Cells::Integers(values) => drop(values.pop()),
    };
    let cells = "m/cells.parquet";
    restored(&sandbox, cells, "a time of no snapshot", || with(cells, &set("time", 3.0)));
    restored(&sandbox, cells, "NaN", || with(cells, &set("PC1", f64::NAN)));
    restored(&sandbox, cells, "too large to square", || with(cells, &set("PC1", 1e200)));
    restored(&sandbox, cells, "a cell is missing", || with(cells, &fewer));
    let genes = "m/genes.parquet";
    restored(&sandbox, genes, "not orthonormal", || with(genes, &set("PC1", 3.0)));
    restored(&sandbox, genes, "NaN", || with(genes, &set("mean", f64::NAN)));
    restored(&sandbox, genes, "it is missing", || {
        fs::remove_file(sandbox.path(genes)).unwrap();
    });
}

/// Fits a model with these flags, on straight lines unless they bend. `growth.csv` has a rate for each cell.
fn fit_with_growth(sandbox: &Sandbox, flags: &str) {
    let names = H5ad::open(&sandbox.path("data.h5ad")).unwrap().obs_names().unwrap();
    let growth: String = names.iter().map(|cell| format!("{cell},1.5\n")).collect();
    fs::write(sandbox.path("growth.csv"), growth).unwrap();
    let bends = flags.contains("--bend");
    let straight = if bends { "" } else { "--bend off --timing even --asynchrony off" };
    let line = format!("-q fit data.h5ad --timepoints time --n-pcs 3 --out m {flags} {straight}");
    assert!(matches!(sandbox.run(&line).code, 0 | 4), "{line}");
}

#[test]
fn r133_plans_potentials_growth_and_networks_of_a_model_are_checked() {
    for (flags, cases) in [
        (
            "--solver gaussian --bend auto --asynchrony 2",
            vec![
                ("/bridge/clocked/asynchrony", Some(json!(-1.0))),
                ("/bridge/clocked/speeds/0", Some(json!(0.0))),
                ("/bridge/clocked/speeds/1", None),
                ("/bridge/clocked/inner/curved/leave/0", None),
                ("/bridge/clocked/inner/curved/arrive/0", Some(json!(1e300))),
                ("/bridge/clocked/inner/curved/inner/gaussian/slope/0/0", Some(json!(-5.0))),
            ],
        ),
        (
            "--solver ot",
            vec![
                ("/bridge/plan/source/0", Some(json!(4_000_000_000_u32))),
                ("/bridge/plan/mass/0", Some(json!(-0.1))),
                ("/bridge/plan/mass/0", Some(json!(7.5))),
                ("/bridge/plan/mass/0", None),
                ("/bridge/plan/dim", Some(json!(u64::MAX))),
            ],
        ),
        (
            "--solver sinkhorn --growth-file growth.csv",
            vec![
                ("/bridge/sinkhorn/source_potential/0", None),
                ("/bridge/sinkhorn/target_potential/0", Some(json!(1e300))),
                ("/bridge/sinkhorn/dim", Some(json!(4))),
                ("/bridge/sinkhorn/epsilon", Some(json!(1e-9))),
                ("/growth/prior/0", None),
                ("/growth/posterior/0", None),
                ("/growth/posterior/0", Some(json!(1e300))),
            ],
        ),
        (
            "--solver gaussian",
            vec![
                ("/bridge/gaussian/slope/0/0", Some(json!(-5.0))),
                ("/bridge/gaussian/source_covariance/0/1", Some(json!(9.0))),
            ],
        ),
        (
            "--solver sf2m --max-iterations 5 --steps 5",
            vec![
                ("/bridge/flow/n_steps", Some(json!(u64::MAX))),
                ("/bridge/flow/n_steps", Some(json!(0))),
                ("/bridge/flow/clock/1", Some(json!(0.0))),
                ("/bridge/flow/affine/source_variance/0", Some(json!(-1.0))),
            ],
        ),
    ] {
        let sandbox = Sandbox::with(&dialect("dense_float32"));
        fit_with_growth(&sandbox, flags);
        sandbox.done("interpolate --model m --out whole.csv");
        let bridge = bridge_of(&sandbox);
        for (place, value) in cases {
            let what = format!("{flags} {place} {value:?}");
            restored(&sandbox, &bridge, &what, || changed(&sandbox, &bridge, place, value));
        }
        let networks = "m/networks.safetensors";
        if sandbox.path(networks).exists() {
            restored(&sandbox, networks, "cut", || {
                let bytes = fs::read(sandbox.path(networks)).unwrap();
                fs::write(sandbox.path(networks), &bytes[..bytes.len() / 2]).unwrap();
            });
        }
    }
}

#[test]
fn r134_an_edge_without_a_finite_weight_is_refused() {
    let sandbox = Sandbox::new();
    let texts = |all: [&str; 2]| Cells::Texts(all.map(String::from).to_vec());
    for weight in [f64::NAN, f64::INFINITY] {
        let edges = Table::default()
            .with("source", texts(["A", "B"]))
            .with("target", texts(["B", "A"]))
            .with("weight", Cells::Floats(vec![1.0, weight]));
        table::write(&sandbox.path("e.parquet"), &edges, TableFormat::Parquet).unwrap();
        let answer = sandbox.run("grn-score e.parquet --truth e.parquet");
        assert_eq!(answer.code, 3, "{}", answer.stderr);
        let told = format!("{weight} in row 2 is no weight");
        assert!(answer.stderr.contains(&told), "{}", answer.stderr);
    }
}

/// Pages of chunk addresses that were never written hold nothing: the highest bit is the first page's.
#[test]
fn r135_pages_of_chunks_that_were_never_written_are_empty() {
    let file = H5ad::open(&root().join("tests/fixtures/h5ad-pages/holes.h5ad")).unwrap();
    for (key, there) in
        [("fixed", vec![(16 * 1024 + 3, 1.5)]), ("grows", vec![(33_500, 3.5), (39_000, 2.5)])]
    {
        let points = file.obsm(key).unwrap();
        let found: Vec<(usize, f64)> = points
            .column(0)
            .iter()
            .copied()
            .enumerate()
            .filter(|entry| entry.1.abs() > 0.0)
            .collect();
        assert_eq!(found, there, "{key}");
    }
}

/// The crate reads the indices of that file by itself, and leaves layouts of version 5 to us: pages that
/// were written are read.
#[test]
fn r142_pages_of_layouts_that_are_read_here_are_read() {
    let file = H5ad::open(&root().join("tests/fixtures/h5ad-pages/full_v5.h5ad")).unwrap();
    let points = file.obsm("full").unwrap();
    assert_eq!(points.dim(), (1100, 1));
    let right = points.iter().enumerate().all(|(cell, value)| (value - cell as f64).abs() < 1e-12);
    assert!(right, "{points}");
}

/// Draws at two times are independent of each other, whatever the other times that are asked for.
#[test]
fn r136_every_time_has_random_numbers_of_its_own() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    sandbox.done("-q fit data.h5ad --timepoints time --n-pcs 2 --solver gaussian --out m");
    let first = |name: &str, time: &str| -> Vec<f64> {
        let text = sandbox.text(name);
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        let place = |column: &str| header.iter().position(|name| *name == column).unwrap();
        let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let at = rows.filter(|row| row[place("time")] == time);
        at.map(|row| row[place("PC1")].parse().unwrap()).collect()
    };
    // 200 draws from each of the 15 cells of the first time, those of one cell side by side.
    let (n, each) = (3000, 200);
    sandbox.done("-q interpolate --model m --at 2.25,2.5 --n-cells 3000 --out both.csv");
    sandbox.done("-q interpolate --model m --at 2.5 --n-cells 3000 --out alone.csv");
    let (a, b) = (first("both.csv", "2.25"), first("both.csv", "2.5"));
    assert_eq!((a.len(), b.len()), (n, n));
    // What one cell becomes is normal, of one variance for all: draws less the mean of their cell are
    // noise alone.
    let noise = |x: &[f64]| -> Vec<f64> {
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        x.chunks(each).flat_map(|of| of.iter().map(|x| x - mean(of)).collect::<Vec<_>>()).collect()
    };
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let (x, y) = (noise(&a), noise(&b));
    let correlation = dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt();
    // The correlation of independent normal numbers with ν degrees of freedom has mean 0 and variance
    // 1/ν exactly: five standard errors are 0.09. That of the same draws is 1.
    let freedom = (n - n / each) as f64;
    assert!(correlation.abs() < 5.0 / freedom.sqrt(), "{correlation}");
    let same = first("alone.csv", "2.5").iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(same, "another draw when asked alone");
}

/// A count that nobody means is refused: it would ask for all memory, or never end.
#[test]
fn r137_counts_that_no_machine_can_hold_are_refused() {
    let sandbox = Sandbox::new();
    for (line, flag) in [
        ("interpolate", "--n-cells"),
        ("sample", "--n-cells"),
        ("sample", "--draws"),
        ("grn", "--bootstrap"),
        ("grn", "--permutations"),
        ("diagnose", "--permutations"),
        ("transitions --groupby g", "--bootstrap"),
        ("trajectory --groupby g --paths-out p.csv", "--paths"),
        ("trajectory --groupby g", "--grid"),
        ("fit x.h5ad --solver sf2m", "--width"),
        ("fit x.h5ad --solver sf2m", "--n-steps"),
    ] {
        for number in ["99999999999999", "18446744073709551615"] {
            let answer = sandbox.run(&format!("{line} {flag} {number}"));
            assert_eq!(answer.code, 2, "{line} {flag}: {}", answer.stderr);
            let told = format!("invalid value '{number}' for '{flag} <N>': must be at most ");
            assert!(answer.stderr.contains(&told), "{}", answer.stderr);
        }
    }
}
