//! Sampled paths of cells on an embedding.

use std::collections::BTreeMap;

use ndarray::Array2;

use crate::error::Result;
use crate::io::chart::{Chart, Colouring, LineMark, MapLine};
use crate::io::model::OpenModel;
use crate::pipeline::plot::cells::Coloured;
use crate::pipeline::plot::embedding::drawn;
use crate::pipeline::plot::read::{Source, distinct};
use crate::pipeline::plot::style::at_time;
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::shared::placed::placed;
use crate::progress::Progress;

/// Draws the paths of a table of `sbcell trajectory` above the cells of `model`. A dot shows the end of a path.
///
/// # Errors
/// Those of reading the table and [`CellEmbedding::read`]; [`crate::Error::Unreadable`] if the table has not the
/// coordinates of the model.
pub(super) fn paths(
    model: &OpenModel,
    source: &Source<'_>,
    progress: &mut dyn Progress,
) -> Result<Chart> {
    let options = source.options;
    let table = source.table()?;
    let (sets, numbers) = (table.texts("set")?, table.texts("path")?);
    let times = table.numbers("time")?;
    let columns: Vec<Vec<f64>> =
        model.header.dimensions.iter().map(|name| table.numbers(name)).collect::<Result<_>>()?;
    let points = Array2::from_shape_fn((table.n_rows(), columns.len()), |(i, d)| columns[d][i]);
    if points.iter().chain(&times).any(|x| !x.is_finite()) {
        return Err(table.unreadable("a time or a coordinate is missing".into()));
    }
    let data = options.sets.data.as_deref();
    let map = CellEmbedding::read(model, options.basis.as_deref(), data, progress)?;
    let places = placed(points.view(), model, &map, progress)?;
    let names = distinct(&sets);
    let groups = source.groups(progress)?;
    let colours = options.colours(&names, groups.as_ref())?;
    let mut rows: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
    for (row, (set, path)) in sets.iter().zip(&numbers).enumerate() {
        let set = names.iter().position(|name| name == set).unwrap_or(0);
        rows.entry((set, path)).or_default().push(row);
    }
    let mut lines = Vec::with_capacity(rows.len());
    let mut counts = vec![0; names.len()];
    let mut stops = 0;
    for ((set, _), mut rows) in rows {
        rows.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
        counts[set] += 1;
        stops = stops.max(rows.len());
        let places = rows.iter().map(|&row| [places[[row, 0]], places[[row, 1]]]).collect();
        lines.push(MapLine { places, colour: colours[set].clone(), mark: LineMark::Dot });
    }
    let unit = &model.header.time_unit;
    let (first, last) = times
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(*t), high.max(*t)));
    let whose = if names.len() == 1 { names[0].clone() } else { format!("{} sets", names.len()) };
    let (from, to) = (at_time(first, unit), at_time(last, unit));
    let when = if last > first { format!("{from} to {to}") } else { format!("only at {from}") };
    let title = format!("Paths of {whose}, {when}");
    let ends = if stops > 1 { "; dots: their ends" } else { "" };
    let below = format!("{} paths{ends}; cells in grey", lines.len());
    // The legend counts paths, not cells.
    let names = names.iter().zip(&counts).map(|(name, n)| format!("{name}: {n} paths")).collect();
    let of = Coloured {
        by: "set".into(),
        colouring: Colouring::Lines { names, colours },
        note: String::new(),
    };
    Ok(options.laid_out(drawn(map, of, [title, below], lines, options)))
}
