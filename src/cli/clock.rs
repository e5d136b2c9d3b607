//! Flags of `fit` and `evaluate` for the clocks of the cells.

use clap::Args;
use sbcell::pipeline::{Asynchrony, Bending, Timing};

/// `--asynchrony`, `--timing` and `--bend`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clock")]
pub(crate) struct ClockArgs {
    /// Asynchrony κ: how much cells of one time differ in how far they have come. `off` for cells in
    /// step, a number for clocks that vary
    ///
    /// `auto` is 2 for solvers that couple observed cells (sinkhorn, ot), unless another value predicts
    /// the inner times clearly better, and `off` for all others.
    /// The local time of a cell at the fraction t of an interval is Beta(κt, κ(1−t)), with variance
    /// t(1−t)/(κ+1). With κ = 0 each cell jumps once; a large κ is almost `off`. Clocks change where
    /// cells are between the snapshots. They do not change couplings, fates, drift or edges. With
    /// `--bend auto` the mean of the population moves in step, and clocks change the distances from it.
    #[arg(long, value_name = "K", default_value_t)]
    pub(crate) asynchrony: Asynchrony,
    /// Speed within an interval: constant, or changing between the speeds of the neighbouring
    /// intervals
    #[arg(long, value_enum, default_value_t)]
    pub(crate) timing: Timing,
    /// Way of the population between the snapshots: along the curve of the course, or straight. Solvers
    /// with bent paths of their own (spline) do not use it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) bend: Bending,
}
