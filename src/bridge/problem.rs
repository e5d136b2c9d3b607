//! What is to be bridged: two snapshots and ε; and local time.

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;

/// Two snapshots of the same dimension and the variance of the reference process between them.
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeProblem {
    source: Snapshot,
    target: Snapshot,
    epsilon: Epsilon,
}

impl BridgeProblem {
    /// A problem that is valid by construction.
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

    /// Variance of the reference process per unit of local time.
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.source.dim()
    }
}

/// Local time within an interval, from 0 (source) to 1 (target), both included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct UnitTime(f64);

impl UnitTime {
    /// The source.
    pub const START: Self = Self(0.0);
    /// The target.
    pub const END: Self = Self(1.0);

    /// Checks the range.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 ≤ `t` ≤ 1.
    pub fn new(t: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&t) {
            return Ok(Self(t));
        }
        Err(Error::Parameter { name: "local time", must: "between 0 and 1", got: t.to_string() })
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// The time from here to `to`, which must not be earlier.
    ///
    /// # Errors
    /// [`Error::Parameter`] if it is.
    pub fn until(self, to: Self) -> Result<f64> {
        if self <= to {
            return Ok(to.0 - self.0);
        }
        let got = format!("{} to {}", self.0, to.0);
        Err(Error::Parameter { name: "to", must: "not before `from`", got })
    }
}
