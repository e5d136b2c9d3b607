//! Data of a dataset, from contiguous bytes or chunks, decoded on all cores into one array.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::io::h5ad::element::Element;
use crate::io::h5ad::filters;
use crate::io::h5ad::hdf5::{Array, Filter};
use crate::io::h5ad::layout::{Chunk, Layout};
use crate::io::h5ad::number::{Number, Value};

/// Contiguous data are read in pieces of about this many bytes.
const PIECE: usize = 1 << 17;

/// Where the data of one dataset are; made once, then rows can be read repeatedly.
pub(super) struct Storage<'a> {
    array: &'a Array,
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
    /// Everything, unpacked by the crate.
    Unpacked(Vec<u8>),
}

/// A complete grid of chunks, in bands: the chunks that hold the same rows.
struct Bands {
    chunk_rows: usize,
    chunk_columns: usize,
    /// The chunks of each band, in order of rows, then of columns.
    chunks: Vec<Vec<Chunk>>,
    filters: Vec<Filter>,
}

/// How elements become values: each element gives `per_element` of them.
struct Decoding<'d, T> {
    per_element: usize,
    decode: &'d (dyn Fn(&[u8], &mut [T]) + Sync),
}

impl<'a> Storage<'a> {
    /// Finds the data; reads only the chunk index, except for rare layouts and filters.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the layout contradicts the shape or a filter is not supported.
    pub(super) fn new(array: &'a Array) -> Result<Self> {
        let n_rows = array.shape.first().copied().unwrap_or(1);
        let row_length: usize = array.shape.iter().skip(1).product();
        let place = if n_rows == 0 || row_length == 0 {
            Place::Unpacked(Vec::new())
        } else {
            Self::place(array, n_rows, row_length)?
        };
        Ok(Self { array, n_rows, row_length, place })
    }

