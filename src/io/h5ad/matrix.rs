//! The cells × genes matrix: dense, or sparse by rows or columns, whole or selected cells.

use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;
use sbcell_hdf5::{Attribute, Dataset, Element, File, Group, Node, Storage, Value};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::io::h5ad::info::{MatrixInfo, StorageFormat};
use crate::io::h5ad::refused::{Refuse, unreadable_at};
use crate::linalg::Csr;
use crate::progress::{Event, Progress, report};

/// Values read between two reports of progress; bounds the memory beside the result.
const WINDOW: usize = 1 << 22;

/// A matrix on disk. Its shape and the sizes of its parts are checked; the values are not read.
pub(super) enum StoredMatrix {
    /// A dataset of two dimensions, cells × genes.
    Dense(Box<Dataset>),
    /// A group of the three arrays of a sparse matrix.
    Sparse(Box<Sparse>),
}

/// The three arrays of a sparse matrix (`csr_matrix`, `csc_matrix`): row (or column) `i` has the values
/// `data[indptr[i]..indptr[i + 1]]` in the columns (or rows) `indices[indptr[i]..indptr[i + 1]]`.
pub(super) struct Sparse {
    path: String,
    file: Arc<File>,
    /// Whether it is stored by rows (CSR), which are cells.
    pub(super) by_rows: bool,
    /// Rows and columns.
    pub(super) shape: (usize, usize),
    /// The stored values.
    pub(super) data: Dataset,
    /// The column (or row) of each value.
    pub(super) indices: Dataset,
    /// Where each row (or column) starts in `data`, and where the last one ends.
    indptr: Dataset,
}

impl StoredMatrix {
    /// The matrix at `node`; `None` if it is marked as absent (`encoding-type` `null`).
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is no matrix, or its parts contradict each other.
    pub(super) fn new(node: Node) -> Result<Option<Self>> {
        let dataset = match node {
            Node::Group(group) => {
                return Sparse::new(&group).map(|s| Some(Self::Sparse(Box::new(s))));
            }
            Node::Dataset(dataset) => dataset,
        };
        if dataset.text_attribute("encoding-type") == Some("null") {
            return Ok(None);
        }
        if dataset.shape().len() != 2 {
            let problem = format!("has {} dimensions, a matrix has 2", dataset.shape().len());
            return Err(dataset.unreadable(problem));
        }
        if !matches!(dataset.element(), Element::Number(_)) {
            return Err(dataset.unreadable("does not hold numbers"));
        }
        Ok(Some(Self::Dense(Box::new(dataset))))
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Dense(dataset) => (dataset.shape()[0], dataset.shape()[1]),
            Self::Sparse(sparse) => sparse.shape,
        }
    }

    /// The properties that are known without reading the values.
    pub(super) fn info(&self) -> MatrixInfo {
        let (n_cells, n_genes) = self.shape();
        let (format, values) = match self {
            Self::Dense(dataset) => (StorageFormat::Dense, &**dataset),
            Self::Sparse(sparse) if sparse.by_rows => (StorageFormat::Csr, &sparse.data),
            Self::Sparse(sparse) => (StorageFormat::Csc, &sparse.data),
        };
        let dtype = match values.element() {
            Element::Number(number) => number.name().to_string(),
            _ => "not numbers".to_string(),
        };
        MatrixInfo {
            format,
            n_cells,
            n_genes,
            n_stored: values.shape().iter().product(),
            dtype,
            compression: values.filter_names(),
        }
    }

    /// The rows `rows` (strictly increasing and in range), or all of them.
    ///
    /// Memory in addition to the result: one window of 4 million values and its compressed bytes; for
    /// storage by columns also all row indices (4 bytes per stored value).
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the data are corrupt; [`Error::Cancelled`].
    pub(super) fn read(
        &self,
        rows: Option<&[usize]>,
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        match self {
            Self::Dense(dataset) => dense::<f32>(dataset, rows, progress).map(Matrix::Dense),
            Self::Sparse(sparse) if sparse.by_rows => sparse.read_rows(rows, progress),
            Self::Sparse(sparse) => sparse.read_columns(rows, progress),
        }
        .map_err(|error| match (error, self) {
            (Error::SparseStructure(why), Self::Sparse(sparse)) => sparse.corrupt(&why),
            (error, _) => error,
        })
    }
}

