//! Simulated courses with barcodes and known fates: drawn from a seed, written as `.h5ad`, with the true future
//! of every cell.

use std::path::Path;

use ndarray::{Array1, Array2};
use rand::RngExt;
use sbcell::Seed;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::table::{Cells, Table, TableFormat, write};
use sbcell::linalg::Csr;

use crate::expression::{Genes, Seen};
use crate::families::Family;
use crate::population::{PerFate, grow};

/// A simulated course. Cells are in the order of their times.
#[derive(Debug)]
pub(crate) struct Course {
    /// Names of the cells.
    pub(crate) names: Vec<String>,
    pub(crate) times: Vec<f64>,
    /// Name of the clone; `None` if the barcode was not read.
    pub(crate) clones: Vec<Option<String>>,
    /// Number of the fate of the cells of the last time; `None` at other times.
    pub(crate) fates: Vec<Option<usize>>,
    pub(crate) batches: Vec<String>,
    pub(crate) genes: Vec<String>,
    pub(crate) counts: Array2<f32>,
    /// Names of the fates.
    pub(crate) fate_names: Vec<String>,
    /// Expected share of each fate among the descendants of each cell at the last time, `(n_cells, n_fates)`.
    pub(crate) shares: Array2<f64>,
    /// Expected number of descendants of each cell at the last time.
    pub(crate) descendants: Array1<f64>,
    /// For each time the expected share of each fate among the descendants of all cells that lived, sampled or not.
    pub(crate) of_all: Vec<Vec<f64>>,
    /// Number of the cells of the first and of the last time.
    pub(crate) n_early: usize,
    pub(crate) n_late: usize,
}

impl Course {
    /// The course of `family` with this seed.
    pub(crate) fn simulate(family: &Family, seed: Seed) -> Self {
        let samples = grow(family, seed.child("fates/population", 0));
        let n_fates = family.fates.len();
        let share = |of: &PerFate| {
            let total: f64 = of.iter().sum();
            of[..n_fates].iter().map(|n| n / total).collect::<Vec<f64>>()
        };
        let of_all = samples.iter().map(|sample| share(&sample.of_all)).collect();
        let (n_early, n_late) = (samples[0].cells.len(), samples[samples.len() - 1].cells.len());

        let (mut seen, mut shares, mut descendants) = (Vec::new(), Vec::new(), Vec::new());
        for (sample, &time) in samples.iter().zip(&family.times) {
            for of in &sample.cells {
                seen.push(Seen { cell: of.cell, time, batch: of.cell.clone % family.n_batches });
                shares.extend(share(&of.future));
                descendants.push(of.future.iter().sum());
            }
        }
        let mut stream = seed.stream("fates/barcodes", 0);
        let clone = |seen: &Seen| {
            let read = stream.random::<f64>() < family.barcoded;
            read.then(|| format!("clone{}", seen.cell.clone))
        };
        let clones = seen.iter().map(clone).collect();
        let last = family.times[family.times.len() - 1];
        let fate = |seen: &Seen| {
            let decided = seen.cell.decided.map(|of| of.0);
            decided.filter(|_| seen.time.total_cmp(&last).is_eq())
        };
        let genes = Genes::draw(family, seed);
        Self {
            names: (0..seen.len()).map(|cell| format!("cell{cell}")).collect(),
            times: seen.iter().map(|seen| seen.time).collect(),
            clones,
            fates: seen.iter().map(fate).collect(),
            batches: seen.iter().map(|seen| format!("rep{}", seen.batch)).collect(),
            counts: genes.count(family, &seen, seed),
            genes: genes.names,
            fate_names: (0..n_fates).map(|fate| format!("fate{}", fate + 1)).collect(),
            shares: Array2::from_shape_vec((seen.len(), n_fates), shares).unwrap(),
            descendants: Array1::from(descendants),
            of_all,
            n_early,
            n_late,
        }
    }

    /// The places of the cells of the last time.
    pub(crate) fn late(&self) -> std::ops::Range<usize> {
        self.names.len() - self.n_late..self.names.len()
    }

    /// The label of each cell: its fate at the last time, `progenitor` before.
    pub(crate) fn labels(&self) -> Vec<String> {
        let label = |fate: &Option<usize>| {
            fate.map_or_else(|| "progenitor".to_string(), |fate| self.fate_names[fate].clone())
        };
        self.fates.iter().map(label).collect()
    }

    /// Indicators of the fates of the late cells, `(n_late, n_fates)`.
    pub(crate) fn late_fates(&self) -> Array2<f64> {
        let fates = &self.fates[self.late()];
        Array2::from_shape_fn((self.n_late, self.fate_names.len()), |(cell, fate)| {
            f64::from(u8::from(fates[cell] == Some(fate)))
        })
    }

    /// Writes counts with `day`, `clone`, `cell_type` and `batch` in `obs`.
    pub(crate) fn write(&self, path: &Path) {
        let texts = |of: Vec<String>| Column::Texts(of.into_iter().map(Some).collect());
        let day = Column::Floats(self.times.clone());
        let clone = Column::Texts(self.clones.clone());
        let (types, batch) = (texts(self.labels()), texts(self.batches.clone()));
        let counts = sparse(&self.counts);
        let content = H5adContent {
            obs_names: &self.names,
            obs: &[("day", &day), ("clone", &clone), ("cell_type", &types), ("batch", &batch)],
            var_names: &self.genes,
            x: Some(MatrixContent::Sparse(&counts)),
            ..H5adContent::default()
        };
        write_h5ad(path, &content).unwrap();
    }

    /// Writes the truth of each cell: shares of the fates and number of descendants.
    pub(crate) fn write_truth(&self, path: &Path) {
        let mut table = Table::default().with("id", Cells::Texts(self.names.clone()));
        table.push_points(&self.fate_names, self.shares.view());
        table.push("descendants", Cells::Floats(self.descendants.to_vec()));
        write(path, &table, TableFormat::Csv).unwrap();
    }
}

/// The values that are not zero.
fn sparse(counts: &Array2<f32>) -> Csr {
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in counts.rows() {
        for (gene, &count) in row.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            indices.push(gene as u32);
            values.push(count);
        }
        indptr.push(values.len());
    }
    Csr::new(counts.ncols(), indptr, indices, values).unwrap()
}
