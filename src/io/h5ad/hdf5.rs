//! The one reader that knows the HDF5 crate: files, nodes, attributes, element types.
//!
//! Everything the crate answers is checked again before it is used, and a panic inside it (a
//! hostile file may cause one) is caught and becomes an [`Error::Unreadable`] like any other; the
//! panic hook is left alone. Data are not read through the crate but by [`super::storage`], on
//! all cores; only rare filters and layouts go through it.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use hdf5_pure::Filter;
use hdf5_pure::{Dataset, Datatype, FormatError, Group, MaxExtent, Source};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::h5ad::element::{Attribute, Element, attributes, element_of, text};
use crate::io::h5ad::layout::{Chunk, ChunkedLayout, Layout};
use crate::io::h5ad::links;
use crate::io::h5ad::mistaken;
use crate::io::h5ad::object_header::messages;

/// No filter packs more than this many bytes into one (deflate reaches 1032).
const LARGEST_RATIO: u64 = 1_100;

/// An open HDF5 file.
pub(super) struct Container {
    path: PathBuf,
    bytes: Arc<FileBytes>,
    file: hdf5_pure::File,
    /// Held while a node is opened, so that `last_header` is its own.
    opening: Mutex<()>,
    /// Addresses in the file count from here (not 0 if there is a user block).
    pub(super) base: u64,
    /// Address of the root group, from `base`.
    pub(super) root: u64,
    /// Bytes in an address.
    pub(super) offset_size: usize,
    /// Bytes in a length.
    pub(super) length_size: usize,
}

/// Positioned reads of the file, shared by the crate and by [`super::storage`].
struct FileBytes {
    file: File,
    length: u64,
    /// Where the crate last read an object header. It does not tell where a dataset is, and to
    /// read layouts that it does not know we must; see [`Array::own_layout`].
    last_header: AtomicU64,
}

