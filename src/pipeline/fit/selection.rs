//! The cells of a file that a fit uses, with their times.

use std::path::Path;

use ndarray::ArrayView2;

use crate::data::time::{self, TimeAxis};
use crate::data::{Column, Naming, ObsFilter};
use crate::error::{Error, Result, nearest};
use crate::io::bridge_check::is_place;
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::pipeline::fit::options::{FitOptions, Source, TimeOptions};
use crate::progress::{self, Progress};

/// The cells of a file that a fit uses, with their times.
///
/// [`crate::pipeline::Plan::selection`] gives it; [`crate::pipeline::Plan`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The rows of the cells in the file, increasing.
    pub rows: Vec<usize>,
    /// The time of each of these rows, in the unit of `axis`.
    pub times: Vec<f64>,
    /// The snapshots, increasing in time, with the column that their times come from.
    pub axis: TimeAxis,
}

impl Selection {
    /// The names of the selected cells in `file`, in the order of `rows`.
    ///
    /// # Errors
    /// As [`H5ad::obs_names`].
    pub(crate) fn cell_names(&self, file: &H5ad) -> Result<Vec<String>> {
        let names = file.obs_names()?;
        Ok(self.rows.iter().map(|&row| names[row].clone()).collect())
    }
}

/// Selects the cells of `file` that meet all filters of `options` and have a time. Notes how many
/// cells are left out.
///
/// # Errors
/// [`Error::NoCells`] if no cell meets the filters; an unknown column; a filter that cannot be read;
/// times that cannot be read, or too large or too uneven to compute with; [`Error::Cancelled`].
#[doc(hidden)]
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
    check_times(file, &axis)?;
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

/// Gives the cell and the gene of [`Error::Overflows`] their names: the error of a matrix in memory
/// has only their numbers. Other errors stay as they are.
pub(crate) fn named(
    error: Error,
    file: &H5ad,
    selection: &Selection,
    options: &FitOptions,
) -> Error {
    let Error::Overflows { step, got, cell, gene } = error else { return error };
    let number = |text: &str| text.parse::<usize>().ok();
    let row = number(&cell).and_then(|place| selection.rows.get(place).copied());
    let name = |names: Result<Vec<String>>, place: Option<usize>| {
        place.and_then(|place| names.ok()?.get(place).cloned())
    };
    let source = matrix_source(&options.source);
    let gene = name(file.gene_names(&source), number(&gene)).unwrap_or(gene);
    let cell = name(file.obs_names(), row).unwrap_or(cell);
    Error::Overflows { step, got, cell, gene }
}

/// Refuses coordinates that are too far out to compute with, and names the farthest cell. `points`
/// (n × d) are the coordinates of `cells` of the file `input`.
///
/// # Errors
/// [`Error::Unreadable`].
pub(crate) fn check_extent(
    input: &Path,
    cells: &[String],
    points: ArrayView2<'_, f64>,
    scale: f64,
) -> Result<()> {
    let size = |value: &f64| if value.is_nan() { f64::INFINITY } else { value.abs() };
    let far = points.indexed_iter().filter(|entry| !is_place(*entry.1, scale));
    match far.max_by(|a, b| size(a.1).total_cmp(&size(b.1))) {
        None => Ok(()),
        Some(((cell, d), value)) => Err(Error::Unreadable {
            path: input.to_path_buf(),
            problem: format!(
                "cell `{}` has the value {value:?} in coordinate {}, where the scale of all cells is \
                 {scale:?}: too far out to compute with",
                cells[cell],
                d + 1
            ),
            way_out: Some("leave such cells out with the parameter `obs_filter`".into()),
        }),
    }
}

/// Largest ratio of the longest interval to the shortest. Beyond it, ε of one of them leaves the range
/// in which costs can be divided by it.
const FARTHEST: f64 = 1e15;

/// Largest absolute value of a time, in any unit.
const LATEST: f64 = 1e30;

/// Refuses times that are too large, and intervals that differ too much.
///
/// # Errors
/// [`Error::Unreadable`].
fn check_times(file: &H5ad, axis: &TimeAxis) -> Result<()> {
    let lengths = axis.levels.windows(2).map(|pair| (pair[1].time - pair[0].time, pair));
    let [mut least, mut most] = [f64::INFINITY, 0.0_f64];
    let refuse = |problem: String| {
        Err(Error::Unreadable {
            path: file.path().to_path_buf(),
            problem: format!("obs/{} {problem}", axis.column),
            way_out: Some("leave such cells out with the parameter `obs_filter`".into()),
        })
    };
    if let Some(level) = axis.levels.iter().find(|level| level.time.abs() > LATEST) {
        return refuse(format!("holds the time {:?}, which is too large", level.time));
    }
    for (length, pair) in lengths {
        (least, most) = (least.min(length), most.max(length));
        if most > FARTHEST * least {
            let [a, b] = [pair[0].time, pair[1].time];
            return refuse(format!(
                "has intervals of {least:?} and {most:?}, the last of them from {a:?} to {b:?}: too \
                 far apart to compute with"
            ));
        }
    }
    Ok(())
}

/// The times of `rows`: of the column that `options` names, or of the likeliest column.
///
/// # Errors
/// Those of `data::time`; [`Error::TimeMapWithoutColumn`] if a map is given and it is not clear for
/// which column.
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

/// The matrix of the file that `source` names. For an embedding it is `X`, from which genes are read.
pub(crate) fn matrix_source(source: &Source) -> MatrixSource {
    match source {
        Source::X | Source::Rep(_) => MatrixSource::X,
        Source::Layer(name) => MatrixSource::Layer(name.clone()),
        Source::Raw => MatrixSource::RawX,
    }
}

/// The name of a file without its folder, for records that must not depend on the folder.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The error that none of the genes `wanted` is among the genes `present`: with the naming of both
/// (symbols, accession numbers), five names of each, and names near to a single wanted one.
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
