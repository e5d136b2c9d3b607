//! The file that a model was fitted on, found again, its cells in the order of the model.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::io::h5ad::H5ad;
use crate::io::model::{Model, ValuesRecord};
use crate::io::run::{RunRecord, read_json};
use crate::pipeline::config::FitOptions;
use crate::pipeline::coordinates::unique;
use crate::pipeline::counted::{Counted, WHOLE_BYTES, log_scale, record, scale_as};
use crate::pipeline::prepare::{matrix_source, select};
use crate::progress::{self, Progress};

/// An open file with the cells of a model.
#[derive(Debug)]
pub(super) struct Fitted {
    file: H5ad,
    rows: Vec<usize>,
    fit: FitOptions,
    source_name: String,
    /// What the fit made of the values; not known of older models.
    values: Option<ValuesRecord>,
}

impl Fitted {
    /// The file `given`, or where the fit found it, or by its name here or beside the model; `None` if
    /// none is given and it is in none of these places.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is corrupt or holds other cells.
    pub(super) fn find(
        (folder, model): (&Path, &Model),
        given: Option<&str>,
    ) -> Result<Option<Self>> {
        let run: Option<RunRecord> = read_json(&folder.join("run.json")).ok();
        let fit = run
            .as_ref()
            .and_then(|run| serde_json::from_value(run.parameters.clone()).ok())
            .unwrap_or_default();
        match place(folder, run.as_ref(), given) {
            Some(path) => Self::at(&path, model, fit).map(Some),
            None => Ok(None),
        }
    }

    /// As [`Fitted::find`], for what cannot be done without it.
    ///
    /// # Errors
    /// As there, and [`Error::Unreadable`] if it is in none of these places.
    pub(super) fn open((folder, model): (&Path, &Model), given: Option<&str>) -> Result<Self> {
        if let Some(found) = Self::find((folder, model), given)? {
            return Ok(found);
        }
        let run: Option<RunRecord> = read_json(&folder.join("run.json")).ok();
        let named = run.map(|run| run.input.path).filter(|path| !path.is_empty());
        Err(Error::Unreadable {
            path: PathBuf::from(named.unwrap_or_else(|| "DATA.h5ad".into())),
            problem: "the file that was fitted is not here".into(),
            way_out: Some("say where it is with `--data FILE`".into()),
        })
    }

    fn at(path: &Path, model: &Model, fit: FitOptions) -> Result<Self> {
        let file = H5ad::open(path)?;
        let rows = select(&file, &fit, &mut progress::Silent)?.rows;
        let names = file.obs_names()?;
        if !rows.iter().map(|&row| &names[row]).eq(&model.cells) {
            return Err(Error::Unreadable {
                path: path.to_path_buf(),
                problem: format!(
                    "its {} cells that meet the filters of the fit are not the {} cells of the model",
                    rows.len(),
                    model.cells.len()
                ),
                way_out: Some(
                    "give the file that was fitted with `--data FILE`, or fit again".into(),
                ),
            });
        }
        Ok(Self {
            file,
            rows,
            fit,
            source_name: model.header.source.clone(),
            values: model.header.values,
        })
    }

    /// A column of `obs` as labels, cell by cell of the model; empty where there is none.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the columns there are.
    pub(super) fn labels(&self, column: &str) -> Result<Vec<String>> {
        let column = self.file.obs(column)?;
        Ok(self.rows.iter().map(|&row| column.label(row).unwrap_or_default()).collect())
    }

    /// Names of all genes of the file, made unique.
    ///
    /// # Errors
    /// [`Error::NoGeneSpace`] if the model was fitted on an embedding and there is no matrix.
    pub(super) fn genes(&self, progress: &mut dyn Progress) -> Result<Vec<String>> {
        let source = matrix_source(&self.fit.source);
        if !self.file.has_matrix(&source)? {
            return Err(Error::NoGeneSpace { source_name: self.source_name.clone() });
        }
        unique(self.file.gene_names(&source)?, progress)
    }

    /// Expression of the genes `columns` on the scale that was fitted, `(n_cells, columns)`, cells as in
    /// the model.
    ///
    /// # Errors
    /// As [`H5ad::matrix_rows`].
    pub(super) fn expression(
        &self,
        columns: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Array2<f32>> {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        self.expression_of(&all, columns, progress)
    }

    /// As [`Fitted::expression`], of the cells `cells` (increasing) of the model only.
    ///
    /// # Errors
    /// As there.
    pub(super) fn expression_of(
        &self,
        cells: &[usize],
        columns: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Array2<f32>> {
        let source = matrix_source(&self.fit.source);
        let read = |rows: &[usize], progress: &mut dyn Progress| {
            Counted::read(&self.file, &source, (rows, WHOLE_BYTES), progress)
        };
        let values = if let Some(values) = self.values {
            values
        } else {
            let all = read(&self.rows, progress)?;
            record(&log_scale(all.blocks(), &self.fit, progress)?.scale)
        };
        let rows: Vec<usize> = cells.iter().map(|&cell| self.rows[cell]).collect();
        let found = read(&rows, progress)?;
        let scale = scale_as(values, found.blocks(), progress)?;
        found.keep(&scale, Some(columns), progress).map(dense)
    }
}

fn place(folder: &Path, run: Option<&RunRecord>, given: Option<&str>) -> Option<PathBuf> {
    if let Some(given) = given {
        return Some(PathBuf::from(given));
    }
    let input = &run?.input;
    let beside = folder.parent().map(|parent| parent.join(&input.file));
    let places = [Some(PathBuf::from(&input.path)), Some(PathBuf::from(&input.file)), beside];
    places.into_iter().flatten().find(|path| path.is_file())
}

fn dense(matrix: Matrix) -> Array2<f32> {
    match matrix {
        Matrix::Dense(values) => values,
        Matrix::Sparse(rows) => {
            let mut values = Array2::zeros((rows.n_rows(), rows.n_cols()));
            for (i, mut row) in values.rows_mut().into_iter().enumerate() {
                let (columns, stored) = rows.row(i);
                columns.iter().zip(stored).for_each(|(&j, value)| row[j as usize] = *value);
            }
            values
        }
    }
}
