//! Commands after `run`: they find the model in the folder of results, and advice works as printed.

use std::fs;

use sbcell::io::h5ad::H5ad;

use crate::course::{Course, N};
use crate::sandbox::Sandbox;

/// A sandbox with a small course.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    Course::new().write(&sandbox.path("data.h5ad"));
    sandbox
}

/// A run of the fit alone, with flags that make it fast.
const FIT: &str = "run data.h5ad --set fit.bend=off --set fit.timing=even \
                   --set fit.solver=gaussian --skip evaluate,interpolate,fates,transitions,trends,grn,annotate";

/// The commands in a text between backticks.
fn commands(text: &str) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = text.split("`sbcell ").skip(1);
    parts.filter_map(|part| part.split('`').next()).map(str::to_string).collect()
}

#[test]
fn commands_find_the_model_of_a_run() {
    let sandbox = sandbox();
    let none = sandbox.run("diagnose");
    assert!(none.code == 2 && none.stderr.contains("sbcell run DATA.h5ad"), "{}", none.stderr);
    let said = sandbox.done(FIT).stdout;
    let advice = commands(&said);
    assert!(advice.iter().any(|line| line.contains("--out sbcell-results/validation")), "{said}");
    let used = "note: sbcell-out has no model: the one in sbcell-results/model is used";
    let answer = sandbox.done("interpolate --at 2 --n-cells 5 --out at2.csv");
    assert!(answer.stderr.contains(used), "{}", answer.stderr);
    for line in ["export", "report", "plot embedding"] {
        let answer = sandbox.done(line);
        assert!(answer.stderr.contains(used), "{line}: {}", answer.stderr);
    }
    assert!(sandbox.path("tables/model/cells.csv").is_file());
    // A named folder of results needs no note.
    let named = sandbox.done("velocity --model sbcell-results --out v.csv");
    assert!(!named.stderr.contains(used), "{}", named.stderr);
    assert!(
        named.stdout.contains("`sbcell plot stream --model sbcell-results`"),
        "{}",
        named.stdout
    );
    // The model of `fit` comes first.
    sandbox.done("fit data.h5ad --solver gaussian --bend off --timing even --no-validation");
    let both = sandbox.done("interpolate --at 2 --n-cells 5 --out at2.csv");
    assert!(both.stderr.contains("both have a model"), "{}", both.stderr);
    assert!(sandbox.path("sbcell-out/model.json").is_file());
}

#[test]
fn after_held_out_times_only_a_page_of_their_model_is_advised() {
    let sandbox = sandbox();
    let said = sandbox.done(FIT).stdout;
    // The terminal names the page with the warnings, and the page its own part.
    let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("Read the warnings first (in sbcell-results/report.html), then"),
        "{text}"
    );
    let page = sandbox.text("sbcell-results/report.html").replace("&quot;", "\"");
    assert!(page.contains("Read the warnings first (\"Know this first\" below), then"));
    let evaluate = "evaluate data.h5ad --solver gaussian --at 1 --bootstrap 0 --repeats 1";
    for (out, wanted) in [
        ("sbcell-results/validation", "report sbcell-results"),
        ("sbcell-validation", "report sbcell-results --validation sbcell-validation"),
    ] {
        let said = sandbox.done(&format!("{evaluate} --out {out}")).stdout;
        let advice = commands(&said);
        let drawn = format!("plot validation {out} --model sbcell-results");
        assert_eq!(advice, [drawn.as_str(), wanted], "{said}");
        for line in advice {
            sandbox.done(&line);
        }
        assert!(sandbox.text("sbcell-results/report.html").contains("held-out time"));
    }
}

