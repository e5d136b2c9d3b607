//! Options of `sample`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::io::model::Model;
use crate::pipeline::shared::population::{Space, check_space};
use crate::sampler::{Bandwidth, Sampler, Scheme};

/// Parameters of [`sample`](crate::pipeline::sample()) and [`impute`](crate::pipeline::impute()).
///
/// ```
/// use sbcell::pipeline::{Null, SampleOptions};
///
/// let null = SampleOptions::default().with_null(Some(Null::Pooled));
/// assert!(null.at.is_empty() && null.measured.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct SampleOptions {
    /// Times, in the unit of the file's time column; those of all snapshots if empty.
    pub at: Vec<f64>,
    /// Number of draws at each time; the number of cells of the snapshot if `None`.
    pub n_cells: Option<usize>,
    /// How a step of the sampler is made.
    pub scheme: Scheme,
    /// Number of steps from a cell to a draw.
    pub n_steps: usize,
    /// How the bandwidth ε is chosen.
    pub bandwidth: BandwidthChoice,
    /// Whether the bandwidth grows with the distance between neighbouring cells.
    pub variable: bool,
    /// Coordinates of the written cells.
    pub space: Space,
    /// Draw a null course instead of single times.
    pub null: Option<Null>,
    /// Complete measured cells instead of drawing a population.
    pub measured: Option<MeasuredOptions>,
    /// Name of the file of a likelihood without its folder, for the run record.
    pub likelihood: Option<String>,
    /// Seed of all random draws.
    pub seed: u64,
}

impl Default for SampleOptions {
    fn default() -> Self {
        let Sampler { scheme, n_steps } = Sampler::default();
        Self {
            at: Vec::new(),
            n_cells: None,
            scheme,
            n_steps,
            bandwidth: BandwidthChoice::Auto,
            variable: false,
            space: Space::Pca,
            null: None,
            measured: None,
            likelihood: None,
            seed: 0,
        }
    }
}

/// How the bandwidth ε, the variance of a step of the sampler, is chosen.
///
/// ```
/// use sbcell::pipeline::{BandwidthChoice, SampleOptions};
///
/// let options = SampleOptions::default().with_bandwidth(BandwidthChoice::Given(0.05));
/// assert_ne!(options.bandwidth, SampleOptions::default().bandwidth);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum BandwidthChoice {
    /// By held-out cells: their likelihood or, with measured cells, the prediction error of their
    /// unmeasured coordinates.
    #[cfg_attr(feature = "cli", value(skip))]
    Auto,
    /// The likelihood of held-out cells is largest.
    HeldOut,
    /// The sum of the kernel grows fastest with ε.
    #[cfg_attr(feature = "cli", value(name = "rule"))]
    Growth,
    /// This variance of a step, on data divided by the scale of the fit.
    #[cfg_attr(feature = "cli", value(skip))]
    Given(f64),
}

impl BandwidthChoice {
    /// This choice for the sampler; [`BandwidthChoice::Auto`] is the held-out likelihood.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a given value that is not finite and positive.
    pub(super) fn bandwidth(self) -> Result<Bandwidth> {
        Ok(match self {
            Self::Auto | Self::HeldOut => Bandwidth::HeldOut,
            Self::Growth => Bandwidth::Growth,
            Self::Given(epsilon) => Bandwidth::Given(given(epsilon)?),
        })
    }
}

fn given(epsilon: f64) -> Result<Epsilon> {
    Epsilon::new(epsilon).map_err(|_| Error::Parameter {
        name: "epsilon",
        must: "finite and > 0",
        got: epsilon.to_string(),
    })
}

/// A null course, in which one property of the data is absent.
///
/// An effect that an analysis also finds in null courses has another cause than this property.
///
/// ```
/// use sbcell::pipeline::{Null, SampleOptions};
///
/// let options = SampleOptions::default().with_null(Some(Null::Marginals));
/// assert_eq!(options.null, Some(Null::Marginals));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Null {
    /// Each time is drawn from its own distribution: another sample of the same course.
    Marginals,
    /// Each time is drawn from the distribution of all times together: a course without change.
    Pooled,
}

/// How measured cells are completed.
///
/// ```
/// use sbcell::pipeline::{MeasuredOptions, SampleOptions};
///
/// let file = "panel.csv".to_string();
/// let measured = MeasuredOptions { file, deviation: 0.1, n_draws: MeasuredOptions::N_DRAWS };
/// let options = SampleOptions::default().with_measured(Some(measured)).with_at(vec![3.0]);
/// assert_eq!(options.measured.unwrap().n_draws, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredOptions {
    /// Name of the file of measurements without its folder, for the run record.
    pub file: String,
    /// Standard deviation of the measurement error, in the unit of the measurements. With zero, measured values
    /// are kept exactly.
    pub deviation: f64,
    /// Number of draws for each cell; their mean and standard deviation are the result.
    pub n_draws: usize,
}

impl MeasuredOptions {
    /// Default number of draws for each cell.
    pub const N_DRAWS: usize = 100;
    /// Default number of steps to a draw. Few steps suffice, since chains start from cells that agree with the
    /// measurements.
    pub const N_STEPS: usize = 10;
}

impl SampleOptions {
    /// Checks the ranges, and that the parameters have a meaning together and for `model`.
    ///
    /// # Errors
    /// [`Error::Parameter`]; [`Error::NoGeneSpace`] if genes are asked of a model without them.
    pub(super) fn check(&self, model: &Model) -> Result<()> {
        let Self { at, n_cells, n_steps, bandwidth, space, null, measured, .. } = self;
        let refuse = |name, must, got: String| Err(Error::Parameter { name, must, got });
        if *n_cells == Some(0) {
            return refuse("n_cells", "at least 1", "0".into());
        }
        if *n_steps == 0 {
            return refuse("n_steps", "at least 1", "0".into());
        }
        if null.is_some() && (n_cells.is_some() || !at.is_empty() || measured.is_some()) {
            return refuse(
                "null",
                "without the parameter `at`, the parameter `n_cells` and measured cells",
                "both".into(),
            );
        }
        if let BandwidthChoice::Given(epsilon) = bandwidth {
            given(*epsilon)?;
        }
        check_space(model, *space)
    }
}
