//! The chart of a validation: scores of methods beside simple guesses and the noise floor at each held-out time.

use kuva::render::render::TextAnchor;

use crate::io::chart::axis::Axis;
use crate::io::chart::page::{Head, MARGIN, PageSize, paragraph, wrapped};
use crate::io::chart::profiles::GREY;
use crate::io::chart::{COLOURS, Chart};
use crate::io::validation::{GUESSES, HeldOutRecord, POOLED, Spread, Validation, ValidationRow};

/// Metric and title of each panel.
const PANELS: [(&str, &str); 3] = [
    ("energy", "Energy distance to the held-out cells (unbiased): 0 is perfect"),
    ("w1", "Wasserstein distance W1: a population that is too narrow can be below the noise floor"),
    (
        "variance_ratio",
        "Variance ratio, predicted over held out: 1 is right, below 1 is too narrow",
    ),
];

/// Width of a mark in the slot of a time, if there is room.
const MARK: f64 = 15.0;
/// Margin on the left, with the labels of the axis.
const LEFT: f64 = 58.0;
/// Margin on the right.
const RIGHT: f64 = 16.0;
/// Height of the axis of a panel.
const PANEL: f64 = 150.0;
/// Height of a line of text.
const LINE: f64 = 16.0;
/// Colour of the guess that is fixed beforehand.
const GUESS: &str = "#7a4a12";
/// Colour of the best guess in hindsight.
const BEST: &str = "#777777";
/// Colour of the noise floor.
const FLOOR: &str = "#bbbbbb";

/// Draws the scores of all methods at each held-out time, in one panel for each of three metrics.
///
/// Methods are dots with 95 % intervals, hollow if growth is in the weights. Beside them are the simple guess that is
/// fixed beforehand (the neighbouring times pooled) as a square, and the best of all simple guesses in hindsight as a
/// hollow diamond. The noise floor is a grey line. Words below name populations that are too narrow.
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
    draw_validation_on(validation, PageSize::default())
}

/// As [`draw_validation`], on a page of this size. A narrow page has smaller marks and more lines of words.
pub(crate) fn draw_validation_on(validation: &Validation, size: PageSize) -> Chart {
    let methods = methods(validation);
    let n_times = validation.held_out.len().max(1) as f64;
    let slot = 16.0 + MARK * (methods.len() + 2) as f64;
    let natural = (LEFT + RIGHT + slot * n_times).max(560.0);
    let width = size.width.unwrap_or(natural).max(240.0);
    let room = width - 2.0 * MARGIN;
    let head = Head::of(width, ["Held-out times", &subtitle(validation)]);
    let key = Key::of(&methods, width);
    let titles = PANELS.map(|panel| wrapped(panel.1, room));
    let warning = warning(validation, &methods).map(|text| wrapped(&text, room));
    let top = head.height() + 8.0 + LINE * key.n_lines as f64;
    let lines: usize = titles.iter().map(Vec::len).sum();
    let foot = 44.0 + LINE * warning.as_ref().map_or(0, Vec::len) as f64;
    let fixed = top + LINE * lines as f64 + 46.0 * PANELS.len() as f64 + foot;
    let high = size.height.map_or(PANEL, |height| (height - fixed) / PANELS.len() as f64);
    let high = high.max(50.0);
    let mut chart = Chart::new(width, fixed + high * PANELS.len() as f64);
    head.draw(&mut chart);
    key.draw(&mut chart, &methods, head.height() + 6.0);
    let mut y = top + 8.0;
    for ((metric, _), title) in PANELS.iter().zip(&titles) {
        let below = paragraph(&mut chart, (MARGIN, y + 8.0), title);
        let ends = [below - 2.0, below - 2.0 + high];
        let slot = (width - LEFT - RIGHT) / n_times;
        Panel { validation, metric, ends, slot, width }.draw(&mut chart, &methods);
        y = ends[1] + 40.0;
    }
    let middle = f64::midpoint(LEFT, width - RIGHT);
    chart.words((middle, y), "held-out time", TextAnchor::Middle, GREY);
    if let Some(lines) = warning {
        paragraph(&mut chart, (MARGIN, y + 20.0), &lines);
    }
    chart
}

