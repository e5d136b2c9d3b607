//! Growth rates: their units, the snapshot after growth, and the rates that a coupling implies.

use std::fmt;
use std::str::FromStr;

use ndarray::{Array1, ArrayView1, Zip};
use serde::{Deserialize, Serialize};

use crate::data::Snapshot;
use crate::data::time::TimeUnit;
use crate::error::{Error, Result};
use crate::linalg::log_sum_exp;

/// The unit of growth in a file, written `factor/day` or `rate/h`.
///
/// sbcell converts growth to a *rate* `ρ`: a cell has `exp(ρ Δt)` descendants after `Δt`.
///
/// ```
/// use sbcell::data::GrowthUnit;
/// use sbcell::data::time::TimeUnit;
///
/// let unit: GrowthUnit = "factor/day".parse()?;
/// // Two descendants a day are a rate of ln 2 / 24 per hour.
/// let rate = unit.rate(2.0, TimeUnit::Hours)?;
/// assert!((rate - 2.0_f64.ln() / 24.0).abs() < 1e-12);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GrowthUnit {
    /// The quantity: descendants or their logarithm.
    pub scale: GrowthScale,
    /// The time over which it is measured; [`TimeUnit::Unknown`] is one unit of the time column.
    pub per: TimeUnit,
}

/// The quantity in a file of growth: the number of descendants or its logarithm.
///
/// ```
/// use sbcell::data::{GrowthScale, GrowthUnit};
///
/// let unit: GrowthUnit = "rate/h".parse()?;
/// assert_eq!(unit.scale, GrowthScale::Rate);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrowthScale {
    /// Number of descendants of a cell, `exp(ρ)`; 1 for no growth.
    Factor,
    /// The rate `ρ`, births minus deaths; 0 for no growth.
    Rate,
}

impl Default for GrowthUnit {
    /// Number of descendants after one day, as `cell_growth_rate` of Waddington-OT.
    fn default() -> Self {
        Self { scale: GrowthScale::Factor, per: TimeUnit::Days }
    }
}

impl FromStr for GrowthUnit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::Parameter {
            name: "growth_unit",
            must: "`factor/TIME` or `rate/TIME` with a TIME such as day, h or unit",
            got: text.to_string(),
        };
        let (scale, per) = text.split_once('/').ok_or_else(refused)?;
        let scale = match scale {
            "factor" => GrowthScale::Factor,
            "rate" => GrowthScale::Rate,
            _ => return Err(refused()),
        };
        let per = match per {
            "unit" => TimeUnit::Unknown,
            word => TimeUnit::from_word(word).ok_or_else(refused)?,
        };
        Ok(Self { scale, per })
    }
}

impl TryFrom<String> for GrowthUnit {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<GrowthUnit> for String {
    fn from(unit: GrowthUnit) -> Self {
        unit.to_string()
    }
}

impl fmt::Display for GrowthUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = match self.scale {
            GrowthScale::Factor => "factor",
            GrowthScale::Rate => "rate",
        };
        match self.per {
            TimeUnit::Unknown => write!(f, "{scale}/unit"),
            per => write!(f, "{scale}/{per}"),
        }
    }
}

impl GrowthUnit {
    /// Converts `value` in this unit to a rate per unit `times`.
    ///
    /// If one of the two units of time is unknown, they are assumed to be equal.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a factor is not positive, or a value is not finite.
    pub fn rate(self, value: f64, times: TimeUnit) -> Result<f64> {
        let rate = match self.scale {
            GrowthScale::Factor => value.ln(),
            GrowthScale::Rate => value,
        };
        let length = match (times.minutes(), self.per.minutes()) {
            (Some(times), Some(per)) => times / per,
            _ => 1.0,
        };
        if rate.is_finite() {
            return Ok(rate * length);
        }
        let must = match self.scale {
            GrowthScale::Factor => "finite and > 0 for a factor (see the parameter `growth_unit`)",
            GrowthScale::Rate => "finite",
        };
        Err(Error::Parameter { name: "growth of a cell", must, got: value.to_string() })
    }
}

/// The snapshot after its cells multiply in place for the time `elapsed`.
///
/// Its weights are `p_i exp(rate_i · elapsed) / Σ_k p_k exp(rate_k · elapsed)`. `rates` has one
/// entry for each cell, per unit of `elapsed`.
///
/// # Errors
/// [`Error::Shape`] if the number of rates is not that of cells; [`Error::Parameter`] if a rate is
/// not finite.
pub fn grown(snapshot: &Snapshot, rates: ArrayView1<'_, f64>, elapsed: f64) -> Result<Snapshot> {
    check_rates(rates, snapshot.n_cells())?;
    let log = rates.mapv(|rate| rate * elapsed);
    // A common factor cancels; division by the largest keeps the exponentials in range.
    let largest = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = log.mapv(|log| (log - largest).exp()) * snapshot.marginal();
    Snapshot::weighted(snapshot.points().to_owned(), weights)
}