#[test]
fn advice_of_a_page_works_as_printed() {
    let sandbox = sandbox();
    sandbox.done(&format!("{FIT} --out 'my results' --groupby cell_type"));
    let page = sandbox.text("my results/report.html");
    let plain = page.replace("&#39;", "'").replace("<code>", "`").replace("</code>", "`");
    let mut all: Vec<String> = commands(&plain);
    all.retain(|line| line.contains("--out 'my results/"));
    all.sort();
    all.dedup();
    let names: Vec<&str> = all.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        ["evaluate", "fates", "grn", "interpolate", "transitions", "trends"],
        "{all:?}"
    );
    for (line, name) in all.iter().zip(names) {
        let fast = match name {
            "evaluate" => " --solver gaussian --repeats 1 --bootstrap 2",
            "grn" => " --bootstrap 0 --permutations 0 --source correlation",
            "interpolate" => " --n-cells 5",
            _ => " --bootstrap 2",
        };
        // The page of a run without groups in a table has COLUMN in their place.
        sandbox.done(&format!("{line}{fast}").replace("COLUMN", "cell_type"));
    }
    sandbox.done("report 'my results'");
    let page = sandbox.text("my results/report.html");
    assert!(!page.contains("computed: run"));
    let drawn = sandbox.done("plot sankey --model 'my results'");
    assert!(drawn.stderr.contains("shows my results/transitions.csv"), "{}", drawn.stderr);
    sandbox.done("plot validation --model 'my results'");
    // Without the table, the advice has what it needs.
    fs::remove_file(sandbox.path("my results/transitions.csv")).unwrap();
    let missing = sandbox.run("plot sankey --model 'my results'");
    let advice = "`sbcell transitions --model 'my results' --groupby COLUMN --out 'my results/transitions.csv'`";
    assert!(missing.code == 3 && missing.stderr.contains(advice), "{}", missing.stderr);
    let refused = sandbox.run("plot validation x.csv");
    assert!(refused.stderr.contains("`x.csv`: there is no such file"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("writes it"));
}

#[test]
fn cells_without_a_place_on_the_embedding_are_left_out_of_figures_and_counted() {
    let sandbox = Sandbox::new();
    let course = Course::new();
    let n_cells = course.cells.len();
    let mut umap = ndarray::Array2::from_shape_fn((n_cells, 2), |(i, d)| (i * (d + 1) % 13) as f64);
    umap[[3, 0]] = f64::NAN;
    umap[[20, 1]] = f64::INFINITY;
    course.write_with(&sandbox.path("data.h5ad"), &[("X_umap", umap.view())]);
    let line = FIT.replace(",grn,annotate", ",grn").replace("interpolate,", "");
    let said = sandbox.done(&format!("{line} --set interpolate.n-cells=5"));
    assert!(said.stdout.contains("annotated.h5ad"), "{}", said.stdout);
    let counted = "2 of 48 cells have no place in X_umap";
    let page = sandbox.text("sbcell-results/report.html");
    assert!(
        page.contains("n = 46 of 48 cells; 2 cells without a place")
            && page.contains(counted)
            && page.contains("id=\"fig-map\"")
    );
    assert!(!page.contains("NaN"), "a coordinate is no number");
    for kind in ["embedding", "stream", "stream --arrows"] {
        let drawn = sandbox.done(&format!("plot {kind} --out a.svg"));
        assert!(drawn.stderr.contains(counted), "{}", drawn.stderr);
        let chart = sandbox.text("a.svg");
        assert!(
            chart.contains("46 of 48 cells (2 without a place)") && !chart.contains("NaN"),
            "{chart}"
        );
    }
    sandbox.done("interpolate --at 2 --n-cells 5 --basis umap --out b.csv");
    // The copy has what is there, and arrows of zero for these cells.
    let file = H5ad::open(&sandbox.path("sbcell-results/annotated.h5ad")).unwrap();
    let (copied, arrows) = (file.obsm("X_umap").unwrap(), file.obsm("velocity_umap").unwrap());
    assert!(copied[[3, 0]].is_nan() && copied[[20, 1]].is_infinite());
    assert!(arrows.iter().all(|x| x.is_finite()));
    assert!(arrows.row(3).iter().chain(arrows.row(20)).all(|x| x.abs() < 1e-300));
    assert!(arrows.iter().any(|x| x.abs() > 1e-9));
    // An embedding without any place is as good as none.
    umap.fill(f64::NAN);
    course.write_with(&sandbox.path("data.h5ad"), &[("X_umap", umap.view())]);
    let said = sandbox.done(&line);
    assert!(said.stdout.contains("annotated.h5ad"), "{}", said.stdout);
    assert!(sandbox.text("sbcell-results/report.html").contains("no cell has a place in X_umap"));
    let refused = sandbox.run("plot embedding --basis umap --model sbcell-results");
    assert!(refused.code == 2 && refused.stderr.contains("X_umap"), "{}", refused.stderr);
}

