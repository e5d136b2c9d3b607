//! The number of Gaussians and the kind of matrices, chosen by the objective on held-out cells.

use ndarray::{Array1, Axis};
use rand::Rng;

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::mixture::Mixture;
use crate::bridge::{BridgeProblem, LightSbBridge};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::linalg::{at_most, first_least};
use crate::rng::Seed;

/// Number of parts into which the cells are divided. One part at a time is held out.
pub(super) const FOLDS: usize = 5;

/// Smallest number of cells of the smaller snapshot that are evaluated, as far as there are so
/// many. With few cells all parts are held out in turn, with many only one.
pub(super) const JUDGED: usize = 400;

/// Largest number of Gaussians with diagonal matrices. No size is tried whose steps take longer
/// than theirs.
pub(super) const MOST: usize = 64;

/// A number of Gaussians with one kind of matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// The kind of the matrices.
    pub(super) covariance: Covariance,
    /// Number of Gaussians K.
    pub(super) n_gaussians: usize,
}

impl Size {
    /// Number of free parameters.
    pub(super) fn n_parameters(self, dim: usize) -> usize {
        self.n_gaussians * (1 + dim + self.covariance.n_entries(dim)) - 1
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.covariance {
            Covariance::Scalar => "scalar",
            Covariance::Diagonal => "diagonal",
            Covariance::Full => "full",
        };
        write!(f, "{} {kind}", self.n_gaussians)
    }
}

/// The result for one size.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    /// The size.
    pub(super) size: Size,
    /// Objective on held-out cells, mean over the parts.
    pub(super) held_out: f64,
    /// The mixture fitted to each part, relative to the means of the part.
    pub(super) mixtures: Vec<Mixture>,
    /// For each part `ln c` at the held-out source cells and `ln v` at the held-out target cells.
    scores: Vec<(Array1<f64>, Array1<f64>)>,
}

/// The cells of a problem as pairs (fitted, held out).
#[derive(Debug)]
pub(super) struct Parts {
    /// Pairs of a fitted and a held-out problem.
    parts: Vec<(BridgeProblem, BridgeProblem)>,
}

impl Parts {
    /// Divides the cells of centred and sorted snapshots into parts. Equal cells belong to the same
    /// part, so that a cell of weight two is the same as two cells of weight one. `None` if there
    /// are too few different cells.
    ///
    /// # Errors
    /// Those of [`Snapshot`], whose conditions hold here.
    pub(super) fn new(
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
        seed: Seed,
    ) -> Result<Option<Self>> {
        let source_parts = dealt(source, seed.child("lightsb/parts", 0));
        let target_parts = dealt(target, seed.child("lightsb/parts", 1));
        let fewest = |parts: &[usize]| {
            (0..FOLDS).map(|f| parts.iter().filter(|&&p| p == f).count()).min().unwrap_or(0)
        };
        if fewest(&source_parts).min(fewest(&target_parts)) < 2 {
            return Ok(None);
        }
        let smaller = source.n_cells().min(target.n_cells());
        let n_parts = (JUDGED * FOLDS).div_ceil(smaller).clamp(1, FOLDS);
        let mut parts = Vec::with_capacity(n_parts);
        for part in 0..n_parts {
            let take = |snapshot: &Snapshot, of: &[usize], held: bool| {
                let rows: Vec<usize> = (0..of.len()).filter(|&i| (of[i] == part) == held).collect();
                let points = snapshot.points().select(Axis(0), &rows);
                Snapshot::weighted(points, snapshot.marginal().select(Axis(0), &rows))
            };
            let pair = |held: bool| {
                let source = take(source, &source_parts, held)?;
                BridgeProblem::new(source, take(target, &target_parts, held)?, epsilon)
            };
            parts.push((pair(false)?, pair(true)?));
        }
        Ok(Some(Self { parts }))
    }

    /// One part in which both sets were drawn at random.
    pub(super) fn drawn(fitted: BridgeProblem, held: BridgeProblem) -> Self {
        Self { parts: vec![(fitted, held)] }
    }

    /// The problem that is fitted, for each part.
    pub(super) fn fitted(&self) -> impl Iterator<Item = &BridgeProblem> {
        self.parts.iter().map(|part| &part.0)
    }

    /// Number of parts that are held out.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Evaluates one bridge for each part on the cells that it has not seen.
    ///
    /// # Errors
    /// Those of [`LightSbBridge`].
    pub(super) fn judge(
        &self,
        size: Size,
        mixtures: Vec<Mixture>,
        bridges: &[LightSbBridge],
    ) -> Result<Tried> {
        let mut tried = Tried { size, held_out: 0.0, mixtures, scores: Vec::new() };
        for (bridge, (_, held)) in bridges.iter().zip(&self.parts) {
            let c = bridge.log_normaliser(held.source().points())?;
            let v = bridge.log_mixture(held.target().points())?;
            let value = held.source().marginal().dot(&c) - held.target().marginal().dot(&v);
            tried.held_out += value / self.parts.len() as f64;
            tried.scores.push((c, v));
        }
        Ok(tried)
    }

    /// Standard error of the difference of two held-out objectives, from the differences at each
    /// cell.
    pub(super) fn error(&self, a: &Tried, b: &Tried) -> f64 {
        let mut square = 0.0;
        for ((a, b), (_, held)) in a.scores.iter().zip(&b.scores).zip(&self.parts) {
            square += square_error(&(&a.0 - &b.0), held.source());
            square += square_error(&(&a.1 - &b.1), held.target());
        }
        square.sqrt() / self.parts.len() as f64
    }