/// The posterior growth rates, which a coupling with a relaxed source marginal implies.
///
/// The solver starts from source weights `p_i g_i / Σ_k p_k g_k` with prior factors
/// `g_i = exp(prior_i · length)`. Its coupling has row sums `plan`, which sum to one. Then
///
/// ```text
/// posterior_i = ln( plan_i / p_i · Σ_k p_k g_k ) / length
/// ```
///
/// The posterior equals the prior if the row sums equal the given weights. The total `Σ p g` is
/// that of the prior, since snapshots have shares and not numbers of cells. For a cell without mass
/// in the coupling the rate reduces its share to 1e-300. All arrays have one entry per cell.
///
/// # Errors
/// [`Error::Shape`] if lengths differ; [`Error::Parameter`] if a prior is not finite.
pub(crate) fn posterior_rates(
    plan: ArrayView1<'_, f64>,
    marginal: ArrayView1<'_, f64>,
    prior: ArrayView1<'_, f64>,
    length: f64,
) -> Result<Array1<f64>> {
    check_rates(prior, marginal.len())?;
    if plan.len() != marginal.len() {
        let (what, unit) = ("the plan's marginal", "cells");
        return Err(Error::Shape { what, unit, expected: marginal.len(), got: plan.len() });
    }
    let log_mass = |(p, rate): (&f64, &f64)| p.ln() + rate * length;
    let total = log_sum_exp(&marginal.iter().zip(prior).map(log_mass).collect::<Vec<_>>());
    let mut rates = prior.to_owned();
    Zip::from(&mut rates).and(plan).and(marginal).for_each(|rate, &row, &p| {
        if 0.0 < p {
            *rate = ((row / p).max(1e-300).ln() + total) / length;
        }
    });
    Ok(rates)
}

/// Checks that there is one finite rate for each cell.
fn check_rates(rates: ArrayView1<'_, f64>, n_cells: usize) -> Result<()> {
    if rates.len() != n_cells {
        let (what, unit, got) = ("growth", "cells", rates.len());
        return Err(Error::Shape { what, unit, expected: n_cells, got });
    }
    match rates.iter().find(|rate| !rate.is_finite()) {
        None => Ok(()),
        Some(rate) => Err(Error::Parameter {
            name: "growth rate",
            must: "finite for every cell",
            got: rate.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn units_are_read_and_written_back() {
        for text in ["factor/d", "rate/h", "factor/unit", "rate/wk"] {
            assert_eq!(text.parse::<GrowthUnit>().unwrap().to_string(), text);
        }
        assert_eq!("factor/day".parse::<GrowthUnit>().unwrap(), GrowthUnit::default());
        for bad in ["", "factor", "factor/", "rate/m", "growth/day", "rate/moon"] {
            assert!(bad.parse::<GrowthUnit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn doubling_each_day_is_the_same_rate_in_every_unit() {
        let unit = |text: &str| text.parse::<GrowthUnit>().unwrap();
        let ln2 = 2_f64.ln();
        for (text, value, times, rate) in [
            ("factor/day", 2.0, TimeUnit::Days, ln2),
            ("factor/day", 2.0, TimeUnit::Hours, ln2 / 24.0),
            ("factor/day", 2.0, TimeUnit::Weeks, ln2 * 7.0),
            ("rate/h", ln2 / 24.0, TimeUnit::Days, ln2),
            ("rate/day", ln2, TimeUnit::Unknown, ln2),
            ("factor/unit", 2.0, TimeUnit::Hours, ln2),
        ] {
            assert!((unit(text).rate(value, times).unwrap() - rate).abs() < 1e-12, "{text}");
        }
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(unit("factor/day").rate(bad, TimeUnit::Days).is_err());
        }
        assert!(unit("rate/day").rate(-1.0, TimeUnit::Days).is_ok());
    }

    #[test]
    fn cells_that_grow_gain_share_and_huge_rates_do_not_overflow() {
        let snapshot = Snapshot::weighted(array![[0.], [1.], [2.]], array![1., 1., 2.]).unwrap();
        let rates = array![2_f64.ln(), 0.0, -(2_f64.ln())];
        // After two units of time: 4, 1 and 2 · ¼ cells.
        let after = grown(&snapshot, rates.view(), 2.0).unwrap();
        let expected = array![4.0, 1.0, 0.5] / 5.5;
        assert!((&after.marginal() - &expected).iter().all(|v| v.abs() < 1e-15));
        let still = grown(&snapshot, rates.view(), 0.0).unwrap();
        assert_eq!(still, snapshot);
        let fast = grown(&snapshot, array![1e5, 0.0, 0.0].view(), 1.0).unwrap();
        assert_eq!(fast.marginal(), array![1.0, 0.0, 0.0]);
        assert!(grown(&snapshot, array![0.0, 0.0].view(), 1.0).is_err());
        assert!(grown(&snapshot, array![0.0, f64::NAN, 0.0].view(), 1.0).is_err());
    }

    #[test]
    fn a_plan_that_keeps_its_marginal_keeps_the_prior() {
        let snapshot = Snapshot::weighted(array![[0.], [1.], [2.]], array![1., 3., 2.]).unwrap();
        let prior = array![0.7, -0.2, 0.0];
        let given = grown(&snapshot, prior.view(), 2.5).unwrap();
        let same =
            posterior_rates(given.marginal(), snapshot.marginal(), prior.view(), 2.5).unwrap();
        assert!((&same - &prior).iter().all(|v| v.abs() < 1e-14), "{same}");
    }

    #[test]
    fn a_flat_prior_and_a_moved_marginal_give_the_logarithm_of_the_ratio() {
        let (p, plan) = (array![0.5, 0.5, 0.0], array![0.8, 0.2, 0.0]);
        let found = posterior_rates(plan.view(), p.view(), Array1::zeros(3).view(), 4.0).unwrap();
        // g = 1.6 and 0.4 over four units of time; a cell without weight keeps its prior.
        let expected = array![1.6_f64.ln() / 4.0, 0.4_f64.ln() / 4.0, 0.0];
        assert!((&found - &expected).iter().all(|v| v.abs() < 1e-15));
        let empty = array![1.0, 0.0, 0.0];
        let found = posterior_rates(empty.view(), p.view(), Array1::zeros(3).view(), 1.0).unwrap();
        assert!(found[1] < -600.0 && found[1].is_finite());
    }
}
