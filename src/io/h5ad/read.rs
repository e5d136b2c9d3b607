//! The open files of a course, read in parts on request: one `.h5ad`, or several as one.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::h5ad::files::DataFiles;
use crate::io::h5ad::joined::{GeneOrder, joined_columns};
use crate::io::h5ad::part::Part;

/// The column of `obs` with the name of the file of each cell, where several files are read as one.
pub const FILE_COLUMN: &str = "file";

/// An open `.h5ad` file, or several that are read as one. Matrices and columns are read on request. See
/// [`H5adContent`] for an example.
///
/// Several files are a folder or a list ([`DataFiles`]). Their cells come one file after the other. They have the
/// columns of `obs`, the layers and the arrays of `obsm` that all files have, and the column [`FILE_COLUMN`] with the
/// name of the file. The genes of all files must be the same; their order is that of the first file, which also gives
/// `var`, `varm` and `uns`. Memory: as for one file of the same size.
///
/// ```
/// use ndarray::array;
/// use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};
/// use sbcell::{Silent, data::Matrix};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let counts = array![[3.0_f32, 1.0]];
/// for (name, genes) in [("day0", ["Sox2", "Nanog"]), ("day2", ["Nanog", "Sox2"])] {
///     let (cells, genes) = ([format!("cell of {name}")], genes.map(String::from));
///     let x = Some(MatrixContent::Single(counts.view()));
///     let content = H5adContent { obs_names: &cells, var_names: &genes, x, ..H5adContent::default() };
///     write_h5ad(&folder.path().join(name).with_extension("h5ad"), &content)?;
/// }
/// let course = H5ad::open(folder.path())?;
/// assert_eq!(course.obs_names()?, ["cell of day0", "cell of day2"]);
/// assert_eq!(course.obs("file")?.label(1).as_deref(), Some("day2"));
/// // The genes of the second file come in the order of the first.
/// let both = Matrix::Dense(array![[3.0, 1.0], [1.0, 3.0]]);
/// assert_eq!(course.matrix(&MatrixSource::X, &mut Silent)?, both);
/// # Ok(())
/// # }
/// ```
///
/// [`H5adContent`]: crate::io::h5ad::H5adContent
pub struct H5ad {
    files: DataFiles,
    /// The open files, at least one.
    parts: Vec<Part>,
    /// The first row of each part, and the number of all cells.
    pub(super) starts: Vec<usize>,
    /// Whether names of cells begin with that of their file, once it is known.
    prefixed: OnceLock<bool>,
    /// The order of the genes of `var` and of `raw/var` in each part, once it is known.
    pub(super) orders: [OnceLock<Vec<GeneOrder>>; 2],
}

/// The place of a cells × genes matrix in a file.
///
/// ```
/// use sbcell::io::h5ad::MatrixSource;
///
/// assert_eq!(MatrixSource::Layer("counts".into()).to_string(), "layers/counts");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatrixSource {
    /// The main matrix.
    X,
    /// A layer.
    Layer(String),
    /// The matrix of `raw`, which may have more genes.
    RawX,
}

impl fmt::Display for MatrixSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X => formatter.write_str("X"),
            Self::Layer(name) => write!(formatter, "layers/{name}"),
            Self::RawX => formatter.write_str("raw/X"),
        }
    }
}

impl fmt::Debug for H5ad {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("H5ad")
            .field("files", &self.files)
            .field("n_cells", &self.n_cells())
            .finish_non_exhaustive()
    }
}

impl H5ad {
    /// Opens a file, or the files of a folder or list, written by any anndata from 0.6 on.
    ///
    /// # Errors
    /// [`Error::NoFile`] if there is none; [`Error::Unreadable`] with what it is if it is no `.h5ad`, or
    /// one that is empty, truncated, or without cells; those of [`DataFiles::find`].
    pub fn open(path: &Path) -> Result<Self> {
        let files = DataFiles::find(path)?;
        let parts = files.paths().iter().map(|path| Part::open(path));
        let parts = parts.collect::<Result<Vec<Part>>>()?;
        let (mut starts, mut end) = (vec![0], 0);
        for part in &parts {
            end += part.n_cells();
            starts.push(end);
        }
        let orders = [OnceLock::new(), OnceLock::new()];
        Ok(Self { files, parts, starts, prefixed: OnceLock::new(), orders })
    }

