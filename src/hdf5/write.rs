//! New files, and the descriptions of new groups, datasets and attributes that [`crate::Editor`] shares.

use std::io::{self, Write};

use hdf5_pure::{
    AttrValue, DatasetBuilder, EnumTypeBuilder, FileBuilder, GroupBuilder, LibVer, StagedGroup,
    make_i8_type,
};

use crate::element::StoredType;

/// Bytes per chunk of a compressed dataset, at most.
const CHUNK: usize = 1 << 20;

/// Chunks are shorter than this along each dimension. hdf5-pure stores longer ones in four bytes, but the
/// HDF5 library expects three and refuses the file.
const LONGEST: usize = 1 << 16;

/// Deflate level of compressed datasets.
const LEVEL: u32 = 4;

/// The value of a new attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewAttribute {
    /// A text on the heap (UTF-8).
    Text(String),
    /// A list of texts on the heap. An empty list is written as an empty list of floats, as pandas does.
    Texts(Vec<String>),
    /// A list of integers.
    Integers(Vec<i64>),
    /// One unsigned byte.
    Byte(u8),
}

/// The elements of a new dataset, in row-major order.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
    /// Integers of one byte.
    I8(&'a [i8]),
    /// Integers of four bytes.
    I32(&'a [i32]),
    /// Integers of eight bytes.
    I64(&'a [i64]),
    /// Truth values as h5py writes them: an enumeration of `FALSE` and `TRUE` in one byte.
    Bools(&'a [bool]),
    /// Texts on the heap (UTF-8).
    Texts(&'a [&'a str]),
    /// `n` elements as they are stored in another dataset.
    Stored {
        /// Their type.
        of: &'a StoredType,
        /// Their bytes.
        bytes: &'a [u8],
        /// Number of elements.
        n: usize,
    },
}

impl Values<'_> {
    fn n(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I8(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::Bools(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Stored { n, .. } => *n,
        }
    }

    /// Bytes of an element. A text is a reference to the heap of sixteen bytes.
    fn element_size(&self) -> usize {
        match self {
            Self::F32(_) | Self::I32(_) => 4,
            Self::F64(_) | Self::I64(_) => 8,
            Self::I8(_) | Self::Bools(_) => 1,
            Self::Texts(_) => 16,
            Self::Stored { bytes, n, .. } => bytes.len().checked_div(*n).unwrap_or(1),
        }
    }
}

/// A dataset to write: values of one dimension, unless [`NewDataset::shape`] says otherwise.
///
/// ```
/// use sbcell_hdf5::{File, NewAttribute, NewDataset, NewFile, Values};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let version = NewDataset::new(Values::Texts(&["0.2.0"]))
///     .shape(&[])
///     .attribute("encoding-type", NewAttribute::Text("string".into()));
/// let mut file = NewFile::new();
/// file.root().dataset("version", &version);
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// let version = File::from_bytes(bytes)?.root()?.dataset("version")?;
/// assert_eq!(version.text_attribute("encoding-type"), Some("string"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct NewDataset<'a> {
    values: Values<'a>,
    shape: Option<Vec<usize>>,
    gzip: bool,
    attributes: Vec<(String, NewAttribute)>,
}

impl<'a> NewDataset<'a> {
    /// A dataset of these values.
    pub fn new(values: Values<'a>) -> Self {
        Self { values, shape: None, gzip: false, attributes: Vec::new() }
    }

    /// The length along each dimension; none for a scalar.
    #[must_use]
    pub fn shape(mut self, shape: &[usize]) -> Self {
        self.shape = Some(shape.to_vec());
        self
    }

    /// Compresses the data (shuffle, then deflate) in chunks of whole rows of about 1 MiB. Empty data and
    /// scalars are not compressed.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.gzip = true;
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: NewAttribute) -> Self {
        self.attributes.push((name.to_string(), value));
        self
    }

    pub(crate) fn fill(&self, dataset: &mut DatasetBuilder) {
        match self.values {
            Values::F32(values) => {
                dataset.with_f32_data(values);
            }
            Values::F64(values) => {
                dataset.with_f64_data(values);
            }
            Values::I8(values) => {
                dataset.with_i8_data(values);
            }
            Values::I32(values) => {
                dataset.with_i32_data(values);
            }
            Values::I64(values) => {
                dataset.with_i64_data(values);
            }
            Values::Bools(values) => bools(dataset, values),
            Values::Texts(values) => {
                dataset.with_vlen_strings(values);
            }
            Values::Stored { of, bytes, n } => {
                dataset.with_raw_data(of.0.clone(), bytes.to_vec(), n as u64);
            }
        }
        if let Some(shape) = &self.shape {
            let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
            dataset.with_shape(&shape);
        }
        if self.gzip {
            let whole = [self.values.n()];
            let shape = self.shape.as_deref().unwrap_or(&whole);
            if let Some(chunk) = chunk_of(shape, self.values.element_size()) {
                dataset.with_chunks(&chunk).with_shuffle().with_deflate(LEVEL);
            }
        }
        for (name, value) in &self.attributes {
            dataset.set_attr(name, value.clone().into());
        }
    }
}

