//! Fates along couplings that go straight to the time of the terminal states: each time by itself.

use std::ops::Range;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::lineage::{Bootstrap, FateTable, Fates, Groups, Resampled, Terminal, TerminalCells};
use crate::pipeline::fates::run::Followed;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::recorder::Within;
use crate::progress::Progress;
use crate::rng::Seed;
use crate::share::{self, Division, Numbers};

/// Terminal states of one time, to which the cells of all times before it are followed.
pub(super) struct Ends<'a> {
    pub(super) course: &'a CourseOfCells,
    pub(super) groups: &'a Groups,
    /// States of one time.
    pub(super) terminals: Vec<Terminal>,
    /// The draws of the cells of all times up to the terminal one.
    pub(super) bootstrap: Bootstrap,
    pub(super) seed: Seed,
}

/// The fates of the cells of one time, as a plan keeps them.
#[derive(Serialize, Deserialize)]
struct OfTime {
    n_fates: usize,
    probabilities: Numbers,
    lo: Numbers,
    hi: Numbers,
    reached: Numbers,
    descendants: Numbers,
    /// Effective number of terminal cells behind each cell.
    effective: Numbers,
}

impl Ends<'_> {
    /// The fates of the cells of all times up to the terminal one. Only one coupling is in memory at a time. A plan
    /// may divide the times.
    ///
    /// # Errors
    /// Those of the couplings and of [`Fates::of`]; [`Error::Cancelled`].
    pub(super) fn follow(self, progress: &mut dyn Progress) -> Result<Followed> {
        let end = self.end();
        let name = |k: usize| self.course.times()[k].to_string();
        let snapshots = self.course.snapshots();
        let pairs = |k: usize| snapshots[k].n_cells() as f64 * snapshots[end].n_cells() as f64;
        let division = Division {
            work: (0..end).map(pairs).collect(),
            ..Division::even("times before the terminal states", (0..end).map(name).collect())
        };
        let found = share::divided(&division, progress, &mut |times: Range<usize>, progress| {
            times
                .map(|k| {
                    let place = format!("cells at {} ({} of {end})", name(k), k + 1);
                    self.of_time(k, &mut Within { inner: &mut *progress, place })
                })
                .collect()
        })?;
        let (mut tables, mut effective) = (Vec::new(), Vec::new());
        for of_time in found.into_iter().flatten() {
            let (table, behind) = of_time.restored()?;
            tables.push(table);
            effective.push(behind);
        }
        let arrived = self.terminals.iter().flat_map(|terminal| &terminal.arrived);
        let n_cells = arrived.filter(|arrived| **arrived).count();
        let mut names: Vec<String> = Vec::new();
        for terminal in &self.terminals {
            if !names.contains(&terminal.name) {
                names.push(terminal.name.clone());
            }
        }
        let (fates, behind) = (Fates { names, tables }, TerminalCells { n_cells, effective });
        Ok(Followed { fates, terminals: self.terminals, behind, bootstrap: self.bootstrap })
    }

    /// Place of the terminal time.
    fn end(&self) -> usize {
        self.terminals.first().map_or(0, |terminal| terminal.place)
    }

    /// The fates of the cells of place `k`. Those of the terminal time come with the last time before it.
    fn of_time(&self, k: usize, progress: &mut dyn Progress) -> Result<Vec<OfTime>> {
        let end = self.end();
        let lineage = self.course.straight_between(k, end, self.groups, progress)?;
        let resampled = Resampled::of(&lineage, &self.bootstrap, &[k, end], progress)?;
        let terminals: Vec<Terminal> =
            self.terminals.iter().map(|of| Terminal { place: 1, ..of.clone() }).collect();
        let fates = Fates::of(&resampled, &terminals, progress)?;
        let behind = TerminalCells::of(&lineage, &terminals, self.seed, progress)?;
        let both = fates.tables.into_iter().zip(behind.effective);
        let n_kept = if k + 1 == end { 2 } else { 1 };
        Ok(both.take(n_kept).map(|(table, effective)| OfTime::of(table, effective)).collect())
    }
}

impl OfTime {
    fn of(table: FateTable, effective: Array1<f64>) -> Self {
        let n_fates = table.probabilities.ncols();
        let list = |values: Array2<f64>| values.into_iter().collect();
        Self {
            n_fates,
            probabilities: list(table.probabilities),
            lo: list(table.lo),
            hi: list(table.hi),
            reached: table.reached.into_iter().collect(),
            descendants: table.descendants.into_iter().collect(),
            effective: effective.into_iter().collect(),
        }
    }

    /// The table of fates, and the numbers of terminal cells.
    fn restored(self) -> Result<(FateTable, Array1<f64>)> {
        let reached: Array1<f64> = self.reached.into_iter().collect();
        let shape = (reached.len(), self.n_fates);
        let matrix = |values: Numbers| {
            Array2::from_shape_vec(shape, values.into_iter().collect()).map_err(|error| {
                let what = "reading a part of a computation";
                Error::Numerical { what, why: error.to_string() }
            })
        };
        let table = FateTable {
            probabilities: matrix(self.probabilities)?,
            lo: matrix(self.lo)?,
            hi: matrix(self.hi)?,
            reached,
            descendants: self.descendants.into_iter().collect(),
        };
        Ok((table, self.effective.into_iter().collect()))
    }
}
