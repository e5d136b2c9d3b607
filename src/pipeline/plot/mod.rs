//! The command `plot`: one figure from a model or from the files that other commands wrote.

mod cells;
mod edges;
mod embedding;
mod fates;
mod heatmap;
mod options;
mod paths;
mod read;
mod run;
mod sankey;
mod scree;
mod stream;
mod style;
mod trends;
mod validation;

pub use options::{ColourBy, PlotKind, PlotOptions};
pub use run::{draw_plot, plot};
