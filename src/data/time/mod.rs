//! TIMES FROM A COLUMN: labels, their units, and the choice of the column.
//!
//! [`resolve`] reads one column, [`resolve_with_map`] reads it with a table of labels and times, and
//! [`find`] chooses the column. [`TimeAxis::notes`] list every assumption. A label without exactly
//! one reading is an error.

mod asked;
mod axis;
mod candidates;
mod labels;
mod names;
mod unit;

#[doc(hidden)]
pub use asked::KnownTimes;
pub use axis::{TimeAxis, TimeLevel, resolve, resolve_with_map};
pub use candidates::find;
pub(crate) use names::{is_time_name, name_rank};
pub use unit::TimeUnit;
