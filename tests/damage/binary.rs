//! The binary on damaged inputs, with little memory and little time: one error line and its exit code.

use std::path::Path;
use std::process::Command;

use sbcell::io::h5ad::{H5ad, MatrixSource};
use serde_json::Value;

use crate::dice::{Dice, count};
use crate::promise::{Promise, copy_all};
use crate::seeds::models;

/// Address space in KiB and processor seconds of a run.
const LIMITS: &str = "ulimit -v 3000000; ulimit -t 60; ulimit -c 0";

/// What is asked of a damaged `data.h5ad`, of a damaged model `m`, of a damaged `text.csv`.
const OF_DATA: [&str; 5] = [
    "inspect data.h5ad",
    "fit data.h5ad --timepoints time --n-pcs 2 --solver gaussian --out new",
    "fit data.h5ad --dry-run",
    "grn --model m --data data.h5ad --source correlation --bootstrap 0 --permutations 0 --out new.csv",
    "strip data.h5ad --out new.h5ad",
];
const OF_MODEL: [&str; 9] = [
    "interpolate --model m --space genes --out new.parquet",
    "velocity --model m --space both --out new.csv",
    "diagnose --model m",
    "transitions --model m --groupby time_label",
    "fates --model m --terminal 24:24h --terminal 96:96h --groupby time_label --out new.csv",
    "couplings --model m --out new",
    "annotate data.h5ad --model m --out new.h5ad",
    "sample --model m --epsilon 1 --out new.csv",
    "trajectory --model m --groupby time_label --paths 2 --out new.csv",
];
const OF_TEXT: [(&str, Text); 7] = [
    ("fit data.h5ad --timepoints time_label --time-map text.csv --dry-run", Text::Labels),
    (
        "fit data.h5ad --timepoints time --growth-file text.csv --solver gaussian --n-pcs 2 --out new",
        Text::Cells,
    ),
    ("fit data.h5ad --timepoints time --genes text.csv --dry-run", Text::Genes),
    ("grn-score text.csv --truth text.csv", Text::Edges),
    ("trajectory --model m --cells text.csv --out new.csv", Text::Cells),
    ("annotate data.h5ad --model m --table text.csv --out new.h5ad", Text::Cells),
    ("grn --model m --tfs text.csv --bootstrap 2 --permutations 2 --out new.csv", Text::Genes),
];

/// What a small file holds.
#[derive(Clone, Copy)]
enum Text {
    Labels,
    Cells,
    Genes,
    Edges,
}

impl Text {
    fn of(self, data: &Path) -> String {
        let file = H5ad::open(data).unwrap();
        let lines = |names: Vec<String>, value: &dyn Fn(usize) -> String| -> String {
            let line = |(i, name)| format!("{name},{}\n", value(i));
            names.into_iter().enumerate().map(line).collect()
        };
        match self {
            Self::Labels => "label,time\n0h,0\n6h,6\n12h,12\n24h,24\n96h,96\n".into(),
            Self::Cells => {
                let names = file.obs_names().unwrap();
                format!("cell,n\n{}", lines(names, &|i| (1 + i % 2).to_string()))
            }
            Self::Genes => {
                let names = file.gene_names(&MatrixSource::X).unwrap();
                lines(names, &|i| i.to_string())
            }
            Self::Edges => "TF,target,importance\nA,B,3\nB,C,-1\nA,C,0.5\n".into(),
        }
    }
}

fn run(folder: &Path, line: &str) -> (Option<i32>, String) {
    let binary = env!("CARGO_BIN_EXE_sbcell");
    let output = Command::new("sh")
        .args(["-c", &format!("{LIMITS}; exec '{binary}' {line}")])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("SLURM_CPUS_PER_TASK", "1")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(unix)]
#[test]
fn the_binary_says_one_error_and_goes() {
    let work = tempfile::tempdir().unwrap();
    let mut promise = Promise::of("binary");
    for k in 0..count(9000) / 100 {
        let mut dice = Dice::of("binary", k);
        let folder = work.path().join("run");
        let (_, model) = dice.one_of(models());
        let _ = std::fs::remove_dir_all(&folder);
        copy_all(&model, &folder.join("m"));
        copy_all(&model.with_file_name("data.h5ad"), &folder.join("data.h5ad"));
        let (input, line) = match dice.below(3) {
            0 => ("data.h5ad".to_string(), dice.one_of(&OF_DATA)),
            1 => (format!("m/{}", part(&mut dice, &folder.join("m"))), dice.one_of(&OF_MODEL)),
            _ => {
                let (line, text) = dice.one_of(&OF_TEXT);
                let text = text.of(&folder.join("data.h5ad"));
                std::fs::write(folder.join("text.csv"), dice.damage_text(&text)).unwrap();
                ("text.csv".to_string(), line)
            }
        };
        let path = folder.join(&input);
        let bytes = damaged(&mut dice, &path);
        std::fs::write(&path, &bytes).unwrap();
        let (code, said) = run(&folder, line);
        promise.keep(k, &folder, || {
            let told = format!("`sbcell {line}` with a damaged {input}: exit {code:?}\n{said}");
            assert!(matches!(code, Some(0 | 2..=4)), "{told}");
            assert!(!said.contains("panicked"), "{told}");
            let errors = said.lines().filter(|line| line.starts_with("error:")).count();
            assert_eq!(errors, usize::from(matches!(code, Some(2..=3))), "{told}");
            assert!(std::fs::read(&path).unwrap() == bytes, "the input was changed: {told}");
            Ok(())
        });
    }
}

fn part(dice: &mut Dice, model: &Path) -> String {
    let mut bridges: Vec<String> = std::fs::read_dir(model.join("bridges"))
        .unwrap()
        .map(|entry| format!("bridges/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    bridges.sort();
    let bridge = dice.one_of(&bridges);
    dice.one_of(&[&bridge, "model.json", "cells.parquet", "run.json", &bridge]).to_string()
}

fn damaged(dice: &mut Dice, path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    match path.extension().and_then(|ending| ending.to_str()) {
        // Damaged as it was written.
        Some("csv") => {}
        Some("json") => {
            let mut document: Value = serde_json::from_slice(&bytes).unwrap();
            dice.damage_json(&mut document);
            return document.to_string().into_bytes();
        }
        _ => dice.damage(&mut bytes),
    }
    bytes
}
