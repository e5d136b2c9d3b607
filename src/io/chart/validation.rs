//! The chart of a validation: scores of methods, null models and noise floor at each held-out time.

use kuva::render::render::TextAnchor;

use crate::io::chart::axis::Axis;
use crate::io::chart::{COLOURS, Chart};
use crate::io::validation::{HeldOutRecord, Validation, ValidationRow};

/// Names of the null models.
const NULLS: [&str; 6] = ["F", "L", "M", "FL", "R", "Rg"];

/// Metric and title of each panel.
const PANELS: [(&str, &str); 3] = [
    ("energy", "energy distance, unbiased: 0 is perfect"),
    ("w1", "W1: the floor is perfect; a narrow cloud can be below it"),
    ("variance_ratio", "variance ratio: 1 is right"),
];

/// Width of a method in the slot of a time.
const METHOD: f64 = 16.0;
/// Width of a null model in the slot of a time.
const NULL: f64 = 17.0;

/// Margin on the left, with the labels of the axis.
const LEFT: f64 = 60.0;
/// Margin on the right.
const RIGHT: f64 = 16.0;
/// Height of a panel.
const PANEL: f64 = 190.0;
/// Vertical gap between panels.
const GAP: f64 = 46.0;

/// Draws the scores of all methods and null models at each held-out time, in one panel for each of three
/// metrics. Methods are dots with 95 % intervals, hollow if growth is in the weights; null models are
/// letters; the noise floor is a grey line.
///
/// ```
/// use sbcell::io::{chart::draw_validation, validation::Validation};
/// # fn main() -> sbcell::Result<()> {
/// let validation = Validation {
///     format: 2,
///     sbcell: "0.1.0".into(),
///     protocol: "strict".into(),
///     facts: Vec::new(),
///     leaks: Vec::new(),
///     summary: Vec::new(),
///     held_out: Vec::new(),
///     rows: Vec::new(),
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("scores.svg");
/// draw_validation(&validation).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("Held-out times"));
/// # Ok(())
/// # }
/// ```
pub fn draw_validation(validation: &Validation) -> Chart {
    let methods: Vec<&str> = validation
        .names()
        .into_iter()
        .filter(|name| !NULLS.contains(name) && !["A", "P", "floor"].contains(name))
        .collect();
    let slot = 40.0 + METHOD * methods.len() as f64 + NULL * NULLS.len() as f64;
    let n_times = validation.held_out.len().max(1) as f64;
    let width = (LEFT + RIGHT + slot * n_times).max(560.0);
    let slot = (width - LEFT - RIGHT) / n_times;
    let n_lines = methods.len().div_ceil(4) as f64;
    let top = 40.0 + 20.0 * n_lines;
    let height = top + PANELS.len() as f64 * (PANEL + GAP) + 60.0;
    let mut chart = Chart::new(width, height);
    legend(&mut chart, &methods, width);
    for (number, (metric, title)) in PANELS.into_iter().enumerate() {
        let bottom = top + number as f64 * (PANEL + GAP) + GAP + PANEL - 22.0;
        let panel = Panel { validation, metric, bottom, slot, width };
        panel.draw(&mut chart, title, &methods);
    }
    let letters = [
        format!("protocol {}; F, L the time before and after, FL both,", validation.protocol),
        "M the time before, shifted; R random pairs; grey line: noise floor".to_string(),
    ];
    for (line, text) in letters.iter().enumerate() {
        let y = height - 26.0 + 16.0 * line as f64;
        chart.words((LEFT, y), text, TextAnchor::Start, "#666666");
    }
    chart
}

/// Adds the title and the legend of the methods, four in a row.
fn legend(chart: &mut Chart, methods: &[&str], width: f64) {
    chart.title((LEFT, 24.0), "Held-out times");
    let step = (width - LEFT) / 4.0;
    for (number, name) in methods.iter().enumerate() {
        let at = (LEFT + 8.0 + step * (number % 4) as f64, 44.0 + 20.0 * (number / 4) as f64);
        chart.dot((at.0, at.1 - 4.0), 4.0, colour(methods, name), !name.ends_with(":weighted"));
        chart.words((at.0 + 10.0, at.1), name, TextAnchor::Start, "#222222");
    }
}

/// Colour of a method. Weighted and strict scores of the same method have the same colour.
fn colour(methods: &[&str], name: &str) -> &'static str {
    let stem = name.trim_end_matches(":weighted");
    let mut stems: Vec<&str> = methods.iter().map(|m| m.trim_end_matches(":weighted")).collect();
    stems.dedup();
    let place = stems.iter().position(|other| *other == stem).unwrap_or(0);
    COLOURS[place % COLOURS.len()]
}

