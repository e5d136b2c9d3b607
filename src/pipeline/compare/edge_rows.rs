//! Regulatory edges: their effects in both conditions, in resamples and under exchanged labels.

use ndarray::Array1;
use rayon::prelude::*;

use crate::error::Result;
use crate::metrics::Estimate;
use crate::pipeline::compare::CompareKind;
use crate::pipeline::compare::edge_cells::EdgeCells;
use crate::pipeline::compare::pair::Pair;
use crate::pipeline::compare::rows::{ComparedRow, Found, Subject, row};
use crate::progress::{self, Event, Progress};

/// Number of estimates that run in parallel, which bounds the memory.
const AT_ONCE: usize = 4;

/// q-value that a single edge should be able to reach.
const CLEAR: f64 = 0.05;

/// One estimate of the edges of one condition.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// In the cells that a labelling gives to the condition; labelling 0 has the observed labels.
    Labelled { side: usize, b: usize },
    /// In a resample of the cells of the condition.
    Resampled { side: usize, b: usize },
}

/// Rows of the first `most` edges of the cells of both conditions together.
///
/// The value of a condition is the effect of the edge in its tested cells, with the estimator of `grn`. Each labelling
/// is estimated anew on the cells with its labels, and each resample on the cells that it draws.
///
/// # Errors
/// Those of the estimator; [`crate::Error::Parameter`] if the conditions have different genes;
/// [`crate::Error::Cancelled`].
pub(super) fn edges(
    pair: &Pair<'_>,
    most: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<ComparedRow>> {
    let (Some(one), Some(other)) = (&pair.sides[0].edges, &pair.sides[1].edges) else {
        return Ok(Vec::new());
    };
    one.check_same_genes(other)?;
    let [reference, condition] = pair.names();
    // The same cells at all times have the same edges.
    if pair.cells.iter().all(|of| of.same) {
        return Ok(Vec::new());
    }
    let Some(cells) = EdgeCells::new(pair, [one, other]) else {
        let text = format!(
            "{condition} and {reference} have ten tested cells each at fewer than two times: their edges \
             are not compared"
        );
        progress::note(progress, text)?;
        return Ok(Vec::new());
    };
    let tasks = tasks(pair);
    let what = format!("edges of {condition} against {reference}");
    progress::report(progress, Event::Begin { what, total: 1 + tasks.len() as u64 })?;
    let shown = cells.first(most)?;
    progress::report(progress, Event::Step { done: 1 })?;
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(tasks.len());
    for some in tasks.chunks(AT_ONCE) {
        let effects = |task: &Task| match *task {
            Task::Labelled { side, b } => cells.labelled(side, b, &shown),
            Task::Resampled { side, b } => cells.resampled(side, b, &shown),
        };
        let some: Vec<Vec<f64>> = some.par_iter().map(effects).collect::<Result<_>>()?;
        found.extend(some);
        progress::report(progress, Event::Step { done: 1 + found.len() as u64 })?;
    }
    progress::report(progress, Event::End)?;
    say(pair, &cells, shown.len(), progress)?;
    Ok(rows(&cells, pair, &shown, &Estimates { tasks, found }))
}

/// All estimates of a pair: both conditions under each labelling, then each resample.
fn tasks(pair: &Pair<'_>) -> Vec<Task> {
    let labellings = if pair.is_testable() { pair.labels.first(0).ncols() } else { 1 };
    let labelled = (0..labellings).flat_map(|b| (0..2).map(move |side| Task::Labelled { side, b }));
    let resampled = (0..2).flat_map(|side| {
        (1..pair.resampled[side].n_columns()).map(move |b| Task::Resampled { side, b })
    });
    labelled.chain(resampled).collect()
}

/// The effects of the shown edges in each task.
struct Estimates {
    tasks: Vec<Task>,
    found: Vec<Vec<f64>>,
}

impl Estimates {
    /// The effects of one edge in the tasks that `is_asked`, in their order.
    fn of(&self, edge: usize, is_asked: impl Fn(Task) -> bool) -> Vec<f64> {
        let all = self.tasks.iter().zip(&self.found);
        all.filter(|of| is_asked(*of.0)).map(|of| of.1[edge]).collect()
    }

    /// The effects of one edge in a condition under each labelling.
    fn labelled(&self, edge: usize, asked: usize) -> Vec<f64> {
        self.of(edge, |task| matches!(task, Task::Labelled { side, .. } if side == asked))
    }

    /// The effects of one edge in each resample of a condition.
    fn resampled(&self, edge: usize, asked: usize) -> Vec<f64> {
        self.of(edge, |task| matches!(task, Task::Resampled { side, .. } if side == asked))
    }
}

/// The rows of the edges `shown`.
fn rows(
    cells: &EdgeCells<'_>,
    pair: &Pair<'_>,
    shown: &[[usize; 2]],
    estimates: &Estimates,
) -> Vec<ComparedRow> {
    let (first, last) = (cells.times[0], cells.times[cells.times.len() - 1]);
    let n_cells = [0, 1].map(|side| cells.n_cells(side));
    let enough = [0, 1].map(|side| {
        let places = cells.times.iter().map(|&k| pair.cells[k].places[side]);
        pair.resampled[side].is_enough(places)
    });
    let row_of = |(number, edge): (usize, &[usize; 2])| {
        let labelled = [0, 1].map(|side| estimates.labelled(number, side));
        let side = |side: usize| {
            let value = labelled[side].first().copied().unwrap_or(f64::NAN);
            let resampled = around(value, estimates.resampled(number, side));
            let all: Array1<f64> = std::iter::once(value).chain(resampled).collect();
            let estimate = Estimate::of(&all);
            if enough[side] { estimate } else { estimate.without_interval() }
        };
        let exchanged = labelled[0].iter().zip(&labelled[1]).map(|(one, other)| other - one);
        let found = Found::of([side(0), side(1)], pair.exchanged(exchanged));
        let subject = Subject {
            time_to: Some(pair.times[last]),
            group: cells.gene(cells.regulators()[edge[0]]).to_string(),
            target: cells.gene(edge[1]).to_string(),
            ..pair.at(first, CompareKind::Edge, n_cells)
        };
        row(subject, pair.names(), &found)
    };
    shown.iter().enumerate().map(row_of).collect()
}

/// The `resampled` values with their scatter around `value`. Cells that a resample draws several times move all
/// effects, which says nothing of the uncertainty.
fn around(value: f64, resampled: Vec<f64>) -> Vec<f64> {
    let mean = resampled.iter().sum::<f64>() / resampled.len().max(1) as f64;
    resampled.into_iter().map(|of| value + of - mean).collect()
}

/// Notes light estimates, and q-values that a single edge cannot reach.
fn say(
    pair: &Pair<'_>,
    cells: &EdgeCells<'_>,
    n_edges: usize,
    progress: &mut dyn Progress,
) -> Result<()> {
    if cells.is_light() {
        let text = "edges of many genes are compared by the light estimates with which `grn` repeats itself, so \
                    that their effects differ from those of `grn`; name fewer genes with the parameters `genes` and \
                    `tfs`";
        progress::note(progress, text)?;
    }
    let labellings = pair.labels.first(0).ncols();
    let least = n_edges as f64 / labellings as f64;
    if pair.is_testable() && least > CLEAR {
        let enough = (n_edges as f64 / CLEAR).ceil();
        let text = format!(
            "{n_edges} edges and {} permutations: a single edge that differs has a q-value of at least {:.2}; {enough} \
             permutations (the parameter `permutations`) or fewer edges allow {CLEAR}",
            labellings - 1,
            least.min(1.0)
        );
        progress::note(progress, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resamples_scatter_around_the_value() {
        // Mean 3, scatter −1, 0, 1.
        let found = around(10.0, vec![2.0, 3.0, 4.0]);
        let wanted = [9.0, 10.0, 11.0];
        assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-12));
        assert!(around(1.0, Vec::new()).is_empty());
    }
}
