//! Datasets: shape, type, attributes, filters, and where their data are. No data are read here.
//!
//! `hdf5-pure` reads the object header. Where it does not know a layout, the header is found again through
//! the hard links of the file ([`crate::links`]) and parsed here ([`crate::layout`]).

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hdf5_pure::MaxExtent;

use crate::assemble::fill_value;
use crate::element::{Attribute, Element, StoredType, attributes, element_of, text};
use crate::error::{Error, Result};
use crate::file::File;
use crate::filters;
use crate::layout::{Chunk, ChunkedLayout, Layout};
use crate::links::address_of;
use crate::object_header::{LAYOUT, messages};

/// A dataset: its shape, type and attributes. [`crate::Storage`] reads its data.
///
/// ```
/// use sbcell_hdf5::{Element, File, NewDataset, NewFile, Values};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = NewFile::new();
/// file.root().dataset("x", &NewDataset::new(Values::F32(&[1.0; 6])).shape(&[2, 3]).gzip());
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// let x = File::from_bytes(bytes)?.root()?.dataset("x")?;
/// assert_eq!(x.shape(), [2, 3]);
/// assert!(matches!(x.element(), Element::Number(number) if number.is_float()));
/// assert_eq!(x.filter_names(), ["shuffle", "gzip"]);
/// # Ok(())
/// # }
/// ```
pub struct Dataset {
    file: Arc<File>,
    inner: hdf5_pure::Dataset,
    path: String,
    shape: Vec<usize>,
    element: Element,
    element_size: usize,
    attributes: BTreeMap<String, Attribute>,
}

impl fmt::Debug for Dataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dataset")
            .field("path", &self.path)
            .field("shape", &self.shape)
            .field("element", &self.element)
            .finish_non_exhaustive()
    }
}

impl Dataset {
    pub(crate) fn new(file: &Arc<File>, inner: hdf5_pure::Dataset, path: String) -> Result<Self> {
        let (shape, datatype, attributes) = file.guard(&path, || {
            let named = inner.attr_datatypes()?;
            let mut found = inner.attrs().map(attributes)?;
            for (name, _) in named {
                found.entry(name).or_insert(Attribute::Other);
            }
            Ok((inner.shape()?, inner.datatype()?, found))
        })?;
        let element_size = datatype.type_size() as usize;
        let bytes =
            shape.iter().try_fold(element_size as u64, |bytes, &length| bytes.checked_mul(length));
        file.check_size(&path, bytes)?;
        let shape = shape.into_iter().map(|length| length as usize).collect();
        let element = element_of(&datatype);
        let file = Arc::clone(file);
        Ok(Self { file, inner, path, shape, element, element_size, attributes })
    }

    /// Path from the root, without leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file that holds the dataset.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Length along each dimension; empty for a scalar. The file is large enough for it, filters considered.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Type of one element.
    pub fn element(&self) -> &Element {
        &self.element
    }

    /// Bytes of one element.
    pub fn element_size(&self) -> usize {
        self.element_size
    }

    /// The text attribute `name`. A list of one text counts as a text.
    pub fn text_attribute(&self, name: &str) -> Option<&str> {
        text(self.attributes.get(name))
    }

