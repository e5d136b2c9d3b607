//! A column of `obs` as times: one number per cell, with its label and unit.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{Reading, Scale, Unread, is_missing, read};
use super::names::unit_of_name;
use super::unit::TimeUnit;
use crate::data::{Column, TimePoint};
use crate::error::{Error, Result};

/// Largest plausible number of different times; more are a pseudotime or differ for each cell.
pub(super) const MANY_TIMES: usize = 200;

/// The times of all cells, with labels, unit and remarks on the reading.
///
/// ```
/// use sbcell::data::Column;
/// use sbcell::data::time::{TimeUnit, resolve};
///
/// let labels = ["D0", "D0", "36h", "D3"].map(|label| Some(label.to_string()));
/// let axis = resolve("time", &Column::Texts(labels.to_vec()))?;
/// assert_eq!(axis.unit, TimeUnit::Hours);
/// assert_eq!(axis.times(), [0.0, 36.0, 72.0]);
/// assert_eq!(axis.levels[0].n_cells, 2);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TimeAxis {
    /// Name of the column.
    pub column: String,
    /// Unit of the numbers.
    pub unit: TimeUnit,
    /// The times, strictly increasing.
    pub levels: Vec<TimeLevel>,
    /// The time of each cell; `None` for a missing entry.
    pub cell_times: Vec<Option<TimePoint>>,
    /// Number of cells without a time.
    pub n_missing: usize,
    /// Remarks on the reading for the user: one sentence each, lower case, without full stop.
    pub notes: Vec<String>,
}

/// One time of a [`TimeAxis`], which has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeLevel {
    /// The label in the file; several labels of one time are joined by ` = `.
    pub label: String,
    /// The time, in the unit of the axis.
    pub time: TimePoint,
    /// Number of cells.
    pub n_cells: usize,
}

impl TimeAxis {
    /// The cells with a time (row numbers, increasing) and their times.
    pub fn timed_cells(&self) -> (Vec<usize>, Vec<TimePoint>) {
        self.cell_times
            .iter()
            .enumerate()
            .filter_map(|(cell, &time)| time.map(|time| (cell, time)))
            .unzip()
    }

    /// The times, strictly increasing.
    pub fn times(&self) -> Vec<TimePoint> {
        self.levels.iter().map(|level| level.time).collect()
    }
}

/// Reads a column as times.
///
/// Numbers remain unchanged. A label has one number and at most one unit (`D10`, `48h`, `week 3`,
/// `E7.5`). Several units in one column are converted to the smallest. Numbers without a unit get
/// the unit in the name of the column (`day`, `time_hours`), if there is one. Cells with a missing
/// entry have no time and are counted. Time `O(n log k)` for `k` labels.
///
/// # Errors
/// [`Error::TimeLabels`] if a label has no reading or two, or labels have different scales;
/// [`Error::TooFewTimes`] if there are fewer than two times.
pub fn resolve(column_name: &str, column: &Column) -> Result<TimeAxis> {
    let (cell_levels, representatives) = levels_with_a_label(column);
    let mut labels = Vec::with_capacity(representatives.len());
    let mut readings = Vec::with_capacity(representatives.len());
    let (mut unread, mut ambiguous) = (Vec::new(), Vec::new());
    for &cell in &representatives {
        let label = column.label(cell).unwrap_or_default();
        match read_entry(column, cell, &label) {
            Ok(reading) => readings.push(reading),
            Err(Unread::NotATime) => unread.push(label.clone()),
            Err(Unread::TwoReadings) => ambiguous.push(label.clone()),
        }
        labels.push(label);
    }
    refuse(column_name, "are not times", &unread)?;
    refuse(column_name, "have two readings", &ambiguous)?;
    let mut notes = Vec::new();
    let (unit, times) = on_one_scale(column_name, &labels, &readings, &mut notes)?;
    build(column_name, unit, Labelled { labels, times, cell_levels }, notes)
}

