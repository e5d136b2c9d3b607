//! Small pictures as SVG text, whose colours follow the page.
//!
//! Classes of the style sheet give text and lines their colours: `k` labels, `a` titles of axes, `s` small text, `b`
//! titles of panels, `g` pale grid lines and `x` axes. All places have at most one decimal.

use std::fmt::Write;

use crate::io::report::escape::{html, place};

/// A picture. Coordinates are in pixels from the upper left corner.
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text begins: `start`, `middle` or `end` of it is at its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty picture.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// Adds elements as they are. `raw` must be well-formed and escaped.
    pub(super) fn raw(&mut self, raw: &str) {
        self.body.push_str(raw);
    }

    /// Adds a line of a class of the style sheet.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], class: &str) {
        let [x1, y1] = from.map(place);
        let [x2, y2] = to.map(place);
        // Writing to a string does not fail.
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        );
    }

    /// Adds a filled rectangle with this upper left `corner`; a negative length counts as zero.
    pub(super) fn rect(&mut self, corner: [f64; 2], size: [f64; 2], fill: &str) {
        let [x, y] = corner.map(place);
        let [width, height] = size.map(|length| place(length.max(0.0)));
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"
        );
    }

    /// Adds a filled area with this opacity, 0 to 1.
    pub(super) fn area(&mut self, path: &str, fill: &str, opacity: f64) {
        let opacity = place(opacity * 100.0);
        let _ =
            write!(self.body, "<path d=\"{path}\" fill=\"{fill}\" fill-opacity=\"{opacity}%\"/>");
    }

    /// Adds a curve of this colour and width in pixels.
    pub(super) fn curve(&mut self, path: &str, colour: &str, width: f64) {
        let width = place(width);
        let _ = write!(
            self.body,
            "<path class=\"w\" d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        );
    }

    /// Adds many dots of one colour as one path, which takes few bytes.
    pub(super) fn dots(&mut self, at: impl Iterator<Item = [f64; 2]>, size: f64, colour: &str) {
        let mut path = String::new();
        for [x, y] in at.map(|point| point.map(f64::round)) {
            let _ = write!(path, "M{x} {y}h0");
        }
        if !path.is_empty() {
            self.curve(&path, colour, size);
        }
    }

    /// Adds text of a class of the style sheet at its baseline.
    pub(super) fn text(&mut self, at: [f64; 2], text: &str, class: &str, anchor: Anchor) {
        let [x, y] = at.map(place);
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = html(text);
        let _ = write!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" class=\"{class}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// Adds text that is read upwards, centred at its place.
    pub(super) fn upright(&mut self, at: [f64; 2], text: &str) {
        let [x, y] = at.map(place);
        let text = html(text);
        let _ = write!(
            self.body,
            "<text transform=\"translate({x} {y}) rotate(-90)\" class=\"a\" text-anchor=\"middle\">{text}</text>"
        );
    }

    /// The element, with `label` as its text for readers who do not see it.
    pub(super) fn element(&self, label: &str) -> String {
        let [width, height] = [self.width, self.height].map(place);
        let label = html(label);
        let body = &self.body;
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
             aria-label=\"{label}\">{body}</svg>"
        )
    }
}

/// A path through `points`.
pub(super) fn path(points: &[[f64; 2]]) -> String {
    let mut put = String::new();
    for (i, point) in points.iter().enumerate() {
        let [x, y] = point.map(place);
        let _ = write!(put, "{}{x} {y}", if i == 0 { "M" } else { "L" });
    }
    put
}

/// `text`, cut with an ellipsis after `most` characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