    fn place(array: &Array, n_rows: usize, row_length: usize) -> Result<Place> {
        let bytes = n_rows * row_length * array.element_size;
        let filters = array.filters();
        if let Some(filter) = filters::first_unknown(&filters) {
            return Err(unsupported(array, filter));
        }
        let chunk_shape = match array.layout()? {
            Layout::Run { address, length } if filters.is_empty() => {
                if length < bytes as u64 {
                    let problem = format!("holds {length} bytes, but its shape needs {bytes}");
                    return Err(array.unreadable(problem));
                }
                return Ok(Place::Run(address));
            }
            Layout::Chunked { shape } => shape,
            Layout::Run { .. } | Layout::Other => return unpacked_by_crate(array, bytes),
        };
        let chunks = checked_chunks(array, &chunk_shape)?;
        if array.shape.len() > 2 || array.shape.is_empty() || !filters::all_known(&filters) {
            return unpacked_by_crate(array, bytes);
        }
        let chunk_rows = chunk_shape[0] as usize;
        let chunk_columns = chunk_shape.get(1).map_or(1, |&n| n as usize);
        let n_bands = n_rows.div_ceil(chunk_rows);
        let per_band = row_length.div_ceil(chunk_columns);
        let mut found: BTreeMap<u64, Vec<Chunk>> = BTreeMap::new();
        for chunk in chunks {
            let fits = chunk.offset.iter().zip(&chunk_shape).all(|(offset, n)| offset % n == 0);
            if fits && chunk.offset.first().is_some_and(|&row| row < n_rows as u64) {
                found.entry(chunk.offset[0]).or_default().push(chunk);
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
            return unpacked_by_crate(array, bytes);
        }
        Ok(Place::Bands(Bands { chunk_rows, chunk_columns, chunks: bands, filters }))
    }

    /// Number of rows: the length of the first dimension, 1 for a scalar.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Elements in a row: the product of all dimensions but the first.
    pub(super) fn row_length(&self) -> usize {
        self.row_length
    }

    /// Where the dataset is in the file.
    pub(super) fn path(&self) -> &str {
        &self.array.path
    }

    /// Rows that are stored together: reading a multiple of it unpacks no chunk twice.
    pub(super) fn rows_together(&self) -> usize {
        match &self.place {
            Place::Bands(bands) => bands.chunk_rows,
            _ => 1,
        }
    }

    /// The numbers in `rows`, row-major. Time and memory in proportion to them.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the elements are not numbers, or the bytes are not there.
    pub(super) fn numbers<T: Value>(&self, rows: Range<usize>) -> Result<Vec<T>> {
        let mut out = self.zeros(rows.len() * self.row_length)?;
        self.numbers_into(rows, &mut out)?;
        Ok(out)
    }

    /// As [`Storage::numbers`], into `out`, which has room for exactly these rows.
    pub(super) fn numbers_into<T: Value>(&self, rows: Range<usize>, out: &mut [T]) -> Result<()> {
        let decode = T::decoder(self.number()?);
        self.read(rows, &Decoding { per_element: 1, decode: &decode }, out)
    }

    /// The bytes of the elements in `rows`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the bytes are not there.
    pub(super) fn bytes(&self, rows: Range<usize>) -> Result<Vec<u8>> {
        let decode = |bytes: &[u8], out: &mut [u8]| {
            let n = bytes.len().min(out.len());
            out[..n].copy_from_slice(&bytes[..n]);
        };
        let size = self.array.element_size;
        let mut out = self.zeros(rows.len() * self.row_length * size)?;
        self.read(rows, &Decoding { per_element: size, decode: &decode }, &mut out)?;
        Ok(out)
    }

    /// `n` zeros, or an error if there is no memory for them.
    pub(super) fn zeros<T: Copy + Default>(&self, n: usize) -> Result<Vec<T>> {
        let mut probe: Vec<T> = Vec::new();
        if probe.try_reserve_exact(n).is_err() {
            return Err(self.array.unreadable("does not fit into memory"));
        }
        drop(probe);
        // Fresh pages are zero already, so this costs nothing until they are used.
        Ok(vec![T::default(); n])
    }

    fn number(&self) -> Result<Number> {
        match &self.array.element {
            Element::Number(number) => Ok(*number),
            _ => Err(self.array.unreadable("does not hold numbers")),
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
                let row = self.row_length * self.array.element_size;
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
        let size = self.array.element_size;
        let elements = (PIECE / size).max(1);
        let start = (rows.start * self.row_length * size) as u64;
        let pieces = out.par_chunks_mut(elements * how.per_element).enumerate();
        // The buffer is kept from piece to piece: fresh memory would cost more than the read.
        pieces.try_for_each_init(Vec::new, |buffer, (k, out)| {
            buffer.resize(out.len() / how.per_element * size, 0);
            let read = address
                .checked_add(start + (k * elements * size) as u64)
                .is_some_and(|address| self.array.container.read_into(address, buffer));
            if !read {
                return Err(self.array.unreadable("its data lie beyond the end of the file"));
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
            let band = row / chunk_rows;
            let end = ((band + 1).saturating_mul(chunk_rows)).min(rows.end);
            let (piece, after) = rest.split_at_mut((end - row) * stride);
            let inside = row - band * chunk_rows..end - band * chunk_rows;
            work.push((band, inside, piece));
            rest = after;
            row = end;
        }
        work.into_par_iter()
            .try_for_each(|(band, rows, out)| self.read_band((bands, band), &rows, how, out))
    }

    /// One band of chunks into the rows of `out`; `rows` count from the start of the band.
    fn read_band<T: Plain>(
        &self,
        (bands, band): (&Bands, usize),
        rows: &Range<usize>,
        how: &Decoding<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let chunk_columns = bands.chunk_columns;
        let size = self.array.element_size;
        let stride = self.row_length * how.per_element;
        for chunk in &bands.chunks[band] {
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
        let array = self.array;
        let length = bands.chunk_rows * bands.chunk_columns * array.element_size;
        let bytes = usize::try_from(chunk.stored)
            .ok()
            .and_then(|stored| array.container.read_at(chunk.address, stored))
            .ok_or_else(|| array.unreadable("a chunk lies beyond the end of the file"))?;
        filters::undo(&bands.filters, chunk.mask, array.element_size, length, bytes)
            .map_err(|problem| array.unreadable(problem))
    }
}

/// What an output array may hold: anything plain that threads can share.
trait Plain: Copy + Default + Send + Sync {}
impl<T: Copy + Default + Send + Sync> Plain for T {}

/// The chunks, each of a size that the file can hold and inside the file.
fn checked_chunks(array: &Array, chunk_shape: &[u64]) -> Result<Vec<Chunk>> {
    let size = array.element_size as u64;
    let bytes = chunk_shape.iter().try_fold(size, |bytes, &n| bytes.checked_mul(n));
    array.container.check_size(&array.path, bytes)?;
    if chunk_shape.len() != array.shape.len() || chunk_shape.contains(&0) {
        return Err(array.unreadable("its chunks do not have its shape"));
    }
    let chunks = array.chunks()?;
    let inside = |chunk: &Chunk| array.container.holds(chunk.address, chunk.stored);
    if chunks.iter().all(inside) {
        Ok(chunks)
    } else {
        Err(array.unreadable("a chunk lies beyond the end of the file"))
    }
}

fn unpacked_by_crate(array: &Array, bytes: usize) -> Result<Place> {
    let unpacked = array.read_by_crate()?;
    if unpacked.len() == bytes {
        Ok(Place::Unpacked(unpacked))
    } else {
        let problem = format!("holds {} bytes, but its shape needs {bytes}", unpacked.len());
        Err(array.unreadable(problem))
    }
}

fn unsupported(array: &Array, filter: &Filter) -> Error {
    Error::Unreadable {
        path: array.container.path().to_path_buf(),
        problem: format!(
            "`{}`: is compressed with the HDF5 filter {} (id {}), which is not supported",
            array.path,
            filters::name(filter),
            filter.id
        ),
        way_out: Some(
            "rewrite it with gzip, where it can be read: \
             `anndata.read_h5ad(\"in.h5ad\").write_h5ad(\"out.h5ad\", compression=\"gzip\")`"
                .into(),
        ),
    }
}
