//! Panels of mean expression over time, with intervals: one line for each of several columns.

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::io::chart::Chart;
use crate::io::chart::axis::Axis;

/// Mean expression of genes over time, with intervals. See [`draw_regulators`] for an example.
///
/// [`draw_regulators`]: crate::io::chart::draw_regulators
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles {
    /// Names of the genes.
    pub genes: Vec<String>,
    /// The times, increasing.
    pub times: Vec<f64>,
    /// Mean over the cells of each time, `(n_times, n_genes)`; NaN where there is none.
    pub mean: Array2<f64>,
    /// Lower ends of the 95 % intervals of the means, `(n_times, n_genes)`. Intervals need not be
    /// symmetric.
    pub lo: Array2<f64>,
    /// Upper ends of the intervals, `(n_times, n_genes)`.
    pub hi: Array2<f64>,
    /// Number of cells of each mean, `(n_times, n_genes)`; an effective number where cells are weighted.
    pub n_cells: Array2<f64>,
}

impl Profiles {
    /// Whether a mean has fewer than ten cells.
    pub(super) fn has_few(&self) -> bool {
        self.n_cells.iter().any(|n| is_few(*n))
    }
}

/// Explanation below a chart with means of few cells.
pub(super) const FEW_WORDS: &str = "hollow: fewer than ten cells";

/// Whether a number of cells is below ten. An effective number of ten may be rounded down slightly.
fn is_few(n_cells: f64) -> bool {
    n_cells < 10.0 - 1e-6
}

/// Colour of secondary text.
pub(super) const GREY: &str = "#666666";
/// Smallest width of a chart.
pub(super) const WIDTH: f64 = 640.0;
/// Part of this width for the names at the right ends of lines.
pub(super) const NAMES: f64 = 150.0;
/// Smallest vertical distance between two names.
pub(super) const LINE: f64 = 14.0;
/// Height of a panel.
pub(super) const PANEL: f64 = 170.0;

/// Width of a chart with these names at the right ends of lines.
pub(super) fn width_for<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    let longest = names.into_iter().map(Chart::width_of).fold(0.0, f64::max);
    WIDTH + (longest + 20.0 - NAMES).max(0.0)
}

/// Heights of names near the heights `wanted`, which increase. Names are at least [`LINE`] apart, and
/// between `top` and `bottom` if there is room.
pub(super) fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    // First push names down from the top, then up from the bottom.
    let mut least = top;
    for place in &mut places {
        *place = place.max(least);
        least = *place + LINE;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - LINE;
    }
    places
}

/// A panel of lines over time.
pub(super) struct Panel<'a> {
    /// The means and intervals that are drawn.
    pub(super) profiles: &'a Profiles,
    /// Heights of the upper end of the axis of expression, and of the axis of time below it, on the page.
    pub(super) ends: [f64; 2],
    /// Right end of the axis of time; names of lines are to the right of it.
    pub(super) right: f64,
    /// Width for these names.
    pub(super) room: f64,
}

