//! How far predicted fates were from the truth in simulated courses, beyond the scatter of the cells.

/// Standard deviation of the log-odds of a fate among all cells of a time. Its causes are growth and sisters.
const OF_ALL: f64 = 0.1;

/// Standard deviation of the log-odds of a fate in cells that are measured alike, and the same for each unit by
/// which their log-odds differ from those of all cells.
const OF_CELLS: [f64; 2] = [0.55, 0.5];

/// The same in a group of cells, whose errors partly cancel.
const OF_GROUP: [f64; 2] = [0.35, 0.3];

/// Largest difference of log-odds that counts.
const FARTHEST: f64 = 4.0;

/// 97.5th percentile of the normal distribution.
const QUANTILE: f64 = 1.96;

/// The predicted share of a fate in a single cell or a group of cells, with the ends of its interval by resampling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predicted {
    /// The share.
    pub(super) value: f64,
    /// The ends of its interval by resampling.
    pub(super) ends: [f64; 2],
    /// The share in all cells of the time.
    pub(super) of_all: f64,
    /// Share of the cells of the time that are not in the group; `None` for a single cell.
    pub(super) rest: Option<f64>,
}

impl Predicted {
    /// The ends of the interval with what resampling cannot show: that a coupling says whom a cell becomes
    /// only up to an error of its own.
    ///
    /// On the scale of log-odds, the half-width is `√(h² + (1.96 τ)²)` with the half-width h by resampling
    /// and `τ² = 0.1² + rest (0.35² + 0.3² D²)`, where D is the difference of the log-odds of group and
    /// whole, at most 4; for a single cell `0.1² + 0.55² + 0.5² D²`. The constants are those with which intervals of simulated courses with known fates hold the
    /// truth in 95 % (`docs/decisions/0031`). The share of all cells is nearly fixed by the later cells;
    /// that of a part depends on the direction in which the coordinates tell fates. Shares of zero or
    /// one, and ends that are not known, stay.
    pub(super) fn ends(&self) -> [f64; 2] {
        let Self { value, ends, of_all, rest } = *self;
        if !(0.0 < value && value < 1.0) || ends.iter().any(|end| end.is_nan()) {
            return ends;
        }
        let middle = log_odds(value);
        let difference = middle - log_odds(of_all);
        let known = difference.is_finite();
        let difference = if known { difference.clamp(-FARTHEST, FARTHEST) } else { 0.0 };
        let [alike, unlike] = if rest.is_some() { OF_GROUP } else { OF_CELLS };
        let part = alike * alike + (unlike * difference).powi(2);
        let rest = rest.unwrap_or(1.0).clamp(0.0, 1.0);
        let doubt = QUANTILE * (OF_ALL * OF_ALL + rest * part).sqrt();
        let half = |end: f64| (log_odds(end) - middle).abs().hypot(doubt);
        [share(middle - half(ends[0])).min(ends[0]), share(middle + half(ends[1])).max(ends[1])]
    }
}

/// `ln(p / (1 − p))`.
fn log_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// The share with these log-odds.
fn share(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    }

    #[test]
    fn half_widths_add_in_squares_on_the_scale_of_log_odds() {
        let half = Predicted { value: 0.5, ends: [0.4, 0.6], of_all: 0.5, rest: Some(0.75) };
        let [lo, hi] = half.ends();
        // By hand: ln(0.6 / 0.4) = 0.405465, τ² = 0.01 + 0.75 · 0.1225 = 0.101875.
        let width = (0.405_465_108_108_164_4_f64.powi(2) + 3.8416 * 0.101_875).sqrt();
        close(hi, 1.0 / (1.0 + (-width).exp()));
        close(lo, 1.0 - hi);
        // Far from the share of all cells the error is larger: D = ln 9.
        let far = Predicted { value: 0.9, ends: [0.9, 0.9], of_all: 0.5, rest: None };
        let tau = (0.01 + 0.3025 + 0.25 * 9.0_f64.ln().powi(2)).sqrt();
        close(far.ends()[1], 1.0 / (1.0 + (-(9.0_f64.ln() + 1.96 * tau)).exp()));
        // All cells of a time: a tenth.
        let all = Predicted { rest: Some(0.0), ..half };
        let width = (0.405_465_108_108_164_4_f64.powi(2) + 3.8416 * 0.01).sqrt();
        close(all.ends()[1], 1.0 / (1.0 + (-width).exp()));
    }

    #[test]
    fn certain_shares_and_unknown_ends_stay() {
        let of =
            |value: f64, ends: [f64; 2]| Predicted { value, ends, of_all: 0.5, rest: None }.ends();
        let [lo, hi] = of(1.0, [1.0, 1.0]);
        close(lo, 1.0);
        close(hi, 1.0);
        let [lo, hi] = of(0.0, [0.0, 0.2]);
        close(lo, 0.0);
        close(hi, 0.2);
        assert!(of(0.5, [f64::NAN, f64::NAN])[0].is_nan());
        // An end at zero stays there, and a fate that no cell has does no harm.
        assert_eq!(of(0.1, [0.0, 0.3])[0].total_cmp(&0.0), std::cmp::Ordering::Equal);
        // A share of nearly zero keeps the end that resampling gives.
        assert!(of(1e-300, [1e-300, 0.6])[1] < 0.61);
        let none = Predicted { value: 0.2, ends: [0.1, 0.3], of_all: 0.0, rest: None }.ends();
        assert!(none[0] < 0.1 && none[1] > 0.3 && none[1] < 0.5);
    }
}