    /// The path that was opened: a file, a folder or a list.
    pub fn path(&self) -> &Path {
        self.files.path()
    }

    /// The files that were opened.
    pub fn files(&self) -> &DataFiles {
        &self.files
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn first(&self) -> &Part {
        &self.parts[0]
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Names of the cells. If several files have a name in common, every name begins with that of its file and a
    /// colon, such as `day0:AAACCTG-1`.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn obs_names(&self) -> Result<Vec<String>> {
        if let [only] = &self.parts[..] {
            return only.obs_names();
        }
        let names = self.parts.iter().map(Part::obs_names).collect::<Result<Vec<_>>>()?;
        let prefixed = *self.prefixed.get_or_init(|| shared_name(&names).is_some());
        let labels = self.files.labels().iter();
        let of_part = |(names, label): (Vec<String>, &String)| -> Vec<String> {
            if prefixed {
                names.iter().map(|name| format!("{label}:{name}")).collect()
            } else {
                names
            }
        };
        Ok(names.into_iter().zip(labels).flat_map(of_part).collect())
    }

    /// Names of the columns of `obs`, in their order. Of several files, those that all of them have, and
    /// [`FILE_COLUMN`].
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn obs_columns(&self) -> Result<Vec<String>> {
        let mut columns = self.first().obs_columns()?;
        let mut has_file = columns.iter().any(|name| name == FILE_COLUMN);
        for part in &self.parts[1..] {
            let own = part.obs_columns()?;
            has_file |= own.iter().any(|name| name == FILE_COLUMN);
            columns.retain(|name| own.contains(name));
        }
        if self.files.is_course() && !has_file {
            columns.push(FILE_COLUMN.into());
        }
        Ok(columns)
    }

    /// A column of `obs`. Categories of several files are united, in the order of the first file.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the columns there are; [`Error::Unreadable`], also for a column that only some of
    /// several files have.
    pub fn obs(&self, name: &str) -> Result<Column> {
        let mut found = Vec::with_capacity(self.parts.len());
        let mut lacking = Vec::new();
        for part in &self.parts {
            match part.obs(name)? {
                Some(column) => found.push(column),
                None => lacking.push(part.path().display().to_string()),
            }
        }
        match (found.len(), lacking.len()) {
            (_, 0) => Ok(joined_columns(found)),
            (0, _) if self.files.is_course() && name == FILE_COLUMN => Ok(self.file_column()),
            (0, _) => {
                let (what, path) = ("column of obs", self.path().to_path_buf());
                Err(Error::UnknownKey {
                    what,
                    name: name.into(),
                    path,
                    available: self.obs_columns()?,
                })
            }
            _ => Err(self.not_in_all(name, &lacking)),
        }
    }

    /// The file of each cell, as categories in the order of the files.
    fn file_column(&self) -> Column {
        let rows = self.parts.iter().enumerate();
        let codes = rows.flat_map(|(part, of)| vec![Some(part as u32); of.n_cells()]).collect();
        let labels = self.files.labels().iter().cloned().map(Some).collect();
        Column::Categories { codes, categories: Box::new(Column::Texts(labels)) }
    }

    /// The error for a column of `obs` that some files lack.
    fn not_in_all(&self, name: &str, lacking: &[String]) -> Error {
        const SHOWN: usize = 5;
        let shown: Vec<String> =
            lacking.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
        let more = lacking.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let problem = format!(
            "{} of its {} files have no column of obs `{name}`: {}{more}",
            lacking.len(),
            self.parts.len(),
            shown.join(", ")
        );
        let common = self.obs_columns().unwrap_or_default();
        let common: Vec<String> = common.iter().map(|name| format!("`{name}`")).collect();
        let way_out =
            format!("add the column to these files; all files have {}", common.join(", "));
        Error::Unreadable { path: self.path().to_path_buf(), problem, way_out: Some(way_out) }
    }

    /// Notes on several files that are read as one: their number, changed names of cells, and
    /// columns that are left out. Empty for one file.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn notes(&self) -> Result<Vec<String>> {
        if !self.files.is_course() {
            return Ok(Vec::new());
        }
        let each = self.parts.iter().zip(self.files.labels());
        let each: Vec<String> =
            each.map(|(part, label)| format!("{label} ({} cells)", part.n_cells())).collect();
        let files = if each.len() == 1 { "file is" } else { "files are" };
        let mut notes =
            vec![format!("{} {files} read as one course: {}", each.len(), each.join(", "))];
        let names = self.parts.iter().map(Part::obs_names).collect::<Result<Vec<_>>>()?;
        let shared = shared_name(&names);
        self.prefixed.get_or_init(|| shared.is_some());
        if let Some(shared) = shared {
            let label = &self.files.labels()[0];
            notes.push(format!(
                "files have names of cells in common, such as `{shared}`: every name begins with that of its \
                 file, such as `{label}:{shared}`"
            ));
        }
        let columns = self.parts.iter().map(Part::obs_columns).collect::<Result<Vec<_>>>()?;
        let common = self.obs_columns()?;
        let mut left_out: Vec<String> = Vec::new();
        for name in columns.iter().flatten().filter(|name| !common.contains(name)) {
            let quoted = format!("`{name}`");
            if !left_out.contains(&quoted) {
                left_out.push(quoted);
            }
        }
        if !left_out.is_empty() {
            notes.push(format!(
                "columns of obs that some files lack are left out: {}",
                left_out.join(", ")
            ));
        }
        Ok(notes)
    }

