//! Axes of pictures: round ticks, and positions of numbers on the page.
//!
//! Positions are in pixels; an upright axis has its larger position at the lower end, as y grows downwards.

use crate::io::report::escape::{number, time};
use crate::io::report::svg::{Anchor, Svg};

/// A linear axis between two positions of the picture.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// The numbers at both ends.
    pub(super) values: [f64; 2],
    /// Their positions.
    pub(super) places: [f64; 2],
}

impl Axis {
    /// An axis over all finite `values`, with a margin of `margin` of their range at both ends.
    pub(super) fn over(values: impl Iterator<Item = f64>, margin: f64, places: [f64; 2]) -> Self {
        let (lo, hi) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| {
                (lo.min(value), hi.max(value))
            });
        let (lo, hi) = if lo > hi { (0.0, 1.0) } else { (lo, hi) };
        let length = if hi - lo > 0.0 { hi - lo } else { lo.abs().max(1.0) };
        Self { values: [lo - margin * length, hi + margin * length], places }
    }

    /// The position of `value`, also outside of the axis: a linear map of the ends of the numbers to the positions.
    pub(super) fn at(&self, value: f64) -> f64 {
        let [lo, hi] = self.values;
        let part = (value - lo) / (hi - lo);
        self.places[0] + part * (self.places[1] - self.places[0])
    }

    /// About `n` numbers within the axis that are multiples of 1, 2 or 5 times a power of ten, at most 50.
    pub(super) fn ticks(&self, n: usize) -> Vec<f64> {
        let [lo, hi] = self.values;
        let rough = (hi - lo) / n.max(1) as f64;
        if !(rough > 0.0 && rough.is_finite()) {
            return vec![lo];
        }
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .iter()
            .map(|k| k * power)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(power * 10.0);
        let first = (lo / step - 1e-9).ceil() as i64;
        let last = (hi / step + 1e-9).floor() as i64;
        (first..=last).take(50).map(|k| k as f64 * step).collect()
    }

    /// Draws ticks with pale lines from `left` to `right`; the axis is vertical.
    pub(super) fn draw_vertical(&self, svg: &mut Svg, between: [f64; 2], n: usize) {
        for tick in self.ticks(n) {
            let y = self.at(tick);
            svg.line([between[0], y], [between[1], y], "g");
            svg.text([between[0] - 6.0, y + 4.0], &number(tick), "k", Anchor::End);
        }
    }
}

/// The places of times on a horizontal axis, and those whose labels have room.
pub(super) struct TimeAxis {
    /// The axis.
    pub(super) axis: Axis,
    /// The times.
    times: Vec<f64>,
}

impl TimeAxis {
    /// An axis over `times` between two positions.
    pub(super) fn new(times: &[f64], places: [f64; 2]) -> Self {
        Self { axis: Axis::over(times.iter().copied(), 0.0, places), times: times.to_vec() }
    }

    /// Draws labels below the baseline `y`, as many as have room.
    pub(super) fn draw(&self, svg: &mut Svg, y: f64) {
        let mut free = f64::NEG_INFINITY;
        for &at in &self.times {
            let (x, label) = (self.axis.at(at), time(at));
            svg.line([x, y], [x, y + 4.0], "x");
            let half = 3.6 * label.chars().count() as f64;
            if x - half >= free {
                svg.text([x, y + 17.0], &label, "k", Anchor::Middle);
                free = x + half + 5.0;
            }
        }
    }
}

/// The word for time with its unit, as the title of an axis.
pub(super) fn time_title(unit: &str) -> String {
    if unit.is_empty() { "Time (unit not given)".into() } else { format!("Time ({unit})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let axis = Axis { values: [-0.3, 1.02], places: [0.0, 100.0] };
        let ticks = axis.ticks(5);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(ticks.len() >= 2 && ticks.iter().all(|t| (-0.3..=1.02).contains(t)), "{ticks:?}");
        assert!(near(ticks[1] - ticks[0], 0.5), "{ticks:?}");
        assert!(near(axis.at(-0.3), 0.0) && near(axis.at(1.02), 100.0));
        let none = Axis::over([f64::NAN].into_iter(), 0.1, [0.0, 1.0]);
        assert!(none.values[0] < none.values[1]);
        let one = Axis::over([3.0].into_iter(), 0.1, [0.0, 1.0]);
        assert!(one.at(3.0).is_finite() && !one.ticks(4).is_empty());
    }
}
