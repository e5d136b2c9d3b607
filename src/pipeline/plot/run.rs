//! One figure: draws it and writes it with a run record.

use std::path::Path;

use crate::error::Result;
use crate::io::chart::{Chart, ChartFormat};
use crate::io::model::OpenModel;
use crate::pipeline::plot::read::Source;
use crate::pipeline::plot::{
    PlotKind, PlotOptions, edges, embedding, fates, heatmap, paths, sankey, scree, stream, trends,
    validation,
};
use crate::pipeline::shared::recorded::{write_recorded, write_recorded_without_model};
use crate::progress::{self, Progress};

/// Draws the figure that `options` describe. `model` is the folder of a fitted model, which most kinds need only
/// for the unit of the times.
///
/// ```
/// use sbcell::Silent;
/// use sbcell::pipeline::{PlotKind, PlotOptions, draw_plot, example_model};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let options = PlotOptions::of(PlotKind::Embedding).with_width(Some(85.0));
/// let chart = draw_plot(model.folder(), &options, &mut Silent)?;
/// assert!((chart.size().0 - 85.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`crate::Error::Unreadable`] for an input that is missing (with the command that writes it) or damaged;
/// [`crate::Error::NoModel`]; [`crate::Error::Parameter`] for an option out of range or without an effect; those of
/// reading groups, genes and embeddings.
pub fn draw_plot(
    model: &Path,
    options: &PlotOptions,
    progress: &mut dyn Progress,
) -> Result<Chart> {
    options.check()?;
    let source = Source { options, model };
    let open = || OpenModel::read(model);
    match options.kind {
        PlotKind::Embedding => embedding::embedding(&open()?, options, progress),
        PlotKind::Stream => stream::stream(&open()?, options, progress),
        PlotKind::Paths => paths::paths(&open()?, &source, progress),
        PlotKind::Sankey => sankey::sankey(&source, progress),
        PlotKind::Fates => fates::fates(&source, progress),
        PlotKind::Trends => trends::trends(&source),
        PlotKind::Heatmap => heatmap::heatmap(&source, progress),
        PlotKind::Edges => edges::network(&source),
        PlotKind::Validation => validation::validation(&source),
        PlotKind::Scree => scree::scree(&source),
    }
}

/// Draws a figure into the file `out`, with its run record beside it. See [`draw_plot`].
///
/// # Errors
/// As [`draw_plot`]; those of [`Chart::write`].
pub fn plot(
    model: &Path,
    out: &Path,
    options: &PlotOptions,
    progress: &mut dyn Progress,
) -> Result<()> {
    let format = ChartFormat::of(out)?;
    if options.input.is_none() && options.kind.reads().is_some() {
        let (path, _) = Source { options, model }.file()?;
        if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty()) {
            progress::note(progress, format!("the figure shows {}", path.display()))?;
        }
    }
    let chart = draw_plot(model, options, progress)?;
    if let Some(character) = chart.missing_in(format) {
        let text = format!(
            "the fonts of a PDF lack characters such as `{character}`, which are shown as ?; an .svg \
             shows them"
        );
        progress::note(progress, text)?;
    }
    let write = |out: &Path| chart.write(out);
    if options.kind.needs_model() {
        return write_recorded(out, "plot", &*OpenModel::read(model)?, options, write);
    }
    let (source, _) = Source { options, model }.path();
    write_recorded_without_model(out, "plot", &source, options, write)
}
