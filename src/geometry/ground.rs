//! The choice of the cost, and the cost between any two snapshots of a time course.

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::cost::{Cost, SquaredEuclidean};
use super::graph::NeighbourGraph;
use super::heat::{HeatKernel, check_time};
use super::heat_cost::heat_cost;
use super::neighbours::neighbours;
use super::shortest_paths::path_cost;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The distance of which the cost is half the square.
///
/// ```
/// use sbcell::geometry::{CostChoice, CostKind};
///
/// let choice = CostChoice { kind: CostKind::GeodesicPath, ..CostChoice::default() };
/// assert!(choice.is_geodesic());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostKind {
    /// The Euclidean distance.
    #[default]
    Euclidean,
    /// The length of the shortest path on the neighbour graph.
    GeodesicPath,
    /// The distance from heat diffusion on the neighbour graph, which includes all paths.
    GeodesicHeat,
}

/// The kind of a cost with its parameters; [`CostChoice::ground`] prepares it for a time course.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::geometry::{CostChoice, CostKind};
///
/// let (early, late) = (array![[0.0], [1.0]], array![[2.0]]);
/// let choice = CostChoice { kind: CostKind::GeodesicPath, n_neighbours: 1, heat_time: 50.0 };
/// let ground = choice.ground(&[early.view(), late.view()], &mut Silent)?;
/// let cost = ground.cost(0, 1, &mut Silent)?;
/// assert_eq!(cost.shape(), (2, 1));
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostChoice {
    /// The distance.
    pub kind: CostKind,
    /// Number of neighbours of each cell in the graph, ≥ 1; for geodesic costs.
    pub n_neighbours: usize,
    /// Diffusion time τ of `exp(−τL)`, > 0 and ≤ 600, where `L` is the normalised Laplacian of the
    /// graph; for [`CostKind::GeodesicHeat`].
    pub heat_time: f64,
}

impl Default for CostChoice {
    fn default() -> Self {
        Self { kind: CostKind::Euclidean, n_neighbours: 15, heat_time: 50.0 }
    }
}

impl CostChoice {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first parameter out of its range.
    pub fn check(&self) -> Result<()> {
        let Self { kind: _, n_neighbours, heat_time } = self;
        at_least_one("n_neighbours", *n_neighbours)?;
        check_time(*heat_time)
    }

    /// Whether distances are along the neighbour graph.
    pub fn is_geodesic(&self) -> bool {
        self.kind != CostKind::Euclidean
    }

    /// Prepares the costs between `snapshots`, each `(n_cells, dim)`.
    ///
    /// For geodesic costs it computes the neighbour graph of the cells of all snapshots.
    ///
    /// # Errors
    /// Those of [`CostChoice::check`], [`neighbours`] and [`NeighbourGraph::new`]; [`Error::Shape`]
    /// if the snapshots differ in dimension.
    pub fn ground(
        &self,
        snapshots: &[ArrayView2<'_, f64>],
        progress: &mut dyn Progress,
    ) -> Result<Ground> {
        self.check()?;
        let dim = snapshots.first().map_or(0, ArrayView2::ncols);
        if let Some(other) = snapshots.iter().find(|other| other.ncols() != dim) {
            let (what, unit) = ("a snapshot", "dimensions");
            return Err(Error::Shape { what, unit, expected: dim, got: other.ncols() });
        }
        let mut starts = vec![0];
        for snapshot in snapshots {
            starts.push(starts[starts.len() - 1] + snapshot.nrows());
        }
        if !self.is_geodesic() {
            let points = snapshots.iter().map(ArrayView2::to_owned).collect();
            return Ok(Ground { starts, space: Space::Flat(points) });
        }
        let points = concatenate(Axis(0), snapshots).map_err(|_| {
            let (name, must) = ("snapshots", "at least one");
            Error::Parameter { name, must, got: snapshots.len().to_string() }
        })?;
        let near = neighbours(points.view(), self.n_neighbours, progress)?;
        let graph = NeighbourGraph::new(points.view(), &near, progress)?;
        let heat = match self.kind {
            CostKind::GeodesicHeat => Some((HeatKernel::new(&graph, &near)?, self.heat_time)),
            _ => None,
        };
        Ok(Ground { starts, space: Space::Graph { graph, heat } })
    }
}

/// The snapshots of a time course with the costs between them; [`CostChoice::ground`] makes it.
///
/// ```
/// use ndarray::{Array2, array};
/// use sbcell::Silent;
/// use sbcell::geometry::CostChoice;
///
/// let (early, late) = (array![[0.0], [1.0]], array![[2.0]]);
/// let ground = CostChoice::default().ground(&[early.view(), late.view()], &mut Silent)?;
/// let mut costs = Array2::zeros((2, 1));
/// ground.cost(0, 1, &mut Silent)?.rows(0, costs.view_mut());
/// assert_eq!(costs, array![[2.0], [0.5]]);
/// assert!(ground.graph().is_none());
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    /// Index of the first cell of each snapshot, and the number of cells.
    starts: Vec<usize>,
    space: Space,
}

