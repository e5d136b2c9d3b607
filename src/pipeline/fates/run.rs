//! Fate probabilities of all cells before the last terminal time.

use ndarray::{Array1, Array2};

use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{
    Bootstrap, Fates, Groups, Terminal, TerminalCells, neighbour_fates, terminal_shares, undecided,
};
use crate::pipeline::fates::FateOptions;
use crate::pipeline::fates::ends::Ends;
use crate::pipeline::fates::summary::{FateSummary, n_neighbours, summary, words};
use crate::pipeline::fates::terminal_auto::{add_columns, states_table};
use crate::pipeline::shared::cell_sets::GroupAt;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::notes::{self, Passed};
use crate::pipeline::shared::resampling::{Along, Resampling};
use crate::progress::Progress;
use crate::rng::Seed;
use crate::share;

/// Fate probabilities of cells, and their means by time. See [`fates`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FateTables {
    /// One row for each cell: `id`, `time`, the probability of each fate, the ends of its confidence interval
    /// (`_lo`, `_hi`), its share among the nearest terminal cells (`_neighbours`), its log-odds (`_log_odds`),
    /// then `entropy` (in nats), `undecided` (0: one fate, 1: as mixed as the terminal cells), `reached` (share of
    /// descendants that reach a terminal state), `descendants` (relative to the mean cell) and
    /// `terminal_cells` (effective number of terminal cells behind the fates, see [`TerminalCells`]).
    pub cells: Table,
    /// Mean probabilities and baselines at each time.
    pub summary: Vec<FateSummary>,
    /// The share of each fate among the terminal cells.
    pub shares: Vec<f64>,
    /// Names of the fates, in the order of the columns.
    pub names: Vec<String>,
    /// Plain sentences on the fates.
    pub words: Vec<String>,
    /// The terminal and initial states, if they were found without labels ([`CellSets::states`]). `cells`
    /// then has three more columns: `state` (at the end; before it, the state in whose region the cell
    /// is), `origin` (the initial state of a cell of the first time) and `arrival_time` (mean time at
    /// which the descendants enter their final state for good, [`crate::lineage::arrival_times`]).
    ///
    /// [`CellSets::states`]: crate::pipeline::CellSets::states
    pub states: Option<Table>,
}

/// The fate probabilities of all cells of `model` up to the last terminal time.
///
/// The fate probability of a cell is the share of its descendants that reach a terminal state, among those that
/// reach any. Descendants follow couplings straight to the time of the terminal states. Confidence intervals (95 %) come from bootstrap
/// resamples of cells, or of batches. Time is that of the couplings and one product with each for all fates
/// and resamples.
///
/// ```
/// use sbcell::pipeline::{CellSets, FateOptions, example_model, fates};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // cell types left and right
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let found = fates(&model, &FateOptions::default().with_sets(sets), &mut Silent)?;
/// assert_eq!(found.names, ["left", "right"]);
/// assert!((found.summary[0].mean.iter().sum::<f64>() - 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Fates::of`] and of reading groups; [`Error::UnknownGroup`]; [`Error::NotObserved`] for a time without a
/// snapshot; [`Error::Parameter`] for a single fate.
pub fn fates(
    model: &OpenModel,
    options: &FateOptions,
    progress: &mut dyn Progress,
) -> Result<FateTables> {
    let (epsilon, clones) = (options.coupling_epsilon, &options.clones);
    let course = CourseOfCells::restore_with(model, epsilon, clones, options.seed, progress)?;
    let auto = options.sets.found(model, &course, options.at, progress)?;
    let groups = match &auto {
        Some(auto) => auto.groups(&course),
        None => options.sets.read(model, &course, progress)?,
    };
    let Followed { fates: found, terminals, behind, .. } =
        of_course(model, &course, &groups, options, progress)?;
    let shares = terminal_shares(&found.names, &terminals);
    let k = n_neighbours(behind.n_cells);
    let near = neighbour_fates(course.snapshots(), &found.names, &terminals, k, progress)?;
    let compared = Compared { shares, near, behind };
    let mut cells = table(model, &course, &found, &compared);
    let Compared { shares, near, .. } = compared;
    let summary = summary(course.times(), &found, &near, shares.view());
    let words = words(&summary, k);
    let states = match &auto {
        Some(auto) => {
            add_columns(&mut cells, &course, auto, progress)?;
            let data = options.sets.data.as_deref();
            Some(states_table(model, &course, auto, data, progress)?)
        }
        None => None,
    };
    let (names, shares) = (found.names, shares.to_vec());
    Ok(FateTables { cells, summary, shares, names, words, states })
}

