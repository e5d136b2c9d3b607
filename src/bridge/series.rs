//! One bridge for each interval of a time course, addressed in the unit of the time column.

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::course::check_times;
use crate::bridge::{Bridge, BridgeRecord, UnitTime, draw_cells};
use crate::data::{Snapshot, TimePoint};
use crate::error::{Error, Result, shape};
use crate::rng::Seed;

/// Bridges between neighbouring times `t_0 < … < t_n`, addressed by real time.
///
/// Within the interval from `t_i` to `t_{i+1}` of length Δ, local time is `(t − t_i)/Δ`. Per unit
/// of real time the drift is therefore `b/Δ` and the variance of the reference process is `ε/Δ`.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeSeries, GaussianBridge, UnitTime};
/// use sbcell::Epsilon;
///
/// # fn main() -> sbcell::Result<()> {
/// let unit = array![[1.0]];
/// let bridge = |from: f64, to: f64| -> sbcell::Result<Box<dyn Bridge>> {
///     let (a, b) = (array![from], array![to]);
///     let epsilon = Epsilon::new(0.1)?;
///     let u = unit.view();
///     Ok(Box::new(GaussianBridge::between(a.view(), u, b.view(), u, epsilon)?))
/// };
/// // Days 2, 3 and 7.
/// let series = BridgeSeries::new(vec![2.0, 3.0, 7.0], vec![bridge(0.0, 1.0)?, bridge(1.0, -3.0)?])?;
/// assert_eq!(series.locate(5.0)?, (1, UnitTime::new(0.5)?));
/// // The mean moves by −4 in four days.
/// let drift = series.drift(array![[-1.0]].view(), 5.0)?;
/// assert!((drift[[0, 0]] + 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BridgeSeries {
    /// The times, one more than bridges.
    times: Vec<TimePoint>,
    /// The bridges, one for each interval.
    bridges: Vec<Box<dyn Bridge>>,
}

impl BridgeSeries {
    /// Creates a series in which bridge `i` leads from `times[i]` to `times[i + 1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one more time than bridges, or if the bridges differ in
    /// dimension; [`Error::Parameter`] if there is no bridge, or if the times are not finite and
    /// strictly increasing.
    pub fn new(times: Vec<TimePoint>, bridges: Vec<Box<dyn Bridge>>) -> Result<Self> {
        let Some(first) = bridges.first() else {
            let got = "none".into();
            return Err(Error::Parameter { name: "bridges", must: "at least one", got });
        };
        check_times("the series", &times, bridges.len())?;
        for other in &bridges {
            shape::same("a bridge of the series", "dimensions", first.dim(), other.dim())?;
        }
        Ok(Self { times, bridges })
    }

    /// The times, one more than bridges, strictly increasing.
    pub fn times(&self) -> &[TimePoint] {
        &self.times
    }

    /// The bridges, one for each interval.
    pub fn bridges(&self) -> &[Box<dyn Bridge>] {
        &self.bridges
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.bridges[0].dim()
    }

    /// The bridges as plain numbers. Together with [`BridgeSeries::times`] and the snapshots they
    /// restore the series.
    pub fn records(&self) -> Vec<BridgeRecord> {
        self.bridges.iter().map(|bridge| bridge.record()).collect()
    }

    /// The number of the interval that contains `time`, and the local time within it.
    ///
    /// A time between two intervals is the start of the later one. The last time is the end of the
    /// last interval. Takes `O(log n)` time for n intervals.
    ///
    /// # Errors
    /// [`Error::OutsideTimes`] if `time` is before the first or after the last time.
    pub fn locate(&self, time: TimePoint) -> Result<(usize, UnitTime)> {
        let (first, last) = (self.times[0], self.times[self.bridges.len()]);
        if !(first..=last).contains(&time) {
            return Err(Error::OutsideTimes { time, first, last });
        }
        let passed = self.times.partition_point(|&start| start <= time);
        let interval = passed.clamp(1, self.bridges.len()) - 1;
        let local = (time - self.times[interval]) / self.length(interval);
        Ok((interval, UnitTime::new(local.min(1.0))?))
    }

    /// The drift at each row of `x` (n × d), per unit of real time; same shape.
    ///
    /// # Errors
    /// As [`BridgeSeries::locate`] and [`Bridge::drift`].
    pub fn drift(&self, x: ArrayView2<'_, f64>, time: TimePoint) -> Result<Array2<f64>> {
        let (interval, local) = self.locate(time)?;
        Ok(self.bridges[interval].drift(x, local)? / self.length(interval))
    }

    /// The Jacobian of the drift, averaged over the rows of `x` (n × d), per unit of real time; d ×
    /// d.
    ///
    /// # Errors
    /// As [`BridgeSeries::locate`] and [`Bridge::mean_jacobian`].
    pub fn mean_jacobian(&self, x: ArrayView2<'_, f64>, time: TimePoint) -> Result<Array2<f64>> {
        let (interval, local) = self.locate(time)?;
        Ok(self.bridges[interval].mean_jacobian(x, local)? / self.length(interval))
    }

