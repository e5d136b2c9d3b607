//! Search signed regulatory edges in a small simulated course.
//!
//! Run with `cargo run --release --example edges`.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use ndarray::{Array1, Array2};
use sbcell::grn::{CourseCells, EdgeSearch, Expression, Lag};

const N_CELLS: usize = 100;
const N_TIMES: usize = 4;

/// Gene A is different in each cell; it activates B and represses C, which follow one time later.
/// D is independent. Values are on a log scale.
fn simulated() -> Array2<f32> {
    // Golden-ratio sequences: even, and different for each gene.
    let part = |i: usize, step: f32| ((i + 1) as f32 * step).fract();
    Array2::from_shape_fn((N_CELLS * N_TIMES, 4), |(row, gene)| {
        let (time, cell) = (row / N_CELLS, row % N_CELLS);
        let a = part(cell, 0.618_034) + 0.02 * time as f32;
        match gene {
            0 => a,
            1 if time > 0 => 0.2 + 0.8 * a + 0.05 * part(row, 0.303),
            2 if time > 0 => 1.0 - 0.8 * a + 0.05 * part(row, 0.707),
            1 | 2 => 0.5 + 0.3 * part(row, 0.412 + 0.1 * gene as f32),
            _ => part(row, 0.529),
        }
    })
}

pub(crate) fn main() -> sbcell::Result<()> {
    let genes = ["A", "B", "C", "D"];
    // A, B, C and D may all regulate.
    let expression = Expression::new(simulated(), &[0, 1, 2, 3])?;
    let n = N_CELLS * N_TIMES;
    let points = expression.standardised(&(0..n).collect::<Vec<_>>());
    let times = (0..n).map(|row| (row / N_CELLS) as f64).collect();
    let weights = Array1::ones(n);
    let cells = CourseCells {
        expression: &expression,
        points: &points,
        times,
        weights,
        growth: None,
        perturbed: None,
    };

    // Neighbouring snapshots are coupled; the default also smooths time within them.
    let search = EdgeSearch::default().with_lag(Lag::Intervals(1));
    let edges = search.run(&cells, None)?;
    for (regulator, row) in edges.importance.rows().into_iter().enumerate() {
        for (target, importance) in row.iter().enumerate().filter(|entry| *entry.1 > 0.0) {
            let sign = if edges.evidence[[regulator, target]] > 0.0 { '+' } else { '-' };
            println!("{} {sign} {} {importance:.3}", genes[regulator], genes[target]);
        }
    }

    assert!(edges.importance[[0, 1]] > edges.importance[[3, 1]]);
    assert!(edges.importance[[0, 2]] > edges.importance[[3, 2]]);
    assert!(edges.evidence[[0, 1]] > 0.0 && edges.evidence[[0, 2]] < 0.0);
    Ok(())
}
