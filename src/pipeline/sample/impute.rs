//! Measured cells completed: mean and standard deviation of the genes that were not measured.

use ndarray::{Array2, Axis};

use crate::data::GeneIndex;
use crate::error::{Error, Result};
use crate::io::measured::MeasuredTable;
use crate::io::model::Model;
use crate::pipeline::fit::selection::no_genes;
use crate::pipeline::sample::run::{NEIGHBOUR, Source, report, warn};
use crate::pipeline::sample::{BandwidthChoice, MeasuredOptions, SampleOptions, SampleReport};
use crate::pipeline::shared::asked_genes::refuse_strangers;
use crate::pipeline::shared::population::Space;
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Progress};
use crate::rng::Seed;
use crate::sampler::{ChosenBandwidth, Observed, Sampler, SelfBridge};

/// Largest number of draws in memory at a time; cells are completed in groups.
const HELD: usize = 100_000;

/// Measured cells with the distribution of their other genes or coordinates.
///
/// See [`impute`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Imputed {
    /// Names of the cells, as in the table of measurements.
    pub cells: Vec<String>,
    /// Names of the genes or coordinates that were not measured.
    pub names: Vec<String>,
    /// Mean of the draws, `(n_cells, n_names)`.
    pub mean: Array2<f64>,
    /// Standard deviation of the draws, `(n_cells, n_names)`.
    pub deviation: Array2<f64>,
    /// How the draws were made.
    pub report: SampleReport,
}

