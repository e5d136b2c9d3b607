//! Two coordinates of the cells of a model for pictures: an embedding of the fitted file, and colours of groups.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis, s};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::chart::{as_hex, palette};
use crate::io::h5ad::H5ad;
use crate::io::model::{Model, OpenModel};
use crate::lineage::Groups;
use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::progress::{self, Progress};

/// Keys of `obsm` that are used without a name, the first one first.
const DEFAULT: [&str; 2] = ["X_umap", "X_tsne"];

/// Places of the cells of a model in the plane.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellEmbedding {
    /// The places, `(n_cells, 2)`, in the order of the model. NaN for cells that have none in the file.
    pub(crate) points: Array2<f64>,
    /// Titles of both axes: `UMAP 1`, `UMAP 2`, or names of coordinates of the model.
    pub(crate) axes: [String; 2],
    /// Key of `obsm` in the fitted file; `None` for the first two coordinates of the model.
    pub(crate) key: Option<String>,
}

impl CellEmbedding {
    /// Reads the embedding `basis` (a key of `obsm` such as `X_umap`, or `umap`) of the fitted file `data`.
    ///
    /// Without `basis` it is `X_umap`, else `X_tsne`, else (also without the file) the first two coordinates
    /// of the model. Notes say what is used. Further columns of an embedding are ignored. `data` is the path
    /// of the file if it is not where the fit found it; cells are matched by name.
    ///
    /// # Errors
    /// Those of [`Fitted::open`], such as [`Error::InputChanged`] for a file that was changed since;
    /// [`Error::UnknownKey`] with the existing keys; [`Error::Parameter`] for an embedding of one column.
    pub(crate) fn read(
        model: &OpenModel,
        basis: Option<&str>,
        data: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let fitted = match (basis, data) {
            (Some(_), _) | (_, Some(_)) => Some(Fitted::open(model, data, progress)?),
            (None, None) => Fitted::find(model, None, progress)?,
        };
        match &fitted {
            Some(fitted) => Self::of_file(model, fitted, basis, progress),
            None => Self::instead(model, "the fitted file is not here", progress),
        }
    }

    /// As [`CellEmbedding::read`], from the file that is open already.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the existing keys; [`Error::Parameter`] for an embedding of one column; those of
    /// reading the file.
    pub(crate) fn of_file(
        model: &OpenModel,
        fitted: &Fitted,
        basis: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let keys: Vec<String> =
            fitted.file().obsm_keys()?.into_iter().map(|(key, _)| key).collect();
        let there = |key: &str| keys.iter().any(|other| other == key);
        if let Some(basis) = basis {
            let prefixed = format!("X_{basis}");
            let key = if !there(basis) && there(&prefixed) { prefixed } else { basis.to_string() };
            if let Some(found) = Self::of_key(fitted, &key, progress)? {
                return Ok(found);
            }
            let (name, must) = ("basis", "an embedding in which cells have a place");
            return Err(Error::Parameter { name, must, got: format!("{key} without any number") });
        }
        let mut why = "the file has no X_umap or X_tsne".to_string();
        for key in DEFAULT.into_iter().filter(|key| there(key)) {
            if let Some(found) = Self::of_key(fitted, key, progress)? {
                return Ok(found);
            }
            why = format!("no cell has a place in {key}");
        }
        Self::instead(model, &why, progress)
    }

    /// The places of the cells of a fit in `obsm[key]` of its file; `None` if no cell has a place. A note counts cells
    /// without a place.
    ///
    /// # Errors
    /// As [`CellEmbedding::of_file`].
    fn of_key(fitted: &Fitted, key: &str, progress: &mut dyn Progress) -> Result<Option<Self>> {
        let all = fitted.file().obsm(key)?;
        if all.ncols() < 2 {
            let (name, must) = ("basis", "an embedding of at least two columns");
            return Err(Error::Parameter { name, must, got: format!("{key} of one column") });
        }
        if all.ncols() > 2 {
            let text = format!("{key} has {} columns: the first two are shown", all.ncols());
            progress::note(progress, text)?;
        }
        let mut points = all.slice(s![.., ..2]).select(Axis(0), fitted.rows());
        let mut n_without = 0;
        for mut row in points.rows_mut().into_iter().filter(|r| !r.iter().all(|x| x.is_finite())) {
            row.fill(f64::NAN);
            n_without += 1;
        }
        if n_without == points.nrows() {
            return Ok(None);
        }
        if n_without > 0 {
            let n_cells = points.nrows();
            progress::note(
                progress,
                format!("{n_without} of {n_cells} cells have no place in {key}"),
            )?;
        }
        let name = named(key);
        let axes = [format!("{name} 1"), format!("{name} 2")];
        Ok(Some(Self { points, axes, key: Some(key.to_string()) }))
    }

