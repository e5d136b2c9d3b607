//! Chart of differences: one panel for each kind, one line for each number with its interval.

use kuva::render::render::TextAnchor;

use crate::io::chart::profiles::{GREY, WIDTH};
use crate::io::chart::{COLOURS, Chart};

/// Height of a line.
const LINE: f64 = 20.0;
/// Height of the title of a panel, and of the space below its axis.
const HEAD: f64 = 34.0;
/// Smallest width of the names on the left.
const LEFT: f64 = 170.0;
/// Width of the column with q-values.
const RIGHT: f64 = 90.0;
/// q-value below which a number is drawn with a filled dot.
const CLEAR: f64 = 0.05;

/// A difference in a chart. [`draw_differences`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Title of the panel.
    pub panel: String,
    /// Name of the number.
    pub name: String,
    /// The difference.
    pub value: f64,
    /// Lower end of its 95 % interval; NaN if there is none.
    pub lo: f64,
    /// Upper end of this interval.
    pub hi: f64,
    /// q-value; NaN if there is none.
    pub q: f64,
}

/// Draws for each panel, in the order of first appearance, the `most` differences with the smallest q-values (of
/// equal ones the largest), sorted by size, as dots with their 95 % intervals about a line at zero. Dots are filled
/// where the q-value is below 0.05.
///
/// ```
/// use sbcell::io::chart::{Difference, draw_differences};
/// # fn main() -> sbcell::Result<()> {
/// let one = Difference {
///     panel: "share".into(), name: "neuron at 4".into(), value: 0.2, lo: 0.1, hi: 0.3, q: 0.01,
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("compare.svg");
/// draw_differences("drug against control", &[one], 12).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("neuron at 4"));
/// # Ok(())
/// # }
/// ```
pub fn draw_differences(title: &str, all: &[Difference], most: usize) -> Chart {
    let panels = panels(all, most);
    let names = panels.iter().flat_map(|panel| panel.1.iter().map(|of| of.name.as_str()));
    let longest = names.map(Chart::width_of).fold(0.0, f64::max);
    let left = LEFT.max(longest + 24.0);
    let width = WIDTH + left - LEFT + RIGHT;
    let lines: usize = panels.iter().map(|panel| panel.1.len()).sum();
    let height = 70.0 + LINE * lines as f64 + 2.0 * HEAD * panels.len() as f64;
    let mut chart = Chart::new(width, height);
    chart.title((16.0, 24.0), title);
    let legend = "difference with 95 % interval; filled: q < 0.05";
    chart.words((16.0, 44.0), legend, TextAnchor::Start, GREY);
    let ends = (left, width - RIGHT);
    let mut top = 60.0;
    for (number, (name, rows)) in panels.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let panel = Panel { top: top + HEAD, ends, colour, reach: reach(rows) };
        chart.words((16.0, top + HEAD - 10.0), name, TextAnchor::Start, colour);
        chart.words((ends.1 + 16.0, top + HEAD - 10.0), "q", TextAnchor::Start, GREY);
        panel.draw(&mut chart, rows);
        top += 2.0 * HEAD + LINE * rows.len() as f64;
    }
    chart
}

/// The clearest differences of each panel, the largest first.
fn panels(all: &[Difference], most: usize) -> Vec<(&str, Vec<&Difference>)> {
    let mut panels: Vec<(&str, Vec<&Difference>)> = Vec::new();
    for one in all.iter().filter(|one| one.value.is_finite()) {
        match panels.iter_mut().find(|panel| panel.0 == one.panel) {
            Some(panel) => panel.1.push(one),
            None => panels.push((&one.panel, vec![one])),
        }
    }
    for (_, rows) in &mut panels {
        let size = |a: &&Difference, b: &&Difference| b.value.abs().total_cmp(&a.value.abs());
        // Without a q-value (NaN) a difference comes last.
        rows.sort_by(|a, b| a.q.total_cmp(&b.q).then(size(a, b)));
        rows.truncate(most);
        rows.sort_by(size);
    }
    panels
}

