//! Growth of cells: from a column, a file or genes to rates, and from a plan back to rates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::bridge::{Bridge, BridgeProblem};
use crate::data::time::TimeUnit;
use crate::data::{Column, GrowthUnit, Matrix, Snapshot, TimeSeries, grown, posterior_rates};
use crate::error::{Error, Result};
use crate::io::h5ad::H5ad;
use crate::io::lists;
use crate::io::model::IntervalGrowth;
use crate::pipeline::config::Source;
use crate::pipeline::prepare::{Selection, file_name, matrix_source, no_genes};
use crate::pipeline::shared::asked_genes::refuse_strangers;
use crate::preprocess::{GeneSets, Species, find_genes, gene_set_rates, mean_z_score};
use crate::progress::{self, Progress};

/// What `fit` is told about growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthOptions {
    /// Where the growth of each cell comes from.
    pub prior: GrowthPrior,
    /// What the numbers of a column or file mean.
    pub unit: GrowthUnit,
    /// How often each interval is solved; from the second time on with the growth that the last
    /// plan implied. More than once only with a relaxed source marginal.
    pub iterations: usize,
}

impl Default for GrowthOptions {
    fn default() -> Self {
        Self { prior: GrowthPrior::None, unit: GrowthUnit::default(), iterations: 1 }
    }
}

/// Where the growth of each cell comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrowthPrior {
    /// Nothing is known: every cell has as many descendants as any other.
    None,
    /// A column of `obs`.
    Column(String),
    /// A table of cells and their growth.
    File(GrowthTable),
    /// Proliferation less apoptosis, by the lists of genes that are shipped.
    Species(Species),
    /// Proliferation less apoptosis, by the user's lists of genes.
    Genes(GeneSets),
}

/// The growth of cells from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthTable {
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the file: what `run.json` keeps of it.
    pub sha256: String,
    /// The number beside each cell.
    #[serde(skip)]
    pub values: BTreeMap<String, f64>,
}

impl GrowthTable {
    /// Reads a table of two columns, cell and number, with or without a header, such as
    /// Waddington-OT's `id`, `cell_growth_rate`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Unreadable`] if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let (values, sha256) = lists::read_growth(path)?;
        Ok(Self { file: file_name(path), sha256, values })
    }
}

impl GrowthOptions {
    /// Checks what can be checked without the file; `relaxes` is whether the solver lets the
    /// source marginal go.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a number of iterations that means nothing.
    pub(super) fn check(&self, relaxes: bool) -> Result<()> {
        let Self { prior: _, unit: _, iterations } = self;
        let must = match (*iterations, relaxes) {
            (0, _) => "at least 1",
            (1, _) | (_, true) => return Ok(()),
            (_, false) => {
                "1 where the solver keeps the growth it is given (see the parameter `source_relaxation`)"
            }
        };
        Err(Error::Parameter { name: "growth_iters", must, got: iterations.to_string() })
    }
}

/// Growth as far as it is known before the matrix is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// No prior.
    Nothing,
    /// The rate of each selected cell per unit of time; zero where it is not needed.
    Rates(Array1<f64>),
    /// Columns of the matrix for proliferation and apoptosis.
    Genes([Vec<usize>; 2]),
}

/// Reads a column or file, or finds the genes.
///
/// # Errors
/// An unknown column; a cell before the last time without growth; no gene of a list in the file.
pub(super) fn given(
    file: &H5ad,
    selection: &Selection,
    options: &GrowthOptions,
    source: &Source,
    progress: &mut dyn Progress,
) -> Result<Given> {
    let unit = selection.axis.unit;
    let rates =
        |numbers: Numbers<'_>| per_cell(file, selection, options.unit, numbers).map(Given::Rates);
    let sets = match &options.prior {
        GrowthPrior::None => return Ok(Given::Nothing),
        GrowthPrior::Column(name) => {
            say_unit(options.unit, unit, progress)?;
            let column = file.obs(name)?;
            refuse_text(&column, name)?;
            if matches!(column, Column::Categories { .. }) {
                let text = format!("growth: the categories of `{name}` are read as numbers");
                progress::note(progress, text)?;
            }
            let values = selection.rows.iter().map(|&row| column.number(row)).collect();
            return rates(Numbers { values, name, table: None });
        }
        GrowthPrior::File(table) => {
            say_unit(options.unit, unit, progress)?;
            let names = file.obs_names()?;
            let value = |&row: &usize| table.values.get(&names[row]).copied();
            let values = selection.rows.iter().map(value).collect();
            return rates(Numbers { values, name: &table.file, table: Some(table) });
        }
        GrowthPrior::Species(species) => GeneSets::shipped(*species),
        GrowthPrior::Genes(sets) => sets.clone(),
    };
    let genes = file.gene_names(&matrix_source(source))?;
    let mut found = [Vec::new(), Vec::new()];
    for (place, (what, set)) in
        [("proliferation", &sets.proliferation), ("apoptosis", &sets.apoptosis)]
            .into_iter()
            .enumerate()
    {
        let (columns, missing) = find_genes(set, &genes);
        if columns.is_empty() {
            return Err(no_genes(set, &genes));
        }
        let names: Vec<String> =
            set.iter().filter_map(|entry| Some(entry.split_whitespace().next()?.into())).collect();
        refuse_strangers(&names, &genes, set.len() - missing.len())?;
        let n = set.len();
        let text = format!("growth: {} of {n} genes of {what} found", n - missing.len());
        progress::note(progress, text)?;
        found[place] = columns;
    }
    if unit == TimeUnit::Unknown {
        progress::note(progress, "growth: the unit of the times is unknown, taken to be days")?;
    }
    Ok(Given::Genes(found))
}

