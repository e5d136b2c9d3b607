//! Which cells of a file take part, and when.

use std::path::Path;

use crate::data::time::{self, KnownTimes, TimeAxis};
use crate::data::{Column, Naming, ObsFilter};
use crate::error::{Error, Result, nearest};
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::pipeline::config::{FitOptions, Source, TimeOptions};
use crate::progress::{self, Progress};

/// The cells that take part: which rows of the file, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Rows of the file, increasing.
    pub rows: Vec<usize>,
    /// Time of each of these rows.
    pub times: Vec<f64>,
    /// The snapshots and where they come from.
    pub axis: TimeAxis,
}

/// Finds the cells that meet the filters and have a time.
///
/// # Errors
/// An unknown column, a filter that cannot be met, times that cannot be read.
pub fn select(file: &H5ad, options: &FitOptions, progress: &mut dyn Progress) -> Result<Selection> {
    let mut kept = vec![true; file.n_cells()];
    for text in &options.filters {
        let filter = ObsFilter::parse(text)?;
        let meets = filter.keep(&file.obs(filter.column())?)?;
        kept.iter_mut().zip(&meets).for_each(|(kept, &meets)| *kept &= meets);
    }
    let rows: Vec<usize> = (0..kept.len()).filter(|&row| kept[row]).collect();
    if rows.is_empty() {
        return Err(Error::NoCells { filters: options.filters.clone() });
    }
    if rows.len() < kept.len() {
        let text = format!("{} of {} cells meet the filters", rows.len(), kept.len());
        progress::note(progress, text)?;
    }
    let axis = resolve_times(file, &options.time, &rows)?;
    for text in &axis.notes {
        progress::note(progress, text.clone())?;
    }
    if 0 < axis.n_missing {
        let text = format!(
            "{} of {} cells have no `{}` and are left out",
            axis.n_missing,
            rows.len(),
            axis.column
        );
        progress::note(progress, text)?;
    }
    let (timed, times) = axis.timed_cells();
    let rows = timed.into_iter().map(|place| rows[place]).collect();
    Ok(Selection { rows, times, axis })
}

/// The times of a file, by which they can be asked for.
///
/// # Errors
/// As [`select`], and those of opening the file.
pub fn known_times(input: &Path, options: &FitOptions) -> Result<KnownTimes> {
    let axis = select(&H5ad::open(input)?, options, &mut progress::Silent)?.axis;
    let unit = axis.unit.to_string();
    Ok(KnownTimes::new(axis.levels.into_iter().map(|level| (level.label, level.time)), &unit))
}

fn resolve_times(file: &H5ad, options: &TimeOptions, rows: &[usize]) -> Result<TimeAxis> {
    let column = |name: &str| -> Result<Column> { Ok(file.obs(name)?.select(rows)) };
    match (&options.column, &options.map) {
        (Some(name), Some(map)) => time::resolve_with_map(name, &column(name)?, map),
        (Some(name), None) => time::resolve(name, &column(name)?),
        (None, map) => {
            let names = file.obs_columns()?.into_iter().filter(|name| time::is_time_name(name));
            let candidates =
                names.map(|name| Ok((name.clone(), column(&name)?))).collect::<Result<Vec<_>>>()?;
            match (map, candidates.as_slice()) {
                (Some(map), [(name, column)]) => time::resolve_with_map(name, column, map),
                (Some(_), _) => Err(Error::TimeMapWithoutColumn {
                    candidates: candidates.into_iter().map(|candidate| candidate.0).collect(),
                }),
                (None, _) => time::find(&candidates),
            }
        }
    }
}

/// The matrix of the file that `source` names; `X` for an embedding, which has none.
pub(crate) fn matrix_source(source: &Source) -> MatrixSource {
    match source {
        Source::X | Source::Rep(_) => MatrixSource::X,
        Source::Layer(name) => MatrixSource::Layer(name.clone()),
        Source::Raw => MatrixSource::RawX,
    }
}

/// The name of a file without its folder, for records that must not depend on where it lies.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// None of the genes `wanted` is among those `present`: how both are written, and five of each.
pub(crate) fn no_genes(wanted: &[String], present: &[String]) -> Error {
    let naming = |names: &[String]| Naming::of(names.iter().map(String::as_str));
    let first = |names: &[String]| names.iter().take(5).cloned().collect();
    let (asked, there) = (naming(wanted), naming(present));
    let near = if let [one] = wanted { nearest(one, present) } else { Vec::new() };
    Error::NoGenes {
        wanted: Box::new((asked.words(), first(wanted))),
        present: (there.words(), first(present)),
        near,
        way_out: Naming::way_out(asked, there),
    }
}
