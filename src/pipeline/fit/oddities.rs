//! Notes on unusual cells, noise and growth, before the first bridge is fitted.

use std::collections::BTreeMap;

use ndarray::Array1;

use crate::bridge::Property;
use crate::data::{Snapshot, TimeSeries, grown};
use crate::error::{Error, Result, number};
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::pipeline::fit::growth::Growing;
use crate::pipeline::fit::options::{FitOptions, Source};
use crate::pipeline::fit::scale::{Outlying, Spread};
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::pipeline::fit::units::Units;
use crate::pipeline::shared::coordinates::Seen;
use crate::progress::{self, Progress};

/// Largest number of cells that a note names.
const NAMED: usize = 3;

/// Below this number of effective cells, one cell has most of a snapshot's mass.
const ONE_CELL: f64 = 2.0;

/// Snapshots of fewer cells get the note on few cells, and none on growth from one cell.
const SMALL: usize = 3;

/// Below this ε, entropic solvers may not reach their tolerance.
const LITTLE_NOISE: f64 = 1e-9;

/// The cells of a fit with the parameters that selected them.
#[derive(Clone, Copy)]
pub(crate) struct Taking<'a> {
    /// The rows and times of the cells.
    pub(crate) selection: &'a Selection,
    /// Names of the selected cells, in the order of the selection.
    pub(crate) cells: &'a [String],
    /// The parameters of the fit.
    pub(crate) options: &'a FitOptions,
}

/// A course with coordinates before it is fitted: everything that the notes depend on.
pub(crate) struct Oddities<'a> {
    /// The cells, by name.
    pub(crate) taking: Taking<'a>,
    /// Their coordinates by time, in data units.
    pub(crate) series: &'a TimeSeries,
    /// The width of each snapshot and the outlying cells.
    pub(crate) spread: &'a Spread,
    /// The scale and the noise.
    pub(crate) units: &'a Units,
    /// Growth rate of each selected cell per unit of time, if there is a prior.
    pub(crate) growth: Option<&'a Array1<f64>>,
}

