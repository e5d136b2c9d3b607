//! Name, parameters, work and memory of splines.

use std::sync::Arc;

use crate::bridge::describe::{
    About, AnySolver, CourseSize, Description, Held, Kind, Parameter, Property, Solver, Value,
    Word, Worded, parameter,
};
use crate::bridge::{Mass, SinkhornSolver, SplineSolver, Width};
use crate::error::{Error, Result};

/// Splines under their name.
pub(crate) static SPLINE: Description<SplineSolver> = Description {
    name: "spline",
    about: "Transport with relaxed marginals, on curved paths that use the velocities of the \
            neighbouring intervals",
    plain: SplineSolver::default,
    parameters: &[&[
        Parameter {
            about: &RELAXATION,
            own: "",
            get: |solver| solver.members.first()?.relaxation.map(Value::Number),
            set: |solver, value| {
                let price = number(&RELAXATION, value)?;
                // An infinite price keeps the weights.
                let relaxation =
                    Some(price).filter(|price| *price < f64::INFINITY || price.is_nan());
                solver.members.iter_mut().for_each(|member| member.relaxation = relaxation);
                Ok(())
            },
        },
        Parameter {
            about: &MOMENTUM,
            own: "",
            get: |solver| Some(Value::Number(solver.members.first()?.momentum)),
            set: |solver, value| {
                let momentum = number(&MOMENTUM, value)?;
                solver.members.iter_mut().for_each(|member| member.momentum = momentum);
                Ok(())
            },
        },
        parameter!(WIDTH_BY, width),
        parameter!(NOISE_BACK, noise_back),
        parameter!(PULL, pull),
        parameter!(PULL_WIDTH, pull_width),
        parameter!(MASS, mass),
    ]],
};

/// The group of these parameters in the help.
const GROUP: &str = "spline";
/// Kind of a fraction, which may be typed with a minus sign so that the solver can refuse it.
const SHARE: Kind = Kind::Number { signed: true };

/// Price λ of deviating from a marginal.
const RELAXATION: About = About::new(
    "relaxation",
    SHARE,
    "Price of deviating from the weights of the snapshots, in total variances of the cells; `inf` \
     keeps them (exact transport) [default: 0.5]",
)
.value("LAMBDA")
.of(GROUP);

/// Momentum φ.
const MOMENTUM: About = About::new(
    "momentum",
    SHARE,
    "Weight of the neighbouring intervals' velocities in a path: 0 for straight lines, 1 for a \
     spline through the mean partners [default: 1]",
)
.value("PHI")
.of(GROUP);

/// How the width of populations is preserved.
const WIDTH_BY: About = About::new(
    "width_by",
    Kind::OneOf(Width::words),
    "How the width of populations between the snapshots is preserved",
)
.value("WIDTH_BY")
.of(GROUP)
.with_default();

/// Restored noise ρ.
const NOISE_BACK: About = About::new(
    "noise_back",
    SHARE,
    "Fraction of the noise in displacements that is returned to the paths, so that populations \
     between the snapshots are not too narrow [default: 0]",
)
.value("RHO")
.of(GROUP);

/// Attraction κ.
const PULL: About = About::new(
    "pull",
    SHARE,
    "Fraction of the way to the cells of both snapshots by which paths move half-way between the \
     snapshots [default: 0]",
)
.value("KAPPA")
.of(GROUP);

/// Width of the attraction.
const PULL_WIDTH: About = About::new(
    "pull_width",
    SHARE,
    "Width of the kernel around the cells for {pull}, in median distances to the nearest neighbour \
     [default: 1]",
)
.value("WIDTH")
.of(GROUP);

/// Whether earlier cells keep their weight, for solvers that leave it to be chosen.
pub(crate) const MASS: About = About::new(
    "mass",
    Kind::OneOf(Mass::words),
    "Whether earlier cells keep their weight, or may have fewer or more descendants",
)
.value("MASS")
.of(GROUP)
.with_default();

impl Worded for Width {
    const WORDS: &'static [(Self, Word)] = &[
        (Self::Noise, Word { name: "noise", about: "By noise, see {noise_back}" }),
        (
            Self::Ends,
            Word {
                name: "ends",
                about: "Cells follow their neighbours, and jump from their own end of a pair to the \
                        partner's end on the way",
            },
        ),
        (
            Self::Map,
            Word {
                name: "map",
                about: "Cells follow their neighbours to the end, near the later snapshot",
            },
        ),
    ];
}

impl Worded for Mass {
    const WORDS: &'static [(Self, Word)] = &[
        (
            Self::Kept,
            Word {
                name: "kept",
                about: "Every earlier cell has a destination, in proportion to its weight",
            },
        ),
        (
            Self::Relaxed,
            Word {
                name: "relaxed",
                about: "The coupling determines how many descendants each earlier cell has",
            },
        ),
    ];
}

/// The number of a value.
///
/// # Errors
/// [`crate::Error::Parameter`] for a value of another kind.
fn number(about: &About, value: &Value) -> Result<f64> {
    match value {
        Value::Number(number) => Ok(*number),
        other => {
            let (name, must) = (about.name, "a number");
            Err(Error::Parameter { name, must, got: other.to_string() })
        }
    }
}

impl AnySolver for SplineSolver {
    fn family(&self) -> &'static str {
        SPLINE.name
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

    fn properties(&self) -> Vec<Property> {
        let mut properties = vec![Property::Bends];
        if self.mass == Mass::Relaxed {
            properties.push(Property::Relaxes);
        }
        properties
    }

    /// As Sinkhorn, for each relaxation and for velocities.
    fn work(&self, size: &CourseSize) -> f64 {
        let n_plans = self.members.len() as f64 + 1.0;
        n_plans * SinkhornSolver::flops([size.cells / 2; 2], size.dims)
    }

    fn memory(&self) -> Held {
        Held { per_pair: 8.0, ..Held::default() }
    }

    fn with_mass(&self, mass: Mass) -> Option<Arc<dyn AnySolver>> {
        Some(Arc::new(Self { mass, ..self.clone() }))
    }
}
