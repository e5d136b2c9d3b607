//! Two conditions with the cells of their common times, and these cells under exchanged labels.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::bridge::{Link, draw_cells};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::lineage::{Labellings, Lineage, Resampled, Sides};
use crate::metrics::Estimate;
use crate::pipeline::compare::options::CompareOptions;
use crate::pipeline::compare::rows::{Found, Subject};
use crate::pipeline::compare::side::Side;
use crate::rng::Seed;

/// Two conditions: the reference and another one.
pub(super) struct Pair<'s> {
    pub(super) sides: [&'s Side<'s>; 2],
    pub(super) resampled: [&'s Resampled<'s>; 2],
    pub(super) options: &'s CompareOptions,
    /// The times that both conditions have.
    pub(super) times: Vec<f64>,
    /// The cells of these times.
    pub(super) cells: Vec<TimeCells>,
    /// Their labels as they are and exchanged.
    pub(super) labels: Labellings,
    /// Names of the groups of either condition.
    pub(super) groups: BTreeSet<String>,
}

/// The cells of both conditions at one time.
pub(super) struct TimeCells {
    /// The place of the time in the course of each condition.
    pub(super) places: [usize; 2],
    /// Whether both conditions have the same cells.
    pub(super) same: bool,
    /// The cells that permutations use.
    pub(super) tested: Vec<Tested>,
    /// Their coordinates, in those of the bridges.
    pub(super) points: Array2<f64>,
}

/// A cell that permutations use: its number among the cells of the time in each condition that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tested {
    of: [Option<usize>; 2],
}

impl TimeCells {
    /// Number of cells of the condition `side` that permutations use.
    pub(super) fn n_tested(&self, side: usize) -> usize {
        self.tested.iter().filter(|cell| cell.of[side].is_some()).count()
    }

    /// Values of the cells, from those of each condition.
    pub(super) fn values<T: Copy>(&self, of: [&[T]; 2]) -> Vec<T> {
        let value = |cell: &Tested| match cell.of {
            [Some(i), _] => Some(of[0][i]),
            [None, Some(i)] => Some(of[1][i]),
            [None, None] => None,
        };
        self.tested.iter().filter_map(value).collect()
    }

    /// Weights of the cells in the condition `side`, from those of all of its cells, `(n, columns)`.
    pub(super) fn weights(&self, side: usize, of: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut found = Array2::zeros((self.tested.len(), of.ncols()));
        for (mut row, cell) in found.rows_mut().into_iter().zip(&self.tested) {
            if let Some(i) = cell.of[side] {
                row.assign(&of.row(i));
            }
        }
        found
    }
}

impl<'s> Pair<'s> {
    /// Finds the common times and cells of two conditions, and exchanges labels.
    ///
    /// # Errors
    /// [`Error::Parameter`] if they have fewer than two common times, or coordinates of different fits.
    pub(super) fn new(
        sides: [&'s Side<'s>; 2],
        resampled: [&'s Resampled<'s>; 2],
        options: &'s CompareOptions,
    ) -> Result<Self> {
        check_same_space(sides)?;
        let seed = Seed(options.seed).child("compare/test", 0);
        let (mut times, mut cells) = (Vec::new(), Vec::new());
        for (place, time) in sides[0].times().iter().enumerate() {
            let same = |other: &f64| other.total_cmp(time).is_eq();
            let Some(other) = sides[1].times().iter().position(same) else { continue };
            let seed = seed.child("time", times.len() as u64);
            times.push(*time);
            cells.push(time_cells(sides, [place, other], options.test_cells, seed));
        }
        if times.len() < 2 {
            let (name, must) = ("conditions", "conditions with at least two common times");
            let got = format!("{} and {}, with {}", sides[0].name, sides[1].name, times.len());
            return Err(Error::Parameter { name, must, got });
        }
        let members = |of: &TimeCells| Sides {
            first: of.tested.iter().map(|cell| cell.of[0].is_some()).collect(),
            second: of.tested.iter().map(|cell| cell.of[1].is_some()).collect(),
        };
        let all: Vec<Sides> = cells.iter().map(members).collect();
        let labels = match (&sides[0].batches, &sides[1].batches) {
            (Some(one), Some(other)) => {
                let of_time = |cells: &TimeCells| {
                    let [a, b] = cells.places;
                    let name = |cell: &Tested| match cell.of {
                        [Some(i), _] => one[a][i].clone(),
                        [None, i] => i.map_or_else(String::new, |i| other[b][i].clone()),
                    };
                    cells.tested.iter().map(name).collect()
                };
                let batches: Vec<Vec<String>> = cells.iter().map(of_time).collect();
                Labellings::of_batches(&all, &batches, options.permutations, seed)?
            }
            _ => Labellings::of_cells(&all, options.permutations, seed)?,
        };
        let groups = sides.iter().flat_map(|side| side.groups.names()).cloned().collect();
        Ok(Self { sides, resampled, options, times, cells, labels, groups })
    }

