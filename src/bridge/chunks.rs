//! Rows in chunks of a fixed size, worked on in parallel, with results in order.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

/// `work(number of the chunk, its rows)` for each `size` rows, in parallel; results in order.
pub(super) fn in_chunks<T: Send>(
    rows: ArrayView2<'_, f64>,
    size: usize,
    work: impl Fn(usize, ArrayView2<'_, f64>) -> T + Sync,
) -> Vec<T> {
    (0..rows.nrows().div_ceil(size))
        .into_par_iter()
        .map(|chunk| {
            let end = rows.nrows().min((chunk + 1) * size);
            work(chunk, rows.slice(s![chunk * size..end, ..]))
        })
        .collect()
}

/// The rows of all chunks as one array of the given shape.
pub(super) fn stacked(chunks: &[Array2<f64>], shape: (usize, usize)) -> Array2<f64> {
    let mut all = Array2::zeros(shape);
    let mut rest = all.view_mut();
    for chunk in chunks {
        let (mut rows, after) = rest.split_at(Axis(0), chunk.nrows());
        rows.assign(chunk);
        rest = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_worked_on_and_stacked_in_order() {
        for n in [0, 1, 4, 9] {
            let x = Array2::from_shape_fn((n, 2), |(i, d)| (10 * i + d) as f64);
            let chunks = in_chunks(x.view(), 4, |chunk, rows| &rows + chunk as f64);
            assert_eq!(chunks.len(), n.div_ceil(4));
            let all = stacked(&chunks, x.dim());
            let wanted = Array2::from_shape_fn((n, 2), |(i, d)| (10 * i + d + i / 4) as f64);
            assert_eq!(all, wanted);
        }
    }
}
