//! Sparse matrices in compressed rows, checked at construction.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Number of indices that one thread checks at a time.
const CHUNK: usize = 1 << 16;

/// A sparse matrix in compressed rows, as `scipy.sparse.csr_matrix`, in single precision.
///
/// Within a row the column indices are in range and strictly increasing. Memory: 8 bytes for each
/// stored value and 8 bytes for each row.
///
/// ```
/// use sbcell::data::Csr;
///
/// // [[0, 5, 0],
/// //  [1, 0, 2]]
/// let matrix = Csr::new(3, vec![0, 1, 3], vec![1, 0, 2], vec![5.0, 1.0, 2.0])?;
/// assert_eq!((matrix.n_rows(), matrix.n_cols(), matrix.n_stored()), (2, 3, 3));
/// assert_eq!(matrix.row(1), (&[0, 2][..], &[1.0, 2.0][..]));
/// assert_eq!(matrix.transposed().row(1), (&[0][..], &[5.0][..]));
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Csr {
    n_cols: usize,
    /// The entries of row `i` have the positions `indptr[i]..indptr[i + 1]`.
    indptr: Vec<usize>,
    /// The column of each entry.
    indices: Vec<u32>,
    /// The value of each entry.
    values: Vec<f32>,
}

impl Csr {
    /// A matrix of `indptr.len() - 1` rows from the three arrays of the format.
    ///
    /// Row `i` has the entries `indptr[i]..indptr[i + 1]` of `indices` (columns from 0) and of
    /// `values`. Unsorted rows are sorted and duplicate entries are summed, as scipy does. Time
    /// `O(n)` for `n` sorted entries, in parallel.
    ///
    /// # Errors
    /// [`Error::SparseStructure`] if the lengths contradict each other, `indptr` does not start
    /// at zero, decreases or does not end at the number of values, or an index is out of range.
    pub fn new(
        n_cols: usize,
        indptr: Vec<usize>,
        indices: Vec<u32>,
        values: Vec<f32>,
    ) -> Result<Self> {
        let corrupt = |why: String| Err(Error::SparseStructure(why));
        if indices.len() != values.len() {
            return corrupt(format!("{} indices for {} values", indices.len(), values.len()));
        }
        if indptr.first() != Some(&0) {
            return corrupt("`indptr` does not start with 0".into());
        }
        if indptr.last() != Some(&values.len()) {
            return corrupt(format!(
                "`indptr` ends with {}, but there are {} values",
                indptr.last().unwrap_or(&0),
                values.len()
            ));
        }
        if let Some(row) = indptr.windows(2).position(|pair| pair[1] < pair[0]) {
            return corrupt(format!("`indptr` decreases after row {row}"));
        }
        let outside = |index: &u32| *index as usize >= n_cols;
        // The search for the position is slow; a check without branches on all cores comes first.
        let any = |indices: &[u32]| indices.iter().fold(false, |any, index| any | outside(index));
        if indices.par_chunks(CHUNK).any(any)
            && let Some(place) = indices.iter().position(outside)
        {
            return corrupt(format!(
                "index {} at position {place} is out of range for {n_cols} columns",
                indices[place]
            ));
        }
        let mut matrix = Self { n_cols, indptr, indices, values };
        if !matrix.is_sorted() {
            matrix.sort_and_sum();
        }
        Ok(matrix)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Number of columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Number of stored values.
    pub fn n_stored(&self) -> usize {
        self.values.len()
    }

    /// Column indices (strictly increasing) and values of row `i`.
    pub fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let range = self.indptr[i]..self.indptr[i + 1];
        (&self.indices[range.clone()], &self.values[range])
    }

    /// Column indices and mutable values of row `i`.
    pub fn row_mut(&mut self, i: usize) -> (&[u32], &mut [f32]) {
        let range = self.indptr[i]..self.indptr[i + 1];
        (&self.indices[range.clone()], &mut self.values[range])
    }

