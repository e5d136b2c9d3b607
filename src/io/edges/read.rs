//! Reading of edge lists and known networks, with the column names of common tools.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::io::text;

/// Names of the column of regulators in lower case, in order of preference.
const REGULATORS: [&str; 6] = ["tf", "gene1", "source", "regulator", "from", "regulatorygene"];
/// Names of the column of targets.
const TARGETS: [&str; 5] = ["target", "gene2", "to", "targetgene", "gene"];
/// Names of the column of weights. If a weight is negative, the column also gives the signs.
const WEIGHTS: [&str; 6] = ["importance", "edgeweight", "weight", "coef_abs", "coef_mean", "score"];
/// Names of the column of signs.
const SIGNS: [&str; 5] = ["sign", "type", "mode", "effect", "coef_mean"];
/// Names of the column that labels tested pairs as edges or non-edges.
const LABELS: [&str; 4] = ["edge", "label", "present", "is_edge"];

/// One row of an edge list. See [`read`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadEdge {
    /// Name of the regulator.
    pub regulator: Arc<str>,
    /// Name of the target.
    pub target: Arc<str>,
    /// Rank weight, not negative; 1 if the list has no weights.
    pub importance: f64,
    /// The weight as the list gives it; 1 if the list has no weights.
    pub weight: f64,
    /// Sign: 1, −1, or 0 if the list does not give it.
    pub sign: i8,
    /// Whether the pair is an edge. It is false for a pair that the list labels as tested and absent.
    pub present: bool,
}

/// An edge list as it was read. See [`read`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadEdges {
    /// The rows, in the order of the file.
    pub edges: Vec<ReadEdge>,
    /// Whether the list has a column of labels. If it has, pairs that are not listed are untested; if it
    /// has not, they are absent edges.
    pub tested: bool,
}

/// Reads an edge list or a known network from a `.parquet` table, or from a text table of any other
/// suffix, separated by tabs if the header contains one and by commas otherwise.
///
/// The header must name regulator and target as sbcell, GRNBoost2, BEELINE, decoupler, CellOracle or
/// common networks do, in upper or lower case. Columns of weights, signs and labels are optional.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if a column is
/// missing, a weight or label is not a number, or there is no row.
///
/// ```
/// # fn main() -> sbcell::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("list.csv");
/// std::fs::write(&path, "source,target,weight\nSox2,Nanog,0.8\nGata6,Nanog,-0.3\n").unwrap();
/// let list = sbcell::io::edges::read(&path)?;
/// assert_eq!((list.edges[1].importance, list.edges[1].sign), (0.3, -1));
/// assert!(list.edges[0].present && !list.tested);
/// # Ok(())
/// # }
/// ```
pub fn read(path: &Path) -> Result<ReadEdges> {
    let (all_names, table) = match TableFormat::of_suffix(path) {
        Some(TableFormat::Parquet) => {
            let table = table::read_parquet(path)?;
            (table.names(), table)
        }
        _ => read_text(path)?,
    };
    let columns: Vec<String> = table.names();
    let find = |known: &[&str]| {
        let found = known.iter().find_map(|name| {
            columns.iter().find(|column| column.trim().eq_ignore_ascii_case(name))
        });
        found.and_then(|name| table.column(name))
    };
    let (Some(regulators), Some(targets)) = (find(&REGULATORS), find(&TARGETS)) else {
        return Err(unreadable(
            path,
            format!("its columns are {}: no regulator and target among them", all_names.join(", ")),
            "name them TF,target (or Gene1,Gene2, source,target, regulator,target)",
        ));
    };
    let weights = find(&WEIGHTS).map(|cells| numbers(path, cells, "weight")).transpose()?;
    let signs = find(&SIGNS).map(signs);
    let labels = find(&LABELS).map(|cells| numbers(path, cells, "label")).transpose()?;
    let mut names = Names::default();
    // A column of weights without negative numbers gives no signs.
    let signed = weights.as_ref().is_some_and(|w| w.iter().any(|weight| *weight < 0.0));
    let edges: Vec<ReadEdge> = (0..table.n_rows())
        .map(|row| {
            let weight = weights.as_ref().map_or(1.0, |weights| weights[row]);
            let of_weight = if signed { sign_of(weight) } else { 0 };
            ReadEdge {
                regulator: names.of(regulators, row),
                target: names.of(targets, row),
                importance: weight.abs(),
                weight,
                sign: signs.as_ref().map_or(of_weight, |signs| signs[row]),
                present: labels.as_ref().is_none_or(|labels| labels[row] > 0.0),
            }
        })
        .collect();
    if edges.is_empty() {
        return Err(unreadable(
            path,
            "it has a header and no rows".into(),
            "add one row for each edge",
        ));
    }
    Ok(ReadEdges { edges, tested: labels.is_some() })
}

/// Names of genes, each in memory once. A list of a million edges has some thousand genes.
#[derive(Default)]
struct Names(BTreeMap<String, Arc<str>>);

