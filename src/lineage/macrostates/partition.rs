//! States of the cells of one time: pieces by weighted k-means, merged where no gap lies between them.

use std::cmp::Ordering;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::Result;
use crate::linalg::{Spectrum, clearly_less};
use crate::lineage::macrostates::dip::{dip, tail};

/// Largest number of rounds of k-means.
const ROUNDS: usize = 100;

/// Least distance of the centres of two states, in standard deviations within them along the line
/// through both. Halves of a bell-shaped population are 2.7 of these apart.
const LEAST_WIDTH: f64 = 2.0;

/// The cells of one time in the coordinates of the slow modes and of the model.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    /// Coordinates of the slow modes, `(n, n_modes)`.
    pub(super) places: ArrayView2<'a, f64>,
    /// Coordinates of the model, `(n, n_dims)`.
    pub(super) points: ArrayView2<'a, f64>,
    /// Weights of the cells; cells of weight zero are in no state.
    pub(super) weights: ArrayView1<'a, f64>,
}

/// Conditions for two separate states.
#[derive(Clone, Copy)]
pub(super) struct Separation {
    /// Smallest number of cells of a state.
    pub(super) min_cells: usize,
    /// Smallest `√n · dip` of a gap.
    pub(super) least_dip: f64,
}

/// The state of each cell, numbered from 0; `None` for cells of weight zero.
pub(super) type Labels = Vec<Option<usize>>;

