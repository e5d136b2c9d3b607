//! The error type of the crate, with a hint for the user and the kind of failure.

mod hint;
mod kind;
mod moved;
mod near;
pub(crate) mod range;
pub(crate) mod shape;
mod visible;
mod words;

use std::path::PathBuf;

pub use kind::Kind;
#[doc(hidden)]
pub use near::{did_you_mean, nearest};
#[doc(hidden)]
pub use visible::{is_hidden, visible, visible_json, visible_lines};
pub(crate) use words::shell_word;
pub use words::{GeneNames, UnitMemory};
#[doc(hidden)]
pub use words::{bytes_in_words, number};
use words::{
    first_few, in_file_but, list, listed, memory_beyond, one_of, one_or_none, process, some_cells,
    table, there,
};

/// The result type of the crate, with [`Error`] as its error.
pub type Result<T> = std::result::Result<T, Error>;

/// Any failure of the crate; each variant carries the values that were found.
///
/// `Display` states the problem, [`Error::hint`] the remedy, [`Error::kind`] the class of failure.
///
/// ```
/// use sbcell::Epsilon;
/// use sbcell::error::{Error, Kind};
///
/// let error = Epsilon::new(-1.0).unwrap_err();
/// assert!(matches!(error, Error::Parameter { name: "epsilon", .. }));
/// assert!(error.to_string().ends_with("got -1"));
/// assert_eq!(error.kind(), Kind::Usage);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter or an argument is outside its range.
    #[error("the parameter `{name}` must be {must}, got {got}")]
    Parameter {
        /// Name of the parameter (`n_pcs`) or of the array.
        name: &'static str,
        /// The range, in words that follow "must be".
        must: &'static str,
        /// The value found.
        got: String,
    },
    /// Two arrays do not fit together.
    #[error("{what} has {got} {unit}, expected {expected}")]
    Shape {
        /// Name of the array.
        what: &'static str,
        /// The unit of both numbers: "columns", "cells", "genes".
        unit: &'static str,
        /// The number expected.
        expected: usize,
        /// The number found.
        got: usize,
    },
    /// The caller asked to stop through [`crate::progress::Progress`].
    #[error("interrupted")]
    Cancelled,
    /// A decomposition failed or did not converge.
    #[error("{what} failed: {why}")]
    Numerical {
        /// The computation.
        what: &'static str,
        /// The cause.
        why: String,
    },
    /// The arrays of a sparse matrix contradict each other.
    #[error("the sparse matrix is corrupt: {0}")]
    SparseStructure(String),
    /// Labels of a column cannot be turned into times.
    #[error("labels of `{column}` {problem}: {}", first_few(labels))]
    TimeLabels {
        /// The column.
        column: String,
        /// The problem, in words that follow "labels of … ".
        problem: &'static str,
        /// All labels with this problem.
        labels: Vec<String>,
    },
    /// A column has fewer than two different times.
    #[error("`{column}` must have at least two different times, found {}", one_or_none(found.as_deref()))]
    TooFewTimes {
        /// The column.
        column: String,
        /// The label of the only time, if there is one.
        found: Option<String>,
    },
    /// Several columns may contain the times, and they contradict each other.
    #[error("several columns may contain the times, and they disagree:{}", table(columns))]
    TimeColumnsDisagree {
        /// Each column with its first values.
        columns: Vec<(String, String)>,
    },
    /// No column is recognised as the time.
    #[error("no column of `obs` is recognised as the time{}", table(looked_at))]
    NoTimeColumn {
        /// The columns with a plausible name, each with the reason why it was refused.
        looked_at: Vec<(String, String)>,
    },
    /// The syntax of a filter of cells is wrong.
    #[error("cannot understand the filter `{filter}`: {problem}")]
    FilterSyntax {
        /// The filter as it was written.
        filter: String,
        /// The problem.
        problem: &'static str,
    },
    /// A filter of cells does not fit the values of its column.
    #[error("the filter `{filter}` does not fit its column: {problem}")]
    FilterValue {
        /// The filter as it was written.
        filter: String,
        /// The problem, with the values of the column.
        problem: String,
        /// Values of the column that are similar to the value of the filter.
        near: Vec<String>,
    },
    /// A step that takes logarithms or depths found a negative value or NaN.
    #[error("{step} needs values ≥ 0, got {got} in cell {cell}, gene {gene} (counted from 0)")]
    Negative {
        /// Name of the step.
        step: &'static str,
        /// Row of the matrix, from 0.
        cell: usize,
        /// Column of the matrix, from 0.
        gene: usize,
        /// The value found.
        got: f32,
    },
    /// A value of a matrix is so large that the result of a step is infinite.
    #[error("{step} overflows for {got:?} in cell `{cell}`, gene `{gene}`")]
    Overflows {
        /// Name of the step.
        step: &'static str,
        /// The value found.
        got: f32,
        /// Name of the cell, or its number from 0 if names are not known.
        cell: String,
        /// Name of the gene, or its number from 0.
        gene: String,
    },
    /// A fit needs more memory than it may use.
    #[error("this fit needs {} allowed", memory_beyond(*needed, *promised))]
    Memory {
        /// Estimated peak of the memory, in bytes.
        needed: f64,
        /// Limit of the memory, in bytes.
        promised: f64,
    },
    /// A unit of a plan needs more memory than there is.
    #[error("{0}")]
    UnitMemory(UnitMemory),
    /// The operating system refused a file operation.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// The operation: "read", "write", "create", "rename".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A file does not exist.
    #[error("there is no file `{}`", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Existing files with a similar name, as paths.
        near: Vec<String>,
        /// Existing files of that kind, if no name is similar.
        others: Vec<String>,
    },
    /// An input file, or the part of it that is needed, cannot be read.
    #[error("cannot read `{}`: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The problem, with the node inside the file if there is one.
        problem: String,
        /// The remedy, if there is one.
        way_out: Option<String>,
    },
    /// A folder contains no fitted model.
    #[error("there is no fitted model in `{}`", folder.display())]
    NoModel {
        /// The folder.
        folder: PathBuf,
    },
    /// The output folder exists, and another program or command wrote it.
    #[error("`{}` already exists, and this command did not write it", path.display())]
    OutputTaken {
        /// The file or folder.
        path: PathBuf,
    },
    /// Another run of sbcell writes to the same folder.
    #[error("another run of sbcell{} is writing to `{}`", process(*holder), path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The number of that process, if it could be read.
        holder: Option<u32>,
    },
    /// The file that a model was fitted on has changed.
    #[error("`{}` is not the file that was fitted: {by}", path.display())]
    InputChanged {
        /// The file.
        path: PathBuf,
        /// The difference, with both values.
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
        /// The kind of name: "column of obs", "layer", "key of obsm".
        what: &'static str,
        /// The requested name.
        name: String,
        /// The file.
        path: PathBuf,
        /// The existing names of this kind.
        available: Vec<String>,
    },
    /// A key to be written exists in the file, and sbcell did not write it.
    #[error("{} already in `{}` and not written by sbcell", there(keys), path.display())]
    KeysTaken {
        /// The file.
        path: PathBuf,
        /// Paths inside the file.
        keys: Vec<String>,
    },
    /// A file has none of the cells of a model or table.
    #[error("none of the cells of {whose} (such as {}) is in `{}`, which has cells such as {}", asked.join(", "), path.display(), there.join(", "))]
    OtherCells {
        /// The model or table, in words that follow "the cells of".
        whose: String,
        /// Its first cells.
        asked: Vec<String>,
        /// The file.
        path: PathBuf,
        /// The first cells of the file.
        there: Vec<String>,
    },
    /// The input file is also the output file.
    #[error("`{}` is both the input and the output", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// An output would replace an input of the command.
    #[error("`{}` is read by this command and cannot be its output", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },
    /// An output would replace a part of a fitted model.
    #[error("`{}` belongs to a fitted model", path.display())]
    OutputInModel {
        /// The file.
        path: PathBuf,
    },
    /// A file exists that sbcell did not write, or that was changed since.
    #[error("`{}` already exists, and sbcell did not write it or it was changed since", path.display())]
    FileTaken {
        /// The file.
        path: PathBuf,
    },
    /// A file to be changed is locked by another process.
    #[error("another process is writing to `{}`", path.display())]
    FileInUse {
        /// The file.
        path: PathBuf,
    },
    /// Another process changed the file during the run.
    #[error("another process changed `{}` during this run", path.display())]
    FileChanged {
        /// The file.
        path: PathBuf,
    },
    /// An input file does not have the requested matrix.
    #[error("there is no matrix `{node}` in `{}`", path.display())]
    NoMatrix {
        /// The file.
        path: PathBuf,
        /// The matrix: "X", "raw/X".
        node: String,
        /// The layers of the file.
        layers: Vec<String>,
        /// The keys of `obsm` in the file.
        obsm: Vec<String>,
    },
    /// A matrix contains NaN or an infinite value.
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
    /// A parameter that the chosen solver does not have.
    #[error("the parameter `{parameter}` does not apply to the parameter `solver = {solver}`")]
    ParameterOfOtherSolver {
        /// The parameter.
        parameter: String,
        /// The chosen solver.
        solver: String,
        /// The solvers that have this parameter.
        solvers: Vec<String>,
    },
    /// No cell is left after filtering.
    #[error("no cell meets {}", filters.join(" and "))]
    NoCells {
        /// The filters, as they were given.
        filters: Vec<String>,
    },
    /// All values of all cells of a time are zero.
    #[error("all {n_cells} cells at {label} have only zeros")]
    EmptyTime {
        /// Label of the time.
        label: String,
        /// Number of its cells.
        n_cells: usize,
    },
    /// A time map was given without the column of its labels.
    #[error("a time map needs the name of the column that has its labels")]
    TimeMapWithoutColumn {
        /// Columns that may have these labels.
        candidates: Vec<String>,
    },
    /// Some cells have no value of growth.
    #[error("`{name}` gives no growth for {}", some_cells(*n_missing, first))]
    GrowthMissing {
        /// The column or file.
        name: String,
        /// Number of cells before the last time without a value.
        n_missing: usize,
        /// The first of them.
        first: Vec<String>,
        /// The difference between these names and the names of the cells, if it is known.
        naming: Option<String>,
    },
    /// The growth of a cell is outside its range.
    #[error("`{name}` has {got} for cell `{cell}`; the growth of a cell must be {must}")]
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
    /// A column of growth contains values of another kind.
    #[error("`{name}` contains {kind}, such as `{example}`, not the growth of cells")]
    GrowthText {
        /// The column.
        name: String,
        /// The kind of its values.
        kind: &'static str,
        /// One of its values.
        example: String,
    },
    /// None of the requested genes exists.
    #[error("none of the requested genes exists: requested {wanted}; existing {present}")]
    NoGenes {
        /// The requested genes.
        wanted: Box<GeneNames>,
        /// The existing genes.
        present: GeneNames,
        /// Existing names that are similar to the requested name.
        near: Vec<String>,
        /// The remedy if no name is similar.
        way_out: &'static str,
    },
    /// A requested gene is not among the available genes.
    #[error("`{gene}` is {}not among the {kept} genes {whose}", in_file_but(*in_file))]
    GeneNotAmong {
        /// The gene.
        gene: String,
        /// Whether the fitted file has this gene.
        in_file: bool,
        /// Number of available genes.
        kept: usize,
        /// The available genes, in words that follow "the 12 genes …".
        whose: String,
        /// Available genes with a similar name.
        near: Vec<String>,
        /// The remedy if no name is similar.
        way_out: &'static str,
    },
    /// Few of the requested genes exist, and more would if case did not matter.
    #[error(
        "too few of the requested genes exist: {n_found} of {n_wanted} as they are written, {n_folded} if case is ignored; requested {wanted}; existing {present}"
    )]
    FewGenes {
        /// Number of requested names that exist.
        n_found: usize,
        /// Number of requested names.
        n_wanted: usize,
        /// Number of requested names that exist if case is ignored.
        n_folded: usize,
        /// The requested genes.
        wanted: Box<GeneNames>,
        /// The existing genes.
        present: GeneNames,
        /// The remedy.
        way_out: &'static str,
    },
    /// An embedding contains NaN, an infinite value or one above 3.4e38 in size.
    #[error("obsm/{key} has {value:?} for cell `{cell}` in dimension {}", dimension + 1)]
    EmbeddingNotFinite {
        /// Key of the embedding in `obsm`.
        key: String,
        /// The cell.
        cell: String,
        /// The dimension, from zero.
        dimension: usize,
        /// The value.
        value: f64,
    },
    /// The chosen solver supports no reference process other than Brownian motion.
    #[error("the parameter `reference = ou` needs a solver that fits each interval separately")]
    ReferenceNotTaken {
        /// The solvers that support it.
        solvers: Vec<String>,
    },
    /// A time is before the first snapshot or after the last.
    #[error("time {time} is outside the range of the snapshots, {first} to {last}")]
    OutsideTimes {
        /// The requested time.
        time: f64,
        /// Time of the first snapshot.
        first: f64,
        /// Time of the last snapshot.
        last: f64,
    },
    /// A text is neither a number nor the label of a snapshot.
    #[error("`{flag}` has `{text}`, which is neither a number nor the label of a snapshot")]
    UnknownTime {
        /// The flag or parameter that has the text.
        flag: &'static str,
        /// The text.
        text: String,
        /// Labels and times of the snapshots.
        snapshots: Vec<(String, f64)>,
    },
    /// No cells were observed at the requested time.
    #[error("no cells were observed at {time}; the observed times are {}", listed(times))]
    NotObserved {
        /// The requested time.
        time: f64,
        /// The observed times.
        times: Vec<f64>,
    },
    /// No group of cells has this name.
    #[error("there is no group `{name}`")]
    UnknownGroup {
        /// The requested name.
        name: String,
        /// The existing groups.
        groups: Vec<String>,
    },
    /// The coordinates of a model cannot set the levels of these genes independently.
    #[error("the coordinates of the model cannot hold {} at a given level", list(genes))]
    NotHeld {
        /// The genes.
        genes: Vec<String>,
    },
    /// Genes are requested from a model that was fitted on an embedding.
    #[error("the model was fitted on {source_name} and has no genes")]
    NoGeneSpace {
        /// The matrix or embedding the model was fitted on.
        source_name: String,
    },
}
