//! The choice of the number of components.

use ndarray::Array1;

use crate::error::Result;
use crate::io::chart::{Chart, draw_scree_on};
use crate::pipeline::plot::read::Source;
use crate::preprocess::Scree;

/// Draws the eigenvalues of `scree.csv`.
///
/// # Errors
/// [`crate::Error::Unreadable`] if the file is missing, as with a number of components that was given, or damaged.
pub(super) fn scree(source: &Source<'_>) -> Result<Chart> {
    let table = source.table()?;
    let eigenvalues = Array1::from(table.numbers("eigenvalue")?);
    let edge = table.numbers("noise_edge")?.first().copied().unwrap_or(f64::NAN);
    let sane = |value: &f64| (0.0..f64::INFINITY).contains(value);
    if !(edge > 0.0 && edge.is_finite() && eigenvalues.iter().all(sane)) {
        return Err(table.unreadable("an eigenvalue or the noise edge is no number".into()));
    }
    let kept = table.texts("kept")?;
    let n_kept = kept.iter().filter(|kept| kept.eq_ignore_ascii_case("true")).count();
    let options = source.options;
    options.without_palette()?;
    let chart = draw_scree_on(&Scree { eigenvalues, edge }, n_kept, options.page());
    Ok(options.laid_out(chart))
}
