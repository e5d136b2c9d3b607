//! The one error type, its way out (`hint`) and what kind of failure it is.

mod hint;
mod kind;
mod near;
mod visible;
mod words;

use std::path::PathBuf;

pub use kind::Kind;
pub use near::{did_you_mean, nearest};
pub use visible::{is_hidden, visible, visible_json, visible_lines};
pub use words::{bytes_in_words, number};
use words::{first_few, list, listed, one_of, one_or_none, process, some_cells, table, there};

/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, with the values that were found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- any layer ---
    /// A hyperparameter is outside its range.
    #[error("the parameter `{name}` must be {must}, got {got}")]
    Parameter {
        /// The parameter, as the user writes it.
        name: &'static str,
        /// The range, in words that follow "must be".
        must: &'static str,
        /// The value found.
        got: String,
    },
    /// Two arrays do not fit together.
    #[error("{what} has {got} {unit}, expected {expected}")]
    Shape {
        /// The array.
        what: &'static str,
        /// What is counted: "columns", "cells", "genes".
        unit: &'static str,
        /// The number expected.
        expected: usize,
        /// The number found.
        got: usize,
    },
    /// The caller asked to stop through [`crate::progress::Progress`].
    #[error("interrupted")]
    Cancelled,
    // --- linalg ---
    /// A decomposition failed or did not converge.
    #[error("{what} failed: {why}")]
    Numerical {
        /// The computation.
        what: &'static str,
        /// What happened.
        why: String,
    },
    /// The arrays of a sparse matrix contradict each other.
    #[error("sparse matrix is corrupt: {0}")]
    SparseStructure(String),
    // --- data ---
    /// Labels of a column cannot be turned into times.
    #[error("labels of `{column}` {problem}: {}", first_few(labels))]
    TimeLabels {
        /// The column.
        column: String,
        /// What is wrong, in words that follow "labels of … ".
        problem: &'static str,
        /// All labels with this problem.
        labels: Vec<String>,
    },
    /// A column does not hold two different times.
    #[error("`{column}` must hold at least two different times, found {}", one_or_none(found.as_deref()))]
    TooFewTimes {
        /// The column.
        column: String,
        /// The label of the only time, if there is one.
        found: Option<String>,
    },
    /// Several columns may be the time and contradict each other.
    #[error("these columns may be the time and disagree:{}", table(columns))]
    TimeColumnsDisagree {
        /// Each column with what is in it.
        columns: Vec<(String, String)>,
    },
    /// No column looks like the time.
    #[error("no column of `obs` is recognised as the time{}", table(looked_at))]
    NoTimeColumn {
        /// The columns that were looked at, each with what is wrong with it.
        looked_at: Vec<(String, String)>,
    },
    /// A filter of cells cannot be understood.
    #[error("cannot understand the filter `{filter}`: {problem}")]
    FilterSyntax {
        /// The filter as it was written.
        filter: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A filter of cells asks a column for what is not in it.
    #[error("the filter `{filter}` does not fit its column: {problem}")]
    FilterValue {
        /// The filter as it was written.
        filter: String,
        /// What does not fit, with the values that are there.
        problem: String,
        /// Values there are that may be meant.
        near: Vec<String>,
    },
    // --- preprocess ---
    /// A step that takes logarithms or depths met a value below zero, or NaN.
    #[error("{step} needs values ≥ 0, got {got} in cell {cell}, gene {gene} (counted from 0)")]
    Negative {
        /// The step.
        step: &'static str,
        /// Row.
        cell: usize,
        /// Column.
        gene: usize,
        /// The value found.
        got: f32,
    },
    /// A value of a matrix is too large for what is to be made of it.
    #[error("{step} overflows for {got:?} in cell `{cell}`, gene `{gene}`")]
    Overflows {
        /// What was to be made of it.
        step: &'static str,
        /// The value found.
        got: f32,
        /// Name of the cell; its number, counted from 0, where names are not known.
        cell: String,
        /// Name of the gene, likewise.
        gene: String,
    },
    // --- pipeline ---
    /// A promise about memory that cannot be kept.
    #[error(
        "this fit needs about {}, more than the {} it may take",
        bytes_in_words(*needed),
        bytes_in_words(*promised)
    )]
    Memory {
        /// Bytes it would take at its peak.
        needed: f64,
        /// Bytes it may take.
        promised: f64,
    },
    // --- io ---
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "create", "rename".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no such file.
    #[error("there is no file `{}`", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Files there are that may be meant, as they can be given.
        near: Vec<String>,
        /// Files there are of that kind, if none is near.
        others: Vec<String>,
    },
    /// An input file, or the part of it that is needed, cannot be read.
    #[error("cannot read `{}`: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the node inside the file where there is one.
        problem: String,
        /// The way out, if there is one.
        way_out: Option<String>,
    },
    /// No fitted model where one was looked for.
    #[error("no fitted model in `{}`", folder.display())]
    NoModel {
        /// The folder.
        folder: PathBuf,
    },
    /// The place where results should go is taken by something else.
    #[error("`{}` is there and was not written by this command", path.display())]
    OutputTaken {
        /// The file or folder.
        path: PathBuf,
    },
    /// Another process is writing to the same place.
    #[error("`{}` is being written by another run of sbcell{}", path.display(), process(*holder))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The number of that process, if it could be read.
        holder: Option<u32>,
    },
    /// The file that a model was fitted on is not what it was.
    #[error("`{}` is not the file that was fitted: {by}", path.display())]
    InputChanged {
        /// The file.
        path: PathBuf,
        /// What is other, with both values.
        by: String,
    },
    /// An unfinished fit cannot be resumed with other data or parameters.
    #[error("the unfinished fit in `{}` was started on other data or parameters", folder.display())]
    OtherPlan {
        /// The folder.
        folder: PathBuf,
    },
    /// An input file has no column, layer or key of this name.
    #[error("there is no {what} `{name}` in `{}`", path.display())]
    UnknownKey {
        /// What was looked for: "column of obs", "layer", "key of obsm".
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// The names there are.
        available: Vec<String>,
    },
    /// What is to be written into a file is there already and not ours.
    #[error("{} in `{}` and not ours", there(keys), path.display())]
    KeysTaken {
        /// The file.
        path: PathBuf,
        /// Paths inside the file.
        keys: Vec<String>,
    },
    /// A file holds none of the cells that something is known of.
    #[error("none of the cells of {whose} ({}, …) is in `{}` ({}, …)", asked.join(", "), path.display(), there.join(", "))]
    OtherCells {
        /// The model or table.
        whose: String,
        /// The first cells there.
        asked: Vec<String>,
        /// The file.
        path: PathBuf,
        /// The first cells of the file.
        there: Vec<String>,
    },
    /// The file to write is the file that is read.
    #[error("`{}` is the file that is read", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// A result would be written over what the command reads.
    #[error("`{}` is read by this command and cannot be its output", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },
    /// A result would be written over a part of a fitted model.
    #[error("`{}` belongs to a fitted model", path.display())]
    OutputInModel {
        /// The file.
        path: PathBuf,
    },
    /// A file is there that we did not write, or that was changed since.
    #[error("`{}` is there and is not as sbcell wrote it", path.display())]
    FileTaken {
        /// The file.
        path: PathBuf,
    },
    /// A file that is to be changed is held by another process.
    #[error("`{}` is being written by another process", path.display())]
    FileInUse {
        /// The file.
        path: PathBuf,
    },
    /// A file that is to be changed was changed by another process meanwhile.
    #[error("`{}` was changed by another process meanwhile", path.display())]
    FileChanged {
        /// The file.
        path: PathBuf,
    },
    /// An input file does not have the matrix that was asked for.
    #[error("there is no matrix `{node}` in `{}`", path.display())]
    NoMatrix {
        /// The file.
        path: PathBuf,
        /// The matrix: "X", "raw/X".
        node: String,
        /// The layers there are.
        layers: Vec<String>,
        /// The keys of `obsm` there are.
        obsm: Vec<String>,
    },
    /// A matrix holds NaN or an infinite value.
    #[error("`{node}` in `{}` is {value} in cell `{cell}`, gene `{gene}`", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The matrix inside the file.
        node: String,
        /// The value.
        value: f32,
        /// Name of the cell.
        cell: String,
        /// Name of the gene.
        gene: String,
    },
    // --- pipeline ---
    /// A parameter that the chosen solver does not have.
    #[error("the parameter `{parameter}` means nothing to the parameter `solver = {solver}`")]
    ParameterOfOtherSolver {
        /// The parameter.
        parameter: String,
        /// The solver that was chosen.
        solver: String,
        /// The solvers that have it.
        solvers: Vec<String>,
    },
    /// No cell is left after filtering.
    #[error("no cell meets {}", filters.join(" and "))]
    NoCells {
        /// The filters, as they were given.
        filters: Vec<String>,
    },
    /// All cells of a time are empty.
    #[error("all {n_cells} cells at {label} hold nothing but zeros")]
    EmptyTime {
        /// Label of the time.
        label: String,
        /// Its cells.
        n_cells: usize,
    },
    /// A time map was given, but not the column it is for.
    #[error("a time map needs to know the column that holds its labels")]
    TimeMapWithoutColumn {
        /// Columns that could be meant.
        candidates: Vec<String>,
    },
    /// The growth of a cell is asked for and not there.
    #[error("`{name}` gives no growth for {}", some_cells(*n_missing, first))]
    GrowthMissing {
        /// The column or file.
        name: String,
        /// How many cells before the last time have none.
        n_missing: usize,
        /// The first of them.
        first: Vec<String>,
        /// How the names there differ from those of the cells, if it can be seen.
        naming: Option<String>,
    },
    /// The growth of a cell is no growth.
    #[error("`{name}` says {got} for cell `{cell}`; the growth of a cell must be {must}")]
    GrowthValue {
        /// The column or file.
        name: String,
        /// The cell.
        cell: String,
        /// The range, in words that follow "must be".
        must: &'static str,
        /// The value found.
        got: f64,
    },
    /// A column that should hold growth holds something else.
    #[error("`{name}` holds {kind}, such as `{example}`, not the growth of cells")]
    GrowthText {
        /// The column.
        name: String,
        /// What it holds.
        kind: &'static str,
        /// One of its values.
        example: String,
    },
    /// None of the genes asked for is there.
    #[error("none of the genes asked for is there: asked for {} ({}), there are {} ({})", wanted.1.join(", "), wanted.0, present.1.join(", "), present.0)]
    NoGenes {
        /// How the names asked for are written, and the first of them.
        wanted: Box<(&'static str, Vec<String>)>,
        /// How the names there are written, and the first of them.
        present: (&'static str, Vec<String>),
        /// Names there are that may be meant.
        near: Vec<String>,
        /// The way out, if none of them is.
        way_out: &'static str,
    },
    /// A gene is asked for that is not among those at hand.
    #[error(
        "`{gene}` is {}not among the {kept} genes {whose}",
        if *in_file { "in the file, but " } else { "" }
    )]
    GeneNotAmong {
        /// The gene.
        gene: String,
        /// Whether the fitted file is known to have it.
        in_file: bool,
        /// How many genes are at hand.
        kept: usize,
        /// Which genes these are, in words that follow "the 12 genes …".
        whose: String,
        /// Those that may be meant.
        near: Vec<String>,
        /// The way out, if none of them is.
        way_out: &'static str,
    },
    /// Hardly any of the genes asked for is there, and more would be if case did not matter.
    #[error("hardly any of the genes asked for is there: {n_found} of {n_wanted} as they are written, {n_folded} if case is ignored; asked for {} ({}), there are {} ({})", wanted.1.join(", "), wanted.0, present.1.join(", "), present.0)]
    FewGenes {
        /// Names that are there.
        n_found: usize,
        /// Names asked for.
        n_wanted: usize,
        /// Names that would be there if case did not matter.
        n_folded: usize,
        /// How the names asked for are written, and the first of them.
        wanted: Box<(&'static str, Vec<String>)>,
        /// How the names there are written, and the first of them.
        present: (&'static str, Vec<String>),
        /// The way out.
        way_out: &'static str,
    },
    /// An embedding holds a value that is no number, or is too large to compute with.
    #[error("obsm/{key} holds {value:?} for cell `{cell}` in dimension {}", dimension + 1)]
    EmbeddingNotFinite {
        /// The embedding.
        key: String,
        /// The cell.
        cell: String,
        /// The dimension, from zero.
        dimension: usize,
        /// The value.
        value: f64,
    },
    /// A reference process other than Brownian motion is asked of a solver that knows no other.
    #[error("the parameter `reference = ou` is for solvers that take each interval on its own")]
    ReferenceNotTaken {
        /// Solvers that do.
        solvers: Vec<String>,
    },
    /// A time before the first snapshot or after the last.
    #[error("time {time} is outside the snapshots, which go from {first} to {last}")]
    OutsideTimes {
        /// The time asked for.
        time: f64,
        /// The first snapshot.
        first: f64,
        /// The last snapshot.
        last: f64,
    },
    /// What is given as a time is neither a number nor a label of the course.
    #[error("`{flag}` has `{text}`, which is neither a number nor the label of a snapshot")]
    UnknownTime {
        /// The flag.
        flag: &'static str,
        /// What was given.
        text: String,
        /// Labels and times of the snapshots.
        snapshots: Vec<(String, f64)>,
    },
    /// A time is asked for at which no cells were observed.
    #[error("no cells were observed at {time}; times are {}", listed(times))]
    NotObserved {
        /// The time asked for.
        time: f64,
        /// The times there are.
        times: Vec<f64>,
    },
    /// There is no group of cells of this name.
    #[error("there is no group `{name}`")]
    UnknownGroup {
        /// The name asked for.
        name: String,
        /// The groups there are.
        groups: Vec<String>,
    },
    /// Genes that the coordinates of a model cannot give levels of their own.
    #[error("the coordinates of the model cannot hold {} at a level", list(genes))]
    NotHeld {
        /// The genes.
        genes: Vec<String>,
    },
    /// Genes are asked of a model that was fitted on an embedding.
    #[error("the model was fitted on {source_name} and knows no genes")]
    NoGeneSpace {
        /// What the model was fitted on.
        source_name: String,
    },
}

impl Error {
    /// The message as it can be shown: names that come from files are [`visible`], and on one line.
    pub fn shown(&self) -> String {
        let message = self.to_string();
        match self {
            // Their tables have a line for each column; names in it are visible already.
            Self::TimeColumnsDisagree { .. } | Self::NoTimeColumn { .. } => {
                visible_lines(&message).into_owned()
            }
            _ => visible(&message).into_owned(),
        }
    }
}
