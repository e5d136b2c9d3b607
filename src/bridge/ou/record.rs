//! A bridge for an Ornstein-Uhlenbeck reference as plain numbers: its coordinates and its inner bridge.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::bridge::ou::process::{OuBridge, Place};
use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, BridgeRecord, UnitTime};
use crate::data::Snapshot;
use crate::error::Result;

/// The numbers of an [`OuBridge`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OuRecord {
    /// The pull b per unit of local time.
    pub pull: f64,
    /// The centre m, d numbers.
    pub centre: Vec<f64>,
    /// The bridge of the cells in the transformed coordinates.
    pub inner: Box<BridgeRecord>,
}

impl OuRecord {
    /// The bridge of these numbers between the snapshots of its problem.
    ///
    /// # Errors
    /// As [`BridgeRecord::restore`].
    pub fn restore(self, source: &Snapshot, target: &Snapshot) -> Result<OuBridge> {
        let Self { pull, centre, inner } = self;
        let place = Place::new(pull, Array1::from(centre), source.dim())?;
        let source = place.snapshot(source, UnitTime::START)?;
        let target = place.snapshot(target, UnitTime::END)?;
        Ok(OuBridge::new(inner.restore(&source, &target)?, place))
    }
}

impl Recorded for OuRecord {
    fn dim(&self) -> usize {
        self.centre.len()
    }

    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore(source, target)?))
    }
}
