//! All intervals of a time course, for solvers that treat them together.

use crate::bridge::{Bridge, BridgeProblem, FitReport};
use crate::data::TimePoint;
use crate::error::{Error, Result, shape};

/// The problems of neighbouring intervals and the times at their ends.
///
/// ```
/// use ndarray::array;
/// use sbcell::Epsilon;
/// use sbcell::bridge::{BridgeProblem, Course};
/// use sbcell::data::Snapshot;
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [1.0]])?;
/// let problem = BridgeProblem::new(cells.clone(), cells, Epsilon::new(0.1)?)?;
/// let course = Course::new(vec![0.0, 2.0, 3.0], vec![problem.clone(), problem])?;
/// assert_eq!((course.problems().len(), course.dim()), (2, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The times, one more than problems.
    times: Vec<TimePoint>,
    /// The problems, one for each interval.
    problems: Vec<BridgeProblem>,
}

impl Course {
    /// Creates a course in which problem `i` leads from `times[i]` to `times[i + 1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one more time than problems, or if the problems differ in
    /// dimension; [`Error::Parameter`] if there is no problem, or if the times are not finite and
    /// strictly increasing.
    pub fn new(times: Vec<TimePoint>, problems: Vec<BridgeProblem>) -> Result<Self> {
        let Some(first) = problems.first() else {
            return Err(Error::Parameter {
                name: "intervals",
                must: "at least one",
                got: "none".into(),
            });
        };
        check_times("the course", &times, problems.len())?;
        for other in &problems {
            shape::same("a problem of the course", "dimensions", first.dim(), other.dim())?;
        }
        Ok(Self { times, problems })
    }

    /// The times, one more than problems, strictly increasing.
    pub fn times(&self) -> &[TimePoint] {
        &self.times
    }

    /// The problems, one for each interval.
    pub fn problems(&self) -> &[BridgeProblem] {
        &self.problems
    }

    /// A course of one interval, of length one.
    ///
    /// # Errors
    /// As [`Course::new`], which accepts such a course.
    pub(super) fn of_one(problem: &BridgeProblem) -> Result<Self> {
        Self::new(vec![0.0, 1.0], vec![problem.clone()])
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.problems[0].dim()
    }
}

/// Bridges of one type as solvers return them.
pub(super) fn boxed<B: Bridge + 'static>(
    fitted: Vec<(B, FitReport)>,
) -> Vec<(Box<dyn Bridge>, FitReport)> {
    let boxed = |(bridge, report)| (Box::new(bridge) as Box<dyn Bridge>, report);
    fitted.into_iter().map(boxed).collect()
}

/// Refuses times that are not one more than intervals, finite and strictly increasing.
pub(super) fn check_times(
    what: &'static str,
    times: &[TimePoint],
    n_intervals: usize,
) -> Result<()> {
    shape::same(what, "times", n_intervals + 1, times.len())?;
    let increasing = times.windows(2).all(|pair| pair[0] < pair[1]);
    if increasing && times.iter().all(|time| time.is_finite()) {
        return Ok(());
    }
    let (name, must) = ("times of the course", "finite and strictly increasing");
    Err(Error::Parameter { name, must, got: format!("{times:?}") })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;

    fn problem() -> BridgeProblem {
        let cells = || Snapshot::new(array![[0.0], [1.0]]).unwrap();
        BridgeProblem::new(cells(), cells(), Epsilon::new(0.1).unwrap()).unwrap()
    }

    #[test]
    fn refuses_times_and_problems_that_do_not_fit_together() {
        let course = Course::new(vec![0.0, 2.0, 3.0], vec![problem(), problem()]).unwrap();
        assert_eq!((course.dim(), course.problems().len()), (1, 2));
        assert!(Course::new(vec![0.0, 1.0], vec![problem(), problem()]).is_err());
        assert!(Course::new(vec![0.0, 0.0], vec![problem()]).is_err());
        assert!(Course::new(vec![0.0, f64::INFINITY], vec![problem()]).is_err());
        assert!(Course::new(vec![0.0], Vec::new()).is_err());
    }
}
