//! Regulatory edges as a graph and as a heat map.
//!
//! Both pictures are charts of `io/chart`, in the colours of the page: text, lines and the paper below half-opaque
//! cells follow the page, also on dark paper.

use crate::io::chart::{draw_heatmap, draw_network};
use crate::io::report::data::ShownEdges;
use crate::io::report::escape::{count, html, number};
use crate::io::report::page::{Figure, Table, wide};

/// Number of edges of the graph, the first of the list.
const GRAPH: usize = 30;
/// Number of edges of the heat map, which limits the bytes of the page.
const HEAT: usize = 600;

/// The figure of the graph and that of the heat map, each with the edges that it shows as a table.
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
        picture: picture(draw_network(&edges.rows, GRAPH).svg(), &about),
        reading: "A thicker curve is an edge of higher confidence (or importance), a larger circle has more targets. \
                  Blue arrows activate, red bars inhibit. An edge is a prediction from expression, not a measured \
                  binding."
            .into(),
        table: table(edges, GRAPH),
    };
    let about = "Heat map of regulators (rows) and targets (columns), with their signed importance";
    let heat = Figure {
        id: "fig-heat",
        title: "Regulators and their targets".into(),
        n: n(edges.rows.len().min(HEAT)),
        picture: picture(draw_heatmap(&edges.rows[..edges.rows.len().min(HEAT)]).svg(), about),
        reading: "Colour is the confidence (or importance) of an edge with its sign, as the scale says. Similar rows \
                  and columns are neighbours."
            .into(),
        table: table(edges, usize::MAX),
    };
    vec![network, heat]
}

/// The table of the first `most` edges: both genes, the sign, importance, confidence, stability and group.
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
    let svg = with_page_colours(&slim(svg));
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

/// Colours of charts, with the colours of the page in their place, which are others on dark paper.
/// Their names are short, since a heat map has many cells; the style sheet says what they are.
const COLOURS: [(&str, char); 12] = [
    ("#ffffff", 'p'),
    ("#222222", 'i'),
    ("#444444", 's'),
    ("#666666", 's'),
    ("#b4b4b4", 'n'),
    ("#cccccc", 'n'),
    ("#dddddd", 'l'),
    ("#e4e4e4", 'l'),
    ("#e6e6e6", 'l'),
    ("#d4dde6", 'c'),
    ("#0072b2", 'a'),
    ("#d55e00", 'h'),
];

/// The picture with the colours of the page in place of those of charts.
fn with_page_colours(svg: &str) -> String {
    // The page has a ground of its own.
    let mut svg = svg.replace("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>", "");
    for (colour, name) in COLOURS {
        for attribute in ["fill", "stroke"] {
            let (from, to) =
                (format!("{attribute}=\"{colour}\""), format!("{attribute}=\"var(--{name})\""));
            svg = svg.replace(&from, &to);
        }
    }
    svg
}

/// The same picture in fewer bytes: at most two decimals, and no spaces that nothing needs.
fn slim(svg: &str) -> String {
    let mut put = String::with_capacity(svg.len());
    let mut decimals = None;
    let mut inside = false;
    for c in svg.chars() {
        // Only numbers in tags are cut, never text.
        inside = if c == '<' || c == '>' { c == '<' } else { inside };
        decimals = match (c, decimals) {
            ('.', _) if inside => Some(0),
            ('0'..='9', Some(n)) => Some(n + 1),
            _ => None,
        };
        if decimals.is_none_or(|n| n <= 2) {
            put.push(c);
        }
    }
    put.replace("\" />", "\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_have_the_colours_of_the_page() {
        let edge = |activates| crate::io::edges::EdgeRow {
            regulator: "A".into(),
            target: if activates { "B" } else { "C" }.into(),
            importance: if activates { 1.0 } else { 0.5 },
            activates,
            ..Default::default()
        };
        for chart in
            [draw_network(&[edge(true), edge(false)], 9), draw_heatmap(&[edge(true), edge(false)])]
        {
            let text = embedded(&chart.svg(), "about");
            assert!(!text.contains("100%"), "{text}");
            for (colour, _) in COLOURS {
                assert!(!text.contains(colour), "{colour}: {text}");
            }
            for name in ['i', 'h'] {
                assert!(text.contains(&format!("var(--{name})")), "{text}");
            }
        }
    }

    #[test]
    fn numbers_of_pictures_are_cut_and_texts_are_not() {
        let svg = "<svg x=\"1.23456\" y=\"0.5\" /><text>v1.23456</text></svg>";
        assert_eq!(slim(svg), "<svg x=\"1.23\" y=\"0.5\"/><text>v1.23456</text></svg>");
    }
}
