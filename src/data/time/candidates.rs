//! The choice of the column of times by names, contents, and agreement of columns.

use super::axis::{MANY_TIMES, TimeAxis, resolve};
use super::names::name_rank;
use super::unit::TimeUnit;
use crate::data::Column;
use crate::error::{Error, Result};

/// Largest difference of equal times in two columns, as a share of the smallest gap.
///
/// It permits the rounding of a label such as `0.33` for a third of a day.
const AGREEMENT: f64 = 0.011;

/// Finds the column of times among `columns`, pairs of name and content.
///
/// Candidates are columns with a name such as `time`, `day` or `collection_day`. A candidate is
/// plausible if every label has one reading and there are from 2 to 200 times. If several plausible
/// columns have the same times up to a change of unit, a numeric column comes first, then the better
/// name, then the first in order. [`TimeAxis::notes`] list the others, which can supply the unit.
///
/// # Errors
/// [`Error::TimeColumnsDisagree`] if plausible columns contradict each other, or a column with a
/// better name than theirs cannot be read; [`Error::NoTimeColumn`] if no column is plausible.
///
/// ```
/// use sbcell::data::{Column, time};
///
/// let batch = Column::Integers(vec![Some(1), Some(1), Some(2), Some(2)]);
/// let day = Column::Floats(vec![0.0, 0.0, 2.5, 2.5]);
/// let axis = time::find(&[("batch".into(), batch), ("day".into(), day)])?;
/// assert_eq!(axis.column, "day");
/// # sbcell::Result::Ok(())
/// ```
pub fn find(columns: &[(String, Column)]) -> Result<TimeAxis> {
    let mut named: Vec<(usize, &str, &Column)> = columns
        .iter()
        .filter_map(|(name, column)| name_rank(name).map(|rank| (rank, name.as_str(), column)))
        .collect();
    named.sort_by_key(|candidate| (!candidate.2.is_numeric(), candidate.0));
    let mut plausible: Vec<(usize, TimeAxis)> = Vec::new();
    let mut unread: Vec<(usize, &str, Error)> = Vec::new();
    let mut looked_at = Vec::new();
    for (rank, name, column) in named {
        match resolve(name, column) {
            Ok(axis) if axis.levels.len() <= MANY_TIMES => plausible.push((rank, axis)),
            Ok(axis) => {
                let n = axis.levels.len();
                let why = format!("it has {n} different times, more than {MANY_TIMES}");
                looked_at.push((name.to_string(), why));
            }
            Err(error @ Error::TimeLabels { .. }) => {
                looked_at.push((name.to_string(), error.to_string()));
                unread.push((rank, name, error));
            }
            Err(error) => looked_at.push((name.to_string(), error.to_string())),
        }
    }
    let Some((best, others)) = plausible.split_first() else {
        let only_one = unread.len() == 1 && looked_at.len() == 1;
        return Err(match unread.pop() {
            Some((_, _, error)) if only_one => error,
            _ => Error::NoTimeColumn { looked_at },
        });
    };
    let agreements: Option<Vec<f64>> =
        others.iter().map(|(_, other)| factor(&best.1, other)).collect();
    let best_rank = plausible.iter().map(|candidate| candidate.0).min().unwrap_or(0);
    let hidden = unread.iter().any(|candidate| candidate.0 < best_rank);
    match agreements {
        Some(factors) if !hidden => {
            let ignored = unread.iter().map(|candidate| candidate.1).collect();
            Ok(with_notes(best.1.clone(), others, &factors, ignored))
        }
        _ => {
            let mut columns: Vec<(String, String)> = plausible
                .iter()
                .map(|(_, axis)| (axis.column.clone(), first_times(axis)))
                .collect();
            let better = unread.into_iter().filter(|candidate| candidate.0 < best_rank);
            columns.extend(better.map(|(_, name, error)| (name.to_string(), error.to_string())));
            Err(Error::TimeColumnsDisagree { columns })
        }
    }
}

