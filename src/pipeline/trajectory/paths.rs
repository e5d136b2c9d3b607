//! Single paths of cells from the sets of a trajectory.

use ndarray::{Array2, Axis};

use crate::bridge::BridgeSeries;
use crate::error::{Error, Result};
use crate::io::model::Model;
use crate::io::table::{Cells, Table};
use crate::lineage::{Groups, Path, PathEnds, PathGrid, free_paths, pinned_paths};
use crate::pipeline::shared::cell_sets::GroupAt;
use crate::pipeline::shared::course_of_cells::{CourseOfCells, even_sets};
use crate::pipeline::trajectory::stepped::stepped;
use crate::pipeline::trajectory::{PathScheme, TrajectoryOptions};
use crate::progress::Silent;
use crate::rng::Seed;

/// The table of paths: `set`, `path`, `time`, `cell`, then the coordinates in data units.
///
/// A path goes through an observed cell where it starts or is pinned; elsewhere `cell` is empty.
///
/// # Errors
/// Those of [`paths`].
pub(super) fn all_paths(
    model: &Model,
    course: &CourseOfCells,
    groups: &Groups,
    sets: &[GroupAt],
    options: &TrajectoryOptions,
) -> Result<Table> {
    let (mut names, mut numbers, mut times, mut cells) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut points: Vec<Array2<f64>> = Vec::new();
    let steps = match options.scheme {
        PathScheme::Exact => None,
        PathScheme::Em => Some(stepped(&course.process, options.n_steps)?),
    };
    let series = steps.as_ref().unwrap_or(&course.process.series);
    for &set in sets {
        let name = &groups.names()[set.group];
        for path in paths(course, series, groups, set, options)? {
            let n = path.points.nrows();
            names.extend(std::iter::repeat_n(name.clone(), n));
            numbers.extend(0..n as i64);
            times.extend(std::iter::repeat_n(path.time, n));
            let k = course.place(path.time).ok();
            cells.extend((0..n).map(|p| match (&path.cells, k) {
                (Some(cells), Some(k)) => model.cells[course.rows[k][cells[p]]].clone(),
                _ => String::new(),
            }));
            points.push(path.points * course.process.scale);
        }
    }
    let views: Vec<_> = points.iter().map(|of| of.view()).collect();
    let joined = ndarray::concatenate(Axis(0), &views)
        .map_err(|error| Error::Numerical { what: "joining paths", why: error.to_string() })?;
    let mut table = Table::default()
        .with("set", Cells::Texts(names))
        .with("path", Cells::Integers(numbers))
        .with("time", Cells::Floats(times))
        .with("cell", Cells::Texts(cells));
    table.push_points(&model.header.dimensions, joined.view());
    Ok(table)
}

/// Paths that start in cells of `set`, each cell equally often: drawn forward from `series`, or pinned at a cell of
/// the group [`TrajectoryOptions::paths_to`].
///
/// # Errors
/// [`Error::UnknownGroup`]; [`Error::NotObserved`]; [`Error::Parameter`] if the group has no cells at its time or
/// the time is not later; those of the bridges.
fn paths(
    course: &CourseOfCells,
    series: &BridgeSeries,
    groups: &Groups,
    set: GroupAt,
    options: &TrajectoryOptions,
) -> Result<Vec<Path>> {
    let GroupAt { place: at, group } = set;
    let start = even_sets(groups, at, &[group]);
    let grid = PathGrid { n_paths: options.paths, per_interval: options.grid };
    let seed = Seed(options.seed).child("paths", group as u64);
    match &options.paths_to {
        None => free_paths(series, &course.snapshots()[at], start.column(0), at, grid, seed),
        Some((name, time)) => {
            let goal = groups.find(name)?;
            let end = course.place_or_last(*time)?;
            let ends = even_sets(groups, end, &[goal]);
            if !groups.present(end).contains(&goal) {
                let (name, must) = ("paths_to", "a group with cells at its time");
                return Err(Error::Parameter { name, must, got: groups.names()[goal].clone() });
            }
            let ends = PathEnds { from: at, to: end, start: start.column(0), end: ends.column(0) };
            pinned_paths(course.chain(&mut Silent)?, course.snapshots(), series, ends, grid, seed)
        }
    }
}
