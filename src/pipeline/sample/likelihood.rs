//! Draws from the law of a time times a likelihood that the user gives, cell by cell.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array1;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::cell_table::CellTable;
use crate::io::model::Model;
use crate::pipeline::sample::run::{Source, draw, warn};
use crate::pipeline::sample::{SampleOptions, Sampled};
use crate::pipeline::shared::population::Population;
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Progress};
use crate::rng::Seed;

/// Below this effective number of cells a note warns of a likelihood that leaves few of them.
const FEW: f64 = 30.0;

/// The logarithm of a likelihood, up to a constant, at every observed cell of a time.
///
/// See [`sample_posterior`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Likelihood {
    /// The value of each cell by its name; −∞ for a cell that the data exclude.
    pub logs: BTreeMap<String, f64>,
}

/// Reads a likelihood: a table with the names of cells in the first column and log likelihoods in the
/// second, `-inf` for a likelihood of zero.
///
/// # Errors
/// As [`CellTable::read`]; [`Error::Unreadable`] if there is another number of columns, or a value is no
/// number, missing or +∞.
pub fn read_likelihood(path: &Path) -> Result<Likelihood> {
    let unreadable = |problem: String| Error::Unreadable {
        path: path.to_path_buf(),
        problem,
        way_out: Some("the file needs a header, such as `cell,loglik`, and two columns".into()),
    };
    let CellTable { cells, mut columns } = CellTable::read(path)?;
    let Some((_, column)) = columns.pop().filter(|_| columns.is_empty()) else {
        return Err(unreadable("it has more than two columns".into()));
    };
    let values: Vec<f64> = match column {
        Column::Floats(values) => values,
        Column::Integers(values) => {
            values.into_iter().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect()
        }
        _ => return Err(unreadable("its second column contains text".into())),
    };
    if let Some(k) = values.iter().position(|value| value.is_nan() || *value == f64::INFINITY) {
        return Err(unreadable(format!("`{}` has the log likelihood {}", cells[k], values[k])));
    }
    Ok(Likelihood { logs: cells.into_iter().zip(values).collect() })
}

/// Draws from the distribution of the one time `options.at` times a likelihood (Bayesian inference with
/// the snapshot as the prior).
///
/// Every cell gets a weight proportional to its likelihood, `w_i ∝ exp(ℓ_i)`: importance weights, exact for
/// many cells. Draws are those of [`crate::pipeline::sample()`] from the weighted cells. The likelihood may
/// have any form, because it is needed at the cells alone. If it leaves few cells, a note says so.
///
/// ```
/// use sbcell::pipeline::{Likelihood, SampleOptions, example_model, sample_posterior};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// // Only cells to the right of zero.
/// let logs = model.cells.iter().enumerate().map(|(row, cell)| {
///     let right = model.points[[row, 0]] > 0.0;
///     (cell.clone(), if right { 0.0 } else { f64::NEG_INFINITY })
/// });
/// let likelihood = Likelihood { logs: logs.collect() };
/// let options = SampleOptions::default().with_at(vec![2.0]).with_n_cells(Some(50));
/// let sampled = sample_posterior(&model, &likelihood, &options, &mut Silent)?;
/// assert!(sampled.populations[0].points.column(0).mean().unwrap() > 0.0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`crate::pipeline::sample()`]; [`Error::Parameter`] if `at` is not one time, or with the parameters of
/// null courses or measured cells, if a cell of the time has no value, or if all are −∞;
/// [`Error::NotObserved`] for a time without a snapshot.
pub fn sample_posterior(
    model: &Model,
    likelihood: &Likelihood,
    options: &SampleOptions,
    progress: &mut dyn Progress,
) -> Result<Sampled> {
    options.check(model)?;
    let refuse = |name, must, got: String| Err(Error::Parameter { name, must, got });
    if options.null.is_some() || options.measured.is_some() {
        let must = "used without a null course and without measured cells";
        return refuse("likelihood", must, "both".into());
    }
    let [time] = options.at[..] else {
        let got = format!("{} times", options.at.len());
        return refuse("at", "one time, with a likelihood of cells", got);
    };
    let process = Process::restore(model)?;
    process.series.locate(time)?;
    let times = process.series.times();
    let Some(k) = times.iter().position(|known| known.total_cmp(&time).is_eq()) else {
        return refuse(
            "at",
            "the time of a snapshot, with a likelihood of cells",
            time.to_string(),
        );
    };
    let weights = weights(model, likelihood, time)?;
    let source = Source::weighted(&process, k, &weights)?;
    let seed = Seed(options.seed).child("sample", time.to_bits());
    let n_draws = options.n_cells.unwrap_or(weights.len());
    let (draws, mut report) = draw(&source, n_draws, options, seed, progress)?;
    report.time = Some(time);
    if report.effective_cells < FEW {
        let text = format!(
            "time {time}: the likelihood leaves {:.1} cells (effective number) of {}, so draws repeat few \
             cells",
            report.effective_cells,
            weights.len()
        );
        progress::note(progress, text)?;
    }
    warn(&report, progress)?;
    let populations = vec![Population::generated(time, draws * process.scale)];
    Ok(Sampled { populations, reports: vec![report] })
}

/// The likelihood of each cell at `time`, in the order of the model, relative to the largest.
///
/// # Errors
/// [`Error::Parameter`] if a cell has no value, or none is above −∞.
fn weights(model: &Model, likelihood: &Likelihood, time: f64) -> Result<Array1<f64>> {
    let at = |row: &usize| model.cell_times[*row].total_cmp(&time).is_eq();
    let logs = (0..model.cells.len()).filter(at).map(|row| {
        let cell = &model.cells[row];
        likelihood.logs.get(cell).copied().ok_or_else(|| Error::Parameter {
            name: "likelihood",
            must: "a value for every cell of the time",
            got: format!("none for `{cell}`"),
        })
    });
    let logs: Vec<f64> = logs.collect::<Result<_>>()?;
    let largest = logs.iter().fold(f64::NEG_INFINITY, |most: f64, log| most.max(*log));
    if !largest.is_finite() {
        let (name, must) = ("likelihood", "above zero for some cell of the time");
        return Err(Error::Parameter { name, must, got: format!("exp({largest})") });
    }
    Ok(logs.iter().map(|log| (log - largest).exp()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Likelihood> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loglik.csv");
        std::fs::write(&path, text).unwrap();
        read_likelihood(&path)
    }

    #[test]
    fn a_table_is_read_with_zero_likelihoods_and_others_are_refused() {
        let found = read("cell,loglik\na,-1.5\nb,-inf\n").unwrap();
        assert!((found.logs["a"] + 1.5).abs() < 1e-15);
        assert!(found.logs["b"].is_infinite() && found.logs["b"] < 0.0);
        assert!((read("cell,loglik\na,2\n").unwrap().logs["a"] - 2.0).abs() < 1e-15);
        for (text, words) in [
            ("cell,loglik\na,inf\n", "`a` has the log likelihood inf"),
            ("cell,loglik\na,1\nb,\n", "`b` has the log likelihood NaN"),
            ("cell,loglik\na,high\n", "contains text"),
            ("cell,x,y\na,1,2\n", "more than two columns"),
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