    /// The coordinates of `model`, with a note that says why.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    fn instead(model: &OpenModel, why: &str, progress: &mut dyn Progress) -> Result<Self> {
        let found = Self::of_model(model);
        let text = format!("{why}: cells are shown in {} of the model", found.name());
        progress::note(progress, text)?;
        Ok(found)
    }

    /// The first two coordinates of `model`; of a model with one coordinate, its time and this coordinate.
    pub(crate) fn of_model(model: &Model) -> Self {
        let names = &model.header.dimensions;
        let name =
            |d: usize| names.get(d).cloned().unwrap_or_else(|| format!("dimension {}", d + 1));
        let dim = model.points.ncols();
        let axes = if dim < 2 { ["time".into(), name(0)] } else { [name(0), name(1)] };
        let points = Array2::from_shape_fn((model.cells.len(), 2), |(i, d)| match (dim < 2, d) {
            (true, 0) => model.cell_times[i],
            (true, _) => model.points[[i, 0]],
            (false, d) => model.points[[i, d]],
        });
        Self { points, axes, key: None }
    }

    /// Name of the plane in titles: `UMAP`, or `PC1 and PC2` for coordinates of the model.
    pub(crate) fn name(&self) -> String {
        let [first, second] = &self.axes;
        self.key.as_deref().map_or_else(|| format!("{first} and {second}"), named)
    }

    /// The cells that have a place, in the order of the model.
    pub(crate) fn known(&self) -> Vec<usize> {
        let finite = |i: &usize| self.points.row(*i).iter().all(|x| x.is_finite());
        (0..self.points.nrows()).filter(finite).collect()
    }

    /// Whether the plane is that of the first two coordinates of `model`, in which any point has its own place.
    pub(crate) fn is_of(&self, model: &Model) -> bool {
        self.key.is_none() && model.points.ncols() >= 2
    }
}

/// The name of an embedding in titles: `UMAP` for `X_umap`.
fn named(key: &str) -> String {
    let name = key.strip_prefix("X_").unwrap_or(key);
    let upper = ["umap", "pca", "mde", "phate", "fa"];
    if upper.contains(&name) {
        return name.to_uppercase();
    }
    if name == "tsne" { "t-SNE".into() } else { name.into() }
}

/// Groups of the cells of a model, with colours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColouredGroups {
    /// Names of the groups, in the order of the categories of the file, or sorted.
    pub(crate) names: Vec<String>,
    /// The colour of each group, `#rrggbb`.
    pub(crate) colours: Vec<String>,
    /// The group of each cell, in the order of the model; `None` for cells in no group.
    pub(crate) of_cells: Vec<Option<usize>>,
}

impl ColouredGroups {
    /// Reads the groups `sets` of the cells of `model`.
    ///
    /// Colours of a column are those of `uns['COLUMN_colors']` in the fitted file if there is a hex colour
    /// for every category; otherwise they are those of [`palette`]. Categories without cells are left out.
    ///
    /// # Errors
    /// As [`CellSets::labels`].
    pub(crate) fn read(
        model: &OpenModel,
        sets: &CellSets,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let fitted = match sets.groupby {
            Some(_) => Some(Fitted::open(model, sets.data.as_deref(), &mut progress::Silent)?),
            None => None,
        };
        Self::with_colours_of(fitted.as_ref(), model, sets, progress)
    }

