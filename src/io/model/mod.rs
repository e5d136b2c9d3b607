//! A fitted model as a folder of documented files, written interval by interval.
//!
//! | file | content |
//! |---|---|
//! | `model.json` | [`Header`]: times, scale, noise, what was read; written last |
//! | `cells.parquet` | `cell`, `time`, `growth_prior` and `growth_rate` if growth is modelled, then the coordinates of every cell, in data units |
//! | `genes.parquet` | `gene`, `mean`, then the loadings; absent for an embedding from the file |
//! | `pcs.csv` | `pc`, `variance`, `share` of the total; absent for an embedding |
//! | `bridges/FROM_TO.json` | [`Interval`]: one bridge, how it was found and how well it fits |
//! | `networks.safetensors` | weights that the bridges share, if they are networks |
//! | `training.csv` | losses by step of these networks |
//! | `fit.csv` | one line for each interval |
//! | `run.json` | provenance |
//! | `validation.*` | scores of held-out times; absent with fewer than three times |
//!
//! While a fit runs, the folder has the suffix `.partial`; every file in it is whole.

mod derived;
mod exchange;
mod opened;
mod partial;
mod parts;
mod publish;
mod reading;

use std::path::Path;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::bridge::{BridgeRecord, FitReport};
use crate::error::{Error, Result};
use crate::io::model_check;
use crate::io::networks;
use crate::io::run::{LONGEST_JSON, read_json, read_json_of};
use crate::io::table::{self, Cells};
use crate::io::temporary::number_in_name;
use crate::preprocess::Pca;

pub use opened::OpenModel;
pub use partial::PartialModel;
pub(super) use publish::{OWN_NAMES, PLAN, VALIDATION};
pub use publish::{Published, check_output, partial_folder, recover};
pub use reading::{FileRecord, Reading, Source, TimeOptions, ValuesChoice};

/// The version of the layout that this sbcell writes and reads.
pub const FORMAT: u32 = 1;

pub(super) const HEADER: &str = "model.json";
const RUN: &str = "run.json";
const GENES: &str = "genes.parquet";
const BRIDGES: &str = "bridges";

/// What `model.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the layout.
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// SHA-256 over input, parameters and version: two fits with one plan are the same fit.
    pub plan: String,
    /// Column of `obs` that held the times.
    pub time_column: String,
    /// Unit of the times, empty if unknown.
    pub time_unit: String,
    /// The snapshots.
    pub snapshots: Vec<SnapshotRecord>,
    /// What was read: `X`, `layers/NAME`, `raw/X` or `obsm/KEY`.
    pub source: String,
    /// What was made of its values; absent for an embedding from the file, and in models of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValuesRecord>,
    /// Which cells and numbers were asked for; absent in models of older versions, see
    /// [`Header::reading`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// The file that was fitted; absent in models of older versions, see [`Header::fitted_file`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRecord>,
    /// Names of the coordinates.
    pub dimensions: Vec<String>,
    /// Bridges live in coordinates divided by this number.
    pub scale: f64,
    /// Variance of the reference process per unit of time, in data units.
    pub sigma2: f64,
    /// ε of the median interval, in scaled units.
    pub epsilon: f64,
    /// The seed.
    pub seed: u64,
    /// Variance along each component; empty for an embedding from the file.
    pub explained_variance: Vec<f64>,
    /// Variance over all genes; zero for an embedding from the file.
    pub total_variance: f64,
}

/// What was made of the values of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValuesRecord {
    /// They were used as they are.
    AsIs,
    /// Values of one depth, of which `ln(1 + x)` was taken.
    Normalised,
    /// Counts were brought to one depth, then `ln(1 + x)` was taken.
    Counts {
        /// The depth.
        depth: f64,
    },
}

/// One snapshot in `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// The label in the file.
    pub label: String,
    /// The time.
    pub time: f64,
    /// Number of cells.
    pub n_cells: usize,
}

/// One interval: its bridge, how it was found, how well it fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Time of the source snapshot.
    pub from: f64,
    /// Time of the target snapshot.
    pub to: f64,
    /// ε in scaled units and local time.
    pub epsilon: f64,
    /// How the solver went.
    pub report: FitReport,
    /// Distances of the bridge's end to the target snapshot, in data units, by name.
    pub fit: Vec<(String, Option<f64>)>,
    /// The bridge, in scaled coordinates and local time.
    pub bridge: BridgeRecord,
    /// Growth of the cells of the source snapshot, if something is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<IntervalGrowth>,
}

/// Growth rates over one interval, one for each cell of its source snapshot, per unit of the
/// times: a cell has `exp(rate Δt)` descendants after `Δt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalGrowth {
    /// What the solver was given.
    pub prior: Vec<f64>,
    /// What its plan implies; the prior if the solver keeps the marginal it is given.
    pub posterior: Vec<f64>,
}

/// A fitted model in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Times, scale, noise, what was read.
    pub header: Header,
    /// Names of the cells.
    pub cells: Vec<String>,
    /// Time of each cell.
    pub cell_times: Vec<f64>,
    /// Coordinates of each cell, `(n_cells, dim)`, in data units.
    pub points: Array2<f64>,
    /// Names of the genes, empty for an embedding from the file.
    pub genes: Vec<String>,
    /// The way from coordinates back to genes; `None` for an embedding from the file.
    pub pca: Option<Pca>,
    /// One bridge for each interval between neighbouring times.
    pub intervals: Vec<Interval>,
}

