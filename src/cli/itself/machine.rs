//! Facts about this program and the machine on which it runs, as `--version --json` and `doctor` give them.

use std::path::Path;

use sbcell::io::model::FORMAT;
use sbcell::io::run::RunRecord;
use sbcell::io::without_temporary_name;
use sbcell::platform::cpu::{self, Vectors};
use sbcell::platform::system;
use sbcell::{Error, Result};
use serde::Serialize;

/// The environment variable that restricts vector instructions.
pub(crate) const SBCELL_CPU: &str = "SBCELL_CPU";

/// This program: how it was built, and the files that it writes.
#[derive(Debug, Serialize)]
pub(super) struct Build {
    /// Processor, system and C library, such as `x86_64-unknown-linux-gnu`.
    pub(super) target: String,
    /// `release`, or `debug` for a build with checks and without optimisation.
    pub(super) profile: &'static str,
    /// The C library and how it is linked, such as `glibc, dynamic`.
    pub(super) libc: String,
    /// Version of the format of model files.
    pub(super) model_format: u32,
    /// Version of the format of run records.
    pub(super) record_format: u32,
}

impl Build {
    pub(super) fn of_this_program() -> Self {
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        Self {
            target: system::target(),
            profile,
            libc: system::libc(),
            model_format: FORMAT,
            record_format: RunRecord::FORMAT,
        }
    }
}

/// The processor, and the code that was chosen for it.
#[derive(Debug, Serialize)]
pub(super) struct Processor {
    /// Name of the processor; null where the system gives none.
    pub(super) model: Option<String>,
    /// Features that the program was compiled for.
    pub(super) compiled: Vec<&'static str>,
    /// Features that the processor has.
    pub(super) detected: Vec<&'static str>,
    /// Names for `SBCELL_CPU` that this processor can run.
    pub(super) available: Vec<&'static str>,
    /// The instructions of the loops of sbcell.
    pub(super) loops: &'static str,
    /// Whether `SBCELL_CPU` restricts these loops.
    pub(super) restricted: bool,
    /// The instructions of matrix products and decompositions, which no variable restricts.
    pub(super) products: &'static str,
}

impl Processor {
    pub(super) fn now() -> Self {
        Self {
            model: cpu::model(),
            compiled: cpu::compiled(),
            detected: cpu::detected(),
            available: cpu::available().into_iter().map(Vectors::name).collect(),
            loops: cpu::chosen().name(),
            restricted: Some(cpu::chosen()) != cpu::available().last().copied(),
            products: cpu::products().name(),
        }
    }
}

/// Restricts vector instructions to those in the variable `SBCELL_CPU`, if it is set.
///
/// # Errors
/// [`Error::Parameter`] for a name that is unknown, or that stands for instructions that this processor does not
/// have.
pub(crate) fn restrict_processor() -> Result<()> {
    match variable(SBCELL_CPU) {
        Some(name) => cpu::limit(name.parse()?),
        None => Ok(()),
    }
}

/// A variable of the environment; `None` if it is empty or not set.
#[allow(clippy::disallowed_methods, reason = "the terminal is where the environment is read")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a file can be created in `folder`.
///
/// # Errors
/// [`Error::Io`] with the folder.
pub(super) fn can_write(folder: &Path) -> Result<()> {
    let made = tempfile::Builder::new().prefix(".sbcell-").tempfile_in(folder);
    made.map(drop).map_err(|source| {
        let (path, source) = (folder.to_path_buf(), without_temporary_name(source));
        Error::Io { action: "write", path, source }
    })
}