fn say_unit(unit: GrowthUnit, times: TimeUnit, progress: &mut dyn Progress) -> Result<()> {
    if times == TimeUnit::Unknown && unit.per != TimeUnit::Unknown {
        let text = format!(
            "growth: the unit of the times is unknown, so {unit} is taken to be for one unit of them"
        );
        progress::note(progress, text)?;
    }
    Ok(())
}

/// Refuses a column without numbers.
fn refuse_text(column: &Column, name: &str) -> Result<()> {
    if column.is_numeric() {
        return Ok(());
    }
    let kind = match column {
        Column::Bools(_) => "truth values",
        Column::Categories { .. } => "categories",
        _ => "text",
    };
    let example = (0..column.len()).find_map(|row| column.label(row)).unwrap_or_default();
    Err(Error::GrowthText { name: name.to_string(), kind, example })
}

/// What a column or a file says of the selected cells.
struct Numbers<'a> {
    values: Vec<Option<f64>>,
    /// The column or file.
    name: &'a str,
    /// The file, if it is one.
    table: Option<&'a GrowthTable>,
}

/// Rates per unit of the times. Cells of the last time have
/// no interval and need none.
fn per_cell(
    file: &H5ad,
    selection: &Selection,
    unit: GrowthUnit,
    Numbers { values, name, table }: Numbers<'_>,
) -> Result<Array1<f64>> {
    let last = selection.times.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let cell_name =
        |cell: usize| -> Result<String> { Ok(file.obs_names()?.swap_remove(selection.rows[cell])) };
    let mut missing = Vec::new();
    let mut rates = Array1::zeros(values.len());
    for (cell, value) in values.iter().enumerate().filter(|(c, _)| selection.times[*c] < last) {
        let Some(value) = *value else {
            missing.push(cell);
            continue;
        };
        rates[cell] = match unit.rate(value, selection.axis.unit) {
            Ok(rate) => rate,
            Err(Error::Parameter { must, .. }) => {
                let (name, cell) = (name.to_string(), cell_name(cell)?);
                return Err(Error::GrowthValue { name, cell, must, got: value });
            }
            Err(other) => return Err(other),
        };
    }
    if missing.is_empty() {
        return Ok(rates);
    }
    let names = file.obs_names()?;
    let first = missing.iter().take(5).map(|&cell| names[selection.rows[cell]].clone());
    Err(Error::GrowthMissing {
        name: name.to_string(),
        n_missing: missing.len(),
        first: first.collect(),
        naming: table.and_then(|table| other_naming(table, &names)),
    })
}

/// How the names of a table differ from those of the cells, if all of one have something before or
/// after them that the others do not.
fn other_naming(table: &GrowthTable, names: &[String]) -> Option<String> {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let there: BTreeSet<&str> = table.values.keys().map(String::as_str).collect();
    let first = there.first()?;
    // What the names there have beside those of cells.
    let cuts = || first.char_indices().map(|(at, _)| at).skip(1);
    let without = |all: &dyn Fn(&str) -> Option<&str>| {
        there.iter().all(|name| all(name).is_some_and(|rest| known.contains(rest)))
    };
    let more = "which names of cells do not: leave it out";
    if let Some(end) = cuts().map(|at| &first[at..]).find(|end| without(&|n| n.strip_suffix(end))) {
        return Some(format!("names in the file end in `{end}`, {more}"));
    }
    if let Some(begin) = cuts().map(|at| &first[..at]).find(|b| without(&|n| n.strip_prefix(b))) {
        return Some(format!("names in the file begin with `{begin}`, {more}"));
    }
    // What names of cells have beside those there.
    let less = "which names in the file do not: add it";
    let ends =
        known.iter().filter_map(|name| name.strip_prefix(first)).filter(|end| !end.is_empty());
    let with = |end: &str| there.iter().all(|name| known.contains(format!("{name}{end}").as_str()));
    if let Some(end) = ends.take(MOST_ENDS).find(|end| with(end)) {
        return Some(format!("names of cells end in `{end}`, {less}"));
    }
    let begins = known.iter().filter_map(|name| name.strip_suffix(first)).filter(|b| !b.is_empty());
    let with = |begin: &str| there.iter().all(|n| known.contains(format!("{begin}{n}").as_str()));
    let begin = begins.take(MOST_ENDS).find(|begin| with(begin))?;
    Some(format!("names of cells begin with `{begin}`, {less}"))
}

