//! Distributions of pairs of cells, from which a pair is drawn in constant time.

use ndarray::{Array1, ArrayView1};
use rand::Rng;
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::Coupling;
use crate::data::Snapshot;

/// A distribution of pairs (source cell, target cell).
#[derive(Debug, Clone)]
pub(in crate::bridge) enum Pairs {
    /// Source and target cells are independent.
    Independent { source: Alias, target: Alias },
    /// The pairs of a coupling: entry e is `(i, j)`.
    Joint { entries: Vec<(u32, u32)>, masses: Vec<f64>, alias: Alias },
}

impl Pairs {
    /// Each cell with the probability of its weight, independent of the other cell.
    pub(in crate::bridge) fn independent(source: &Snapshot, target: &Snapshot) -> Self {
        let alias = |snapshot: &Snapshot| Alias::new(&snapshot.marginal().to_vec());
        Self::Independent { source: alias(source), target: alias(target) }
    }

    /// Row i of the source with row i of the target, all `n` with the same probability.
    pub(in crate::bridge) fn rows(n: usize) -> Self {
        let masses = vec![1.0 / n as f64; n];
        let alias = Alias::new(&masses);
        Self::Joint { entries: (0..n as u32).map(|i| (i, i)).collect(), masses, alias }
    }

    /// The pairs (i, j) of a coupling that are `wanted`, with their masses scaled to sum to one.
    /// All pairs if no pair is wanted.
    pub(super) fn joint(coupling: &Coupling, wanted: impl Fn(usize, usize) -> bool) -> Self {
        let any = coupling.pairs().any(|(i, j, _)| wanted(i, j));
        let kept = || coupling.pairs().filter(|(i, j, _)| !any || wanted(*i, *j));
        let entries = kept().map(|(i, j, _)| (i as u32, j as u32)).collect();
        let mut masses: Vec<f64> = kept().map(|pair| pair.2).collect();
        let total: f64 = masses.iter().sum();
        for mass in &mut masses {
            *mass /= total;
        }
        let alias = Alias::new(&masses);
        Self::Joint { entries, masses, alias }
    }

    /// Draws a source cell and a target cell in constant time.
    pub(in crate::bridge) fn draw(&self, stream: &mut impl Rng) -> (usize, usize) {
        match self {
            Self::Independent { source, target } => (source.draw(stream), target.draw(stream)),
            Self::Joint { entries, alias, .. } => {
                let (i, j) = entries[alias.draw(stream)];
                (i as usize, j as usize)
            }
        }
    }

    /// Covariance of the two ends around the given means, coordinate by coordinate; zero for
    /// independent pairs.
    pub(super) fn covariance(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        source_mean: ArrayView1<'_, f64>,
        target_mean: ArrayView1<'_, f64>,
    ) -> Array1<f64> {
        let mut sum = Array1::zeros(source.dim());
        if let Self::Joint { entries, masses, .. } = self {
            for ((i, j), mass) in entries.iter().zip(masses) {
                let ends = (source.points(), target.points());
                let (x, y) = (ends.0.row(*i as usize), ends.1.row(*j as usize));
                for d in 0..sum.len() {
                    sum[d] += mass * (x[d] - source_mean[d]) * (y[d] - target_mean[d]);
                }
            }
        }
        sum
    }
}

/// Draws indices with given probabilities in constant time: Walker's alias method (1977).
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Alias {
    /// Probability of keeping each index.
    keep: Vec<f64>,
    /// The index in its place otherwise.
    other: Vec<u32>,
}

impl Alias {
    /// `shares` are not negative and sum to one, up to rounding. Takes `O(n)` time and 12 bytes for
    /// each entry.
    pub(super) fn new(shares: &[f64]) -> Self {
        let n = shares.len();
        let mut keep: Vec<f64> = shares.iter().map(|share| share * n as f64).collect();
        let mut other: Vec<u32> = (0..n as u32).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| keep[i] < 1.0);
        while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
            small.pop();
            other[low] = high as u32;
            keep[high] -= 1.0 - keep[low];
            if keep[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        // The entries that rounding leaves over have probability one, but an entry of probability
        // zero must never be drawn.
        for i in small.into_iter().chain(large) {
            if shares[i] > 0.0 {
                keep[i] = 1.0;
            } else {
                let largest =
                    |best: usize, k: usize| if shares[k] > shares[best] { k } else { best };
                other[i] = (0..n).fold(0, largest) as u32;
            }
        }
        Self { keep, other }
    }

    /// Draws an index.
    pub(super) fn draw(&self, stream: &mut impl Rng) -> usize {
        let uniform: f64 = StandardUniform.sample(stream);
        let place = uniform * self.keep.len() as f64;
        let i = (place as usize).min(self.keep.len() - 1);
        if place - (i as f64) < self.keep[i] { i } else { self.other[i] as usize }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::rng::Seed;

    #[test]
    fn indices_are_drawn_by_their_shares_and_zeros_never() {
        let shares = [0.5, 0.0, 0.125, 0.3, 0.0, 0.075];
        let alias = Alias::new(&shares);
        let mut counts = [0; 6];
        let (n, mut stream) = (40_000, Seed(1).stream("test", 0));
        for _ in 0..n {
            counts[alias.draw(&mut stream)] += 1;
        }
        for (count, share) in counts.into_iter().zip(shares) {
            let error = (n as f64 * share * (1.0 - share)).sqrt();
            assert!((f64::from(count) - n as f64 * share).abs() <= 4.5 * error, "{counts:?}");
        }
    }

    #[test]
    fn pairs_of_a_coupling_have_its_covariance() {
        let source = Snapshot::new(array![[0.0], [2.0]]).unwrap();
        let target = Snapshot::new(array![[1.0], [5.0]]).unwrap();
        let (mean0, mean1) = (array![1.0], array![3.0]);
        let pairs = [(0, 0, 0.4), (0, 1, 0.2), (1, 1, 0.4)];
        let joint = Pairs::joint(&Coupling::new(2, 2, pairs).unwrap(), |_, _| true);
        let found = joint.covariance(&source, &target, mean0.view(), mean1.view());
        assert!((found[0] - (0.4 * 2.0 + 0.4 * 2.0 - 0.2 * 2.0)).abs() < 1e-12);
        let coupling = Coupling::new(2, 2, pairs).unwrap();
        let one = Pairs::joint(&coupling, |i, j| (i, j) == (0, 1));
        let found = one.covariance(&source, &target, mean0.view(), mean1.view());
        assert!((found[0] + 2.0).abs() < 1e-12);
        let alone = Pairs::independent(&source, &target);
        let none = alone.covariance(&source, &target, mean0.view(), mean1.view());
        assert!(none[0].abs() < 1e-12);
        let mut stream = Seed(1).stream("test", 0);
        for _ in 0..100 {
            let drawn = joint.draw(&mut stream);
            assert!([(0, 0), (1, 1), (0, 1)].contains(&drawn));
        }
        let rows = Pairs::rows(2);
        let found = rows.covariance(&source, &target, mean0.view(), mean1.view());
        assert!((found[0] - 2.0).abs() < 1e-12);
        assert!((0..100).all(|_| [(0, 0), (1, 1)].contains(&rows.draw(&mut stream))));
    }
}
