//! A table for `MultiQC`, which collects the quality of many analyses on one page.
//!
//! The file is custom content of the plot type `table`: `MultiQC` finds it by the ending `_mqc.json`.

use serde_json::{Map, Value, json};

use crate::io::report::data::Report;
use crate::io::report::escape::time;

/// The content of `sbcell_mqc.json`: one row for each time, named after the file, the time and its unit.
///
/// A row has the number of cells and, if the time was held out, the energy distances of the prediction, of the
/// neighbouring times pooled, of the best simple guess and of the noise floor, and the verdict in words. Numbers that
/// are unknown are left out, since JSON has no NaN.
pub(super) fn table(report: &Report) -> Value {
    let name = report.title.strip_suffix(".h5ad").unwrap_or(&report.title);
    let scores = report.validation.shown();
    let mut data = Map::new();
    for at in &report.times {
        let mut row = Map::new();
        row.insert("cells".into(), json!(at.n_cells));
        let held = scores.and_then(|all| all.iter().find(|s| s.time.total_cmp(&at.time).is_eq()));
        if let Some(score) = held {
            for (key, value) in [
                ("prediction", score.prediction.value),
                ("simple_guess", score.pooled.value),
                ("best_guess", score.best.1.value),
                ("noise_floor", score.floor),
            ] {
                if value.is_finite() {
                    row.insert(key.into(), json!(value));
                }
            }
            row.insert("verdict".into(), json!(score.verdict));
        }
        let unit = if report.unit.is_empty() { String::new() } else { format!(" {}", report.unit) };
        data.insert(format!("{name} {}{unit}", time(at.time)), Value::Object(row));
    }
    let distance = "energy distance to the cells that were held out; 0 is perfect";
    json!({
        "id": "sbcell",
        "section_name": "sbcell",
        "description": "Schrödinger bridges of a single-cell time course: cells of each time, and how well a time \
                        that was held out is predicted from the others.",
        "plot_type": "table",
        "pconfig": { "id": "sbcell_times", "title": "sbcell: times", "col1_header": "Time" },
        "headers": {
            "cells": { "title": "Cells", "format": "{:,.0f}", "min": 0 },
            "prediction": { "title": "Prediction", "description": distance, "format": "{:,.3f}" },
            "simple_guess": {
                "title": "Simple guess",
                "description": format!("both neighbouring times pooled: {distance}"),
                "format": "{:,.3f}",
            },
            "best_guess": {
                "title": "Best simple guess",
                "description": format!("chosen in hindsight: {distance}"),
                "format": "{:,.3f}",
            },
            "noise_floor": {
                "title": "Noise floor",
                "description": "distance between two halves of the same cells",
                "format": "{:,.3f}",
            },
            "verdict": { "title": "Verdict", "description": "the prediction against the simple guess" },
        },
        "data": data,
    })
}
