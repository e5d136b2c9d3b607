//! Solvers agree where they should: on two Gaussians, seen through cells.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test stops at the first surprise")]

#[path = "bench/agreement_pairs.rs"]
mod agreement_pairs;

use agreement_pairs::{Pair, solvers};
use sbcell::bridge::Bridge;
use sbcell::{Seed, Silent};

/// Relative errors of the drift against the truth at each of the times, for each solver.
///
/// `gaussian`: the error of the means of 1 000 cells alone is √((tr A + tr B) / n / E|b|²), 0.04 in
/// two and 0.05 in five dimensions, and 1.5 of it allowed. The others are measured, with a margin
/// of 1.5: `lightsb` cannot tilt a Gaussian, the more so in more dimensions.
const LIMITS: [(usize, [[f64; 3]; 2]); 2] =
    [(2, [[0.066, 0.066, 0.066], [0.1, 0.13, 0.22]]), (5, [[0.1, 0.1, 0.1], [0.25, 0.33, 0.47]])];

/// Of populations half way: measured, at most 0.0033, and three times as much for other draws.
const ENERGY: f64 = 0.01;

#[test]
fn drifts_and_populations_agree_up_to_the_error_of_a_thousand_cells() {
    for (dim, limits) in LIMITS {
        let pair = Pair::new(dim, 1_000);
        let found: Vec<(&str, Box<dyn Bridge>)> = solvers()
            .into_iter()
            .map(|(name, solver)| {
                (name, solver.solve(&pair.problem, Seed(0), &mut Silent).unwrap().0)
            })
            .collect();
        for (place, (name, bridge)) in found.iter().enumerate() {
            let apart = pair.drift_apart(&**bridge, &pair.truth);
            let energy = pair.populations_apart(&**bridge, &pair.truth);
            println!("{dim} dimensions, {name}: drift {apart:.3?}, energy {energy:.5}");
            let within = apart.iter().zip(limits[place]).all(|(apart, limit)| *apart < limit);
            assert!(within, "{dim} dimensions, {name}: {apart:?} above {:?}", limits[place]);
            assert!(energy < ENERGY, "{dim} dimensions, {name}: {energy}");
        }
    }
}