impl Cells<'_> {
    /// At most `n_states` states, with a gap between any two of them. The cells are cut into
    /// `n_pieces` pieces; then the two closest pieces between which there is no gap are merged, until
    /// there are none.
    ///
    /// # Errors
    /// Those of [`Cells::pieces`].
    pub(super) fn separate(&self, n_pieces: usize, of: Separation) -> Result<Labels> {
        let mut labels = self.pieces(n_pieces)?;
        while let Some((from, into)) = self.next_merge(&labels, of) {
            merge(&mut labels, from, into);
        }
        Ok(labels)
    }

    /// Pieces by weighted k-means: the piece whose halves are furthest apart is cut along its longest
    /// axis, and all cells go to the nearest centre until nothing changes, piece after piece. Fewer
    /// pieces if there are fewer distinct cells. Time `O(n_pieces² n n_modes)` for each round.
    ///
    /// # Errors
    /// Those of [`Spectrum::new`].
    pub(super) fn pieces(&self, n_pieces: usize) -> Result<Labels> {
        let live = |weight: &f64| (*weight > 0.0).then_some(0);
        let mut labels: Labels = self.weights.iter().map(live).collect();
        for n in 1..n_pieces {
            let mut best: Option<(f64, Labels)> = None;
            for piece in 0..n {
                if let Some((gain, cut)) = self.cut(&labels, piece, n)?
                    && best.as_ref().is_none_or(|best| clearly_less(best.0, gain))
                {
                    best = Some((gain, cut));
                }
            }
            let Some((_, cut)) = best else { break };
            let moved = self.settled(cut, n + 1);
            if n_states(&moved) <= n {
                break;
            }
            labels = moved;
        }
        Ok(labels)
    }

    /// `labels` with the piece `piece` cut at its centre along its longest axis, the upper half as
    /// piece `new`, and the decrease of the sum of squares. `None` if it cannot be cut.
    fn cut(&self, labels: &Labels, piece: usize, new: usize) -> Result<Option<(f64, Labels)>> {
        let own: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == Some(piece)).collect();
        let Some((_, centre)) = centre(self.places, self.weights, &own) else { return Ok(None) };
        let mut around = self.places.select(Axis(0), &own);
        for (mut row, &i) in around.rows_mut().into_iter().zip(&own) {
            row -= &centre;
            row *= self.weights[i].sqrt();
        }
        if around.ncols() == 0 {
            return Ok(None);
        }
        let axes = Spectrum::new(around.t().dot(&around).view())?;
        if axes.values.first().is_none_or(|&most| most <= 0.0) {
            return Ok(None);
        }
        let along = around.dot(&axes.vectors.row(0));
        let mut cut = labels.clone();
        let upper = own.iter().zip(&along).filter(|(_, along)| **along > 0.0);
        upper.for_each(|(&i, _)| cut[i] = Some(new));
        let gain = self.distance(&cut, piece, new);
        Ok((gain > 0.0 && gain.is_finite()).then_some((gain, cut)))
    }

    /// All cells in the piece with the nearest centre, until nothing changes.
    fn settled(&self, mut labels: Labels, n: usize) -> Labels {
        for _ in 0..ROUNDS {
            let members = members(&labels, n);
            let centres: Vec<Option<Array1<f64>>> = members
                .iter()
                .map(|own| centre(self.places, self.weights, own).map(|(_, centre)| centre))
                .collect();
            let nearest = |i: usize| {
                let square = |centre: &Array1<f64>| {
                    let pairs = self.places.row(i).into_iter().zip(centre);
                    pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
                };
                let mut best: Option<(f64, usize)> = None;
                for (piece, centre) in centres.iter().enumerate() {
                    if let Some(own) = centre.as_ref().map(&square)
                        && best.is_none_or(|best| own < best.0)
                    {
                        best = Some((own, piece));
                    }
                }
                best.map(|best| best.1)
            };
            let next: Labels =
                labels.iter().enumerate().map(|(i, of)| of.and_then(|_| nearest(i))).collect();
            if next == labels {
                break;
            }
            labels = next;
        }
        labels
    }

    /// Increase of the sum of squares if two states become one: `w_a w_b / (w_a + w_b) ‖c_a − c_b‖²`
    /// with their weights and centres. Zero if one of them is empty.
    pub(super) fn distance(&self, labels: &Labels, a: usize, b: usize) -> f64 {
        let of = |state: usize| {
            let own: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == Some(state)).collect();
            centre(self.places, self.weights, &own)
        };
        let (Some((a, at_a)), Some((b, at_b))) = (of(a), of(b)) else { return 0.0 };
        let off = at_a - at_b;
        a * b / (a + b) * off.dot(&off)
    }

    /// The closest two states without a gap between them: the smaller one, and the one that takes it.
    fn next_merge(&self, labels: &Labels, of: Separation) -> Option<(usize, usize)> {
        let n = n_states(labels);
        let mut pairs: Vec<(f64, usize, usize)> = (0..n)
            .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
            .map(|(a, b)| (self.distance(labels, a, b), a, b))
            .collect();
        pairs.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        let joined = pairs.into_iter().find(|&(_, a, b)| !self.is_apart(labels, (a, b), of));
        joined.map(|(_, a, b)| (b, a))
    }

    /// Whether both states have enough cells and a gap between them.
    fn is_apart(&self, labels: &Labels, (a, b): (usize, usize), of: Separation) -> bool {
        let count = |state| labels.iter().filter(|label| **label == Some(state)).count();
        count(a).min(count(b)) >= of.min_cells && self.gap(labels, a, b) > of.least_dip
    }

    /// `√n · dip` between two states along the line through their centres in the coordinates of the
    /// model: over the smaller state and as many cells of the larger one next to it, so that a rare
    /// state counts as much as a frequent one. Zero if the centres are less than two standard deviations
    /// within states apart: a gap on the line then lies within the states, not between them.
    pub(super) fn gap(&self, labels: &Labels, a: usize, b: usize) -> f64 {
        let mut sets =
            [a, b].map(|s| (0..labels.len()).filter(|&i| labels[i] == Some(s)).collect::<Vec<_>>());
        sets.sort_by_key(Vec::len);
        let [few, many] = &sets;
        let (Some((_, at_few)), Some((_, at_many))) =
            (centre(self.points, self.weights, few), centre(self.points, self.weights, many))
        else {
            return 0.0;
        };
        let line = at_few - at_many;
        let on_line = |rows: &Vec<usize>| -> Vec<f64> {
            rows.iter().map(|&i| self.points.row(i).dot(&line)).collect()
        };
        let (few_on, many_on) = (on_line(few), on_line(many));
        let within = (squares(&few_on) + squares(&many_on)) / (few_on.len() + many_on.len()) as f64;
        if line.dot(&line).powi(2) < LEAST_WIDTH * LEAST_WIDTH * within {
            return 0.0;
        }
        let mut along = [few_on, many_on].concat();
        along.sort_by(f64::total_cmp);
        let near = &along[along.len().saturating_sub(2 * few.len())..];
        dip(near) * (near.len() as f64).sqrt()
    }

    /// For each state the probability of its smallest gap to another state in a sample with one mode.
    pub(super) fn gap_probabilities(&self, labels: &Labels) -> Vec<f64> {
        let n = n_states(labels);
        let least = |a: usize| {
            let others = (0..n).filter(|&b| b != a).map(|b| self.gap(labels, a, b));
            others.fold(f64::INFINITY, f64::min)
        };
        (0..n).map(|a| if n > 1 { tail(least(a)) } else { f64::NAN }).collect()
    }
}

