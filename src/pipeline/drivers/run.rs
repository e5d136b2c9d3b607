//! Genes whose expression correlates with a fate probability.

use ndarray::{Array1, Axis};

use crate::error::{Error, Result};
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{Driver, drivers as correlate, goes_with_depth};
use crate::pipeline::drivers::DriverOptions;
use crate::pipeline::fates::of_course;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::expression::Expressed;
use crate::progress::{self, Progress};

/// Above this correlation of a fate with the depth of cells, a note warns of it.
const WITH_DEPTH: f64 = 0.2;

/// The correlation of a gene with a fate. See [`drivers`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct DriverRow {
    /// Name of the fate.
    pub fate: String,
    /// Name of the gene.
    pub gene: String,
    /// The correlation with its interval, p- and q-values, and the effect.
    pub driver: Driver,
}

/// Genes whose expression correlates with the fate probabilities of cells, by fate and then by correlation.
///
/// Expression and fate probability are compared after the mean of each time is subtracted. A correlation does not
/// show a causal role, and p-values are too small for genes that determine the coordinates, from which the
/// probabilities were computed. A note warns of a fate that correlates with the depth of cells. Memory: the expression of the genes in all cells (4 bytes
/// each).
///
/// ```
/// use sbcell::pipeline::{CellSets, DriverOptions, DriverRow, FateOptions, drivers, example_model};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // Sox2 rises in left cells
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let fates = FateOptions::default().with_sets(sets);
/// let options = DriverOptions::default().with_fates(fates).with_times(vec![1.0]).with_genes(None);
/// let rows = drivers(&model, &options, &mut Silent)?;
/// assert_eq!((rows[0].fate.as_str(), rows[0].gene.as_str()), ("left", "Sox2"));
/// assert_eq!(DriverRow::table(&rows).n_rows(), 8); // four genes, two fates
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`fates`](crate::pipeline::fates()); [`Error::NoGenes`] if none of the genes is in the file;
/// [`Error::Parameter`] for a time that is not before the last terminal time.
pub fn drivers(
    model: &OpenModel,
    options: &DriverOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<DriverRow>> {
    let DriverOptions { fates, times, genes } = options;
    let (epsilon, clones) = (fates.coupling_epsilon, &fates.clones);
    let course = CourseOfCells::restore_with(model, epsilon, clones, fates.seed, progress)?;
    let groups = fates.sets.read_at(model, &course, fates.at, progress)?;
    let found = of_course(model, &course, &groups, fates, progress)?.fates;
    let last = found.tables.len() - 1;
    let places: Vec<usize> = if times.is_empty() {
        (0..last).collect()
    } else {
        times.iter().map(|&time| course.place(time)).collect::<Result<_>>()?
    };
    if let Some(&late) = places.iter().find(|&&k| k >= last) {
        let (name, must) = ("times", "before the last terminal time");
        let got = course.times()[late].to_string();
        return Err(Error::Parameter { name, must, got });
    }
    let data = fates.sets.data.as_deref();
    let Expressed { genes: names, values } =
        Expressed::read(model, data, genes.as_deref(), progress)?;
    let rows: Vec<usize> = places.iter().flat_map(|&k| course.rows[k].clone()).collect();
    let at: Vec<f64> = rows.iter().map(|&row| model.cell_times[row]).collect();
    let values = values.select(Axis(0), &rows);
    let mut all = Vec::new();
    for (f, fate) in found.names.iter().enumerate() {
        let fate_of = |&k: &usize| found.tables[k].probabilities.column(f).to_vec();
        let probability: Array1<f64> = places.iter().flat_map(fate_of).collect();
        let depth = goes_with_depth(values.view(), probability.view(), &at)?;
        if f == 0 && depth.abs() > WITH_DEPTH {
            let text = format!(
                "fate {fate} goes with how much was measured of a cell (correlation {depth:.2} with the sum \
                 of all genes): look at `beyond_depth`, or fit on counts that are scaled to one depth"
            );
            progress::note(progress, text)?;
        }
        for driver in correlate(values.view(), probability.view(), &at)? {
            all.push(DriverRow { fate: fate.clone(), gene: names[driver.gene].clone(), driver });
        }
    }
    Ok(all)
}

impl DriverRow {
    /// The rows as a table: `fate`, `gene`, `correlation`, `lo`, `hi`, `effect`, `beyond_depth`, `pvalue`, `qvalue`, `n_cells`.
    pub fn table(rows: &[Self]) -> Table {
        let numbers = |of: &dyn Fn(&Driver) -> f64| {
            Cells::Floats(rows.iter().map(|row| of(&row.driver)).collect())
        };
        let ends = |of: &dyn Fn(&Driver) -> f64| {
            Cells::Floats(rows.iter().map(|row| of(&row.driver)).collect())
        };
        Table::default()
            .with("fate", Cells::Texts(rows.iter().map(|row| row.fate.clone()).collect()))
            .with("gene", Cells::Texts(rows.iter().map(|row| row.gene.clone()).collect()))
            .with("correlation", numbers(&|driver| driver.correlation))
            .with("lo", ends(&|driver| driver.lo))
            .with("hi", ends(&|driver| driver.hi))
            .with("effect", numbers(&|driver| driver.effect))
            .with("beyond_depth", numbers(&|driver| driver.beyond_depth))
            .with("pvalue", numbers(&|driver| driver.p_value))
            .with("qvalue", numbers(&|driver| driver.q_value))
            .with(
                "n_cells",
                Cells::Integers(rows.iter().map(|row| row.driver.n_cells as i64).collect()),
            )
    }
}
