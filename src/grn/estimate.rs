//! The estimators of edges from coupled pairs of earlier and later cells, and their ensemble.

use ndarray::{Array1, Array2, Axis};

use crate::error::{Error, Result};
use crate::grn::adaptive::AdaptiveRidge;
use crate::grn::course::{Binning, CourseCells, SmoothedCells, Steps};
use crate::grn::edge_matrix::{
    EdgeMatrix, Gathered, sign, silence_self, unit_columns, without_self_edges,
};
use crate::grn::lasso::Lasso;
use crate::grn::moment_sum::{MOST_REGULATORS, MomentSum};
use crate::grn::moments::{LaggedMoments, Shapes};
use crate::grn::mutual::{Bins, context_likelihood, correlations};
use crate::grn::neural::NeuralFlow;
use crate::grn::reference_fitting::reference_fitting;
use crate::grn::smoothed_time::Smoothing;
use crate::grn::snapshot_moments::MomentFit;
use crate::rng::Seed;

/// Default binnings of smoothed time: two numbers of bins, each with and without an offset of half a
/// bin. Averaging over them reduces the effect of single borders.
const BINNINGS: [Binning; 4] = [
    Binning { n_bins: 12, offset: 0.0 },
    Binning { n_bins: 24, offset: 0.0 },
    Binning { n_bins: 12, offset: 0.5 },
    Binning { n_bins: 24, offset: 0.5 },
];

/// A course with more snapshots than this is dense.
pub(super) const DENSE: usize = 12;

/// Number of groups into which the snapshots of a dense course are merged, where steps lead from
/// snapshot to snapshot.
pub(super) const MERGED: usize = 8;

/// Share of the variance of a gene between times from which on it counts as changing over time.
const ENOUGH_CHANGE: f64 = 0.4;

/// Number of the last shape of [`crate::grn::Expression::shape`], the standardised value.
pub(super) const STANDARD: usize = 3;

/// Weight of the sign of the plain correlation relative to the signs of the components, in a course
/// that is not dense.
const CORRELATION_WEIGHT: f64 = 0.1;

/// Method that estimates edges from steps.
///
/// ```
/// use sbcell::grn::{EdgeSearch, Estimator};
/// let search = EdgeSearch::default().with_estimator(Estimator::Lasso);
/// assert_ne!(search.estimator, Estimator::default());
/// assert_eq!(Estimator::default(), Estimator::Ensemble);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Estimator {
    /// [`AdaptiveRidge`] on Hill functions of the earlier regulators, summed over regulators.
    Hill,
    /// [`AdaptiveRidge`] on the standardised expression of the earlier regulators.
    Linear,
    /// Lasso on the standardised expression of the earlier regulators (Tibshirani 1996).
    Lasso,
    /// Reference fitting: a linear drift and the couplings that it implies, in turn.
    ReferenceFitting,
    /// [`MomentFit`] of the snapshots, with one and with three steps of an interval: a linear drift
    /// that carries means and covariances. It needs no couplings.
    Moments,
    /// Lagged mutual information, scored by the context likelihood of relatedness (Faith et al.
    /// 2007).
    Mutual,
    /// Networks trained by flow matching, one for each target (Tong et al. 2024). This is the only
    /// estimator with random numbers.
    Neural,
    /// Sum of [`Estimator::Hill`] on bins of smoothed time, of the same on snapshots, of mutual
    /// information within cells, to which lagged information gives the direction, and of
    /// [`Estimator::Moments`] on snapshots and on bins.
    #[default]
    Ensemble,
}

/// Choice of the earlier and later cells that steps connect.
///
/// ```
/// use sbcell::grn::{EdgeSearch, Lag};
/// // Couple each snapshot with the one after the next.
/// let search = EdgeSearch::default().with_lag(Lag::Intervals(2));
/// assert_ne!(search.lag, Lag::Auto);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lag {
    /// Neighbouring bins of smoothed time, and neighbouring snapshots (merged in a course of more
    /// than 12).
    #[default]
    Auto,
    /// Snapshots that are this number of intervals apart; at least 1.
    Intervals(usize),
}

