//! Small text files that users write by hand: lists of names, times of labels, groups of cells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::text;

/// Reads a list of names, one on each line, such as the genes that may regulate.
///
/// Blank lines and lines that start with `#` are skipped. Quotes and a byte-order mark are removed. Of
/// a line with several columns (comma or tab) the first one counts. Repeated names are kept once.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if it contains no
/// name.
///
/// ```
/// # fn main() -> sbcell::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("names.txt");
/// std::fs::write(&path, "# pluripotency\nSox2\nPou5f1\nSox2\n").unwrap();
/// let names = sbcell::io::lists::read_names(&path)?;
/// assert_eq!(names, ["Sox2", "Pou5f1"]);
/// # Ok(())
/// # }
/// ```
pub fn read_names(path: &Path) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut names: Vec<String> = records(path)?.into_iter().map(|mut r| r.swap_remove(0)).collect();
    names.retain(|name| seen.insert(name.clone()));
    if names.is_empty() {
        return Err(empty(path, "one name for each line"));
    }
    Ok(names)
}

/// Reads the times of labels: two columns, label and number, separated by comma or tab. A first line
/// whose second column is not a number is a header.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] with the first
/// label that has no number or two different ones.
pub fn read_time_map(path: &Path) -> Result<BTreeMap<String, f64>> {
    read_numbers(
        path,
        &text::read(path)?,
        "times",
        "a label and a number on each line, such as `early,2.5`",
    )
}

/// Reads growth rates of cells: two columns, the name of a cell and a number, in the format of
/// [`read_time_map`]. Also returns the SHA-256 of the file, which is read once.
///
/// # Errors
/// As [`read_time_map`].
pub fn read_growth(path: &Path) -> Result<(BTreeMap<String, f64>, String)> {
    let (text, hash) = text::read_hashed(path)?;
    let wanted = "a cell and a number on each line, such as `cell1,1.2`";
    Ok((read_numbers(path, &text, "growth rates", wanted)?, hash))
}

/// Reads the parent of each sample from the columns `sample` and `parent`, which the first line names, in any
/// order and among others. The parent of a first sample is empty. Also returns the SHA-256 of the file.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if its first line does not
/// name both columns once, if it contains no sample, or if a sample has two parents.
///
/// ```
/// # fn main() -> sbcell::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("parents.csv");
/// std::fs::write(&path, "sample,parent\nday2,\nday4_A,day2\nday4_B,day2\n").unwrap();
/// let (parents, _) = sbcell::io::lists::read_parents(&path)?;
/// assert_eq!(parents["day2"], None);
/// assert_eq!(parents["day4_B"].as_deref(), Some("day2"));
/// # Ok(())
/// # }
/// ```
pub fn read_parents(path: &Path) -> Result<(BTreeMap<String, Option<String>>, String)> {
    let (text, hash) = text::read_hashed(path)?;
    let mut records = records_of(path, &text)?.into_iter();
    let Some(header) = records.next() else {
        return Err(empty(path, "a sample and its parent on each line"));
    };
    let column = |name: &str| {
        let is = |place: &usize| header[*place].eq_ignore_ascii_case(name);
        let places: Vec<usize> = (0..header.len()).filter(is).collect();
        if let [place] = places[..] { Ok(place) } else { Err(not_named(path, &header)) }
    };
    let (sample, parent) = (column("sample")?, column("parent")?);
    let mut parents = BTreeMap::new();
    for record in records {
        let name = |place: usize| record.get(place).filter(|name| !name.is_empty()).cloned();
        let Some(child) = name(sample) else {
            return Err(unreadable(path, "a line has no sample".to_string()));
        };
        let parent = name(parent);
        match parents.insert(child.clone(), parent.clone()) {
            Some(other) if other != parent => {
                let [one, other] = [other, parent].map(|of| of.unwrap_or_else(|| "none".into()));
                let problem = format!("sample `{child}` has two parents, {one} and {other}");
                return Err(unreadable(path, problem));
            }
            _ => {}
        }
    }
    if parents.is_empty() {
        return Err(empty(path, "a sample and its parent on each line"));
    }
    Ok((parents, hash))
}

