//! A course in several files: the same results as from one file, and errors that name the file.

use std::fs;
use std::ops::Range;
use std::path::Path;

use sbcell::Silent;
use sbcell::data::{Column, Matrix};
use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};
use serde_json::Value;

use crate::sandbox::{Sandbox, sample};

/// Two times and the smallest solver.
const FIT: &str =
    "--timepoints time --obs-filter time<=6 --n-pcs 3 --n-gaussians 2 --no-validation";

/// Writes the cells `cells` of the sample, without the columns `without`. With `turned` genes are in reverse order.
fn write(path: &Path, cells: Range<usize>, without: &[&str], turned: bool) {
    let all = H5ad::open(&sample("semrau2017_mesc_ra")).unwrap();
    let rows: Vec<usize> = cells.collect();
    let mut genes = all.gene_names(&MatrixSource::X).unwrap();
    let names = all.obs_names().unwrap();
    let names: Vec<String> = rows.iter().map(|&row| names[row].clone()).collect();
    let columns: Vec<(String, Column)> = all
        .obs_columns()
        .unwrap()
        .into_iter()
        .filter(|name| !without.contains(&name.as_str()))
        .map(|name| (name.clone(), all.obs(&name).unwrap().select(&rows)))
        .collect();
    let obs: Vec<(&str, &Column)> = columns.iter().map(|(name, of)| (name.as_str(), of)).collect();
    let mut x = all.matrix_rows(&MatrixSource::X, &rows, &mut Silent).unwrap();
    if turned {
        genes.reverse();
        if let Matrix::Sparse(cells) = &x {
            let last = (genes.len() - 1) as u32;
            let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
            for i in 0..cells.n_rows() {
                let (columns, row) = cells.row(i);
                indices.extend(columns.iter().rev().map(|column| last - column));
                values.extend(row.iter().rev());
                indptr.push(values.len());
            }
            x = Matrix::Sparse(
                sbcell::data::Csr::new(genes.len(), indptr, indices, values).unwrap(),
            );
        } else if let Matrix::Dense(cells) = &x {
            let turned = cells.slice(ndarray::s![.., ..;-1]);
            x = Matrix::Dense(turned.as_standard_layout().into_owned());
        }
    }
    let x = match &x {
        Matrix::Dense(x) => MatrixContent::Single(x.view()),
        Matrix::Sparse(x) => MatrixContent::Sparse(x),
    };
    let content = H5adContent {
        obs_names: &names,
        obs: &obs,
        var_names: &genes,
        x: Some(x),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// The sample as `data.h5ad`, as three files in `parts`, and a list of these. The last part has its genes in another
/// order.
fn split() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let n = H5ad::open(&sandbox.path("data.h5ad")).unwrap().n_cells();
    fs::create_dir(sandbox.path("parts")).unwrap();
    for (name, cells) in [("a", 0..n / 5), ("b", n / 5..n / 2), ("c", n / 2..n)] {
        let path = sandbox.path("parts").join(name).with_extension("h5ad");
        write(&path, cells, &[], name == "c");
    }
    fs::write(
        sandbox.path("list.txt"),
        "# the course\nparts/a.h5ad\nparts/b.h5ad\n\nparts/c.h5ad\n",
    )
    .unwrap();
    sandbox
}

/// The files of a model, without the records that have hashes and paths of the data.
fn tables(sandbox: &Sandbox, folder: &str) -> Vec<(String, Vec<u8>)> {
    let records = ["run.json", "model.json"];
    let mut files = sandbox.files(folder);
    files.retain(|(name, _)| !records.iter().any(|record| name.ends_with(record)));
    files.retain(|(name, _)| !name.contains(".sbcell"));
    let own = |(name, bytes): (String, Vec<u8>)| (name.replace(folder, ""), bytes);
    files.into_iter().map(own).collect()
}

/// The header of a model without the hashes of the data.
fn header(sandbox: &Sandbox, folder: &str) -> Value {
    let mut header: Value =
        serde_json::from_str(&sandbox.text(&format!("{folder}/model.json"))).unwrap();
    for field in ["plan", "file"] {
        assert!(header.as_object_mut().unwrap().remove(field).is_some());
    }
    header
}

#[test]
fn a_folder_and_a_list_give_the_model_and_the_edges_of_one_file() {
    let sandbox = split();
    for (data, out) in [("data.h5ad", "one"), ("parts", "folder"), ("list.txt", "list")] {
        sandbox.done(&format!("fit {data} {FIT} --out {out}"));
        sandbox.done(&format!(
            "grn --model {out} --bootstrap 2 --permutations 0 --source correlation --out {out}.csv"
        ));
    }
    let expected = tables(&sandbox, "one");
    assert!(expected.iter().any(|(name, _)| name.ends_with("cells.parquet")), "{expected:?}");
    for other in ["folder", "list"] {
        let found = tables(&sandbox, other);
        let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
            files.iter().map(|file| file.0.clone()).collect()
        };
        assert_eq!(names(&found), names(&expected));
        for (one, other) in expected.iter().zip(&found) {
            assert!(one.1 == other.1, "{} differs", one.0);
        }
        assert_eq!(header(&sandbox, other), header(&sandbox, "one"));
        assert_eq!(sandbox.text(&format!("{other}.csv")), sandbox.text("one.csv"));
    }
    // The list and the folder are the same course.
    let input = |folder: &str| -> Value {
        let run: Value =
            serde_json::from_str(&sandbox.text(&format!("{folder}/run.json"))).unwrap();
        run["input"].clone()
    };
    assert_eq!(input("folder")["sha256"], input("list")["sha256"]);
    assert_eq!(input("folder")["files"][2]["file"], "parts/c.h5ad");
    assert!(input("one").get("files").is_none());
}

