//! Model folders with a damaged file: refused when they are opened, or as good as any.

use std::path::Path;

use sbcell::bridge::UnitTime;
use sbcell::error::Kind;
use sbcell::io::model::OpenModel;
use sbcell::io::run::{OutputRecord, RunRecord, read_json, write_json};
use sbcell::io::table::{self, Cells, Table, TableFormat};
use sbcell::pipeline::{
    AnnotateOptions, Process, VelocityOptions, VelocitySpace, annotate, velocity,
};
use sbcell::{Error, Result, Seed, Silent};
use serde_json::Value;

use crate::dice::{Dice, count};
use crate::promise::{Promise, copy_all};
use crate::seeds::models;

/// Opens a model and asks of it what commands ask; all that comes out must be finite.
fn use_model(folder: &Path, data: &Path) -> Result<()> {
    let model = OpenModel::read(folder).inspect_err(|error| {
        let expected = error.kind() == Kind::Unreadable || matches!(error, Error::NoModel { .. });
        assert!(expected, "{:?}: {error}", error.kind());
        let whole = error.hint().is_some_and(|hint| hint.contains("fit"));
        assert!(whole, "no way out: {error}");
        assert!(!error.shown().contains('\n'), "more than a line: {error}");
    })?;
    let process = Process::restore(&model)?;
    let times = process.series.times().to_vec();
    for (k, pair) in times.windows(2).enumerate() {
        let middle = f64::midpoint(pair[0], pair[1]);
        let drawn = process.sample_at(middle, 6, Seed(1))?;
        assert!(drawn.iter().all(|value| value.is_finite()), "drawn {drawn}");
        let bridge = &process.series.bridges()[k];
        let middle = UnitTime::new(0.5)?;
        let drift = bridge.drift(drawn.view(), middle)?;
        assert!(drift.iter().all(|value| value.is_finite()), "drift {drift}");
        let source = process.source(k, pair[1])?;
        let link = bridge.link(&source, &process.snapshots[k + 1], Seed(2), &mut Silent)?;
        let coupling = link.coupling(1e-6)?;
        assert!(coupling.pairs().all(|pair| pair.2.is_finite()), "a plan");
    }
    let options = VelocityOptions::default()
        .with_at(Vec::new())
        .with_space(VelocitySpace::Pca)
        .with_genes(Vec::new())
        .with_seed(0);
    let found = velocity(&model, &options, &mut Silent)?;
    let all = [Some(&found.drift), found.score.as_ref(), found.flow.as_ref()];
    for values in all.into_iter().flatten() {
        // The score of the first time is known to no solver that has none of its own.
        assert!(values.iter().all(|value| !value.is_infinite()), "velocity {values}");
    }
    assert!(found.drift.iter().all(|value| value.is_finite()), "drift {}", found.drift);
    let out = folder.with_file_name("out.h5ad");
    annotate(&model, data, &out, &AnnotateOptions::default(), &mut Silent).map(drop)
}

/// Files of a model that are read again.
fn parts(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        ["model.json", "run.json", "cells.parquet", "genes.parquet"].map(String::from).to_vec();
    for entry in std::fs::read_dir(folder.join("bridges")).unwrap() {
        names.push(format!("bridges/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
    if folder.join("networks.safetensors").exists() {
        names.push("networks.safetensors".into());
    }
    names.sort();
    names
}

/// Records in `run.json` what the part is now.
fn record_anew(folder: &Path, part: &str) {
    let path = folder.join("run.json");
    let mut run: RunRecord = read_json(&path).unwrap();
    run.outputs.retain(|output| output.file != part);
    run.outputs.extend(OutputRecord::of(folder, part));
    write_json(&path, &run).unwrap();
}

fn damaged(dice: &mut Dice, name: &str, path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    if Path::new(&name).extension().is_some_and(|ending| ending == "json") && dice.below(5) > 0 {
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        dice.damage_json(&mut document);
        let text = document.to_string();
        // Not JSON, but what other writers make of a number that is none.
        bytes =
            if dice.below(15) == 0 { text.replacen("0.", "NaN.", 1) } else { text }.into_bytes();
    } else if name.ends_with(".parquet") && dice.below(3) > 0 {
        return damaged_table(dice, path);
    } else if dice.below(20) == 0 {
        std::fs::remove_file(path).unwrap();
        return;
    } else {
        dice.damage(&mut bytes);
    }
    std::fs::write(path, bytes).unwrap();
}

/// A sound table with a value, a row or a column that is wrong.
fn damaged_table(dice: &mut Dice, path: &Path) {
    let whole = table::read_parquet(path).unwrap();
    let odd = [f64::NAN, f64::INFINITY, 1e308, -1e308, 1e-320, 0.0, -1.0, 1e30, 0.1];
    let names = whole.names();
    let (column, row) = (dice.below(names.len()), dice.below(whole.n_rows()));
    let (how, value) = (dice.below(6), dice.one_of(&odd));
    let mut made = Table::default();
    for (place, name) in names.iter().enumerate() {
        let mut cells = whole.column(name).unwrap().clone();
        match (&mut cells, how) {
            (Cells::Floats(values), 0 | 1) if place == column => values[row] = value,
            (Cells::Texts(values), 0 | 1) if place == column => {
                let first = values[0].clone();
                values[row] = first;
            }
            (Cells::Floats(values), 2) => drop(values.remove(row)),
            (Cells::Texts(values), 2) => drop(values.remove(row)),
            (Cells::Floats(values), 3) => values.swap(0, row),
            (Cells::Floats(values), 4) if place == column => {
                cells = Cells::Integers(values.iter().map(|value| *value as i64).collect());
            }
            (_, 5) if place == column => continue,
            _ => {}
        }
        made.push(name.clone(), cells);
    }
    table::write(path, &made, TableFormat::Parquet).unwrap();
}

#[test]
fn damaged_models_are_refused_or_as_good_as_any() {
    let work = tempfile::tempdir().unwrap();
    let mut promise = Promise::of("models");
    for (name, folder) in models() {
        let data = folder.with_file_name("data.h5ad");
        use_model(folder, &data).unwrap_or_else(|error| panic!("{name}: {error}"));
        copy_all(folder, &work.path().join(name));
    }
    for k in 0..count(1800) {
        let mut dice = Dice::of("models", k);
        let (name, whole) = dice.one_of(models());
        let folder = work.path().join(name);
        let part = dice.one_of(&parts(&whole));
        damaged(&mut dice, &part, &folder.join(&part));
        // A part that is not as it was recorded is refused for that: most are recorded as they are.
        if part != "run.json" && k % 4 > 0 {
            record_anew(&folder, &part);
        }
        let data = whole.with_file_name("data.h5ad");
        promise.keep(k, &folder, || use_model(&folder, &data));
        for name in [part.as_str(), "run.json"] {
            std::fs::copy(whole.join(name), folder.join(name)).unwrap();
        }
    }
}
