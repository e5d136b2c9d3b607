//! Panels of means over time, with bars: one line for each of several columns.

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::io::chart::Chart;
use crate::io::chart::axis::Axis;

/// Mean expression over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles {
    /// Names of the genes.
    pub genes: Vec<String>,
    /// The times, increasing.
    pub times: Vec<f64>,
    /// Mean over the cells of a time, `(times, genes)`.
    pub mean: Array2<f64>,
    /// Its standard error.
    pub error: Array2<f64>,
}

pub(super) const GREY: &str = "#666666";
pub(super) const WIDTH: f64 = 640.0;
/// Height of a panel.
pub(super) const PANEL: f64 = 170.0;

/// A panel of lines over time.
pub(super) struct Panel<'a> {
    pub(super) profiles: &'a Profiles,
    /// Where its axis of time is.
    pub(super) bottom: f64,
}

impl Panel<'_> {
    /// Draws the columns of `lines` with their names and colours; a line skips times without a mean.
    pub(super) fn draw(&self, chart: &mut Chart, lines: &[(usize, String, &str)], title: &str) {
        let (left, right) = (60.0, WIDTH - 150.0);
        let top = self.bottom - PANEL;
        chart.words((16.0, top - 12.0), title, TextAnchor::Start, GREY);
        let Profiles { times, mean, error, .. } = self.profiles;
        let ends = |(column, ..): &(usize, String, &str), k: usize, side: f64| {
            mean[[k, *column]] + side * 2.0 * error[[k, *column]]
        };
        let all = || (0..times.len()).flat_map(|k| lines.iter().map(move |line| (k, line)));
        let low = all().map(|(k, line)| ends(line, k, -1.0)).fold(f64::INFINITY, f64::min);
        let high = all().map(|(k, line)| ends(line, k, 1.0)).fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) {
            return;
        }
        let axis = Axis::new((low, high), (self.bottom, top));
        for (value, label) in axis.ticks() {
            let y = axis.place(value);
            chart.line((left, y), (right, y), "#e6e6e6", 1.0);
            chart.words((left - 6.0, y + 4.0), &label, TextAnchor::End, "#444444");
        }
        let (first, last) = (times[0], times[times.len() - 1]);
        let x = |k: usize| {
            let share = if last > first { (times[k] - first) / (last - first) } else { 0.5 };
            left + 8.0 + share * (right - left - 16.0)
        };
        let mut said = f64::NEG_INFINITY;
        for (k, time) in times.iter().enumerate() {
            if x(k) - said > 28.0 {
                let text = format!("{time}");
                chart.words((x(k), self.bottom + 18.0), &text, TextAnchor::Middle, "#444444");
                said = x(k);
            }
        }
        let mut labels: Vec<(f64, &str, &str)> = Vec::new();
        for line @ (column, name, colour) in lines {
            let known: Vec<usize> =
                (0..times.len()).filter(|&k| mean[[k, *column]].is_finite()).collect();
            let place = |k: usize| (x(k), axis.place(mean[[k, *column]]));
            for pair in known.windows(2) {
                chart.line(place(pair[0]), place(pair[1]), colour, 1.5);
            }
            for &k in &known {
                let at = place(k);
                let (below, above) = (ends(line, k, -1.0), ends(line, k, 1.0));
                chart.line((at.0, axis.place(below)), (at.0, axis.place(above)), colour, 1.0);
                chart.dot(at, 2.5, colour, true);
            }
            let Some(&end) = known.last() else { continue };
            labels.push((place(end).1, name, colour));
        }
        // Names beside the ends of their lines, pushed apart.
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = f64::NEG_INFINITY;
        for (y, name, colour) in labels {
            let y = (y + 4.0).max(last + 14.0);
            chart.words((right + 10.0, y), name, TextAnchor::Start, colour);
            last = y;
        }
    }
}
