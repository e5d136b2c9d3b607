//! The picture of a network: places of genes and names, curves of edges, and their drawing.

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::edges::{ACTIVATES, INHIBITS};
use crate::io::chart::links::Link;
use crate::io::chart::network::curve::Curve;
use crate::io::chart::network::drawn::{Drawn, fill, outgoing};
use crate::io::chart::network::layout::{Node, layout};
use crate::io::chart::network::rooms::{Place, Room};
use crate::io::chart::network::route::{Labelled, Side, bend, extent, sides};

/// Radius of a gene without edges in a panel.
const ABSENT: f64 = 3.0;

/// Draws an edge along `curve`, which ends at the borders of its nodes.
pub(super) fn stroke(chart: &mut Chart, curve: Curve, link: &Link, width: f64) {
    let colour = if link.activates { ACTIVATES } else { INHIBITS };
    if !link.directed {
        chart.curve(curve.path(), colour, width);
        return;
    }
    let tip = curve.to;
    if link.activates {
        let (length, half) = (6.5 + 1.7 * width, 2.8 + 1.0 * width);
        let (dx, dy) = curve.heading(length);
        let base = (tip.0 - length * dx, tip.1 - length * dy);
        let sides = [half, -half].map(|side| (base.0 - side * dy, base.1 + side * dx));
        // The line ends inside of the head.
        chart.curve(curve.part(0.0, curve.entry(0.8 * length)).path(), colour, width);
        chart.polygon(&[tip, sides[0], sides[1]], colour);
    } else {
        let (half, thick) = (4.0 + 1.3 * width, 1.6 + 0.4 * width);
        let (dx, dy) = curve.heading(6.0);
        let centre = (tip.0 - 0.5 * thick * dx, tip.1 - 0.5 * thick * dy);
        chart.curve(curve.part(0.0, curve.entry(0.5 * thick)).path(), colour, width);
        let end = |side: f64| (centre.0 - side * dy, centre.1 + side * dx);
        chart.line(end(half), end(-half), colour, thick);
    }
}

/// Places of genes and of their names, which all panels share, and the curves of the edges of each panel.
pub(super) struct Picture {
    nodes: Vec<Labelled>,
    sides: Vec<Side>,
    curves: Vec<Vec<Curve>>,
    /// Width and height of a panel.
    pub(super) size: (f64, f64),
}

impl Picture {
    /// Places the genes and bends the edges of all panels.
    pub(super) fn new(drawn: &Drawn) -> Self {
        let n = drawn.genes.len();
        let mut most = vec![0; n];
        for panel in &drawn.panels {
            for (most, count) in most.iter_mut().zip(outgoing(panel, n)) {
                *most = count.max(*most);
            }
        }
        let inside = drawn.panels.len() == 1;
        let mut nodes: Vec<Labelled> = Vec::with_capacity(n);
        for (gene, &most) in drawn.genes.iter().zip(&most) {
            let (radius, width) = (drawn.radius(most), Chart::width_of(gene));
            nodes.push(Labelled { at: (0.0, 0.0), radius, width, inside });
        }
        let pairs = drawn.pairs();
        let rooms: Vec<Node> = nodes.iter().map(node).collect();
        let places = layout(&rooms, &pairs);
        for (node, at) in nodes.iter_mut().zip(places) {
            node.at = at;
        }
        let sides = sides(&nodes, &pairs);
        let mut curves: Vec<Vec<Curve>> =
            drawn.panels.iter().map(|panel| curves(panel, drawn, &nodes, &sides)).collect();
        // Names and curves may extend beyond the rooms of the layout.
        let around = extent(&nodes, &sides, &curves.concat());
        let aside = |at: Place| (at.0 - around[0], at.1 - around[1]);
        for node in &mut nodes {
            node.at = aside(node.at);
        }
        for curve in curves.iter_mut().flatten() {
            *curve = curve.mapped(aside);
        }
        Self { nodes, sides, curves, size: (around[2] - around[0], around[3] - around[1]) }
    }

    /// Draws a panel with the upper left corner `origin`.
    pub(super) fn draw(&self, chart: &mut Chart, drawn: &Drawn, number: usize, origin: Place) {
        let links = &drawn.panels[number];
        let outgoing = outgoing(links, drawn.genes.len());
        let moved = |at: Place| (at.0 + origin.0, at.1 + origin.1);
        let name = |chart: &mut Chart, gene: usize, radius: f64, colour: &str| {
            let side = self.sides[gene];
            let name = self.nodes[gene].name(side, radius);
            let corner = moved((name[0], name[1]));
            if side != Side::Inside {
                chart.veil(corner, (name[2] - name[0], name[3] - name[1]));
            }
            let at = (corner.0 + 0.5 * self.nodes[gene].width, corner.1 + 11.0);
            chart.words(at, &drawn.genes[gene], TextAnchor::Middle, colour);
        };
        let (present, absent): (Vec<usize>, Vec<usize>) =
            (0..drawn.genes.len()).partition(|&gene| is_present(links, gene));
        // Genes without an edge lie below the edges.
        for &gene in &absent {
            chart.circle(moved(self.nodes[gene].at), ABSENT, "#ffffff", "#cccccc");
            name(chart, gene, ABSENT, "#b4b4b4");
        }
        let mut sorted: Vec<(&Link, &Curve)> = links.iter().zip(&self.curves[number]).collect();
        // The most important edges lie on top.
        sorted.sort_by(|a, b| a.0.weight.total_cmp(&b.0.weight));
        for (link, curve) in sorted {
            let [begin, end] = [link.regulator, link.target].map(|g| drawn.radius(outgoing[g]));
            let gap = if link.directed { 3.0 } else { 1.0 };
            let curve = curve.mapped(moved).between(begin + 1.0, end + gap);
            stroke(chart, curve, link, drawn.width(link.weight));
        }
        for &gene in &present {
            let radius = drawn.radius(outgoing[gene]);
            chart.circle(moved(self.nodes[gene].at), radius, fill(outgoing[gene]), "#444444");
            name(chart, gene, radius, "#222222");
        }
    }
}

/// Whether a gene has an edge.
fn is_present(links: &[Link], gene: usize) -> bool {
    links.iter().any(|link| link.regulator == gene || link.target == gene)
}

/// The curves of the edges of a panel, which avoid its own genes and their names.
fn curves(links: &[Link], drawn: &Drawn, nodes: &[Labelled], sides: &[Side]) -> Vec<Curve> {
    let outgoing = outgoing(links, nodes.len());
    let (mut own, mut names) = (nodes.to_vec(), Vec::new());
    for (gene, node) in own.iter_mut().enumerate() {
        if is_present(links, gene) {
            node.radius = drawn.radius(outgoing[gene]);
            names.push(node.name(sides[gene], node.radius));
        } else {
            node.radius = ABSENT;
        }
    }
    bend(&own, &links.iter().map(Link::ends).collect::<Vec<_>>(), &names)
}

/// The room of a gene: its circle, and a name below it unless it is inside.
fn node(gene: &Labelled) -> Node {
    let r = gene.radius;
    let room = if gene.is_inside() {
        Room { half: r, up: r, down: r }
    } else {
        Room { half: r.max(0.5 * gene.width), up: r, down: r + 16.0 }
    };
    Node { room, radius: r }
}
