//! `plot`: every kind in every format, whole or absent, with one clear error where the input is missing or damaged.

use std::fs;

use crate::sandbox::{Sandbox, root, sample};

const GROUPS: &str = "cell,group\n";

/// A sandbox with a model and the files of all commands that figures show. One of the groups has a hostile name.
fn ready() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let groups = fs::read_to_string(root().join("data-samples/semrau2017_groups.csv")).unwrap();
    let hostile = groups.replace(",XEN", ",\"X<&\"\">\"");
    assert!(groups.starts_with(GROUPS));
    fs::write(sandbox.path("groups.csv"), hostile).unwrap();
    for line in [
        "fit data.h5ad --timepoints time --obs-filter time<=60 --solver gaussian",
        "fates --cells groups.csv --bootstrap 0",
        "transitions --cells groups.csv --bootstrap 0",
        "trends --cells groups.csv --bootstrap 3 --at 60",
        "trajectory --cells groups.csv --at 0 --paths 3 --paths-out paths.csv",
        "grn --bootstrap 0 --permutations 0 --out edges.csv",
    ] {
        sandbox.done(line);
    }
    sandbox
}

const KINDS: [&str; 19] = [
    "embedding",
    "embedding --cells groups.csv",
    "embedding --colour-by Sox2 --log",
    "embedding fates.csv --colour-by fate=ectoderm",
    "stream",
    "stream --arrows --width 85 --font-size 7",
    "paths",
    "sankey",
    "sankey --cells groups.csv --palette #112233,#445566,#778899",
    "fates",
    "trends --gene Sox2",
    "heatmap --set ectoderm --width 85 --height 100 --font-size 6",
    "heatmap edges.csv",
    "edges",
    "edges --width 85 --font-size 7",
    "heatmap edges.csv --width 85 --font-size 7",
    "validation --width 180",
    "validation sbcell-out/validation.json",
    "scree --font-size 12",
];

#[test]
fn each_kind_writes_each_format_and_the_same_bytes_again() {
    let sandbox = ready();
    for kind in KINDS {
        for (suffix, begins) in [("svg", "<svg"), ("png", "\u{fffd}PNG"), ("pdf", "%PDF")] {
            let out = format!("figure.{suffix}");
            sandbox.done(&format!("plot {kind} --dpi 60 --out {out}"));
            let first = fs::read(sandbox.path(&out)).unwrap();
            let text = String::from_utf8_lossy(&first);
            assert!(text.starts_with(begins), "{kind}");
            assert!(suffix != "svg" || !(text.contains("NaN") || text.contains("X<&")), "{kind}");
            sandbox.done(&format!("plot {kind} --dpi 60 --out {out}"));
            assert!(first == fs::read(sandbox.path(&out)).unwrap(), "{kind}: other bytes");
        }
    }
    // Without --out, a figure has the name of its kind.
    sandbox.done("plot sankey --title <title>");
    let drawn = sandbox.text("sankey.svg");
    assert!(drawn.contains("X&lt;&amp;") && drawn.contains("&lt;title&gt;"), "{drawn}");
    assert!(sandbox.text("sankey.svg.run.json").contains("\"plot\""));
    sandbox.done("plot heatmap --set ectoderm --out heat.svg");
    assert!(sandbox.text("heat.svg").contains("Ancestors of ectoderm, 60"));
    sandbox.done("plot embedding --colour-by Sox2 --out gene.svg --width 85");
    assert!(sandbox.text("gene.svg").contains("width=\"321.26\""));
}

#[test]
fn a_missing_or_damaged_input_is_one_clear_error_and_nothing_is_written() {
    let sandbox = ready();
    fs::create_dir(sandbox.path("empty")).unwrap();
    for (kind, command) in [
        ("paths", "trajectory"),
        ("sankey", "transitions"),
        ("fates", "fates"),
        ("trends", "trends"),
        ("heatmap", "trends"),
        ("edges", "grn"),
        ("validation", "evaluate"),
        ("scree", "fit"),
    ] {
        let refused = sandbox.run(&format!("plot {kind} empty/none.csv --out no.svg"));
        assert_eq!(refused.code, 3, "{kind}: {}", refused.stderr);
        let named = format!("sbcell {command}");
        assert!(refused.stderr.contains(&named), "{kind}: {}", refused.stderr);
        for damage in ["", "\u{0}", "a,b\n1\n", "a,b\n1,2\n", "{", "set,gene\nx,y\n"] {
            fs::write(sandbox.path("damaged.csv"), damage).unwrap();
            let refused = sandbox.run(&format!("plot {kind} damaged.csv --out no.svg"));
            assert_eq!(refused.code, 3, "{kind} {damage:?}: {}", refused.stderr);
        }
    }
    assert!(!sandbox.path("no.svg").exists() && !sandbox.path("no.svg.run.json").exists());
}

