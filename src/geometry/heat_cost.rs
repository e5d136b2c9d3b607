//! The geodesic cost from heat diffusion on the neighbour graph (Varadhan's formula).

use rayon::prelude::*;

use super::graph::NeighbourGraph;
use super::heat::{COLUMNS, HeatKernel, check_time};
use super::shortest_paths::path_cost;
use super::stored::StoredCost;
use crate::error::Result;
use crate::progress::{Event, Progress, report};

/// Largest number of sources for which shortest paths are computed, to find the unit.
const CALIBRATED: usize = 32;

/// Number of tasks between two progress reports.
const PER_REPORT: usize = 8;

/// The cost `c_ij = s · (−2τ ln H_ij) + const` from heat diffusion on the neighbour graph.
///
/// `H_ij` is the density of heat at cell `targets[j]` after the time τ if it starts at cell
/// `sources[i]`. In Varadhan's formula `−4τ ln H` is the squared distance (Huguet et al. 2023); the
/// cost is half of it.
///
/// Diffusion on a graph counts edges and ignores their lengths, and the normalisation of `H` is
/// arbitrary. The cost must nevertheless have the unit of ε. Therefore `s` is the slope of the
/// least-squares line from `−2τ ln H` to half the squared lengths of shortest paths, over up to 32
/// sources and all targets. The constant makes the least cost zero; it does not change any coupling.
/// Unlike the shortest path, heat includes all paths, more of them for larger τ. For small τ a single
/// cell between two dense sheets connects them (`METHODS.md`).
///
/// Densities below 10⁻²⁹⁰ are set to this value. Time `(2 to 6 τ + 40) · n_edges` for each source,
/// on all cores; memory 4 bytes for each pair.
///
/// # Errors
/// Those of [`path_cost`]; [`crate::Error::Parameter`] if `time` is not between 0 and 600.
pub fn heat_cost(
    graph: &NeighbourGraph,
    kernel: &HeatKernel,
    sources: &[usize],
    targets: &[usize],
    time: f64,
    progress: &mut dyn Progress,
) -> Result<StoredCost> {
    check_time(time)?;
    StoredCost::check(graph.n_nodes(), sources, targets)?;
    let step = sources.len().div_ceil(CALIBRATED);
    let some: Vec<usize> = sources.iter().copied().step_by(step).collect();
    let paths = path_cost(graph, &some, targets, progress)?;

    let turned = targets.len() < sources.len();
    let (from, to) = if turned { (targets, sources) } else { (sources, targets) };
    let total = from.len() as u64;
    report(progress, Event::Begin { what: "heat on the graph".into(), total })?;
    let mut raw: Vec<f32> = Vec::with_capacity(from.len() * to.len());
    for batch in from.chunks(COLUMNS * PER_REPORT) {
        let blocks: Vec<Vec<f32>> = batch
            .par_chunks(COLUMNS)
            .map(|from| {
                let logs = kernel.log_densities(from, to, time);
                logs.iter().map(|log| (-2.0 * time * log) as f32).collect()
            })
            .collect();
        for block in &blocks {
            raw.extend_from_slice(block);
        }
        report(progress, Event::Step { done: (raw.len() / to.len()) as u64 })?;
    }
    report(progress, Event::End)?;
    let place = |i: usize, j: usize| if turned { j * to.len() + i } else { i * to.len() + j };
    let pairs = (0..some.len()).flat_map(|row| (0..targets.len()).map(move |j| (row, j)));
    let slope =
        slope(pairs.map(|(row, j)| (f64::from(raw[place(row * step, j)]), paths.get(row, j))));
    let least = raw.iter().copied().fold(f32::INFINITY, f32::min);
    for cost in &mut raw {
        *cost = (slope * f64::from(*cost - least)) as f32;
    }
    StoredCost::new(from.len(), to.len(), raw, turned)
}

/// The slope of the least-squares line of `y` on `x` for `pairs` (x, y).
///
/// 1 if the slope is not positive or not finite, as for a single pair.
fn slope(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let n = pairs.clone().count().max(1) as f64;
    let sums = pairs.clone().fold((0.0, 0.0), |sums, (x, y)| (sums.0 + x, sums.1 + y));
    let (x_mean, y_mean) = (sums.0 / n, sums.1 / n);
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, y) in pairs {
        xx += (x - x_mean) * (x - x_mean);
        xy += (x - x_mean) * (y - y_mean);
    }
    let slope = xy / xx;
    if 0.0 < slope && slope < f64::INFINITY { slope } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::geometry::{Cost, neighbours};
    use crate::progress::Silent;

    #[test]
    fn slopes_are_those_of_a_line() {
        let line = |factor: f64| (0..9).map(move |i| (f64::from(i), factor * f64::from(i) - 2.0));
        assert!((slope(line(3.5)) - 3.5).abs() < 1e-14);
        assert!((slope(line(-1.0)) - 1.0).abs() < 1e-14);
        assert!((slope(std::iter::repeat_n((1.0, 2.0), 4)) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn on_a_sheet_it_is_half_the_squared_distance_up_to_a_constant() {
        // A jittered grid in the plane, where the path on the graph is nearly the distance.
        let side = 24;
        let points = Array2::from_shape_fn((side * side, 2), |(i, d)| {
            let place = if d == 0 { i % side } else { i / side };
            place as f64 + 0.3 * ((i * 37 + d * 11) as f64).sin()
        });
        let near = neighbours(points.view(), 12, &mut Silent).unwrap();
        let graph = NeighbourGraph::new(points.view(), &near, &mut Silent).unwrap();
        let kernel = HeatKernel::new(&graph, &near).unwrap();
        let (sources, targets): (Vec<usize>, Vec<usize>) =
            ((0..576).step_by(7).collect(), (3..576).step_by(5).collect());
        let paths = path_cost(&graph, &sources, &targets, &mut Silent).unwrap();
        let all = |cost: &StoredCost| {
            let mut out = Array2::zeros(cost.shape());
            cost.rows(0, out.view_mut());
            out
        };
        let of_heat = |from: &[usize], to: &[usize]| {
            heat_cost(&graph, &kernel, from, to, 30.0, &mut Silent).unwrap()
        };
        let (heat, paths) = (all(&of_heat(&sources, &targets)), all(&paths));
        let pairs = || heat.iter().copied().zip(paths.iter().copied());
        let fitted = slope(pairs());
        let n = heat.len() as f64;
        let shift = (paths.sum() - fitted * heat.sum()) / n;
        let error = pairs().map(|(x, y)| (y - fitted * x - shift).powi(2)).sum::<f64>() / n;
        let spread = paths.var(0.0);
        // The unit is that of path lengths, and a line leaves a twentieth of the variance at
        // most: heat in continuous space would leave nothing but the boundary's.
        assert!((fitted - 1.0).abs() < 0.05, "{fitted}");
        assert!(error < 0.05 * spread, "{error} of {spread}");
        // Sources and targets exchanged: the same differences, in a unit from other pairs.
        let back = all(&of_heat(&targets, &sources));
        let ratio = slope(back.t().iter().copied().zip(heat.iter().copied()));
        assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
    }
}
