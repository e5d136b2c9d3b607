//! The record of a run beside each output: input, parameters, notes and hashes of the written files.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::io::file;
use crate::platform::cpu;
use crate::progress::Silent;

/// The provenance of one run, as written in `run.json` or `NAME.run.json`. It contains no time stamp and
/// no path except that of the input, so that two runs with the same seed write the same bytes.
///
/// ```
/// use sbcell::io::run::{InputRecord, RunRecord};
/// let input = InputRecord {
///     file: "cells.h5ad".into(),
///     path: String::new(),
///     sha256: "0".repeat(64),
///     files: Vec::new(),
///     cells: 1000,
///     genes: 2000,
/// };
/// let mut run = RunRecord::new("fit", input, serde_json::json!({ "seed": 0 }));
/// run.notes.push("times from the column `day`".into());
/// let text = serde_json::to_string(&run).unwrap();
/// assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), run);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this layout. A record of a later layout is not read.
    #[serde(deserialize_with = "known_format::<{ RunRecord::FORMAT }, _>")]
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// Name of the command, such as `fit`.
    pub command: String,
    /// The file that was read.
    pub input: InputRecord,
    /// All parameters, also those with their default value.
    pub parameters: Value,
    /// The arguments after `sbcell`, for commands of the command line. Flags without effect on results are left
    /// out, such as the number of threads; outputs are names without folders. Empty in records of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Other files that were read: paths as the user gave them. Empty in records of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<OutputRecord>,
    /// Vector instructions of the processor; absent in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Notes of the run: the chosen columns, the matrix that was used, cells that were left out.
    pub notes: Vec<String>,
    /// One entry for each fitted interval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Value>,
    /// The files that were written, relative to this one.
    pub outputs: Vec<OutputRecord>,
}

/// The file, or the files of a course, that a run has read. See [`RunRecord`] for an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRecord {
    /// Name without folder: of the file, or of the folder or list of a course in several files.
    pub file: String,
    /// Path as the user gave it, so that later commands find the file; empty if they do not need it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// SHA-256 of the file in lower-case hexadecimal; of several files, that of the lines `HASH  LABEL`
    /// ([`crate::io::hashed::Hashed`]).
    pub sha256: String,
    /// The files of a course with their hashes, by the paths at which they were read; empty for one file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<OutputRecord>,
    /// Number of cells that were used.
    pub cells: usize,
    /// Number of genes that were read.
    pub genes: usize,
}

/// A file that a run has written, or has read beside its [`InputRecord`].
///
/// ```
/// use sbcell::io::run::OutputRecord;
/// # fn main() -> sbcell::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("edges.csv"), "").unwrap();
/// let record = OutputRecord::of(folder.path(), "edges.csv")?;
/// assert!(record.sha256.starts_with("e3b0c442"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// Path relative to the run record; of a file that was read, as the user gave it.
    pub file: String,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub sha256: String,
}

impl OutputRecord {
    /// The record of the file `name` in `folder`, which is read to compute its hash.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub fn of(folder: &Path, name: &str) -> Result<Self> {
        Ok(Self { file: name.to_string(), sha256: file::sha256(&folder.join(name), &mut Silent)? })
    }
}

impl RunRecord {
    /// The version of the layout that this sbcell writes and reads.
    pub const FORMAT: u32 = 1;

    /// A record without intervals, notes and outputs, of this version of sbcell.
    pub fn new(command: &str, input: InputRecord, parameters: Value) -> Self {
        Self {
            format: Self::FORMAT,
            sbcell: env!("CARGO_PKG_VERSION").to_string(),
            command: command.to_string(),
            input,
            parameters,
            arguments: Vec::new(),
            inputs: Vec::new(),
            cpu: Some(cpu::path()),
            notes: Vec::new(),
            intervals: Vec::new(),
            outputs: Vec::new(),
        }
    }
}

/// Reads the version of a layout, at most `LAST`.
///
/// # Errors
/// Those of `deserializer`; one that names both versions for a later one.
pub(crate) fn known_format<'de, const LAST: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<u32, D::Error> {
    let format = u32::deserialize(deserializer)?;
    if format <= LAST {
        return Ok(format);
    }
    Err(serde::de::Error::custom(format!(
        "format {format}, written by a later version of sbcell; this version reads formats up to {LAST}"
    )))
}

/// Parameters as JSON, for [`RunRecord::parameters`].
///
/// # Errors
/// [`Error::Numerical`] if `options` cannot be written as JSON.
pub(crate) fn to_value(options: &impl Serialize) -> Result<Value> {
    let what = "writing the parameters";
    serde_json::to_value(options).map_err(|error| Error::Numerical { what, why: error.to_string() })
}

