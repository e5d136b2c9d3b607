//! FILES: reading `.h5ad`, writing tables and models, all or nothing.

pub mod cell_table;
pub mod chart;
pub mod edges;
pub mod file;
pub mod h5ad;
pub mod lists;
pub mod measured;
pub mod model;
pub mod networks;
mod parquet;
pub mod run;
pub mod table;
pub mod text;
pub mod validation;
