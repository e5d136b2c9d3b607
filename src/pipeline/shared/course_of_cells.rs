//! The cells of a model, snapshot by snapshot, with the couplings between them.

use std::borrow::Cow;
use std::sync::OnceLock;

use ndarray::{Array2, Axis};

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::{Error, Result, number};
use crate::geometry::Epsilon;
use crate::io::model::{Interval, Model, OpenModel};
use crate::lineage::{Apart, GROUP_NOISE, Groups, Lineage, apart};
use crate::pipeline::fit::oddities::say_repeated;
use crate::pipeline::shared::clone_couplings::{Cells, CloneCoupling, CloneLinks};
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::notes;
use crate::pipeline::shared::process::Process;
use crate::pipeline::shared::resampling::Resampling;
use crate::progress::{self, Event, Progress, Within};
use crate::rng::Seed;

/// A model with its cells, and the couplings between them.
///
/// Couplings go straight from one time to another, or from interval to interval (a chain). The chain is
/// computed when it is first asked for.
pub(crate) struct CourseOfCells {
    /// The bridges and snapshots.
    pub(crate) process: Process,
    /// For each time the rows of its cells in the model, increasing.
    pub(crate) rows: Vec<Vec<usize>>,
    /// For each interval ε of its coupling in the chain, in the units of the bridges.
    pub(crate) epsilons: Vec<Epsilon>,
    /// ε of couplings between any two times, if they are not those of the bridges.
    pub(crate) own: Option<Epsilon>,
    /// Whether cells choose among groups of later cells by [`apart`].
    by_groups: bool,
    /// Couplings that keep to clones.
    clones: Option<CloneLinks>,
    /// Seed of the couplings that are drawn.
    seed: u64,
    /// The chain.
    chain: OnceLock<Lineage>,
}

impl CourseOfCells {
    /// Restores the bridges of `model`. Couplings have an ε of their own, or are those of the bridges. A note
    /// says which couplings are used.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for an ε out of range; those of [`Process::restore`].
    pub(crate) fn restore(
        model: &Model,
        coupling: CouplingEpsilon,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let course = Self::unlinked(model, coupling, seed, progress)?;
        course.say_couplings(model, progress)?;
        Ok(course)
    }

    /// As [`CourseOfCells::restore`], without the note on couplings.
    fn unlinked(
        model: &Model,
        coupling: CouplingEpsilon,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let own = own_epsilon(model, coupling)?;
        let by_groups = own.is_some() && coupling == CouplingEpsilon::Auto;
        say_repeated(&model.cells, progress)?;
        let process = Process::restore(model)?;
        let rows = rows_by_time(model, &process);
        let epsilons = epsilons(model, coupling, own)?;
        let chain = OnceLock::new();
        Ok(Self { process, rows, epsilons, own, by_groups, clones: None, seed, chain })
    }

    /// Notes which couplings are used.
    fn say_couplings(&self, model: &Model, progress: &mut dyn Progress) -> Result<()> {
        let of_bridges = number(model.header.epsilon);
        let own = self.own.map(|own| number(own.value()));
        let text = match (&self.clones, own) {
            (Some(_), own) => format!(
                "couplings are entropic and keep to clones, with ε = {}; the bridges, for populations, have \
                 ε = {of_bridges}",
                own.unwrap_or_else(|| number(self.epsilons[0].value()))
            ),
            (None, Some(own)) if self.by_groups => format!(
                "couplings are entropic with ε = {own}; where groups of later cells are asked for, they go by \
                 means and covariance, with a larger ε if groups are wide; the bridges, for populations, have \
                 ε = {of_bridges}"
            ),
            (None, Some(own)) => format!(
                "couplings are entropic with ε = {own}; the bridges, for populations, have ε = {of_bridges}"
            ),
            (None, None) => {
                format!(
                    "couplings are those of the bridges, with ε = {of_bridges}, in a chain of intervals"
                )
            }
        };
        progress::note(progress, text)
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
        let mut course = Self::unlinked(model, coupling, seed, progress)?;
        let Self { process, rows, epsilons, .. } = &course;
        let cells = Cells { process, rows, epsilons };
        course.clones = clones.prepare(model, cells, seed, progress)?;
        course.say_couplings(model, progress)?;
        Ok(course)
    }

