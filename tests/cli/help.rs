//! `--help` and `--version`: complete, up to date in docs/CLI.md, and every example runs.

use std::collections::BTreeSet;
use std::fs;

use sbcell::Silent;
use sbcell::data::{Column, Matrix};
use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};

use crate::sandbox::{Sandbox, root, sample};

const COMMANDS: [&str; 30] = [
    "run",
    "inspect",
    "fit",
    "evaluate",
    "interpolate",
    "sample",
    "trajectory",
    "fates",
    "transitions",
    "trends",
    "drivers",
    "compare",
    "couplings",
    "perturb",
    "diagnose",
    "velocity",
    "annotate",
    "strip",
    "grn",
    "grn-score",
    "report",
    "plot",
    "export",
    "plan",
    "step",
    "merge",
    "verify",
    "doctor",
    "completions",
    "man",
];

#[test]
fn version_is_one_line() {
    let answer = Sandbox::new().done("--version");
    assert_eq!(answer.stdout, format!("sbcell {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(answer.stderr, "");
}

#[test]
fn the_short_help_fits_a_screen_and_begins_with_examples() {
    let sandbox = Sandbox::new();
    for command in COMMANDS {
        let help = sandbox.done(&format!("{command} -h")).stdout;
        assert!(help.lines().count() <= 24, "`sbcell {command} -h` is long:\n{help}");
        let wide = help.lines().find(|line| 100 < line.chars().count());
        assert_eq!(wide, None, "`sbcell {command} -h`");
        let example = help.find("\n  sbcell ").unwrap();
        assert!(help.find("flags:").is_none_or(|flags| example < flags), "{command}");
        let last = help.trim_end().lines().last().unwrap().to_string();
        assert_eq!(last, format!("`sbcell {command} --help` shows all flags"));
    }
    let help = sandbox.done("-h").stdout;
    assert!(help.lines().count() <= 46, "{help}");
    for command in COMMANDS {
        let line = format!("\n  {command} ");
        assert_eq!(help.matches(&line).count(), 1, "{command}");
    }
}

/// The sections of a page: lines without indent that end in a colon and have flags below.
fn sections(help: &str) -> Vec<&str> {
    let lines: Vec<&str> = help.lines().collect();
    let titles = lines.windows(2).filter(|two| {
        two[1].trim_start().starts_with('-') && !two[0].starts_with(' ') && two[0].ends_with(':')
    });
    titles.map(|two| two[0]).collect()
}

#[test]
fn the_sections_of_the_whole_help_have_one_order() {
    let sandbox = Sandbox::new();
    let mut before = BTreeSet::new();
    for command in COMMANDS {
        let help = sandbox.done(&format!("{command} --help")).stdout;
        let found = sections(&help);
        assert_eq!(found.last(), Some(&"Flags of every command:"), "{command}");
        let (input, output) = ("Input:", "Output:");
        let first = found.iter().find(|title| ![input, output].contains(title)).unwrap();
        assert!(
            found.iter().skip_while(|title| *title != first).all(|t| ![input, output].contains(t))
        );
        for (place, first) in found.iter().enumerate() {
            for second in &found[place + 1..] {
                assert!(!before.contains(&(second.to_string(), first.to_string())), "{command}");
                assert_ne!(first, second, "{command}");
                before.insert((first.to_string(), second.to_string()));
            }
        }
        let usage = help.find("\nUsage:").unwrap();
        let example = help.find("\n  sbcell ").unwrap();
        let flags = help.find("\nFlags of every command:").unwrap();
        assert!(usage < example && example < flags, "{command}");
        let wide = help.lines().find(|line| 100 < line.chars().count());
        assert_eq!(wide, None, "`sbcell {command} --help`");
    }
}

#[test]
fn the_page_of_all_commands_is_up_to_date() {
    let sandbox = Sandbox::new();
    let mut parts = vec![String::from(
        "# Command line\n\nEvery `--help`, written by `UPDATE=1 cargo test --release --test cli`.\n",
    )];
    for command in [""].iter().chain(&COMMANDS) {
        let help = sandbox.done(&format!("{command} --help")).stdout;
        let title = format!("sbcell {command}");
        parts.push(format!("\n## {}\n\n```text\n{}\n```\n", title.trim(), unpadded(&help)));
    }
    let page = parts.concat();
    let path = root().join("docs/CLI.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/CLI.md is stale: UPDATE=1 cargo test --release --test cli");
}

#[test]
fn every_example_of_every_help_page_runs() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::write(sandbox.path("tfs.txt"), "Pou5f1\nSox2\n").unwrap();
    fs::write(sandbox.path("markers.txt"), "Pou5f1\nSox2\n").unwrap();
    write_conditions(&sandbox.path("conditions.h5ad"));
    fs::write(sandbox.path("refNetwork.csv"), "Gene1,Gene2,Type\nPou5f1,Sox2,+\n").unwrap();
    fs::write(sandbox.path("chip.tsv"), "regulator\ttarget\nSox2\tPou5f1\n").unwrap();
    fs::write(sandbox.path("panel.csv"), "cell,Pou5f1,Sox2\na,3,2\n").unwrap();
    let logs = (0..5000).map(|cell| format!("cell_{cell},-{}\n", cell % 7));
    let logs = format!("cell,loglik\n{}", logs.collect::<Vec<_>>().concat());
    fs::write(sandbox.path("loglik.csv"), logs).unwrap();
    fs::write(sandbox.path("motifs.csv"), "TF,target,weight\nSox2,Pou5f1,1\n").unwrap();
    fs::write(sandbox.path("genie3.csv"), "TF,target,importance\nSox2,Pou5f1,2\n").unwrap();
    let groups = fs::read_to_string(root().join("data-samples/semrau2017_groups.csv")).unwrap();
    fs::write(sandbox.path("groups.csv"), &groups).unwrap();
    for names in ["XEN", "XEN,ectoderm"] {
        let of = |line: &&str| names.split(',').any(|name| line.ends_with(name));
        let some: Vec<&str> = groups.lines().filter(of).collect();
        fs::write(sandbox.path(&format!("{names}.csv")), some.join("\n")).unwrap();
    }
    let mut n_run = 0;
    for command in COMMANDS {
        let help = sandbox.done(&format!("{command} --help")).stdout;
        let examples: Vec<&str> =
            help.lines().filter_map(|line| line.strip_prefix("  sbcell ")).collect();
        assert!(!examples.is_empty(), "`sbcell {command} --help` has no example");
        for example in examples {
            if example.contains("--clone") {
                // No sample has barcodes.
                crate::clones::course().done(example);
            } else if example.contains("--use-rep") {
                // The sample has no embedding; that example needs the other one.
                fs::copy(sample("moon2019_embryoid_5pcs"), sandbox.path("data.h5ad")).unwrap();
                let fewer = match command {
                    "evaluate" => "--obs-filter time<=2 --cells-per-time 300",
                    _ => "--obs-filter time<=1 --n-gaussians 5",
                };
                sandbox.done(&format!("{example} {fewer} --out pcs"));
                fs::copy(sample("semrau2017_mesc_ra"), sandbox.path("data.h5ad")).unwrap();
            } else {
                // The sample was measured for few genes, none of the shipped lists.
                let own = "--prolif tfs.txt --apop tfs.txt";
                let example = example.replace("--growth-genes mouse", own);
                // Nor does it have donors; its wells are not in the file. Its groups are in one of
                // their own.
                let example = example.replace("--batch-key donor", "--batch-key time_label");
                // The late cells of the sample are one group without a gap.
                let example = example.replace("--terminal auto", "--terminal auto --n-states 2");
                // Conditions and knock-outs by chance are in a copy.
                let knocked_out = "--perturbation-key knockout --data conditions.h5ad";
                let example = example.replace("--perturbation-key knockout", knocked_out);
                let example = if example.contains("--condition-key") {
                    example.replace("data.h5ad", "conditions.h5ad")
                } else {
                    example
                };
                let example = example.replace("$SLURM_ARRAY_TASK_ID", "1");
                if example.starts_with("merge ") {
                    do_all_units(&sandbox);
                }
                sandbox.done(&format!("{} {}", with_groups(&example), shorter(&example)));
            }
            n_run += 1;
        }
    }
    assert!(n_run >= 8, "only {n_run} examples were found");
}

/// Does the units of `plan.json`.
fn do_all_units(sandbox: &Sandbox) {
    let plan: serde_json::Value = serde_json::from_str(&sandbox.text("plan.json")).unwrap();
    for unit in 0..plan["units"].as_array().unwrap().len() {
        sandbox.done(&format!("step plan.json --unit {unit}"));
    }
}

/// Writes the sample with the columns `treatment` (every other cell), `medium` (`before` at the first time) and
/// `knockout` (every third cell).
pub(crate) fn write_conditions(path: &std::path::Path) {
    let file = H5ad::open(&sample("semrau2017_mesc_ra")).unwrap();
    let rows: Vec<usize> = (0..file.n_cells()).collect();
    let matrix = file.matrix_rows(&MatrixSource::X, &rows, &mut Silent).unwrap();
    let Matrix::Dense(x) = matrix else { panic!("the sample is dense") };
    let [time, day, label] = ["time", "day", "time_label"].map(|name| file.obs(name).unwrap());
    let texts = |of: &dyn Fn(usize) -> &'static str| {
        Column::Texts(rows.iter().map(|&i| Some(of(i).to_string())).collect())
    };
    let treatment = texts(&|i| if i % 2 == 0 { "control" } else { "drug" });
    let knockout = texts(&|i| if i % 3 == 0 { "Sox2" } else { "control" });
    let first = |i: usize| time.number(i).is_some_and(|time| time < 1.0);
    let medium = texts(&|i| match (first(i), i % 2) {
        (true, _) => "before",
        (false, 0) => "A",
        (false, _) => "B",
    });
    let content = H5adContent {
        obs_names: &file.obs_names().unwrap(),
        obs: &[
            ("day", &day),
            ("time_label", &label),
            ("treatment", &treatment),
            ("medium", &medium),
            ("knockout", &knockout),
        ],
        var_names: &file.gene_names(&MatrixSource::X).unwrap(),
        x: Some(MatrixContent::Single(x.view())),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// Flags with which an example that takes many seconds takes one: the same work with fewer repeats.
fn shorter(example: &str) -> &'static str {
    match example {
        _ if example.starts_with("plan ") => "--cells-per-time 60 --max-cells 30 --repeats 2",
        _ if example.starts_with("grn ") => "--bootstrap 3 --permutations 3",
        _ if example.contains("--condition-key") => "--no-validation",
        _ if example.starts_with("compare ") => "--permutations 9 --bootstrap 9 --test-cells 60",
        _ if example.contains("--solver sf2m") => "--max-iterations 100 --no-validation",
        _ => "",
    }
}

/// `--groupby cell_type=A,B` with the groups in a file: one of all of them, or of A and B.
fn with_groups(example: &str) -> String {
    let Some((before, after)) = example.split_once("--groupby cell_type") else {
        return example.to_string();
    };
    let (names, rest) = after.split_once(' ').unwrap_or((after, ""));
    let Some(names) = names.strip_prefix('=') else {
        return format!("{before}--cells groups.csv {rest}");
    };
    // Paths lead to groups that are not named.
    let all = rest.contains("--paths-to ");
    format!("{before}--cells {}.csv {rest}", if all { "groups" } else { names })
}

fn unpadded(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
