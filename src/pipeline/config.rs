//! What a command is asked to do: the parameters that go into `run.json`.

use serde::{Deserialize, Serialize};

use crate::bridge::Property;
use crate::error::{Error, Result};
pub use crate::io::model::{Source, TimeOptions, ValuesChoice};
use crate::pipeline::choice::SolverChoice;
use crate::pipeline::growth::GrowthOptions;
use crate::pipeline::reference::Reference;
use crate::preprocess::{GeneSelector, PcaSolver};

/// Everything `fit` can be told. `Default` is what it does when told nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// Where the times are.
    pub time: TimeOptions,
    /// Where the numbers are.
    pub source: Source,
    /// What the values of the matrix are taken to be.
    pub values: ValuesChoice,
    /// Use only these genes, and all of them that are there and vary.
    pub genes: Option<Vec<String>>,
    /// Use only cells that meet all of these conditions, each as `COL==VALUE` and the like.
    pub filters: Vec<String>,
    /// Highly variable genes to keep.
    pub n_top_genes: usize,
    /// Principal components to keep.
    pub n_pcs: usize,
    /// How much noise the reference process adds.
    pub noise: Noise,
    /// What cells would do if nothing but noise, or noise and a pull, moved them.
    #[serde(default)]
    pub reference: Reference,
    /// How fast cells multiply.
    pub growth: GrowthOptions,
    /// Which solver with which hyperparameters.
    pub solver: SolverChoice,
    /// Seed of everything random.
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
            n_pcs: PcaSolver::default().n_pcs,
            noise: Noise::Epsilon(0.1),
            reference: Reference::default(),
            growth: GrowthOptions::default(),
            solver: SolverChoice::default(),
            seed: 0,
        }
    }
}

impl FitOptions {
    /// Checks what can be checked without the file.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range.
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
            reference,
            growth,
            solver,
            seed: _,
        } = self;
        at_least_one("n_top_genes", *n_top_genes)?;
        at_least_one("n_pcs", *n_pcs)?;
        noise.check()?;
        reference.check(solver)?;
        growth.check(solver.has(Property::Relaxes))?;
        solver.check()
    }
}

/// How much noise the reference process adds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// ε of the median interval, on data divided by one constant (LightSB's convention).
    Epsilon(f64),
    /// Variance per unit of time, in the units of the data.
    Sigma2(f64),
}

impl Noise {
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

    /// The variance per unit of time in data units, for data whose `scale` is divided out and
    /// intervals of `median_interval`: `σ² = ε scale² / Δt`.
    pub fn sigma2(&self, scale: f64, median_interval: f64) -> f64 {
        match *self {
            Self::Epsilon(epsilon) => epsilon * scale * scale / median_interval,
            Self::Sigma2(sigma2) => sigma2,
        }
    }
}

fn at_least_one(name: &'static str, value: usize) -> Result<()> {
    if 1 <= value {
        return Ok(());
    }
    Err(Error::Parameter { name, must: "at least 1", got: value.to_string() })
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
        assert!(refused(|o| o.n_pcs = 0).contains("`n_pcs`"));
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