/// Writes `value` as indented JSON with a final newline. The file is replaced as a whole.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
#[doc(hidden)]
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    file::replace(path, |writer| writer.write_all(&json(value)?))
}

/// SHA-256 of the file that [`write_json`] would write for `value`.
///
/// # Errors
/// [`Error::Numerical`] if `value` cannot be written as JSON.
pub(crate) fn json_sha256(value: &impl Serialize) -> Result<String> {
    Ok(file::hex(&Sha256::digest(json_text(value)?)))
}

/// The bytes that [`write_json`] writes for `value`.
///
/// # Errors
/// [`Error::Numerical`] if `value` cannot be written as JSON.
pub(crate) fn json_text(value: &impl Serialize) -> Result<Vec<u8>> {
    json(value).map_err(|error| Error::Numerical { what: "writing JSON", why: error.to_string() })
}

fn json(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Largest number of bytes of a JSON file whose length does not depend on pairs of cells. The names of a
/// million cells take less.
pub(crate) const LONGEST_JSON: u64 = 1 << 28;

/// Reads a value from a JSON file of at most 256 MB.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if it is not JSON
/// of this type.
#[doc(hidden)]
pub fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    read_json_of(path, LONGEST_JSON)
}

/// Reads a value from a JSON file of at most `most` bytes.
///
/// # Errors
/// As [`read_json`].
pub(crate) fn read_json_of<T: for<'a> Deserialize<'a>>(path: &Path, most: u64) -> Result<T> {
    serde_json::from_str(&file::read_text(path, most)?).map_err(|error| damaged(path, &error))
}

/// The beginning of the problem of a file that is no JSON of its kind.
pub(crate) const DAMAGED: &str = "it is damaged: ";

/// The error of a JSON file that cannot be read, in words for people who do not know JSON.
pub(crate) fn damaged(path: &Path, error: &serde_json::Error) -> Error {
    let problem = damage(error);
    Error::Unreadable { path: path.to_path_buf(), problem, way_out: None }
}

/// The fault of a JSON file in words. Texts of [`known_format`] stay as they are.
fn damage(error: &serde_json::Error) -> String {
    let (line, text) = (error.line(), error.to_string());
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    let what = match error.classify() {
        Category::Eof if line <= 1 && error.column() == 0 => "it is empty".to_string(),
        Category::Eof => format!("it ends in the middle, in line {line}"),
        Category::Syntax | Category::Io => format!("line {line} is not as sbcell writes it"),
        Category::Data => {
            if let Some(field) = text.strip_prefix("missing field ") {
                format!("the entry {field} is missing")
            } else if text.starts_with("invalid type") || text.starts_with("invalid value") {
                format!("line {line} has a value of another kind than expected")
            } else {
                return text.to_string();
            }
        }
    };
    format!("{DAMAGED}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_names_the_file_it_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let input = InputRecord {
            file: "a.h5ad".into(),
            path: String::new(),
            sha256: "0".into(),
            files: Vec::new(),
            cells: 3,
            genes: 2,
        };
        let mut run = RunRecord::new("fit", input, serde_json::json!({"seed": 0, "epsilon": 0.1}));
        std::fs::write(folder.path().join("x"), "abc").unwrap();
        run.outputs.push(OutputRecord::of(folder.path(), "x").unwrap());
        let path = folder.path().join("run.json");
        write_json(&path, &run).unwrap();
        assert_eq!(json_sha256(&run).unwrap(), file::sha256(&path, &mut Silent).unwrap());
        assert_eq!(read_json::<RunRecord>(&path).unwrap(), run);
        let whole = std::fs::read_to_string(&path).unwrap();
        for (text, problem) in [
            ("", "it is damaged: it is empty"),
            ("{\"format\": 1,\n", "it is damaged: it ends in the middle, in line 2"),
            ("{\"format\": 1,,", "it is damaged: line 1 is not as sbcell writes it"),
            ("{\"format\": 1}", "it is damaged: the entry `sbcell` is missing"),
            (
                "{\"format\": \"x\"}",
                "it is damaged: line 1 has a value of another kind than expected",
            ),
            (
                &whole.replacen("\"format\": 1", "\"format\": 7", 1),
                "format 7, written by a later version of sbcell; this version reads formats up to 1",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read_json::<RunRecord>(&path).unwrap_err().to_string();
            assert_eq!(error, format!("cannot read `{}`: {problem}", path.display()));
        }
    }
}
