//! The networks of a model (`networks.safetensors`) and their learning curve (`training.csv`).

use std::path::Path;
use std::sync::Arc;

use crate::bridge::{CurvePoint, FlowNetworks};
use crate::error::{Error, Result};
use crate::io::file;
use crate::io::model::Interval;
use crate::io::table::{self, Cells, Table, TableFormat};

/// Name of the file of weights, which `safetensors.torch.load_file` can read.
pub const WEIGHTS: &str = "networks.safetensors";
/// Largest number of bytes of the weights: enough for layers of ten thousand units.
const LONGEST: u64 = 1 << 30;
/// Name of the file of the learning curve: losses by step.
pub const CURVE: &str = "training.csv";

/// Writes the networks of `interval`, which it shares with the other intervals. Does nothing if its
/// bridge has no networks.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub(super) fn write(folder: &Path, interval: &Interval) -> Result<()> {
    let Some(record) = interval.bridge.flow() else { return Ok(()) };
    let Some(networks) = &record.networks else { return Ok(()) };
    let bytes = networks.to_bytes()?;
    file::replace(&folder.join(WEIGHTS), |writer| writer.write_all(&bytes))?;
    let mut curve = Table::default();
    for (column, name) in CurvePoint::NAMES.into_iter().enumerate() {
        let values = networks.curve().iter().map(|point| point.values()[column]);
        curve.push(name.to_string(), Cells::Floats(values.collect()));
    }
    table::write(&folder.join(CURVE), &curve, TableFormat::Csv)
}

/// Reads the networks in `folder` and attaches them to the intervals whose bridges need them.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if it is damaged.
pub(super) fn attach(folder: &Path, intervals: &mut [Interval]) -> Result<()> {
    let mut shared: Option<Arc<FlowNetworks>> = None;
    for interval in intervals {
        let Some(record) = interval.bridge.flow_mut() else { continue };
        let networks = match &shared {
            Some(networks) => Arc::clone(networks),
            None => Arc::new(read(&folder.join(WEIGHTS))?),
        };
        shared = Some(Arc::clone(&networks));
        record.networks = Some(networks);
    }
    Ok(())
}

fn read(path: &Path) -> Result<FlowNetworks> {
    let bytes = file::read_bytes(path, LONGEST)?;
    FlowNetworks::from_bytes(&bytes).map_err(|error| Error::Unreadable {
        path: path.to_path_buf(),
        problem: error.to_string(),
        way_out: Some("run `sbcell fit` again".into()),
    })
}
