//! Attraction of curves to the data: largest half-way between the snapshots, zero at both ends.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::linalg::{product, product_nt, softmax_rows};

/// Rows of one task. The size is fixed, so sums do not depend on the number of threads.
const ROWS: usize = 64;

/// Largest number of cells that attract curves. If both snapshots have more, every k-th cell is
/// used.
const ANCHORS: usize = 4000;

/// How the cells of both snapshots attract curves: strength and width of the kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attraction {
    /// Fraction of the way to the data by which a curve moves half-way, κ; from 0 to 1.
    pub strength: f64,
    /// Width h of the Gaussian kernel whose mean over the cells is "the data" near a point, in the
    /// units of the points; > 0.
    pub width: f64,
}

/// An attraction with the cells, relative to the centre of their bridge.
///
/// A curve c becomes `c + γ (m(c) − c)` with `γ = 4κ t(1−t)` and the kernel mean `m(x) = Σ_a w_a(x)
/// a`, `w_a ∝ exp(−‖x−a‖²/2h²)`. Its velocity becomes `ċ + γ̇ (m(c) − c) + γ (J ċ − ċ)` with the
/// Jacobian `J = Cov_w(a)/h²` of the kernel mean. An evaluation takes `O(n_curves · n_anchors · d)`
/// time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attracted {
    /// Strength and width.
    pub(super) how: Attraction,
    /// The cells that attract, n_anchors × d.
    anchors: Array2<f64>,
}

impl Attracted {
    /// Selects the anchors.
    ///
    /// # Errors
    /// [`Error::Parameter`] if strength or width is out of its range.
    pub(super) fn new(
        how: Attraction,
        source: ArrayView2<'_, f64>,
        target: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let Attraction { strength, width } = how;
        let positive = width > 0.0 && width.is_finite();
        if !((0.0..=1.0).contains(&strength) && positive) {
            let (name, must) = ("attraction", "a strength from 0 to 1 and a width > 0");
            return Err(Error::Parameter { name, must, got: format!("{strength}, {width}") });
        }
        let all = concatenate![Axis(0), source, target];
        let every = all.nrows().div_ceil(ANCHORS);
        Ok(Self { how, anchors: all.slice(s![..;every, ..]).to_owned() })
    }

    /// The change of the positions of curves at t.
    pub(super) fn shift(&self, curves: &Array2<f64>, t: f64) -> Array2<f64> {
        let share = 4.0 * self.how.strength * t * (1.0 - t);
        if share <= 0.0 {
            return Array2::zeros(curves.dim());
        }
        self.by_rows(curves, curves, |kernel| (kernel.means - &kernel.at) * share)
    }

    /// The change of the velocities of curves at t.
    pub(super) fn speed(&self, curves: &Array2<f64>, speeds: &Array2<f64>, t: f64) -> Array2<f64> {
        let share = 4.0 * self.how.strength * t * (1.0 - t);
        let growing = 4.0 * self.how.strength * (1.0 - 2.0 * t);
        let square = self.how.width * self.how.width;
        self.by_rows(curves, speeds, |kernel| {
            // J v = Σ w a (a·v) − m Σ w (a·v), over h².
            let along = product_nt(kernel.speeds.view(), self.anchors.view()) * &kernel.weights;
            let total = along.sum_axis(Axis(1)).insert_axis(Axis(1));
            let turned =
                (product(along.view(), self.anchors.view()) - &kernel.means * &total) / square;
            (kernel.means - kernel.at) * growing + (turned - kernel.speeds) * share
        })
    }

