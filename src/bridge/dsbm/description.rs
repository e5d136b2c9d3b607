//! Name, parameters, work and memory of iterated Markovian fitting.

use crate::bridge::DsbmSolver;
use crate::bridge::describe::{
    About, AnySolver, CourseSize, Description, Held, Kind, MAX_ITERATIONS, Parameter, Property,
    Solver, parameter,
};
use crate::bridge::flow::{
    BATCH, HELD_OUT, LEARNING_RATE, N_LAYERS, N_STEPS, PATIENCE, WEIGHT_DECAY, WIDTH,
};
use crate::error::Result;

/// Iterated Markovian fitting under its name.
pub(crate) static DSBM: Description<DsbmSolver> = Description {
    name: "dsbm",
    about: "Neural networks as for sf2m, without a coupling: trained between random pairs, then between \
            the ends of their own paths, again and again",
    plain: DsbmSolver::default,
    parameters: &[&OF_PROJECTIONS],
};

/// All parameters.
static OF_PROJECTIONS: [Parameter<DsbmSolver>; 11] = [
    parameter!(MAX_ITERATIONS, max_iterations, "steps in one projection"),
    parameter!(N_PROJECTIONS, n_projections),
    parameter!(N_PAIRS, n_pairs),
    parameter!(N_LAYERS, n_layers),
    parameter!(WIDTH, width),
    parameter!(LEARNING_RATE, learning_rate),
    parameter!(WEIGHT_DECAY, weight_decay),
    parameter!(BATCH, batch),
    parameter!(PATIENCE, patience),
    parameter!(HELD_OUT, held_out),
    parameter!(N_STEPS, n_steps),
];

/// The group of the parameters of this solver alone.
const GROUP: &str = "dsbm";

/// Number of projections.
const N_PROJECTIONS: About = About::new(
    "n_projections",
    Kind::Count { most: 1000 },
    "Number of Markovian projections; the first is between random pairs of cells",
)
.of(GROUP)
.with_default();

/// Number of simulated pairs.
const N_PAIRS: About = About::new(
    "n_pairs",
    Kind::Count { most: 10_000_000 },
    "Number of paths that are simulated for each further projection, over all intervals",
)
.of(GROUP)
.with_default();

impl AnySolver for DsbmSolver {
    fn family(&self) -> &'static str {
        DSBM.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn solver(&self) -> Solver {
        Solver::Joint(Box::new(self.clone()))
    }

    /// Networks take long. The bridges know their score.
    fn properties(&self) -> Vec<Property> {
        vec![Property::TakesLong, Property::Diffuses, Property::KnowsScore]
    }

    /// Training takes 6 flops for each weight and row of a batch, for both networks; the paths and
    /// the check at the end of a fit take two evaluations a step in double precision.
    fn work(&self, size: &CourseSize) -> f64 {
        let width = self.width as f64;
        let weights = 2.0 * size.dims * width + (self.n_layers as f64 - 1.0) * width * width;
        let rows = self.batch as f64 * self.max_iterations as f64;
        let paths = 1.25 * self.n_pairs as f64 * 20.0;
        let draws = size.cells as f64 * self.n_steps as f64;
        2.0 * weights * (self.n_projections as f64 * (6.0 * rows + 8.0 * paths) + 8.0 * draws)
    }

    /// Both ends of the simulated paths, before and after.
    fn memory(&self) -> Held {
        Held { copies: 2.0, most_copied: 2.5 * self.n_pairs as f64, ..Held::default() }
    }
}
