//! The file on which a model was fitted: found again and read with cells in the order of the model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::io::h5ad::H5ad;
use crate::io::identity::{Identity, compare};
use crate::io::model::{Model, OpenModel, Reading, ValuesChoice, ValuesRecord, read_header};
use crate::io::run::{RunRecord, read_json};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::selection::{file_name, matrix_source, select};
use crate::pipeline::shared::counted::{Counted, WHOLE_BYTES, log_scale, record, scale_as};
use crate::pipeline::shared::group_labels::{MOST_GROUPS, check_labels};
use crate::pipeline::shared::unique_names::unique;
use crate::preprocess::{Values, detect};
use crate::progress::{self, Progress};

/// An open `.h5ad` file that contains the cells of a model.
///
/// Values are read as the fit read them: from the same matrix and on the same log scale.
#[derive(Debug)]
pub(crate) struct Fitted {
    file: H5ad,
    /// For each cell of the model its row in the file.
    rows: Vec<usize>,
    /// Which cells and values the fit read.
    reading: Reading,
    /// Name of the source of coordinates, for messages.
    source_name: String,
    /// The log scale of the fit; older models do not record it.
    values: Option<ValuesRecord>,
    /// Genes of the model, in its order.
    genes: Vec<String>,
    /// Whether the user gave another file than the one that was fitted.
    other: bool,
}