/// The numbers beside fates.
struct Compared {
    /// Share of each fate among the terminal cells.
    shares: Array1<f64>,
    /// Fates of the nearest terminal cells, for each time.
    near: Vec<Array2<f64>>,
    /// The number of terminal cells behind each cell.
    behind: TerminalCells,
}

/// Fates with the terminal states that they lead to.
pub(in crate::pipeline) struct Followed {
    /// The fates.
    pub(in crate::pipeline) fates: Fates,
    /// The terminal states.
    pub(super) terminals: Vec<Terminal>,
    /// The number of terminal cells behind each cell.
    pub(super) behind: TerminalCells,
    /// The draws of the cells of all times.
    pub(super) bootstrap: Bootstrap,
}

/// Fate probabilities of the cells of `course`. Notes name terminal states with few cells.
///
/// Terminal states of one time are reached by couplings straight to this time, those of several times along the
/// chain.
///
/// # Errors
/// As [`fates`].
pub(in crate::pipeline) fn of_course(
    model: &OpenModel,
    course: &CourseOfCells,
    groups: &Groups,
    options: &FateOptions,
    progress: &mut dyn Progress,
) -> Result<Followed> {
    let terminals = terminals(course, groups, options)?;
    if terminals.is_empty() {
        let must = "a time and a group, as no cell of the last time has a group";
        return Err(Error::Parameter { name: "terminal", must, got: "nothing".into() });
    }
    let group_at = |terminal: &Terminal| {
        Ok(GroupAt { place: terminal.place, group: groups.find(&terminal.name)? })
    };
    let named = terminals.iter().map(group_at).collect::<Result<Vec<_>>>()?;
    notes::say_few(course, groups, &named, progress)?;
    let resampling = Resampling {
        data: options.sets.data.as_deref(),
        batch: options.batch.as_deref(),
        n_resamples: options.bootstrap,
        seed: options.seed,
    };
    let end = terminals[0].place;
    let batches = course.batches(model, &resampling, progress)?;
    let straight = course.is_straight() && terminals.iter().all(|terminal| terminal.place == end);
    let followed = if straight && end > 0 {
        let sizes = course.rows.iter().take(end + 1).map(Vec::len).collect();
        let batches = batches.as_deref().map(|all| &all[..=end]);
        let bootstrap = resampling.bootstrap(sizes, batches)?;
        let ends = Ends { course, groups, terminals, bootstrap, seed: Seed(options.seed) };
        ends.follow(progress)?
    } else {
        share::undivided(progress)?;
        along_chain(course, terminals, batches.as_deref(), &resampling, progress)?
    };
    let last = followed.fates.tables.len() - 1;
    let between = if straight { vec![last] } else { (1..=last).collect() };
    let places: Vec<usize> = (0..course.times().len()).collect();
    let passed = Passed { named, between };
    notes::say_unknown(&followed.bootstrap, &places, course, groups, passed, progress)?;
    Ok(followed)
}

/// Fates along the chain of all couplings.
///
/// # Errors
/// Those of the couplings and of [`Fates::of`].
fn along_chain(
    course: &CourseOfCells,
    terminals: Vec<Terminal>,
    batches: Option<&[Vec<String>]>,
    resampling: &Resampling<'_>,
    progress: &mut dyn Progress,
) -> Result<Followed> {
    let lineage = course.chain(progress)?;
    let places: Vec<usize> = (0..lineage.times().len()).collect();
    let resampled = Along { lineage, places: &places }.resampled(batches, resampling, progress)?;
    let fates = Fates::of(&resampled, &terminals, progress)?;
    let behind = TerminalCells::of(lineage, &terminals, Seed(resampling.seed), progress)?;
    Ok(Followed { fates, terminals, behind, bootstrap: resampled.bootstrap().clone() })
}

