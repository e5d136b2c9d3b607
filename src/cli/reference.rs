//! Flags of `fit` that choose the reference process.

use clap::{Args, ValueEnum};
use sbcell::pipeline::Reference;
use sbcell::{Error, Result};

/// Names of reference processes.
///
/// Not the library's [`Reference`]: there the rate belongs to the process, here it has a flag of its
/// own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReferenceName {
    /// Cells diffuse only: dX = σ dW
    Brownian,
    /// Cells diffuse and are pulled to the mean m of all cells: dX = −θ(X−m)dt + σ dW
    /// (Ornstein-Uhlenbeck)
    Ou,
}

/// `--reference` and its rate.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reference")]
pub(crate) struct ReferenceArgs {
    /// Reference process. A bridge is the process between two snapshots that differs least from it
    #[arg(long, value_enum, value_name = "PROCESS", default_value = "brownian")]
    reference: ReferenceName,
    /// Rate θ of the pull in `--reference ou`, per unit of time. The pull reduces a distance from the
    /// mean to the share exp(−θΔt) after Δt; a negative rate increases it
    ///
    /// Without snapshots, the variance of such cells around the mean approaches σ²/2θ; `fit` prints
    /// its value. Only solvers that fit each interval on its own have this reference.
    #[arg(
        long,
        value_name = "R",
        required_if_eq("reference", "ou"),
        allow_negative_numbers = true
    )]
    ou_rate: Option<f64>,
}

impl ReferenceArgs {
    /// The reference process of the flags.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rate without `--reference ou`, and the other way round.
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
