//! The bridge problems of a time course, and their solution with growth.

use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Course, CourseSolver, FitReport, Property, Solver,
};
use crate::data::{Snapshot, TimeSeries};
use crate::error::Result;
use crate::pipeline::fit::choose::choose;
use crate::pipeline::fit::growth::Growing;
use crate::pipeline::fit::growth_share::CouplingGrowth;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::route::{Between, Route};
use crate::pipeline::fit::units::Units;
use crate::pipeline::solvers::SolverChoice;
use crate::progress::Progress;
use crate::rng::Seed;

/// The bridge problems of all intervals of a course, with the solver and the growth.
pub(crate) struct Task<'a> {
    series: &'a TimeSeries,
    units: &'a Units,
    options: &'a FitOptions,
    /// The solver with clocks, pace and curve, before and after the data chose ([`Task::settle`]).
    route: Route,
    /// The clocks and curves of this route.
    between: Between,
    /// One problem for each interval, with equal weights of cells.
    problems: Vec<BridgeProblem>,
    /// The growth in each interval.
    growing: Vec<Growing>,
    /// The first times that this course shares with others, and the intervals whose bridges they give.
    trunks: Vec<(Vec<usize>, Task<'a>)>,
    /// The growth that only couplings use, if there is any.
    coupling: Option<CouplingGrowth>,
}

/// The solution of one interval.
pub(crate) struct Solved {
    /// The problem of the last iteration, with the source marginal that growth gives.
    pub(crate) problem: BridgeProblem,
    /// The growth of the last iteration.
    pub(crate) growing: Growing,
    /// The bridge between the snapshots, in scaled coordinates and local time.
    pub(crate) bridge: Arc<dyn Bridge>,
    /// The report of the solver.
    pub(crate) report: FitReport,
}

impl<'a> Task<'a> {
    /// The problems of all intervals of `series`, which is in data units. `rates` are the growth rates of
    /// the cells whose times are `cell_times`, if there is a prior.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if ε of an interval is out of range; those of the clocks.
    pub(crate) fn new(
        series: &'a TimeSeries,
        units: &'a Units,
        options: &'a FitOptions,
        rates: Option<&Array1<f64>>,
        cell_times: &[f64],
    ) -> Result<Self> {
        let mut task = Self::along(Route::first(options), series, units, options)?;
        for (k, growing) in task.growing.iter_mut().enumerate() {
            growing.prior = rates.map(|rates| Growing::rates(series, k, rates, cell_times));
        }
        Ok(task)
    }

    /// As [`Task::new`], along `route` and without growth.
    ///
    /// # Errors
    /// As [`Task::new`].
    pub(super) fn along(
        route: Route,
        series: &'a TimeSeries,
        units: &'a Units,
        options: &'a FitOptions,
    ) -> Result<Self> {
        let problems = problems(series, units)?;
        let growing = problems
            .iter()
            .zip(series.times().windows(2))
            .map(|(problem, ends)| Growing {
                observed: problem.source().clone(),
                prior: None,
                length: ends[1] - ends[0],
            })
            .collect();
        let between = route.between(series, units.scale, options)?;
        let (trunks, coupling) = (Vec::new(), None);
        Ok(Self { series, units, options, route, between, problems, growing, trunks, coupling })
    }

    /// Lets the data choose among the routes of the options, by holding out times of this course. Returns the
    /// solver that is used from now on.
    ///
    /// # Errors
    /// Those of the choice; [`crate::Error::Cancelled`].
    pub(crate) fn settle(&mut self, progress: &mut dyn Progress) -> Result<&SolverChoice> {
        let route = choose(&[self.series], self.units, self.options, progress)?;
        self.between = route.between(self.series, self.units.scale, self.options)?;
        self.route = route;
        Ok(&self.route.solver)
    }

    /// Takes the `route` that was chosen for several courses.
    ///
    /// # Errors
    /// Those of the clocks and curves.
    pub(super) fn take(&mut self, route: Route) -> Result<()> {
        self.between = route.between(self.series, self.units.scale, self.options)?;
        self.route = route;
        Ok(())
    }

    /// Takes the bridges of `intervals` from `trunk`, the first times of this course, which other courses share.
    ///
    /// The pace, the curve, and with some solvers the coupling of an interval depend on the other times of a
    /// course. Those of a shared interval follow from the shared times, so that it has the same bridge in all
    /// courses. Networks are learnt for a whole course and are not shared.
    pub(super) fn share(&mut self, trunk: Self, intervals: Vec<usize>) {
        for &k in &intervals {
            self.between.replace(k, &trunk.between);
        }
        self.trunks.push((intervals, trunk));
    }

    /// Lets couplings use `growth`, which the bridges do not use.
    pub(super) fn couple(&mut self, growth: Option<CouplingGrowth>) {
        self.coupling = growth;
    }

    /// The share and the rates of the growth that only couplings use in interval `k`.
    pub(super) fn coupling_growth(&self, k: usize) -> Option<(f64, Vec<f64>)> {
        self.coupling.as_ref().map(|growth| (growth.shares[k], growth.rates[k].to_vec()))
    }

    /// The snapshots with their times, in data units.
    pub(super) fn series(&self) -> &TimeSeries {
        self.series
    }

    /// Number of intervals.
    pub(crate) fn n_intervals(&self) -> usize {
        self.problems.len()
    }

