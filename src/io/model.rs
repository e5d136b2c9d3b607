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

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::bridge::{BridgeRecord, FitReport};
use crate::error::{Error, Result};
use crate::io::file::{self, io_error};
use crate::io::model_check;
use crate::io::networks;
use crate::io::run::{RunRecord, read_json, write_json};
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::preprocess::Pca;

/// The version of the layout that this sbcell writes and reads.
pub const FORMAT: u32 = 1;

const HEADER: &str = "model.json";
const PLAN: &str = "plan.json";
const BRIDGES: &str = "bridges";

/// What a fit writes beside `model.json`.
const OWN_NAMES: [&str; 8] = [
    "run.json",
    "cells.parquet",
    "genes.parquet",
    "pcs.csv",
    "fit.csv",
    networks::WEIGHTS,
    networks::CURVE,
    BRIDGES,
];

/// What `fit` adds to a model when it has held out times.
const VALIDATION: [&str; 5] = [
    "validation.csv",
    "validation.json",
    "validation.svg",
    "validation.png",
    "validation.run.json",
];

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

/// The folder of a fit that is under way.
///
/// Dropped before [`PartialModel::publish`], it stays on disk for `--resume` if an interval is
/// in it, and goes otherwise.
#[derive(Debug)]
pub struct PartialModel {
    folder: PathBuf,
    out: PathBuf,
}

