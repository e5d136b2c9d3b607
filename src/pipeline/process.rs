//! A model brought to life: its bridges, and its snapshots in their coordinates.

use ndarray::Axis;

use crate::bridge::BridgeSeries;
use crate::data::Snapshot;
use crate::error::Result;
use crate::io::model::Model;

/// The chained bridges of a model. Coordinates here are those of the bridges: data units
/// divided by `scale`.
#[derive(Debug)]
pub struct Process {
    /// The bridges, addressed in the unit of the time column.
    pub series: BridgeSeries,
    /// One snapshot for each time.
    pub snapshots: Vec<Snapshot>,
    /// Data units per unit of the bridges' coordinates.
    pub scale: f64,
}

impl Process {
    /// Brings the bridges of `model` to life.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] or [`crate::Error::Shape`] if its numbers contradict each
    /// other.
    pub fn restore(model: &Model) -> Result<Self> {
        let times: Vec<f64> = model.header.snapshots.iter().map(|snapshot| snapshot.time).collect();
        let scale = model.header.scale;
        let snapshots: Vec<Snapshot> = times
            .iter()
            .map(|time| {
                let rows: Vec<usize> = (0..model.cell_times.len())
                    .filter(|&cell| model.cell_times[cell].total_cmp(time).is_eq())
                    .collect();
                Snapshot::new(model.points.select(Axis(0), &rows) / scale)
            })
            .collect::<Result<_>>()?;
        let bridges = model
            .intervals
            .iter()
            .zip(snapshots.windows(2))
            .map(|(interval, ends)| interval.bridge.clone().restore(&ends[0], &ends[1]))
            .collect::<Result<_>>()?;
        Ok(Self { series: BridgeSeries::new(times, bridges)?, snapshots, scale })
    }
}
