//! Options of `plot`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;

/// A kind of figure.
///
/// ```
/// use sbcell::pipeline::PlotKind;
///
/// assert_eq!(PlotKind::Sankey.reads(), Some(("transitions.csv", "transitions")));
/// assert!(PlotKind::Embedding.needs_model() && !PlotKind::Sankey.needs_model());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum PlotKind {
    /// Cells on an embedding, coloured by time, group, fate, growth or a gene
    Embedding,
    /// Streamlines of the velocities on an embedding, or a grid of arrows
    Stream,
    /// Sampled paths of cells on an embedding (of `trajectory`)
    Paths,
    /// Transitions between groups over time (of `transitions`)
    Sankey,
    /// Fates: a triangle of three, or bars of their means over time (of `fates`)
    Fates,
    /// Genes along trajectories, with 95 % intervals (of `trends`)
    Trends,
    /// Heat map of genes over time (of `trends`), or of edges (of `grn`)
    Heatmap,
    /// Network of the first edges (of `grn`)
    Edges,
    /// Scores of held-out times (of `evaluate` or `fit`)
    Validation,
    /// Eigenvalues by which the number of components was chosen (of `fit`)
    Scree,
}

impl PlotKind {
    /// The file that the kind reads without another wish, and the command that writes it; `None` for kinds
    /// that read a model only.
    pub fn reads(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Embedding | Self::Stream => None,
            Self::Paths => Some(("paths.csv", "trajectory")),
            Self::Sankey => Some(("transitions.csv", "transitions")),
            Self::Fates => Some(("fates.csv", "fates")),
            Self::Trends | Self::Heatmap => Some(("trends.csv", "trends")),
            Self::Edges => Some(("edges.csv", "grn")),
            Self::Validation => Some(("validation.json", "evaluate")),
            Self::Scree => Some(("scree.csv", "fit")),
        }
    }

    /// Whether the kind needs a fitted model.
    pub fn needs_model(self) -> bool {
        matches!(self, Self::Embedding | Self::Stream | Self::Paths)
    }

    /// Whether the kind reads a file of the folder of the model without another wish.
    pub(super) fn is_in_model(self) -> bool {
        matches!(self, Self::Validation | Self::Scree)
    }

    /// The name of the kind, as in `sbcell plot NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Stream => "stream",
            Self::Paths => "paths",
            Self::Sankey => "sankey",
            Self::Fates => "fates",
            Self::Trends => "trends",
            Self::Heatmap => "heatmap",
            Self::Edges => "edges",
            Self::Validation => "validation",
            Self::Scree => "scree",
        }
    }
}

/// The quantity that the colours of cells show.
///
/// ```
/// use sbcell::pipeline::ColourBy;
///
/// assert_eq!(ColourBy::of("fate=XEN"), ColourBy::Fate("XEN".into()));
/// assert_eq!(ColourBy::of("Gata6"), ColourBy::Gene("Gata6".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourBy {
    /// The time of each cell.
    Time,
    /// The groups of [`PlotOptions::sets`].
    Group,
    /// Growth rates of the model.
    Growth,
    /// The probability of this fate, from the table of `fates`.
    Fate(String),
    /// The expression of this gene.
    Gene(String),
}

impl ColourBy {
    /// `time`, `group`, `growth`, `fate=NAME`, or the name of a gene (`gene=NAME` for a gene of one of these
    /// names).
    pub fn of(text: &str) -> Self {
        match (text, text.split_once('=')) {
            ("time", _) => Self::Time,
            ("group", _) => Self::Group,
            ("growth", _) => Self::Growth,
            (_, Some(("fate", name))) => Self::Fate(name.into()),
            (_, Some(("gene", name))) => Self::Gene(name.into()),
            _ => Self::Gene(text.into()),
        }
    }
}

/// Parameters of [`draw_plot`](crate::pipeline::draw_plot).
///
/// ```
/// use sbcell::pipeline::{ColourBy, PlotKind, PlotOptions};
///
/// let options = PlotOptions::of(PlotKind::Embedding).with_colour_by(Some(ColourBy::Time));
/// assert!(options.width.is_none() && (options.dpi - 300.0).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct PlotOptions {
    /// The kind of figure.
    pub kind: PlotKind,
    /// The file to read; `None` for the default of the kind.
    pub input: Option<PathBuf>,
    /// Groups of cells, and the path of the fitted file.
    pub sets: CellSets,
    /// The quantity that colours show; `None` for groups if they are given, and for times otherwise.
    pub colour_by: Option<ColourBy>,
    /// Embedding of the fitted file; `None` for `X_umap`, `X_tsne` or the coordinates of the model.
    pub basis: Option<String>,
    /// Genes of trends and heat maps; if empty, those that change most.
    pub genes: Vec<String>,
    /// The set whose genes a heat map shows; `None` for the first one.
    pub set: Option<String>,
    /// Whether a stream is a grid of arrows in place of streamlines.
    #[serde(default)]
    pub arrows: bool,
    /// Title in place of the one that says what is shown.
    pub title: Option<String>,
    /// Colours of groups in hex notation, in the order of the legend; if empty, those of the file or a
    /// palette of our own.
    pub palette: Vec<String>,
    /// Width in millimetres.
    pub width: Option<f64>,
    /// Height in millimetres.
    pub height: Option<f64>,
    /// Size of text in points; `None` for 9.
    pub font_size: Option<f64>,
    /// Pixels of a PNG per inch.
    pub dpi: f64,
    /// Whether the scale of colours of numbers is logarithmic.
    pub log: bool,
}

impl PlotOptions {
    /// The default options of a kind.
    pub fn of(kind: PlotKind) -> Self {
        Self {
            kind,
            input: None,
            sets: CellSets::default(),
            colour_by: None,
            basis: None,
            genes: Vec::new(),
            set: None,
            arrows: false,
            title: None,
            palette: Vec::new(),
            width: None,
            height: None,
            font_size: None,
            dpi: 300.0,
            log: false,
        }
    }
}
