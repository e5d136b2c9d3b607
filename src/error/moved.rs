//! Errors of files under a temporary name, said of the files that they become.

use std::path::{Path, PathBuf};

use crate::error::Error;

impl Error {
    /// The same error with `place` for the file or folder `made`, and for what lies in it.
    ///
    /// Outputs are written whole under a temporary name. The user knows only the final one.
    #[must_use]
    pub(crate) fn moved(mut self, made: &Path, place: &Path) -> Self {
        if let Some(path) = self.written_path()
            && let Ok(rest) = path.strip_prefix(made)
        {
            let rest = rest.to_path_buf();
            *path = if rest.as_os_str().is_empty() { place.into() } else { place.join(rest) };
        }
        self
    }

    /// The path of an error of writing, or of reading what was written.
    fn written_path(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Io { path, .. }
            | Self::NoFile { path, .. }
            | Self::Unreadable { path, .. }
            | Self::UnknownKey { path, .. }
            | Self::KeysTaken { path, .. }
            | Self::OtherCells { path, .. }
            | Self::OutputTaken { path }
            | Self::FileTaken { path }
            | Self::FileInUse { path }
            | Self::FileChanged { path }
            | Self::InputChanged { path, .. }
            | Self::NoMatrix { path, .. }
            | Self::NotFinite { path, .. } => Some(path),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_paths_are_replaced() {
        let of = |path: &str| {
            let source = std::io::Error::other("disk on fire");
            let error = Error::Io { action: "write", path: path.into(), source };
            error.moved(Path::new(".a.sbcell-x"), Path::new("a")).to_string()
        };
        assert_eq!(of(".a.sbcell-x"), "cannot write `a`: disk on fire");
        assert_eq!(of(".a.sbcell-x/b"), "cannot write `a/b`: disk on fire");
        assert_eq!(of("c"), "cannot write `c`: disk on fire");
        let problem = "it is no text".to_string();
        let error = Error::Unreadable { path: ".a.sbcell-x".into(), problem, way_out: None };
        let moved = error.moved(Path::new(".a.sbcell-x"), Path::new("a"));
        assert_eq!(moved.to_string(), "cannot read `a`: it is no text");
    }
}