/// Reads a column as times with a table from labels to times.
///
/// The function looks for the label itself, then for the label without spaces around it, then for
/// its value as a number (`6.0` finds `6`). The unit of the table is [`TimeUnit::Unknown`]. A note
/// lists the labels of the table that are not in the column.
///
/// # Errors
/// [`Error::TimeLabels`] if a label of the column is not in the table or its time is not finite;
/// [`Error::TooFewTimes`] if there are fewer than two times.
pub fn resolve_with_map(
    column_name: &str,
    column: &Column,
    map: &BTreeMap<String, f64>,
) -> Result<TimeAxis> {
    let (cell_levels, representatives) = column.distinct();
    let mut used = BTreeSet::new();
    let (mut absent, mut infinite) = (Vec::new(), Vec::new());
    let (mut labels, mut times, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for &cell in &representatives {
        let label = column.label(cell).unwrap_or_default();
        kept.push(match look_up(map, &label, column.number(cell)) {
            Some((key, time)) if time.is_finite() => {
                used.insert(key);
                labels.push(label);
                times.push(time);
                Some(labels.len() - 1)
            }
            Some(_) => {
                infinite.push(label);
                None
            }
            None if is_missing(&label) => None,
            None => {
                absent.push(label);
                None
            }
        });
    }
    refuse(column_name, "are not in the time map", &absent)?;
    refuse(column_name, "have no finite time in the time map", &infinite)?;
    let cell_levels = cell_levels.into_iter().map(|level| level.and_then(|i| kept[i])).collect();
    let unused: Vec<String> = map
        .keys()
        .filter(|key| !used.contains(key.as_str()))
        .map(|key| format!("`{key}`"))
        .collect();
    let mut notes = Vec::new();
    if !unused.is_empty() {
        notes.push(format!(
            "labels of the time map that `{column_name}` lacks: {}",
            unused.join(", ")
        ));
    }
    build(column_name, TimeUnit::Unknown, Labelled { labels, times, cell_levels }, notes)
}

/// Distinct labels with their times.
struct Labelled {
    labels: Vec<String>,
    times: Vec<f64>,
    /// The position of each cell's label.
    cell_levels: Vec<Option<usize>>,
}

/// The distinct entries of a column as in [`Column::distinct`], without missing values.
fn levels_with_a_label(column: &Column) -> (Vec<Option<usize>>, Vec<usize>) {
    let (cell_levels, all) = column.distinct();
    let mut kept = Vec::with_capacity(all.len());
    let mut representatives = Vec::new();
    for cell in all {
        let known = column.label(cell).is_some_and(|label| !is_missing(&label));
        kept.push(known.then_some(representatives.len()));
        if known {
            representatives.push(cell);
        }
    }
    (cell_levels.into_iter().map(|level| level.and_then(|i| kept[i])).collect(), representatives)
}

/// The reading of an entry: a number itself, or the number in a label.
fn read_entry(column: &Column, cell: usize, label: &str) -> std::result::Result<Reading, Unread> {
    if !column.is_numeric() {
        return read(label);
    }
    let value = column.number(cell).filter(|value| value.is_finite()).ok_or(Unread::NotATime)?;
    Ok(Reading { value, scale: Scale::Bare })
}

/// The key and the time of a label in the table, by text or by value.
fn look_up<'a>(
    map: &'a BTreeMap<String, f64>,
    label: &str,
    number: Option<f64>,
) -> Option<(&'a str, f64)> {
    let by_text = map.get_key_value(label).or_else(|| map.get_key_value(label.trim()));
    let number = number.or_else(|| label.trim().parse().ok());
    let by_value = || {
        let number = number?;
        map.iter().find(|entry| {
            entry.0.trim().parse().is_ok_and(|key: f64| key.total_cmp(&number).is_eq())
        })
    };
    by_text.or_else(by_value).map(|(key, &time)| (key.as_str(), time))
}