impl Model {
    /// Reads the folder that a fit wrote, and compares every file with the hash in `run.json`.
    ///
    /// A model that a fit had finished, but not put in its place when it died, is put there first.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is none, [`Error::Unreadable`] if a file is damaged, of a newer
    /// layout, or of another fit than the others, or if what they hold does not fit together.
    pub fn read(folder: &Path) -> Result<Self> {
        publish::settle(folder);
        let read =
            parts::steady(folder, || match model_check::whole(folder, Self::read_parts(folder)) {
                Ok(model) => parts::check(folder).map(|()| model),
                // What is missing may be missing because the files are of two fits.
                Err(error @ (Error::Io { .. } | Error::NoFile { .. })) => {
                    parts::check(folder).and(Err(error))
                }
                Err(error) => Err(error),
            });
        read.map_err(model_check::fit_again)
    }

    fn read_parts(folder: &Path) -> Result<Self> {
        let header = model_check::header(&folder.join(HEADER), read_header(folder)?)?;
        let path = folder.join("cells.parquet");
        let table = table::read_parquet(&path)?;
        let damaged = |problem: &str| Error::Unreadable {
            path: path.clone(),
            problem: problem.to_string(),
            way_out: Some("run `sbcell fit` again".into()),
        };
        let (Some(Cells::Texts(cells)), Some(Cells::Floats(cell_times))) =
            (table.column("cell"), table.column("time"))
        else {
            return Err(damaged("it lacks the columns `cell` and `time`"));
        };
        let points = table
            .floats(&header.dimensions)
            .ok_or_else(|| damaged("it lacks coordinates that model.json names"))?;
        let (genes, pca) = read_pca(folder, &header)?;
        let times: Vec<f64> = header.snapshots.iter().map(|snapshot| snapshot.time).collect();
        // No snapshot has more cells than there are, whatever the header says.
        let sizes = header.snapshots.iter().map(|snapshot| snapshot.n_cells.min(cells.len()));
        let sizes: Vec<usize> = sizes.collect();
        let mut intervals: Vec<Interval> = times
            .windows(2)
            .zip(sizes.windows(2))
            .map(|(pair, n)| {
                let most = longest_bridge([n[0], n[1]], header.dimensions.len());
                read_json_of(&folder.join(bridge_file(pair[0], pair[1])), most)
            })
            .collect::<Result<_>>()?;
        networks::attach(folder, &mut intervals)?;
        let (cells, cell_times) = (cells.clone(), cell_times.clone());
        Ok(Self { header, cells, cell_times, points, genes, pca, intervals })
    }
}

/// Reads `model.json` only.
///
/// # Errors
/// As [`Model::read`].
pub fn read_header(folder: &Path) -> Result<Header> {
    let path = folder.join(HEADER);
    if !path.exists() {
        return Err(Error::NoModel { folder: folder.to_path_buf() });
    }
    let format: FormatOnly = read_json(&path)?;
    if format.format != FORMAT {
        return Err(Error::Unreadable {
            path,
            problem: format!("it has format {}, this sbcell reads {FORMAT}", format.format),
            way_out: Some("fit again, or use the sbcell that wrote it".into()),
        });
    }
    read_json(&path)
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// What the solver tells beyond the common figures, in the order it tells it.
pub fn detail_names(intervals: &[Interval]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in intervals.iter().flat_map(|interval| &interval.report.details) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

pub(super) fn bridge_file(from: f64, to: f64) -> String {
    format!("{BRIDGES}/{}_{}.json", number_in_name(from), number_in_name(to))
}

/// Bytes of the file of a bridge between so many cells, at most: numbers of 40 bytes with their line, of
/// which there are four for each pair of cells, and two for each cell and dimension beside what goes
/// with the dimensions alone.
fn longest_bridge(cells: [usize; 2], dim: usize) -> u64 {
    let [n, m, dim] = [cells[0], cells[1], dim].map(|count| count as u64);
    let pairs = n.saturating_mul(m).saturating_mul(4);
    let of_cells = n.saturating_add(m).saturating_mul(2).saturating_mul(dim.saturating_add(2));
    pairs.saturating_add(of_cells).saturating_mul(40).saturating_add(LONGEST_JSON)
}

fn read_pca(folder: &Path, header: &Header) -> Result<(Vec<String>, Option<Pca>)> {
    let path = folder.join(GENES);
    if !path.exists() {
        return Ok((Vec::new(), None));
    }
    let genes = table::read_parquet(&path)?;
    let pcs = (genes.column("gene"), genes.column("mean"), genes.floats(&header.dimensions));
    let (Some(Cells::Texts(names)), Some(Cells::Floats(mean)), Some(loadings)) = pcs else {
        return Err(Error::Unreadable {
            path,
            problem: "it lacks columns that model.json names".into(),
            way_out: Some("run `sbcell fit` again".into()),
        });
    };
    let variance = Array1::from(header.explained_variance.clone());
    let pca = Pca::new(Array1::from(mean.clone()), loadings, variance, header.total_variance)
        .map_err(|error| model_check::damaged(&path, error))?;
    Ok((names.clone(), Some(pca)))
}
