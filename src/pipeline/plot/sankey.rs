//! Transitions between groups as a Sankey chart.

use crate::error::Result;
use crate::io::chart::{Chart, NO_GROUP, SankeyColumn, SankeyPicture, SankeyRibbon, draw_sankey};
use crate::pipeline::plot::read::{Source, times_of};
use crate::pipeline::plot::style::time_title;
use crate::progress::Progress;

/// Name of the cells without a group in tables.
const NONE: &str = "(no group)";

/// Draws the transitions of a table of `sbcell transitions` between neighbouring times of the table.
///
/// # Errors
/// Those of reading the table; [`crate::Error::Unreadable`] if it has no pair of neighbouring times.
pub(super) fn sankey(source: &Source<'_>, progress: &mut dyn Progress) -> Result<Chart> {
    let options = source.options;
    let table = source.table()?;
    let [t0, t1] = [table.numbers("t0")?, table.numbers("t1")?];
    let [from, to] = [table.texts("source")?, table.texts("target")?];
    let [share, mass] = [table.numbers("prob")?, table.numbers("mass")?];
    let [n_source, n_target] = [table.numbers("n_source")?, table.numbers("n_target")?];
    let times = times_of(&[&t0[..], &t1[..]].concat());
    let coloured = source.groups(progress)?;
    let mut groups: Vec<String> = [&from[..], &to[..]].concat();
    groups.sort();
    groups.dedup();
    if let Some(coloured) = &coloured {
        let place = |name: &String| coloured.names.iter().position(|other| other == name);
        groups.sort_by_key(|name| place(name).unwrap_or(usize::MAX));
    }
    // Cells without a group come last, in grey.
    groups.sort_by_key(|name| name == NONE);
    let known: Vec<String> = groups.iter().filter(|name| *name != NONE).cloned().collect();
    let mut colours = options.colours(&known, coloured.as_ref())?;
    colours.truncate(known.len());
    if known.len() < groups.len() {
        colours.push(NO_GROUP.into());
    }
    let number = |name: &String| groups.iter().position(|other| other == name).unwrap_or(0);
    let place = |time: f64| times.partition_point(|other| *other < time);
    let mut columns: Vec<SankeyColumn> = times
        .iter()
        .map(|&time| SankeyColumn { time, cells: vec![0; groups.len()], ribbons: Vec::new() })
        .collect();
    let mut found = false;
    for row in 0..table.n_rows() {
        let ends = [t0[row], t1[row], share[row], mass[row], n_source[row], n_target[row]];
        if ends.iter().any(|x| !(0.0..=1e15).contains(&x.abs())) || share[row] < 0.0 {
            return Err(table.unreadable(format!("line {} lacks a number", row + 2)));
        }
        let (a, b) = (place(t0[row]), place(t1[row]));
        let (source, target) = (number(&from[row]), number(&to[row]));
        columns[a].cells[source] = n_source[row] as usize;
        columns[b].cells[target] = n_target[row] as usize;
        if b == a + 1 {
            let (share, mass) = (share[row], mass[row]);
            columns[a].ribbons.push(SankeyRibbon { source, target, share, mass });
            found = true;
        }
    }
    if !found {
        return Err(table.unreadable("no two of its times are neighbours".into()));
    }
    let unit = source.unit();
    let picture = SankeyPicture {
        title: "Transitions between groups".into(),
        subtitle: "columns: the cells of each time; ribbons: where their descendants are".into(),
        time_title: time_title(&unit),
        groups,
        colours,
        columns,
    };
    Ok(options.laid_out(draw_sankey(&picture, options.page())))
}