    /// The couplings of all intervals: entropic ones with a part of ε for each interval, ones that keep to
    /// clones, or those of the bridges.
    ///
    /// Source cells have the weights of their descendants at the end of the interval. Bridges whose
    /// coupling is drawn use the seed. Time and memory are those of an entropic coupling, or of
    /// [`crate::bridge::Bridge::link`], once for each interval.
    ///
    /// # Errors
    /// Those of [`Link::entropic`] and [`crate::bridge::Bridge::link`].
    pub(crate) fn chain(&self, progress: &mut dyn Progress) -> Result<&Lineage> {
        if let Some(chain) = self.chain.get() {
            return Ok(chain);
        }
        let n = self.epsilons.len();
        let what = "which cells go to which".to_string();
        progress::report(progress, Event::Begin { what, total: n as u64 * STEPS })?;
        let mut links: Vec<Link> = Vec::with_capacity(n);
        for (k, bridge) in self.process.series.bridges().iter().enumerate() {
            let source = self.process.coupling_source(k)?;
            let target = &self.process.snapshots[k + 1];
            let seed = Seed(self.seed).child("lineage/link", k as u64);
            let (from, to) = (k as u64 * STEPS, (k as u64 + 1) * STEPS);
            let mut within = Within::new(progress, from, to);
            links.push(match (&self.clones, self.own) {
                (Some(clones), _) => clones.link([k, k + 1], &source, target, self.epsilons[k])?,
                (None, Some(_)) => {
                    Link::entropic_with(&source, target, self.epsilons[k], &mut within)?
                }
                (None, None) => bridge.link(&source, target, seed, &mut within)?,
            });
            progress::report(progress, Event::Step { done: to })?;
        }
        progress::report(progress, Event::End)?;
        let lineage = Lineage::new(self.times().to_vec(), links)?;
        Ok(self.chain.get_or_init(|| lineage))
    }

    /// Whether couplings go straight from one time to another. Those of bridges do not.
    pub(crate) fn is_straight(&self) -> bool {
        self.own.is_some()
    }

