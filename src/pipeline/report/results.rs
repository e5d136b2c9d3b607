//! Fates, transitions, trends and edges, read from their tables.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::io::columns::Columns;
use crate::io::edges::EdgeRow;
use crate::io::report::{
    FateAt, Fates, FlowRow, GeneTrend, Interval95, ShownEdges, TrendLine, Trends,
};

/// Most genes with a trend, and most lines of all genes together.
const GENES: usize = 12;
const LINES: usize = 100;
/// Edges that are read for the pictures.
const EDGES: usize = 2000;

/// A table of fates, with the probabilities of each cell.
pub(super) struct FateTable {
    /// Names of the fates.
    pub(super) names: Vec<String>,
    /// The row of each cell.
    pub(super) rows: BTreeMap<String, usize>,
    /// The probabilities of all cells, fate by fate.
    pub(super) probabilities: Vec<Vec<f64>>,
    times: Vec<f64>,
    undecided: Vec<f64>,
}

impl FateTable {
    /// Reads the table that `fates` wrote.
    ///
    /// # Errors
    /// As [`Columns::read`].
    pub(super) fn read(path: &Path) -> Result<Self> {
        let table = Columns::read(path, "fates")?;
        let names = table.fate_names();
        let probabilities = names.iter().map(|name| table.numbers(name)).collect::<Result<_>>()?;
        let rows = table.texts("id")?.into_iter().enumerate().map(|(row, id)| (id, row)).collect();
        let (times, undecided) = (table.numbers("time")?, table.numbers_or_nan("undecided")?);
        Ok(Self { names, rows, probabilities, times, undecided })
    }

    /// The probabilities by time, of cells that have them.
    pub(super) fn by_time(&self) -> Fates {
        let mut times: Vec<f64> = self.times.iter().copied().filter(|t| t.is_finite()).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let known = |row: &usize| self.probabilities.iter().all(|of| of[*row].is_finite());
        let at = times
            .into_iter()
            .map(|time| {
                let here = |row: &usize| self.times[*row].total_cmp(&time).is_eq();
                let rows: Vec<usize> =
                    (0..self.times.len()).filter(|r| here(r) && known(r)).collect();
                let of = |values: &Vec<f64>| rows.iter().map(|row| values[*row]).collect();
                let undecided = rows.iter().map(|row| self.undecided[*row]).sum::<f64>()
                    / rows.len().max(1) as f64;
                FateAt {
                    time,
                    undecided,
                    probabilities: self.probabilities.iter().map(of).collect(),
                }
            })
            .filter(|at: &FateAt| at.probabilities.iter().any(|of| !of.is_empty()))
            .collect();
        Fates { names: self.names.clone(), at }
    }
}

/// Reads the table that `transitions` wrote.
///
/// # Errors
/// As [`Columns::read`].
pub(super) fn transitions(path: &Path) -> Result<Vec<FlowRow>> {
    let table = Columns::read(path, "transitions")?;
    let (from, to) = (table.numbers("t0")?, table.numbers("t1")?);
    let mass = table.numbers("mass")?;
    let number = |name: &str| table.numbers_or_nan(name);
    let share = [number("prob")?, number("prob_lo")?, number("prob_hi")?];
    let (source, target) = (table.texts("source")?, table.texts("target")?);
    Ok((0..table.n_rows())
        .map(|row| FlowRow {
            from: from[row],
            to: to[row],
            source: source[row].clone(),
            target: target[row].clone(),
            mass: mass[row],
            share: Interval95 { value: share[0][row], lo: share[1][row], hi: share[2][row] },
        })
        .collect())
}

