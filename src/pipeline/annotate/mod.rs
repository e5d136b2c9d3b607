//! What a model knows of cells, written into their `.h5ad` and taken out of it again.

mod join;
mod mark;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::geometry::Projection;
use crate::io::cell_table::CellTable;
use crate::io::h5ad::{Edited, H5ad, H5adEdit, MatrixSource, edit_h5ad};
use crate::io::held::Held;
use crate::io::model::{Model, OpenModel};
use crate::io::output::same_file;
use crate::io::run::{RunRecord, json_sha256, read_json};
use crate::pipeline::annotate::join::Rows;
use crate::pipeline::annotate::mark::{CREATED, LAYER, PROJECTED, check_free, check_listed};
use crate::pipeline::coordinates::unique;
use crate::pipeline::fit::to_value;
use crate::pipeline::prepare::file_name;
use crate::pipeline::velocity::{Velocities, VelocityOptions, VelocitySpace, velocity};
use crate::progress::{self, Progress};

pub use mark::{Mark, MarkInput, Stripped, marks, strip};

/// The key in `uns`, and the prefix of all others, unless told otherwise.
pub const KEY: &str = "sbcell";

/// What `annotate` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnnotateOptions {
    /// The key in `uns` and the prefix of all others.
    pub key: String,
    /// Which velocity is written.
    pub velocity: VelocityKind,
    /// Embeddings of the file on which the velocity is projected.
    pub project: Vec<String>,
    /// Whether the velocity is written in genes, as a layer.
    pub layer: bool,
    /// Tables of fates by cell.
    pub fates: Vec<PathBuf>,
    /// Other tables by cell.
    pub tables: Vec<PathBuf>,
    /// Whether keys that are not ours may be replaced.
    pub overwrite: bool,
}

impl Default for AnnotateOptions {
    fn default() -> Self {
        Self {
            key: KEY.into(),
            velocity: VelocityKind::default(),
            project: Vec::new(),
            layer: false,
            fates: Vec::new(),
            tables: Vec::new(),
            overwrite: false,
        }
    }
}

/// One of the velocities of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum VelocityKind {
    /// The drift: the expected direction of a cell.
    #[default]
    Drift,
    /// The probability flow, for solvers that know their score.
    Flow,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotated {
    /// Paths inside the file, the mark last.
    pub written: Vec<String>,
    /// Cells of the model that are in the file.
    pub n_found: usize,
    /// Cells of the file.
    pub n_cells: usize,
    /// How the file was written.
    pub edited: Edited,
}

