//! Squared distances summed in the order of the coordinates, for many points at once.

use ndarray::ArrayView2;

use crate::platform::cpu;

/// Number of points in a block, whose distances are computed in parallel lanes.
pub(crate) const LANES: usize = 8;

/// The squared distance `Σ_d (x_d − y_d)²`, summed in the order of the coordinates.
///
/// The rounded value of this sum defines the order of neighbours. All search methods compute exactly
/// these bits and therefore find the same neighbours.
pub(crate) fn squared_distance(x: &[f64], y: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (x, y) in x.iter().zip(y) {
        sum += (x - y) * (x - y);
    }
    sum
}

/// Points in blocks of [`LANES`], transposed within a block; zeros fill the last block.
#[derive(Debug)]
pub(crate) struct Lanes {
    n_points: usize,
    dim: usize,
    /// For each block and each dimension the coordinates of its points.
    coordinates: Vec<[f64; LANES]>,
}

impl Lanes {
    /// A transposed copy of the rows of `points`.
    pub(crate) fn new(points: ArrayView2<'_, f64>) -> Self {
        let (n_points, dim) = points.dim();
        let value = |i, d| points.get([i, d]).copied().unwrap_or(0.0);
        let coordinates = (0..n_points.div_ceil(LANES))
            .flat_map(|block| (0..dim).map(move |d| (block, d)))
            .map(|(block, d)| std::array::from_fn(|lane| value(block * LANES + lane, d)))
            .collect();
        Self { n_points, dim, coordinates }
    }

    /// Writes the squared distances of `point` to all points to `out`, with vector instructions.
    ///
    /// The results have the same bits as those of [`squared_distance`].
    pub(crate) fn squared_distances(&self, point: &[f64], out: &mut Vec<f64>) {
        out.resize(self.n_points.next_multiple_of(LANES), 0.0);
        cpu::arch().dispatch(Squared { lanes: self, point, out });
        out.truncate(self.n_points);
    }
}

/// The loop of [`Lanes::squared_distances`], compiled once for each width of vectors.
struct Squared<'a> {
    lanes: &'a Lanes,
    point: &'a [f64],
    out: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Squared<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let blocks = self.lanes.coordinates.chunks_exact(self.lanes.dim.max(1));
        for (out, block) in self.out.as_chunks_mut::<LANES>().0.iter_mut().zip(blocks) {
            let mut sums = [0.0; LANES];
            for (x, others) in self.point.iter().zip(block) {
                for lane in 0..LANES {
                    let difference = x - others[lane];
                    sums[lane] += difference * difference;
                }
            }
            *out = sums;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn lanes_have_the_bits_of_one_distance_after_another() {
        for (n, dim) in [(1, 1), (8, 3), (21, 7)] {
            let points = Array2::from_shape_fn((n, dim), |(i, d)| ((i * 31 + d) as f64).sin());
            let mut found = Vec::new();
            let point: Vec<f64> = (0..dim).map(|d| (d as f64 + 0.3).cos()).collect();
            Lanes::new(points.view()).squared_distances(&point, &mut found);
            let one_by_one: Vec<f64> = points
                .rows()
                .into_iter()
                .map(|row| squared_distance(&point, &row.to_vec()))
                .collect();
            assert_eq!(found, one_by_one);
        }
    }
}
