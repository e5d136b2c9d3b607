//! Follows sets of cells along the couplings of a model.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{Groups, TrajectoryStep, trajectory as follow};
use crate::pipeline::shared::cell_sets::GroupAt;
use crate::pipeline::shared::course_of_cells::{CourseOfCells, even_sets};
use crate::pipeline::shared::notes;
use crate::pipeline::trajectory::paths::all_paths;
use crate::pipeline::trajectory::{Direction, PathScheme, TrajectoryOptions};
use crate::progress::Progress;

/// Ancestors and descendants of sets of cells. See [`trajectory`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectories {
    /// One row for each cell: `id`, `time`, then for each set the share of its mass in this cell. Shares of a set
    /// at one time sum to one; NaN at times to which the set is not followed.
    pub shares: Table,
    /// One row for each set and time: `set`, `time`, `mass` (descendants relative to those of as many
    /// mean cells), `entropy` (in nats), `effective_cells` (`exp` of the entropy), `n_cells`.
    pub spreads: Table,
    /// One row for each path and time: `set`, `path`, `time`, `cell`, then the coordinates in data units; `None`
    /// without paths.
    pub paths: Option<Table>,
}

/// Follows sets of cells of `model` to their ancestors and descendants along couplings that go straight to
/// each other time; those of bridges are chained.
///
/// A set begins with equal mass on its cells. Pushed along the coupling of an interval, this mass becomes that
/// of its descendants; pulled back, that of its ancestors. Single paths are drawn from the bridges, exactly or
/// in small steps ([`TrajectoryOptions::scheme`]), with [`TrajectoryOptions::paths_to`] pinned at both ends.
///
/// Time is that of the couplings (see [`crate::bridge::Bridge::link`]) and one product with each for each set.
///
/// ```
/// use sbcell::pipeline::{CellSets, TrajectoryOptions, example_model, trajectory};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // three days, cell types left and right
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options = TrajectoryOptions::default().with_sets(sets).with_only(vec!["left".into()]);
/// let found = trajectory(&model, &options, &mut Silent)?;
/// assert_eq!(found.shares.n_rows(), model.cells.len());
/// assert_eq!(found.spreads.n_rows(), 3); // one set at three times
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::UnknownGroup`]; [`Error::NotObserved`] for a time without a snapshot; [`Error::Parameter`] if a set has
/// no cells at its time; those of reading the groups and of the bridges.
pub fn trajectory(
    model: &OpenModel,
    options: &TrajectoryOptions,
    progress: &mut dyn Progress,
) -> Result<Trajectories> {
    at_least_one("n_steps", options.n_steps)?;
    if options.scheme == PathScheme::Em && (options.paths == 0 || options.paths_to.is_some()) {
        let (name, must) = ("scheme", "exact, without free paths");
        return Err(Error::Parameter { name, must, got: "em".into() });
    }
    let (epsilon, clones) = (options.coupling_epsilon, &options.clones);
    let course = CourseOfCells::restore_with(model, epsilon, clones, options.seed, progress)?;
    let groups = options.sets.read_at(model, &course, options.at, progress)?;
    let sets = chosen(&groups, &course, options)?;
    notes::say_few(&course, &groups, &sets, progress)?;
    let steps = steps(&course, &groups, &sets, options.direction, progress)?;
    let names: Vec<String> = sets.iter().map(|set| groups.names()[set.group].clone()).collect();
    let paths = match (options.paths, &options.paths_to) {
        (0, None) => None,
        (0, Some(_)) => {
            let (name, must) = ("paths", "given with the parameter `paths_to`");
            return Err(Error::Parameter { name, must, got: "0".into() });
        }
        _ => Some(all_paths(model, &course, &groups, &sets, options)?),
    };
    let shares = shares(model, &course, &names, &steps);
    Ok(Trajectories { shares, spreads: spreads(&course, &names, &steps), paths })
}

/// The sets to follow: groups at the time that `options` give, or at the last time at which they have cells.
///
/// Without names of groups, groups without cells at the time are skipped.
///
/// # Errors
/// [`Error::UnknownGroup`]; [`Error::NotObserved`]; [`Error::Parameter`] if a named group has no cells at the time,
/// or no group has.
pub(in crate::pipeline) fn chosen(
    groups: &Groups,
    course: &CourseOfCells,
    options: &TrajectoryOptions,
) -> Result<Vec<GroupAt>> {
    let wanted: Vec<usize> = if options.only.is_empty() {
        (0..groups.names().len()).collect()
    } else {
        options.only.iter().map(|name| groups.find(name)).collect::<Result<_>>()?
    };
    let at = options.at.map(|time| course.place(time)).transpose()?;
    let mut sets = Vec::new();
    for group in wanted {
        let place = match at {
            Some(place) => groups.present(place).contains(&group).then_some(place),
            None => (0..groups.n_times()).rev().find(|&k| groups.present(k).contains(&group)),
        };
        if let Some(place) = place {
            sets.push(GroupAt { place, group });
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

/// For each set its trajectory: the shares of its mass at every time to which it is followed.
///
/// # Errors
/// Those of [`follow`].
pub(in crate::pipeline) fn steps(
    course: &CourseOfCells,
    groups: &Groups,
    sets: &[GroupAt],
    direction: Direction,
    progress: &mut dyn Progress,
) -> Result<Vec<Vec<TrajectoryStep>>> {
    let last = course.rows.len() - 1;
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    let mut all = Vec::with_capacity(sets.len());
    for &GroupAt { place: at, group } in sets {
        let own = even_sets(groups, at, &[group]);
        let mut steps = Vec::new();
        if direction == Direction::Forward || at == 0 {
            steps.push(TrajectoryStep::start(own.view(), at));
        } else {
            let lineage = match before.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(course.lineage_to(at, Some(groups), progress)?),
            };
            steps.extend(follow(lineage, own.view(), at, 0..=at)?);
        }
        let forward = if direction == Direction::Backward { at..at } else { at..last };
        for to in forward.map(|k| k + 1) {
            let way = match after.entry((at, to)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(course.between(at, to, Some(groups), progress)?),
            };
            let found = follow(&way.lineage, own.view(), way.from, way.to..=way.to)?;
            steps.extend(found.into_iter().map(|step| TrajectoryStep { place: to, ..step }));
        }
        all.push(steps);
    }
    Ok(all)
}

/// The table [`Trajectories::shares`].
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
        times.extend(std::iter::repeat_n(course.times()[k], rows.len()));
        for (column, step) in columns.iter_mut().zip(here) {
            match step {
                Some(step) => column.extend(step.shares.column(0)),
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

/// The table [`Trajectories::spreads`].
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
        .with("time", number(&|step| course.times()[step.place]))
        .with("mass", number(&|step| step.spreads[0].mass))
        .with("entropy", number(&|step| step.spreads[0].entropy))
        .with("effective_cells", number(&|step| step.spreads[0].effective_cells))
        .with("n_cells", Cells::Integers(n_cells))
}