/// The error for a first line that does not name the columns of a table of parents.
fn not_named(path: &Path, header: &[String]) -> Error {
    Error::Unreadable {
        path: path.to_path_buf(),
        problem: format!(
            "its first line does not name the columns `sample` and `parent` once each: `{}`",
            header.join(",")
        ),
        way_out: Some("begin the file with the line `sample,parent`".into()),
    }
}

/// Reads groups of cells: one pair of cell and group for each cell that is in a group, in the order of
/// the file.
///
/// A file with one column is one group with the name of the file. A file with two columns contains a
/// cell and its group on each line; a first line that begins with `cell`, `cell_id`, `id`, `barcode` or
/// `index` is a header. A `.gmt` file contains a group on each line: name, description, cells.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if it contains no
/// cell, or if a cell is in two groups.
pub fn read_cell_groups(path: &Path) -> Result<Vec<(String, String)>> {
    let stem = path.file_stem().map_or_else(|| "cells".into(), |stem| stem.to_string_lossy());
    let is_gmt = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("gmt"));
    let mut groups = BTreeMap::new();
    let mut order = Vec::new();
    for (place, record) in records(path)?.into_iter().enumerate() {
        let header = ["cell", "id", "barcode", "cell_id", "index"];
        if place == 0 && !is_gmt && header.contains(&record[0].to_ascii_lowercase().as_str()) {
            continue;
        }
        let named: Vec<(String, String)> = if is_gmt {
            let cells = record.iter().skip(2).filter(|cell| !cell.is_empty());
            cells.map(|cell| (cell.clone(), record[0].clone())).collect()
        } else {
            let group = record.get(1).cloned().unwrap_or_else(|| stem.to_string());
            vec![(record[0].clone(), group)]
        };
        for (cell, group) in named.into_iter().filter(|(_, group)| !group.is_empty()) {
            match groups.insert(cell.clone(), group.clone()) {
                None => order.push((cell, group)),
                Some(other) if other != group => {
                    let problem = format!("cell `{cell}` is in two groups, {other} and {group}");
                    return Err(unreadable(path, problem));
                }
                Some(_) => {}
            }
        }
    }
    if order.is_empty() {
        return Err(empty(
            path,
            "a cell on each line, and its group beside it if there are several",
        ));
    }
    Ok(order)
}

/// Reads a number for each name. In messages, `what` names the numbers and `wanted` describes a line.
fn read_numbers(
    path: &Path,
    text: &str,
    what: &str,
    wanted: &str,
) -> Result<BTreeMap<String, f64>> {
    let mut map = BTreeMap::new();
    for (place, record) in records_of(path, text)?.into_iter().enumerate() {
        let number = record.get(1).and_then(|text| text.parse::<f64>().ok());
        let Some(time) = number.filter(|time| time.is_finite()) else {
            if place == 0 && record.len() > 1 {
                continue;
            }
            return Err(unreadable(
                path,
                format!("`{}` has no number in the second column", record[0]),
            ));
        };
        if let Some(other) = map.insert(record[0].clone(), time)
            && other.total_cmp(&time).is_ne()
        {
            let problem = format!("`{}` has two {what}, {other} and {time}", record[0]);
            return Err(unreadable(path, problem));
        }
    }
    if map.is_empty() {
        return Err(empty(path, wanted));
    }
    Ok(map)
}

/// The non-empty lines of a file without comments, split at tabs (or at commas if the file has no tab),
/// with fields trimmed and unquoted.
pub(super) fn records(path: &Path) -> Result<Vec<Vec<String>>> {
    records_of(path, &text::read(path)?)
}

/// [`records`] of a file whose `text` was read; `path` is for errors.
fn records_of(path: &Path, text: &str) -> Result<Vec<Vec<String>>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(text::delimiter_of(text))
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(path, error.to_string()))?;
        if record.iter().any(|field| !field.is_empty()) {
            records.push(record.iter().map(str::to_string).collect());
        }
    }
    Ok(records)
}

