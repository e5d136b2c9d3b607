//! The process of a model: its bridges, its snapshots in their coordinates, and its growth.

use ndarray::{Array1, Array2, Axis};

use crate::bridge::{BridgeSeries, UnitTime};
use crate::data::{Snapshot, grown};
use crate::error::Result;
use crate::io::model::Model;
use crate::rng::Seed;

/// The bridges of a model in a row, with its snapshots and growth. Coordinates are those of the
/// bridges: data units divided by `scale`.
///
/// ```
/// use sbcell::Seed;
/// use sbcell::pipeline::{Process, example_model};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // days 0, 1 and 2, two components
/// let process = Process::restore(&model)?;
/// let drawn = process.sample_at(0.5, 100, Seed(0))?;
/// assert_eq!(drawn.dim(), (100, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Process {
    /// The bridges, addressed by times in the unit of the time column.
    pub series: BridgeSeries,
    /// One snapshot for each time: the observed cells with equal weights.
    pub snapshots: Vec<Snapshot>,
    /// For each interval the posterior growth rates of its source cells per unit of time. `None` without
    /// a growth prior or relaxed source marginal.
    pub growth: Vec<Option<Array1<f64>>>,
    /// For each interval the growth rates of its source cells per unit of time that only couplings use. `None`
    /// without them.
    pub coupling_growth: Vec<Option<Array1<f64>>>,
    /// Data units per unit of the bridges' coordinates.
    pub scale: f64,
}

impl Process {
    /// Restores the bridges of `model` from their records. Time `O(n d)` for n cells in d dimensions,
    /// and more for bridges that keep a coupling.
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
            .map(|(interval, ends)| {
                let record = interval.bridge.clone();
                let Some(growth) = &interval.growth else {
                    return record.restore(&ends[0], &ends[1]);
                };
                // The fit gave the source cells the weights of the growth prior.
                let prior = Array1::from(growth.prior.clone());
                let source = grown(&ends[0], prior.view(), interval.to - interval.from)?;
                record.restore(&source, &ends[1])
            })
            .collect::<Result<_>>()?;
        let rates = |growth: &crate::io::model::IntervalGrowth| growth.posterior.clone().into();
        let growth = model.intervals.iter().map(|i| i.growth.as_ref().map(rates)).collect();
        let coupling_growth =
            model.intervals.iter().map(|i| i.coupling_growth.clone().map(Array1::from)).collect();
        let series = BridgeSeries::new(times, bridges)?;
        Ok(Self { series, snapshots, growth, coupling_growth, scale })
    }

    /// The cells at the start of interval `interval`, with the weights of their descendants at `time`.
    ///
    /// The weights are `p_i exp(ρ_i g)`, scaled to sum to one. g is `time − start`, or the length of the
    /// interval for bridges with all growth at the start ([`crate::bridge::Bridge::growth_by`]). A draw
    /// of the population at `time` takes a source cell by this weight and carries it to `time`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if a rate is not finite.
    pub fn source(&self, interval: usize, time: f64) -> Result<Snapshot> {
        let observed = &self.snapshots[interval];
        match &self.growth[interval] {
            None => Ok(observed.clone()),
            Some(rates) => {
                let times = self.series.times();
                let length = times[interval + 1] - times[interval];
                let local = UnitTime::new(((time - times[interval]) / length).clamp(0.0, 1.0))?;
                let share = self.series.bridges()[interval].growth_by(local);
                grown(observed, rates.view(), length * share)
            }
        }
    }

    /// The cells at the start of interval `interval`, with the weights of their descendants at its end: the
    /// source of the coupling between the observed cells.
    ///
    /// As [`Process::source`] at the end of the interval. Where only couplings have growth, the weights are
    /// `p_i exp(ρ_i Δt)` with the rates [`Process::coupling_growth`].
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if a rate is not finite.
    pub fn coupling_source(&self, interval: usize) -> Result<Snapshot> {
        let times = self.series.times();
        let [from, to] = [times[interval], times[interval + 1]];
        match &self.coupling_growth[interval] {
            None => self.source(interval, to),
            Some(rates) => grown(&self.snapshots[interval], rates.view(), to - from),
        }
    }

    /// Whether the cells at the start of interval `interval` have different numbers of descendants at its
    /// end, in the coupling.
    pub fn has_growth(&self, interval: usize) -> bool {
        self.coupling_growth[interval].is_some() || self.growth[interval].is_some()
    }

    /// Draws `n` cells of the population at `time` (n × d), in coordinates of the bridges. At the time of
    /// a snapshot it draws observed cells.
    ///
    /// # Errors
    /// As [`BridgeSeries::sample_at`].
    pub fn sample_at(&self, time: f64, n: usize, seed: Seed) -> Result<Array2<f64>> {
        let (interval, local) = self.series.locate(time)?;
        if local == UnitTime::START || local == UnitTime::END || self.growth[interval].is_none() {
            return self.series.sample_at(time, &self.snapshots, n, seed);
        }
        let source = self.source(interval, time)?;
        let seed = seed.child("series", interval as u64);
        self.series.bridges()[interval].population(&source, local, n, seed)
    }
}
