//! The AnnData on-disk format: reading any dialect of it, writing the current one.
//!
//! Format: <https://anndata.readthedocs.io/en/latest/fileformat-prose.html>, and for files before
//! anndata 0.8 what those versions wrote. From the file to its use:
//!
//! - `hdf5`: nodes, attributes and types, through the HDF5 crate; `links`, `object_header`: soft links
//! - `storage`: bytes of a dataset, with `filters` (compression), `number` and `text` (decoding)
//! - `frame`: `obs` and `var`; `matrix`: `X`, layers, `raw`, and `blocks` of it; `slots`: `obsm`, `varm`
//! - [`H5ad`]: the file; [`write_h5ad`]: a new one; [`edit_h5ad`]: parts added to one that is there

mod blocks;
mod compact;
mod convert;
mod dense_links;
mod edit;
mod element;
mod filters;
mod frame;
mod hdf5;
mod layout;
mod links;
mod matrix;
mod mistaken;
mod number;
mod object_header;
mod read;
mod reclaim;
mod slots;
mod storage;
mod survey;
mod text;
mod third_party;
mod write;

pub use blocks::H5adBlocks;
pub use edit::{Edited, H5adEdit, edit_h5ad};
pub use matrix::{MatrixInfo, StorageFormat};
pub use read::{H5ad, MatrixSource, duplicates};
pub use write::{H5adContent, MatrixContent, write_h5ad};