impl StoredMatrix {
    /// About `most` stored values, from places spread evenly over the file.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the data are corrupt.
    pub(super) fn sample(&self, most: usize) -> Result<Vec<f32>> {
        const PLACES: usize = 16;
        let values = match self {
            Self::Dense(dataset) => dataset,
            Self::Sparse(sparse) => &sparse.data,
        };
        let storage = Storage::new(values)?;
        let n = storage.n_rows();
        let row_length = storage.row_length().max(1);
        if n.saturating_mul(row_length) <= most {
            return Ok(storage.numbers(0..n)?);
        }
        let length = (most / PLACES / row_length).max(1);
        let n_places = (most / (length * row_length)).clamp(1, PLACES);
        let mut out = Vec::new();
        for place in 0..n_places {
            let start = (n / n_places) * place;
            out.extend(storage.numbers::<f32>(start..(start + length).min(n))?);
        }
        Ok(out)
    }
}

/// The rows `rows` of a dense dataset of two dimensions, or all of them.
pub(super) fn dense<T: Value>(
    dataset: &Dataset,
    rows: Option<&[usize]>,
    progress: &mut dyn Progress,
) -> Result<Array2<T>> {
    let storage = Storage::new(dataset)?;
    let (n_rows, n_columns) =
        (dataset.shape().first().map_or(1, |&n| n), dataset.shape().iter().skip(1).product());
    let ranges = ranges_of_rows(rows, n_rows, |row| row..row + 1);
    let n_selected = rows.map_or(n_rows, <[usize]>::len);
    let window = window_of(&storage, n_columns);
    let values = gather::<T>(&storage, &ranges, window, progress)?;
    Array2::from_shape_vec((n_selected, n_columns), values)
        .map_err(|error| dataset.unreadable(error))
}

impl Sparse {
    fn new(group: &Group) -> Result<Self> {
        let file = Arc::clone(group.file());
        let path = group.path().to_string();
        let unreadable = |problem: String| unreadable_at(&file, &path, problem);
        let format = group
            .text_attribute("encoding-type")
            .or_else(|| group.text_attribute("h5sparse_format"))
            .unwrap_or("none");
        let by_rows = match format {
            "csr_matrix" | "csr" => true,
            "csc_matrix" | "csc" => false,
            other => {
                return Err(unreadable(format!("is no matrix: its encoding-type is `{other}`")));
            }
        };
        let shape = group.attribute("shape").or_else(|| group.attribute("h5sparse_shape"));
        let shape = match shape {
            Some(Attribute::Integers(shape)) => shape.clone(),
            _ => return Err(unreadable("its shape is missing".into())),
        };
        let [n_rows, n_columns] = shape[..] else {
            return Err(unreadable(format!("has {} dimensions, a matrix has 2", shape.len())));
        };
        let (Ok(n_rows), Ok(n_columns)) = (u32::try_from(n_rows), u32::try_from(n_columns)) else {
            return Err(unreadable(format!("its shape is {n_rows} × {n_columns}")));
        };
        let (data, indices) = (group.dataset("data")?, group.dataset("indices")?);
        let indptr = group.dataset("indptr")?;
        for dataset in [&data, &indices, &indptr] {
            if dataset.shape().len() != 1 || !matches!(dataset.element(), Element::Number(_)) {
                return Err(dataset.unreadable("is not a row of numbers"));
            }
        }
        for dataset in [&indices, &indptr] {
            if matches!(dataset.element(), Element::Number(number) if number.is_float()) {
                return Err(dataset.unreadable("does not hold integers"));
            }
        }
        let n_major = if by_rows { n_rows } else { n_columns } as usize;
        if indptr.shape()[0] != n_major + 1 {
            let problem = format!("has {} entries, expected {}", indptr.shape()[0], n_major + 1);
            return Err(indptr.unreadable(problem));
        }
        if indices.shape() != data.shape() {
            let problem =
                format!("has {} entries for {} values", indices.shape()[0], data.shape()[0]);
            return Err(indices.unreadable(problem));
        }
        let shape = (n_rows as usize, n_columns as usize);
        Ok(Self { path, file, by_rows, shape, data, indices, indptr })
    }

    /// An [`Error::Unreadable`] about the matrix as a whole.
    pub(super) fn corrupt(&self, why: &str) -> Error {
        unreadable_at(&self.file, &self.path, format!("the sparse matrix is corrupt: {why}"))
    }