    /// The couplings to the time of place `end` from all times before it: straight ones, in which cells choose
    /// among the `groups` of that time by [`apart`], or the chain.
    ///
    /// # Errors
    /// As [`CourseOfCells::chain`].
    pub(crate) fn lineage_to(
        &self,
        end: usize,
        groups: Option<&Groups>,
        progress: &mut dyn Progress,
    ) -> Result<Cow<'_, Lineage>> {
        if end == 0 || !self.is_straight() {
            return Ok(Cow::Borrowed(self.chain(progress)?));
        }
        let pairs: Vec<[usize; 2]> = (0..end).map(|k| [k, end]).collect();
        let links = self.all_straight(&pairs, groups, progress)?;
        Ok(Cow::Owned(Lineage::straight(self.times()[..=end].to_vec(), links)?))
    }

    /// The coupling straight from the time of place `from` to that of place `to`, in which cells choose among the
    /// `groups` of that time by [`apart`].
    ///
    /// # Errors
    /// [`Error::Parameter`] if couplings are those of the bridges; as [`CourseOfCells::chain`].
    pub(crate) fn straight_between(
        &self,
        from: usize,
        to: usize,
        groups: &Groups,
        progress: &mut dyn Progress,
    ) -> Result<Lineage> {
        let links = self.all_straight(&[[from, to]], Some(groups), progress)?;
        Lineage::straight([from, to].map(|k| self.times()[k]).to_vec(), links)
    }

    /// The couplings of all intervals, each with the ε of couplings between any two times: those on which
    /// single intervals depend.
    ///
    /// # Errors
    /// As [`CourseOfCells::chain`].
    pub(crate) fn neighbours(&self, progress: &mut dyn Progress) -> Result<Cow<'_, Lineage>> {
        let n = self.epsilons.len();
        if n == 1 || !self.is_straight() {
            return Ok(Cow::Borrowed(self.chain(progress)?));
        }
        let pairs: Vec<[usize; 2]> = (0..n).map(|k| [k, k + 1]).collect();
        let links = self.all_straight(&pairs, None, progress)?;
        Ok(Cow::Owned(Lineage::new(self.times().to_vec(), links)?))
    }

    /// ε of the coupling over interval `k` alone.
    pub(crate) fn epsilon(&self, k: usize) -> Epsilon {
        self.own.unwrap_or(self.epsilons[k])
    }

    /// The couplings from the time of place `from` to that of place `to`: a straight one, or the chain.
    ///
    /// # Errors
    /// As [`CourseOfCells::chain`].
    pub(crate) fn between(
        &self,
        from: usize,
        to: usize,
        groups: Option<&Groups>,
        progress: &mut dyn Progress,
    ) -> Result<Way<'_>> {
        if from >= to || !self.is_straight() {
            let places = (0..self.times().len()).collect();
            return Ok(Way { lineage: Cow::Borrowed(self.chain(progress)?), places, from, to });
        }
        let links = self.all_straight(&[[from, to]], groups, progress)?;
        let times = [from, to].map(|k| self.times()[k]).to_vec();
        let lineage = Cow::Owned(Lineage::new(times, links)?);
        Ok(Way { lineage, places: vec![from, to], from: 0, to: 1 })
    }

    /// The couplings that go straight from the first to the second place of each of `pairs`.
    fn all_straight(
        &self,
        pairs: &[[usize; 2]],
        groups: Option<&Groups>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Link>> {
        let what = "which cells go to which".to_string();
        progress::report(progress, Event::Begin { what, total: pairs.len() as u64 * STEPS })?;
        let mut links = Vec::with_capacity(pairs.len());
        for (number, &[from, to]) in pairs.iter().enumerate() {
            let (begun, done) = (number as u64 * STEPS, (number as u64 + 1) * STEPS);
            let mut within = Within::new(progress, begun, done);
            links.push(self.straight(from, to, groups, &mut within)?);
            progress::report(progress, Event::Step { done })?;
        }
        progress::report(progress, Event::End)?;
        Ok(links)
    }

    /// The coupling straight from the time of place `from` to that of place `to`.
    fn straight(
        &self,
        from: usize,
        to: usize,
        groups: Option<&Groups>,
        progress: &mut dyn Progress,
    ) -> Result<Link> {
        let Some(own) = self.own else {
            let (name, must) =
                ("coupling_epsilon", "a number, for couplings over several intervals");
            return Err(Error::Parameter { name, must, got: "fit".into() });
        };
        let source = self.straight_source(from, to, progress)?;
        let target = &self.process.snapshots[to];
        let Apart { target, epsilon } = match groups {
            Some(groups) => self.apart(target, groups.at(to), own)?,
            None => Apart { target: target.clone(), epsilon: own },
        };
        match &self.clones {
            Some(clones) => clones.link([from, to], &source, &target, epsilon),
            None => Link::entropic_with(&source, &target, epsilon, progress),
        }
    }

    /// The cells of `target`, and ε, for couplings in which cells choose among its groups ([`apart`]).
    ///
    /// # Errors
    /// As [`apart`].
    pub(crate) fn apart(
        &self,
        target: &Snapshot,
        groups: &[Option<usize>],
        epsilon: Epsilon,
    ) -> Result<Apart> {
        if self.by_groups {
            return apart(target, groups, epsilon, GROUP_NOISE);
        }
        Ok(Apart { target: target.clone(), epsilon })
    }

    /// The cells of place `from` with the weights of their descendants at place `to`. Growth over later
    /// intervals is that of the descendants along the chain.
    fn straight_source(
        &self,
        from: usize,
        to: usize,
        progress: &mut dyn Progress,
    ) -> Result<Snapshot> {
        if !(from + 1..to).any(|k| self.process.has_growth(k)) {
            return self.process.coupling_source(from);
        }
        let chain = self.chain(progress)?;
        let mut descendants = Array2::ones((chain.n_cells(to), 1));
        for k in (from..to).rev() {
            descendants = chain.expect(k, descendants.view())?;
        }
        let weights = descendants.column(0).to_owned();
        let total = weights.sum();
        Snapshot::weighted(self.process.snapshots[from].points().to_owned(), weights / total)
    }

    /// The times of the course.
    pub(crate) fn times(&self) -> &[f64] {
        self.process.series.times()
    }

    /// Place of the observed time `time`.
    ///
    /// # Errors
    /// [`Error::NotObserved`].
    pub(crate) fn place(&self, time: f64) -> Result<usize> {
        let found = self.times().iter().position(|other| other.total_cmp(&time).is_eq());
        found.ok_or_else(|| Error::NotObserved { time, times: self.times().to_vec() })
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
        at.map_or(Ok(self.times().len() - 1), |time| self.place(time))
    }

    /// The batches that `resampling` names, for each time those of its cells; `None` if it resamples cells.
    ///
    /// # Errors
    /// Those of reading the column of batches.
    pub(crate) fn batches(
        &self,
        model: &OpenModel,
        resampling: &Resampling<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Vec<Vec<String>>>> {
        let Some(column) = resampling.batch else { return Ok(None) };
        let labels = Fitted::open(model, resampling.data, progress)?.labels(column)?;
        notes::say_without_batch(&labels, column, progress)?;
        let batches = self.by_time(&labels);
        say_lone_batches(&batches, self.times(), column, progress)?;
        Ok(Some(batches))
    }
}

/// The couplings on the way between two times.
pub(crate) struct Way<'a> {
    /// The couplings.
    pub(crate) lineage: Cow<'a, Lineage>,
    /// The places of their times in the course.
    pub(crate) places: Vec<usize>,
    /// Place of the earlier time among these.
    pub(crate) from: usize,
    /// Place of the later time among these.
    pub(crate) to: usize,
}