/// Names of the methods, in the order of the rows.
fn methods(validation: &Validation) -> Vec<&str> {
    let other = |name: &str| ["A", "P", "floor"].contains(&name);
    let guess = |name: &str| GUESSES.iter().any(|guess| guess.0 == name);
    validation.names().into_iter().filter(|name| !other(name) && !guess(name)).collect()
}

/// Numbers of times and cells, and the protocol.
fn subtitle(validation: &Validation) -> String {
    let n_cells: usize = validation.held_out.iter().map(|held| held.n_cells).sum();
    let n = validation.held_out.len();
    format!(
        "n = {n} times, {n_cells} cells; lines: 95 % intervals; protocol {}",
        validation.protocol
    )
}

/// The label of a time: a number without `.0`, or the text of the file.
fn label(held: &HeldOutRecord) -> String {
    held.label.parse::<f64>().map_or_else(|_| held.label.clone(), |time| time.to_string())
}

/// The sentence about predicted populations that are too narrow; `None` if there are none.
fn warning(validation: &Validation, methods: &[&str]) -> Option<String> {
    let narrow = |held: &&HeldOutRecord, name: &str| {
        let row = validation.row(held.time, name, "variance_ratio");
        let ends = row.map_or([f64::NAN; 2], |row| [row.lo, row.hi].map(|x| x.unwrap_or(f64::NAN)));
        let value = row.and_then(|row| row.value).unwrap_or(f64::NAN);
        Spread::of(value, ends) == Spread::Narrow
    };
    let of = |name: &&str| {
        let held = validation.held_out.iter().filter(|held| narrow(held, name));
        let times: Vec<String> = held.map(label).collect();
        (!times.is_empty()).then(|| format!("{} ({name})", times.join(", ")))
    };
    let found: Vec<String> = methods.iter().filter_map(of).collect();
    (!found.is_empty()).then(|| {
        format!("The population is too narrow at {}: variance ratio below 1.", found.join("; "))
    })
}

/// The legend: marks with words, in as many lines as they need.
struct Key {
    /// Words, and their place in the line and the number of the line.
    entries: Vec<(String, f64, usize)>,
    n_lines: usize,
}

impl Key {
    fn of(methods: &[&str], width: f64) -> Self {
        let others = ["neighbouring times pooled", "best simple guess", "noise floor"];
        let all = methods.iter().copied().chain(others);
        let (mut x, mut line, mut entries) = (MARGIN, 0, Vec::new());
        for name in all {
            let words = Chart::shortened(name, width - 2.0 * MARGIN - 16.0);
            let wide = Chart::width_of(&words) + 30.0;
            if x + wide > width && x > MARGIN {
                (x, line) = (MARGIN, line + 1);
            }
            entries.push((words, x, line));
            x += wide;
        }
        Self { entries, n_lines: line + 1 }
    }

    /// Draws the legend with its first line at the height `top`.
    fn draw(&self, chart: &mut Chart, methods: &[&str], top: f64) {
        for (number, (words, x, line)) in self.entries.iter().enumerate() {
            let at = (x + 6.0, top + LINE * *line as f64 - 4.0);
            match (methods.get(number), number - methods.len().min(number)) {
                (Some(name), _) => chart.dot(at, 4.0, colour(methods, name), is_filled(name)),
                (None, 0) => square(chart, at, 4.0),
                (None, 1) => diamond(chart, at, 4.0),
                _ => chart.band((at.0 - 6.0, at.1 - 1.5), (12.0, 3.0), FLOOR),
            }
            chart.words((at.0 + 10.0, at.1 + 4.0), words, TextAnchor::Start, "#222222");
        }
    }
}

/// Whether the dot of a method is filled: growth is not in its weights.
fn is_filled(name: &str) -> bool {
    !name.ends_with(":weighted")
}

/// Colour of a method. Weighted and strict scores of the same method have the same colour.
fn colour(methods: &[&str], name: &str) -> &'static str {
    let stem = name.trim_end_matches(":weighted");
    let mut stems: Vec<&str> = methods.iter().map(|m| m.trim_end_matches(":weighted")).collect();
    stems.dedup();
    let place = stems.iter().position(|other| *other == stem).unwrap_or(0);
    COLOURS[place % COLOURS.len()]
}

/// The mark of the guess that is fixed beforehand.
fn square(chart: &mut Chart, at: (f64, f64), radius: f64) {
    let half = 0.9 * radius;
    chart.band((at.0 - half, at.1 - half), (2.0 * half, 2.0 * half), GUESS);
}

