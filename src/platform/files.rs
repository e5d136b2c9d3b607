//! Files of each operating system: identity, changes, locks, permissions, links and exchange.
//!
//! Unix gives every file a number, keeps it readable under a lock, and can lock and synchronise a folder. Other
//! systems have less: each function says what it does there.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::path::Path;

/// Whether a locked file can still be read by this process, and whether folders can be opened and locked.
///
/// Where this is false, files that are edited in place and temporary files are not locked.
pub(crate) const LOCKS_ARE_ADVICE: bool = cfg!(unix);

/// The path under which standard output is opened for appending.
pub(crate) const STANDARD_OUTPUT: &str = if cfg!(unix) { "/dev/stdout" } else { "CONOUT$" };

/// Device and number of the file, which no other file has at the same time; `None` where there are none.
#[allow(clippy::unnecessary_wraps, reason = "other systems have no numbers")]
pub(crate) fn number(found: &Metadata) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        None
    }
}

/// Whether two paths lead to the same existing file, also by links.
///
/// Without numbers of files, hard links of one file count as different files.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    let (Ok(found), Ok(also)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    if let (Some(one), Some(other)) = (number(&found), number(&also)) {
        return one == other;
    }
    let real = |path: &Path| fs::canonicalize(path).ok();
    found.is_file() == also.is_file() && real(one) == real(other)
}

/// Whether `path` (without following a link) is still the opened file. Without numbers of files: whether `path`
/// exists.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(opened), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    number(&opened) == number(&there)
}

/// Times of the last changes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Seconds and nanoseconds of the last change of the content. Programs can set them.
    pub(crate) modified: (i64, i64),
    /// Seconds and nanoseconds of the last change of content or metadata. Only the system sets them; `None` where
    /// there are none.
    pub(crate) changed: Option<(i64, i64)>,
}

impl Changes {
    /// The times in `found`; zero if the system does not know them.
    pub(crate) fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let modified = (found.mtime(), found.mtime_nsec());
            Self { modified, changed: Some((found.ctime(), found.ctime_nsec())) }
        }
        #[cfg(not(unix))]
        {
            let since = found.modified().ok();
            let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            let since = since.unwrap_or_default();
            let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            Self { modified: (seconds, i64::from(since.subsec_nanos())), changed: None }
        }
    }
}

/// Permissions of any new file, before the system removes those of its mask; `None` where the system chooses.
#[allow(clippy::unnecessary_wraps, reason = "other systems choose by themselves")]
pub(crate) fn permissions_of_new_files() -> Option<Permissions> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Some(Permissions::from_mode(0o666))
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// Makes the file `from`, an absolute path, readable at `to`: by a link, or by a copy where links are not possible.
///
/// # Errors
/// The error of the system.
pub fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if std::os::unix::fs::symlink(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(|_| ())
}

/// Writes the names in an open folder to the disk. Elsewhere than on Unix the system does this by itself.
pub(crate) fn synchronise_folder(folder: &File) -> io::Result<()> {
    if cfg!(unix) { folder.sync_all() } else { Ok(()) }
}

/// Exchanges what is at two paths in one step. False if the system or the file system cannot do this.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
}

/// Other systems have no exchange: always false.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn exchange(_one: &Path, _other: &Path) -> bool {
    false
}

/// Whether `path` is beneath a folder of devices or of the state of processes, whose files keep nothing.
pub(crate) fn is_beneath_devices(path: &Path) -> bool {
    // Files in shared memory are regular files.
    path.starts_with("/proc") || path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_itself_by_any_name_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "a").unwrap();
        fs::write(at("b"), "a").unwrap();
        assert!(same(&at("a"), &at("../").join(folder.path().file_name().unwrap()).join("a")));
        assert!(!same(&at("a"), &at("b")) && !same(&at("a"), &at("none")));
        if LOCKS_ARE_ADVICE {
            fs::hard_link(at("a"), at("c")).unwrap();
            assert!(same(&at("a"), &at("c")));
        }
    }

    #[test]
    fn an_open_file_is_no_longer_at_a_path_that_another_has_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "a").unwrap();
        let file = File::open(&path).unwrap();
        assert!(is_at(&file, &path));
        if LOCKS_ARE_ADVICE {
            fs::write(&other, "b").unwrap();
            fs::rename(&other, &path).unwrap();
            assert!(!is_at(&file, &path));
        }
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
    }

    #[test]
    fn a_write_changes_the_times_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "a").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        let before = Changes::of(&fs::metadata(&path).unwrap());
        assert_eq!(before.modified, (0, 0));
        fs::write(&path, "b").unwrap();
        assert_ne!(Changes::of(&fs::metadata(&path).unwrap()), before);
    }

    #[test]
    fn an_exchange_is_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        for path in [&one, &other] {
            fs::create_dir(path).unwrap();
        }
        fs::write(one.join("a"), "").unwrap();
        let exchanged = exchange(&one, &other);
        assert_eq!(other.join("a").exists(), exchanged);
        assert_eq!(one.join("a").exists(), !exchanged);
        assert!(!exchange(&one, &folder.path().join("none")) && one.exists());
    }

    #[test]
    fn a_link_has_the_content_and_a_missing_file_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "a").unwrap();
        link_or_copy(&at("a"), &at("b")).unwrap();
        assert_eq!(fs::read_to_string(at("b")).unwrap(), "a");
        assert!(fs::read(at("none")).is_err());
    }

    #[test]
    fn devices_are_told_from_shared_memory() {
        assert!(is_beneath_devices(Path::new("/dev/null")));
        assert!(!is_beneath_devices(Path::new("/dev/shm/a")));
        assert!(!is_beneath_devices(Path::new("devices")));
    }
}
