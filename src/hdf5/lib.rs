//! The part of HDF5 that `.h5ad` files use: bounded reads on all cores, new files, edits in place.
//!
//! This crate is a layer between `hdf5-pure`, which parses most of HDF5, and a reader of some format that is
//! kept in HDF5. It knows the bytes of HDF5 and nothing of what is in a file: groups, attributes, datasets,
//! filters and links. It adds to `hdf5-pure`:
//!
//! - **Bounds.** Every size in a file is compared with the size of the file before memory is allocated. Every
//!   function returns an [`Error`] for corrupt bytes; a panic inside `hdf5-pure` is caught and becomes one.
//! - **Speed.** [`Storage`] reads chunks and contiguous data itself, decodes them on all cores (rayon) and
//!   converts numbers of any width and byte order to the type that the caller wants.
//! - **Filters** of third parties: zstd, LZ4, bitshuffle, Blosc, LZF.
//! - **Layouts** that `hdf5-pure` does not know: version 5 of the layout message (HDF5 2), and chunks whose
//!   length takes three bytes (`libver="latest"`).
//! - **Soft links**, which `hdf5-pure` passes over.
//! - **Edits** of groups that keep their links in a heap ([`edit_copy`]).
//!
//! # Example
//!
//! ```
//! use sbcell_hdf5::{File, NewDataset, NewFile, Storage, Values};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let values: Vec<f32> = (0..6).map(|value| value as f32).collect();
//! let mut file = NewFile::new();
//! file.root().dataset("X", &NewDataset::new(Values::F32(&values)).shape(&[3, 2]).gzip());
//! let mut bytes = Vec::new();
//! file.finish(&mut bytes)?;
//!
//! let x = File::from_bytes(bytes)?.root()?.dataset("X")?;
//! let rows = Storage::new(&x)?.numbers::<f64>(1..3)?;
//! assert_eq!(rows, [2.0, 3.0, 4.0, 5.0]);
//! # Ok(())
//! # }
//! ```
//!
//! # From the file to its values
//!
//! | step | type | source |
//! |---|---|---|
//! | bytes, superblock | [`File`] | disk or memory |
//! | links, attributes | [`Group`] | object headers, heaps, B-trees |
//! | shape, type, filters | [`Dataset`] | object header |
//! | place of the data | [`Storage`] | layout message and chunk index |
//! | values | [`Value`], [`Records`] | chunks, with filters undone |
//!
//! Sections such as IV.A.2.i in comments are those of the HDF5 file format specification, version 4.0.

mod assemble;
mod btree2;
mod bytes;
mod compact;
mod dataset;
mod dense_links;
mod edit;
mod element;
mod error;
mod file;
mod filters;
mod group;
mod layout;
mod links;
mod number;
mod object_header;
mod records;
mod storage;
mod survey;
mod texts;
mod third_party;
mod write;

pub use dataset::Dataset;
pub use edit::{Editor, Extended, edit_copy, live_bytes, rewrite};
pub use element::{Attribute, Element, Field, StoredType};
pub use error::{Error, Problem, Result};
pub use file::File;
pub use group::{Group, Node};
pub use number::{Number, Value};
pub use records::Records;
pub use storage::Storage;
pub use survey::{Survey, survey};
pub use write::{NewAttribute, NewDataset, NewFile, NewGroup, Values};
