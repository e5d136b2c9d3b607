//! Growth of cells: the prior rates from a column, a file or genes; the posterior rates from a coupling.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::{Bridge, BridgeProblem};
use crate::data::time::TimeUnit;
use crate::data::{Column, GrowthUnit, Matrix, Snapshot, TimeSeries, grown, posterior_rates};
use crate::error::{Error, Result};
use crate::io::h5ad::H5ad;
use crate::io::lists;
use crate::io::model::IntervalGrowth;
use crate::pipeline::fit::auto_growth::{Search, search};
use crate::pipeline::fit::options::Source;
use crate::pipeline::fit::selection::{Selection, file_name, matrix_source, no_genes};
use crate::pipeline::shared::asked_genes::refuse_strangers;
use crate::preprocess::{GeneSets, Species, find_genes, gene_set_rates, mean_z_score};
use crate::progress::{self, Progress};

/// Prior knowledge of the growth of cells, and how a fit uses it.
///
/// ```
/// use sbcell::pipeline::{GrowthOptions, GrowthPrior};
///
/// let unit = "factor/day".parse()?;
/// let prior = GrowthPrior::Column("division_rate".into());
/// let growth = GrowthOptions::default().with_prior(prior).with_unit(unit);
/// assert_eq!(growth.iterations, 1);
/// # Ok::<(), sbcell::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct GrowthOptions {
    /// The source of the growth rates.
    pub prior: GrowthPrior,
    /// The unit of the numbers in a column or file.
    pub unit: GrowthUnit,
    /// Number of times that each interval is solved, at least 1. From the second time on, the
    /// posterior growth of the last coupling is the prior. More than one needs a solver that relaxes
    /// the source marginal.
    pub iterations: usize,
}

impl Default for GrowthOptions {
    fn default() -> Self {
        Self { prior: GrowthPrior::Auto, unit: GrowthUnit::default(), iterations: 1 }
    }
}

/// The source of the prior growth rates of cells.
///
/// [`GrowthOptions`] has an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrowthPrior {
    /// By the lists that sbcell contains, for couplings only, and as far as the data confirm it.
    ///
    /// The species is that of the genes in the file. Each interval uses the share of the rates that a coupling
    /// with relaxed weights confirms. Growth is off, with a note, if the genes are not there or do not improve
    /// the prediction of inner times. Bridges do not use it, so that populations are those of
    /// [`GrowthPrior::None`].
    Auto,
    /// No prior: all cells of a time have the same expected number of descendants.
    None,
    /// A column of `obs` with one number for each cell.
    Column(String),
    /// A table of cells and numbers.
    File(GrowthTable),
    /// Birth rate less death rate from the expression of proliferation and apoptosis genes, by the lists
    /// that sbcell contains.
    Species(Species),
    /// The same by lists of the user.
    Genes(GeneSets),
}

/// A table of cells and their growth.
///
/// ```
/// use sbcell::pipeline::GrowthTable;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("growth.csv");
/// std::fs::write(&path, "id,cell_growth_rate\nc1,0.5\nc2,-0.1\n").unwrap();
/// let table = GrowthTable::read(&path)?;
/// assert_eq!(table.values["c2"], -0.1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthTable {
    /// Name of the file, without its folder.
    pub file: String,
    /// SHA-256 of the file. Run records contain this hash in place of the numbers.
    pub sha256: String,
    /// The number of each cell, by the cell's name.
    #[serde(skip)]
    pub values: BTreeMap<String, f64>,
}

impl GrowthTable {
    /// Reads a table of two columns, cell and number, with or without a header. Waddington-OT writes such
    /// tables with the columns `id` and `cell_growth_rate`.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Unreadable`] if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let (values, sha256) = lists::read_growth(path)?;
        Ok(Self { file: file_name(path), sha256, values })
    }
}

impl GrowthOptions {
    /// Checks the number of iterations. `relaxes` says whether the solver relaxes the source marginal:
    /// otherwise the posterior growth is the prior, and a second iteration changes nothing.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(crate) fn check(&self, relaxes: bool) -> Result<()> {
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

/// The growth prior of the selected cells before the matrix is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// No prior.
    Nothing,
    /// The rate of each selected cell per unit of time. Zero for cells of the last time, which have no
    /// interval.
    Rates(Array1<f64>),
    /// The columns of the matrix with the genes of proliferation, and those of apoptosis.
    Genes([Vec<usize>; 2]),
    /// The genes that were searched for without being asked. Only couplings use them.
    Auto(Search),
}

impl Given {
    /// The growth that bridges use.
    pub(crate) fn of_bridges(&self) -> Self {
        match self {
            Self::Auto(_) => Self::Nothing,
            other => other.clone(),
        }
    }

    /// The growth of the cells `cells`, in that order.
    pub(crate) fn select(&self, cells: &[usize]) -> Self {
        match self {
            Self::Rates(rates) => Self::Rates(rates.select(Axis(0), cells)),
            other => other.clone(),
        }
    }
}