    /// An [`Error`] about this dataset.
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        self.file.error(&self.path, problem)
    }

    /// The type of an element as it is stored, to write elements of the same type elsewhere.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if it is corrupt.
    pub fn stored_type(&self) -> Result<StoredType> {
        self.file.guard(&self.path, || self.inner.datatype()).map(StoredType)
    }

    /// Names of the filters, in the order in which they were applied.
    pub fn filter_names(&self) -> Vec<String> {
        self.filters().iter().map(filters::name).collect()
    }

    /// Bytes that its data take in the file, texts on heaps not counted.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if the chunk index is corrupt.
    pub fn stored_bytes(&self) -> Result<u64> {
        Ok(match self.layout()? {
            Layout::Run { length, .. } => length,
            Layout::Chunked { .. } => self.chunks()?.iter().map(|chunk| chunk.stored).sum(),
            Layout::Other => self.element_size as u64,
        })
    }

    /// How the data lie in the file.
    pub(crate) fn layout(&self) -> Result<Layout> {
        match self.file.guard(&self.path, || self.inner.layout()) {
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
    pub(crate) fn chunks(&self) -> Result<Vec<Chunk>> {
        let listed = self.file.guard(&self.path, || self.inner.chunks());
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
        let most = self.file.guard(&self.path, || self.inner.maxshape())?;
        let most = match most {
            None => shape.iter().copied().map(Some).collect(),
            Some(most) => most.into_iter().map(fixed).collect::<Vec<_>>(),
        };
        own.chunks(&self.file, &shape, &most).map_err(|problem| self.error(problem))
    }

    /// Address of the object header, from the base of the file, through the hard links of the file.
    ///
    /// hdf5-pure does not tell it. Reads the links of every group on the path, so only a layout that
    /// hdf5-pure cannot read asks for it.
    pub(crate) fn header(&self) -> Option<u64> {
        address_of(&self.file, &self.path)
    }

    /// The chunked layout, if it is one that hdf5-pure cannot read.
    fn own_layout(&self) -> Option<ChunkedLayout> {
        let messages = messages(&self.file, self.header()?)?;
        let message = messages.iter().find(|message| message.kind == LAYOUT)?;
        ChunkedLayout::parse(&self.file, &message.bytes)
    }

    /// Whether hdf5-pure can find the data.
    pub(crate) fn is_known_to_crate(&self) -> bool {
        self.file.guard(&self.path, || self.inner.layout().map(|_| ())).is_ok()
            && self.file.guard(&self.path, || self.inner.chunks().map(|_| ())).is_ok()
    }

    /// The element that stands where nothing was written; `None` if the header does not tell.
    pub(crate) fn fill_value(&self) -> Option<Vec<u8>> {
        fill_value(&messages(&self.file, self.header()?)?, self.element_size)
    }

    /// The filters, in the order in which they were applied.
    pub(crate) fn filters(&self) -> Vec<hdf5_pure::Filter> {
        catch_unwind(AssertUnwindSafe(|| self.inner.filter_pipeline())).unwrap_or_default()
    }

    /// All data through hdf5-pure, for layouts and filters that [`crate::Storage`] does not read itself.
    pub(crate) fn read_by_crate(&self) -> Result<Vec<u8>> {
        self.file.guard(&self.path, || self.inner.read_raw())
    }
}

/// The length that a dimension may have; `None` if it may grow without end.
fn fixed(extent: MaxExtent) -> Option<u64> {
    match extent {
        MaxExtent::Unlimited => None,
        MaxExtent::Fixed(length) => Some(length),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The address of each dataset in `tests/fixtures/shapes_*.h5` as the HDF5 library tells it: contiguous,
    /// compact, no data, and chunks with each kind of index (B-tree of version 1 and 2, single, implicit,
    /// fixed array, extensible array), in three formats.
    #[test]
    fn headers_are_where_the_hdf5_library_says() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let table = std::fs::read_to_string(folder.join("shapes.csv")).unwrap();
        let mut n = 0;
        for line in table.lines().skip(1) {
            let [version, path, address] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let file = File::open(&folder.join(format!("shapes_{version}.h5"))).unwrap();
            let dataset = file.root().unwrap().dataset(path).unwrap();
            assert_eq!(dataset.header(), Some(address.parse().unwrap()), "{line}");
            n += 1;
        }
        assert_eq!(n, 75);
    }

    /// Layouts of version 4 and 5, parsed here, against what hdf5-pure says where it knows them.
    #[test]
    fn layouts_and_chunks_are_those_of_hdf5_pure_where_it_knows_them() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut n = 0;
        for version in ["v110", "v200"] {
            let file = File::open(&folder.join(format!("shapes_{version}.h5"))).unwrap();
            let inside = file.root().unwrap().group("inside").unwrap().unwrap();
            for group in ["plain", "gzip"] {
                let group = inside.group(group).unwrap().unwrap();
                for name in group.children().unwrap() {
                    let dataset = group.dataset(&name).unwrap();
                    let own = dataset.own_layout().unwrap();
                    let most: Vec<Option<u64>> = match dataset.inner.maxshape().unwrap() {
                        None => dataset.shape.iter().map(|&n| Some(n as u64)).collect(),
                        Some(most) => most.into_iter().map(fixed).collect(),
                    };
                    let shape: Vec<u64> = dataset.shape.iter().map(|&n| n as u64).collect();
                    let mut found = own.chunks(&file, &shape, &most).unwrap();
                    let mut expected = dataset.chunks().unwrap();
                    for chunks in [&mut found, &mut expected] {
                        chunks.sort_by(|a, b| a.offset.cmp(&b.offset));
                    }
                    assert_eq!(found, expected, "{version} {name}");
                    n += usize::from(dataset.is_known_to_crate());
                }
            }
        }
        assert!(n >= 12, "only {n} were compared with hdf5-pure");
    }
}
