//! A model brought to life: its bridges, snapshots in their coordinates, and real time.

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::{Bridge, UnitTime};
use crate::error::{Error, Result};
use crate::io::model::Model;

/// The chained bridges of a model. Coordinates here are those of the bridges: data units
/// divided by [`Process::scale`].
#[derive(Debug)]
pub struct Process {
    times: Vec<f64>,
    snapshots: Vec<Array2<f64>>,
    bridges: Vec<Box<dyn Bridge>>,
    scale: f64,
}

impl Process {
    /// Brings the bridges of `model` to life.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the numbers of a bridge are not one.
    pub fn restore(model: &Model) -> Result<Self> {
        let times: Vec<f64> = model.header.snapshots.iter().map(|snapshot| snapshot.time).collect();
        let scale = model.header.scale;
        let snapshots = times
            .iter()
            .map(|time| {
                let rows: Vec<usize> = (0..model.cell_times.len())
                    .filter(|&cell| model.cell_times[cell].total_cmp(time).is_eq())
                    .collect();
                model.points.select(Axis(0), &rows) / scale
            })
            .collect();
        let bridges = model
            .intervals
            .iter()
            .map(|interval| interval.bridge.clone().restore())
            .collect::<Result<_>>()?;
        Ok(Self { times, snapshots, bridges, scale })
    }

    /// Data units per unit of the bridges' coordinates.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Number of intervals.
    pub fn n_intervals(&self) -> usize {
        self.bridges.len()
    }

    /// The times of the snapshots.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The bridge of interval `k`.
    pub fn bridge(&self, k: usize) -> &dyn Bridge {
        &*self.bridges[k]
    }

    /// The cells of snapshot `k`, `(n_cells, dim)`, in the bridges' coordinates.
    pub fn snapshot(&self, k: usize) -> ArrayView2<'_, f64> {
        self.snapshots[k].view()
    }

    /// The middle of every interval.
    pub fn middles(&self) -> Vec<f64> {
        self.times.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect()
    }

    /// The interval that holds `time`, and local time within it. A time between two intervals
    /// is the start of the later one.
    ///
    /// # Errors
    /// [`Error::OutsideTimes`] if `time` is before the first snapshot or after the last.
    pub fn locate(&self, time: f64) -> Result<(usize, UnitTime)> {
        let (first, last) = (self.times[0], self.times[self.times.len() - 1]);
        if !(first <= time && time <= last) {
            return Err(Error::OutsideTimes { time, first, last });
        }
        let after = self.times.partition_point(|&start| start <= time);
        let k = (after - 1).min(self.bridges.len() - 1);
        let local = (time - self.times[k]) / (self.times[k + 1] - self.times[k]);
        Ok((k, UnitTime::new(local.clamp(0.0, 1.0))?))
    }
}
