//! Reads the data of a dataset, contiguous or in chunks, decoded on all cores into one array.

use std::collections::BTreeMap;
use std::ops::Range;

use hdf5_pure::Filter;
use rayon::prelude::*;

use crate::assemble::assemble;
use crate::dataset::Dataset;
use crate::element::Element;
use crate::error::{Error, Problem, Result};
use crate::filters;
use crate::layout::{Chunk, Layout};
use crate::number::{Number, Value};
use crate::texts;

/// Contiguous data are read in pieces of about this many bytes.
const PIECE: usize = 1 << 17;

/// Where the data of one dataset are. It is found once, then rows can be read repeatedly, by several threads.
///
/// ```
/// use sbcell_hdf5::{File, NewDataset, NewFile, Storage, Values};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = NewFile::new();
/// file.root().dataset("x", &NewDataset::new(Values::I32(&[1, 2, 3, 4])).shape(&[2, 2]));
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// let x = File::from_bytes(bytes)?.root()?.dataset("x")?;
/// let storage = Storage::new(&x)?;
/// assert_eq!((storage.n_rows(), storage.row_length()), (2, 2));
/// assert_eq!(storage.numbers::<f64>(1..2)?, [3.0, 4.0]);
/// # Ok(())
/// # }
/// ```
pub struct Storage<'a> {
    dataset: &'a Dataset,
    n_rows: usize,
    /// Elements in a row (the product of all dimensions but the first).
    row_length: usize,
    place: Place,
}

enum Place {
    /// One run of bytes from this address.
    Run(u64),
    /// A grid of chunks.
    Bands(Bands),
    /// All data in memory, with all filters undone.
    Unpacked(Vec<u8>),
}

/// A complete grid of chunks, in bands. A band consists of the chunks that hold the same rows.
struct Bands {
    chunk_rows: usize,
    chunk_columns: usize,
    /// The chunks of each band, in order of rows, then of columns.
    chunks: Vec<Vec<Chunk>>,
    filters: Vec<Filter>,
}

/// Rows of one band; they count from its start.
struct Band<'b> {
    bands: &'b Bands,
    k: usize,
    rows: Range<usize>,
}

/// How elements become values: each element gives `per_element` of them.
struct Decoding<'d, T> {
    per_element: usize,
    decode: &'d (dyn Fn(&[u8], &mut [T]) + Sync),
}

impl std::fmt::Debug for Storage<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Storage").field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

impl<'a> Storage<'a> {
    /// Finds the data. Reads only the chunk index, except for rare layouts and filters: then all data are read
    /// and kept in memory (compact data, more than two dimensions, chunks that were never written, and the
    /// filters szip, nbit and scaleoffset).
    ///
    /// # Errors
    /// [`Problem::Object`] if the layout contradicts the shape or a filter is not supported.
    pub fn new(dataset: &'a Dataset) -> Result<Self> {
        let n_rows = dataset.shape().first().copied().unwrap_or(1);
        let row_length: usize = dataset.shape().iter().skip(1).product();
        let place = if n_rows == 0 || row_length == 0 {
            Place::Unpacked(Vec::new())
        } else {
            Self::place(dataset, n_rows, row_length)?
        };
        Ok(Self { dataset, n_rows, row_length, place })
    }

