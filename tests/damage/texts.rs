//! Small files that users bring: lists, growth tables, maps of times, sets, measured cells, edges.

use std::path::Path;

use sbcell::Result;
use sbcell::io::cell_table::CellTable;
use sbcell::io::table::{Cells, Table, TableFormat};
use sbcell::io::{edges, lists, measured, table};
use sbcell::pipeline::{GrnScoreOptions, GrowthTable, grn_score};

use crate::dice::{Dice, count};
use crate::promise::Promise;

/// File name, content as it should be.
const TEXTS: [(&str, &str); 12] = [
    ("names.txt", "Sox2\nKlf4\n# a remark\nPou5f1\nEsrrb\n"),
    ("times.csv", "label,time\nD0,0\nD2,2\n\"D4\",4.5\n"),
    ("times.tsv", "D0\t0\nD2\t2\nD4\t4.5\n"),
    ("growth.csv", "id,cell_growth_rate\ncell1,1.5\ncell2,0.2\ncell3,2\n"),
    ("groups.csv", "cell,group\ncell1,A\ncell2,B\ncell3,A\n"),
    ("sets.gmt", "A\tfirst\tcell1\tcell2\nB\t\tcell3\n"),
    ("measured.csv", "cell,Sox2,Klf4\na,1.5,0\nb,-2,3e-1\nc,0,0\n"),
    ("cells.csv", "id,blood,n,kind\nc1,0.25,3,A\nc2,NA,-4,B\nc3,1,0,\n"),
    ("edges.csv", "TF,target,importance\nSox2,Klf4,3.5\nKlf4,Sox2,-1\nSox2,Esrrb,0.5\n"),
    ("edges.tsv", "source\ttarget\tweight\tsign\nSox2\tKlf4\t1\t+\nKlf4\tEsrrb\t2\t-\n"),
    ("network.csv", "Gene1,Gene2,Type\nSox2,Klf4,+\nKlf4,Esrrb,-\n"),
    ("tested.csv", "regulator,target,edge\nSox2,Klf4,1\nKlf4,Sox2,0\nKlf4,Esrrb,true\n"),
];

/// Reads a file as everything that it could be given as.
fn read_as_anything(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap();
    let mut errors = Vec::new();
    errors.extend(lists::read_names(path).err());
    match lists::read_time_map(path) {
        Ok(map) => assert!(map.values().all(|time| time.is_finite()), "{map:?}"),
        Err(error) => errors.push(error),
    }
    match lists::read_growth(path) {
        Ok((map, _)) => assert!(map.values().all(|rate| rate.is_finite()), "{map:?}"),
        Err(error) => errors.push(error),
    }
    errors.extend(GrowthTable::read(path).err());
    errors.extend(lists::read_cell_groups(path).err());
    errors.extend(CellTable::read(path).err());
    match measured::read_measured(path) {
        Ok(table) => assert!(table.values.iter().all(|value| value.is_finite()), "{table:?}"),
        Err(error) => errors.push(error),
    }
    match edges::read(path) {
        Ok(list) => {
            let finite = list.edges.iter().all(|edge| edge.importance.is_finite());
            assert!(finite, "an importance that is not finite");
        }
        Err(error) => errors.push(error),
    }
    for (list, network) in [(path, &*folder.join("network")), (&folder.join("edges"), path)] {
        match grn_score(list, network, &GrnScoreOptions::default()) {
            Ok(score) => {
                let scores = format!("{:?}", score.scores);
                assert!(!scores.contains("inf"), "{scores}");
            }
            Err(error) => errors.push(error),
        }
    }
    let n = errors.len();
    for error in &errors {
        let expected =
            matches!(error.kind(), sbcell::error::Kind::Unreadable | sbcell::error::Kind::Usage);
        assert!(expected || matches!(error, sbcell::Error::Io { .. }), "{error}");
    }
    // Refused by all that read it: an error; otherwise somebody had an answer.
    match errors.pop() {
        Some(error) if n == 9 => Err(error),
        _ => Ok(()),
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("edges"), TEXTS[8].1).unwrap();
    std::fs::write(folder.path().join("network"), TEXTS[10].1).unwrap();
    folder
}

#[test]
fn damaged_texts_are_read_or_refused() {
    let folder = folder();
    let mut promise = Promise::of("texts");
    for k in 0..count(2400) {
        let mut dice = Dice::of("texts", k);
        let (name, text) = dice.one_of(&TEXTS);
        let path = folder.path().join(name);
        std::fs::write(&path, dice.damage_text(text)).unwrap();
        promise.keep(k, &path, || read_as_anything(&path));
    }
}

#[test]
fn damaged_tables_of_columns_are_read_or_refused() {
    let folder = folder();
    let path = folder.path().join("table.parquet");
    let texts = |all: [&str; 4]| Cells::Texts(all.map(String::from).to_vec());
    let odd = [f64::NAN, f64::INFINITY, -1.0, 1e308, 0.0];
    let mut promise = Promise::of("parquet");
    for k in 0..count(1200) {
        let mut dice = Dice::of("parquet", k);
        let mut weights = vec![3.5, 1.0, 0.5, 0.25];
        if dice.below(3) == 0 {
            weights[dice.below(4)] = dice.one_of(&odd);
        }
        let whole = Table::default()
            .with("source", texts(["Sox2", "Klf4", "Sox2", "Esrrb"]))
            .with("target", texts(["Klf4", "Sox2", "Esrrb", "Sox2"]))
            .with("weight", Cells::Floats(weights))
            .with("edge", Cells::Integers(vec![1, 0, 1, 1]));
        table::write(&path, &whole, TableFormat::Parquet).unwrap();
        if dice.below(3) > 0 {
            let mut bytes = std::fs::read(&path).unwrap();
            dice.damage(&mut bytes);
            std::fs::write(&path, &bytes).unwrap();
        }
        promise.keep(k, &path, || read_as_anything(&path));
    }
}