/// The factor from the times of `a` to those of `b`; `None` if the columns contradict each other.
///
/// Only cells with both times count. The factor is the ratio of the units if both are known, or the
/// ratio of two units near the measured one.
fn factor(a: &TimeAxis, b: &TimeAxis) -> Option<f64> {
    if a.cell_times.len() != b.cell_times.len() {
        return None;
    }
    let mut pairs: Vec<(f64, f64)> =
        a.cell_times.iter().zip(&b.cell_times).filter_map(|(&a, &b)| a.zip(b)).collect();
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)));
    pairs.dedup();
    let increasing = pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1);
    if pairs.len() < 2 || !increasing {
        return None;
    }
    let far = pairs.iter().max_by(|x, y| x.0.abs().total_cmp(&y.0.abs()))?;
    let measured = far.1 / far.0;
    let factor = match (a.unit.minutes(), b.unit.minutes()) {
        (Some(a), Some(b)) => a / b,
        _ => unit_ratio_near(measured),
    };
    let gap = pairs.windows(2).map(|two| two[1].1 - two[0].1).fold(f64::INFINITY, f64::min);
    let agree = pairs.iter().all(|pair| (pair.1 - factor * pair.0).abs() <= AGREEMENT * gap);
    (factor > 0.0 && agree).then_some(factor)
}

/// The ratio of two units that differs from `measured` by less than 1 %, otherwise `measured`.
fn unit_ratio_near(measured: f64) -> f64 {
    let minutes = TimeUnit::KNOWN.map(|unit| unit.minutes().unwrap_or(1.0));
    minutes
        .iter()
        .flat_map(|a| minutes.iter().map(move |b| a / b))
        .find(|ratio| (measured / ratio - 1.0).abs() < 1e-2)
        .unwrap_or(measured)
}

/// Adds notes on columns that agree or are ignored, and takes the unit from a column that has it.
fn with_notes(
    mut best: TimeAxis,
    others: &[(usize, TimeAxis)],
    factors: &[f64],
    ignored: Vec<&str>,
) -> TimeAxis {
    let mut notes = vec![format!("time is taken from `{}`", best.column)];
    for ((_, other), &factor) in others.iter().zip(factors) {
        if (factor - 1.0).abs() < 1e-9 {
            notes.push(format!("`{}` has the same times", other.column));
        } else {
            notes.push(format!("`{}` has the same times in another unit", other.column));
        }
        if best.unit == TimeUnit::Unknown
            && let Some(minutes) = other.unit.minutes()
            && let Some(unit) = TimeUnit::KNOWN.into_iter().find(|unit| {
                unit.minutes().is_some_and(|own| (own / minutes / factor - 1.0).abs() < 1e-9)
            })
        {
            best.unit = unit;
            notes.push(format!("its unit, {}, follows from `{}`", unit.plural(), other.column));
        }
    }
    let unused = |name| format!("`{name}` cannot be read as times and is not used");
    notes.extend(ignored.into_iter().map(unused));
    notes.append(&mut best.notes);
    best.notes = notes;
    best
}

