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
    line(chart, curve, link, width);
    head(chart, curve, link, width);
}

/// Colour of an edge.
fn colour(link: &Link) -> &'static str {
    if link.activates { ACTIVATES } else { INHIBITS }
}

/// Length of an arrow head, and thickness of a bar.
fn length(link: &Link, width: f64) -> f64 {
    if link.activates { 6.5 + 1.7 * width } else { 1.6 + 0.4 * width }
}

/// Draws the line of an edge, which ends inside of its head.
fn line(chart: &mut Chart, curve: Curve, link: &Link, width: f64) {
    let inside = if link.activates { 0.8 } else { 0.5 };
    let end = if link.directed { curve.entry(inside * length(link, width)) } else { 1.0 };
    chart.curve(curve.part(0.0, end).path(), colour(link), width);
}

/// Draws the arrow head or the bar of an edge; nothing without a direction.
fn head(chart: &mut Chart, curve: Curve, link: &Link, width: f64) {
    let length = length(link, width);
    let (dx, dy) = curve.heading(length.max(6.0));
    let back =
        |by: f64, side: f64| (curve.to.0 - by * dx - side * dy, curve.to.1 - by * dy + side * dx);
    match (link.directed, link.activates) {
        (false, _) => {}
        (true, true) => {
            let half = 2.8 + width;
            chart.polygon(&[curve.to, back(length, half), back(length, -half)], colour(link));
        }
        (true, false) => {
            let half = 4.0 + 1.3 * width;
            let at = 0.5 * length;
            chart.line(back(at, half), back(at, -half), colour(link), length);
        }
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
        let name = |gene: usize, radius: f64| {
            let name = self.nodes[gene].name(self.sides[gene], radius);
            (moved((name[0], name[1])), (name[2] - name[0], name[3] - name[1]))
        };
        let words = |chart: &mut Chart, gene: usize, radius: f64, colour: &str| {
            let (corner, size) = name(gene, radius);
            let at = (corner.0 + 0.5 * size.0, corner.1 + 11.0);
            chart.words(at, &drawn.genes[gene], TextAnchor::Middle, colour);
        };
        let (present, absent): (Vec<usize>, Vec<usize>) =
            (0..drawn.genes.len()).partition(|&gene| is_present(links, gene));
        // Genes without an edge lie below the edges.
        for &gene in &absent {
            chart.circle(moved(self.nodes[gene].at), ABSENT, "#ffffff", "#cccccc");
            words(chart, gene, ABSENT, "#b4b4b4");
        }
        let radius = |gene: usize| drawn.radius(outgoing[gene]);
        let mut edges: Vec<(&Link, Curve)> = Vec::with_capacity(links.len());
        for (link, curve) in links.iter().zip(&self.curves[number]) {
            let gap = if link.directed { 3.0 } else { 1.0 };
            let (begin, end) = (radius(link.regulator) + 1.0, radius(link.target) + gap);
            edges.push((link, curve.mapped(moved).between(begin, end)));
        }
        // The most important edges lie on top.
        edges.sort_by(|a, b| a.0.weight.total_cmp(&b.0.weight));
        for (link, curve) in &edges {
            line(chart, *curve, link, drawn.width(link.weight));
        }
        for &gene in present.iter().filter(|&&gene| self.sides[gene] != Side::Inside) {
            let (corner, size) = name(gene, radius(gene));
            chart.veil(corner, size);
        }
        // Heads lie above the veils of names, so that all of them are visible.
        for (link, curve) in &edges {
            head(chart, *curve, link, drawn.width(link.weight));
        }
        for &gene in &present {
            chart.circle(moved(self.nodes[gene].at), radius(gene), fill(outgoing[gene]), "#444444");
            words(chart, gene, radius(gene), "#222222");
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
