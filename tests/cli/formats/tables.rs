//! The tables of `docs/formats/tables.json`, and what a file has against them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sbcell::io::table::{Cells, read_parquet};
use serde::Deserialize;

use crate::sandbox::Sandbox;

/// The content of `tables.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Version of the layout of this list.
    format: u32,
    tables: Vec<TableAbout>,
}

/// One table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableAbout {
    pub(super) name: String,
    /// Names of its files by default.
    pub(super) files: Vec<String>,
    pub(super) written_by: String,
    /// What has a row.
    pub(super) rows: String,
    /// Formats in which it can be written.
    pub(super) formats: String,
    pub(super) further_columns_may_follow: bool,
    pub(super) columns: Vec<ColumnAbout>,
}

/// One column, or the columns of a placeholder such as `{fate}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnAbout {
    pub(super) name: String,
    /// `text`, `number`, `integer` or `boolean`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) meaning: String,
    #[serde(default)]
    pub(super) optional: bool,
    /// Whether numbers can be missing: an empty cell in text, and null in parquet.
    #[serde(default)]
    pub(super) missing: bool,
    /// Columns of one block alternate: those of the first value, then those of the second.
    #[serde(default)]
    block: Option<u32>,
    /// Another name that the column may have.
    #[serde(default)]
    alternative: Option<String>,
}

/// Reads `tables.json` in `folder`.
pub(super) fn read(folder: &Path) -> Vec<TableAbout> {
    let text = fs::read_to_string(folder.join("tables.json")).unwrap();
    let listed: Listed = serde_json::from_str(&text).unwrap();
    assert_eq!(listed.format, 1);
    listed.tables
}

/// All tables, with the values that placeholders may have.
pub(super) struct Tables {
    all: Vec<TableAbout>,
    values: BTreeMap<&'static str, Vec<String>>,
}

/// A file beside its description.
pub(super) struct Compared {
    /// Name of the table.
    pub(super) table: String,
    /// Names of the described columns that the file has.
    pub(super) columns: Vec<String>,
    /// One line for each difference.
    pub(super) problems: Vec<String>,
}

/// A name that a column may have.
struct Wanted {
    name: String,
    /// Number of the description.
    number: usize,
    /// Place in the order of columns. Columns of one placeholder, or of one block, are in one place.
    place: usize,
}

/// The cells of a file: names of columns, and the texts of each column.
type Columns = Vec<(String, Vec<String>)>;

impl Tables {
    pub(super) fn read(folder: &Path) -> Self {
        let texts = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let groups = [
            "(no group)",
            "XEN",
            "ectoderm",
            "left",
            "pluripotent",
            "pluripotent_1",
            "pluripotent_2",
            "right",
            "state_1",
            "state_2",
        ];
        let mut values = BTreeMap::new();
        for name in ["fate", "set", "target"] {
            values.insert(name, texts(&groups));
        }
        values.insert("solver", texts(&["lightsb", "sinkhorn", "ot", "gaussian"]));
        values.insert("nearest", texts(&["nearest20", "nearest80"]));
        values.insert("embedding", texts(&["matrix_1", "matrix_2"]));
        Self { all: read(folder), values }
    }

    /// All columns, as `TABLE: COLUMN`.
    pub(super) fn columns(&self) -> Vec<String> {
        let of = |table: &TableAbout| -> Vec<String> {
            table.columns.iter().map(|column| format!("{}: {}", table.name, column.name)).collect()
        };
        self.all.iter().flat_map(of).collect()
    }

    /// Learns the names of coordinates, cells and genes from the models in `sandbox`.
    pub(super) fn learn(&mut self, sandbox: &Sandbox) {
        let mut names: [BTreeSet<String>; 3] = Default::default();
        let [coordinates, cells, genes] = &mut names;
        for (name, _) in sandbox.files(".") {
            let (first, found) = match Path::new(&name).file_name().and_then(|name| name.to_str()) {
                Some("cells.parquet") => ("cell", &mut *cells),
                Some("genes.parquet") => ("gene", &mut *genes),
                _ => continue,
            };
            let table = read_parquet(&sandbox.path(&name)).unwrap();
            let Some(Cells::Texts(texts)) = table.column(first) else { panic!("{name}") };
            found.extend(texts.iter().cloned());
            let own = ["cell", "gene", "time", "mean"];
            let of_growth = |name: &String| name.starts_with("growth_");
            let others = table.names().into_iter().filter(|name| !own.contains(&name.as_str()));
            coordinates.extend(others.filter(|name| !of_growth(name)));
        }
        let [coordinates, cells, genes] = names.map(|names| names.into_iter().collect::<Vec<_>>());
        let either = coordinates.iter().chain(&genes).cloned().collect();
        self.values.insert("coordinate or gene", either);
        self.values.insert("coordinate", coordinates);
        self.values.insert("gene", genes);
        self.values.insert("cell", cells);
    }

