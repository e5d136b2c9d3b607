//! `--at` and other times on the command line: numbers, or labels of snapshots.

use clap::Args;
use sbcell::Result;
use sbcell::data::time::KnownTimes;
use sbcell::io::model::Model;

/// `--at` of a command that takes several times. The command states the default in the help.
#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    /// Times, in the unit of the time column, or labels of snapshots
    #[arg(long, value_name = "TIME,…", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) at: Vec<String>,
}

impl AtArgs {
    /// The times, each at a snapshot or between two.
    ///
    /// # Errors
    /// As [`KnownTimes::any`].
    pub(crate) fn any(&self, known: &KnownTimes) -> Result<Vec<f64>> {
        self.at.iter().map(|text| known.any("--at", text)).collect()
    }

    /// The times, each at a snapshot.
    ///
    /// # Errors
    /// As [`KnownTimes::observed`].
    pub(crate) fn observed(&self, known: &KnownTimes) -> Result<Vec<f64>> {
        all_observed(known, "--at", &self.at)
    }
}

/// `--at` of a command that takes the cells of one snapshot. The command states the default in the
/// help.
#[derive(Debug, Args)]
pub(crate) struct AtOneArgs {
    /// Time of a snapshot, or its label
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    at: Option<String>,
}

impl AtOneArgs {
    /// The time, if one was given.
    ///
    /// # Errors
    /// As [`KnownTimes::observed`].
    pub(crate) fn observed(&self, known: &KnownTimes) -> Result<Option<f64>> {
        observed(known, "--at", self.at.as_ref())
    }
}

/// The times of the snapshots of `model`, with their labels and unit.
pub(crate) fn times_of(model: &Model) -> KnownTimes {
    let header = &model.header;
    let snapshots = header.snapshots.iter().map(|at| (at.label.clone(), at.time));
    KnownTimes::new(snapshots, &header.time_unit)
}

/// The times of snapshots that a flag lists.
///
/// # Errors
/// As [`KnownTimes::observed`].
pub(crate) fn all_observed(
    known: &KnownTimes,
    flag: &'static str,
    texts: &[String],
) -> Result<Vec<f64>> {
    texts.iter().map(|text| known.observed(flag, text)).collect()
}

/// The time of a snapshot that a flag names, if it was given.
///
/// # Errors
/// As [`KnownTimes::observed`].
pub(crate) fn observed(
    known: &KnownTimes,
    flag: &'static str,
    text: Option<&String>,
) -> Result<Option<f64>> {
    text.map(|text| known.observed(flag, text)).transpose()
}
