//! The memory of a fit, step by step, and the check of the parameter `memory`.

use crate::bridge::Held;
use crate::error::{Error, Result};
use crate::pipeline::fit::selection::Selection;
use crate::pipeline::fit::shards::SHARD_CELLS;

/// The sizes that the memory of a fit depends on. Counts are `f64`, since estimates enter them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Footprint {
    /// Cells of the file, selected or not.
    pub(crate) cells_of_file: f64,
    /// Selected cells.
    pub(crate) cells: f64,
    /// Genes of the matrix.
    pub(crate) genes: f64,
    /// Mean number of stored values of a cell.
    pub(crate) stored: f64,
    /// Bytes of the matrix if it is held whole in memory, 0 if it stays on disk.
    pub(crate) whole: f64,
    /// Number of genes that are used, and mean number of their stored values in a cell.
    pub(crate) used: (f64, f64),
    /// Whether the matrix is dense.
    pub(crate) dense: bool,
    /// Dimensions of the bridges.
    pub(crate) dims: f64,
    /// Largest number of cells of two neighbouring snapshots together.
    pub(crate) interval: f64,
    /// Memory of the solver for the cells of an interval.
    pub(crate) held: Held,
    /// Most bytes of the used genes that are in memory beside those of a shard, if the fit works by shards.
    pub(crate) by_shards: Option<f64>,
}

/// Bytes of the program and its threads without any data.
const PROGRAM: f64 = 40e6;
/// Bytes of a cell's name of twenty letters, with the `String` that holds it.
const NAME: f64 = 44.0;

impl Footprint {
    /// The sizes of a fit whose coordinates are an embedding of the file.
    pub(crate) fn of_embedding(selection: &Selection, cells_of_file: usize, dims: f64) -> Self {
        let levels = &selection.axis.levels;
        let pairs = levels.windows(2).map(|pair| pair[0].n_cells + pair[1].n_cells);
        Self {
            cells_of_file: cells_of_file as f64,
            cells: selection.rows.len() as f64,
            genes: 0.0,
            stored: 0.0,
            whole: 0.0,
            used: (0.0, 0.0),
            dense: false,
            dims,
            interval: pairs.max().unwrap_or(0) as f64,
            held: Held::default(),
            by_shards: None,
        }
    }

    /// Bytes of a pass through the matrix: blocks as they are read and decoded, sums over genes.
    fn reading(&self) -> f64 {
        let value = if self.dense { 4.0 } else { 8.0 };
        let block = crate::data::BLOCK_CELLS as f64 * self.stored * value;
        let blocks = if self.whole > 0.0 { self.whole + block } else { 3.0 * block };
        blocks + 80.0 * self.genes + 8.0 * self.cells_of_file + 24.0 * self.cells
    }

    /// Bytes of the used genes of all selected cells.
    fn kept(&self) -> f64 {
        let (genes, stored) = self.used;
        let per_cell = if self.dense { 4.0 * genes } else { 8.0 * stored + 8.0 };
        let all = self.cells * per_cell;
        match self.by_shards {
            None => all,
            Some(held) => all.min(held + self.cells.min(SHARD_CELLS as f64) * per_cell),
        }
    }

    /// Bytes beside the used genes while components and then coordinates are computed.
    fn components(&self) -> f64 {
        let genes = self.used.0;
        // Sums of 32 parts, the Gram matrix, Lanczos vectors.
        let work = genes * (8.0 * 32.0 + 4.0 * genes + 8.0 * (3.0 * self.dims + 550.0));
        work.max(8.0 * self.cells * self.dims) + 24.0 * self.cells
    }

    /// Bytes that are left for the used genes if all may take `memory` bytes.
    pub(crate) fn room(&self, memory: f64) -> f64 {
        memory - PROGRAM - self.reading().max(self.components())
    }

    /// Bytes while the solver works: all coordinates three times (as they are, by time, scaled), both
    /// ends of an interval twice (centred, sorted), the memory of the solver, names of cells.
    fn solving(&self) -> f64 {
        let points = 8.0 * self.cells * self.dims;
        let interval = 8.0 * self.interval * 2.0 * self.dims;
        let held = self.held.bytes(self.interval, self.dims);
        3.0 * points + interval + held + (NAME + 24.0) * self.cells
    }

    /// Bytes while the end of a bridge is compared with the later snapshot. Every cell of the earlier
    /// snapshot is carried there, in two copies of its coordinates. Measured with LightSB, the process
    /// holds 11.4 copies: the allocator keeps memory of earlier steps.
    fn comparing(&self) -> f64 {
        let carried = 8.0 * (self.interval / 2.0) * 11.4 * self.dims;
        3.0 * 8.0 * self.cells * self.dims + carried + (NAME + 24.0) * self.cells
    }

    /// Bytes while the model is written: coordinates as rows, as columns, and as the encoded table.
    fn writing(&self) -> f64 {
        3.0 * 8.0 * self.cells * self.dims + (2.0 * NAME + 24.0) * self.cells
    }

    /// Peak memory of the fit in bytes: the largest of all steps.
    pub(crate) fn peak(&self) -> f64 {
        let names = 2.0 * NAME * self.cells_of_file;
        let steps = [
            self.kept() + self.reading(),
            self.kept() + self.components(),
            self.solving() + names,
            self.comparing() + names,
            self.writing(),
        ];
        PROGRAM + steps.into_iter().fold(0.0, f64::max)
    }