/// The mark of the best guess.
fn diamond(chart: &mut Chart, at: (f64, f64), radius: f64) {
    for (size, colour) in [(1.3 * radius, BEST), (0.75 * radius, "#ffffff")] {
        let corner = |x: f64, y: f64| (at.0 + size * x, at.1 + size * y);
        let corners = [corner(0.0, -1.0), corner(1.0, 0.0), corner(0.0, 1.0), corner(-1.0, 0.0)];
        chart.polygon(&corners, colour);
    }
}

/// The panel of one metric.
struct Panel<'a> {
    validation: &'a Validation,
    metric: &'static str,
    /// Heights of the upper and lower end of its axis on the page.
    ends: [f64; 2],
    /// Width of the slot of a time.
    slot: f64,
    /// Width of the chart.
    width: f64,
}

impl Panel<'_> {
    /// Draws the axis and the slots of all held-out times.
    fn draw(&self, chart: &mut Chart, methods: &[&str]) {
        let [top, bottom] = self.ends;
        let (low, high) = self.range(methods);
        let axis = Axis::new(low, high, bottom, top);
        for (value, label) in axis.ticks() {
            let y = axis.place(value);
            chart.line((LEFT, y), (self.width - RIGHT, y), "#e6e6e6", 1.0);
            chart.words((LEFT - 6.0, y + 4.0), &label, TextAnchor::End, "#444444");
        }
        let held_out = &self.validation.held_out;
        let labels: Vec<String> = held_out.iter().map(label).collect();
        let widest = labels.iter().map(|label| Chart::width_of(label)).fold(0.0, f64::max);
        // Labels that would touch are left out.
        let every = ((widest.min(90.0) + 8.0) / self.slot).ceil().max(1.0) as usize;
        for (number, held) in held_out.iter().enumerate() {
            let left = LEFT + number as f64 * self.slot;
            self.slot_of(chart, &axis, held, left, methods);
            if number.is_multiple_of(every) {
                let at = (left + self.slot / 2.0, bottom + 18.0);
                let label = Chart::shortened(&labels[number], 90.0);
                chart.words(at, &label, TextAnchor::Middle, "#222222");
            }
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
        let edge = (0.08 * self.slot).min(6.0);
        let (from, to) = (left + edge, left + self.slot - edge);
        let is_ratio = self.metric == "variance_ratio";
        let floor = if is_ratio { Some(1.0) } else { row("floor").and_then(|row| row.value) };
        if let Some(floor) = floor {
            let y = axis.place(floor);
            chart.band((from, y - 1.5), (to - from, 3.0), FLOOR);
        }
        let n = methods.len() + 2;
        let step = ((to - from) / n as f64).min(MARK);
        let first = 0.5 * (from + to - step * (n - 1) as f64);
        let radius = (0.42 * step).clamp(1.4, 4.0);
        for (number, name) in methods.iter().enumerate() {
            let colour = colour(methods, name);
            let x = first + step * number as f64;
            let Some(y) = interval(chart, axis, row(name), x, colour) else { continue };
            chart.dot((x, y), radius, colour, is_filled(name));
        }
        let x = first + step * (n - 2) as f64;
        if let Some(y) = interval(chart, axis, row(POOLED), x, GUESS) {
            square(chart, (x, y), radius);
        }
        // The best variance ratio has no meaning: a guess can have it by chance.
        let best = self.validation.best_guess(held.time, self.metric).filter(|_| !is_ratio);
        if let Some(y) = interval(chart, axis, best.map(|best| best.1), x + step, BEST) {
            diamond(chart, (x + step, y), radius);
        }
    }

    /// The range of the axis: from the smallest to the largest number that is drawn. It includes 0 for the energy
    /// distance and 0.8 to 1.2 for the variance ratio.
    fn range(&self, methods: &[&str]) -> (f64, f64) {
        let (mut low, mut high) = match self.metric {
            "energy" => (0.0, f64::NEG_INFINITY),
            "variance_ratio" => (0.8, 1.2),
            _ => (f64::INFINITY, f64::NEG_INFINITY),
        };
        for held in &self.validation.held_out {
            let names = methods.iter().copied().chain([POOLED]);
            let rows = names.filter_map(|name| self.validation.row(held.time, name, self.metric));
            let best = self.validation.best_guess(held.time, self.metric).map(|best| best.1);
            let all = rows.chain(best).flat_map(|row| [row.value, row.lo, row.hi]);
            let floor = self.validation.row(held.time, "floor", self.metric);
            // A floor below zero is sampling noise; it counts as zero.
            let floor = floor.and_then(|row| row.value).map(|value| value.max(0.0));
            for value in all.chain([floor]).flatten() {
                (low, high) = (low.min(value), high.max(value));
            }
        }
        if low <= high { (low, high) } else { (0.0, 1.0) }
    }
}