    /// The size with the fewest parameters within one standard error of the best, and this error
    /// (Breiman et al. 1984).
    pub(super) fn chosen<'a>(&self, tried: &'a [Tried]) -> Option<(&'a Tried, f64)> {
        let best = best_of(tried)?;
        let dim = self.parts.first()?.0.dim();
        tried
            .iter()
            .map(|entry| (entry, self.error(entry, best)))
            .filter(|(entry, error)| at_most(entry.held_out, best.held_out + error))
            .min_by_key(|(entry, _)| entry.size.n_parameters(dim))
    }
}

/// The best size on held-out cells; the first of equals.
pub(super) fn best_of(tried: &[Tried]) -> Option<&Tried> {
    first_least(tried.iter().map(|entry| entry.held_out)).map(|place| &tried[place])
}

/// Squared standard error of a weighted mean.
fn square_error(values: &Array1<f64>, cells: &Snapshot) -> f64 {
    let weights = cells.marginal();
    let mean = weights.dot(values);
    let squares = values.iter().zip(weights);
    squares.map(|(value, weight)| (weight * (value - mean)).powi(2)).sum()
}

/// The part of every cell of a sorted snapshot. Different cells are permuted and assigned to the
/// parts in turn.
pub(super) fn dealt(cells: &Snapshot, seed: Seed) -> Vec<usize> {
    let points = cells.points();
    let mut groups = vec![0; cells.n_cells()];
    for i in 1..groups.len() {
        groups[i] = groups[i - 1] + usize::from(points.row(i) != points.row(i - 1));
    }
    let n_groups = groups.last().map_or(0, |last| last + 1);
    let mut order: Vec<usize> = (0..n_groups).collect();
    let mut stream = seed.stream("lightsb/deal", 0);
    for i in (1..n_groups).rev() {
        order.swap(i, (stream.next_u64() % (i as u64 + 1)) as usize);
    }
    groups.into_iter().map(|group| order[group] % FOLDS).collect()
}

/// One line with the chosen size and the objective of every size.
pub(super) fn curve(size: Size, tried: &[Tried]) -> String {
    let mut text = format!("{size} by the objective on held-out cells:");
    let mut kind = None;
    for Tried { size, held_out, .. } in tried {
        let shown = match kind.replace(size.covariance) {
            Some(before) if before == size.covariance => {
                format!(", {} {held_out:.2}", size.n_gaussians)
            }
            Some(_) => format!("; {size} {held_out:.2}"),
            None => format!(" {size} {held_out:.2}"),
        };
        text += &shown;
    }
    text
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::LightSbSolver;
    use crate::progress::Silent;

    fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut stream = Seed(seed).stream("test/normal", 0);
        Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut stream))
    }

    fn problem(x: Array2<f64>, y: Array2<f64>) -> BridgeProblem {
        let snapshots = (Snapshot::new(x).unwrap(), Snapshot::new(y).unwrap());
        BridgeProblem::new(snapshots.0, snapshots.1, Epsilon::new(0.2).unwrap()).unwrap()
    }

    #[test]
    fn equal_cells_are_dealt_together_and_parts_are_even() {
        let points = Array2::from_shape_fn((60, 1), |(i, _)| f64::from(i as u32 / 2));
        let parts = dealt(&Snapshot::new(points).unwrap(), Seed(1));
        assert!(parts.chunks(2).all(|pair| pair[0] == pair[1]));
        for part in 0..FOLDS {
            assert_eq!(parts.iter().filter(|&&other| other == part).count(), 12);
        }
        assert_ne!(parts, dealt(&Snapshot::new(normal(60, 1, 1)).unwrap(), Seed(2)));
    }

    #[test]
    fn the_error_is_that_of_a_weighted_mean_of_differences() {
        let cells = Snapshot::weighted(array![[1.0], [2.0], [3.0]], array![1.0, 1.0, 2.0]).unwrap();
        // Mean 2.75; (¼·1.75)² + (¼·0.25)² + (½·1)².
        let square = square_error(&array![1.0, 3.0, 3.75 - 0.25], &cells);
        let expected = (0.25_f64 * 1.75).powi(2) + (0.25_f64 * 0.25).powi(2) + 0.375_f64.powi(2);
        assert!((square - expected).abs() < 1e-15, "{square} and {expected}");
    }

    /// One Gaussian needs one, with axes of its own a full one, and groups that part need several.
    #[test]
    fn the_size_is_that_of_the_data() {
        let chosen = |x, y| {
            let answer = LightSbSolver::default().fit(&problem(x, y), Seed(0), &mut Silent);
            let (bridge, report) = answer.unwrap();
            assert!(
                report.detail("held_out").is_some() && report.detail("held_out_error").is_some()
            );
            (bridge.mixture().covariance, bridge.mixture().n_gaussians())
        };
        let round = chosen(normal(500, 3, 1), normal(500, 3, 2) * 0.5);
        assert_eq!(round, (Covariance::Scalar, 1));
        let shear = array![[1.0, 0.9, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 1.0]];
        let tilted = chosen(normal(500, 3, 1), normal(500, 3, 2).dot(&shear));
        assert_eq!(tilted, (Covariance::Full, 1));
        let mut parted = normal(500, 3, 2) * 0.5;
        for (i, mut cell) in parted.rows_mut().into_iter().enumerate() {
            cell[0] += [-3.0, 0.0, 4.0][i % 3];
        }
        let parted = chosen(normal(500, 3, 1), parted);
        assert!(parted.1 >= 3 && parted.1 <= 8, "{parted:?}");
    }

    #[test]
    fn too_few_cells_are_one_gaussian() {
        let few = problem(normal(8, 2, 1), normal(300, 2, 2));
        let (bridge, _) = LightSbSolver::default().fit(&few, Seed(0), &mut Silent).unwrap();
        assert_eq!(bridge.mixture().n_gaussians(), 1);
    }
}