    fn place(dataset: &Dataset, n_rows: usize, row_length: usize) -> Result<Place> {
        let bytes = n_rows * row_length * dataset.element_size();
        let filters = dataset.filters();
        if let Some(filter) = filters::first_unknown(&filters) {
            return Err(unsupported(dataset, filter));
        }
        let chunk_shape = match dataset.layout()? {
            Layout::Run { address, length } if filters.is_empty() => {
                if length < bytes as u64 {
                    let problem = format!("holds {length} bytes, but its shape needs {bytes}");
                    return Err(dataset.error(problem));
                }
                return Ok(Place::Run(address));
            }
            Layout::Chunked { shape } => shape,
            Layout::Run { .. } | Layout::Other => return unpacked_by_crate(dataset, bytes),
        };
        let chunks = checked_chunks(dataset, &chunk_shape)?;
        let is_known = filters::all_known(&filters);
        if dataset.shape().len() > 2 || dataset.shape().is_empty() || !is_known {
            return unpacked(dataset, bytes, &chunk_shape, &chunks);
        }
        let chunk_rows = chunk_shape[0] as usize;
        let chunk_columns = chunk_shape.get(1).map_or(1, |&n| n as usize);
        let n_bands = n_rows.div_ceil(chunk_rows);
        let per_band = row_length.div_ceil(chunk_columns);
        let mut found: BTreeMap<u64, Vec<Chunk>> = BTreeMap::new();
        for chunk in &chunks {
            let fits = chunk.offset.iter().zip(&chunk_shape).all(|(offset, n)| offset % n == 0);
            if fits && chunk.offset.first().is_some_and(|&row| row < n_rows as u64) {
                found.entry(chunk.offset[0]).or_default().push(chunk.clone());
            }
        }
        let mut bands: Vec<Vec<Chunk>> = found.into_values().collect();
        for band in &mut bands {
            band.sort_by_key(|chunk| chunk.offset.get(1).copied());
        }
        // Two dimensions at most: a chunk of a band is known by its first column.
        let first_column = |chunk: &Chunk| chunk.offset.get(1).copied().unwrap_or(0);
        let complete = bands.len() == n_bands
            && bands.iter().all(|band| {
                let expected = (0..per_band).map(|k| (k * chunk_columns) as u64);
                band.iter().map(first_column).eq(expected)
            });
        if !complete {
            // Chunks that were never written hold the fill value.
            return unpacked(dataset, bytes, &chunk_shape, &chunks);
        }
        Ok(Place::Bands(Bands { chunk_rows, chunk_columns, chunks: bands, filters }))
    }

    /// Number of rows: the length of the first dimension, 1 for a scalar.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Elements in a row: the product of all dimensions but the first.
    pub fn row_length(&self) -> usize {
        self.row_length
    }

    /// Path of the dataset from the root of the file.
    pub fn path(&self) -> &str {
        self.dataset.path()
    }

    /// Rows of a chunk, 1 without chunks. Reads of a multiple of it, from a multiple of it, unpack no chunk twice.
    pub fn rows_together(&self) -> usize {
        match &self.place {
            Place::Bands(bands) => bands.chunk_rows,
            _ => 1,
        }
    }

    /// The numbers in `rows`, row-major. Time and memory in proportion to them.
    ///
    /// # Errors
    /// [`Problem::Object`] if the elements are not numbers, or the bytes are not there.
    pub fn numbers<T: Value>(&self, rows: Range<usize>) -> Result<Vec<T>> {
        let mut out = self.zeros(rows.len() * self.row_length)?;
        self.numbers_into(rows, &mut out)?;
        Ok(out)
    }

    /// As [`Storage::numbers`], into `out`, which has room for exactly these rows.
    ///
    /// # Errors
    /// As [`Storage::numbers`].
    pub fn numbers_into<T: Value>(&self, rows: Range<usize>, out: &mut [T]) -> Result<()> {
        let decode = T::decoder(self.number()?);
        self.read(rows, &Decoding { per_element: 1, decode: &decode }, out)
    }

    /// The bytes of the elements in `rows`.
    ///
    /// # Errors
    /// [`Problem::Object`] if the bytes are not there.
    pub fn bytes(&self, rows: Range<usize>) -> Result<Vec<u8>> {
        let decode = |bytes: &[u8], out: &mut [u8]| {
            let n = bytes.len().min(out.len());
            out[..n].copy_from_slice(&bytes[..n]);
        };
        let size = self.dataset.element_size();
        let mut out = self.zeros(rows.len() * self.row_length * size)?;
        self.read(rows, &Decoding { per_element: size, decode: &decode }, &mut out)?;
        Ok(out)
    }

