//! Several files as one: the order of genes, columns of `obs`, and matrices part by part.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Axis;

use crate::data::{Column, Matrix};
use crate::error::{Error, Result};
use crate::io::h5ad::info::{MatrixInfo, StorageFormat};
use crate::io::h5ad::matrix::StoredMatrix;
use crate::io::h5ad::part::Part;
use crate::linalg::Csr;
use crate::progress::Progress;

/// The order of the genes of a part relative to the first part; `None` if it is the same.
pub(super) type GeneOrder = Option<Arc<Order>>;

/// A permutation of genes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// For each gene of the first part its column in this part.
    columns: Vec<usize>,
    /// For each column of this part its gene of the first part.
    genes: Vec<u32>,
}

impl Order {
    /// The order in which `there` has the genes `here`, all of them once.
    fn of(here: &[String], there: &[String]) -> Option<Self> {
        let places: BTreeMap<&String, usize> =
            there.iter().enumerate().map(|(place, name)| (name, place)).collect();
        let columns: Vec<usize> = here.iter().map_while(|name| places.get(name).copied()).collect();
        let mut genes = vec![u32::MAX; there.len()];
        for (gene, &column) in columns.iter().enumerate() {
            genes[column] = gene as u32;
        }
        let is_whole = columns.len() == here.len() && !genes.contains(&u32::MAX);
        is_whole.then_some(Self { columns, genes })
    }
}

/// The order of the genes `there` of `part` relative to the genes `here` of `first`.
///
/// # Errors
/// [`Error::Unreadable`] if the genes are not the same, or names that occur more than once are in another order.
pub(super) fn gene_order(
    first: &Part,
    part: &Part,
    here: &[String],
    there: &[String],
) -> Result<GeneOrder> {
    if here == there {
        return Ok(None);
    }
    if let Some(order) = Order::of(here, there) {
        return Ok(Some(Arc::new(order)));
    }
    let absent = |wanted: &[String], among: &[String]| -> Vec<String> {
        let among: std::collections::BTreeSet<&String> = among.iter().collect();
        wanted.iter().filter(|name| !among.contains(name)).cloned().collect()
    };
    let (lacks, adds) = (absent(here, there), absent(there, here));
    let such = |names: &[String]| {
        let shown: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
        shown.join(", ")
    };
    let whose = first.path().display();
    let parts = [(&lacks, "lacks"), (&adds, "has in addition")];
    let differ: Vec<String> = parts
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, verb)| format!("{verb} {} genes, such as {}", names.len(), such(names)))
        .collect();
    let (problem, way_out) = if differ.is_empty() {
        let problem = format!(
            "it has the genes of `{whose}` in another order, and some names more than once"
        );
        (problem, "make the names of genes unique with anndata's `var_names_make_unique`")
    } else {
        let problem = format!(
            "it has {} genes, and `{whose}` has {}; it {}",
            there.len(),
            here.len(),
            differ.join(", and ")
        );
        (
            problem,
            "merge the files first: `anndata.concat([…], join=\"inner\").write_h5ad(\"all.h5ad\")`",
        )
    };
    let path = part.path().to_path_buf();
    Err(Error::Unreadable { path, problem, way_out: Some(way_out.into()) })
}

/// A matrix of one or more parts, whose values are not read.
pub(super) struct JoinedMatrix {
    /// The matrix of each part.
    pub(super) pieces: Vec<Piece>,
    /// The first row of each part, and the number of all rows.
    pub(super) starts: Vec<usize>,
}

/// The matrix of one part.
pub(super) struct Piece {
    /// The matrix in the file.
    pub(super) stored: StoredMatrix,
    /// The order of its genes.
    order: GeneOrder,
    /// Whether a dense matrix becomes sparse, because another part is sparse.
    thinned: bool,
}

impl JoinedMatrix {
    /// The matrices `stored` of all parts, which have as many columns, with the order of their genes.
    pub(super) fn new(stored: Vec<(StoredMatrix, GeneOrder)>) -> Self {
        let is_dense = |of: &StoredMatrix| matches!(of, StoredMatrix::Dense(_));
        let sparse = stored.iter().any(|(of, _)| !is_dense(of));
        let (mut pieces, mut starts) = (Vec::with_capacity(stored.len()), vec![0]);
        let mut end = 0;
        for (stored, order) in stored {
            end += stored.shape().0;
            starts.push(end);
            let thinned = sparse && is_dense(&stored);
            pieces.push(Piece { stored, order, thinned });
        }
        Self { pieces, starts }
    }

    /// Number of columns.
    pub(super) fn n_genes(&self) -> usize {
        self.pieces.first().map_or(0, |piece| piece.stored.shape().1)
    }

