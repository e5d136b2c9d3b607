//! The header of a model, the hash of a fit, and the entries of `run.json`.

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::io::file;
use crate::io::model::{FORMAT, Header, Interval, Reading, SnapshotRecord};
use crate::io::run::to_value;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::selection::Selection;
use crate::pipeline::fit::units::Units;
use crate::pipeline::shared::coordinates::Prepared;
use crate::preprocess::Pca;

/// The header of a model: times, coordinates, scale and noise. The caller adds the record of the
/// file and the ε of couplings. `plan` is the hash of [`plan_hash`].
pub(super) fn header(
    units: &Units,
    selection: &Selection,
    prepared: &Prepared,
    options: &FitOptions,
    plan: String,
) -> Header {
    let axis = &selection.axis;
    let snapshots = axis.levels.iter().map(|level| SnapshotRecord {
        label: level.label.clone(),
        time: level.time,
        n_cells: level.n_cells,
    });
    let pca = prepared.recipe.pca.as_ref();
    Header {
        format: FORMAT,
        sbcell: env!("CARGO_PKG_VERSION").to_string(),
        plan,
        time_column: axis.column.clone(),
        time_unit: units.time_unit.clone(),
        snapshots: snapshots.collect(),
        source: options.source.to_string(),
        values: prepared.recipe.values,
        reading: Some(Reading {
            time: options.time.clone(),
            source: options.source.clone(),
            values: options.values,
            filters: options.filters.clone(),
        }),
        file: None,
        dimensions: prepared.dimensions.clone(),
        scale: units.scale,
        sigma2: units.sigma2,
        epsilon: units.epsilon,
        coupling_epsilon: None,
        seed: options.seed,
        explained_variance: pca.map(|pca| pca.explained_variance().to_vec()).unwrap_or_default(),
        total_variance: pca.map_or(0.0, Pca::total_variance),
    }
}

/// SHA-256 over the version, the hash of the input and all parameters. Two fits with the same hash
/// find the same bridges, so that an interrupted one can be resumed.
///
/// # Errors
/// As [`to_value`].
pub(super) fn plan_hash(input_sha256: &str, options: &FitOptions) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(input_sha256);
    hash.update(to_value(options)?.to_string());
    Ok(file::hex(&hash.finalize()))
}

/// The entry of one interval in `run.json`: its report and its scores, without the bridge.
pub(super) fn interval_record(interval: &Interval) -> serde_json::Value {
    let Interval { from, to, epsilon, report, fit, bridge: _, growth: _, coupling_growth: _ } =
        interval;
    let fit: serde_json::Map<String, serde_json::Value> =
        fit.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    let details: serde_json::Map<String, serde_json::Value> =
        report.details.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    serde_json::json!({
        "from": from, "to": to, "epsilon": epsilon, "stop": report.stop,
        "iterations": report.iterations, "objective": report.objective,
        "start_objective": report.start_objective, "details": details, "fit": fit,
    })
}
