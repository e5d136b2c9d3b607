//! The sets of cells in which edges are estimated: all cells, groups, intervals, or groups in intervals.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::grn::Perturbations;
use crate::io::model::Model;
use crate::lineage::Groups;
use crate::pipeline::grn::GrnOptions;
use crate::pipeline::grn::expression::Measured;
use crate::progress::{self, Progress};

/// With fewer cells, a time of a part is left out.
pub(in crate::pipeline) const FEWEST_CELLS: usize = 10;

/// A set of cells in which edges are estimated.
pub(super) struct Part {
    /// Name of the group; empty for cells of all groups.
    pub(super) group: String,
    /// Rows of the cells in [`Measured`], increasing.
    pub(super) rows: Vec<usize>,
    /// First and last time of the cells.
    pub(super) span: (f64, f64),
    /// The perturbed genes of each cell, if a column names them.
    pub(super) perturbed: Option<Perturbations>,
}

impl Part {
    /// A name of the part for messages, with its times if there is one part for each interval.
    pub(super) fn label(&self, by_time: bool) -> String {
        let (from, to) = self.span;
        match (self.group.as_str(), by_time) {
            ("", false) => "all cells".to_string(),
            ("", true) => format!("{from} to {to}"),
            (group, false) => group.to_string(),
            (group, true) => format!("{group}, {from} to {to}"),
        }
    }
}

/// The parts that `options` ask for.
///
/// Only times with at least ten cells of a part count. A note names parts with fewer than two such times, which
/// are left out. With perturbed cells this also holds for each perturbation ([`Perturbed::divide`]).
///
/// # Errors
/// [`Error::Parameter`] if no part is left; those of [`Perturbed::divide`].
///
/// [`Perturbed::divide`]: crate::pipeline::grn::perturbed::Perturbed::divide
pub(super) fn parts(
    model: &Model,
    measured: &Measured,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Part>> {
    let times: Vec<f64> = model.header.snapshots.iter().map(|snapshot| snapshot.time).collect();
    let spans: Vec<Vec<f64>> =
        if options.by_time { times.windows(2).map(<[f64]>::to_vec).collect() } else { vec![times] };
    let mut parts = Vec::new();
    for (group, rows) in of_groups(measured) {
        for span in &spans {
            let at = |row: &usize, time: &f64| measured.times[*row].total_cmp(time).is_eq();
            let enough: Vec<f64> = span
                .iter()
                .copied()
                .filter(|time| rows.iter().filter(|row| at(row, time)).count() >= FEWEST_CELLS)
                .collect();
            if enough.len() < 2 {
                let text = format!(
                    "{}times {} to {}: fewer than {FEWEST_CELLS} cells at all but one: left out",
                    if group.is_empty() { String::new() } else { format!("{group}, ") },
                    span[0],
                    span[span.len() - 1]
                );
                progress::note(progress, text)?;
                continue;
            }
            let rows = rows.iter().copied().filter(|row| enough.iter().any(|time| at(row, time)));
            let span = (enough[0], enough[enough.len() - 1]);
            let group = group.clone();
            let mut part = Part { group, rows: rows.collect(), span, perturbed: None };
            if let Some(perturbed) = &measured.perturbed {
                let label = part.label(options.by_time);
                perturbed.divide(&mut part, &measured.times, &label, progress)?;
            }
            parts.push(part);
        }
    }
    if parts.is_empty() {
        let must = "at least ten at each of two times";
        let got = "fewer in every group and span of times".into();
        return Err(Error::Parameter { name: "number of cells", must, got });
    }
    Ok(parts)
}

/// The rows of each group, by name; all rows under an empty name without groups. Cells without a label are in no
/// group.
fn of_groups(measured: &Measured) -> Vec<(String, Vec<usize>)> {
    let Some(labels) = &measured.groups else {
        return vec![(String::new(), (0..measured.times.len()).collect())];
    };
    let groups: BTreeSet<&String> = labels.iter().filter(|label| !Groups::is_none(label)).collect();
    let rows = |group: &String| (0..labels.len()).filter(|&row| labels[row] == *group).collect();
    groups.into_iter().map(|group| (group.clone(), rows(group))).collect()
}
