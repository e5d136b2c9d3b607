//! The cells of a model, snapshot by snapshot, with the couplings between them.

use ndarray::{Array2, Axis};

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::{Result, number};
use crate::geometry::Epsilon;
use crate::io::model::{Interval, Model, OpenModel};
use crate::lineage::{Groups, Lineage, Resampled};
use crate::pipeline::fit::oddities::say_repeated;
use crate::pipeline::shared::clone_couplings::{Cells, CloneCoupling, CloneLinks};
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::notes;
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Event, Progress, Within};
use crate::rng::Seed;

/// A model with the couplings of all its intervals.
pub(crate) struct CourseOfCells {
    /// The bridges and snapshots.
    pub(crate) process: Process,
    /// The couplings between neighbouring snapshots.
    pub(crate) lineage: Lineage,
    /// For each time the rows of its cells in the model, increasing.
    pub(crate) rows: Vec<Vec<usize>>,
    /// For each interval ε of its coupling, in the units of the bridges.
    pub(crate) epsilons: Vec<Epsilon>,
    /// ε of the couplings, if they are not those of the bridges.
    pub(crate) own: Option<Epsilon>,
}

/// A model before its couplings are found.
struct Unlinked {
    process: Process,
    rows: Vec<Vec<usize>>,
    epsilons: Vec<Epsilon>,
    own: Option<Epsilon>,
}

impl Unlinked {
    /// The course with the coupling of every interval.
    fn linked(
        self,
        clones: Option<&CloneLinks>,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<CourseOfCells> {
        let Self { process, rows, epsilons, own } = self;
        let times = process.series.times().to_vec();
        let n = process.series.bridges().len();
        let what = "which cells go to which".to_string();
        progress::report(progress, Event::Begin { what, total: n as u64 * STEPS })?;
        let mut links: Vec<Link> = Vec::with_capacity(n);
        for (k, bridge) in process.series.bridges().iter().enumerate() {
            let source = process.coupling_source(k)?;
            let target = &process.snapshots[k + 1];
            let seed = Seed(seed).child("lineage/link", k as u64);
            let (from, to) = (k as u64 * STEPS, (k as u64 + 1) * STEPS);
            let mut within = Within::new(progress, from, to);
            links.push(match (clones, own) {
                (Some(clones), _) => clones.link(k, &source, target, epsilons[k])?,
                (None, Some(epsilon)) => {
                    Link::entropic_with(&source, target, epsilon, &mut within)?
                }
                (None, None) => bridge.link(&source, target, seed, &mut within)?,
            });
            progress::report(progress, Event::Step { done: to })?;
        }
        progress::report(progress, Event::End)?;
        let lineage = Lineage::new(times, links)?;
        Ok(CourseOfCells { process, lineage, rows, epsilons, own })
    }
}

impl CourseOfCells {
    /// Restores the bridges of `model` and finds the coupling of every interval, with an ε of its own or
    /// from the bridges.
    ///
    /// Source cells have the weights of their descendants at the end of the interval. Bridges whose
    /// coupling is drawn use `seed`. Time and memory are those of an entropic coupling, or of
    /// [`crate::bridge::Bridge::link`], once for each interval. A note says which couplings are used.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for an ε out of range; those of [`Process::restore`],
    /// [`Link::entropic`] and [`crate::bridge::Bridge::link`].
    pub(crate) fn restore(
        model: &Model,
        coupling: CouplingEpsilon,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        Self::unlinked(model, coupling, progress)?.linked(None, seed, progress)
    }

    /// As [`CourseOfCells::restore`], with couplings that use `clones` if they ask for it.
    ///
    /// # Errors
    /// As [`CourseOfCells::restore`], and those of [`CloneCoupling::prepare`].
    pub(crate) fn restore_with(
        model: &OpenModel,
        coupling: CouplingEpsilon,
        clones: &CloneCoupling,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let course = Self::unlinked(model, coupling, progress)?;
        let Unlinked { process, rows, epsilons, .. } = &course;
        let cells = Cells { process, rows, epsilons };
        let clones = clones.prepare(model, cells, seed, progress)?;
        course.linked(clones.as_ref(), seed, progress)
    }

    /// The course without its couplings.
    fn unlinked(
        model: &Model,
        coupling: CouplingEpsilon,
        progress: &mut dyn Progress,
    ) -> Result<Unlinked> {
        let own = own_epsilon(model, coupling, progress)?;
        say_repeated(&model.cells, progress)?;
        let process = Process::restore(model)?;
        let rows = rows_by_time(model, &process);
        let epsilons = epsilons(model, own)?;
        Ok(Unlinked { process, rows, epsilons, own })
    }

    /// Values of the cells of the model (one for each, in its order), split by time.
    pub(crate) fn by_time<T: Clone>(&self, values: &[T]) -> Vec<Vec<T>> {
        self.rows.iter().map(|rows| rows.iter().map(|&row| values[row].clone()).collect()).collect()
    }

