//! FILES: reading `.h5ad`, writing tables and models, all or nothing.

pub mod file;
pub mod h5ad;
