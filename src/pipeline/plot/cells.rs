//! Colours of the cells of a model: times, groups, growth, fates or the expression of a gene.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::io::chart::{Colouring, ramp};
use crate::io::model::{OpenModel, ValuesRecord};
use crate::pipeline::plot::read::Source;
use crate::pipeline::plot::read::times_of;
use crate::pipeline::plot::style::at_time;
use crate::pipeline::plot::{ColourBy, PlotKind, PlotOptions};
use crate::pipeline::shared::embedding::ColouredGroups;
use crate::pipeline::shared::expression::Expressed;
use crate::pipeline::shared::genes_left_out::with_genes_of_file;
use crate::pipeline::shared::growth_rates::growth_rates;
use crate::progress::Progress;

/// Colours of cells, with words for the title.
pub(super) struct Coloured {
    /// The quantity that the colours show, in words that follow "cells by".
    pub(super) by: String,
    /// The colours.
    pub(super) colouring: Colouring,
    /// Words about cells without a colour; empty if all have one.
    pub(super) note: String,
}

/// The colours of the cells of `model` that `options` ask for.
///
/// # Errors
/// [`Error::Parameter`] if the model has no growth, or a table of fates has no such fate; those of reading groups,
/// genes and tables.
pub(super) fn coloured(
    model: &OpenModel,
    options: &PlotOptions,
    progress: &mut dyn Progress,
) -> Result<Coloured> {
    let default = if options.sets.is_named() { ColourBy::Group } else { ColourBy::Time };
    let by = options.colour_by.clone().unwrap_or(default);
    let numbers = |title: &str, values: Vec<f64>, range, signed| Colouring::Numbers {
        title: title.into(),
        values,
        range,
        log: options.log,
        signed: signed && !options.log,
    };
    let (by, colouring) = match by {
        ColourBy::Time => return by_time(model, options),
        ColourBy::Group => return by_group(model, options, progress),
        ColourBy::Growth => {
            let unit = match model.header.time_unit.as_str() {
                "" => "growth rate per unit of time".to_string(),
                unit => format!("growth rate (1/{unit})"),
            };
            ("growth rate".into(), numbers(&unit, growth(model)?, None, true))
        }
        ColourBy::Fate(name) => {
            let values = fate(model, options, &name)?;
            let range = (!options.log).then_some([0.0, 1.0]);
            (format!("fate {name}"), numbers(&format!("P({name})"), values, range, false))
        }
        ColourBy::Gene(name) => {
            let data = options.sets.data.as_deref();
            let wanted = [name.clone()];
            let found = Expressed::read(model, data, Some(&wanted), progress)
                .map_err(|error| with_genes_of_file(error, model, data))?;
            let values = found.values.column(0).iter().map(|x| f64::from(*x)).collect();
            let gene = found.genes.first().cloned().unwrap_or(name);
            let scale = match model.header.values {
                Some(ValuesRecord::Counts { .. } | ValuesRecord::Normalised) => "log1p",
                Some(ValuesRecord::AsIs) | None => "expression",
            };
            (gene.clone(), numbers(&format!("{gene} ({scale})"), values, None, false))
        }
    };
    if !options.palette.is_empty() {
        let (name, must) = ("palette", "left out where colours show numbers");
        return Err(Error::Parameter { name, must, got: options.palette.join(",") });
    }
    let without = match &colouring {
        Colouring::Numbers { values, log, .. } => {
            values.iter().filter(|value| value.is_nan() || (*log && **value <= 0.0)).count()
        }
        _ => 0,
    };
    let what = if options.log { "without a number above zero" } else { "without a number" };
    let note = if without > 0 { format!("; {without} {what} in grey") } else { String::new() };
    Ok(Coloured { by, colouring, note })
}

/// One colour for each time.
fn by_time(model: &OpenModel, options: &PlotOptions) -> Result<Coloured> {
    let times = times_of(&model.cell_times);
    let unit = &model.header.time_unit;
    let names: Vec<String> = times.iter().map(|time| at_time(*time, unit)).collect();
    let last = times.len().saturating_sub(1).max(1) as f64;
    let colours = if options.palette.is_empty() {
        // The lightest colours are hard to see on white.
        (0..times.len()).map(|place| ramp(0.92 * place as f64 / last)).collect()
    } else {
        options.colours(&names, None)?
    };
    let of_cell = |time: &f64| times.iter().position(|other| other.total_cmp(time).is_eq());
    let of_cells = model.cell_times.iter().map(of_cell).collect();
    let colouring = Colouring::Groups { names, colours, of_cells, ordered: true };
    Ok(Coloured { by: "time".into(), colouring, note: String::new() })
}

/// One colour for each group.
fn by_group(
    model: &OpenModel,
    options: &PlotOptions,
    progress: &mut dyn Progress,
) -> Result<Coloured> {
    let groups = ColouredGroups::read(model, &options.sets, progress)?;
    let colours = options.colours(&groups.names, Some(&groups))?;
    let by = options.sets.groupby.clone().unwrap_or_else(|| "group".into());
    let ColouredGroups { names, of_cells, .. } = groups;
    Ok(Coloured {
        by,
        colouring: Colouring::Groups { names, colours, of_cells, ordered: false },
        note: String::new(),
    })
}

/// The growth rate of each cell per unit of time; NaN at the last time.
///
/// # Errors
/// [`Error::Parameter`] if the model was fitted without growth.
fn growth(model: &OpenModel) -> Result<Vec<f64>> {
    growth_rates(model).ok_or_else(|| {
        let (name, must) =
            ("colour_by", "something other than growth: the model was fitted without growth");
        Error::Parameter { name, must, got: "growth".into() }
    })
}

/// The probability of the fate `name` of each cell of `model`; NaN for cells that are not in the table.
fn fate(model: &OpenModel, options: &PlotOptions, name: &str) -> Result<Vec<f64>> {
    let options = PlotOptions { kind: PlotKind::Fates, ..options.clone() };
    let table = Source { options: &options, model: model.folder() }.table()?;
    let known = table.fate_names();
    if !known.iter().any(|other| other == name) {
        let names = known.join(", ");
        return Err(table.unreadable(format!("it has no fate `{name}`; its fates are {names}")));
    }
    let (cells, shares) = (table.texts("id")?, table.numbers(name)?);
    let of: BTreeMap<&String, f64> = cells.iter().zip(shares).collect();
    Ok(model.cells.iter().map(|cell| of.get(cell).copied().unwrap_or(f64::NAN)).collect())
}
