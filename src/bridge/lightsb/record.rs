//! A LightSB bridge as plain numbers: its mixture.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::bridge::record::{Recorded, table};
use crate::bridge::{Bridge, Covariance, LightSbBridge, Mixture};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;

/// The numbers of a [`LightSbBridge`]; see [`Mixture`] for their meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightSbRecord {
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// The kind of the matrices `S_k`; diagonal if a file does not say.
    #[serde(default)]
    pub covariance: Covariance,
    /// Mean of the source snapshot, d numbers.
    pub source_mean: Vec<f64>,
    /// Mean of the target snapshot, d numbers.
    pub target_mean: Vec<f64>,
    /// `ln α_k`.
    pub log_alpha: Vec<f64>,
    /// `r_k`, one row for each Gaussian.
    pub r: Vec<Vec<f64>>,
    /// The entries of `S_k`, one row for each Gaussian.
    pub s: Vec<Vec<f64>>,
}

impl LightSbRecord {
    /// The bridge of these numbers.
    ///
    /// # Errors
    /// As [`crate::bridge::BridgeRecord::restore`].
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

impl Recorded for LightSbRecord {
    fn dim(&self) -> usize {
        self.source_mean.len()
    }

    fn revived(self, _: &Snapshot, _: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore()?))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::bridge::BridgeRecord;

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
