//! The cells on an embedding, and the ways to colour them: time, group, fates and growth.

use std::collections::BTreeSet;

use ndarray::Axis;
use rand::seq::SliceRandom;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::report::{CellMap, Colouring, Colours, Values, of_times};
use crate::lineage::Groups;
use crate::pipeline::report::options::ReportOptions;
use crate::pipeline::report::populations::{first_two, pairs};
use crate::pipeline::report::results::FateTable;
use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::progress::Progress;
use crate::rng::Seed;

/// Most cells that are drawn.
pub(super) const SHOWN: usize = 50_000;
/// Most fates with a colouring of their own, and with many cells, so that the page stays below a megabyte.
const FATES: [usize; 2] = [8, 4];
/// Cells from which there are many.
const MANY: usize = 20_000;
/// Most groups with a colour.
const GROUPS: usize = 250;
/// The embedding that is looked for.
const UMAP: &str = "X_umap";

/// Where the cells of a model are on an embedding.
pub(super) struct Place {
    /// Name of the embedding.
    pub(super) name: String,
    /// Names of its axes.
    pub(super) axes: [String; 2],
    /// The place of each cell of the model; NaN for a cell without one.
    pub(super) points: Vec<[f64; 2]>,
    /// Whether these are the first two coordinates of the model.
    pub(super) of_model: bool,
}

impl Place {
    /// The first two coordinates of the model.
    fn of_model(model: &Model) -> Self {
        let axes = first_two(model);
        let name =
            if model.pca.is_some() { "first two components" } else { "first two coordinates" };
        Self { name: name.into(), axes, points: pairs(model.points.view()), of_model: true }
    }

    /// The embedding `basis` of the file, or `X_umap` if the file has it, or the coordinates of the model.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] for a basis that the file lacks; those of reading the file.
    pub(super) fn find(
        model: &OpenModel,
        basis: Option<&str>,
        file: Option<&Fitted>,
    ) -> Result<Self> {
        let Some(fitted) = file else { return Ok(Self::of_model(model)) };
        let keys = fitted.file().obsm_keys()?;
        let has = |key: &str| keys.iter().any(|(name, (_, columns))| name == key && *columns >= 2);
        let key = match basis {
            Some(key) => key,
            None if has(UMAP) => UMAP,
            None => return Ok(Self::of_model(model)),
        };
        let array = fitted.file().obsm(key)?;
        let points = pairs(array.select(Axis(0), fitted.rows()).view());
        let short = key.strip_prefix("X_").unwrap_or(key);
        let name = if short == "umap" { "UMAP".to_string() } else { short.to_string() };
        let axes = [format!("{name} 1"), format!("{name} 2")];
        Ok(Self { name, axes, points, of_model: false })
    }

    /// The cells that have a place, in the random order in which they are drawn.
    pub(super) fn order(&self, seed: Seed) -> Vec<usize> {
        let has = |cell: &usize| self.points[*cell].iter().all(|value| value.is_finite());
        let mut order: Vec<usize> = (0..self.points.len()).filter(has).collect();
        order.shuffle(&mut seed.stream("report/cells", 0));
        order
    }
}

/// The group of each cell of a model, with colours.
pub(super) struct CellGroups {
    /// Name of the column that defines the groups, or `group`.
    name: String,
    /// The group of each cell; empty for none.
    labels: Vec<String>,
    /// Names of the groups, sorted.
    pub(super) names: Vec<String>,
    /// Colours that the file gives.
    pub(super) known: Vec<(String, String)>,
}

impl CellGroups {
    /// Reads the groups `sets`.
    ///
    /// # Errors
    /// As [`CellSets::labels`].
    pub(super) fn read(
        model: &OpenModel,
        sets: &CellSets,
        file: Option<&Fitted>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let labels = sets.labels(model, progress)?;
        let known = match (&sets.groupby, file) {
            (Some(column), Some(file)) => colours_of_file(file, column)?,
            _ => Vec::new(),
        };
        let names: BTreeSet<&String> =
            labels.iter().filter(|label| !Groups::is_none(label)).collect();
        let names = names.into_iter().take(GROUPS).cloned().collect();
        let name = sets.groupby.clone().unwrap_or_else(|| "group".into());
        Ok(Self { name, labels, names, known })
    }
}

/// The colours that scanpy wrote for the categories of a column.
///
/// # Errors
/// Those of reading the file.
fn colours_of_file(file: &Fitted, column: &str) -> Result<Vec<(String, String)>> {
    let Some(colours) = file.file().uns_texts(&format!("{column}_colors"))? else {
        return Ok(Vec::new());
    };
    let Column::Categories { categories, .. } = file.file().obs(column)? else {
        return Ok(Vec::new());
    };
    let names = (0..categories.len()).filter_map(|k| categories.label(k));
    Ok(names.zip(colours).collect())
}

