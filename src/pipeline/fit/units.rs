//! The conversion between data units and the units of the bridges, and ε of each interval.

use crate::data::TimeSeries;
use crate::data::time::TimeUnit;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::pipeline::fit::options::Noise;

/// The constants that convert data units to the units of the bridges (`docs/decisions/0001`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Units {
    /// Data units per unit of the bridges' coordinates.
    pub(crate) scale: f64,
    /// Variance of the reference process per unit of time, in data units.
    pub(crate) sigma2: f64,
    /// ε of the median interval.
    pub(crate) epsilon: f64,
    /// Unit of the times, empty if it is unknown.
    pub(crate) time_unit: String,
}

impl Units {
    /// The constants for the times of `series` and coordinates divided by `scale` (in data units).
    ///
    /// # Errors
    /// [`Error::Parameter`] if ε of the median interval is not finite or below [`LEAST`].
    pub(crate) fn of(
        series: &TimeSeries,
        scale: f64,
        noise: Noise,
        unit: TimeUnit,
    ) -> Result<Self> {
        let median = median_interval(series.times());
        let sigma2 = noise.sigma2(scale, median);
        let epsilon = sigma2 * median / (scale * scale);
        if epsilon < LEAST {
            let (name, given) = match noise {
                Noise::Epsilon(epsilon) => ("epsilon", epsilon),
                Noise::Sigma2(sigma2) => ("sigma2", sigma2),
            };
            let must = "large enough for ε to be 1e-30 or more on data divided by their scale \
                        (the parameter `solver = ot` is the bridge without noise)";
            return Err(Error::Parameter { name, must, got: given.to_string() });
        }
        let epsilon = Epsilon::new(epsilon)?.value();
        Ok(Self { scale, sigma2, epsilon, time_unit: unit.to_string() })
    }

    /// ε of an interval of the given length: `σ² length / scale²`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if it is out of range.
    pub(crate) fn epsilon_of(&self, length: f64) -> Result<Epsilon> {
        Epsilon::new(self.sigma2 * length / (self.scale * self.scale))
    }
}

/// Smallest ε. Below it, costs divided by ε overflow in some step of a solver.
const LEAST: f64 = 1e-30;

/// The median length of the intervals between `times`; the mean of the two middle ones of an even number.
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
    fn noise_too_small_for_numbers_is_refused_by_the_name_of_its_flag() {
        let points = ndarray::array![[0.0], [1.0], [4.0], [5.0]];
        let series = TimeSeries::new(points.view(), &[0.0, 0.0, 2.0, 2.0]).unwrap();
        let of = |noise| Units::of(&series, 0.5, noise, TimeUnit::Unknown);
        assert!((of(Noise::Epsilon(0.1)).unwrap().sigma2 - 0.0125).abs() < 1e-15);
        assert!(of(Noise::Epsilon(1e-300)).unwrap_err().to_string().contains("`epsilon`"));
        assert!(of(Noise::Sigma2(1e-40)).unwrap_err().to_string().contains("`sigma2`"));
    }
}