impl Panel<'_> {
    /// Draws one line for each of `lines`: the column of the profiles, the name and the colour. A line
    /// skips times without a mean. Means of fewer than ten cells are hollow dots. Draws only the title
    /// if there is no mean.
    pub(super) fn draw(&self, chart: &mut Chart, lines: &[(usize, String, &str)], title: &str) {
        let (left, right) = (60.0, self.right);
        let [top, bottom] = self.ends;
        let words = Chart::shortened(title, right - 16.0);
        chart.words((16.0, top - 14.0), &words, TextAnchor::Start, GREY);
        let Profiles { times, mean, lo, hi, n_cells, .. } = self.profiles;
        let all = || (0..times.len()).flat_map(|k| lines.iter().map(move |line| [k, line.0]));
        let low = all().map(|at| lo[at].min(mean[at])).fold(f64::INFINITY, f64::min);
        let high = all().map(|at| hi[at].max(mean[at])).fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) {
            return;
        }
        // Rounding of a mean or band must not give expression that is never negative a negative axis.
        let zero = -1e-6 * (high - low).abs();
        let positive = all().all(|at| mean[at].is_nan() || mean[at] >= zero);
        let axis = Axis::new(if positive { low.max(0.0) } else { low }, high, bottom, top);
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
            let text = format!("{time}");
            if x(k) - said > 12.0 + Chart::width_of(&text) {
                chart.words((x(k), bottom + 18.0), &text, TextAnchor::Middle, "#444444");
                said = x(k);
            }
        }
        let mut labels: Vec<(f64, &str, &str)> = Vec::new();
        // The lines are shifted sideways, so that no interval hides another one.
        let aside = |number: usize| 3.0 * (number as f64 - (lines.len() - 1) as f64 / 2.0);
        for (number, (column, name, colour)) in lines.iter().enumerate() {
            let known: Vec<usize> =
                (0..times.len()).filter(|&k| mean[[k, *column]].is_finite()).collect();
            let place = |k: usize| (x(k) + aside(number), axis.place(mean[[k, *column]]));
            for pair in known.windows(2) {
                chart.line(place(pair[0]), place(pair[1]), colour, 1.5);
            }
            for &k in &known {
                let at = place(k);
                let cell = [k, *column];
                if lo[cell].is_finite() && hi[cell].is_finite() {
                    let (below, above) = (axis.place(lo[cell]), axis.place(hi[cell]));
                    chart.line((at.0, below), (at.0, above), colour, 1.0);
                }
                chart.dot(at, 2.5, colour, !is_few(n_cells[cell]));
            }
            let Some(&end) = known.last() else { continue };
            labels.push((place(end).1, name, colour));
        }
        // Names are at the right ends of their lines, moved apart.
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted: Vec<f64> = labels.iter().map(|label| label.0 + 4.0).collect();
        let places = apart(&wanted, top + 4.0, bottom + 4.0);
        for ((_, name, colour), y) in labels.into_iter().zip(places) {
            let name = Chart::shortened(name, self.room - 14.0);
            chart.words((right + 10.0, y), &name, TextAnchor::Start, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn names_are_apart_and_stay_beside_their_panel() {
        let places = apart(&[10.0, 11.0, 50.0], 0.0, 100.0);
        assert_eq!(places, [10.0, 24.0, 50.0]);
        // Three at the bottom end there, the last on its place.
        assert_eq!(apart(&[98.0, 99.0, 100.0], 0.0, 100.0), [72.0, 86.0, 100.0]);
        assert!(
            width_for(["XEN"]) <= WIDTH && width_for(["a".repeat(40).as_str()]) > WIDTH + 100.0
        );
    }

    #[test]
    fn intervals_are_drawn_from_end_to_end_and_dots_of_few_cells_are_hollow() {
        let profiles = Profiles {
            genes: vec!["a".into()],
            times: vec![0.0, 1.0],
            mean: array![[2.0], [4.0]],
            lo: array![[1.5], [0.0]],
            hi: array![[4.0], [5.0]],
            n_cells: array![[30.0], [9.0]],
        };
        let mut chart = Chart::new(WIDTH, 300.0);
        let panel =
            Panel { profiles: &profiles, ends: [30.0, 200.0], right: WIDTH - NAMES, room: NAMES };
        panel.draw(&mut chart, &[(0, "a".into(), "#0072b2")], "expression");
        let folder = tempfile::tempdir().unwrap();
        chart.write(&folder.path().join("c.svg")).unwrap();
        let text = std::fs::read_to_string(folder.path().join("c.svg")).unwrap();
        let number = |tag: &str, name: &str| -> f64 {
            let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest[..rest.find('"').unwrap()].parse().unwrap()
        };
        let tags = |kind: &str| -> Vec<String> {
            let parts = text.split(kind).skip(1).map(|part| part[..part.find('>').unwrap()].into());
            parts.filter(|tag: &String| tag.contains("#0072b2")).collect()
        };
        // The axis goes from 0 to 5 over the height of the panel.
        let value = |y: f64| (200.0 - y) / PANEL * 5.0;
        let upright: Vec<(f64, f64)> = tags("<line")
            .iter()
            .filter(|tag| (number(tag, "x1") - number(tag, "x2")).abs() < 1e-6)
            .map(|tag| (value(number(tag, "y1")), value(number(tag, "y2"))))
            .collect();
        assert_eq!(upright.len(), 2, "{text}");
        // Places are written with two digits.
        for (found, (lo, hi)) in upright.iter().zip([(1.5, 4.0), (0.0, 5.0)]) {
            assert!((found.0 - lo).abs() < 1e-3 && (found.1 - hi).abs() < 1e-3, "{upright:?}");
        }
        let dots = tags("<circle");
        assert!(!dots[0].contains("#ffffff") && dots[1].contains("#ffffff"), "{dots:?}");
    }

    #[test]
    fn intervals_of_several_lines_stand_side_by_side_and_ten_cells_are_not_few() {
        let both = || array![[2.0, 2.0]];
        let (mean, lo, hi, n_cells) = (both(), both() - 1.0, both() + 1.0, both() * 10.0);
        let genes = vec!["a".into(), "b".into()];
        let profiles = Profiles { genes, times: vec![0.0], mean, lo, hi, n_cells };
        let mut chart = Chart::new(WIDTH, 300.0);
        let lines = [(0, "a".into(), "#0072b2"), (1, "b".into(), "#d55e00")];
        Panel { profiles: &profiles, ends: [30.0, 200.0], right: WIDTH - NAMES, room: NAMES }.draw(
            &mut chart,
            &lines,
            "expression",
        );
        let folder = tempfile::tempdir().unwrap();
        chart.write(&folder.path().join("c.svg")).unwrap();
        let text = std::fs::read_to_string(folder.path().join("c.svg")).unwrap();
        let place = |colour: &str| -> f64 {
            let is = |part: &&str| part[..part.find('>').unwrap()].contains(colour);
            let dot = text.split("<circle").skip(1).find(is).unwrap();
            let rest = dot.split(" cx=\"").nth(1).unwrap();
            rest[..rest.find('"').unwrap()].parse().unwrap()
        };
        assert!((place("#d55e00") - place("#0072b2") - 3.0).abs() < 1e-6, "{text}");
        assert!(is_few(9.5) && !is_few(10.0) && !is_few(10.0 - 1e-9));
    }
}
