//! The LightSB solver: choice of size, initial mixtures, descent, and the report.

use serde::{Deserialize, Serialize};

use crate::bridge::lightsb::choice::Choice;
use crate::bridge::lightsb::choose::Chosen;
use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::descent::Descent;
use crate::bridge::lightsb::ends::{Centred, Ends, thinned};
use crate::bridge::lightsb::held_out::{MOST, Size};
use crate::bridge::lightsb::mixture::{Cluster, Mixture};
use crate::bridge::lightsb::objective::Objective;
use crate::bridge::lightsb::start::{self, Cells, StartSettings};
use crate::bridge::{Bridge, BridgeProblem, BridgeSolver, FitReport, LightSbBridge};
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::progress::{Event, Progress, report};
use crate::rng::Seed;

/// Smallest number of target cells for each Gaussian. With fewer cells a Gaussian represents single
/// cells and not their distribution.
const CELLS_PER_GAUSSIAN: usize = 15;

/// Number of initialisations from clusters if the size is given.
const N_STARTS: usize = 8;

/// LightSB: the Schrödinger bridge with a Gaussian-mixture potential, fitted to all cells.
///
/// **Problem.** The adjusted potential is `v(y) = Σ_k α_k N(y | r_k, ε S_k)`. The solver minimises
///
/// ```text
/// L = E_{x~p₀} ln c(x) − E_{y~p₁} ln v(y),   c(x) = Σ_k α_k exp((xᵀS_k x + 2 r_kᵀx) / 2ε)
/// ```
///
/// over α, r and S. Up to a constant of the data, L is KL(true coupling ‖ fitted coupling) in nats.
/// It is therefore bounded below by a constant.
///
/// **Source.** Korotin, Gushchin, Burnaev 2024 (arXiv 2310.01174). The authors start at random
/// target cells and take a fixed number of Adam steps on batches of 128. This solver differs:
///
/// - The initial mixture comes from a rough coupling of some cells, so that every Gaussian has
///   cells at both ends.
/// - L-BFGS minimises the objective over all cells. The objective never increases.
/// - The place of a Gaussian that loses its cells is taken by half of another one.
/// - The result is never worse than the best single Gaussian, which has a closed form.
///
/// **Stopping.** The objective has a standard error, because the cells are a sample (of at most
/// 10 000 cells, if there are more). The descent stops when its expected further decrease is less
/// than `tolerance` of this error. The last ten steps give the expectation.
///
/// **Local minima.** With a given number of Gaussians above one, the descent starts from eight
/// initialisations (k-means clusters with different seeds). Each takes up to 30 steps, and the
/// lowest one continues. This makes a poor minimum less likely, not impossible. With a chosen
/// number, the initialisations are the mixtures of the comparison of sizes, one for each part of
/// the cells.
///
/// **Choice of the size.** One Gaussian of each kind of matrix has a closed form; covariances of
/// full matrices are shrunk towards their diagonal (Ledoit and Wolf 2004). A kind that is worse
/// there than the best kind by more than the standard error of the difference is not tried
/// further. The other kinds double: each Gaussian is halved along the principal axis of its target
/// cells, and up to 20 steps follow. A kind ends when the objective on held-out cells rises, or
/// when the comparison would take more flops than 250 evaluations of the objective, fewer than a
/// fit from eight initialisations takes. Flops are counted, not timed, so that every machine
/// compares the same sizes.
///
/// **Many cells.** If both snapshots have 20 000 cells or more, sizes are compared on 10 000 cells
/// of each and evaluated on up to 40 000 others. The descent starts on 10 000 cells and always ends
/// on all cells.
///
/// **Cost.** An iteration takes `8 (n_source + n_target) K d` flops in matrix products for K
/// Gaussians. Memory is 8 bytes for each value of the snapshots, `8 (n_source + n_target) K` bytes
/// for responsibilities, and `16 n_coupled²` bytes for the initialisation. 7 000 cells in 50
/// dimensions with 10 Gaussians take 430 evaluations, 3 s on one core, from eight initialisations. The order of the cells has
/// no influence beyond rounding. The objective refers to the coordinates of the problem, as in the
/// paper.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::bridge::{BridgeProblem, LightSbSolver, Stop};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// // One group of cells that splits into two, at −3 and 3.
/// let source = Array2::from_shape_fn((60, 1), |(i, _)| 0.02 * i as f64 - 0.6);
/// let target = Array2::from_shape_fn((60, 1), |(i, _)| {
///     0.01 * i as f64 - 0.3 + if i % 2 == 0 { 3.0 } else { -3.0 }
/// });
/// let epsilon = Epsilon::new(0.5)?;
/// let problem = BridgeProblem::new(Snapshot::new(source)?, Snapshot::new(target)?, epsilon)?;
/// let solver = LightSbSolver::default().with_n_gaussians(2.into());
/// let (bridge, report) = solver.fit(&problem, Seed(0), &mut Silent)?;
/// assert_eq!((report.stop, bridge.mixture().n_gaussians()), (Stop::Converged, 2));
/// assert!(report.objective <= report.start_objective);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[derive(derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct LightSbSolver {
    /// The kind of the matrices `S_k`. `Auto` chooses it together with `n_gaussians`; if that is
    /// set, matrices are diagonal.
    pub covariance: Choice<Covariance>,
    /// Number of Gaussians K of the mixture, ≥ 1. The solver uses fewer if there are not fifteen
    /// target cells for each (`3 d` with full matrices, if this is more), or not as many different
    /// cells.
    ///
    /// `Auto` divides the cells into five parts. Mixtures of 1, 2, 4, … up to 64 Gaussians are
    /// fitted without one part and evaluated by the objective on this part. The solver takes the
    /// mixture with the fewest parameters within one standard error of the best and fits it to all
    /// cells. Snapshots of fewer than 2 000 cells hold out several parts in turn.
    pub n_gaussians: Choice<usize>,
    /// Largest number of steps of the descent, ≥ 1.
    pub max_iterations: usize,
    /// The descent stops when its expected further decrease is less than this share of the standard
    /// error of the objective; ≥ 0.
    pub tolerance: f64,
    /// Lower bound of S: the conditional variance in units of ε (or of the mean variance of the
    /// target, if that is less); between 0 and 1. Without it a Gaussian could collapse onto one
    /// cell, where the objective has no lower bound.
    pub min_spread: f64,
    /// Cells of each snapshot in the coupling of the initialisation, ≥ 1.
    pub n_coupled: usize,
}

