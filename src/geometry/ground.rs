//! Which cost a coupling is for, and that cost between any two snapshots of a course.

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::cost::{Cost, SquaredEuclidean};
use super::graph::NeighbourGraph;
use super::heat::{HeatKernel, check_time};
use super::heat_cost::heat_cost;
use super::neighbours::neighbours;
use super::shortest_paths::path_cost;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// What is half a squared distance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostKind {
    /// The straight line, through places where there are no cells.
    #[default]
    Euclidean,
    /// The shortest path on the graph of neighbours.
    GeodesicPath,
    /// The distance that heat on the graph of neighbours measures, over all paths.
    GeodesicHeat,
}

/// A cost with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostChoice {
    /// What is half a squared distance.
    pub kind: CostKind,
    /// Neighbours of each cell in the graph, ≥ 1; geodesic costs only.
    pub n_neighbours: usize,
    /// For how long heat spreads, in units in which half of it moves on to a neighbour at a rate
    /// of one; > 0 and ≤ 600; [`CostKind::GeodesicHeat`] only.
    pub heat_time: f64,
}

impl Default for CostChoice {
    fn default() -> Self {
        Self { kind: CostKind::Euclidean, n_neighbours: 15, heat_time: 50.0 }
    }
}

impl CostChoice {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is violated.
    pub fn check(&self) -> Result<()> {
        let Self { kind: _, n_neighbours, heat_time } = self;
        if *n_neighbours < 1 {
            let (name, must) = ("n_neighbours", "at least 1");
            return Err(Error::Parameter { name, must, got: n_neighbours.to_string() });
        }
        check_time(*heat_time)
    }

    /// Whether distances are measured along the data.
    pub fn is_geodesic(&self) -> bool {
        self.kind != CostKind::Euclidean
    }

    /// Makes ready to tell costs between the `snapshots`, each `(n_cells, dim)`: for geodesic
    /// costs, builds the graph over the cells of all of them.
    ///
    /// # Errors
    /// As [`CostChoice::check`], [`neighbours`] and [`NeighbourGraph::new`]; [`Error::Shape`] if
    /// the snapshots differ in dimension.
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

/// The snapshots of a course, with the costs between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    starts: Vec<usize>,
    space: Space,
}

#[derive(Debug, Clone, PartialEq)]
enum Space {
    /// The points of each snapshot.
    Flat(Vec<Array2<f64>>),
    Graph {
        graph: NeighbourGraph,
        heat: Option<(HeatKernel, f64)>,
    },
}

impl Ground {
    /// The cost from the cells of snapshot `from` to those of snapshot `to`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no such snapshot; as [`path_cost`].
    pub fn cost(
        &self,
        from: usize,
        to: usize,
        progress: &mut dyn Progress,
    ) -> Result<Box<dyn Cost>> {
        if from.max(to) + 1 >= self.starts.len() {
            let (name, must) = ("snapshot", "one of the course");
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
                let cells = (&sources[..], &targets[..]);
                Ok(Box::new(heat_cost(graph, kernel, cells, *time, progress)?))
            }
        }
    }

    /// The graph of neighbours, if the cost has one.
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
