//! The problem of one interval (two snapshots and ε), and local time.

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;

/// The bridge problem of one interval: two snapshots of the same dimension and the variance ε of
/// the reference process between them.
///
/// The problem is to find, among all processes with the two snapshots as marginals at local time 0
/// and 1, the process with the smallest KL divergence to `dX = √ε dW`. A clone shares the cells.
///
/// ```
/// use ndarray::array;
/// use sbcell::Epsilon;
/// use sbcell::bridge::BridgeProblem;
/// use sbcell::data::Snapshot;
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0, 1.0], [2.0, 3.0]])?;
/// let target = Snapshot::weighted(array![[5.0, 5.0], [6.0, 6.0]], array![1.0, 3.0])?;
/// let problem = BridgeProblem::new(source, target, Epsilon::new(0.1)?)?;
/// assert_eq!(problem.dim(), 2);
/// let flat = Snapshot::new(array![[1.0]])?;
/// assert!(BridgeProblem::new(problem.source().clone(), flat, problem.epsilon()).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeProblem {
    /// The snapshot at local time 0.
    source: Snapshot,
    /// The snapshot at local time 1.
    target: Snapshot,
    /// Variance of the reference process.
    epsilon: Epsilon,
}

impl BridgeProblem {
    /// Creates a problem. It is valid by construction.
    ///
    /// # Errors
    /// [`Error::Shape`] if the snapshots differ in dimension.
    pub fn new(source: Snapshot, target: Snapshot, epsilon: Epsilon) -> Result<Self> {
        if source.dim() == target.dim() {
            return Ok(Self { source, target, epsilon });
        }
        Err(Error::Shape {
            what: "the target snapshot",
            unit: "dimensions",
            expected: source.dim(),
            got: target.dim(),
        })
    }

    /// The snapshot at local time 0.
    pub fn source(&self) -> &Snapshot {
        &self.source
    }

    /// The snapshot at local time 1.
    pub fn target(&self) -> &Snapshot {
        &self.target
    }

    /// Variance ε of the reference process per unit of local time.
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.source.dim()
    }
}

/// Local time within an interval, from 0 (source) to 1 (target), both included.
///
/// ```
/// use sbcell::bridge::UnitTime;
///
/// # fn main() -> sbcell::Result<()> {
/// let quarter = UnitTime::new(0.25)?;
/// assert!((quarter.until(UnitTime::END)? - 0.75).abs() < 1e-12);
/// assert!(UnitTime::new(1.5).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct UnitTime(f64);

impl UnitTime {
    /// Local time 0, at the source.
    pub const START: Self = Self(0.0);
    /// Local time 1, at the target.
    pub const END: Self = Self(1.0);

    /// Creates a local time.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 ≤ `t` ≤ 1.
    pub fn new(t: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&t) {
            return Ok(Self(t));
        }
        Err(Error::Parameter { name: "local time", must: "between 0 and 1", got: t.to_string() })
    }

    /// The time as a number between 0 and 1.
    pub fn value(self) -> f64 {
        self.0
    }

    /// The length of time from here to `to`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `to` is earlier.
    pub fn until(self, to: Self) -> Result<f64> {
        if self <= to {
            return Ok(to.0 - self.0);
        }
        let got = format!("{} to {}", self.0, to.0);
        Err(Error::Parameter { name: "to", must: "not before `from`", got })
    }
}
