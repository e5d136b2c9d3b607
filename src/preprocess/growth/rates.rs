//! Growth rates (births minus deaths per day) from scores of proliferation and apoptosis.

use ndarray::{Array1, ArrayView1, Zip};

/// A logistic curve from `low` to `high`, `low + (high − low) / (1 + exp(−4 (x − centre) / width))`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct GrowthCurve {
    /// The value at very low scores, per day.
    low: f64,
    /// The value at very high scores, per day.
    high: f64,
    /// The score with the mean of `low` and `high`.
    centre: f64,
    /// The width of the rise, in units of the score.
    width: f64,
}

impl GrowthCurve {
    /// Births per day as a function of the score of proliferation, from Waddington-OT.
    const BIRTHS: Self = Self { low: 0.3, high: 1.7, centre: 0.25, width: 0.5 };
    /// Deaths per day as a function of the score of apoptosis, from Waddington-OT.
    const DEATHS: Self = Self { low: 0.3, high: 1.7, centre: 0.1, width: 0.2 };

    /// The value at a score.
    fn at(self, score: f64) -> f64 {
        let Self { low, high, centre, width } = self;
        low + (high - low) / (1.0 + (-4.0 * (score - centre) / width).exp())
    }
}

/// Growth rates per day from scores of proliferation and apoptosis, one for each cell.
///
/// The rate is births minus deaths. Both are logistic functions of their score, from 0.3 to 1.7 per
/// day: births with centre 0.25 and width 0.5, deaths with centre 0.1 and width 0.2. These curves are
/// those of Waddington-OT (Schiebinger et al. 2019), which moscot uses too. The rate is between −1.4
/// and 1.4 per day, a factor of ¼ to 4. [`crate::preprocess::mean_z_score`] computes the scores. Both
/// arrays must have the same length.
///
/// ```
/// use ndarray::array;
/// use sbcell::preprocess::gene_set_rates;
///
/// let rates = gene_set_rates(array![0.25, 2.0].view(), array![0.1, -1.0].view());
/// assert!(rates[0].abs() < 1e-12 && rates[1] > 1.3);
/// ```
pub fn gene_set_rates(
    proliferation: ArrayView1<'_, f64>,
    apoptosis: ArrayView1<'_, f64>,
) -> Array1<f64> {
    Zip::from(proliferation)
        .and(apoptosis)
        .map_collect(|&birth, &death| GrowthCurve::BIRTHS.at(birth) - GrowthCurve::DEATHS.at(death))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn curves_pass_through_their_centre_and_their_ends() {
        for curve in [GrowthCurve::BIRTHS, GrowthCurve::DEATHS] {
            assert!((curve.at(curve.centre) - 1.0).abs() < 1e-15);
            assert!((curve.at(-100.0) - 0.3).abs() < 1e-15);
            assert!((curve.at(100.0) - 1.7).abs() < 1e-15);
            // One width above the centre: 0.3 + 1.4 / (1 + e⁻⁴).
            let above = 0.3 + 1.4 / (1.0 + (-4.0_f64).exp());
            assert!((curve.at(curve.centre + curve.width) - above).abs() < 1e-15);
        }
    }

    #[test]
    fn rates_are_those_of_the_published_functions() {
        // numpy: beta(p) − delta(a) with the functions of Waddington-OT's second notebook.
        let rates =
            gene_set_rates(array![-0.5, 0.0, 0.4, 2.0].view(), array![0.3, 0.0, -0.2, 0.1].view());
        let expected =
            [-1.371_357_633_633_783_2, 0.0, 1.072_473_024_479_336_1, 0.699_998_835_860_761_2];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates}");
        }
    }
}
