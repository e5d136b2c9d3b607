//! The plan of a fit: an open file with the cells, times and growth that are chosen in it.

use std::path::Path;

use crate::bridge::Property;
use crate::data::time::KnownTimes;
use crate::error::Result;
use crate::io::h5ad::H5ad;
use crate::pipeline::fit::auto_growth::Search;
use crate::pipeline::fit::growth::{Given, GrowthPrior, given};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::selection::{Selection, select};
use crate::pipeline::shared::recorder::Recorder;
use crate::progress::{Progress, note};

/// A fit before it runs: the open file, and the cells, times and growth that are chosen in it.
///
/// [`Plan::read`] refuses everything that the annotation of the file rules out, before any long
/// computation. The matrix is not read. [`Plan::estimate`] says what the fit would take,
/// [`Plan::run`] fits, [`Plan::evaluate`] and [`Plan::validate`] score predictions of held-out
/// times. All of them use the same selection.
///
/// ```
/// use sbcell::pipeline::{FitOptions, Plan, TimeOptions};
///
/// # fn main() -> sbcell::Result<()> {
/// let data = "data-samples/semrau2017_mesc_ra.h5ad";
/// let time = TimeOptions::default().with_column(Some("time".into())).with_map(None);
/// let options = FitOptions::default().with_time(time);
/// let plan = Plan::read(data.as_ref(), &options, &mut sbcell::Silent)?;
/// assert_eq!(plan.selection().axis.times(), [0.0, 6.0, 12.0, 24.0, 36.0, 48.0, 60.0, 72.0, 96.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Plan {
    /// The open file.
    pub(super) file: H5ad,
    /// The parameters of the fit, checked.
    pub(super) options: FitOptions,
    /// The rows and times of the selected cells.
    pub(super) selection: Selection,
    /// The growth prior of the selected cells.
    pub(super) growth: Given,
    /// The notes on the selection, which `progress` has heard.
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Opens `input` (a file, or a folder or list of files), selects the cells that `options` names, and reads their times and growth.
    ///
    /// Notes about the selection go to `progress` once. The plan keeps them for the run records
    /// of everything that is made from it.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a value out of range; those of opening the file and of
    /// [`select`]; an Ornstein-Uhlenbeck rate that does not fit the intervals; a growth prior that
    /// the file does not have, or that lacks cells; [`crate::Error::Cancelled`].
    pub fn read(input: &Path, options: &FitOptions, progress: &mut dyn Progress) -> Result<Self> {
        options.check()?;
        let mut progress = Recorder::new(progress);
        let file = H5ad::open(input)?;
        for text in file.notes()? {
            note(&mut progress, text)?;
        }
        let selection = select(&file, options, &mut progress)?;
        options.reference.check_times(&selection.axis)?;
        let unasked = options.growth.prior == GrowthPrior::Auto;
        let growth = if unasked && options.solver.has(Property::Relaxes) {
            Given::Auto(Search::Nothing("the relaxed weights of the solver give the growth".into()))
        } else {
            given(&file, &selection, &options.growth, &options.source, &mut progress)?
        };
        let notes = progress.into_notes();
        Ok(Self { file, options: options.clone(), selection, growth, notes })
    }

    /// The options that the plan was read with.
    pub fn options(&self) -> &FitOptions {
        &self.options
    }

    /// The selected cells with their times.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The times of the selection, by which a user can name one: as a number or as a label.
    pub fn known_times(&self) -> KnownTimes {
        let axis = &self.selection.axis;
        let levels = axis.levels.iter().map(|level| (level.label.clone(), level.time));
        KnownTimes::new(levels, &axis.unit.to_string())
    }

    /// The open file.
    pub(crate) fn file(&self) -> &H5ad {
        &self.file
    }

    /// The growth prior of the selected cells.
    pub(crate) fn growth(&self) -> &Given {
        &self.growth
    }

    /// The notes of [`Plan::read`].
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}
