//! The unbiased energy distance between weighted snapshots.

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::metrics::distances::{check_same_dim, weighted_sum, weighted_sum_within};

/// An energy distance with its three mean distances, in the unit of the points.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::energy_distance;
///
/// let x = Snapshot::new(array![[0.0], [1.0]])?;
/// let y = Snapshot::new(array![[5.0], [6.0]])?;
/// let found = energy_distance(&x, &y)?;
/// assert_eq!((found.between, found.within_x, found.within_y), (5.0, 1.0, 1.0));
/// assert_eq!(found.value, 8.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnergyDistance {
    /// `2 between − within_x − within_y`; negative by chance for equal populations.
    pub value: f64,
    /// Mean distance between a cell of `x` and a cell of `y`.
    pub between: f64,
    /// Mean distance between two different cells of `x`.
    pub within_x: f64,
    /// Mean distance between two different cells of `y`.
    pub within_y: f64,
}

/// The unbiased estimate of the energy distance `2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖`.
///
/// The means within a snapshot are over pairs of different cells, `Σ_{i≠j} w_i w_j ‖x_i − x_j‖ /
/// (1 − Σ w_i²)`; for equal weights this is `1/(n(n−1)) Σ_{i≠j}`. For two samples of one population the
/// expected value is 0 at any number of cells, and a single value can be negative. With the pairs
/// `i = j` there would be a bias of about `E‖X − X'‖ (1/n + 1/m)`.
///
/// This is the energy distance of Székely and Rizzo (2013). LightSB (Korotin, Gushchin and
/// Burnaev 2024) reports half of it, `E‖X − Y‖ − ½E‖X − X'‖ − ½E‖Y − Y'‖`; other programs report its
/// root.
///
/// Time `3 d` flops and a root for each of `(n² + m²)/2 + n m` pairs, on all threads (with two threads
/// and 10⁴ cells on each side 0.12 s in 5 dimensions, 0.7 s in 50); memory `O((n + m) d)`.
/// [`EnergyDistance`] has an example.
///
/// # Errors
/// [`Error::Shape`] if the dimensions differ; [`Error::Parameter`] if a snapshot has fewer than two
/// cells of positive weight.
pub fn energy_distance(x: &Snapshot, y: &Snapshot) -> Result<EnergyDistance> {
    check_same_dim(x, y)?;
    let between = weighted_sum(x, y);
    let (within_x, within_y) = (mean_within(x)?, mean_within(y)?);
    let value = 2.0 * between - within_x - within_y;
    Ok(EnergyDistance { value, between, within_x, within_y })
}

/// Weighted mean distance between two different cells.
fn mean_within(x: &Snapshot) -> Result<f64> {
    let n_positive = x.marginal().iter().filter(|&&weight| weight > 0.0).count();
    let share_of_pairs = 1.0 - x.marginal().dot(&x.marginal());
    if n_positive >= 2 && share_of_pairs > 0.0 {
        return Ok(weighted_sum_within(x) / share_of_pairs);
    }
    let must = "at least 2 of positive weight for an energy distance";
    Err(Error::Parameter { name: "number of cells", must, got: n_positive.to_string() })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::rng::Seed;

    #[test]
    fn is_what_one_computes_by_hand() {
        let x = Snapshot::new(array![[0.0], [1.0]]).unwrap();
        let y = Snapshot::new(array![[2.0], [5.0], [2.0]]).unwrap();
        let energy = energy_distance(&x, &y).unwrap();
        // Between: (2 + 5 + 2 + 1 + 4 + 1) / 6; within: 1 and (3 + 0 + 3) / 3.
        assert!((energy.between - 2.5).abs() < 1e-15);
        assert!((energy.within_x - 1.0).abs() < 1e-15);
        assert!((energy.within_y - 2.0).abs() < 1e-15);
        assert!((energy.value - 2.0).abs() < 1e-14);
    }

    #[test]
    fn weights_act_as_the_formula_says() {
        let x = Snapshot::weighted(array![[0.0], [1.0], [3.0]], array![0.5, 0.25, 0.25]).unwrap();
        let energy = energy_distance(&x, &x).unwrap();
        // Σ_{i<j} w w d = 0.125 + 0.375 + 0.125; twice that over 1 − 0.375.
        assert!((energy.within_x - 1.25 / 0.625).abs() < 1e-15);
        assert!((energy.between - 1.25).abs() < 1e-15);
        // A weight of zero is no cell.
        let padded =
            Snapshot::weighted(array![[0.0], [9.0], [1.0], [3.0]], array![0.5, 0.0, 0.25, 0.25]);
        let padded = energy_distance(&padded.unwrap(), &x).unwrap();
        assert!((padded.within_x - energy.within_x).abs() < 1e-15);
    }

    #[test]
    fn its_mean_is_zero_under_equal_laws_and_not_below_chance() {
        let mut rng = Seed(4).stream("test", 0);
        let mut draw = |n: usize| {
            let points: Array2<f64> =
                Array2::from_shape_simple_fn((n, 3), || StandardNormal.sample(&mut rng));
            Snapshot::new(points).unwrap()
        };
        let values: Array1<f64> =
            (0..400).map(|_| energy_distance(&draw(12), &draw(20)).unwrap().value).collect();
        let mean = values.mean().unwrap();
        let error = values.std(1.0) / (values.len() as f64).sqrt();
        // With pairs i = j counted the mean would be near 2.26 (1/12 + 1/20) = 0.3.
        assert!(mean.abs() < 4.0 * error && error < 0.01, "{mean} ± {error}");
    }

    #[test]
    fn one_cell_has_no_energy() {
        let one = Snapshot::new(array![[0.0]]).unwrap();
        let two = Snapshot::new(array![[0.0], [1.0]]).unwrap();
        assert!(energy_distance(&one, &two).is_err());
        let weighted = Snapshot::weighted(array![[0.0], [1.0]], array![1.0, 0.0]).unwrap();
        assert!(energy_distance(&two, &weighted).is_err());
    }
}