/// Writes what `model` knows of the cells of `source` to `out`, a copy of it with more
/// in it; both may be the same file. Nothing that is there is touched, except what an earlier
/// `annotate` with the same key wrote, which is replaced.
///
/// Cells are found by their names; others have NaN. See `docs/METHODS.md` for all that is written.
/// Memory: one row of the layer for each cell of the file if it is asked for, and what [`edit_h5ad`]
/// needs.
///
/// # Errors
/// [`Error::KeysTaken`] if a key is there and not ours; [`Error::OtherCells`] if no cell of the model
/// is in the file; [`Error::Parameter`] for a key that cannot be one, or a flow or score that the
/// model does not have; [`Error::FileInUse`] and [`Error::FileChanged`] if the file itself is to be
/// changed and another process is at it; those of [`velocity`], [`CellTable::read`] and [`edit_h5ad`].
pub fn annotate(
    model: &OpenModel,
    options: &AnnotateOptions,
    (source, out): (&Path, &Path),
    progress: &mut dyn Progress,
) -> Result<Annotated> {
    check_key(&options.key)?;
    // First, so that what is no `.h5ad` is named for what it is.
    drop(H5ad::open(source)?);
    // Taken before anything is read, so that what is written fits what was read.
    let held = if same_file(source, out) { Some(Held::take(source)?) } else { None };
    let file = H5ad::open(source)?;
    let marks = marks(&file)?;
    let old = marks.get(&options.key);
    old.map_or(Ok(()), |mark| check_listed(&file, &options.key, mark))?;
    let rows = Rows::find(&file, &model.cells, "the model")?;
    if rows.n_found() < rows.n_asked() {
        let (n, of) = (rows.n_asked() - rows.n_found(), rows.n_asked());
        let text = format!("{n} of the {of} cells of the model are not in {}", file_name(source));
        progress::note(progress, text)?;
    }
    let mut parts = Parts::default();
    parts.of_tables(&file, options, progress)?;
    // What may be refused comes before what takes long.
    let mut wanted = [parts.paths(), names_of_model(model, options)].concat();
    wanted.push(format!("uns/{}", options.key));
    let own: BTreeSet<String> = old.iter().flat_map(|mark| mark.keys.clone()).collect();
    if !options.overwrite {
        check_free(&file, &wanted, &own)?;
    }
    parts.of_model((model, &rows), &file, options, progress)?;
    let mark = parts.mark(model, options, (&file, old))?;
    drop(file);
    let text = serde_json::to_string(&mark)
        .map_err(|error| Error::Numerical { what: "writing JSON", why: error.to_string() })?;
    let outdated = own.into_iter().filter(|path| !mark.keys.contains(path));
    let edit = H5adEdit {
        remove: outdated.collect(),
        obs: parts.obs,
        obsm: parts.obsm.iter().map(|(name, array)| (name.clone(), array.view())).collect(),
        layers: parts.layer.iter().map(|(name, layer)| (name.clone(), layer.view())).collect(),
        uns: vec![(options.key.clone(), text)],
    };
    held.iter().try_for_each(Held::check)?;
    let edited = edit_h5ad(source, out, &edit)?;
    let text = match edited {
        Edited::Extended => None,
        Edited::Converted => Some(
            "tables that were records, as anndata 0.6 writes them, are now groups, as anndata has \
             written them since, with equal content",
        ),
        Edited::Rewritten => Some(
            "the file was written anew, object by object: it could not be extended, or much of it was \
             space that nothing used any more",
        ),
    };
    text.map_or(Ok(()), |text| progress::note(progress, text))?;
    let (n_found, n_cells) = (rows.n_found(), rows.n_rows());
    Ok(Annotated { written: mark.keys, n_found, n_cells, edited })
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.contains('/') {
        let must = "a name without `/`";
        return Err(Error::Parameter { name: "key", must, got: format!("`{key}`") });
    }
    Ok(())
}

/// The paths that [`Parts::of_model`] writes.
fn names_of_model(model: &Model, options: &AnnotateOptions) -> Vec<String> {
    let key = &options.key;
    let mut names = vec![format!("obs/{key}_time")];
    if model.intervals.iter().any(|interval| interval.growth.is_some()) {
        names.push(format!("obs/{key}_growth"));
    }
    names.extend([format!("obsm/X_{key}"), format!("obsm/{key}_velocity")]);
    names.extend(options.project.iter().map(|basis| format!("obsm/{}", projected_name(basis))));
    if options.layer {
        names.push(format!("layers/{LAYER}"));
    }
    names
}

/// `velocity_umap` for `X_umap`: where scVelo and CellRank look for it.
fn projected_name(basis: &str) -> String {
    format!("{PROJECTED}{}", basis.strip_prefix("X_").unwrap_or(basis))
}

/// What is written, as it grows.
#[derive(Default)]
struct Parts {
    obs: Vec<(String, Column)>,
    obsm: Vec<(String, Array2<f64>)>,
    layer: Option<(String, Array2<f32>)>,
    units: BTreeMap<String, String>,
}

