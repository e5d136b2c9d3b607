//! The estimators of edges that look at pairs of an earlier and a later cell, and their ensemble.

use ndarray::{Array1, Array2, Axis};

use crate::error::{Error, Result};
use crate::grn::adaptive::AdaptiveRidge;
use crate::grn::course::{Binning, CourseCells, Steps};
use crate::grn::lasso::Lasso;
use crate::grn::moments::{LaggedMoments, Shapes};
use crate::grn::mutual::{Bins, context_likelihood, correlations};
use crate::grn::neural::NeuralFlow;
use crate::grn::reference_fitting::reference_fitting;
use crate::grn::smoothed_time::Smoothing;
use crate::rng::Seed;

/// Bins of smoothed time by default: two numbers of them, each also moved by half a bin.
const BINNINGS: [Binning; 4] = [
    Binning { n_bins: 12, offset: 0.0 },
    Binning { n_bins: 24, offset: 0.0 },
    Binning { n_bins: 12, offset: 0.5 },
    Binning { n_bins: 24, offset: 0.5 },
];

/// More snapshots than the first number are merged to the second where they are followed as they
/// are.
const DENSE: (usize, usize) = (12, 8);

/// The last shape of [`crate::grn::Expression::shape`], the standardised value.
const STANDARD: usize = 3;

/// How much the sign of the plain correlation counts beside those of the components, in a course
/// that is not dense.
const CORRELATION_WEIGHT: f64 = 0.1;

/// What edges are read from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Estimator {
    /// Additive Hill functions of earlier regulators, by [`AdaptiveRidge`].
    Hill,
    /// The same with standardised expression instead of Hill functions.
    Linear,
    /// Standardised expression, by [`Lasso`].
    Lasso,
    /// A linear drift and the pairs it makes, in turn: reference fitting.
    ReferenceFitting,
    /// Lagged mutual information in its context ([`context_likelihood`]).
    Mutual,
    /// [`NeuralFlow`].
    Neural,
    /// Hill functions on bins of smoothed time and on the snapshots, and mutual information with
    /// the direction that lagged information gives it.
    #[default]
    Ensemble,
}

/// Which earlier and later cells are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lag {
    /// Bins of smoothed time, from 8 to 16 over the whole course.
    #[default]
    Auto,
    /// Snapshots that are so many intervals apart.
    Intervals(usize),
}

/// Edges from every regulator to every gene.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeMatrix {
    /// Rank weight of each edge, `(R, G)`, not negative; 0 from a gene to itself.
    pub importance: Array2<f64>,
    /// Evidence for an activation, less that for an inhibition: its sign is the edge's.
    pub evidence: Array2<f64>,
    /// Standard deviation that the regulator's component gives the target over the lag, in
    /// standard deviations of the target; not negative. NaN where the estimator has none.
    pub strength: Array2<f64>,
    /// Mean time from earlier to later cells.
    pub lag: f64,
}

impl EdgeMatrix {
    /// Edges by plain correlation `(R, G)`, the baseline: importance is its size.
    pub fn of_correlations(plain: Array2<f64>, regulators: &[usize]) -> Self {
        let nothing = plain.mapv(|_| f64::NAN);
        let found = Self {
            importance: plain.mapv(f64::abs),
            evidence: plain,
            strength: nothing,
            lag: f64::NAN,
        };
        without_self_edges(found, regulators)
    }
}

/// How edges are sought.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeSearch {
    /// What edges are read from.
    pub estimator: Estimator,
    /// Which cells are compared.
    pub lag: Lag,
    /// The regression.
    pub ridge: AdaptiveRidge,
    /// Bins of smoothed time that estimates are averaged over.
    pub binnings: Vec<Binning>,
    /// How time is smoothed before it is cut into bins.
    pub smoothing: Smoothing,
    /// Over a step genes must change: binnings in which earlier and later expression correlate
    /// more than this are left out ([`CourseCells::memory`]).
    pub most_memory: f64,
    /// Weights of the regression on snapshots and of information in the ensemble, beside that of
    /// the regression on bins of smoothed time, 1.
    pub weights: (f64, f64),
    /// Let targets that are explained better come before others. By default each target's
    /// regulators are weighed against each other only.
    pub across_targets: bool,
    /// Of the networks of [`Estimator::Neural`]; nothing else is random.
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
            weights: (0.25, 0.25),
            across_targets: false,
            seed: Seed::default(),
        }
    }
}

/// Components of several regressions, each column brought to one length, and summed.
struct Gathered {
    importance: Array2<f64>,
    evidence: Array2<f64>,
    strength: Array2<f64>,
    lag: f64,
    count: f64,
}

impl EdgeSearch {
    /// Edges from `cells`. `given` are steps between snapshots whose coupling is known, such as
    /// that of a fitted bridge: single estimators look at them alone, the ensemble has them in the
    /// place of plans between snapshots.
    ///
    /// # Errors
    /// Those of [`CourseCells::steps_between`]; [`crate::Error::Parameter`] for a lag that no two
    /// snapshots have.
    pub fn run(&self, cells: &CourseCells<'_>, given: Option<&Steps>) -> Result<EdgeMatrix> {
        let snapshots = self.snapshot_steps(cells, given)?;
        let binned = match self.lag {
            Lag::Auto => self.binned_steps(cells)?,
            Lag::Intervals(_) => Vec::new(),
        };
        if given.is_some() && self.estimator != Estimator::Ensemble {
            return self.edges_of(cells, &[], &snapshots);
        }
        self.edges_of(cells, &binned, &snapshots)
    }