impl Names {
    fn of(&mut self, cells: &Cells, row: usize) -> Arc<str> {
        let name = cells.text(row);
        if let Some(known) = self.0.get(&name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = name.as_str().into();
        self.0.insert(name, Arc::clone(&shared));
        shared
    }
}

/// Whether a column is used; other columns are not kept in memory.
fn is_known(name: &str) -> bool {
    let known = [&REGULATORS[..], &TARGETS, &WEIGHTS, &SIGNS, &LABELS].concat();
    known.iter().any(|known| name.trim().eq_ignore_ascii_case(known))
}

/// Reads a text table. Returns the names of all columns, and the columns that are used.
fn read_text(path: &Path) -> Result<(Vec<String>, Table)> {
    let text = text::read(path)?;
    let text = text.trim_start_matches('\u{feff}');
    let header = text.lines().next().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(text::delimiter_of(header))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| {
        unreadable(path, error.to_string(), "each line needs as many columns as the header")
    };
    let names: Vec<String> =
        reader.headers().map_err(broken)?.iter().map(ToString::to_string).collect();
    let mut columns = vec![Vec::new(); names.len()];
    let looked_at: Vec<bool> = names.iter().map(|name| is_known(name)).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let entries = columns.iter_mut().zip(&record).zip(&looked_at);
        for ((column, text), _) in entries.filter(|(_, looked_at)| **looked_at) {
            column.push(text.to_string());
        }
    }
    let mut table = Table::default();
    for (place, column) in columns.into_iter().enumerate().filter(|(place, _)| looked_at[*place]) {
        table.push(names[place].clone(), Cells::Texts(column));
    }
    Ok((names, table))
}

/// The finite numbers of a column; `true`, `yes`, `false` and `no` are 1 and 0. In errors `what` names the
/// numbers.
fn numbers(path: &Path, cells: &Cells, what: &str) -> Result<Vec<f64>> {
    let number = |text: &String| match text.to_ascii_lowercase().as_str() {
        "true" | "yes" => Some(1.0),
        "false" | "no" => Some(0.0),
        other => other.parse::<f64>().ok().filter(|number| number.is_finite()),
    };
    match cells {
        Cells::Floats(values) => {
            match values.iter().enumerate().find(|entry| !entry.1.is_finite()) {
                Some((row, value)) => {
                    let problem = format!("{value} in row {} is no {what}", row + 1);
                    Err(unreadable(path, problem, "remove the edges without a number"))
                }
                None => Ok(values.clone()),
            }
        }
        Cells::Integers(values) => Ok(values.iter().map(|value| *value as f64).collect()),
        Cells::Texts(texts) => texts
            .iter()
            .enumerate()
            .map(|(row, text)| {
                number(text).ok_or_else(|| {
                    let problem = format!("`{text}` in line {} is no {what}", row + 2);
                    unreadable(path, problem, "numbers are written as in 0.5 or 1e-3")
                })
            })
            .collect(),
    }
}

fn sign_of(value: f64) -> i8 {
    i8::from(value > 0.0) - i8::from(value < 0.0)
}

/// Signs of a column of numbers, of `+` and `-`, or of words; 0 for other entries.
fn signs(cells: &Cells) -> Vec<i8> {
    match cells {
        Cells::Floats(values) => values.iter().map(|value| sign_of(*value)).collect(),
        Cells::Integers(values) => values.iter().map(|value| value.signum() as i8).collect(),
        Cells::Texts(texts) => texts
            .iter()
            .map(|text| match text.to_ascii_lowercase().as_str() {
                "+" | "activation" | "activator" | "activates" | "positive" | "up" => 1,
                "-" | "−" | "inhibition" | "repression" | "repressor" | "represses"
                | "negative" | "down" => -1,
                other => other.parse().map_or(0, sign_of),
            })
            .collect(),
    }
}

fn unreadable(path: &Path, problem: String, way_out: &str) -> Error {
    Error::Unreadable { path: path.to_path_buf(), problem, way_out: Some(way_out.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<ReadEdges> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edges.csv");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn reads_what_other_tools_write() {
        let cases = [
            ("TF,target,importance,sign\na,b,0.5,-1\n", 0.5, -1),
            ("TF,target,importance\na,b,0.5\n", 0.5, 0),
            ("Gene1\tGene2\tEdgeWeight\na\tb\t-2\n", 2.0, -1),
            ("Gene1,Gene2,Type\na,b,-\n", 1.0, -1),
            ("source,target,weight\na,b,-0.25\n", 0.25, -1),
            ("source,target,coef_mean,coef_abs,p,-logp\na,b,-0.1,0.1,0.01,2\n", 0.1, -1),
            ("regulator\ttarget\tsign\na\tb\t1\n", 1.0, 1),
            ("\u{feff}\"TF\",\"target\"\n\"a\",\"b\"\n", 1.0, 0),
        ];
        for (text, importance, sign) in cases {
            let read = of(text).unwrap();
            let edge = ReadEdge {
                regulator: "a".into(),
                target: "b".into(),
                importance,
                weight: read.edges[0].weight,
                sign,
                present: true,
            };
            assert!((read.edges[0].weight.abs() - importance).abs() < 1e-15, "{text}");
            assert_eq!(read, ReadEdges { edges: vec![edge], tested: false }, "{text}");
        }
    }

    #[test]
    fn weights_keep_their_signs_beside_a_column_of_signs() {
        let read = of("TF,target,weight,sign\na,b,-0.5,1\n").unwrap();
        let edge = &read.edges[0];
        assert_eq!((edge.importance, edge.weight, edge.sign), (0.5, -0.5, 1));
    }

    #[test]
    fn tested_pairs_may_be_absent() {
        let read = of("regulator\ttarget\tedge\na\tb\t1\na\tc\t0\n").unwrap();
        assert!(read.tested && read.edges[0].present && !read.edges[1].present);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, words) in [
            ("a,b\nx,y\n", "columns are a, b"),
            ("TF,target,importance\na,b,high\n", "`high` in line 2"),
            ("TF,target\n", "no rows"),
            ("TF,target\na,b,c\n", "line"),
            ("", "no regulator"),
        ] {
            let message = of(text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