impl Oddities<'_> {
    /// Sends all notes: repeated names, few cells, identical cells, outlying cells, much noise, little
    /// noise, growth from one cell.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn say(&self, progress: &mut dyn Progress) -> Result<()> {
        let mut texts = Vec::new();
        texts.extend(repeated(self.taking.cells));
        texts.extend(self.few());
        texts.extend(self.identical());
        texts.extend(self.outlying());
        texts.extend(self.noisy());
        texts.extend(self.still());
        texts.extend(self.outgrown()?);
        texts.into_iter().try_for_each(|text| progress::note(progress, text))
    }

    /// The label of a snapshot, as in the file.
    fn label(&self, snapshot: usize) -> &str {
        &self.taking.selection.axis.levels[snapshot].label
    }

    /// The name of cell number `cell` of a snapshot; the cells of a snapshot are in the order of the
    /// selection.
    fn name(&self, snapshot: usize, cell: usize) -> &str {
        let time = self.series.times()[snapshot];
        let here = |place: &usize| self.taking.selection.times[*place].total_cmp(&time).is_eq();
        let place = (0..self.taking.cells.len()).filter(here).nth(cell);
        place.map_or("", |place| self.taking.cells[place].as_str())
    }

    /// The note on times of one or two cells.
    fn few(&self) -> Option<String> {
        let levels = &self.taking.selection.axis.levels;
        let few: Vec<String> = levels
            .iter()
            .filter(|level| level.n_cells < SMALL)
            .map(|level| format!("{} ({})", level.label, cells_in_words(level.n_cells)))
            .collect();
        (!few.is_empty()).then(|| {
            format!(
                "too few cells to describe the population at {}: the bridges pass through these \
                 cells only, and confidence intervals from resampled cells are not valid there; \
                 leave such times out with the parameter `obs_filter`",
                few.join(", ")
            )
        })
    }

    /// One note for each time whose cells are identical.
    fn identical(&self) -> Vec<String> {
        self.series
            .snapshots()
            .iter()
            .enumerate()
            .filter(|(k, snapshot)| snapshot.n_cells() > 1 && self.spread.variances[*k] <= 0.0)
            .map(|(k, snapshot)| {
                format!(
                    "the {} cells at {} are identical in all coordinates: this snapshot does not \
                     show how cells of one time differ",
                    snapshot.n_cells(),
                    self.label(k)
                )
            })
            .collect()
    }

    /// The note on outlying cells, which do not count towards the scale.
    fn outlying(&self) -> Option<String> {
        let all = &self.spread.outlying;
        if all.is_empty() {
            return None;
        }
        let named: Vec<String> = all
            .iter()
            .take(NAMED)
            .map(|&Outlying { snapshot, cell, distance }| {
                let (name, label) = (self.name(snapshot, cell), self.label(snapshot));
                format!("`{name}` at {label} ({distance:.0} times)")
            })
            .collect();
        Some(format!(
            "{} times as far from the median of the time as the median cell: {}{}; the scale ignores \
             such cells, the bridges do not: check them, and leave them out with the parameter \
             `obs_filter` if they are errors",
            if all.len() == 1 {
                "1 cell is more than 10".to_string()
            } else {
                format!("{} cells are more than 10", all.len())
            },
            named.join(", "),
            if all.len() > NAMED { ", …" } else { "" }
        ))
    }

    /// The note on intervals in which the noise has a larger variance than the cells at their ends. It
    /// names the worst interval, and the ε that reduces the noise to a tenth of the cells' variance.
    fn noisy(&self) -> Option<String> {
        let times = self.series.times();
        let found: Vec<(usize, f64, f64)> = (0..times.len() - 1)
            .filter_map(|k| {
                let ends = [self.spread.variances[k], self.spread.variances[k + 1]];
                let varying: Vec<f64> = ends.into_iter().filter(|v| 0.0 < *v).collect();
                let within = varying.iter().sum::<f64>() / varying.len() as f64;
                let noise = self.units.sigma2 * (times[k + 1] - times[k]);
                (within < noise).then_some((k, noise, within))
            })
            .collect();
        let &(k, noise, within) =
            found.iter().max_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)))?;
        let others = match found.len() - 1 {
            0 => String::new(),
            1 => ", and of 1 other interval too".into(),
            n => format!(", and of {n} other intervals too"),
        };
        Some(format!(
            "the noise from {} to {} has the variance {} in each coordinate, more than the {} between \
             cells of one time{others}: it hides the differences between cells; with the parameter \
             `epsilon = {}` it is a tenth of that variance",
            self.label(k),
            self.label(k + 1),
            number(noise),
            number(within),
            number(self.units.epsilon * 0.1 * within / noise)
        ))
    }

    /// The note on noise that is so small that the exact coupling fits the purpose better.
    fn still(&self) -> Option<String> {
        let entropic = self.taking.options.solver.has(Property::Entropic);
        (entropic && self.units.epsilon < LITTLE_NOISE).then(|| {
            format!(
                "ε = {} is so small that couplings may not converge; the parameter `solver = ot` gives the \
                 bridge without noise",
                number(self.units.epsilon)
            )
        })
    }

    /// One note for each time at which growth gives one cell most of the mass.
    fn outgrown(&self) -> Result<Vec<String>> {
        let Some(rates) = self.growth else { return Ok(Vec::new()) };
        let times = self.series.times();
        let mut texts = Vec::new();
        for (k, ends) in times.windows(2).enumerate() {
            let snapshot = &self.series.snapshots()[k];
            let rates = Growing::rates(self.series, k, rates, &self.taking.selection.times);
            let grown = grown(snapshot, rates.view(), ends[1] - ends[0])?;
            let effective = effective(&grown);
            if snapshot.n_cells() <= SMALL || effective >= ONE_CELL {
                continue;
            }
            let weights = grown.marginal();
            let (cell, share) = weights
                .iter()
                .enumerate()
                .fold((0, 0.0), |most, (i, &w)| if most.1 < w { (i, w) } else { most });
            texts.push(format!(
                "growth puts {:.0} % of the mass at {} on one cell, `{}` ({effective:.1} effective \
                 cells of {}): the bridge to {} starts from it alone; check the unit of its number \
                 (the parameter `growth_unit`)",
                100.0 * share,
                self.label(k),
                self.name(k, cell),
                snapshot.n_cells(),
                self.label(k + 1)
            ));
        }
        Ok(texts)
    }
}

