//! Times out of a column of `obs`: labels, units, and which column it is.
//!
//! [`resolve`] reads one column, [`resolve_with_map`] reads it through the user's own table,
//! [`find`] chooses the column. What was guessed is said in [`TimeAxis::notes`]; what cannot be
//! read in exactly one way is an error.

mod asked;
mod axis;
mod candidates;
mod labels;
mod names;
mod unit;

pub use asked::KnownTimes;
pub use axis::{TimeAxis, TimeLevel, resolve, resolve_with_map};
pub use candidates::find;
pub use names::{is_time_name, name_rank};
pub use unit::TimeUnit;