/// An error if there are `labels` with this problem.
fn refuse(column: &str, problem: &'static str, labels: &[String]) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    Err(Error::TimeLabels { column: column.to_string(), problem, labels: labels.to_vec() })
}

/// Converts readings to one scale, or returns an error with the labels that do not fit.
fn on_one_scale(
    column: &str,
    labels: &[String],
    readings: &[Reading],
    notes: &mut Vec<String>,
) -> Result<(TimeUnit, Vec<f64>)> {
    let is_stage = |r: &Reading| matches!(r.scale, Scale::Embryonic | Scale::Postnatal);
    if readings.iter().any(is_stage) {
        if readings.iter().any(|reading| reading.scale != readings[0].scale) {
            let odd: Vec<String> = first_of_each_scale(labels, readings);
            refuse(column, "count from different starts", &odd)?;
        }
        let start = if readings[0].scale == Scale::Embryonic { "conception" } else { "birth" };
        notes.push(format!("the times of `{column}` are days from {start}"));
        return Ok((TimeUnit::Days, readings.iter().map(|reading| reading.value).collect()));
    }
    let units: BTreeSet<TimeUnit> = readings
        .iter()
        .filter_map(|reading| match reading.scale {
            Scale::Unit(unit) => Some(unit),
            _ => None,
        })
        .collect();
    let Some(&smallest) = units.first() else {
        let unit = unit_of_name(column).unwrap_or(TimeUnit::Unknown);
        return Ok((unit, readings.iter().map(|reading| reading.value).collect()));
    };
    let bare: Vec<String> = labels
        .iter()
        .zip(readings)
        .filter(|(_, reading)| reading.scale == Scale::Bare && reading.value.abs() > 0.0)
        .map(|(label, _)| label.clone())
        .collect();
    refuse(column, "have no unit where others have one", &bare)?;
    if units.len() > 1 {
        let names: Vec<&str> = units.iter().map(|unit| unit.plural()).collect();
        let smallest = smallest.plural();
        let units = names.join(" and ");
        notes.push(format!("`{column}` has times in {units}; all are converted to {smallest}"));
    }
    let convert = |reading: &Reading| match reading.scale {
        Scale::Unit(unit) => {
            let ratio = |unit: TimeUnit| unit.minutes().unwrap_or(1.0);
            reading.value * ratio(unit) / ratio(smallest)
        }
        _ => reading.value,
    };
    Ok((smallest, readings.iter().map(convert).collect()))
}

/// The first label of each scale, as an example.
fn first_of_each_scale(labels: &[String], readings: &[Reading]) -> Vec<String> {
    let mut seen: Vec<Scale> = Vec::new();
    let mut first = Vec::new();
    for (label, reading) in labels.iter().zip(readings) {
        if !seen.contains(&reading.scale) {
            seen.push(reading.scale);
            first.push(label.clone());
        }
    }
    first
}

