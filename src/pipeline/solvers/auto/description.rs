//! Name, parameters, work and memory of the solver `auto`.

use std::sync::Arc;

use crate::bridge::describe::{About, Description, Kind, parameter};
use crate::bridge::{
    AnySolver, Candidate, CourseSize, Held, MASS, Mass, OtSolver, Property, SinkhornSolver, Solver,
};
use crate::error::Result;
use crate::pipeline::solvers::auto::AutoSolver;

/// The entry of the registry.
pub(in crate::pipeline) static AUTO: Description<AutoSolver> = Description {
    name: "auto",
    about: "A mixture of splines, unless another way predicts the inner times of the course clearly better",
    plain: AutoSolver::default,
    parameters: &[&[parameter!(MASS, mass), parameter!(CELLS, cells_per_time)]],
};

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

    /// The solver of the first candidate, which is used before a choice is made.
    fn solver(&self) -> Solver {
        match self.found().first() {
            Some(first) => first.solver.solver(),
            None => OtSolver::default().solver(),
        }
    }

    fn properties(&self) -> Vec<Property> {
        let mut properties = vec![Property::Chooses];
        if self.mass == Mass::Relaxed {
            properties.push(Property::Relaxes);
        }
        properties
    }

    /// Flops of the couplings, each as much as one of Sinkhorn's: three of all cells, and eighteen of the cells
    /// that the choice uses (six for each of about three held-out times).
    fn work(&self, size: &CourseSize) -> f64 {
        let cells = size.cells as f64;
        let some = cells.min(4.0 * self.cells_per_time as f64);
        let of = |cells: f64| SinkhornSolver::flops([cells as usize / 2; 2], size.dims);
        3.0 * of(cells) + 18.0 * of(some)
    }

    /// One number in double precision for each pair of cells: a coupling at a time.
    fn memory(&self) -> Held {
        Held { per_pair: 8.0, ..Held::default() }
    }

    fn with_mass(&self, mass: Mass) -> Option<Arc<dyn AnySolver>> {
        let other = Self { mass, ..self.clone() };
        (!other.found().is_empty()).then(|| Arc::new(other) as Arc<dyn AnySolver>)
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.found()
    }

    fn choice_cells(&self) -> usize {
        self.cells_per_time
    }
}
