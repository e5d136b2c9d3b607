//! Clones of the cells of a model, from columns of `obs` or matrices of `obsm` with lineage barcodes.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::io::model::OpenModel;
use crate::lineage::{Clones, Groups, is_reversed};
use crate::pipeline::shared::fitted_file::Fitted;
use crate::progress::{self, Progress};

/// The key of `obsm` under which CoSpar and the files of LARRY keep cells × clones.
const MATRIX: &str = "X_clone";

/// A clone with more than this share of all cells with a clone is reported: its label may mean "none".
const LARGE: f64 = 0.3;

/// Where the lineage barcodes of the cells are.
///
/// A key is a column of `obs` (each value is a clone; an empty value, `nan` or `<NA>` is none), or a
/// cells × clones matrix in `obsm`, dense or sparse. A cell with several entries in such a matrix is in
/// the clone of the largest entry; if several entries are the largest, it has no clone. Several keys are
/// nested barcodes, from coarse (early) to fine (late); see [`Clones`].
///
/// ```
/// use sbcell::pipeline::CloneKeys;
///
/// let nested = CloneKeys::default().with_keys(vec!["founder".into(), "day2".into()]);
/// assert!(nested.data.is_none() && CloneKeys::default().keys.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct CloneKeys {
    /// Columns of `obs` or keys of `obsm`, coarse to fine; the key `X_clone` of `obsm` if empty.
    pub keys: Vec<String>,
    /// Path of the fitted file, if it is not where the fit found it.
    pub data: Option<String>,
}

impl CloneKeys {
    /// The clones of the cells of `model`. `by_time` splits one label for each cell of the model by time.
    ///
    /// Notes tell how many cells have a clone, how many are in several, and which clone is so large that
    /// its label may mean "no clone".
    ///
    /// # Errors
    /// [`Error::UnknownKey`] if a key is neither in `obs` nor in `obsm`; [`Error::Parameter`] if no key
    /// is given and the file has no `X_clone`, if no cell has a clone, or if keys are given from fine to
    /// coarse; [`Error::Unreadable`] if an entry of a matrix is negative or not finite.
    pub(crate) fn read(
        &self,
        model: &OpenModel,
        by_time: impl Fn(&[String]) -> Vec<Vec<String>>,
        progress: &mut dyn Progress,
    ) -> Result<Clones> {
        let fitted = Fitted::open(model, self.data.as_deref(), progress)?;
        let mut keys = self.keys.clone();
        if keys.is_empty() {
            if fitted.file().obsm_keys()?.iter().all(|entry| entry.0 != MATRIX) {
                let (name, must) = ("clone_key", "given, as the file has no obsm['X_clone']");
                return Err(Error::Parameter { name, must, got: "none".into() });
            }
            keys.push(MATRIX.into());
        }
        let mut levels = Vec::with_capacity(keys.len());
        for key in &keys {
            let labels = labels(&fitted, key, progress)?;
            say(&labels, key, progress)?;
            levels.push(labels);
        }
        check_order(&keys, &levels)?;
        let levels: Vec<_> = levels.iter().map(|labels| by_time(labels)).collect();
        Clones::of_labels(&levels)
    }
}

/// Refuses keys that are given from fine to coarse. `levels` has the labels of the cells by each key.
///
/// # Errors
/// [`Error::Parameter`] with the right order.
fn check_order(keys: &[String], levels: &[Vec<String>]) -> Result<()> {
    let wrong = (1..keys.len()).find(|&fine| is_reversed(&levels[fine - 1], &levels[fine]));
    let Some(fine) = wrong else { return Ok(()) };
    let n_clones = |level: &Vec<String>| level.iter().collect::<BTreeSet<_>>().len();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|&place| n_clones(&levels[place]));
    let order: Vec<&str> = order.into_iter().map(|place| keys[place].as_str()).collect();
    let (name, must) = ("clone_key", "keys from coarse (early barcodes) to fine (late ones)");
    let got = format!(
        "`{}`, though the clones of `{}` lie within those of `{}`: use the parameter `clone_key = {}`",
        keys.join(","),
        keys[fine - 1],
        keys[fine],
        order.join(",")
    );
    Err(Error::Parameter { name, must, got })
}

/// The clone of each cell of the model by the key `key`; empty for none.
fn labels(fitted: &Fitted, key: &str, progress: &mut dyn Progress) -> Result<Vec<String>> {
    let file = fitted.file();
    let mut available = file.obs_columns()?;
    if available.iter().any(|column| column == key) {
        return fitted.labels(key);
    }
    let matrices: Vec<String> = file.obsm_keys()?.into_iter().map(|entry| entry.0).collect();
    if matrices.iter().any(|other| other == key) {
        let matrix = file.obsm_matrix(key)?;
        let unreadable = |value: f32| Error::Unreadable {
            path: file.path().to_path_buf(),
            problem: format!("obsm/{key} contains {value}, which is no number of barcodes"),
            way_out: Some(
                "give the clones as a column of `obs` with the parameter `clone_key = COL`".into(),
            ),
        };
        return of_matrix(&matrix, fitted.rows(), key, progress)?.map_err(unreadable);
    }
    available.extend(matrices);
    let what = "column of obs or key of obsm";
    Err(Error::UnknownKey { what, name: key.into(), path: file.path().into(), available })
}

