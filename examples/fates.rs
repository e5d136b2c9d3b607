//! Follow cells of a branching course to their fates.
//!
//! Run with `cargo run --release --example fates`.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use ndarray::{Array2, s};
use sbcell::prelude::*;

/// Cells of one time: two branches that are `width` apart from the middle line.
fn snapshot(time: f64, width: f64) -> sbcell::Result<Snapshot> {
    Snapshot::new(Array2::from_shape_fn((100, 2), |(i, axis)| {
        let branch = if i % 2 == 0 { width } else { -width };
        let jitter = 0.2 * (2.399_963 * i as f64 + axis as f64).sin();
        jitter + if axis == 0 { time } else { branch }
    }))
}

pub(crate) fn main() -> sbcell::Result<()> {
    let snapshots = [snapshot(0.0, 0.1)?, snapshot(1.0, 0.6)?, snapshot(2.0, 2.0)?];
    // The transport plan of each interval, with noise of variance ε.
    let epsilon = Epsilon::new(0.1)?;
    let links: Vec<Link> = snapshots
        .windows(2)
        .map(|pair| Link::entropic(&pair[0], &pair[1], epsilon))
        .collect::<sbcell::Result<_>>()?;
    let lineage = Lineage::new(vec![0.0, 1.0, 2.0], links)?;

    // Terminal states are sets of cells: here both branches of the last time.
    let arrived = |side: usize| (0..100).map(|i| i % 2 == side).collect();
    let terminals = [("upper", 0), ("lower", 1)].map(|(name, side)| Terminal {
        name: name.into(),
        place: 2,
        arrived: arrived(side),
    });
    // Intervals come from 50 resamples of the cells.
    let resampled = Resampled::new(&lineage, None, 50, Seed(1), &mut Silent)?;
    let fates = Fates::of(&resampled, &terminals, &mut Silent)?;
    for (time, table) in lineage.times().iter().zip(&fates.tables) {
        let cell = (table.probabilities[[0, 0]], table.lo[[0, 0]], table.hi[[0, 0]]);
        println!(
            "time {time}: cell 0 becomes `upper` with {:.2} [{:.2}, {:.2}]",
            cell.0, cell.1, cell.2
        );
    }

    // At the second time the branches are apart: the fates of their cells are nearly certain.
    let upper = fates.tables[1].probabilities.slice(s![.., 0]).to_owned();
    assert!(upper.iter().step_by(2).all(|p| *p > 0.9));
    assert!(upper.iter().skip(1).step_by(2).all(|p| *p < 0.1));
    Ok(())
}
