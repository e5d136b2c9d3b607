//! What the fitted field says of genes that are held down: a linear response and a simulation.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::bridge::{BridgeSeries, UnitTime, euler_maruyama};
use crate::error::{Error, Result};
use crate::linalg::Spectrum;
use crate::rng::Seed;

/// Genes held down from a time on, in the coordinates of a course of bridges.
///
/// With loadings W (rows of the genes, orthonormal columns), `e = mean + W z` is the expression at z.
/// Taking the genes to `levels` moves a cell by `W_Gᵀ (levels − e_G)`: what the coordinates can show of
/// it. From then on the part of z within the span of `W_G` stays where that put it; the rest follows
/// the bridge.
#[derive(Debug, Clone, Copy)]
pub struct Perturbation<'a> {
    /// The bridges.
    pub series: &'a BridgeSeries,
    /// Loadings in the unit of the bridges' coordinates, `(n_genes, dim)`: `e = mean + W z`.
    pub loadings: ArrayView2<'a, f64>,
    /// Expression at the origin, `n_genes`.
    pub mean: ArrayView1<'a, f64>,
    /// Rows of the genes that are held down.
    pub genes: &'a [usize],
    /// The expression they are held at.
    pub levels: &'a [f64],
    /// Whether the genes stay there; otherwise they are moved once and then left to the field.
    pub held: bool,
    /// Places of the times at which it begins and ends.
    pub span: (usize, usize),
    /// Steps of each interval.
    pub n_steps: usize,
}

/// What becomes of cells with and without the genes.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Cells at the end without the perturbation, `(n, dim)`.
    pub control: Array2<f64>,
    /// The same cells, with the same noise, under it.
    pub perturbed: Array2<f64>,
    /// Mean shift of the coordinates at the end by linear response, `dim`.
    pub linear: Array1<f64>,
    /// Mean shift at the start.
    pub start: Array1<f64>,
    /// For each held gene the part of a change of it that the coordinates can show, `‖W_g‖²`.
    pub shown: Vec<f64>,
}

impl Perturbation<'_> {
    /// Follows the cells `x` `(n, dim)` of the time of place `span.0` to that of `span.1`.
    ///
    /// **Linear**: `δ ← (I + h J) δ` with the Jacobian averaged over the unperturbed cells, its held part
    /// brought to where the perturbed cells are held. **Simulated**: every cell twice by the steps of Euler and Maruyama, with the same
    /// noise. The bridge was fitted to unperturbed cells: it has seen no knock-out, and pulls cells to
    /// the observed later snapshots, so what it says is a hypothesis.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a span that goes back, no steps or no genes; those of the bridges.
    pub fn follow(&self, x: ArrayView2<'_, f64>, seed: Seed) -> Result<Response> {
        self.check()?;
        let hold = Hold::new(self)?;
        let mut control = x.to_owned();
        let mut perturbed = self.moved(x);
        let start = mean_shift(&control, &perturbed);
        let fixed = self.held.then(|| hold.part(perturbed.view()));
        let mut linear = start.clone();
        for k in self.span.0..self.span.1 {
            let bridge = &*self.series.bridges()[k];
            for step in 0..self.n_steps {
                let from = UnitTime::new(step as f64 / self.n_steps as f64)?;
                let to = UnitTime::new((step + 1) as f64 / self.n_steps as f64)?;
                let h = to.value() - from.value();
                let jacobian = bridge.mean_jacobian(control.view(), from)?;
                linear = &linear + &(jacobian.dot(&linear) * h);
                let seed = seed.child("perturb", (k * self.n_steps + step) as u64);
                control = euler_maruyama(bridge, control.view(), (from, to), 1, seed)?;
                perturbed = euler_maruyama(bridge, perturbed.view(), (from, to), 1, seed)?;
                if let Some(fixed) = &fixed {
                    let part = hold.part(perturbed.view());
                    perturbed = perturbed - part + fixed;
                    // Cells without the perturbation move on; where it holds them is where they were.
                    let apart = mean_shift(&hold.part(control.view()), fixed);
                    let part = hold.part(linear.view().insert_axis(Axis(0)));
                    linear = linear - part.row(0) + apart;
                }
            }
        }
        let shown = self.genes.iter().map(|&g| self.row(g).dot(&self.row(g))).collect();
        Ok(Response { control, perturbed, linear, start, shown })
    }

    fn check(&self) -> Result<()> {
        let refuse = |name, must, got: String| Err(Error::Parameter { name, must, got });
        let (from, to) = self.span;
        if from >= to || to > self.series.bridges().len() {
            return refuse("--until", "later than --from", format!("{from}, {to}"));
        }
        if self.n_steps == 0 {
            return refuse("steps", "at least 1", "0".into());
        }
        if self.genes.is_empty() || self.genes.len() != self.levels.len() {
            return refuse("--knockout", "at least one gene", self.genes.len().to_string());
        }
        let (expected, got) = (self.series.dim(), self.loadings.ncols());
        if expected != got {
            return Err(Error::Shape { what: "the loadings", unit: "columns", expected, got });
        }
        Ok(())
    }

    /// The loadings of a gene, scaled so that columns of all loadings have length one.
    fn row(&self, gene: usize) -> Array1<f64> {
        let lengths = self.loadings.map_axis(Axis(0), |column| column.dot(&column).sqrt());
        let row = self.loadings.row(gene);
        row.iter().zip(&lengths).map(|(w, l)| if *l > 0.0 { w / l } else { 0.0 }).collect()
    }

    /// Cells with the genes at their levels, as far as coordinates show it.
    fn moved(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let squares = self.loadings.map_axis(Axis(0), |column| column.dot(&column));
        let mut moved = x.to_owned();
        for (&gene, level) in self.genes.iter().zip(self.levels) {
            let row = self.loadings.row(gene);
            // (Wᵀ W)⁻¹ W_gᵀ: the coordinates of a change of this gene alone.
            let back: Array1<f64> =
                row.iter().zip(&squares).map(|(w, s)| if *s > 0.0 { w / s } else { 0.0 }).collect();
            for (mut to, from) in moved.rows_mut().into_iter().zip(x.rows()) {
                let missing = level - (self.mean[gene] + row.dot(&from));
                to.scaled_add(missing, &back);
            }
        }
        moved
    }
}

