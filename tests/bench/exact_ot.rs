//! Seconds and pivots of exact optimal transport; clouds as in `exact_ot.py` beside this file.
#![allow(clippy::print_stdout, reason = "a bench prints its numbers")]
#![allow(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::time::Instant;

use ndarray::{Array1, Array2};
use sbcell::Silent;
use sbcell::linalg::exact_plan;

/// Point `i` of a cloud: additive recurrences, the same bits in Python.
fn cloud(n: usize, dim: usize, offset: f64) -> Array2<f64> {
    const STEPS: [f64; 5] =
        [0.618_033_988_7, 0.414_213_562_3, 0.732_050_807_5, 0.236_067_977_4, 0.645_751_311_0];
    Array2::from_shape_fn((n, dim), |(i, d)| {
        let place = (i as f64 + 1.0) * STEPS[d] + offset * (d as f64 + 1.0);
        (place - place.floor()) * (1.0 + offset)
    })
}

fn main() {
    for n in [1000, 4000] {
        let (x, y) = (cloud(n, 5, 0.0), cloud(n, 5, 0.377));
        let cost = Array2::from_shape_fn((n, n), |(i, j)| {
            x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b) * (a - b)).sum()
        });
        let weights = Array1::from_elem(n, 1.0 / n as f64);
        let start = Instant::now();
        let plan = exact_plan(cost.view(), weights.view(), weights.view(), &mut Silent).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "exact_ot/n={n},d=5: {seconds:.3} s, {} pivots, cost {:.12}",
            plan.n_pivots, plan.cost
        );
    }
}
