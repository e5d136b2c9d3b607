//! The estimators of edges that look at pairs of an earlier and a later cell, and their ensemble.

use ndarray::{Array1, Array2, Axis};

use crate::error::Result;
use crate::grn::adaptive::AdaptiveRidge;
use crate::grn::course::{CourseCells, Steps};
use crate::grn::moments::{LaggedMoments, Shapes};
use crate::grn::mutual::{Bins, context_likelihood, correlations};

/// Numbers of bins of smoothed time by default.
const BINS: [usize; 3] = [8, 12, 16];

/// More snapshots than the first number are merged to the second where they are followed as they
/// are.
const DENSE: (usize, usize) = (12, 8);

/// The last shape of [`crate::grn::Expression::shape`], the standardised value.
const STANDARD: usize = 3;

/// Weights of the parts of the ensemble beside the regression on bins of smoothed time.
const SNAPSHOT_WEIGHT: f64 = 0.25;
const INFORMATION_WEIGHT: f64 = 0.25;

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
    /// Lagged mutual information in its context ([`context_likelihood`]).
    Mutual,
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
    /// Numbers of bins of smoothed time that estimates are averaged over.
    pub bins: Vec<usize>,
    /// Smooth time in two ways, not one ([`CourseCells::smoothed`]).
    pub two_clocks: bool,
}

impl Default for EdgeSearch {
    fn default() -> Self {
        Self {
            estimator: Estimator::default(),
            lag: Lag::default(),
            ridge: AdaptiveRidge::default(),
            bins: BINS.to_vec(),
            two_clocks: true,
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
            Lag::Auto => {
                let smoothed = cells.smoothed()?;
                let clocks = if self.two_clocks { 2 } else { 1 };
                let pairs =
                    smoothed[..clocks].iter().flat_map(|s| self.bins.iter().map(move |b| (s, *b)));
                pairs
                    .map(|(smoothed, n_bins)| cells.steps_of_bins(smoothed, n_bins))
                    .collect::<Result<Vec<Steps>>>()?
            }
            Lag::Intervals(_) => Vec::new(),
        };
        let alone = if given.is_some() || binned.is_empty() {
            std::slice::from_ref(&snapshots)
        } else {
            binned.as_slice()
        };
        let found = match self.estimator {
            Estimator::Hill => self.regressions(cells, alone, HILL),
            Estimator::Linear => self.regressions(cells, alone, LINEAR),
            Estimator::Mutual => Self::mutual(cells, alone),
            Estimator::Ensemble => self.ensemble(cells, &binned, &snapshots),
        };
        Ok(without_self_edges(found, cells.expression.regulators()))
    }

    fn snapshot_steps(&self, cells: &CourseCells<'_>, given: Option<&Steps>) -> Result<Steps> {
        match (self.lag, given) {
            (Lag::Auto | Lag::Intervals(1), Some(given)) => Ok(given.clone()),
            (Lag::Auto, None) => cells.steps_between(&cells.merged_snapshots(DENSE)),
            (Lag::Intervals(lag), _) => {
                let snapshots = cells.snapshots();
                if lag == 0 || lag >= snapshots.len() {
                    let (name, must) = ("--lag", "auto, or at least 1 and less than the times");
                    return Err(crate::Error::Parameter { name, must, got: lag.to_string() });
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

    /// The regressions on each of `courses`, averaged.
    fn regressions(
        &self,
        cells: &CourseCells<'_>,
        courses: &[Steps],
        shapes: Shapes,
    ) -> EdgeMatrix {
        self.gather(cells, courses, shapes).finish(&Self::plain_signs(cells))
    }

    fn gather(&self, cells: &CourseCells<'_>, courses: &[Steps], shapes: Shapes) -> Gathered {
        let regulators = cells.expression.regulators();
        let shape = (regulators.len(), cells.expression.n_genes());
        let mut sum = Gathered::zeros(shape);
        for course in courses {
            let moments = LaggedMoments::of(cells.expression, &course.steps, shapes);
            for (place, later) in shapes.later.iter().enumerate() {
                let components = self.ridge.solve(&moments, place);
                let mut squares = components.strength.mapv(|s| s * s);
                silence_self(&mut squares, regulators);
                let scores = unit_columns(squares);
                sum.evidence += &(&scores * &components.slope.mapv(f64::signum));
                sum.importance += &scores;
                if *later == STANDARD {
                    sum.strength += &(&components.strength / courses.len() as f64);
                }
                sum.count += 1.0;
            }
            sum.lag += course.lag / courses.len() as f64;
        }
        sum
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

    fn ensemble(&self, cells: &CourseCells<'_>, binned: &[Steps], snapshots: &Steps) -> EdgeMatrix {
        let plain = Self::plain_signs(cells);
        let direct = self.gather(cells, std::slice::from_ref(snapshots), HILL);
        let information = Self::directed_information(cells, binned, snapshots);
        let first = if binned.is_empty() {
            direct.finish(&plain)
        } else {
            let lagged = self.gather(cells, binned, HILL);
            let mut first = lagged.finish(&plain);
            let direct = direct.finish(&plain);
            first.importance.scaled_add(SNAPSHOT_WEIGHT, &direct.importance);
            first.evidence.scaled_add(SNAPSHOT_WEIGHT, &direct.evidence);
            first
        };
        let importance = &first.importance + &(INFORMATION_WEIGHT * &information);
        EdgeMatrix { importance, ..first }
    }

    /// Information within cells, times the share of lagged information that goes this way.
    fn directed_information(
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
        unit_columns(within * share)
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
