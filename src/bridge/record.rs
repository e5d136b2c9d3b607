//! A bridge as plain numbers: the schema of model files.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::bridge::{
    Bridge, EndsRecord, FlowRecord, GaussianRecord, LightSbRecord, OuRecord, PlanRecord,
    SinkhornRecord,
};
use crate::data::Snapshot;
use crate::error::{Error, Result};

/// The numbers of a kind of bridge, said in the folder of the bridge.
pub(super) trait Recorded {
    /// Number of dimensions.
    fn dim(&self) -> usize;

    /// As [`BridgeRecord::restore`], between snapshots of this dimension.
    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>>;
}

/// One line for each kind of bridge.
macro_rules! records {
    ($($(#[$about:meta])* $kind:ident($record:ident),)+) => {
        /// Everything that is needed to restore a bridge, bit for bit, from a file.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum BridgeRecord {
            $($(#[$about])* $kind($record),)+
        }

        impl BridgeRecord {
            fn dim(&self) -> usize {
                match self {
                    $(Self::$kind(record) => Recorded::dim(record),)+
                }
            }

            fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
                match self {
                    $(Self::$kind(record) => record.revived(source, target),)+
                }
            }
        }
    };
}

records! {
    /// A [`crate::bridge::GaussianBridge`].
    Gaussian(GaussianRecord),
    /// A [`crate::bridge::LightSbBridge`].
    #[serde(rename = "lightsb")]
    LightSb(LightSbRecord),
    /// A [`crate::bridge::FlowBridge`]; its networks are in a file of their own.
    Flow(FlowRecord),
    /// A [`crate::bridge::SinkhornBridge`].
    Sinkhorn(SinkhornRecord),
    /// A [`crate::bridge::PlanBridge`].
    Plan(PlanRecord),
    /// A [`crate::bridge::EndsBridge`].
    Ends(EndsRecord),
    /// A [`crate::bridge::OuBridge`].
    OrnsteinUhlenbeck(OuRecord),
}

impl BridgeRecord {
    /// The bridge these numbers belong to. `source` and `target` are the snapshots of its problem:
    /// records hold nothing that can be had from them.
    ///
    /// # Errors
    /// [`Error::Shape`] if lengths contradict each other or the snapshots; [`Error::Parameter`]
    /// if a number is out of its range.
    pub fn restore(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        let dim = self.dim();
        for snapshot in [source, target].map(Snapshot::dim) {
            if snapshot != dim {
                let (what, unit) = ("a snapshot of the bridge", "dimensions");
                return Err(Error::Shape { what, unit, expected: dim, got: snapshot });
            }
        }
        self.revived(source, target)
    }
}

/// Rows of equal length as an array.
pub(super) fn table(
    what: &'static str,
    rows: &[Vec<f64>],
    n_columns: usize,
) -> Result<Array2<f64>> {
    if let Some(row) = rows.iter().find(|row| row.len() != n_columns) {
        return Err(Error::Shape { what, unit: "columns", expected: n_columns, got: row.len() });
    }
    Ok(Array2::from_shape_fn((rows.len(), n_columns), |(k, d)| rows[k][d]))
}
