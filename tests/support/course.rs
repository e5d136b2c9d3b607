//! A small time course of counts, the same at every call: three days, two types of cells, nine genes.
#![allow(dead_code, reason = "each binary uses some")]

use std::path::Path;

use ndarray::{Array2, ArrayView2, Axis};
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};

/// Cells of each day.
pub(crate) const N: usize = 16;

/// The course, to be changed and written.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) cells: Vec<String>,
    pub(crate) genes: Vec<String>,
    pub(crate) days: Vec<f64>,
    pub(crate) types: Vec<String>,
    pub(crate) counts: Array2<f32>,
}

impl Course {
    pub(crate) fn new() -> Self {
        let days = [0.0, 1.0, 3.0];
        let n_cells = days.len() * N;
        let counts = Array2::from_shape_fn((n_cells, 9), |(cell, gene)| {
            let (day, fate) = ((cell / N) as u64, (cell % 2) as u64);
            // Digits of a product stand for chance.
            let chance = ((cell as u64 * 7919 + gene as u64 * 104_729 + 13) * 2_654_435_761) >> 11;
            let base = 2 + chance % 4;
            let more = match gene {
                0 | 1 => 4 * (2 - day),
                2 | 3 => 5 * day * fate,
                4 | 5 => 5 * day * (1 - fate),
                _ => 0,
            };
            (base + more) as f32
        });
        Self {
            cells: (0..n_cells).map(|cell| format!("c{cell}")).collect(),
            genes: (0..9).map(|gene| format!("G{gene}")).collect(),
            days: (0..n_cells).map(|cell| days[cell / N]).collect(),
            types: (0..n_cells).map(|cell| ["A", "B"][cell % 2].to_string()).collect(),
            counts,
        }
    }

    /// The cells `order` only, in this order.
    pub(crate) fn cells(&self, order: &[usize]) -> Self {
        let texts = |of: &[String]| order.iter().map(|&cell| of[cell].clone()).collect();
        Self {
            cells: texts(&self.cells),
            types: texts(&self.types),
            days: order.iter().map(|&cell| self.days[cell]).collect(),
            counts: self.counts.select(Axis(0), order),
            genes: self.genes.clone(),
        }
    }

    /// The genes `order` only, in this order.
    pub(crate) fn genes(&self, order: &[usize]) -> Self {
        let genes = order.iter().map(|&gene| self.genes[gene].clone()).collect();
        Self { genes, counts: self.counts.select(Axis(1), order), ..self.clone() }
    }

    /// Writes it, `day` and `cell_type` in `obs`.
    pub(crate) fn write(&self, path: &Path) {
        self.write_with(path, &[]);
    }

    /// Writes it with these embeddings in `obsm`.
    pub(crate) fn write_with(&self, path: &Path, obsm: &[(&str, ArrayView2<'_, f64>)]) {
        let day = Column::Floats(self.days.clone());
        let types = Column::Texts(self.types.iter().cloned().map(Some).collect());
        let content = H5adContent {
            obs_names: &self.cells,
            obs: &[("day", &day), ("cell_type", &types)],
            var_names: &self.genes,
            x: Some(MatrixContent::Single(self.counts.view())),
            obsm,
            ..H5adContent::default()
        };
        write_h5ad(path, &content).unwrap();
    }
}