/// The sum of squares around the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| (value - mean) * (value - mean)).sum()
}

/// The weight of `rows` and their weighted mean; `None` without weight.
fn centre(
    points: ArrayView2<'_, f64>,
    weights: ArrayView1<'_, f64>,
    rows: &[usize],
) -> Option<(f64, Array1<f64>)> {
    let total: f64 = rows.iter().map(|&i| weights[i]).sum();
    let mut sum = Array1::zeros(points.ncols());
    for &i in rows {
        sum.scaled_add(weights[i], &points.row(i));
    }
    (total > 0.0).then(|| (total, sum / total))
}

/// The number of states of `labels`, which are numbered without gaps.
pub(super) fn n_states(labels: &Labels) -> usize {
    let states: std::collections::BTreeSet<usize> = labels.iter().flatten().copied().collect();
    states.len()
}

/// The cells of each of `n` states.
pub(super) fn members(labels: &Labels, n: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); n];
    for (i, state) in labels.iter().enumerate() {
        if let Some(state) = state {
            members[*state].push(i);
        }
    }
    members
}

/// Indicators of the states, `(n, n_states)`.
pub(super) fn indicators(labels: &Labels) -> Array2<f64> {
    let of = |(i, s): (usize, usize)| f64::from(u8::from(labels[i] == Some(s)));
    Array2::from_shape_fn((labels.len(), n_states(labels)), of)
}

/// Moves the cells of state `from` to state `into`; later states move up by one.
pub(super) fn merge(labels: &mut Labels, from: usize, into: usize) {
    for state in labels.iter_mut().flatten() {
        if *state == from {
            *state = into;
        }
        if *state > from {
            *state -= 1;
        }
    }
}

/// For each state of `labels` the largest Jaccard index `|A ∩ B| / |A ∪ B|` with a state B of
/// `others`, over the cells that have a state in `others`.
pub(super) fn recovered(labels: &Labels, others: &Labels) -> Vec<f64> {
    let (n, m) = (n_states(labels), n_states(others));
    let mut both = Array2::<f64>::zeros((n, m));
    let (mut own, mut other) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(m));
    for (a, b) in labels.iter().zip(others) {
        let Some(b) = *b else { continue };
        other[b] += 1.0;
        if let Some(a) = *a {
            own[a] += 1.0;
            both[[a, b]] += 1.0;
        }
    }
    let index = |a: usize, b: usize| both[[a, b]] / (own[a] + other[b] - both[[a, b]]).max(1.0);
    (0..n).map(|a| (0..m).map(|b| index(a, b)).fold(0.0, f64::max)).collect()
}