/// The smallest and the largest number of a panel, with zero between them.
fn reach(rows: &[&Difference]) -> (f64, f64) {
    let numbers = rows.iter().flat_map(|of| [of.value, of.lo, of.hi]);
    let (lo, hi) = numbers
        .filter(|x| x.is_finite())
        .fold((0.0_f64, 0.0_f64), |(lo, hi), x| (lo.min(x), hi.max(x)));
    if hi > lo { (lo, hi) } else { (lo - 1.0, hi + 1.0) }
}

/// Where a panel is drawn.
struct Panel<'a> {
    top: f64,
    ends: (f64, f64),
    colour: &'a str,
    reach: (f64, f64),
}

impl Panel<'_> {
    /// The horizontal place of a number.
    fn x(&self, value: f64) -> f64 {
        let (lo, hi) = self.reach;
        self.ends.0 + (value - lo) / (hi - lo) * (self.ends.1 - self.ends.0)
    }

    /// Draws all lines, the line at zero, and the ends of the axis.
    fn draw(&self, chart: &mut Chart, rows: &[&Difference]) {
        let bottom = self.top + LINE * rows.len() as f64;
        chart.dashes((self.x(0.0), self.top), (self.x(0.0), bottom), GREY);
        for (place, of) in rows.iter().enumerate() {
            let y = self.top + LINE * (place as f64 + 0.5);
            chart.words((self.ends.0 - 12.0, y + 4.0), &of.name, TextAnchor::End, "#222222");
            if of.lo.is_finite() && of.hi.is_finite() {
                chart.line((self.x(of.lo), y), (self.x(of.hi), y), self.colour, 1.5);
            }
            chart.dot((self.x(of.value), y), 4.0, self.colour, of.q < CLEAR);
            let q = if of.q.is_finite() { format!("{:.3}", of.q) } else { "–".into() };
            chart.words((self.ends.1 + 16.0, y + 4.0), &q, TextAnchor::Start, GREY);
        }
        let (lo, hi) = self.reach;
        let ends = [(lo, TextAnchor::Start), (hi, TextAnchor::End)];
        for (value, anchor) in ends.into_iter().filter(|end| end.0.abs() > 0.0) {
            let text = format!("{value:.3}");
            chart.words((self.x(value), bottom + 14.0), &text, anchor, GREY);
        }
        chart.words((self.x(0.0), bottom + 14.0), "0", TextAnchor::Middle, GREY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_differences_of_each_kind_are_drawn_in_order() {
        let of = |panel: &str, name: &str, value: f64| Difference {
            panel: panel.into(),
            name: name.into(),
            value,
            lo: value - 0.1,
            hi: f64::NAN,
            q: if value.abs() > 0.3 { 0.01 } else { 0.5 },
        };
        let all = [
            of("share", "a", 0.1),
            of("fate", "b", 0.2),
            of("share", "c", -0.5),
            of("share", "none", f64::NAN),
            of("share", "d", 0.2),
        ];
        let panels = panels(&all, 2);
        let names: Vec<(&str, Vec<&str>)> = panels
            .iter()
            .map(|(name, rows)| (*name, rows.iter().map(|row| row.name.as_str()).collect()))
            .collect();
        assert_eq!(names, [("share", vec!["c", "d"]), ("fate", vec!["b"])]);
        let (lo, hi) = reach(&panels[0].1);
        assert!((lo + 0.6).abs() < 1e-12 && (hi - 0.2).abs() < 1e-12);
        let panel = Panel { top: 0.0, ends: (100.0, 500.0), colour: "#000000", reach: (lo, hi) };
        assert!((panel.x(lo) - 100.0).abs() < 1e-9 && (panel.x(0.0) - 400.0).abs() < 1e-9);
        let folder = tempfile::tempdir().unwrap();
        for name in ["c.svg", "c.png"] {
            draw_differences("B against A", &all, 5).write(&folder.path().join(name)).unwrap();
        }
        let text = std::fs::read_to_string(folder.path().join("c.svg")).unwrap();
        assert!(text.contains("B against A") && text.contains("fate") && text.contains("0.010"));
        draw_differences("nothing", &[], 5).write(&folder.path().join("e.svg")).unwrap();
    }
}
