//! The metric itself: W1 prefers a cloud that is too narrow, energy distance and variance do not.
//!
//! Truth at the middle time is N(½, I). The true interpolant draws from it; random pairs have the
//! right mean and half the variance. From about ten dimensions on W1 ranks them first, although
//! nothing in them is right but the mean.

use sbcell::data::Snapshot;
use sbcell::metrics::{Order, energy_distance, wasserstein};
use sbcell::{Seed, Silent};

use crate::support::normal;

/// How often each metric prefers random pairs to the true interpolant, in `runs` runs of `n` cells.
fn preferences(dim: usize, n: usize, runs: u64) -> (usize, usize) {
    let (mut by_w1, mut by_energy) = (0, 0);
    for run in 0..runs {
        let draw = |mean: f64, place| normal(n, dim, Seed(run).child("place", place).0) + mean;
        let truth = Snapshot::new(draw(0.5, 0)).unwrap();
        let interpolant = Snapshot::new(draw(0.5, 1)).unwrap();
        let pairs = Snapshot::new((draw(0.0, 2) + draw(1.0, 3)) * 0.5).unwrap();
        let w1 = |x| wasserstein(x, &truth, Order::One, &mut Silent).unwrap();
        let energy = |x| energy_distance(x, &truth).unwrap().value;
        by_w1 += usize::from(w1(&pairs) < w1(&interpolant));
        by_energy += usize::from(energy(&pairs) < energy(&interpolant));
    }
    (by_w1, by_energy)
}

#[test]
fn w1_prefers_random_pairs_from_ten_dimensions_on_and_energy_distance_never() {
    let runs = 10;
    assert_eq!(preferences(2, 1000, runs), (0, 0), "2 dimensions");
    for dim in [10, 20, 50] {
        let (by_w1, by_energy) = preferences(dim, 200, runs);
        assert!(by_w1 >= 9 && by_energy == 0, "{dim} dimensions: {by_w1} {by_energy}");
    }
}

#[test]
fn more_cells_do_not_save_w1_in_twenty_dimensions() {
    assert_eq!(preferences(20, 1000, 2), (2, 0));
}