    /// Names of both conditions.
    pub(super) fn names(&self) -> [&str; 2] {
        self.sides.map(|side| side.name)
    }

    /// Whether labels can be exchanged at all.
    pub(super) fn is_testable(&self) -> bool {
        self.labels.distinct() > 1.5
    }

    /// The differences under exchanged labels, or none if labels cannot be exchanged.
    pub(super) fn exchanged(&self, values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        if self.is_testable() { values.into_iter().collect() } else { Vec::new() }
    }

    /// Whether both conditions have the same cells at the common times k and k + 1.
    pub(super) fn is_common(&self, k: usize) -> bool {
        self.cells[k].same && self.cells[k + 1].same
    }

    /// The number of the group of each tested cell at common time k, in the order of [`Pair::groups`].
    pub(super) fn groups_of(&self, k: usize) -> Vec<Option<usize>> {
        let of = &self.cells[k];
        let own = |side: usize| -> Vec<Option<usize>> {
            let groups = &self.sides[side].groups;
            let number = |group: &Option<usize>| {
                group.and_then(|g| self.groups.iter().position(|name| *name == groups.names()[g]))
            };
            groups.at(of.places[side]).iter().map(number).collect()
        };
        let (first, second) = (own(0), own(1));
        of.values([&first, &second])
    }

    /// Entropic couplings of the tested cells of all common times, with the noise of the bridges.
    ///
    /// # Errors
    /// Those of [`Link::entropic`].
    pub(super) fn chain(&self) -> Result<Lineage> {
        let header = &self.sides[0].model.header;
        let snapshots: Vec<Snapshot> =
            self.cells.iter().map(|of| Snapshot::new(of.points.clone())).collect::<Result<_>>()?;
        let links = snapshots.windows(2).zip(self.times.windows(2)).map(|(ends, times)| {
            let noise = header.sigma2 * (times[1] - times[0]) / (header.scale * header.scale);
            Link::entropic(&ends[0], &ends[1], Epsilon::new(noise)?)
        });
        Lineage::new(self.times.clone(), links.collect::<Result<_>>()?)
    }

    /// The means of `values` over the cells with `members` at common time k, for each condition all of its
    /// cells, and of their difference under exchanged labels of the tested cells; `None` if a condition has no such cell.
    pub(super) fn mean(
        &self,
        k: usize,
        members: [&[bool]; 2],
        values: [ArrayView1<'_, f64>; 2],
    ) -> Option<Found> {
        let of = &self.cells[k];
        let side = |side: usize| {
            let place = of.places[side];
            let weights = self.resampled[side].weights(place);
            let mean = means(weights, members[side], values[side]);
            let estimate = Estimate::of(&mean);
            let drawn = self.resampled[side].drawn(place, |i| members[side][i]);
            if drawn.is_enough() { estimate } else { estimate.without_interval() }
        };
        if members.iter().any(|members| !members.contains(&true)) {
            return None;
        }
        let tested = of.values(members);
        let values = [values[0].to_vec(), values[1].to_vec()];
        let values = Array1::from(of.values([&values[0], &values[1]]));
        let first = means(self.labels.first(k), &tested, values.view());
        let second = means(self.labels.second(k), &tested, values.view());
        Some(Found::of([side(0), side(1)], self.exchanged(second - first)))
    }

    /// The numbers of cells with `members`.
    pub(super) fn counts(members: [&[bool]; 2]) -> [usize; 2] {
        members.map(|of| of.iter().filter(|member| **member).count())
    }

    /// The subject of a number at common time k.
    pub(super) fn at(&self, k: usize, kind: super::CompareKind, n_cells: [usize; 2]) -> Subject {
        let (group, target) = (String::new(), String::new());
        Subject { kind, time: self.times[k], time_to: None, group, target, n_cells }
    }
}

/// The mean of `values` over `members` for each column of `weights`; NaN where no member has weight.
pub(super) fn means(
    weights: ArrayView2<'_, f64>,
    members: &[bool],
    values: ArrayView1<'_, f64>,
) -> Array1<f64> {
    let own: Vec<usize> = (0..members.len()).filter(|&i| members[i]).collect();
    let mean = |column: ArrayView1<'_, f64>| {
        let whole: f64 = own.iter().map(|&i| column[i]).sum();
        let sum: f64 = own.iter().map(|&i| column[i] * values[i]).sum();
        if whole > 0.0 { sum / whole } else { f64::NAN }
    };
    weights.axis_iter(Axis(1)).map(mean).collect()
}

