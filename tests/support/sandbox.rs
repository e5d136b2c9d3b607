//! A folder with sample data in it, and the binary run inside.
#![allow(dead_code, reason = "each binary uses some")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where this crate is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fixture of 60 cells and 12 genes, by its name without suffix.
pub(crate) fn dialect(name: &str) -> PathBuf {
    root().join(format!("tests/fixtures/h5ad-dialects/{name}.h5ad"))
}

/// A sample of data-samples, by its name without suffix.
pub(crate) fn sample(name: &str) -> PathBuf {
    root().join(format!("data-samples/{name}.h5ad"))
}

/// A fresh folder that goes when the test ends.
pub(crate) struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A fresh folder that holds `file` under the name `data.h5ad`.
    pub(crate) fn with(file: &Path) -> Self {
        let sandbox = Self::new();
        fs::copy(file, sandbox.path("data.h5ad")).unwrap();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `sbcell` with `line` split at spaces, single quotes respected.
    pub(crate) fn run(&self, line: &str) -> Answer {
        self.run_with(&[], line)
    }

    /// As [`Sandbox::run`], with variables of the environment.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], line: &str) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_sbcell"))
            .args(words(line))
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .env_remove("SLURM_CPUS_PER_TASK")
            .env_remove("COLUMNS")
            .env_remove("SBCELL_CPU")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Answer::from(output)
    }

    /// As [`Sandbox::run`], for what must go well.
    pub(crate) fn done(&self, line: &str) -> Answer {
        let answer = self.run(line);
        assert_eq!(answer.code, 0, "`sbcell {line}`\n{}{}", answer.stdout, answer.stderr);
        answer
    }

    /// Names and contents of all files below `folder`, in order of name.
    pub(crate) fn files(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        collect(&self.path(folder), &self.path(folder), &mut found);
        found.sort();
        found
    }
}

/// What a run said and how it ended.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Answer {
    /// Exit code, stdout and stderr as one text, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let Self { code, stdout, stderr } = self;
        format!("exit code: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split(['\'', '"']).enumerate() {
        if place % 2 == 1 {
            words.push(part.to_string());
        } else {
            words.extend(part.split_whitespace().map(str::to_string));
        }
    }
    words
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            found.push((name, fs::read(&path).unwrap()));
        }
    }
}
