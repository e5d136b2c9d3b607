//! Options of `interpolate`.

use serde::{Deserialize, Serialize};

use crate::bridge::Diffusion;
use crate::pipeline::shared::population::Space;

/// Parameters of [`interpolate`](crate::pipeline::interpolate()).
///
/// ```
/// use sbcell::pipeline::{Dynamics, InterpolateOptions, Space};
///
/// // 200 cells at day 2.5, moved along the probability flow, in gene space.
/// let options = InterpolateOptions::default().with_at(vec![2.5]).with_n_cells(Some(200)).with_space(Space::Genes).with_dynamics(Some(Dynamics { diffusion: 0.0.into(), backward: false })).with_seed(1);
/// assert!(InterpolateOptions::default().dynamics.is_none() && options.dynamics.is_some());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct InterpolateOptions {
    /// Times, in the unit of the file's time column; the midpoint of every interval if empty.
    pub at: Vec<f64>,
    /// Number of cells at each time; as many as in the earlier snapshot if `None`.
    pub n_cells: Option<usize>,
    /// Coordinates of the written cells.
    pub space: Space,
    /// The process that moves the cells; exact draws from the bridge if `None`.
    pub dynamics: Option<Dynamics>,
    /// Embedding of the fitted file, such as `umap`, on which the cells are placed as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Path of the fitted file for `basis`, if it is not where the fit found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Seed of all random draws.
    pub seed: u64,
}

/// A process with the same law at every time as the bridge, simulated in small steps.
///
/// Any diffusion has the marginals of the bridge, if the drift is corrected by the score.
///
/// ```
/// use sbcell::pipeline::Dynamics;
///
/// // From the later snapshot to its ancestors, with the noise of the bridge.
/// let ancestors = Dynamics { diffusion: 1.0.into(), backward: true };
/// assert!(ancestors.backward && ancestors.diffusion.is_of_process());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dynamics {
    /// Diffusion relative to that of the bridge, as it changes over the local time of an interval. 1
    /// is the bridge itself, 0 its probability flow.
    pub diffusion: Diffusion,
    /// Whether cells move backward in time, from the later snapshot to their ancestors.
    pub backward: bool,
}