impl Default for LightSbSolver {
    fn default() -> Self {
        Self {
            covariance: Choice::Auto,
            n_gaussians: Choice::Auto,
            max_iterations: 5000,
            tolerance: 1e-2,
            min_spread: 1e-4,
            n_coupled: 512,
        }
    }
}

impl LightSbSolver {
    /// Largest number of Gaussians that `Auto` chooses.
    pub(super) const MOST_CHOSEN: usize = MOST;

    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is out of its range.
    pub fn check(&self) -> Result<()> {
        let Self { covariance: _, n_gaussians, max_iterations, tolerance, min_spread, n_coupled } =
            self;
        let n_gaussians = match n_gaussians {
            Choice::Auto => &1,
            Choice::Is(number) => number,
        };
        for (name, value) in [
            ("n_gaussians", n_gaussians),
            ("max_iterations", max_iterations),
            ("n_coupled", n_coupled),
        ] {
            at_least_one(name, *value)?;
        }
        if !(0.0 <= *tolerance && *tolerance < f64::INFINITY) {
            let got = tolerance.to_string();
            return Err(Error::Parameter { name: "tolerance", must: "finite and ≥ 0", got });
        }
        if !(0.0 < *min_spread && *min_spread < 1.0) {
            let got = min_spread.to_string();
            return Err(Error::Parameter { name: "min_spread", must: "between 0 and 1", got });
        }
        Ok(())
    }