/// Endings of names that are tried.
const MOST_ENDS: usize = 100;

/// The rate of each cell per unit of the times, from the matrix on its log scale.
///
/// # Errors
/// [`Error::Parameter`] if an expression is not finite.
pub(super) fn from_genes(
    matrix: &Matrix,
    [proliferation, apoptosis]: &[Vec<usize>; 2],
    times: TimeUnit,
) -> Result<Array1<f64>> {
    let births = mean_z_score(matrix, proliferation)?;
    let deaths = mean_z_score(matrix, apoptosis)?;
    let unit: GrowthUnit = "rate/day".parse()?;
    let per_day = gene_set_rates(births.view(), deaths.view());
    per_day.into_iter().map(|rate| unit.rate(rate, times)).collect()
}

/// What is known of the growth in one interval.
#[derive(Debug, Clone)]
pub(super) struct Growing {
    /// The cells at the start, as they were observed, in the coordinates of the bridges.
    pub(super) observed: Snapshot,
    /// Their rates, if there is a prior.
    pub(super) prior: Option<Array1<f64>>,
    /// Length of the interval, in the unit of the times.
    pub(super) length: f64,
}

impl Growing {
    /// The rates of the cells of snapshot `k` of `series`; `rates` has one for each cell in the
    /// order of `cell_times`.
    pub(super) fn rates(
        series: &TimeSeries,
        k: usize,
        rates: &Array1<f64>,
        cell_times: &[f64],
    ) -> Array1<f64> {
        let time = series.times()[k];
        let here = |cell: &usize| cell_times[*cell].total_cmp(&time).is_eq();
        (0..cell_times.len()).filter(here).map(|cell| rates[cell]).collect()
    }

    /// `problem` with the source that `prior` makes of the observed cells.
    pub(super) fn problem(&self, problem: &BridgeProblem) -> Result<BridgeProblem> {
        let Some(prior) = &self.prior else { return Ok(problem.clone()) };
        let source = grown(&self.observed, prior.view(), self.length)?;
        BridgeProblem::new(source, problem.target().clone(), problem.epsilon())
    }

    /// Prior and posterior of a bridge that was found with this prior; `None` if nothing is
    /// known of growth.
    pub(super) fn of(&self, bridge: &dyn Bridge) -> Result<Option<IntervalGrowth>> {
        let flat = || Array1::zeros(self.observed.n_cells());
        let (prior, posterior) = match (&self.prior, bridge.plan_marginal()) {
            (None, None) => return Ok(None),
            (Some(prior), None) => (prior.clone(), prior.clone()),
            (prior, Some(plan)) => {
                let prior = prior.clone().unwrap_or_else(flat);
                let marginal = self.observed.marginal();
                let posterior = posterior_rates(plan, marginal, prior.view(), self.length)?;
                (prior, posterior)
            }
        };
        Ok(Some(IntervalGrowth { prior: prior.to_vec(), posterior: posterior.to_vec() }))
    }

    /// What `fit.csv` says of growth: the mean number of descendants over the interval, and the
    /// share of mass that the plan moved to other source cells than the prior says.
    pub(super) fn details(&self, growth: &IntervalGrowth) -> Result<Vec<(String, f64)>> {
        let at_end =
            |rates: &[f64]| grown(&self.observed, Array1::from(rates.to_vec()).view(), self.length);
        let (before, after) = (at_end(&growth.prior)?, at_end(&growth.posterior)?);
        let moved = (&before.marginal() - &after.marginal()).mapv(f64::abs).sum() / 2.0;
        let masses = self.observed.marginal().into_iter().zip(&growth.posterior);
        let mean = masses.map(|(p, rate)| p * (rate * self.length).exp()).sum();
        Ok(vec![("growth_mean".into(), mean), ("growth_moved".into(), moved)])
    }
}