    /// Keys of `uns`; of several files, those of the first.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_keys(&self) -> Result<Vec<String>> {
        self.first().uns_keys()
    }

    /// A text in `uns`, by path (`pca/params`); `None` if it is absent or not a single text. Of several files, that
    /// of the first.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_text(&self, key: &str) -> Result<Option<String>> {
        self.first().uns_text(key)
    }

    /// The texts of an entry of `uns`, by path (`cell_type_colors`); `None` if it is absent or not a list of texts.
    /// Of several files, those of the first.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        self.first().uns_texts(key)
    }

    /// Whether `uns` says that X was log-transformed (scanpy's `log1p` entry), in all files.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_log1p(&self) -> Result<bool> {
        for part in &self.parts {
            if !part.uns_keys()?.iter().any(|key| key == "log1p") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there is something at `path`, such as `obs/growth` or `obsm`, in all files.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn holds(&self, path: &str) -> Result<bool> {
        for part in &self.parts {
            if !part.holds(path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `encoding-type` and `encoding-version` of the (first) file; none before anndata 0.8.
    pub fn encoding(&self) -> Option<(String, String)> {
        self.first().encoding()
    }

    /// The versions of anndata that write files like this one (the first one), in words.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn dialect(&self) -> Result<&'static str> {
        self.first().dialect()
    }
}

/// A name that two files have in common, the first in the order of texts.
fn shared_name(names: &[Vec<String>]) -> Option<&String> {
    let of_part = |(part, names): (usize, &'_ Vec<String>)| -> Vec<(usize, usize)> {
        (0..names.len()).map(|place| (part, place)).collect()
    };
    let mut places: Vec<(usize, usize)> = names.iter().enumerate().flat_map(of_part).collect();
    let name = |&(part, place): &(usize, usize)| &names[part][place];
    places.sort_unstable_by(|a, b| name(a).cmp(name(b)).then(a.cmp(b)));
    let shared =
        places.windows(2).find(|pair| pair[0].0 != pair[1].0 && name(&pair[0]) == name(&pair[1]));
    shared.map(|pair| name(&pair[0]))
}

/// Names that occur more than once, sorted.
pub fn duplicates(names: &[String]) -> Vec<String> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    let mut found: Vec<String> =
        sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    found.dedup();
    found
}
