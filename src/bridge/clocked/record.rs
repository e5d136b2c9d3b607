//! A bridge on the clocks of its cells as plain numbers: the clock and the inner bridge.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, BridgeRecord, CellClock, ClockedBridge, Pace};
use crate::data::Snapshot;
use crate::error::{Error, Result};

/// The numbers of a [`ClockedBridge`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockedRecord {
    /// Asynchrony κ ≥ 0; nothing for cells that move in step.
    pub asynchrony: Option<f64>,
    /// Speeds at the start and at the end of the interval, > 0.
    pub speeds: [f64; 2],
    /// Displacement of the population's mean, d numbers, if clocks act on distances from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displacement: Option<Vec<f64>>,
    /// The bridge on its own clock.
    pub inner: Box<BridgeRecord>,
}

impl ClockedRecord {
    /// The clock of these numbers.
    ///
    /// # Errors
    /// [`Error::Parameter`] if one of them is out of its range.
    pub fn clock(&self) -> Result<CellClock> {
        let [start, end] = self.speeds;
        CellClock::new(self.asynchrony.unwrap_or(f64::INFINITY), Pace::new(start, end)?)
    }
}

impl Recorded for ClockedRecord {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        if matches!(*self.inner, BridgeRecord::Clocked(_)) {
            let (name, must) = ("the bridge of a clock", "a bridge without a clock");
            return Err(Error::Parameter { name, must, got: "another clock".into() });
        }
        let clock = self.clock()?;
        let bridge = ClockedBridge::new(self.inner.restore(source, target)?.into(), clock);
        Ok(Box::new(bridge.about_the_mean(self.displacement.map(Array1::from))?))
    }
}
