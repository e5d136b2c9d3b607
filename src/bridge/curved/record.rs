//! A bridge along the curve of its course as plain numbers: the curve and the inner bridge.

use serde::{Deserialize, Serialize};

use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, BridgeRecord, Curve, CurvedBridge};
use crate::data::Snapshot;
use crate::error::{Error, Result};

/// The numbers of a [`CurvedBridge`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvedRecord {
    /// Derivative of the displacement at the start, d numbers.
    pub leave: Vec<f64>,
    /// Derivative of the displacement at the end.
    pub arrive: Vec<f64>,
    /// The bridge along the straight line.
    pub inner: Box<BridgeRecord>,
}

impl Recorded for CurvedRecord {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        if matches!(*self.inner, BridgeRecord::Clocked(_) | BridgeRecord::Curved(_)) {
            let (name, must) = ("the bridge of a curve", "a bridge without clock and curve");
            return Err(Error::Parameter { name, must, got: "another".into() });
        }
        let curve = Curve::new(self.leave.into(), self.arrive.into())?;
        Ok(Box::new(CurvedBridge::new(self.inner.restore(source, target)?.into(), curve)?))
    }
}
