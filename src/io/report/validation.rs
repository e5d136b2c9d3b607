//! Scores of held-out times: the prediction beside simple guesses and the noise floor.
//!
//! A row is a held-out time. Its marks are the prediction (dot), the neighbouring times pooled (square) and the best
//! simple guess in hindsight (hollow diamond), each with its 95 % interval; a dashed line is the noise floor. Further
//! left is better.

use std::fmt::Write;

use crate::io::report::axis::{Axis, time_title};
use crate::io::report::data::{HeldOutScore, Interval95, Report};
use crate::io::report::escape::{count, counted, number, place, time};
use crate::io::report::page::{Figure, Table};
use crate::io::report::svg::{Anchor, Svg};

/// Height of the row of a time, in pixels.
const ROW: f64 = 44.0;
/// Width of the picture, in pixels.
const WIDTH: f64 = 500.0;
/// Width for the times on the left, in pixels.
const LEFT: f64 = 62.0;
/// Height of the upper end of the first row, in pixels.
const TOP: f64 = 12.0;

/// The picture, with one row for each time and a common axis of the energy distance, which includes zero.
fn picture(scores: &[HeldOutScore], report: &Report) -> Svg {
    let bottom = TOP + ROW * scores.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 46.0);
    let values = scores.iter().flat_map(|score| {
        let three = [&score.prediction, &score.pooled, &score.best.1];
        let ends = three.map(|of| [of.value, of.lo, of.hi]);
        ends.concat().into_iter().chain([score.floor, 0.0])
    });
    let x = Axis::over(values, 0.03, [LEFT, WIDTH - 14.0]);
    for tick in x.ticks(5) {
        svg.line([x.at(tick), TOP], [x.at(tick), bottom], "g");
        svg.text([x.at(tick), bottom + 17.0], &number(tick), "k", Anchor::Middle);
    }
    svg.text(
        [0.5 * (LEFT + WIDTH), bottom + 38.0],
        "Energy distance to the held-out cells (0: perfect)",
        "a",
        Anchor::Middle,
    );
    for (row, score) in scores.iter().enumerate() {
        let y = TOP + ROW * row as f64 + 0.5 * ROW;
        svg.text([LEFT - 12.0, y + 4.0], &time(score.time), "k", Anchor::End);
        if row > 0 {
            svg.line([0.0, y - 0.5 * ROW], [WIDTH - 14.0, y - 0.5 * ROW], "g");
        }
        if score.floor.is_finite() {
            let at = place(x.at(score.floor));
            svg.raw(&format!(
                "<path class=\"floor\" d=\"M{at} {}V{}\"/>",
                place(y - 0.36 * ROW),
                place(y + 0.36 * ROW)
            ));
        }
        interval(&mut svg, &x, y - 9.0, &score.prediction, "model");
        interval(&mut svg, &x, y + 1.0, &score.pooled, "guess");
        interval(&mut svg, &x, y + 11.0, &score.best.1, "best");
    }
    svg.upright(
        [14.0, 0.5 * (TOP + bottom)],
        &format!("Held-out {}", time_title(&report.unit).to_lowercase()),
    );
    svg
}

