//! Fit an `.h5ad`, read the model back, and estimate the population at a time between two samples.
//!
//! Run with `cargo run --release --example interpolate`.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::path::Path;

use sbcell::pipeline::{Running, Source};
use sbcell::prelude::*;

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/moon2019_embryoid_5pcs.h5ad");
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("model");

    // Coordinates that the file has already; `FitOptions::default()` computes principal components.
    let options = FitOptions::default().with_source(Source::Rep("X_pca".into()));
    let summary = fit(&data, &out, &options, Running::default(), &mut Silent)?;
    println!("{} intervals, converged: {}", summary.intervals.len(), summary.converged());

    let model = Model::read(&out)?;
    let snapshots = &model.header.snapshots;
    let middle = f64::midpoint(snapshots[0].time, snapshots[1].time);
    let asked = InterpolateOptions::default().with_at(vec![middle]).with_n_cells(Some(500));
    for population in interpolate(&model, &asked, &mut Silent)? {
        let mean = population.points.mean_axis(ndarray::Axis(0)).ok_or("no cells")?;
        println!("time {}: {} cells, mean {mean:.2}", population.time, population.points.nrows());
        assert_eq!(population.points.nrows(), 500);
        assert!((population.time - middle).abs() < 1e-12);
    }
    Ok(())
}
