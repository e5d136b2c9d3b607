//! A bridge as plain numbers: the schema of model files.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::bridge::{
    Bridge, Covariance, EndsRecord, FlowRecord, GaussianRecord, LightSbBridge, Mixture, OuRecord,
    PlanRecord, SinkhornRecord,
};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;

/// Everything that is needed to restore a bridge, bit for bit, from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeRecord {
    /// A [`crate::bridge::GaussianBridge`].
    Gaussian(GaussianRecord),
    /// A [`LightSbBridge`].
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

/// The numbers of a [`LightSbBridge`]; see [`Mixture`] for their meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightSbRecord {
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// Which matrices the `S_k` are; diagonal where a file does not say.
    #[serde(default)]
    pub covariance: Covariance,
    /// Mean of the source snapshot, `dim` numbers.
    pub source_mean: Vec<f64>,
    /// Mean of the target snapshot, `dim` numbers.
    pub target_mean: Vec<f64>,
    /// `ln α_k`.
    pub log_alpha: Vec<f64>,
    /// `r_k`, one row for each Gaussian.
    pub r: Vec<Vec<f64>>,
    /// The entries of `S_k`, one row for each Gaussian.
    pub s: Vec<Vec<f64>>,
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
        match self {
            Self::Gaussian(record) => Ok(Box::new(record.restore()?)),
            Self::LightSb(record) => Ok(Box::new(record.restore()?)),
            Self::Flow(record) => Ok(Box::new(record.restore()?)),
            Self::Sinkhorn(record) => Ok(Box::new(record.restore(source, target)?)),
            Self::Plan(record) => Ok(Box::new(record.restore(source, target)?)),
            Self::Ends(record) => Ok(Box::new(record.restore(source, target)?)),
            Self::OrnsteinUhlenbeck(record) => Ok(Box::new(record.restore(source, target)?)),
        }
    }
}

impl BridgeRecord {
    fn dim(&self) -> usize {
        match self {
            Self::Gaussian(record) => record.source_mean.len(),
            Self::LightSb(record) => record.source_mean.len(),
            Self::Flow(record) => record.affine.source_mean.len(),
            Self::Sinkhorn(record) => record.dim,
            Self::Plan(record) => record.dim,
            Self::Ends(record) => record.dim,
            Self::OrnsteinUhlenbeck(record) => record.centre.len(),
        }
    }
}

impl LightSbRecord {
    /// The bridge these numbers belong to.
    ///
    /// # Errors
    /// As [`BridgeRecord::restore`].
    pub fn restore(self) -> Result<LightSbBridge> {
        let Self { epsilon, covariance, source_mean, target_mean, log_alpha, r, s } = self;
        let dim = source_mean.len();
        let mixture = Mixture {
            covariance,
            log_alpha: Array1::from(log_alpha),
            r: table("r", &r, dim)?,
            s: table("s", &s, covariance.n_entries(dim))?,
        };
        let (source_mean, target_mean) = (Array1::from(source_mean), Array1::from(target_mean));
        LightSbBridge::new(mixture, source_mean, target_mean, Epsilon::new(epsilon)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LightSbRecord {
        LightSbRecord {
            epsilon: 0.1,
            covariance: Covariance::Diagonal,
            source_mean: vec![0.0, 1.0],
            target_mean: vec![0.0, 2.0],
            log_alpha: vec![0.1, -0.7],
            r: vec![vec![0.0, 1.0], vec![2.0, 3.0]],
            s: vec![vec![0.5, 1.0], vec![2.0, 1.0 / 3.0]],
        }
    }

    #[test]
    fn restores_what_was_recorded_whatever_the_scale_of_alpha() {
        let once = record().restore().unwrap().record();
        let cells = Snapshot::new(Array2::zeros((1, 2))).unwrap();
        let again = once.clone().restore(&cells, &cells).unwrap().record();
        assert_eq!(once, again);
        let wide = Snapshot::new(Array2::zeros((1, 3))).unwrap();
        assert!(once.restore(&cells, &wide).is_err());
    }

    #[test]
    fn refuses_numbers_that_cannot_be_a_bridge() {
        let bad = [
            LightSbRecord { epsilon: 0.0, ..record() },
            LightSbRecord { source_mean: vec![0.0], ..record() },
            LightSbRecord { source_mean: vec![0.0, f64::NAN], ..record() },
            LightSbRecord { target_mean: vec![0.0], ..record() },
            LightSbRecord { log_alpha: vec![0.0], ..record() },
            LightSbRecord { log_alpha: vec![0.0, f64::INFINITY], ..record() },
            LightSbRecord { r: vec![vec![0.0, 1.0], vec![2.0]], ..record() },
            LightSbRecord { s: vec![vec![0.5, 1.0]], ..record() },
            LightSbRecord { s: vec![vec![0.5, 1.0], vec![0.0, 1.0]], ..record() },
            LightSbRecord { log_alpha: vec![], r: vec![], s: vec![], ..record() },
        ];
        for record in bad {
            assert!(record.clone().restore().is_err(), "{record:?}");
        }
    }

    #[test]
    fn the_file_names_the_kind_of_bridge_and_refuses_unknown_fields() {
        let text = serde_json::to_string(&BridgeRecord::LightSb(record())).unwrap();
        assert!(text.starts_with(r#"{"lightsb":{"epsilon":0.1,"#), "{text}");
        let more = text.replace("\"r\":", "\"q\":1,\"r\":");
        assert!(serde_json::from_str::<BridgeRecord>(&more).is_err());
    }
}