impl Fitted {
    /// Opens the file `given`. Without it, the file is looked for at the path of the fit, and by its name in
    /// the current folder and beside the folder of the model.
    ///
    /// Returns `None` if no file is given and none is found. Cells and genes are matched by name, so that a
    /// copy with more cells or in another order works. Without `given`, the file must be the one that
    /// was fitted (see [`compare`]).
    ///
    /// # Errors
    /// [`Error::InputChanged`] if no file is given and the file that is found is not the fitted one;
    /// [`Error::Unreadable`] or [`Error::OtherCells`] if the file lacks cells of the model; those of
    /// [`crate::io::model::Header::reading`].
    pub(crate) fn find(
        model: &OpenModel,
        given: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Self>> {
        let (path, other) = match given {
            Some(given) => {
                let path = PathBuf::from(given);
                // A missing file or one that is no `.h5ad` should be reported before the file is hashed.
                drop(H5ad::open(&path)?);
                let recorded = model.header.fitted_file(model.folder())?;
                let other = compare(&path, &recorded, model.folder(), progress)? != Identity::Same;
                if other {
                    let text = format!(
                        "{} is not the file that was fitted: its cells and genes are found by their \
                         names",
                        file_name(&path)
                    );
                    progress::note(progress, text)?;
                }
                (path, other)
            }
            None => match place(model, progress)? {
                Some(path) => (path, false),
                None => return Ok(None),
            },
        };
        let file = H5ad::open(&path)?;
        let reading = model.header.reading(model.folder())?;
        let rows = rows_of(&file, model, &reading)?;
        let fitted = Self {
            file,
            rows,
            reading,
            source_name: model.header.source.clone(),
            values: model.header.values,
            genes: model.genes.clone(),
            other,
        };
        fitted.say_missing_genes(progress)?;
        Ok(Some(fitted))
    }

    /// As [`Fitted::find`], for commands that need the file.
    ///
    /// # Errors
    /// As [`Fitted::find`], and [`Error::Unreadable`] if the file is not found.
    pub(crate) fn open(
        model: &OpenModel,
        given: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        if let Some(found) = Self::find(model, given, progress)? {
            return Ok(found);
        }
        let named =
            run_of(model.folder())?.map(|run| run.input.path).filter(|path| !path.is_empty());
        Err(Error::Unreadable {
            path: PathBuf::from(named.unwrap_or_else(|| "DATA.h5ad".into())),
            problem: "the file that was fitted is not here".into(),
            way_out: Some("say where it is with the parameter `data = FILE`".into()),
        })
    }

    /// The open file.
    pub(crate) fn file(&self) -> &H5ad {
        &self.file
    }

    /// For each cell of the model its row in the file.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The labels of the cells of the model in a column of `obs`; empty for cells without a label.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the existing columns.
    pub(crate) fn labels(&self, column: &str) -> Result<Vec<String>> {
        let column = self.file.obs(column)?;
        Ok(self.rows.iter().map(|&row| column.label(row).unwrap_or_default()).collect())
    }

    /// The groups of the cells of the model in a column of `obs`; empty for cells without a group.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the existing columns; those of [`check_labels`].
    pub(crate) fn groups(&self, name: &str) -> Result<Vec<String>> {
        let column = self.file.obs(name)?;
        let all = column.counts();
        if MOST_GROUPS < all.len() {
            let is_likely = |other: &String| {
                self.file.obs(other).is_ok_and(|column| {
                    !column.is_numeric() && (2..=MOST_GROUPS).contains(&column.counts().len())
                })
            };
            let likely: Vec<String> =
                self.file.obs_columns()?.into_iter().filter(is_likely).collect();
            let numbers = [all.len(), all.values().sum()];
            check_labels(name, numbers, column.is_numeric(), &likely)?;
        }
        self.labels(name)
    }

    /// Names of all genes of the file, made unique.
    ///
    /// The genes of the model come in the order of the model, at the places that they have in the file; other
    /// genes keep their places. So the order does not depend on a permutation of the genes of a copy.
    ///
    /// # Errors
    /// [`Error::NoGeneSpace`] if the model was fitted on an embedding and the file has no matrix.
    pub(crate) fn genes(&self, progress: &mut dyn Progress) -> Result<Vec<String>> {
        let source = matrix_source(&self.reading.source);
        if !self.file.has_matrix(&source)? {
            return Err(Error::NoGeneSpace { source_name: self.source_name.clone() });
        }
        let names = unique(self.file.gene_names(&source)?, progress)?;
        Ok(in_order(&names, &self.genes).into_iter().map(|column| names[column].clone()).collect())
    }

    /// Expression on the scale that was fitted, `(n_cells, columns)`, for all cells in the order of the model.
    ///
    /// `columns` are indices in [`Fitted::genes`]. Memory: 4 bytes for each value that is returned, and blocks
    /// of the matrix.
    ///
    /// # Errors
    /// As [`Fitted::expression_of`].
    pub(crate) fn expression(
        &self,
        columns: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Array2<f32>> {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        self.expression_of(&all, columns, progress)
    }

    /// As [`Fitted::expression`], only for the cells `cells` (indices in the model).
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the values of another file are counts and those of the fitted file were not, or
    /// the other way round; those of [`H5ad::matrix_rows`].
    pub(crate) fn expression_of(
        &self,
        cells: &[usize],
        columns: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Array2<f32>> {
        let source = matrix_source(&self.reading.source);
        let read = |rows: &[usize], progress: &mut dyn Progress| {
            Counted::read(&self.file, &source, rows, WHOLE_BYTES, progress)
        };
        let values = if let Some(values) = self.values {
            values
        } else {
            let (sorted, _) = sorted_with_places(&self.rows);
            let all = read(&sorted, progress)?;
            let options = as_options(&self.reading);
            record(&log_scale(all.blocks(), &options, progress)?.scale)
        };
        let rows: Vec<usize> = cells.iter().map(|&cell| self.rows[cell]).collect();
        let (rows, row_places) = sorted_with_places(&rows);
        let found = read(&rows, progress)?;
        if self.other {
            self.check_values(values, &found, progress)?;
        }
        let scale = scale_as(values, found.blocks(), progress)?;
        let names = unique(self.file.gene_names(&source)?, &mut progress::Silent)?;
        let order = in_order(&names, &self.genes);
        let columns: Vec<usize> = columns.iter().map(|&column| order[column]).collect();
        let (columns, column_places) = sorted_with_places(&columns);
        let values = found.keep(&scale, Some(&columns), progress).map(dense)?;
        Ok(placed(placed(values, Axis(0), &row_places), Axis(1), &column_places))
    }

    /// Refuses counts if the fit read none, and values that are no counts if the fit read counts.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    fn check_values(
        &self,
        values: ValuesRecord,
        found: &Counted<'_>,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        if self.reading.values != ValuesChoice::Auto {
            return Ok(());
        }
        let were_counts = matches!(values, ValuesRecord::Counts { .. });
        let are_counts = detect(found.blocks(), progress)?.values == Values::Counts;
        if were_counts == are_counts {
            return Ok(());
        }
        let (were, are) = if were_counts { ("counts", "not") } else { ("no counts", "counts") };
        Err(Error::Unreadable {
            path: self.file.path().to_path_buf(),
            problem: format!(
                "the model was fitted on {were}, and the values of this file are {are}"
            ),
            way_out: Some(
                "give the file that was fitted with the parameter `data = FILE`, or fit again"
                    .into(),
            ),
        })
    }

    /// Notes which genes of the model are missing from a file that is not the fitted one.
    fn say_missing_genes(&self, progress: &mut dyn Progress) -> Result<()> {
        let source = matrix_source(&self.reading.source);
        if !self.other || self.genes.is_empty() || !self.file.has_matrix(&source)? {
            return Ok(());
        }
        let names = self.file.gene_names(&source)?;
        let there = places(&names);
        let missing: Vec<&String> =
            self.genes.iter().filter(|gene| !there.contains_key(gene.as_str())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{} of the {} genes of the model are not in {}, such as {}: the depth of a cell is the sum of \
             the genes in this file",
            missing.len(),
            self.genes.len(),
            file_name(self.file.path()),
            first(&missing)
        );
        progress::note(progress, text)
    }
}

/// Whether the model in `folder` was fitted on the file `path`. It is `false` if the folder has no readable
/// model.
///
/// # Errors
/// [`Error::Io`] or [`Error::Unreadable`] if the file cannot be read; [`Error::Cancelled`].
#[doc(hidden)]
pub fn is_fitted_file(path: &Path, folder: &Path, progress: &mut dyn Progress) -> Result<bool> {
    match read_header(folder).and_then(|header| header.fitted_file(folder)) {
        // A file that is no `.h5ad` should be reported as such before it is compared.
        Ok(recorded) => {
            drop(H5ad::open(path)?);
            Ok(compare(path, &recorded, folder, progress)? == Identity::Same)
        }
        Err(_) => Ok(false),
    }
}

/// The run record of the model in `folder`, if there is one.
fn run_of(folder: &Path) -> Result<Option<RunRecord>> {
    let path = folder.join("run.json");
    if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
}

/// The path of the fitted file: at the path of the fit, or by its name in the current folder or beside the model.
///
/// # Errors
/// [`Error::InputChanged`] if files of this name exist and none is the fitted one.
fn place(model: &OpenModel, progress: &mut dyn Progress) -> Result<Option<PathBuf>> {
    let Some(run) = run_of(model.folder())? else { return Ok(None) };
    let input = &run.input;
    let beside = model.folder().parent().map(|parent| parent.join(&input.file));
    let places = [Some(PathBuf::from(&input.path)), Some(PathBuf::from(&input.file)), beside];
    let mut changed = None;
    // A course in several files may be a folder.
    let is_there = |path: &PathBuf| path.is_file() || !input.files.is_empty() && path.is_dir();
    for path in places.into_iter().flatten().filter(is_there) {
        let recorded = model.header.fitted_file(model.folder())?;
        match compare(&path, &recorded, model.folder(), progress)? {
            Identity::Same => return Ok(Some(path)),
            Identity::Other(by) => {
                changed.get_or_insert(Error::InputChanged { path, by });
            }
        }
    }
    changed.map_or(Ok(None), Err)
}

/// The row of each cell of `model` in `file`, by its name.
///
/// If names are not unique, the filters and times of the fit select the cells, which must then have the names and
/// the order of the model.
///
/// # Errors
/// [`Error::OtherCells`] if no cell is found; [`Error::Unreadable`] if some are missing or not unique.
fn rows_of(file: &H5ad, model: &Model, reading: &Reading) -> Result<Vec<usize>> {
    let names = file.obs_names()?;
    let there = places(&names);
    if there.len() < names.len() {
        let rows = select(file, &as_options(reading), &mut progress::Silent)?.rows;
        if rows.iter().map(|&row| &names[row]).eq(&model.cells) {
            return Ok(rows);
        }
    }
    let missing: Vec<&String> =
        model.cells.iter().filter(|cell| !there.contains_key(cell.as_str())).collect();
    let path = file.path().to_path_buf();
    let n_cells = model.cells.len();
    let problem = if missing.len() == n_cells {
        let first = |of: &[String]| of.iter().take(3).cloned().collect();
        let whose = "the model".to_string();
        let (asked, there) = (first(&model.cells), first(&names));
        return Err(Error::OtherCells { whose, asked, path, there });
    } else if !missing.is_empty() {
        let (n, such) = (missing.len(), first(&missing));
        format!("{n} of the {n_cells} cells of the model are not in it, such as {such}")
    } else if there.len() < names.len() {
        format!(
            "its names of cells are not unique, and its cells that meet the filters of the fit are not \
             the {n_cells} cells of the model in their order"
        )
    } else {
        return Ok(model.cells.iter().map(|cell| there[cell.as_str()]).collect());
    };
    let way_out =
        "give the file that was fitted with the parameter `data = FILE`, or fit again".to_string();
    Err(Error::Unreadable { path, problem, way_out: Some(way_out) })
}

/// Options of a fit that read the same cells and values.
fn as_options(reading: &Reading) -> FitOptions {
    let Reading { time, source, values, filters } = reading.clone();
    FitOptions { time, source, values, filters, ..FitOptions::default() }
}

/// The index of each name; the last one if it is repeated.
fn places(names: &[String]) -> BTreeMap<&str, usize> {
    names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect()
}

fn first(names: &[&String]) -> String {
    names.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The order of columns described at [`Fitted::genes`]; for the fitted file itself `0, 1, 2, …`.
fn in_order(names: &[String], of_model: &[String]) -> Vec<usize> {
    let there = places(names);
    let found: Vec<usize> =
        of_model.iter().filter_map(|gene| there.get(gene.as_str()).copied()).collect();
    let mut order: Vec<usize> = (0..names.len()).collect();
    let (sorted, _) = sorted_with_places(&found);
    for (place, column) in sorted.into_iter().zip(found) {
        order[place] = column;
    }
    order
}

/// The numbers in increasing order, and for each number its index in this order.
fn sorted_with_places(numbers: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let places = numbers.iter().map(|number| sorted.partition_point(|other| other < number));
    let places = places.collect();
    (sorted, places)
}

/// `values` with the rows or columns `places`; without a copy if these are `0, 1, 2, …`.
fn placed(values: Array2<f32>, axis: Axis, places: &[usize]) -> Array2<f32> {
    if places.iter().copied().eq(0..places.len()) { values } else { values.select(axis, places) }
}

/// A matrix as a dense array.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_of_the_model_come_in_its_order_and_others_stay() {
        let names = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let order = |file: &str, model: &str| {
            let file = names(file);
            let order = in_order(&file, &names(model));
            order.into_iter().map(|column| file[column].clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order("A x B y C", "A B C"), "A x B y C");
        assert_eq!(order("C x A y B", "A B C"), "A x B y C");
        assert_eq!(order("C x A", "A B C"), "A x C");
        assert_eq!(sorted_with_places(&[7, 2, 5]), (vec![2, 5, 7], vec![2, 0, 1]));
    }
}
