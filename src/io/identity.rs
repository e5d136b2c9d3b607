//! Comparison of a file with the one that a fit recorded: by length, by a remembered stamp, by hash.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::file::{io_error, sha256};
use crate::io::h5ad::DataFiles;
use crate::io::hashed::{Hashed, n_bytes};
use crate::io::model::FileRecord;
use crate::io::run::{read_json, write_json};
use crate::platform::files::{self, Changes};
use crate::progress::Progress;

/// Name of the file in the model's folder that remembers hashes of data files. It is a cache, not part
/// of the model.
const SEEN: &str = ".sbcell-data.json";

/// Length in bytes from which on the hash of a file is remembered. Hashing smaller files is fast.
const LARGE: u64 = 64 << 20;

/// Result of the comparison of a file with the fitted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The file is the fitted one, possibly with an annotation that `annotate` wrote into it.
    Same,
    /// The file is another one. The text describes the difference and follows the name of the file.
    Other(String),
}

/// Remembered hashes. If they cannot be read they are computed again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// Stamp and hash of the last large file.
    last: Option<(Stamp, String)>,
    /// Stamps and hashes of the large files of a course.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(Stamp, String)>,
    /// Hashes of the fitted file after each annotation by `annotate`.
    annotated: Vec<String>,
}

/// Metadata that the system changes whenever a file is written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    file: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Compares the file at `path` with the file `recorded` by the fit of the model in `folder`. A folder or a list is
/// compared by the hashes of its files.
///
/// A file is read once to compute its hash, unless its length differs, or it is large and its stamp is
/// that of the last comparison.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be read; [`crate::Error::Cancelled`].
pub(crate) fn compare(
    path: &Path,
    recorded: &FileRecord,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<Identity> {
    let mut seen = Seen::of(folder);
    let data = DataFiles::find(path)?;
    let bytes = n_bytes(&data)?;
    if let Some(fitted) = recorded.bytes.filter(|&fitted| fitted != bytes)
        && seen.annotated.is_empty()
    {
        return Ok(Identity::Other(format!("it has {bytes} bytes, that one had {fitted}")));
    }
    let hash = seen.hash_of(&data, folder, progress)?;
    let same = hash == recorded.sha256 || seen.annotated.contains(&hash);
    let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_string();
    let (found, fitted) = (short(&hash), short(&recorded.sha256));
    let by = || format!("its SHA-256 begins with {found}, that of the fitted file with {fitted}");
    Ok(if same { Identity::Same } else { Identity::Other(by()) })
}

/// Hashes of the fitted file of the model in `folder` after each annotation, as [`remember_annotated`] kept them.
pub(crate) fn annotated(folder: &Path) -> Vec<String> {
    Seen::of(folder).annotated
}

/// Remembers in the model's `folder` that the file at `path` is the fitted file with an annotation.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be read; [`crate::Error::Cancelled`].
#[doc(hidden)]
pub fn remember_annotated(path: &Path, folder: &Path, progress: &mut dyn Progress) -> Result<()> {
    let hash = sha256(path, progress)?;
    let mut seen = Seen::of(folder);
    if !seen.annotated.contains(&hash) {
        seen.annotated.push(hash);
        seen.keep(folder);
    }
    Ok(())
}

impl Seen {
    /// The hashes remembered in `folder`; none if there are none or they cannot be read.
    fn of(folder: &Path) -> Self {
        let path = folder.join(SEEN);
        if !path.exists() {
            return Self::default();
        }
        // Without the cache the hash is computed again, which only takes time.
        read_json(&path).unwrap_or_default()
    }

    /// The hash of `data`. Hashes of large files are remembered in `folder`.
    fn hash_of(
        &mut self,
        data: &DataFiles,
        folder: &Path,
        progress: &mut dyn Progress,
    ) -> Result<String> {
        let known: Vec<&(Stamp, String)> = self.parts.iter().chain(&self.last).collect();
        let (mut large, mut fresh) = (Vec::new(), false);
        let hashed = Hashed::with(data, |path| {
            let stamp = Stamp::of(path)?;
            let before = known.iter().find(|known| Some(&known.0) == stamp.as_ref());
            let hash = match before {
                Some((_, hash)) => hash.clone(),
                None => sha256(path, progress)?,
            };
            if let Some(stamp) = stamp.filter(|stamp| LARGE <= stamp.bytes) {
                fresh |= before.is_none();
                large.push((stamp, hash.clone()));
            }
            Ok(hash)
        })?;
        if fresh {
            if data.is_course() {
                self.parts = large;
            } else {
                self.last = large.pop();
            }
            self.keep(folder);
        }
        Ok(hashed.sha256)
    }

    /// Writes the hashes into `folder`.
    fn keep(&self, folder: &Path) {
        // If the folder is read-only, the next command computes the hash again.
        let _ = write_json(&folder.join(SEEN), self);
    }
}

impl Stamp {
    /// The stamp of the file at `path`; `None` on systems that do not report all changes of a file.
    fn of(path: &Path) -> Result<Option<Self>> {
        let found = fs::metadata(path).map_err(io_error("read", path))?;
        let Changes { modified, changed } = Changes::of(&found);
        let known = files::number(&found).zip(changed);
        Ok(known.map(|(file, changed)| Self { bytes: found.len(), file, modified, changed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn a_changed_file_of_the_same_length_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = (folder.path().join("model"), folder.path().join("data"));
        fs::create_dir(&model).unwrap();
        fs::write(&data, "abc").unwrap();
        let record = FileRecord { bytes: Some(3), sha256: sha256(&data, &mut Silent).unwrap() };
        let compared = || compare(&data, &record, &model, &mut Silent).unwrap();
        assert_eq!(compared(), Identity::Same);
        fs::write(&data, "abd").unwrap();
        assert!(matches!(compared(), Identity::Other(_)));
        remember_annotated(&data, &model, &mut Silent).unwrap();
        assert_eq!(compared(), Identity::Same);
        fs::write(&data, "abe").unwrap();
        assert!(matches!(compared(), Identity::Other(_)));
    }

    #[test]
    fn a_course_is_another_one_if_any_file_changes_comes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = (folder.path().join("model"), folder.path().join("data"));
        fs::create_dir(&model).unwrap();
        fs::create_dir(&data).unwrap();
        fs::write(data.join("a.h5ad"), "abc").unwrap();
        fs::write(data.join("b.h5ad"), "de").unwrap();
        let found = DataFiles::find(&data).unwrap();
        let Hashed { sha256, .. } = Hashed::of(&found, &mut Silent).unwrap();
        let record = FileRecord { bytes: Some(5), sha256 };
        let compared = || compare(&data, &record, &model, &mut Silent).unwrap();
        assert_eq!(compared(), Identity::Same);
        fs::write(data.join("b.h5ad"), "df").unwrap();
        assert!(matches!(compared(), Identity::Other(_)));
        fs::write(data.join("b.h5ad"), "de").unwrap();
        assert_eq!(compared(), Identity::Same);
        fs::write(data.join("c.h5ad"), "").unwrap();
        assert!(matches!(compared(), Identity::Other(_)));
    }

    #[cfg(unix)]
    #[test]
    fn a_large_file_is_hashed_once_until_it_is_touched() {
        use std::os::unix::fs::FileExt;
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = (folder.path().join("model"), folder.path().join("data"));
        fs::create_dir(&model).unwrap();
        let file = fs::File::create(&data).unwrap();
        file.set_len(LARGE).unwrap();
        let record = FileRecord { bytes: None, sha256: sha256(&data, &mut Silent).unwrap() };
        let compared = || compare(&data, &record, &model, &mut Silent).unwrap();
        assert_eq!(compared(), Identity::Same);
        let by = |hash: &str| {
            let fitted = &record.sha256[..12];
            format!("its SHA-256 begins with {hash}, that of the fitted file with {fitted}")
        };
        // What is remembered is believed: a false hash shows that the file is not read again.
        let seen = fs::read_to_string(model.join(SEEN)).unwrap();
        fs::write(model.join(SEEN), seen.replace(&record.sha256, "0")).unwrap();
        assert_eq!(compared(), Identity::Other(by("0")));
        file.write_at(b"x", 5).unwrap();
        file.sync_all().unwrap();
        assert!(matches!(compared(), Identity::Other(other) if other != by("0")));
    }
}
