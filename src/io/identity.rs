//! Whether a file is the one that a fit recorded: by its length, by what was seen last time, by its hash.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::file::{io_error, open, sha256};
use crate::io::model::FileRecord;
use crate::io::run::{read_json, write_json};
use crate::progress::Progress;

/// What was seen of the fitted file, inside the folder of the model; no part of the model.
const SEEN: &str = ".sbcell-data.json";

/// Files from this length on are not hashed again while their stamp stays as it was: below, the hash
/// takes no time.
const LARGE: u64 = 64 << 20;

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The file that was fitted, or that file as an annotation in place left it.
    Same,
    /// Another one, by this difference, in words that follow the name of the file.
    Other(String),
}

/// What is remembered; whatever cannot be read is found out again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// The last large file, and its hash.
    last: Option<(Stamp, String)>,
    /// Hashes of the fitted file after `annotate` had written into it.
    annotated: Vec<String>,
}

/// What changes when a file is written to: all of it is the system's doing, not the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    file: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Compares the file at `path` with the one that the model in `folder` was fitted on. Reads the file
/// once, unless its length settles it or a large file was seen before and has not been touched since.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be read; [`crate::Error::Cancelled`].
pub fn compare(
    path: &Path,
    recorded: &FileRecord,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<Identity> {
    let mut seen = Seen::of(folder);
    let (stamp, bytes) = (Stamp::of(path)?, open(path)?.1);
    if let Some(fitted) = recorded.bytes.filter(|&fitted| fitted != bytes)
        && seen.annotated.is_empty()
    {
        return Ok(Identity::Other(format!("it has {bytes} bytes, that one had {fitted}")));
    }
    let known = seen.last.as_ref().filter(|last| Some(&last.0) == stamp.as_ref());
    let hash = match known {
        Some((_, hash)) => hash.clone(),
        None => sha256(path, progress)?,
    };
    let fresh = known.is_none();
    if let Some(stamp) = stamp.filter(|stamp| fresh && LARGE <= stamp.bytes) {
        seen.last = Some((stamp, hash.clone()));
        seen.keep(folder);
    }
    let same = hash == recorded.sha256 || seen.annotated.contains(&hash);
    let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_string();
    let (found, fitted) = (short(&hash), short(&recorded.sha256));
    let by = || format!("its SHA-256 begins with {found}, that of the fitted file with {fitted}");
    Ok(if same { Identity::Same } else { Identity::Other(by()) })
}

/// Remembers that the file at `path` is the fitted file, into which `annotate` has written.
///
/// # Errors
/// As [`compare`].
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
    fn of(folder: &Path) -> Self {
        let path = folder.join(SEEN);
        if !path.exists() {
            return Self::default();
        }
        // It saves a hash; nothing depends on it but the time that takes.
        read_json(&path).unwrap_or_default()
    }

    fn keep(&self, folder: &Path) {
        // A folder that cannot be written to costs the next command a hash.
        let _ = write_json(&folder.join(SEEN), self);
    }
}

impl Stamp {
    #[cfg(unix)]
    fn of(path: &Path) -> Result<Option<Self>> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(path).map_err(io_error("read", path))?;
        Ok(Some(Self {
            bytes: found.len(),
            file: (found.dev(), found.ino()),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Result<Option<Self>> {
        fs::metadata(path).map_err(io_error("read", path))?;
        Ok(None)
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
