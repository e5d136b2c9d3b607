//! Names, parameters, work and memory of `[SF]²M`, OT-CFM and I-CFM.

use crate::bridge::describe::{
    About, AnySolver, CourseSize, Description, Held, Kind, MAX_ITERATIONS, Parameter, Property,
    Solver, Word, Worded, parameter,
};
use crate::bridge::plan::{COST, HEAT_TIME, N_NEIGHBOURS};
use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, CouplingKind, FlowRecord, FlowSolver, PathShape, SinkhornSolver};
use crate::data::Snapshot;
use crate::error::Result;

/// `[SF]²M` under its name.
pub(crate) static SF2M: Description<FlowSolver> = Description {
    name: "sf2m",
    about: "Neural networks for velocity and score, trained on an entropic coupling without simulation; \
            paths have noise",
    plain: FlowSolver::sf2m,
    parameters: &[&OF_COST, &OF_NETWORKS],
};

/// OT-CFM under its name.
pub(crate) static OT_CFM: Description<FlowSolver> = Description {
    name: "ot-cfm",
    about: "A neural network for the velocity, trained on exact optimal transport; paths have no noise",
    plain: FlowSolver::ot_cfm,
    parameters: &[&OF_COST, &OF_NETWORKS],
};

/// I-CFM under its name.
pub(crate) static I_CFM: Description<FlowSolver> = Description {
    name: "i-cfm",
    about: "A neural network for the velocity, trained on independent pairs; paths have no noise",
    plain: FlowSolver::i_cfm,
    parameters: &[&OF_NETWORKS],
};

/// Parameters of the cost of a coupling.
static OF_COST: [Parameter<FlowSolver>; 3] = [
    parameter!(COST, cost.kind),
    parameter!(N_NEIGHBOURS, cost.n_neighbours),
    parameter!(HEAT_TIME, cost.heat_time),
];

/// Parameters of networks and training.
static OF_NETWORKS: [Parameter<FlowSolver>; 12] = [
    parameter!(MAX_ITERATIONS, max_iterations),
    parameter!(COUPLING, coupling),
    parameter!(N_LAYERS, n_layers),
    parameter!(WIDTH, width),
    parameter!(LEARNING_RATE, learning_rate),
    parameter!(WEIGHT_DECAY, weight_decay),
    parameter!(BATCH, batch),
    parameter!(PATIENCE, patience),
    parameter!(HELD_OUT, held_out),
    parameter!(BLOCK, block),
    parameter!(PATH, path),
    parameter!(N_STEPS, n_steps),
];

/// The group of these parameters in the help.
const GROUP: &str = "flow";
/// Kind of parameters that are not negative.
const NUMBER: Kind = Kind::Number { signed: false };

/// How cells are paired in training.
const COUPLING: About = About::new(
    "coupling",
    Kind::OneOf(CouplingKind::words),
    "How cells are paired in training [default: entropic for sf2m, exact for ot-cfm, independent for \
     i-cfm]",
)
.value("COUPLING")
.of(GROUP);

/// Number of hidden layers.
pub(in crate::bridge) const N_LAYERS: About =
    About::new("n_layers", Kind::Count { most: 100 }, "Number of hidden layers of each network")
        .of(GROUP)
        .with_default();

/// Number of units of a hidden layer.
pub(in crate::bridge) const WIDTH: About =
    About::new("width", Kind::Count { most: 10_000 }, "Number of units in each hidden layer")
        .of(GROUP)
        .with_default();

/// Initial learning rate.
pub(in crate::bridge) const LEARNING_RATE: About = About::new(
    "learning_rate",
    NUMBER,
    "Initial learning rate; it decreases to zero over {max_iterations} steps",
)
.value("R")
.of(GROUP)
.with_default();

/// Weight decay.
pub(in crate::bridge) const WEIGHT_DECAY: About =
    About::new("weight_decay", NUMBER, "Weight decay (AdamW)").value("W").of(GROUP).with_default();

