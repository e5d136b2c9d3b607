//! The weight of clones in couplings, chosen by where held-out sisters are.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::bridge::{CloneCost, Link, SharedClones};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::linalg::clearly_less;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// The weights among which one is chosen; 0 is state alone.
pub(crate) const CLONE_WEIGHTS: [f64; 6] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0];

/// Largest number of cells of a snapshot that take part in the choice.
const MOST_CELLS: usize = 2_000;

/// Smallest number of clones for a choice.
const FEWEST: usize = 5;

/// An interval of a course, with what its coupling is computed from.
#[derive(Debug, Clone)]
pub(crate) struct CloneInterval {
    /// The cells of the earlier time, with their weights.
    pub(crate) source: Snapshot,
    /// The cells of the later time.
    pub(crate) target: Snapshot,
    /// ε of the coupling.
    pub(crate) epsilon: Epsilon,
    /// The clones on each level, coarse to fine.
    pub(crate) clones: Vec<SharedClones>,
}

/// How well couplings with several weights of clones place held-out sisters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CloneTrial {
    /// The weights, in units of ε. The first is 0, state alone.
    weights: Vec<f64>,
    /// For each interval and clone the squared error of each weight.
    errors: BTreeMap<(usize, usize), Vec<f64>>,
    /// Sum of squared distances of the hidden sisters to the mean of all late cells.
    total: f64,
}

/// The gain of a weight of clones over state alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CloneGain {
    /// The weight, in units of ε.
    pub(crate) weight: f64,
    /// R² of the positions of held-out sisters with this weight.
    pub(crate) explained: f64,
    /// R² from state alone.
    pub(crate) alone: f64,
    /// Standard error of the difference of both, over clones.
    pub(crate) error: f64,
    /// Number of clones with held-out sisters.
    pub(crate) n_clones: usize,
}

impl CloneGain {
    /// Whether there are enough clones to compare weights.
    pub(crate) fn is_informed(&self) -> bool {
        self.n_clones >= FEWEST
    }

    /// Whether the gain exceeds one standard error.
    pub(crate) fn is_clear(&self) -> bool {
        self.is_informed() && self.explained - self.alone > self.error
    }
}

