//! Flags of `fit` that choose the reference process.

use clap::{Args, ValueEnum};
use sbcell::pipeline::Reference;
use sbcell::{Error, Result};

/// Which reference process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReferenceName {
    /// Cells only diffuse
    Brownian,
    /// Cells diffuse and are pulled to the mean of all cells (Ornstein-Uhlenbeck)
    Ou,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reference")]
pub(crate) struct ReferenceArgs {
    /// What cells would do by themselves; the bridges differ from it as little as they can
    #[arg(long, value_enum, value_name = "PROCESS", default_value = "brownian")]
    reference: ReferenceName,
    /// Rate θ of the pull of `--reference ou`, per unit of time: of a distance from the mean,
    /// exp(−θΔt) is left after Δt; a negative rate pushes away
    ///
    /// Left alone, such cells settle at a variance of σ²/2θ around the mean; the fit says how much
    /// that is. For solvers that take each interval on its own.
    #[arg(
        long,
        value_name = "R",
        required_if_eq("reference", "ou"),
        allow_negative_numbers = true
    )]
    ou_rate: Option<f64>,
}

impl ReferenceArgs {
    /// Flags → the reference process.
    pub(crate) fn choice(self) -> Result<Reference> {
        let Self { reference, ou_rate } = self;
        match (reference, ou_rate) {
            (ReferenceName::Ou, Some(rate)) => Ok(Reference::OrnsteinUhlenbeck { rate }),
            (ReferenceName::Brownian, None) => Ok(Reference::Brownian),
            (ReferenceName::Brownian, Some(rate)) => {
                let must = "given together with `--reference ou`";
                Err(Error::Parameter { name: "--ou-rate", must, got: rate.to_string() })
            }
            (ReferenceName::Ou, None) => {
                let must = "given with `--reference ou`";
                Err(Error::Parameter { name: "--ou-rate", must, got: "none".into() })
            }
        }
    }
}