/// Reads the table that `trends` wrote, and selects the genes that differ most between the sets, or change most
/// if there is one set.
///
/// # Errors
/// As [`Columns::read`].
pub(super) fn trends(path: &Path) -> Result<Trends> {
    let table = Columns::read(path, "trends")?;
    let (sets, genes) = (table.texts("set")?, table.texts("gene")?);
    let (times, mean) = (table.numbers("time")?, table.numbers("mean")?);
    let (lo, hi) = (table.numbers_or_nan("lo")?, table.numbers_or_nan("hi")?);
    let mut all: Vec<GeneTrend> = Vec::new();
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for row in 0..table.n_rows() {
        let at = *place.entry(&genes[row]).or_insert_with(|| {
            all.push(GeneTrend { gene: genes[row].clone(), lines: Vec::new() });
            all.len() - 1
        });
        let lines = &mut all[at].lines;
        if lines.last().is_none_or(|line| line.set != sets[row]) {
            match lines.iter().position(|line| line.set == sets[row]) {
                Some(at) => {
                    let last = lines.len() - 1;
                    lines.swap(at, last);
                }
                None => lines.push(TrendLine {
                    set: sets[row].clone(),
                    times: Vec::new(),
                    means: Vec::new(),
                }),
            }
        }
        if let Some(line) = lines.last_mut() {
            line.times.push(times[row]);
            line.means.push(Interval95 { value: mean[row], lo: lo[row], hi: hi[row] });
        }
    }
    let n_genes = all.len();
    let one = all.iter().all(|gene| gene.lines.len() < 2);
    let mut ranked: Vec<(f64, GeneTrend)> = all
        .into_iter()
        .map(|gene| (if one { change(&gene) } else { difference(&gene) }, gene))
        .collect();
    // Stable: genes of equal difference stay in the order of the table.
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    let n_sets = ranked.iter().map(|entry| entry.1.lines.len()).max().unwrap_or(1).max(1);
    let most = GENES.min((LINES / n_sets).max(1));
    let genes: Vec<GeneTrend> = ranked.into_iter().take(most).map(|entry| entry.1).collect();
    let why = if one { "change most over time" } else { "differ most between the sets" };
    let selected = if genes.len() < n_genes {
        format!("Shown are the {} genes that {why}, relative to their intervals.", genes.len())
    } else {
        String::new()
    };
    Ok(Trends { genes, n_genes, selected })
}

/// Half the width of an interval, or a small number if there is none.
fn half(of: &Interval95) -> f64 {
    let half = 0.5 * (of.hi - of.lo);
    if half.is_finite() { half.max(0.05) } else { 0.1 }
}

/// The largest difference of two sets at one time, in units of their intervals.
fn difference(gene: &GeneTrend) -> f64 {
    let mut most: f64 = 0.0;
    for (k, line) in gene.lines.iter().enumerate() {
        for other in &gene.lines[k + 1..] {
            for (at, mean) in line.times.iter().zip(&line.means) {
                let same = other.times.iter().position(|time| time.total_cmp(at).is_eq());
                let Some(there) = same.map(|place| &other.means[place]) else { continue };
                let apart = (mean.value - there.value).abs() / half(mean).hypot(half(there));
                if apart.is_finite() {
                    most = most.max(apart);
                }
            }
        }
    }
    most
}

/// The range of the means over time, in units of the widest interval.
fn change(gene: &GeneTrend) -> f64 {
    let means = || gene.lines.iter().flat_map(|line| &line.means).filter(|of| of.value.is_finite());
    let (lo, hi, wide) = means()
        .fold((f64::INFINITY, f64::NEG_INFINITY, 0.0f64), |(lo, hi, w), of| {
            (lo.min(of.value), hi.max(of.value), w.max(half(of)))
        });
    if hi > lo { (hi - lo) / wide } else { 0.0 }
}

/// Reads the first edges of the list that `grn` wrote.
///
/// # Errors
/// As [`Columns::read`].
pub(super) fn edges(path: &Path) -> Result<ShownEdges> {
    let table = Columns::read_any(path, "grn")?;
    let (regulator, target) = (table.texts("TF")?, table.texts("target")?);
    let importance = table.numbers("importance")?;
    let group = table.texts_or_empty("group");
    let number = |name: &str| table.numbers_or_nan(name);
    let (sign, effect) = (number("sign")?, number("effect")?);
    let (confidence, direction) = (number("confidence")?, number("direction")?);
    let (stability, p_time, q_time) = (number("stability")?, number("p_time")?, number("q_time")?);
    let (lag, from, to) = (number("lag")?, number("t0")?, number("t1")?);
    let rows = (0..table.n_rows().min(EDGES))
        .map(|row| EdgeRow {
            regulator: regulator[row].clone(),
            target: target[row].clone(),
            importance: if importance[row].is_finite() { importance[row].max(0.0) } else { 0.0 },
            activates: sign[row].is_nan() || sign[row] >= 0.0,
            effect: effect[row],
            confidence: confidence[row],
            direction: direction[row],
            stability: stability[row],
            p_time: p_time[row],
            q_time: q_time[row],
            lag: lag[row],
            from: from[row],
            to: to[row],
            group: group[row].clone(),
            ..EdgeRow::default()
        })
        .collect();
    Ok(ShownEdges { rows, n_edges: table.n_rows() })
}
