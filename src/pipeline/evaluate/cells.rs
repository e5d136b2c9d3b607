//! The cells of a course, read once, and their times.

use std::path::Path;

use rand::seq::index;

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::h5ad::H5ad;
use crate::io::run::InputRecord;
use crate::pipeline::config::ValuesChoice;
use crate::pipeline::evaluate::options::EvaluateOptions;
use crate::pipeline::growth::{Given, given};
use crate::pipeline::oddities::{Taking, say_values};
use crate::pipeline::prepare::{Selection, file_name, select};
use crate::pipeline::shared::coordinates::Raw;
use crate::pipeline::shared::notes::say_without_batch;
use crate::progress::{self, Progress, Silent};
use crate::rng::Seed;

/// All cells that take part, as they were read.
pub(super) struct Cells {
    pub(super) raw: Raw<'static>,
    pub(super) selection: Selection,
    pub(super) known: Given,
    /// What the values are taken to be, by all cells: the same in every fold.
    pub(super) values: ValuesChoice,
    /// The batch of each cell, if a column of batches is named.
    pub(super) batches: Option<Vec<String>>,
    pub(super) input: InputRecord,
}

impl Cells {
    /// Reads what any fold may need; hashes the file if its hash is not known.
    pub(super) fn read(
        (input, sha256): (&Path, Option<&str>),
        options: &EvaluateOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let opened = H5ad::open(input)?;
        let fit = &options.fit;
        let mut selection = select(&opened, fit, progress)?;
        fit.reference.check_times(&selection.axis)?;
        if let Some(most) = options.cells_per_time {
            draw(&mut selection, most, Seed(fit.seed), progress)?;
        }
        let known = given(&opened, &selection, &fit.growth, &fit.source, progress)?;
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
        let raw = Raw::read_whole(&opened, &selection, fit, &known, progress)?;
        let (values, seen) = raw.settled(fit)?;
        let names = opened.obs_names()?;
        let names: Vec<String> = selection.rows.iter().map(|&row| names[row].clone()).collect();
        // A fit that goes before has said it.
        let mut silent = Silent;
        let told: &mut dyn Progress = if sha256.is_some() { &mut silent } else { &mut *progress };
        let taking = Taking { selection: &selection, cells: &names, options: fit };
        say_values(&seen, taking, &opened, told)?;
        let sha256 = match sha256 {
            Some(known) => known.to_string(),
            None => file::sha256(input, progress)?,
        };
        let record = InputRecord {
            file: file_name(input),
            path: String::new(),
            sha256,
            cells: selection.rows.len(),
            genes: raw.n_genes(),
        };
        Ok(Self { raw, selection, known, values, batches, input: record })
    }

    /// The times, increasing.
    pub(super) fn times(&self) -> Vec<f64> {
        self.selection.axis.times()
    }

    /// The numbers of the times to hold out, counted from zero: those asked for, or all but the
    /// first and the last.
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

/// Keeps at most `most` cells of each time, drawn at random.
fn draw(
    selection: &mut Selection,
    most: usize,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<()> {
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
    Ok(())
}
