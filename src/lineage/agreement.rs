//! Agreement of solvers: whether other bridges move the same cells in the same directions.

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Coupling, GAUSSIAN, GaussianSolver, Link, OT, SINKHORN,
    SinkhornSolver, UnitTime, plain,
};
use crate::data::Snapshot;
use crate::error::Result;
use crate::linalg::exact_plan;
use crate::progress::Silent;
use crate::rng::Seed;

/// Agreement of a bridge with the bridge of another solver on the same interval. See
/// [`agreement()`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Name of the other solver, as in the parameter `solver`.
    pub other: &'static str,
    /// Correlation of the displacements of the source cells, centred in each coordinate, over cells
    /// and coordinates. 1 for the same displacements up to a positive factor.
    pub correlation: f64,
    /// Root mean square difference of the displacements, divided by their root mean square size.
    pub difference: f64,
}

/// Largest number of cells on a side for which exact transport is computed.
const MOST_EXACT: usize = 1000;

/// Compares the displacements of the source cells under `bridge` with those under entropic transport
/// (`sinkhorn`), exact transport (`ot`) and the closed form between Gaussians (`gaussian`), for the
/// same cells and ε.
///
/// The displacement of a cell is its drift at the start, which is the expected displacement over the
/// interval. For exact transport both snapshots are thinned evenly to at most 1000 cells.
///
/// # Errors
/// Those of the three solvers.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, BridgeSolver, GaussianSolver};
/// use sbcell::{Epsilon, Seed, Silent, data::Snapshot, lineage::agreement};
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[-1.0], [0.0], [1.0]])?;
/// let target = Snapshot::new(array![[-3.0], [0.0], [3.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target.clone(), Epsilon::new(0.1)?)?;
/// let (bridge, _) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
/// // All solvers stretch the cloud.
/// let found = agreement(&*bridge, &source, &target)?;
/// assert!(found.iter().all(|other| other.correlation > 0.9));
/// # Ok(())
/// # }
/// ```
pub fn agreement(
    bridge: &dyn Bridge,
    source: &Snapshot,
    target: &Snapshot,
) -> Result<Vec<Agreement>> {
    let problem = BridgeProblem::new(source.clone(), target.clone(), bridge.epsilon())?;
    let own = plain(bridge).drift(source.points(), UnitTime::START)?;
    let entropic = SinkhornSolver::default().fit(&problem, &mut Silent)?.0;
    let entropic = entropic.drift(source.points(), UnitTime::START)?;
    let gaussian = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?.0;
    let gaussian = gaussian.drift(source.points(), UnitTime::START)?;
    let step = source.n_cells().max(target.n_cells()).div_ceil(MOST_EXACT).max(1);
    let rows: Vec<usize> = (0..source.n_cells()).step_by(step).collect();
    let exact = exact_displacements(source, target, step)?;
    let some = own.select(Axis(0), &rows);
    Ok(vec![
        compared(SINKHORN.name, own.view(), entropic.view()),
        compared(OT.name, some.view(), exact.view()),
        compared(GAUSSIAN.name, own.view(), gaussian.view()),
    ])
}

/// Mean displacements of every `step`-th source cell along the exact coupling with every `step`-th
/// target cell, `(n, dim)`.
fn exact_displacements(source: &Snapshot, target: &Snapshot, step: usize) -> Result<Array2<f64>> {
    let part = |cells: &Snapshot| {
        let rows: Vec<usize> = (0..cells.n_cells()).step_by(step).collect();
        let weights = cells.marginal().select(Axis(0), &rows);
        Snapshot::weighted(cells.points().select(Axis(0), &rows), weights)
    };
    let (x, y) = (part(source)?, part(target)?);
    let square = |i: usize, j: usize| {
        let off = &x.points().row(i) - &y.points().row(j);
        0.5 * off.dot(&off)
    };
    let shape = (x.n_cells(), y.n_cells());
    let cost = Array2::from_shape_fn(shape, |(i, j)| square(i, j));
    let plan = exact_plan(cost.view(), x.marginal(), y.marginal(), &mut Silent)?;
    let link = Link::pairs(Coupling::from_exact(shape.0, shape.1, &plan)?)?;
    let ends = link.pull(y.points())? / link.marginals().0.insert_axis(Axis(1));
    Ok(ends - x.points())
}

/// Compares the displacements `a` and `b` of the same cells, both `(n, dim)`.
fn compared(other: &'static str, a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Agreement {
    let centred =
        |of: ArrayView2<'_, f64>| &of - &(of.sum_axis(Axis(0)) / of.nrows().max(1) as f64);
    let (x, y) = (centred(a), centred(b));
    let dot = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
    let off = &a - &b;
    let size = 0.5 * (dot(&a.to_owned(), &a.to_owned()) + dot(&b.to_owned(), &b.to_owned()));
    Agreement {
        other,
        correlation: dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt(),
        difference: (dot(&off, &off) / size).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::geometry::Epsilon;

    #[test]
    fn correlation_and_difference_are_as_defined() {
        let (a, b) = (array![[1.0], [2.0], [4.0]], array![[2.0], [4.0], [8.0]]);
        let same = compared("ot", a.view(), a.view());
        assert!((same.correlation - 1.0).abs() < 1e-12 && same.difference.abs() < 1e-12);
        let twice = compared("ot", a.view(), b.view());
        assert!((twice.correlation - 1.0).abs() < 1e-12);
        // ‖a − b‖² = 21, ½(21 + 84) = 52.5.
        assert!((twice.difference - (21.0_f64 / 52.5).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn bridges_of_two_gaussians_agree_and_a_wrong_one_does_not() {
        let cells = |n: usize, stretch: f64, shift: f64| {
            // Quantiles of the standard normal, paired at random.
            let quantile = |i: usize| {
                let p = (i as f64 + 0.5) / n as f64;
                // Logistic quantiles of the same width are near enough.
                (p / (1.0 - p)).ln() * 0.551
            };
            let points = Array2::from_shape_fn((n, 2), |(i, d)| {
                let place = if d == 0 { i } else { (i * 37) % n };
                quantile(place) * stretch + shift
            });
            Snapshot::new(points).unwrap()
        };
        let (source, target) = (cells(200, 1.0, 0.0), cells(211, 3.0, 1.0));
        let epsilon = Epsilon::new(0.1).unwrap();
        let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon).unwrap();
        let bridge = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent).unwrap().0;
        let found = agreement(&*bridge, &source, &target).unwrap();
        assert_eq!(
            found.iter().map(|a| a.other).collect::<Vec<_>>(),
            ["sinkhorn", "ot", "gaussian"]
        );
        assert!(found[0].correlation > 0.97 && found[1].correlation > 0.95, "{found:?}");
        assert!((found[2].correlation - 1.0).abs() < 1e-9);
        // The way back is none of the way there.
        let back = BridgeProblem::new(target.clone(), source.clone(), epsilon).unwrap();
        let back = GaussianSolver::default().solve(&back, Seed(0), &mut Silent).unwrap().0;
        let found = agreement(&*back, &source, &target).unwrap();
        assert!(found[0].correlation < 0.0, "{found:?}");
    }
}