    /// As [`ColouredGroups::read`], with colours of the file that is open already, or of [`palette`] without it.
    ///
    /// # Errors
    /// As [`CellSets::labels`].
    pub(crate) fn with_colours_of(
        fitted: Option<&Fitted>,
        model: &OpenModel,
        sets: &CellSets,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let labels = sets.labels(model, progress)?;
        let (Some(column), Some(fitted)) = (&sets.groupby, fitted) else {
            return Ok(Self::of_labels(&labels, None, &[]));
        };
        let order = categories(&fitted.file().obs(column)?);
        let colours = stored_colours(fitted.file(), column, order.len(), progress)?;
        Ok(Self::of_labels(&labels, Some(&order), &colours))
    }

    /// Groups from the label of each cell. `order` has all names in their order, and `colours` the colour of
    /// each of them, or none.
    pub(crate) fn of_labels(
        labels: &[String],
        order: Option<&[String]>,
        colours: &[String],
    ) -> Self {
        let present = Groups::of_labels(&[labels.to_vec()]);
        let mut names: Vec<String> = present.names().to_vec();
        let mut stored = BTreeMap::new();
        if let Some(order) = order {
            let place: BTreeMap<&String, usize> =
                order.iter().enumerate().map(|(place, name)| (name, place)).collect();
            names.sort_by_key(|name| place.get(name).copied().unwrap_or(usize::MAX));
            stored = order.iter().zip(colours).collect();
        }
        let own = palette(names.len());
        let colour = |(name, own): (&String, String)| {
            stored.get(name).map_or(own, |colour| (*colour).clone())
        };
        let colours = names.iter().zip(own).map(colour).collect();
        let numbers: BTreeMap<&String, usize> =
            names.iter().enumerate().map(|(number, name)| (name, number)).collect();
        let of_cells = labels.iter().map(|label| numbers.get(label).copied()).collect();
        Self { names, colours, of_cells }
    }
}

/// The categories of a column in their order; sorted labels of a column without categories.
fn categories(column: &Column) -> Vec<String> {
    match column {
        Column::Categories { categories, .. } => {
            (0..categories.len()).map(|i| categories.label(i).unwrap_or_default()).collect()
        }
        other => other.counts().into_keys().collect(),
    }
}

