//! The AnnData on-disk format: reading any dialect of it, writing the current one.
//!
//! Format: <https://anndata.readthedocs.io/en/latest/fileformat-prose.html>, and for files before
//! anndata 0.8 what those versions wrote. From the file to its use:
//!
//! - [`sbcell_hdf5`]: groups, attributes, datasets, their bytes and numbers, edits; `refused`: its errors
//! - `frame`: `obs` and `var`; `matrix`: `X`, layers, `raw`, and `blocks` of it; `slots`: `obsm`, `varm`
//! - `part`: one open file; `files`, `joined`: several files as one
//! - [`H5ad`] reads a file or several as one, [`write_h5ad`] writes a new one, [`edit_h5ad`] changes an existing one
//!
//! This module does not parse HDF5 and does not use the crate below [`sbcell_hdf5`].

mod blocks;
mod convert;
mod decimals;
mod edit;
mod files;
mod frame;
mod info;
mod joined;
mod matrix;
mod mistaken;
mod part;
mod read;
mod reclaim;
mod refused;
mod slots;
#[cfg(test)]
mod tests;
mod text;
mod values;
mod write;

pub use blocks::H5adBlocks;
#[cfg(test)]
pub(crate) use edit::add_texts;
pub use edit::{Edited, H5adEdit, edit_h5ad};
pub use files::DataFiles;
pub use info::{MatrixInfo, StorageFormat};
pub use read::{FILE_COLUMN, H5ad, MatrixSource, duplicates};
pub use write::{H5adContent, MatrixContent, write_h5ad};
