//! Regulatory edges as a graph and as a heat map.

use crate::io::chart::{draw_heatmap, draw_network};
use crate::io::report::data::ShownEdges;
use crate::io::report::escape::{count, html, number};
use crate::io::report::page::{Figure, Table, wide};

/// Edges of the graph.
const GRAPH: usize = 30;

/// The graph and the heat map.
pub(super) fn figures(edges: &ShownEdges) -> Vec<Figure> {
    let n =
        |drawn: usize| format!("n = the first {} of {} edges", count(drawn), count(edges.n_edges));
    let graph = GRAPH.min(edges.rows.len());
    let picture = |svg: String, about: &str| wide(&embedded(&svg, about), about);
    let about = format!("Graph of the first {graph} edges: arrows activate, bars inhibit");
    let network = Figure {
        id: "fig-graph",
        title: "The most important edges".into(),
        n: n(graph),
        picture: picture(draw_network(&edges.rows, GRAPH).svg_text(), &about),
        reading: "A thicker curve is a more important edge, a larger circle has more targets. Blue arrows activate, \
                  red bars inhibit. An edge is a prediction from expression, not a measured binding."
            .into(),
        table: table(edges, GRAPH),
    };
    let about = "Heat map of regulators (rows) and targets (columns), with their signed importance";
    let heat = Figure {
        id: "fig-heat",
        title: "Regulators and their targets".into(),
        n: n(edges.rows.len()),
        picture: picture(draw_heatmap(&edges.rows).svg_text(), about),
        reading: "Colour is the importance of an edge with its sign. Similar rows and columns are neighbours."
            .into(),
        table: table(edges, usize::MAX),
    };
    vec![network, heat]
}

/// The first rows of the list.
fn table(edges: &ShownEdges, most: usize) -> Table {
    let rows = edges
        .rows
        .iter()
        .take(most)
        .map(|edge| {
            vec![
                edge.regulator.clone(),
                edge.target.clone(),
                if edge.activates { "activates" } else { "inhibits" }.into(),
                number(edge.importance),
                number(edge.confidence),
                number(edge.stability),
                edge.group.clone(),
            ]
        })
        .collect();
    let header =
        ["Regulator", "Target", "Effect", "Importance", "Confidence", "Stability", "Group"];
    Table::new(&header, rows)
}

/// The picture of a chart inside a page: its text takes the colour of the page, and readers who do not see it
/// hear `about`.
fn embedded(svg: &str, about: &str) -> String {
    let text = svg.replacen(
        "<svg",
        &format!("<svg class=\"chart\" role=\"img\" aria-label=\"{}\"", html(about)),
        1,
    );
    match text.find("<svg") {
        Some(start) => text[start..].to_string(),
        None => String::new(),
    }
}
