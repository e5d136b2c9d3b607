//! The command `drivers`: genes that correlate with a fate.

mod options;
mod run;

pub use options::DriverOptions;
pub use run::{DriverRow, drivers};