/// The terminal states that `options` name, each once.
///
/// A time of its own in [`FateOptions::terminals`] replaces the default (all groups of the last time) if it is the
/// last time.
///
/// # Errors
/// [`Error::UnknownGroup`]; [`Error::NotObserved`]; [`Error::Parameter`] for a single fate.
fn terminals(
    course: &CourseOfCells,
    groups: &Groups,
    options: &FateOptions,
) -> Result<Vec<Terminal>> {
    let one = |group: usize, place: usize| Terminal {
        name: groups.names()[group].clone(),
        place,
        arrived: groups.at(place).iter().map(|of| *of == Some(group)).collect(),
    };
    let own: Vec<(usize, usize)> = options
        .terminals
        .iter()
        .map(|own| Ok((groups.find(&own.group)?, course.place(own.time)?)))
        .collect::<Result<_>>()?;
    let mut found = Vec::new();
    let place = course.place_or_last(options.at)?;
    let said = options.at.is_none() && own.iter().any(|own| own.1 == place);
    if !said || !options.only.is_empty() {
        let chosen: Vec<usize> = if options.only.is_empty() {
            groups.present(place)
        } else {
            options.only.iter().map(|name| groups.find(name)).collect::<Result<_>>()?
        };
        found.extend(chosen.into_iter().map(|group| one(group, place)));
    }
    for (group, place) in own {
        let terminal = one(group, place);
        if !found.contains(&terminal) {
            found.push(terminal);
        }
    }
    let mut names: Vec<&String> = found.iter().map(|terminal| &terminal.name).collect();
    names.sort();
    names.dedup();
    if names.len() == 1 {
        let (name, must) =
            ("groupby", "a column with at least two groups at the time of the terminal states");
        return Err(Error::Parameter { name, must, got: names[0].clone() });
    }
    Ok(found)
}

/// The table [`FateTables::cells`].
fn table(model: &Model, course: &CourseOfCells, fates: &Fates, compared: &Compared) -> Table {
    let of_rows = |k: usize| course.rows[k].iter();
    let n_times = fates.tables.len();
    let ids = (0..n_times).flat_map(|k| of_rows(k).map(|&row| model.cells[row].clone())).collect();
    let times = (0..n_times).flat_map(|k| of_rows(k).map(|&row| model.cell_times[row])).collect();
    let mut table =
        Table::default().with("id", Cells::Texts(ids)).with("time", Cells::Floats(times));
    let all = |of: &dyn Fn(usize) -> Vec<f64>| -> Vec<f64> { (0..n_times).flat_map(of).collect() };
    for (f, name) in fates.names.iter().enumerate() {
        let values = all(&|k| fates.tables[k].probabilities.column(f).to_vec());
        table.push(name.clone(), Cells::Floats(values));
    }
    for (f, name) in fates.names.iter().enumerate() {
        let lo = all(&|k| fates.tables[k].lo.column(f).to_vec());
        let hi = all(&|k| fates.tables[k].hi.column(f).to_vec());
        table.push(format!("{name}_lo"), Cells::Floats(lo));
        table.push(format!("{name}_hi"), Cells::Floats(hi));
    }
    let mut push = |name: String, of: &dyn Fn(usize) -> Vec<f64>| {
        table.push(name, Cells::Floats(all(of)));
    };
    for (f, name) in fates.names.iter().enumerate() {
        push(format!("{name}_neighbours"), &|k| compared.near[k].column(f).to_vec());
    }
    let odds: Vec<Array2<f64>> = (0..n_times)
        .map(|k| compared.behind.log_odds(k, fates.tables[k].probabilities.view()))
        .collect();
    for (f, name) in fates.names.iter().enumerate() {
        push(format!("{name}_log_odds"), &|k| odds[k].column(f).to_vec());
    }
    push("entropy".into(), &|k| fates.tables[k].entropy().to_vec());
    push("undecided".into(), &|k| {
        undecided(fates.tables[k].probabilities.view(), compared.shares.view()).to_vec()
    });
    push("reached".into(), &|k| fates.tables[k].reached.to_vec());
    push("descendants".into(), &|k| fates.tables[k].descendants.to_vec());
    let behind = all(&|k| compared.behind.effective[k].to_vec());
    table.with("terminal_cells", Cells::Floats(behind))
}