/// The figure of all held-out times.
///
/// Its table has a row for each time: cells, scores with their intervals, the name of the best guess, the variance
/// ratio, and the verdict. A warning below the picture names times at which the population is too narrow.
pub(super) fn figure(scores: &[HeldOutScore], report: &Report) -> Figure {
    let svg = picture(scores, report);
    let alt: Vec<String> = scores
        .iter()
        .map(|score| format!("time {}: {}", time(score.time), score.verdict))
        .collect();
    let picture = svg.element(&format!("Scores of held-out times. {}", alt.join(". ")));
    let rows = scores
        .iter()
        .map(|score| {
            vec![
                time(score.time),
                count(score.n_cells),
                with_interval(&score.prediction),
                with_interval(&score.pooled),
                with_interval(&score.best.1),
                score.best.0.clone(),
                number(score.floor),
                with_interval(&score.ratio),
                if score.too_narrow { "yes" } else { "no" }.into(),
                score.verdict.clone(),
            ]
        })
        .collect();
    let method = scores.first().map_or("", |score| score.method.as_str());
    let n: usize = scores.iter().map(|score| score.n_cells).sum();
    Figure {
        id: "fig-validation",
        title: "Held-out times: how well the model predicts what it has not seen".into(),
        n: format!("n = {}, {}", counted(scores.len(), "held-out time"), counted(n, "cell")),
        picture: format!("{}{picture}{}", key(method), narrow(scores)),
        reading: "Each time was left out in turn and predicted from the others. A prediction left of the simple guess \
                  is better; intervals that overlap much cannot be told apart. No method gets much below the noise \
                  floor, the distance between two halves of the same cells. The best simple guess is chosen in \
                  hindsight, which no method could do."
            .into(),
        table: Table::new(
            &[
                &time_title(&report.unit),
                "Cells",
                "Prediction",
                "Simple guess: neighbouring times pooled",
                "Best simple guess",
                "which is",
                "Noise floor",
                "Variance ratio",
                "Too narrow",
                "Verdict",
            ],
            rows,
        ),
    }
}

/// The warning about predicted populations that are too narrow; empty if there are none.
fn narrow(scores: &[HeldOutScore]) -> String {
    let times: Vec<String> =
        scores.iter().filter(|score| score.too_narrow).map(|score| time(score.time)).collect();
    if times.is_empty() {
        return String::new();
    }
    format!(
        "<p class=\"warn\">The population is too narrow at {}: predicted cells vary less than the held-out ones \
         (variance ratio below 1), so rare and extreme cells are missing there.</p>",
        times.join(", ")
    )
}

/// A number with its interval as text.
fn with_interval(of: &Interval95) -> String {
    if of.lo.is_finite() && of.hi.is_finite() {
        format!("{} ({} to {})", number(of.value), number(of.lo), number(of.hi))
    } else {
        number(of.value)
    }
}

/// Adds a mark with its interval at the height `y`; nothing for a score that is unknown. The interval is cut at the
/// ends of the axis.
fn interval(svg: &mut Svg, x: &Axis, y: f64, of: &Interval95, class: &str) {
    if !of.value.is_finite() {
        return;
    }
    if of.lo.is_finite() && of.hi.is_finite() {
        svg.line([x.at(of.lo.max(x.values[0])), y], [x.at(of.hi.min(x.values[1])), y], class);
    }
    svg.raw(&mark(x.at(of.value), y, class));
}

/// The mark of the model (dot), the guess (square) or the best guess (hollow diamond).
fn mark(x: f64, y: f64, class: &str) -> String {
    let at = |dx: f64, dy: f64| format!("{} {}", place(x + dx), place(y + dy));
    let shape = match class {
        "model" => {
            return format!(
                "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"4.5\"/>",
                place(x),
                place(y)
            );
        }
        "guess" => [at(-4.0, -4.0), at(4.0, -4.0), at(4.0, 4.0), at(-4.0, 4.0)],
        _ => [at(0.0, -5.0), at(5.0, 0.0), at(0.0, 5.0), at(-5.0, 0.0)],
    };
    format!("<path class=\"{class}\" d=\"M{}Z\"/>", shape.join("L"))
}

/// The legend of the marks.
fn key(method: &str) -> String {
    let mut put = String::from("<ul class=\"legend\">");
    let entries = [
        ("model", format!("prediction of the model ({method})")),
        ("guess", "simple guess: neighbouring times pooled".into()),
        ("best", "best simple guess, chosen in hindsight".into()),
    ];
    for (class, name) in entries {
        let mark = mark(7.0, 7.0, class);
        let _ = write!(
            put,
            "<li><svg class=\"chip\" width=\"14\" height=\"14\" aria-hidden=\"true\">{mark}</svg>{}</li>",
            crate::io::report::escape::html(&name)
        );
    }
    put.push_str(
        "<li><svg class=\"chip\" width=\"14\" height=\"14\" aria-hidden=\"true\"><path class=\"floor\" \
         d=\"M7 0V14\"/></svg>noise floor</li></ul>",
    );
    put
}
