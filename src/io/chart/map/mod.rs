//! MAP: cells on an embedding, coloured by groups or numbers, with lines of streams or paths above them.

mod legend;

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::io::chart::Chart;
use crate::io::chart::map::legend::Legend;
use crate::io::chart::page::{ColourBar, HEAD, Head, MARGIN, PageSize, Ramp};
use crate::io::chart::palette::NO_GROUP;

/// Height of a map without another wish.
const HEIGHT: f64 = 440.0;
/// Width of the panel of a map without another wish.
const PANEL: f64 = 400.0;
/// Space below the panel, with the name of the first axis.
const FOOT: f64 = 26.0;
/// Space left of the panel, with the name of the second axis.
const LEFT: f64 = 26.0;
/// Length of the arrows that show the axes.
const ARROW: f64 = 46.0;

/// Cells on an embedding. See [`draw_map`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPicture {
    /// Title, such as `Cells by time`.
    pub title: String,
    /// A line below the title, such as the number of cells.
    pub subtitle: String,
    /// Titles of both axes.
    pub axes: [String; 2],
    /// Places of the cells, `(n_cells, 2)`; cells with NaN are not drawn.
    pub points: Array2<f64>,
    /// Colours of the cells.
    pub colouring: Colouring,
    /// Lines above the cells; cells are then lighter.
    pub lines: Vec<MapLine>,
}

/// A line on a map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapLine {
    /// Its places, in the coordinates of the cells.
    pub places: Vec<[f64; 2]>,
    /// Its colour.
    pub colour: String,
    /// The mark that shows its direction.
    pub mark: LineMark,
}

/// The mark that shows the direction of a line on a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineMark {
    /// A head of an arrow in the middle, as on streamlines.
    Middle,
    /// A head of an arrow at the end.
    End,
    /// A dot at the end, as on paths of cells.
    Dot,
}

/// Colours of the cells of a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Colouring {
    /// All in grey.
    Plain,
    /// One colour for each group.
    Groups {
        /// Names of the groups, in the order of the legend.
        names: Vec<String>,
        /// The colour of each group, `#rrggbb`.
        colours: Vec<String>,
        /// The group of each cell; grey for `None`.
        of_cells: Vec<Option<usize>>,
        /// Whether the groups have an order, such as times, that their colours show. Other groups are
        /// numbered on the map if there are more than eight.
        ordered: bool,
    },
    /// Cells in grey, and a legend of the lines.
    Lines {
        /// Words of the legend.
        names: Vec<String>,
        /// The colour of each of them, `#rrggbb`.
        colours: Vec<String>,
    },
    /// A colour for each number.
    Numbers {
        /// Title of the scale, such as `Gata6 (log1p)`.
        title: String,
        /// The number of each cell; grey for NaN, and for numbers up to zero on a log scale.
        values: Vec<f64>,
        /// Ends of the scale; `None` for the smallest and the largest number.
        range: Option<[f64; 2]>,
        /// Whether the scale is logarithmic.
        log: bool,
        /// Whether zero is in the middle of the scale, in white.
        signed: bool,
    },
}

