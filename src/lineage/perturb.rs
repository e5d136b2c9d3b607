//! Perturbations: the predicted response of cells to genes that are held at given levels.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::bridge::{Bridge, BridgeSeries, UnitTime, euler_maruyama};
use crate::error::{Error, Result};
use crate::lineage::hold::Hold;
use crate::rng::Seed;

/// A perturbation: genes that are held at given levels over some intervals of a course of bridges.
///
/// Expression is `e = mean + W z` with the coordinates z and the loadings W, whose columns are
/// orthogonal. Before the first step, and after every step if genes stay held, cells are moved to the
/// levels by the shortest move of their coordinates, `z ← z + W_Gᵀ (W_G W_Gᵀ)⁻¹ (levels − e_G)`.
/// Orthogonal to the rows of `W_G` they follow the bridge.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, BridgeSeries, BridgeSolver, GaussianSolver};
/// use sbcell::{Epsilon, Seed, Silent, data::Snapshot, lineage::Perturbation};
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])?;
/// let target = Snapshot::new(array![[1.0, 1.0], [2.0, 0.0], [3.0, 2.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// let (bridge, _) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
/// let series = BridgeSeries::new(vec![0.0, 1.0], vec![bridge])?;
/// // The genes are the coordinates; gene 0 is knocked out.
/// let knockout = Perturbation {
///     series: &series,
///     loadings: array![[1.0, 0.0], [0.0, 1.0]].view(),
///     mean: array![0.0, 0.0].view(),
///     genes: &[0],
///     levels: &[0.0],
///     held: true,
///     from: 0,
///     until: 1,
///     n_steps: 10,
/// }
/// .follow(source.points(), Seed(0))?;
/// assert!(knockout.perturbed.column(0).iter().all(|level| level.abs() < 1e-9));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Perturbation<'a> {
    /// The bridges of the course.
    pub series: &'a BridgeSeries,
    /// Loadings W in the unit of the bridges' coordinates, `(n_genes, dim)`.
    pub loadings: ArrayView2<'a, f64>,
    /// Expression at the origin of the coordinates, `n_genes`.
    pub mean: ArrayView1<'a, f64>,
    /// Rows of the held genes in the loadings.
    pub genes: &'a [usize],
    /// Expression at which each of them is held.
    pub levels: &'a [f64],
    /// Whether the genes stay at their levels. Otherwise cells are moved once, at the start, and then
    /// follow the bridges.
    pub held: bool,
    /// Place of the time at which the perturbation begins.
    pub from: usize,
    /// Place of the time at which it ends, later than `from`.
    pub until: usize,
    /// Number of Euler-Maruyama steps in each interval.
    pub n_steps: usize,
}

/// Predicted response of cells to a perturbation, in the coordinates of the bridges. See
/// [`Perturbation`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Cells at the end without the perturbation, `(n, dim)`.
    pub control: Array2<f64>,
    /// The same cells at the end with the perturbation and the same noise, `(n, dim)`.
    pub perturbed: Array2<f64>,
    /// Mean shift of the coordinates at the end by linear response, `dim`.
    pub linear: Array1<f64>,
    /// Mean shift of the coordinates at the start, `dim`.
    pub start: Array1<f64>,
    /// Share of a change in each held gene alone that the coordinates can represent: `‖W_g‖²` with
    /// columns scaled to length one.
    pub shown: Vec<f64>,
    /// Root mean square distance of the cells at the start from the level of each held gene, in
    /// standard deviations of the gene between these cells.
    pub distances: Vec<f64>,
}

/// State of the cells with and without the perturbation during a simulation.
struct Followed<'a> {
    hold: &'a Hold,
    held: bool,
    control: Array2<f64>,
    perturbed: Array2<f64>,
    linear: Array1<f64>,
}

