//! Fits to the moments of snapshots and of bins of smoothed time, summed to one importance.

use ndarray::Array2;

use crate::error::Result;
use crate::grn::course::{Binning, CourseCells};
use crate::grn::edge_matrix::{EdgeMatrix, silence_self};
use crate::grn::snapshot_moments::MomentFit;

/// Numbers of Euler steps of the fits to snapshots.
const SUBSTEPS: [usize; 2] = [1, 3];

/// Numbers of bins of smoothed time.
const BINS: [usize; 2] = [12, 6];

/// Largest number of regulators whose moments are fitted.
const MOST_REGULATORS: usize = 600;

/// Weight of each fit in the ensemble; the regression on bins of smoothed time has the weight 1.
const WEIGHT: f64 = 0.2;

/// What a perfect fit adds to [`WEIGHT`].
const PERFECT: f64 = 1.5;

/// Excess of the negative log-likelihood per gene at which [`PERFECT`] falls to a share of 1/e.
const MISFIT: f64 = 0.03;

/// Fits of linear processes to moments.
pub(super) struct MomentSum {
    /// Sum of `|a|` over the fits, each scaled to a mean column length of one, `(R, G)`.
    pub(super) importance: Array2<f64>,
    /// The same with the signs of a, `(R, G)`.
    pub(super) signed: Array2<f64>,
    /// Number of fits.
    pub(super) count: f64,
    /// Mean length of the intervals between snapshots.
    pub(super) lag: f64,
    /// The least misfit of the fits to snapshots.
    pub(super) misfit: f64,
}

impl MomentSum {
    /// Fits the moments of the snapshots of `cells` (neighbours merged if there are more than
    /// `dense`, to `merged`), and with `binned` those of bins of smoothed time.
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
        let mut sum = Self {
            importance: Array2::zeros(shape),
            signed: Array2::zeros(shape),
            count: 0.0,
            lag: f64::NAN,
            misfit: f64::INFINITY,
        };
        if regulators.len() > MOST_REGULATORS {
            return Ok(sum);
        }
        let lengths = cells.lengths_between(snapshots);
        for n_substeps in SUBSTEPS {
            let fit = MomentFit { n_substeps, ..fit };
            let (found, misfit) = fit.edges(cells, snapshots, &lengths)?;
            sum.misfit = sum.misfit.min(misfit);
            sum.lag = found.lag;
            sum.add(found, regulators);
        }
        for groups in bins {
            let equal = vec![1.0; groups.len().saturating_sub(1)];
            sum.add(fit.edges(cells, groups, &equal)?.0, regulators);
        }
        Ok(sum)
    }

    /// Weight of each fit in the ensemble: it is greater where a linear process fits the snapshots.
    pub(super) fn weight(&self) -> f64 {
        WEIGHT + PERFECT * (-self.misfit / MISFIT).exp()
    }

    /// Adds a fit, scaled to a mean column length of one.
    fn add(&mut self, mut found: EdgeMatrix, regulators: &[usize]) {
        silence_self(&mut found.importance, regulators);
        silence_self(&mut found.evidence, regulators);
        let squares: f64 = found.importance.iter().map(|a| a * a).sum();
        let length = (squares / found.importance.ncols().max(1) as f64).sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        self.importance.scaled_add(scale, &found.importance);
        self.signed.scaled_add(scale, &found.evidence);
        self.count += 1.0;
    }

    /// The fits as an estimate of their own.
    pub(super) fn edges(self) -> EdgeMatrix {
        let share = 1.0 / self.count.max(1.0);
        EdgeMatrix {
            importance: self.importance * share,
            strength: self.signed.mapv(f64::abs) * share,
            evidence: self.signed,
            lag: self.lag,
        }
    }
}

impl CourseCells<'_> {
    /// Groups of cells in order of smoothed time, for the fits to bins.
    pub(super) fn bins_for_moments(
        &self,
        smoothed: &crate::grn::course::SmoothedCells,
    ) -> Vec<Vec<Vec<usize>>> {
        BINS.map(|n_bins| self.groups_of_bins(smoothed, Binning { n_bins, offset: 0.0 })).to_vec()
    }
}