/// Search of regulatory edges in a course of cells: the estimator and its parameters.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use sbcell::grn::{CourseCells, EdgeSearch, Expression, Lag};
/// # fn main() -> sbcell::Result<()> {
/// // Gene 1 has later the value that gene 0 has now; gene 2 is noise.
/// let part = |i: usize, s: f32| ((i + 1) as f32 * s).fract();
/// let values = Array2::from_shape_fn((80, 3), |(i, gene)| match (gene, i < 40) {
///     (0, _) => part(i % 40, 0.618),
///     (1, false) => part(i % 40, 0.618) + 0.05 * part(i, 0.303),
///     _ => part(i, 0.303 + 0.1 * gene as f32),
/// });
/// let expression = Expression::new(values, &[0, 2])?;
/// let points = expression.standardised(&(0..80).collect::<Vec<_>>());
/// let times = (0..80).map(|i| f64::from(i / 40)).collect();
/// let weights = Array1::ones(80);
/// let (expression, points, growth) = (&expression, &points, None);
/// let cells = CourseCells { expression, points, times, weights, growth, perturbed: None };
/// let search = EdgeSearch::default().with_lag(Lag::Intervals(1));
/// let edges = search.run(&cells, None)?;
/// assert!(edges.importance[[0, 1]] > edges.importance[[1, 1]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct EdgeSearch {
    /// Method that estimates the edges.
    pub estimator: Estimator,
    /// Choice of the cells that are compared.
    pub lag: Lag,
    /// Regression of [`Estimator::Hill`], [`Estimator::Linear`] and [`Estimator::Ensemble`].
    pub ridge: AdaptiveRidge,
    /// Binnings of smoothed time; estimates are averaged over them.
    pub binnings: Vec<Binning>,
    /// Smoothing of time before it is cut into bins.
    pub smoothing: Smoothing,
    /// Largest memory ([`CourseCells::memory`]) of a binning that is used, because genes must
    /// change over a step. If all exceed it, the binning of least memory is used.
    pub most_memory: f64,
    /// Weight of the regression on snapshots in [`Estimator::Ensemble`]; the regression on bins of
    /// smoothed time has the weight 1.
    pub snapshot_weight: f64,
    /// Weight of mutual information in [`Estimator::Ensemble`], on the same scale.
    pub information_weight: f64,
    /// Weight of the change of a target over time in [`Estimator::Ensemble`]: what is added to the
    /// importance of each of its regulators, for a target with at least 0.4 of its variance between
    /// times, and in proportion for others.
    pub change_weight: f64,
    /// Weight of the fits to moments in [`Estimator::Ensemble`], relative to
    /// the default.
    pub moment_weight: f64,
    /// Fits to moments of [`Estimator::Moments`] and [`Estimator::Ensemble`]; the number of Euler
    /// steps is that of the fits to bins.
    pub moment_fit: MomentFit,
    /// Weight of the regression on means of groups ([`CourseCells::perturbed`]) if all regulators were
    /// perturbed, on the same scale. If a share of them was perturbed, the weight is in proportion.
    pub means_weight: f64,
    /// Whether importances are comparable between targets. If not (the default), the importances of
    /// each target are scaled to the same length, so that only the regulators of one target
    /// compete with each other.
    pub across_targets: bool,
    /// Seed of the networks of [`Estimator::Neural`]. No other estimator is random.
    pub seed: Seed,
}

impl Default for EdgeSearch {
    fn default() -> Self {
        Self {
            estimator: Estimator::default(),
            lag: Lag::default(),
            ridge: AdaptiveRidge::default(),
            binnings: BINNINGS.to_vec(),
            smoothing: Smoothing { n_neighbours: 20, own: 2.0 },
            most_memory: 0.85,
            snapshot_weight: 0.25,
            information_weight: 0.25,
            change_weight: 0.35,
            moment_weight: 1.0,
            moment_fit: MomentFit::default(),
            means_weight: 2.0,
            across_targets: false,
            seed: Seed::default(),
        }
    }
}