/// Draws cells on an embedding. Small arrows show the axes; an embedding has no unit, so that there are no ticks.
///
/// The order in which cells are drawn does not depend on their order in the file, so that no late group hides
/// others; on a scale of numbers, the highest are on top. With more than eight groups, numbers on the map name
/// them as well.
///
/// ```
/// use ndarray::array;
/// use sbcell::io::chart::{Colouring, MapPicture, PageSize, draw_map};
/// # fn main() -> sbcell::Result<()> {
/// let picture = MapPicture {
///     title: "Cells by group".into(),
///     subtitle: "n = 2 cells".into(),
///     axes: ["UMAP 1".into(), "UMAP 2".into()],
///     points: array![[0.0, 1.0], [2.0, 3.0]],
///     colouring: Colouring::Plain,
///     lines: Vec::new(),
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("map.svg");
/// draw_map(&picture, PageSize::default()).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("UMAP 1"));
/// # Ok(())
/// # }
/// ```
pub fn draw_map(picture: &MapPicture, size: PageSize) -> Chart {
    let height = size.height.unwrap_or(HEIGHT).max(HEAD + FOOT + 60.0);
    let legend = Legend::of(picture, height - HEAD - FOOT, size.width);
    // A narrow map is not as high as a wide one, but as high as its legend.
    let height = match (size.width, size.height) {
        (Some(width), None) => {
            let panel = width - LEFT - MARGIN - legend.width();
            let least = (panel + HEAD + FOOT).max(legend.height() + HEAD + 8.0);
            least.clamp(HEAD + FOOT + 60.0, HEIGHT)
        }
        _ => height,
    };
    let natural = LEFT + PANEL + legend.width() + MARGIN;
    let width = size.width.unwrap_or(natural).max(LEFT + 80.0 + legend.width() + MARGIN);
    let head = Head::of(width, [&picture.title, &picture.subtitle]);
    // Arrows may begin at the margin.
    let top = head.height() + if picture.lines.is_empty() { 0.0 } else { 10.0 };
    let height = if size.height.is_some() { height } else { height + top - HEAD };
    let mut chart = Chart::new(width, height);
    head.draw(&mut chart);
    let panel = Panel::new(
        &picture.points,
        [LEFT, top],
        [width - LEFT - MARGIN - legend.width(), height - top - FOOT],
    );
    let left = panel.right() + 20.0;
    match &picture.colouring {
        Colouring::Plain | Colouring::Lines { .. } => {
            panel.cells(&mut chart, picture, &|_| NO_GROUP.into());
        }
        Colouring::Groups { colours, of_cells, .. } => {
            let colour = |i: usize| {
                of_cells.get(i).copied().flatten().and_then(|group| colours.get(group).cloned())
            };
            panel.cells(&mut chart, picture, &|i| colour(i).unwrap_or_else(|| NO_GROUP.into()));
        }
        Colouring::Numbers { title, values, range, log, signed } => {
            let ramp = match (log, signed) {
                (true, _) => Ramp::Log,
                (false, true) => Ramp::Signed,
                (false, false) => Ramp::Sequential,
            };
            let shown = |value: &&f64| value.is_finite() && (!log || **value > 0.0);
            let ends = range.unwrap_or_else(|| {
                let all = || values.iter().filter(shown).copied();
                [all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max)]
            });
            let at = [left, top + 24.0, (top + 204.0).min(panel.bottom())];
            let bar = ColourBar::new(ramp, ends, at);
            let value = |i: usize| values.get(i).filter(shown).copied().unwrap_or(f64::NAN);
            panel.cells(&mut chart, picture, &|i| bar.colour(value(i)));
            bar.draw(&mut chart, title, legend.width() - 20.0);
        }
    }
    for line in &picture.lines {
        panel.line(&mut chart, line);
    }
    if let Colouring::Groups { of_cells, .. } = &picture.colouring
        && legend.is_numbered()
    {
        panel.numbers(&mut chart, picture, of_cells);
    }
    legend.draw(&mut chart, [left, top]);
    panel.axes(&mut chart, &picture.axes);
    chart
}

/// The part of the page on which cells are drawn.
struct Panel {
    corner: [f64; 2],
    size: [f64; 2],
    /// Smallest coordinates.
    low: [f64; 2],
    /// Ranges of the coordinates, above zero.
    range: [f64; 2],
    /// Radius of a cell.
    radius: f64,
}

impl Panel {
    fn new(points: &Array2<f64>, corner: [f64; 2], size: [f64; 2]) -> Self {
        let of = |d: usize| points.column(d).to_vec().into_iter().filter(|x: &f64| x.is_finite());
        let low = [0, 1].map(|d| of(d).fold(f64::INFINITY, f64::min));
        let high = [0, 1].map(|d| of(d).fold(f64::NEG_INFINITY, f64::max));
        let is_range = |d: usize| (high[d] - low[d]).is_finite() && high[d] > low[d];
        let range = [0, 1].map(|d| if is_range(d) { high[d] - low[d] } else { 1.0 });
        // Without a range, all cells are in the middle.
        let middle = |d: usize| if low[d].is_finite() { low[d] - 0.5 } else { 0.0 };
        let low = [0, 1].map(|d| if is_range(d) { low[d] } else { middle(d) });
        let n = points.nrows().max(1) as f64;
        let radius = (0.13 * size[0] * size[1] / (std::f64::consts::PI * n)).sqrt().clamp(0.8, 3.5);
        Self { corner, size, low, range, radius }
    }

    fn right(&self) -> f64 {
        self.corner[0] + self.size[0]
    }

