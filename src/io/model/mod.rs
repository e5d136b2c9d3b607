//! A fitted model: a folder of documented files, written interval by interval.
//!
//! | file | content |
//! |---|---|
//! | `model.json` | [`Header`]: times, scale, noise, input; written last |
//! | `cells.parquet` | `cell`, `time`, `growth_prior` and `growth_rate` if growth is modelled, `growth_coupling` if only couplings use it, then the coordinates of every cell, in data units |
//! | `genes.parquet` | `gene`, `mean`, then the loadings; absent for an embedding from the file |
//! | `pcs.csv` | `pc`, `variance`, `share` of the total; absent for an embedding |
//! | `scree.csv` | `component`, `eigenvalue` of the correlation matrix of the genes, `noise_edge`, `kept`; only if the data chose the number of components |
//! | `scree.svg` | the same as a chart |
//! | `coupling.csv` | `epsilon`, `agreement` of the futures that two halves of the genes predict, its standard `error`, `chosen`; only if the data chose the ε of couplings |
//! | `coupling.svg` | the same as a chart |
//! | `bridges/FROM_TO.json` | [`Interval`]: one bridge, the report of its solver and its fit |
//! | `networks.safetensors` | weights of the networks, if the bridges use networks |
//! | `training.csv` | losses of these networks by step |
//! | `fit.csv` | one line for each interval |
//! | `run.json` | provenance and hashes of all files |
//! | `validation.*` | scores of held-out times; absent with fewer than three times |
//!
//! A fit of several conditions writes one such folder for each condition and [`ConditionsRecord`]
//! (`conditions.json`) beside them.
//!
//! While a fit runs, the folder has the suffix `.partial`. Every file in it is complete.
//!
//! [`Model::read`] reads such a folder, [`OpenModel`] also remembers where it is.
//! `sbcell::pipeline::fit` writes it.

mod conditions;
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

pub use conditions::{ConditionRecord, ConditionsRecord, is_conditions, read_conditions};
pub(crate) use conditions::{PartialConditions, check_conditions_output};
pub use opened::OpenModel;
pub(crate) use partial::{Choices, PartialModel};
pub use publish::is_model;
pub(super) use publish::{OWN_NAMES, PLAN, VALIDATION};
pub(crate) use publish::{Published, recover};
#[doc(hidden)]
pub use publish::{check_output, partial_folder};
pub use reading::{FileRecord, Reading, Source, TimeOptions, ValuesChoice};

/// The version of the layout that this version of sbcell writes and reads.
pub const FORMAT: u32 = 1;

/// Names of files and folders of a model.
pub(super) const HEADER: &str = "model.json";
const RUN: &str = "run.json";
const GENES: &str = "genes.parquet";
const BRIDGES: &str = "bridges";

/// The content of `model.json`.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::model::read_header;
/// # fn main() -> sbcell::Result<()> {
/// // A small model that the tests of sbcell use.
/// let header = read_header(Path::new("tests/fixtures/old-model/model"))?;
/// assert_eq!(header.snapshots.len(), 3);
/// assert_eq!(header.dimensions, ["PC1", "PC2", "PC3"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the layout.
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// SHA-256 of input, parameters and version in lower-case hexadecimal. Two fits with the same plan
    /// give the same model.
    pub plan: String,
    /// Column of `obs` that contained the times.
    pub time_column: String,
    /// Unit of the times; empty if it is unknown.
    pub time_unit: String,
    /// The snapshots, in the order of time.
    pub snapshots: Vec<SnapshotRecord>,
    /// The matrix that was read: `X`, `layers/NAME`, `raw/X` or `obsm/KEY`.
    pub source: String,
    /// Transformation of its values; absent for an embedding from the file, and in models of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValuesRecord>,
    /// Selection of cells and values; absent in models of older versions, see [`Header::reading`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// The file that was fitted; absent in models of older versions, see [`Header::fitted_file`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRecord>,
    /// Names of the coordinates.
    pub dimensions: Vec<String>,
    /// Scale: coordinates of the bridges are coordinates of the data divided by this number.
    pub scale: f64,
    /// σ², the variance of the reference process per unit of time, in data units.
    pub sigma2: f64,
    /// ε of the interval of median length, in scaled units.
    pub epsilon: f64,
    /// ε of the entropic couplings between observed cells of any two times, in scaled units. Absent if
    /// the couplings are those of the bridges, as in models of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupling_epsilon: Option<f64>,
    /// Seed of the fit.
    pub seed: u64,
    /// Variance along each principal component, in data units; empty for an embedding from the file.
    pub explained_variance: Vec<f64>,
    /// Total variance over all genes, in data units; 0 for an embedding from the file.
    pub total_variance: f64,
}

/// Transformation of the values of a matrix before principal components were computed.
///
/// ```
/// use sbcell::io::model::ValuesRecord;
/// // As `model.json` contains it: counts, normalised to a depth of 12.5.
/// let read: ValuesRecord = serde_json::from_str(r#"{ "counts": { "depth": 12.5 } }"#).unwrap();
/// assert_eq!(read, ValuesRecord::Counts { depth: 12.5 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValuesRecord {
    /// Values were used as they are.
    AsIs,
    /// Values had the same depth in all cells; they were replaced by `ln(1 + x)`.
    Normalised,
    /// Counts were scaled to the same depth in all cells and replaced by `ln(1 + x)`.
    Counts {
        /// The common depth: the sum of the scaled counts of a cell.
        depth: f64,
    },
}

/// One snapshot in `model.json`. See [`Header`] for an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Label of the time in the file.
    pub label: String,
    /// The time, in the unit of the time column.
    pub time: f64,
    /// Number of cells.
    pub n_cells: usize,
}