/// Tries `weights` of clones, the first of which is 0: how well do their couplings predict where held-out
/// sisters are?
///
/// In each interval, the late cells of every clone that is seen at both times are dealt to two halves. One
/// half loses its barcodes, and the coupling uses the other half. The mean end of an early cell then predicts
/// the positions of its hidden sisters; R² is the explained share of their squared distances to the mean of
/// all late cells. The halves are exchanged and all intervals summed.
///
/// Snapshots of more than 2000 cells are replaced by random parts, with clones kept whole. Time of two
/// couplings of each interval and weight.
///
/// # Errors
/// As [`Link::with_clones`].
pub(crate) fn try_clone_weights(
    intervals: &[CloneInterval],
    weights: &[f64],
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<CloneTrial> {
    let total = (intervals.len() * 2 * weights.len()) as u64;
    let what = "comparing weights of clones".to_string();
    progress::report(progress, Event::Begin { what, total })?;
    let mut trial = CloneTrial { weights: weights.to_vec(), errors: BTreeMap::new(), total: 0.0 };
    let mut done = 0;
    for (k, interval) in intervals.iter().enumerate() {
        let seed = seed.child("clones/interval", k as u64);
        let part = part(interval, seed);
        let dealt = dealt(&part, seed);
        for half in 0..2 {
            let hidden: Vec<bool> = dealt.iter().map(|of| *of == Some(half)).collect();
            let asked = Asked::of(&part, &hidden);
            for (w, &weight) in weights.iter().enumerate() {
                if !asked.pairs.is_empty() {
                    let cost = CloneCost::new(&asked.visible, weight)?;
                    let link = Link::with_clones(&part.source, &part.target, part.epsilon, cost)?;
                    trial.add(k, w, &part, &asked, &link)?;
                }
                done += 1;
                progress::report(progress, Event::Step { done })?;
            }
        }
    }
    progress::report(progress, Event::End)?;
    Ok(trial)
}

impl CloneTrial {
    /// The weight with the largest R²; of equally good weights the smallest.
    pub(crate) fn best(&self) -> CloneGain {
        let mut best = 0;
        for w in 1..self.weights.len() {
            if clearly_less(self.sum(w), self.sum(best)) {
                best = w;
            }
        }
        self.gain(best)
    }

    /// The gain of the weight number `w` over state alone.
    pub(crate) fn gain(&self, w: usize) -> CloneGain {
        let total = self.total.max(f64::MIN_POSITIVE);
        let gains: Array1<f64> =
            self.errors.values().map(|errors| (errors[0] - errors[w]) / total).collect();
        let n_clones = gains.len();
        let n = n_clones as f64;
        let error = if n_clones > 1 {
            let mean = gains.sum() / n;
            (gains.mapv(|of| (of - mean).powi(2)).sum() * n / (n - 1.0)).sqrt()
        } else {
            f64::INFINITY
        };
        let explained = |w: usize| 1.0 - self.sum(w) / total;
        let weight = self.weights[w];
        CloneGain { weight, explained: explained(w), alone: explained(0), error, n_clones }
    }

    /// The squared error of the weight number `w`.
    fn sum(&self, w: usize) -> f64 {
        self.errors.values().map(|errors| errors[w]).sum()
    }

    /// Adds the errors of the predictions of `link` for interval `k` and the weight number `w`. An early
    /// cell counts once, with the mean over its hidden sisters.
    fn add(
        &mut self,
        k: usize,
        w: usize,
        interval: &CloneInterval,
        asked: &Asked,
        link: &Link,
    ) -> Result<()> {
        let late = interval.target.points();
        let centre: Array1<f64> = interval.target.marginal().dot(&late);
        let ends = link.pull((&late - &centre).view())?;
        let masses = link.marginals().0;
        let square = |of: ArrayView1<'_, f64>| of.dot(&of);
        let n_weights = self.weights.len();
        for (i, clone, sisters) in &asked.pairs {
            let end = &ends.row(*i) / masses[*i].max(f64::MIN_POSITIVE);
            let errors = self.errors.entry((k, *clone)).or_insert_with(|| vec![0.0; n_weights]);
            let share = 1.0 / sisters.len() as f64;
            for &j in sisters {
                let place = &late.row(j) - &centre;
                errors[w] += share * square((&place - &end).view());
                if w == 0 {
                    self.total += share * square(place.view());
                }
            }
        }
        Ok(())
    }
}

/// The early cells whose hidden sisters are predicted.
struct Asked {
    /// The clones without the hidden barcodes.
    visible: Vec<SharedClones>,
    /// Each early cell with its clone and its hidden sisters.
    pairs: Vec<(usize, usize, Vec<usize>)>,
}

impl Asked {
    /// The early cells of `interval` with late sisters that are `hidden` and some that are not. Sisters
    /// are those of the finest level.
    fn of(interval: &CloneInterval, hidden: &[bool]) -> Self {
        let mut visible = interval.clones.clone();
        for level in &mut visible {
            for (clone, _) in level.target.iter_mut().zip(hidden).filter(|pair| *pair.1) {
                *clone = None;
            }
        }
        let mut pairs = Vec::new();
        if let Some(finest) = interval.clones.last() {
            let late = members(&finest.target);
            for (i, clone) in finest.source.iter().enumerate() {
                let Some(clone) = clone else { continue };
                let Some(sisters) = late.get(clone) else { continue };
                let away: Vec<usize> = sisters.iter().copied().filter(|&j| hidden[j]).collect();
                if !away.is_empty() && away.len() < sisters.len() {
                    pairs.push((i, *clone, away));
                }
            }
        }
        Self { visible, pairs }
    }
}

/// The cells of each clone.
fn members(clones: &[Option<usize>]) -> BTreeMap<usize, Vec<usize>> {
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (cell, clone) in clones.iter().enumerate() {
        if let Some(clone) = clone {
            found.entry(*clone).or_default().push(cell);
        }
    }
    found
}

/// The half (0 or 1) of each late cell of a clone that is seen at both times and has at least two late cells;
/// `None` for other cells. Sisters are shuffled and dealt in turn.
fn dealt(interval: &CloneInterval, seed: Seed) -> Vec<Option<usize>> {
    let mut halves = vec![None; interval.target.n_cells()];
    let Some(finest) = interval.clones.last() else { return halves };
    let early = members(&finest.source);
    for (clone, mut cells) in members(&finest.target) {
        if cells.len() < 2 || !early.contains_key(&clone) {
            continue;
        }
        cells.shuffle(&mut seed.stream("clones/halves", clone as u64));
        for (place, cell) in cells.into_iter().enumerate() {
            halves[cell] = Some(place % 2);
        }
    }
    halves
}

/// A random part of the cells if a snapshot has more than [`MOST_CELLS`]. Clones of the coarsest level are
/// kept whole or left out, at both times.
fn part(interval: &CloneInterval, seed: Seed) -> CloneInterval {
    let largest = interval.source.n_cells().max(interval.target.n_cells());
    if largest <= MOST_CELLS {
        return interval.clone();
    }
    let share = MOST_CELLS as f64 / largest as f64;
    // One number for each clone or single cell, below `share` for those that take part.
    let kept =
        |name: &str, number: usize| seed.stream(name, number as u64).random_range(0.0..1.0) < share;
    let rows = |clones: &dyn Fn(&SharedClones) -> &Vec<Option<usize>>, n: usize, name: &str| {
        let of = |i: usize| interval.clones.iter().find_map(|level| clones(level)[i]);
        let keep = |i: &usize| of(*i).map_or_else(|| kept(name, *i), |c| kept("clones/kept", c));
        (0..n).filter(keep).collect::<Vec<usize>>()
    };
    let early = rows(&|level| &level.source, interval.source.n_cells(), "clones/early");
    let late = rows(&|level| &level.target, interval.target.n_cells(), "clones/late");
    let cells = |of: &Snapshot, rows: &[usize]| {
        let points: Array2<f64> = of.points().select(Axis(0), rows);
        Snapshot::weighted(points, of.marginal().select(Axis(0), rows))
    };
    let (Ok(source), Ok(target)) =
        (cells(&interval.source, &early), cells(&interval.target, &late))
    else {
        return interval.clone();
    };
    let of = |all: &[Option<usize>], rows: &[usize]| rows.iter().map(|&i| all[i]).collect();
    let clones = interval
        .clones
        .iter()
        .map(|level| SharedClones {
            source: of(&level.source, &early),
            target: of(&level.target, &late),
        })
        .collect();
    CloneInterval { source, target, epsilon: interval.epsilon, clones }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    /// A number between −1 and 1 that stands for chance.
    fn chance(i: usize, salt: usize) -> f64 {
        ((i * 7919 + salt * 104_729 + 17) as f64 * 0.618_033_988_749).fract() * 2.0 - 1.0
    }

    /// Early cells that are alike, and late cells around the place of their clone, or anywhere.
    fn interval(clones_matter: bool) -> CloneInterval {
        let (n, m, n_clones) = (60, 80, 16);
        let source = Array2::from_shape_fn((n, 2), |(i, d)| 0.3 * chance(i, d));
        let target = Array2::from_shape_fn((m, 2), |(j, d)| {
            let own = chance(j, 5 + d);
            if clones_matter { 3.0 * chance(j % n_clones, 9 + d) + 0.5 * own } else { 3.0 * own }
        });
        let clones = SharedClones {
            source: (0..n).map(|i| (i % 7 != 0).then_some(i % n_clones)).collect(),
            target: (0..m).map(|j| (j % 9 != 0).then_some(j % n_clones)).collect(),
        };
        CloneInterval {
            source: Snapshot::new(source).unwrap(),
            target: Snapshot::new(target).unwrap(),
            epsilon: Epsilon::new(1.0).unwrap(),
            clones: vec![clones],
        }
    }

    fn tried(interval: CloneInterval) -> CloneTrial {
        try_clone_weights(&[interval], &CLONE_WEIGHTS, Seed(1), &mut Silent).unwrap()
    }

    #[test]
    fn clones_have_weight_where_they_say_where_held_out_sisters_are() {
        let found = tried(interval(true)).best();
        assert!(found.weight >= 1.0 && found.is_clear() && found.n_clones == 16, "{found:?}");
        assert!(found.explained > found.alone + 5.0 * found.error, "{found:?}");
        // Where clones have no place of their own, a coupling that follows them is worse.
        let trial = tried(interval(false));
        let most = trial.gain(CLONE_WEIGHTS.len() - 1);
        assert!(!trial.best().is_clear() && most.explained < most.alone, "{most:?}");
        assert_eq!(trial, tried(interval(false)));
    }

    #[test]
    fn few_clones_are_no_ground_for_a_choice() {
        let mut few = interval(true);
        let level = &mut few.clones[0];
        for clones in [&mut level.source, &mut level.target] {
            for clone in clones {
                *clone = clone.filter(|c| *c < 3);
            }
        }
        let found = tried(few).best();
        assert!(!found.is_clear() && !found.is_informed() && found.n_clones == 3);
    }

    /// Two early cells of one clone with two late sisters: by hand.
    #[test]
    fn the_error_is_that_of_the_mean_end_from_the_hidden_sister() {
        let mut small = interval(true);
        let late = ndarray::array![[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]];
        small.source = Snapshot::new(ndarray::array![[0.0, 0.0], [1.0, 0.0]]).unwrap();
        small.target = Snapshot::new(late.clone()).unwrap();
        small.clones = vec![SharedClones {
            source: vec![Some(0), None],
            target: vec![Some(0), Some(0), None],
        }];
        let trial = try_clone_weights(&[small.clone()], &[0.0], Seed(1), &mut Silent).unwrap();
        let link = Link::entropic(&small.source, &small.target, small.epsilon).unwrap();
        let end = link.pull(late.view()).unwrap().row(0).to_owned() * 2.0;
        let off = |j: usize| (&late.row(j) - &end).mapv(|d| d * d).sum();
        // Each sister is hidden once; the mean of the late cells is (4/3, 4/3).
        assert!((trial.sum(0) - off(0) - off(1)).abs() < 1e-4);
        let total =
            2.0 * (4.0_f64 / 3.0).powi(2) + (8.0_f64 / 3.0).powi(2) + (4.0_f64 / 3.0).powi(2);
        assert!((trial.total - total).abs() < 1e-9);
    }

    #[test]
    fn a_part_of_many_cells_keeps_clones_whole() {
        let n = 5_000;
        let clones = SharedClones {
            source: (0..n).map(|i| (i % 3 == 0).then_some(i % 100)).collect(),
            target: (0..n).map(|i| (i % 2 == 0).then_some(i % 100)).collect(),
        };
        let points = Array2::from_shape_fn((n, 1), |(i, _)| i as f64);
        let whole = CloneInterval {
            source: Snapshot::new(points.clone()).unwrap(),
            target: Snapshot::new(points).unwrap(),
            epsilon: Epsilon::new(1.0).unwrap(),
            clones: vec![clones],
        };
        let some = part(&whole, Seed(4));
        let n_cells = some.source.n_cells();
        assert!((1_200..2_800).contains(&n_cells), "{n_cells}");
        let sizes = |of: &[Option<usize>]| -> BTreeMap<usize, usize> {
            members(of).into_iter().map(|(clone, cells)| (clone, cells.len())).collect()
        };
        let (before, after) = (&whole.clones[0], &some.clones[0]);
        let all = sizes(&before.source);
        assert!(sizes(&after.source).iter().all(|(clone, size)| all[clone] == *size));
        // Clones with even numbers are at both times.
        let late = sizes(&after.target);
        let early = sizes(&after.source);
        assert!(early.keys().filter(|c| *c % 2 == 0).all(|clone| late.contains_key(clone)));
    }
}
