//! Flags that say which cells belong together, shared by the commands about cells over time

use std::path::PathBuf;

use clap::Args;
use sbcell::pipeline::CellSets;
use sbcell::{Error, Result};

use crate::cli::shared::up_to;

/// Groups of cells.
#[derive(Debug, Args)]
#[command(next_help_heading = "Groups of cells")]
pub(crate) struct SetArgs {
    /// Column of `obs` with the groups; COL=GROUP,… for only some of them
    #[arg(long, value_name = "COL[=GROUP,…]")]
    groupby: Option<String>,
    /// File with cells in place of --groupby: one cell a line (a set, named as the file), cell and
    /// group on each line (.csv, .tsv), or a .gmt; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "groupby")]
    cells: Vec<PathBuf>,
    /// The .h5ad file that was fitted [default: where the fit found it]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

impl SetArgs {
    /// The sets, and the groups of them that were named.
    pub(crate) fn sets(self) -> (CellSets, Vec<String>) {
        let Self { groupby, cells, data } = self;
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (groupby, only) = match groupby {
            None => (None, Vec::new()),
            Some(all) => match all.split_once('=') {
                None => (Some(all), Vec::new()),
                Some((column, names)) => {
                    (Some(column.to_string()), names.split(',').map(str::to_string).collect())
                }
            },
        };
        let files = cells.into_iter().map(text).collect();
        (CellSets { groupby, files, data: data.map(text) }, only)
    }

    /// The sets, for a command that looks at all groups or at none.
    pub(crate) fn all_or_none(self) -> Result<CellSets> {
        let (sets, only) = self.sets();
        if only.is_empty() {
            return Ok(sets);
        }
        let (name, must) = ("--groupby", "a column: this command looks at all of its groups");
        Err(Error::Parameter { name, must, got: only.join(",") })
    }
}

/// Resamples behind intervals.
#[derive(Debug, Args)]
#[command(next_help_heading = "Intervals")]
pub(crate) struct ResampleArgs {
    /// Resamples of the cells of each time behind the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = up_to::<100_000>)]
    pub(crate) bootstrap: usize,
    /// Column of `obs` whose groups (batches, donors) are resampled instead of cells
    #[arg(long, value_name = "COL")]
    pub(crate) batch_key: Option<String>,
}
