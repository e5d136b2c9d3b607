//! `sbcell export`: all tables in one format, with the same values.

use std::fs;
use std::path::Path;

use sbcell::io::table::{Cells, Table, read_parquet};

use crate::sandbox::{Sandbox, root, sample};

/// A folder with a model, fates and edges.
fn results() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    sandbox.done(
        "fit data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 --coupling-epsilon 1",
    );
    sandbox.done("velocity");
    sandbox.done("fates --cells groups.csv --bootstrap 3");
    sandbox.done("grn --bootstrap 0 --permutations 0 --source correlation --out edges.tsv");
    sandbox
}

/// Header and rows of a text table.
fn rows(path: &Path, delimiter: u8) -> Vec<Vec<String>> {
    let mut builder = csv::ReaderBuilder::new();
    let reader = builder.delimiter(delimiter).has_headers(false).from_path(path).unwrap();
    reader.into_records().map(|row| row.unwrap().iter().map(String::from).collect()).collect()
}

/// A parquet table as rows of text; a missing number is an empty text or `NaN`.
fn rows_of_parquet(path: &Path) -> Vec<Vec<String>> {
    let table: Table = read_parquet(path).unwrap();
    let columns: Vec<&Cells> =
        table.names().iter().map(|name| table.column(name).unwrap()).collect();
    let row = |row| columns.iter().map(|cells| cells.text(row)).collect();
    std::iter::once(table.names()).chain((0..table.n_rows()).map(row)).collect()
}

/// Rows in which missing numbers look the same in all formats.
fn same(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let plain = |cell: String| if cell == "NaN" { String::new() } else { cell };
    rows.into_iter().map(|row| row.into_iter().map(plain).collect()).collect()
}

/// The rows of a table of any format.
fn read(path: &Path) -> Vec<Vec<String>> {
    same(match path.extension().unwrap().to_str().unwrap() {
        "csv" => rows(path, b','),
        "tsv" => rows(path, b'\t'),
        _ => rows_of_parquet(path),
    })
}

#[test]
fn each_table_is_the_same_in_every_format_and_on_the_way_back() {
    let sandbox = results();
    let originals = [
        "fates.csv",
        "edges.tsv",
        "sbcell-out/cells.parquet",
        "sbcell-out/genes.parquet",
        "sbcell-out/pcs.csv",
        "sbcell-out/fit.csv",
        "sbcell-out/validation.csv",
        "sbcell-out/velocity.parquet",
    ];
    for (format, suffix) in [("csv", "csv"), ("tsv", "tsv"), ("parquet", "parquet")] {
        let said = sandbox.done(&format!("export . --format {format} --out {format}"));
        assert!(said.stdout.contains(&format!("tables to {format}")), "{}", said.stdout);
        sandbox.done(&format!("export {format} --out back-{format}"));
        for name in originals {
            let there = sandbox.path(&format!("{format}/{name}")).with_extension(suffix);
            let back = sandbox.path(&format!("back-{format}/{name}")).with_extension("csv");
            let original = read(&sandbox.path(name));
            assert!(original == read(&there), "{name} differs as {format}");
            assert!(original == read(&back), "{name} differs after {format}");
        }
        // A table of the user is no result.
        assert!(!sandbox.path(&format!("{format}/groups.{suffix}")).exists());
        fs::remove_dir_all(sandbox.path(format)).unwrap();
        fs::remove_dir_all(sandbox.path(&format!("back-{format}"))).unwrap();
    }
    let model = sandbox.done("export --format csv --json");
    assert!(model.stdout.contains("tables/cells.csv"), "{}", model.stdout);
    assert!(sandbox.path("tables/cells.csv.run.json").exists());
}

#[test]
fn a_table_for_spreadsheets_has_no_formulas_and_foreign_files_stay() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("edges.csv"), "TF,importance\n=cmd,-0.5\n").unwrap();
    fs::write(sandbox.path("edges.csv.run.json"), "{}").unwrap();
    sandbox.done("export . --format xlsx-safe");
    assert_eq!(sandbox.text("tables/edges.tsv"), "TF\timportance\n'=cmd\t-0.5\n");
    sandbox.done("export . --format csv --spreadsheet-safe --out safe");
    assert_eq!(sandbox.text("safe/edges.csv"), "TF,importance\n'=cmd,-0.5\n");
    fs::remove_dir_all(sandbox.path("safe")).unwrap();
    fs::write(sandbox.path("tables/edges.csv"), "mine").unwrap();
    let taken = sandbox.run("export .");
    assert_eq!(taken.code, 2, "{}", taken.stderr);
    assert_eq!(sandbox.text("tables/edges.csv"), "mine");
    sandbox.done("export . --overwrite");
    assert_eq!(sandbox.text("tables/edges.csv"), "TF,importance\n=cmd,-0.5\n");
    let itself = sandbox.run("export . --out .");
    assert_ne!(itself.code, 0);
    let none = Sandbox::new().run("export .");
    assert_eq!(none.code, 2, "{}", none.stderr);
    assert!(none.stderr.contains("tables that sbcell wrote"), "{}", none.stderr);
    assert_ne!(Sandbox::new().run("export nowhere").code, 0);
}
