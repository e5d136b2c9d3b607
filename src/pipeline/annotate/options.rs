//! Options of `annotate`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Default key in `uns`, and prefix of all other keys.
#[doc(hidden)]
pub const KEY: &str = "sbcell";

/// Parameters of [`annotate`](crate::pipeline::annotate()).
///
/// ```
/// use sbcell::pipeline::AnnotateOptions;
///
/// let options = AnnotateOptions::default().with_project(vec!["X_umap".into()]);
/// assert_eq!(options.key, "sbcell"); // obs/sbcell_time, obsm/sbcell_velocity, …
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct AnnotateOptions {
    /// The key in `uns`, and prefix of all other keys.
    pub key: String,
    /// Which velocity is written.
    pub velocity: VelocityKind,
    /// Embeddings of the file (keys of `obsm`) on which the velocity is projected.
    pub project: Vec<String>,
    /// Whether the velocity of genes is written as a layer.
    pub layer: bool,
    /// Tables of fate probabilities by cell; columns become `KEY_fate_NAME` in `obs`.
    pub fates: Vec<PathBuf>,
    /// Other tables by cell; columns become `KEY_NAME` in `obs`.
    pub tables: Vec<PathBuf>,
    /// Whether to replace keys that `annotate` did not write.
    pub overwrite: bool,
}

impl Default for AnnotateOptions {
    fn default() -> Self {
        Self {
            key: KEY.into(),
            velocity: VelocityKind::default(),
            project: Vec::new(),
            layer: false,
            fates: Vec::new(),
            tables: Vec::new(),
            overwrite: false,
        }
    }
}

impl AnnotateOptions {
    /// Checks that the key can be part of a path in the file.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(super) fn check(&self) -> Result<()> {
        let key = &self.key;
        if key.is_empty() || key.contains('/') {
            let must = "a name without `/`";
            return Err(Error::Parameter { name: "key", must, got: format!("`{key}`") });
        }
        Ok(())
    }
}

/// One of the two velocities of a process.
///
/// ```
/// use sbcell::pipeline::{AnnotateOptions, VelocityKind};
///
/// let flow = AnnotateOptions::default().with_velocity(VelocityKind::Flow);
/// assert_ne!(flow.velocity, VelocityKind::default());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum VelocityKind {
    /// The drift: the expected direction of a cell.
    #[default]
    Drift,
    /// The probability flow, for solvers that know their score.
    Flow,
}