/// Chunks of whole rows for a dataset of `shape` whose elements have `size` bytes; none if it is empty.
fn chunk_of(shape: &[usize], size: usize) -> Option<Vec<u64>> {
    let (&n_rows, rest) = shape.split_first()?;
    if shape.contains(&0) || size == 0 {
        return None;
    }
    let row_length = rest.iter().product::<usize>();
    let rows = (CHUNK / (row_length * size)).clamp(1, n_rows);
    let lengths = [rows].into_iter().chain(rest.iter().copied());
    Some(lengths.map(|length| length.min(LONGEST / 2) as u64).collect())
}

fn bools(dataset: &mut DatasetBuilder, values: &[bool]) {
    let bytes: Vec<u8> = values.iter().map(|&value| u8::from(value)).collect();
    let datatype = EnumTypeBuilder::with_base(make_i8_type())
        .raw_value("FALSE", &[0])
        .raw_value("TRUE", &[1])
        .build();
    match datatype {
        Ok(datatype) => dataset.with_enum_u8_data(datatype, &bytes),
        Err(_) => dataset.with_u8_data(&bytes),
    };
}

impl From<NewAttribute> for AttrValue {
    fn from(value: NewAttribute) -> Self {
        match value {
            NewAttribute::Text(text) => Self::VarLenString(text),
            NewAttribute::Texts(texts) if texts.is_empty() => Self::F64Array(Vec::new()),
            NewAttribute::Texts(texts) => Self::VarLenStringArray(texts),
            NewAttribute::Integers(values) => Self::I64Array(values),
            NewAttribute::Byte(value) => Self::U8(value),
        }
    }
}

/// A file to write, described from its root. The same description gives the same bytes.
///
/// ```
/// use sbcell_hdf5::{File, NewDataset, NewFile, Storage, Values};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = NewFile::compatible();
/// file.root().group("obsm", |obsm| {
///     obsm.dataset("X_pca", &NewDataset::new(Values::F64(&[1.0, 2.0])).shape(&[2, 1]));
/// });
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// let x = File::from_bytes(bytes)?.root()?.dataset("obsm/X_pca")?;
/// assert_eq!(Storage::new(&x)?.numbers::<f64>(1..2)?, [2.0]);
/// # Ok(())
/// # }
/// ```
pub struct NewFile {
    builder: FileBuilder,
}

impl std::fmt::Debug for NewFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NewFile").finish_non_exhaustive()
    }
}

impl Default for NewFile {
    fn default() -> Self {
        Self::new()
    }
}

impl NewFile {
    /// A file that HDF5 1.10 and later can read. Compressed datasets need it.
    pub fn new() -> Self {
        Self { builder: FileBuilder::new() }
    }

    /// A file that every HDF5 library can read, such as those of R.
    pub fn compatible() -> Self {
        let mut file = Self::new();
        file.builder.with_libver_bounds(LibVer::Earliest, LibVer::V18);
        file
    }

