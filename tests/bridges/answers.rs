//! The files of `data-samples/known-answer`.

use std::fs;
use std::path::PathBuf;

use ndarray::Array2;
use serde::Deserialize;

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data-samples/known-answer").join(file)
}

/// The numbers of `name_part.csv`, which has a header.
pub(crate) fn table(name: &str, part: &str) -> Array2<f64> {
    let text = fs::read_to_string(path(&format!("{name}_{part}.csv"))).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|word| word.parse().unwrap()).collect())
        .collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// Two Gaussians and the bridge between them.
#[derive(Deserialize)]
#[expect(non_snake_case, reason = "names of the file")]
pub(crate) struct GaussianPair {
    pub(crate) dim: usize,
    pub(crate) eps: f64,
    pub(crate) m0: Vec<f64>,
    pub(crate) S0: Vec<Vec<f64>>,
    pub(crate) m1: Vec<f64>,
    pub(crate) S1: Vec<Vec<f64>>,
    pub(crate) C_cross_cov: Vec<Vec<f64>>,
    pub(crate) bridge_mid_mean: Vec<f64>,
    pub(crate) bridge_mid_cov: Vec<Vec<f64>>,
    pub(crate) transport_cost_half_sq: f64,
    pub(crate) KL_plan_vs_product: f64,
}

pub(crate) fn gaussian_pairs() -> Vec<GaussianPair> {
    let text = fs::read_to_string(path("gaussian_sb_closed_form.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}