#[test]
fn a_change_of_any_file_is_found_and_no_file_is_overwritten() {
    let sandbox = split();
    sandbox.done(&format!("fit parts {FIT} --coupling-epsilon 1 --out m"));
    let verified = |code: i32, parts: &[&str]| {
        let answer = sandbox.run("verify m");
        assert_eq!(answer.code, code, "{}", answer.shown());
        assert!(parts.iter().all(|part| answer.stdout.contains(part)), "{}", answer.shown());
    };
    verified(0, &["parts/a.h5ad", "parts/c.h5ad"]);
    let groups = "transitions --model m --groupby file --bootstrap 2";
    let answer = sandbox.done(&format!("{groups} --out t.csv"));
    assert!(sandbox.text("t.csv").contains('a'), "{}", answer.shown());
    let answer = sandbox.run(&format!("{groups} --out parts/b.h5ad --overwrite"));
    assert_eq!(answer.code, 2, "{}", answer.shown());
    let again = sandbox.run("verify m --rerun");
    assert_eq!(again.code, 0, "{}", again.shown());
    let n = H5ad::open(&sandbox.path("data.h5ad")).unwrap().n_cells();
    fs::rename(sandbox.path("parts/b.h5ad"), sandbox.path("b.h5ad")).unwrap();
    write(&sandbox.path("parts/b.h5ad"), n / 5..n / 2 - 1, &[], false);
    verified(1, &["CHANGED", "parts/b.h5ad"]);
    let answer = sandbox.run(&format!("{groups} --out u.csv"));
    assert_eq!(answer.code, 3, "{}", answer.shown());
    assert!(
        answer.stderr.contains("`parts` is not the file that was fitted"),
        "{}",
        answer.shown()
    );
    fs::rename(sandbox.path("b.h5ad"), sandbox.path("parts/b.h5ad")).unwrap();
    verified(0, &[]);
    // One more file is another course, although every recorded file is the same.
    write(&sandbox.path("parts/d.h5ad"), 0..3, &[], false);
    verified(1, &["CHANGED"]);
}

#[test]
fn inspect_and_evaluate_read_several_files() {
    let sandbox = split();
    let answer = sandbox.done("inspect parts");
    for part in ["3 files are read as one course: a (", "file ", "categories", "time"] {
        assert!(answer.stdout.contains(part), "{part}: {}", answer.shown());
    }
    let read: Value =
        serde_json::from_str(&sandbox.done("inspect list.txt --json").stdout).unwrap();
    assert_eq!(read["files"].as_array().unwrap().len(), 3, "{read:#}");
    let line = "--timepoints time --obs-filter time<=12 --n-pcs 2 --n-gaussians 1 --bootstrap 5";
    for (data, out) in [("data.h5ad", "one"), ("parts", "several")] {
        sandbox.done(&format!("evaluate {data} {line} --out {out}"));
    }
    let scores = |out: &str| sandbox.text(&format!("{out}/validation.csv"));
    assert_eq!(scores("one"), scores("several"));
}

