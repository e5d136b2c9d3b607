//! Model and sets of cells → their ancestors and descendants, cell by cell, and single paths.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{
    Groups, Path, TrajectoryStep, free_paths, pinned_paths, trajectory as follow,
};
use crate::pipeline::lineage::{CellSets, CourseOfCells, even_sets, notes};
use crate::progress::Progress;
use crate::rng::Seed;

/// Which way a trajectory is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Ancestors and descendants.
    #[default]
    Both,
    /// Descendants only.
    Forward,
    /// Ancestors only.
    Backward,
}

/// What `trajectory` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryOptions {
    /// Groups of cells.
    pub sets: CellSets,
    /// Only these of them; all if empty.
    pub only: Vec<String>,
    /// Time of the sets; of each the last with cells of it if `None`.
    pub at: Option<f64>,
    /// Which way.
    pub direction: Direction,
    /// Single paths of each set; none if zero.
    pub paths: usize,
    /// Times of a path in each interval.
    pub grid: usize,
    /// Group (and its time) that paths are to end in.
    pub paths_to: Option<(String, Option<f64>)>,
    /// Seed of everything random.
    pub seed: u64,
}

/// Trajectories of one or several sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectories {
    /// `id`, `time`, then the share of each set.
    pub shares: Table,
    /// `set`, `time`, `mass`, `entropy`, `effective_cells`, `n_cells`.
    pub spreads: Table,
    /// `set`, `path`, `time`, `cell`, then the coordinates; nothing if no paths were asked for.
    pub paths: Option<Table>,
}

/// Follows sets of cells through the plans of `model`.
///
/// # Errors
/// [`Error::UnknownGroup`], [`Error::NotObserved`]; those of reading groups and of the bridges.
pub fn trajectory(
    model: &OpenModel,
    options: &TrajectoryOptions,
    progress: &mut dyn Progress,
) -> Result<Trajectories> {
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let groups = options.sets.read(model, &course, progress)?;
    let sets = chosen(&groups, &course, options)?;
    notes::say_few(&course, &groups, sets.iter().copied(), progress)?;
    let steps = steps(&course, &groups, &sets, options.direction)?;
    let names: Vec<String> = sets.iter().map(|set| groups.names()[set.0].clone()).collect();
    let paths = match (options.paths, &options.paths_to) {
        (0, None) => None,
        (0, Some(_)) => {
            let (name, must) = ("paths", "given with the parameter `paths_to`");
            return Err(Error::Parameter { name, must, got: "0".into() });
        }
        _ => Some(all_paths(model, &course, (&groups, &sets), options)?),
    };
    let shares = shares(model, &course, &names, &steps);
    Ok(Trajectories { shares, spreads: spreads(&course, &names, &steps), paths })
}

/// Groups with the place of the time each is taken at.
pub(super) fn chosen(
    groups: &Groups,
    course: &CourseOfCells,
    options: &TrajectoryOptions,
) -> Result<Vec<(usize, usize)>> {
    let wanted: Vec<usize> = if options.only.is_empty() {
        (0..groups.names().len()).collect()
    } else {
        options.only.iter().map(|name| groups.find(name)).collect::<Result<_>>()?
    };
    let at = options.at.map(|time| course.lineage.place(time)).transpose()?;
    let mut sets = Vec::new();
    for group in wanted {
        let place = match at {
            Some(place) => groups.present(place).contains(&group).then_some(place),
            None => (0..groups.n_times()).rev().find(|&k| groups.present(k).contains(&group)),
        };
        if let Some(place) = place {
            sets.push((group, place));
        } else if !options.only.is_empty() {
            let (name, must) = ("at", "a time with cells of the group");
            let time = options.at.map_or_else(|| "none".into(), |time| time.to_string());
            return Err(Error::Parameter { name, must, got: time });
        }
    }
    if sets.is_empty() {
        let (name, must) = ("at", "a time with cells of some group");
        let got = options.at.map_or_else(|| "none".into(), |time| time.to_string());
        return Err(Error::Parameter { name, must, got });
    }
    Ok(sets)
}

/// For each set the steps of its trajectory.
pub(super) fn steps(
    course: &CourseOfCells,
    groups: &Groups,
    sets: &[(usize, usize)],
    direction: Direction,
) -> Result<Vec<Vec<TrajectoryStep>>> {
    let last = course.rows.len() - 1;
    sets.iter()
        .map(|&(group, at)| {
            let range = match direction {
                Direction::Both => (0, last),
                Direction::Forward => (at, last),
                Direction::Backward => (0, at),
            };
            follow(&course.lineage, even_sets(groups, at, &[group]).view(), at, range)
        })
        .collect()
}