impl EdgeSearch {
    /// Estimates the edges among the genes of `cells`.
    ///
    /// `given` are steps between snapshots with a known coupling, such as that of a fitted bridge.
    /// Single estimators then use only these steps. The ensemble uses them instead of its own
    /// couplings between snapshots. Cells with [`CourseCells::perturbed`] genes take none.
    ///
    /// # Errors
    /// Those of [`CourseCells::steps_between`]; [`crate::Error::Parameter`] if no two snapshots are
    /// as far apart as `lag` says; [`crate::Error::Numerical`] if moments are not finite.
    pub fn run(&self, cells: &CourseCells<'_>, given: Option<&Steps>) -> Result<EdgeMatrix> {
        if let Some(groups) = &cells.perturbed {
            return self.run_perturbed(cells, groups, given);
        }
        if self.estimator == Estimator::Moments {
            let regulators = cells.expression.regulators();
            if regulators.len() > MOST_REGULATORS {
                let must = "at most 600 for fits to moments: name transcription factors, or use another estimator";
                let got = regulators.len().to_string();
                return Err(Error::Parameter { name: "number of regulators", must, got });
            }
            let found = self.moments(cells, None)?.edges();
            return Ok(without_self_edges(found, cells.expression.regulators()));
        }
        let snapshots = self.snapshot_steps(cells, given)?;
        if given.is_some() && self.estimator != Estimator::Ensemble {
            return self.edges_of(cells, &[], &snapshots);
        }
        let smoothed = match self.lag {
            Lag::Auto => Some(cells.smoothed(self.smoothing)?),
            Lag::Intervals(_) => None,
        };
        let binned = match &smoothed {
            Some(smoothed) => self.steps_of_binnings(cells, smoothed)?,
            None => Vec::new(),
        };
        let mut found = self.edges_of(cells, &binned, &snapshots)?;
        if self.estimator == Estimator::Ensemble && self.moment_weight > 0.0 {
            let moments = self.moments(cells, smoothed.as_ref())?;
            found.importance.scaled_add(self.moment_weight, &moments.importance());
        }
        if self.estimator == Estimator::Ensemble && self.change_weight > 0.0 {
            let change = cells.change_of_genes().mapv(|share| (share / ENOUGH_CHANGE).min(1.0));
            found.importance += &(change * self.change_weight);
            found = without_self_edges(found, cells.expression.regulators());
        }
        Ok(found)
    }

    /// Fits to the moments of the snapshots, and with `smoothed` of bins of smoothed time.
    fn moments(
        &self,
        cells: &CourseCells<'_>,
        smoothed: Option<&SmoothedCells>,
    ) -> Result<MomentSum> {
        let snapshots = cells.merged_snapshots(DENSE, MERGED);
        let bins = smoothed.map(SmoothedCells::groups_for_moments).unwrap_or_default();
        MomentSum::of(cells, &snapshots, &bins, self.moment_fit)
    }

    /// Estimates edges from given steps: from those between bins of smoothed time, from those
    /// between snapshots, or from both, depending on the estimator. Without `binned` steps only
    /// `snapshots` count. The ensemble is without the fits to moments, which have no steps.
    ///
    /// # Errors
    /// [`Error::Numerical`] if moments are not finite.
    #[doc(hidden)]
    pub fn edges_of(
        &self,
        cells: &CourseCells<'_>,
        binned: &[Steps],
        snapshots: &Steps,
    ) -> Result<EdgeMatrix> {
        let alone = if binned.is_empty() { std::slice::from_ref(snapshots) } else { binned };
        let found = match self.estimator {
            Estimator::Hill | Estimator::Linear | Estimator::Lasso => {
                self.gather(cells, alone)?.finish(&Self::plain_signs(cells))
            }
            Estimator::ReferenceFitting => reference_fitting(cells, snapshots)?,
            Estimator::Neural => NeuralFlow::default().edges(cells, snapshots, self.seed)?,
            Estimator::Mutual => Self::mutual(cells, alone),
            Estimator::Moments => self.moments(cells, None)?.edges(),
            Estimator::Ensemble => self.ensemble(cells, binned, snapshots)?,
        };
        Ok(without_self_edges(found, cells.expression.regulators()))
    }

    /// Steps between bins of smoothed time, for each binning whose memory is at most
    /// `most_memory`, or for the binning of least memory.
    ///
    /// # Errors
    /// Those of the search of neighbours and of [`Step::paired`](crate::grn::Step::paired).
    #[doc(hidden)]
    pub fn binned_steps(&self, cells: &CourseCells<'_>) -> Result<Vec<Steps>> {
        self.steps_of_binnings(cells, &cells.smoothed(self.smoothing)?)
    }

    /// As [`EdgeSearch::binned_steps`], for known smoothed times.
    fn steps_of_binnings(
        &self,
        cells: &CourseCells<'_>,
        smoothed: &SmoothedCells,
    ) -> Result<Vec<Steps>> {
        let all: Vec<(Steps, f64)> = self
            .binnings
            .iter()
            .map(|binning| {
                let steps = cells.steps_of_bins(smoothed, *binning)?;
                let memory = cells.memory(&steps);
                Ok((steps, memory))
            })
            .collect::<Result<_>>()?;
        let least = all.iter().fold(f64::INFINITY, |least, (_, memory)| least.min(*memory));
        let kept = all.into_iter().filter(|(_, memory)| *memory <= least.max(self.most_memory));
        Ok(kept.map(|(steps, _)| steps).collect())
    }