    /// Refuses a fit that needs more than `memory` bytes; `None` allows any amount.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub(crate) fn check(&self, memory: Option<f64>) -> Result<()> {
        match memory {
            Some(memory) if memory < self.peak() => {
                Err(Error::Memory { needed: self.peak(), promised: memory })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{AnySolver, Choice, LightSbSolver, SinkhornSolver};

    /// A million cells, 20 000 genes, 5 % stored, of the genes that are used a tenth.
    fn million() -> Footprint {
        Footprint {
            cells_of_file: 1e6,
            cells: 1e6,
            genes: 2e4,
            stored: 1e3,
            whole: 0.0,
            used: (2e3, 200.0),
            dense: false,
            dims: 50.0,
            interval: 2.5e5,
            held: Held::default(),
            by_shards: None,
        }
    }

    #[test]
    fn a_million_cells_are_promised_in_four_gigabytes_and_refused_in_one() {
        let peak = million().peak();
        // Two hundred values a cell with their genes, or fifty coordinates three times over.
        assert!((1.6e9..2.6e9).contains(&peak), "{peak}");
        assert!(million().check(Some(4e9)).is_ok() && million().check(None).is_ok());
        let error = million().check(Some(1e9)).unwrap_err();
        assert!(matches!(error, Error::Memory { needed, .. } if (needed - peak).abs() < 1.0));
        assert!(error.hint().unwrap().contains("memory"));
    }

    #[test]
    fn the_room_for_genes_is_what_is_left_of_the_memory() {
        let room = million().room(3e9);
        let filled = |bytes: f64| Footprint {
            used: (2e3, (bytes / million().cells - 8.0) / 8.0),
            ..million()
        };
        assert!(filled(room - 1.0).check(Some(3e9)).is_ok());
        assert!(filled(room + 1.0).check(Some(3e9)).is_err());
    }

    /// Of a fit of 75 000 cells with LightSB the carried cells took as much as 11.4 copies of their
    /// coordinates (8 bytes a number).
    #[test]
    fn comparing_takes_what_was_measured_of_every_carried_cell() {
        let carried_more = 1e4;
        let more = Footprint { interval: million().interval + 2.0 * carried_more, ..million() };
        let bytes = more.comparing() - million().comparing();
        assert!((bytes / (8.0 * 50.0 * carried_more) - 11.4).abs() < 1e-9, "{bytes}");
        let none = Footprint { interval: 0.0, ..million() };
        assert!((none.comparing() / 1e6 - (3.0 * 8.0 * 50.0 + 68.0)).abs() < 1e-6);
    }

    /// By shards, 100 352 cells of 200 values, and 0.3 GB of the others, are held in place of a million cells.
    #[test]
    fn a_fit_by_shards_holds_a_shard_and_what_it_may() {
        let shards = Footprint { by_shards: Some(3e8), ..million() };
        let held = 3e8 + 100_352.0 * 1_608.0;
        assert!((shards.kept() - held).abs() < 1.0 && million().kept() > 1.6e9);
        let few = Footprint { by_shards: Some(1e12), ..million() };
        assert!((few.kept() - million().kept()).abs() < 1.0);
    }

    #[test]
    fn what_is_held_counts() {
        let peak = million().peak();
        let whole = Footprint { whole: 8e9, ..million() };
        assert!(whole.peak() > peak + 6e9);
        let dense = Footprint { dense: true, stored: 2e4, ..million() };
        assert!(dense.peak() > 8e9);
        let pairs = Held { per_pair: 8.0, ..Held::default() };
        let paired = Footprint { held: pairs, ..million() };
        assert!(paired.peak() > 8.0 * 1.25e5 * 1.25e5);
        let entropic = Footprint { held: SinkhornSolver::default().memory(), ..million() };
        let held = entropic.solving() - million().solving();
        assert!((held - SinkhornSolver::MOST_HELD as f64).abs() < 1.0);
        let fewer = Footprint { cells: 1e5, interval: 2.5e4, ..million() };
        assert!(fewer.peak() < 0.4 * peak);
    }

    /// Eleven copies of the cells that sizes are compared on and a number for each Gaussian and cell of
    /// an interval; two names for each cell of the file.
    #[test]
    fn a_mixture_and_names_take_what_was_measured() {
        let eight = LightSbSolver { n_gaussians: Choice::Is(8), ..LightSbSolver::default() };
        let held = eight.memory();
        let mixture = Footprint { held, interval: 5e4, ..million() };
        let none = Footprint { held: Held::default(), ..mixture };
        let bytes = mixture.solving() - none.solving();
        assert!((bytes / (8.0 * 5e4) - (8.0 + 11.0 * 50.0)).abs() < 1e-9, "{bytes}");
        let pairs = Held { per_pair: 8.0, ..Held::default() };
        let pairs = Footprint { held: pairs, ..million() };
        let more = Footprint { cells_of_file: 2e6, ..pairs };
        assert!(((more.peak() - pairs.peak()) / 1e6 - 2.0 * 44.0).abs() < 1e-3);
    }
}