    /// Whether single rows of all parts can be read.
    pub(super) fn by_rows(&self) -> bool {
        let by_columns =
            |piece: &Piece| matches!(&piece.stored, StoredMatrix::Sparse(of) if !of.by_rows);
        !self.pieces.iter().any(by_columns)
    }

    /// Shape, storage and type of the whole.
    pub(super) fn info(&self) -> MatrixInfo {
        let all: Vec<MatrixInfo> = self.pieces.iter().map(|piece| piece.stored.info()).collect();
        let formats = [StorageFormat::Csc, StorageFormat::Csr, StorageFormat::Dense];
        let format = formats.into_iter().find(|format| all.iter().any(|of| of.format == *format));
        let (mut dtypes, mut compression) = (Vec::new(), Vec::new());
        for info in &all {
            if !dtypes.contains(&info.dtype) {
                dtypes.push(info.dtype.clone());
            }
            for filter in &info.compression {
                if !compression.contains(filter) {
                    compression.push(filter.clone());
                }
            }
        }
        MatrixInfo {
            format: format.unwrap_or(StorageFormat::Dense),
            n_cells: all.iter().map(|info| info.n_cells).sum(),
            n_genes: self.n_genes(),
            n_stored: all.iter().map(|info| info.n_stored).sum(),
            dtype: dtypes.join("/"),
            compression,
        }
    }

    /// The rows `rows` (strictly increasing and in range), or all of them.
    ///
    /// Memory in addition to the result: that of reading one part, and this part.
    ///
    /// # Errors
    /// As [`StoredMatrix::read`].
    pub(super) fn read(
        &self,
        rows: Option<&[usize]>,
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        if let [only] = &self.pieces[..] {
            return only.stored.read(rows, progress);
        }
        let share = rows.map_or(1.0, |rows| {
            rows.len() as f64 / self.starts.last().copied().unwrap_or(1).max(1) as f64
        });
        let mut all: Option<Matrix> = None;
        for (part, piece) in self.pieces.iter().enumerate() {
            let own = rows.map(|rows| self.rows_of(part, rows));
            let is_last = part + 1 == self.pieces.len();
            if own.as_ref().is_some_and(Vec::is_empty) && (all.is_some() || !is_last) {
                continue;
            }
            let block = piece.as_first(piece.stored.read(own.as_deref(), progress)?)?;
            match &mut all {
                Some(all) => all.append(block),
                None => all = Some(with_room(block, rows, self, share)),
            }
        }
        Ok(all.unwrap_or_else(|| Matrix::Dense(ndarray::Array2::default((0, self.n_genes())))))
    }

    /// The rows of part number `part` among `rows` (increasing), counted from its first row.
    pub(super) fn rows_of(&self, part: usize, rows: &[usize]) -> Vec<usize> {
        let (start, end) = (self.starts[part], self.starts[part + 1]);
        let from = rows.partition_point(|&row| row < start);
        let to = rows.partition_point(|&row| row < end);
        rows[from..to].iter().map(|row| row - start).collect()
    }

    /// The part that has row `row`.
    pub(super) fn part_of(&self, row: usize) -> usize {
        part_of(&self.starts, row)
    }

    /// About `most` stored values, from places spread evenly over all parts.
    ///
    /// # Errors
    /// As [`StoredMatrix::sample`].
    pub(super) fn sample(&self, most: usize) -> Result<Vec<f32>> {
        if let [only] = &self.pieces[..] {
            return only.stored.sample(most);
        }
        let sizes: Vec<usize> =
            self.pieces.iter().map(|piece| piece.stored.info().n_stored).collect();
        let all = sizes.iter().sum::<usize>().max(1) as f64;
        let mut values = Vec::new();
        for (piece, size) in self.pieces.iter().zip(sizes) {
            let share = (most as f64 * size as f64 / all).ceil() as usize;
            values.extend(piece.stored.sample(share.max(1))?);
        }
        Ok(values)
    }
}

/// The number of the part that has row `row`, from the first rows of all parts.
pub(super) fn part_of(starts: &[usize], row: usize) -> usize {
    starts
        .partition_point(|&start| start <= row)
        .saturating_sub(1)
        .min(starts.len().saturating_sub(2))
}

impl Piece {
    /// Rows of this part as those of the first part: with its order of genes, and sparse if another part is.
    ///
    /// # Errors
    /// Those of [`Csr::new`], which a checked order does not meet.
    pub(super) fn as_first(&self, block: Matrix) -> Result<Matrix> {
        let block = match (block, &self.order) {
            (Matrix::Dense(x), Some(order)) => Matrix::Dense(x.select(Axis(1), &order.columns)),
            (Matrix::Sparse(x), Some(order)) => Matrix::Sparse(x.renumbered(&order.genes)?),
            (block, None) => block,
        };
        Ok(match block {
            Matrix::Dense(x) if self.thinned => Matrix::Sparse(Csr::of_dense(&x)),
            block => block,
        })
    }

