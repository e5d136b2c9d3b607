//! Write a solver of your own, and compare its population half-way with that of a Schrödinger bridge.
//!
//! Run with `cargo run --release --example custom_solver`.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use ndarray::{Array2, Axis};
use sbcell::bridge::{Motion, PlanBridge};
use sbcell::prelude::*;
use sbcell::progress::Progress;

/// Pairs every source cell with every target cell and moves cells on straight lines: the independent
/// coupling, a baseline that ignores where cells are.
#[derive(Debug)]
struct Independent;

impl BridgeSolver for Independent {
    fn solve(
        &self,
        problem: &BridgeProblem,
        _seed: Seed,
        _progress: &mut dyn Progress,
    ) -> sbcell::Result<(Box<dyn Bridge>, FitReport)> {
        let (source, target) = (problem.source(), problem.target());
        let (n, m) = (source.n_cells(), target.n_cells());
        let pairs = (0..n)
            .flat_map(|i| (0..m).map(move |j| (i, j, source.marginal()[i] * target.marginal()[j])));
        let coupling = Coupling::new(n, m, pairs.collect::<Vec<_>>())?;
        let bridge =
            PlanBridge::new(source, target, &coupling, problem.epsilon(), Motion::Straight)?;
        let report = FitReport {
            stop: Stop::Converged,
            iterations: 1,
            objective: 0.0,
            start_objective: 0.0,
            details: Vec::new(),
        };
        Ok((Box::new(bridge), report))
    }
}

/// Two groups of cells at `±distance`, each with a standard deviation of 0.3.
fn two_groups(distance: f64) -> sbcell::Result<Snapshot> {
    Snapshot::new(Array2::from_shape_fn((200, 2), |(i, axis)| {
        let side = if i % 2 == 0 { distance } else { -distance };
        let angle = 2.399_963 * i as f64;
        let wave = if axis == 0 { angle.cos() } else { angle.sin() };
        let group = if axis == 0 { side } else { 0.0 };
        group + 0.3 * std::f64::consts::SQRT_2 * wave
    }))
}

pub(crate) fn main() -> sbcell::Result<()> {
    let problem = BridgeProblem::new(two_groups(2.0)?, two_groups(3.0)?, Epsilon::new(0.05)?)?;
    let middle = UnitTime::new(0.5)?;
    // The share of cells that are between the groups half-way, where no group was measured.
    let share_between = |solver: &dyn BridgeSolver| -> sbcell::Result<f64> {
        let (bridge, _) = solver.solve(&problem, Seed(1), &mut Silent)?;
        let cells = problem.source().points();
        let cells = bridge.sample_transition(cells, UnitTime::START, middle, Seed(2))?;
        let between = cells.index_axis(Axis(1), 0).iter().filter(|x| x.abs() < 1.0).count();
        Ok(between as f64 / cells.nrows() as f64)
    };
    let independent = share_between(&Independent)?;
    let bridge = share_between(&SinkhornSolver::default())?;
    println!("cells between the groups half-way:");
    println!("  independent coupling  {independent:.2}");
    println!("  Schrödinger bridge    {bridge:.2}");

    // Half of the independent pairs change sides; the bridge keeps cells on theirs.
    assert!(independent > 0.3 && bridge < 0.01);
    Ok(())
}