impl Drop for PartialModel {
    fn drop(&mut self) {
        let intervals = fs::read_dir(self.folder.join(BRIDGES));
        if intervals.is_ok_and(|mut entries| entries.next().is_none()) {
            // What cannot be removed is an empty folder; the run has its own error to tell.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl PartialModel {
    /// Starts the folder `OUT.partial`, or takes it up where `resume` finds one of the same plan.
    ///
    /// # Errors
    /// [`Error::OutputTaken`] if `out` is there and not ours; [`Error::OtherPlan`] if `resume`
    /// finds an unfinished fit of other data or parameters; [`Error::Io`] if the folder cannot
    /// be made.
    pub fn start(out: &Path, plan: &str, resume: bool) -> Result<Self> {
        check_output(out)?;
        let folder = partial_folder(out);
        let plan_file = folder.join(PLAN);
        if folder.exists() && !resume {
            fs::remove_dir_all(&folder).map_err(io_error("remove", &folder))?;
        }
        if plan_file.exists() {
            let started: String = read_json(&plan_file)?;
            if started != plan {
                return Err(Error::OtherPlan { folder });
            }
        }
        file::create_folder(&folder.join(BRIDGES))?;
        write_json(&plan_file, &plan)?;
        Ok(Self { folder, out: out.to_path_buf() })
    }

    /// The folder that is being written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The interval `from` → `to`, if it was finished before.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if its file is there and damaged.
    pub fn interval(&self, from: f64, to: f64) -> Result<Option<Interval>> {
        let path = self.folder.join(bridge_file(from, to));
        if !path.exists() {
            return Ok(None);
        }
        let mut interval: Interval = read_json(&path)?;
        networks::attach(&self.folder, std::slice::from_mut(&mut interval))?;
        Ok(Some(interval))
    }

    /// Keeps a finished interval.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn keep(&self, interval: &Interval) -> Result<()> {
        networks::write(&self.folder, interval)?;
        write_json(&self.folder.join(bridge_file(interval.from, interval.to)), interval)
    }

    /// Writes everything but the intervals; returns the names of all files of the model.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written.
    pub fn complete(&self, model: &Model) -> Result<Vec<String>> {
        let mut files = vec![HEADER.to_string(), "cells.parquet".to_string()];
        let mut cells = Table::default()
            .with("cell", Cells::Texts(model.cells.clone()))
            .with("time", Cells::Floats(model.cell_times.clone()));
        if model.intervals.iter().any(|interval| interval.growth.is_some()) {
            for (name, rates) in growth_columns(model) {
                cells.push(name, Cells::Floats(rates));
            }
        }
        cells.push_points(&model.header.dimensions, model.points.view());
        table::write(&self.folder.join("cells.parquet"), &cells, TableFormat::Parquet)?;
        if let Some(pca) = &model.pca {
            let mut genes = Table::default()
                .with("gene", Cells::Texts(model.genes.clone()))
                .with("mean", Cells::Floats(pca.mean().to_vec()));
            genes.push_points(&model.header.dimensions, pca.loadings());
            table::write(&self.folder.join("genes.parquet"), &genes, TableFormat::Parquet)?;
            let pcs = variance_table(&model.header.dimensions, pca);
            table::write(&self.folder.join("pcs.csv"), &pcs, TableFormat::Csv)?;
            files.extend(["genes.parquet".into(), "pcs.csv".into()]);
        }
        files.extend(model.intervals.iter().map(|i| bridge_file(i.from, i.to)));
        let fit = fit_table(&model.intervals);
        table::write(&self.folder.join("fit.csv"), &fit, TableFormat::Csv)?;
        files.push("fit.csv".into());
        let written = |name: &&str| self.folder.join(name).exists();
        files.extend(
            [networks::WEIGHTS, networks::CURVE].into_iter().filter(written).map(Into::into),
        );
        write_json(&self.folder.join(HEADER), &model.header)?;
        Ok(files)
    }

    /// Puts the finished folder in its place. An older model there is replaced: `model.json`
    /// goes first and comes last, so that the folder holds a whole model or none. Files that
    /// are not ours stay.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be moved.
    pub fn publish(self) -> Result<()> {
        let plan = self.folder.join(PLAN);
        fs::remove_file(&plan).map_err(io_error("remove", &plan))?;
        if !self.out.exists() {
            return fs::rename(&self.folder, &self.out).map_err(io_error("create", &self.out));
        }
        let old_bridges = self.out.join(BRIDGES);
        let maybe_absent = [HEADER, "genes.parquet", "pcs.csv", networks::WEIGHTS, networks::CURVE];
        // Scores of the older model are none of this one's.
        for name in maybe_absent.into_iter().chain(VALIDATION) {
            let old = self.out.join(name);
            if old.exists() {
                fs::remove_file(&old).map_err(io_error("replace", &old))?;
            }
        }
        if old_bridges.exists() {
            fs::remove_dir_all(&old_bridges).map_err(io_error("replace", &old_bridges))?;
        }
        let mut names: Vec<_> = fs::read_dir(&self.folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(io_error("read", &self.folder))?;
        names.sort_by_key(|name| (name.to_str() == Some(HEADER), name.clone()));
        for name in names {
            let target = self.out.join(&name);
            fs::rename(self.folder.join(&name), &target).map_err(io_error("replace", &target))?;
        }
        fs::remove_dir(&self.folder).map_err(io_error("remove", &self.folder))
    }
}

impl Model {
    /// Reads the folder that a fit wrote.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is none, [`Error::Unreadable`] if a file is damaged or of a
    /// newer layout, or if what they hold does not fit together.
    pub fn read(folder: &Path) -> Result<Self> {
        model_check::whole(folder, Self::read_parts(folder))
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
        let mut intervals: Vec<Interval> = times
            .windows(2)
            .map(|pair| read_json(&folder.join(bridge_file(pair[0], pair[1]))))
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

/// Where an unfinished fit to `out` is kept.
pub fn partial_folder(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_os_string();
    name.push(".partial");
    PathBuf::from(name)
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Whether a fit may write to `out`: nothing of the names it writes is there, or a fit wrote it;
/// and an unfinished fit is all that is in `OUT.partial`.
///
/// # Errors
/// [`Error::OutputTaken`] if it is there and not ours.
pub fn check_output(out: &Path) -> Result<()> {
    let run =
        || read_json::<RunRecord>(&out.join("run.json")).is_ok_and(|run| run.command == "fit");
    let foreign = || OWN_NAMES.iter().chain(&VALIDATION).any(|name| out.join(name).exists());
    let ours = out.join(HEADER).exists() || run();
    if out.is_file() || (!ours && foreign()) {
        return Err(Error::OutputTaken { path: out.to_path_buf() });
    }
    let partial = partial_folder(out);
    if partial.exists() && !partial.join(PLAN).exists() {
        return Err(Error::OutputTaken { path: partial });
    }
    Ok(())
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

/// The rates of every cell in the interval that begins at its time; NaN where none does or
/// nothing is known.
fn growth_columns(model: &Model) -> [(&'static str, Vec<f64>); 2] {
    let mut columns = [vec![f64::NAN; model.cells.len()], vec![f64::NAN; model.cells.len()]];
    for interval in &model.intervals {
        let Some(growth) = &interval.growth else { continue };
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&interval.from).is_eq();
        let cells = (0..model.cells.len()).filter(here);
        for ((cell, prior), posterior) in cells.zip(&growth.prior).zip(&growth.posterior) {
            columns[0][cell] = *prior;
            columns[1][cell] = *posterior;
        }
    }
    let [prior, posterior] = columns;
    [("growth_prior", prior), ("growth_rate", posterior)]
}

pub(super) fn bridge_file(from: f64, to: f64) -> String {
    format!("{BRIDGES}/{from}_{to}.json")
}

fn read_pca(folder: &Path, header: &Header) -> Result<(Vec<String>, Option<Pca>)> {
    let path = folder.join("genes.parquet");
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

fn variance_table(names: &[String], pca: &Pca) -> Table {
    let variance = pca.explained_variance();
    Table::default()
        .with("pc", Cells::Texts(names.to_vec()))
        .with("variance", Cells::Floats(variance.to_vec()))
        .with("share", Cells::Floats((&variance / pca.total_variance()).to_vec()))
}

fn fit_table(intervals: &[Interval]) -> Table {
    let floats =
        |value: &dyn Fn(&Interval) -> f64| Cells::Floats(intervals.iter().map(value).collect());
    let counts = |value: &dyn Fn(&Interval) -> usize| {
        Cells::Integers(intervals.iter().map(|interval| value(interval) as i64).collect())
    };
    let stops = intervals.iter().map(|i| i.report.stop.to_string()).collect();
    let mut table = Table::default()
        .with("from", floats(&|i| i.from))
        .with("to", floats(&|i| i.to))
        .with("epsilon", floats(&|i| i.epsilon))
        .with("stop", Cells::Texts(stops))
        .with("iterations", counts(&|i| i.report.iterations))
        .with("objective", floats(&|i| i.report.objective))
        .with("start_objective", floats(&|i| i.report.start_objective));
    for name in detail_names(intervals) {
        let values: Vec<f64> =
            intervals.iter().map(|i| i.report.detail(&name).unwrap_or(f64::NAN)).collect();
        let whole = values.iter().all(|value| value.fract().abs() < f64::MIN_POSITIVE);
        let cells = if whole {
            Cells::Integers(values.iter().map(|&value| value as i64).collect())
        } else {
            Cells::Floats(values)
        };
        table.push(name, cells);
    }
    let names = intervals.first().map(|interval| interval.fit.clone()).unwrap_or_default();
    for (column, (name, _)) in names.into_iter().enumerate() {
        table.push(name, floats(&|i| i.fit[column].1.unwrap_or(f64::NAN)));
    }
    table
}