    /// The times at the ends of interval `k`, in the unit of the time column.
    pub(crate) fn ends(&self, k: usize) -> (f64, f64) {
        (self.series.times()[k], self.series.times()[k + 1])
    }

    /// The problem of interval `k`, with equal weights of cells.
    pub(crate) fn problem(&self, k: usize) -> &BridgeProblem {
        &self.problems[k]
    }

    /// Data units per unit of the bridges' coordinates.
    pub(crate) fn scale(&self) -> f64 {
        self.units.scale
    }

    /// The seed of all random steps in interval `k`.
    pub(crate) fn seed(&self, k: usize) -> Seed {
        Seed(self.options.seed).child("interval", k as u64)
    }

    /// The solver of each interval for the reference process, or the solver of the whole course.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub(crate) fn solvers(&self, progress: &mut dyn Progress) -> Result<Solvers> {
        Ok(match self.route.solver.solver() {
            Solver::Joint(solver) => Solvers::Joint(solver),
            Solver::Each(solver) => {
                let reference = self.options.reference;
                let each = reference.solvers(solver.into(), self.series, self.units, progress)?;
                Solvers::Each(each)
            }
        })
    }

    /// Solves interval `k` alone. With several growth iterations, the posterior growth of each solution is
    /// the prior of the next.
    ///
    /// # Errors
    /// Those of the solver; [`crate::Error::Cancelled`].
    pub(crate) fn interval(
        &self,
        k: usize,
        solver: &dyn BridgeSolver,
        progress: &mut dyn Progress,
    ) -> Result<Solved> {
        self.finished(k, self.bare_interval(k, solver, progress)?)
    }

    /// Solves all intervals together. With several growth iterations, the posterior growth of each
    /// solution is the prior of the next.
    ///
    /// # Errors
    /// Those of the solver; [`crate::Error::Cancelled`].
    pub(crate) fn course(
        &self,
        solver: &dyn CourseSolver,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Solved>> {
        let mut all = self.bare_course(solver, progress)?;
        let trunks = self.trunks.iter().filter(|_| !self.route.solver.has(Property::TakesLong));
        for (intervals, trunk) in trunks {
            for &k in intervals {
                all[k] = trunk.bare(k, progress)?;
            }
        }
        let all = all.into_iter().enumerate();
        all.map(|(k, solved)| self.finished(k, solved)).collect()
    }

    /// Solves interval `k`, and no other interval unless the solver needs them.
    ///
    /// # Errors
    /// Those of the solver; [`crate::Error::Cancelled`].
    pub(crate) fn only(&self, k: usize, progress: &mut dyn Progress) -> Result<Solved> {
        self.finished(k, self.bare(k, progress)?)
    }

    /// The solution with its bridge along the curve of the course and on the clock of the cells.
    ///
    /// # Errors
    /// Those of [`Task::around`].
    fn finished(&self, k: usize, solved: Solved) -> Result<Solved> {
        Ok(Solved { bridge: self.around(k, solved.bridge, &solved.problem)?, ..solved })
    }

    /// A bridge of interval `k` that solves `problem`, along the curve of the course and on the clock of the
    /// cells.
    ///
    /// # Errors
    /// Those of the bridge's transition kernel.
    pub(super) fn around(
        &self,
        k: usize,
        bridge: Arc<dyn Bridge>,
        problem: &BridgeProblem,
    ) -> Result<Arc<dyn Bridge>> {
        self.between.around(k, bridge, problem)
    }

    /// As [`Task::interval`], along the straight line and in step.
    fn bare_interval(
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
        Ok(Solved { problem, growing, bridge: solved.0.into(), report: solved.1 })
    }

    /// As [`Task::course`], along straight lines and in step.
    fn bare_course(
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
            bridge: bridge.into(),
            report,
        });
        Ok(all.collect())
    }

    /// As [`Task::only`], along the straight line and in step.
    ///
    /// # Errors
    /// As [`Task::only`].
    pub(super) fn bare(&self, k: usize, progress: &mut dyn Progress) -> Result<Solved> {
        let solver = match self.solvers(progress)? {
            Solvers::Each(solvers) => return self.bare_interval(k, &*solvers[k], progress),
            Solvers::Joint(solver) => solver,
        };
        if self.options.growth.iterations > 1 {
            return Ok(self.bare_course(&*solver, progress)?.swap_remove(k));
        }
        let weighed = self.problems.iter().zip(&self.growing).map(|(p, g)| g.problem(p));
        let course = Course::new(self.series.times().to_vec(), weighed.collect::<Result<_>>()?)?;
        let seed = Seed(self.options.seed).child("course", 0);
        let (bridge, report) = solver.solve_one(&course, k, seed, progress)?;
        let problem = course.problems()[k].clone();
        Ok(Solved { problem, growing: self.growing[k].clone(), bridge: bridge.into(), report })
    }
}

/// The solvers of a course.
pub(crate) enum Solvers {
    /// One solver for each interval.
    Each(Vec<Arc<dyn BridgeSolver>>),
    /// One solver for all intervals.
    Joint(Box<dyn CourseSolver>),
}

/// The problem of each interval, in coordinates divided by the scale and local time.
///
/// # Errors
/// [`crate::Error::Parameter`] if ε is out of range.
fn problems(series: &TimeSeries, units: &Units) -> Result<Vec<BridgeProblem>> {
    // The same operations as in `Process::restore`, so that a restored bridge has the same bits.
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
