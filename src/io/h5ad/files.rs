//! The files of a course: one `.h5ad`, all of a folder, or those that a list names.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, did_you_mean, nearest};
use crate::io::content::{Content, HEAD};
use crate::io::file::{io_error, read_text};
use crate::io::h5ad::mistaken;

/// Largest number of bytes of a list of files.
const LONGEST_LIST: u64 = 1 << 24;

/// The file or files in which the cells of a course are.
///
/// A path stands for several files if it is a folder, or a text file with one path per line. A folder stands for
/// all `.h5ad` files directly in it, sorted by name. Paths in a list are relative to the folder of the list; empty
/// lines and lines that begin with `#` are left out.
///
/// ```
/// use sbcell::io::h5ad::{DataFiles, H5adContent, write_h5ad};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let cells = ["a".to_string()];
/// let content = H5adContent { obs_names: &cells, ..H5adContent::default() };
/// for name in ["day2.h5ad", "day0.h5ad"] {
///     write_h5ad(&folder.path().join(name), &content)?;
/// }
/// let found = DataFiles::find(folder.path())?;
/// assert_eq!(found.labels(), ["day0", "day2"]);
/// assert_eq!(found.paths()[0], folder.path().join("day0.h5ad"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFiles {
    /// The path that stands for the files.
    path: PathBuf,
    /// The files, in the order of their cells.
    paths: Vec<PathBuf>,
    /// The name of each file without its suffix; none for a file that was given itself.
    labels: Vec<String>,
}

impl DataFiles {
    /// The files for which `path` stands. Their contents are not read.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for a folder without `.h5ad` files, a folder that is a model, a zarr or something else
    /// that is known; and for a list that names no file, a file that does not exist, a folder, another list, or a file
    /// twice.
    pub fn find(path: &Path) -> Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Self::in_folder(path),
            Ok(found) if found.is_file() && is_list(path) => Self::in_list(path),
            // A missing file is reported when it is opened.
            _ => Ok(Self::of_file(path)),
        }
    }

    /// One file that was given itself.
    fn of_file(path: &Path) -> Self {
        Self { path: path.to_path_buf(), paths: vec![path.to_path_buf()], labels: Vec::new() }
    }

    fn in_folder(path: &Path) -> Result<Self> {
        mistaken::check_folder(path)?;
        let entries = fs::read_dir(path).map_err(io_error("read", path))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(io_error("read", path))?.file_name();
            let is_hidden = name.to_string_lossy().starts_with('.');
            if is_data(Path::new(&name)) && !is_hidden && !path.join(&name).is_dir() {
                names.push(name);
            }
        }
        names.sort();
        if names.is_empty() {
            let problem = "it is a folder without `.h5ad` files".to_string();
            let way_out = "give an `.h5ad` file, or a folder with the `.h5ad` files of one course";
            return Err(Error::Unreadable {
                path: path.to_path_buf(),
                problem,
                way_out: Some(way_out.into()),
            });
        }
        let labels = labels(&names.iter().map(PathBuf::from).collect::<Vec<_>>());
        let paths = names.iter().map(|name| path.join(name)).collect();
        Ok(Self { path: path.to_path_buf(), paths, labels })
    }

    fn in_list(path: &Path) -> Result<Self> {
        let text = read_text(path, LONGEST_LIST)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let (mut named, mut paths, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (number, entry) in entries(&text) {
            let file = folder.join(entry);
            check_entry(path, number, entry, &file)?;
            let real = file.canonicalize().map_err(io_error("read", &file))?;
            if !known.insert(real) {
                let problem = format!("line {number} names `{entry}`, which is in the list before");
                return Err(unreadable(path, problem, "name each file once"));
            }
            named.push(PathBuf::from(entry));
            paths.push(file);
        }
        Ok(Self { path: path.to_path_buf(), labels: labels(&named), paths })
    }

    /// The path that stands for the files: a file, a folder or a list.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files, in the order of their cells; at least one.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The name of each file without its suffix, or its path in the list if two files have the same name. Empty if the
    /// file was given itself.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether a folder or a list was given, which may also have only one file.
    pub fn is_course(&self) -> bool {
        !self.labels.is_empty()
    }

    /// Refuses a folder or a list for `command`, which writes a copy of one file.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for a folder or a list.
    pub fn check_one(&self, command: &str) -> Result<()> {
        if !self.is_course() {
            return Ok(());
        }
        let n = self.paths.len();
        let what =
            if n == 1 { "it stands for files".into() } else { format!("it stands for {n} files") };
        let problem = format!("{what}, and `sbcell {command}` writes a copy of one file");
        let way_out = format!(
            "{command} one file at a time with the parameter `out`, or merge the files first with `anndata.concat`"
        );
        Err(unreadable(&self.path, problem, &way_out))
    }
}

