//! NETWORK: the first edges of a list as a graph, one panel for each group or interval.

mod curve;
mod drawn;
mod layout;
mod picture;
mod rooms;
mod route;
mod stress;

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::links::Links;
use crate::io::chart::network::drawn::Drawn;
use crate::io::chart::network::picture::Picture;
use crate::io::chart::page::Head;
use crate::io::chart::profiles::{GREY, WIDTH};
use crate::io::edges::EdgeRow;

/// Margin around the picture and between panels.
const MARGIN: f64 = 16.0;
/// Height of a legend in two lines.
const LEGEND: f64 = 74.0;
/// Width below which the legend has three lines.
const NARROW: f64 = 560.0;
/// Height of the name of a panel.
const HEAD: f64 = 28.0;

/// Draws the first `n` edges of `rows` as a graph: a circle for each gene, larger for more outgoing edges, and a
/// curve for each edge, thicker for a more important one. Activations are blue with an arrow head, inhibitions red
/// with a bar.
///
/// With several groups or intervals the function draws the first `n` edges of each of the first nine in a panel,
/// with all genes at the same places. There are fewer edges if they have more than 60 genes, or 40 in several
/// panels. Edges of a gene to itself are left out.
///
/// Genes are placed by stress majorisation (Gansner, Koren and North 2004), and the same rows give the same picture.
///
/// ```
/// use sbcell::io::{chart::draw_network, edges::EdgeRow};
/// # fn main() -> sbcell::Result<()> {
/// let edge = EdgeRow {
///     regulator: "Sox2".into(),
///     target: "Nanog".into(),
///     importance: 0.5,
///     ..EdgeRow::default()
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("network.svg");
/// draw_network(&[edge], 40).write(&path)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.contains("Sox2") && text.contains("activates"));
/// # Ok(())
/// # }
/// ```
pub fn draw_network(rows: &[EdgeRow], n: usize) -> Chart {
    draw_links(&Links::of(rows), n, WIDTH, f64::INFINITY)
}

/// As [`draw_network`], on a page of this width, or of its own without one. On a narrow page there are fewer edges, so
/// that names keep their size; a page that is too narrow for three edges shows them smaller.
pub(crate) fn draw_network_on(rows: &[EdgeRow], n: usize, width: Option<f64>) -> Chart {
    let Some(width) = width else { return draw_network(rows, n) };
    let links = Links::of(rows);
    let fewer = FEWER.into_iter().filter(|few| *few < n);
    let mut chart = draw_links(&links, n, width, width);
    for few in fewer {
        if chart.width() <= width + 0.5 {
            break;
        }
        chart = draw_links(&links, few, width, width);
    }
    let wide = chart.width();
    if wide > width + 0.5 { chart.scaled(width / wide) } else { chart }
}

/// Numbers of edges that are tried on a narrow page.
const FEWER: [usize; 7] = [30, 24, 18, 13, 9, 6, 3];

