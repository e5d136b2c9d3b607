//! HEAT MAP: the edges between the most important regulators and targets, one panel for each group or interval.

mod order;

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::edges::{ACTIVATES, INHIBITS};
use crate::io::chart::heatmap::order::similar_together;
use crate::io::chart::links::{Link, Links};
use crate::io::chart::page::{Head, PageSize};
use crate::io::chart::profiles::{GREY, WIDTH};
use crate::io::edges::EdgeRow;

/// Largest number of regulators and targets in one or two panels.
const MOST: (usize, usize) = (40, 60);
/// The same in more panels.
const MOST_IN_PANELS: (usize, usize) = (25, 30);
/// Side of a cell.
const CELL: f64 = 15.0;
/// Widest name of a gene.
const NAME: f64 = 90.0;
/// Margin around the picture and between panels.
const MARGIN: f64 = 16.0;
/// Width below which the legend has two lines.
const NARROW: f64 = 600.0;
/// Height of the name of a panel.
const HEAD: f64 = 24.0;
/// Colour of pairs without an edge.
const NONE: &str = "#e4e4e4";
/// Width of the scale in the legend, and its number of steps.
const SCALE: f64 = 240.0;
const STEPS: usize = 48;

/// Draws the edges between the most important regulators (rows) and targets (columns) of `rows` as a heat map. The
/// colour is the importance with the sign of the edge: blue for activations, red for inhibitions.
///
/// The 40 regulators and 60 targets with the most important edges are drawn, 25 and 30 in more than two panels. Rows and columns are ordered by hierarchical clustering, so that similar genes are neighbours. With
/// several groups or intervals each of the first nine is a panel, and all panels have the same genes and the same
/// scale. Edges of a gene to itself are left out.
///
/// ```
/// use sbcell::io::{chart::draw_heatmap, edges::EdgeRow};
/// # fn main() -> sbcell::Result<()> {
/// let edge = EdgeRow {
///     regulator: "Sox2".into(),
///     target: "Nanog".into(),
///     importance: 0.5,
///     ..EdgeRow::default()
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("heatmap.svg");
/// draw_heatmap(&[edge]).write(&path)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.contains("Sox2") && text.contains("Nanog"));
/// # Ok(())
/// # }
/// ```
pub fn draw_heatmap(rows: &[EdgeRow]) -> Chart {
    draw_heatmap_on(rows, PageSize::default())
}

/// As [`draw_heatmap`], on a page of this size. A smaller page has fewer genes, so that their names keep their size.
pub(crate) fn draw_heatmap_on(rows: &[EdgeRow], size: PageSize) -> Chart {
    let links = Links::of(rows);
    let grid = Grid::of(&links, limits(links.panels.len(), size));
    let least = size.width.unwrap_or(WIDTH);
    if grid.regulators.is_empty() {
        let head = Head::of(least, ["Regulators and targets", "There are no edges to draw."]);
        let mut chart = Chart::new(least, head.height() + 22.0);
        head.draw(&mut chart);
        return chart;
    }
    let names = Names::of(&links, &grid);
    let n_panels = grid.panels.len();
    let most = size
        .width
        .map_or(usize::MAX, |width| (((width - MARGIN) / names.panel.0).floor() as usize).max(1));
    let columns = columns(n_panels, names.panel.0).min(most);
    let width = least.max(MARGIN + names.panel.0 * columns as f64);
    let head = Head::of(width, [&grid.title(&links), &grid.subtitle()]);
    let is_narrow = width < NARROW;
    let top = head.height() + if is_narrow { 62.0 } else { 42.0 };
    let bottom = top + names.panel.1 * n_panels.div_ceil(columns) as f64;
    let note = links.left_out();
    let mut chart = Chart::new(width, bottom + if note.is_some() { 24.0 } else { 0.0 });
    head.draw(&mut chart);
    grid.legend(&mut chart, links.weight.name, head.height() - 6.0, is_narrow);
    for number in 0..n_panels {
        let (column, row) = (number % columns, number / columns);
        let corner = (MARGIN + names.panel.0 * column as f64, top + names.panel.1 * row as f64);
        if n_panels > 1 {
            let label = Chart::shortened(&links.panels[number].label, names.panel.0 - MARGIN);
            chart.words((corner.0, corner.1 + 12.0), &label, TextAnchor::Start, "#222222");
        }
        names.draw(&mut chart, corner);
        grid.draw(&mut chart, number, names.cells(corner));
    }
    if let Some(note) = note {
        chart.words((MARGIN, bottom + 8.0), &note, TextAnchor::Start, GREY);
    }
    chart
}

