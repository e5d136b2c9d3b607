//! `sbcell evaluate`, and the short form at the end of `fit`.

use crate::sandbox::{Sandbox, sample};

const FILES: [&str; 5] = [
    "validation.csv",
    "validation.json",
    "validation.svg",
    "validation.png",
    "validation.run.json",
];

fn course() -> Sandbox {
    Sandbox::with(&sample("semrau2017_mesc_ra"))
}

#[test]
fn solvers_are_scored_side_by_side_with_the_facts_that_make_numbers_comparable() {
    let sandbox = course();
    let answer = sandbox.done(
        "evaluate data.h5ad --timepoints time --at 24,48 --compare gaussian,ot --bootstrap 20 \
         --out scores",
    );
    for word in [
        "W1 and W2 are both exact",
        "that are not compared",
        "spacing",
        "noise floor",
        "simple guess (pooled)",
    ] {
        assert!(answer.stdout.contains(word), "{word}: {}", answer.stdout);
    }
    // The summary comes first, one sentence for each solver.
    let words: Vec<&str> = answer.stdout.split_whitespace().collect();
    let text = words.join(" ");
    for (name, others) in [("gaussian", 0), ("ot", 1)] {
        let expected = format!("{name}: better than the two neighbouring times pooled at ");
        let place = text.find(&expected).unwrap_or_else(|| panic!("{text}"));
        let before = text[..place].matches("an oracle").count();
        assert_eq!(before, others, "{text}");
        assert!(text[place..].contains("of 2 held-out times"), "{text}");
    }
    // Without a model there is no page to advise.
    assert!(text.contains("next: `sbcell plot validation scores` draws the scores"), "{text}");
    assert!(!text.contains("`sbcell report"), "{text}");
    for file in FILES {
        assert!(sandbox.path("scores").join(file).exists(), "{file}");
    }
    let table = sandbox.text("scores/validation.csv");
    let header = table.lines().next().unwrap();
    assert_eq!(header, "interval_start,interval_mid,interval_end,name,metric,value,lo,hi,n,rep");
    for beginning in
        ["12.0,24.0,36.0,ot,energy,", "36.0,48.0,60.0,gaussian,w1,", "36.0,48.0,60.0,floor,w2,"]
    {
        assert!(table.lines().any(|line| line.starts_with(beginning)), "{beginning}");
    }
    let svg = sandbox.text("scores/validation.svg");
    assert!(svg.contains("gaussian") && svg.contains("Variance ratio"));
}

#[test]
fn without_an_inner_time_the_first_method_is_taken() {
    let sandbox = course();
    let line =
        "evaluate data.h5ad --timepoints time --obs-filter time<=12 --compare gaussian,ot --select";
    let answer = sandbox.done(&format!("{line} --bootstrap 0 --repeats 1 --out scores"));
    assert!(answer.stderr.contains("no inner time is left to choose by"), "{}", answer.stderr);
    let table = sandbox.text("scores/validation.csv");
    let of = |name: &str| {
        let name = format!(",{name},");
        let rows = table.lines().filter(|line| line.contains(&name));
        rows.map(|line| line.replace(&name, ",")).collect::<Vec<_>>()
    };
    assert!(of("selected").len() > 6 && of("selected") == of("gaussian"), "{table}");
    assert_ne!(of("selected"), of("ot"));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let sandbox = course();
    let line = "evaluate data.h5ad --timepoints time --at 24 --bootstrap 20 --solver sinkhorn";
    for threads in [1, 2, 5] {
        sandbox.done(&format!("{line} --threads {threads} --out t{threads}"));
    }
    sandbox.done(&format!("{line} --seed 1 --out other"));
    for file in FILES {
        let bytes = |folder: &str| std::fs::read(sandbox.path(folder).join(file)).unwrap();
        assert_eq!(bytes("t1"), bytes("t2"), "{file}");
        assert_eq!(bytes("t1"), bytes("t5"), "{file}");
        assert_ne!(bytes("t1"), bytes("other"), "{file}");
    }
}

#[test]
fn a_fit_ends_with_the_short_form_and_a_refit_replaces_it() {
    let sandbox = course();
    let some = "--timepoints time --obs-filter time<=24 --solver gaussian";
    let answer = sandbox.done(&format!("fit data.h5ad {some}"));
    assert!(answer.stdout.contains("held-out times:"), "{}", answer.stdout);
    for file in FILES {
        assert!(sandbox.path("sbcell-out").join(file).exists(), "{file}");
    }
    let answer = sandbox.done(&format!("fit data.h5ad {some} --no-validation"));
    assert!(!answer.stdout.contains("held-out times:"));
    for file in FILES {
        assert!(!sandbox.path("sbcell-out").join(file).exists(), "{file} of the older model");
    }
    let two = "--timepoints time --obs-filter time<=6 --solver gaussian --out two";
    assert!(!sandbox.done(&format!("fit data.h5ad {two}")).stdout.contains("held out"));
}

#[test]
fn mistakes_are_said_and_nothing_is_written() {
    for (line, word) in [
        ("evaluate data.h5ad --timepoints time --at 96", "--at"),
        ("evaluate data.h5ad --timepoints time --obs-filter time<=6", "three"),
        ("evaluate data.h5ad --timepoints time --solver ot --compare ot,gaussian", "--solver"),
        ("evaluate data.h5ad --timepoints time --compare ot,gaussian --width 3", "--width"),
        ("evaluate data.h5ad --timepoints time --max-cells 1", "--max-cells"),
        ("evaluate data.h5ad --timepoints time --coupling-epsilon 1", "given with --clones only"),
        ("evaluate data.h5ad --timepoints time --batch-key donor", "donor"),
    ] {
        let sandbox = course();
        let answer = sandbox.run(line);
        assert_eq!(answer.code, 2, "{line}: {}", answer.stderr);
        assert!(answer.stderr.contains(word), "{line}: {}", answer.stderr);
        assert!(!sandbox.path("sbcell-validation").exists(), "{line}");
    }
}

#[test]
fn files_that_are_not_ours_are_kept_and_our_own_replaced() {
    let sandbox = course();
    let line = "evaluate data.h5ad --timepoints time --at 24 --solver gaussian --bootstrap 0";
    std::fs::create_dir(sandbox.path("mine")).unwrap();
    std::fs::write(sandbox.path("mine/validation.csv"), "precious").unwrap();
    for taken in ["mine", "data.h5ad"] {
        let answer = sandbox.run(&format!("{line} --out {taken}"));
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains("--out"), "{}", answer.stderr);
    }
    assert_eq!(sandbox.text("mine/validation.csv"), "precious");
    sandbox.done(&format!("{line} --out ours"));
    let first = sandbox.text("ours/validation.csv");
    sandbox.done(&format!("{line} --out ours --seed 1"));
    assert_ne!(first, sandbox.text("ours/validation.csv"));
}
