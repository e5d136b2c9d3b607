//! Estimates of edges repeated on resampled cells and under permuted times.

use ndarray::{Array1, Array2, Axis};
use rand::Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::grn::{CourseCells, EdgeMatrix, Expression, shuffled_within_times};
use crate::metrics::Resamples;
use crate::pipeline::grn::estimate::{Effort, is_slow};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;
use crate::share::{self, Division};

/// Largest number of cells of a repeated estimate; more are thinned evenly over the times.
const MOST_CELLS: usize = 3000;

/// Smallest number of cells of a perturbation and time that are kept where cells are thinned.
const FEWEST_PERTURBED: usize = 20;

/// Number of estimates that run in parallel, which bounds the memory.
const AT_ONCE: usize = 4;

/// Largest number of parts into which repeated estimates are divided.
const MOST_PARTS: usize = 50;

/// Work of an estimate from pairs alone, relative to one with the moments of snapshots too: for 41 genes.
const OF_PAIRS: f64 = 0.7;

/// How often estimates are repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeats {
    /// Number of resamples of cells or batches.
    pub(super) n_resamples: usize,
    /// Number of permutations of the times.
    pub(super) n_permutations: usize,
    /// Number of shuffles of the values of each gene within times.
    pub(super) n_shuffles: usize,
    /// Seed of both.
    pub(super) seed: Seed,
}

/// Repeated estimates.
pub(super) struct Replicates {
    /// The estimate on the cells of the others, each cell once and at its own time: the reference for
    /// resamples.
    pub(super) as_it_is: EdgeMatrix,
    /// The same from pairs alone: the reference for permutations and shuffles.
    pub(super) of_pairs: EdgeMatrix,
    /// Estimates on resampled cells.
    pub(super) resampled: Vec<EdgeMatrix>,
    /// Estimates with permuted times.
    pub(super) permuted: Vec<EdgeMatrix>,
    /// Estimates in which every gene is shuffled within times.
    pub(super) shuffled: Vec<EdgeMatrix>,
}

impl Replicates {
    /// No repeats of the estimate `found`.
    pub(super) fn none(found: &EdgeMatrix) -> Self {
        let (resampled, permuted, shuffled) = (Vec::new(), Vec::new(), Vec::new());
        let (as_it_is, of_pairs) = (found.clone(), found.clone());
        Self { as_it_is, of_pairs, resampled, permuted, shuffled }
    }
}