/// One interval of a model: its bridge, the report of the solver and the fit to the target snapshot.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::model::Model;
/// # fn main() -> sbcell::Result<()> {
/// // A small model that the tests of sbcell use.
/// let model = Model::read(Path::new("tests/fixtures/old-model/model"))?;
/// let interval = &model.intervals[1];
/// assert_eq!((interval.from, interval.to), (12.0, 24.0));
/// assert!(interval.epsilon > 0.0 && interval.growth.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Time of the source snapshot.
    pub from: f64,
    /// Time of the target snapshot.
    pub to: f64,
    /// ε of the interval, in scaled units and local time.
    pub epsilon: f64,
    /// Report of the solver.
    pub report: FitReport,
    /// Distances between the end of the bridge and the target snapshot by name, in data units.
    pub fit: Vec<(String, Option<f64>)>,
    /// The bridge, in scaled coordinates and local time.
    pub bridge: BridgeRecord,
    /// Growth of the cells of the source snapshot; absent if growth is not modelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<IntervalGrowth>,
    /// Growth rates of the cells of the source snapshot per unit of time that couplings use and the bridge
    /// does not; absent if couplings use [`Interval::growth`] or no growth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupling_growth: Option<Vec<f64>>,
}

/// Growth rates ρ over one interval, one for each cell of the source snapshot, per unit of time: a cell
/// has `exp(ρ Δt)` descendants after Δt.
///
/// ```
/// use sbcell::io::model::IntervalGrowth;
/// // The first cell divides twice a day by the prior, and once by the coupling.
/// let growth = IntervalGrowth { prior: vec![4.0_f64.ln(), 0.0], posterior: vec![2.0_f64.ln(), 0.0] };
/// assert!((growth.posterior[0].exp() - 2.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalGrowth {
    /// Prior rates, which were given to the solver.
    pub prior: Vec<f64>,
    /// Posterior rates, which the coupling implies; the prior rates if the solver keeps the marginal.
    pub posterior: Vec<f64>,
}

/// A fitted model in memory.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::model::Model;
/// # fn main() -> sbcell::Result<()> {
/// // A small model that the tests of sbcell use: 72 cells of three times in three components.
/// let model = Model::read(Path::new("tests/fixtures/old-model/model"))?;
/// assert_eq!(model.points.dim(), (72, 3));
/// assert_eq!(model.intervals.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Times, scale, noise and input.
    pub header: Header,
    /// Names of the cells, `n_cells`.
    pub cells: Vec<String>,
    /// Time of each cell, `n_cells`.
    pub cell_times: Vec<f64>,
    /// Coordinates of each cell, `(n_cells, dim)`, in data units.
    pub points: Array2<f64>,
    /// Names of the genes; empty for an embedding from the file.
    pub genes: Vec<String>,
    /// Principal components, which convert coordinates into expression; `None` for an embedding from
    /// the file.
    pub pca: Option<Pca>,
    /// One bridge for each interval between neighbouring times, in the order of time.
    pub intervals: Vec<Interval>,
}

impl Model {
    /// Reads the folder that a fit wrote. All files are compared with their hashes in `run.json`, and the
    /// bridges are evaluated at a few cells.
    ///
    /// If a fit has finished but died before it published the model, the model is published first.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is no model; [`Error::Unreadable`] if a file is damaged, has a newer
    /// layout or belongs to another fit, or if the contents of the files contradict each other.
    pub fn read(folder: &Path) -> Result<Self> {
        publish::settle(folder);
        let read =
            parts::steady(folder, || match model_check::whole(folder, Self::read_parts(folder)) {
                Ok(model) => parts::check(folder).map(|()| model),
                // A file may be missing because the files belong to two fits.
                Err(error @ (Error::Io { .. } | Error::NoFile { .. })) => {
                    parts::check(folder).and(Err(error))
                }
                Err(error) => Err(error),
            });
        read.map_err(model_check::fit_again)
    }

    /// Reads all files without comparing them with each other.
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
        // The header may be damaged: a snapshot has at most all cells.
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

/// Reads only the `model.json` of the model in `folder`. See [`Header`] for an example.
///
/// # Errors
/// [`Error::NoModel`] if there is no model; [`Error::Parameter`] if there is one for each condition;
/// [`Error::Unreadable`] if the file is damaged or has a newer layout.
pub fn read_header(folder: &Path) -> Result<Header> {
    let path = folder.join(HEADER);
    if !path.exists() {
        return Err(conditions::instead_of_model(folder));
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

/// The version of the layout, which is read before all other fields.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Names of the solver's own figures in the reports of `intervals`, in order of first appearance.
#[doc(hidden)]
pub fn detail_names(intervals: &[Interval]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in intervals.iter().flat_map(|interval| &interval.report.details) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Path of the file of an interval, relative to the folder of the model.
pub(super) fn bridge_file(from: f64, to: f64) -> String {
    format!("{BRIDGES}/{}_{}.json", number_in_name(from), number_in_name(to))
}

/// Largest number of bytes of the file of a bridge between these numbers of cells. A number takes at most
/// 40 bytes with its line. There are at most four numbers for each pair of cells, two for each cell and
/// dimension, and [`LONGEST_JSON`] bytes for all that depends only on the dimensions.
fn longest_bridge(cells: [usize; 2], dim: usize) -> u64 {
    let [n, m, dim] = [cells[0], cells[1], dim].map(|count| count as u64);
    let pairs = n.saturating_mul(m).saturating_mul(4);
    let of_cells = n.saturating_add(m).saturating_mul(2).saturating_mul(dim.saturating_add(2));
    pairs.saturating_add(of_cells).saturating_mul(40).saturating_add(LONGEST_JSON)
}

/// Reads `genes.parquet`: the names of the genes and the principal components, if there are any.
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
