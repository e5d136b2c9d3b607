//! Name, parameters, work and memory of Sinkhorn.

use crate::bridge::describe::{
    About, AnySolver, CourseSize, Description, Held, Kind, MAX_ITERATIONS, Property, Solver,
    TOLERANCE, parameter,
};
use crate::bridge::plan::{COST, HEAT_TIME, N_NEIGHBOURS};
use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, SinkhornRecord, SinkhornSolver};
use crate::data::Snapshot;
use crate::error::Result;

/// Sinkhorn under its name.
pub(crate) static SINKHORN: Description<SinkhornSolver> = Description {
    name: "sinkhorn",
    about: "Entropic transport between all cells; exact for the observed cells",
    plain: SinkhornSolver::default,
    parameters: &[&[
        parameter!(MAX_ITERATIONS, max_iterations),
        parameter!(
            TOLERANCE,
            tolerance,
            "stops when both marginal errors are at most this (1e-7)."
        ),
        parameter!(SOURCE_RELAXATION, source_relaxation),
        parameter!(TARGET_RELAXATION, target_relaxation),
        parameter!(COST, cost.kind),
        parameter!(N_NEIGHBOURS, cost.n_neighbours),
        parameter!(HEAT_TIME, cost.heat_time),
    ]],
};

/// The group of these parameters in the help.
const GROUP: &str = "sinkhorn";
/// Kind of the penalties λ.
const PRICE: Kind = Kind::Number { signed: false };

/// Penalty for deviating from the source marginal.
const SOURCE_RELAXATION: About = About {
    more: "The penalty is λ KL(weights of the coupling ‖ weights of the snapshot). With a smaller λ, cells \
           that are far from all later cells get fewer descendants, and others get more. In terms of τ \
           it is τ = λ/(λ+ε).",
    ..About::new(
        "source_relaxation",
        PRICE,
        "Price λ at which the coupling may deviate from the weights of the earlier snapshot, in the unit \
         of ε",
    )
    .value("LAMBDA")
    .of(GROUP)
};

/// Penalty for deviating from the target marginal.
const TARGET_RELAXATION: About =
    About::new("target_relaxation", PRICE, "The same for the weights of the later snapshot")
        .value("LAMBDA")
        .of(GROUP);

impl AnySolver for SinkhornSolver {
    fn family(&self) -> &'static str {
        SINKHORN.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn solver(&self) -> Solver {
        // The neighbour graph contains the cells of all times.
        if self.cost.is_geodesic() {
            Solver::Joint(Box::new(self.clone()))
        } else {
            Solver::Each(Box::new(self.clone()))
        }
    }

    fn properties(&self) -> Vec<Property> {
        let mut properties = vec![Property::Entropic, Property::Diffuses, Property::CouplesCells];
        let geodesic = self.cost.is_geodesic();
        properties.push(if geodesic { Property::OwnCost } else { Property::KnowsScore });
        if self.source_relaxation.is_some() {
            properties.push(Property::Relaxes);
        }
        properties
    }

    fn work(&self, size: &CourseSize) -> f64 {
        size.intervals.iter().map(|&ends| Self::flops(ends, size.dims)).sum()
    }

    fn memory(&self) -> Held {
        Self::held_pairs()
    }
}

impl SinkhornSolver {
    /// Flops of an entropic coupling. If the kernel fits into memory: 300 passes over stored pairs,
    /// each as long as 20 flops for a pair, and a dozen passes over recomputed pairs. Otherwise 160
    /// passes over recomputed pairs.
    pub(crate) fn flops(ends: [usize; 2], dims: f64) -> f64 {
        let (pairs, anew) = (ends[0] as f64 * ends[1] as f64, 2.0 * dims + 60.0);
        let held = 4.0 * pairs <= Self::MOST_HELD as f64;
        pairs * if held { 300.0 * 20.0 + 12.0 * anew } else { 160.0 * anew }
    }

    /// Memory of the stored kernel: a number for each pair, up to a limit.
    pub(in crate::bridge) fn held_pairs() -> Held {
        Held { per_pair: 8.0, most_of_pairs: Self::MOST_HELD as f64, ..Held::default() }
    }
}

impl Recorded for SinkhornRecord {
    fn dim(&self) -> usize {
        self.dim
    }

    fn revived(self, source: &Snapshot, target: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore(source, target)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entropic_plan_of_which_the_kernel_is_held_is_less_work_in_many_dimensions() {
        let per_pair = |n: usize, dims| SinkhornSolver::flops([n, n], dims) / (n * n) as f64;
        assert!(per_pair(8_000, 50.0) < 0.4 * per_pair(9_000, 50.0));
        assert!((per_pair(100, 5.0) - 6_840.0).abs() < 1e-6);
    }

    #[test]
    fn pairs_are_held_up_to_the_limit() {
        let most = SinkhornSolver::MOST_HELD as f64;
        let held = SinkhornSolver::default().memory();
        assert!((held.bytes(2.5e5, 50.0) - most).abs() < 1.0);
        assert!((held.bytes(200.0, 50.0) - 8e4).abs() < 1e-6);
    }
}
