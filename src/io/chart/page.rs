//! The page of a chart: its size, its title, and a scale of colours with ticks.

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::axis::{Axis, LogAxis};
use crate::io::chart::palette::{ramp, signed};
use crate::io::chart::profiles::GREY;

/// The size that is asked of a chart, in units of which 96 are an inch.
///
/// ```
/// use sbcell::io::chart::PageSize;
///
/// let column = PageSize::of_millimetres(Some(85.0), None);
/// assert!((column.width.unwrap() - 321.26).abs() < 0.01 && column.height.is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PageSize {
    /// Width; `None` for that of the contents.
    pub width: Option<f64>,
    /// Height; `None` for that of the contents.
    pub height: Option<f64>,
}

impl PageSize {
    /// A size in millimetres.
    pub fn of_millimetres(width: Option<f64>, height: Option<f64>) -> Self {
        let units = |length: f64| length / 25.4 * 96.0;
        Self { width: width.map(units), height: height.map(units) }
    }
}

/// Margin of titles and legends.
pub(super) const MARGIN: f64 = 16.0;
/// Height of a title of one line and one line below it.
pub(super) const HEAD: f64 = 58.0;

/// Distance of lines of ordinary text.
const LINE: f64 = 16.0;
/// Distance of lines of a title.
const TITLE_LINE: f64 = 19.0;

/// The title of a chart and the grey text below it, both broken into the lines that its width allows.
pub(super) struct Head {
    title: Vec<String>,
    below: Vec<String>,
}

impl Head {
    /// The title `words[0]` and the text `words[1]` of a chart of this width.
    pub(super) fn of(width: f64, words: [&str; 2]) -> Self {
        let room = width - 2.0 * MARGIN;
        // A title is bold and a sixth larger than ordinary text.
        Self { title: wrapped(words[0], room / 1.25), below: wrapped(words[1], room) }
    }

    /// Height of the title and the text; [`HEAD`] if each has one line.
    pub(super) fn height(&self) -> f64 {
        let more = |lines: &[String]| lines.len().saturating_sub(1) as f64;
        HEAD + TITLE_LINE * more(&self.title) + LINE * more(&self.below)
    }

    /// Writes both at the upper left corner.
    pub(super) fn draw(&self, chart: &mut Chart) {
        let mut y = 24.0;
        for line in &self.title {
            chart.title((MARGIN, y), line);
            y += TITLE_LINE;
        }
        paragraph(chart, (MARGIN, y), &self.below);
    }
}

/// Writes lines of grey text below each other, the first one with its baseline at `at`. Returns the height below.
pub(super) fn paragraph(chart: &mut Chart, at: (f64, f64), lines: &[String]) -> f64 {
    let mut y = at.1;
    for line in lines {
        chart.words((at.0, y), line, TextAnchor::Start, GREY);
        y += LINE;
    }
    y
}

/// `text` in lines of at most this width, broken between words; at least one line. A word that is wider is cut.
pub(super) fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(line)) if Chart::width_of(&longer) <= width => *line = longer,
            _ => lines.push(Chart::shortened(word, width)),
        }
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// How numbers become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ramp {
    /// From dark to light.
    Sequential,
    /// As `Sequential`, by the logarithm.
    Log,
    /// From blue over white at zero to red.
    Signed,
}

/// A bar of colours with ticks.
pub(super) struct ColourBar {
    axis: BarAxis,
    ramp: Ramp,
    /// Left, upper and lower end of the bar.
    place: [f64; 3],
}

/// The axis of a bar.
enum BarAxis {
    Linear(Axis),
    Log(LogAxis),
}

/// Width of the bar.
const BAR: f64 = 12.0;
/// Number of colours of the bar.
const STEPS: usize = 64;

impl ColourBar {
    /// Width of a bar with its ticks.
    pub(super) const WIDTH: f64 = 74.0;