/// Joins labels of the same time, counts cells, and checks that there are at least two times.
fn build(
    column: &str,
    unit: TimeUnit,
    labelled: Labelled,
    mut notes: Vec<String>,
) -> Result<TimeAxis> {
    let Labelled { labels, times, cell_levels } = labelled;
    // Adding zero turns −0 into 0, so that both are one time.
    let times: Vec<f64> = times.iter().map(|time| time + 0.0).collect();
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
    let mut levels: Vec<TimeLevel> = Vec::new();
    let mut place = vec![0; times.len()];
    for i in order {
        match levels.last_mut() {
            Some(last) if last.time.total_cmp(&times[i]).is_eq() => {
                last.label = format!("{} = {}", last.label, labels[i]);
            }
            _ => {
                levels.push(TimeLevel { label: labels[i].clone(), time: times[i], n_cells: 0 });
            }
        }
        place[i] = levels.len() - 1;
    }
    for level in cell_levels.iter().flatten() {
        levels[place[*level]].n_cells += 1;
    }
    if levels.len() < 2 {
        let found = levels.into_iter().next().map(|level| level.label);
        return Err(Error::TooFewTimes { column: column.to_string(), found });
    }
    let cell_times: Vec<Option<f64>> =
        cell_levels.iter().map(|level| level.map(|i| times[i])).collect();
    let n_missing = cell_times.iter().filter(|time| time.is_none()).count();
    if n_missing > 0 {
        let (cells, are) = if n_missing == 1 { ("cell", "is") } else { ("cells", "are") };
        notes.push(format!("{n_missing} {cells} without a time in `{column}` {are} left out"));
    }
    if levels.len() > MANY_TIMES {
        let n = levels.len();
        notes.push(format!("`{column}` has {n} different times and may be a pseudotime"));
    }
    Ok(TimeAxis { column: column.to_string(), unit, levels, cell_times, n_missing, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(labels: &[&str]) -> Column {
        Column::Texts(labels.iter().map(|label| Some((*label).to_string())).collect())
    }

    fn times(name: &str, labels: &[&str]) -> (TimeUnit, Vec<f64>) {
        let axis = resolve(name, &texts(labels)).unwrap();
        (axis.unit, axis.cell_times.into_iter().map(Option::unwrap).collect())
    }

    fn problem(labels: &[&str]) -> String {
        resolve("time", &texts(labels)).unwrap_err().to_string()
    }

    #[test]
    fn days_are_ordered_by_number_and_counted() {
        let axis = resolve("x", &texts(&["D10", "D2", "D10", "D0"])).unwrap();
        let level = |label: &str, time, n_cells| TimeLevel { label: label.into(), time, n_cells };
        assert_eq!(axis.levels, [level("D0", 0., 1), level("D2", 2., 1), level("D10", 10., 2)]);
        assert_eq!(axis.cell_times, [Some(10.), Some(2.), Some(10.), Some(0.)]);
        assert_eq!((axis.unit, axis.n_missing), (TimeUnit::Days, 0));
    }

    #[test]
    fn mixed_units_become_the_smallest_one() {
        assert_eq!(times("x", &["12h", "2d", "1wk"]), (TimeUnit::Hours, vec![12., 48., 168.]));
        assert_eq!(times("x", &["0", "6h"]), (TimeUnit::Hours, vec![0., 6.]));
        let axis = resolve("x", &texts(&["12h", "2d"])).unwrap();
        assert_eq!(axis.notes, ["`x` has times in hours and days; all are converted to hours"]);
        assert!(problem(&["3", "6h"]).contains("have no unit where others have one: `3`"));
    }

    #[test]
    fn equal_times_are_one_level() {
        let axis = resolve("x", &texts(&["24h", "1d", "2d", "24h"])).unwrap();
        assert_eq!(axis.levels.len(), 2);
        assert_eq!((axis.levels[0].label.as_str(), axis.levels[0].n_cells), ("24h = 1d", 3));
        let zeros = resolve("x", &Column::Floats(vec![0., -0., 1.])).unwrap();
        assert_eq!((zeros.levels.len(), zeros.levels[0].n_cells), (2, 2));
    }

    #[test]
    fn stages_count_from_one_start() {
        assert_eq!(times("stage", &["E7.5", "E10.5"]), (TimeUnit::Days, vec![7.5, 10.5]));
        assert_eq!(times("stage", &["P14", "P0"]), (TimeUnit::Days, vec![14., 0.]));
        assert!(problem(&["E18.5", "E17", "P0"]).ends_with("different starts: `E18.5`, `P0`"));
        assert!(problem(&["E18.5", "3"]).contains("different starts"));
    }

    #[test]
    fn the_name_lends_its_unit_to_bare_numbers_only() {
        assert_eq!(times("time_hours", &["0", "6"]).0, TimeUnit::Hours);
        assert_eq!(times("day", &["0", "6"]).0, TimeUnit::Days);
        assert_eq!(times("day", &["0h", "6h"]).0, TimeUnit::Hours);
        assert_eq!(times("time", &["0", "6"]).0, TimeUnit::Unknown);
    }

    #[test]
    fn missing_times_are_left_out_and_counted() {
        let categories = Box::new(texts(&["D0", "D9", "D3"]));
        let codes = vec![Some(2), None, Some(0), Some(2), Some(77)];
        let axis = resolve("x", &Column::Categories { codes, categories }).unwrap();
        assert_eq!(axis.cell_times, [Some(3.), None, Some(0.), Some(3.), None]);
        assert_eq!((axis.n_missing, axis.levels.len()), (2, 2));
        assert_eq!(axis.notes, ["2 cells without a time in `x` are left out"]);
        assert_eq!(axis.timed_cells(), (vec![0, 2, 3], vec![3., 0., 3.]));
        let axis = resolve("x", &Column::Floats(vec![1., f64::NAN, 2.])).unwrap();
        assert_eq!(axis.cell_times, [Some(1.), None, Some(2.)]);
        let axis = resolve("x", &texts(&["1", "", "NaN", "2"])).unwrap();
        assert_eq!(axis.n_missing, 2);
        let axis = resolve("x", &Column::Integers(vec![Some(4), None, Some(2)])).unwrap();
        assert_eq!(axis.times(), [2., 4.]);
    }

    #[test]
    fn bad_labels_are_named_five_at_most() {
        let message = problem(&["D0", "a", "b", "c", "d", "e", "f", "a"]);
        assert_eq!(message, "labels of `time` are not times: `a`, `b`, `c`, `d`, `e` and 1 more");
        let error = resolve("t", &Column::Bools(vec![Some(true), Some(false)])).unwrap_err();
        assert!(error.to_string().contains("are not times: `True`, `False`"));
        assert!(error.hint().unwrap().contains("time_map"));
        assert!(problem(&["3m", "6m"]).contains("two readings: `3m`, `6m`"));
        assert!(resolve("t", &Column::Floats(vec![1., f64::INFINITY])).is_err());
    }

    #[test]
    fn one_time_or_none_is_an_error_that_says_so() {
        let only = "`time` must have at least two different times, found only `D3`";
        assert_eq!(problem(&["D3", "D3"]), only);
        let none = resolve("time", &Column::Floats(vec![f64::NAN])).unwrap_err().to_string();
        assert!(none.ends_with("found none"), "{none}");
    }

    #[test]
    fn a_map_gives_any_label_a_time() {
        let map = |pairs: &[(&str, f64)]| -> BTreeMap<String, f64> {
            pairs.iter().map(|pair| (pair.0.to_string(), pair.1)).collect()
        };
        let column = texts(&["late", " early", "late", ""]);
        let axis = resolve_with_map("x", &column, &map(&[("early", 1.), ("late", 4.), ("z", 9.)]))
            .unwrap();
        assert_eq!(axis.cell_times, [Some(4.), Some(1.), Some(4.), None]);
        assert!(axis.notes[0].ends_with("that `x` lacks: `z`"), "{:?}", axis.notes);
        let column = Column::Floats(vec![6.0, 12.0]);
        let axis = resolve_with_map("x", &column, &map(&[("6", 0.5), ("12", 1.)])).unwrap();
        assert_eq!(axis.times(), [0.5, 1.]);
        let error = resolve_with_map("x", &column, &map(&[("6", 0.5)])).unwrap_err();
        assert_eq!(error.to_string(), "labels of `x` are not in the time map: `12.0`");
        assert!(resolve_with_map("x", &column, &BTreeMap::new()).is_err());
        let infinite = map(&[("6", 0.5), ("12", f64::NAN)]);
        assert!(resolve_with_map("x", &column, &infinite).is_err());
    }
}
