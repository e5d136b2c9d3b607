//! Edits files on disk: adds, replaces and deletes objects, by other ways where `hdf5-pure` refuses.
//!
//! New data and rebuilt object headers go to the end of the file, and every other dataset stays as it is,
//! byte for byte.

use std::fs::OpenOptions;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hdf5_pure::{FileAccessProperties, FileLocking, RepackOptions, SyncPolicy};

use crate::compact::compact_groups;
use crate::error::{Error, Problem, Result};
use crate::file::File;
use crate::group::{Group, Node};
use crate::survey::survey;
use crate::write::{NewAttribute, NewDataset, NewGroup};

/// The reason given for a file at which hdf5-pure panics.
const CORRUPT: &str = "the HDF5 structures are corrupt";

/// A file that is open to be changed. Nothing is written before [`Editor::commit`].
///
/// The file is neither locked nor synced to disk here: edit a copy that nobody else knows, and rename it.
///
/// ```
/// use sbcell_hdf5::{Editor, File, NewDataset, NewFile, Storage, Values};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.h5");
/// let mut file = NewFile::compatible();
/// file.root().dataset("old", &NewDataset::new(Values::I64(&[1, 2])));
/// file.finish(&mut std::fs::File::create(&path)?)?;
///
/// let editor = Editor::open(&path)?;
/// editor.delete("old")?;
/// editor.dataset("new", &NewDataset::new(Values::I64(&[3])))?;
/// editor.commit()?;
/// editor.close()?;
/// let root = File::open(&path)?.root()?;
/// assert_eq!(root.children()?, ["new"]);
/// # Ok(())
/// # }
/// ```
pub struct Editor {
    path: PathBuf,
    file: hdf5_pure::File,
    root: hdf5_pure::Group,
}

impl std::fmt::Debug for Editor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Editor").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Editor {
    /// Opens the file at `path` to change it.
    ///
    /// # Errors
    /// [`Problem::NotInPlace`] if its format cannot be extended; [`Problem::NotEdited`].
    pub fn open(path: &Path) -> Result<Self> {
        let properties = FileAccessProperties::new()
            .with_locking(FileLocking::Disabled)
            .with_sync_policy(SyncPolicy::OnClose);
        let opened = guarded(path, || hdf5_pure::File::open_rw_with_options(path, properties))?;
        let root = opened.root();
        Ok(Self { path: path.to_path_buf(), file: opened, root })
    }

    /// Deletes the object at `path`, a group with all that is in it.
    ///
    /// # Errors
    /// As all methods of an editor: [`Problem::NotInPlace`] if this file cannot be changed so,
    /// [`Problem::NotEdited`] for any other failure.
    pub fn delete(&self, path: &str) -> Result<()> {
        guarded(&self.path, || self.root.delete(path))
    }

    /// Creates a group at `path`; `fill` describes what is in it. All groups above it must be there.
    ///
    /// # Errors
    /// As [`Editor::delete`].
    pub fn group(&self, path: &str, fill: impl FnOnce(&mut NewGroup<'_>)) -> Result<()> {
        guarded(&self.path, || {
            self.root
                .create_group_with(path, |group| fill(&mut NewGroup { place: group }))
                .map(|_| ())
        })
    }

    /// Creates a dataset at `path`.
    ///
    /// # Errors
    /// As [`Editor::delete`].
    pub fn dataset(&self, path: &str, dataset: &NewDataset<'_>) -> Result<()> {
        guarded(&self.path, || {
            self.root.create_dataset(path, |builder| dataset.fill(builder)).map(|_| ())
        })
    }

    /// Gives the group at `path` (empty for the root) an attribute, in the place of one of the same name.
    ///
    /// # Errors
    /// As [`Editor::delete`].
    pub fn attribute(&self, path: &str, name: &str, value: NewAttribute) -> Result<()> {
        guarded(&self.path, || {
            if path.is_empty() {
                return self.root.set_attr(name, value.into());
            }
            self.file.group(path)?.set_attr(name, value.into())
        })
    }

    /// Writes all changes since the last commit at once.
    ///
    /// # Errors
    /// As [`Editor::delete`].
    pub fn commit(&self) -> Result<()> {
        guarded(&self.path, || self.file.commit())
    }

    /// Closes the file and reports what a silent drop would hide.
    ///
    /// # Errors
    /// As [`Editor::delete`].
    pub fn close(self) -> Result<()> {
        let Self { path, file, root } = self;
        drop(root);
        guarded(&path, || file.close())
    }
}