/// The cells of both conditions at one time, at most `most` of each for permutations.
fn time_cells(sides: [&Side<'_>; 2], places: [usize; 2], most: usize, seed: Seed) -> TimeCells {
    let rows = [0, 1].map(|side| &sides[side].course.rows[places[side]]);
    let key = |side: usize, row: usize| {
        let model = sides[side].model;
        let point: Vec<u64> = model.points.row(row).iter().map(|x| x.to_bits()).collect();
        (model.cells[row].as_str(), point)
    };
    // Cells of one file with the same name and place are one cell.
    let mut known: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, &row) in rows[0].iter().enumerate().rev() {
        known.entry(key(0, row)).or_default().push(i);
    }
    let mut partner: Vec<Option<usize>> = vec![None; rows[0].len()];
    let mut lone = Vec::new();
    for (j, &row) in rows[1].iter().enumerate() {
        match known.get_mut(&key(1, row)).and_then(Vec::pop) {
            Some(i) => partner[i] = Some(j),
            None => lone.push(j),
        }
    }
    let (both, own): (Vec<usize>, Vec<usize>) =
        (0..partner.len()).partition(|&i| partner[i].is_some());
    let same = own.is_empty() && lone.is_empty();
    // All kinds of cells are thinned by the same share.
    let share = (most as f64 / rows[0].len().max(rows[1].len()) as f64).min(1.0);
    let some = |of: &[usize], number: u64| -> Vec<usize> {
        let n = (share * of.len() as f64).ceil() as usize;
        if n >= of.len() {
            return of.to_vec();
        }
        let even = Array1::from_elem(of.len(), 1.0 / of.len() as f64);
        let mut drawn = draw_cells(even.view(), n, seed.child("cells", number));
        drawn.sort_unstable();
        drawn.dedup();
        drawn.into_iter().map(|i| of[i]).collect()
    };
    let both = some(&both, 0).into_iter().map(|i| Tested { of: [Some(i), partner[i]] });
    let own = some(&own, 1).into_iter().map(|i| Tested { of: [Some(i), None] });
    let lone = some(&lone, 2).into_iter().map(|j| Tested { of: [None, Some(j)] });
    let tested: Vec<Tested> = both.chain(own).chain(lone).collect();
    let dim = sides[0].model.points.ncols();
    let mut points = Array2::zeros((tested.len(), dim));
    for (mut row, cell) in points.rows_mut().into_iter().zip(&tested) {
        let (side, i) = match cell.of {
            [Some(i), _] => (0, i),
            [None, i] => (1, i.unwrap_or(0)),
        };
        row.assign(&sides[side].course.snapshots()[places[side]].points().row(i));
    }
    TimeCells { places, same, tested, points }
}

/// Checks that both models have the same coordinates and noise.
///
/// # Errors
/// [`Error::Parameter`].
fn check_same_space(sides: [&Side<'_>; 2]) -> Result<()> {
    let [a, b] = sides.map(|side| &side.model.header);
    let same = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs();
    if a.dimensions == b.dimensions && same(a.scale, b.scale) && same(a.sigma2, b.sigma2) {
        return Ok(());
    }
    let (name, must) = ("model", "a folder of conditions that were fitted together");
    let got = format!("{} and {} with different coordinates", sides[0].name, sides[1].name);
    Err(Error::Parameter { name, must, got })
}