impl Perturbation<'_> {
    /// Simulates the cells `x` `(n, dim)` from the time of place `from` to the time of place `until`,
    /// with and without the perturbation.
    ///
    /// **Linear response**: the mean shift δ follows `δ ← (I + h J) δ` with the Jacobian J averaged over
    /// the unperturbed cells; then it is moved so that held genes have their levels. **Simulation**:
    /// every cell is simulated twice by Euler-Maruyama steps with the same noise. Held genes return to
    /// their levels after each step, which is a step of the process restricted to cells with these
    /// levels. Time of two drifts and one mean Jacobian for each step.
    ///
    /// The bridges are fitted to unperturbed cells and pull them to the observed later snapshots. The
    /// response is therefore a hypothesis, not an observation.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `until` is not after `from`, for no steps or no genes, and for genes that
    /// cannot have levels of their own (zero or linearly dependent loadings); [`Error::Shape`] for
    /// loadings of another dimension; those of the bridges.
    pub fn follow(&self, x: ArrayView2<'_, f64>, seed: Seed) -> Result<Response> {
        self.check()?;
        let hold = Hold::new(self.loadings, self.mean, self.genes, self.levels)?;
        let mut perturbed = x.to_owned();
        hold.put(&mut perturbed);
        let start = mean_shift(&x.to_owned(), &perturbed);
        let mut followed = Followed {
            hold: &hold,
            held: self.held,
            control: x.to_owned(),
            perturbed,
            linear: start.clone(),
        };
        for k in self.from..self.until {
            let bridge = &*self.series.bridges()[k];
            for step in 0..self.n_steps {
                let from = UnitTime::new(step as f64 / self.n_steps as f64)?;
                let to = UnitTime::new((step + 1) as f64 / self.n_steps as f64)?;
                let seed = seed.child("perturb", (k * self.n_steps + step) as u64);
                followed.step(bridge, from, to, seed)?;
            }
        }
        let Followed { control, perturbed, linear, .. } = followed;
        let distances = hold.distances(x);
        Ok(Response { control, perturbed, linear, start, shown: self.shown(), distances })
    }

    /// Checks the span, the number of steps and the shapes.
    fn check(&self) -> Result<()> {
        let refuse = |name, must, got: String| Err(Error::Parameter { name, must, got });
        let (from, to) = (self.from, self.until);
        if from >= to || to > self.series.bridges().len() {
            return refuse("until", "later than the parameter `at`", format!("{from}, {to}"));
        }
        if self.n_steps == 0 {
            return refuse("steps", "at least 1", "0".into());
        }
        if self.genes.is_empty() || self.genes.len() != self.levels.len() {
            return refuse("knockout", "at least one gene", self.genes.len().to_string());
        }
        let (expected, got) = (self.series.dim(), self.loadings.ncols());
        if expected != got {
            return Err(Error::Shape { what: "the loadings", unit: "columns", expected, got });
        }
        Ok(())
    }

    /// `‖W_g‖²` of each held gene, with the columns of the loadings scaled to length one.
    fn shown(&self) -> Vec<f64> {
        let squares = self.loadings.map_axis(Axis(0), |column| column.dot(&column));
        let shown = |&gene: &usize| {
            let row = self.loadings.row(gene);
            row.iter().zip(&squares).map(|(w, s)| if *s > 0.0 { w * w / s } else { 0.0 }).sum()
        };
        self.genes.iter().map(shown).collect()
    }
}

impl Followed<'_> {
    /// One Euler-Maruyama step of both simulations and of the linear response.
    fn step(
        &mut self,
        bridge: &dyn Bridge,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<()> {
        let h = to.value() - from.value();
        let jacobian = bridge.mean_jacobian(self.control.view(), from)?;
        self.linear = &self.linear + &(jacobian.dot(&self.linear) * h);
        self.control = euler_maruyama(bridge, self.control.view(), from, to, 1, seed)?;
        self.perturbed = euler_maruyama(bridge, self.perturbed.view(), from, to, 1, seed)?;
        if self.held {
            self.hold.put(&mut self.perturbed);
            if let Some(centre) = self.control.mean_axis(Axis(0)) {
                // The unperturbed cells have moved, so the shift that gives the levels has changed.
                let mut shifted = (&centre + &self.linear).insert_axis(Axis(0));
                self.hold.put(&mut shifted);
                self.linear = &shifted.row(0) - &centre;
            }
        }
        Ok(())
    }
}