    /// Steps between snapshots that are as far apart as `lag` says. The steps `given` are returned
    /// instead if they connect neighbouring snapshots and `lag` asks for these.
    ///
    /// # Errors
    /// As [`EdgeSearch::run`].
    #[doc(hidden)]
    pub fn snapshot_steps(&self, cells: &CourseCells<'_>, given: Option<&Steps>) -> Result<Steps> {
        match (self.lag, given) {
            (Lag::Auto | Lag::Intervals(1), Some(given)) => Ok(given.clone()),
            (Lag::Auto, None) => cells.steps_between(&cells.merged_snapshots(DENSE, MERGED)),
            (Lag::Intervals(lag), _) => {
                let snapshots = cells.snapshots();
                if lag == 0 || lag >= snapshots.len() {
                    let (name, must) = ("lag", "auto, or at least 1 and less than the times");
                    return Err(Error::Parameter { name, must, got: lag.to_string() });
                }
                let steps = (0..snapshots.len() - lag).map(|k| {
                    let pair = [snapshots[k].clone(), snapshots[k + lag].clone()];
                    Ok(cells.steps_between(&pair)?.steps)
                });
                let steps = steps.collect::<Result<Vec<_>>>()?.concat();
                Ok(cells.timed(steps))
            }
        }
    }

    /// Sums the regressions on each of `courses`. Signs come only from the courses with the longest
    /// steps.
    fn gather(&self, cells: &CourseCells<'_>, courses: &[Steps]) -> Result<Gathered> {
        let shapes = match self.estimator {
            Estimator::Linear | Estimator::Lasso => LINEAR,
            _ => HILL,
        };
        let regulators = cells.expression.regulators();
        let shape = (regulators.len(), cells.expression.n_genes());
        let mut sum = Gathered::zeros(shape);
        // An offset of the borders adds one bin and thus one step.
        let coarsest = 1 + courses.iter().map(|course| course.steps.len()).min().unwrap_or(0);
        for course in courses {
            let moments = LaggedMoments::of(cells.expression, &course.steps, shapes);
            let of_shapes = match self.estimator {
                Estimator::Lasso => vec![Lasso::default().solve(&moments, 0)],
                _ => self.ridge.solve(&moments).ok_or_else(not_finite)?,
            };
            for (later, components) in shapes.later.iter().zip(of_shapes) {
                let mut squares = components.strength.mapv(|s| s * s);
                silence_self(&mut squares, regulators);
                let scores = self.comparable(squares);
                if course.steps.len() <= coarsest {
                    sum.evidence += &(&scores * &components.slope.mapv(f64::signum));
                }
                sum.importance += &scores;
                if *later == STANDARD {
                    sum.strength += &(&components.strength / courses.len() as f64);
                }
                sum.count += 1.0;
            }
            sum.lag += course.lag / courses.len() as f64;
        }
        Ok(sum)
    }

    /// Context likelihood of lagged information, averaged over `courses`.
    fn mutual(cells: &CourseCells<'_>, courses: &[Steps]) -> EdgeMatrix {
        let regulators = cells.expression.regulators();
        let bins = Bins::of(cells.expression);
        let mut sum = Gathered::zeros((regulators.len(), cells.expression.n_genes()));
        for course in courses {
            let forward = bins.over(regulators, &course.steps).forward;
            sum.importance += &context_likelihood(&forward, regulators);
            sum.lag += course.lag / courses.len() as f64;
            sum.count += 1.0;
        }
        sum.strength.fill(f64::NAN);
        sum.finish(&Self::plain_signs(cells))
    }