impl Source for FileBytes {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::result::Result<(), FormatError> {
        file::read_exact_at(&self.file, offset, buffer)
            .map_err(|error| FormatError::Source(error.to_string()))?;
        if buffer.starts_with(b"OHDR") {
            self.last_header.store(offset, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A group or a dataset.
pub(super) enum Node {
    Folder(Folder),
    Array(Array),
}

/// A group.
pub(super) struct Folder {
    container: Arc<Container>,
    group: Group,
    path: String,
    attributes: BTreeMap<String, Attribute>,
}

/// A dataset, its shape and type known, its data not read.
pub(super) struct Array {
    pub(super) container: Arc<Container>,
    dataset: Dataset,
    /// Address of the object header (absolute), if it is of version 2.
    header: Option<u64>,
    pub(super) path: String,
    /// Length along each dimension; empty for a scalar.
    pub(super) shape: Vec<usize>,
    /// What one element is.
    pub(super) element: Element,
    /// Bytes of one element.
    pub(super) element_size: usize,
    attributes: BTreeMap<String, Attribute>,
}

impl Container {
    /// Opens the file and reads the superblock.
    pub(super) fn open(path: &Path) -> Result<Arc<Self>> {
        let (file, length) = file::open(path)?;
        let unreadable = |problem: String, way_out: Option<String>| {
            Err(Error::Unreadable { path: path.to_path_buf(), problem, way_out })
        };
        if length == 0 {
            return unreadable("the file is empty".into(), None);
        }
        let bytes = Arc::new(FileBytes { file, length, last_header: AtomicU64::new(0) });
        let source = SharedBytes(Arc::clone(&bytes));
        let opened = catch_unwind(AssertUnwindSafe(|| hdf5_pure::File::from_source(source)));
        let file = match opened {
            Ok(Ok(file)) => file,
            Ok(Err(hdf5_pure::Error::Format(FormatError::SignatureNotFound))) => {
                return unreadable(
                    "it is not an HDF5 file, as every `.h5ad` is".into(),
                    Some("write the data with anndata's `write_h5ad`".into()),
                );
            }
            Ok(Err(hdf5_pure::Error::FileMarkedInUse(_))) => {
                return unreadable(
                    "it is still being written, or the program that wrote it did not close it"
                        .into(),
                    Some("if no program has it open, clear the mark with `h5clear -s`".into()),
                );
            }
            Ok(Err(error)) => {
                return unreadable(format!("not a valid HDF5 file: {error}"), Some(again(path)));
            }
            Err(_) => return unreadable("not a valid HDF5 file".into(), Some(again(path))),
        };
        let superblock = file.superblock();
        let base = superblock.base_address.get();
        let end = superblock.eof_address;
        if end != u64::MAX && end > length {
            return unreadable(
                format!("the file is truncated: {length} of {end} bytes are there"),
                Some(again(path)),
            );
        }
        let (root, offset_size, length_size) = (
            superblock.root_group_address,
            usize::from(superblock.offset_size),
            usize::from(superblock.length_size),
        );
        Ok(Arc::new(Self {
            path: path.to_path_buf(),
            bytes,
            file,
            opening: Mutex::new(()),
            base,
            root,
            offset_size,
            length_size,
        }))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An [`Error::Unreadable`] about `node`.
    pub(super) fn unreadable(&self, node: &str, problem: impl std::fmt::Display) -> Error {
        let problem = format!("`{node}`: {problem}");
        Error::Unreadable { path: self.path.clone(), problem, way_out: None }
    }

    /// Whether the file has `length` bytes from `address` (absolute).
    pub(super) fn holds(&self, address: u64, length: u64) -> bool {
        address.checked_add(length).is_some_and(|end| end <= self.bytes.length)
    }

    /// `length` bytes from `address` (absolute), if the file has them.
    pub(super) fn read_at(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        if !self.holds(address, length as u64) {
            return None;
        }
        let mut buffer = vec![0; length];
        self.read_into(address, &mut buffer).then_some(buffer)
    }

    /// Fills `buffer` from `address` (absolute); whether the file has that much.
    pub(super) fn read_into(&self, address: u64, buffer: &mut [u8]) -> bool {
        self.holds(address, buffer.len() as u64)
            && file::read_exact_at(&self.bytes.file, address, buffer).is_ok()
    }

    /// Refuses `bytes` that this file cannot hold, however well they are packed.
    pub(super) fn check_size(&self, node: &str, bytes: Option<u64>) -> Result<usize> {
        let most = self.bytes.length.saturating_mul(LARGEST_RATIO).saturating_add(1 << 20);
        match bytes {
            Some(bytes) if bytes <= most && usize::try_from(bytes).is_ok() => Ok(bytes as usize),
            _ => Err(self.unreadable(node, "its size is more than this file can hold")),
        }
    }

    /// The root group.
    pub(super) fn root(self: &Arc<Self>) -> Result<Folder> {
        let group = self.file.root();
        let attributes = self.guard("/", || group.attrs().map(attributes))?;
        Ok(Folder { container: Arc::clone(self), group, path: String::new(), attributes })
    }

    /// Calls the crate; its errors and panics become [`Error::Unreadable`] about `node`.
    fn guard<T>(
        &self,
        node: &str,
        call: impl FnOnce() -> std::result::Result<T, hdf5_pure::Error>,
    ) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.unreadable(node, error)),
            Err(_) => Err(self.unreadable(node, "the HDF5 structures are corrupt")),
        }
    }
}

/// The way out of a file that is not whole.
fn again(path: &Path) -> String {
    mistaken::unfinished(path).unwrap_or_else(|| "copy or download the file again".into())
}

impl Folder {
    /// Path from the root, without leading slash.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The file.
    pub(super) fn container(&self) -> &Arc<Container> {
        &self.container
    }

    /// The attribute `name`.
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// The text attribute `name`.
    pub(super) fn text_attribute(&self, name: &str) -> Option<&str> {
        text(self.attributes.get(name))
    }

