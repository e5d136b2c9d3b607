//! The predicted fates of early cells against the fates of their late sisters.

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};

use crate::error::{Error, Result};
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{Clones, Fates, Groups, Sisters};
use crate::metrics::Resamples;
use crate::pipeline::clones::nearest::shares_of_nearest;
use crate::pipeline::clones::scored::{self, ClonePredictor, CloneScore, Scored};
use crate::pipeline::clones::{CloneScoreOptions, words};
use crate::pipeline::fates::{self, FateOptions};
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::recorder::Recorder;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Scores of predicted fates against clones. See [`score_clones`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct CloneScores {
    /// All scores: time by time, then means over times if there are several.
    pub scores: Vec<CloneScore>,
    /// Time of the late sisters.
    pub terminal_time: f64,
    /// The scores as a table: `time` (empty for the mean over times), `terminal_time`, `fate` (`(all)` for
    /// all fates together), `metric`, `predictor`, `value` with its 95 % interval (`lo`, `hi`),
    /// `difference` of the model minus this predictor with its interval, `n_cells`, `n_clones`.
    pub table: Table,
    /// One row for each scored cell: `id`, `time`, `clone`, `sisters` (their number with a fate), then for
    /// each fate its share among the sisters (`FATE_observed`) and the probabilities of the predictors
    /// (`FATE_model`, `FATE_nearest20`, `FATE_nearest80`).
    pub cells: Table,
    /// Plain sentences: the model against each baseline.
    pub summary: Vec<String>,
    /// Notes of the run.
    pub notes: Vec<String>,
}

/// Scores the fate probabilities of `model` against the fates of late sisters: cells of the terminal time in
/// the same clone.
///
/// Each early cell with enough late sisters has one prediction (its fate probabilities) and one observation
/// (the shares of the fates among its sisters). [`crate::metrics::FateMetric`] defines the scores.
/// Confidence intervals (95 %) resample clones, not cells, because cells of a clone are not independent.
/// Baselines are scored on the same cells and resamples: the shares of the terminal groups, and the fates of
/// the 20 and 80 nearest cells of the terminal time in the coordinates of the model. The couplings do not use
/// the clones. Time is that of the couplings and `2 n m d` flops for the neighbours.
///
/// ```
/// use sbcell::Silent;
/// use sbcell::pipeline::{CellSets, CloneKeys, CloneScoreOptions, example_model, score_clones};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // cell types left and right, no barcodes
/// let options = CloneScoreOptions::default()
///     .with_sets(CellSets::default().with_groupby(Some("cell_type".into())))
///     .with_clones(CloneKeys::default().with_keys(vec!["batch".into()]));
/// // The batches stand for clones here.
/// let found = score_clones(&model, &options, &mut Silent)?;
/// assert_eq!(found.scores[0].n_clones, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`fates`](crate::pipeline::fates()) and of reading clones; [`Error::NotObserved`] for a time
/// without a snapshot; [`Error::Parameter`] if a scored time is not before the terminal time, or no cell has
/// late sisters.
pub fn score_clones(
    model: &OpenModel,
    options: &CloneScoreOptions,
    progress: &mut dyn Progress,
) -> Result<CloneScores> {
    crate::error::range::at_least_one("min_sisters", options.min_sisters)?;
    let mut progress = Recorder::new(progress);
    let epsilon = options.coupling_epsilon;
    let course = CourseOfCells::restore(model, epsilon, options.seed, &mut progress)?;
    let end = course.place_or_last(options.terminal_time)?;
    let early = early(&course, options, end)?;
    let clones = options.clones.read(model, |labels| course.by_time(labels), &mut progress)?;
    let groups = options.sets.read(model, &course, &mut progress)?;
    let of_fates = FateOptions::default()
        .with_sets(options.sets.clone())
        .with_at(Some(course.times()[end]))
        .with_only(options.only.clone())
        .with_bootstrap(0)
        .with_seed(options.seed);
    let fates = fates::of_course(model, &course, &groups, &of_fates, &mut progress)?.fates;
    let job = Job { course: &course, clones: &clones, fates: &fates, end, options };
    let late = LateFates::of(&groups, &fates.names, end)?;
    let found = job.found(&early, &late, &mut progress)?;
    let what = "scoring fates by clones".to_string();
    progress::report(&mut progress, Event::Begin { what, total: found.len() as u64 })?;
    let (times, n_clones) = job.scored(&found, &late, &mut progress)?;
    let scores = scored::scores(&times, &fates.names, n_clones)?;
    progress::report(&mut progress, Event::End)?;
    let terminal_time = course.times()[end];
    Ok(CloneScores {
        table: scored::table(&scores, terminal_time),
        cells: job.table(model, &found, &times),
        summary: words::summary(&scores, options.bootstrap),
        scores,
        terminal_time,
        notes: progress.into_notes(),
    })
}

/// The error of no cell with `least` late sisters, if the largest number of a cell is `most`.
fn without_sisters(least: usize, most: usize) -> Error {
    if most == 0 {
        let (name, must) =
            ("clone_key", "barcodes that cells of an earlier and of the terminal time share");
        let got = "no cell with late sisters in the terminal groups".into();
        return Error::Parameter { name, must, got };
    }
    let (name, must) = (
        "min_sisters",
        "at most the largest number of late sisters in the terminal groups of a cell",
    );
    Error::Parameter { name, must, got: format!("{least}, and no cell has more than {most}") }
}

/// Places of the times that are scored.
///
/// # Errors
/// [`Error::NotObserved`]; [`Error::Parameter`] for a time that is not before the terminal time.
fn early(course: &CourseOfCells, options: &CloneScoreOptions, end: usize) -> Result<Vec<usize>> {
    if options.at.is_empty() {
        return Ok((0..end).collect());
    }
    let mut places = Vec::with_capacity(options.at.len());
    for &time in &options.at {
        let place = course.place(time)?;
        if place >= end {
            let (name, must) = ("at", "before the terminal time");
            return Err(Error::Parameter { name, must, got: time.to_string() });
        }
        places.push(place);
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

/// The fates of the cells of the terminal time.
struct LateFates {
    /// The fate of each cell, `None` for other groups.
    of_cells: Vec<Option<usize>>,
    /// The cells with a fate.
    cells: Vec<usize>,
    /// Their fates.
    fates: Vec<usize>,
    /// Share of each fate among them.
    shares: Vec<f64>,
}

impl LateFates {
    /// The fates `names` are groups of the time of place `end`.
    fn of(groups: &Groups, names: &[String], end: usize) -> Result<Self> {
        let numbers: Vec<usize> =
            names.iter().map(|name| groups.find(name)).collect::<Result<_>>()?;
        let fate = |group: &Option<usize>| numbers.iter().position(|n| Some(*n) == *group);
        let of_cells: Vec<Option<usize>> = groups.at(end).iter().map(fate).collect();
        let cells: Vec<usize> = (0..of_cells.len()).filter(|&j| of_cells[j].is_some()).collect();
        let fates: Vec<usize> = of_cells.iter().flatten().copied().collect();
        let n = fates.len().max(1) as f64;
        let share = |f: usize| fates.iter().filter(|fate| **fate == f).count() as f64 / n;
        let shares = (0..names.len()).map(share).collect();
        Ok(Self { of_cells, cells, fates, shares })
    }
}

/// The parts of a model that are scored.
struct Job<'a> {
    course: &'a CourseOfCells,
    clones: &'a Clones,
    fates: &'a Fates,
    /// Place of the terminal time.
    end: usize,
    options: &'a CloneScoreOptions,
}

impl Job<'_> {
    /// The cells with late sisters, by place of their time. A note names times without any.
    ///
    /// # Errors
    /// [`Error::Parameter`] if no time has such cells.
    fn found(
        &self,
        early: &[usize],
        late: &LateFates,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(usize, Sisters)>> {
        let (n_fates, least) = (self.fates.names.len(), self.options.min_sisters);
        let mut found = Vec::new();
        let mut empty = Vec::new();
        for &k in early {
            let of_time = self.clones.sisters(k, self.end, &late.of_cells, n_fates, least)?;
            if of_time.cells.is_empty() {
                empty.push(self.course.times()[k].to_string());
            } else {
                found.push((k, of_time));
            }
        }
        if found.is_empty() {
            let most = |&k: &usize| self.clones.most_sisters(k, self.end, &late.of_cells, n_fates);
            return Err(without_sisters(least, early.iter().map(most).max().unwrap_or(0)));
        }
        if !empty.is_empty() {
            let text = format!("no cell at {} has enough late sisters", empty.join(", "));
            progress::note(progress, text)?;
        }
        Ok(found)
    }

    /// Predictions for the cells `found`, and the number of clones of all of them.
    fn scored(
        &self,
        found: &[(usize, Sisters)],
        late: &LateFates,
        progress: &mut dyn Progress,
    ) -> Result<(Vec<Scored>, usize)> {
        let families: Vec<usize> =
            found.iter().flat_map(|of| of.1.families.iter().copied()).collect();
        // The same resamples of clones at all times.
        let seed = Seed(self.options.seed).child("clones/resamples", 0);
        let resamples = Resamples::of_groups(&families, self.options.bootstrap, seed);
        let count = |families: &[usize]| families.iter().collect::<BTreeSet<_>>().len();
        let least = 1.0 / (self.course.rows[self.end].len() as f64 + 2.0);
        let mut times = Vec::with_capacity(found.len());
        let mut first = 0;
        for (done, (k, sisters)) in found.iter().enumerate() {
            let rows: Vec<usize> = (first..first + sisters.cells.len()).collect();
            first += sisters.cells.len();
            let own = resamples.select(&rows);
            times.push(Scored {
                time: self.course.times()[*k],
                scoring: crate::metrics::FateScoring::new(
                    sisters.counts.clone(),
                    own,
                    &sisters.families,
                )?,
                predicted: self.predicted(*k, sisters, late, progress)?,
                least,
                n_clones: count(&sisters.families),
            });
            progress::report(progress, Event::Step { done: done as u64 + 1 })?;
        }
        Ok((times, count(&families)))
    }

    /// The probabilities of all predictors for cells at place `k`, in the order of [`ClonePredictor::ALL`].
    ///
    /// A cell of which no descendant reaches a fate has the shares of the terminal groups; a note counts
    /// such cells.
    fn predicted(
        &self,
        k: usize,
        sisters: &Sisters,
        late: &LateFates,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Array2<f64>>> {
        let (n, n_fates) = (sisters.cells.len(), late.shares.len());
        let mut model = self.fates.tables[k].probabilities.select(Axis(0), &sisters.cells);
        let mut unknown = 0;
        for mut row in model.rows_mut() {
            if row.iter().any(|p| !p.is_finite()) {
                unknown += 1;
                row.iter_mut().zip(&late.shares).for_each(|(p, share)| *p = *share);
            }
        }
        if unknown > 0 {
            let text = format!(
                "{unknown} of {n} cells at {} have no descendants in the terminal groups: the shares of \
                 these groups are their prediction",
                self.course.times()[k]
            );
            progress::note(progress, text)?;
        }
        let points = self.course.snapshots()[k].points().select(Axis(0), &sisters.cells);
        let after = self.course.snapshots()[self.end].points().select(Axis(0), &late.cells);
        let ks: Vec<usize> = ClonePredictor::ALL
            .iter()
            .filter_map(|of| if let ClonePredictor::Nearest(k) = of { Some(*k) } else { None })
            .collect();
        let mut near =
            shares_of_nearest(points.view(), after.view(), &late.fates, n_fates, &ks)?.into_iter();
        let constant = || Array2::from_shape_fn((n, n_fates), |(_, f)| late.shares[f]);
        let of = |predictor: &ClonePredictor| match predictor {
            ClonePredictor::Model => model.clone(),
            ClonePredictor::Shares => constant(),
            ClonePredictor::Nearest(_) => near.next().unwrap_or_else(constant),
        };
        Ok(ClonePredictor::ALL.iter().map(of).collect())
    }

    /// The table [`CloneScores::cells`].
    fn table(&self, model: &OpenModel, found: &[(usize, Sisters)], times: &[Scored]) -> Table {
        let (mut ids, mut at, mut clones, mut numbers) = (vec![], vec![], vec![], vec![]);
        for (k, sisters) in found {
            for (row, &cell) in sisters.cells.iter().enumerate() {
                ids.push(model.cells[self.course.rows[*k][cell]].clone());
                at.push(self.course.times()[*k]);
                let level = self.clones.level(sisters.levels[row]);
                clones.push(level.names()[sisters.clones[row]].clone());
                numbers.push(sisters.counts.row(row).sum() as i64);
            }
        }
        let mut table = Table::default()
            .with("id", Cells::Texts(ids))
            .with("time", Cells::Floats(at))
            .with("clone", Cells::Texts(clones))
            .with("sisters", Cells::Integers(numbers));
        for (f, name) in self.fates.names.iter().enumerate() {
            let share = |row: ndarray::ArrayView1<'_, f64>| row[f] / row.sum();
            let observed =
                found.iter().flat_map(|of| of.1.counts.rows().into_iter().map(share)).collect();
            table.push(format!("{name}_observed"), Cells::Floats(observed));
            for (p, predictor) in ClonePredictor::ALL.into_iter().enumerate() {
                if predictor == ClonePredictor::Shares {
                    continue;
                }
                let values = times.iter().flat_map(|of| of.predicted[p].column(f).to_vec());
                let values = Cells::Floats(values.collect());
                table.push(format!("{name}_{}", predictor.name()), values);
            }
        }
        table
    }
}