/// Draws the interval of a score as an upright line, and returns the height of its value, if it has one.
fn interval(
    chart: &mut Chart,
    axis: &Axis,
    row: Option<&ValidationRow>,
    x: f64,
    colour: &str,
) -> Option<f64> {
    let ValidationRow { value, lo, hi, .. } = row?;
    let value = (*value)?;
    if let (Some(lo), Some(hi)) = (lo, hi) {
        chart.line((x, axis.place(*lo)), (x, axis.place(*hi)), colour, 1.6);
    }
    Some(axis.place(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A score of the time 6, or of the time 12.
    fn row(name: &str, metric: &str, value: f64, time: f64) -> ValidationRow {
        ValidationRow {
            interval_start: 0.0,
            interval_mid: time,
            interval_end: 24.0,
            name: name.into(),
            metric: metric.into(),
            value: Some(value),
            lo: Some(value - 0.1),
            hi: Some(value + 0.1),
            n: 50,
            rep: 1,
        }
    }

    fn scores() -> Validation {
        let held = |time: f64| HeldOutRecord {
            label: time.to_string(),
            start: 0.0,
            time,
            end: 24.0,
            n_cells: 50,
            n_dims: 2,
            solved: Vec::new(),
            verdicts: Vec::new(),
            words: Vec::new(),
        };
        let mut rows = Vec::new();
        for (name, energy, ratio) in
            [("lightsb", 0.4, 0.8), ("F", 0.9, 1.0), ("FL", 0.6, 1.2), ("R", 0.5, 1.0)]
        {
            rows.push(row(name, "energy", energy, 6.0));
            rows.push(row(name, "variance_ratio", ratio, 6.0));
        }
        rows.push(row("lightsb", "variance_ratio", 0.95, 12.0));
        Validation {
            format: 2,
            sbcell: String::new(),
            protocol: "strict".into(),
            facts: Vec::new(),
            leaks: Vec::new(),
            summary: Vec::new(),
            held_out: vec![held(6.0), held(12.0)],
            rows,
        }
    }

    #[test]
    fn guesses_have_names_and_no_letters_and_narrow_populations_a_warning() {
        for width in [None, Some(240.0), Some(900.0)] {
            let svg = draw_validation_on(&scores(), PageSize { width, height: None }).svg();
            let texts: Vec<&str> = svg
                .split("<text")
                .skip(1)
                .map(|part| &part[part.find('>').unwrap() + 1..part.find("</text>").unwrap()])
                .collect();
            for letter in ["F", "L", "FL", "M", "R", "Rg"] {
                assert!(!texts.iter().any(|text| text.split(' ').any(|word| word == letter)));
            }
            let all = texts.join(" ");
            for words in ["neighbouring times pooled", "best simple guess", "noise floor"] {
                assert!(all.contains(words), "{all}");
            }
            // Only at 6: at 12 the difference is small.
            assert!(all.contains("too narrow at 6 (lightsb)"), "{all}");
            assert!(!svg.contains("NaN") && !all.contains('…'), "{all}");
        }
    }

    #[test]
    fn the_best_guess_is_that_of_the_smallest_distance() {
        let scores = scores();
        let (words, best) = scores.best_guess(6.0, "energy").unwrap();
        assert_eq!((words, best.name.as_str()), ("cells paired at random", "R"));
        assert!(scores.best_guess(12.0, "energy").is_none());
        let panel = Panel {
            validation: &scores,
            metric: "energy",
            ends: [0.0, 100.0],
            slot: 50.0,
            width: 200.0,
        };
        // From zero to the upper end of the interval of the pooled times.
        let (low, high) = panel.range(&["lightsb"]);
        assert!(low.abs() < 1e-12 && (high - 0.7).abs() < 1e-12, "{low} {high}");
    }
}
