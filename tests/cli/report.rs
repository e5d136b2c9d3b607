//! `report`: one page of all results, with what is missing named, the same bytes each time, and a table for `MultiQC`.

use std::fs;

use sbcell::Silent;
use sbcell::data::{Column, Matrix};
use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};

use crate::sandbox::{Sandbox, root, sample};

const FIT: &str = "fit data.h5ad --timepoints time --obs-filter time<=36 --bend off --timing even --n-gaussians 2";
/// A name that breaks out of text, attributes and scripts if it is not escaped.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>";

/// A sandbox with all results in the folder `out`, with the groups of the sample.
fn all() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let groups = fs::read_to_string(root().join("data-samples/semrau2017_groups.csv")).unwrap();
    fs::write(sandbox.path("groups.csv"), groups.replace("XEN", &format!("\"{HOSTILE}\"")))
        .unwrap();
    sandbox.done(&format!("{FIT} --out out/model"));
    for line in [
        "interpolate --out out/populations.csv",
        "fates --cells groups.csv --bootstrap 3 --out out/fates.csv",
        "transitions --cells groups.csv --bootstrap 3 --out out/transitions.csv",
        "trends --cells groups.csv --out out/trends.csv",
        "grn --source correlation --bootstrap 0 --permutations 0 --out out/edges.csv",
    ] {
        sandbox.done(&format!("{line} --model out/model"));
    }
    sandbox
}

#[test]
fn a_folder_of_results_becomes_one_page() {
    let sandbox = all();
    let said = sandbox.done("report out").stdout;
    assert!(
        said.contains("One process connects") && said.contains("wrote out/report.html"),
        "{said}"
    );
    let page = sandbox.text("out/report.html");
    for id in [
        "cells",
        "map",
        "between",
        "streams",
        "transitions",
        "fates",
        "trends",
        "graph",
        "heat",
        "validation",
    ] {
        assert!(page.contains(&format!("id=\"fig-{id}\"")), "{id}");
    }
    assert!(page.contains("best simple guess") && page.contains("noise floor"));
    assert!(!page.contains("(FL)") && !page.contains("were not computed"));
    // Commands with the flags of the user.
    assert!(page.contains("sbcell fit data.h5ad"), "the fit is not repeated");
    assert!(
        page.contains("--obs-filter &#39;time&lt;=36&#39;") && page.contains("--cells groups.csv")
    );
    assert!(!page.contains("<img") && page.contains("&lt;/script&gt;&lt;img"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    // The same bytes again, and on another number of threads.
    sandbox.done("report out --threads 1 --out again.html");
    assert_eq!(page, sandbox.text("again.html"));
    let table: serde_json::Value =
        serde_json::from_str(&sandbox.text("out/sbcell_mqc.json")).unwrap();
    assert_eq!(table["data"].as_object().unwrap().len(), 5);
    assert!(table["data"]["data 0"]["cells"].as_u64().unwrap() > 200);
}

#[test]
fn a_model_alone_is_enough_and_missing_parts_are_named() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("{FIT} --no-validation"));
    sandbox.done("report");
    let page = sandbox.text("sbcell-out/report.html");
    let groups = " --groupby COLUMN";
    for (part, command, groups, file) in [
        ("Fates", "fates", groups, "fates.csv"),
        ("Transitions", "transitions", groups, "transitions.csv"),
        ("Trends of genes", "trends", groups, "trends.csv"),
        ("Regulatory edges", "grn", "", "edges.csv"),
        ("Populations in between", "interpolate", "", "populations.parquet"),
    ] {
        let line = format!("sbcell {command}{groups} --out sbcell-out/{file}");
        let sentence = format!("{part} were not computed: run <code>{line}</code>.");
        assert!(page.contains(&sentence), "{sentence}");
    }
    assert!(
        page.contains(
            "No time was held out: run <code>sbcell evaluate data.h5ad --timepoints time"
        )
    );
    // Without the file of the cells the page is made all the same, and says so.
    fs::remove_file(sandbox.path("data.h5ad")).unwrap();
    sandbox.done("report --out moved.html");
    assert!(
        sandbox
            .text("moved.html")
            .contains("The file with the cells was not found as it was fitted")
    );
    // Another model at the place of the page is not overwritten, nor is a page of the user.
    fs::write(sandbox.path("mine.html"), "mine").unwrap();
    let answer = sandbox.run("report --out mine.html");
    assert_eq!((answer.code, sandbox.text("mine.html")), (2, "mine".into()));
    let answer = sandbox.run("report --out page.pdf");
    assert!(answer.code == 2 && answer.stderr.contains(".html"), "{}", answer.stderr);
}

#[test]
fn cells_are_drawn_on_the_umap_of_the_file() {
    let sandbox = Sandbox::new();
    let file = H5ad::open(&sample("semrau2017_mesc_ra")).unwrap();
    let rows: Vec<usize> = (0..file.n_cells()).collect();
    let matrix = file.matrix_rows(&MatrixSource::X, &rows, &mut Silent).unwrap();
    let Matrix::Dense(x) = matrix else { panic!("the sample is dense") };
    let umap = ndarray::Array2::from_shape_fn((x.nrows(), 2), |(i, k)| {
        f64::from(x[[i, 3 * k]]) + (i % 7) as f64
    });
    let categories = Box::new(Column::Texts(vec![Some("a".into()), Some("b".into())]));
    let kind = Column::Categories {
        codes: (0..).take(rows.len()).map(|i| Some(i % 2)).collect(),
        categories,
    };
    let content = H5adContent {
        obs_names: &file.obs_names().unwrap(),
        obs: &[("time", &file.obs("time").unwrap()), ("kind", &kind)],
        var_names: &file.gene_names(&MatrixSource::X).unwrap(),
        x: Some(MatrixContent::Single(x.view())),
        obsm: &[("X_umap", umap.view())],
        ..H5adContent::default()
    };
    write_h5ad(&sandbox.path("data.h5ad"), &content).unwrap();
    // As scanpy writes them.
    let edited = hdf5_pure::File::open_rw(sandbox.path("data.h5ad")).unwrap();
    let root = edited.root();
    root.create_dataset("uns/kind_colors", |dataset| {
        dataset.with_vlen_strings(&["#12ab34", "#345678ff"]);
    })
    .unwrap();
    edited.commit().unwrap();
    drop(root);
    edited.close().unwrap();
    sandbox.done(&format!("{FIT} --no-validation"));
    sandbox.done("interpolate --n-cells 40 --out sbcell-out/populations.csv");
    sandbox.done("report --groupby kind --out page.html");
    let page = sandbox.text("page.html");
    assert!(page.contains("\"colours\":[\"#12ab34\",\"#345678\"]"));
    assert!(page.contains("UMAP of the cells") && page.contains("Mean direction of cells on UMAP"));
    // Populations are in the same plane as the cells.
    assert!(page.contains("Populations at and between the measured times: UMAP"));
    assert!(page.contains("mean place of the eight measured cells") && !page.contains("PC1"));
    assert!(page.contains("\"name\":\"Group\"") && page.contains("\"legend\":\"kind\""));
    let answer = sandbox.run("report --basis X_tsne --out page.html");
    assert!(answer.code != 0 && answer.stderr.contains("X_umap"), "{}", answer.stderr);
}
