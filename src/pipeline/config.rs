//! What a command is asked to do: the parameters that go into `run.json`.

use serde::{Deserialize, Serialize};

use crate::bridge::{
    BridgeSolver, CourseSolver, FlowSolver, GaussianSolver, LightSbSolver, Mass, OtSolver,
    SinkhornSolver, SplineSolver,
};
use crate::error::{Error, Result};
pub use crate::io::model::{Source, TimeOptions, ValuesChoice};
use crate::pipeline::auto::AutoSolver;
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
        at_least_one("--n-top-genes", *n_top_genes)?;
        at_least_one("--n-pcs", *n_pcs)?;
        noise.check()?;
        reference.check(solver)?;
        growth.check(solver.relaxes())?;
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
            Self::Epsilon(value) => ("--epsilon", value),
            Self::Sigma2(value) => ("--sigma2", value),
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

/// Which solver with which hyperparameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SolverChoice {
    /// Gaussian-mixture potentials.
    Lightsb(LightSbSolver),
    /// The closed form between two Gaussians.
    Gaussian(GaussianSolver),
    /// Entropic transport between all cells.
    Sinkhorn(SinkhornSolver),
    /// Exact transport, on straight lines.
    Ot(OtSolver),
    /// Velocity and score as networks.
    Flow(FlowSolver),
    /// Relaxed plans on curves that heed the neighbouring intervals.
    Spline(SplineSolver),
    /// Splines whose hyperparameters are chosen by holding out times.
    Auto(AutoSolver),
}

/// A solver, by what it takes.
#[derive(Debug)]
pub enum Solver {
    /// Each interval on its own.
    Each(Box<dyn BridgeSolver>),
    /// All intervals together.
    Joint(Box<dyn CourseSolver>),
}

impl Default for SolverChoice {
    fn default() -> Self {
        Self::Lightsb(LightSbSolver::default())
    }
}

impl SolverChoice {
    fn check(&self) -> Result<()> {
        let checked = match self {
            Self::Lightsb(solver) => solver.check(),
            Self::Gaussian(solver) => solver.check(),
            Self::Sinkhorn(solver) => solver.check(),
            Self::Ot(solver) => solver.check(),
            Self::Flow(solver) => solver.check(),
            Self::Spline(solver) => solver.check(),
            Self::Auto(solver) => solver.check(),
        };
        checked.map_err(by_flag)
    }

    /// The name of the family.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lightsb(_) => "lightsb",
            Self::Gaussian(_) => "gaussian",
            Self::Sinkhorn(_) => "sinkhorn",
            Self::Ot(_) => "ot",
            Self::Flow(_) => "flow",
            Self::Spline(_) => "spline",
            Self::Auto(_) => "auto",
        }
    }

    /// Whether the solver lets the source marginal differ from what it is given.
    pub fn relaxes(&self) -> bool {
        match self {
            Self::Lightsb(_) | Self::Gaussian(_) | Self::Ot(_) | Self::Flow(_) => false,
            Self::Sinkhorn(solver) => solver.source_relaxation.is_some(),
            Self::Spline(solver) => solver.mass == Mass::Relaxed,
            Self::Auto(solver) => solver.mass == Mass::Relaxed,
        }
    }

    /// The solver with earlier cells keeping their weight, or not, if it can do both.
    pub(super) fn with_mass(&self, mass: Mass) -> Option<Self> {
        match self.clone() {
            Self::Spline(solver) => Some(Self::Spline(SplineSolver { mass, ..solver })),
            Self::Auto(solver) => Some(Self::Auto(AutoSolver { mass, ..solver })),
            _ => None,
        }
    }

    /// The solver itself.
    pub fn solver(&self) -> Solver {
        match self.clone() {
            Self::Lightsb(solver) => Solver::Each(Box::new(solver)),
            Self::Gaussian(solver) => Solver::Each(Box::new(solver)),
            // The graph of neighbours is that of all cells.
            Self::Sinkhorn(solver) if solver.cost.is_geodesic() => Solver::Joint(Box::new(solver)),
            Self::Sinkhorn(solver) => Solver::Each(Box::new(solver)),
            Self::Ot(solver) if solver.cost.is_geodesic() => Solver::Joint(Box::new(solver)),
            Self::Ot(solver) => Solver::Each(Box::new(solver)),
            Self::Flow(solver) => Solver::Joint(Box::new(solver)),
            Self::Spline(solver) => Solver::Joint(Box::new(solver)),
            // What it is before anything is chosen; `Task::settle` chooses.
            Self::Auto(solver) => Solver::Joint(Box::new(solver.unsettled())),
        }
    }
}

/// The flag that sets a field of a solver, where they are not called the same.
const FLAGS: [(&str, &str); 23] = [
    ("pull", "--pull"),
    ("pull_width", "--pull-width"),
    ("relaxation", "--relax"),
    ("momentum", "--momentum"),
    ("noise_back", "--noise-back"),
    ("blur", "--blur"),
    ("n_gaussians", "--n-gaussians"),
    ("max_iterations", "--max-iterations"),
    ("tolerance", "--tolerance"),
    ("cost", "--cost"),
    ("n_neighbours", "--n-neighbors"),
    ("heat_time", "--heat-time"),
    ("block", "--block"),
    ("n_layers", "--layers"),
    ("width", "--width"),
    ("learning_rate", "--learning-rate"),
    ("weight_decay", "--weight-decay"),
    ("batch", "--batch"),
    ("patience", "--patience"),
    ("held_out", "--held-out"),
    ("n_steps", "--steps"),
    ("source_relaxation", "--lambda1"),
    ("target_relaxation", "--lambda2"),
];

/// A parameter out of range, by the name of its flag.
fn by_flag(error: Error) -> Error {
    match error {
        Error::Parameter { name, must, got } => {
            let flag = FLAGS.iter().find(|entry| entry.0 == name).map_or(name, |entry| entry.1);
            Error::Parameter { name: flag, must, got }
        }
        other => other,
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
    use crate::bridge::Choice;

    #[test]
    fn refuses_values_out_of_range_by_the_name_of_the_flag() {
        let refused = |change: fn(&mut FitOptions)| {
            let mut options = FitOptions::default();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(refused(|o| o.n_pcs = 0).contains("`--n-pcs`"));
        assert!(refused(|o| o.noise = Noise::Epsilon(f64::NAN)).contains("`--epsilon`"));
        assert!(refused(|o| o.noise = Noise::Sigma2(0.0)).contains("`--sigma2`"));
        let none = LightSbSolver { n_gaussians: Choice::Is(0), ..LightSbSolver::default() };
        let options = FitOptions { solver: SolverChoice::Lightsb(none), ..FitOptions::default() };
        assert!(options.check().unwrap_err().to_string().contains("`--n-gaussians`"));
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