    /// A bar for the numbers from `range.0` to `range.1`, at `[left, top, bottom]` on the page. A range without
    /// numbers becomes 0 to 1; that of a logarithm must be above zero.
    pub(super) fn new(ramp: Ramp, range: [f64; 2], place: [f64; 3]) -> Self {
        let [low, high] = range;
        let [_, top, bottom] = place;
        let known = low.is_finite() && high.is_finite();
        let axis = match ramp {
            Ramp::Log if known && low > 0.0 => BarAxis::Log(LogAxis::new(low, high, bottom, top)),
            Ramp::Signed if known => {
                let most = low.abs().max(high.abs());
                let most = if most > 0.0 { most } else { 1.0 };
                BarAxis::Linear(Axis::new(-most, most, bottom, top))
            }
            _ if known => BarAxis::Linear(Axis::new(low, high, bottom, top)),
            _ => BarAxis::Linear(Axis::new(0.0, 1.0, bottom, top)),
        };
        Self { axis, ramp, place }
    }

    /// Height of a number on the page.
    fn height(&self, value: f64) -> f64 {
        match &self.axis {
            BarAxis::Linear(axis) => axis.place(value),
            BarAxis::Log(axis) => axis.place(value),
        }
    }

    /// The colour of a number; grey for NaN.
    pub(super) fn colour(&self, value: f64) -> String {
        if value.is_nan() {
            return ramp(f64::NAN);
        }
        let [_, top, bottom] = self.place;
        self.of_share((bottom - self.height(value)) / (bottom - top))
    }

    /// The colour of a share of the bar.
    fn of_share(&self, share: f64) -> String {
        match self.ramp {
            Ramp::Signed => signed(share),
            Ramp::Sequential | Ramp::Log => ramp(share),
        }
    }

    /// Draws the bar with its ticks and `title` above it.
    pub(super) fn draw(&self, chart: &mut Chart, title: &str, room: f64) {
        let [left, top, bottom] = self.place;
        chart.words((left, top - 10.0), &Chart::shortened(title, room), TextAnchor::Start, GREY);
        let height = (bottom - top) / STEPS as f64;
        for step in 0..STEPS {
            let colour = self.of_share((step as f64 + 0.5) / STEPS as f64);
            let y = bottom - height * (step + 1) as f64;
            // Strips overlap a little, so that no reader shows gaps between them.
            let overlap = if step == 0 { 0.0 } else { 0.5 };
            chart.band((left, y), (BAR, height + overlap), &colour);
        }
        let ticks = match &self.axis {
            BarAxis::Linear(axis) => axis.ticks(),
            BarAxis::Log(axis) => axis.ticks().to_vec(),
        };
        for (value, label) in ticks {
            let y = self.height(value);
            chart.line((left + BAR, y), (left + BAR + 4.0, y), "#444444", 1.0);
            chart.words((left + BAR + 8.0, y + 4.0), &label, TextAnchor::Start, "#444444");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn colours_of_a_bar_follow_its_axis() {
        let place = [0.0, 0.0, 100.0];
        let bar = ColourBar::new(Ramp::Sequential, [0.0, 10.0], place);
        assert_eq!((bar.colour(0.0), bar.colour(10.0)), (ramp(0.0), ramp(1.0)));
        assert_eq!(bar.colour(f64::NAN), ramp(f64::NAN));
        let log = ColourBar::new(Ramp::Log, [1.0, 100.0], place);
        assert_eq!(log.colour(10.0), ramp(0.5));
        let both = ColourBar::new(Ramp::Signed, [-1.0, 4.0], place);
        assert_eq!(both.colour(0.0), signed(0.5));
        // Nothing to show, and one number only.
        let none = ColourBar::new(Ramp::Log, [f64::INFINITY, f64::NEG_INFINITY], place);
        assert_eq!(none.colour(0.5), ramp(0.5));
        assert_ne!(ColourBar::new(Ramp::Signed, [0.0, 0.0], place).colour(1.0), ramp(f64::NAN));
    }

    #[test]
    fn a_scale_with_signs_is_white_at_zero_and_even_on_both_sides() {
        let bar = ColourBar::new(Ramp::Signed, [-2.0, 1.0], [0.0, 0.0, 100.0]);
        assert_eq!(bar.colour(0.0), signed(0.5));
        assert_eq!((bar.colour(-2.0), bar.colour(1.0)), (signed(0.0), signed(0.75)));
    }
}
