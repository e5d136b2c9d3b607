//! A small model for the examples in this documentation.

use std::path::Path;

use ndarray::Array2;

use crate::bridge::GaussianSolver;
use crate::data::Column;
use crate::error::Result;
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::model::OpenModel;
use crate::pipeline::{FitOptions, Running, SolverChoice, TimeOptions, fit};
use crate::progress::Silent;

/// Cells of each day and cell type.
const N_CELLS: usize = 12;

/// Writes `cells.h5ad` into `folder`, fits it, and opens the model, which is in `folder/model`.
///
/// The file has the days 0, 1 and 2, each with 12 cells of type `left` and 12 of type `right` (`cell_type`), in
/// two batches (`batch`). Of the four genes, `Sox2` rises with time in left cells, `Gata6` in right cells,
/// `Nanog` falls in all, and `Actb` stays. The fit uses two principal components and the Gaussian solver.
///
/// # Errors
/// Those of writing the file and of [`fit`].
pub fn example_model(folder: &Path) -> Result<OpenModel> {
    let genes = ["Sox2", "Gata6", "Nanog", "Actb"].map(String::from);
    let n = 3 * 2 * N_CELLS;
    let (day, left) = (|i: usize| i / (2 * N_CELLS), |i: usize| i.is_multiple_of(2));
    let counts = Array2::from_shape_fn((n, genes.len()), |(i, gene)| {
        let rise = match gene {
            0 => 30 * day(i) * usize::from(left(i)),
            1 => 30 * day(i) * usize::from(!left(i)),
            2 => 20 * (2 - day(i)),
            _ => 0,
        };
        // Deterministic scatter in place of sampling noise.
        (20 + rise + (7 * i + 5 * gene + i * gene) % 9) as f32
    });
    let names: Vec<String> = (0..n).map(|i| format!("cell{i}")).collect();
    let days = Column::Floats((0..n).map(|i| day(i) as f64).collect());
    let labels = |of: &dyn Fn(usize) -> &'static str| {
        Column::Texts((0..n).map(|i| Some(of(i).to_string())).collect())
    };
    let types = labels(&|i| if left(i) { "left" } else { "right" });
    let batches = labels(&|i| if i % 4 < 2 { "a" } else { "b" });
    let path = folder.join("cells.h5ad");
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &days), ("cell_type", &types), ("batch", &batches)],
        var_names: &genes,
        x: Some(MatrixContent::Single(counts.view())),
        ..H5adContent::default()
    };
    write_h5ad(&path, &content)?;
    let options = FitOptions {
        time: TimeOptions { column: Some("day".into()), map: None },
        n_pcs: 2.into(),
        solver: SolverChoice::of(GaussianSolver {}),
        ..FitOptions::default()
    };
    let out = folder.join("model");
    fit(&path, &out, &options, Running::default(), &mut Silent)?;
    OpenModel::read(out)
}
