//! Coordinates of the cells of each shard.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::pipeline::fit::shards::components::Components;
use crate::pipeline::fit::shards::{cycled, unfit};
use crate::pipeline::shared::halves::Halves;
use crate::preprocess::Pca;
use crate::progress::Progress;
use crate::rng::Seed;
use crate::share::{self, Packed};

/// Coordinates of all cells.
pub(super) struct Placed {
    /// `(n_cells, n_pcs)`.
    pub(super) points: Array2<f64>,
    /// Those of some cells from each half of the genes; `None` without such cells, or with too few genes.
    pub(super) halves: Option<Halves>,
}

/// Coordinates of the cells of a shard, cell by cell.
#[derive(Serialize, Deserialize)]
struct OfShard {
    /// Coordinates of its cells, `(n_cells, n_pcs)`.
    points: Packed<f64>,
    /// Those by each half of the genes, and the sum of the expression.
    halves: Option<[Packed<f64>; 3]>,
}

/// The coordinates of all cells by `pca`. The cells `halved` (increasing) get coordinates from each half of the genes
/// too.
///
/// # Errors
/// Those of reading and of [`Pca::transform`]; [`Error::Cancelled`].
pub(super) fn coordinates(
    components: &mut Components<'_>,
    pca: &Pca,
    halved: &[usize],
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Placed> {
    let work = components.work;
    let found = share::divided(&work.stages.coordinates, progress, &mut |range, progress| {
        let one = |k: usize| {
            let matrix = components.values(k, &mut work.shards.within(k, progress))?;
            let cells = work.shards.cells(k);
            let inside = halved.iter().filter(|row| cells.contains(row));
            let rows = inside.map(|row| row - cells.start).collect();
            let packed = |of: Array2<f64>| Packed(of.iter().copied().collect());
            let halves = Halves::of(&matrix, pca, rows, seed)?.map(|halves| {
                let [first, second] = halves.points.map(packed);
                [first, second, Packed(halves.depth.to_vec())]
            });
            Ok(OfShard { points: packed(pca.transform(&matrix)?), halves })
        };
        range.map(one).collect()
    })?;
    let (n_cells, n_pcs) = (work.shards.rows.len(), pca.n_pcs());
    let is_trial = found.len() < work.shards.n();
    let fits =
        |(k, shard): (usize, &OfShard)| shard.points.0.len() == work.shards.cells(k).len() * n_pcs;
    if !found.iter().enumerate().all(fits) {
        return Err(unfit("coordinates of other cells"));
    }
    let filled = |numbers: Vec<f64>, n: usize| if is_trial { cycled(numbers, n) } else { numbers };
    let table = |numbers: Vec<f64>, n: usize| {
        let (expected, got) = (n * n_pcs, numbers.len());
        Array2::from_shape_vec((n, n_pcs), numbers).map_err(|_| Error::Shape {
            what: "the coordinates",
            unit: "numbers",
            expected,
            got,
        })
    };
    let mut points = Vec::with_capacity(n_cells * n_pcs);
    let mut parts: [Vec<f64>; 3] = Default::default();
    for shard in found {
        points.extend(shard.points.0);
        for (all, part) in parts.iter_mut().zip(shard.halves.into_iter().flatten()) {
            all.extend(part.0);
        }
    }
    let points = table(filled(points, n_cells * n_pcs), n_cells)?;
    let [first, second, depth] = parts;
    let n = halved.len();
    let halves = if depth.is_empty() {
        None
    } else {
        let points = [table(filled(first, n * n_pcs), n)?, table(filled(second, n * n_pcs), n)?];
        Some(Halves { rows: halved.to_vec(), points, depth: Array1::from(filled(depth, n)) })
    };
    Ok(Placed { points, halves })
}
