//! A fit of more cells than a shard has, as a plan of several stages.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use serde_json::Value;

use crate::sandbox::Sandbox;

/// More than one shard of 100 352 cells.
const N_CELLS: usize = 101_000;
const N_GENES: usize = 24;

/// Writes counts of cells of three times; the cells of a time are not beside each other.
fn write_course(path: &Path) {
    let count = |i: usize, j: usize| {
        let state = (i as f64 * 0.731).sin() + (i % 3) as f64 * 0.4;
        let mean = 3.0 + 1.5 * state * (j as f64 * 1.3).cos() + (j % 5) as f64;
        let noise = (i.wrapping_mul(2_654_435_761) >> (j % 13)) % 4;
        (mean.max(0.0).round() + noise as f64) as f32
    };
    let counts = Array2::from_shape_fn((N_CELLS, N_GENES), |(i, j)| count(i, j));
    let cells: Vec<String> = (0..N_CELLS).map(|i| format!("c{i}")).collect();
    let genes: Vec<String> = (0..N_GENES).map(|j| format!("g{j}")).collect();
    let day = Column::Integers((0..N_CELLS).map(|i| Some((i % 3) as i64)).collect());
    let content = H5adContent {
        obs_names: &cells,
        var_names: &genes,
        obs: &[("day", &day)],
        x: Some(MatrixContent::Single(counts.view())),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

#[test]
fn stages_of_a_fit_of_many_cells_merge_to_the_bytes_of_one_command() {
    let sandbox = Sandbox::new();
    write_course(&sandbox.path("data.h5ad"));
    let fit = "fit data.h5ad --timepoints day --n-top-genes 20 --n-pcs 3 --solver gaussian --no-validation";
    sandbox.done(&format!("{fit} --out alone"));
    let planned = sandbox.done(&format!("plan {fit} --out merged"));
    let stages = "12 units in 7 stages: values of shards (2), then genes of shards (2), then selection of genes, then \
        moments of shards (2), then components, then coordinates of shards (2), then intervals (2)";
    // The terminal breaks the line.
    let said = planned.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(stages), "{said}");
    let plan: Value =
        serde_json::from_slice(&fs::read(sandbox.path("plan.json")).unwrap()).unwrap();
    let units = plan["units"].as_array().unwrap();
    let of_stage = |stage: usize| units.iter().filter(move |unit| unit["stage"] == stage);
    // Every stage was tried, and the result of the first one is kept.
    assert!(units.iter().all(|unit| unit["seconds"].as_f64().unwrap() > 0.0));
    assert!(sandbox.path("plan.parts/0.json").exists());
    assert_eq!(fs::read_dir(sandbox.path("plan.parts")).unwrap().count(), 1);
    // A stage waits for the stages before it.
    let early = sandbox.run("step plan.json --unit 2");
    assert_eq!(early.code, 3, "{}", early.stderr);
    assert!(early.stderr.contains("1 of 2 units of earlier stages"), "{}", early.stderr);
    for stage in 0..7 {
        let own: Vec<u64> = of_stage(stage).map(|unit| unit["unit"].as_u64().unwrap()).collect();
        for unit in own.iter().rev() {
            sandbox.done(&format!("step plan.json --unit {unit} --threads {}", 1 + unit % 2));
        }
    }
    sandbox.done("merge plan.json");
    let (alone, merged) = (sandbox.files("alone"), sandbox.files("merged"));
    assert!(alone.len() > 5 && alone.len() == merged.len());
    for ((name, one), (other_name, other)) in alone.iter().zip(&merged) {
        assert_eq!(name, other_name);
        assert!(one == other, "{name} differs");
    }
}
