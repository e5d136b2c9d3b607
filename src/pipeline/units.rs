//! The scale of coordinates, and the noise of the reference process in it.

use ndarray::Array2;

use crate::data::TimeSeries;
use crate::data::time::TimeUnit;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::pipeline::config::Noise;

/// What turns data units into those of the bridges (`docs/decisions/0001`).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Units {
    /// Data units per unit of the bridges' coordinates.
    pub(super) scale: f64,
    /// Variance of the reference process per unit of time, in data units.
    pub(super) sigma2: f64,
    /// ε of the median interval.
    pub(super) epsilon: f64,
    /// Unit of the times, empty if unknown.
    pub(super) time_unit: String,
}

impl Units {
    /// For the times of `series`, on a scale taken from `points` (data units).
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if ε is out of range; said before the first bridge.
    pub(super) fn of(
        series: &TimeSeries,
        points: &Array2<f64>,
        noise: Noise,
        unit: TimeUnit,
    ) -> Result<Self> {
        let scale = scale(points);
        let median = median_interval(series.times());
        let sigma2 = noise.sigma2(scale, median);
        let epsilon = Epsilon::new(sigma2 * median / (scale * scale))?.value();
        Ok(Self { scale, sigma2, epsilon, time_unit: unit.to_string() })
    }

    /// ε of an interval of this length.
    pub(super) fn epsilon_of(&self, length: f64) -> Result<Epsilon> {
        Epsilon::new(self.sigma2 * length / (self.scale * self.scale))
    }
}

/// The one number all coordinates are divided by: the mean over dimensions of the standard
/// deviation over all cells (LightSB's convention); 1 if nothing varies.
fn scale(points: &Array2<f64>) -> f64 {
    let scale = points.std_axis(ndarray::Axis(0), 0.0).mean().unwrap_or(0.0);
    if 0.0 < scale { scale } else { 1.0 }
}

fn median_interval(times: &[f64]) -> f64 {
    let mut lengths: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    lengths.sort_by(f64::total_cmp);
    let middle = lengths.len() / 2;
    if lengths.len() % 2 == 1 {
        lengths[middle]
    } else {
        f64::midpoint(lengths[middle - 1], lengths[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_interval_of_an_even_number_is_between_the_middle_two() {
        assert!((median_interval(&[0., 6., 12., 24., 36.]) - 9.0).abs() < 1e-12);
        assert!((median_interval(&[2., 3., 4., 7.]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_scale_is_the_mean_standard_deviation() {
        let points = ndarray::array![[1., 0.], [3., 4.]];
        assert!((scale(&points) - 1.5).abs() < 1e-12);
        assert!((scale(&ndarray::array![[1.], [1.]]) - 1.0).abs() < 1e-12);
    }
}
