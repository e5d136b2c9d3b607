//! A matrix of expression values in memory or on disk, and its way to a log scale.

use ndarray::Array1;

use crate::data::{CellBlocks, Matrix};
use crate::error::Result;
use crate::io::h5ad::{H5ad, H5adBlocks, MatrixInfo, MatrixSource, StorageFormat};
use crate::io::model::ValuesRecord;
use crate::pipeline::fit::options::{FitOptions, ValuesChoice};
use crate::pipeline::fit::selection::matrix_source;
use crate::preprocess::{Detected, LogScale, Values, survey};
use crate::progress::{self, Progress};

/// The selected cells of a matrix. Results do not depend on the variant, to the bit.
#[derive(Debug)]
pub(crate) enum Counted<'f> {
    /// All in memory.
    Whole(Matrix),
    /// On disk, and read block by block at every pass.
    Blocks(H5adBlocks<'f>),
}

/// Size of the largest matrix that is held whole in memory, in bytes. Every pass through a matrix on
/// disk decompresses it again, so that a small matrix is faster in memory.
pub(crate) const WHOLE_BYTES: f64 = 1e9;

impl<'f> Counted<'f> {
    /// The cells `rows` (increasing) of a matrix. It is held whole if this takes no more than `most`
    /// bytes, or if it is stored by columns (CSC), which cannot be read block by block.
    ///
    /// # Errors
    /// Those of reading this part of the file; [`crate::Error::Cancelled`].
    pub(crate) fn read(
        file: &'f H5ad,
        source: &MatrixSource,
        rows: &[usize],
        most: f64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        if most < bytes_of(&file.matrix_info(source)?, rows.len())
            && let Some(blocks) = file.matrix_blocks(source, rows)?
        {
            return Ok(Self::Blocks(blocks));
        }
        file.matrix_rows(source, rows, progress).map(Self::Whole)
    }

    /// The cells block by block, for one pass.
    pub(crate) fn blocks(&self) -> &dyn CellBlocks {
        match self {
            Self::Whole(matrix) => matrix,
            Self::Blocks(blocks) => blocks,
        }
    }

    /// The genes `columns`, or all genes, of all cells on a log scale, in memory.
    ///
    /// # Errors
    /// As [`LogScale::keep`].
    pub(crate) fn keep(
        self,
        scale: &LogScale,
        columns: Option<&[usize]>,
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        self.keep_within(scale, columns, f64::INFINITY, progress)
    }

    /// As [`Counted::keep`], within `most` bytes for the kept values. A matrix in memory that stays as it
    /// is does not count.
    ///
    /// # Errors
    /// As [`LogScale::keep_within`].
    pub(crate) fn keep_within(
        self,
        scale: &LogScale,
        columns: Option<&[usize]>,
        most: f64,
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        match (self, columns, scale) {
            (Self::Whole(matrix), None, LogScale::AsIs) => Ok(matrix),
            (cells, ..) => scale.keep_within(cells.blocks(), columns, most, progress),
        }
    }
}

/// Bytes of `n_cells` cells of a matrix in memory, with those that reading takes beside: 4 for each value,
/// 4 for each index of a sparse one, and one copy of all indices of a matrix by columns.
pub(crate) fn bytes_of(info: &MatrixInfo, n_cells: usize) -> f64 {
    let share = n_cells as f64 / info.n_cells.max(1) as f64;
    let stored = info.n_stored as f64;
    match info.format {
        StorageFormat::Dense => 4.0 * stored * share,
        StorageFormat::Csr => 8.0 * stored * share,
        StorageFormat::Csc => 8.0 * stored * share + 4.0 * stored,
    }
}

/// The log scale of further cells of a file, by the recorded kind of its values. Counts are scaled to
/// the recorded depth.
///
/// # Errors
/// Those of reading `cells`.
pub(crate) fn scale_as(
    values: ValuesRecord,
    cells: &dyn CellBlocks,
    progress: &mut dyn Progress,
) -> Result<LogScale> {
    Ok(match values {
        ValuesRecord::AsIs => LogScale::AsIs,
        ValuesRecord::Normalised => LogScale::Normalised,
        ValuesRecord::Counts { depth } => {
            LogScale::Counts { depths: survey(cells, progress)?.1, target: depth }
        }
    })
}

