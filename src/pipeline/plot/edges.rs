//! Edges as a network.

use crate::error::Result;
use crate::io::chart::{Chart, draw_network_on};
use crate::io::columns::Columns;
use crate::io::edges::{self, EdgeRow};
use crate::pipeline::plot::read::Source;

/// Number of edges in the picture.
const DRAWN: usize = 40;

/// Draws the first edges of a list as a network.
///
/// # Errors
/// As [`rows`].
pub(super) fn network(source: &Source<'_>) -> Result<Chart> {
    let options = source.options;
    options.without_palette()?;
    let page = options.page();
    let chart = draw_network_on(&rows(source)?, DRAWN, page.width);
    Ok(options.laid_out(options.within_height(chart)))
}

/// The edges of a list in the columns of sbcell or of another tool, with confidence, direction, group and times
/// where the list has them.
///
/// # Errors
/// Those of [`edges::read`] and of reading columns.
pub(super) fn rows(source: &Source<'_>) -> Result<Vec<EdgeRow>> {
    let (path, command) = source.file()?;
    let list = edges::read(&path)?;
    let table = Columns::read(&path, command)?;
    let column = |name: &str| {
        if table.has(&[name]) { table.numbers(name).map(Some) } else { Ok(None) }
    };
    let [confidence, direction, from, to] =
        [column("confidence")?, column("direction")?, column("t0")?, column("t1")?];
    let groups = if table.has(&["group"]) { Some(table.texts("group")?) } else { None };
    let at = |of: &Option<Vec<f64>>, row: usize| {
        of.as_ref().and_then(|of| of.get(row).copied()).unwrap_or(f64::NAN)
    };
    let row = |(row, edge): (usize, &edges::ReadEdge)| EdgeRow {
        regulator: edge.regulator.to_string(),
        target: edge.target.to_string(),
        importance: edge.importance,
        activates: edge.sign >= 0,
        confidence: at(&confidence, row),
        direction: at(&direction, row),
        from: at(&from, row),
        to: at(&to, row),
        group: groups.as_ref().and_then(|of| of.get(row).cloned()).unwrap_or_default(),
        ..EdgeRow::default()
    };
    Ok(list.edges.iter().enumerate().map(row).collect())
}
