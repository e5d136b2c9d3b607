//! Flags that define groups of cells, for the commands that follow cells over time.

use std::path::PathBuf;

use clap::Args;
use sbcell::pipeline::CellSets;
use sbcell::{Error, Result};

use crate::cli::shared::DataArgs;

/// Groups of cells, from a column of `obs` or from files, and the file with the cells.
#[derive(Debug, Args)]
#[command(next_help_heading = "Groups of cells")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    groups: GroupArgs,
    #[command(flatten)]
    data: DataArgs,
}

/// Groups of cells, from a column of `obs` or from files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Groups of cells")]
pub(crate) struct GroupArgs {
    /// Column of `obs` with the groups of cells. COL=GROUP,… selects some of its groups
    #[arg(long, value_name = "COL[=GROUP,…]")]
    groupby: Option<String>,
    /// File with groups of cells, in place of --groupby. A file with one cell per line is one group,
    /// named after the file; a .csv or .tsv file with a cell and a group per line, or a .gmt file, has
    /// several. You can give this flag several times
    #[arg(long, value_name = "FILE", conflicts_with = "groupby")]
    cells: Vec<PathBuf>,
}

impl SetArgs {
    /// The sets, and the names of the selected groups (empty for all groups).
    pub(crate) fn sets(self) -> (CellSets, Vec<String>) {
        let Self { groups, data } = self;
        groups.sets(data.path())
    }

    /// The sets, for a command that uses all groups or none.
    ///
    /// # Errors
    /// [`Error::Parameter`] if some groups of the column were selected.
    pub(crate) fn all_or_none(self) -> Result<CellSets> {
        let (sets, only) = self.sets();
        if only.is_empty() {
            return Ok(sets);
        }
        let (name, must) = ("--groupby", "a column: this command uses all of its groups");
        Err(Error::Parameter { name, must, got: only.join(",") })
    }
}

impl GroupArgs {
    /// The sets of cells of the file `data` (`None` for where the fit read it), and the names of the
    /// selected groups (empty for all groups).
    pub(crate) fn sets(self, data: Option<String>) -> (CellSets, Vec<String>) {
        let Self { groupby, cells } = self;
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
        (CellSets::default().with_groupby(groupby).with_files(files).with_data(data), only)
    }
}