/// Completes the cells of `table`: the distribution of the genes that were not measured, given those that were.
///
/// Each cell is drawn `n_draws` times from the law of the one time `options.at`, conditional on its
/// measurements. These are genes on the scale that was fitted, or coordinates. Both are linear functions of the
/// coordinates of the bridges, and each step of a chain is conditioned on them (Gottwald et al. 2024). Memory: at
/// most 100 000 draws at a time, in genes with [`Space::Genes`].
///
/// ```
/// use sbcell::io::measured::MeasuredTable;
/// use sbcell::pipeline::{MeasuredOptions, SampleOptions, example_model, impute};
/// use sbcell::pipeline::Space;
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let table = MeasuredTable {
///     cells: vec!["mine".into()],
///     columns: vec!["Sox2".into()],
///     values: ndarray::array![[4.0]], // log1p of normalised counts
/// };
/// let measured = MeasuredOptions { file: "mine.csv".into(), deviation: 0.1, n_draws: 20 };
/// let options = SampleOptions::default().with_at(vec![2.0]).with_measured(Some(measured)).with_space(Space::Genes);
/// let imputed = impute(&model, &table, &options, &mut Silent)?;
/// assert_eq!(imputed.names, ["Gata6", "Nanog", "Actb"]);
/// assert!(imputed.deviation.iter().all(|sd| *sd >= 0.0));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`crate::pipeline::sample()`]; [`Error::NoGenes`] if the model has none of the columns;
/// [`Error::Parameter`] if `at` is not one time, or if exact measurements determine all coordinates.
pub fn impute(
    model: &Model,
    table: &MeasuredTable,
    options: &SampleOptions,
    progress: &mut dyn Progress,
) -> Result<Imputed> {
    options.check(model)?;
    let Some(how) = &options.measured else {
        let (name, must) = ("given", "set for measured cells");
        return Err(Error::Parameter { name, must, got: "nothing".into() });
    };
    let time = check_measured(options, how)?;
    let process = Process::restore(model)?;
    let seed = Seed(options.seed).child("sample", time.to_bits());
    let source = Source::at(&process, time, seed)?;
    let known = Known::new(model, table, progress)?;
    let observed = Observed::new(known.map.clone(), known.values.clone(), how.deviation)?;
    if how.deviation <= 0.0 && observed.rank()? >= observed.dim() {
        let (name, must) = (
            "given",
            "fewer measurements than coordinates, so that something is \
                             left to draw (or give their error, with the parameter `observe` and its `observe_sd`)",
        );
        let got = format!("{} for {}", observed.rank()?, observed.dim());
        return Err(Error::Parameter { name, must, got });
    }
    let neighbour =
        options.variable.then_some(NEIGHBOUR.min(source.cells.n_cells().saturating_sub(1)));
    let own = seed.child("sample/bandwidth", 0);
    let chosen = match options.bandwidth {
        BandwidthChoice::Auto => {
            let (map, deviation) = (known.map.view(), how.deviation);
            let cells = &source.cells;
            ChosenBandwidth::for_prediction(cells, map, deviation, neighbour, own, progress)?
        }
        other => other.bandwidth()?.choose(&source.cells, neighbour, own, progress)?,
    };
    let bridge = SelfBridge::new(&source.cells, chosen.epsilon, neighbour, progress)?;
    let sampler = Sampler { scheme: options.scheme, n_steps: options.n_steps };
    let wanted = Wanted::new(model, &known, options.space);
    let shape = (table.cells.len(), wanted.names.len());
    let (mut mean, mut deviation) = (Array2::zeros(shape), Array2::zeros(shape));
    let group = (HELD / how.n_draws).max(1);
    for (number, rows) in (0..table.cells.len()).collect::<Vec<_>>().chunks(group).enumerate() {
        let values = known.values.select(Axis(0), rows);
        let some = Observed::new(known.map.clone(), values, how.deviation)?;
        let seed = seed.child("sample/impute", number as u64);
        let draws = sampler.sample_given(&bridge, &some.repeated(how.n_draws), seed, progress)?;
        let draws = wanted.of(draws * process.scale, model)?;
        for (&row, draws) in rows.iter().zip(draws.axis_chunks_iter(Axis(0), how.n_draws)) {
            mean.row_mut(row).assign(&(draws.sum_axis(Axis(0)) / how.n_draws as f64));
            deviation.row_mut(row).assign(&draws.std_axis(Axis(0), 1.0));
        }
    }
    let n_draws = how.n_draws * table.cells.len();
    let report =
        SampleReport { time: Some(time), ..report(&source, &bridge, chosen, n_draws, None)? };
    warn(&report, progress)?;
    Ok(Imputed { cells: table.cells.clone(), names: wanted.names, mean, deviation, report })
}

/// The time of the measured cells.
///
/// # Errors
/// [`Error::Parameter`] if `at` is not one time, or the number of draws is out of range.
fn check_measured(options: &SampleOptions, how: &MeasuredOptions) -> Result<f64> {
    let refuse = |name, must, got: String| Err(Error::Parameter { name, must, got });
    if options.n_cells.is_some() {
        return refuse(
            "n_cells",
            "left out with measured cells (see the parameter `draws`)",
            "both".into(),
        );
    }
    if how.n_draws < 2 {
        return refuse("draws", "at least 2", how.n_draws.to_string());
    }
    match options.at.as_slice() {
        [time] => Ok(*time),
        times => refuse("at", "one time, that of the measured cells", times.len().to_string()),
    }
}

/// Measurements as linear functions of the coordinates of the bridges: `values = map · x`.
struct Known {
    /// The map, `(n_names, dim)`: rows of the loadings, or single coordinates, times the scale.
    map: Array2<f64>,
    /// Measured values less the mean of the gene, `(n_cells, n_names)`.
    values: Array2<f64>,
    /// Names of the columns that the model has.
    names: Vec<String>,
}

impl Known {
    /// The columns of `table` that are coordinates or genes of `model`. A note names the others.
    ///
    /// # Errors
    /// [`Error::NoGenes`] if the model has none of them; those of [`refuse_strangers`].
    fn new(model: &Model, table: &MeasuredTable, progress: &mut dyn Progress) -> Result<Self> {
        let (scale, dimensions) = (model.header.scale, &model.header.dimensions);
        let place = |names: &[String], name: &String| names.iter().position(|other| other == name);
        let index = GeneIndex::new(&model.genes);
        let gene_of = |name: &String| index.find(name).map(|gene| gene.places[0]);
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        let (mut names, mut unknown) = (Vec::new(), Vec::new());
        for (column, name) in table.columns.iter().enumerate() {
            let measured = table.values.column(column).to_owned();
            let mut row = vec![0.0; dimensions.len()];
            if let Some(d) = place(dimensions, name) {
                row[d] = scale;
                columns.push(measured);
            } else if let (Some(pca), Some(gene)) = (&model.pca, gene_of(name)) {
                row = pca.loadings().row(gene).mapv(|loading| loading * scale).to_vec();
                columns.push(measured - pca.mean()[gene]);
            } else {
                unknown.push(name.clone());
                continue;
            }
            names.push(name.clone());
            rows.extend(row);
        }
        if names.is_empty() {
            let there = if model.genes.is_empty() { dimensions } else { &model.genes };
            return Err(no_genes(&table.columns, there));
        }
        refuse_strangers(&table.columns, &model.genes, names.len())?;
        if !unknown.is_empty() {
            let text = format!(
                "{} of {} columns are neither genes nor coordinates of the model, and left out: {}",
                unknown.len(),
                table.columns.len(),
                unknown.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
            );
            progress::note(progress, text)?;
        }
        let shape = |error: ndarray::ShapeError| Error::Numerical {
            what: "laying out what was measured",
            why: error.to_string(),
        };
        let map = Array2::from_shape_vec((names.len(), dimensions.len()), rows).map_err(shape)?;
        let views: Vec<_> = columns.iter().map(|column| column.view()).collect();
        let values = ndarray::stack(Axis(1), &views).map_err(shape)?;
        Ok(Self { map, values, names })
    }
}

/// The genes or coordinates that were not measured.
struct Wanted {
    names: Vec<String>,
    columns: Vec<usize>,
    space: Space,
}

impl Wanted {
    /// All genes or coordinates of `model` that are not among the measurements.
    fn new(model: &Model, known: &Known, space: Space) -> Self {
        let all = match space {
            Space::Pca => &model.header.dimensions,
            Space::Genes => &model.genes,
        };
        let columns: Vec<usize> =
            (0..all.len()).filter(|&column| !known.names.contains(&all[column])).collect();
        let names = columns.iter().map(|&column| all[column].clone()).collect();
        Self { names, columns, space }
    }

    /// Their values for cells at `points` (data units), `(n, n_names)`.
    fn of(&self, points: Array2<f64>, model: &Model) -> Result<Array2<f64>> {
        let all = match (self.space, &model.pca) {
            (Space::Genes, Some(pca)) => pca.inverse(points.view())?,
            _ => points,
        };
        Ok(all.select(Axis(1), &self.columns))
    }
}