    /// The table that the file `name` is, by the first part of its name: `fates-auto.states.csv` is
    /// `fates.states`, `edges-beeline.tsv` is `edges (beeline)`.
    fn table_of(&self, name: &str) -> &TableAbout {
        let path = Path::new(name);
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let (first, rest) = stem.split_once('.').map_or((stem, ""), |(first, rest)| (first, rest));
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let first = if folder.is_some_and(|name| name.starts_with("couplings")) {
            folder.unwrap_or_default()
        } else {
            first
        };
        let (base, variant) = first.split_once('-').unwrap_or((first, ""));
        let whole = if rest.is_empty() { base.to_string() } else { format!("{base}.{rest}") };
        let whole = match whole.as_str() {
            "interpolated" | "sample" => "populations",
            "tmaps_g" => "couplings (wot)",
            "scores" => "grn-score",
            other => other,
        };
        let special = format!("{whole} ({variant})");
        let named = |wanted: &str| self.all.iter().find(|table| table.name == wanted);
        named(&special).or_else(|| named(whole)).unwrap_or_else(|| panic!("no table is {name}"))
    }

    /// Compares the file with its description.
    pub(super) fn compared(&self, path: &Path, name: &str) -> Compared {
        let about = self.table_of(name);
        let (mut problems, mut seen, mut met) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let wanted = self.expanded(about);
        let mut place = 0;
        for (name, cells) in &columns_of(path) {
            if !seen.insert(name.clone()) {
                problems.push(format!("column `{name}` occurs twice"));
            }
            let found = wanted.iter().find(|wanted| wanted.name == *name && place <= wanted.place);
            let Some(found) = found else {
                problems.push(format!("column `{name}` is not described in this place"));
                continue;
            };
            place = found.place;
            met.insert(found.number);
            let column = &about.columns[found.number];
            if let Some(cell) = cells.iter().find(|cell| !is_of(column, cell)) {
                problems.push(format!("column `{name}` has the {} `{cell}`", column.kind));
            }
        }
        for (number, column) in about.columns.iter().enumerate() {
            if !column.optional && !met.contains(&number) {
                problems.push(format!("there is no column `{}` in its place", column.name));
            }
        }
        let columns = met.into_iter().map(|number| about.columns[number].name.clone()).collect();
        Compared { table: about.name.clone(), columns, problems }
    }

    /// All names that the columns of `about` may have.
    fn expanded(&self, about: &TableAbout) -> Vec<Wanted> {
        let (mut all, mut place) = (Vec::new(), 0);
        for (number, column) in about.columns.iter().enumerate() {
            let before = number.checked_sub(1).and_then(|before| about.columns.get(before));
            let together =
                column.block.is_some() && before.is_some_and(|of| of.block == column.block);
            place += usize::from(!together);
            let mut names = self.filled(&column.name);
            names.extend(column.alternative.clone());
            all.extend(names.into_iter().map(|name| Wanted { name, number, place }));
        }
        all
    }

    /// `name` with each value of its placeholders.
    fn filled(&self, name: &str) -> Vec<String> {
        let Some(of) = placeholder(name) else { return vec![name.to_string()] };
        let values = self.values[of.as_str()].iter();
        let with = values.map(|value| name.replacen(&format!("{{{of}}}"), value, 1));
        with.flat_map(|name| self.filled(&name)).collect()
    }
}

/// The first placeholder in a name.
fn placeholder(name: &str) -> Option<String> {
    let (_, after) = name.split_once('{')?;
    after.split_once('}').map(|parts| parts.0.to_string())
}

/// Whether `cell` is a value of the column.
fn is_of(column: &ColumnAbout, cell: &str) -> bool {
    match (column.kind.as_str(), cell) {
        ("text", _) => true,
        ("boolean", cell) => ["true", "false"].contains(&cell),
        ("number", "NaN") => false,
        ("number", "") => column.missing,
        ("number", cell) => cell.parse::<f64>().is_ok(),
        ("integer", cell) => cell.parse::<i64>().is_ok(),
        (kind, _) => panic!("no type is called {kind}"),
    }
}

/// The columns of a table in any format.
fn columns_of(path: &Path) -> Columns {
    let delimiter = match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("csv") => b',',
        Some("tsv" | "txt") => b'\t',
        Some("parquet") => {
            let table = read_parquet(path).unwrap();
            let texts = |cells: &Cells| (0..table.n_rows()).map(|row| cells.text(row)).collect();
            let named = |name: String| {
                let cells = texts(table.column(&name).unwrap());
                (name, cells)
            };
            return table.names().into_iter().map(named).collect();
        }
        _ => panic!("{} is no table", path.display()),
    };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_path(path).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let mut columns: Columns = header.into_iter().map(|name| (name, Vec::new())).collect();
    for row in reader.records() {
        for (column, cell) in columns.iter_mut().zip(&row.unwrap()) {
            column.1.push(cell.to_string());
        }
    }
    columns
}