    /// Names of the groups and datasets inside, sorted.
    pub(super) fn children(&self) -> Result<Vec<String>> {
        let listed = self.container.guard(&self.path, || {
            let mut names = self.group.groups()?;
            names.extend(self.group.datasets()?);
            Ok(names)
        });
        let mut names = match listed {
            Ok(names) => names,
            // A soft link makes the crate fail for groups of the old format.
            Err(error) => links::names(self).ok_or(error)?,
        };
        names.extend(links::soft_links(self).into_keys());
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The group or dataset `name` inside, if there is one. Soft links are followed.
    pub(super) fn child(&self, name: &str) -> Result<Option<Node>> {
        self.child_at(name, 0)
    }

    /// The group `name` inside, if there is one.
    pub(super) fn folder(&self, name: &str) -> Result<Option<Folder>> {
        Ok(match self.child(name)? {
            Some(Node::Folder(folder)) => Some(folder),
            _ => None,
        })
    }

    /// The dataset `name` inside, which must be there.
    pub(super) fn array(&self, name: &str) -> Result<Array> {
        match self.child(name)? {
            Some(Node::Array(array)) => Ok(array),
            Some(Node::Folder(_)) => {
                Err(self.container.unreadable(&self.join(name), "is a group, not a dataset"))
            }
            None => Err(self.container.unreadable(&self.join(name), "is missing")),
        }
    }

    fn child_at(&self, name: &str, depth: usize) -> Result<Option<Node>> {
        /// Soft links may point to soft links, but not without end.
        const DEEPEST: usize = 8;
        /// Groups that a path may lead through.
        const LONGEST: usize = 64;
        let path = self.join(name);
        if name.split('/').count() > LONGEST {
            return Err(self
                .container
                .unreadable(&self.path, "a link leads through too many groups"));
        }
        let opening = self.container.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.container.bytes.last_header.store(u64::MAX, Ordering::Relaxed);
        let found = self.container.guard(&path, || match self.group.dataset(name) {
            Ok(dataset) => Ok(Some(Ok(dataset))),
            Err(hdf5_pure::Error::NotADataset(_)) => {
                self.group.group(name).map(|group| Some(Err(group)))
            }
            Err(hdf5_pure::Error::Format(FormatError::PathNotFound(_))) => Ok(None),
            Err(error) => Err(error),
        });
        let header = self.container.bytes.last_header.load(Ordering::Relaxed);
        drop(opening);
        let header = Some(header).filter(|&header| header != u64::MAX);
        let container = Arc::clone(&self.container);
        match found {
            Ok(Some(Ok(dataset))) => {
                Array::new(&self.container, dataset, header, path).map(Node::Array).map(Some)
            }
            Ok(Some(Err(group))) => {
                let attributes = self.container.guard(&path, || group.attrs().map(attributes))?;
                Ok(Some(Node::Folder(Folder { container, group, path, attributes })))
            }
            // Not there, or a soft link, which makes the crate fail for groups of the old format.
            absent => match (links::soft_links(self).remove(name), absent) {
                (Some(_), _) if depth >= DEEPEST => {
                    Err(container.unreadable(&path, "is a soft link that leads in a circle"))
                }
                (Some(target), _) if target.starts_with('/') => {
                    self.container.root()?.child_at(target.trim_matches('/'), depth + 1)
                }
                (Some(target), _) => self.child_at(&target, depth + 1),
                (None, absent) => match (name.split_once('/'), absent) {
                    // The link may be on the way.
                    (Some((first, rest)), _) => match self.child_at(first, depth)? {
                        Some(Node::Folder(folder)) => folder.child_at(rest, depth),
                        _ => Ok(None),
                    },
                    (None, Err(error)) => Err(error),
                    (None, Ok(_)) => Ok(None),
                },
            },
        }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}/{name}", self.path) }
    }
}

impl Array {
    fn new(
        container: &Arc<Container>,
        dataset: Dataset,
        header: Option<u64>,
        path: String,
    ) -> Result<Self> {
        let (shape, datatype, attributes) = container.guard(&path, || {
            let named = dataset.attr_datatypes()?;
            let mut found = dataset.attrs().map(attributes)?;
            for (name, _) in named {
                found.entry(name).or_insert(Attribute::Other);
            }
            Ok((dataset.shape()?, dataset.datatype()?, found))
        })?;
        let element_size = datatype.type_size() as usize;
        let bytes =
            shape.iter().try_fold(element_size as u64, |bytes, &length| bytes.checked_mul(length));
        container.check_size(&path, bytes)?;
        let shape = shape.into_iter().map(|length| length as usize).collect();
        let element = element_of(&datatype);
        let container = Arc::clone(container);
        Ok(Self { container, dataset, header, path, shape, element, element_size, attributes })
    }