/// Notes which cells contain only zeros, and which other matrices the file has if the chosen one is
/// scaled.
///
/// # Errors
/// [`Error::EmptyTime`] if all cells of a time contain only zeros; [`Error::Cancelled`].
pub(crate) fn say_values(
    seen: &Seen,
    taking: Taking<'_>,
    file: &H5ad,
    progress: &mut dyn Progress,
) -> Result<()> {
    let Taking { selection, cells, options } = taking;
    if seen.negative && !matches!(options.source, Source::Rep(_)) {
        let own = matrix_source(&options.source);
        let others: Vec<String> = file
            .matrices()?
            .into_iter()
            .filter(|other| *other != own)
            .map(|other| format!("{other} ({})", flag_of(&other)))
            .collect();
        if !others.is_empty() {
            let text = format!(
                "scaled values give every gene the same weight, and counts or logarithms cannot be \
                 recovered from them; the file also has {}",
                others.join(", ")
            );
            progress::note(progress, text)?;
        }
    }
    if seen.empty.is_empty() {
        return Ok(());
    }
    let mut of_time: BTreeMap<u64, usize> = BTreeMap::new();
    for &cell in &seen.empty {
        *of_time.entry(selection.times[cell].to_bits()).or_default() += 1;
    }
    for level in &selection.axis.levels {
        if of_time.get(&level.time.to_bits()) == Some(&level.n_cells) {
            return Err(Error::EmptyTime { label: level.label.clone(), n_cells: level.n_cells });
        }
    }
    let n = seen.empty.len();
    let named: Vec<String> =
        seen.empty.iter().take(NAMED).map(|&cell| format!("`{}`", cells[cell])).collect();
    let text = format!(
        "{n} of {} cells contain only zeros ({}{}): they are one point far from the other cells; leave \
         cells without counts out",
        cells.len(),
        named.join(", "),
        if n > NAMED { ", …" } else { "" }
    );
    progress::note(progress, text)
}

/// The parameter that selects a matrix, in the words of messages.
fn flag_of(source: &MatrixSource) -> String {
    match source {
        MatrixSource::X => "without a parameter".into(),
        MatrixSource::Layer(name) => format!("the parameter `layer = {name}`"),
        MatrixSource::RawX => "the parameter `use_raw`".into(),
    }
}

/// Notes names that several cells have, since tables by cell are ambiguous for them.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn say_repeated(cells: &[String], progress: &mut dyn Progress) -> Result<()> {
    repeated(cells).map_or(Ok(()), |text| progress::note(progress, text))
}

/// The note on names that several cells have, if there are any.
fn repeated(cells: &[String]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell).or_default() += 1;
    }
    let n = counts.values().filter(|&&count| count > 1).count();
    let (first, times) = counts.into_iter().find(|entry| entry.1 > 1)?;
    Some(format!(
        "{n} cell names occur more than once, such as `{first}` ({times} times): tables by cell have \
         several rows with one name, and `annotate` refuses them; make them unique \
         (`adata.obs_names_make_unique()`)"
    ))
}

/// The effective number of cells of a snapshot with weights w that sum to one: `1 / Σ w²`.
fn effective(snapshot: &Snapshot) -> f64 {
    1.0 / snapshot.marginal().mapv(|weight| weight * weight).sum()
}

/// `1 cell`, `2 cells`.
fn cells_in_words(n: usize) -> String {
    if n == 1 { "1 cell".into() } else { format!("{n} cells") }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn effective_cells_are_all_of_equal_weight_and_one_that_holds_all() {
        let of = |weights| Snapshot::weighted(array![[0.0], [1.0], [2.0], [3.0]], weights).unwrap();
        assert!((effective(&of(array![1., 1., 1., 1.])) - 4.0).abs() < 1e-12);
        assert!((effective(&of(array![1., 0., 0., 0.])) - 1.0).abs() < 1e-12);
        // (Σw)²/Σw² = 16/10.
        assert!((effective(&of(array![3., 1., 0., 0.])) - 1.6).abs() < 1e-12);
    }
}