    /// All stored values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All stored values, row after row, mutable.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// A copy of the rows `rows`, in that order; a row may occur several times.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let n_stored = rows.iter().map(|&i| self.indptr[i + 1] - self.indptr[i]).sum();
        let mut indptr = Vec::with_capacity(rows.len() + 1);
        let mut indices = Vec::with_capacity(n_stored);
        let mut values = Vec::with_capacity(n_stored);
        indptr.push(0);
        for &i in rows {
            let (columns, row) = self.row(i);
            indices.extend_from_slice(columns);
            values.extend_from_slice(row);
            indptr.push(values.len());
        }
        Self { n_cols: self.n_cols, indptr, indices, values }
    }

    /// A copy of the columns `columns` (strictly increasing), renumbered from zero.
    ///
    /// Time `O(n_cols + n_stored)`.
    #[must_use]
    pub fn select_columns(&self, columns: &[usize]) -> Self {
        const ABSENT: u32 = u32::MAX;
        let mut renumbered = vec![ABSENT; self.n_cols];
        for (new, &old) in columns.iter().enumerate() {
            renumbered[old] = new as u32;
        }
        let mut indptr = Vec::with_capacity(self.indptr.len());
        let (mut indices, mut values) = (Vec::new(), Vec::new());
        indptr.push(0);
        for i in 0..self.n_rows() {
            let (old, row) = self.row(i);
            for (&column, &value) in old.iter().zip(row) {
                if renumbered[column as usize] != ABSENT {
                    indices.push(renumbered[column as usize]);
                    values.push(value);
                }
            }
            indptr.push(values.len());
        }
        Self { n_cols: columns.len(), indptr, indices, values }
    }

    /// The same matrix with other numbers of columns: column `j` becomes `of[j]`, a permutation. Rows are sorted
    /// again.
    ///
    /// # Errors
    /// As [`Csr::new`], if `of` is no permutation of the columns.
    pub(crate) fn renumbered(mut self, of: &[u32]) -> Result<Self> {
        let number = |column: u32| of.get(column as usize).copied().unwrap_or(u32::MAX);
        self.indices.par_iter_mut().for_each(|column| *column = number(*column));
        Self::new(self.n_cols, self.indptr, self.indices, self.values)
    }

    /// Makes room for `n_rows` more rows with `n_stored` more values.
    pub(crate) fn reserve(&mut self, n_rows: usize, n_stored: usize) {
        self.indptr.reserve_exact(n_rows);
        self.indices.reserve_exact(n_stored);
        self.values.reserve_exact(n_stored);
    }

    /// Adds the rows of `below`, which has as many columns, after the last row.
    pub(crate) fn append(&mut self, below: &Self) {
        let before = self.values.len();
        self.indptr.extend(below.indptr.iter().skip(1).map(|end| before + end));
        self.indices.extend_from_slice(&below.indices);
        self.values.extend_from_slice(&below.values);
    }

    /// The transposed matrix as a copy, by a counting sort in `O(n_cols + n_stored)`.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut indptr = vec![0; self.n_cols + 1];
        self.indices.iter().for_each(|&column| indptr[column as usize + 1] += 1);
        for column in 0..self.n_cols {
            indptr[column + 1] += indptr[column];
        }
        let mut next = indptr.clone();
        let mut indices = vec![0; self.values.len()];
        let mut values = vec![0.0; self.values.len()];
        for i in 0..self.n_rows() {
            let (columns, row) = self.row(i);
            for (&column, &value) in columns.iter().zip(row) {
                let place = next[column as usize];
                (indices[place], values[place]) = (i as u32, value);
                next[column as usize] += 1;
            }
        }
        Self { n_cols: self.n_rows(), indptr, indices, values }
    }

    /// Whether the columns of every row are strictly increasing; checks rows in parallel.
    fn is_sorted(&self) -> bool {
        let increases = |row: &[u32]| row.is_sorted_by(|a, b| a < b);
        (0..self.n_rows()).into_par_iter().with_min_len(256).all(|i| increases(self.row(i).0))
    }

    /// Sorts every row by column and sums entries of the same column, in their order.
    fn sort_and_sum(&mut self) {
        let mut indptr = Vec::with_capacity(self.indptr.len());
        let mut indices: Vec<u32> = Vec::with_capacity(self.indices.len());
        let mut values: Vec<f32> = Vec::with_capacity(self.values.len());
        let mut entries: Vec<(u32, f32)> = Vec::new();
        indptr.push(0);
        for i in 0..self.n_rows() {
            let (columns, row) = self.row(i);
            entries.clear();
            entries.extend(columns.iter().copied().zip(row.iter().copied()));
            entries.sort_by_key(|entry| entry.0);
            let start = values.len();
            for &(column, value) in &entries {
                if values.len() > start && indices.last() == Some(&column) {
                    if let Some(last) = values.last_mut() {
                        *last += value;
                    }
                } else {
                    indices.push(column);
                    values.push(value);
                }
            }
            indptr.push(values.len());
        }
        (self.indptr, self.indices, self.values) = (indptr, indices, values);
    }
}

