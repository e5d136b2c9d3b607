//! Fit one bridge between two snapshots that are arrays, and ask it where the cells are in between.
//!
//! Run with `cargo run --release --example fit_arrays`.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use ndarray::{Array2, Axis};
use sbcell::prelude::*;

/// A cloud of `n` cells around `centre`: a deterministic spiral with standard deviation 1/√2.
fn cloud(n: usize, centre: [f64; 2]) -> Array2<f64> {
    Array2::from_shape_fn((n, 2), |(i, axis)| {
        let radius = ((i as f64 + 0.5) / n as f64).sqrt() * std::f64::consts::SQRT_2;
        let angle = 2.399_963 * i as f64;
        centre[axis] + radius * if axis == 0 { angle.cos() } else { angle.sin() }
    })
}

pub(crate) fn main() -> sbcell::Result<()> {
    // Rows are cells, columns are coordinates such as principal components.
    let source = Snapshot::new(cloud(300, [0.0, 0.0]))?;
    let target = Snapshot::new(cloud(300, [4.0, 2.0]))?;

    // ε is the variance of the reference process over the whole interval.
    let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
    let solver = LightSbSolver::default();
    let (bridge, report) = solver.solve(&problem, Seed(1), &mut Silent)?;
    println!("{:?} after {} iterations", report.stop, report.iterations);

    // Local time runs from 0 (source) to 1 (target).
    let middle = UnitTime::new(0.5)?;
    let cells = bridge.sample_transition(source.points(), UnitTime::START, middle, Seed(2))?;
    let drift = bridge.drift(cells.view(), middle)?;
    let mean = |rows: &Array2<f64>| rows.sum_axis(Axis(0)) / rows.nrows() as f64;
    println!("mean position at t = 0.5: {:.2}", mean(&cells));
    println!("mean drift at t = 0.5:    {:.2}", mean(&drift));

    // The populations are equal but for a shift, so half of it is done in the middle.
    assert!((mean(&cells)[0] - 2.0).abs() < 0.1 && (mean(&cells)[1] - 1.0).abs() < 0.1);
    assert!((mean(&drift)[0] - 4.0).abs() < 0.3);
    Ok(())
}
