//! FILES: reads and writes `.h5ad` files, tables, models, edge lists and charts.
//!
//! - [`h5ad`]: AnnData files; [`table`]: tables as CSV, TSV or parquet
//! - [`model`]: the folder of a fitted model; [`run`]: the record of a run beside each result
//! - [`hashed`]: hashes of the data of a run
//! - [`edges`]: edge lists; [`validation`]: scores of held-out times; [`chart`]: charts as SVG or PNG
//! - [`report`]: one page of HTML with all results
//! - [`cell_table`], [`lists`], [`measured`]: tables and lists that users provide
//!
//! A file is replaced as a whole or not at all: it is written under a temporary name and renamed.

pub(crate) mod bridge_check;
pub mod cell_table;
pub mod chart;
pub(crate) mod columns;
mod content;
pub(crate) mod convert;
pub mod edges;
#[doc(hidden)]
pub mod file;
pub mod h5ad;
pub mod hashed;
pub(crate) mod held;
pub(crate) mod identity;
pub mod lists;
#[doc(hidden)]
pub mod lock;
pub mod measured;
pub(crate) mod missing;
pub mod model;
mod model_check;
#[doc(hidden)]
pub mod networks;
#[doc(hidden)]
pub mod output;
mod parquet;
pub(crate) mod recorded;
pub mod report;
pub mod run;
pub(crate) mod staged;
pub mod table;
pub(crate) mod temporary;
#[doc(hidden)]
pub use temporary::without_temporary_name;
pub(crate) mod text;
pub mod validation;
pub mod work_plan;
