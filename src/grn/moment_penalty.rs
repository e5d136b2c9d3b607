//! The penalty of fits to moments, chosen by cells held out.

use crate::error::Result;
use crate::grn::course::CourseCells;
use crate::grn::snapshot_moments::{MomentFit, System};

/// Penalties among which one is chosen, in units of [`MomentFit::penalty`], from the largest.
const FACTORS: [f64; 4] = [10.0, 3.0, 1.0, 0.3];

/// Largest number of regulators to which the choice looks. It takes evenly spaced ones of more.
const LARGEST: usize = 60;

/// Steps of the fits that are compared end when the value falls by less than this fraction. Losses of the penalties
/// differ by far more.
const TOLERANCE: f64 = 1e-5;

impl MomentFit {
    /// The same fit with the penalty that cells held out call for.
    ///
    /// Cells of each group are divided into two halves, every other cell. For each penalty the
    /// process is fitted to the moments of one half, and the loss is the negative log-likelihood of
    /// the other half, interval by interval. Penalties become smaller until the mean loss rises; each
    /// fit starts from the process of the penalty before. The largest penalty is taken whose mean loss is within
    /// one standard error of the least (Breiman et al. 1984, section 3.4.3). The standard error is
    /// that of the differences over intervals and halves.
    ///
    /// # Errors
    /// [`Error::Numerical`](crate::Error::Numerical) if moments are not finite.
    pub(super) fn with_chosen_penalty(
        self,
        cells: &CourseCells<'_>,
        groups: &[Vec<usize>],
        lengths: &[f64],
    ) -> Result<Self> {
        let smallest = groups.iter().map(Vec::len).min().unwrap_or(0);
        if !self.held_out || smallest < 2 {
            return Ok(self);
        }
        let regulators = cells.expression.regulators();
        let n_taken = regulators.len().min(LARGEST);
        let taken: Vec<usize> =
            (0..n_taken).map(|i| regulators[i * regulators.len() / n_taken]).collect();
        let half = |first: usize| -> Vec<Vec<usize>> {
            groups
                .iter()
                .map(|rows| rows.iter().copied().skip(first).step_by(2).collect())
                .collect()
        };
        let halves = [half(0), half(1)].map(|groups| System::of(cells, &groups, lengths, &taken));
        let [first, second] = halves;
        let mut pairs = [(first.clone(), second.clone()), (second, first)];
        let mut losses: Vec<Vec<f64>> = Vec::new();
        for factor in FACTORS {
            let fit = Self { penalty: self.penalty * factor, ..self };
            let [first, second] = &mut pairs;
            let (first, second) = rayon::join(
                || fit.held_out_losses(&mut first.0, &first.1),
                || fit.held_out_losses(&mut second.0, &second.1),
            );
            let of_factor = [first?, second?].concat();
            let is_worse = losses.last().is_some_and(|before| mean(before) < mean(&of_factor));
            losses.push(of_factor);
            if is_worse {
                break;
            }
        }
        Ok(Self { penalty: self.penalty * FACTORS[largest_within_error(&losses)], ..self })
    }

    /// Losses of the intervals of `held_out` under the process fitted to `fitted`, from which the next fit starts.
    fn held_out_losses(&self, fitted: &mut System, held_out: &System) -> Result<Vec<f64>> {
        fitted.start = self.fit(fitted, TOLERANCE)?;
        let losses = held_out.intervals.iter().map(|interval| {
            let value = interval.value(&fitted.start, self.n_substeps);
            value.map_or(f64::INFINITY, |(loss, _)| loss)
        });
        Ok(losses.collect())
    }
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len().max(1) as f64
}

/// Position of the first list of losses whose mean is within one standard error of the least mean.
fn largest_within_error(losses: &[Vec<f64>]) -> usize {
    let best = (0..losses.len())
        .min_by(|&a, &b| mean(&losses[a]).total_cmp(&mean(&losses[b])))
        .unwrap_or(0);
    let is_near = |of: &Vec<f64>| {
        let gaps: Vec<f64> = of.iter().zip(&losses[best]).map(|(a, b)| a - b).collect();
        let (n, gap) = (gaps.len() as f64, mean(&gaps));
        let variance =
            gaps.iter().map(|other| (other - gap).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        gap <= (variance / n).sqrt()
    };
    losses.iter().position(is_near).unwrap_or(best)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::grn::Expression;
    use crate::rng::Seed;

    #[test]
    fn the_largest_penalty_within_one_standard_error_is_taken() {
        // Mean gaps to the last list: 2, 0.5 (standard error 0.5), 0.
        let losses = [vec![3.0, 3.0], vec![2.0, 1.0], vec![1.0, 1.0]];
        assert_eq!(largest_within_error(&losses), 1);
        // The gap of the second list is now exact.
        assert_eq!(largest_within_error(&[vec![3.0, 3.0], vec![1.5, 1.5], vec![1.0, 1.0]]), 2);
        // The least is not the last.
        assert_eq!(largest_within_error(&[vec![1.0, 1.0], vec![2.0, 2.0]]), 0);
    }

    /// The factor that is chosen for a course of 5 times of `n_cells` cells, in which genes 1 and 3 gain 0.8
    /// times the value of genes 0 and 2 with each time, or of noise.
    fn factor(n_cells: usize, is_network: bool) -> f64 {
        let mut random = Seed(1).stream("cells", 0);
        let mut normal = || -> f32 { StandardNormal.sample(&mut random) };
        let rows = 5 * n_cells;
        let mut values = Array2::<f32>::zeros((rows, 4));
        for cell in 0..rows {
            let gain = if is_network { 0.8 * (cell / n_cells) as f32 } else { 0.0 };
            for gene in [0, 2] {
                values[[cell, gene]] = normal();
                values[[cell, gene + 1]] = normal() + gain * values[[cell, gene]];
            }
        }
        let expression = Expression::new(values, &[0, 1, 2, 3]).unwrap();
        let points = expression.standardised(&(0..rows).collect::<Vec<_>>());
        let times: Array1<f64> = (0..rows).map(|cell| (cell / n_cells) as f64).collect();
        let (expression, points, growth) = (&expression, &points, None);
        let weights = Array1::ones(rows);
        let cells = CourseCells { expression, points, times, weights, growth, perturbed: None };
        let fit = MomentFit::default();
        let groups = cells.snapshots();
        let lengths = cells.lengths_between(&groups);
        fit.with_chosen_penalty(&cells, &groups, &lengths).unwrap().penalty / fit.penalty
    }

    #[test]
    fn a_clear_network_of_many_cells_has_a_smaller_penalty_than_noise() {
        let (clear, noise) = (factor(400, true), factor(12, false));
        assert!(clear < 1.1 && noise > 2.9, "{clear} {noise}");
    }

    #[test]
    fn single_cells_cannot_be_divided() {
        assert!((factor(1, true) - 1.0).abs() < 1e-12);
    }
}