    /// Weighted sum of the regressions on bins of smoothed time, of those on snapshots (unless the
    /// course is dense) and of directed information. The sign is the majority of both regressions
    /// and of the plain correlation; in a dense course it is that of the regression.
    fn ensemble(
        &self,
        cells: &CourseCells<'_>,
        binned: &[Steps],
        snapshots: &Steps,
    ) -> Result<EdgeMatrix> {
        let information = self.directed_information(cells, binned, snapshots);
        let is_dense = cells.snapshots().len() > DENSE;
        let nothing = Array2::zeros(information.raw_dim());
        let direct = if is_dense && !binned.is_empty() {
            None
        } else {
            Some(self.gather(cells, std::slice::from_ref(snapshots))?.finish(&nothing))
        };
        let mut found = match (binned.is_empty(), &direct) {
            (true, Some(direct)) => direct.clone(),
            _ => self.gather(cells, binned)?.finish(&nothing),
        };
        if let Some(direct) = direct {
            let plain = correlations(cells.expression, &cells.snapshots(), cells.weights.view());
            let votes = [&found.evidence, &direct.evidence, &plain];
            let votes = votes.map(|of| of.mapv(sign));
            if !binned.is_empty() {
                found.importance.scaled_add(self.snapshot_weight, &direct.importance);
            }
            found.evidence = &votes[0] + &votes[1] + &votes[2];
        }
        found.importance.scaled_add(self.information_weight, &information);
        Ok(found)
    }

    /// Mutual information within cells, times the share of the lagged information that goes from
    /// regulator to target rather than back, `(R, G)`.
    fn directed_information(
        &self,
        cells: &CourseCells<'_>,
        binned: &[Steps],
        snapshots: &Steps,
    ) -> Array2<f64> {
        let regulators = cells.expression.regulators();
        let bins = Bins::of(cells.expression);
        let mut forward = Array2::zeros((regulators.len(), cells.expression.n_genes()));
        let mut backward = forward.clone();
        for course in std::iter::once(snapshots).chain(binned) {
            let mut found = bins.over(regulators, &course.steps);
            silence_self(&mut found.forward, regulators);
            silence_self(&mut found.backward, regulators);
            // The scale of a later regulator is the length of its column in the forward matrix.
            let lengths: Array1<f64> = regulators
                .iter()
                .map(|&gene| found.forward.column(gene).mapv(|x| x * x).sum().sqrt())
                .collect();
            let scale = lengths.mapv(|length| if length > 0.0 { 1.0 / length } else { 0.0 });
            backward += &(&found.backward * &scale.insert_axis(Axis(1)));
            forward += &unit_columns(found.forward);
        }
        let groups = cells.snapshots();
        let mut within = bins.within(regulators, &groups, cells.weights.view());
        silence_self(&mut within, regulators);
        let share = &forward / &(&forward + &backward).mapv(|both| both.max(1e-12));
        self.comparable(within * share)
    }

    /// Scales scores `(R, G)`: each column to unit length, or with `across_targets` the whole matrix
    /// to a mean column length of one.
    pub(super) fn comparable(&self, scores: Array2<f64>) -> Array2<f64> {
        if !self.across_targets {
            return unit_columns(scores);
        }
        let length = scores.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mean = length / (scores.ncols().max(1) as f64).sqrt();
        if mean > 0.0 { scores / mean } else { scores }
    }

    /// Weighted signs of the plain correlations. In a dense course they have no weight: there are
    /// enough steps for the components alone to determine the sign.
    pub(super) fn plain_signs(cells: &CourseCells<'_>) -> Array2<f64> {
        let snapshots = cells.snapshots();
        let found = correlations(cells.expression, &snapshots, cells.weights.view());
        let weight = if snapshots.len() > DENSE { 0.0 } else { CORRELATION_WEIGHT };
        found.mapv(|value| weight * sign(value))
    }
}

/// Shapes of the Hill regressions: all Hill functions before, the first one and the value after.
pub(super) const HILL: Shapes = Shapes { earlier: &[0, 1, 2], later: &[0, STANDARD] };
/// Shapes of the linear regressions: the standardised value before and after.
pub(super) const LINEAR: Shapes = Shapes { earlier: &[STANDARD], later: &[STANDARD] };

pub(super) fn not_finite() -> Error {
    Error::Numerical { what: "fitting regulators", why: "moments are not finite".into() }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn targets_have_one_length_within_and_keep_their_ratios_across() {
        let scores = array![[3.0, 0.0, 0.0], [4.0, 10.0, 0.0]];
        let within = EdgeSearch::default().comparable(scores.clone());
        assert!(
            (&within - &array![[0.6, 0.0, 0.0], [0.8, 1.0, 0.0]]).iter().all(|d| d.abs() < 1e-12)
        );
        let across = EdgeSearch { across_targets: true, ..EdgeSearch::default() };
        let across = across.comparable(scores.clone());
        // Columns have length one on average, as a root mean square.
        let factor = (125.0_f64 / 3.0).sqrt();
        assert!((&across * factor - &scores).iter().all(|d| d.abs() < 1e-12));
    }
}
