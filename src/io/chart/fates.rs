//! Charts of fates: cells in a triangle of three fates, or mean shares of any number of fates over time.

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::io::chart::axis::Axis;
use crate::io::chart::page::{Head, MARGIN, PageSize};
use crate::io::chart::profiles::GREY;
use crate::io::chart::{Chart, ramp};

/// Fate probabilities of cells. See [`draw_fates`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FatePicture {
    /// Title: the contents of the chart in a few words.
    pub title: String,
    /// A line below the title, such as the number of cells.
    pub subtitle: String,
    /// Title of the axis of time, with its unit.
    pub time_title: String,
    /// Names of the fates.
    pub fates: Vec<String>,
    /// The colour of each fate, `#rrggbb`.
    pub colours: Vec<String>,
    /// The time of each cell.
    pub times: Vec<f64>,
    /// The probability of each fate, `(n_cells, n_fates)`; rows with NaN are not drawn.
    pub shares: Array2<f64>,
}

/// Height of the row of a legend.
const ROW: f64 = 17.0;
/// Widest name in a legend.
const NAMES: f64 = 150.0;

/// Draws the fates of cells: for three fates a triangle with a dot for each cell, coloured by time; otherwise
/// stacked bars of the mean probabilities at each time.
///
/// ```
/// use ndarray::array;
/// use sbcell::io::chart::{FatePicture, PageSize, draw_fates, palette};
/// # fn main() -> sbcell::Result<()> {
/// let picture = FatePicture {
///     title: "Fates at 96 h".into(),
///     subtitle: "n = 2 cells".into(),
///     time_title: "time (h)".into(),
///     fates: vec!["XEN".into(), "ectoderm".into()],
///     colours: palette(2),
///     times: vec![0.0, 24.0],
///     shares: array![[0.5, 0.5], [0.9, 0.1]],
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("fates.svg");
/// draw_fates(&picture, PageSize::default()).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("Fates at 96 h"));
/// # Ok(())
/// # }
/// ```
pub fn draw_fates(picture: &FatePicture, size: PageSize) -> Chart {
    if picture.fates.len() == 3 { triangle(picture, size) } else { bars(picture, size) }
}