    /// All elements of a dataset of one dimension (or a scalar) as texts.
    ///
    /// # Errors
    /// [`Problem::Object`] if the elements are not texts, or the texts are not in the file.
    pub fn texts(&self) -> Result<Vec<String>> {
        let bytes = self.bytes(0..self.n_rows)?;
        let dataset = self.dataset;
        texts::decode(dataset, dataset.element(), &bytes, 0, dataset.element_size())
    }

    /// `n` zeros.
    ///
    /// # Errors
    /// [`Problem::Object`] if there is no memory for them.
    pub fn zeros<T: Copy + Default>(&self, n: usize) -> Result<Vec<T>> {
        zeros(self.dataset, n)
    }

    fn number(&self) -> Result<Number> {
        match self.dataset.element() {
            Element::Number(number) => Ok(*number),
            _ => Err(self.dataset.error("does not hold numbers")),
        }
    }

    fn read<T: Plain>(
        &self,
        rows: Range<usize>,
        how: &Decoding<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let stride = self.row_length * how.per_element;
        assert!(rows.end <= self.n_rows, "rows of a dataset");
        assert!(out.len() == rows.len() * stride, "room for the rows of a dataset");
        if out.is_empty() {
            return Ok(());
        }
        match &self.place {
            Place::Unpacked(bytes) => {
                let row = self.row_length * self.dataset.element_size();
                (how.decode)(&bytes[rows.start * row..rows.end * row], out);
                Ok(())
            }
            Place::Run(address) => self.read_run(*address, &rows, how, out),
            Place::Bands(bands) => self.read_bands(bands, &rows, how, out),
        }
    }

    fn read_run<T: Plain>(
        &self,
        address: u64,
        rows: &Range<usize>,
        how: &Decoding<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let size = self.dataset.element_size();
        let elements = (PIECE / size).max(1);
        let start = (rows.start * self.row_length * size) as u64;
        let pieces = out.par_chunks_mut(elements * how.per_element).enumerate();
        // The buffer is kept from piece to piece: fresh memory would cost more than the read.
        pieces.try_for_each_init(Vec::new, |buffer, (k, out)| {
            buffer.resize(out.len() / how.per_element * size, 0);
            let read = address
                .checked_add(start + (k * elements * size) as u64)
                .is_some_and(|address| self.dataset.file().read_into(address, buffer));
            if !read {
                return Err(self.dataset.error("its data lie beyond the end of the file"));
            }
            (how.decode)(buffer, out);
            Ok(())
        })
    }

    fn read_bands<T: Plain>(
        &self,
        bands: &Bands,
        rows: &Range<usize>,
        how: &Decoding<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let chunk_rows = bands.chunk_rows;
        let stride = self.row_length * how.per_element;
        let mut work = Vec::new();
        let mut rest = out;
        let mut row = rows.start;
        while row < rows.end {
            let k = row / chunk_rows;
            let end = ((k + 1).saturating_mul(chunk_rows)).min(rows.end);
            let (piece, after) = rest.split_at_mut((end - row) * stride);
            let rows = row - k * chunk_rows..end - k * chunk_rows;
            work.push((Band { bands, k, rows }, piece));
            rest = after;
            row = end;
        }
        work.into_par_iter().try_for_each(|(band, out)| self.read_band(&band, how, out))
    }

    /// Decodes rows of one band into `out`, chunk by chunk.
    fn read_band<T: Plain>(
        &self,
        band: &Band<'_>,
        how: &Decoding<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let Band { bands, k, rows } = band;
        let chunk_columns = bands.chunk_columns;
        let size = self.dataset.element_size();
        let stride = self.row_length * how.per_element;
        for chunk in &bands.chunks[*k] {
            let bytes = self.unpack(bands, chunk)?;
            let first = chunk.offset.get(1).map_or(0, |&column| column as usize);
            let width = chunk_columns.min(self.row_length - first);
            let row_bytes = chunk_columns * size;
            if width == self.row_length && width == chunk_columns {
                (how.decode)(&bytes[rows.start * row_bytes..rows.end * row_bytes], out);
                continue;
            }
            for (row, out) in rows.clone().zip(out.chunks_exact_mut(stride)) {
                let start = row * row_bytes;
                let place = first * how.per_element..(first + width) * how.per_element;
                (how.decode)(&bytes[start..start + width * size], &mut out[place]);
            }
        }
        Ok(())
    }