    /// Whether stored values are those of the first part without regard to their genes.
    pub(super) fn is_as_first(&self) -> bool {
        self.order.is_none() && !self.thinned
    }
}

/// The first rows of a matrix with room for about as many values in the other parts.
fn with_room(block: Matrix, rows: Option<&[usize]>, of: &JoinedMatrix, share: f64) -> Matrix {
    let n_rows = rows.map_or(of.starts.last().copied().unwrap_or(0), <[usize]>::len);
    match block {
        Matrix::Dense(x) => {
            let mut roomy = ndarray::Array2::default((0, x.ncols()));
            // Without room the array grows as it is filled.
            let _ = roomy.reserve_rows(n_rows);
            let mut roomy = Matrix::Dense(roomy);
            roomy.append(Matrix::Dense(x));
            roomy
        }
        Matrix::Sparse(mut x) => {
            let others = of.info().n_stored as f64 * share - x.n_stored() as f64;
            x.reserve(n_rows.saturating_sub(x.n_rows()), others.max(0.0) as usize);
            Matrix::Sparse(x)
        }
    }
}

/// The rows of all `blocks`, one below the other; sparse if one of them is.
pub(super) fn stacked(blocks: Vec<Matrix>) -> Matrix {
    let mut blocks = blocks.into_iter();
    let mut all = blocks.next().unwrap_or_else(|| Matrix::Dense(ndarray::Array2::default((0, 0))));
    blocks.for_each(|block| all.append(block));
    all
}

/// The entries of all `columns`, one below the other.
///
/// Categories are those of the first column, then those that are new in later ones. Columns of different types
/// become floats if they hold numbers, and texts otherwise, as with pandas.
pub(super) fn joined_columns(columns: Vec<Column>) -> Column {
    let all = |is: fn(&Column) -> bool| columns.iter().all(is);
    if all(|column| matches!(column, Column::Categories { .. })) {
        return joined_categories(columns);
    }
    let columns: Vec<Column> = columns.into_iter().map(plain).collect();
    same_type(columns)
}

/// The entries of columns that hold no categories.
fn same_type(columns: Vec<Column>) -> Column {
    let all = |is: fn(&Column) -> bool| columns.iter().all(is);
    if all(|column| matches!(column, Column::Integers(_))) {
        let values = columns.into_iter().flat_map(|column| match column {
            Column::Integers(values) => values,
            _ => Vec::new(),
        });
        return Column::Integers(values.collect());
    }
    if all(|column| matches!(column, Column::Bools(_))) {
        let values = columns.into_iter().flat_map(|column| match column {
            Column::Bools(values) => values,
            _ => Vec::new(),
        });
        return Column::Bools(values.collect());
    }
    if all(Column::is_numeric) {
        let values = columns
            .iter()
            .flat_map(|column| (0..column.len()).map(|i| column.number(i).unwrap_or(f64::NAN)));
        return Column::Floats(values.collect());
    }
    let texts = columns.iter().flat_map(|column| (0..column.len()).map(|i| column.label(i)));
    Column::Texts(texts.collect())
}

/// The entries of a column without categories.
fn plain(column: Column) -> Column {
    match column {
        Column::Categories { codes, categories } => {
            let places: Vec<usize> =
                codes.iter().map(|code| code.map_or(usize::MAX, |code| code as usize)).collect();
            categories.select(&places)
        }
        other => other,
    }
}

/// Categorical columns with the union of their categories.
fn joined_categories(columns: Vec<Column>) -> Column {
    let (mut of_columns, mut all_codes) = (Vec::new(), Vec::new());
    for column in columns {
        if let Column::Categories { codes, categories } = column {
            of_columns.push(*categories);
            all_codes.push(codes);
        }
    }
    let lengths: Vec<usize> = of_columns.iter().map(Column::len).collect();
    let all = same_type(of_columns);
    let (mut places, mut kept) = (BTreeMap::new(), Vec::new());
    let number = |place: usize| {
        let next = kept.len() as u32;
        let label = all.label(place)?;
        Some(*places.entry(label).or_insert_with(|| {
            kept.push(place);
            next
        }))
    };
    let numbers: Vec<Option<u32>> = (0..all.len()).map(number).collect();
    let (mut start, mut codes) = (0, Vec::new());
    for (of_column, length) in all_codes.into_iter().zip(lengths) {
        let own = &numbers[start..start + length];
        codes.extend(of_column.into_iter().map(|code| own.get(code? as usize).copied().flatten()));
        start += length;
    }
    Column::Categories { codes, categories: Box::new(all.select(&kept)) }
}
