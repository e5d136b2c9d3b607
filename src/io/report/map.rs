//! Cells on an embedding: dots that the script colours in several ways, and arrows of their direction.
//!
//! Both axes have their own scale and no ticks, since coordinates of an embedding have no unit. The still picture has
//! fewer cells than the canvas of the script, which has all cells of the map.

use std::fmt::Write;

use serde_json::json;

use crate::io::report::axis::Axis;
use crate::io::report::colours::{NONE, scale};
use crate::io::report::data::{CellMap, Streams, Values};
use crate::io::report::escape::{count, counted, number};
use crate::io::report::page::{Figure, Table, legend, moving};
use crate::io::report::payload::{Payload, colouring, packed, square};
use crate::io::report::svg::{Anchor, Svg};

/// Width and height of still pictures, in pixels.
const SIZE: [f64; 2] = [760.0, 560.0];
/// Margin of the axes, with their names, in pixels.
const MARGIN: f64 = 34.0;
/// Most dots of a static picture.
const STILL: usize = 3000;
/// Most dots behind arrows.
const BEHIND: usize = 1500;

/// An empty picture with the names of its axes, and the axes over `points`.
fn frame<'a>(
    axes: &[String; 2],
    points: impl Iterator<Item = &'a [f64; 2]> + Clone,
) -> (Svg, [Axis; 2]) {
    let mut svg = Svg::new(SIZE[0], SIZE[1]);
    let [mut x, mut y] = square(points);
    x.places = [MARGIN, SIZE[0] - 8.0];
    y.places = [SIZE[1] - MARGIN, 8.0];
    svg.line([MARGIN, SIZE[1] - MARGIN], [SIZE[0] - 8.0, SIZE[1] - MARGIN], "x");
    svg.line([MARGIN, SIZE[1] - MARGIN], [MARGIN, 8.0], "x");
    svg.text([SIZE[0] / 2.0, SIZE[1] - 10.0], &axes[0], "a", Anchor::Middle);
    svg.upright([20.0, SIZE[1] / 2.0], &axes[1]);
    (svg, [x, y])
}

/// The figure of the cells, whose data for the script go to `payload`.
///
/// The still picture has the first colouring. The table counts the cells of each category of each colouring, and has
/// the quartiles of colourings by numbers.
pub(super) fn figure(map: &CellMap, payload: &mut Payload) -> Figure {
    let (mut svg, [x, y]) = frame(&map.axes, map.points.iter());
    let shown = map.points.len().min(STILL);
    let size = if shown > 2000 { 4.0 } else { 5.0 };
    let place = |point: &[f64; 2]| [x.at(point[0]), y.at(point[1])];
    let first = map.colourings.first();
    let mut entries = Vec::new();
    match first.map(|first| &first.values) {
        Some(Values::Categories { names, colours, codes }) => {
            let of = |wanted: Option<usize>| {
                let all = map.points[..shown].iter().zip(codes);
                all.filter(move |entry| *entry.1 == wanted).map(|entry| place(entry.0))
            };
            svg.dots(of(None), size, NONE);
            for (k, colour) in colours.iter().enumerate() {
                svg.dots(of(Some(k)), size, colour);
            }
            entries = names.iter().cloned().zip(colours.iter().cloned()).collect();
        }
        _ => svg.dots(map.points[..shown].iter().map(place), size, NONE),
    }
    let n_shown = map.points.len();
    let mut n = if n_shown < map.n_cells {
        format!("n = {} of {}", count(n_shown), counted(map.n_cells, "cell"))
    } else {
        format!("n = {}", counted(n_shown, "cell"))
    };
    if n_shown + map.n_without < map.n_cells {
        n.push_str(", drawn at random");
    }
    if map.n_without > 0 {
        let _ = write!(n, "; {} without a place", counted(map.n_without, "cell"));
    }
    let by = first.map_or("", |first| first.legend.as_str());
    let alt =
        format!("{} of {}: each dot is a cell, coloured by {by}", map.name, counted(shown, "cell"));
    let mut fallback = svg.element(&alt);
    fallback.push_str(&legend(&entries));
    if shown < n_shown {
        let _ =
            write!(fallback, "<p class=\"n\">This still picture has {} of them.</p>", count(shown));
    }
    let axes = square(map.points.iter());
    payload.add(
        "map",
        json!({
            "n": n_shown,
            "axes": map.axes,
            "xy": packed(&map.points, &axes),
            "by": map.colourings.iter().map(colouring).collect::<Vec<_>>(),
            "about": map.name,
        }),
    );
    Figure {
        id: "fig-map",
        title: capital(&format!("{} of the cells", map.name)),
        n,
        picture: moving("map", &fallback),
        reading: "Each dot is a measured cell. On an embedding such as UMAP, distances between far groups have no \
                  meaning."
            .into(),
        table: of_colourings(map),
    }
}