/// The data from which costs are computed.
#[derive(Debug, Clone, PartialEq)]
enum Space {
    /// The points of each snapshot, for Euclidean costs.
    Flat(Vec<Array2<f64>>),
    /// The neighbour graph of all cells, and for heat the kernel and its time.
    Graph { graph: NeighbourGraph, heat: Option<(HeatKernel, f64)> },
}

impl Ground {
    /// The cost from the cells of snapshot `from` to those of snapshot `to`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no such snapshot; those of [`path_cost`].
    pub fn cost(
        &self,
        from: usize,
        to: usize,
        progress: &mut dyn Progress,
    ) -> Result<Box<dyn Cost>> {
        if from.max(to) + 1 >= self.starts.len() {
            let (name, must) = ("snapshot", "less than the number of snapshots");
            return Err(Error::Parameter { name, must, got: from.max(to).to_string() });
        }
        let cells = |k: usize| (self.starts[k]..self.starts[k + 1]).collect::<Vec<usize>>();
        let (sources, targets) = (cells(from), cells(to));
        match &self.space {
            Space::Flat(points) => {
                Ok(Box::new(SquaredEuclidean::new(points[from].view(), points[to].view())?))
            }
            Space::Graph { graph, heat: None } => {
                Ok(Box::new(path_cost(graph, &sources, &targets, progress)?))
            }
            Space::Graph { graph, heat: Some((kernel, time)) } => {
                Ok(Box::new(heat_cost(graph, kernel, &sources, &targets, *time, progress)?))
            }
        }
    }

    /// The neighbour graph of a geodesic cost; `None` for the Euclidean cost.
    pub fn graph(&self) -> Option<&NeighbourGraph> {
        match &self.space {
            Space::Flat(_) => None,
            Space::Graph { graph, .. } => Some(graph),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn costs(kind: CostKind, snapshots: &[ArrayView2<'_, f64>], to: usize) -> Array2<f64> {
        let choice = CostChoice { kind, n_neighbours: 2, ..CostChoice::default() };
        let ground = choice.ground(snapshots, &mut Silent).unwrap();
        let cost = ground.cost(0, to, &mut Silent).unwrap();
        let mut out = Array2::zeros(cost.shape());
        cost.rows(0, out.view_mut());
        out
    }

    #[test]
    fn cells_of_other_snapshots_show_the_way() {
        // Three thirds of a half circle: from the first to the last the way is along the middle.
        let arc = |third: usize, n: usize| {
            Array2::from_shape_fn((n, 2), |(i, d)| {
                let angle = std::f64::consts::PI * (third * 20 + i) as f64 / 60.0;
                if d == 0 { angle.cos() } else { angle.sin() }
            })
        };
        let (first, middle, last) = (arc(0, 20), arc(1, 20), arc(2, 21));
        let all = [first.view(), middle.view(), last.view()];
        let straight = costs(CostKind::Euclidean, &all, 2);
        assert!((straight[[0, 20]] - 2.0).abs() < 1e-12);
        let around = costs(CostKind::GeodesicPath, &all, 2);
        // Two neighbours each: at both ends one step of two, elsewhere steps of one.
        let chord = |steps: f64| 2.0 * (steps * std::f64::consts::PI / 120.0).sin();
        let length = 56.0 * chord(1.0) + 2.0 * chord(2.0);
        assert!((around[[0, 20]] - 0.5 * length * length).abs() < 1e-6);
        assert_eq!(around.dim(), (20, 21));
        let heat = costs(CostKind::GeodesicHeat, &all, 2);
        assert!(heat[[0, 20]] > heat[[19, 0]] + 3.0, "{} {}", heat[[0, 20]], heat[[19, 0]]);
    }

    #[test]
    fn refuses_parameters_out_of_range_and_snapshots_that_are_not_there() {
        let cells = Array2::from_shape_fn((5, 2), |(i, d)| (i + d) as f64);
        let all = [cells.view(), cells.view()];
        for bad in [
            CostChoice { n_neighbours: 0, ..CostChoice::default() },
            CostChoice { heat_time: 0.0, ..CostChoice::default() },
            CostChoice { heat_time: f64::NAN, ..CostChoice::default() },
        ] {
            assert!(bad.ground(&all, &mut Silent).is_err());
        }
        let ground = CostChoice::default().ground(&all, &mut Silent).unwrap();
        assert!(ground.cost(0, 2, &mut Silent).is_err());
        let narrow = cells.slice(ndarray::s![.., ..1]);
        assert!(CostChoice::default().ground(&[cells.view(), narrow], &mut Silent).is_err());
    }
}
