//! Values of a model or a table, moved to the rows of a file by the names of the cells.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, duplicates};

/// The rows of some cells in a file.
pub(super) struct Rows {
    /// For each cell its row in the file; `None` for cells that are not there.
    rows: Vec<Option<usize>>,
    /// Number of rows of the file.
    n_rows: usize,
}

impl Rows {
    /// Finds `cells` in `file` by name. `whose` names their origin in errors. Time O((n + m) log n).
    ///
    /// # Errors
    /// [`Error::Unreadable`] if one of the cells is in the file twice; [`Error::OtherCells`] if none is in the
    /// file.
    pub(super) fn find(file: &H5ad, cells: &[String], whose: &str) -> Result<Self> {
        let names = file.obs_names()?;
        let places: BTreeMap<&str, usize> =
            names.iter().enumerate().map(|(row, name)| (name.as_str(), row)).collect();
        let rows: Vec<Option<usize>> =
            cells.iter().map(|cell| places.get(cell.as_str()).copied()).collect();
        if places.len() < names.len()
            && let Some(twice) = duplicates(&names).iter().find(|name| cells.contains(name))
        {
            return Err(Error::Unreadable {
                path: file.path().to_path_buf(),
                problem: format!("the cell `{twice}` is there more than once"),
                way_out: Some(
                    "make names unique before the fit, with anndata's `obs_names_make_unique`"
                        .into(),
                ),
            });
        }
        if rows.iter().all(Option::is_none) {
            let first = |of: &[String]| of.iter().take(3).cloned().collect();
            return Err(Error::OtherCells {
                whose: whose.to_string(),
                asked: first(cells),
                path: file.path().to_path_buf(),
                there: first(&names),
            });
        }
        Ok(Self { rows, n_rows: names.len() })
    }

    /// Number of the cells that are in the file.
    pub(super) fn n_found(&self) -> usize {
        self.rows.iter().flatten().count()
    }

    /// Number of the cells that were looked for.
    pub(super) fn n_asked(&self) -> usize {
        self.rows.len()
    }

    /// Number of rows of the file.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// For each cell that was found its row in the file and its index among the cells.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.rows.iter().enumerate().filter_map(|(place, row)| Some(((*row)?, place)))
    }

    /// A column of `obs` with the `values` of the cells; NaN for other cells.
    pub(super) fn floats(&self, values: &[f64]) -> Column {
        let mut all = vec![f64::NAN; self.n_rows];
        self.pairs().for_each(|(row, place)| all[row] = values[place]);
        Column::Floats(all)
    }

    /// A column of `obs` with the entries of `column`; missing for other cells.
    pub(super) fn column(&self, column: &Column) -> Column {
        let mut places = vec![usize::MAX; self.n_rows];
        self.pairs().for_each(|(row, place)| places[row] = place);
        column.select(&places)
    }

    /// An array of `obsm` with the rows of `values`; other cells have `elsewhere`.
    pub(super) fn points(&self, values: ArrayView2<'_, f64>, elsewhere: f64) -> Array2<f64> {
        let mut all = Array2::from_elem((self.n_rows, values.ncols()), elsewhere);
        self.pairs().for_each(|(row, place)| all.row_mut(row).assign(&values.row(place)));
        all
    }
}
