//! Fits to the moments of snapshots and of bins of smoothed time, summed to one importance.

use ndarray::Array2;

use crate::error::Result;
use crate::grn::course::CourseCells;
use crate::grn::edge_matrix::{EdgeMatrix, silence_self};
use crate::grn::snapshot_moments::MomentFit;

/// Numbers of Euler steps of the fits to snapshots.
const SUBSTEPS: [usize; 2] = [1, 3];

/// Largest number of regulators whose moments are fitted.
pub(super) const MOST_REGULATORS: usize = 600;

/// With more regulators than this there are two fits with one adaptive round, instead of four: to the snapshots
/// with one Euler step, and to the last division into bins. They take a tenth of the time.
const MANY_REGULATORS: usize = 200;

/// Weight of each fit to snapshots in the ensemble; the regression on bins of smoothed time has the
/// weight 1.
const OF_SNAPSHOTS: f64 = 0.1;

/// Weight of each fit to bins of smoothed time.
const OF_BINS: f64 = 0.3;

/// Weight that a perfect fit to snapshots adds to all fits.
const PERFECT: f64 = 1.5;

/// Excess of the negative log-likelihood per gene at which [`PERFECT`] falls to a share of 1/e.
const MISFIT: f64 = 0.03;

/// Fits of linear processes to moments.
pub(super) struct MomentSum {
    /// Sum of `|a|` over the fits to snapshots, each scaled to a mean column length of one, `(R, G)`.
    snapshots: Array2<f64>,
    /// The same over the fits to bins of smoothed time.
    bins: Array2<f64>,
    /// Sum of a over all fits, scaled in the same way, `(R, G)`.
    signed: Array2<f64>,
    /// Number of fits.
    count: f64,
    /// 2 if half of the fits are left out, otherwise 1.
    factor: f64,
    /// Mean length of the intervals between snapshots.
    lag: f64,
    /// The least misfit of the fits to snapshots; infinite for two snapshots, which nearly any process can join.
    misfit: f64,
}

impl MomentSum {
    /// Fits the moments of `snapshots` of `cells`, and of each division into `bins` of smoothed time.
    /// All sums are 0 if there are more than 600 regulators.
    ///
    /// # Errors
    /// Those of [`MomentFit::edges`] and of the search of neighbours.
    pub(super) fn of(
        cells: &CourseCells<'_>,
        snapshots: &[Vec<usize>],
        bins: &[Vec<Vec<usize>>],
        fit: MomentFit,
    ) -> Result<Self> {
        let regulators = cells.expression.regulators();
        let shape = (regulators.len(), cells.expression.n_genes());
        let is_large = regulators.len() > MANY_REGULATORS;
        let mut sum = Self {
            snapshots: Array2::zeros(shape),
            bins: Array2::zeros(shape),
            signed: Array2::zeros(shape),
            count: 0.0,
            factor: if is_large { 2.0 } else { 1.0 },
            lag: f64::NAN,
            misfit: f64::INFINITY,
        };
        if regulators.len() > MOST_REGULATORS {
            return Ok(sum);
        }
        let fit = if is_large { MomentFit { rounds: fit.rounds.min(1), ..fit } } else { fit };
        let substeps = if is_large { &SUBSTEPS[..1] } else { &SUBSTEPS[..] };
        let bins = if is_large { &bins[bins.len().saturating_sub(1)..] } else { bins };
        let lengths = cells.lengths_between(snapshots);
        let one_step = MomentFit { n_substeps: 1, ..fit };
        let of_snapshots = one_step.with_chosen_penalty(cells, snapshots, &lengths)?;
        for &n_substeps in substeps {
            let fit = MomentFit { n_substeps, ..of_snapshots };
            let (mut found, misfit) = fit.edges(cells, snapshots, &lengths)?;
            if snapshots.len() > 2 {
                sum.misfit = sum.misfit.min(misfit);
            }
            sum.lag = found.lag;
            let scale = sum.scale(&mut found, regulators);
            sum.snapshots.scaled_add(scale, &found.importance);
        }
        for groups in bins {
            let equal = vec![1.0; groups.len().saturating_sub(1)];
            let (mut found, _) = fit.edges(cells, groups, &equal)?;
            let scale = sum.scale(&mut found, regulators);
            sum.bins.scaled_add(scale, &found.importance);
        }
        Ok(sum)
    }

    /// Contribution of the fits to the importance of the ensemble, `(R, G)`. Their weight is greater where a
    /// linear process fits the snapshots.
    pub(super) fn importance(&self) -> Array2<f64> {
        let perfect = PERFECT * (-self.misfit / MISFIT).exp();
        (&self.snapshots * (OF_SNAPSHOTS + perfect) + &self.bins * (OF_BINS + perfect))
            * self.factor
    }

    /// Counts a fit and returns the factor that scales it to a mean column length of one.
    fn scale(&mut self, found: &mut EdgeMatrix, regulators: &[usize]) -> f64 {
        silence_self(&mut found.importance, regulators);
        silence_self(&mut found.evidence, regulators);
        let squares: f64 = found.importance.iter().map(|a| a * a).sum();
        let length = (squares / found.importance.ncols().max(1) as f64).sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        self.signed.scaled_add(scale, &found.evidence);
        self.count += 1.0;
        scale
    }

    /// The fits as an estimate of their own.
    pub(super) fn edges(self) -> EdgeMatrix {
        let share = 1.0 / self.count.max(1.0);
        EdgeMatrix {
            importance: (self.snapshots + self.bins) * share,
            strength: self.signed.mapv(f64::abs) * share,
            evidence: self.signed,
            lag: self.lag,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn fits_weigh_more_where_a_linear_process_leaves_nothing_unexplained() {
        let of = |misfit: f64, factor: f64| {
            let (snapshots, bins, signed) = (array![[1.0]], array![[2.0]], array![[3.0]]);
            let sum = MomentSum { snapshots, bins, signed, count: 4.0, factor, lag: 1.0, misfit };
            sum.importance()[[0, 0]]
        };
        // 1.6 · 1 + 1.8 · 2 for a perfect fit, 0.1 · 1 + 0.3 · 2 for a poor one.
        assert!((of(0.0, 1.0) - 5.2).abs() < 1e-12);
        assert!((of(f64::INFINITY, 1.0) - 0.7).abs() < 1e-12);
        assert!((of(MISFIT, 1.0) - 0.7 - 4.5 / 1.0_f64.exp()).abs() < 1e-12);
        assert!((of(0.0, 2.0) - 10.4).abs() < 1e-12);
    }
}