/// The record of a log scale in model files, without the depths of single cells.
pub(crate) fn record(scale: &LogScale) -> ValuesRecord {
    match scale {
        LogScale::AsIs | LogScale::Plain => ValuesRecord::AsIs,
        LogScale::Normalised => ValuesRecord::Normalised,
        LogScale::Counts { target, .. } => ValuesRecord::Counts { depth: *target },
    }
}

/// The log scale of a matrix, with findings about its values.
pub(crate) struct Scaled {
    /// Whether no value is negative.
    pub(crate) non_negative: bool,
    /// The numbers of the cells that contain only zeros, increasing.
    pub(crate) empty: Vec<usize>,
    /// The way to a log scale.
    pub(crate) scale: LogScale,
}

/// Surveys all values of `cells` in one pass, decides how they come to a log scale, and notes it.
///
/// The parameter `values` of `options` decides; with [`ValuesChoice::Auto`] the values do.
///
/// # Errors
/// Those of reading `cells`; [`crate::Error::Cancelled`].
pub(crate) fn log_scale(
    cells: &dyn CellBlocks,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Scaled> {
    let (detected, depths) = survey(cells, progress)?;
    scale_of(&detected, depths, options, progress)
}

/// The log scale of a matrix that was surveyed, and a note on it.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub(crate) fn scale_of(
    detected: &Detected,
    depths: Array1<f64>,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Scaled> {
    // Beside an embedding, genes are read from a matrix.
    let source = matrix_source(&options.source);
    let non_negative = 0.0 <= detected.min;
    let is_empty = |cell: &usize| non_negative && depths[*cell] <= 0.0;
    let empty = (0..depths.len()).filter(is_empty).collect();
    let taken = match (options.values, detected.values) {
        (ValuesChoice::Counts, _) | (ValuesChoice::Auto, Values::Counts) => {
            LogScale::of_depths(depths)
        }
        (ValuesChoice::Normalised, _) | (ValuesChoice::Auto, Values::Normalised) => {
            LogScale::Normalised
        }
        (_, Values::Log1p | Values::Scaled) => LogScale::AsIs,
        (_, Values::Counts | Values::Normalised | Values::Other) => LogScale::Plain,
    };
    let text = match (&taken, detected.values) {
        (LogScale::Counts { target, .. }, _) => {
            format!("{source} holds counts: scaled to the median depth {target:.0}, log1p")
        }
        (LogScale::Normalised, Values::Normalised) => {
            format!("{source} {}: log1p", depth_of(detected))
        }
        (LogScale::Normalised, _) => format!("{source} is taken to be normalised: log1p"),
        (_, Values::Log1p) => format!("{source} is on a log scale already: used as it is"),
        (_, Values::Scaled) => {
            format!("{source} is scaled (it has negative values): used as it is")
        }
        (_, Values::Counts) => format!("{source} looks like counts: used as it is"),
        (_, Values::Normalised) => format!("{source} {}: used as it is", depth_of(detected)),
        (_, Values::Other) => format!(
            "{source} holds neither counts nor logarithms (values up to {:.0}, not whole), and its \
             cells have no depth in common: used as it is; the parameter `values = counts` brings cells to \
             one depth and takes log1p, the parameter `values = normalised` takes only log1p",
            detected.max
        ),
    };
    progress::note(progress, text)?;
    Ok(Scaled { non_negative, empty, scale: taken })
}

/// The words for normalised values, with the depth that all cells have.
fn depth_of(detected: &Detected) -> String {
    let depth = detected.common_depth.unwrap_or(f64::NAN);
    // The depths of cells may differ in the digits that are left out.
    let places = if depth < 100.0 { 2 } else { 0 };
    format!("is normalised, not logged (the values of a cell sum to {depth:.places$})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BLOCK_CELLS;
    use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
    use crate::linalg::Csr;
    use crate::pipeline::shared::recorder::Recorder;
    use crate::preprocess::GeneSelector;
    use crate::progress::Silent;

    #[test]
    fn the_note_names_the_matrix_of_the_values_also_beside_an_embedding() {
        use crate::pipeline::fit::options::Source;
        let of = |source: Source| {
            let cells = Matrix::Dense(ndarray::array![[1.0, 3.0], [2.0, 2.0]]);
            let mut silent = Silent;
            let mut notes = Recorder::new(&mut silent);
            log_scale(&cells, &FitOptions::default().with_source(source), &mut notes).unwrap();
            notes.into_notes().concat()
        };
        assert!(of(Source::Rep("X_umap".into())).starts_with("X holds counts"));
        assert!(of(Source::Layer("raw".into())).starts_with("layers/raw holds counts"));
    }

    /// Counts of more cells than two blocks hold, with nine genes of one third of the cells.
    fn counts() -> Csr {
        let (n_cells, n_genes) = (2 * BLOCK_CELLS + 300, 60);
        let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for i in 0..n_cells {
            for j in 0..n_genes {
                let n = i * 37 + j * j * 11 + i * j;
                if n % 4 == 1 || (i % 3 == 0 && j < 9) {
                    indices.push(j as u32);
                    values.push((1 + n % (3 + j % 7)) as f32);
                }
            }
            indptr.push(values.len());
        }
        Csr::new(n_genes, indptr, indices, values).unwrap()
    }

    #[test]
    fn on_disk_and_in_memory_are_the_same_to_the_bit() {
        let counts = counts();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.h5ad");
        let names = |stem: &str, n: usize| (0..n).map(|i| format!("{stem}{i}")).collect::<Vec<_>>();
        let (cells, genes) = (names("c", counts.n_rows()), names("g", counts.n_cols()));
        let content = H5adContent {
            obs_names: &cells,
            obs: &[],
            var_names: &genes,
            x: Some(MatrixContent::Sparse(&counts)),
            layers: &[],
            obsm: &[],
            obsm_sparse: &[],
            obsp: &[],
            uns: &[],
            gzip: true,
        };
        write_h5ad(&path, &content).unwrap();
        let file = H5ad::open(&path).unwrap();
        let rows: Vec<usize> = (0..counts.n_rows()).filter(|i| i % 11 != 5).collect();
        let prepared = |most: f64| {
            let read = Counted::read(&file, &MatrixSource::X, &rows, most, &mut Silent).unwrap();
            assert_eq!(matches!(read, Counted::Blocks(_)), most <= 0.0);
            let options = FitOptions::default();
            let Scaled { non_negative, scale, .. } =
                log_scale(read.blocks(), &options, &mut Silent).unwrap();
            assert!(non_negative);
            let selector = GeneSelector { n_genes: 20, ..GeneSelector::default() };
            let genes = selector.select(read.blocks(), &scale, &mut Silent).unwrap();
            let kept = read.keep(&scale, Some(&genes), &mut Silent).unwrap();
            (scale, genes, kept)
        };
        let (scale, genes, kept) = prepared(f64::INFINITY);
        assert_eq!(prepared(0.0), (scale.clone(), genes.clone(), kept.clone()));
        // The values of one cell, by the formula.
        let LogScale::Counts { depths, target } = scale else { panic!("{scale:?}") };
        let (columns, values) = counts.row(rows[5]);
        let depth: f64 = values.iter().map(|&value| f64::from(value)).sum();
        assert!((depths[5] - depth).abs() < 1e-9);
        let Matrix::Sparse(kept) = kept else { panic!() };
        let expected: Vec<f32> = columns
            .iter()
            .zip(values)
            .filter(|(column, _)| genes.contains(&(**column as usize)))
            .map(|(_, &value)| {
                (f64::from((f64::from(value) * target / depth) as f32)).ln_1p() as f32
            })
            .collect();
        assert_eq!(kept.row(5).1, expected);
    }
}
