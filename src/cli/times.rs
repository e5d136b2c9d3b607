//! Times as they are given on the command line: numbers, or labels of snapshots.

use sbcell::Result;
use sbcell::data::time::KnownTimes;
use sbcell::io::model::Model;

/// The times of `model`, by which flags are read.
pub(crate) fn times_of(model: &Model) -> KnownTimes {
    let header = &model.header;
    let snapshots = header.snapshots.iter().map(|at| (at.label.clone(), at.time));
    KnownTimes::new(snapshots, &header.time_unit)
}

/// All times of a flag, of snapshots or between them.
pub(crate) fn any(known: &KnownTimes, flag: &'static str, texts: &[String]) -> Result<Vec<f64>> {
    texts.iter().map(|text| known.any(flag, text)).collect()
}

/// The time of a snapshot, if there is one.
pub(crate) fn observed(
    known: &KnownTimes,
    flag: &'static str,
    text: Option<&String>,
) -> Result<Option<f64>> {
    text.map(|text| known.observed(flag, text)).transpose()
}