/// Repeats `estimate` on resampled cells, and from pairs alone with permuted times and with genes shuffled within times.
/// `None` if nothing is to be repeated.
///
/// Resamples take the cells of each time (and perturbation) with replacement, or whole `batches`. Permutations
/// assign the times at random to all cells (of a perturbation). With more than [`MOST_CELLS`] cells, all repeated estimates use a thinned set, and so
/// does the reference estimate.
///
/// # Errors
/// Those of `estimate`; [`crate::Error::Cancelled`].
pub(super) fn replicates(
    cells: &CourseCells<'_>,
    batches: Option<&[&String]>,
    repeats: Repeats,
    estimate: &(dyn Fn(&CourseCells<'_>, Effort) -> Result<EdgeMatrix> + Sync),
    progress: &mut dyn Progress,
) -> Result<Option<Replicates>> {
    let Repeats { n_resamples, n_permutations, n_shuffles, seed } = repeats;
    if n_resamples + n_permutations + n_shuffles == 0 {
        return Ok(None);
    }
    let rows = thinned(cells);
    let expression = Expression::new(
        cells.expression.values().select(Axis(0), &rows),
        cells.expression.regulators(),
    )?;
    let points: Array2<f64> = cells.points.select(Axis(0), &rows);
    let few = CourseCells {
        expression: &expression,
        points: &points,
        times: cells.times.select(Axis(0), &rows),
        weights: cells.weights.select(Axis(0), &rows),
        growth: cells.growth.as_ref().map(|rates| rates.select(Axis(0), &rows)),
        perturbed: cells.perturbed.as_ref().map(|groups| groups.select(&rows)),
    };
    let batches: Option<Vec<&String>> =
        batches.map(|labels| rows.iter().map(|&row| labels[row]).collect());
    let weights = resampled_weights(&few, batches.as_deref(), n_resamples, seed);
    let permuted = (0..n_permutations).map(|b| {
        let times = permuted_times(&few, &mut seed.stream("grn/permutation", b as u64));
        CourseCells { times, ..few.clone() }
    });
    let resampled = (0..n_resamples)
        .map(|b| CourseCells { weights: weights.column(b).to_owned(), ..few.clone() });
    let blurred = shuffled_genes(&few, n_shuffles, seed)?;
    let shuffled = blurred.iter().map(|(expression, points)| CourseCells {
        expression,
        points: points.as_ref().unwrap_or(few.points),
        ..few.clone()
    });
    let resampled = resampled.map(|cells| (cells, Effort::Repeated));
    let nulls = permuted.chain(shuffled).map(|cells| (cells, Effort::Pairs));
    // Repeats are compared with estimates on the same cells.
    let as_it_is = [Effort::Repeated, Effort::Pairs].map(|effort| (few.clone(), effort));
    let tasks: Vec<(CourseCells<'_>, Effort)> =
        as_it_is.into_iter().chain(resampled).chain(nulls).collect();
    let mut found = estimates(&tasks, estimate, progress)?.into_iter();
    let (Some(as_it_is), Some(of_pairs)) = (found.next(), found.next()) else {
        return Err(Error::Cancelled);
    };
    let mut found: Vec<EdgeMatrix> = found.collect();
    let shuffled = found.split_off(n_resamples + n_permutations);
    let permuted = found.split_off(n_resamples);
    Ok(Some(Replicates { as_it_is, of_pairs, resampled: found, permuted, shuffled }))
}

/// The estimate of each task. A plan may divide the tasks among up to [`MOST_PARTS`] processes.
///
/// # Errors
/// Those of `estimate`; [`Error::Cancelled`].
fn estimates(
    tasks: &[(CourseCells<'_>, Effort)],
    estimate: &(dyn Fn(&CourseCells<'_>, Effort) -> Result<EdgeMatrix> + Sync),
    progress: &mut dyn Progress,
) -> Result<Vec<EdgeMatrix>> {
    let per_part = tasks.len().div_ceil(MOST_PARTS).max(1);
    let parts: Vec<&[(CourseCells<'_>, Effort)]> = tasks.chunks(per_part).collect();
    let name = |part: usize| {
        let first = part * per_part;
        format!("{first} to {}", first + parts[part].len() - 1)
    };
    let names = (0..parts.len()).map(name).collect();
    let of_part = |part: &&[(CourseCells<'_>, Effort)]| {
        part.iter().map(|(_, effort)| if *effort == Effort::Pairs { OF_PAIRS } else { 1.0 }).sum()
    };
    let work = parts.iter().map(of_part).collect();
    let division = Division { work, ..Division::even("repeated estimates", names) };
    let all = share::divided(&division, progress, &mut |range, progress| {
        let parts = &parts[range];
        let tasks: Vec<_> = parts.iter().flat_map(|part| part.iter()).collect();
        let total = tasks.len() as u64;
        let begin = Event::Begin { what: "resampling cells, permuting times".into(), total };
        progress::report(progress, begin)?;
        let mut found = Vec::with_capacity(tasks.len());
        for some in tasks.chunks(AT_ONCE) {
            let some: Vec<EdgeMatrix> = some
                .par_iter()
                .map(|(cells, effort)| estimate(cells, *effort))
                .collect::<Result<_>>()?;
            found.extend(some);
            progress::report(progress, Event::Step { done: found.len() as u64 })?;
        }
        progress::report(progress, Event::End)?;
        let mut found = found.into_iter();
        Ok(parts.iter().map(|part| found.by_ref().take(part.len()).collect::<Vec<_>>()).collect())
    })?;
    Ok(all.into_iter().flatten().collect())
}

/// Expression in which every gene is shuffled within times, and the positions of cells that follow from it (`None`
/// if positions do not depend on the genes).
fn shuffled_genes(
    cells: &CourseCells<'_>,
    n_shuffles: usize,
    seed: Seed,
) -> Result<Vec<(Expression, Option<Array2<f64>>)>> {
    (0..n_shuffles)
        .map(|b| {
            let values = shuffled_within_times(cells, seed.child("grn/shuffle", b as u64));
            let expression = Expression::new(values, cells.expression.regulators())?;
            let all: Vec<usize> = (0..expression.n_cells()).collect();
            let points = (!is_slow(expression.n_genes())).then(|| expression.standardised(&all));
            Ok((expression, points))
        })
        .collect()
}

/// The times of `cells`, permuted among all cells, or among the cells of each perturbation.
fn permuted_times(cells: &CourseCells<'_>, rng: &mut impl Rng) -> Array1<f64> {
    let Some(perturbed) = &cells.perturbed else {
        let mut times = cells.times.to_vec();
        times.shuffle(rng);
        return Array1::from(times);
    };
    let mut permuted = cells.times.clone();
    for group in 0..perturbed.n_groups() {
        let rows: Vec<usize> =
            (0..permuted.len()).filter(|&row| perturbed.group(row) == group).collect();
        let mut times: Vec<f64> = rows.iter().map(|&row| cells.times[row]).collect();
        times.shuffle(rng);
        rows.iter().zip(times).for_each(|(&row, time)| permuted[row] = time);
    }
    permuted
}

/// Rows of about [`MOST_CELLS`] cells: every n-th cell of each time. Of each perturbation and time at
/// least [`FEWEST_PERTURBED`] cells are kept if there are as many.
fn thinned(cells: &CourseCells<'_>) -> Vec<usize> {
    let stride = cells.times.len().div_ceil(MOST_CELLS).max(1);
    let most = |n: usize| match cells.perturbed {
        Some(_) => stride.min(n / FEWEST_PERTURBED).max(1),
        None => stride,
    };
    let strata = cells.strata().into_iter();
    let mut rows: Vec<usize> = strata
        .flat_map(|rows| {
            let stride = most(rows.len());
            rows.into_iter().step_by(stride)
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// How often each cell is drawn, `(n_cells, n_resamples)`.
///
/// A time (of a perturbation) with fewer than two cells in a resample keeps all of its cells.
fn resampled_weights(
    cells: &CourseCells<'_>,
    batches: Option<&[&String]>,
    n_resamples: usize,
    seed: Seed,
) -> Array2<f64> {
    let mut weights = Array2::ones((cells.times.len(), n_resamples));
    let strata = cells.strata();
    let of_batches = batches.map(|labels| Resamples::of_groups(labels, n_resamples, seed));
    for (k, rows) in strata.iter().enumerate() {
        let of_cells =
            Resamples::of_cells(rows.len(), n_resamples, seed.child("grn/time", k as u64));
        for b in 0..n_resamples {
            let count = |place: usize, row: usize| match &of_batches {
                Some(batches) => batches.counts()[[row, b + 1]],
                None => of_cells.counts()[[place, b + 1]],
            };
            let counts: Vec<f64> =
                rows.iter().enumerate().map(|(place, &row)| count(place, row)).collect();
            if counts.iter().filter(|count| **count > 0.0).count() >= 2 {
                rows.iter().zip(&counts).for_each(|(&row, count)| weights[[row, b]] *= count);
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grn::Perturbations;

    /// 200 cells of two groups: controls at times 0 to 3, knock-outs at times 0 and 3 only.
    fn with(f: impl FnOnce(&CourseCells<'_>)) {
        let expression =
            Expression::new(Array2::from_shape_fn((200, 2), |(i, j)| (i * j) as f32), &[0])
                .unwrap();
        let points = Array2::zeros((200, 1));
        let groups = (0..200).map(|i| usize::from(i >= 160)).collect();
        f(&CourseCells {
            expression: &expression,
            points: &points,
            times: (0..200).map(|i| f64::from(if i < 160 { i % 4 } else { 3 * (i % 2) })).collect(),
            weights: Array1::ones(200),
            growth: None,
            perturbed: Some(Perturbations::new(groups, vec![vec![], vec![1]]).unwrap()),
        });
    }

    #[test]
    fn permutations_and_resamples_stay_within_a_perturbation() {
        with(|cells| {
            let permuted = permuted_times(cells, &mut Seed(1).stream("test", 0));
            assert_ne!(permuted, cells.times);
            for group in [0..160, 160..200] {
                let sorted = |of: &Array1<f64>| {
                    let mut of = of.to_vec()[group.clone()].to_vec();
                    of.sort_by(f64::total_cmp);
                    of
                };
                assert_eq!(sorted(&permuted), sorted(&cells.times));
            }
            let weights = resampled_weights(cells, None, 5, Seed(2));
            let strata = cells.strata();
            assert_eq!(strata.iter().map(Vec::len).collect::<Vec<_>>(), [40, 40, 40, 40, 20, 20]);
            for rows in strata {
                for draw in weights.columns() {
                    let total: f64 = rows.iter().map(|&row| draw[row]).sum();
                    assert!((total - rows.len() as f64).abs() < 1e-9);
                }
            }
        });
    }
}
