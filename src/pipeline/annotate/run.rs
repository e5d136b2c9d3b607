//! Writes the results of a model into the `.h5ad` of its cells.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::h5ad::{DataFiles, Edited, H5ad, H5adEdit, edit_h5ad};
use crate::io::held::Held;
use crate::io::model::OpenModel;
use crate::io::output::same_file;
use crate::pipeline::annotate::AnnotateOptions;
use crate::pipeline::annotate::join::Rows;
use crate::pipeline::annotate::mark::{check_free, check_listed, marks};
use crate::pipeline::annotate::parts::{CellsOfFile, Parts, paths_of_model};
use crate::pipeline::fit::selection::file_name;
use crate::progress::{self, Progress};

/// The result of [`annotate`]: what was written, and into which cells. See there for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotated {
    /// Paths inside the file, such as `obs/sbcell_time`; the mark is the last.
    pub written: Vec<String>,
    /// Number of cells of the model that are in the file.
    pub n_found: usize,
    /// Number of cells of the file.
    pub n_cells: usize,
    /// How the file was written.
    pub edited: Edited,
}

/// Writes the results of `model` for the cells of the file `source` into the file `out`, a copy with more keys.
///
/// `out` may be `source`, which is then changed in place while other processes are kept away. Existing content
/// stays as it is; only what an earlier `annotate` with the same key wrote is replaced. Cells are matched by
/// name. Other cells have NaN, or zero where readers would drop them (see `docs/METHODS.md` for the list of
/// keys). All conflicts are reported before the first long computation.
///
/// Memory: with a layer one row of it for each cell of the file, and what [`edit_h5ad`] needs.
///
/// ```
/// use sbcell::io::h5ad::H5ad;
/// use sbcell::pipeline::{AnnotateOptions, annotate, example_model};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let (source, out) = (folder.path().join("cells.h5ad"), folder.path().join("more.h5ad"));
/// let done = annotate(&model, &source, &out, &AnnotateOptions::default(), &mut Silent)?;
/// assert_eq!((done.n_found, done.n_cells), (72, 72));
/// assert!(H5ad::open(&out)?.holds("obsm/sbcell_velocity")?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::KeysTaken`] if a key exists that `annotate` did not write; [`Error::OtherCells`] if no cell of the
/// model is in the file; [`Error::Parameter`] for a key that is no name, or a flow that the model does not have;
/// [`Error::FileInUse`] and [`Error::FileChanged`] if `source` is changed in place and another process uses it;
/// those of [`velocity`](crate::pipeline::velocity()), of reading the tables, and of [`edit_h5ad`].
pub fn annotate(
    model: &OpenModel,
    source: &Path,
    out: &Path,
    options: &AnnotateOptions,
    progress: &mut dyn Progress,
) -> Result<Annotated> {
    options.check()?;
    // First, so that a file that is no `.h5ad` is reported as such.
    DataFiles::find(source)?.check_one("annotate")?;
    drop(H5ad::open(source)?);
    // The file is locked before it is read, so that the output fits the content that was read.
    let held = if same_file(source, out) { Some(Held::take(source)?) } else { None };
    let file = H5ad::open(source)?;
    let marks = marks(&file)?;
    let old = marks.get(&options.key);
    old.map_or(Ok(()), |mark| check_listed(&file, &options.key, mark))?;
    let rows = Rows::find(&file, &model.cells, "the model")?;
    if rows.n_found() < rows.n_asked() {
        let (n, of) = (rows.n_asked() - rows.n_found(), rows.n_asked());
        let text = format!("{n} of the {of} cells of the model are not in {}", file_name(source));
        progress::note(progress, text)?;
    }
    let mut parts = Parts::default();
    parts.of_tables(&file, options, progress)?;
    // Conflicts are reported before the long computation.
    let mut wanted = [parts.paths(), paths_of_model(model, options)].concat();
    wanted.push(format!("uns/{}", options.key));
    let own: BTreeSet<String> = old.iter().flat_map(|mark| mark.keys.clone()).collect();
    if !options.overwrite {
        check_free(&file, &wanted, &own)?;
    }
    let cells = CellsOfFile { model, file: &file, rows: &rows };
    parts.of_model(&cells, options, progress)?;
    let mark = parts.mark(model, options, &file, old)?;
    drop(file);
    let text = serde_json::to_string(&mark)
        .map_err(|error| Error::Numerical { what: "writing JSON", why: error.to_string() })?;
    let outdated = own.into_iter().filter(|path| !mark.keys.contains(path));
    let edit = H5adEdit {
        remove: outdated.collect(),
        obs: parts.obs,
        obsm: parts.obsm.iter().map(|(name, array)| (name.clone(), array.view())).collect(),
        layers: parts.layer.iter().map(|(name, layer)| (name.clone(), layer.view())).collect(),
        uns: vec![(options.key.clone(), text)],
    };
    held.iter().try_for_each(Held::check)?;
    let edited = edit_h5ad(source, out, &edit)?;
    let text = match edited {
        Edited::Extended => None,
        Edited::Converted => Some(
            "tables that were records, as anndata 0.6 writes them, are now groups, as anndata has \
             written them since, with equal content",
        ),
        Edited::Rewritten => Some(
            "the file was written anew, object by object: it could not be extended, or much of it was \
             space that nothing used any more",
        ),
    };
    text.map_or(Ok(()), |text| progress::note(progress, text))?;
    let (n_found, n_cells) = (rows.n_found(), rows.n_rows());
    Ok(Annotated { written: mark.keys, n_found, n_cells, edited })
}
