//! A bridge of known Jacobian, for the tests of this folder: two Gaussians.

use ndarray::array;

use crate::bridge::LightSbBridge;
use crate::geometry::Epsilon;

/// A bridge between two Gaussians with diagonal covariances, and its stretch in each dimension
/// `s = (−ε + √(ε² + 4 v₀v₁)) / 2v₀`. The drift is `(s − 1)x/(1 − t + ts)` plus a constant.
pub(super) fn stretching_bridge() -> (LightSbBridge, [f64; 2]) {
    let (zero, one) = (array![0.0, 1.0], array![3.0, -1.0]);
    let (v0, v1, epsilon) = (array![1.0, 2.0], array![2.25, 0.5], 0.1_f64);
    let ends = ((zero.view(), v0.view()), (one.view(), v1.view()));
    let bridge = LightSbBridge::from_gaussians(
        ends.0.0,
        ends.0.1,
        ends.1.0,
        ends.1.1,
        Epsilon::new(epsilon).unwrap(),
    )
    .unwrap();
    let stretch =
        |d: usize| (-epsilon + (epsilon * epsilon + 4.0 * v0[d] * v1[d]).sqrt()) / (2.0 * v0[d]);
    (bridge, [stretch(0), stretch(1)])
}