/// The times of the cells, each once, increasing.
fn distinct(times: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = times.iter().copied().filter(|time| time.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// The rows of the cells of one time with known fates.
fn cells_at(picture: &FatePicture, time: f64) -> Vec<usize> {
    let known = |i: &usize| picture.shares.row(*i).iter().all(|share| share.is_finite());
    let at = |i: &usize| picture.times[*i].total_cmp(&time).is_eq();
    (0..picture.times.len()).filter(at).filter(known).collect()
}

/// Cells in a triangle.
fn triangle(picture: &FatePicture, size: PageSize) -> Chart {
    let times = distinct(&picture.times);
    let legend = 112.0_f64.max(Chart::width_of(&picture.time_title) + 24.0);
    let width = size.width.unwrap_or(400.0 + legend).max(200.0 + legend);
    let head = Head::of(width, [&picture.title, &picture.subtitle]);
    let top = head.height();
    let natural = (width - legend - 3.0 * MARGIN) * 0.75_f64.sqrt() + top + 64.0;
    let height = size.height.unwrap_or(natural).max(180.0);
    let mut chart = Chart::new(width, height);
    head.draw(&mut chart);
    let right = width - legend - MARGIN;
    // The names of both lower corners are below them; that of the upper one is above it.
    let room = [right - 2.0 * MARGIN, height - top - 64.0];
    let side = room[0].min(room[1] / 0.75_f64.sqrt());
    let middle = MARGIN + room[0] / 2.0 + 8.0;
    let bottom = top + 26.0 + side * 0.75_f64.sqrt();
    let corners = [
        (middle, bottom - side * 0.75_f64.sqrt()),
        (middle - side / 2.0, bottom),
        (middle + side / 2.0, bottom),
    ];
    let place = |shares: [f64; 3]| {
        let sum: f64 = shares.iter().sum();
        let sum = if sum > 0.0 { sum } else { 1.0 };
        let of = |pick: fn(&(f64, f64)) -> f64| -> f64 {
            corners.iter().zip(shares).map(|(corner, share)| pick(corner) * share / sum).sum()
        };
        (of(|corner| corner.0), of(|corner| corner.1))
    };
    for quarter in 1..4 {
        let (a, b) = (f64::from(quarter) / 4.0, 1.0 - f64::from(quarter) / 4.0);
        for [from, to] in
            [[[a, b, 0.0], [a, 0.0, b]], [[b, a, 0.0], [0.0, a, b]], [[b, 0.0, a], [0.0, b, a]]]
        {
            chart.line(place(from), place(to), "#e6e6e6", 1.0);
        }
    }
    for [from, to] in [[0, 1], [1, 2], [2, 0]] {
        chart.line(corners[from], corners[to], "#888888", 1.2);
    }
    let radius = (0.03 * side * side / picture.times.len().max(1) as f64).sqrt().clamp(1.3, 4.0);
    let colours = of_times(&times);
    for (time, colour) in times.iter().zip(&colours) {
        for i in cells_at(picture, *time) {
            let row = picture.shares.row(i);
            chart.spot(place([row[0], row[1], row[2]]), radius, colour);
        }
    }
    let names: Vec<String> =
        picture.fates.iter().map(|name| Chart::shortened(name, side / 2.0)).collect();
    let anchors = [TextAnchor::Middle, TextAnchor::Start, TextAnchor::End];
    let shift = [(0.0, -10.0), (-4.0, 20.0), (4.0, 20.0)];
    for place in 0..3 {
        let at = (corners[place].0 + shift[place].0, corners[place].1 + shift[place].1);
        chart.words(at, &names[place], anchors[place], &picture.colours[place]);
    }
    let left = width - legend;
    chart.words((left, top + 4.0), &picture.time_title, TextAnchor::Start, GREY);
    for (row, (time, colour)) in times.iter().zip(&colours).enumerate() {
        let y = top + 20.0 + ROW * row as f64;
        if y > height - 8.0 {
            break;
        }
        chart.spot((left + 5.0, y), 4.5, colour);
        let words = format!("{time} ({})", cells_at(picture, *time).len());
        chart.words((left + 16.0, y + 4.0), &words, TextAnchor::Start, "#222222");
    }
    chart
}

/// A colour for each time.
fn of_times(times: &[f64]) -> Vec<String> {
    let last = times.len().saturating_sub(1).max(1) as f64;
    // The lightest colours are hard to see on white.
    (0..times.len()).map(|place| ramp(0.92 * place as f64 / last)).collect()
}

/// Stacked bars of mean probabilities.
fn bars(picture: &FatePicture, size: PageSize) -> Chart {
    let times = distinct(&picture.times);
    let widest = picture.fates.iter().map(|name| Chart::width_of(name)).fold(0.0, f64::max);
    let legend = widest.min(NAMES) + 44.0;
    let (left, foot) = (54.0, 62.0);
    let natural = left + 46.0 * times.len().max(4) as f64 + legend;
    let width = size.width.unwrap_or(natural).max(left + 60.0 + legend);
    let head = Head::of(width, [&picture.title, &picture.subtitle]);
    let top = head.height();
    let rows = top + ROW * picture.fates.len() as f64 + foot;
    let height = size.height.unwrap_or(360.0_f64.max(rows)).max(180.0);
    let mut chart = Chart::new(width, height);
    head.draw(&mut chart);
    let (right, bottom) = (width - legend, height - foot);
    let axis = Axis::new(0.0, 1.0, bottom, top + 28.0);
    for (value, label) in axis.ticks() {
        let y = axis.place(value);
        chart.line((left, y), (right, y), "#e6e6e6", 1.0);
        chart.words((left - 6.0, y + 4.0), &label, TextAnchor::End, "#444444");
    }
    chart.words((MARGIN, top + 12.0), "mean fate probability", TextAnchor::Start, GREY);
    let slot = (right - left) / times.len().max(1) as f64;
    let bar = (0.72 * slot).min(60.0);
    for (number, time) in times.iter().enumerate() {
        let cells = cells_at(picture, *time);
        let x = left + slot * (number as f64 + 0.5);
        let mut from = 0.0;
        for (fate, colour) in picture.colours.iter().enumerate().take(picture.fates.len()) {
            let sum: f64 = cells.iter().map(|&i| picture.shares[[i, fate]]).sum();
            let mean = sum / cells.len().max(1) as f64;
            let (low, high) = (axis.place(from), axis.place(from + mean));
            chart.band((x - bar / 2.0, high), (bar, low - high), colour);
            from += mean;
        }
        if fits(number, times.len(), slot) {
            let label = format!("{time}");
            chart.words((x, bottom + 17.0), &label, TextAnchor::Middle, "#444444");
            let n = cells.len().to_string();
            chart.words((x, bottom + 33.0), &n, TextAnchor::Middle, GREY);
        }
    }
    chart.words((left - 8.0, bottom + 33.0), "n", TextAnchor::End, GREY);
    let middle = f64::midpoint(left, right);
    chart.words((middle, bottom + 52.0), &picture.time_title, TextAnchor::Middle, GREY);
    for (row, (name, colour)) in picture.fates.iter().zip(&picture.colours).enumerate() {
        let y = top + 34.0 + ROW * row as f64;
        if y > height - 8.0 {
            break;
        }
        chart.band((right + 14.0, y - 6.0), (11.0, 11.0), colour);
        let words = Chart::shortened(name, NAMES);
        chart.words((right + 31.0, y + 4.0), &words, TextAnchor::Start, "#222222");
    }
    chart
}

/// Whether the label of a slot has room: every label, or every second, third, … of narrow slots.
pub(super) fn fits(place: usize, n: usize, slot: f64) -> bool {
    let every = (30.0 / slot).ceil().max(1.0) as usize;
    place.is_multiple_of(every) || n <= 2
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::io::chart::palette;

    fn picture(n: usize) -> FatePicture {
        FatePicture {
            title: "Fates <&\">".into(),
            subtitle: String::new(),
            time_title: "time (h)".into(),
            fates: (0..n).map(|fate| format!("fate <{fate}>")).collect(),
            colours: palette(n),
            times: vec![0.0, 0.0, 6.0],
            shares: Array2::from_elem((3, n), 1.0 / n as f64),
        }
    }

    fn tags<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
        text.split(begin).skip(1).map(|part| &part[..part.find('>').unwrap()]).collect()
    }

    fn number(tag: &str, name: &str) -> f64 {
        let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
        rest[..rest.find('"').unwrap()].parse().unwrap()
    }

    #[test]
    fn a_cell_of_one_fate_is_in_its_corner_and_an_even_one_in_the_middle() {
        let shares = array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]];
        let many = FatePicture { times: vec![0.0; 4], shares, ..picture(3) };
        let svg = draw_fates(&many, PageSize::default()).svg();
        let dots = tags(&svg, "<circle");
        let at: Vec<(f64, f64)> =
            dots.iter().take(4).map(|tag| (number(tag, "cx"), number(tag, "cy"))).collect();
        let mean = |pick: fn(&(f64, f64)) -> f64| at[..3].iter().map(pick).sum::<f64>() / 3.0;
        assert!((at[3].0 - mean(|p| p.0)).abs() < 0.02 && (at[3].1 - mean(|p| p.1)).abs() < 0.02);
        // The sides are equal.
        let side = |a: usize, b: usize| (at[a].0 - at[b].0).hypot(at[a].1 - at[b].1);
        assert!((side(0, 1) - side(1, 2)).abs() < 0.1 && (side(1, 2) - side(2, 0)).abs() < 0.1);
    }

    #[test]
    fn bars_are_as_high_as_the_means_and_sum_to_the_axis() {
        let shares = array![[0.2, 0.8], [0.4, 0.6], [f64::NAN, 0.0]];
        let two = FatePicture { shares, ..picture(2) };
        let svg = draw_fates(&two, PageSize::default()).svg();
        let bars: Vec<f64> =
            tags(&svg, "<rect").iter().skip(1).map(|tag| number(tag, "height")).collect();
        assert!((bars[0] / (bars[0] + bars[1]) - 0.3).abs() < 1e-3, "{bars:?}");
        assert!(svg.contains("fate &lt;1&gt;") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn any_number_of_fates_and_times_is_drawn() {
        for n in [1, 2, 3, 40] {
            let mut of = picture(n);
            let size = PageSize { width: Some(1.0), height: Some(1.0) };
            draw_fates(&of, size);
            of.times.clear();
            of.shares = Array2::zeros((0, n));
            let svg = draw_fates(&of, PageSize::default()).svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        assert!(fits(0, 90, 5.0) && !fits(1, 90, 5.0) && fits(6, 90, 5.0));
    }
}
