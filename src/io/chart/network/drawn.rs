//! The edges of a network that are drawn, with their widths, sizes and legend.

use std::collections::{BTreeMap, BTreeSet};

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::edges::{ACTIVATES, INHIBITS};
use crate::io::chart::links::{Link, Links};
use crate::io::chart::network::MARGIN;
use crate::io::chart::network::curve::Curve;
use crate::io::chart::network::picture::stroke;
use crate::io::chart::profiles::GREY;

/// Largest number of genes of one panel.
const GENES: usize = 60;
/// Largest number of genes of several panels together.
const GENES_OF_PANELS: usize = 40;
/// Widest name of a gene in pixels.
const NAME: f64 = 110.0;
/// Widths of the lines of the least and the most important edge.
const THIN: f64 = 1.2;
const THICK: f64 = 4.5;
/// Radius of a gene without outgoing edges, and of a gene with the most.
const SMALL: f64 = 6.0;
const LARGE: f64 = 28.0;
/// The latter with several panels.
const LARGE_IN_PANELS: f64 = 18.0;
/// Colour of circles of regulators.
const REGULATOR: &str = "#d4dde6";

/// The links that are drawn.
pub(super) struct Drawn {
    /// Names of their genes, shortened.
    pub(super) genes: Vec<String>,
    /// The links of each panel, between positions in `genes`.
    pub(super) panels: Vec<Vec<Link>>,
    /// Largest number of links of a panel.
    n: usize,
    /// Smallest and largest weight.
    range: (f64, f64),
    /// Largest number of outgoing edges of a gene in a panel.
    most_outgoing: usize,
}

impl Drawn {
    /// The first `most` links of each panel, or as many as do not have too many genes.
    pub(super) fn of(links: &Links, most: usize) -> Self {
        let several = links.panels.len() > 1;
        let limit = if several { GENES_OF_PANELS } else { GENES };
        let mut panels: Vec<Vec<Link>> =
            links.panels.iter().map(|panel| first(&panel.links, most)).collect();
        let longest = panels.iter().map(Vec::len).max().unwrap_or(0);
        let mut places = BTreeMap::new();
        let mut n = 0;
        for rank in 0..longest {
            let new: BTreeSet<usize> = panels
                .iter()
                .filter_map(|panel| panel.get(rank))
                .flat_map(|link| [link.regulator, link.target])
                .filter(|gene| !places.contains_key(gene))
                .collect();
            if rank > 0 && places.len() + new.len() > limit {
                break;
            }
            for gene in new {
                let place = places.len();
                places.insert(gene, place);
            }
            n = rank + 1;
        }
        let mut genes = vec![String::new(); places.len()];
        for (&gene, &place) in &places {
            genes[place] = Chart::shortened(links.genes[gene], NAME);
        }
        for panel in &mut panels {
            panel.truncate(n);
            for link in panel.iter_mut() {
                (link.regulator, link.target) = (places[&link.regulator], places[&link.target]);
            }
        }
        let weights = || panels.iter().flatten().map(|link| link.weight);
        let range = (weights().fold(f64::INFINITY, f64::min), weights().fold(0.0, f64::max));
        let counts = panels.iter().flat_map(|panel| outgoing(panel, genes.len()));
        let most_outgoing = counts.max().unwrap_or(0);
        Self { genes, panels, n, range, most_outgoing }
    }

    /// Title of the picture.
    pub(super) fn title(&self, kind: &str) -> String {
        let edges = if self.n == 1 { "edge".to_string() } else { format!("{} edges", self.n) };
        let of = if self.panels.len() > 1 { format!(" of each {kind}") } else { String::new() };
        format!("Network of the first {edges}{of}")
    }

