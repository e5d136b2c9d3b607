//! The commands that made the results, from their run records.

use serde::Serialize;
use serde_json::Value;

use crate::error::shell_word;
use crate::io::report::Repeat;
use crate::io::run::{RunRecord, to_value};
use crate::pipeline::{
    EvaluateOptions, FateOptions, FitOptions, GrnOptions, InterpolateOptions, TransitionOptions,
    TrendOptions,
};

/// Parameters whose name in a run record is not that of the parameter of a command.
const NAMES: [(&str, &str); 15] = [
    ("time.column", "timepoints"),
    ("time.map", "time_map"),
    ("filters", "obs_filter"),
    ("noise.epsilon", "epsilon"),
    ("noise.sigma2", "sigma2"),
    ("source.layer", "layer"),
    ("source.embedding", "use_rep"),
    ("sets.groupby", "groupby"),
    ("sets.files", "cells"),
    ("sets.data", "data"),
    ("trajectory.sets.groupby", "groupby"),
    ("trajectory.sets.files", "cells"),
    ("trajectory.sets.data", "data"),
    ("regulators.species", "tfs"),
    ("batch", "batch_key"),
];

/// The command of `run` with the parameters that differ from their defaults.
///
/// `model` is the name of the folder of the model.
pub(super) fn repeat(run: &RunRecord, model: &str) -> Repeat {
    let input = if run.input.path.is_empty() { &run.input.file } else { &run.input.path };
    let command = match run.command.as_str() {
        "fit" | "evaluate" => format!("sbcell {} {}", run.command, shell_word(input)),
        name => format!("sbcell {name}"),
    };
    let default = default_of(&run.command).unwrap_or(Value::Null);
    let mut differing = Vec::new();
    differences(&run.parameters, &default, "", &mut differing);
    let place = |name: &str, at: &str| format!("the parameter `{name} = {}`", shell_word(at));
    let mut also = Vec::new();
    match (run.command.as_str(), run.outputs.first()) {
        ("fit", _) => also.push(place("out", model)),
        ("evaluate", _) => also.push(place("out", "validation")),
        (_, written) => {
            also.push(place("model", model));
            also.extend(written.map(|written| place("out", &written.file)));
        }
    }
    let parameters = differing
        .into_iter()
        // Commands set it themselves.
        .filter(|entry| entry.0 != "trajectory.grid")
        .map(|(path, value)| {
            // The options of the fits of a validation.
            let path = path.strip_prefix("fit.").unwrap_or(&path);
            let known = NAMES.iter().find(|entry| entry.0 == path).map(|entry| entry.1);
            let solver = path.strip_prefix("solver.").and_then(|rest| rest.split_once('.'));
            let name = known
                .map(str::to_string)
                .or(solver.map(|of| of.1.to_string()))
                .unwrap_or(path.to_string());
            format!("the parameter `{name} = {value}`")
        });
    also.extend(parameters);
    Repeat { command, also }
}

/// The default parameters of a command, as its run record has them.
fn default_of(command: &str) -> Option<Value> {
    fn value(of: &impl Serialize) -> Option<Value> {
        to_value(of).ok()
    }
    match command {
        "fit" => value(&FitOptions::default()),
        "interpolate" => value(&InterpolateOptions::default()),
        "fates" => value(&FateOptions::default()),
        "transitions" => value(&TransitionOptions::default()),
        "trends" => value(&TrendOptions::default()),
        "evaluate" => value(&EvaluateOptions::new(FitOptions::default(), Vec::new())),
        "grn" => value(&GrnOptions::default()),
        _ => None,
    }
}

/// Paths and values in `of` that differ from `default`.
fn differences(of: &Value, default: &Value, path: &str, found: &mut Vec<(String, String)>) {
    if of == default || of.is_null() {
        return;
    }
    if let Value::Object(parts) = of {
        for (name, part) in parts {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            differences(part, default.get(name).unwrap_or(&Value::Null), &path, found);
        }
        return;
    }
    if of.as_array().is_some_and(Vec::is_empty) {
        return;
    }
    if path == "methods" {
        // The name of each method is enough; its parameters are in the run record.
        let names = of.as_array().into_iter().flatten().filter_map(|method| method.get("name"));
        let names: Vec<String> = names.map(plain).collect();
        found.push(("solver".into(), shell_word(&names.join(","))));
        return;
    }
    found.push((path.to_string(), text(of)));
}

/// A value as a word of a command line.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => shell_word(text),
        Value::Array(values) => shell_word(&values.iter().map(plain).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// A value without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::io::run::InputRecord;

    #[test]
    fn only_parameters_that_differ_from_defaults_are_named() {
        let mut parameters = to_value(&FitOptions::default()).unwrap();
        parameters["n_top_genes"] = json!(500);
        parameters["time"]["column"] = json!("my day");
        parameters["filters"] = json!(["batch==a b"]);
        let input = InputRecord {
            file: "c.h5ad".into(),
            path: "data/it's.h5ad".into(),
            sha256: String::new(),
            files: Vec::new(),
            cells: 1,
            genes: 1,
        };
        let repeat = repeat(&RunRecord::new("fit", input, parameters), "model");
        assert_eq!(repeat.command, r"sbcell fit 'data/it'\''s.h5ad'");
        let expected = [
            "the parameter `out = model`",
            "the parameter `obs_filter = 'batch==a b'`",
            "the parameter `n_top_genes = 500`",
            "the parameter `timepoints = 'my day'`",
        ];
        assert_eq!(repeat.also, expected);
    }
}
