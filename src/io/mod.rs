//! FILES: reading `.h5ad`, writing tables and models, all or nothing.

pub(crate) mod bridge_check;
pub mod cell_table;
pub mod chart;
mod content;
pub mod edges;
pub mod file;
pub mod h5ad;
pub mod held;
pub mod identity;
pub mod lists;
pub mod lock;
pub mod measured;
mod missing;
pub mod model;
mod model_check;
pub mod networks;
pub mod output;
mod parquet;
pub mod recorded;
pub mod run;
pub mod staged;
pub mod table;
pub(crate) mod temporary;
pub mod text;
pub mod validation;