/// A network on a page of at least the width `least`, with panels side by side up to the width `most`.
fn draw_links(links: &Links, n: usize, least: f64, most: f64) -> Chart {
    let drawn = Drawn::of(links, n);
    if drawn.genes.is_empty() {
        let head = Head::of(least, ["Network of the first edges", "There are no edges to draw."]);
        let mut chart = Chart::new(least, head.height() + 22.0);
        head.draw(&mut chart);
        return chart;
    }
    let picture = Picture::new(&drawn);
    let n_panels = drawn.panels.len();
    let columns = match n_panels {
        1..=3 => n_panels,
        4 => 2,
        _ => 3,
    };
    let head = if n_panels > 1 { HEAD } else { 0.0 };
    let (wide, high) = (picture.size.0 + 2.0 * MARGIN, picture.size.1 + 2.0 * MARGIN + head);
    let columns = columns.min(((most / wide).floor() as usize).max(1));
    let width = least.max(wide * columns as f64);
    let note = links.left_out();
    let foot = if note.is_some() { 24.0 } else { 0.0 };
    let head_of = Head::of(width, [&drawn.title(links.kind), &drawn.subtitle(links)]);
    let is_narrow = width < NARROW;
    let top = head_of.height() + LEGEND + if is_narrow { 34.0 } else { 0.0 };
    let bottom = top + high * n_panels.div_ceil(columns) as f64;
    let mut chart = Chart::new(width, bottom + foot);
    head_of.draw(&mut chart);
    drawn.legend(&mut chart, links.weight.name, head_of.height(), is_narrow);
    let left = 0.5 * (width - wide * columns as f64);
    for number in 0..n_panels {
        let column = number % columns;
        let corner = (left + wide * column as f64, top + high * (number / columns) as f64);
        if n_panels > 1 {
            let (from, size) = ((corner.0 + 4.0, corner.1 + 4.0), (wide - 8.0, high - 8.0));
            chart.frame(from, size, "#dddddd");
            let label = Chart::shortened(&links.panels[number].label, wide - 2.0 * MARGIN);
            chart.words((corner.0 + MARGIN, corner.1 + 22.0), &label, TextAnchor::Start, "#222222");
        }
        let origin = (corner.0 + MARGIN, corner.1 + MARGIN + head);
        picture.draw(&mut chart, &drawn, number, origin);
    }
    if let Some(note) = note {
        chart.words((MARGIN, bottom + 12.0), &note, TextAnchor::Start, GREY);
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::chart::edges::{ACTIVATES, INHIBITS};
    use crate::io::chart::links::tests::{edge, edge_of};

    fn svg(chart: &Chart) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.svg");
        chart.write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_narrow_page_has_fewer_edges_and_its_width() {
        let edges: Vec<EdgeRow> = (0..60)
            .map(|i| {
                edge(
                    &format!("Regulator{}", i % 7),
                    &format!("Target{}", i % 31),
                    60.0 - f64::from(i),
                )
            })
            .collect();
        let wide = draw_network(&edges, 40);
        let narrow = draw_network_on(&edges, 40, Some(400.0));
        assert!(wide.width() > 500.0 && (narrow.width() - 400.0).abs() < 1e-9);
        assert!(
            svg(&narrow).contains("outgoing edges") && !svg(&narrow).contains("first 40 edges")
        );
        // Too narrow for any: smaller as a whole.
        let tiny = draw_network_on(&edges, 40, Some(60.0));
        assert!((tiny.size().0 - 60.0 / 96.0 * 25.4).abs() < 0.2, "{:?}", tiny.size());
    }

    /// The tags of a kind that contain a text.
    fn tags<'a>(svg: &'a str, kind: &str, with: &str) -> Vec<&'a str> {
        let parts = svg.split(kind).skip(1).map(|part| &part[..part.find('>').unwrap()]);
        parts.filter(|tag| tag.contains(with)).collect()
    }

    fn network() -> Vec<EdgeRow> {
        vec![
            edge("Sox2", "Nanog", 4.0),
            edge("Nanog", "Sox2", 3.0),
            edge("Sox2", "Gata6", -2.0),
            edge("Klf4", "Esrrb", 1.0),
        ]
    }

    #[test]
    fn activations_end_in_heads_and_inhibitions_in_bars() {
        let text = svg(&draw_network(&network(), 40));
        // The legend has one edge of each sign.
        let fill = format!("fill=\"{ACTIVATES}\"");
        let heads = tags(&text, "<path", &fill).len();
        let bars = tags(&text, "<line", INHIBITS).len();
        let lines = [ACTIVATES, INHIBITS]
            .map(|colour| tags(&text, "<path", &format!("stroke=\"{colour}\"")).len());
        assert_eq!((heads, bars, lines), (4, 2, [4, 2]), "{text}");
        // Five genes, and three sizes in the legend.
        assert_eq!(tags(&text, "<circle", "").len(), 8);
        assert!(["Sox2", "Nanog", "Gata6", "Klf4", "Esrrb"].iter().all(|name| text.contains(name)));
        assert!(text.contains("Network of the first 4 edges") && !text.contains("unknown"));
    }

    #[test]
    fn edges_without_a_direction_are_plain_lines() {
        let rows = network();
        let mut links = Links::of(&rows);
        for link in &mut links.panels[0].links {
            link.directed = false;
        }
        let text = svg(&draw_links(&links, 40, WIDTH, f64::INFINITY));
        assert!(text.contains("direction unknown"));
        // Only the legend has a head and a bar; the pair Sox2, Nanog is one line.
        assert_eq!(tags(&text, "<path", &format!("fill=\"{ACTIVATES}\"")).len(), 1);
        assert_eq!(tags(&text, "<line", INHIBITS).len(), 1);
        assert_eq!(tags(&text, "<path", &format!("stroke=\"{ACTIVATES}\"")).len(), 3);
    }

    #[test]
    fn panels_have_all_genes_at_the_same_places() {
        let mut rows: Vec<EdgeRow> =
            network().into_iter().map(|row| edge_of(row, "ES", 0.0)).collect();
        rows.push(edge_of(edge("Gata6", "Sox17", 5.0), "XEN", 0.0));
        let text = svg(&draw_network(&rows, 40));
        assert!(text.contains("of each group") && text.contains(">ES<") && text.contains(">XEN<"));
        let places = |name: &str| -> Vec<(f64, f64)> {
            let number = |tag: &str, key: &str| -> f64 {
                let rest = tag.split(&format!("{key}=\"")).nth(1).unwrap();
                rest[..rest.find('"').unwrap()].parse().unwrap()
            };
            let parts: Vec<&str> = text.split("<text").collect();
            let of = parts.iter().filter(|part| part.contains(&format!(">{name}<")));
            of.map(|tag| (number(tag, " x"), number(tag, " y"))).collect()
        };
        let (klf4, esrrb) = (places("Klf4"), places("Esrrb"));
        assert_eq!((klf4.len(), esrrb.len()), (2, 2));
        let aside = klf4[1].0 - klf4[0].0;
        assert!(aside > 100.0 && (esrrb[1].0 - esrrb[0].0 - aside).abs() < 0.02);
        // The edge of the second panel, the most important one, begins in this panel.
        let path = tags(&text, "<path", &format!("stroke-width=\"{:.1}\"", 4.5));
        let begin = path[0].split("d=\"M").nth(1).unwrap().split(' ').next().unwrap();
        assert!(begin.parse::<f64>().unwrap() > aside, "{path:?}");
    }

    #[test]
    fn the_same_edges_give_the_same_bytes_and_no_edge_gives_a_sentence() {
        let rows = network();
        assert_eq!(svg(&draw_network(&rows, 40)), svg(&draw_network(&rows, 40)));
        for rows in [&[][..], &[edge("A", "A", 1.0)], &[edge("A", "B", f64::NAN)]] {
            assert!(svg(&draw_network(rows, 40)).contains("There are no edges to draw."));
        }
        let long = [edge(&"long".repeat(20), "B", 0.0)];
        assert!(svg(&draw_network(&long, 40)).contains('…'));
        let times: Vec<EdgeRow> =
            (0..12).map(|from| edge_of(edge("A", "B", 1.0), "", f64::from(from))).collect();
        let text = svg(&draw_network(&times, 40));
        assert!(text.contains("Only the first 9 of 12 intervals are drawn."));
        assert!(text.contains("8 to 9") && !text.contains("9 to 10"));
    }
}
