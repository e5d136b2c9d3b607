//! Bends of edges that avoid nodes and names, and places of names that avoid edges.

use std::collections::BTreeSet;

use crate::io::chart::network::curve::{Curve, distance};
use crate::io::chart::network::rooms::{Place, overlap};

/// Height of a name.
const HEIGHT: f64 = 14.0;
/// Length of the head of an edge.
const HEAD: f64 = 16.0;
/// Bends of edges, in units of their length; the first one is preferred.
const BENDS: [f64; 8] = [0.12, -0.12, 0.26, -0.26, 0.42, -0.42, 0.6, -0.6];
/// Bends of an edge whose opposite exists: both bend to their left, so that they are apart.
const OPPOSED: [f64; 4] = [0.2, 0.34, 0.5, 0.66];

/// A circle with its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Labelled {
    /// Centre of the circle.
    pub(super) at: Place,
    /// Largest radius of the circle.
    pub(super) radius: f64,
    /// Width of the name.
    pub(super) width: f64,
    /// Whether the name may stand inside of the circle.
    pub(super) inside: bool,
}

/// Side of a circle at which its name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Inside of the circle.
    Inside,
    /// Below it; each node has room there.
    Below,
    /// Above it.
    Above,
    /// To its right.
    Right,
    /// To its left.
    Left,
    /// Above it and to its right.
    AboveRight,
    /// Above it and to its left.
    AboveLeft,
    /// Below it and to its right.
    BelowRight,
    /// Below it and to its left.
    BelowLeft,
}

/// Sides for names outside of their circles; of equally good ones the first one is taken.
const OUTSIDE: [Side; 8] = [
    Side::Below,
    Side::Above,
    Side::Right,
    Side::Left,
    Side::AboveRight,
    Side::AboveLeft,
    Side::BelowRight,
    Side::BelowLeft,
];

impl Labelled {
    /// Whether the name fits into the circle.
    pub(super) fn is_inside(&self) -> bool {
        self.inside && self.width <= 2.0 * (self.radius.powi(2) - 36.0).max(0.0).sqrt()
    }

    /// The box of the name at a side of the circle with this radius: left, top, right, bottom.
    pub(super) fn name(&self, side: Side, radius: f64) -> [f64; 4] {
        let (x, y) = self.at;
        let (half, away) = (0.5 * self.width, radius + 3.0);
        // The corner of a name beside a diagonal of the circle.
        let (right, left) = (x + 0.7 * away + half, x - 0.7 * away - half);
        let (above, below) = (y - 0.7 * away - HEIGHT + 2.0, y + 0.7 * away - 2.0);
        let (middle, top) = match side {
            Side::Inside => (x, y - 0.5 * HEIGHT),
            Side::Below => (x, y + away - 1.0),
            Side::Above => (x, y - away - HEIGHT + 1.0),
            Side::Right => (x + away + half, y - 0.5 * HEIGHT),
            Side::Left => (x - away - half, y - 0.5 * HEIGHT),
            Side::AboveRight => (right, above),
            Side::AboveLeft => (left, above),
            Side::BelowRight => (right, below),
            Side::BelowLeft => (left, below),
        };
        [middle - half, top, middle + half, top + HEIGHT]
    }

    /// The box of the circle.
    fn circle(&self) -> [f64; 4] {
        let (x, y, r) = (self.at.0, self.at.1, self.radius);
        [x - r, y - r, x + r, y + r]
    }
}

/// The box around all circles, names and curves: left, top, right, bottom.
pub(super) fn extent(nodes: &[Labelled], sides: &[Side], curves: &[Curve]) -> [f64; 4] {
    let names = nodes.iter().zip(sides).map(|(node, &side)| node.name(side, node.radius));
    let points = curves.iter().flat_map(Curve::points).map(|at| [at.0, at.1, at.0, at.1]);
    let boxes = names.chain(nodes.iter().map(Labelled::circle)).chain(points);
    let join =
        |a: [f64; 4], b: [f64; 4]| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
    boxes.reduce(join).unwrap_or_default()
}