impl Parts {
    fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.obs.iter().map(|(name, _)| format!("obs/{name}")).collect();
        paths.extend(self.obsm.iter().map(|(name, _)| format!("obsm/{name}")));
        paths.extend(self.layer.iter().map(|(name, _)| format!("layers/{name}")));
        paths
    }

    /// Columns of the tables that are named, `KEY_fate_NAME` and `KEY_NAME`.
    fn of_tables(
        &mut self,
        file: &H5ad,
        options: &AnnotateOptions,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let AnnotateOptions { key, fates, tables, .. } = options;
        let fates = fates.iter().map(|path| (path, format!("{key}_fate_")));
        let tables = tables.iter().map(|path| (path, format!("{key}_")));
        for (path, prefix) in fates.chain(tables) {
            let table = CellTable::read(path)?;
            let name = file_name(path);
            let rows = Rows::find(file, &table.cells, &name)?;
            if rows.n_found() < rows.n_asked() {
                let (n, of) = (rows.n_asked() - rows.n_found(), rows.n_asked());
                progress::note(
                    progress,
                    format!("{n} of {of} cells of {name} are not in the file"),
                )?;
            }
            // The time of every cell is written from the model.
            for (column, values) in table.columns.iter().filter(|column| column.0 != "time") {
                let name = format!("{prefix}{}", column.replace('/', "_"));
                if self.obs.iter().any(|(other, _)| *other == name) {
                    let must = "tables that do not name a column twice";
                    return Err(Error::Parameter { name: "fates, table", must, got: name });
                }
                self.obs.push((name, rows.column(values)));
            }
        }
        let reserved = [format!("{key}_time"), format!("{key}_growth")];
        match self.obs.iter().find(|(name, _)| reserved.contains(name)) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Parameter {
                name: "table",
                must: "columns of other names than those of the model",
                got: format!("one that would be `{name}`"),
            }),
        }
    }

    /// Times, growth, coordinates and velocities.
    fn of_model(
        &mut self,
        (model, rows): (&Model, &Rows),
        file: &H5ad,
        options: &AnnotateOptions,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let AnnotateOptions { key, velocity: kind, project, layer, .. } = options;
        let space = if *layer { VelocitySpace::Both } else { VelocitySpace::Pca };
        let of_cells = VelocityOptions { at: Vec::new(), space, genes: Vec::new(), seed: 0 };
        let found = velocity(model, &of_cells, progress)?;
        let chosen = match kind {
            VelocityKind::Drift => &found.drift,
            VelocityKind::Flow => found.flow.as_ref().ok_or_else(|| Error::Parameter {
                name: "velocity",
                must: "drift for a model whose probability flow is not known (or is its drift)",
                got: "flow".into(),
            })?,
        };
        let unit = match model.header.time_unit.as_str() {
            "" => "unit of time".to_string(),
            unit => unit.to_string(),
        };
        let mut own = vec![(format!("{key}_time"), rows.floats(&model.cell_times), unit.clone())];
        if let Some(growth) = &found.growth {
            own.push((format!("{key}_growth"), rows.floats(growth), format!("1/{unit}")));
        }
        for (place, (name, column, unit)) in own.into_iter().enumerate() {
            self.units.insert(format!("obs/{name}"), unit);
            self.obs.insert(place, (name, column));
        }
        let coordinates = format!("coordinates of {}", model.header.source);
        let speed = format!("{coordinates} per {unit}");
        self.units.insert(format!("obsm/X_{key}"), coordinates);
        self.units.insert(format!("obsm/{key}_velocity"), speed);
        self.obsm.push((format!("X_{key}"), rows.points(model.points.view(), f64::NAN)));
        self.obsm.push((format!("{key}_velocity"), rows.points(chosen.view(), f64::NAN)));
        for basis in project {
            let projected = projected((model, rows), (file, basis), chosen, progress)?;
            self.obsm.push((projected_name(basis), projected));
        }
        if *layer {
            let genes = Velocities::in_genes(model, chosen.view())?;
            let layer = in_layer((model, rows), file, &genes, progress)?;
            self.units.insert(format!("layers/{LAYER}"), format!("expression per {unit}"));
            self.layer = Some((LAYER.into(), layer));
        }
        Ok(())
    }

    fn mark(
        &self,
        model: &OpenModel,
        options: &AnnotateOptions,
        (file, old): (&H5ad, Option<&Mark>),
    ) -> Result<Mark> {
        let mut keys = self.paths();
        keys.push(format!("uns/{}", options.key));
        let mut created: Vec<String> = old.map(|mark| mark.created.clone()).unwrap_or_default();
        for slot in CREATED {
            let needed = keys.iter().any(|path| path.starts_with(&format!("{slot}/")));
            if needed && !file.holds(slot)? {
                created.push(slot.into());
            }
        }
        let record = model.folder().join("run.json");
        let run: Option<RunRecord> = if record.exists() { Some(read_json(&record)?) } else { None };
        let named = |paths: &[PathBuf]| -> Vec<PathBuf> {
            paths.iter().map(|path| PathBuf::from(file_name(path))).collect()
        };
        let (fates, tables) = (named(&options.fates), named(&options.tables));
        Ok(Mark {
            sbcell: env!("CARGO_PKG_VERSION").into(),
            command: "annotate".into(),
            parameters: to_value(&AnnotateOptions { fates, tables, ..options.clone() })?,
            seed: model.header.seed,
            input: run.map(|run| MarkInput { file: run.input.file, sha256: run.input.sha256 }),
            model_sha256: json_sha256(&model.header)?,
            units: self.units.clone(),
            keys,
            created,
        })
    }
}