#[test]
fn a_damaged_table_costs_its_own_part_of_the_page_and_of_an_export() {
    let sandbox = sandbox();
    sandbox.done(&FIT.replace("interpolate,fates,transitions,", ""));
    let damages = [
        ("fates.csv", "id,time\nc1"),
        ("transitions.csv", "no table"),
        ("validation/validation.json", "{"),
        ("populations.parquet", "PAR1"),
    ];
    fs::create_dir_all(sandbox.path("sbcell-results/validation")).unwrap();
    for (name, text) in damages {
        fs::write(sandbox.path("sbcell-results").join(name), text).unwrap();
    }
    sandbox.done("report --out sbcell-results/report.html");
    let page = sandbox.text("sbcell-results/report.html");
    let parts = ["Fates", "Transitions", "Scores of held-out times", "Populations in between"];
    for (what, (name, _)) in parts.into_iter().zip(damages) {
        let why = format!("{what} could not be read (");
        assert_eq!(page.matches(&why).count(), 2, "{what}: a warning, and a sentence in its place");
        assert!(page.contains(&format!("sbcell-results/{name}")), "{name}");
    }
    assert!(page.contains("id=\"fig-map\""));
    // A file that the user names is an error.
    fs::copy(sandbox.path("sbcell-results/fates.csv"), sandbox.path("mine.csv")).unwrap();
    let refused = sandbox.run("report --fates mine.csv --out other.html");
    assert!(refused.code == 3 && refused.stderr.contains("mine.csv"), "{}", refused.stderr);
    // All other tables are exported.
    let failed = sandbox.run("export --format tsv --out there");
    assert_eq!(failed.code, 3, "{}", failed.stderr);
    let said = failed.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("tables were left out: ") && said.contains("populations.parquet"),
        "{said}"
    );
    assert!(said.contains("fates.csv") && said.contains("the other tables are in there"), "{said}");
    assert!(sandbox.path("there/model/cells.tsv").is_file());
    assert!(sandbox.path("there/transitions.wide.tsv").is_file());
    for absent in ["there/fates.tsv", "there/populations.tsv"] {
        assert!(!sandbox.path(absent).exists(), "{absent}");
    }
}

#[test]
fn a_missing_file_of_a_model_is_made_again() {
    let sandbox = sandbox();
    sandbox.done(FIT);
    let said = sandbox.done(FIT).stdout;
    assert!(said.contains("model/, as before"), "{said}");
    for file in ["model/bridges/0_1.json", "model/genes.parquet", "model/pcs.csv"] {
        let path = sandbox.path("sbcell-results").join(file);
        let before = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let said = sandbox.done(FIT).stdout;
        assert!(said.contains("model/: 2 bridges"), "{file}: {said}");
        assert!(fs::read(&path).unwrap() == before, "{file}");
        fs::write(&path, "damaged").unwrap();
        sandbox.done(FIT);
        assert!(fs::read(&path).unwrap() == before, "{file}");
    }
}

#[test]
fn data_that_are_too_small_for_a_step_are_no_failure_and_ways_out_are_named() {
    let sandbox = Sandbox::new();
    // Five cells of each day.
    let few: Vec<usize> = (0..3 * N).filter(|cell| cell % N < 5).collect();
    Course::new().cells(&few).write(&sandbox.path("data.h5ad"));
    let line = FIT.replace(",grn,annotate", "") + " --set grn.bootstrap=0";
    let said = sandbox.done(&line).stdout;
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("grn not done: the number of cells must be at least ten"), "{said}");
    let refused = sandbox.run("run data.h5ad --skip fit --out empty");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(refused.code == 2 && said.contains("leave fit to run"), "{said}");
    // A measurement is no group.
    Course::new().write(&sandbox.path("data.h5ad"));
    let mut course = Course::new();
    let counts = ndarray::concatenate![ndarray::Axis(0), course.counts, course.counts];
    course.counts = counts;
    course.cells = (0..6 * N).map(|cell| format!("c{cell}")).collect();
    course.days = [course.days.clone(), course.days.clone()].concat();
    course.types = (0..6 * N).map(|cell| format!("name {cell}")).collect();
    course.write(&sandbox.path("names.h5ad"));
    let refused = sandbox.run("run names.h5ad --groupby cell_type --out other");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let wanted = "`--groupby` must be a column with groups of cells, got `cell_type` with 96 different labels";
    assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
    assert!(!sandbox.path("other/model").exists());
    sandbox.done("fit names.h5ad --solver gaussian --no-validation --bend off --timing even");
    let refused = sandbox.run("fates --groupby cell_type");
    assert!(refused.code == 2 && refused.stderr.contains(wanted), "{}", refused.stderr);
}