/// The colours of the `n` categories of `column` in `uns`; empty if there are none that can be used.
fn stored_colours(
    file: &H5ad,
    column: &str,
    n: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<String>> {
    let key = format!("{column}_colors");
    // Names with a slash would lead into another group.
    if column.contains('/') {
        return Ok(Vec::new());
    }
    let Some(texts) = file.uns_texts(&key)? else { return Ok(Vec::new()) };
    let colours: Option<Vec<String>> = texts.iter().map(|text| as_hex(text)).collect();
    match colours {
        Some(colours) if colours.len() >= n => Ok(colours),
        _ => {
            let text =
                format!("uns['{key}'] has no hex colour for each of the {n} groups: not used");
            progress::note(progress, text)?;
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ndarray::array;

    use super::*;
    use crate::io::h5ad::{H5adEdit, add_texts, edit_h5ad};
    use crate::pipeline::example_model;
    use crate::progress::Silent;

    /// A copy of the cells of the example with `embeddings`, and the model.
    fn with(folder: &Path, embeddings: &[(&str, Array2<f64>)]) -> (OpenModel, String) {
        let model = example_model(folder).unwrap();
        let copy = folder.join("copy.h5ad");
        let obsm = embeddings.iter().map(|(key, of)| ((*key).to_string(), of.view())).collect();
        let edit = H5adEdit { obsm, ..H5adEdit::default() };
        edit_h5ad(&folder.join("cells.h5ad"), &copy, &edit).unwrap();
        (model, copy.to_string_lossy().into_owned())
    }

    fn places(n: usize, columns: usize, factor: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, columns), |(i, d)| factor * (i * 10 + d) as f64)
    }

    #[test]
    fn an_embedding_is_found_by_its_short_name_and_umap_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut umap = places(72, 3, 1.0);
        umap[[5, 1]] = f64::NAN;
        let both = [("X_tsne", places(72, 2, 2.0)), ("X_umap", umap), ("one", places(72, 1, 1.0))];
        let (model, data) = with(folder.path(), &both);
        let read = |basis| CellEmbedding::read(&model, basis, Some(&data), &mut Silent);
        let found = read(None).unwrap();
        assert_eq!(found.axes, ["UMAP 1", "UMAP 2"]);
        assert_eq!(found.points.row(3), array![30.0, 31.0]);
        assert!(found.points.row(5).iter().all(|x| x.is_nan()));
        let tsne = read(Some("tsne")).unwrap();
        assert_eq!((tsne.points[[3, 1]], tsne.axes[0].as_str()), (62.0, "t-SNE 1"));
        let error = read(Some("nowhere")).unwrap_err();
        assert!(matches!(&error, Error::UnknownKey { .. }), "{error}");
        assert!(read(Some("one")).unwrap_err().to_string().contains("two columns"));
    }

    #[test]
    fn cells_come_in_the_order_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = with(folder.path(), &[("X_umap", places(72, 2, 1.0))]);
        let mut turned = (*model).clone();
        turned.cells.reverse();
        turned.cell_times.reverse();
        let turned = OpenModel::new(model.folder(), turned);
        let of = |model| CellEmbedding::read(model, None, Some(&data), &mut Silent).unwrap().points;
        assert_eq!(of(&turned).row(0), of(&model).row(71));
    }

    #[test]
    fn without_an_embedding_the_coordinates_of_the_model_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let model = example_model(folder.path()).unwrap();
        let found = CellEmbedding::read(&model, None, None, &mut Silent).unwrap();
        assert_eq!((found.key, found.axes), (None, ["PC1".to_string(), "PC2".to_string()]));
        assert_eq!(found.points, model.points);
        // Nor is a changed file used in silence.
        let cells = folder.path().join("cells.h5ad");
        let umap = places(72, 2, 1.0);
        let obsm = vec![("X_umap".to_string(), umap.view())];
        edit_h5ad(&cells, &cells, &H5adEdit { obsm, ..H5adEdit::default() }).unwrap();
        let changed = CellEmbedding::read(&model, None, None, &mut Silent);
        assert!(matches!(changed, Err(Error::InputChanged { .. })), "{changed:?}");
    }

    #[test]
    fn colours_of_the_file_are_used_if_each_group_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = with(folder.path(), &[]);
        let sets = CellSets::default().with_groupby(Some("cell_type".into()));
        let sets = sets.with_data(Some(data.clone()));
        let read = || ColouredGroups::read(&model, &sets, &mut Silent).unwrap();
        let plain = read();
        assert_eq!(plain.names, ["left", "right"]);
        assert_eq!(plain.colours, palette(2));
        assert_eq!(plain.of_cells[..3], [Some(0), Some(1), Some(0)]);
        add_texts(Path::new(&data), "cell_type_colors", &["#ABCDEF", "#102030ff"]);
        assert_eq!(read().colours, ["#abcdef", "#102030"]);
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = with(folder.path(), &[]);
        add_texts(Path::new(&data), "cell_type_colors", &["red", "#102030"]);
        let sets = sets.with_data(Some(data));
        let named = ColouredGroups::read(&model, &sets, &mut Silent).unwrap();
        assert_eq!(named.colours, palette(2));
    }

    #[test]
    fn groups_have_the_order_of_the_categories_and_unused_ones_are_left_out() {
        let texts = |text: &str| -> Vec<String> { text.split(' ').map(str::to_string).collect() };
        let (labels, order) = (texts("b a b nan"), texts("z b a"));
        let colours = texts("#000001 #000002 #000003");
        let groups = ColouredGroups::of_labels(&labels, Some(&order), &colours);
        assert_eq!((groups.names, groups.colours), (texts("b a"), texts("#000002 #000003")));
        assert_eq!(groups.of_cells, [Some(0), Some(1), Some(0), None]);
        let column = Column::Categories {
            codes: vec![Some(1)],
            categories: Box::new(Column::Texts(vec![Some("z".into()), Some("b".into())])),
        };
        assert_eq!(categories(&column), ["z", "b"]);
    }
}