/// The velocity on an embedding of the file; zero for cells that took no part, whose arrows would
/// otherwise make those that read it leave out all.
fn projected(
    (model, rows): (&Model, &Rows),
    (file, basis): (&H5ad, &str),
    velocity: &Array2<f64>,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    let embedding = file.obsm(basis)?;
    let (of_file, of_model): (Vec<usize>, Vec<usize>) = rows.pairs().unzip();
    let pick = |of: &Array2<f64>, rows: &[usize]| of.select(ndarray::Axis(0), rows);
    let (points, velocity) = (pick(&model.points, &of_model), pick(velocity, &of_model));
    let seen = pick(&embedding, &of_file);
    let arrows =
        Projection::default().project(points.view(), velocity.view(), seen.view(), progress)?;
    let mut all = Array2::zeros(embedding.dim());
    for (row, arrow) in of_file.into_iter().zip(arrows.rows()) {
        all.row_mut(row).assign(&arrow);
    }
    Ok(all)
}

/// Velocities of genes in the columns of the file: NaN for genes that are not in the model, zero for
/// cells that took no part, since readers drop a gene that is NaN in any cell.
fn in_layer(
    (model, rows): (&Model, &Rows),
    file: &H5ad,
    velocity: &Array2<f64>,
    progress: &mut dyn Progress,
) -> Result<Array2<f32>> {
    let names = unique(file.gene_names(&MatrixSource::X)?, progress)?;
    let places: BTreeMap<&str, usize> =
        names.iter().enumerate().map(|(column, name)| (name.as_str(), column)).collect();
    let columns: Vec<(usize, usize)> = model
        .genes
        .iter()
        .enumerate()
        .filter_map(|(gene, name)| Some((gene, *places.get(name.as_str())?)))
        .collect();
    if columns.len() < model.genes.len() {
        let (n, of) = (model.genes.len() - columns.len(), model.genes.len());
        let text = format!("{n} of the {of} genes of the model are not in `var` of the file");
        progress::note(progress, text)?;
    }
    let mut layer = Array2::from_elem((rows.n_rows(), names.len()), f32::NAN);
    for &(_, column) in &columns {
        layer.column_mut(column).fill(0.0);
    }
    for (row, place) in rows.pairs() {
        for &(gene, column) in &columns {
            layer[[row, column]] = velocity[[place, gene]] as f32;
        }
    }
    Ok(layer)
}
