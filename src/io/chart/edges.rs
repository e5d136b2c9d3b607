//! Charts of edges: the most important edges of a list, and a target with its regulators over time.

use kuva::render::render::TextAnchor;

use crate::io::chart::profiles::{FEW_WORDS, GREY, NAMES, PANEL, Panel, WIDTH, width_for};
use crate::io::chart::{COLOURS, Chart, Profiles};
use crate::io::edges::EdgeRow;

/// Largest number of regulators in the chart of a target.
const N_REGULATORS: usize = 5;

/// Colour of activations.
pub(super) const ACTIVATES: &str = "#0072b2";
/// Colour of inhibitions.
pub(super) const INHIBITS: &str = "#d55e00";

/// Smallest width of the names on the left.
const LEFT: f64 = 170.0;
/// Height of a bar and its gap.
const BAR: f64 = 20.0;

/// Symbol of an edge between the names of its genes.
fn arrow(edge: &EdgeRow) -> &'static str {
    if edge.activates { "→" } else { "⊣" }
}

/// Colour of an edge by its sign.
fn colour(edge: &EdgeRow) -> &'static str {
    if edge.activates { ACTIVATES } else { INHIBITS }
}

/// Pale colour of an edge that is more likely false than true.
fn pale(edge: &EdgeRow) -> &'static str {
    if edge.activates { "#b3d1e6" } else { "#f2cdb3" }
}

/// Whether an edge is more likely false than true.
fn is_doubtful(edge: &EdgeRow) -> bool {
    edge.confidence < 0.5
}

/// Draws the first `n` of `rows` as bars whose length is the confidence, or the importance of edges without one.
/// Activations are blue and inhibitions red; edges that are more likely false than true are pale. Confidence and
/// stability are written beside each bar.
///
/// ```
/// use sbcell::io::{chart::draw_edges, edges::EdgeRow};
/// # fn main() -> sbcell::Result<()> {
/// let edge = EdgeRow {
///     regulator: "Sox2".into(),
///     target: "Nanog".into(),
///     importance: 0.5,
///     ..EdgeRow::default()
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("bars.svg");
/// draw_edges(&[edge], 20).write(&path)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.contains("Sox2 → Nanog"));
/// # Ok(())
/// # }
/// ```
pub fn draw_edges(rows: &[EdgeRow], n: usize) -> Chart {
    let rows = &rows[..n.min(rows.len())];
    let top = 62.0;
    let differs = |edge: &EdgeRow, first: &EdgeRow| {
        edge.group != first.group || (edge.from, edge.to) != (first.from, first.to)
    };
    let several = rows.iter().any(|edge| differs(edge, &rows[0]));
    let names: Vec<String> = rows.iter().map(|edge| name_of(edge, several)).collect();
    let longest = names.iter().map(|name| Chart::width_of(name)).fold(0.0, f64::max);
    let left = LEFT.max(longest + 24.0);
    let width = WIDTH + left - LEFT;
    let mut chart = Chart::new(width, top + BAR * rows.len() as f64 + 20.0);
    chart.title((16.0, 24.0), "First edges");
    let legend = [("activates →", ACTIVATES, 16.0), ("inhibits ⊣", INHIBITS, 110.0)];
    for (text, colour, x) in legend {
        chart.words((x, 44.0), text, TextAnchor::Start, colour);
    }
    let ends = (left, width - 170.0);
    chart.words((ends.1 + 12.0, 44.0), "confidence", TextAnchor::Start, GREY);
    chart.words((ends.1 + 92.0, 44.0), "stability", TextAnchor::Start, GREY);
    let is_known = rows.iter().any(|edge| edge.confidence.is_finite());
    let length = |edge: &EdgeRow| if is_known { edge.confidence } else { edge.importance };
    let most = if is_known { 1.0 } else { rows.iter().map(length).fold(0.0, f64::max) };
    if is_known && rows.iter().any(is_doubtful) {
        chart.words((196.0, 44.0), "pale: more likely false than true", TextAnchor::Start, GREY);
    }
    for (place, edge) in rows.iter().enumerate() {
        let y = top + BAR * place as f64;
        chart.words((left - 8.0, y + 13.0), &names[place], TextAnchor::End, "#222222");
        let share = if most > 0.0 { (length(edge) / most).max(0.0) } else { 0.0 };
        let shade = if is_doubtful(edge) { pale(edge) } else { colour(edge) };
        chart.band((ends.0, y + 2.0), (share * (ends.1 - ends.0), BAR - 5.0), shade);
        for (value, x) in [(edge.confidence, ends.1 + 12.0), (edge.stability, ends.1 + 92.0)] {
            let text = if value.is_finite() { format!("{value:.2}") } else { "–".into() };
            chart.words((x, y + 13.0), &text, TextAnchor::Start, GREY);
        }
    }
    chart
}

/// Names of both genes, with the group or times of the cells if the list has `several` of them.
fn name_of(edge: &EdgeRow, several: bool) -> String {
    let name = format!("{} {} {}", edge.regulator, arrow(edge), edge.target);
    match (several, edge.group.is_empty()) {
        (false, _) => name,
        (true, true) => format!("{name} [{}–{}]", edge.from, edge.to),
        (true, false) => format!("{name} [{}]", edge.group),
    }
}