/// Finds the side of each name that is crossed by the fewest of `edges`, if these avoid the circles.
///
/// A name never overlaps a circle or another name if each node has room for a name below it.
pub(super) fn sides(nodes: &[Labelled], edges: &[(usize, usize)]) -> Vec<Side> {
    let below = |node: &Labelled| if node.is_inside() { Side::Inside } else { Side::Below };
    let mut sides: Vec<Side> = nodes.iter().map(below).collect();
    let curves = bend(nodes, edges, &[]);
    for node in (0..nodes.len()).filter(|&node| !nodes[node].is_inside()) {
        let costs = OUTSIDE.map(|side| {
            let name = nodes[node].name(side, nodes[node].radius);
            let free = side == Side::Below || is_free(node, name, nodes, &sides);
            let crossed = curves
                .iter()
                .zip(edges)
                .map(|(curve, ends)| hidden(curve, nodes[ends.1].radius, name));
            (side, if free { crossed.sum() } else { usize::MAX })
        });
        // Of equal sides the first one is the minimum.
        sides[node] =
            costs.into_iter().min_by_key(|cost| cost.1).map_or(Side::Below, |cost| cost.0);
    }
    sides
}

/// Whether a name in this box touches no other circle and no other name.
fn is_free(own: usize, name: [f64; 4], nodes: &[Labelled], sides: &[Side]) -> bool {
    let others = nodes.iter().zip(sides).enumerate().filter(|(number, _)| *number != own);
    others.into_iter().all(|(_, (node, &side))| {
        !overlap(name, node.circle()) && !overlap(name, node.name(side, node.radius))
    })
}

/// For each edge the curve between the centres of its nodes with the fewest circles and `names` in its way, and of
/// those the straightest.
pub(super) fn bend(nodes: &[Labelled], edges: &[(usize, usize)], names: &[[f64; 4]]) -> Vec<Curve> {
    let all: BTreeSet<(usize, usize)> = edges.iter().copied().collect();
    let cost = |curve: &Curve, ends: (usize, usize)| {
        let circles = nodes.iter().enumerate().filter(|(number, node)| {
            *number != ends.0
                && *number != ends.1
                && curve.points().any(|at| distance(at, node.at) < node.radius + 4.0)
        });
        let names = names.iter().map(|&name| hidden(curve, nodes[ends.1].radius, name));
        8 * circles.count() + names.sum::<usize>()
    };
    edges
        .iter()
        .map(|&ends| {
            let bends: &[f64] = if all.contains(&(ends.1, ends.0)) { &OPPOSED } else { &BENDS };
            let (from, to) = (nodes[ends.0].at, nodes[ends.1].at);
            let curves = bends.iter().map(|&bend| Curve::bent(from, to, bend));
            curves
                .map(|curve| (cost(&curve, ends), curve))
                .min_by_key(|found| found.0)
                .map_or_else(|| Curve::bent(from, to, BENDS[0]), |found| found.1)
        })
        .collect()
}

/// How much a name hides of a curve to a circle with this radius: 2 for a part of its line, 6 for its head, and 3 if
/// its head is near the name.
fn hidden(curve: &Curve, radius: f64, name: [f64; 4]) -> usize {
    let wider = |by: f64| [name[0] - by, name[1] - by, name[2] + by, name[3] + by];
    let (near, inside) = (wider(6.0), wider(1.0));
    let of = |at: Place| {
        let is_head = distance(at, curve.to) < radius + HEAD;
        match (is_in(at, inside), is_head) {
            (true, true) => 6,
            (true, false) => 2,
            (false, true) if is_in(at, near) => 3,
            (false, _) => 0,
        }
    };
    curve.points().map(of).max().unwrap_or(0)
}

