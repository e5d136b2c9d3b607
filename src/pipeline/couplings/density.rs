//! Log densities of the plan of a bridge, where it has a closed form.

use ndarray::{Array1, Array2, ArrayView2};

use crate::bridge::{BridgeRecord, Clock, Covariance, GaussianMixture, LightSbBridge, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::rng::Seed;

/// The plan `π(x, y) = p₀(x) π(y | x)` of one interval as a density, in the coordinates of the
/// bridge.
pub(super) struct PlanDensity {
    /// Density of the source.
    source: GaussianMixture,
    /// Density of the end given the start.
    given: Given,
    /// The coordinates, for an Ornstein-Uhlenbeck reference.
    place: Option<(Clock, Array1<f64>)>,
}

/// The density of the end given the start.
enum Given {
    /// That of LightSB, in closed form.
    LightSb(Box<LightSbBridge>),
    /// `N(m₁ + S (x − m₀), ε S)`.
    Gaussian {
        /// The means m₀ and m₁.
        means: [Array1<f64>; 2],
        /// The slope S, d × d.
        slope: Array2<f64>,
        /// `N(0, ε S)`.
        noise: Box<GaussianMixture>,
    },
}

impl PlanDensity {
    /// The plan of the bridge of `record`, whose source is `source`.
    ///
    /// A Gaussian bridge knows the density of its source. For LightSB it is a Gaussian mixture
    /// fitted to the cells, full matrices for a potential of full matrices and diagonal ones
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a bridge whose plan has no density in closed form, or if all cells
    /// are equal.
    pub(super) fn of(record: &BridgeRecord, source: &Snapshot, seed: Seed) -> Result<Self> {
        match record {
            BridgeRecord::LightSb(record) => {
                let kind = match record.covariance {
                    Covariance::Full => Covariance::Full,
                    _ => Covariance::Diagonal,
                };
                let source = GaussianMixture::fit(source, kind, seed)?;
                let given = Given::LightSb(Box::new(record.clone().restore()?));
                Ok(Self { source, given, place: None })
            }
            BridgeRecord::Gaussian(record) => {
                let bridge = record.clone().restore()?;
                let (start, end) = (UnitTime::START, UnitTime::END);
                let means = [bridge.mean(start), bridge.mean(end)];
                let slope = bridge.slope().to_owned();
                let noise = &slope * record.epsilon;
                let zero = Array1::zeros(means[0].len());
                Ok(Self {
                    source: normal(&means[0], &bridge.covariance(start))?,
                    given: Given::Gaussian {
                        means,
                        slope,
                        noise: Box::new(normal(&zero, &noise)?),
                    },
                    place: None,
                })
            }
            BridgeRecord::OrnsteinUhlenbeck(record) => {
                let (clock, centre) =
                    (Clock::new(record.pull)?, Array1::from(record.centre.clone()));
                let points = (&source.points() - &centre) * clock.scale(UnitTime::START);
                let source = Snapshot::weighted(points, source.marginal().to_owned())?;
                let inner = Self::of(&record.inner, &source, seed)?;
                Ok(Self { place: Some((clock, centre)), ..inner })
            }
            // Clocks and curves change the way, not the plan.
            BridgeRecord::Clocked(record) => Self::of(&record.inner, source, seed),
            BridgeRecord::Curved(record) => Self::of(&record.inner, source, seed),
            _ => Err(Error::Parameter {
                name: "density",
                must: "used with a model of lightsb or gaussian, whose plans are densities",
                got: "a model of another solver".into(),
            }),
        }
    }

    /// `ln p₀(x)` and `ln π(y | x)` for the rows of `x` and `y` (n × d), pair by pair.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both have d columns and the same number of rows.
    pub(super) fn log(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
    ) -> Result<[Array1<f64>; 2]> {
        let Some((clock, centre)) = &self.place else { return self.brownian(x, y) };
        // Densities of x are those of z = g (x − m), times g for each dimension.
        let scales = [UnitTime::START, UnitTime::END].map(|t| clock.scale(t));
        let (x, y) = ((&x - centre) * scales[0], (&y - centre) * scales[1]);
        let [source, given] = self.brownian(x.view(), y.view())?;
        let [start, end] = scales.map(|scale| centre.len() as f64 * scale.ln());
        Ok([source + start, given + end])
    }

    /// As [`PlanDensity::log`], in the coordinates of a Brownian reference.
    fn brownian(&self, x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> Result<[Array1<f64>; 2]> {
        let given = match &self.given {
            Given::LightSb(bridge) => {
                bridge.log_transition(x, y, UnitTime::START, UnitTime::END)?
            }
            Given::Gaussian { means: [from, to], slope, noise } => {
                let off = &y - to - (&x - from).dot(&slope.t());
                noise.log_density(off.view())?
            }
        };
        Ok([self.source.log_density(x)?, given])
    }
}

/// A single Gaussian as a mixture.
fn normal(mean: &Array1<f64>, covariance: &Array2<f64>) -> Result<GaussianMixture> {
    let kind = Covariance::Full;
    let mut rows = Array2::zeros((1, kind.n_entries(mean.len())));
    rows.row_mut(0).assign(&kind.entries(covariance.view()));
    let mut means = Array2::zeros((1, mean.len()));
    means.row_mut(0).assign(mean);
    GaussianMixture::new(kind, Array1::ones(1).view(), means, rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::array;

    use super::*;
    use crate::bridge::{
        BridgeProblem, BridgeSolver, Choice, GaussianSolver, LightSbSolver, OuSolver,
    };
    use crate::geometry::Epsilon;
    use crate::progress::Silent;

    fn problem() -> BridgeProblem {
        let cells = |shift: f64, width: f64| {
            let points = Array2::from_shape_fn((60, 1), |(i, _)| {
                shift + width * ((i as f64 * 0.618_033_988_7).fract() - 0.5)
            });
            Snapshot::new(points).unwrap()
        };
        BridgeProblem::new(cells(0.0, 3.0), cells(2.0, 4.0), Epsilon::new(0.7).unwrap()).unwrap()
    }

    fn plan(solver: &dyn BridgeSolver, problem: &BridgeProblem) -> PlanDensity {
        let (bridge, _) = solver.solve(problem, Seed(0), &mut Silent).unwrap();
        PlanDensity::of(&bridge.record(), problem.source(), Seed(1)).unwrap()
    }

    /// Both densities are integrated over a grid.
    #[test]
    fn densities_integrate_to_one_for_every_reference() {
        let problem = problem();
        let one: Arc<dyn BridgeSolver> = Arc::new(LightSbSolver::default());
        let two: Arc<dyn BridgeSolver> = Arc::new(GaussianSolver::default());
        for inner in [one, two] {
            for pull in [0.0, 0.9] {
                let solver = OuSolver { inner: Arc::clone(&inner), pull, centre: Choice::Auto };
                let plan = plan(&solver, &problem);
                let (n, step) = (3000, 0.01);
                let grid = Array2::from_shape_fn((n, 1), |(i, _)| (i as f64 - 1500.0) * step);
                let x = Array2::from_elem((n, 1), 0.4);
                let [source, given] = plan.log(grid.view(), grid.view()).unwrap();
                let total = source.mapv(f64::exp).sum() * step;
                assert!((total - 1.0).abs() < 1e-3, "{pull}: {total}");
                drop(given);
                let given = plan.log(x.view(), grid.view()).unwrap()[1].mapv(f64::exp);
                assert!((given.sum() * step - 1.0).abs() < 1e-3, "{pull}: {}", given.sum() * step);
                // Its mean is that of the process.
                let (bridge, _) = solver.solve(&problem, Seed(0), &mut Silent).unwrap();
                let many = Array2::from_elem((40_000, 1), 0.4);
                let (start, end) = (UnitTime::START, UnitTime::END);
                let y = bridge.sample_transition(many.view(), start, end, Seed(2)).unwrap();
                let mean = (&given * &grid.column(0)).sum() * step;
                // Five standard errors of a deviation of about one.
                assert!((mean - y.mean().unwrap()).abs() < 0.03, "{pull}: {mean}");
            }
        }
    }

    #[test]
    fn a_gaussian_plan_is_the_joint_normal_density() {
        let problem = problem();
        let (bridge, _) = GaussianSolver::default().fit(&problem, &mut Silent).unwrap();
        let plan = plan(&GaussianSolver::default(), &problem);
        let (start, end) = (UnitTime::START, UnitTime::END);
        let (a, b) = (bridge.covariance(start)[[0, 0]], bridge.covariance(end)[[0, 0]]);
        let c = bridge.cross_covariance(start, end)[[0, 0]];
        let (x, y) = (array![[0.3], [-1.0]], array![[2.5], [0.2]]);
        let [source, given] = plan.log(x.view(), y.view()).unwrap();
        for i in 0..2 {
            let (u, v) = (x[[i, 0]] - bridge.mean(start)[0], y[[i, 0]] - bridge.mean(end)[0]);
            let det = a * b - c * c;
            let square = (b * u * u - 2.0 * c * u * v + a * v * v) / det;
            let wanted = -0.5 * square - std::f64::consts::TAU.ln() - 0.5 * det.ln();
            assert!((source[i] + given[i] - wanted).abs() < 1e-9, "{i}");
        }
    }
}