/// The first labels of an axis, for a list of candidates.
fn first_times(axis: &TimeAxis) -> String {
    let shown: Vec<&str> = axis.levels.iter().take(5).map(|level| level.label.as_str()).collect();
    let more = if axis.levels.len() > 5 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(name: &str, values: &[f64]) -> (String, Column) {
        (name.into(), Column::Floats(values.to_vec()))
    }

    fn texts(name: &str, labels: &[&str]) -> (String, Column) {
        let labels = labels.iter().map(|label| Some((*label).to_string())).collect();
        (name.into(), Column::Texts(labels))
    }

    #[test]
    fn takes_the_numeric_one_of_columns_that_agree() {
        let columns = [
            texts("time_label", &["6h", "0h", "48h"]),
            floats("day", &[0.25, 0.0, 2.0]),
            floats("time", &[6.0, 0.0, 48.0]),
            floats("n_genes", &[3.0, 2.0, 1.0]),
        ];
        let axis = find(&columns).unwrap();
        assert_eq!((axis.column.as_str(), axis.unit), ("time", TimeUnit::Hours));
        assert_eq!(axis.times(), [0.0, 6.0, 48.0]);
        assert_eq!(
            axis.notes,
            [
                "time is taken from `time`",
                "`day` has the same times in another unit",
                "its unit, hours, follows from `day`",
                "`time_label` has the same times",
            ]
        );
    }

    #[test]
    fn units_are_compared_and_a_number_goes_before_a_better_name() {
        let columns =
            [texts("time", &["0.25 d", "0 d", "2 d"]), texts("time_label", &["6h", "0h", "48h"])];
        let axis = find(&columns).unwrap();
        assert_eq!((axis.column.as_str(), axis.unit), ("time", TimeUnit::Days));
        let columns = [texts("time", &["D0", "D2", "D7"]), floats("day", &[0., 2., 7.])];
        assert_eq!(find(&columns).unwrap().column, "day");
    }

    #[test]
    fn rounded_labels_agree_and_cells_one_column_lacks_do_not_count() {
        let thirds = [1.0 / 3.0, 2.0 / 3.0, 1.0, 4.0];
        let rounded = texts("time_label", &["0.33 d", "0.67 d", "1 d", ""]);
        assert_eq!(find(&[floats("day", &thirds), rounded]).unwrap().column, "day");
    }

    #[test]
    fn columns_that_disagree_are_listed_with_values() {
        let spacing = [floats("time", &[0., 1., 2.]), floats("day", &[0., 2., 7.])];
        let order = [floats("time", &[0., 1., 2.]), floats("day", &[0., 2., 1.])];
        let groups = [floats("time", &[0., 1., 1.]), floats("day", &[0., 1., 2.])];
        let units = [texts("time", &["0h", "6h", "9h"]), floats("day", &[0., 6., 9.])];
        let shift = [floats("time", &[0., 1., 2.]), floats("age", &[5., 6., 7.])];
        for columns in [&spacing, &order, &groups, &units, &shift] {
            let error = find(columns).unwrap_err();
            assert!(matches!(error, Error::TimeColumnsDisagree { .. }), "{error}");
        }
        let message = find(&spacing).unwrap_err().to_string();
        assert!(
            message.ends_with("disagree:\n  `time`: 0.0, 1.0, 2.0\n  `day`: 0.0, 2.0, 7.0"),
            "{message}"
        );
    }

    #[test]
    fn a_better_name_that_cannot_be_read_is_not_passed_over() {
        let time = texts("time", &["early", "late", "late"]);
        let error = find(&[time.clone(), floats("age", &[30., 40., 50.])]).unwrap_err();
        assert!(matches!(error, Error::TimeColumnsDisagree { .. }), "{error}");
        let stage = texts("stage", &["gastrula", "neurula", "neurula"]);
        let axis = find(&[stage, floats("day", &[0., 1., 1.])]).unwrap();
        assert_eq!(axis.column, "day");
        assert_eq!(axis.notes[1], "`stage` cannot be read as times and is not used");
        assert!(matches!(find(&[time]).unwrap_err(), Error::TimeLabels { .. }));
    }

    #[test]
    fn constant_and_continuous_columns_are_not_plausible() {
        let n = 300;
        let day: Vec<f64> = (0..n).map(|i| f64::from(i % 3)).collect();
        let columns = [
            floats("time", &vec![1.0; n as usize]),
            ("t".into(), Column::Floats((0..n).map(f64::from).collect())),
            floats("day", &day),
        ];
        assert_eq!(find(&columns).unwrap().column, "day");
        let error = find(&columns[..2]).unwrap_err();
        assert!(error.to_string().contains("`t`: it has 300 different times"), "{error}");
        assert!(matches!(find(&[]).unwrap_err(), Error::NoTimeColumn { .. }));
    }
}