/// Size of a batch.
pub(in crate::bridge) const BATCH: About = About::new(
    "batch",
    Kind::Count { most: 1_000_000 },
    "Number of points in a batch, over all intervals",
)
.of(GROUP)
.with_default();

/// When training ends early.
pub(in crate::bridge) const PATIENCE: About = About::new(
    "patience",
    Kind::ANY_COUNT,
    "Training ends after this number of evaluations on held-out cells without improvement (a complete \
     training has 50)",
)
.of(GROUP)
.with_default();

/// Fraction of held-out cells.
pub(in crate::bridge) const HELD_OUT: About = About::new(
    "held_out",
    NUMBER,
    "Fraction of the cells of each snapshot that is held out, to decide when training ends",
)
.value("SHARE")
.of(GROUP)
.with_default();

/// Largest coupling.
const BLOCK: About = About::new(
    "block",
    Kind::ANY_COUNT,
    "Largest number of cells of a snapshot in one coupling; larger snapshots are divided into random \
     blocks [default: 16384 for sf2m, 4096 for ot-cfm]",
)
.of(GROUP);

/// Shape of the paths.
const PATH: About =
    About::new("path", Kind::OneOf(PathShape::words), "Shape of the paths between paired cells")
        .value("PATH")
        .of(GROUP)
        .with_default();

/// Number of steps of a draw.
pub(in crate::bridge) const N_STEPS: About = About::new(
    "n_steps",
    Kind::Count { most: 1_000_000 },
    "Number of time steps from one snapshot to the next when cells are moved",
)
.of(GROUP)
.with_default();

impl Worded for CouplingKind {
    const WORDS: &'static [(Self, Word)] = &[
        (
            Self::Entropic,
            Word {
                name: "entropic",
                about: "By entropic transport with the ε of the problem: the Schrödinger bridge",
            },
        ),
        (Self::Exact, Word { name: "exact", about: "By exact optimal transport" }),
        (Self::Independent, Word { name: "independent", about: "Every cell with every cell" }),
    ];
}

impl Worded for PathShape {
    const WORDS: &'static [(Self, Word)] = &[
        (Self::Linear, Word { name: "linear", about: "Straight lines" }),
        (
            Self::Trigonometric,
            Word {
                name: "trigonometric",
                about: "Weights cos(πt/2) and sin(πt/2), for independent pairs",
            },
        ),
    ];
}

impl AnySolver for FlowSolver {
    fn family(&self) -> &'static str {
        "flow"
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

    /// Networks take long. With noise the bridges know their score.
    fn properties(&self) -> Vec<Property> {
        let mut properties = vec![Property::Entropic, Property::TakesLong];
        if self.noise {
            properties.extend([Property::Diffuses, Property::KnowsScore]);
        }
        if self.cost.is_geodesic() {
            properties.push(Property::OwnCost);
        }
        properties
    }

    /// Training takes 6 flops for each weight and row of a batch, for one network or two. The check
    /// at the end of a fit moves each cell in `n_steps` steps of two evaluations in double
    /// precision.
    fn work(&self, size: &CourseSize) -> f64 {
        let width = self.width as f64;
        let weights = 2.0 * size.dims * width + (self.n_layers as f64 - 1.0) * width * width;
        let networks = if self.noise { 2.0 } else { 1.0 };
        let rows = self.batch as f64 * self.max_iterations as f64;
        let draws = size.cells as f64 * self.n_steps as f64;
        networks * weights * (6.0 * rows + 8.0 * draws)
    }

    /// The memory of the entropic coupling.
    fn memory(&self) -> Held {
        SinkhornSolver::held_pairs()
    }
}

impl Recorded for FlowRecord {
    fn dim(&self) -> usize {
        self.affine.source_mean.len()
    }

    fn revived(self, _: &Snapshot, _: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore()?))
    }
}