fn shares(
    model: &Model,
    course: &CourseOfCells,
    names: &[String],
    steps: &[Vec<TrajectoryStep>],
) -> Table {
    let (mut ids, mut times) = (Vec::new(), Vec::new());
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for (k, rows) in course.rows.iter().enumerate() {
        let here: Vec<Option<&TrajectoryStep>> =
            steps.iter().map(|steps| steps.iter().find(|step| step.place == k)).collect();
        if here.iter().all(Option::is_none) {
            continue;
        }
        ids.extend(rows.iter().map(|&row| model.cells[row].clone()));
        times.extend(std::iter::repeat_n(course.lineage.times()[k], rows.len()));
        for (column, step) in columns.iter_mut().zip(here) {
            match step {
                Some(step) => column.extend(step.shares.column(0)),
                // The other sets are followed to this time, this one is not.
                None => column.extend(std::iter::repeat_n(f64::NAN, rows.len())),
            }
        }
    }
    let mut table =
        Table::default().with("id", Cells::Texts(ids)).with("time", Cells::Floats(times));
    for (name, column) in names.iter().zip(columns) {
        table.push(name.clone(), Cells::Floats(column));
    }
    table
}

fn spreads(course: &CourseOfCells, names: &[String], steps: &[Vec<TrajectoryStep>]) -> Table {
    let all: Vec<(&String, &TrajectoryStep)> = names
        .iter()
        .zip(steps)
        .flat_map(|(name, steps)| steps.iter().map(move |step| (name, step)))
        .collect();
    let number = |of: &dyn Fn(&TrajectoryStep) -> f64| {
        Cells::Floats(all.iter().map(|(_, step)| of(step)).collect())
    };
    let n_cells = all.iter().map(|(_, step)| step.spreads[0].n_cells as i64).collect();
    Table::default()
        .with("set", Cells::Texts(all.iter().map(|(name, _)| (*name).clone()).collect()))
        .with("time", number(&|step| course.lineage.times()[step.place]))
        .with("mass", number(&|step| step.spreads[0].mass))
        .with("entropy", number(&|step| step.spreads[0].entropy))
        .with("effective_cells", number(&|step| step.spreads[0].effective_cells))
        .with("n_cells", Cells::Integers(n_cells))
}

/// Paths of all sets, one after the other.
fn all_paths(
    model: &Model,
    course: &CourseOfCells,
    (groups, sets): (&Groups, &[(usize, usize)]),
    options: &TrajectoryOptions,
) -> Result<Table> {
    let (mut names, mut numbers, mut times, mut cells) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut points: Vec<Array2<f64>> = Vec::new();
    for &(group, at) in sets {
        let name = &groups.names()[group];
        for path in paths(course, groups, (group, at), options)? {
            let n = path.points.nrows();
            names.extend(std::iter::repeat_n(name.clone(), n));
            numbers.extend(0..n as i64);
            times.extend(std::iter::repeat_n(path.time, n));
            let k = course.lineage.place(path.time).ok();
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

fn paths(
    course: &CourseOfCells,
    groups: &Groups,
    (group, at): (usize, usize),
    options: &TrajectoryOptions,
) -> Result<Vec<Path>> {
    let start = even_sets(groups, at, &[group]);
    let bridges = course.process.series.bridges();
    let (n, seed) =
        ((options.paths, options.grid), Seed(options.seed).child("paths", group as u64));
    match &options.paths_to {
        None => {
            let source = (&course.snapshots()[at], start.column(0));
            free_paths((course.lineage.times(), bridges), source, at, n, seed)
        }
        Some((name, time)) => {
            let goal = groups.find(name)?;
            let end = super::place_or_last(&course.lineage, *time)?;
            let ends = even_sets(groups, end, &[goal]);
            if !groups.present(end).contains(&goal) {
                let (name, must) = ("paths_to", "a group with cells at its time");
                return Err(Error::Parameter { name, must, got: groups.names()[goal].clone() });
            }
            let both = (start.column(0), ends.column(0));
            let places = (course.snapshots(), bridges);
            pinned_paths(&course.lineage, places, ((at, end), both), n, seed)
        }
    }
}