    /// Where each row (or column) starts, checked: from 0, never back, to the number of values.
    pub(super) fn starts(&self) -> Result<Vec<usize>> {
        let storage = Storage::new(&self.indptr)?;
        let starts: Vec<u64> = storage.numbers(0..storage.n_rows())?;
        let n_stored = self.data.shape()[0];
        if starts.first() != Some(&0) || starts.last() != Some(&(n_stored as u64)) {
            let (first, last) = (starts.first(), starts.last());
            return Err(self.corrupt(&format!(
                "`indptr` goes from {} to {}, but there are {n_stored} values",
                first.unwrap_or(&0),
                last.unwrap_or(&0)
            )));
        }
        if let Some(place) = starts.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(self.corrupt(&format!("`indptr` decreases after entry {place}")));
        }
        Ok(starts.into_iter().map(|start| start as usize).collect())
    }

    /// The rows `rows` of a matrix by rows. Windows without any of them are not read.
    fn read_rows(&self, rows: Option<&[usize]>, progress: &mut dyn Progress) -> Result<Matrix> {
        let mut indptr = self.starts()?;
        let n_stored = self.data.shape()[0];
        let ranges = match rows {
            None => std::iter::once(0..n_stored).collect(),
            Some(_) => ranges_of_rows(rows, self.shape.0, |row| indptr[row]..indptr[row + 1]),
        };
        let (data, indices) = (Storage::new(&self.data)?, Storage::new(&self.indices)?);
        let window = window_of(&data, 1);
        let values = gather::<f32>(&data, &ranges, window, progress)?;
        let window = window_of(&indices, 1);
        let indices = gather::<u32>(&indices, &ranges, window, progress)?;
        if let Some(rows) = rows {
            let lengths = rows.iter().map(|&row| indptr[row + 1] - indptr[row]);
            let mut end = 0;
            let ends = lengths.map(|length| {
                end += length;
                end
            });
            indptr = std::iter::once(0).chain(ends).collect();
        }
        Csr::new(self.shape.1, indptr, indices, values).map(Matrix::Sparse)
    }

    /// Columns are turned into rows by counting: first the entries of each row, then each entry
    /// to its place. Rows come out sorted. Time and memory in proportion to the stored values.
    fn read_columns(&self, rows: Option<&[usize]>, progress: &mut dyn Progress) -> Result<Matrix> {
        const ABSENT: u32 = u32::MAX;
        let starts = self.starts()?;
        let n_stored = self.data.shape()[0];
        let (n_rows, n_columns) = self.shape;
        let mut new_row: Vec<u32> = (0..n_rows as u32).collect();
        if let Some(rows) = rows {
            new_row.fill(ABSENT);
            for (new, &old) in rows.iter().enumerate() {
                new_row[old] = new as u32;
            }
        }
        let whole = std::iter::once(0..n_stored).collect::<Vec<_>>();
        let storage = Storage::new(&self.indices)?;
        let window = window_of(&storage, 1);
        let mut row_of = gather::<u32>(&storage, &whole, window, progress)?;
        let n_selected = rows.map_or(n_rows, <[usize]>::len);
        let mut indptr = vec![0; n_selected + 1];
        for (place, row) in row_of.iter_mut().enumerate() {
            let Some(&new) = new_row.get(*row as usize) else {
                let problem = format!("row index {row} at position {place} is out of range");
                return Err(self.corrupt(&format!("{problem} for {n_rows} rows")));
            };
            *row = new;
            if new != ABSENT {
                indptr[new as usize + 1] += 1;
            }
        }
        for row in 0..n_selected {
            indptr[row + 1] += indptr[row];
        }
        let mut next = indptr.clone();
        let n_kept = indptr[n_selected];
        let (mut indices, mut values) = (vec![0_u32; n_kept], vec![0_f32; n_kept]);
        let storage = Storage::new(&self.data)?;
        let window = window_of(&storage, 1);
        let what = format!("reading {}", storage.path());
        report(progress, Event::Begin { what, total: n_stored as u64 })?;
        let mut column = 0;
        let mut at = 0;
        while at < n_stored {
            let end = (at + window).min(n_stored);
            let found: Vec<f32> = storage.numbers(at..end)?;
            for (place, value) in (at..end).zip(found) {
                while column < n_columns && starts[column + 1] <= place {
                    column += 1;
                }
                if row_of[place] != ABSENT {
                    let slot = &mut next[row_of[place] as usize];
                    (indices[*slot], values[*slot]) = (column as u32, value);
                    *slot += 1;
                }
            }
            at = end;
            report(progress, Event::Step { done: at as u64 })?;
        }
        report(progress, Event::End)?;
        Csr::new(n_columns, indptr, indices, values).map(Matrix::Sparse)
    }
}

