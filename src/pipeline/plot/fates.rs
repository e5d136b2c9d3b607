//! Fates of cells: a triangle of three, or bars of their means.

use ndarray::Array2;

use crate::error::Result;
use crate::io::chart::{Chart, FatePicture, draw_fates};
use crate::pipeline::plot::read::Source;
use crate::pipeline::plot::style::{at_time, time_title};
use crate::progress::Progress;

/// Draws the fates of a table of `sbcell fates`.
///
/// # Errors
/// Those of reading the table; [`crate::Error::Unreadable`] if it has no fates.
pub(super) fn fates(source: &Source<'_>, progress: &mut dyn Progress) -> Result<Chart> {
    let options = source.options;
    let table = source.table()?;
    let names = table.fate_names();
    if names.is_empty() {
        let all = table.names().join(", ");
        return Err(table.unreadable(format!("it has no fates; its columns are {all}")));
    }
    let times = table.numbers("time")?;
    let columns: Vec<Vec<f64>> =
        names.iter().map(|name| table.numbers(name)).collect::<Result<_>>()?;
    if columns.iter().flatten().any(|share| share.is_infinite() || *share < 0.0) {
        return Err(table.unreadable("a probability is below zero or infinite".into()));
    }
    let shares = Array2::from_shape_fn((table.n_rows(), names.len()), |(i, f)| columns[f][i]);
    let groups = source.groups(progress)?;
    let colours = options.colours(&names, groups.as_ref())?;
    let known = shares.rows().into_iter().filter(|row| row.iter().all(|x| x.is_finite())).count();
    let unit = source.unit();
    let at = source.parameters().get("at").and_then(serde_json::Value::as_f64);
    let title = match at {
        Some(at) => format!("Fates of cells at {}", at_time(at, &unit)),
        None => "Fates of cells".into(),
    };
    let form = if names.len() == 3 {
        "near a corner, its fate is likely"
    } else {
        "mean over the cells of each time"
    };
    let picture = FatePicture {
        title,
        subtitle: format!("n = {known} cells; {form}"),
        time_title: time_title(&unit),
        fates: names,
        colours,
        times,
        shares,
    };
    Ok(options.laid_out(draw_fates(&picture, options.page())))
}
