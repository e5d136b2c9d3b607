//! The output of `velocity`: one row for each cell.

use std::path::Path;

use ndarray::Axis;

use crate::error::Result;
use crate::io::model::Model;
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::pipeline::shared::recorded::write_recorded;
use crate::pipeline::velocity::options::chosen_genes;
use crate::pipeline::velocity::{Velocities, VelocityOptions, VelocitySpace};

/// Writes velocities as a table, and its run record beside it.
///
/// The columns are `id`, `time`, `growth_rate` (if the model has growth), `speed`, then `velocity_NAME`,
/// `flow_NAME` and `score_NAME` for each coordinate, and `velocity_NAME` and `flow_NAME` for each gene.
/// Quantities that are unknown at all times have no columns.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written; [`crate::Error::NoGeneSpace`] if genes are asked of a model
/// without them.
pub fn write_velocities(
    out: &Path,
    model: &Model,
    found: &Velocities,
    options: &VelocityOptions,
    format: TableFormat,
) -> Result<()> {
    let mut table = Table::default()
        .with("id", Cells::Texts(found.ids.clone()))
        .with("time", Cells::Floats(found.times.clone()));
    if let Some(growth) = &found.growth {
        table.push("growth_rate", Cells::Floats(growth.clone()));
    }
    table.push("speed", Cells::Floats(found.speed()));
    let named = |prefix: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{prefix}_{name}")).collect()
    };
    let velocities = [("velocity", Some(&found.drift)), ("flow", found.flow.as_ref())];
    if options.space != VelocitySpace::Genes {
        for (prefix, values) in velocities.into_iter().chain([("score", found.score.as_ref())]) {
            let Some(values) = values else { continue };
            table.push_points(&named(prefix, &model.header.dimensions), values.view());
        }
    }
    if options.space.has_genes() {
        let chosen = chosen_genes(model, &options.genes)?;
        let names: Vec<String> = chosen.iter().map(|&gene| model.genes[gene].clone()).collect();
        for (prefix, values) in velocities {
            let Some(values) = values else { continue };
            let all = Velocities::in_genes(model, values.view())?;
            let values = all.select(Axis(1), &chosen);
            table.push_points(&named(prefix, &names), values.view());
        }
    }
    write_recorded(out, "velocity", model, options, |out| table::write(out, &table, format))
}