    /// `f` of the kernel means at the rows of `curves`, in chunks; results in order.
    fn by_rows(
        &self,
        curves: &Array2<f64>,
        speeds: &Array2<f64>,
        f: impl Fn(Kernel) -> Array2<f64> + Sync,
    ) -> Array2<f64> {
        let squares: Array1<f64> = self.anchors.map_axis(Axis(1), |row| row.dot(&row));
        let factor = 1.0 / (self.how.width * self.how.width);
        let chunks: Vec<Array2<f64>> = (0..curves.nrows().div_ceil(ROWS))
            .into_par_iter()
            .map(|chunk| {
                let rows = s![chunk * ROWS..curves.nrows().min((chunk + 1) * ROWS), ..];
                let at = curves.slice(rows).to_owned();
                let mut weights = product_nt(at.view(), self.anchors.view());
                weights.zip_mut_with(&squares.view().insert_axis(Axis(0)), |value, square| {
                    *value = factor * (*value - 0.5 * square);
                });
                let (k, n) = weights.dim();
                if let Some(values) = weights.as_slice_mut() {
                    softmax_rows(values, n, &vec![1.0; k], &mut vec![0.0; k]);
                }
                let means = product(weights.view(), self.anchors.view());
                f(Kernel { at, weights, means, speeds: speeds.slice(rows).to_owned() })
            })
            .collect();
        let mut all = Array2::zeros(curves.dim());
        for (mut rows, chunk) in all.axis_chunks_iter_mut(Axis(0), ROWS).zip(&chunks) {
            rows.assign(chunk);
        }
        all
    }
}

/// Kernel weights and means at some points.
struct Kernel {
    /// Positions of the curves, k × d.
    at: Array2<f64>,
    /// Weights of the anchors, k × n_anchors; rows sum to one.
    weights: Array2<f64>,
    /// Kernel means, k × d.
    means: Array2<f64>,
    /// Velocities of the curves without attraction, k × d.
    speeds: Array2<f64>,
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn attracted(strength: f64) -> Attracted {
        let (x, y) = (array![[0.0, 0.0], [1.0, 0.5]], array![[2.0, 2.0], [0.0, 1.0], [1.5, 1.0]]);
        Attracted::new(Attraction { strength, width: 0.7 }, x.view(), y.view()).unwrap()
    }

    #[test]
    fn places_are_drawn_to_the_kernel_mean_and_ends_stay() {
        let attracted = attracted(0.5);
        let at = array![[0.4, 0.9]];
        let cells = [[0.0, 0.0], [1.0, 0.5], [2.0, 2.0], [0.0, 1.0], [1.5, 1.0]];
        let (mut total, mut mean) = (0.0, [0.0; 2]);
        for [a, b] in cells {
            let square = (a - 0.4_f64).powi(2) + (b - 0.9_f64).powi(2);
            let weight = (-square / (2.0 * 0.49)).exp();
            total += weight;
            mean = [mean[0] + weight * a, mean[1] + weight * b];
        }
        let shift = attracted.shift(&at, 0.25);
        let share = 4.0 * 0.5 * 0.25 * 0.75;
        assert!((shift[[0, 0]] - share * (mean[0] / total - 0.4)).abs() < 1e-14);
        assert!((shift[[0, 1]] - share * (mean[1] / total - 0.9)).abs() < 1e-14);
        assert!(
            attracted.shift(&at, 0.0).iter().chain(&attracted.shift(&at, 1.0)).all(|v| *v == 0.0)
        );
    }

    #[test]
    fn speeds_are_the_derivative_of_the_places() {
        let attracted = attracted(0.8);
        let (from, speed) = (array![[0.1, 0.3], [1.4, 0.2]], array![[1.0, 2.0], [-0.5, 0.7]]);
        let at = |t: f64| &from + &(&speed * t);
        let (t, h) = (0.3, 1e-5);
        let found = attracted.speed(&at(t), &speed, t);
        let ahead = attracted.shift(&at(t + h), t + h);
        let expected = (ahead - attracted.shift(&at(t - h), t - h)) / (2.0 * h);
        assert!((&found - &expected).iter().all(|off| off.abs() < 1e-8), "{found} {expected}");
    }

    #[test]
    fn strengths_and_widths_out_of_range_are_refused() {
        let x = array![[0.0]];
        for (strength, width) in [(-0.1, 1.0), (1.1, 1.0), (0.5, 0.0), (0.5, f64::NAN)] {
            let how = Attraction { strength, width };
            assert!(Attracted::new(how, x.view(), x.view()).is_err());
        }
    }
}
