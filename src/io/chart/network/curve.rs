//! Curved edges between nodes: quadratic Bézier curves, cut at the circles of their nodes.

use crate::io::chart::network::rooms::Place;

/// Number of points at which a curve is examined.
const POINTS: usize = 32;

/// A quadratic Bézier curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Curve {
    /// Where it begins.
    pub(super) from: Place,
    /// The control point.
    pub(super) control: Place,
    /// Where it ends.
    pub(super) to: Place,
}

impl Curve {
    /// The curve from `from` to `to` whose control point is `bend` times their distance to the left of the
    /// middle, as seen on the page in the direction of the curve.
    pub(super) fn bent(from: Place, to: Place, bend: f64) -> Self {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let middle = (0.5 * (from.0 + to.0), 0.5 * (from.1 + to.1));
        Self { from, control: (middle.0 + bend * dy, middle.1 - bend * dx), to }
    }

    /// The point at `t` from 0 to 1.
    pub(super) fn at(&self, t: f64) -> Place {
        let [a, b, c] = [(1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t];
        (
            a * self.from.0 + b * self.control.0 + c * self.to.0,
            a * self.from.1 + b * self.control.1 + c * self.to.1,
        )
    }

    /// Points along the curve, without its ends.
    pub(super) fn points(&self) -> impl Iterator<Item = Place> + '_ {
        (1..POINTS).map(|step| self.at(step as f64 / POINTS as f64))
    }

    /// The part of the curve between `t0` and `t1`.
    pub(super) fn part(&self, t0: f64, t1: f64) -> Self {
        // The polar form of the curve at (t0, t1) is the control point of the part.
        let mix = |a: Place, b: Place, t: f64| (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1));
        let first = mix(self.from, self.control, t0);
        let second = mix(self.control, self.to, t0);
        Self { from: self.at(t0), control: mix(first, second, t1), to: self.at(t1) }
    }

    /// The last `t` at which the curve enters the circle with this radius around its end; 1 if it begins inside.
    pub(super) fn entry(&self, radius: f64) -> f64 {
        let outside = |t: f64| distance(self.at(t), self.to) >= radius;
        let last = (0..=POINTS).rev().map(|step| step as f64 / POINTS as f64).find(|&t| outside(t));
        let Some(last) = last else { return 1.0 };
        let (mut low, mut high) = (last, (last + 1.0 / POINTS as f64).min(1.0));
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if outside(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// The part of the curve from the circle around its begin to the circle around its end.
    pub(super) fn between(&self, begin: f64, end: f64) -> Self {
        let back = Self { from: self.to, control: self.control, to: self.from };
        let (first, last) = (1.0 - back.entry(begin), self.entry(end));
        if first < last { self.part(first, last) } else { *self }
    }

    /// The unit vector from the point of the curve that is `back` before its end to this end.
    pub(super) fn heading(&self, back: f64) -> Place {
        let before = self.at(self.entry(back));
        let before = if distance(before, self.to) > 1e-9 { before } else { self.from };
        let length = distance(before, self.to).max(1e-9);
        ((self.to.0 - before.0) / length, (self.to.1 - before.1) / length)
    }

    /// The curve with `moved` applied to its points.
    pub(super) fn mapped(&self, moved: impl Fn(Place) -> Place) -> Self {
        Self { from: moved(self.from), control: moved(self.control), to: moved(self.to) }
    }

    /// The curve in the language of SVG paths, as the equal cubic curve: PNG files know no quadratic ones.
    pub(super) fn path(&self) -> String {
        let toward = |end: Place| {
            let share = 2.0 / 3.0;
            (end.0 + share * (self.control.0 - end.0), end.1 + share * (self.control.1 - end.1))
        };
        let (from, to, first, second) = (self.from, self.to, toward(self.from), toward(self.to));
        format!(
            "M{:.2} {:.2}C{:.2} {:.2} {:.2} {:.2} {:.2} {:.2}",
            from.0, from.1, first.0, first.1, second.0, second.1, to.0, to.1
        )
    }
}

/// The distance of two places.
pub(super) fn distance(a: Place, b: Place) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENT: Curve = Curve { from: (0.0, 0.0), control: (50.0, -40.0), to: (100.0, 0.0) };

    #[test]
    fn opposite_curves_bend_to_different_sides() {
        let there = Curve::bent((0.0, 0.0), (100.0, 0.0), 0.4);
        assert_eq!(there, BENT);
        let back = Curve::bent((100.0, 0.0), (0.0, 0.0), 0.4);
        assert!((back.control.1 - 40.0).abs() < 1e-12);
        assert!((there.at(0.5).1 + 20.0).abs() < 1e-12, "the curve peaks at half the bend");
    }

    #[test]
    fn a_part_follows_the_curve() {
        let part = BENT.part(0.2, 0.7);
        for share in [0.0, 0.3, 0.5, 1.0] {
            let expected = BENT.at(0.2 + share * 0.5);
            assert!(distance(part.at(share), expected) < 1e-12, "{share}");
        }
    }

    #[test]
    fn curves_are_cut_at_the_circles_of_their_nodes() {
        let cut = BENT.between(20.0, 30.0);
        assert!((distance(cut.from, BENT.from) - 20.0).abs() < 1e-6, "{cut:?}");
        assert!((distance(cut.to, BENT.to) - 30.0).abs() < 1e-6, "{cut:?}");
        let (dx, dy) = cut.heading(8.0);
        assert!((dx.hypot(dy) - 1.0).abs() < 1e-9 && dx > 0.0 && dy > 0.0);
        // Circles that meet leave the curve as it is.
        assert_eq!(BENT.between(80.0, 80.0), BENT);
    }

    #[test]
    fn the_path_is_the_equal_cubic_curve() {
        assert_eq!(
            BENT.path(),
            "M0.00 0.00C33.33 -26.67 66.67 -26.67 100.00 0.00",
            "both control points are two thirds of the way to the one of the quadratic curve"
        );
    }
}