    /// The edges of all panels, each pair of genes once for each direction.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let pairs: BTreeSet<(usize, usize)> =
            self.panels.iter().flatten().map(Link::ends).collect();
        pairs.into_iter().collect()
    }

    /// Width of the line of an edge.
    pub(super) fn width(&self, weight: f64) -> f64 {
        let (low, high) = self.range;
        if high > low { THIN + (weight - low) / (high - low) * (THICK - THIN) } else { 2.5 }
    }

    /// Radius of the circle of a gene with this number of outgoing edges: its area grows with the number.
    pub(super) fn radius(&self, outgoing: usize) -> f64 {
        let largest = if self.panels.len() > 1 { LARGE_IN_PANELS } else { LARGE };
        let share = outgoing as f64 / self.most_outgoing.max(9) as f64;
        SMALL + (largest - SMALL) * share.sqrt()
    }

    /// Numbers of genes, and of the edges of the list that could be drawn.
    pub(super) fn subtitle(&self, links: &Links) -> String {
        let all: usize = links.panels.iter().map(|panel| panel.links.len()).sum();
        let drawn: usize = self.panels.iter().map(Vec::len).sum();
        format!("n = {} genes; {drawn} of {all} edges of the list", self.genes.len())
    }

    /// Draws the legend below the height `top`: signs in the first line, widths and sizes in the second, or sizes in
    /// a third one on a narrow page.
    pub(super) fn legend(&self, chart: &mut Chart, weight: &str, top: f64, is_narrow: bool) {
        let (first, mut second) = (top + 8.0, top + 40.0);
        let mut x = MARGIN;
        for (text, colour, activates) in
            [("activates", ACTIVATES, true), ("inhibits", INHIBITS, false)]
        {
            let link = Link { regulator: 0, target: 1, weight: 1.0, activates, directed: true };
            stroke(chart, Curve::bent((x, first), (x + 34.0, first), 0.0), &link, 2.5);
            chart.words((x + 42.0, first + 4.0), text, TextAnchor::Start, colour);
            x += 42.0 + Chart::width_of(text) + 18.0;
        }
        if self.panels.iter().flatten().any(|link| !link.directed) {
            chart.line((x, first), (x + 34.0, first), GREY, 2.5);
            chart.words((x + 42.0, first + 4.0), "direction unknown", TextAnchor::Start, GREY);
        }
        x = MARGIN;
        let (low, high) = self.range;
        let ends = if high > low { vec![low, high] } else { vec![high] };
        chart.words((x, second + 4.0), weight, TextAnchor::Start, GREY);
        x += Chart::width_of(weight) + 8.0;
        for value in ends {
            chart.line((x, second), (x + 26.0, second), GREY, self.width(value));
            let text = format!("{value:.2}");
            chart.words((x + 32.0, second + 4.0), &text, TextAnchor::Start, GREY);
            x += 32.0 + Chart::width_of(&text) + 12.0;
        }
        x += 12.0;
        if is_narrow {
            (x, second) = (MARGIN, second + 34.0);
        }
        chart.words((x, second + 4.0), "outgoing edges", TextAnchor::Start, GREY);
        x += Chart::width_of("outgoing edges") + 10.0;
        let mut sizes = vec![0, 1, self.most_outgoing];
        sizes.dedup();
        for n in sizes {
            let r = self.radius(n);
            chart.circle((x + r, second), r, fill(n), "#444444");
            chart.words((x + 2.0 * r + 6.0, second + 4.0), &n.to_string(), TextAnchor::Start, GREY);
            x += 2.0 * r + 6.0 + Chart::width_of(&n.to_string()) + 12.0;
        }
    }
}

/// The first `most` links, each pair once; pairs without a direction also once for both orders.
fn first(links: &[Link], most: usize) -> Vec<Link> {
    let mut seen = BTreeSet::new();
    let new = |link: &&Link| {
        let (a, b) = link.ends();
        (link.directed || !seen.contains(&(b, a, false))) && seen.insert((a, b, link.directed))
    };
    links.iter().filter(new).take(most).copied().collect()
}

/// Number of outgoing edges of each of `n` genes. An edge without a direction counts for both genes.
pub(super) fn outgoing(links: &[Link], n: usize) -> Vec<usize> {
    let mut counts = vec![0; n];
    for link in links {
        counts[link.regulator] += 1;
        if !link.directed {
            counts[link.target] += 1;
        }
    }
    counts
}

/// Colour of the circle of a gene with this number of outgoing edges.
pub(super) fn fill(outgoing: usize) -> &'static str {
    if outgoing > 0 { REGULATOR } else { "#ffffff" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::chart::links::tests::{edge, edge_of};
    use crate::io::edges::EdgeRow;

    #[test]
    fn the_first_edges_of_each_panel_are_drawn_as_long_as_genes_are_few() {
        let star = |n: usize, part: f64| -> Vec<EdgeRow> {
            let row = |i: usize| edge_of(edge("A", &format!("T{i}"), 1.0), "", part);
            (0..n).map(row).collect()
        };
        let size = |rows: &[EdgeRow], most: usize| {
            let drawn = Drawn::of(&Links::of(rows), most);
            (drawn.n, drawn.genes.len(), drawn.title("interval"))
        };
        let all = |text: &str| text.to_string();
        assert_eq!(size(&star(50, 0.0), 40), (40, 41, all("Network of the first 40 edges")));
        assert_eq!(size(&star(90, 0.0), 80).1, 60);
        let two = [star(50, 0.0), star(3, 1.0)].concat();
        let title = all("Network of the first 39 edges of each interval");
        assert_eq!(size(&two, 80), (39, 40, title));
        assert_eq!(size(&star(1, 0.0), 40).2, "Network of the first edge");
        assert_eq!(size(&[], 40).1, 0);
    }

    #[test]
    fn a_pair_without_a_direction_is_one_line_and_counts_for_both_genes() {
        let rows = [edge("A", "B", 3.0), edge("B", "A", 2.0), edge("A", "B", 1.0)];
        let mut links = Links::of(&rows).panels.remove(0).links;
        assert_eq!(first(&links, 9).len(), 2);
        assert_eq!(outgoing(&links[..1], 2), [1, 0]);
        for link in &mut links {
            link.directed = false;
        }
        assert_eq!(first(&links, 9), links[..1]);
        assert_eq!(outgoing(&links[..1], 2), [1, 1]);
    }

    #[test]
    fn widths_and_areas_grow_with_weights_and_numbers() {
        let rows = [edge("A", "B", 4.0), edge("A", "C", 2.0), edge("B", "C", -3.0)];
        let drawn = Drawn::of(&Links::of(&rows), 40);
        assert!(
            (drawn.width(2.0) - THIN).abs() < 1e-12 && (drawn.width(4.0) - THICK).abs() < 1e-12
        );
        assert!((drawn.width(3.0) - 0.5 * (THIN + THICK)).abs() < 1e-12);
        let above = |n: usize| drawn.radius(n) - SMALL;
        assert!(above(0).abs() < 1e-12 && (above(4) - 2.0 * above(1)).abs() < 1e-12);
        assert!((drawn.radius(9) - LARGE).abs() < 1e-12);
    }
}