/// The panel of one metric.
struct Panel<'a> {
    validation: &'a Validation,
    metric: &'static str,
    /// Height of its lower end on the page.
    bottom: f64,
    /// Width of the slot of a time.
    slot: f64,
    /// Width of the chart.
    width: f64,
}

impl Panel<'_> {
    /// Draws the axis and the slots of all held-out times.
    fn draw(&self, chart: &mut Chart, title: &str, methods: &[&str]) {
        chart.title((LEFT, self.bottom - PANEL + 4.0), title);
        let (low, high) = self.range(methods);
        let axis = Axis::new(low, high, self.bottom, self.bottom - PANEL + 18.0);
        for (value, label) in axis.ticks() {
            let y = axis.place(value);
            chart.line((LEFT, y), (self.width - RIGHT, y), "#e6e6e6", 1.0);
            chart.words((LEFT - 6.0, y + 4.0), &label, TextAnchor::End, "#444444");
        }
        for (number, held) in self.validation.held_out.iter().enumerate() {
            let left = LEFT + number as f64 * self.slot;
            self.slot_of(chart, &axis, held, left, methods);
        }
    }

    /// Draws the scores of one held-out time, in the slot that begins at `left`.
    fn slot_of(
        &self,
        chart: &mut Chart,
        axis: &Axis,
        held: &HeldOutRecord,
        left: f64,
        methods: &[&str],
    ) {
        let row = |name: &str| self.validation.row(held.time, name, self.metric);
        let (from, to) = (left + 6.0, left + self.slot - 6.0);
        let floor = match self.metric {
            "variance_ratio" => Some(1.0),
            _ => row("floor").and_then(|row| row.value),
        };
        if let Some(floor) = floor {
            let y = axis.place(floor);
            chart.band((from, y - 1.5), (to - from, 3.0), "#bbbbbb");
        }
        for (number, name) in methods.iter().enumerate() {
            let Some(ValidationRow { value: Some(value), lo, hi, .. }) = row(name) else {
                continue;
            };
            let x = left + 20.0 + METHOD * number as f64;
            let colour = colour(methods, name);
            if let (Some(lo), Some(hi)) = (lo, hi) {
                chart.line((x, axis.place(*lo)), (x, axis.place(*hi)), colour, 2.0);
            }
            chart.dot((x, axis.place(*value)), 4.0, colour, !name.ends_with(":weighted"));
        }
        for (column, name) in NULLS.into_iter().enumerate() {
            let Some(value) = row(name).and_then(|row| row.value) else { continue };
            let x = left + 22.0 + METHOD * methods.len() as f64 + NULL * column as f64;
            let outside = if axis.is_above(value) { "↑" } else { "" };
            let text = format!("{name}{outside}");
            chart.words((x, axis.place(value) + 4.0), &text, TextAnchor::Middle, "#777777");
        }
        let middle = left + self.slot / 2.0;
        chart.words((middle, self.bottom + 18.0), &held.label, TextAnchor::Middle, "#222222");
    }

    /// The range of the axis: from the smallest to the largest number that is drawn. It includes 0 for
    /// the energy distance and 0.8 to 1.2 for the variance ratio. Null models extend it to at most twice
    /// the range of the other numbers.
    fn range(&self, methods: &[&str]) -> (f64, f64) {
        let of_metric = self.validation.rows.iter().filter(|row| row.metric == self.metric);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut most_of_nulls = f64::NEG_INFINITY;
        for row in of_metric {
            let is_null = NULLS.contains(&row.name.as_str());
            if !is_null && row.name != "floor" && !methods.contains(&row.name.as_str()) {
                continue;
            }
            let whole = if is_null { [row.value, None, None] } else { [row.value, row.lo, row.hi] };
            // A floor below zero is sampling noise; it counts as zero.
            let shown = |value: f64| if row.name == "floor" && value < 0.0 { 0.0 } else { value };
            for value in whole.into_iter().flatten().map(shown) {
                low = low.min(value);
                if is_null {
                    most_of_nulls = most_of_nulls.max(value);
                } else {
                    high = high.max(value);
                }
            }
        }
        match self.metric {
            "energy" => low = low.min(0.0),
            "variance_ratio" => (low, high) = (low.min(0.8), high.max(1.2)),
            _ => {}
        }
        (low, high.max(most_of_nulls.min(low + 2.0 * (high - low))))
    }
}
