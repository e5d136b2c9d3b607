//! Entropic plans against POT's (`data-samples/reference/sinkhorn.py`).

use ndarray::Array2;
use sbcell::bridge::{BridgeProblem, SinkhornSolver};
use sbcell::data::Snapshot;
use sbcell::{Epsilon, Silent};

use crate::matrices::table;

fn cells(n: usize, f: f64, shift: f64, cycle: usize) -> Snapshot {
    let points =
        Array2::from_shape_fn((n, 2), |(i, d)| (f * (2 * i + d + 1) as f64).sin() * 1.5 + shift);
    let weights = (0..n).map(|i| 1.0 + (i % cycle) as f64).collect();
    Snapshot::weighted(points, weights).unwrap()
}

#[test]
fn plans_are_those_of_pot_with_marginals_kept_and_relaxed() {
    let rows = table("sinkhorn.csv");
    let (source, target) = (cells(12, 1.3, 0.0, 4), cells(15, 0.7, 0.5, 3));
    let problem = BridgeProblem::new(source, target, Epsilon::new(0.2).unwrap()).unwrap();
    for (column, relaxation) in [(2, (None, None)), (3, (Some(0.5), Some(5.0)))] {
        let solver = SinkhornSolver::default()
            .with_tolerance(1e-12)
            .with_source_relaxation(relaxation.0)
            .with_target_relaxation(relaxation.1);
        let (bridge, _) = solver.fit(&problem, &mut Silent).unwrap();
        let coupling = bridge.coupling(0.0).unwrap();
        assert_eq!(coupling.n_pairs(), 180);
        for ((i, j, mass), row) in coupling.pairs().zip(rows.rows()) {
            // Both solved until nothing changes: 1e-12 of a total mass of one.
            assert!((mass - row[column]).abs() < 1e-12, "{i} {j}: {mass} and {}", row[column]);
        }
    }
}
