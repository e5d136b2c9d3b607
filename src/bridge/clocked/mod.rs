//! CLOCKED: any bridge on a random clock of each cell, since cells do not move in step.
//!
//! A cell at time t is at the position of the bridge at its own local time `G(t)`. G is a gamma
//! bridge with asynchrony κ around the pace of the course ([`CellClock`]). `docs/METHODS.md`
//! (section 3, Cell clocks) derives the formulas.
//!
//! # Files
//!
//! - `clock`: the clock of the cells, its moments and draws
//! - `pace`: the mean local time of an interval that is crossed fast or slowly at its ends
//! - `process`: the bridge on this clock; `walk`: positions of cells together with their clocks
//! - `record`: the bridge as plain numbers

mod clock;
mod pace;
mod process;
mod record;
mod walk;

pub use clock::CellClock;
pub use pace::Pace;
pub use process::{Clocked, ClockedBridge, own_clock};
pub use record::ClockedRecord;
pub use walk::Walk;
pub(super) use walk::{each_row, same, through_ends};
