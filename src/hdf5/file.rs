//! An open HDF5 file: its superblock, its root group, and checked reads of its bytes.
//!
//! The superblock is parsed by `hdf5-pure`. Every answer of that crate is checked before use, and a panic
//! inside it, which a hostile file may cause, is caught and becomes an [`Error`]. The panic hook is not changed.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5_pure::FormatError;

use crate::bytes::{Bytes, SharedBytes};
use crate::element::attributes;
use crate::error::{Error, Problem, Result};
use crate::group::Group;

/// No filter compresses by a larger factor than this (deflate reaches 1032).
const LARGEST_RATIO: u64 = 1_100;

/// An open HDF5 file, shared by the groups and datasets that were found in it.
///
/// ```
/// use sbcell_hdf5::{File, NewDataset, NewFile, Values};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = NewFile::new();
/// file.root().dataset("x", &NewDataset::new(Values::F64(&[1.5, 2.5])));
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// let file = File::from_bytes(bytes)?;
/// assert_eq!(file.root()?.children()?, ["x"]);
/// # Ok(())
/// # }
/// ```
pub struct File {
    path: PathBuf,
    bytes: Arc<Bytes>,
    inner: hdf5_pure::File,
    /// Addresses in the file count from here (not 0 if there is a user block).
    pub(crate) base: u64,
    /// Address of the root group, from `base`.
    pub(crate) root: u64,
    /// Bytes in an address.
    pub(crate) offset_size: usize,
    /// Bytes in a length.
    pub(crate) length_size: usize,
}

impl fmt::Debug for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

impl File {
    /// Opens the file at `path` and reads its superblock.
    ///
    /// # Errors
    /// [`Problem::Io`], [`Problem::Empty`], [`Problem::NotHdf5`], [`Problem::InUse`], [`Problem::Invalid`],
    /// [`Problem::Truncated`].
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        Self::of(path, Bytes::Disk { file, length })
    }

    /// Reads the superblock of a file that is in memory.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Arc<Self>> {
        Self::of(Path::new(""), Bytes::Memory(bytes))
    }

    fn of(path: &Path, bytes: Bytes) -> Result<Arc<Self>> {
        let refuse = |problem| Err(Error::new(path, problem));
        let length = bytes.length();
        if length == 0 {
            return refuse(Problem::Empty);
        }
        let bytes = Arc::new(bytes);
        let source = SharedBytes(Arc::clone(&bytes));
        let opened = catch_unwind(AssertUnwindSafe(|| hdf5_pure::File::from_source(source)));
        let inner = match opened {
            Ok(Ok(file)) => file,
            Ok(Err(hdf5_pure::Error::Format(FormatError::SignatureNotFound))) => {
                return refuse(Problem::NotHdf5);
            }
            Ok(Err(hdf5_pure::Error::FileMarkedInUse(_))) => return refuse(Problem::InUse),
            Ok(Err(error)) => return refuse(Problem::Invalid(Some(error.to_string()))),
            Err(_) => return refuse(Problem::Invalid(None)),
        };
        let superblock = inner.superblock();
        let base = superblock.base_address.get();
        let needed = superblock.eof_address;
        if needed != u64::MAX && needed > length {
            return refuse(Problem::Truncated { length, needed });
        }
        let (root, offset_size, length_size) = (
            superblock.root_group_address,
            usize::from(superblock.offset_size),
            usize::from(superblock.length_size),
        );
        let path = path.to_path_buf();
        Ok(Arc::new(Self { path, bytes, inner, base, root, offset_size, length_size }))
    }

    /// The path that was opened; empty for a file in memory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root group.
    ///
    /// # Errors
    /// [`Problem::Object`] if its attributes cannot be read.
    pub fn root(self: &Arc<Self>) -> Result<Group> {
        let group = self.inner.root();
        let attributes = self.guard("/", || group.attrs().map(attributes))?;
        Ok(Group::new(Arc::clone(self), group, String::new(), attributes))
    }

    /// An [`Error`] about the group or dataset `path`.
    pub fn error(&self, path: &str, problem: impl fmt::Display) -> Error {
        Error::object(&self.path, path, problem)
    }

    /// Whether the file has `length` bytes from `address` (absolute).
    pub(crate) fn holds(&self, address: u64, length: u64) -> bool {
        address.checked_add(length).is_some_and(|end| end <= self.bytes.length())
    }

    /// `length` bytes from `address` (absolute), if the file has them.
    pub(crate) fn read_at(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        if !self.holds(address, length as u64) {
            return None;
        }
        let mut buffer = vec![0; length];
        self.read_into(address, &mut buffer).then_some(buffer)
    }

    /// Fills `buffer` from `address` (absolute); false if the file does not have that much.
    pub(crate) fn read_into(&self, address: u64, buffer: &mut [u8]) -> bool {
        self.holds(address, buffer.len() as u64)
            && self.bytes.read_exact_at(address, buffer).is_ok()
    }

    /// Refuses a number of bytes that this file cannot hold, however well they are compressed.
    pub(crate) fn check_size(&self, path: &str, bytes: Option<u64>) -> Result<usize> {
        let most = self.bytes.length().saturating_mul(LARGEST_RATIO).saturating_add(1 << 20);
        match bytes {
            Some(bytes) if bytes <= most && usize::try_from(bytes).is_ok() => Ok(bytes as usize),
            _ => Err(self.error(path, "its size is more than this file can hold")),
        }
    }

    /// Calls `hdf5-pure`; its errors and panics become errors about the object `path`.
    pub(crate) fn guard<T>(
        &self,
        path: &str,
        call: impl FnOnce() -> std::result::Result<T, hdf5_pure::Error>,
    ) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.error(path, error)),
            Err(_) => Err(self.error(path, "the HDF5 structures are corrupt")),
        }
    }
}
