//! The cells of an evaluation: read once, with their times, growth and batches.

use rand::seq::index;

use crate::error::{Error, Result};
use crate::io::hashed::Hashed;
use crate::io::run::InputRecord;
use crate::pipeline::evaluate::halves::second_half;
use crate::pipeline::evaluate::options::EvaluateOptions;
use crate::pipeline::fit::Plan;
use crate::pipeline::fit::growth::Given;
use crate::pipeline::fit::oddities::{Taking, say_values};
use crate::pipeline::fit::options::ValuesChoice;
use crate::pipeline::fit::selection::Selection;
use crate::pipeline::shared::coordinates::Raw;
use crate::pipeline::shared::notes::say_without_batch;
use crate::progress::{self, Progress, Silent};
use crate::rng::Seed;

/// All cells of an evaluation.
pub(super) struct Cells {
    /// Their values in memory, before normalisation.
    pub(super) raw: Raw<'static>,
    /// Their rows and times.
    pub(super) selection: Selection,
    /// Their growth prior.
    pub(super) growth: Given,
    /// The kind of the values, decided by all cells, so that it is the same in every fold.
    pub(super) values: ValuesChoice,
    /// The number of each cell's time, counted from zero.
    pub(super) numbers: Vec<usize>,
    /// Whether each cell is in the second half of its time ([`second_half`]).
    pub(super) second: Vec<bool>,
    /// The batch of each cell, if a column of batches is named.
    pub(super) batches: Option<Vec<String>>,
    /// The record of the file.
    pub(super) input: InputRecord,
}

impl Cells {
    /// Reads the values of the cells of `plan`, at most `cells_per_time` of each time. Computes the hash
    /// of the file unless a fit before knows it (`known`).
    ///
    /// # Errors
    /// Those of reading the file; an unknown column of batches; [`Error::EmptyTime`];
    /// [`Error::Cancelled`].
    pub(super) fn read(
        plan: &Plan,
        options: &EvaluateOptions,
        known: Option<&Hashed>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let (opened, fit) = (plan.file(), &options.fit);
        let (mut selection, mut growth) = (plan.selection().clone(), plan.growth().of_bridges());
        if let Some(most) = options.cells_per_time {
            let kept = draw(&mut selection, most, Seed(fit.seed), progress)?;
            growth = growth.select(&kept);
        }
        let batches = options
            .batch
            .as_ref()
            .map(|name| -> Result<Vec<String>> {
                let column = opened.obs(name)?;
                let label = |&row: &usize| column.label(row).unwrap_or_default();
                let labels: Vec<String> = selection.rows.iter().map(label).collect();
                say_without_batch(&labels, name, progress)?;
                Ok(labels)
            })
            .transpose()?;
        let raw = Raw::read_whole(opened, &selection, fit, &growth, progress)?;
        let (values, seen) = raw.settled(fit)?;
        let names = selection.cell_names(opened)?;
        // A fit before has noted it.
        let mut silent = Silent;
        let told: &mut dyn Progress = if known.is_some() { &mut silent } else { &mut *progress };
        let taking = Taking { selection: &selection, cells: &names, options: fit };
        say_values(&seen, taking, opened, told)?;
        let hashed = match known {
            Some(known) => known.clone(),
            None => Hashed::of(opened.files(), progress)?,
        };
        let record = hashed.record(opened.path(), selection.rows.len(), raw.n_genes());
        let times = selection.axis.times();
        let number = |time: &f64| times.partition_point(|other| other.total_cmp(time).is_lt());
        let numbers: Vec<usize> = selection.times.iter().map(number).collect();
        let second = second_half(&numbers, Seed(fit.seed));
        Ok(Self { raw, selection, growth, values, numbers, second, batches, input: record })
    }

    /// The times of the course in the unit of the time column, increasing.
    pub(super) fn times(&self) -> Vec<f64> {
        self.selection.axis.times()
    }

    /// The cells whose time has a number that `keep` accepts, increasing.
    pub(super) fn of(&self, keep: &dyn Fn(usize) -> bool) -> Vec<usize> {
        (0..self.numbers.len()).filter(|&cell| keep(self.numbers[cell])).collect()
    }

    /// The numbers of the times to hold out, counted from zero, increasing: the times `at`, or all inner
    /// times if `at` is empty.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the course has fewer than three times, or for the first or last time;
    /// [`Error::NotObserved`] for a time without cells.
    pub(super) fn held_out(&self, at: &[f64]) -> Result<Vec<usize>> {
        let times = self.times();
        let n_inner = times.len().saturating_sub(2);
        if n_inner == 0 {
            let must = "at least three, to hold one of them out";
            return Err(Error::Parameter {
                name: "times of the course",
                must,
                got: times.len().to_string(),
            });
        }
        if at.is_empty() {
            return Ok((1..=n_inner).collect());
        }
        let mut found = Vec::with_capacity(at.len());
        for wanted in at {
            let same = |time: &f64| (time - wanted).abs() <= 1e-9 * wanted.abs().max(1.0);
            match times.iter().position(same) {
                Some(k) if (1..=n_inner).contains(&k) => found.push(k),
                None => return Err(Error::NotObserved { time: *wanted, times: times.clone() }),
                _ => {
                    let must = "times of the file that are neither the first nor the last";
                    let got = wanted.to_string();
                    return Err(Error::Parameter { name: "at", must, got });
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// Keeps at most `most` cells of each time, drawn at random without replacement. Returns their
/// numbers in the selection as it was, increasing.
fn draw(
    selection: &mut Selection,
    most: usize,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Vec<usize>> {
    let mut kept = Vec::new();
    let mut drawn_from = 0;
    for (k, level) in selection.axis.levels.iter_mut().enumerate() {
        let of_time: Vec<usize> = (0..selection.times.len())
            .filter(|&cell| selection.times[cell].total_cmp(&level.time).is_eq())
            .collect();
        if of_time.len() <= most {
            kept.extend(of_time);
            continue;
        }
        drawn_from += 1;
        level.n_cells = most;
        let mut stream = seed.stream("evaluate/cells", k as u64);
        let places = index::sample(&mut stream, of_time.len(), most);
        kept.extend(places.into_iter().map(|place| of_time[place]));
    }
    if drawn_from > 0 {
        let text =
            format!("at most {most} cells of each time are used ({drawn_from} times had more)");
        progress::note(progress, text)?;
    }
    kept.sort_unstable();
    selection.rows = kept.iter().map(|&cell| selection.rows[cell]).collect();
    selection.times = kept.iter().map(|&cell| selection.times[cell]).collect();
    Ok(kept)
}
