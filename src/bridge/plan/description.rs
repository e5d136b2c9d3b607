//! Names, parameters, work and memory of exact transport; the parameters of costs.

use crate::bridge::describe::{
    About, AnySolver, CourseSize, Description, Held, Kind, Property, Solver, Word, Worded,
    parameter,
};
use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, EndsRecord, OtSolver, PlanRecord};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::CostKind;

/// Exact transport under its name.
pub(crate) static OT: Description<OtSolver> = Description {
    name: "ot",
    about: "Exact optimal transport: every cell moves straight to its partner, without noise",
    plain: OtSolver::default,
    parameters: &[&[
        parameter!(COST, cost.kind),
        parameter!(N_NEIGHBOURS, cost.n_neighbours),
        parameter!(HEAT_TIME, cost.heat_time),
    ]],
};

/// The group of these parameters in the help.
const GROUP: &str = "cost";

/// The cost that a coupling minimises, for solvers that pair cells.
pub(in crate::bridge) const COST: About = About {
    more: "Geodesic costs are measured along the cells, on the graph of nearest neighbours over all \
           times. Cells on two layers of a folded sheet are near each other in space and far apart along \
           the sheet. The cost determines the pairs; pairs move on straight lines.",
    neutral: Some("euclidean"),
    ..About::new(
        "cost",
        Kind::OneOf(CostKind::words),
        "Cost of moving a cell: half its squared distance, measured in this way",
    )
    .value("COST")
    .of(GROUP)
    .with_default()
};

/// Number of neighbours in the graph of a geodesic cost.
pub(in crate::bridge) const N_NEIGHBOURS: About = About::new(
    "n_neighbours",
    Kind::ANY_COUNT,
    "Number of neighbours of each cell in the graph of a geodesic cost",
)
.value("K")
.of(GROUP)
.with_default();

/// Diffusion time τ of the geodesic cost by heat.
pub(in crate::bridge) const HEAT_TIME: About = About::new(
    "heat_time",
    Kind::Number { signed: false },
    "Diffusion time of heat, in steps of the graph; a longer time reaches further and smooths more",
)
.value("STEPS")
.of(GROUP)
.with_default();

impl Worded for CostKind {
    const WORDS: &'static [(Self, Word)] = &[
        (Self::Euclidean, Word { name: "euclidean", about: "Along the straight line" }),
        (
            Self::GeodesicPath,
            Word { name: "geodesic-path", about: "Along the shortest path on the graph" },
        ),
        (
            Self::GeodesicHeat,
            Word {
                name: "geodesic-heat",
                about: "By heat diffusion over all paths of the graph: slower than the shortest \
                        path; use a long diffusion time against single wrong edges",
            },
        ),
    ];
}

impl AnySolver for OtSolver {
    fn family(&self) -> &'static str {
        OT.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn solver(&self) -> Solver {
        if self.cost.is_geodesic() {
            Solver::Joint(Box::new(self.clone()))
        } else {
            Solver::Each(Box::new(self.clone()))
        }
    }

    fn properties(&self) -> Vec<Property> {
        let own = self.cost.is_geodesic().then_some(Property::OwnCost);
        own.into_iter().chain([Property::CouplesCells]).collect()
    }

    /// The network simplex method takes about `10 n^2.7` operations for an interval of n cells; the
    /// estimate assumes four intervals with a quarter of the cells each.
    fn work(&self, size: &CourseSize) -> f64 {
        40.0 * (size.cells as f64 / 4.0).powf(2.7)
    }

    /// The matrix of costs.
    fn memory(&self) -> Held {
        Held { per_pair: 8.0, ..Held::default() }
    }
}

impl Recorded for PlanRecord {
    fn dim(&self) -> usize {
        self.dim
    }

    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore(source, target)?))
    }
}

impl Recorded for EndsRecord {
    fn dim(&self) -> usize {
        self.dim
    }

    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore(source, target)?))
    }
}
