//! Writes the couplings of a model, interval by interval.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::pipeline::couplings::options::WOT_GROWTH;
use crate::pipeline::couplings::write::{Interval, Writer};
use crate::pipeline::couplings::{CouplingOptions, Export};
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::recorded::write_recorded;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// A file of couplings. See [`couplings`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenCoupling {
    /// Path of the file.
    pub path: PathBuf,
    /// Share of the mass that the pairs in the file have; the smallest share of an interval if the file contains
    /// several.
    pub kept: f64,
}

/// Writes the couplings of `model` into the folder `out`, each file with its run record.
///
/// Memory: the pairs of one interval, or of all intervals for CellRank (12 bytes each).
///
/// ```
/// use sbcell::pipeline::{CouplingOptions, Export, couplings, example_model};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // days 0, 1 and 2
/// let options = CouplingOptions::default().with_format(Export::Csv);
/// let files = couplings(&folder.path().join("pairs"), &model, &options, &mut Silent)?;
/// assert_eq!(files.len(), 2);
/// assert!(files[0].path.ends_with("0_1.csv") && files[0].kept > 0.9);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`crate::Error::Parameter`] if `least` is out of range, a table would have too many columns, or the plan of the
/// bridges has no density in closed form;
/// [`crate::Error::Io`] if a file cannot be written.
pub fn couplings(
    out: &Path,
    model: &OpenModel,
    options: &CouplingOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<WrittenCoupling>> {
    options.check()?;
    let (epsilon, clones) = (options.links(), &options.clones);
    let course = CourseOfCells::restore_with(model, epsilon, clones, options.seed, progress)?;
    let lineage = course.neighbours(progress)?;
    let (links, times) = (lineage.links(), course.times());
    let writer = Writer { model, course: &course, lineage: &lineage };
    let record = |file: &Path, write: &dyn Fn(&Path) -> Result<()>| {
        write_recorded(file, "couplings", model, options, write)
    };
    let what = "writing couplings".to_string();
    progress::report(progress, Event::Begin { what, total: links.len() as u64 })?;
    let mut all = Vec::with_capacity(links.len());
    let mut files = Vec::new();
    // CellRank reads one matrix of all cells; the other tools read one file for each interval.
    let (mut together, mut least_kept) = (None, 1.0_f64);
    for (k, link) in links.iter().enumerate() {
        let coupling = link.coupling(options.least)?;
        let kept = coupling.kept() / link.marginals().0.sum();
        let path = out.join(options.format.file(times[k], times[k + 1]));
        if options.format == Export::Cellrank {
            all.push(coupling);
            (together, least_kept) = (Some(path), least_kept.min(kept));
        } else {
            let densities = if options.density {
                writer.densities(k, &coupling, Seed(options.seed))?
            } else {
                Vec::new()
            };
            let interval = Interval { k, coupling: &coupling, densities };
            record(&path, &|file: &Path| writer.interval(file, &interval, options.format))?;
            files.push(WrittenCoupling { path, kept });
        }
        progress::report(progress, Event::Step { done: k as u64 + 1 })?;
    }
    if let Some(path) = together {
        record(&path, &|file: &Path| writer.transition_matrix(file, &all))?;
        files.push(WrittenCoupling { path, kept: least_kept });
    }
    if options.format == Export::Wot {
        record(&out.join(WOT_GROWTH), &|file: &Path| writer.growth_table(file))?;
    }
    progress::report(progress, Event::End)?;
    Ok(files)
}