/// The cells of the model with all their colourings. `order` are the cells that are drawn.
pub(super) fn map(
    model: &Model,
    place: &Place,
    order: &[usize],
    groups: Option<&CellGroups>,
    fates: Option<&FateTable>,
    colours: &Colours,
) -> CellMap {
    let shown = &order[..order.len().min(SHOWN)];
    let mut colourings = vec![by_time(model, shown)];
    if let Some(groups) = groups {
        let codes = shown.iter().map(|cell| groups.names.binary_search(&groups.labels[*cell]).ok());
        let of = |name: &String| {
            colours.of_groups.iter().find(|entry| entry.0 == *name).map(|entry| entry.1.clone())
        };
        let colours = groups.names.iter().map(|name| of(name).unwrap_or_else(|| "#777777".into()));
        let values = Values::Categories {
            names: groups.names.clone(),
            colours: colours.collect(),
            codes: codes.collect(),
        };
        colourings.push(Colouring { name: "Group".into(), legend: groups.name.clone(), values });
    }
    colourings.extend(fates.map(|fates| by_fate(model, shown, fates)).unwrap_or_default());
    colourings.extend(by_growth(model, shown));
    CellMap {
        name: place.name.clone(),
        axes: place.axes.clone(),
        points: shown.iter().map(|cell| place.points[*cell]).collect(),
        n_cells: model.cells.len(),
        colourings,
    }
}

/// The time of each cell.
fn by_time(model: &Model, shown: &[usize]) -> Colouring {
    let times: Vec<f64> = model.header.snapshots.iter().map(|snapshot| snapshot.time).collect();
    let unit = &model.header.time_unit;
    let code =
        |cell: &usize| times.iter().position(|t| t.total_cmp(&model.cell_times[*cell]).is_eq());
    let names = times.iter().map(|time| format!("{time} {unit}").trim_end().to_string());
    let values = Values::Categories {
        names: names.collect(),
        colours: of_times(times.len()),
        codes: shown.iter().map(code).collect(),
    };
    Colouring { name: "Time".into(), legend: "time".into(), values }
}

/// The probability of each fate, the commonest first.
fn by_fate(model: &Model, shown: &[usize], fates: &FateTable) -> Vec<Colouring> {
    let mean = |values: &Vec<f64>| {
        let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    };
    let mut order: Vec<usize> = (0..fates.names.len()).collect();
    let means: Vec<f64> = fates.probabilities.iter().map(mean).collect();
    order.sort_by(|one, other| means[*other].total_cmp(&means[*one]));
    let of = |fate: usize| {
        let value = |cell: &usize| {
            let row = fates.rows.get(&model.cells[*cell]);
            row.map_or(f64::NAN, |row| fates.probabilities[fate][*row])
        };
        let values = shown.iter().map(value).collect();
        let name = &fates.names[fate];
        Colouring {
            name: format!("Fate: {name}"),
            legend: format!("probability of the fate {name}"),
            values: Values::Numbers { values, from: 0.0, to: 1.0 },
        }
    };
    order.into_iter().take(FATES[usize::from(shown.len() > MANY)]).map(of).collect()
}

/// The growth rate of each cell, if growth is modelled. Cells of the last time have none.
fn by_growth(model: &Model, shown: &[usize]) -> Option<Colouring> {
    let mut rates = vec![f64::NAN; model.cells.len()];
    for interval in &model.intervals {
        let of = interval.growth.as_ref().map(|growth| &growth.posterior);
        let Some(of) = of.or(interval.coupling_growth.as_ref()) else { continue };
        let here = model.cell_times.iter().enumerate();
        let here = here.filter(|(_, time)| time.total_cmp(&interval.from).is_eq());
        for ((cell, _), rate) in here.zip(of) {
            rates[cell] = *rate;
        }
    }
    let mut known: Vec<f64> = rates.iter().copied().filter(|rate| rate.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    let end =
        |part: f64| known.get((part * known.len().saturating_sub(1) as f64) as usize).copied();
    let (from, to) = (end(0.02)?, end(0.98)?);
    if to - from <= 0.0 {
        return None;
    }
    let unit = &model.header.time_unit;
    let per = if unit.is_empty() { "per unit of time".into() } else { format!("per {unit}") };
    let values = shown.iter().map(|cell| rates[*cell]).collect();
    Some(Colouring {
        name: "Growth".into(),
        legend: format!("growth rate {per}"),
        values: Values::Numbers { values, from, to },
    })
}

/// Opens the file of the cells, or says in a sentence why it cannot be used.
///
/// # Errors
/// [`Error::Cancelled`], and all errors if the user named the file.
pub(super) fn file_of(
    model: &OpenModel,
    options: &ReportOptions,
    progress: &mut dyn Progress,
) -> Result<(Option<Fitted>, Option<String>)> {
    let given = options.sets.data.as_deref();
    match Fitted::find(model, given, progress) {
        Ok(Some(fitted)) => Ok((Some(fitted), None)),
        Ok(None) => Ok((None, Some(NOT_HERE.into()))),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) if given.is_some() || options.basis.is_some() => Err(error),
        Err(error) => Ok((None, Some(format!("{NOT_HERE} ({error})")))),
    }
}

/// Note for readers of a page without the file of the cells.
const NOT_HERE: &str = "The file with the cells was not found as it was fitted, so its UMAP and its colours are not \
                        shown: say where it is with the parameter `data`.";
