//! Options of `report`: where the results are.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;

/// Parameters of [`report`](crate::pipeline::report()): the model, and the files of results that the page shows.
///
/// ```
/// use std::path::Path;
/// use sbcell::pipeline::ReportOptions;
///
/// let options = ReportOptions::in_folder(Path::new("tests/fixtures/old-model/model"));
/// assert!(options.model.ends_with("old-model/model") && options.fates.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct ReportOptions {
    /// Folder of the model.
    pub model: PathBuf,
    /// Folder of the results, to which the commands that the page names write.
    #[serde(skip)]
    pub folder: PathBuf,
    /// Folder of a validation, or its `validation.json`. If `None`, that of the model, if there is one.
    pub validation: Option<PathBuf>,
    /// Populations at times between the snapshots, in the coordinates of the model.
    pub populations: Option<PathBuf>,
    /// Fate probabilities.
    pub fates: Option<PathBuf>,
    /// Transitions.
    pub transitions: Option<PathBuf>,
    /// Trends.
    pub trends: Option<PathBuf>,
    /// Edges.
    pub edges: Option<PathBuf>,
    /// Groups by which cells are coloured. Without any, those of the fates or transitions.
    pub sets: CellSets,
    /// Embedding of `obsm` on which cells are drawn. If `None`, `X_umap`, or the first two coordinates of the
    /// model if there is none.
    pub basis: Option<String>,
    /// Seed of the choice of cells that are drawn.
    pub seed: u64,
}

/// The file by which the folder of a model is known.
const HEADER: &str = "model.json";
/// Names of files of results without their suffixes, in a folder of all results or beside a model.
const POPULATIONS: [&str; 2] = ["populations", "interpolated"];
/// Suffixes of tables.
const TABLES: [&str; 3] = ["csv", "tsv", "parquet"];

impl ReportOptions {
    /// The results in `folder`: the folder of a model, or one with the model in `model/`. Results have the
    /// names `validation/`, `populations`, `fates`, `transitions`, `trends` and `edges`, with `.csv`, `.tsv` or
    /// `.parquet`, and what is not there is left out.
    pub fn in_folder(folder: &Path) -> Self {
        let model = folder.join("model");
        let inside = !folder.join(HEADER).is_file() && model.join(HEADER).is_file();
        let model = if inside { model } else { folder.to_path_buf() };
        let table = |stem: &str| {
            let paths = TABLES.iter().map(|suffix| folder.join(format!("{stem}.{suffix}")));
            paths.into_iter().find(|path| path.is_file())
        };
        let beside = |stem: &str| {
            let paths = TABLES.iter().map(|suffix| model.join(format!("{stem}.{suffix}")));
            paths.into_iter().find(|path| path.is_file())
        };
        let validation = folder.join("validation");
        Self {
            validation: validation.join("validation.json").is_file().then_some(validation),
            populations: POPULATIONS.iter().find_map(|stem| table(stem).or_else(|| beside(stem))),
            fates: table("fates"),
            transitions: table("transitions"),
            trends: table("trends"),
            edges: table("edges"),
            sets: CellSets::default(),
            basis: None,
            seed: 0,
            folder: folder.to_path_buf(),
            model,
        }
    }

    /// The files that are read, in the order of the page.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.populations, &self.transitions, &self.fates, &self.trends, &self.edges]
            .into_iter()
            .flatten()
    }
}
