//! Draws, times, cells and problems that tests of several binaries are made of.
#![allow(dead_code, reason = "each binary uses some")]

use ndarray::{Array1, Array2, Axis};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{BridgeProblem, UnitTime};
use sbcell::data::Snapshot;
use sbcell::{Epsilon, Seed};

/// `n` draws of the standard normal law in `dim` dimensions.
pub(crate) fn normal(n: usize, dim: usize, seed: u64) -> Array2<f64> {
    let mut stream = Seed(seed).stream("test/normal", 0);
    Array2::from_shape_simple_fn((n, dim), || StandardNormal.sample(&mut stream))
}

pub(crate) fn at(t: f64) -> UnitTime {
    UnitTime::new(t).unwrap()
}

/// Cells of equal weight.
pub(crate) fn snapshot(points: &Array2<f64>) -> Snapshot {
    Snapshot::new(points.clone()).unwrap()
}

/// Between cells of equal weight.
pub(crate) fn problem(source: &Array2<f64>, target: &Array2<f64>, epsilon: f64) -> BridgeProblem {
    let epsilon = Epsilon::new(epsilon).unwrap();
    BridgeProblem::new(snapshot(source), snapshot(target), epsilon).unwrap()
}

/// Covariance of the columns of `x` with those of `y`, over the number of rows.
pub(crate) fn covariance(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    centred(x).t().dot(&centred(y)) / x.nrows() as f64
}

pub(crate) fn centred(x: &Array2<f64>) -> Array2<f64> {
    x - &x.mean_axis(Axis(0)).unwrap()
}

/// Mean and covariance, over the number of rows.
pub(crate) fn moments(x: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    (x.mean_axis(Axis(0)).unwrap(), covariance(x, x))
}
