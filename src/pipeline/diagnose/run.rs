//! Diagnostics of every interval and of every inner time of a model.

use ndarray::{Array2, Axis, s};
use rand::seq::SliceRandom;

use crate::bridge::Link;
use crate::error::Result;
use crate::io::model::OpenModel;
use crate::io::table::Table;
use crate::lineage::{
    Agreement, FarCells, Groups, Kink, Lineage, Signal, agreement, far_cells, kinks, signal,
};
use crate::pipeline::diagnose::DiagnoseOptions;
use crate::pipeline::diagnose::answers::answers;
use crate::pipeline::diagnose::tables::{cells, table};
use crate::pipeline::diagnose::warnings::warnings;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// The diagnostics of a model. See [`diagnose`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosed {
    /// The diagnostics of each interval.
    pub intervals: Vec<IntervalDiagnosis>,
    /// For each inner time the time and the kink of the course there.
    pub kinks: Vec<(f64, Kink)>,
    /// Three plain sentences: whether the couplings know more than chance, whether there are jumps, and whether
    /// cells die or turn.
    pub answers: Vec<String>,
    /// Warnings in words, with the way out.
    pub warnings: Vec<String>,
    /// One row for each interval: its times and all of its diagnostics.
    pub table: Table,
    /// One row for each cell of all times but the last: `id`, `time`, `later_cells`, `far_distance`, `far_mass`,
    /// `descendants`, `dying`, `straight_on`.
    pub cells: Table,
}

/// The diagnostics of one interval. See [`diagnose`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalDiagnosis {
    /// The earlier and the later time.
    pub times: (f64, f64),
    /// The information in the coupling, compared with permuted coordinates.
    pub signal: Signal,
    /// Distances, partners and growth of single cells.
    pub far: FarCells,
    /// Share of the mass that goes further than nine of ten random pairs of cells are apart.
    pub far_mass: f64,
    /// Share of dying cells: those with less than a tenth of the mean number of descendants.
    pub dying: f64,
    /// Mutual information between the groups of both times in nats, and by chance: its mean over permutations of
    /// the later groups; `None` without groups.
    pub of_groups: Option<(f64, f64)>,
    /// Agreement with the couplings of other solvers.
    pub agreement: Vec<Agreement>,
}

/// A dying cell has fewer descendants than this, relative to the mean cell.
pub(super) const DYING: f64 = 0.1;

