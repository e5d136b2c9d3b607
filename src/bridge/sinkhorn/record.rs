//! A Sinkhorn bridge as plain numbers: its potentials.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::bridge::SinkhornBridge;
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;

/// The numbers of a [`SinkhornBridge`]; see [`SinkhornBridge::new`] for their meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkhornRecord {
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// Number of dimensions.
    pub dim: usize,
    /// λ of the source marginal, if it was relaxed.
    pub source_relaxation: Option<f64>,
    /// λ of the target marginal, if it was relaxed.
    pub target_relaxation: Option<f64>,
    /// f, one number for each source cell.
    pub source_potential: Vec<f64>,
    /// g, one number for each target cell.
    pub target_potential: Vec<f64>,
}

impl SinkhornRecord {
    /// The bridge of these numbers between `source` and `target`.
    ///
    /// # Errors
    /// As [`SinkhornBridge::new`]; [`crate::Error::Parameter`] if the potentials are not those of a
    /// coupling.
    pub fn restore(self, source: &Snapshot, target: &Snapshot) -> Result<SinkhornBridge> {
        let Self {
            epsilon,
            dim: _,
            source_relaxation,
            target_relaxation,
            source_potential,
            target_potential,
        } = self;
        let bridge = SinkhornBridge::new(
            source,
            target,
            Epsilon::new(epsilon)?,
            Array1::from(source_potential),
            Array1::from(target_potential),
            source_relaxation,
            target_relaxation,
        )?;
        bridge.check_masses()?;
        Ok(bridge)
    }
}
