//! Couplings in the file formats of sbcell, wot, CellRank and moscot.

use std::path::Path;

use ndarray::Axis;

use crate::bridge::Coupling;
use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::model::Model;
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::linalg::Csr;
use crate::lineage::Lineage;
use crate::pipeline::couplings::Export;
use crate::pipeline::couplings::density::PlanDensity;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::rng::Seed;

/// Largest number of target cells that may be columns of a table for moscot.
const MOST_COLUMNS: usize = 20_000;

/// Pairs whose densities are computed together.
const AT_ONCE: usize = 65_536;

/// Writes files of couplings between the cells of a model.
pub(super) struct Writer<'a> {
    pub(super) model: &'a Model,
    pub(super) course: &'a CourseOfCells,
    /// The couplings of all intervals.
    pub(super) lineage: &'a Lineage,
}

/// The coupling of one interval, with further columns for its pairs.
pub(super) struct Interval<'a> {
    /// Number of the interval.
    pub(super) k: usize,
    /// The pairs.
    pub(super) coupling: &'a Coupling,
    /// Names and values of further columns, one value for each pair.
    pub(super) densities: Vec<(&'static str, Vec<f64>)>,
}

impl Writer<'_> {
    /// `log_given`, `ln π(y | x)`, and `log_density`, `ln π(x, y)`, at the pairs of the coupling of interval `k`, in
    /// the units of the data.
    ///
    /// # Errors
    /// Those of [`PlanDensity::of`].
    pub(super) fn densities(
        &self,
        k: usize,
        coupling: &Coupling,
        seed: Seed,
    ) -> Result<Vec<(&'static str, Vec<f64>)>> {
        let process = &self.course.process;
        let source = process.source(k, process.series.times()[k + 1])?;
        let target = &process.snapshots[k + 1];
        let record = &self.model.intervals[k].bridge;
        let plan = PlanDensity::of(record, &source, seed.child("couplings/density", k as u64))?;
        // The density of a point in data units is lower by the scale for each dimension.
        let unit = source.dim() as f64 * process.scale.ln();
        let (mut of_given, mut of_both) = (Vec::new(), Vec::new());
        let pairs: Vec<(usize, usize)> = coupling.pairs().map(|(i, j, _)| (i, j)).collect();
        for some in pairs.chunks(AT_ONCE) {
            let (rows, columns): (Vec<usize>, Vec<usize>) = some.iter().copied().unzip();
            let x = source.points().select(Axis(0), &rows);
            let y = target.points().select(Axis(0), &columns);
            let [first, given] = plan.log(x.view(), y.view())?;
            of_both.extend((&first + &given).iter().map(|log| log - 2.0 * unit));
            of_given.extend(given.iter().map(|log| log - unit));
        }
        Ok(vec![("log_given", of_given), ("log_density", of_both)])
    }

    /// Names of the cells at the time with index `k`.
    fn names(&self, k: usize) -> Vec<String> {
        self.course.rows[k].iter().map(|&row| self.model.cells[row].clone()).collect()
    }

    /// Writes the coupling of an interval.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a table for moscot would have too many columns; [`Error::Io`].
    pub(super) fn interval(
        &self,
        file: &Path,
        interval: &Interval<'_>,
        export: Export,
    ) -> Result<()> {
        match export {
            Export::Wot => self.wot(file, interval.k, interval.coupling),
            Export::Moscot => self.moscot(file, interval.k, interval.coupling),
            Export::Csv => self.pairs(file, interval, TableFormat::Csv),
            Export::SpreadsheetCsv => self.pairs(file, interval, TableFormat::SpreadsheetCsv),
            Export::Parquet | Export::Cellrank => self.pairs(file, interval, TableFormat::Parquet),
        }
    }

    /// A transition map for wot: `X` is cells × cells, `g0` and `g1` in `obs` are the growth of each cell.
    fn wot(&self, file: &Path, k: usize, coupling: &Coupling) -> Result<()> {
        let growth = self.lineage.growth(k).to_vec();
        let maps = growing(coupling, &growth)?;
        let growth = Column::Floats(growth);
        write_h5ad(
            file,
            &H5adContent {
                obs_names: &self.names(k),
                obs: &[("g0", &growth), ("g1", &growth)],
                var_names: &self.names(k + 1),
                x: Some(MatrixContent::Sparse(&maps)),
                ..H5adContent::default()
            },
        )
    }

    /// A dense table for moscot: `id`, then one column for each target cell.
    fn moscot(&self, file: &Path, k: usize, coupling: &Coupling) -> Result<()> {
        let (sources, targets) = (self.names(k), self.names(k + 1));
        if targets.len() > MOST_COLUMNS {
            let (name, must) = ("format", "another than moscot above 20 000 cells at a time");
            return Err(Error::Parameter { name, must, got: targets.len().to_string() });
        }
        let mut columns = vec![vec![0.0; sources.len()]; targets.len()];
        coupling.pairs().for_each(|(i, j, mass)| columns[j][i] = mass);
        let mut table = Table::default().with("id", Cells::Texts(sources));
        for (name, column) in targets.into_iter().zip(columns) {
            table.push(name, Cells::Floats(column));
        }
        table::write(file, &table, TableFormat::Parquet)
    }

    /// A table of pairs: `source`, `target`, `mass`, then further columns.
    fn pairs(&self, file: &Path, interval: &Interval<'_>, format: TableFormat) -> Result<()> {
        let Interval { k, coupling, densities } = interval;
        let (sources, targets) = (self.names(*k), self.names(k + 1));
        let pairs: Vec<(usize, usize, f64)> = coupling.pairs().collect();
        let mut table = Table::default()
            .with("source", Cells::Texts(pairs.iter().map(|p| sources[p.0].clone()).collect()))
            .with("target", Cells::Texts(pairs.iter().map(|p| targets[p.1].clone()).collect()))
            .with("mass", Cells::Floats(pairs.iter().map(|p| p.2).collect()));
        for (name, values) in densities {
            table.push(*name, Cells::Floats(values.clone()));
        }
        table::write(file, &table, format)
    }

    /// `tmaps_g.txt` for wot: `id`, `g0`, `g1`, separated by tabs, for the cells of all times but the last.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn growth_table(&self, file: &Path) -> Result<()> {
        let last = self.course.rows.len() - 1;
        let ids = (0..last).flat_map(|k| self.names(k)).collect();
        let growth: Vec<f64> = (0..last).flat_map(|k| self.lineage.growth(k).to_vec()).collect();
        let table = Table::default()
            .with("id", Cells::Texts(ids))
            .with("g0", Cells::Floats(growth.clone()))
            .with("g1", Cells::Floats(growth));
        table::write(file, &table, TableFormat::Tsv)
    }

    /// One transition matrix over all cells for CellRank, in the order of the model.
    ///
    /// Rows lead to the next time and sum to one. Cells of the last time, and cells without a partner, stay where
    /// they are.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn transition_matrix(&self, file: &Path, all: &[Coupling]) -> Result<()> {
        let Self { model, course, .. } = self;
        let mut rows: Vec<(Vec<u32>, Vec<f32>)> = vec![(Vec::new(), Vec::new()); model.cells.len()];
        for (k, coupling) in all.iter().enumerate() {
            for (i, &row) in course.rows[k].iter().enumerate() {
                let (targets, masses) = coupling.row(i);
                let total: f64 = masses.iter().sum();
                let mut entries: Vec<(u32, f32)> = targets
                    .iter()
                    .zip(masses)
                    .map(|(&j, mass)| {
                        (course.rows[k + 1][j as usize] as u32, (mass / total) as f32)
                    })
                    .collect();
                entries.sort_by_key(|entry| entry.0);
                rows[row] = entries.into_iter().unzip();
            }
        }
        for (row, (columns, values)) in rows.iter_mut().enumerate() {
            if columns.is_empty() {
                columns.push(row as u32);
                values.push(1.0);
            }
        }
        let matrix = stacked(rows.into_iter(), model.cells.len())?;
        let time = Column::Floats(model.cell_times.clone());
        let key = model.header.source.strip_prefix("obsm/").unwrap_or("X_pca");
        write_h5ad(
            file,
            &H5adContent {
                obs_names: &model.cells,
                obs: &[("sbcell_time", &time)],
                obsm: &[(key, model.points.view())],
                obsp: &[("T_fwd", &matrix)],
                ..H5adContent::default()
            },
        )
    }
}

/// The coupling with rows that sum to the growth of each cell; the mass of pairs that were left out is
/// distributed over the others.
fn growing(coupling: &Coupling, growth: &[f64]) -> Result<Csr> {
    let rows = growth.iter().enumerate().map(|(i, growth)| {
        let (targets, masses) = coupling.row(i);
        let total: f64 = masses.iter().sum();
        let values = masses.iter().map(|mass| (mass * growth / total) as f32);
        (targets.to_vec(), values.collect::<Vec<f32>>())
    });
    stacked(rows, coupling.shape().1)
}

/// A sparse matrix from the columns and values of each row.
fn stacked(rows: impl Iterator<Item = (Vec<u32>, Vec<f32>)>, n_columns: usize) -> Result<Csr> {
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for (of_row, numbers) in rows {
        columns.extend(of_row);
        values.extend(numbers);
        starts.push(columns.len());
    }
    Csr::new(n_columns, starts, columns, values)
}
