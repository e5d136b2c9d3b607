//! The number of cells of each time, as bars.
//!
//! The picture has one row for each time: its label, a bar whose length is the number of cells, and this number.
//! All bars have the same scale, which begins at zero.

use crate::io::report::axis::time_title;
use crate::io::report::data::Report;
use crate::io::report::escape::{count, counted, time};
use crate::io::report::page::{Figure, Table};
use crate::io::report::svg::{Anchor, Svg, shortened};

/// Height of a bar with its gap, in pixels.
const ROW: f64 = 26.0;
/// Width of the picture with the numbers beside the bars, in pixels.
const WIDTH: f64 = 560.0;
/// Width of the labels on the left, in pixels.
const LEFT: f64 = 84.0;

/// The figure of the numbers of cells.
///
/// Its table has a row for each time with the label of the file, the time, and the number of cells. The words below
/// name the time with the fewest cells, since it limits all intervals that follow.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    let times = &report.times;
    let total: usize = times.iter().map(|at| at.n_cells).sum();
    let most = times.iter().map(|at| at.n_cells).max().unwrap_or(0).max(1);
    let mut svg = Svg::new(WIDTH, 34.0 + ROW * times.len() as f64);
    let unit = if report.unit.is_empty() { String::new() } else { format!(" ({})", report.unit) };
    svg.text([LEFT - 10.0, 15.0], &format!("Time{unit}"), "a", Anchor::End);
    svg.text([LEFT, 15.0], "Cells", "a", Anchor::Start);
    for (row, at) in times.iter().enumerate() {
        let y = 28.0 + ROW * row as f64;
        let length = (WIDTH - LEFT - 60.0) * at.n_cells as f64 / most as f64;
        svg.text([LEFT - 10.0, y + 13.0], &shortened(&time(at.time), 11), "k", Anchor::End);
        svg.raw(&format!(
            "<rect class=\"bar\" x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"17\" rx=\"2\"/>",
            crate::io::report::escape::place(y)
        ));
        svg.text([LEFT + length + 8.0, y + 13.0], &count(at.n_cells), "k", Anchor::Start);
    }
    let list: Vec<String> =
        times.iter().map(|at| format!("{} at {}", count(at.n_cells), time(at.time))).collect();
    let alt = format!("Bars of the number of cells at each time: {}", list.join(", "));
    let fewest = times.iter().min_by_key(|at| at.n_cells);
    let reading = fewest.map_or_else(String::new, |at| {
        format!(
            "The fewest cells, {}, are those of time {}. Groups of few cells make wide intervals everywhere below.",
            count(at.n_cells),
            time(at.time)
        )
    });
    let rows =
        times.iter().map(|at| vec![at.label.clone(), time(at.time), count(at.n_cells)]).collect();
    vec![Figure {
        id: "fig-cells",
        title: "Cells of each time".into(),
        n: format!("n = {} at {}", counted(total, "cell"), counted(times.len(), "time")),
        picture: svg.element(&alt),
        reading,
        table: Table::new(&["Label", &time_title(&report.unit), "Cells"], rows),
    }]
}