/// Notes the times at which all cells are of one batch: resampling batches does not change them.
fn say_lone_batches(
    batches: &[Vec<String>],
    times: &[f64],
    column: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    let lone: Vec<String> = batches
        .iter()
        .zip(times)
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

/// Units of the progress for one coupling.
const STEPS: u64 = 100;

/// ε of the couplings between any two times, if they are not those of the bridges.
fn own_epsilon(model: &Model, coupling: CouplingEpsilon) -> Result<Option<Epsilon>> {
    coupling.check()?;
    let own = match coupling {
        CouplingEpsilon::Auto => model.header.coupling_epsilon,
        CouplingEpsilon::Fit => None,
        CouplingEpsilon::Is(value) => Some(value),
    };
    own.map(Epsilon::new).transpose()
}

/// ε of the coupling of each interval in a chain: a part of a chosen ε, such that the whole chain is about
/// as wide as one coupling with it; a given ε as it is; or that of the bridge.
fn epsilons(
    model: &Model,
    coupling: CouplingEpsilon,
    own: Option<Epsilon>,
) -> Result<Vec<Epsilon>> {
    let part = match coupling {
        CouplingEpsilon::Auto => (model.intervals.len().max(1) as f64).sqrt(),
        _ => 1.0,
    };
    let of =
        |interval: &Interval| Epsilon::new(own.map_or(interval.epsilon, |own| own.value() / part));
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
