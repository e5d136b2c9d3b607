//! The problems of a time course, and their bridges.

use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Course, CourseSolver, FitReport, Property, Solver,
};
use crate::data::{Snapshot, TimeSeries};
use crate::error::Result;
use crate::pipeline::choice::SolverChoice;
use crate::pipeline::config::FitOptions;
use crate::pipeline::growth::Growing;
use crate::pipeline::units::Units;
use crate::progress::Progress;
use crate::rng::Seed;

/// The problems of all intervals of a course, and how they are to be solved.
pub(super) struct Task<'a> {
    series: &'a TimeSeries,
    units: &'a Units,
    options: &'a FitOptions,
    solver: SolverChoice,
    problems: Vec<BridgeProblem>,
    growing: Vec<Growing>,
}

/// One interval, solved.
pub(super) struct Solved {
    /// The problem, its source weighed by growth.
    pub(super) problem: BridgeProblem,
    /// What is known of growth in it.
    pub(super) growing: Growing,
    pub(super) bridge: Box<dyn Bridge>,
    pub(super) report: FitReport,
}

impl<'a> Task<'a> {
    /// The problem of each interval of `series`; `rates` has the growth of each cell, in the
    /// order of `cell_times`.
    pub(super) fn new(
        series: &'a TimeSeries,
        (units, options): (&'a Units, &'a FitOptions),
        (rates, cell_times): (Option<&Array1<f64>>, &[f64]),
    ) -> Result<Self> {
        let problems = problems(series, units)?;
        let solver = options.solver.clone();
        let growing = problems
            .iter()
            .zip(series.times().windows(2))
            .enumerate()
            .map(|(k, (problem, ends))| Growing {
                observed: problem.source().clone(),
                prior: rates.map(|rates| Growing::rates(series, k, rates, cell_times)),
                length: ends[1] - ends[0],
            })
            .collect();
        Ok(Self { series, units, options, solver, problems, growing })
    }

    /// Settles what the solver leaves to be chosen from the data, by holding out times of this
    /// course; the solver that is then used.
    pub(super) fn settle(&mut self, progress: &mut dyn Progress) -> Result<&SolverChoice> {
        if self.solver.has(Property::Chooses) {
            let course = Course::new(self.series.times().to_vec(), self.problems.clone())?;
            let seed = Seed(self.options.seed).child("auto", 0);
            if let Some(settled) = self.solver.settle(&course, seed, progress)? {
                self.solver = settled.into();
            }
        }
        Ok(&self.solver)
    }

    /// Number of intervals.
    pub(super) fn n_intervals(&self) -> usize {
        self.problems.len()
    }

    /// The ends of interval `k`.
    pub(super) fn ends(&self, k: usize) -> (f64, f64) {
        (self.series.times()[k], self.series.times()[k + 1])
    }

    /// The problem of interval `k`, its cells as they were observed.
    pub(super) fn problem(&self, k: usize) -> &BridgeProblem {
        &self.problems[k]
    }

    /// Data units per unit of the bridges' coordinates.
    pub(super) fn scale(&self) -> f64 {
        self.units.scale
    }

    /// The seed of what is random in interval `k`.
    pub(super) fn seed(&self, k: usize) -> Seed {
        Seed(self.options.seed).child("interval", k as u64)
    }

    /// The solver of each interval; or the one of the whole course.
    pub(super) fn solvers(&self, progress: &mut dyn Progress) -> Result<Solvers> {
        Ok(match self.solver.solver() {
            Solver::Joint(solver) => Solvers::Joint(solver),
            Solver::Each(solver) => {
                let reference = self.options.reference;
                let each = reference.solvers(solver.into(), self.series, self.units, progress)?;
                Solvers::Each(each)
            }
        })
    }

    /// Interval `k` alone, as often as growth is to be refined.
    pub(super) fn interval(
        &self,
        k: usize,
        solver: &dyn BridgeSolver,
        progress: &mut dyn Progress,
    ) -> Result<Solved> {
        let mut growing = self.growing[k].clone();
        let mut problem = growing.problem(&self.problems[k])?;
        let mut solved = solver.solve(&problem, self.seed(k).child("solve", 0), progress)?;
        for round in 1..self.options.growth.iterations {
            let Some(growth) = growing.of(&*solved.0)? else { break };
            growing.prior = Some(growth.posterior.into());
            problem = growing.problem(&self.problems[k])?;
            let seed = self.seed(k).child("solve", round as u64);
            solved = solver.solve(&problem, seed, progress)?;
        }
        let (bridge, report) = solved;
        Ok(Solved { problem, growing, bridge, report })
    }

    /// All intervals together, as often as growth is to be refined.
    pub(super) fn course(
        &self,
        solver: &dyn CourseSolver,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Solved>> {
        let mut growing = self.growing.clone();
        let mut round = 0;
        let (course, solved) = loop {
            let weighed = self.problems.iter().zip(&growing).map(|(p, g)| g.problem(p));
            let course =
                Course::new(self.series.times().to_vec(), weighed.collect::<Result<_>>()?)?;
            let seed = Seed(self.options.seed).child("course", round);
            let solved = solver.solve_course(&course, seed, progress)?;
            round += 1;
            if round as usize >= self.options.growth.iterations {
                break (course, solved);
            }
            for (growing, (bridge, _)) in growing.iter_mut().zip(&solved) {
                if let Some(growth) = growing.of(&**bridge)? {
                    growing.prior = Some(growth.posterior.into());
                }
            }
        };
        let ends = course.problems().iter().cloned().zip(growing);
        let all = ends.zip(solved).map(|((problem, growing), (bridge, report))| Solved {
            problem,
            growing,
            bridge,
            report,
        });
        Ok(all.collect())
    }

    /// Interval `k`, with no more of the course than its solver needs.
    pub(super) fn only(&self, k: usize, progress: &mut dyn Progress) -> Result<Solved> {
        let solver = match self.solvers(progress)? {
            Solvers::Each(solvers) => return self.interval(k, &*solvers[k], progress),
            Solvers::Joint(solver) => solver,
        };
        if self.options.growth.iterations > 1 {
            return Ok(self.course(&*solver, progress)?.swap_remove(k));
        }
        let weighed = self.problems.iter().zip(&self.growing).map(|(p, g)| g.problem(p));
        let course = Course::new(self.series.times().to_vec(), weighed.collect::<Result<_>>()?)?;
        let seed = Seed(self.options.seed).child("course", 0);
        let (bridge, report) = solver.solve_one(&course, k, seed, progress)?;
        let problem = course.problems()[k].clone();
        Ok(Solved { problem, growing: self.growing[k].clone(), bridge, report })
    }
}

/// Who solves which intervals.
pub(super) enum Solvers {
    /// One for each interval.
    Each(Vec<Arc<dyn BridgeSolver>>),
    /// One for all.
    Joint(Box<dyn CourseSolver>),
}

/// The problem of each interval, in coordinates divided by the scale and local time.
fn problems(series: &TimeSeries, units: &Units) -> Result<Vec<BridgeProblem>> {
    // Built as the model is read back: a bridge is restored with the same bits.
    let scaled = |snapshot: &Snapshot| Snapshot::new(&snapshot.points() / units.scale);
    let snapshots: Vec<Snapshot> = series.snapshots().iter().map(scaled).collect::<Result<_>>()?;
    let lengths = series.times().windows(2).map(|pair| pair[1] - pair[0]);
    snapshots
        .windows(2)
        .zip(lengths)
        .map(|(ends, length)| {
            BridgeProblem::new(ends[0].clone(), ends[1].clone(), units.epsilon_of(length)?)
        })
        .collect()
}