    fn bottom(&self) -> f64 {
        self.corner[1] + self.size[1]
    }

    /// The place of coordinates on the page; `None` if they are not finite.
    fn place(&self, at: [f64; 2]) -> Option<(f64, f64)> {
        let edge = 6.0;
        let share = [0, 1].map(|d| (at[d] - self.low[d]) / self.range[d]);
        let [x, y] = share.map(|share| share.is_finite().then_some(share.clamp(-0.05, 1.05)));
        let x = self.corner[0] + edge + x? * (self.size[0] - 2.0 * edge);
        let y = self.bottom() - edge - y? * (self.size[1] - 2.0 * edge);
        Some((x, y))
    }

    /// Draws the cells with their colours.
    fn cells(&self, chart: &mut Chart, picture: &MapPicture, colour: &dyn Fn(usize) -> String) {
        let points = &picture.points;
        for i in order(picture) {
            let Some(at) = self.place([points[[i, 0]], points[[i, 1]]]) else { continue };
            let colour = colour(i);
            if picture.lines.is_empty() {
                chart.spot(at, self.radius, &colour);
            } else {
                chart.spot(at, self.radius, &lighter(&colour));
            }
        }
    }

    /// Draws a line with an arrow, or with a dot at its end.
    fn line(&self, chart: &mut Chart, line: &MapLine) {
        let places: Vec<(f64, f64)> = line.places.iter().filter_map(|at| self.place(*at)).collect();
        let Some(&end) = places.last() else { return };
        let (tip, before) = match line.mark {
            LineMark::Dot => {
                chart.polyline(places, &line.colour, 0.9);
                chart.spot(end, 2.2, &line.colour);
                return;
            }
            LineMark::Middle => {
                let middle = places.len() / 2;
                (places[middle], places[middle.saturating_sub(2)])
            }
            LineMark::End => (end, places[places.len().saturating_sub(2)]),
        };
        let width = if line.mark == LineMark::End { 0.9 } else { 1.1 };
        chart.polyline(places, &line.colour, width);
        let (dx, dy) = (tip.0 - before.0, tip.1 - before.1);
        let length = dx.hypot(dy);
        if length > 0.0 {
            let (ux, uy) = (dx / length, dy / length);
            // The head of a short arrow is not longer than the arrow.
            let head = if line.mark == LineMark::End { (0.45 * length).min(5.0) } else { 6.0 };
            let side = |way: f64| {
                let (back, aside) = (head, way * 0.53 * head);
                (tip.0 - back * ux - aside * uy, tip.1 - back * uy + aside * ux)
            };
            let nose = (tip.0 + head / 3.0 * ux, tip.1 + head / 3.0 * uy);
            chart.polygon(&[nose, side(1.0), side(-1.0)], &line.colour);
        }
    }

    /// Writes the number of each group at the median of its cells.
    fn numbers(&self, chart: &mut Chart, picture: &MapPicture, of_cells: &[Option<usize>]) {
        let n_groups = of_cells.iter().flatten().max().map_or(0, |last| last + 1);
        let mut places: Vec<[Vec<f64>; 2]> = vec![[Vec::new(), Vec::new()]; n_groups];
        for (i, group) in of_cells.iter().enumerate() {
            let at = self.place([picture.points[[i, 0]], picture.points[[i, 1]]]);
            if let (Some(group), Some(at)) = (group, at) {
                places[*group][0].push(at.0);
                places[*group][1].push(at.1);
            }
        }
        for (number, [xs, ys]) in places.into_iter().enumerate().filter(|(_, of)| !of[0].is_empty())
        {
            let (x, y) = (median(xs), median(ys));
            let text = (number + 1).to_string();
            let width = 8.0 * text.len() as f64 + 4.0;
            chart.veil((x - width / 2.0, y - 8.0), (width, 15.0));
            chart.words((x, y + 4.0), &text, TextAnchor::Middle, "#222222");
        }
    }

