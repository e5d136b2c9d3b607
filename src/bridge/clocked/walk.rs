//! Cells on their way through an interval: positions together with the clocks of the cells.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::bridge::{Bridge, Clocked, UnitTime};
use crate::error::{Result, shape};
use crate::rng::Seed;

/// Cells that are carried through one interval in any number of steps.
///
/// Positions and clocks together are a Markov process, so the law at each time does not depend on
/// the steps before. For a bridge without clocks a step is [`Bridge::sample_transition`].
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, GaussianBridge, UnitTime, Walk};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (zero, one, unit) = (array![0.0], array![1.0], array![[1.0]]);
/// let epsilon = Epsilon::new(0.2)?;
/// let bridge = GaussianBridge::between(zero.view(), unit.view(), one.view(), unit.view(), epsilon)?;
/// let mut walk = Walk::new(&bridge, array![[0.0], [0.5]].view());
/// walk.step(UnitTime::new(0.5)?, Seed(0))?;
/// walk.step(UnitTime::END, Seed(1))?;
/// assert_eq!(walk.points().dim(), (2, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Walk<'a> {
    /// The bridge on its own clock.
    bridge: &'a dyn Bridge,
    /// The clocks with their law; `None` for a bridge without clocks.
    clocks: Option<(Clocked<'a>, Vec<UnitTime>)>,
    /// The time of the cells.
    at: UnitTime,
    /// Positions, n × d.
    points: Array2<f64>,
}

impl<'a> Walk<'a> {
    /// Cells at the start of the interval of `bridge`, at the rows of `x` (n × d).
    pub fn new(bridge: &'a dyn Bridge, x: ArrayView2<'_, f64>) -> Self {
        match bridge.clocked() {
            Some(clocked) => {
                let clocks = vec![UnitTime::START; x.nrows()];
                Self::of_clocked(clocked, x, UnitTime::START, clocks)
            }
            None => Self { bridge, clocks: None, at: UnitTime::START, points: x.to_owned() },
        }
    }

    /// Cells at `at`, with the given clocks.
    pub(super) fn of_clocked(
        clocked: Clocked<'a>,
        x: ArrayView2<'_, f64>,
        at: UnitTime,
        clocks: Vec<UnitTime>,
    ) -> Self {
        let bridge = clocked.bridge;
        Self { bridge, clocks: Some((clocked, clocks)), at, points: x.to_owned() }
    }

    /// Positions of the cells, n × d.
    pub fn points(&self) -> ArrayView2<'_, f64> {
        self.points.view()
    }

    /// Positions of the cells, n × d.
    pub fn into_points(self) -> Array2<f64> {
        self.points
    }

    /// Carries the cells to `to`.
    ///
    /// # Errors
    /// As [`Bridge::sample_transition`].
    pub fn step(&mut self, to: UnitTime, seed: Seed) -> Result<()> {
        let bridge = self.bridge;
        let Some((clocked, clocks)) = &mut self.clocks else {
            self.points = bridge.sample_transition(self.points.view(), self.at, to, seed)?;
            self.at = to;
            return Ok(());
        };
        let next = clocked.clock.advance(clocks, self.at, to, clock_seed(seed))?;
        let inside = clocked.moved(self.points.clone(), clocks, self.at, -1.0);
        let x = inside.view();
        let moved = match same(clocks).zip(same(&next)) {
            Some((from, to)) => bridge.sample_transition(x, from, to, seed)?,
            None => bridge.sample_transitions(x, clocks, &next, seed)?,
        };
        self.points = clocked.moved(moved, &next, to, 1.0);
        (*clocks, self.at) = (next, to);
        Ok(())
    }

    /// Carries the cells to `to`, given that they arrive at the rows of `end` (n × d) at the end.
    ///
    /// # Errors
    /// As [`Bridge::sample_pinned`].
    pub fn step_pinned(
        &mut self,
        end: ArrayView2<'_, f64>,
        to: UnitTime,
        seed: Seed,
    ) -> Result<()> {
        let bridge = self.bridge;
        let Some((clocked, clocks)) = &mut self.clocks else {
            self.points = bridge.sample_pinned(self.points.view(), end, self.at, to, seed)?;
            self.at = to;
            return Ok(());
        };
        shape::same("the ends of a path", "rows", self.points.nrows(), end.nrows())?;
        let next = clocked.clock.advance(clocks, self.at, to, clock_seed(seed))?;
        let inside = clocked.moved(self.points.clone(), clocks, self.at, -1.0);
        let x = inside.view();
        let moved = if let Some((from, to)) = same(clocks).zip(same(&next)) {
            bridge.sample_pinned(x, end, from, to, seed)?
        } else {
            let pinned = |i: usize, row: ArrayView2<'_, f64>, seed| {
                bridge.sample_pinned(row, end.slice(s![i..=i, ..]), clocks[i], next[i], seed)
            };
            each_row(x, pinned, seed)?
        };
        self.points = clocked.moved(moved, &next, to, 1.0);
        (*clocks, self.at) = (next, to);
        Ok(())
    }
}

/// The seed of the clocks in a step with this seed.
fn clock_seed(seed: Seed) -> Seed {
    seed.child("walk/clocks", 0)
}

/// The clock that all cells have; `None` if they differ.
pub(in crate::bridge) fn same(clocks: &[UnitTime]) -> Option<UnitTime> {
    let first = *clocks.first()?;
    clocks.iter().all(|clock| *clock == first).then_some(first)
}

/// Draws at `to[i]` for the rows of `x` at `start`, for a bridge with [`Bridge::draws_by_ends`]: the ends of all
/// rows in one draw, then each row at its own time.
pub(in crate::bridge) fn through_ends<B: Bridge + ?Sized>(
    bridge: &B,
    x: ArrayView2<'_, f64>,
    start: UnitTime,
    to: &[UnitTime],
    seed: Seed,
) -> Result<Array2<f64>> {
    let ends = bridge.sample_transition(x, start, UnitTime::END, seed.child("ends", 0))?;
    let pinned = |i: usize, row: ArrayView2<'_, f64>, seed| {
        bridge.sample_pinned(row, ends.slice(s![i..=i, ..]), start, to[i], seed)
    };
    each_row(x, pinned, seed)
}

/// `work(number of the row, the row as 1 × d, a seed of its own)` for each row of `x`, in parallel;
/// the results one below the other.
pub(in crate::bridge) fn each_row(
    x: ArrayView2<'_, f64>,
    work: impl Fn(usize, ArrayView2<'_, f64>, Seed) -> Result<Array2<f64>> + Sync,
    seed: Seed,
) -> Result<Array2<f64>> {
    let rows: Vec<Array2<f64>> = (0..x.nrows())
        .into_par_iter()
        .map(|i| work(i, x.slice(s![i..=i, ..]), seed.child("row", i as u64)))
        .collect::<Result<_>>()?;
    let mut all = Array2::zeros(x.dim());
    for (mut row, moved) in all.axis_chunks_iter_mut(Axis(0), 1).zip(&rows) {
        row.assign(moved);
    }
    Ok(all)
}