/// Whether a path ends in `.h5ad`.
fn is_data(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("h5ad"))
}

/// The lines of a list that name a file, with their numbers from 1.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let numbered = lines.enumerate().map(|(place, line)| (place + 1, line));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Whether the file at `path` is a list: text whose first entry ends in `.h5ad` or is an existing path.
fn is_list(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    let is_text = matches!(Content::of(&head), Some(Content::Text | Content::Columns(_)));
    if read.is_err() || !is_text {
        return false;
    }
    // The head may end within a character.
    let text = String::from_utf8_lossy(&head);
    let Some((_, first)) = entries(&text).next() else { return false };
    is_data(Path::new(first)) || path.parent().unwrap_or(Path::new("")).join(first).exists()
}

/// Refuses an entry of the list `list` that is no file with cells.
fn check_entry(list: &Path, number: usize, entry: &str, file: &Path) -> Result<()> {
    let refuse = |problem: &str, way_out: &str| {
        Err(unreadable(list, format!("line {number}: {problem}"), way_out))
    };
    if entry.contains("://") {
        let problem = format!("`{entry}` is an address, and only files on this machine are read");
        return refuse(&problem, "download it first");
    }
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => refuse(
            &format!("`{entry}` is a folder, and a list names `.h5ad` files"),
            "name the files in it, one per line",
        ),
        Ok(found) if found.is_file() && is_list(file) => refuse(
            &format!("`{entry}` is a list of files, and a list names `.h5ad` files"),
            "copy its lines into this list",
        ),
        Ok(_) => Ok(()),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let near = near(entry, file);
            let relative = "paths in a list are relative to the folder of the list".to_string();
            let problem = format!("there is no file `{}`", file.display());
            refuse(&problem, &did_you_mean(&near).unwrap_or(relative))
        }
        Err(source) => Err(io_error("read", file)(source)),
    }
}

/// Entries like `entry` whose files exist.
fn near(entry: &str, file: &Path) -> Vec<String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(found) = fs::read_dir(folder.unwrap_or(Path::new("."))) else { return Vec::new() };
    let names = found.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| is_data(Path::new(name))).collect();
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let near = nearest(&name.unwrap_or_default(), &names);
    let as_listed = |name: String| Path::new(entry).with_file_name(name).display().to_string();
    near.into_iter().map(as_listed).collect()
}

/// Names without suffixes: of the files alone, or with their folders where two files have the same name.
fn labels(named: &[PathBuf]) -> Vec<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stems: Vec<String> = named.iter().map(|path| stem(path).unwrap_or_default()).collect();
    let distinct: BTreeSet<&String> = stems.iter().collect();
    if distinct.len() == stems.len() {
        return stems;
    }
    named.iter().map(|path| path.with_extension("").display().to_string()).collect()
}