/// The span of the held genes' loadings.
struct Hold {
    axes: Array2<f64>,
}

impl Hold {
    fn new(of: &Perturbation<'_>) -> Result<Self> {
        let rows = of.loadings.select(Axis(0), of.genes);
        let gram = rows.dot(&rows.t());
        let spectrum = Spectrum::new(gram.view())?;
        let largest = spectrum.values.iter().fold(0.0_f64, |a, b| a.max(*b));
        let mut axes = Vec::new();
        for (value, vector) in spectrum.values.iter().zip(spectrum.vectors.rows()) {
            // Genes that the coordinates do not know have nothing to hold.
            if *value > 1e-10 * largest && *value > 0.0 {
                axes.push(vector.dot(&rows) / value.sqrt());
            }
        }
        let mut all = Array2::zeros((axes.len(), rows.ncols()));
        for (mut row, axis) in all.rows_mut().into_iter().zip(&axes) {
            row.assign(axis);
        }
        Ok(Self { axes: all })
    }

    /// The part of each row within the span.
    fn part(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        x.dot(&self.axes.t()).dot(&self.axes)
    }
}

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
        let source = (array![1.0, 2.0], array![[1.0, 0.6], [0.6, 1.0]]);
        let target = (array![3.0, 1.0], array![[2.0, -0.5], [-0.5, 1.0]]);
        GaussianBridge::between(
            (source.0.view(), source.1.view()),
            (target.0.view(), target.1.view()),
            Epsilon::new(0.3).unwrap(),
        )
        .unwrap()
    }

    fn series() -> BridgeSeries {
        let bridge: Box<dyn Bridge> = Box::new(bridge());
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
            span: (0, 1),
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
            assert_eq!(response.shown, [1.0]);
            if held {
                // The gene stays at zero: its coordinate at less its mean.
                assert!(response.perturbed.column(0).iter().all(|x| (x + 0.5).abs() < 1e-9));
            }
        }
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
            span: (0, 1),
            n_steps: 5,
        };
        let x = cells();
        assert!(Perturbation { span: (1, 1), ..good }.follow(x.view(), Seed(0)).is_err());
        assert!(Perturbation { n_steps: 0, ..good }.follow(x.view(), Seed(0)).is_err());
        assert!(
            Perturbation { genes: &[], levels: &[], ..good }.follow(x.view(), Seed(0)).is_err()
        );
    }
}
