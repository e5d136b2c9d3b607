//! The groups of cells of a run: those of the user, a column of `obs` that looks like them, or states that are found.

use std::fs::File;
use std::path::{Path, PathBuf};

use sbcell::io::file::replace;
use sbcell::pipeline::{ColumnReport, Inspection, check_labels};
use sbcell::{Error, Result};

use crate::cli::run::plan::Job;

/// Beginnings of names of columns with groups of cells, without separators, the likeliest first.
const NAMES: [&str; 12] = [
    "celltype",
    "cellannotation",
    "annotation",
    "celllabel",
    "cellstate",
    "lineage",
    "cluster",
    "leiden",
    "louvain",
    "seuratcluster",
    "population",
    "group",
];

/// Largest number of groups of a column that is taken without being named.
const MOST: usize = 40;

/// Where the groups of cells come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Groups {
    /// A column of `obs`.
    Column(String),
    /// Files of the user.
    Files(Vec<PathBuf>),
    /// Terminal states without labels.
    Found,
}

impl Groups {
    /// The arguments of a command that takes groups.
    pub(super) fn arguments(&self) -> Vec<String> {
        match self {
            Self::Column(name) => vec![format!("--groupby={name}")],
            Self::Files(paths) => {
                paths.iter().map(|path| format!("--cells={}", path.display())).collect()
            }
            Self::Found => Vec::new(),
        }
    }
}

/// The column of `obs` that most likely has groups of cells.
pub(super) fn column_of(found: &Inspection) -> Option<String> {
    let is_time = |name: &str| found.time_columns.iter().any(|time| time.name == name);
    let usable = |column: &&ColumnReport| {
        let of_kind = matches!(column.kind, Some("categories" | "texts" | "integers"));
        of_kind
            && (2..=MOST).contains(&column.n_distinct)
            && column.n_missing * 2 < found.n_cells
            && !is_time(&column.name)
    };
    let named = |column: &ColumnReport| {
        let name = column.name.to_lowercase();
        let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let place = NAMES.iter().position(|known| name.starts_with(known))?;
        // Numbers are groups only where the name says that an algorithm made them.
        let numbers = column.kind == Some("integers");
        let made = ["cluster", "leiden", "louvain", "seuratcluster"].contains(&NAMES[place]);
        (!numbers || made).then_some(place)
    };
    let columns = found.obs.iter().filter(usable);
    let ranked = columns.filter_map(|column| Some((named(column)?, column.name.clone())));
    ranked.min_by_key(|(place, _)| *place).map(|(_, name)| name)
}

/// Checks that the column and the files of groups are there and can be groups, before the fit.
///
/// # Errors
/// [`Error::NoFile`], [`Error::UnknownKey`]; [`Error::Parameter`] for a column of numbers or of names of cells.
pub(super) fn check_groups(job: &Job, found: &Inspection) -> Result<()> {
    let config = &job.config;
    if let Some(path) = config.cells.iter().find(|path| !path.is_file()) {
        return Err(Error::NoFile { path: path.clone(), near: Vec::new(), others: Vec::new() });
    }
    // A column may be followed by some of its groups: `cell_type=A,B`.
    let Some(all) = config.groupby.as_deref() else { return Ok(()) };
    let name = all.split('=').next().unwrap_or(all);
    let Some(column) = found.obs.iter().find(|column| column.name == name) else {
        let (what, path) = ("column of obs", job.data.clone());
        let available = found.obs.iter().map(|column| column.name.clone()).collect();
        return Err(Error::UnknownKey { what, name: name.into(), path, available });
    };
    let is_numeric = matches!(column.kind, Some("integers" | "floats"));
    let likely = found.obs.iter().filter(|other| {
        matches!(other.kind, Some("categories" | "texts")) && (2..=MOST).contains(&other.n_distinct)
    });
    let likely: Vec<String> = likely.map(|column| column.name.clone()).collect();
    let n_known = found.n_cells.saturating_sub(column.n_missing);
    check_labels(name, [column.n_distinct, n_known], is_numeric, &likely)
}

/// Writes the table of cells and their found states to `to`, from the table of fates `from`. Returns the number
/// of states.
///
/// # Errors
/// [`Error::Unreadable`] if the table of fates has no columns `id` and `state`; [`Error::Io`].
pub(super) fn write_states(from: &Path, to: &Path) -> Result<usize> {
    let unreadable =
        |problem: String| Error::Unreadable { path: from.into(), problem, way_out: None };
    let file = File::open(from).map_err(|source| Error::Io {
        action: "read",
        path: from.into(),
        source,
    })?;
    let mut reader = csv::Reader::from_reader(file);
    let names = reader.headers().map_err(|error| unreadable(error.to_string()))?.clone();
    let place = |name: &str| {
        let at = names.iter().position(|known| known == name);
        at.ok_or_else(|| unreadable(format!("it has no column `{name}`")))
    };
    let (id, state) = (place("id")?, place("state")?);
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| unreadable(error.to_string()))?;
        let cell = |at: usize| row.get(at).unwrap_or_default().to_string();
        if !cell(state).is_empty() {
            rows.push([cell(id), cell(state)]);
        }
    }
    replace(to, |writer| {
        let mut writer = csv::Writer::from_writer(writer);
        writer.write_record(["cell", "state"])?;
        for row in &rows {
            writer.write_record(row)?;
        }
        writer.flush()
    })?;
    let mut states: Vec<String> = rows.into_iter().map(|[_, state]| state).collect();
    states.sort();
    states.dedup();
    Ok(states.len())
}