fn unreadable(path: &Path, problem: String, way_out: &str) -> Error {
    Error::Unreadable { path: path.to_path_buf(), problem, way_out: Some(way_out.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files of these names, which hold what is after `=`.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let (name, text) = file.split_once('=').unwrap_or((file, "\u{89}HDF"));
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn labels_of(folder: &tempfile::TempDir, name: &str) -> Vec<String> {
        DataFiles::find(&folder.path().join(name)).unwrap().labels().to_vec()
    }

    fn refused(folder: &tempfile::TempDir, name: &str) -> String {
        let error = DataFiles::find(&folder.path().join(name)).unwrap_err();
        format!("{error}; {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn a_folder_stands_for_its_files_sorted_by_name() {
        let all =
            folder(&["b.h5ad", "a.H5AD", ".c.h5ad", "notes.txt=x", "deep/d.h5ad", "e.h5ad/f"]);
        assert_eq!(labels_of(&all, ""), ["a", "b"]);
        assert!(refused(&folder(&["notes.txt=x"]), "").contains("without `.h5ad` files"));
    }

    #[test]
    fn models_and_results_are_no_courses() {
        let model = folder(&["model.json={}", "interpolated.h5ad"]);
        assert!(refused(&model, "").contains("a model that `sbcell fit` wrote"));
        let results = folder(&["model/model.json={}", "annotated.h5ad"]);
        assert!(refused(&results, "").contains("results of `sbcell run`"));
    }

    #[test]
    fn a_list_names_files_relative_to_itself() {
        let text = "list.txt=\u{feff}# day by day\r\n\r\n  b.h5ad\r\ndeep/a.h5ad\n";
        let all = folder(&[text, "b.h5ad", "deep/a.h5ad"]);
        assert_eq!(labels_of(&all, "list.txt"), ["b", "a"]);
        let found = DataFiles::find(&all.path().join("list.txt")).unwrap();
        assert_eq!(found.paths()[1], all.path().join("deep/a.h5ad"));
        assert!(found.is_course() && found.check_one("annotate").is_err());
        let one = DataFiles::find(&all.path().join("b.h5ad")).unwrap();
        assert!(!one.is_course() && one.check_one("annotate").is_ok());
    }

    #[test]
    fn files_of_the_same_name_keep_their_folders() {
        let all = folder(&["list=x/a.h5ad\ny/a.h5ad\n", "x/a.h5ad", "y/a.h5ad"]);
        assert_eq!(labels_of(&all, "list").len(), 2);
        assert_ne!(labels_of(&all, "list")[0], labels_of(&all, "list")[1]);
    }

    #[test]
    fn entries_that_are_no_files_are_refused_with_their_line() {
        let all = folder(&[
            "missing=day1.h5ad\nday9.h5ad\n",
            "nested=day1.h5ad\n# x\nother.txt\n",
            "other.txt=day1.h5ad\n",
            "inside=other.txt\n",
            "folder=day1.h5ad\ndeep\n",
            "twice=day1.h5ad\n./day1.h5ad\n",
            "web=day1.h5ad\nhttps://x.org/a.h5ad\n",
            "day1.h5ad",
            "deep/a.h5ad",
        ]);
        for (name, parts) in [
            ("missing", ["line 2: there is no file", "did you mean `day1.h5ad`"]),
            ("nested", ["line 3: `other.txt` is a list", "copy its lines"]),
            ("inside", ["line 1: `other.txt` is a list", "copy its lines"]),
            ("folder", ["line 2: `deep` is a folder", "one per line"]),
            ("twice", ["line 2 names `./day1.h5ad`", "once"]),
            ("web", ["line 2: `https://x.org/a.h5ad` is an address", "download"]),
        ] {
            let told = refused(&all, name);
            assert!(parts.iter().all(|part| told.contains(part)), "{name}: {told}");
        }
    }

    #[test]
    fn tables_and_other_texts_are_no_lists() {
        let all =
            folder(&["counts.txt=gene\tc1\nSox2\t3\n", "words.txt=just words\n", "#.txt=# a\n"]);
        for name in ["counts.txt", "words.txt", "#.txt", "none.h5ad"] {
            let found = DataFiles::find(&all.path().join(name)).unwrap();
            assert!(!found.is_course(), "{name}");
        }
    }
}
