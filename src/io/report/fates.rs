//! Fate probabilities: their distribution over the cells of each time, and a triangle for three fates.
//!
//! A distribution is a shape that is symmetric about the position of its time: its half width at a height is the
//! square root of the smoothed share of cells with this probability, relative to the largest share of the time.

use crate::io::report::axis::{Axis, time_title};
use crate::io::report::colours::of_times;
use crate::io::report::data::{Fates, Report};
use crate::io::report::escape::{count, counted, number, place, time};
use crate::io::report::page::{Figure, Table, legend};
use crate::io::report::svg::{Anchor, Svg, path, shortened};

/// Width and height of a panel, in pixels.
const PANEL: [f64; 2] = [350.0, 230.0];
/// Width for the labels of the axis of probability, in pixels.
const LEFT: f64 = 46.0;
/// Number of equal steps of probability, from 0 to 1, in which cells are counted.
const BINS: usize = 18;
/// Most panels: further fates are only in the table.
const MOST: usize = 12;
/// Most dots of a triangle: of more cells, every second, third, … is drawn.
const DOTS: usize = 2500;

/// The figures: distributions, and a triangle if there are three fates.
pub(super) fn figures(fates: &Fates, report: &Report) -> Vec<Figure> {
    let mut put = vec![distributions(fates, report)];
    if fates.names.len() == 3 {
        put.push(triangle(fates, report));
    }
    put
}

/// The figure with one panel for each fate.
///
/// Its table has a row for each time and fate: the number of cells, their mean probability, and how undecided they
/// are over all fates (0 to 1).
///
/// A panel shows the distribution of its probability over the cells of each time.
fn distributions(fates: &Fates, report: &Report) -> Figure {
    let mut picture = String::from("<div class=\"panels\">");
    for fate in 0..fates.names.len().min(MOST) {
        picture.push_str(&panel(fates, fate, report));
    }
    picture.push_str("</div>");
    let n: usize = fates.at.iter().map(|at| at.probabilities.first().map_or(0, Vec::len)).sum();
    let mut rows = Vec::new();
    for at in &fates.at {
        for (name, values) in fates.names.iter().zip(&at.probabilities) {
            let n = values.len().max(1) as f64;
            rows.push(vec![
                time(at.time),
                name.clone(),
                count(values.len()),
                number(values.iter().sum::<f64>() / n),
                number(at.undecided),
            ]);
        }
    }
    let more = if fates.names.len() > MOST {
        format!(" The first {MOST} of {} fates are drawn.", fates.names.len())
    } else {
        String::new()
    };
    Figure {
        id: "fig-fates",
        title: "When cells decide: fate probabilities over time".into(),
        n: format!(
            "n = {} at {}, {}",
            counted(n, "cell"),
            counted(fates.at.len(), "time"),
            counted(fates.names.len(), "fate")
        ),
        picture,
        reading: format!(
            "The wider a shape, the more cells of that time have this probability; the dot is the mean. \
             Cells near the mean are undecided: nothing more is known of them than the shares of the fates. Decided \
             cells lie at 0 and 1.{more}"
        ),
        table: Table::new(
            &[
                &time_title(&report.unit),
                "Fate",
                "Cells",
                "Mean probability",
                "Undecided (0 to 1), all fates",
            ],
            rows,
        ),
    }
}

/// The panel of one fate as an SVG element: a shape and the mean as a dot for each time that has cells.
fn panel(fates: &Fates, fate: usize, report: &Report) -> String {
    let [width, height] = PANEL;
    let times: Vec<f64> = fates.at.iter().map(|at| at.time).collect();
    // The shapes of neighbouring times must not overlap, so times are equally far apart.
    let step = (width - LEFT - 14.0) / times.len().max(1) as f64;
    let x = |k: usize| LEFT + step * (k as f64 + 0.5);
    let y = Axis { values: [0.0, 1.0], places: [height - 44.0, 30.0] };
    let name = &fates.names[fate];
    let colour = report.colours.get(name);
    let mut svg = Svg::new(width, height);
    svg.text([LEFT, 15.0], &shortened(name, 30), "b", Anchor::Start);
    y.draw_vertical(&mut svg, [LEFT, width - 8.0], 4);
    svg.upright([12.0, 0.5 * (height - 14.0)], "Probability");
    let mut means = Vec::new();
    for (k, at) in fates.at.iter().enumerate() {
        let Some(values) = at.probabilities.get(fate).filter(|values| !values.is_empty()) else {
            continue;
        };
        let shape = shape(values);
        let half = 0.46 * step;
        let edge = |side: f64, bin: usize| {
            [x(k) + side * half * shape[bin], y.at((bin as f64 + 0.5) / BINS as f64)]
        };
        let right = (0..BINS).map(|bin| edge(1.0, bin));
        let left = (0..BINS).rev().map(|bin| edge(-1.0, bin));
        let outline: Vec<[f64; 2]> = right.chain(left).collect();
        svg.area(&format!("{}Z", path(&outline)), colour, 0.55);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        means.push(format!("{} at {}", number(mean), time(at.time)));
        svg.raw(&format!(
            "<circle class=\"mean\" cx=\"{}\" cy=\"{}\" r=\"3\"/>",
            place(x(k)),
            place(y.at(mean))
        ));
    }
    let mut free = f64::NEG_INFINITY;
    for (k, at) in times.iter().enumerate() {
        let label = time(*at);
        let half = 3.6 * label.chars().count() as f64;
        if x(k) - half > free {
            svg.text([x(k), height - 26.0], &label, "k", Anchor::Middle);
            free = x(k) + half + 4.0;
        }
    }
    svg.text([0.5 * (LEFT + width), height - 6.0], &time_title(&report.unit), "a", Anchor::Middle);
    svg.element(&format!("Probability of the fate {name} over time; mean {}", means.join(", ")))
}