#[test]
fn a_table_with_a_wrong_entry_is_drawn_or_refused() {
    let sandbox = ready();
    for (kind, file) in [
        ("sankey", "transitions.csv"),
        ("fates", "fates.csv"),
        ("trends", "trends.csv"),
        ("heatmap", "trends.csv"),
        ("paths", "paths.csv"),
        ("edges", "edges.csv"),
        ("scree", "sbcell-out/scree.csv"),
    ] {
        let text = sandbox.text(file);
        let (header, rest) = text.split_once('\n').unwrap();
        let (row, rest) = rest.split_once('\n').unwrap();
        let n = header.split(',').count();
        for column in 0..n {
            for value in ["", "inf", "x<&", "-1e300"] {
                let mut entries: Vec<&str> = row.split(',').collect();
                entries[column] = value;
                let changed = format!("{header}\n{}\n{rest}", entries.join(","));
                fs::write(sandbox.path("damaged.csv"), changed).unwrap();
                let answer = sandbox.run(&format!("plot {kind} damaged.csv --out some.svg"));
                assert!([0, 2, 3].contains(&answer.code), "{kind} {column} {}", answer.stderr);
                if answer.code == 0 {
                    let drawn = sandbox.text("some.svg");
                    assert!(!drawn.contains("x<&") && !drawn.contains("=\"inf"), "{kind} {column}");
                }
            }
        }
    }
}

#[test]
fn an_option_that_cannot_be_met_is_refused_and_nothing_is_written() {
    let sandbox = ready();
    fs::create_dir(sandbox.path("empty")).unwrap();
    for (line, words) in [
        ("plot sankey --out no.eps", "`--out` must be a file that ends in .svg, .png or .pdf"),
        ("plot sankey --out -", "--out"),
        ("plot embedding --model empty --out no.svg", "no fitted model"),
        ("plot embedding --colour-by growth --out no.svg", "without growth"),
        ("plot embedding --colour-by Nowhere --out no.svg", "Nowhere"),
        ("plot embedding fates.csv --colour-by fate=none --out no.svg", "no fate `none`"),
        ("plot embedding --basis umap --out no.svg", "umap"),
        ("plot sankey --palette red --out no.svg", "--palette"),
        ("plot sankey --width 1 --out no.svg", "--width"),
        ("plot trends --gene Nowhere --out no.svg", "Nowhere"),
        ("plot edges --palette #112233 --out no.svg", "--palette"),
        ("plot edges --arrows --out no.svg", "--arrows"),
        ("plot nothing --out no.svg", "sankey"),
        ("plot sankey transitions.csv --width 2000 --dpi 2400 --out no.png", "pixels"),
        ("plot scree --out sbcell-out/scree.svg", "sbcell-out"),
    ] {
        let refused = sandbox.run(line);
        assert!(refused.code != 0 && refused.code != 101, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{line}: {}", refused.stderr);
    }
    for name in ["no.svg", "no.png", "no.svg.run.json"] {
        assert!(!sandbox.path(name).exists(), "{name}");
    }
}

#[test]
fn populations_are_placed_on_an_embedding_of_the_file() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    sandbox.done(
        "fit data.h5ad --timepoints time --use-rep X_pca --obs-filter time<=1 --solver gaussian --no-validation",
    );
    let refused = sandbox.run("interpolate --at 0.5 --basis nowhere --out p.csv");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(!sandbox.path("p.csv").exists());
    sandbox.done("interpolate --at 0.5 --n-cells 20 --basis X_pca --out p.csv");
    let text = sandbox.text("p.csv");
    assert!(text.lines().next().unwrap().ends_with(",pca_1,pca_2"), "{text}");
    assert_eq!(text.lines().count(), 21);
    sandbox.done("interpolate --at 0.5 --n-cells 20 --out q.csv");
    assert!(!sandbox.text("q.csv").contains("pca_1"));
    sandbox.done("plot embedding --basis pca --out e.svg");
    assert!(sandbox.text("e.svg").contains("PCA 2"));
}