/// Diagnoses every interval and every inner time of `model`.
///
/// Each interval is compared with permuted data and with the solvers `sinkhorn`, `ot` and `gaussian` on the same
/// cells and ε. Time for each interval is that of its coupling, of `2 + 3 permutations` entropic couplings of at most 1000
/// cells a side, and of the other solvers.
///
/// ```
/// use sbcell::pipeline::{DiagnoseOptions, diagnose, example_model};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // days 0, 1 and 2
/// let found = diagnose(&model, &DiagnoseOptions::default(), &mut Silent)?;
/// assert_eq!((found.intervals.len(), found.kinks.len(), found.answers.len()), (2, 1, 3));
/// assert!(found.intervals[0].signal.information <= found.intervals[0].signal.most);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the couplings, of the other solvers, and of reading groups.
pub fn diagnose(
    model: &OpenModel,
    options: &DiagnoseOptions,
    progress: &mut dyn Progress,
) -> Result<Diagnosed> {
    let course = CourseOfCells::restore(model, options.coupling_epsilon, options.seed, progress)?;
    let groups = if options.sets.is_named() {
        Some(options.sets.read(model, &course, progress)?)
    } else {
        None
    };
    let lineage = course.neighbours(progress)?;
    let lineage = &*lineage;
    let n = lineage.links().len();
    let what = "looking at every interval".to_string();
    progress::report(progress, Event::Begin { what, total: n as u64 })?;
    let mut intervals = Vec::with_capacity(n);
    for k in 0..n {
        intervals.push(interval(&course, lineage, groups.as_ref(), k, options)?);
        progress::report(progress, Event::Step { done: k as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    let kinks: Vec<(f64, Kink)> = kinks(lineage, course.snapshots())?
        .into_iter()
        .map(|kink| (course.times()[kink.place], kink))
        .collect();
    let answers = answers(&intervals, &kinks, model.pca.is_none());
    let warnings = warnings(&intervals, &kinks);
    let table = table(&intervals, course.process.scale);
    let cells = cells(model, &course, &intervals, &kinks);
    Ok(Diagnosed { intervals, kinks, answers, warnings, table, cells })
}

/// The diagnostics of the interval `k`.
fn interval(
    course: &CourseOfCells,
    lineage: &Lineage,
    groups: Option<&Groups>,
    k: usize,
    options: &DiagnoseOptions,
) -> Result<IntervalDiagnosis> {
    let times = course.times();
    let link = &lineage.links()[k];
    let source = course.process.coupling_source(k)?;
    let target = &course.process.snapshots[k + 1];
    let bridge = &*course.process.series.bridges()[k];
    let epsilon = course.epsilon(k);
    let seed = Seed(options.seed).child("diagnose", k as u64);
    let far = far_cells(link, &source, target, seed)?;
    let share = |of: &dyn Fn(usize) -> bool| {
        (0..far.growth.len()).filter(|&i| of(i)).count() as f64 / far.growth.len() as f64
    };
    let dying = share(&|i| far.growth[i] < DYING);
    let far_mass = link.marginals().0.dot(&far.beyond) / link.marginals().0.sum();
    let of_groups = match groups {
        None => None,
        // A single group on a side has nothing to split.
        Some(groups) if [k, k + 1].iter().any(|&at| groups.present(at).len() < 2) => None,
        Some(groups) => Some(splitting(link, groups, k, options.permutations, seed)?),
    };
    Ok(IntervalDiagnosis {
        times: (times[k], times[k + 1]),
        signal: signal(link, &source, target, epsilon, options.permutations, seed)?,
        far_mass,
        dying,
        of_groups,
        // Other solvers get the cells of the bridge, which has no growth that only couplings use.
        agreement: agreement(bridge, &course.process.source(k, times[k + 1])?, target)?,
        far,
    })
}

/// Mutual information between the groups of both ends of the interval `k`, and its mean over permutations of the
/// later groups. All permutations are pulled through the coupling in one product.
fn splitting(
    link: &Link,
    groups: &Groups,
    k: usize,
    permutations: usize,
    seed: Seed,
) -> Result<(f64, f64)> {
    let (sources, targets) = (groups.present(k), groups.present(k + 1));
    let own = groups.indicators(k, &sources);
    let ends = groups.indicators(k + 1, &targets);
    let n = ends.nrows();
    let mut all = Array2::zeros((n, targets.len() * (permutations + 1)));
    for number in 0..=permutations {
        let mut order: Vec<usize> = (0..n).collect();
        if number > 0 {
            order.shuffle(&mut seed.stream("diagnose/groups", number as u64));
        }
        for (place, &row) in order.iter().enumerate() {
            for g in 0..targets.len() {
                all[[place, number * targets.len() + g]] = ends[[row, g]];
            }
        }
    }
    let masses = own.t().dot(&link.pull(all.view())?);
    let of = |number: usize| {
        let first = number * targets.len();
        information(&masses.slice(s![.., first..first + targets.len()]).to_owned())
    };
    let by_chance = (1..=permutations).map(of).sum::<f64>() / permutations.max(1) as f64;
    Ok((of(0), by_chance))
}

/// Mutual information of a table of masses in nats, `Σ p_gh ln(p_gh / (p_g p_h))`; NaN without mass.
fn information(masses: &Array2<f64>) -> f64 {
    let total = masses.sum();
    if total <= 0.0 {
        return f64::NAN;
    }
    let (r, c) = (masses.sum_axis(Axis(1)), masses.sum_axis(Axis(0)));
    let of = |((g, h), mass): ((usize, usize), &f64)| {
        if *mass > 0.0 { mass / total * (mass * total / (r[g] * c[h])).ln() } else { 0.0 }
    };
    masses.indexed_iter().map(of).sum()
}