/// Whether a place is in a box.
fn is_in(at: Place, inside: [f64; 4]) -> bool {
    at.0 > inside[0] && at.0 < inside[2] && at.1 > inside[1] && at.1 < inside[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(x: f64, y: f64, radius: f64) -> Labelled {
        Labelled { at: (x, y), radius, width: 40.0, inside: true }
    }

    #[test]
    fn edges_bend_around_nodes() {
        let nodes = [node(0.0, 0.0, 8.0), node(200.0, 0.0, 8.0), node(100.0, -10.0, 12.0)];
        let curve = bend(&nodes, &[(0, 1)], &[])[0];
        assert!(curve.points().all(|at| distance(at, nodes[2].at) > 16.0), "{curve:?}");
        // Without a node in the way the first bend is taken.
        let curve = bend(&nodes[..2], &[(0, 1)], &[])[0];
        assert_eq!(curve, Curve::bent(nodes[0].at, nodes[1].at, BENDS[0]));
    }

    #[test]
    fn edges_bend_around_names_and_heads_stay_visible() {
        let nodes = [node(0.0, 0.0, 8.0), node(200.0, 0.0, 8.0)];
        let straight = bend(&nodes, &[(0, 1)], &[])[0];
        // A name above the line, in the way of the first bend.
        let name = [80.0, -20.0, 120.0, -6.0];
        assert_eq!(hidden(&straight, 8.0, name), 2);
        assert_eq!(hidden(&bend(&nodes, &[(0, 1)], &[name])[0], 8.0, name), 0);
        assert_eq!(hidden(&straight, 8.0, [170.0, -30.0, 210.0, -8.0]), 3);
        assert_eq!(hidden(&straight, 8.0, [170.0, -20.0, 210.0, 2.0]), 6);
        let around = extent(&nodes, &[Side::Below, Side::Right], &[straight]);
        assert!((around[0] + 20.0).abs() < 1e-9 && (around[2] - 251.0).abs() < 1e-9, "{around:?}");
        assert!((around[1] + 12.0).abs() < 0.1 && (around[3] - 24.0).abs() < 1e-9, "{around:?}");
    }

    #[test]
    fn opposite_edges_are_apart() {
        let nodes = [node(0.0, 0.0, 8.0), node(120.0, 40.0, 8.0)];
        let curves = bend(&nodes, &[(0, 1), (1, 0)], &[]);
        assert!(distance(curves[0].at(0.5), curves[1].at(0.5)) > 20.0, "{curves:?}");
    }

    #[test]
    fn names_stand_inside_large_circles_and_beside_edges() {
        let nodes = [node(0.0, 0.0, 25.0), node(0.0, 150.0, 8.0), node(0.0, 300.0, 8.0)];
        let sides = sides(&nodes, &[(1, 2), (1, 0)]);
        assert_eq!(sides[0], Side::Inside);
        // Edges leave the second node upwards and downwards.
        assert!([Side::Right, Side::Left].contains(&sides[1]), "{sides:?}");
        assert_eq!(sides[2], Side::Below);
    }

    #[test]
    fn names_touch_no_other_circle_and_no_other_name() {
        // A grid with room below each node, all joined to the first.
        let nodes: Vec<Labelled> =
            (0..20).map(|i| node(60.0 * (i % 5) as f64, 45.0 * (i / 5) as f64, 8.0)).collect();
        let edges: Vec<(usize, usize)> = (1..20).map(|i| (0, i)).collect();
        let sides = sides(&nodes, &edges);
        let names: Vec<[f64; 4]> =
            nodes.iter().zip(&sides).map(|(node, &side)| node.name(side, 8.0)).collect();
        for i in 0..20 {
            for j in (0..20).filter(|&j| j != i) {
                assert!(!overlap(names[i], nodes[j].circle()), "{i} {j}");
                assert!(!overlap(names[i], names[j]), "{i} {j}");
            }
        }
    }
}