/// First entry that is NaN or infinite: cell, gene, value.
pub(super) fn first_not_finite(matrix: &Matrix) -> Option<(usize, usize, f32)> {
    match matrix {
        Matrix::Dense(x) => {
            if x.as_slice().is_some_and(all_finite) {
                return None;
            }
            let found = x.indexed_iter().find(|(_, value)| !value.is_finite());
            found.map(|((cell, gene), &value)| (cell, gene, value))
        }
        Matrix::Sparse(x) => {
            if all_finite(x.values()) {
                return None;
            }
            (0..x.n_rows()).find_map(|cell| {
                let (genes, values) = x.row(cell);
                let at = values.iter().position(|value| !value.is_finite())?;
                Some((cell, genes[at] as usize, values[at]))
            })
        }
    }
}

/// Exponent bits that are all set are NaN or infinite. No branches, so that it is vectorised.
pub(super) fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    values.par_chunks(1 << 16).all(|values| {
        let odd = |value: &f32| u32::from(value.to_bits() & EXPONENT == EXPONENT);
        values.iter().fold(0, |any, value| any | odd(value)) == 0
    })
}

/// Elements per window: about [`WINDOW`], and a multiple of the chunk length.
pub(super) fn window_of(storage: &Storage<'_>, row_length: usize) -> usize {
    let rows = (WINDOW / row_length.max(1)).max(1);
    let together = storage.rows_together();
    (rows / together).max(1).saturating_mul(together)
}

/// The ranges that belong to `rows`, joined where they touch.
pub(super) fn ranges_of_rows(
    rows: Option<&[usize]>,
    n_rows: usize,
    range_of: impl Fn(usize) -> Range<usize>,
) -> Vec<Range<usize>> {
    let Some(rows) = rows else { return std::iter::once(0..n_rows).collect() };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for range in rows.iter().map(|&row| range_of(row)) {
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    ranges
}

/// As [`read_ranges`], and reports the beginning and the end to `progress`.
fn gather<T: Value>(
    storage: &Storage<'_>,
    ranges: &[Range<usize>],
    window: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<T>> {
    let what = format!("reading {}", storage.path());
    report(progress, Event::Begin { what, total: storage.n_rows() as u64 })?;
    let found = read_ranges(storage, ranges, window, progress)?;
    report(progress, Event::End)?;
    Ok(found)
}

/// The rows of `storage` in `ranges` (increasing), window by window; windows in which nothing is
/// wanted are not read.
pub(super) fn read_ranges<T: Value>(
    storage: &Storage<'_>,
    ranges: &[Range<usize>],
    window: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<T>> {
    let row_length = storage.row_length();
    let wanted: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let mut out: Vec<T> = storage.zeros(wanted * row_length)?;
    let mut filled = 0;
    let mut at = ranges.first().map_or(0, |range| range.start / window * window);
    let n = ranges.last().map_or(0, |range| range.end);
    let mut next = 0;
    while at < n {
        let end = at.saturating_add(window).min(n);
        while next < ranges.len() && ranges[next].end <= at {
            next += 1;
        }
        let here: Vec<Range<usize>> = ranges[next..]
            .iter()
            .take_while(|range| range.start < end)
            .map(|range| range.start.max(at)..range.end.min(end))
            .filter(|range| !range.is_empty())
            .collect();
        let mut place = |range: &Range<usize>| {
            let start = filled;
            filled += range.len() * row_length;
            start..filled
        };
        if let [only] = &here[..] {
            storage.numbers_into(only.clone(), &mut out[place(only)])?;
        } else if let (Some(first), Some(last)) = (here.first(), here.last()) {
            let start = first.start;
            let found: Vec<T> = storage.numbers(start..last.end)?;
            for range in &here {
                let from = (range.start - start) * row_length..(range.end - start) * row_length;
                out[place(range)].copy_from_slice(&found[from]);
            }
        }
        at = end;
        report(progress, Event::Step { done: at as u64 })?;
    }
    Ok(out)
}
