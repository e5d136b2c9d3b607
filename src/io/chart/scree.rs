//! The chart of the choice of components: eigenvalues of the genes' correlations, and the noise edge.

use kuva::render::render::TextAnchor;

use crate::io::chart::axis::LogAxis;
use crate::io::chart::page::{Head, PageSize};
use crate::io::chart::profiles::{GREY, WIDTH};
use crate::io::chart::{COLOURS, Chart};
use crate::preprocess::Scree;

/// Margin on the left, with the labels of the axis.
const LEFT: f64 = 60.0;
/// Margin on the right.
const RIGHT: f64 = 16.0;
/// Height of the axis.
const HIGH: f64 = 220.0;
/// Space below the axis.
const FOOT: f64 = 48.0;

/// Smallest eigenvalue that is drawn, as a share of the noise edge. Zero has no place on a log axis.
const SMALLEST: f64 = 1e-3;

/// Draws the eigenvalues of `scree` by component on a log axis, with the noise edge as a dashed line. The first
/// `n_kept` dots are filled, the others hollow. Eigenvalues below a thousandth of the edge have no dot.
pub(crate) fn draw_scree(scree: &Scree, n_kept: usize) -> Chart {
    draw_scree_on(scree, n_kept, PageSize::default())
}

/// As [`draw_scree`], on a page of this size.
pub(crate) fn draw_scree_on(scree: &Scree, n_kept: usize, size: PageSize) -> Chart {
    let Scree { eigenvalues, edge } = scree;
    let width = size.width.unwrap_or(WIDTH).max(220.0);
    let words = "eigenvalue of the correlation matrix of the genes (log scale); filled: kept";
    let head = Head::of(width, [&title(scree, n_kept), words]);
    let top = head.height() + 8.0;
    let bottom = size.height.map_or(top + HIGH, |height| height - FOOT).max(top + 60.0);
    let mut chart = Chart::new(width, bottom + FOOT);
    head.draw(&mut chart);
    let smallest = SMALLEST * edge;
    let shown = || eigenvalues.iter().copied().filter(move |value| *value >= smallest);
    let (low, high) = (shown().fold(*edge, f64::min), shown().fold(*edge, f64::max));
    let axis = LogAxis::new(low, high, bottom, top);
    let right = width - RIGHT;
    for (value, label) in axis.ticks() {
        let y = axis.place(*value);
        chart.line((LEFT, y), (right, y), "#e6e6e6", 1.0);
        chart.words((LEFT - 6.0, y + 4.0), label, TextAnchor::End, "#444444");
    }
    let y = axis.place(*edge);
    chart.dashes((LEFT, y), (right, y), GREY);
    chart.words((right, y - 6.0), "noise edge", TextAnchor::End, GREY);
    let n = eigenvalues.len();
    let slot = (right - LEFT) / n.max(1) as f64;
    // Labels have room for their digits.
    let every = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|every| *every as f64 * slot > 24.0);
    let every = every.unwrap_or(100);
    let radius = (0.4 * slot).clamp(1.2, 4.0);
    for (place, value) in eigenvalues.iter().enumerate() {
        let (number, x) = (place + 1, LEFT + slot * (place as f64 + 0.5));
        let is_first = number == 1 && (every - 1) as f64 * slot > 20.0;
        if number.is_multiple_of(every) || is_first {
            let text = number.to_string();
            chart.words((x, bottom + 18.0), &text, TextAnchor::Middle, "#444444");
        }
        if *value >= smallest {
            chart.dot((x, axis.place(*value)), radius, COLOURS[0], place < n_kept);
        }
    }
    let middle = f64::midpoint(LEFT, right);
    chart.words((middle, bottom + 38.0), "component", TextAnchor::Middle, GREY);
    chart
}

/// The number of components above the edge, and the number kept if it is another one.
fn title(scree: &Scree, n_kept: usize) -> String {
    let (above, n) = (scree.n_above(), scree.eigenvalues.len());
    let verb = if above == 1 { "is" } else { "are" };
    let title = format!("{above} of {n} components {verb} above the noise edge");
    if n_kept == above { title } else { format!("{title}; {n_kept} kept") }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn svg(chart: &Chart) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scree.svg");
        chart.write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    /// The tags with this beginning, without what follows them.
    fn tags<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
        text.split(begin).skip(1).map(|part| &part[..part.find('>').unwrap()]).collect()
    }

    #[test]
    fn components_above_the_dashed_edge_are_filled_and_the_others_hollow() {
        let scree = Scree { eigenvalues: array![8.0, 3.0, 0.9, 0.5, 0.0], edge: 1.8 };
        let text = svg(&draw_scree(&scree, 2));
        assert!(text.contains("2 of 5 components are above the noise edge"), "{text}");
        let number = |tag: &str, name: &str| -> f64 {
            let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest[..rest.find('"').unwrap()].parse().unwrap()
        };
        let lines = tags(&text, "<line");
        let dashed: Vec<&&str> = lines.iter().filter(|tag| tag.contains("dasharray")).collect();
        assert_eq!(dashed.len(), 1);
        let edge = number(dashed[0], "y1");
        let dots = tags(&text, "<circle");
        // The eigenvalue of zero has no place on the axis.
        assert_eq!(dots.len(), 4, "{text}");
        for (place, dot) in dots.into_iter().enumerate() {
            let (kept, y) = (place < 2, number(dot, "cy"));
            assert_eq!((dot.contains("#ffffff"), y < edge), (!kept, kept), "{dot}");
        }
    }

    #[test]
    fn components_that_are_kept_below_the_edge_are_in_the_title() {
        let scree = Scree { eigenvalues: array![2.0, 1.1], edge: 1.5 };
        let text = svg(&draw_scree(&scree, 2));
        assert!(text.contains("1 of 2 components is above the noise edge; 2 kept"), "{text}");
    }
}