    fn unpack(&self, bands: &Bands, chunk: &Chunk) -> Result<Vec<u8>> {
        let length = bands.chunk_rows * bands.chunk_columns * self.dataset.element_size();
        unpack(self.dataset, &bands.filters, chunk, length)
    }
}

/// The `length` bytes of a chunk, with its filters undone.
pub(crate) fn unpack(
    dataset: &Dataset,
    filters: &[Filter],
    chunk: &Chunk,
    length: usize,
) -> Result<Vec<u8>> {
    let bytes = usize::try_from(chunk.stored)
        .ok()
        .and_then(|stored| dataset.file().read_at(chunk.address, stored))
        .ok_or_else(|| dataset.error("a chunk lies beyond the end of the file"))?;
    filters::undo(filters, chunk.mask, dataset.element_size(), length, bytes)
        .map_err(|problem| dataset.error(problem))
}

/// Elements of an output array: plain values that threads can share.
trait Plain: Copy + Default + Send + Sync {}
impl<T: Copy + Default + Send + Sync> Plain for T {}

fn zeros<T: Copy + Default>(dataset: &Dataset, n: usize) -> Result<Vec<T>> {
    let mut probe: Vec<T> = Vec::new();
    if probe.try_reserve_exact(n).is_err() {
        return Err(dataset.error("does not fit into memory"));
    }
    drop(probe);
    // Fresh pages are zero already, so this costs nothing until they are used.
    Ok(vec![T::default(); n])
}

/// The chunks, each of a size that the file can hold and inside the file.
fn checked_chunks(dataset: &Dataset, chunk_shape: &[u64]) -> Result<Vec<Chunk>> {
    let size = dataset.element_size() as u64;
    let bytes = chunk_shape.iter().try_fold(size, |bytes, &n| bytes.checked_mul(n));
    dataset.file().check_size(dataset.path(), bytes)?;
    if chunk_shape.len() != dataset.shape().len() || chunk_shape.contains(&0) {
        return Err(dataset.error("its chunks do not have its shape"));
    }
    let chunks = dataset.chunks()?;
    let inside = |chunk: &Chunk| dataset.file().holds(chunk.address, chunk.stored);
    if chunks.iter().all(inside) {
        Ok(chunks)
    } else {
        Err(dataset.error("a chunk lies beyond the end of the file"))
    }
}

/// All data in memory, through hdf5-pure if it knows the layout.
fn unpacked(
    dataset: &Dataset,
    bytes: usize,
    chunk_shape: &[u64],
    chunks: &[Chunk],
) -> Result<Place> {
    if dataset.is_known_to_crate() || !filters::all_known(&dataset.filters()) {
        return unpacked_by_crate(dataset, bytes);
    }
    let mut out = zeros(dataset, bytes)?;
    assemble(dataset, chunk_shape, chunks, &mut out)?;
    Ok(Place::Unpacked(out))
}

fn unpacked_by_crate(dataset: &Dataset, bytes: usize) -> Result<Place> {
    let unpacked = dataset.read_by_crate()?;
    if unpacked.len() == bytes {
        Ok(Place::Unpacked(unpacked))
    } else {
        let problem = format!("holds {} bytes, but its shape needs {bytes}", unpacked.len());
        Err(dataset.error(problem))
    }
}

fn unsupported(dataset: &Dataset, filter: &Filter) -> Error {
    let problem = Problem::Filter {
        path: dataset.path().to_string(),
        name: filters::name(filter),
        id: filter.id,
    };
    Error::new(dataset.file().path(), problem)
}
