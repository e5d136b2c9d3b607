//! Heat map of genes over the times of a trajectory, or of edges.

use crate::error::{Error, Result};
use crate::io::chart::{Chart, GenePicture, draw_genes, draw_heatmap_on};
use crate::pipeline::plot::edges::rows;
use crate::pipeline::plot::read::Source;
use crate::pipeline::plot::style::time_title;
use crate::pipeline::plot::trends::{genes_to_draw, profiles, trajectory_title};
use crate::progress::{self, Progress};

/// Largest number of genes that are drawn without names.
const DRAWN: usize = 60;

/// Draws a table of `sbcell trends` as genes over time, or any other table as a list of edges.
///
/// # Errors
/// Those of reading the table; [`Error::UnknownGroup`] for a set that it does not have.
pub(super) fn heatmap(source: &Source<'_>, progress: &mut dyn Progress) -> Result<Chart> {
    let options = source.options;
    let table = source.table()?;
    if !table.has(&["set", "gene"]) {
        options.without_palette()?;
        return Ok(options.laid_out(draw_heatmap_on(&rows(source)?, options.page())));
    }
    if !options.palette.is_empty() {
        let (name, must) = ("palette", "left out where colours show numbers");
        return Err(Error::Parameter { name, must, got: options.palette.join(",") });
    }
    let sets = profiles(&table)?;
    let names: Vec<String> = sets.iter().map(|set| set.0.clone()).collect();
    let chosen = match &options.set {
        None => 0,
        Some(name) => names
            .iter()
            .position(|other| other == name)
            .ok_or_else(|| Error::UnknownGroup { name: name.clone(), groups: names.clone() })?,
    };
    if options.set.is_none() && names.len() > 1 {
        let text = format!(
            "genes along {}; choose among {} with the parameter `set`",
            names[0],
            names.join(", ")
        );
        progress::note(progress, text)?;
    }
    let one = &sets[chosen..=chosen];
    let genes = genes_to_draw(one, options, DRAWN)?;
    let (name, of) = &one[0];
    let columns = genes.iter().map(|gene| of.genes.iter().position(|other| other == gene));
    let columns: Vec<usize> = columns.flatten().collect();
    let unit = source.unit();
    let all = of.genes.len();
    let subtitle = if genes.len() < all && options.genes.is_empty() {
        format!("the {} of {all} genes whose mean expression changes most", genes.len())
    } else {
        format!("mean expression of {} genes", genes.len())
    };
    let picture = GenePicture {
        title: trajectory_title(name, &of.times, &source.parameters(), &unit),
        subtitle,
        time_title: time_title(&unit),
        mean: of.mean.select(ndarray::Axis(1), &columns).reversed_axes(),
        times: of.times.clone(),
        genes,
    };
    Ok(options.laid_out(draw_genes(&picture, options.page())))
}
