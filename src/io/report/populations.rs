//! Populations at and between the times: one small picture each, and a slider with the script.
//!
//! All pictures have the same axes, which are those of the map of cells. Measured and predicted populations are told
//! apart by words, not by colour: the colour is the position of the time in the course.

use std::fmt::Write;

use serde_json::json;

use crate::io::report::axis::time_title;
use crate::io::report::colours::{NONE, of_times};
use crate::io::report::data::{Frame, Populations, Report};
use crate::io::report::escape::{count, counted, number, time};
use crate::io::report::page::{Figure, Table, moving};
use crate::io::report::payload::{Payload, packed, square};
use crate::io::report::svg::{Anchor, Svg};

/// Width and height of a small picture, in pixels.
const SMALL: f64 = 190.0;
/// Most dots of a small picture; the canvas of the script has all points.
const DOTS: usize = 220;
/// Most small pictures; the slider has all times.
const FRAMES: usize = 24;

/// How predicted cells come to places on an embedding that the model does not know.
const BY_NEIGHBOURS: &str = " A predicted cell is at the mean place of the eight measured cells that are nearest to it \
                             in the coordinates of the model, so it never lies outside of them.";

/// The figure of all populations, whose data for the script go to `payload`.
///
/// Without the script and in print it is a small picture for each time. With it, a slider moves through the times.
pub(super) fn figure(populations: &Populations, report: &Report, payload: &mut Payload) -> Figure {
    let frames = &populations.frames;
    let all = frames.iter().flat_map(|frame| &frame.points);
    let axes = square(all.clone());
    let colours = of_times(frames.len());
    let mut fallback = String::from("<div class=\"small\">");
    for (number, (frame, colour)) in frames.iter().zip(&colours).take(FRAMES).enumerate() {
        fallback.push_str(&small(frame, populations, colour, number == 0));
    }
    fallback.push_str("</div>");
    if frames.len() > FRAMES {
        let _ =
            write!(fallback, "<p class=\"n\">The first {FRAMES} of {} times.</p>", frames.len());
    }
    let shown = frames
        .iter()
        .zip(&colours)
        .map(|(frame, colour)| {
            json!({
                "time": time(frame.time), "measured": frame.measured, "n": frame.points.len(),
                "of": count(frame.n_cells), "colour": colour, "xy": packed(&frame.points, &axes),
            })
        })
        .collect::<Vec<_>>();
    payload.add(
        "frames",
        json!({ "axes": populations.axes, "title": time_title(&report.unit), "unit": report.unit, "frames": shown }),
    );
    let n_between = frames.iter().filter(|frame| !frame.measured).count();
    let most = frames.iter().map(|frame| frame.points.len()).max().unwrap_or(0);
    let sampled = frames.iter().any(|frame| frame.points.len() < frame.n_cells);
    let of = if sampled {
        format!(", at most {} cells each, drawn at random", count(most))
    } else {
        String::new()
    };
    Figure {
        id: "fig-between",
        title: format!("Populations at and between the measured times: {}", populations.name),
        n: format!(
            "n = {} between {}{of}",
            counted(n_between, "predicted population"),
            counted(frames.len() - n_between, "measured one")
        ),
        picture: moving("frames", &fallback),
        reading: format!(
            "Coloured: the population of one time. Grey: all measured cells. Predicted populations are drawn from the \
             model; no cell was measured there.{}",
            if populations.by_neighbours { BY_NEIGHBOURS } else { "" }
        ),
        table: table(frames, report, &populations.axes),
    }
}

/// The small picture of one time as an SVG element: its population in `colour`, with the time and its kind above.
///
/// Grey dots behind it are measured cells of all times. They are drawn in the first picture, to which the others refer.
fn small(frame: &Frame, populations: &Populations, colour: &str, is_first: bool) -> String {
    let [mut x, mut y] = square(populations.frames.iter().flat_map(|frame| &frame.points));
    x.places = [4.0, SMALL - 4.0];
    y.places = [SMALL - 18.0, 20.0];
    let mut svg = Svg::new(SMALL, SMALL);
    let kind = if frame.measured { "measured" } else { "predicted" };
    let name = format!("{} · {kind}", time(frame.time));
    svg.text([4.0, 13.0], &name, "k", Anchor::Start);
    svg.line([4.0, SMALL - 16.0], [SMALL - 4.0, SMALL - 16.0], "x");
    let place = |point: &[f64; 2]| [x.at(point[0]), y.at(point[1])];
    if is_first {
        let measured = populations.frames.iter().filter(|frame| frame.measured);
        let each = DOTS / measured.clone().count().max(1);
        svg.raw("<g id=\"measured-cells\" class=\"behind\">");
        let all = measured.flat_map(|frame| frame.points.iter().take(each));
        svg.dots(all.map(place), 2.0, NONE);
        svg.raw("</g>");
    } else {
        svg.raw("<use href=\"#measured-cells\"/>");
    }
    svg.dots(frame.points.iter().take(DOTS).map(place), 3.0, colour);
    svg.text([4.0, SMALL - 3.0], &populations.axes[0], "s", Anchor::Start);
    svg.element(&format!(
        "Population at time {}, {kind}: {} in {} and {}",
        time(frame.time),
        counted(frame.n_cells, "cell"),
        populations.axes[0],
        populations.axes[1]
    ))
}

/// The table of the populations: the number of cells, and the mean and standard deviation (over n) along both axes
/// of the points that are shown.
fn table(frames: &[Frame], report: &Report, axes: &[String; 2]) -> Table {
    let rows = frames
        .iter()
        .map(|frame| {
            let mut row = vec![
                time(frame.time),
                if frame.measured { "measured" } else { "predicted" }.into(),
                count(frame.n_cells),
            ];
            for k in 0..2 {
                let n = frame.points.len().max(1) as f64;
                let mean = frame.points.iter().map(|point| point[k]).sum::<f64>() / n;
                let square =
                    frame.points.iter().map(|point| (point[k] - mean).powi(2)).sum::<f64>();
                row.push(number(mean));
                row.push(number((square / n).sqrt()));
            }
            row
        })
        .collect();
    let [x, y] = axes;
    let of = |word: &str, axis: &str| format!("{word} of {axis}");
    let header = [
        time_title(&report.unit),
        "Population".into(),
        "Cells".into(),
        of("Mean", x),
        of("SD", x),
        of("Mean", y),
        of("SD", y),
    ];
    Table { header: header.into(), rows }
}