/// The half widths of the shape of `values` (probabilities) at the middles of all bins, from 0 to 1.
///
/// Counts are smoothed with the weights ¼, ½, ¼ over neighbouring bins, divided by the largest one, and their square
/// roots are taken, so that a few cells of another fate remain visible.
fn shape(values: &[f64]) -> Vec<f64> {
    let mut bins = [0.0; BINS];
    for value in values {
        let bin = ((value.clamp(0.0, 1.0) * BINS as f64) as usize).min(BINS - 1);
        bins[bin] += 1.0;
    }
    let smooth: Vec<f64> = (0..BINS)
        .map(|bin| {
            let at = |k: usize| bins.get(k).copied().unwrap_or(0.0);
            let below = if bin == 0 { 0.0 } else { at(bin - 1) };
            0.5 * at(bin) + 0.25 * (below + at(bin + 1))
        })
        .collect();
    let most = smooth.iter().copied().fold(0.0, f64::max).max(1e-300);
    // The square root keeps small parts visible.
    smooth.iter().map(|share| (share / most).sqrt()).collect()
}

/// The figure of cells in a triangle whose corners are the fates.
///
/// A cell is at `Σ_f p_f c_f`, with its probabilities `p_f` and the corners `c_f`: in a corner if one fate is certain,
/// on a side if two are possible, and in the middle if all three are alike. Its colour is its time. The table has the
/// share of cells of each time that no fate claims with at least one half.
fn triangle(fates: &Fates, report: &Report) -> Figure {
    let (width, height) = (560.0, 500.0);
    let corners = [[280.0, 40.0], [40.0, 456.0], [520.0, 456.0]];
    let mut svg = Svg::new(width, height);
    let outline = format!("{}Z", path(&corners));
    svg.raw(&format!("<path class=\"x\" d=\"{outline}\" fill=\"none\"/>"));
    let colours = of_times(fates.at.len());
    let total: usize = fates.at.iter().map(|at| at.probabilities.first().map_or(0, Vec::len)).sum();
    let every = total.div_ceil(DOTS).max(1);
    for (at, colour) in fates.at.iter().zip(&colours) {
        let n = at.probabilities.iter().map(Vec::len).min().unwrap_or(0);
        let dots = (0..n).step_by(every).map(|cell| {
            [0, 1].map(|k| (0..3).map(|fate| at.probabilities[fate][cell] * corners[fate][k]).sum())
        });
        svg.dots(dots, 4.0, colour);
    }
    let name = |fate: usize| shortened(&fates.names[fate], 24);
    svg.text([280.0, 24.0], &name(0), "b", Anchor::Middle);
    svg.text([16.0, 482.0], &name(1), "b", Anchor::Start);
    svg.text([544.0, 482.0], &name(2), "b", Anchor::End);
    let alt = format!("Triangle of the fates {}; each dot is a cell", fates.names.join(", "));
    let labels: Vec<(String, String)> =
        fates.at.iter().map(|at| time(at.time)).zip(colours.iter().cloned()).collect();
    let rows = fates
        .at
        .iter()
        .map(|at| {
            let n = at.probabilities.iter().map(Vec::len).min().unwrap_or(0);
            let middle = (0..n)
                .filter(|&cell| (0..3).all(|fate| at.probabilities[fate][cell] < 0.5))
                .count();
            vec![time(at.time), count(n), number(middle as f64 / n.max(1) as f64)]
        })
        .collect();
    Figure {
        id: "fig-triangle",
        title: "The three fates of each cell".into(),
        n: format!("n = {}, coloured by time", counted(total.div_ceil(every), "cell")),
        picture: format!("{}{}", svg.element(&alt), legend(&labels)),
        reading:
            "A cell at a corner has one fate for certain; a cell in the middle has all three alike."
                .into(),
        table: Table::new(
            &[
                &time_title(&report.unit),
                "Cells",
                "Share of cells whose largest probability is under 0.5",
            ],
            rows,
        ),
    }
}
