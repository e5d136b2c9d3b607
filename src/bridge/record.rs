//! A bridge as plain numbers: the schema of model files.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::bridge::{
    Bridge, ClockedRecord, CurvedRecord, EndsRecord, FlowRecord, GaussianRecord, LightSbRecord,
    OuRecord, PlanRecord, SinkhornRecord,
};
use crate::data::Snapshot;
use crate::error::{Error, Result};

/// The numbers of one kind of bridge. Each bridge implements this trait in its own folder.
pub(super) trait Recorded {
    /// Number of dimensions.
    fn dim(&self) -> usize;

    /// The bridge of these numbers, as [`BridgeRecord::restore`]. The dimension of both snapshots
    /// is already checked.
    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>>;
}

/// Defines the variants of [`BridgeRecord`], one line for each kind of bridge.
macro_rules! records {
    ($($(#[$about:meta])* $kind:ident($record:ident),)+) => {
        /// The numbers of a bridge, from which [`BridgeRecord::restore`] makes it again, bit for bit.
        ///
        /// This enum is the schema of model files: JSON with one key, the kind of the bridge.
        /// Coordinates of cells are not repeated here; they come from the snapshots.
        ///
        /// ```
        /// use ndarray::array;
        /// use sbcell::bridge::{Bridge, BridgeProblem, BridgeRecord, BridgeSolver, GaussianSolver};
        /// use sbcell::data::Snapshot;
        /// use sbcell::{Epsilon, Seed, Silent};
        ///
        /// # fn main() -> sbcell::Result<()> {
        /// let (x, y) = (Snapshot::new(array![[0.0], [1.0]])?, Snapshot::new(array![[3.0], [5.0]])?);
        /// let problem = BridgeProblem::new(x.clone(), y.clone(), Epsilon::new(0.1)?)?;
        /// let (bridge, _) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
        /// let text = serde_json::to_string(&bridge.record()).unwrap();
        /// let record: BridgeRecord = serde_json::from_str(&text).unwrap();
        /// assert_eq!(record.restore(&x, &y)?.record(), bridge.record());
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum BridgeRecord {
            $($(#[$about])* $kind($record),)+
        }

        impl BridgeRecord {
            /// Number of dimensions.
            pub(super) fn dim(&self) -> usize {
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
    /// A [`crate::bridge::FlowBridge`] without its networks, which are in a separate file.
    Flow(FlowRecord),
    /// A [`crate::bridge::SinkhornBridge`].
    Sinkhorn(SinkhornRecord),
    /// A [`crate::bridge::PlanBridge`].
    Plan(PlanRecord),
    /// A [`crate::bridge::EndsBridge`].
    Ends(EndsRecord),
    /// A [`crate::bridge::OuBridge`].
    OrnsteinUhlenbeck(OuRecord),
    /// A [`crate::bridge::ClockedBridge`].
    Clocked(ClockedRecord),
    /// A [`crate::bridge::CurvedBridge`].
    Curved(CurvedRecord),
}

impl BridgeRecord {
    /// The record of networks, also of a bridge on the clocks of its cells.
    pub(crate) fn flow(&self) -> Option<&FlowRecord> {
        match self {
            Self::Flow(record) => Some(record),
            Self::Clocked(record) => record.inner.flow(),
            Self::Curved(record) => record.inner.flow(),
            _ => None,
        }
    }

    /// As [`BridgeRecord::flow`], to attach networks.
    pub(crate) fn flow_mut(&mut self) -> Option<&mut FlowRecord> {
        match self {
            Self::Flow(record) => Some(record),
            Self::Clocked(record) => record.inner.flow_mut(),
            Self::Curved(record) => record.inner.flow_mut(),
            _ => None,
        }
    }

    /// The bridge of these numbers. `source` and `target` are the snapshots of its problem: a
    /// record contains nothing that the snapshots already contain.
    ///
    /// # Errors
    /// [`Error::Shape`] if lengths contradict each other or the snapshots; [`Error::Parameter`] if
    /// a number is out of its range.
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

/// Rows of equal length as an array, (number of rows) × `n_columns`; `what` names the table in
/// errors.
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