/// How a file was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// All that was there is where it was.
    InPlace,
    /// The file was written anew, object by object, before it was edited.
    Rewritten,
}

/// Edits `copy`, which has the bytes of `source`, by `apply`, which opens [`Editor`]s of the path it gets.
///
/// If hdf5-pure cannot extend the file, the links of `groups` (paths) that are kept in heaps are moved into
/// object headers, where it can extend them. If that does not suffice, a file in which every object has one
/// name is written anew, object by object. `apply` then runs again, on bytes that it has not changed.
///
/// # Errors
/// [`Problem::NotEdited`] if all of this failed, with the reasons. `copy` is then undefined.
pub fn edit_copy(
    source: &Path,
    copy: &Path,
    groups: &[&str],
    apply: &dyn Fn(&Path) -> Result<()>,
) -> Result<Extended> {
    let failed = |why: String| Error::new(source, Problem::NotEdited(why));
    // An editor that failed may panic once more when it is dropped.
    let apply = |path: &Path| {
        catch_unwind(AssertUnwindSafe(|| apply(path)))
            .unwrap_or_else(|_| Err(Error::new(path, Problem::NotEdited(CORRUPT.into()))))
    };
    let why = match apply(copy) {
        Ok(()) => return Ok(Extended::InPlace),
        Err(Error { problem: Problem::NotInPlace(why), .. }) => why,
        Err(error) => return Err(failed(in_words(&error))),
    };
    let also = |error: &Error| failed(format!("{why}; and {}", in_words(error)));
    copy_into(source, copy).map_err(|error| also(&error))?;
    if compact_groups(copy, groups).map_err(|error| also(&error))? && apply(copy).is_ok() {
        return Ok(Extended::InPlace);
    }
    // Soft links and second names of an object would not survive.
    let is_tree = File::open(source).and_then(|file| survey(&file)).is_ok_and(|of| of.is_tree());
    if !is_tree {
        return Err(failed(why.to_string()));
    }
    rewrite(source, copy).and_then(|()| apply(copy)).map_err(|error| also(&error))?;
    Ok(Extended::Rewritten)
}

/// Writes the objects of `source` to `target`, one after another, without the space that nothing leads to.
///
/// Only for files in which every object has one name: see [`crate::Survey::is_tree`].
///
/// # Errors
/// As [`Editor::delete`].
pub fn rewrite(source: &Path, target: &Path) -> Result<()> {
    guarded(source, || hdf5_pure::repack(source, target, &RepackOptions::new()))
}

/// Bytes that the data of all datasets in `group` take in the file, texts on heaps not counted.
///
/// # Errors
/// [`Problem::Object`] if an object is corrupt.
pub fn live_bytes(group: &Group) -> Result<u64> {
    let mut bytes = 0;
    for name in group.children()? {
        bytes += match group.child(&name)? {
            Some(Node::Group(inside)) => live_bytes(&inside)?,
            Some(Node::Dataset(dataset)) => dataset.stored_bytes()?,
            None => 0,
        };
    }
    Ok(bytes)
}

/// The reason alone, without the path of the copy.
fn in_words(error: &Error) -> String {
    match &error.problem {
        Problem::NotEdited(why) => why.clone(),
        problem => problem.to_string(),
    }
}

/// The bytes of `source` in place of those of `target`, which stays the same file.
fn copy_into(source: &Path, target: &Path) -> Result<()> {
    let mut from = std::fs::File::open(source).map_err(Error::io("read", source))?;
    let to = OpenOptions::new().write(true).truncate(true).open(target);
    let mut to = to.map_err(Error::io("write", target))?;
    io::copy(&mut from, &mut to).map(|_| ()).map_err(Error::io("copy", source))
}

/// Calls hdf5-pure; its errors and panics become errors about `path`.
fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> std::result::Result<T, hdf5_pure::Error>,
) -> Result<T> {
    let problem = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(hdf5_pure::Error::EditUnsupported(why))) => Problem::NotInPlace(why),
        Ok(Err(error)) => Problem::NotEdited(error.to_string()),
        Err(_) => Problem::NotEdited(CORRUPT.into()),
    };
    Err(Error::new(path, problem))
}
