//! The reference process, and the solver of each interval for it.

use std::sync::Arc;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::bridge::{BridgeSolver, Choice, Clock, OuSolver, Solver};
use crate::data::TimeSeries;
use crate::data::time::TimeAxis;
use crate::error::{Error, Result};
use crate::pipeline::fit::units::Units;
use crate::pipeline::solvers;
use crate::pipeline::solvers::SolverChoice;
use crate::progress::{self, Progress};

/// The reference process: the process of cells without any information from the snapshots.
///
/// ```
/// use sbcell::pipeline::{FitOptions, Reference};
///
/// let reference = Reference::OrnsteinUhlenbeck { rate: 0.1 };
/// let options = FitOptions::default().with_reference(reference);
/// assert!(options.check().is_ok());
/// // A rate must be a number.
/// let reference = Reference::OrnsteinUhlenbeck { rate: f64::NAN };
/// assert!(options.with_reference(reference).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Brownian motion, `dX = σ dW`.
    #[default]
    Brownian,
    /// An Ornstein-Uhlenbeck process, `dX = −θ (X − m) dt + σ dW`, with the mean m of all cells of the
    /// course. For solvers of single intervals only.
    OrnsteinUhlenbeck {
        /// θ per unit of time. A negative rate drives cells away from m.
        rate: f64,
    },
}

impl Reference {
    /// Checks the rate, and that `solver` can find the bridge for this process.
    ///
    /// # Errors
    /// [`Error::Parameter`]; [`Error::ReferenceNotTaken`] for a solver of whole courses.
    pub(crate) fn check(self, solver: &SolverChoice) -> Result<()> {
        let Self::OrnsteinUhlenbeck { rate } = self else { return Ok(()) };
        if !rate.is_finite() {
            let got = rate.to_string();
            return Err(Error::Parameter { name: "ou_rate", must: "finite", got });
        }
        match solver.solver() {
            Solver::Each(_) => Ok(()),
            Solver::Joint(_) => {
                let solvers = solvers::for_any_reference().into_iter().map(String::from).collect();
                Err(Error::ReferenceNotTaken { solvers })
            }
        }
    }

    /// Checks the rate against the lengths of the intervals: `|θΔt|` may be at most 10.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(crate) fn check_times(self, axis: &TimeAxis) -> Result<()> {
        let Self::OrnsteinUhlenbeck { rate } = self else { return Ok(()) };
        for pair in axis.levels.windows(2) {
            let length = pair[1].time - pair[0].time;
            if Clock::new(rate * length).is_err() {
                let must = "between -10 and 10 times one over the longest interval";
                let got = format!("{rate}, over an interval of {length}");
                return Err(Error::Parameter { name: "ou_rate", must, got });
            }
        }
        Ok(())
    }

    /// The solver of each interval of `series` for this process. `solver` finds bridges for Brownian
    /// motion; for an Ornstein-Uhlenbeck process it is wrapped in an [`OuSolver`].
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn solvers(
        self,
        solver: Arc<dyn BridgeSolver>,
        series: &TimeSeries,
        units: &Units,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Arc<dyn BridgeSolver>>> {
        let lengths = series.times().windows(2).map(|pair| pair[1] - pair[0]);
        let Self::OrnsteinUhlenbeck { rate } = self else {
            return Ok(lengths.map(|_| Arc::clone(&solver)).collect());
        };
        progress::note(progress, said(rate, units))?;
        let centre = mean(series) / units.scale;
        let of_interval = |length: f64| {
            let (inner, centre) = (Arc::clone(&solver), Choice::Is(centre.clone()));
            Arc::new(OuSolver { inner, pull: rate * length, centre }) as Arc<dyn BridgeSolver>
        };
        Ok(lengths.map(of_interval).collect())
    }
}

/// The note on an Ornstein-Uhlenbeck reference. For a positive rate it gives the stationary variance
/// `σ²/2θ` in units of the mean variance of a time.
fn said(rate: f64, units: &Units) -> String {
    let per = if units.time_unit.is_empty() { "unit of time" } else { &units.time_unit };
    let begin = format!("the reference pulls cells to the mean of all cells at {rate} per {per}");
    if rate > 0.0 {
        let settled = units.sigma2 / (2.0 * rate * units.scale * units.scale);
        return format!(
            "{begin}; its stationary variance is {settled:.3} times the mean variance within a time"
        );
    }
    begin
}

/// The mean of all cells, in data units; every cell counts once.
fn mean(series: &TimeSeries) -> Array1<f64> {
    let mut sum = Array1::zeros(series.dim());
    let mut n_cells = 0;
    for snapshot in series.snapshots() {
        sum += &snapshot.points().sum_axis(ndarray::Axis(0));
        n_cells += snapshot.n_cells();
    }
    sum / n_cells as f64
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{FlowSolver, SinkhornSolver};

    #[test]
    fn the_centre_counts_every_cell_once() {
        let points = array![[0.0, 1.0], [2.0, 1.0], [7.0, 4.0]];
        let series = TimeSeries::new(points.view(), &[0.0, 0.0, 3.0]).unwrap();
        assert_eq!(mean(&series), array![3.0, 2.0]);
    }

    #[test]
    fn refuses_solvers_of_the_whole_course_and_rates_that_are_no_number() {
        let ou = |rate| Reference::OrnsteinUhlenbeck { rate };
        let each = SolverChoice::of(SinkhornSolver::default());
        let joint = SolverChoice::of(FlowSolver::default());
        assert!(ou(0.3).check(&each).is_ok() && ou(-0.3).check(&each).is_ok());
        assert!(ou(f64::NAN).check(&each).is_err());
        let hint = ou(0.3).check(&joint).unwrap_err().hint().unwrap();
        assert!(
            hint.starts_with(
                "set the parameter `solver` to `lightsb`, `gaussian` or `sinkhorn`, or "
            ),
            "{hint}"
        );
        assert!(Reference::Brownian.check(&joint).is_ok());
    }
}