#[test]
fn a_copy_is_made_of_one_file_only() {
    let sandbox = split();
    sandbox.done(&format!("fit list.txt {FIT} --coupling-epsilon 1"));
    for line in [
        "annotate parts --in-place",
        "annotate list.txt --out x.h5ad",
        "strip parts --in-place",
        "strip list.txt --out x.h5ad",
    ] {
        let answer = sandbox.run(line);
        assert_eq!(answer.code, 3, "{line}: {}", answer.shown());
        assert!(answer.stderr.contains("one file at a time"), "{line}: {}", answer.shown());
    }
    let answer = sandbox.done("annotate parts/a.h5ad --out a.h5ad");
    assert!(answer.stdout.contains("took part in the fit"), "{}", answer.shown());
}

#[test]
fn faults_of_files_are_named() {
    let sandbox = split();
    let refused = |data: &str, parts: &[&str]| {
        let answer = sandbox.run(&format!("fit {data} {FIT} --out m"));
        assert_eq!(answer.code, 3, "{}", answer.shown());
        assert!(parts.iter().all(|part| answer.stderr.contains(part)), "{}", answer.shown());
    };
    fs::create_dir(sandbox.path("empty")).unwrap();
    refused("empty", &["`empty`", "without `.h5ad` files"]);
    fs::write(sandbox.path("missing.txt"), "parts/a.h5ad\nparts/z.h5ad\n").unwrap();
    refused("missing.txt", &["`missing.txt`", "line 2", "parts/z.h5ad"]);
    fs::write(sandbox.path("nested.txt"), "parts/a.h5ad\nlist.txt\n").unwrap();
    refused("nested.txt", &["line 2", "`list.txt` is a list"]);
    let n = H5ad::open(&sandbox.path("data.h5ad")).unwrap().n_cells();
    write(&sandbox.path("parts/b.h5ad"), n / 5..n / 2, &["time"], false);
    refused("parts", &["1 of its 3 files", "no column of obs `time`", "parts/b.h5ad"]);
    let (cells, genes) = (["x".to_string()], ["Sox2".to_string(), "GeneX".to_string()]);
    let (time, x) = (Column::Floats(vec![0.0]), ndarray::array![[1.0_f32, 2.0]]);
    let content = H5adContent {
        obs_names: &cells,
        obs: &[("time", &time)],
        var_names: &genes,
        x: Some(MatrixContent::Single(x.view())),
        ..H5adContent::default()
    };
    write_h5ad(&sandbox.path("parts/b.h5ad"), &content).unwrap();
    refused("parts", &["parts/b.h5ad", "it has 2 genes", "`GeneX`", "anndata.concat"]);
}

#[test]
fn a_whole_run_of_several_files_is_done_once_and_again_after_a_change() {
    let sandbox = split();
    let skip = "evaluate,grn,interpolate,transitions,trends,fates";
    let line = format!(
        "run parts --timepoints time --out results --skip {skip} --set fit.obs-filter=time<=6 --set fit.n-pcs=2 \
         --set fit.n-gaussians=1"
    );
    let answer = sandbox.done(&line);
    assert!(answer.stdout.contains("annotate one file at a time"), "{}", answer.shown());
    assert!(sandbox.done(&line).stdout.contains("model/, as before"));
    assert_eq!(sandbox.run("verify results").code, 0, "{}", sandbox.run("verify results").shown());
    let n = H5ad::open(&sandbox.path("data.h5ad")).unwrap().n_cells();
    write(&sandbox.path("parts/c.h5ad"), n / 2..n - 1, &[], false);
    assert_eq!(sandbox.run("verify results").code, 1);
    assert!(!sandbox.done(&line).stdout.contains("model/, as before"));
}
