//! Name, parameters, work and memory of the solver `auto`.

use std::sync::Arc;

use crate::bridge::describe::{About, Description, Kind, parameter};
use crate::bridge::{
    AnySolver, Course, CourseSize, Held, MASS, Mass, Property, SinkhornSolver, Solver,
};
use crate::error::Result;
use crate::pipeline::solvers::auto::AutoSolver;
use crate::progress::Progress;
use crate::rng::Seed;

/// The entry of the registry.
pub(in crate::pipeline) static AUTO: Description<AutoSolver> = Description {
    name: "auto",
    about: "A mixture of splines, chosen by holding out the inner times of the course",
    plain: AutoSolver::default,
    parameters: &[&[
        parameter!(MASS, mass),
        parameter!(TOLERANCE, tolerance),
        parameter!(CELLS, cells_per_time),
    ]],
};

/// The parameter [`AutoSolver::tolerance`].
const TOLERANCE: About = About::new(
    "auto_tolerance",
    Kind::Number { signed: false },
    "auto: mix all splines whose score is within this share of the best; 0 takes the best alone",
)
.value("SHARE")
.of(MASS.group)
.with_default();

/// The parameter [`AutoSolver::cells_per_time`].
const CELLS: About =
    About::new("auto_cells", Kind::ANY_COUNT, "auto: cells of each time to choose by, at most")
        .of(MASS.group)
        .with_default();

impl AnySolver for AutoSolver {
    fn family(&self) -> &'static str {
        AUTO.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    /// The straight bridge, which is used before a choice is made ([`AutoSolver`]).
    fn solver(&self) -> Solver {
        Solver::Joint(Box::new(self.unsettled()))
    }

    fn properties(&self) -> Vec<Property> {
        let mut properties = vec![Property::TakesLong, Property::Chooses, Property::Bends];
        if self.mass == Mass::Relaxed {
            properties.push(Property::Relaxes);
        }
        properties
    }

    /// Flops of the couplings, each as much as one of Sinkhorn's: six of all cells, and eighteen of the
    /// cells that the choice uses (six for each of about three held-out times).
    fn work(&self, size: &CourseSize) -> f64 {
        let cells = size.cells as f64;
        let some = cells.min(4.0 * self.cells_per_time as f64);
        let of = |cells: f64| SinkhornSolver::flops([cells as usize / 2; 2], size.dims);
        6.0 * (of(cells) + 3.0 * of(some))
    }

    /// One number in double precision for each pair of cells: a coupling at a time.
    fn memory(&self) -> Held {
        Held { per_pair: 8.0, ..Held::default() }
    }

    fn with_mass(&self, mass: Mass) -> Option<Arc<dyn AnySolver>> {
        Some(Arc::new(Self { mass, ..self.clone() }))
    }

    fn settle(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Option<Arc<dyn AnySolver>>> {
        Ok(Some(Arc::new(self.choose(course, seed, progress)?)))
    }
}
