//! The hash of the data of a run: of one file, or of all files of a course.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::io::file::{hex, open, sha256};
use crate::io::h5ad::DataFiles;
use crate::io::run::{InputRecord, OutputRecord};
use crate::progress::Progress;

/// The hash of the data of a run, with those of the files of a course.
///
/// The hash of one file is its SHA-256. The hash of a course in several files is the SHA-256 of the lines
/// `HASH  LABEL` of its files, as `sha256sum` writes them for names without suffix.
///
/// ```
/// use sbcell::Silent;
/// use sbcell::io::h5ad::DataFiles;
/// use sbcell::io::hashed::Hashed;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// for name in ["day0.h5ad", "day2.h5ad"] {
///     std::fs::write(folder.path().join(name), [0, name.as_bytes()[3]]).unwrap();
/// }
/// let course = Hashed::of(&DataFiles::find(folder.path())?, &mut Silent)?;
/// let one = Hashed::of(&DataFiles::find(&folder.path().join("day2.h5ad"))?, &mut Silent)?;
/// assert_eq!(course.files[1].sha256, one.sha256);
/// assert!(one.files.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hashed {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The files of a course with their hashes, by the paths at which they were read; none for one file.
    pub files: Vec<OutputRecord>,
}

impl Hashed {
    /// Reads each file once to compute its hash.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if a file cannot be read; [`crate::Error::Cancelled`].
    pub fn of(data: &DataFiles, progress: &mut dyn Progress) -> Result<Self> {
        Self::with(data, |path| sha256(path, progress))
    }

    /// As [`Hashed::of`], with the hash of each file by `hash`.
    ///
    /// # Errors
    /// Those of `hash`.
    pub(crate) fn with(
        data: &DataFiles,
        mut hash: impl FnMut(&Path) -> Result<String>,
    ) -> Result<Self> {
        if !data.is_course() {
            return Ok(Self { sha256: hash(data.path())?, files: Vec::new() });
        }
        let mut files = Vec::with_capacity(data.paths().len());
        let mut all = Sha256::new();
        for (path, label) in data.paths().iter().zip(data.labels()) {
            let sha256 = hash(path)?;
            all.update(format!("{sha256}  {label}\n"));
            files.push(OutputRecord { file: path.to_string_lossy().into_owned(), sha256 });
        }
        Ok(Self { sha256: hex(&all.finalize()), files })
    }

    /// The record of the data at `path`, of which `cells` cells and `genes` genes were used.
    pub(crate) fn record(self, path: &Path, cells: usize, genes: usize) -> InputRecord {
        // The folders `.` and `..` have a name only as absolute paths.
        let name = path.file_name().map(ToOwned::to_owned).or_else(|| {
            fs::canonicalize(path).ok().and_then(|path| path.file_name().map(ToOwned::to_owned))
        });
        let Self { sha256, files } = self;
        InputRecord {
            file: name.unwrap_or_default().to_string_lossy().into_owned(),
            path: path.to_string_lossy().into_owned(),
            sha256,
            files,
            cells,
            genes,
        }
    }
}

/// Number of bytes of the file, or of all files of a course.
///
/// # Errors
/// [`crate::Error::NoFile`] or [`crate::Error::Io`] if a file cannot be opened.
pub(crate) fn n_bytes(data: &DataFiles) -> Result<u64> {
    data.paths().iter().try_fold(0, |sum, path| Ok(sum + open(path)?.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn the_hash_of_a_course_is_that_of_its_list_of_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.h5ad"), "abc").unwrap();
        fs::write(at("b.h5ad"), "").unwrap();
        let of = || Hashed::of(&DataFiles::find(folder.path()).unwrap(), &mut Silent).unwrap();
        // printf 'abc' | sha256sum; printf '' | sha256sum; with the names a and b: | sha256sum
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n\
                    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n";
        assert_eq!(of().sha256, hex(&Sha256::digest(text)));
        assert_eq!(n_bytes(&DataFiles::find(folder.path()).unwrap()).unwrap(), 3);
        let before = of();
        fs::write(at("b.h5ad"), "x").unwrap();
        assert_ne!(of().sha256, before.sha256);
        fs::write(at("b.h5ad"), "").unwrap();
        assert_eq!(of(), before);
        fs::rename(at("b.h5ad"), at("c.h5ad")).unwrap();
        assert_ne!(of().sha256, before.sha256);
    }

    #[test]
    fn the_folder_here_has_a_name() {
        let record = Hashed::default().record(Path::new("."), 1, 2);
        assert!(!record.file.is_empty() && record.path == ".");
    }
}
