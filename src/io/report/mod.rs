//! REPORT: one page of HTML with all results of a course, which needs no network and no other file.
//!
//! The page works without scripts: each figure is an SVG picture inside the page. The script only adds
//! what moves: the choice of colours, and the slider over time. All text of files is escaped, and the
//! page forbids every script but its own.

mod axis;
mod colours;
mod counts;
mod data;
mod edges;
mod escape;
mod fates;
mod map;
mod multiqc;
mod page;
mod payload;
mod populations;
mod sankey;
mod svg;
#[cfg(test)]
mod tests;
mod trends;
mod validation;

use std::path::Path;

use crate::error::Result;
use crate::io::file;
use crate::io::run::write_json;

pub(crate) use colours::of_times;
pub(crate) use data::place_of_warnings;
pub use data::{
    Arrow, CellMap, Colouring, Colours, FateAt, Fates, FlowRow, Frame, GeneTrend, HeldOutScore,
    Interval95, Part, Populations, Provenance, Repeat, Report, ShownEdges, ShownFile, Streams,
    TimePoint, TrendLine, Trends, Values,
};
pub(crate) use escape::counted;

impl Report {
    /// The page, as HTML. The same report gives the same bytes.
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// Writes the page to `path`, which is replaced as a whole.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = self.html();
        file::replace(path, |writer| writer.write_all(text.as_bytes()))
    }

    /// Writes a table for MultiQC to `path`: for each time the number of cells and, where it was held
    /// out, the scores of its prediction.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be written.
    pub fn write_multiqc(&self, path: &Path) -> Result<()> {
        write_json(path, &multiqc::table(self))
    }
}
