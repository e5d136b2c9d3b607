//! Steps of a course: cells at an earlier time, cells at a later one, and which goes with which.

use ndarray::{Array1, Array2, ArrayView1};

use crate::bridge::{Coupling, SinkhornSolver};
use crate::error::Result;
use crate::geometry::{Cost, Epsilon, SquaredEuclidean};
use crate::grn::expression::Expression;
use crate::progress::Silent;

/// ε of the plans made here, as a part of the mean cost.
pub const PLAN_EPSILON: f64 = 0.05;

/// Least mass of a pair that is kept, as a part of an even row.
const LEAST: f64 = 1e-6;

/// Cells that are followed over a lag.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Rows of the earlier cells.
    pub sources: Vec<usize>,
    /// Rows of the later cells.
    pub targets: Vec<usize>,
    /// Which goes with which, by place in `sources` and `targets`; total mass one.
    pub coupling: Coupling,
}

impl Step {
    /// Pairs `sources` and `targets` by entropic transport of `features` `(n_cells, dim)`, for
    /// half the squared distance and ε [`PLAN_EPSILON`] of its mean. `weights` are those of all
    /// cells; cells of weight zero take no part.
    ///
    /// # Errors
    /// Those of [`SinkhornSolver::couple`].
    pub fn paired(
        (sources, targets): (&[usize], &[usize]),
        features: &Array2<f64>,
        weights: ArrayView1<'_, f64>,
    ) -> Result<Self> {
        let taken = |rows: &[usize]| -> Vec<usize> {
            rows.iter().copied().filter(|&row| weights[row] > 0.0).collect()
        };
        let (sources, targets) = (taken(sources), taken(targets));
        let points = |rows: &[usize]| features.select(ndarray::Axis(0), rows);
        let masses = |rows: &[usize]| {
            let masses = Array1::from_iter(rows.iter().map(|&row| weights[row]));
            let total = masses.sum();
            masses / total
        };
        let cost = SquaredEuclidean::new(points(&sources).view(), points(&targets).view())?;
        let coupling = entropic(&cost, (masses(&sources), masses(&targets)))?;
        Ok(Self { sources, targets, coupling })
    }
}

fn entropic(cost: &dyn Cost, (p, q): (Array1<f64>, Array1<f64>)) -> Result<Coupling> {
    let (n, m) = cost.shape();
    let mut costs = Array2::zeros((n, m));
    cost.block((0, 0), costs.view_mut());
    let mean = p.dot(&costs.dot(&q));
    let epsilon = Epsilon::new(if mean > 0.0 { PLAN_EPSILON * mean } else { 1.0 })?;
    let solver = SinkhornSolver { tolerance: 1e-4, max_iterations: 1000, ..Default::default() };
    let plan = solver.couple(cost, (p.view(), q.view()), epsilon, &mut Silent)?;
    plan.coupling(LEAST)
}

/// Rows of the cells at each of the distinct `times`, increasing.
pub fn rows_by_time(times: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|&a, &b| times[a].total_cmp(&times[b]).then(a.cmp(&b)));
    let same = |a: &usize, b: &usize| times[*a].total_cmp(&times[*b]).is_eq();
    order.chunk_by(same).map(<[usize]>::to_vec).collect()
}

/// All cells standardised, for plans between them.
pub fn plan_features(expression: &Expression) -> Array2<f64> {
    let all: Vec<usize> = (0..expression.n_cells()).collect();
    expression.standardised(&all)
}