    /// As [`BridgeSolver::solve`], with the concrete type of the bridge.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`].
    pub fn fit(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(LightSbBridge, FitReport)> {
        self.check()?;
        let ends = Ends::new(problem)?;
        let chosen = match self.n_gaussians {
            Choice::Is(n_gaussians) => {
                let covariance = match self.covariance {
                    Choice::Auto => Covariance::Diagonal,
                    Choice::Is(covariance) => covariance,
                };
                Chosen::given(Size { covariance, n_gaussians })
            }
            Choice::Auto => self.chosen(&ends, seed.child("lightsb/choose", 0), progress)?,
        };
        self.fit_size(&ends, chosen, seed, progress)
    }

    /// Fits a mixture of one size from several initialisations.
    fn fit_size(
        &self,
        ends: &Ends,
        chosen: Chosen,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(LightSbBridge, FitReport)> {
        let (what, total) = ("fitting the mixture".into(), self.max_iterations as u64);
        report(progress, Event::Begin { what, total })?;
        let Ends { source, target, epsilon, .. } = ends;
        let floor = self.floor(target, epsilon.value());
        let mut objective = Objective::new(source.view(), target.view(), epsilon.value());
        let covariance = chosen.size.covariance;
        let most = most_gaussians(covariance, target.cells.n_cells(), target.cells.dim());
        let settings = StartSettings {
            covariance,
            n_gaussians: chosen.size.n_gaussians.min(most),
            epsilon: epsilon.value(),
            floor,
            shrinks: chosen.shrinks,
        };
        let starts = chosen.starts;
        let (mut descent, flops) =
            self.descended(ends, &mut objective, settings, starts, seed, progress)?;
        report(progress, Event::End)?;

        let n_gaussians = descent.mixture.n_gaussians();
        let tolerance = self.tolerance * objective.error();
        let n_live = descent.prune(&mut objective, tolerance);
        let moved = source.mean.dot(&target.mean) / epsilon.value();
        let size = Size { n_gaussians: descent.mixture.n_gaussians(), ..chosen.size };
        let mut details = vec![
            ("n_live".into(), n_live as f64),
            ("n_gaussians".into(), n_gaussians as f64),
            ("n_parameters".into(), size.n_parameters(source.mean.len()) as f64),
        ];
        details.extend(chosen.details);
        details.push(("fitted_gflop".into(), (flops + objective.flops()) / 1e9));
        let report = FitReport {
            stop: descent.stop,
            iterations: descent.iterations,
            objective: descent.value + moved,
            start_objective: descent.start_value.max(descent.value) + moved,
            details,
        };
        let means = (source.mean.clone(), target.mean.clone());
        let bridge = LightSbBridge::new(descent.mixture, means.0, means.1, *epsilon)?;
        Ok((bridge, report))
    }

    /// The mixture of one size after its descent from the best of some initialisations, and the
    /// flops on a part of the cells. Without `starts`, the initialisations come from clusters.
    fn descended(
        &self,
        ends: &Ends,
        objective: &mut Objective<'_>,
        settings: StartSettings,
        mut starts: Vec<Mixture>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Descent, f64)> {
        let Ends { source, target, .. } = ends;
        let single = start::one_gaussian(source.view(), target.view(), settings)?;
        let single_value = objective.evaluate(&single).value;
        if settings.n_gaussians == 1 {
            // The closed form is optimal.
            return Ok((Descent::begin(single, single_value), 0.0));
        }
        let (floor, mut flops) = (settings.floor, 0.0);
        if starts.is_empty() {
            starts = self.starts(ends, settings, objective, &seeds(seed, N_STARTS))?;
        }
        let begun = if let Some(some) = ends.begins_with() {
            let seed = seed.child("lightsb/first", 0);
            let [source] = thinned(&source.cells, [some], seed.child("side", 0))?;
            let [target] = thinned(&target.cells, [some], seed.child("side", 1))?;
            let mut objective =
                Objective::new(Cells::of(&source), Cells::of(&target), settings.epsilon);
            let begun = self.lowest(&mut objective, starts, floor, progress)?;
            let first = self.descend(&mut objective, begun, floor, progress)?;
            flops += objective.flops();
            Descent { iterations: first.iterations, ..Descent::begin(first.mixture, f64::NAN) }
        } else {
            self.lowest(objective, starts, floor, progress)?
        };
        let mut descent = self.descend(objective, begun, floor, progress)?;
        if descent.value.is_nan() || descent.value > single_value {
            descent.mixture = single;
            descent.value = single_value;
        }
        Ok((descent, flops))
    }

    /// The lower bound of S. It has no unit, because S has none.
    pub(super) fn floor(&self, target: &Centred, epsilon: f64) -> f64 {
        let Cells { points, weights } = target.view();
        let variance = Cluster::of(points, weights, Covariance::Scalar).covariance[0];
        let in_epsilon = variance / epsilon;
        if in_epsilon > 0.0 { self.min_spread * in_epsilon.min(1.0) } else { self.min_spread }
    }
}

impl BridgeSolver for LightSbSolver {
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        let (bridge, report) = self.fit(problem, seed, progress)?;
        Ok((Box::new(bridge), report))
    }
}

/// Largest number of Gaussians for this number of target cells, at least one.
pub(super) fn most_gaussians(covariance: Covariance, n_cells: usize, dim: usize) -> usize {
    let each = match covariance {
        Covariance::Scalar | Covariance::Diagonal => CELLS_PER_GAUSSIAN,
        // The covariance of fewer cells is singular or nearly so.
        Covariance::Full => CELLS_PER_GAUSSIAN.max(3 * dim),
    };
    (n_cells / each).max(1)
}

/// A seed for each initialisation. The first is the given one.
fn seeds(seed: Seed, n_starts: usize) -> Vec<Seed> {
    let other = |start: usize| seed.child("lightsb/start", start as u64);
    (0..n_starts).map(|start| if start == 0 { seed } else { other(start) }).collect()
}