    /// Draws `n` cells at `time`; n × d.
    ///
    /// `snapshots` are the snapshots to which the bridges were fitted, one for each time. The
    /// method draws cells of the snapshot before `time` in proportion to their weights and carries
    /// them to `time` with [`Bridge::population`]. At an observed time it returns observed cells.
    ///
    /// # Errors
    /// As [`BridgeSeries::locate`]; [`Error::Shape`] unless there is one snapshot for each time, of
    /// the dimension of the bridges.
    pub fn sample_at(
        &self,
        time: TimePoint,
        snapshots: &[Snapshot],
        n: usize,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let (interval, local) = self.locate(time)?;
        shape::same("the time course", "snapshots", self.times.len(), snapshots.len())?;
        let start = match local {
            UnitTime::END => interval + 1,
            _ => interval,
        };
        let source = &snapshots[start];
        shape::same("a snapshot", "dimensions", self.dim(), source.dim())?;
        let seed = seed.child("series", start as u64);
        if local == UnitTime::START || local == UnitTime::END {
            let rows = draw_cells(source.marginal(), n, seed);
            return Ok(source.points().select(Axis(0), &rows));
        }
        self.bridges[interval].population(source, local, n, seed)
    }

    /// Length of an interval in real time.
    fn length(&self, interval: usize) -> f64 {
        self.times[interval + 1] - self.times[interval]
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::bridge::LightSbBridge;
    use crate::geometry::Epsilon;

    fn bridge(from: f64, to: f64) -> Box<dyn Bridge> {
        let (var, epsilon) = (array![1.0], Epsilon::new(0.3).unwrap());
        let (from, to) = (array![from], array![to]);
        let (from, to, var) = (from.view(), to.view(), var.view());
        Box::new(LightSbBridge::from_gaussians(from, var, to, var, epsilon).unwrap())
    }

    fn series() -> BridgeSeries {
        BridgeSeries::new(vec![2.0, 3.0, 7.0], vec![bridge(0.0, 1.0), bridge(1.0, -3.0)]).unwrap()
    }

    fn snapshots() -> Vec<Snapshot> {
        let cells = |mean: f64| {
            let quantiles = (0..101).map(|i| mean + (f64::from(i) - 50.0) * 0.03);
            Snapshot::new(Array1::from_iter(quantiles).insert_axis(Axis(1))).unwrap()
        };
        vec![cells(0.0), cells(1.0), cells(-3.0)]
    }

    #[test]
    fn locates_times_and_refuses_others() {
        let series = series();
        let located = |time| series.locate(time).map(|(i, t)| (i, t.value())).unwrap();
        assert_eq!(located(2.0), (0, 0.0));
        assert_eq!(located(2.5), (0, 0.5));
        assert_eq!(located(3.0), (1, 0.0));
        assert_eq!(located(6.0), (1, 0.75));
        assert_eq!(located(7.0), (1, 1.0));
        for outside in [1.9, 7.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(series.locate(outside), Err(Error::OutsideTimes { .. })));
        }
    }

    #[test]
    fn drift_and_jacobian_are_per_unit_of_real_time() {
        let (series, x) = (series(), array![[0.4], [2.0]]);
        let half = UnitTime::new(0.5).unwrap();
        let local = series.bridges()[1].drift(x.view(), half).unwrap();
        assert_eq!(series.drift(x.view(), 5.0).unwrap(), local / 4.0);
        let local = series.bridges()[1].mean_jacobian(x.view(), half).unwrap();
        assert_eq!(series.mean_jacobian(x.view(), 5.0).unwrap(), local / 4.0);
        // Cells at the mean move with the means: by −4 in 4 units of time.
        let at_mean = series.drift(array![[-1.0]].view(), 5.0).unwrap()[[0, 0]];
        assert!((at_mean + 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_observed_time_gives_the_cells_themselves_and_others_the_exact_law() {
        let (series, snapshots) = (series(), snapshots());
        for (time, snapshot) in series.times().iter().zip(&snapshots) {
            let cells = series.sample_at(*time, &snapshots, 101, Seed(1)).unwrap();
            assert_eq!(cells, snapshot.points());
        }
        let cells = series.sample_at(5.0, &snapshots, 20_000, Seed(1)).unwrap();
        assert_eq!(cells.dim(), (20_000, 1));
        // Mean ½(1 − 3) with five standard errors; even sources make it better than that.
        assert!((cells.mean().unwrap() + 1.0).abs() < 5.0 / 20_000_f64.sqrt());
        assert!(series.sample_at(5.0, &snapshots[1..], 5, Seed(1)).is_err());
    }

    #[test]
    fn refuses_bridges_that_do_not_fit_together() {
        let two = || vec![bridge(0.0, 1.0), bridge(1.0, 0.0)];
        assert!(BridgeSeries::new(vec![0.0, 1.0], two()).is_err());
        assert!(BridgeSeries::new(vec![0.0, 1.0, 1.0], two()).is_err());
        assert!(BridgeSeries::new(vec![0.0, f64::NAN, 1.0], two()).is_err());
        assert!(BridgeSeries::new(vec![0.0], Vec::new()).is_err());
    }
}