/// Mean difference of the coordinates, `dim`.
fn mean_shift(control: &Array2<f64>, perturbed: &Array2<f64>) -> Array1<f64> {
    (perturbed - control).sum_axis(Axis(0)) / control.nrows().max(1) as f64
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{Bridge, GaussianBridge};
    use crate::geometry::Epsilon;

    /// Two correlated genes that are the coordinates themselves, between two Gaussians: its field is
    /// affine, so that the linear response is exact.
    fn bridge() -> GaussianBridge {
        with_noise(0.3)
    }

    fn with_noise(epsilon: f64) -> GaussianBridge {
        let source = (array![1.0, 2.0], array![[1.0, 0.6], [0.6, 1.0]]);
        let target = (array![3.0, 1.0], array![[2.0, -0.5], [-0.5, 1.0]]);
        GaussianBridge::between(
            source.0.view(),
            source.1.view(),
            target.0.view(),
            target.1.view(),
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap()
    }

    fn series() -> BridgeSeries {
        of(bridge())
    }

    fn of(bridge: GaussianBridge) -> BridgeSeries {
        let bridge: Box<dyn Bridge> = Box::new(bridge);
        BridgeSeries::new(vec![0.0, 2.0], vec![bridge]).unwrap()
    }

    fn cells() -> Array2<f64> {
        Array2::from_shape_fn((40, 2), |(i, d)| 1.0 + d as f64 + ((i * 2 + d) as f64 * 1.7).sin())
    }

    fn follow(held: bool, n_steps: usize) -> Response {
        let (series, loadings, mean) = (series(), array![[1.0, 0.0], [0.0, 1.0]], array![0.5, 0.0]);
        let perturbation = Perturbation {
            series: &series,
            loadings: loadings.view(),
            mean: mean.view(),
            genes: &[0],
            levels: &[0.0],
            held,
            from: 0,
            until: 1,
            n_steps,
        };
        perturbation.follow(cells().view(), Seed(4)).unwrap()
    }

    #[test]
    fn in_an_affine_field_the_linear_response_is_that_of_the_simulation() {
        for held in [true, false] {
            let response = follow(held, 20);
            let simulated = mean_shift(&response.control, &response.perturbed);
            assert!((&simulated - &response.linear).iter().all(|off| off.abs() < 1e-9), "{held}");
            // Gene 0 was at 0.5 + mean of its coordinate and goes to zero.
            let was = 0.5 + cells().column(0).mean().unwrap();
            assert!((response.start[0] + was).abs() < 1e-12 && response.start[1].abs() < 1e-12);
            assert!((response.shown[0] - 1.0).abs() < 1e-12);
            if held {
                // The gene stays at zero: its coordinate at less its mean.
                assert!(response.perturbed.column(0).iter().all(|x| (x + 0.5).abs() < 1e-9));
            }
        }
    }

    /// Three genes on two coordinates, none of them a coordinate.
    fn mixed(genes: &[usize], levels: &[f64], held: bool) -> Response {
        let (series, mean) = (series(), array![0.5, -0.2, 1.0]);
        let loadings = array![[0.1, 0.05], [0.6, -0.3], [0.2, 0.9]];
        let perturbation = Perturbation {
            series: &series,
            loadings: loadings.view(),
            mean: mean.view(),
            genes,
            levels,
            held,
            from: 0,
            until: 1,
            n_steps: 30,
        };
        perturbation.follow(cells().view(), Seed(4)).unwrap()
    }

    #[test]
    fn what_is_held_stays_at_its_level_whatever_its_loadings() {
        let (loadings, mean) = (array![[0.1, 0.05], [0.6, -0.3], [0.2, 0.9]], [0.5, -0.2, 1.0]);
        for (genes, levels) in [(vec![0], vec![0.0]), (vec![0, 2], vec![0.0, -0.3])] {
            let response = mixed(&genes, &levels, true);
            for (&gene, level) in genes.iter().zip(&levels) {
                let row = loadings.row(gene);
                for cell in response.perturbed.rows() {
                    assert!((mean[gene] + row.dot(&cell) - level).abs() < 1e-9, "{gene}");
                }
                let shifted = response.control.mean_axis(Axis(0)).unwrap() + &response.linear;
                assert!((mean[gene] + row.dot(&shifted) - level).abs() < 1e-9, "{gene}");
            }
        }
        // Moved once, it begins at its level: mean shift in the gene is the level less its mean.
        let response = mixed(&[0], &[0.0], false);
        let was = mean[0] + loadings.row(0).dot(&cells().mean_axis(Axis(0)).unwrap());
        assert!((loadings.row(0).dot(&response.start) + was).abs() < 1e-9);
    }

    /// With drift `K (x − m(t)) + speed` and one gene `w·x` held, what is left is the coordinate u
    /// across w: `du = u·b dt`, an equation in one unknown whose steps are written out.
    #[test]
    fn the_rest_follows_the_field_on_the_cells_that_have_the_level() {
        // Hardly any noise, so that means follow the affine drift.
        let bridge = with_noise(1e-20);
        let (series, mean) = (of(bridge.clone()), array![0.5, -0.2, 1.0]);
        let loadings = array![[0.1, 0.05], [0.6, -0.3], [0.2, 0.9]];
        let perturbation = Perturbation {
            series: &series,
            loadings: loadings.view(),
            mean: mean.view(),
            genes: &[1],
            levels: &[0.4],
            held: true,
            from: 0,
            until: 1,
            n_steps: 30,
        };
        let response = perturbation.follow(cells().view(), Seed(4)).unwrap();
        let (w, level, n_steps): (Array1<f64>, f64, i32) = (array![0.6, -0.3], 0.4 + 0.2, 30);
        let length = w.dot(&w).sqrt();
        let (along, across) = (&w / length, array![-w[1], w[0]] / length);
        let mut control = cells().mean_axis(Axis(0)).unwrap();
        let mut u = across.dot(&control);
        let drift = |x: &Array1<f64>, t: f64| {
            let at = UnitTime::new(t).unwrap();
            bridge.drift(x.view().insert_axis(Axis(0)), at).unwrap().row(0).to_owned()
        };
        for step in 0..n_steps {
            let (t, h) = (f64::from(step) / f64::from(n_steps), 1.0 / f64::from(n_steps));
            let x = &along * (level / length) + &across * u;
            u += h * across.dot(&drift(&x, t));
            control = &control + &(drift(&control, t) * h);
        }
        let shift = &along * (level / length) + &across * u - control;
        let found = across.dot(&mean_shift(&response.control, &response.perturbed));
        assert!((found - across.dot(&shift)).abs() < 1e-7, "{found} {shift}");
    }

    #[test]
    fn genes_that_coordinates_cannot_hold_are_refused() {
        let (series, mean) = (series(), array![0.5, -0.2, 1.0, 0.0]);
        // The second gene is twice the first, the last is in no coordinate.
        let loadings = array![[0.1, 0.05], [0.2, 0.1], [0.2, 0.9], [0.0, 0.0]];
        let refused = |genes: &[usize], levels: &[f64]| {
            let perturbation = Perturbation {
                series: &series,
                loadings: loadings.view(),
                mean: mean.view(),
                genes,
                levels,
                held: true,
                from: 0,
                until: 1,
                n_steps: 3,
            };
            perturbation.follow(cells().view(), Seed(4)).is_err()
        };
        assert!(refused(&[0, 1], &[0.0, 0.0]) && refused(&[3], &[0.0]));
        assert!(refused(&[0, 2, 1], &[0.0; 3]));
        assert!(!refused(&[0, 2], &[0.0, 0.0]) && !refused(&[1], &[0.0]));
    }

    #[test]
    fn a_perturbation_that_is_left_to_the_field_follows_the_slope_of_the_bridge() {
        // Of two Gaussians E[X_1 | X_0 = x] is affine in x, with a known slope.
        let response = follow(false, 4000);
        let cross = bridge().cross_covariance(UnitTime::START, UnitTime::END);
        // Slope Cov(X_1, X_0) Cov(X_0)⁻¹, inverse by hand.
        let inverse = array![[1.0, -0.6], [-0.6, 1.0]] / 0.64;
        let by_slope = cross.t().dot(&inverse).dot(&response.start);
        let off = &response.linear - &by_slope;
        // Steps of 1/4000 of an interval.
        assert!(off.iter().all(|off| off.abs() < 3e-3), "{} {by_slope}", response.linear);
    }

    #[test]
    fn spans_genes_and_steps_are_checked() {
        let (series, loadings, mean) = (series(), array![[1.0, 0.0], [0.0, 1.0]], array![0.5, 0.0]);
        let good = Perturbation {
            series: &series,
            loadings: loadings.view(),
            mean: mean.view(),
            genes: &[0],
            levels: &[0.0],
            held: true,
            from: 0,
            until: 1,
            n_steps: 5,
        };
        let x = cells();
        assert!(Perturbation { from: 1, ..good }.follow(x.view(), Seed(0)).is_err());
        assert!(Perturbation { n_steps: 0, ..good }.follow(x.view(), Seed(0)).is_err());
        assert!(
            Perturbation { genes: &[], levels: &[], ..good }.follow(x.view(), Seed(0)).is_err()
        );
    }
}