    /// Draws two arrows with the titles of the axes at the lower left corner.
    fn axes(&self, chart: &mut Chart, titles: &[String; 2]) {
        let (x, y) = (self.corner[0] - 6.0, self.bottom() + 6.0);
        let colour = "#444444";
        chart.line((x, y), (x + ARROW, y), colour, 1.0);
        chart.line((x, y), (x, y - ARROW), colour, 1.0);
        let (right, up) = (x + ARROW, y - ARROW);
        chart.polygon(&[(right + 5.0, y), (right - 2.0, y - 3.0), (right - 2.0, y + 3.0)], colour);
        chart.polygon(&[(x, up - 5.0), (x - 3.0, up + 2.0), (x + 3.0, up + 2.0)], colour);
        let first = Chart::shortened(&titles[0], self.size[0] - ARROW);
        chart.words((right + 10.0, y + 4.0), &first, TextAnchor::Start, colour);
        let second = Chart::shortened(&titles[1], self.size[0]);
        chart.veil((x - 6.0, up - 23.0), (Chart::width_of(&second) + 2.0, 16.0));
        chart.words((x - 4.0, up - 11.0), &second, TextAnchor::Start, colour);
    }
}

/// The order in which cells are drawn: by their numbers, or mixed.
fn order(picture: &MapPicture) -> Vec<usize> {
    let mut order: Vec<usize> = (0..picture.points.nrows()).collect();
    match &picture.colouring {
        Colouring::Numbers { values, signed, .. } => {
            // Cells without a number are below all others.
            let key = |i: usize| {
                let value = values.get(i).copied().filter(|x| !x.is_nan());
                value.map_or(f64::NEG_INFINITY, |x| if *signed { x.abs() } else { x })
            };
            order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
        }
        // A multiplication by an odd number mixes the cells in the same way each time.
        _ => order.sort_by_key(|&i| (i as u32).wrapping_mul(2_654_435_761)),
    }
    order
}

/// The colour of a cell below lines.
fn lighter(colour: &str) -> String {
    let channels = super::palette::channels(colour).unwrap_or([200; 3]);
    let [red, green, blue] = channels.map(|c| (f64::from(c) * 0.45 + 255.0 * 0.55).round() as u8);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The median of numbers; zero without numbers.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn picture(colouring: Colouring, points: Array2<f64>) -> MapPicture {
        MapPicture {
            title: "Cells <&\">".into(),
            subtitle: "n".into(),
            axes: ["UMAP 1".into(), "UMAP 2".into()],
            points,
            colouring,
            lines: Vec::new(),
        }
    }

    fn circles(svg: &str) -> Vec<&str> {
        svg.split("<circle").skip(1).map(|part| &part[..part.find('>').unwrap()]).collect()
    }

    #[test]
    fn high_numbers_are_on_top_and_cells_without_a_place_are_left_out() {
        let values = vec![3.0, f64::NAN, 1.0, 2.0];
        let numbers = Colouring::Numbers {
            title: "Gata6 <&\">".into(),
            values,
            range: None,
            log: false,
            signed: false,
        };
        let points = array![[0.0, 0.0], [1.0, 1.0], [2.0, 0.5], [f64::NAN, f64::NAN]];
        let svg = draw_map(&picture(numbers, points), PageSize::default()).svg();
        assert!(svg.contains("Gata6 &lt;&amp;") && !svg.contains("NaN"), "{svg}");
        let found = circles(&svg);
        assert_eq!(found.len(), 3);
        assert!(found[0].contains(NO_GROUP) && found[2].contains("#fde725"), "{found:?}");
    }

    #[test]
    fn odd_cases_are_drawn_without_panic() {
        let one = array![[1.0, 1.0]];
        for points in [Array2::zeros((0, 2)), one, array![[f64::NAN, f64::NAN]]] {
            let n = points.nrows();
            let groups = Colouring::Groups {
                names: vec!["a".repeat(200)],
                colours: vec!["#0072b2".into()],
                of_cells: vec![Some(0); n],
                ordered: false,
            };
            let size = PageSize { width: Some(1.0), height: Some(1.0) };
            let svg = draw_map(&picture(groups, points), size).svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn many_groups_are_numbered_on_the_map_and_in_the_legend() {
        let n = 40;
        let groups = Colouring::Groups {
            names: (0..n).map(|g| format!("group {g}")).collect(),
            colours: crate::io::chart::palette(n),
            of_cells: (0..n).map(Some).collect(),
            ordered: false,
        };
        let points = Array2::from_shape_fn((n, 2), |(i, d)| ((i * (d + 3)) % 11) as f64);
        let svg = draw_map(&picture(groups, points), PageSize::default()).svg();
        assert!(svg.contains(">40</text>") && svg.contains(">group 39 (1)</text>"), "{svg}");
    }
}
