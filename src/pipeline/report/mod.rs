//! The command `report`: one page with all results of a folder.

mod cells;
mod options;
mod populations;
mod reading;
mod repeat;
mod results;
mod run;
mod scores;
mod streams;
mod summary;

pub use options::ReportOptions;
pub use run::{multiqc_beside, report, write_report};
