//! The parameters of `fit`, as they are recorded in `run.json`.

use serde::{Deserialize, Serialize};

use crate::bridge::Property;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
pub use crate::io::model::{Source, TimeOptions, ValuesChoice};
use crate::pipeline::fit::clock::{Asynchrony, Bending, Timing};
use crate::pipeline::fit::growth::GrowthOptions;
use crate::pipeline::fit::reference::Reference;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;
use crate::pipeline::solvers::SolverChoice;
use crate::preprocess::{GeneSelector, NPcs};

/// All parameters of a fit that its result depends on. `Default` has the defaults of the command line.
///
/// ```
/// use sbcell::pipeline::{FitOptions, Noise, TimeOptions};
///
/// let time = TimeOptions::default().with_column(Some("day".into())).with_map(None);
/// let options = FitOptions::default().with_time(time).with_noise(Noise::Epsilon(0.2)).with_n_pcs(20);
/// assert!(options.check().is_ok());
/// let error = options.with_n_pcs(0).check().unwrap_err();
/// assert!(error.to_string().contains("`n_pcs`"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct FitOptions {
    /// The column of `obs` that holds the times.
    pub time: TimeOptions,
    /// The matrix or embedding that coordinates come from.
    pub source: Source,
    /// The kind of values in the matrix (counts, normalised, logarithms), or that sbcell decides.
    pub values: ValuesChoice,
    /// The genes that components are made of. All of them that the file has are used, without a
    /// selection of variable genes. `None` selects by variability.
    pub genes: Option<Vec<String>>,
    /// Conditions on columns of `obs`, such as `batch==d1`. Cells that meet all of them are used.
    pub filters: Vec<String>,
    /// Number of highly variable genes that are kept, at least 1.
    pub n_top_genes: usize,
    /// Number of principal components, at least 1, or that the data choose it. Not used with an
    /// embedding.
    #[setters(into)]
    pub n_pcs: NPcs,
    /// Variance of the reference process.
    pub noise: Noise,
    /// ε of the couplings between observed cells, which the model records for fates, transitions and
    /// trajectories. Bridges do not depend on it.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// The reference process.
    #[serde(default)]
    pub reference: Reference,
    /// Whether cells move in step.
    #[serde(default = "Asynchrony::off")]
    pub asynchrony: Asynchrony,
    /// How fast an interval is crossed at its ends.
    #[serde(default = "Timing::even")]
    pub timing: Timing,
    /// Whether populations follow the curve of the course.
    #[serde(default = "Bending::off")]
    pub bend: Bending,
    /// Prior knowledge of the growth of cells.
    pub growth: GrowthOptions,
    /// The solver with its hyperparameters.
    pub solver: SolverChoice,
    /// Seed of all random steps. The same seed gives the same result on any number of threads.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            time: TimeOptions::default(),
            source: Source::X,
            values: ValuesChoice::Auto,
            genes: None,
            filters: Vec::new(),
            n_top_genes: GeneSelector::default().n_genes,
            n_pcs: NPcs::default(),
            noise: Noise::Epsilon(0.1),
            coupling_epsilon: CouplingEpsilon::default(),
            reference: Reference::default(),
            asynchrony: Asynchrony::default(),
            timing: Timing::default(),
            bend: Bending::default(),
            growth: GrowthOptions::default(),
            solver: SolverChoice::default(),
            seed: 0,
        }
    }
}

impl FitOptions {
    /// Checks all ranges that do not depend on the file.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range; [`Error::ReferenceNotTaken`] for a solver that
    /// cannot find the bridge for the reference process.
    pub fn check(&self) -> Result<()> {
        let Self {
            time: _,
            source: _,
            values: _,
            genes: _,
            filters: _,
            n_top_genes,
            n_pcs,
            noise,
            coupling_epsilon,
            reference,
            asynchrony: _,
            timing: _,
            bend: _,
            growth,
            solver,
            seed: _,
        } = self;
        at_least_one("n_top_genes", *n_top_genes)?;
        n_pcs.check()?;
        noise.check()?;
        coupling_epsilon.check()?;
        reference.check(solver)?;
        growth.check(solver.has(Property::Relaxes))?;
        solver.check()
    }
}

/// The variance of the reference process, in one of two units: `ε = σ² Δt / scale²`, with the median
/// interval Δt of the course.
///
/// ```
/// use sbcell::pipeline::Noise;
///
/// // Coordinates divided by a scale of 2, a median interval of 12 hours.
/// let sigma2 = Noise::Epsilon(0.1).sigma2(2.0, 12.0);
/// assert!((sigma2 * 12.0 / 4.0 - 0.1).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// ε of the median interval, on data divided by the scale. The convention of LightSB.
    Epsilon(f64),
    /// σ², the variance per unit of time, in the squared unit of the data.
    Sigma2(f64),
}

impl Noise {
    /// Refuses values that are not finite and positive, by the name that the user gave.
    fn check(&self) -> Result<()> {
        let (name, value) = match *self {
            Self::Epsilon(value) => ("epsilon", value),
            Self::Sigma2(value) => ("sigma2", value),
        };
        if 0.0 < value && value < f64::INFINITY {
            return Ok(());
        }
        Err(Error::Parameter { name, must: "finite and > 0", got: value.to_string() })
    }

    /// The variance per unit of time in data units: `σ² = ε scale² / Δt`, with the median interval
    /// `median_interval` of the course and the constant `scale` that coordinates are divided by.
    pub fn sigma2(&self, scale: f64, median_interval: f64) -> f64 {
        match *self {
            Self::Epsilon(epsilon) => epsilon * scale * scale / median_interval,
            Self::Sigma2(sigma2) => sigma2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{Choice, LightSbSolver};

    #[test]
    fn refuses_values_out_of_range_by_name() {
        let refused = |change: fn(&mut FitOptions)| {
            let mut options = FitOptions::default();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(refused(|o| o.n_pcs = 0.into()).contains("`n_pcs`"));
        assert!(refused(|o| o.noise = Noise::Epsilon(f64::NAN)).contains("`epsilon`"));
        assert!(refused(|o| o.noise = Noise::Sigma2(0.0)).contains("`sigma2`"));
        let none = LightSbSolver { n_gaussians: Choice::Is(0), ..LightSbSolver::default() };
        let options = FitOptions { solver: SolverChoice::of(none), ..FitOptions::default() };
        assert!(options.check().unwrap_err().to_string().contains("`n_gaussians`"));
        FitOptions::default().check().unwrap();
    }

    #[test]
    fn epsilon_and_sigma2_say_the_same_noise_in_two_units() {
        // ε = σ² Δt / scale², METHODS: one variance per unit of real time.
        let sigma2 = Noise::Epsilon(0.1).sigma2(2.0, 12.0);
        assert!((sigma2 * 12.0 / 4.0 - 0.1).abs() < 1e-15);
        assert!((Noise::Sigma2(sigma2).sigma2(2.0, 12.0) - sigma2).abs() < 1e-15);
    }
}