/// The clone of each of the cells `rows` from a matrix of cells × clones. The inner error is an entry that
/// is negative or not finite.
fn of_matrix(
    matrix: &Matrix,
    rows: &[usize],
    key: &str,
    progress: &mut dyn Progress,
) -> Result<std::result::Result<Vec<String>, f32>> {
    let (mut labels, mut resolved, mut open) = (Vec::with_capacity(rows.len()), 0, 0);
    for &row in rows {
        let entries = match matrix {
            Matrix::Dense(values) => positive(values.row(row).into_iter().copied().enumerate()),
            Matrix::Sparse(values) => {
                let (columns, values) = values.row(row);
                let columns = columns.iter().map(|&column| column as usize);
                positive(columns.zip(ArrayView1::from(values).into_iter().copied()))
            }
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(value) => return Ok(Err(value)),
        };
        let most = entries.iter().fold(0.0, |most: f32, entry| most.max(entry.1));
        let largest: Vec<usize> =
            entries.iter().filter(|entry| entry.1 >= most).map(|entry| entry.0).collect();
        if let [clone] = largest[..] {
            resolved += usize::from(entries.len() > 1);
            labels.push(clone.to_string());
        } else {
            open += usize::from(!largest.is_empty());
            labels.push(String::new());
        }
    }
    if resolved + open > 0 {
        let text = format!(
            "{} of {} cells are in several clones of obsm['{key}']: {resolved} are in the clone of their \
             largest entry, and {open} without a single largest entry have no clone",
            resolved + open,
            rows.len()
        );
        progress::note(progress, text)?;
    }
    Ok(Ok(labels))
}

/// The entries above zero; an entry that is negative or not finite is the error.
fn positive(
    entries: impl Iterator<Item = (usize, f32)>,
) -> std::result::Result<Vec<(usize, f32)>, f32> {
    let mut found = Vec::new();
    for (column, value) in entries {
        if !(0.0..f32::INFINITY).contains(&value) {
            return Err(value);
        }
        if value > 0.0 {
            found.push((column, value));
        }
    }
    Ok(found)
}

/// Notes how many cells have a clone, and a clone so large that its label may mean "none".
fn say(labels: &[String], key: &str, progress: &mut dyn Progress) -> Result<()> {
    let mut sizes: BTreeMap<&String, usize> = BTreeMap::new();
    for label in labels.iter().filter(|label| !Groups::is_none(label)) {
        *sizes.entry(label).or_default() += 1;
    }
    let n: usize = sizes.values().sum();
    let text =
        format!("{n} of {} cells have a clone by `{key}`, in {} clones", labels.len(), sizes.len());
    progress::note(progress, text)?;
    let largest = sizes.iter().max_by_key(|entry| *entry.1);
    if let Some((label, size)) = largest
        && sizes.len() > 5
        && *size as f64 > LARGE * n as f64
    {
        let text = format!(
            "the clone `{label}` has {size} of these {n} cells: if this label means no clone, leave it \
             empty in the file"
        );
        progress::note(progress, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::linalg::Csr;
    use crate::progress::Silent;

    #[test]
    fn keys_from_fine_to_coarse_are_refused_with_the_right_order() {
        let of = |labels: &str| labels.split(' ').map(str::to_string).collect::<Vec<_>>();
        let (founder, second) = (of("A A A B B B"), of("1 1 2 3 3 4"));
        let named = |keys: [&str; 2]| keys.map(String::from);
        let right = [founder.clone(), second.clone()];
        assert!(check_order(&named(["founder", "second"]), &right).is_ok());
        let said = check_order(&named(["second", "founder"]), &[second, founder]).unwrap_err();
        let said = said.to_string();
        assert!(said.contains("`second` lie within those of `founder`"), "{said}");
        assert!(said.contains("`clone_key = founder,second`"), "{said}");
    }

    #[test]
    fn a_cell_in_several_clones_is_in_that_of_its_largest_entry_or_in_none() {
        let dense = array![[0.0, 2.0, 0.0], [1.0, 1.0, 0.0], [3.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        let sparse = Csr::new(
            3,
            vec![0, 1, 3, 5, 6],
            vec![1, 0, 1, 0, 1, 2],
            // A stored zero is no clone.
            vec![2.0, 1.0, 1.0, 3.0, 1.0, 0.0],
        );
        let of = |matrix: &Matrix| {
            of_matrix(matrix, &[3, 0, 1, 2], "X_clone", &mut Silent).unwrap().unwrap()
        };
        assert_eq!(of(&Matrix::Dense(dense.clone())), ["", "1", "", "0"]);
        assert_eq!(of(&Matrix::Sparse(sparse.unwrap())), ["", "1", "", "0"]);
        let negative = Matrix::Dense(-dense);
        assert!(of_matrix(&negative, &[0], "X_clone", &mut Silent).unwrap().is_err());
    }
}
