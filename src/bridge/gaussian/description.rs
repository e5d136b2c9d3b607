//! Name, work and memory of the closed form between Gaussians.

use crate::bridge::describe::{AnySolver, CourseSize, Description, Property, Solver};
use crate::bridge::record::Recorded;
use crate::bridge::{Bridge, GaussianRecord, GaussianSolver};
use crate::data::Snapshot;
use crate::error::Result;

/// The closed form between Gaussians under its name.
pub(crate) static GAUSSIAN: Description<GaussianSolver> = Description {
    name: "gaussian",
    about: "One Gaussian for each snapshot, in closed form: an affine drift, immediate",
    plain: || GaussianSolver {},
    parameters: &[],
};

impl AnySolver for GaussianSolver {
    fn family(&self) -> &'static str {
        GAUSSIAN.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn solver(&self) -> Solver {
        Solver::Each(Box::new(self.clone()))
    }

    fn properties(&self) -> Vec<Property> {
        vec![Property::Diffuses, Property::KnowsScore]
    }

    /// Covariances of both sides, `4 n d²`, and three eigenvalue decompositions of about `10 d³`
    /// each.
    fn work(&self, size: &CourseSize) -> f64 {
        let (cells, dims) = (size.cells as f64, size.dims);
        4.0 * cells * dims * dims + 30.0 * dims.powi(3)
    }
}

impl Recorded for GaussianRecord {
    fn dim(&self) -> usize {
        self.source_mean.len()
    }

    fn revived(self, _: &Snapshot, _: &Snapshot) -> Result<Box<dyn Bridge>> {
        Ok(Box::new(self.restore()?))
    }
}
