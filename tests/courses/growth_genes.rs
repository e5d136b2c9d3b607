//! Growth from genes that are read although they are not among the highly variable ones.

use std::path::Path;

use ndarray::Array2;
use rand::Rng;
use sbcell::data::{Column, Matrix};
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::Model;
use sbcell::pipeline::{FitOptions, GrowthOptions, GrowthPrior, Running, Source, fit};
use sbcell::preprocess::{
    GeneSets, Species, find_genes, gene_set_rates, log1p, mean_z_score, normalize_total,
};
use sbcell::{Error, Seed, Silent};

const N: usize = 120;

/// Counts of 40 genes that differ between two types, and of cell-cycle genes that every second
/// cell has a little more of.
fn counts() -> (Array2<f32>, Vec<String>) {
    let sets = GeneSets::shipped(Species::Mouse);
    let symbol = |entry: &String| entry.split(' ').next().unwrap().to_string();
    let mut genes: Vec<String> = (0..40).map(|g| format!("Gene{g}")).collect();
    genes.extend(sets.proliferation.iter().take(12).map(symbol));
    genes.extend(sets.apoptosis.iter().take(9).map(symbol));
    genes.sort();
    genes.dedup();
    let mut random = Seed(3).stream("test", 0);
    let counts = Array2::from_shape_fn((N, genes.len()), |(i, g)| {
        let mean = match genes[g].strip_prefix("Gene") {
            Some(number) => 3 + 9 * ((number.parse::<usize>().unwrap() + i) % 2),
            None => 2 + i % 2,
        };
        (random.next_u32() as usize % (2 * mean + 1)) as f32
    });
    (counts, genes)
}

fn write(path: &Path) {
    let (counts, genes) = counts();
    let names: Vec<String> = (0..N).map(|cell| format!("c{cell}")).collect();
    let hours = (0..N).map(|cell| if cell < 80 { 0.0 } else { 36.0 }).collect();
    let embedding = Array2::from_shape_fn((N, 2), |(i, d)| f64::from(counts[[i, d]]));
    let content = H5adContent {
        obs_names: &names,
        obs: &[("hours", &Column::Floats(hours))],
        var_names: &genes,
        x: Some(MatrixContent::Single(counts.view())),
        obsm: &[("X_two", embedding.view())],
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// Per hour: the published curves are per day.
fn expected() -> Vec<f64> {
    let (counts, genes) = counts();
    let mut matrix = Matrix::Dense(counts);
    normalize_total(&mut matrix, None).unwrap();
    log1p(&mut matrix).unwrap();
    let sets = GeneSets::shipped(Species::Mouse);
    let score = |set: &[String]| mean_z_score(&matrix, &find_genes(set, &genes).0).unwrap();
    let rates = gene_set_rates(score(&sets.proliferation).view(), score(&sets.apoptosis).view());
    (0..80).map(|cell| rates[cell] / 24.0).collect()
}

#[test]
fn rates_are_those_of_all_genes_whatever_is_fitted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("counts.h5ad");
    write(&data);
    for source in [Source::X, Source::Rep("X_two".into())] {
        let options = FitOptions::default()
            .with_source(source)
            .with_n_top_genes(10)
            .with_n_pcs(3)
            .with_growth(GrowthOptions::default().with_prior(GrowthPrior::Species(Species::Mouse)));
        let out = folder.path().join("out");
        fit(&data, &out, &options, Running::default(), &mut Silent).unwrap();
        let model = Model::read(&out).unwrap();
        assert!(model.genes.len() <= 10);
        let growth = model.intervals[0].growth.clone().unwrap();
        for (rate, expected) in growth.prior.iter().zip(expected()) {
            assert!((rate - expected).abs() < 1e-12, "{rate} {expected}");
        }
        let mean = model.intervals[0].report.detail("growth_mean").unwrap();
        let factors = expected().iter().map(|rate| (rate * 36.0).exp()).sum::<f64>() / 80.0;
        assert!((mean - factors).abs() < 1e-12);
    }
}

#[test]
fn genes_of_another_species_are_an_error_that_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("counts.h5ad");
    write(&data);
    let prior = GrowthPrior::Species(Species::Human);
    let options = FitOptions::default().with_growth(GrowthOptions::default().with_prior(prior));
    let error = fit(&data, &folder.path().join("out"), &options, Running::default(), &mut Silent)
        .unwrap_err();
    assert!(matches!(error, Error::NoGenes { .. }), "{error}");
}
