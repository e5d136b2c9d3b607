//! The columns and arrays that `annotate` writes, computed from a model and from tables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array2, Axis};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::geometry::Projection;
use crate::io::cell_table::CellTable;
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::io::model::{Model, OpenModel};
use crate::io::run::{RunRecord, json_sha256, read_json, to_value};
use crate::pipeline::annotate::join::Rows;
use crate::pipeline::annotate::mark::{CREATED, LAYER, Mark, MarkInput, PROJECTED};
use crate::pipeline::annotate::{AnnotateOptions, VelocityKind};
use crate::pipeline::fit::selection::file_name;
use crate::pipeline::shared::unique_names::unique;
use crate::pipeline::velocity::{Velocities, VelocityOptions, VelocitySpace, velocity};
use crate::progress::{self, Progress};

/// The paths inside the file that [`Parts::of_model`] writes.
pub(super) fn paths_of_model(model: &Model, options: &AnnotateOptions) -> Vec<String> {
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

/// `velocity_umap` for `X_umap`: the key that scVelo and CellRank read.
fn projected_name(basis: &str) -> String {
    format!("{PROJECTED}{}", basis.strip_prefix("X_").unwrap_or(basis))
}

/// A model, a file, and the rows of the file in which cells of the model are.
#[derive(Clone, Copy)]
pub(super) struct CellsOfFile<'a> {
    pub(super) model: &'a Model,
    pub(super) file: &'a H5ad,
    pub(super) rows: &'a Rows,
}

/// The columns and arrays to write, each with its key; rows as in the file.
#[derive(Default)]
pub(super) struct Parts {
    /// Columns of `obs`.
    pub(super) obs: Vec<(String, Column)>,
    /// Arrays of `obsm`, `(n_cells, any)`.
    pub(super) obsm: Vec<(String, Array2<f64>)>,
    /// The layer of velocities, `(n_cells, n_genes)`.
    pub(super) layer: Option<(String, Array2<f32>)>,
    /// Units by path, for the mark.
    units: BTreeMap<String, String>,
}

impl Parts {
    /// The paths of all parts inside the file.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.obs.iter().map(|(name, _)| format!("obs/{name}")).collect();
        paths.extend(self.obsm.iter().map(|(name, _)| format!("obsm/{name}")));
        paths.extend(self.layer.iter().map(|(name, _)| format!("layers/{name}")));
        paths
    }

    /// Adds the columns of the tables of `options`, as `KEY_fate_NAME` and `KEY_NAME`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if two columns get the same name, or the name of a column of the model;
    /// [`Error::OtherCells`] if a table has no cell of the file; those of [`CellTable::read`].
    pub(super) fn of_tables(
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
            // Times come from the model.
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

    /// Adds times, growth rates, coordinates and velocities of the model, with their units.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a flow that the model does not have; those of [`velocity`], of reading an
    /// embedding, and [`Error::NoGeneSpace`] for a layer of a model without genes.
    pub(super) fn of_model(
        &mut self,
        cells: &CellsOfFile<'_>,
        options: &AnnotateOptions,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let CellsOfFile { model, rows, .. } = *cells;
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
            let projected = projected(cells, basis, chosen, progress)?;
            self.obsm.push((projected_name(basis), projected));
        }
        if *layer {
            let genes = Velocities::in_genes(model, chosen.view())?;
            let layer = in_layer(cells, &genes, progress)?;
            self.units.insert(format!("layers/{LAYER}"), format!("expression per {unit}"));
            self.layer = Some((LAYER.into(), layer));
        }
        Ok(())
    }

    /// The mark of these parts. `old` is the mark that it replaces, whose created groups it takes over.
    ///
    /// # Errors
    /// Those of reading the run record of the model.
    pub(super) fn mark(
        &self,
        model: &OpenModel,
        options: &AnnotateOptions,
        file: &H5ad,
        old: Option<&Mark>,
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

/// The velocity projected on the embedding `basis` of the file, `(n_cells, dim of the embedding)`.
///
/// Cells that are not in the model, or have no place on the embedding (NaN or infinite), have zero: with NaN, readers
/// would drop the arrows of all cells. A note counts the latter. Those arrows are projected without them.
fn projected(
    cells: &CellsOfFile<'_>,
    basis: &str,
    velocity: &Array2<f64>,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    let CellsOfFile { model, file, rows } = *cells;
    let embedding = file.obsm(basis)?;
    let placed = |row: usize| embedding.row(row).iter().all(|x| x.is_finite());
    let (of_file, of_model): (Vec<usize>, Vec<usize>) =
        rows.pairs().filter(|pair| placed(pair.0)).unzip();
    let (n_placed, n_cells) = (of_file.len(), rows.pairs().count());
    if n_placed < n_cells {
        let text = format!(
            "{} of {n_cells} cells have no place in {basis}: their projected velocities are zero",
            n_cells - n_placed
        );
        progress::note(progress, text)?;
    }
    if n_placed < 2 {
        return Ok(Array2::zeros(embedding.dim()));
    }
    let pick = |of: &Array2<f64>, rows: &[usize]| of.select(Axis(0), rows);
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

/// Velocities of genes in the rows and columns of the file, `(n_cells, n_genes)`.
///
/// Genes that are not in the model have NaN. Cells that are not in the model have zero, since readers drop a gene
/// that is NaN in any cell.
fn in_layer(
    cells: &CellsOfFile<'_>,
    velocity: &Array2<f64>,
    progress: &mut dyn Progress,
) -> Result<Array2<f32>> {
    let CellsOfFile { model, file, rows } = *cells;
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
