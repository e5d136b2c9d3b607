//! `run.json`: what was run on what with which parameters, beside every output.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::io::file;
use crate::progress::Silent;

/// The provenance of one run. No time stamp, no path but the input's: two runs with one seed
/// write the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this layout.
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// The command.
    pub command: String,
    /// What was read.
    pub input: InputRecord,
    /// Every parameter, also those left at their default.
    pub parameters: Value,
    /// What was found out on the way: columns chosen, matrix used, cells left out.
    pub notes: Vec<String>,
    /// One entry for each interval that was fitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Value>,
    /// The files written, relative to this one.
    pub outputs: Vec<OutputRecord>,
}

/// The file a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRecord {
    /// File name, without folder.
    pub file: String,
    /// The path as it was given, so that later steps find the file; empty if they do not need it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Cells used.
    pub cells: usize,
    /// Genes read.
    pub genes: usize,
}

/// A file a run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// Path relative to the run record.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl OutputRecord {
    /// The record of `folder/name`.
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

    /// A record without intervals, notes and outputs.
    pub fn new(command: &str, input: InputRecord, parameters: Value) -> Self {
        Self {
            format: Self::FORMAT,
            sbcell: env!("CARGO_PKG_VERSION").to_string(),
            command: command.to_string(),
            input,
            parameters,
            notes: Vec::new(),
            intervals: Vec::new(),
            outputs: Vec::new(),
        }
    }
}

/// Writes `value` as indented JSON with a final newline, whole or not at all.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    file::replace(path, |writer| writer.write_all(&json(value)?))
}

/// SHA-256 of the file that [`write_json`] makes of `value`.
///
/// # Errors
/// [`Error::Numerical`] if `value` is no JSON.
pub fn json_sha256(value: &impl Serialize) -> Result<String> {
    Ok(file::hex(&Sha256::digest(json_text(value)?)))
}

/// What [`write_json`] writes of `value`.
///
/// # Errors
/// [`Error::Numerical`] if `value` is no JSON.
pub(crate) fn json_text(value: &impl Serialize) -> Result<Vec<u8>> {
    json(value).map_err(|error| Error::Numerical { what: "writing JSON", why: error.to_string() })
}

fn json(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Bytes of JSON whose length does not go with the number of cells, at most: a million names take less.
pub const LONGEST_JSON: u64 = 1 << 28;

/// Reads JSON of a known shape, of no more than [`LONGEST_JSON`] bytes.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Unreadable`] if it is not what is expected.
pub fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    read_json_of(path, LONGEST_JSON)
}

/// As [`read_json`], of no more than `most` bytes.
///
/// # Errors
/// As there.
pub fn read_json_of<T: for<'a> Deserialize<'a>>(path: &Path, most: u64) -> Result<T> {
    serde_json::from_str(&file::read_text(path, most)?).map_err(|error| Error::Unreadable {
        path: path.to_path_buf(),
        problem: error.to_string(),
        way_out: None,
    })
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
        std::fs::write(&path, "{\"format\": 1,").unwrap();
        let error = read_json::<RunRecord>(&path).unwrap_err().to_string();
        assert!(error.contains("run.json") && error.contains("EOF"));
    }
}