    /// One snapshot for each time, in the coordinates of the bridges.
    pub(crate) fn snapshots(&self) -> &[Snapshot] {
        &self.process.snapshots
    }

    /// Index of the time `at`, or of the last time if it is `None`.
    ///
    /// # Errors
    /// [`crate::Error::NotObserved`] if no snapshot has this time.
    pub(crate) fn place_or_last(&self, at: Option<f64>) -> Result<usize> {
        at.map_or(Ok(self.lineage.times().len() - 1), |time| self.lineage.place(time))
    }

    /// Bootstrap resamples of the cells of each time, or of the batches that `resampling` names.
    ///
    /// # Errors
    /// Those of reading the column of batches.
    pub(crate) fn resampled(
        &self,
        model: &OpenModel,
        resampling: &Resampling<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Resampled<'_>> {
        let Resampling { data, batch, n_resamples, seed } = *resampling;
        let batches = match batch {
            None => None,
            Some(column) => {
                let labels = Fitted::open(model, data, progress)?.labels(column)?;
                notes::say_without_batch(&labels, column, progress)?;
                let batches = self.by_time(&labels);
                self.say_lone_batches(&batches, column, progress)?;
                Some(batches)
            }
        };
        let seed = Seed(seed).child("lineage/resamples", 0);
        Resampled::new(&self.lineage, batches.as_deref(), n_resamples, seed, progress)
    }

    /// Notes the times at which all cells are of one batch: resampling batches does not change them.
    fn say_lone_batches(
        &self,
        batches: &[Vec<String>],
        column: &str,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let lone: Vec<String> = batches
            .iter()
            .zip(self.lineage.times())
            .filter(|(labels, _)| labels.iter().all(|label| *label == labels[0]))
            .map(|(_, time)| time.to_string())
            .collect();
        if lone.is_empty() {
            return Ok(());
        }
        let text = format!(
            "`{column}` has a single value at {}: resampling it shows no scatter there, so no confidence \
             interval is computed through it",
            lone.join(", ")
        );
        progress::note(progress, text)
    }
}

/// Notes which couplings are used: entropic ones with the ε `own`, or those of the bridges.
fn say_couplings(own: Option<Epsilon>, model: &Model, progress: &mut dyn Progress) -> Result<()> {
    let of_bridges = number(model.header.epsilon);
    let text = match own {
        Some(own) => format!(
            "couplings are entropic with ε = {}; the bridges, for populations, have ε = {of_bridges}",
            number(own.value())
        ),
        None => format!("couplings are those of the bridges, with ε = {of_bridges}"),
    };
    progress::note(progress, text)
}

/// Units of the progress for one coupling.
const STEPS: u64 = 100;

/// ε of the couplings, if they are not those of the bridges. A note says which are used.
fn own_epsilon(
    model: &Model,
    coupling: CouplingEpsilon,
    progress: &mut dyn Progress,
) -> Result<Option<Epsilon>> {
    coupling.check()?;
    let own = match coupling {
        CouplingEpsilon::Auto => model.header.coupling_epsilon,
        CouplingEpsilon::Fit => None,
        CouplingEpsilon::Is(value) => Some(value),
    };
    let own = own.map(Epsilon::new).transpose()?;
    say_couplings(own, model, progress)?;
    Ok(own)
}

/// ε of each interval: `own`, or that of the bridges.
fn epsilons(model: &Model, own: Option<Epsilon>) -> Result<Vec<Epsilon>> {
    let of = |interval: &Interval| own.map_or_else(|| Epsilon::new(interval.epsilon), Ok);
    model.intervals.iter().map(of).collect()
}

/// For each time the rows of its cells in the model, increasing.
fn rows_by_time(model: &Model, process: &Process) -> Vec<Vec<usize>> {
    let of_time = |time: &f64| {
        let at = |cell: &usize| model.cell_times[*cell].total_cmp(time).is_eq();
        (0..model.cells.len()).filter(at).collect()
    };
    process.series.times().iter().map(of_time).collect()
}

/// How the cells of a course are resampled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resampling<'a> {
    /// Path of the fitted file, if it is not where the fit found it.
    pub(crate) data: Option<&'a str>,
    /// A column of `obs` whose values are resampled instead of cells.
    pub(crate) batch: Option<&'a str>,
    /// Number of resamples.
    pub(crate) n_resamples: usize,
    /// Seed of the resamples.
    pub(crate) seed: u64,
}

/// Equal weights over the cells of each group of `of` at time `place`: one column for each group, with sum one
/// where the group has cells.
pub(crate) fn even_sets(groups: &Groups, place: usize, of: &[usize]) -> Array2<f64> {
    let mut sets = groups.indicators(place, of);
    for mut column in sets.axis_iter_mut(Axis(1)) {
        let total: f64 = column.sum();
        if total > 0.0 {
            column /= total;
        }
    }
    sets
}