    /// The text attribute `name`.
    pub(super) fn text_attribute(&self, name: &str) -> Option<&str> {
        text(self.attributes.get(name))
    }

    /// An [`Error::Unreadable`] about this dataset.
    pub(super) fn unreadable(&self, problem: impl std::fmt::Display) -> Error {
        self.container.unreadable(&self.path, problem)
    }

    /// The type of an element, as the crate has it.
    pub(super) fn datatype(&self) -> Result<Datatype> {
        self.container.guard(&self.path, || self.dataset.datatype())
    }

    /// The type of a field of its records.
    pub(super) fn field_type(&self, name: &str) -> Result<Option<Datatype>> {
        let Datatype::Compound { members, .. } = self.datatype()? else { return Ok(None) };
        Ok(members.into_iter().find(|member| member.name == name).map(|member| member.datatype))
    }

    /// How the data lie in the file.
    pub(super) fn layout(&self) -> Result<Layout> {
        match self.container.guard(&self.path, || self.dataset.layout()) {
            Ok(hdf5_pure::Layout::Contiguous { address: Some(address), size }) => {
                Ok(Layout::Run { address, length: size })
            }
            Ok(hdf5_pure::Layout::Chunked { chunk_shape, .. }) => {
                Ok(Layout::Chunked { shape: chunk_shape })
            }
            Ok(_) => Ok(Layout::Other),
            Err(error) => {
                self.own_layout().map(|own| Layout::Chunked { shape: own.shape }).ok_or(error)
            }
        }
    }

    /// Where the chunks are.
    pub(super) fn chunks(&self) -> Result<Vec<Chunk>> {
        let listed = self.container.guard(&self.path, || self.dataset.chunks());
        let own = match listed {
            Ok(chunks) => {
                let own = |chunk: hdf5_pure::Chunk| Chunk {
                    offset: chunk.offset,
                    address: chunk.address,
                    stored: chunk.storage_size,
                    mask: chunk.filter_mask,
                };
                return Ok(chunks.into_iter().map(own).collect());
            }
            Err(error) => self.own_layout().ok_or(error)?,
        };
        let shape: Vec<u64> = self.shape.iter().map(|&length| length as u64).collect();
        let most = self.container.guard(&self.path, || self.dataset.maxshape())?;
        let most = match most {
            None => shape.iter().copied().map(Some).collect(),
            Some(most) => most
                .into_iter()
                .map(|extent| match extent {
                    MaxExtent::Unlimited => None,
                    MaxExtent::Fixed(length) => Some(length),
                })
                .collect::<Vec<_>>(),
        };
        own.chunks(&self.container, &shape, &most).map_err(|problem| self.unreadable(problem))
    }

    /// The chunked layout, if it is one that the crate cannot read.
    fn own_layout(&self) -> Option<ChunkedLayout> {
        const LAYOUT: u16 = 0x08;
        let address = self.header?.checked_sub(self.container.base)?;
        let message = messages(&self.container, address)?;
        let message = message.iter().find(|message| message.kind == LAYOUT)?;
        ChunkedLayout::parse(&self.container, &message.bytes)
    }

    /// Bytes of its data as they are stored.
    pub(super) fn stored_bytes(&self) -> Result<u64> {
        Ok(match self.layout()? {
            Layout::Run { length, .. } => length,
            Layout::Chunked { .. } => self.chunks()?.iter().map(|chunk| chunk.stored).sum(),
            Layout::Other => self.element_size as u64,
        })
    }

    /// The filters, in the order in which they were applied.
    pub(super) fn filters(&self) -> Vec<Filter> {
        catch_unwind(AssertUnwindSafe(|| self.dataset.filter_pipeline())).unwrap_or_default()
    }

    /// All data through the crate, for what [`super::storage`] leaves to it.
    pub(super) fn read_by_crate(&self) -> Result<Vec<u8>> {
        self.container.guard(&self.path, || self.dataset.read_raw())
    }
}

/// [`FileBytes`] as the crate wants to own it.
struct SharedBytes(Arc<FileBytes>);

impl Source for SharedBytes {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::result::Result<(), FormatError> {
        self.0.read_at(offset, buffer)
    }
}