/// The growth prior of the selected cells: reads the column, or finds cells of the table or the genes
/// of the lists in the file. Notes the units that are assumed and the number of genes found.
///
/// # Errors
/// An unknown column, or one without numbers; [`Error::GrowthMissing`] if a cell before the last time
/// has no number; [`Error::GrowthValue`] for a number that is no growth in the given unit;
/// [`Error::NoGenes`] if the file has no gene of a list; [`Error::Cancelled`].
pub(crate) fn given(
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
        GrowthPrior::Auto => return Ok(Given::Auto(search(file, source))),
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

/// Notes that a rate per known unit of time is applied to times of unknown unit.
fn say_unit(unit: GrowthUnit, times: TimeUnit, progress: &mut dyn Progress) -> Result<()> {
    if times == TimeUnit::Unknown && unit.per != TimeUnit::Unknown {
        let text = format!(
            "growth: the unit of the times is unknown, so {unit} is applied per unit of the time column"
        );
        progress::note(progress, text)?;
    }
    Ok(())
}

/// Refuses a column without numbers, with an example of its entries.
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

/// The numbers of the selected cells in a column or file.
struct Numbers<'a> {
    /// One for each selected cell; `None` where there is none.
    values: Vec<Option<f64>>,
    /// The name of the column or file, for messages.
    name: &'a str,
    /// The table, if the numbers come from a file.
    table: Option<&'a GrowthTable>,
}

/// The rate of each selected cell per unit of the times. Cells of the last time have no interval and
/// need no number.
///
/// # Errors
/// [`Error::GrowthMissing`] and [`Error::GrowthValue`], with names of cells.
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

/// The hint on how the names of a table differ from the names of the cells: by a common beginning or
/// end, in the table or in the file. `None` if there is no such difference.
///
/// Tries each beginning and end of the table's first name, and up to [`MOST_ENDS`] of names of cells.
fn other_naming(table: &GrowthTable, names: &[String]) -> Option<String> {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let there: BTreeSet<&str> = table.values.keys().map(String::as_str).collect();
    let first = there.first()?;
    // The table's names may have an additional end or beginning.
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
    // The names of cells may have an additional end or beginning.
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

/// Number of ends or beginnings of names of cells that are tried.
const MOST_ENDS: usize = 100;

/// The columns of the genes of both sets, increasing, and the places of each set among them.
pub(crate) fn columns_of(sets: &[Vec<usize>; 2]) -> (Vec<usize>, [Vec<usize>; 2]) {
    let mut columns = sets.concat();
    columns.sort_unstable();
    columns.dedup();
    let place = |set: &Vec<usize>| {
        set.iter().map(|column| columns.partition_point(|other| other < column)).collect()
    };
    let places = [place(&sets[0]), place(&sets[1])];
    (columns, places)
}

/// The growth rate of each cell per unit of the times, from the log-scale expression `matrix`
/// (n × genes): mean z-scores of the two gene sets → births less deaths per day.
///
/// The sets are columns of `matrix`: proliferation, then apoptosis.
///
/// # Errors
/// [`Error::Parameter`] if an expression is not finite.
pub(crate) fn from_genes(
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

/// The cells at the start of one interval with their prior growth.
#[derive(Debug, Clone)]
pub(crate) struct Growing {
    /// The observed cells with equal weights, in the coordinates of the bridges.
    pub(crate) observed: Snapshot,
    /// Their growth rates per unit of time, if there is a prior.
    pub(crate) prior: Option<Array1<f64>>,
    /// Length of the interval, in the unit of the times.
    pub(crate) length: f64,
}

impl Growing {
    /// The rates of the cells of snapshot `k` of `series`, in their order. `rates` and `cell_times` have
    /// one entry for each cell of the course. Time `O(n)` for n cells of the course.
    pub(crate) fn rates(
        series: &TimeSeries,
        k: usize,
        rates: &Array1<f64>,
        cell_times: &[f64],
    ) -> Array1<f64> {
        let time = series.times()[k];
        let here = |cell: &usize| cell_times[*cell].total_cmp(&time).is_eq();
        (0..cell_times.len()).filter(here).map(|cell| rates[cell]).collect()
    }

    /// `problem` with the source marginal that the prior growth gives: weights `∝ exp(ρ Δt)`. Without a
    /// prior it is `problem`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a rate is not finite.
    pub(crate) fn problem(&self, problem: &BridgeProblem) -> Result<BridgeProblem> {
        let Some(prior) = &self.prior else { return Ok(problem.clone()) };
        let source = grown(&self.observed, prior.view(), self.length)?;
        BridgeProblem::new(source, problem.target().clone(), problem.epsilon())
    }

    /// The prior and posterior rates of `bridge`, which was found with this prior. `None` if there is no
    /// prior and the solver keeps the source marginal.
    ///
    /// Without a relaxed marginal the posterior equals the prior.
    ///
    /// # Errors
    /// As [`posterior_rates`].
    pub(crate) fn of(&self, bridge: &dyn Bridge) -> Result<Option<IntervalGrowth>> {
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

    /// The entries of `fit.csv` on growth. `growth_mean`: the mean number of descendants over the
    /// interval. `growth_moved`: the share of the source mass that differs between prior and posterior
    /// (total variation).
    ///
    /// # Errors
    /// [`Error::Parameter`] if a rate is not finite.
    pub(crate) fn details(&self, growth: &IntervalGrowth) -> Result<Vec<(String, f64)>> {
        let at_end =
            |rates: &[f64]| grown(&self.observed, Array1::from(rates.to_vec()).view(), self.length);
        let (before, after) = (at_end(&growth.prior)?, at_end(&growth.posterior)?);
        let moved = (&before.marginal() - &after.marginal()).mapv(f64::abs).sum() / 2.0;
        let masses = self.observed.marginal().into_iter().zip(&growth.posterior);
        let mean = masses.map(|(p, rate)| p * (rate * self.length).exp()).sum();
        Ok(vec![("growth_mean".into(), mean), ("growth_moved".into(), moved)])
    }
}