    /// Edges from steps between bins of smoothed time, from those between snapshots, or from both,
    /// as the estimator has it.
    ///
    /// # Errors
    /// [`Error::Numerical`] if moments are not finite.
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
            Estimator::Ensemble => self.ensemble(cells, binned, snapshots)?,
        };
        Ok(without_self_edges(found, cells.expression.regulators()))
    }

    /// Steps between bins of smoothed time, of those binnings over whose steps genes change; of the
    /// one over whose steps they change most, if they change little over all.
    ///
    /// # Errors
    /// Those of [`CourseCells::smoothed`] and [`CourseCells::steps_of_bins`].
    pub fn binned_steps(&self, cells: &CourseCells<'_>) -> Result<Vec<Steps>> {
        let smoothed = cells.smoothed(self.smoothing)?;
        let all: Vec<(Steps, f64)> = self
            .binnings
            .iter()
            .map(|binning| {
                let steps = cells.steps_of_bins(&smoothed, *binning)?;
                let memory = cells.memory(&steps);
                Ok((steps, memory))
            })
            .collect::<Result<_>>()?;
        let least = all.iter().fold(f64::INFINITY, |least, (_, memory)| least.min(*memory));
        let kept = all.into_iter().filter(|(_, memory)| *memory <= least.max(self.most_memory));
        Ok(kept.map(|(steps, _)| steps).collect())
    }

    /// Steps between snapshots, as far apart as `lag` says; `given` ones if there are any.
    ///
    /// # Errors
    /// As [`EdgeSearch::run`].
    pub fn snapshot_steps(&self, cells: &CourseCells<'_>, given: Option<&Steps>) -> Result<Steps> {
        match (self.lag, given) {
            (Lag::Auto | Lag::Intervals(1), Some(given)) => Ok(given.clone()),
            (Lag::Auto, None) => cells.steps_between(&cells.merged_snapshots(DENSE)),
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

    /// The regressions on each of `courses`, added up; signs of those with the longest steps only.
    fn gather(&self, cells: &CourseCells<'_>, courses: &[Steps]) -> Result<Gathered> {
        let shapes = match self.estimator {
            Estimator::Linear | Estimator::Lasso => LINEAR,
            _ => HILL,
        };
        let regulators = cells.expression.regulators();
        let shape = (regulators.len(), cells.expression.n_genes());
        let mut sum = Gathered::zeros(shape);
        // Moving the borders of bins adds a step.
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

    /// Regressions on bins of smoothed time, on snapshots unless these are many, and information.
    /// The sign is that of the majority of both regressions and of plain correlation.
    fn ensemble(
        &self,
        cells: &CourseCells<'_>,
        binned: &[Steps],
        snapshots: &Steps,
    ) -> Result<EdgeMatrix> {
        let information = self.directed_information(cells, binned, snapshots);
        let is_dense = cells.snapshots().len() > DENSE.0;
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
                found.importance.scaled_add(self.weights.0, &direct.importance);
            }
            found.evidence = &votes[0] + &votes[1] + &votes[2];
        }
        found.importance.scaled_add(self.weights.1, &information);
        Ok(found)
    }

    /// Information within cells, times the share of lagged information that goes this way.
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
            // Of a later regulator, by all regulators before it: its column among the forward ones.
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

    /// Scores whose columns, the targets, can be compared.
    fn comparable(&self, scores: Array2<f64>) -> Array2<f64> {
        if !self.across_targets {
            return unit_columns(scores);
        }
        let length = scores.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mean = length / (scores.ncols().max(1) as f64).sqrt();
        if mean > 0.0 { scores / mean } else { scores }
    }

    /// Signs of the plain correlations; in a dense course cells that come later are compared with
    /// many that came before, and components alone tell the sign.
    fn plain_signs(cells: &CourseCells<'_>) -> Array2<f64> {
        let snapshots = cells.snapshots();
        let found = correlations(cells.expression, &snapshots, cells.weights.view());
        let weight = if snapshots.len() > DENSE.0 { 0.0 } else { CORRELATION_WEIGHT };
        found.mapv(|value| weight * sign(value))
    }
}

const HILL: Shapes = Shapes { earlier: &[0, 1, 2], later: &[0, STANDARD] };
const LINEAR: Shapes = Shapes { earlier: &[STANDARD], later: &[STANDARD] };

impl Gathered {
    fn zeros(shape: (usize, usize)) -> Self {
        let zeros = Array2::zeros(shape);
        Self {
            importance: zeros.clone(),
            evidence: zeros.clone(),
            strength: zeros,
            lag: 0.0,
            count: 0.0,
        }
    }

    fn finish(self, plain_signs: &Array2<f64>) -> EdgeMatrix {
        let Self { importance, evidence, strength, lag, count } = self;
        let share = 1.0 / count.max(1.0);
        EdgeMatrix {
            importance: importance * share,
            evidence: evidence * share + plain_signs,
            strength,
            lag,
        }
    }
}

fn not_finite() -> Error {
    Error::Numerical { what: "fitting regulators", why: "moments are not finite".into() }
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// Columns divided by their lengths; a column of zeros stays.
fn unit_columns(mut scores: Array2<f64>) -> Array2<f64> {
    for mut column in scores.columns_mut() {
        let length = column.dot(&column).sqrt();
        if length > 0.0 {
            column /= length;
        }
    }
    scores
}

fn silence_self(scores: &mut Array2<f64>, regulators: &[usize]) {
    regulators.iter().enumerate().for_each(|(r, &gene)| scores[[r, gene]] = 0.0);
}

fn without_self_edges(mut found: EdgeMatrix, regulators: &[usize]) -> EdgeMatrix {
    silence_self(&mut found.importance, regulators);
    found
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
