//! The pairs of a plan and the curves they move on: each a sum of a source and a target part.

use ndarray::Array2;

/// The pairs of a plan with the places of their cells, less the mean of the target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pairs {
    pub(super) source: Array2<f64>,
    pub(super) target: Array2<f64>,
    pub(super) sources: Vec<u32>,
    pub(super) targets: Vec<u32>,
    pub(super) masses: Vec<f64>,
    pub(super) bend: Option<Bend>,
}

/// How far the curves leave and reach their cells off the straight line.
///
/// The pair of cells i and j is at `(1−t) x_i + t y_j + t(1−t)² a_i − t²(1−t) b_j`, the cubic whose
/// velocity is `y_j − x_i + a_i` at the start and `y_j − x_i + b_j` at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Bend {
    /// `a_i`: velocity at the start less that of the straight line, `(n_source, dim)`.
    pub source: Array2<f64>,
    /// `b_j`: velocity at the end less that of the straight line, `(n_target, dim)`.
    pub target: Array2<f64>,
}

/// Something of a pair that is the sum of a part of its source and one of its target cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts {
    pub(super) source: Array2<f64>,
    pub(super) target: Array2<f64>,
}

impl Pairs {
    /// `f(source, target, mass)` of each pair.
    pub(super) fn each(&self, f: impl Fn(usize, usize, f64) -> f64) -> Vec<f64> {
        let ends = self.sources.iter().zip(&self.targets).zip(&self.masses);
        ends.map(|((&i, &j), &mass)| f(i as usize, j as usize, mass)).collect()
    }

    /// Where pairs are at `t`.
    pub(super) fn places(&self, t: f64) -> Parts {
        let left = 1.0 - t;
        self.parts((left, t), (t * left * left, -t * t * left))
    }

    /// How fast the curves go at `t`: the derivative of [`Pairs::places`].
    pub(super) fn velocities(&self, t: f64) -> Parts {
        self.parts((-1.0, 1.0), ((1.0 - t) * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)))
    }

    /// `y_j − x_i`: how fast straight lines go.
    pub(super) fn velocities_of_lines(&self) -> Parts {
        Parts { source: -&self.source, target: self.target.clone() }
    }

    /// `g_p = c_p + (1−t) ċ_p` for curves `c_p`: Brownian bridges around them are drawn by
    /// `(g_p − x)/(1−t)`. Straight lines are drawn to their target, `g_p = y_j`.
    pub(super) fn goals(&self, t: f64) -> Parts {
        let left = 1.0 - t;
        let of_target = -2.0 * t * left * left;
        self.parts((0.0, 1.0), (left * left * (1.0 - 2.0 * t), of_target))
    }

    fn parts(&self, ends: (f64, f64), bends: (f64, f64)) -> Parts {
        let mut parts = Parts { source: &self.source * ends.0, target: &self.target * ends.1 };
        if let Some(bend) = &self.bend {
            parts.source.scaled_add(bends.0, &bend.source);
            parts.target.scaled_add(bends.1, &bend.target);
        }
        parts
    }

    /// One row for each pair: the sum of its two parts.
    pub(super) fn sums(&self, parts: &Parts) -> Array2<f64> {
        let mut sums = Array2::zeros((self.sources.len(), self.source.ncols()));
        let ends = self.sources.iter().zip(&self.targets);
        for (mut sum, (&i, &j)) in sums.rows_mut().into_iter().zip(ends) {
            sum += &parts.source.row(i as usize);
            sum += &parts.target.row(j as usize);
        }
        // Adding zero makes the two zeros equal.
        sums + 0.0
    }
}