/// `text` with a capital first letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// How many cells have each category, or the quartiles of each number.
fn of_colourings(map: &CellMap) -> Table {
    let mut rows = Vec::new();
    for by in &map.colourings {
        match &by.values {
            Values::Categories { names, codes, .. } => {
                for (k, name) in names.iter().enumerate() {
                    let n = codes.iter().filter(|code| **code == Some(k)).count();
                    rows.push(vec![by.name.clone(), name.clone(), count(n), String::new()]);
                }
                let n = codes.iter().filter(|code| code.is_none()).count();
                if n > 0 {
                    rows.push(vec![by.name.clone(), "(none)".into(), count(n), String::new()]);
                }
            }
            Values::Numbers { values, .. } => {
                let mut known: Vec<f64> =
                    values.iter().copied().filter(|v| v.is_finite()).collect();
                known.sort_by(f64::total_cmp);
                let at = |part: f64| {
                    let place = (part * known.len().saturating_sub(1) as f64).round() as usize;
                    number(known.get(place).copied().unwrap_or(f64::NAN))
                };
                let quartiles = format!("{} to {} (median {})", at(0.25), at(0.75), at(0.5));
                rows.push(vec![
                    by.name.clone(),
                    "middle half".into(),
                    count(known.len()),
                    quartiles,
                ]);
            }
        }
    }
    Table::new(&["Colour", "Value", "Cells", "Range"], rows)
}

/// The figure of arrows over grey cells.
///
/// The colour of an arrow is the mean time of the cells around it. Arrows of less than a pixel are left out. The
/// table has both ends of each arrow in the coordinates of the embedding.
pub(super) fn streams(streams: &Streams) -> Figure {
    let arrows = &streams.arrows;
    let (mut svg, [x, y]) = frame(&streams.axes, streams.points.iter());
    let place = |point: &[f64; 2]| [x.at(point[0]), y.at(point[1])];
    svg.raw("<g class=\"behind\">");
    svg.dots(streams.points.iter().take(BEHIND).map(place), 3.5, NONE);
    svg.raw("</g>");
    for arrow in arrows {
        let ([x1, y1], [x2, y2]) = (place(&arrow.at), place(&arrow.to));
        let length = (x2 - x1).hypot(y2 - y1);
        if length < 1.0 {
            continue;
        }
        let (ux, uy) = ((x2 - x1) / length, (y2 - y1) / length);
        let head = (0.45 * length).clamp(3.0, 7.0);
        let wing =
            |side: f64| [x2 - head * (ux - side * 0.55 * uy), y2 - head * (uy + side * 0.55 * ux)];
        let path = format!(
            "{}{}",
            crate::io::report::svg::path(&[[x1, y1], [x2, y2]]),
            crate::io::report::svg::path(&[wing(1.0), [x2, y2], wing(-1.0)])
        );
        svg.curve(&path, &scale(arrow.time), 1.6);
    }
    let alt = format!(
        "{} with {}: the mean direction in which cells move, coloured from early (dark) to late (light)",
        streams.name,
        counted(arrows.len(), "arrow")
    );
    let mut picture = svg.element(&alt);
    picture.push_str(&legend(&[
        ("early".into(), scale(0.0)),
        ("middle".into(), scale(0.5)),
        ("late".into(), scale(1.0)),
    ]));
    let rows = arrows
        .iter()
        .map(|arrow| [arrow.at, arrow.to].concat().iter().map(|value| number(*value)).collect())
        .collect();
    let [first, second] = &streams.axes;
    let names = [first, second].map(|axis| [format!("{axis}, from"), format!("{axis}, to")]);
    let header = [&names[0][0], &names[1][0], &names[0][1], &names[1][1]].map(String::as_str);
    Figure {
        id: "fig-streams",
        title: format!("Mean direction of cells on {}", streams.name),
        n: format!("n = {}; {}", counted(streams.n_cells, "cell"), counted(arrows.len(), "arrow")),
        picture,
        reading: "An arrow is the mean drift of the cells around it: where they are expected to go next. \
                  Its length is relative; its colour is their mean time. Random movement is not shown."
            .into(),
        table: Table::new(&header, rows),
    }
}