impl Csr {
    /// The values of a dense matrix that are not zero.
    pub(crate) fn of_dense(dense: &ndarray::Array2<f32>) -> Self {
        let mut sparse = Self {
            n_cols: dense.ncols(),
            indptr: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
        };
        for row in dense.rows() {
            for (j, &value) in row.iter().enumerate().filter(|entry| entry.1.abs() > 0.0) {
                sparse.indices.push(j as u32);
                sparse.values.push(value);
            }
            sparse.indptr.push(sparse.values.len());
        }
        sparse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Csr {
        // [1 0 2]
        // [0 0 0]
        // [0 3 4]
        Csr::new(3, vec![0, 2, 2, 4], vec![0, 2, 1, 2], vec![1., 2., 3., 4.]).unwrap()
    }

    #[test]
    fn sorts_rows_and_sums_duplicates() {
        let unsorted =
            Csr::new(3, vec![0, 3, 3, 5], vec![2, 0, 2, 2, 1], vec![1.5, 1., 0.5, 4., 3.]).unwrap();
        assert_eq!(unsorted, small());
    }

    #[test]
    fn rows_are_added_and_columns_renumbered() {
        let mut twice = small().select_rows(&[0]);
        twice.reserve(2, 2);
        twice.append(&small().select_rows(&[1, 2]));
        assert_eq!(twice, small());
        // [2 1 0]
        // [0 0 0]
        // [4 0 3]
        let turned = small().renumbered(&[1, 2, 0]).unwrap();
        let expected =
            Csr::new(3, vec![0, 2, 2, 4], vec![0, 1, 0, 2], vec![2., 1., 4., 3.]).unwrap();
        assert_eq!(turned, expected);
        assert!(small().renumbered(&[0, 1]).is_err());
    }

    #[test]
    fn refuses_what_cannot_be_a_matrix() {
        let message = |indptr: Vec<usize>, indices: Vec<u32>| {
            let values = vec![1.0; indices.len()];
            Csr::new(3, indptr, indices, values).unwrap_err().to_string()
        };
        assert!(message(vec![0, 1], vec![7]).contains("index 7"));
        assert!(message(vec![0, 2, 1, 2], vec![0, 1]).contains("decreases after row 1"));
        assert!(message(vec![1, 2], vec![0, 1]).contains("does not start"));
        assert!(message(vec![0, 3], vec![0, 1]).contains("ends with 3"));
        assert!(Csr::new(3, vec![], vec![], vec![]).is_err());
    }

    #[test]
    fn selects_rows_and_columns() {
        let rows = small().select_rows(&[2, 0, 2]);
        assert_eq!(rows.row(0), (&[1, 2][..], &[3., 4.][..]));
        assert_eq!(rows.row(1), (&[0, 2][..], &[1., 2.][..]));
        let columns = small().select_columns(&[0, 2]);
        assert_eq!(columns.row(0), (&[0, 1][..], &[1., 2.][..]));
        assert_eq!(columns.row(2), (&[1][..], &[4.][..]));
        assert_eq!(columns.n_cols(), 2);
    }

    #[test]
    fn transposes() {
        let expected =
            Csr::new(3, vec![0, 1, 2, 4], vec![0, 2, 0, 2], vec![1., 3., 2., 4.]).unwrap();
        assert_eq!(small().transposed(), expected);
        assert_eq!(small().transposed().transposed(), small());
    }
}
