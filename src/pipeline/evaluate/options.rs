//! The parameters of `evaluate`, and the protocols of published evaluations.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::pipeline::fit::options::{FitOptions, Source};
use crate::pipeline::solvers::SolverChoice;

/// All parameters of an evaluation.
///
/// [`crate::pipeline::evaluate`] has an example that runs.
///
/// ```
/// use sbcell::pipeline::{EvaluateOptions, FitOptions, Method, SolverChoice};
///
/// let solver = SolverChoice::default();
/// let methods = vec![Method { name: solver.name().into(), solver }];
/// let options = EvaluateOptions::new(FitOptions::default(), methods);
/// options.check().unwrap();
/// assert!(options.with_n_draws(0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct EvaluateOptions {
    /// The parameters of the fits. The solver in them is not used.
    pub fit: FitOptions,
    /// The methods to score, at least one.
    pub methods: Vec<Method>,
    /// The protocol of the evaluation.
    pub protocol: Protocol,
    /// The times to hold out. Empty for all inner times.
    pub at: Vec<f64>,
    /// Largest number of cells on each side of a Wasserstein distance, from 10 to 20 000.
    pub max_cells: usize,
    /// Number of draws of cells over which scores are averaged, and number of splits for the noise floor,
    /// from 1 to 1000.
    pub n_draws: usize,
    /// Number of bootstrap resamples for each confidence interval, at most 100 000. 0 for no intervals.
    pub n_bootstrap: usize,
    /// The column of `obs` whose groups (batches, donors) are resampled instead of cells.
    pub batch: Option<String>,
    /// Whether a further method `selected` is scored: for each held-out time the method with the best
    /// score on inner times of the remaining course.
    pub select: bool,
    /// Largest number of cells of each time, drawn at random, at least 10. `None` for all cells.
    pub cells_per_time: Option<usize>,
    /// Whether the halves of a cross-fit are exchanged and scores averaged. Otherwise the first half learns
    /// coordinates for the second only, in half the time.
    #[serde(default = "exchanged")]
    pub exchange: bool,
}

/// Halves are exchanged unless something else is said.
fn exchanged() -> bool {
    true
}

/// A solver with its name in the output.
///
/// [`EvaluateOptions`] has an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The name in tables and files.
    pub name: String,
    /// The solver with its hyperparameters.
    pub solver: SolverChoice,
}

impl EvaluateOptions {
    /// The default evaluation of `methods`: all inner times under [`Protocol::Honest`], distances of at
    /// most 1000 cells, 5 draws, 100 resamples.
    pub fn new(fit: FitOptions, methods: Vec<Method>) -> Self {
        Self {
            fit,
            methods,
            protocol: Protocol::Honest,
            at: Vec::new(),
            max_cells: 1000,
            n_draws: 5,
            n_bootstrap: 100,
            batch: None,
            select: false,
            cells_per_time: None,
            exchange: true,
        }
    }

    /// Checks all ranges that do not depend on the file, also those of the fit with each solver.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range.
    pub fn check(&self) -> Result<()> {
        let Self { fit, methods, max_cells, n_draws, n_bootstrap, cells_per_time, .. } = self;
        let refuse =
            |name, must, got: &usize| Err(Error::Parameter { name, must, got: got.to_string() });
        for method in methods {
            FitOptions { solver: method.solver.clone(), ..fit.clone() }.check()?;
        }
        if methods.is_empty() {
            return refuse("compare", "at least one solver", &0);
        }
        if !(10..=20_000).contains(max_cells) {
            return refuse("max_cells", "from 10 to 20000", max_cells);
        }
        if !(1..=1000).contains(n_draws) {
            return refuse("repeats", "from 1 to 1000", n_draws);
        }
        if *n_bootstrap > 100_000 {
            return refuse("bootstrap", "at most 100000", n_bootstrap);
        }
        match cells_per_time {
            Some(n) if *n < 10 => refuse("cells_per_time", "at least 10", n),
            _ => Ok(()),
        }
    }

    /// Whether coordinates are learnt from one half of the training cells and compared in the other: by the
    /// honest protocol, unless they are an embedding of the file.
    pub(super) fn splits(&self) -> bool {
        self.protocol.learnt() == Learnt::Halves && !matches!(self.fit.source, Source::Rep(_))
    }

    /// Five facts in which published evaluations differ, so that their numbers cannot be compared. Of `n`
    /// held-out times `n_whole` have too few cells for halves.
    pub(super) fn facts(&self, n_whole: usize, n: usize) -> Vec<String> {
        let (protocol, source) = (self.protocol, &self.fit.source);
        let embedding = matches!(source, Source::Rep(_));
        let sizes = if protocol.whole() {
            "whole populations, of different size".to_string()
        } else {
            format!("equal sizes, at most {} cells a side", self.max_cells)
        };
        let whitened = match (protocol.whitens(), embedding) {
            (true, _) => "divided by their standard deviation over all cells",
            (false, true) => "as they are in the file",
            (false, false) => "not divided by their standard deviation",
        };
        let learnt = match (protocol.learnt(), embedding) {
            (_, true) => format!("{source}, whoever computed it from whatever cells"),
            (Learnt::Halves, _) if n_whole == 0 => {
                let how =
                    if self.exchange { "two halves, exchanged and averaged" } else { "one half" };
                format!("from cells of other times that are not compared ({how})")
            }
            (Learnt::Halves, _) if n_whole == n => "without the held-out cells".into(),
            (Learnt::Halves, _) => format!(
                "from cells of other times that are not compared; at {n_whole} of {n} times, of few \
                 cells, from all but the held-out ones"
            ),
            (Learnt::All, _) => "from all cells, the held-out ones too".into(),
            (Learnt::Ends, _) => "from the cells of the two neighbouring times".into(),
        };
        let spacing = if protocol.even_spacing() { "equal: 0, 1, 2, …" } else { "real" };
        vec![
            format!("distances: W1 and W2 are both exact, W2 with the root; {sizes}"),
            format!("coordinates: {whitened}"),
            format!("genes and components: {learnt}"),
            "start: the real cells of the time before the held-out one".into(),
            format!("spacing of the times: {spacing}"),
        ]
    }
}