/// Draws the mean expression of `target` over time, and below it that of its first five regulators in
/// `rows`, with the 95 % interval of each mean. Returns `None` if the target is not among the genes of
/// `profiles`.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::io::chart::{Profiles, draw_regulators};
/// let mean = Array2::from_shape_vec((2, 1), vec![0.0, 1.0]).unwrap();
/// let profiles = Profiles {
///     genes: vec!["Nanog".into()],
///     times: vec![0.0, 1.0],
///     lo: &mean - 0.1,
///     hi: &mean + 0.1,
///     n_cells: Array2::from_elem((2, 1), 50.0),
///     mean,
/// };
/// assert!(draw_regulators(&profiles, &[], "Nanog").is_some());
/// assert!(draw_regulators(&profiles, &[], "Sox2").is_none());
/// ```
pub fn draw_regulators(profiles: &Profiles, rows: &[EdgeRow], target: &str) -> Option<Chart> {
    let column = |name: &str| profiles.genes.iter().position(|gene| gene == name);
    let of_target = column(target)?;
    let mut found: Vec<&EdgeRow> = Vec::new();
    for edge in rows.iter().filter(|edge| edge.target == target) {
        if found.len() < N_REGULATORS && found.iter().all(|f| f.regulator != edge.regulator) {
            found.push(edge);
        }
    }
    let height = 2.0 * (PANEL + 60.0) + 40.0;
    let names = found.iter().map(|edge| edge.regulator.as_str()).chain([target]);
    // Regulators have an arrow after their name.
    let width = width_for(names) + 8.0;
    let mut chart = Chart::new(width, height);
    chart.title((16.0, 24.0), &format!("{target} and its first regulators over time"));
    let (right, room) = (WIDTH - NAMES, width - WIDTH + NAMES);
    let panel = Panel { profiles, ends: [60.0, 60.0 + PANEL], right, room };
    panel.draw(&mut chart, &[(of_target, target.to_string(), "#222222")], "expression");
    let lines: Vec<(usize, String, &str)> = found
        .iter()
        .enumerate()
        .filter_map(|(place, edge)| {
            let name = format!("{} {}", edge.regulator, arrow(edge));
            Some((column(&edge.regulator)?, name, COLOURS[place]))
        })
        .collect();
    let bottom = height - 50.0;
    let panel = Panel { profiles, ends: [bottom - PANEL, bottom], right, room };
    panel.draw(&mut chart, &lines, "expression of regulators");
    if profiles.has_few() {
        chart.words((16.0, height - 10.0), FEW_WORDS, TextAnchor::Start, GREY);
    }
    chart.words((WIDTH / 2.0, height - 10.0), "time", TextAnchor::Middle, GREY);
    Some(chart)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn row(regulator: &str, importance: f64, activates: bool) -> EdgeRow {
        EdgeRow {
            regulator: regulator.into(),
            target: "T".into(),
            importance,
            activates,
            effect: 0.0,
            stability: 0.9,
            p_time: 0.01,
            q_time: f64::NAN,
            lag: 1.0,
            from: 0.0,
            to: 2.0,
            ..EdgeRow::default()
        }
    }

    fn svg(chart: &Chart) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.svg");
        chart.write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn bars_are_as_long_as_importances_and_coloured_by_sign() {
        let text = svg(&draw_edges(&[row("A", 4.0, true), row("B", 1.0, false)], 20));
        assert!(text.contains("A → T") && text.contains("B ⊣ T") && text.contains("0.90"));
        let bar = |colour: &str| -> f64 {
            let tags = text.split("<rect").map(|part| &part[..part.find('>').unwrap()]);
            let tag = tags.skip(1).find(|tag| tag.contains(colour)).unwrap();
            let width = tag.split(" width=\"").nth(1).unwrap();
            width[..width.find('"').unwrap()].parse().unwrap()
        };
        assert!((bar(ACTIVATES) / bar(INHIBITS) - 4.0).abs() < 0.05, "{text}");
        svg(&draw_edges(&[], 20));
    }

    #[test]
    fn a_target_is_drawn_with_the_regulators_it_has() {
        let profiles = Profiles {
            genes: ["A", "B", "T"].map(String::from).to_vec(),
            times: vec![0.0, 1.0, 2.0],
            mean: Array2::from_shape_fn((3, 3), |(k, g)| (k * g) as f64),
            lo: Array2::from_shape_fn((3, 3), |(k, g)| (k * g) as f64 - 0.1),
            hi: Array2::from_shape_fn((3, 3), |(k, g)| (k * g) as f64 + 0.3),
            n_cells: Array2::from_elem((3, 3), 9.0),
        };
        let rows = [row("B", 2.0, false), row("B", 1.0, false)];
        let text = svg(&draw_regulators(&profiles, &rows, "T").unwrap());
        assert!(text.contains(FEW_WORDS));
        assert!(text.contains("B ⊣") && !text.contains("A →"), "{text}");
        assert!(draw_regulators(&profiles, &rows, "X").is_none());
    }
}
