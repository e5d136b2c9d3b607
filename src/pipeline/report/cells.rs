//! The cells on an embedding, and the ways to colour them: time, group, fates and growth.

use rand::seq::SliceRandom;

use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::report::{CellMap, Colouring, Values, of_times};
use crate::pipeline::report::options::ReportOptions;
use crate::pipeline::report::results::FateTable;
use crate::pipeline::shared::embedding::{CellEmbedding, ColouredGroups};
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::growth_rates::growth_rates;
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

/// The cells that have a place on `map`, in the random order in which they are drawn.
pub(super) fn order(map: &CellEmbedding, seed: Seed) -> Vec<usize> {
    let mut order = map.known();
    order.shuffle(&mut seed.stream("report/cells", 0));
    order
}

/// The cells of the model on `map` with all their colourings. `order` are the cells that are drawn; `groups` are
/// named after the column `by`.
pub(super) fn map(
    model: &Model,
    map: &CellEmbedding,
    order: &[usize],
    groups: Option<(&str, &ColouredGroups)>,
    fates: Option<&FateTable>,
) -> CellMap {
    let shown = &order[..order.len().min(SHOWN)];
    let mut colourings = vec![by_time(model, shown)];
    colourings.extend(groups.map(|(by, groups)| by_group(by, groups, shown)));
    colourings.extend(fates.map(|fates| by_fate(model, shown, fates)).unwrap_or_default());
    colourings.extend(by_growth(model, shown));
    CellMap {
        name: map.name(),
        axes: map.axes.clone(),
        points: shown.iter().map(|cell| place(map, *cell)).collect(),
        n_cells: model.cells.len(),
        n_without: model.cells.len() - order.len(),
        colourings,
    }
}

/// The place of a cell of the model.
pub(super) fn place(map: &CellEmbedding, cell: usize) -> [f64; 2] {
    [map.points[[cell, 0]], map.points[[cell, 1]]]
}

/// The group of each cell, in the colours of the file where it has them.
fn by_group(by: &str, groups: &ColouredGroups, shown: &[usize]) -> Colouring {
    let code = |cell: &usize| groups.of_cells[*cell].filter(|group| *group < GROUPS);
    let first = |of: &Vec<String>| of.iter().take(GROUPS).cloned().collect();
    let values = Values::Categories {
        names: first(&groups.names),
        colours: first(&groups.colours),
        codes: shown.iter().map(code).collect(),
    };
    Colouring { name: "Group".into(), legend: by.into(), values }
}

/// The time of each cell, as categories in the order of time with the unit in their names.
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

/// The probability of each fate (0 to 1) as a colouring of its own, the commonest fate first.
///
/// At most eight fates have one, and four on a map of more than 20 000 cells. Cells that are not in the table are grey.
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

/// The growth rate of each cell per unit of time, if growth is modelled and differs. Cells of the last time have none.
///
/// The scale ends at the 2nd and the 98th percentile, so that single cells do not set it; rates beyond have the colours
/// of its ends.
fn by_growth(model: &Model, shown: &[usize]) -> Option<Colouring> {
    let rates = growth_rates(model)?;
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
/// [`Error::Cancelled`], and all errors if the user named the file or an embedding of it.
pub(super) fn file_of(
    model: &OpenModel,
    options: &ReportOptions,
    progress: &mut dyn Progress,
) -> Result<(Option<Fitted>, Option<String>)> {
    let given = options.sets.data.as_deref();
    if given.is_some() || options.basis.is_some() {
        return Ok((Some(Fitted::open(model, given, progress)?), None));
    }
    match Fitted::find(model, None, progress) {
        Ok(Some(fitted)) => Ok((Some(fitted), None)),
        Ok(None) => Ok((None, Some(NOT_HERE.into()))),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => Ok((None, Some(format!("{NOT_HERE} ({error})")))),
    }
}

/// Note for readers of a page without the file of the cells.
const NOT_HERE: &str = "The file with the cells was not found as it was fitted, so its UMAP and its colours are not \
                        shown: say where it is with the parameter `data`.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::example_model;

    #[test]
    fn colours_of_growth_end_at_percentiles() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = (*example_model(folder.path()).unwrap()).clone();
        let all: Vec<usize> = (0..model.cells.len()).collect();
        assert!(by_growth(&model, &all).is_none());
        // 24 cells with the rates 0 to 23: places 0.02·23 and 0.98·23, rounded down.
        model.intervals[1].coupling_growth = Some((0..24).map(f64::from).collect());
        let found = by_growth(&model, &all).unwrap();
        let Values::Numbers { values, from, to } = found.values else { panic!("no numbers") };
        assert!(from.abs() < 1e-12 && (to - 22.0).abs() < 1e-12, "{from} {to}");
        assert_eq!(values.iter().filter(|value| value.is_finite()).count(), 24);
        // The same rate everywhere has no colours.
        model.intervals[1].coupling_growth = Some(vec![0.5; 24]);
        assert!(by_growth(&model, &all).is_none());
    }
}
