//! A vertical axis: conversion of numbers into positions on the page, and round ticks.

/// A vertical axis: a range of numbers and its position on the page. The y coordinate of a page
/// increases downwards, so `bottom` is larger than `top`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    bottom: f64,
    top: f64,
    /// Distance between ticks.
    step: f64,
}

impl Axis {
    /// An axis with `low` at the height `bottom` of the page and `high` at the height `top`. The range is
    /// widened to whole ticks; an empty range gets the length 1.
    pub(super) fn new(low: f64, high: f64, bottom: f64, top: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = step(high - low);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { low, high, bottom, top, step }
    }

    /// Height of a number on the page; a number outside the range is placed at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom + share * (self.top - self.bottom)
    }

    /// The ticks from the lower to the upper end, with their labels. All labels have the same number of
    /// decimals.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let step = self.step;
        let n = ((self.high - self.low) / step).round() as usize;
        let digits = (-step.log10().floor()).max(0.0) as usize;
        (0..=n)
            .map(|tick| self.low + tick as f64 * step)
            // Adding zero turns −0 into 0.
            .map(|value| ((value / step).round() * step) + 0.0)
            .map(|value| (value, format!("{value:.digits$}")))
            .collect()
    }
}

/// A vertical axis on a log scale, between two ticks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LogAxis {
    /// The ticks and their labels, increasing; at least two.
    ticks: Vec<(f64, String)>,
    bottom: f64,
    top: f64,
}

impl LogAxis {
    /// An axis from `low` at the height `bottom` of the page to `high` at the height `top`, both above zero.
    /// The range is widened to whole ticks: 1, 2 and 5 times powers of ten, or only powers of ten in a
    /// range of more than a factor of 1 000.
    pub(super) fn new(low: f64, high: f64, bottom: f64, top: f64) -> Self {
        let steps: &[f64] = if high > 1e3 * low { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let [least, most] = [low, high].map(|end| end.log10().floor() as i32);
        let tick = |power: i32, step: f64| {
            let value = step * 10_f64.powi(power);
            let digits = (-power).max(0) as usize;
            (value, format!("{value:.digits$}"))
        };
        let ticks: Vec<(f64, String)> = (least..=most + 1)
            .flat_map(|power| steps.iter().map(move |&step| tick(power, step)))
            .collect();
        let first = ticks.partition_point(|tick| tick.0 <= low).saturating_sub(1);
        let last = ticks.partition_point(|tick| tick.0 < high).max(first + 1);
        let last = last.min(ticks.len() - 1);
        Self { ticks: ticks[first..=last].to_vec(), bottom, top }
    }

    /// Height of a number on the page; a number outside the range is placed at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let (low, high) = (self.ticks[0].0, self.ticks[self.ticks.len() - 1].0);
        let share = ((value / low).ln() / (high / low).ln()).clamp(0.0, 1.0);
        self.bottom + share * (self.top - self.bottom)
    }

    /// The ticks from the lower to the upper end, with their labels.
    pub(super) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }
}

/// Distance between ticks: 1, 2 or 5 times a power of ten, with three to seven steps in the range.
fn step(range: f64) -> f64 {
    let power = 10_f64.powf((range / 3.0).log10().floor());
    let rest = range / 3.0 / power;
    power
        * if rest < 2.0 {
            1.0
        } else if rest < 5.0 {
            2.0
        } else {
            5.0
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_ends_are_ticks() {
        let axis = Axis::new(0.0, 0.73, 100.0, 0.0);
        let labels: Vec<String> = axis.ticks().into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert!((axis.place(0.4) - 50.0).abs() < 1e-9);
        assert!(axis.place(9.0).abs() < 1e-9 && (axis.place(-9.0) - 100.0).abs() < 1e-9);
        // Widened from six to seven tenths, the steps are still those of six.
        let odd = Axis::new(-0.01, 0.55, 100.0, 0.0);
        let (first, second) = (odd.ticks()[0].0, odd.ticks()[1].0);
        assert!((odd.place(first) - 100.0).abs() < 1e-9 && (second - first - 0.1).abs() < 1e-9);
        for range in [1e-6, 0.3, 1.0, 17.0, 4e7] {
            let n = Axis::new(0.0, range, 1.0, 0.0).ticks().len();
            assert!((3..=9).contains(&n), "{range}: {n}");
        }
        assert_eq!(Axis::new(2.0, 2.0, 1.0, 0.0).ticks().len(), 6);
    }

    #[test]
    fn a_log_axis_ends_at_ticks_and_places_factors_evenly() {
        let labels = |low: f64, high: f64| -> Vec<String> {
            let axis = LogAxis::new(low, high, 100.0, 0.0);
            axis.ticks().iter().map(|tick| tick.1.clone()).collect()
        };
        assert_eq!(labels(0.3, 7.0), ["0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(labels(0.02, 90.0), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(1.5, 1.5), ["1", "2"]);
        assert_eq!(labels(1.0, 10.0), ["1", "2", "5", "10"]);
        let axis = LogAxis::new(1.0, 100.0, 100.0, 0.0);
        assert!((axis.place(10.0) - 50.0).abs() < 1e-9 && axis.place(1e9).abs() < 1e-9);
        assert!((axis.place(0.0) - 100.0).abs() < 1e-9);
    }
}