    /// The root group, to put attributes, datasets and groups into it.
    pub fn root(&mut self) -> NewGroup<'_> {
        NewGroup { place: &mut self.builder }
    }

    /// Writes the file. Memory: one copy of its content, which the description holds already.
    ///
    /// # Errors
    /// Those of `writer`, and a name that HDF5 does not allow.
    pub fn finish(self, writer: &mut dyn Write) -> io::Result<()> {
        self.builder.finish_to(writer).map_err(|error| match error {
            hdf5_pure::Error::Io(source) => source,
            other => io::Error::other(other.to_string()),
        })
    }
}

/// A group to write, in a new file or in one that is edited.
pub struct NewGroup<'g> {
    pub(crate) place: &'g mut dyn Place,
}

impl std::fmt::Debug for NewGroup<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NewGroup").finish_non_exhaustive()
    }
}

impl NewGroup<'_> {
    /// Gives the group an attribute.
    pub fn attribute(&mut self, name: &str, value: NewAttribute) {
        self.place.attribute(name, value.into());
    }

    /// Puts a dataset into the group.
    pub fn dataset(&mut self, name: &str, dataset: &NewDataset<'_>) {
        self.place.dataset(name, dataset);
    }

    /// Puts a group into the group; `fill` describes what is in it.
    pub fn group(&mut self, name: &str, fill: impl FnOnce(&mut NewGroup<'_>)) {
        let mut fill = Some(fill);
        self.place.group(name, &mut |place| {
            if let Some(fill) = fill.take() {
                fill(&mut NewGroup { place });
            }
        });
    }
}

/// Where a new group is kept until it is written: hdf5-pure has one type for new files and one for edits.
pub(crate) trait Place {
    fn attribute(&mut self, name: &str, value: AttrValue);
    fn dataset(&mut self, name: &str, dataset: &NewDataset<'_>);
    fn group(&mut self, name: &str, fill: &mut dyn FnMut(&mut dyn Place));
}

impl Place for FileBuilder {
    fn attribute(&mut self, name: &str, value: AttrValue) {
        self.set_attr(name, value);
    }

    fn dataset(&mut self, name: &str, dataset: &NewDataset<'_>) {
        dataset.fill(self.create_dataset(name));
    }

    fn group(&mut self, name: &str, fill: &mut dyn FnMut(&mut dyn Place)) {
        let mut group = self.create_group(name);
        fill(&mut group);
        self.add_group(group.finish());
    }
}

impl Place for GroupBuilder {
    fn attribute(&mut self, name: &str, value: AttrValue) {
        self.set_attr(name, value);
    }

    fn dataset(&mut self, name: &str, dataset: &NewDataset<'_>) {
        dataset.fill(self.create_dataset(name));
    }

    fn group(&mut self, name: &str, fill: &mut dyn FnMut(&mut dyn Place)) {
        let mut group = self.create_group(name);
        fill(&mut group);
        self.add_group(group.finish());
    }
}

impl Place for StagedGroup<'_> {
    fn attribute(&mut self, name: &str, value: AttrValue) {
        self.set_attr(name, value);
    }

    fn dataset(&mut self, name: &str, dataset: &NewDataset<'_>) {
        self.create_dataset(name, |builder| dataset.fill(builder));
    }

    fn group(&mut self, name: &str, fill: &mut dyn FnMut(&mut dyn Place)) {
        self.create_group_with(name, |group| fill(group));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_whole_rows_of_a_megabyte_and_short_enough_for_every_reader() {
        assert_eq!(chunk_of(&[1000, 2000], 8), Some(vec![65, 2000]));
        assert_eq!(chunk_of(&[3, 4], 8), Some(vec![3, 4]));
        assert_eq!(chunk_of(&[1 << 20], 4), Some(vec![1 << 15]));
        assert_eq!(chunk_of(&[2, 1 << 20], 4), Some(vec![1, 1 << 15]));
        assert_eq!(chunk_of(&[0, 5], 4), None);
        assert_eq!(chunk_of(&[], 4), None);
    }
}