/// Largest numbers of regulators and targets of so many panels on a page of this size.
fn limits(n_panels: usize, size: PageSize) -> (usize, usize) {
    let (rows, columns) = if n_panels > 2 { MOST_IN_PANELS } else { MOST };
    let room = |length: Option<f64>, other: f64, most: usize| {
        length
            .map_or(most, |length| (((length - other) / CELL).floor().max(3.0) as usize).min(most))
    };
    (
        room(size.height, 2.0 * HEAD + 96.0 + NAME, rows),
        room(size.width, 2.0 * MARGIN + NAME + 6.0, columns),
    )
}

/// Number of panels side by side: wide panels stand below each other.
fn columns(n_panels: usize, width: f64) -> usize {
    match n_panels {
        0 | 1 => 1,
        2 if width > 700.0 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// The cells of all panels.
struct Grid {
    /// Positions of the regulators in [`Links::genes`], in the order of the rows.
    regulators: Vec<usize>,
    /// Those of the targets, in the order of the columns.
    targets: Vec<usize>,
    /// For each panel the signed weights by rows; `None` for pairs without an edge.
    panels: Vec<Vec<Vec<Option<f64>>>>,
    /// Largest weight.
    most: f64,
    /// Largest numbers of regulators and targets.
    limits: (usize, usize),
}

impl Grid {
    /// The most important genes of all panels, ordered by similarity.
    fn of(links: &Links, limits: (usize, usize)) -> Self {
        let all = || links.panels.iter().flat_map(|panel| &panel.links);
        let n = links.genes.len();
        let regulators =
            most_important(all().map(|link| (link.regulator, link.weight)), n, limits.0);
        let targets = most_important(all().map(|link| (link.target, link.weight)), n, limits.1);
        let mut grid = Self { regulators, targets, panels: Vec::new(), most: 0.0, limits };
        let unordered = grid.cells(links);
        let entry = |cell: &Option<f64>| cell.unwrap_or(0.0);
        let of_row =
            |row: usize| unordered.iter().flat_map(|panel| &panel[row]).map(entry).collect();
        let of_column =
            |column: usize| unordered.iter().flatten().map(|row| entry(&row[column])).collect();
        let rows: Vec<Vec<f64>> = (0..grid.regulators.len()).map(of_row).collect();
        let columns: Vec<Vec<f64>> = (0..grid.targets.len()).map(of_column).collect();
        grid.regulators = similar_together(&rows).iter().map(|&i| grid.regulators[i]).collect();
        grid.targets = similar_together(&columns).iter().map(|&i| grid.targets[i]).collect();
        grid.panels = grid.cells(links);
        let weights = grid.panels.iter().flatten().flatten().flatten();
        grid.most = weights.fold(0.0, |most, value| value.abs().max(most));
        grid
    }

    /// The cells of each panel. Of several edges of a pair the first one counts.
    fn cells(&self, links: &Links) -> Vec<Vec<Vec<Option<f64>>>> {
        let places = |genes: &[usize]| {
            let mut places = vec![None; links.genes.len()];
            for (place, &gene) in genes.iter().enumerate() {
                places[gene] = Some(place);
            }
            places
        };
        let (rows, columns) = (places(&self.regulators), places(&self.targets));
        let of = |found: &[Link]| {
            let mut cells = vec![vec![None; self.targets.len()]; self.regulators.len()];
            for link in found {
                if let (Some(row), Some(column)) = (rows[link.regulator], columns[link.target]) {
                    let cell: &mut Option<f64> = &mut cells[row][column];
                    cell.get_or_insert(link.signed());
                }
            }
            cells
        };
        links.panels.iter().map(|panel| of(&panel.links)).collect()
    }

    /// Title of the picture.
    fn title(&self, links: &Links) -> String {
        let count = |genes: &[usize], most: usize, name: &str| match genes.len() {
            1 => format!("1 {name}"),
            n if n == most => format!("the first {n} {name}s"),
            n => format!("{n} {name}s"),
        };
        let limits = self.limits;
        let regulators = count(&self.regulators, limits.0, "regulator");
        let targets = count(&self.targets, limits.1, "target");
        let of = if links.panels.len() > 1 {
            format!(", for each {}", links.kind)
        } else {
            String::new()
        };
        format!("Edges from {regulators} (rows) to {targets} (columns){of}")
    }

    /// Number of edges that are drawn.
    fn subtitle(&self) -> String {
        let n = self.panels.iter().flatten().flatten().flatten().count();
        format!("n = {n} edges; rows and columns in the order of similarity")
    }

    /// Draws the scale of the colours, with its ends and zero, below the height `top`. On a narrow page, the colour of
    /// other pairs is in a second line.
    fn legend(&self, chart: &mut Chart, weight: &str, top: f64, is_narrow: bool) {
        let scale = if is_narrow { 0.6 * SCALE } else { SCALE };
        let y = top - 42.0;
        let left = (MARGIN + Chart::width_of("inhibits ⊣") + 8.0).round();
        chart.words((left - 8.0, y + 54.0), "inhibits ⊣", TextAnchor::End, INHIBITS);
        for step in 0..STEPS {
            let share = 2.0 * (step as f64 + 0.5) / STEPS as f64 - 1.0;
            let x = left + scale * step as f64 / STEPS as f64;
            // Steps are whole pixels wide: they neither overlap, which would be darker, nor leave gaps.
            shaded(chart, (x, y + 43.0), (scale / STEPS as f64, 14.0), share);
        }
        chart.words((left + scale + 8.0, y + 54.0), "activates →", TextAnchor::Start, ACTIVATES);
        for (share, value) in [(0.0, self.most), (0.5, 0.0), (1.0, self.most)] {
            let x = left + share * scale;
            chart.line((x, y + 57.0), (x, y + 61.0), GREY, 1.0);
            let text = if value > 0.0 { format!("{value:.2}") } else { "0".into() };
            chart.words((x, y + 74.0), &text, TextAnchor::Middle, GREY);
        }
        if !is_narrow {
            chart.words((left + 0.25 * scale, y + 74.0), weight, TextAnchor::Middle, GREY);
        }
        let beside = left + scale + 16.0 + Chart::width_of("activates →") + 16.0;
        let (x, y) = if is_narrow { (MARGIN, y + 40.0) } else { (beside, y) };
        chart.band((x, y + 43.0), (14.0, 14.0), NONE);
        chart.words((x + 20.0, y + 54.0), "not in the list", TextAnchor::Start, GREY);
        if is_narrow {
            let right = x + 20.0 + Chart::width_of("not in the list") + 16.0;
            chart.words((right, y + 54.0), weight, TextAnchor::Start, GREY);
        }
    }

    /// Draws the cells of a panel with this upper left corner.
    fn draw(&self, chart: &mut Chart, number: usize, corner: (f64, f64)) {
        for (i, row) in self.panels[number].iter().enumerate() {
            for (j, cell) in row.iter().enumerate() {
                let at = (corner.0 + CELL * j as f64, corner.1 + CELL * i as f64);
                let share = |value: f64| if self.most > 0.0 { value / self.most } else { 0.0 };
                let size = (CELL - 1.0, CELL - 1.0);
                match cell {
                    Some(value) => shaded(chart, at, size, share(*value)),
                    None => chart.band(at, size, NONE),
                }
            }
        }
    }
}

/// The names of rows and columns, with the sizes that depend on them.
struct Names {
    regulators: Vec<String>,
    targets: Vec<String>,
    /// Width of the longest regulator and of the longest target.
    longest: (f64, f64),
    /// Height of the name of a panel.
    head: f64,
    /// Width and height of a panel with its margins to the right and below.
    panel: (f64, f64),
}

impl Names {
    fn of(links: &Links, grid: &Grid) -> Self {
        let short = |genes: &[usize]| -> Vec<String> {
            genes.iter().map(|&gene| Chart::shortened(links.genes[gene], NAME)).collect()
        };
        let (regulators, targets) = (short(&grid.regulators), short(&grid.targets));
        let longest =
            |names: &[String]| names.iter().map(|name| Chart::width_of(name)).fold(0.0, f64::max);
        let longest = (longest(&regulators), longest(&targets));
        let head = if grid.panels.len() > 1 { HEAD } else { 0.0 };
        let wide = longest.0 + 6.0 + CELL * targets.len() as f64 + MARGIN;
        let high = head + longest.1 + 6.0 + CELL * regulators.len() as f64 + MARGIN;
        Self { regulators, targets, longest, head, panel: (wide, high) }
    }

    /// The upper left corner of the cells of a panel at `corner`.
    fn cells(&self, corner: (f64, f64)) -> (f64, f64) {
        (corner.0 + self.longest.0 + 6.0, corner.1 + self.head + self.longest.1 + 6.0)
    }

    /// Draws the names of a panel at `corner`.
    fn draw(&self, chart: &mut Chart, corner: (f64, f64)) {
        let (left, top) = self.cells(corner);
        for (i, name) in self.regulators.iter().enumerate() {
            let at = (left - 6.0, top + CELL * i as f64 + 11.0);
            chart.words(at, name, TextAnchor::End, "#222222");
        }
        for (j, name) in self.targets.iter().enumerate() {
            chart.upright((left + CELL * j as f64 + 11.0, top - 6.0), name, "#444444");
        }
    }
}

/// The `most` of `n` genes with the largest weights, the most important first. Equal genes keep their order; genes
/// without a weight are left out.
fn most_important(
    weights: impl Iterator<Item = (usize, f64)>,
    n: usize,
    most: usize,
) -> Vec<usize> {
    let mut largest: Vec<Option<f64>> = vec![None; n];
    for (gene, weight) in weights {
        largest[gene] = Some(largest[gene].unwrap_or(0.0).max(weight));
    }
    let mut genes: Vec<(usize, f64)> =
        largest.iter().enumerate().filter_map(|(gene, weight)| Some((gene, (*weight)?))).collect();
    genes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    genes.into_iter().take(most).map(|gene| gene.0).collect()
}

/// Draws a rectangle of a share of the largest weight, from −1 (inhibition) over 0 (paper) to 1 (activation): the
/// full colour as opaque as the share, so that it mixes with the paper of a page, also of a dark one.
fn shaded(chart: &mut Chart, corner: (f64, f64), size: (f64, f64), share: f64) {
    let colour = if share > 0.0 { ACTIVATES } else { INHIBITS };
    chart.rectangle(corner, size, colour, Some((share.abs().min(1.0) * 1e3).round() / 1e3));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::chart::links::tests::{edge, edge_of};

    fn svg(rows: &[EdgeRow]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.svg");
        draw_heatmap(rows).write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn cells_have_the_colour_of_their_share_and_sign() {
        let rows = [edge("A", "X", 2.0), edge("A", "Y", -1.0), edge("B", "X", 0.0)];
        let text = svg(&rows);
        // The largest weight has the full colour, half of it a colour half way to white.
        let rect = |colour: &str, opacity: &str| {
            let is = |part: &str| part.contains(colour) && part.contains(opacity);
            text.split("<rect").any(|part| is(&part[..part.find('>').unwrap()]))
        };
        assert!(rect(ACTIVATES, "opacity=\"1\"") || rect(ACTIVATES, "width=\"14\""), "{text}");
        assert!(rect(INHIBITS, "opacity=\"0.5\"") && rect(INHIBITS, "opacity=\"0\""), "{text}");
        assert!(rect(NONE, "width=\"14\""));
        assert!(text.contains("2 regulators") && text.contains("2.00"), "{text}");
    }

    #[test]
    fn a_narrow_page_has_fewer_genes_and_its_width() {
        let rows: Vec<EdgeRow> = (0..900)
            .map(|i| edge(&format!("R{}", i % 30), &format!("T{}", i / 30), 1.0 + f64::from(i)))
            .collect();
        let width = Some(400.0);
        let chart = draw_heatmap_on(&rows, PageSize { width, height: None });
        assert!((chart.width() - 400.0).abs() < 1e-9);
        // (400 − 2·16 − 90 − 6)/15 = 18.1.
        assert_eq!(limits(1, PageSize { width, height: None }), (40, 18));
        assert!(chart.svg().contains("18 targets"));
    }

    #[test]
    fn cells_are_where_their_names_are() {
        let mut rows = Vec::new();
        for (regulator, targets) in [("A", "uw"), ("B", "vx"), ("C", "uw")] {
            for target in targets.chars() {
                rows.push(edge(regulator, &target.to_string(), 1.0 + rows.len() as f64));
            }
        }
        let links = Links::of(&rows);
        let grid = Grid::of(&links, MOST);
        for (i, &regulator) in grid.regulators.iter().enumerate() {
            for (j, &target) in grid.targets.iter().enumerate() {
                let found = links.panels[0].links.iter().find(|l| l.ends() == (regulator, target));
                assert_eq!(grid.panels[0][i][j], found.map(Link::signed));
            }
        }
        // Of two edges of a pair the first one counts.
        rows.push(edge("A", "u", 0.5));
        assert_eq!(Grid::of(&Links::of(&rows), MOST).panels, grid.panels);
        let links = Links::of(&rows);
        // Regulators of the same targets are neighbours, and targets of the same regulators.
        let place = |genes: &[usize], name: &str| {
            genes.iter().position(|&gene| links.genes[gene] == name).unwrap()
        };
        assert_eq!(place(&grid.regulators, "A").abs_diff(place(&grid.regulators, "C")), 1);
        assert_eq!(place(&grid.targets, "u").abs_diff(place(&grid.targets, "w")), 1);
        assert!((grid.most - 6.0).abs() < 1e-12);
    }

    #[test]
    fn cells_stand_beside_their_regulator_and_below_their_target() {
        let text = svg(&[edge("A", "X", 2.0), edge("A", "W", 0.5), edge("B", "Y", -2.0)]);
        let number = |tag: &str, key: &str| -> f64 {
            let rest = tag.split(&format!(" {key}=\"")).nth(1).unwrap();
            rest[..rest.find('"').unwrap()].parse().unwrap()
        };
        let place = |kind: &str, with: &str| -> (f64, f64) {
            let tags = text.split(kind).skip(1).filter_map(|part| part.split('<').next());
            let tag = tags.into_iter().find(|tag| tag.contains(with));
            (number(tag.unwrap(), "x"), number(tag.unwrap(), "y"))
        };
        for (colour, regulator, target) in [(ACTIVATES, ">A", ">X"), (INHIBITS, ">B", ">Y")] {
            let cell = place("<rect", &format!("fill=\"{colour}\" fill-opacity=\"1\""));
            let (beside, above) = (place("<text", regulator), place("<text", target));
            assert!((beside.1 - cell.1 - 11.0).abs() < 1e-6 && beside.0 < cell.0, "{text}");
            assert!((above.0 - cell.0 - 11.0).abs() < 1e-6 && above.1 < cell.1, "{text}");
        }
    }

    #[test]
    fn only_the_genes_of_the_most_important_edges_are_drawn() {
        let rows: Vec<EdgeRow> =
            (0..70).map(|i| edge(&format!("R{i:02}"), &format!("T{i:02}"), f64::from(i))).collect();
        let text = svg(&rows);
        assert!(text.contains("the first 40 regulators") && text.contains("the first 60 targets"));
        assert!(text.contains("R30<") && !text.contains("R29<"));
        assert!(text.contains("T10<") && !text.contains("T09<"));
        let chosen = most_important([(2, 1.0), (0, 5.0), (2, 3.0), (1, 3.0)].into_iter(), 4, 3);
        assert_eq!(chosen, [0, 1, 2]);
    }

    #[test]
    fn panels_share_genes_and_scale_and_no_edge_is_no_panic() {
        let mut rows = Vec::new();
        for from in 0..11 {
            rows.push(edge_of(edge("A", "B", 1.0 + f64::from(from)), "", f64::from(from)));
        }
        rows.push(edge_of(edge("C", "D", -0.5), "", 0.0));
        let text = svg(&rows);
        assert_eq!(text.matches(">A<").count(), 9, "{text}");
        assert!(text.contains("8 to 9") && !text.contains("9 to 10"));
        assert!(text.contains("Only the first 9 of 11 intervals are drawn."));
        assert!(text.contains("for each") && text.contains("interval</text>"));
        assert!(text.contains(">9.00<"));
        assert!(svg(&[]).contains("There are no edges to draw."));
        assert!(svg(&[edge("A", "A", 1.0)]).contains("There are no edges to draw."));
        assert!(svg(&[edge(&"long".repeat(20), "B", 0.0)]).contains('…'));
    }
}