/// The protocol of an evaluation: coordinates, spacing of times and sizes of populations.
///
/// The names are those of the works that use the protocol. Evaluations list what each protocol leaks
/// of the held-out cells.
///
/// ```
/// use sbcell::pipeline::Protocol;
///
/// assert_eq!(Protocol::Honest.headline(), "energy");
/// assert_eq!(Protocol::TrajectoryNet.name(), "trajectorynet");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[cfg_attr(feature = "cli", value(rename_all = "lower"))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The held-out cells are known to the scores only.
    Honest,
    /// `[SF]²M` and torchcfm: components of all cells, times 0, 1, 2, …, whole populations, W1.
    Sf2m,
    /// TrajectoryNet: as `sf2m`, each component divided by its standard deviation over all cells, W2.
    TrajectoryNet,
    /// LightSB: components and scale of all cells, real times, half the energy distance.
    LightSb,
    /// Waddington-OT: components of the two neighbouring times, W2.
    Wot,
    /// OTP-FM: as `trajectorynet`, W1.
    ///
    /// OTP-FM also chooses a checkpoint on held-out cells; sbcell does not reproduce this step.
    OtpFm,
}

/// The cells that coordinates are learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    /// One half of the training cells, for the other half and the held-out cells; then exchanged.
    Halves,
    /// All cells.
    All,
    /// The cells of the two neighbouring times.
    Ends,
}

impl Protocol {
    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Sf2m => "sf2m",
            Self::TrajectoryNet => "trajectorynet",
            Self::LightSb => "lightsb",
            Self::Wot => "wot",
            Self::OtpFm => "otpfm",
        }
    }

    /// The cells that coordinates are learnt from.
    pub(super) fn learnt(self) -> Learnt {
        match self {
            Self::Honest => Learnt::Halves,
            Self::Wot => Learnt::Ends,
            Self::Sf2m | Self::TrajectoryNet | Self::LightSb | Self::OtpFm => Learnt::All,
        }
    }

    /// Whether each coordinate is divided by its standard deviation.
    pub(super) fn whitens(self) -> bool {
        matches!(self, Self::TrajectoryNet | Self::OtpFm)
    }

    /// Whether the times 0, 1, 2, … replace the real times.
    pub(super) fn even_spacing(self) -> bool {
        matches!(self, Self::Sf2m | Self::TrajectoryNet | Self::OtpFm)
    }

    /// Whether Wasserstein distances compare whole populations of different sizes.
    pub(super) fn whole(self) -> bool {
        self != Self::Honest
    }

    /// The metric that the works with this protocol report, by its name in `validation.csv`.
    pub fn headline(self) -> &'static str {
        match self {
            Self::Honest => "energy",
            Self::Sf2m | Self::OtpFm => "w1",
            Self::TrajectoryNet | Self::Wot => "w2",
            Self::LightSb => "energy_half",
        }
    }

    /// The information on held-out cells that predictions can contain; nothing for an honest protocol
    /// on a matrix.
    pub(super) fn leaks(self, source: &Source) -> Vec<String> {
        let mut leaks = Vec::new();
        if let Source::Rep(key) = source {
            leaks.push(format!(
                "obsm/{key} is taken as it is: if it was computed from all cells, it has seen the \
                 held-out ones"
            ));
        } else if self.learnt() == Learnt::All {
            leaks.push("genes, depth and components are learnt from the held-out cells too".into());
        }
        if self.whitens() {
            leaks.push("standard deviations are those of all cells, held-out ones too".into());
        }
        if self == Self::LightSb {
            leaks.push("the scale that ε is stated in is that of all cells".into());
        }
        leaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_honest_protocol_leaks_nothing_and_says_five_facts_as_all_do() {
        use Protocol::{Honest, LightSb, OtpFm, Sf2m, TrajectoryNet, Wot};
        assert!(Honest.leaks(&Source::X).is_empty() && Wot.leaks(&Source::X).is_empty());
        assert_eq!(Honest.leaks(&Source::Rep("X_pca".into())).len(), 1);
        for protocol in [Sf2m, TrajectoryNet, LightSb, OtpFm] {
            assert!(!protocol.leaks(&Source::X).is_empty());
        }
        for protocol in [Honest, Sf2m, TrajectoryNet, LightSb, Wot, OtpFm] {
            let method = Method { name: "lightsb".into(), solver: SolverChoice::default() };
            let options = EvaluateOptions::new(FitOptions::default(), vec![method]);
            let options = options.with_protocol(protocol);
            assert_eq!(options.facts(0, 3).len(), 5);
            assert_eq!(options.splits(), protocol == Honest);
        }
    }

    #[test]
    fn ranges_are_checked() {
        let method = Method { name: "lightsb".into(), solver: SolverChoice::default() };
        let good = EvaluateOptions::new(FitOptions::default(), vec![method]);
        good.check().unwrap();
        assert!(EvaluateOptions { methods: Vec::new(), ..good.clone() }.check().is_err());
        assert!(EvaluateOptions { max_cells: 3, ..good.clone() }.check().is_err());
        assert!(EvaluateOptions { n_draws: 0, ..good.clone() }.check().is_err());
        assert!(EvaluateOptions { cells_per_time: Some(2), ..good }.check().is_err());
    }
}