fn unreadable(path: &Path, problem: String) -> Error {
    Error::Unreadable { path: path.to_path_buf(), problem, way_out: None }
}

/// The error for a file without entries; `wanted` describes what it needs.
fn empty(path: &Path, wanted: &str) -> Error {
    let way_out = Some(format!("the file needs {wanted}"));
    Error::Unreadable {
        path: path.to_path_buf(),
        problem: "it contains no entries".into(),
        way_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn names_survive_marks_quotes_blank_lines_and_windows_line_ends() {
        let (_folder, path) = file_with("\u{feff}Sox2\r\n\r\n# comment\r\n\"Pou5f1\"\r\nSox2\r\n");
        assert_eq!(read_names(&path).unwrap(), ["Sox2", "Pou5f1"]);
        let (_folder, path) = file_with("\n# nothing\n");
        assert!(read_names(&path).unwrap_err().to_string().contains("no entries"));
    }

    #[test]
    fn cells_are_grouped_by_file_by_column_or_by_line() {
        let pairs = |of: &[(&str, &str)]| -> Vec<(String, String)> {
            of.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
        };
        let (_folder, path) = file_with("c1\nc2\n");
        assert_eq!(read_cell_groups(&path).unwrap(), pairs(&[("c1", "list"), ("c2", "list")]));
        let (_folder, path) = file_with("cell,group\nc1,A\nc2,\nc3,B\n");
        assert_eq!(read_cell_groups(&path).unwrap(), pairs(&[("c1", "A"), ("c3", "B")]));
        let (folder, path) = file_with("A\tfirst\tc1\tc2\nB\t\tc3\n");
        let gmt = folder.path().join("sets.gmt");
        std::fs::rename(path, &gmt).unwrap();
        let all = pairs(&[("c1", "A"), ("c2", "A"), ("c3", "B")]);
        assert_eq!(read_cell_groups(&gmt).unwrap(), all);
        let (_folder, path) = file_with("c1,A\nc1,B\n");
        assert!(read_cell_groups(&path).unwrap_err().to_string().contains("two groups"));
        let (_folder, path) = file_with("cell,group\n");
        assert!(read_cell_groups(&path).is_err());
    }

    #[test]
    fn parents_are_read_by_the_names_of_their_columns() {
        let of = |text: &str| {
            let (_folder, path) = file_with(text);
            read_parents(&path).map(|read| read.0.into_iter().collect::<Vec<_>>())
        };
        let tree = [("A".into(), Some("r".into())), ("r".into(), None)];
        assert_eq!(of("sample,parent\nr,\nA,r\n").unwrap(), tree);
        assert_eq!(of("Parent\tday\tSample\n\t0\tr\nr\t1\tA\n").unwrap(), tree);
        let refused = |text: &str| of(text).unwrap_err().to_string();
        assert!(refused("r,\nA,r\n").contains("columns `sample` and `parent` once each: `r,`"));
        assert!(refused("child,parent\nr,\n").contains("`child,parent`"));
        assert!(refused("sample,parent,parent\nr,,\n").contains("once each"));
        assert!(refused("sample,parent\n,r\n").contains("no sample"));
        assert!(refused("sample,parent\nA,r\nA,q\n").contains("two parents, r and q"));
        assert!(refused("sample,parent\n").contains("no entries"));
    }

    #[test]
    fn time_maps_have_an_optional_header_and_commas_or_tabs() {
        let (_folder, path) = file_with("label,time\nearly,2.5\nlate,10\n");
        let map = read_time_map(&path).unwrap();
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [("early".into(), 2.5), ("late".into(), 10.)]
        );
        let (_folder, path) = file_with("early\t2\nlate\tsoon\n");
        assert!(read_time_map(&path).unwrap_err().to_string().contains("`late`"));
        let (_folder, path) = file_with("a,1\na,2\n");
        assert!(read_time_map(&path).unwrap_err().to_string().contains("two times"));
    }
}
