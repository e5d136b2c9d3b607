//! Draws of cells, of noise, and of Brownian bridges between given ends.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::bridge::UnitTime;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::rng::Seed;

/// Rows that share a stream of random numbers. The size is fixed, so draws do not depend on the
/// number of threads.
const CHUNK: usize = 256;

/// Draws `X_t` of the Brownian bridge of variance `epsilon` from each row of `start` to the same
/// row of `end`: `(1−t) x₀ + t x₁ + √(ε t (1−t)) ξ`. All arrays are n × d.
///
/// If the pairs of ends are drawn from the entropic coupling, the result is a draw from the
/// Schrödinger bridge at time t.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{UnitTime, brownian_bridge_sample};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (start, end) = (array![[0.0]], array![[1.0]]);
/// let epsilon = Epsilon::new(0.1)?;
/// let last = brownian_bridge_sample(start.view(), end.view(), UnitTime::END, epsilon, Seed(0))?;
/// assert_eq!(last, end);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Shape`] if `start` and `end` differ in shape.
pub fn brownian_bridge_sample(
    start: ArrayView2<'_, f64>,
    end: ArrayView2<'_, f64>,
    t: UnitTime,
    epsilon: Epsilon,
    seed: Seed,
) -> Result<Array2<f64>> {
    for (unit, expected, got) in
        [("rows", start.nrows(), end.nrows()), ("columns", start.ncols(), end.ncols())]
    {
        if expected != got {
            return Err(Error::Shape { what: "the ends of a bridge", unit, expected, got });
        }
    }
    let t = t.value();
    let deviation = (epsilon.value() * t * (1.0 - t)).sqrt();
    let mut draws = noise(start.dim(), seed, "simulate/brownian bridge");
    Zip::from(&mut draws).and(start).and(end).for_each(|draw, start, end| {
        *draw = (1.0 - t) * start + t * end + deviation * *draw;
    });
    Ok(draws)
}

/// One step of a Brownian motion that ends at the rows of `end` at time 1, from the rows of `x` at
/// `from` to time `to`; see `Bridge::sample_pinned`. The noise has the given variance, or the
/// covariance `factor factorᵀ`, per unit of local time.
pub(super) fn pinned_step(
    x: ArrayView2<'_, f64>,
    end: ArrayView2<'_, f64>,
    from: UnitTime,
    to: UnitTime,
    variance: f64,
    factor: Option<ArrayView2<'_, f64>>,
    seed: Seed,
) -> Result<Array2<f64>> {
    for (unit, expected, got) in
        [("rows", x.nrows(), end.nrows()), ("columns", x.ncols(), end.ncols())]
    {
        if expected != got {
            return Err(Error::Shape { what: "the ends of a path", unit, expected, got });
        }
    }
    let (step, left) = (from.until(to)?, 1.0 - from.value());
    if step <= 0.0 || left <= 0.0 {
        return Ok(x.to_owned());
    }
    let share = step / left;
    let deviation = (step * (1.0 - to.value()).max(0.0) / left).sqrt();
    let mut draws = noise(x.dim(), seed, "simulate/pinned");
    draws = match factor {
        Some(factor) => draws.dot(&factor.t()),
        None => draws * variance.sqrt(),
    };
    Zip::from(&mut draws).and(x).and(end).for_each(|draw, x, end| {
        *draw = (1.0 - share) * x + share * end + deviation * *draw;
    });
    Ok(draws)
}

/// Draws `n` cells in proportion to their `marginal` (which sums to one): row numbers in increasing
/// order, each as often as its share of `n`, rounded up or down.
///
/// This is systematic sampling: equal steps of the cumulative marginal from a random start. Its
/// variance is lower than that of independent draws, and `n` draws from `n` equal cells give each
/// cell once. Takes `O(n_cells + n)` time.
pub(crate) fn draw_cells(marginal: ArrayView1<'_, f64>, n: usize, seed: Seed) -> Vec<usize> {
    let offset: f64 = StandardUniform.sample(&mut seed.stream("simulate/draw cells", 0));
    let mut chosen = Vec::with_capacity(n);
    let (mut sum, mut last) = (0.0, 0);
    for (i, weight) in marginal.iter().enumerate().filter(|entry| *entry.1 > 0.0) {
        sum += weight * n as f64;
        while chosen.len() < n && chosen.len() as f64 + offset < sum {
            chosen.push(i);
        }
        last = i;
    }
    // Rounding can leave the cumulative sum below one; the last draw must not be lost.
    chosen.resize(n, last);
    chosen
}

/// Standard normal numbers of this shape, from one stream for each chunk of rows.
pub(super) fn noise(shape: (usize, usize), seed: Seed, name: &str) -> Array2<f64> {
    let mut noise = Array2::zeros(shape);
    for (chunk, mut rows) in noise.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
        let mut stream = seed.stream(name, chunk as u64);
        rows.map_inplace(|value| *value = StandardNormal.sample(&mut stream));
    }
    noise
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_brownian_bridge_has_its_mean_and_variance_and_keeps_its_ends() {
        let n = 40_000;
        let (start, end) = (Array2::from_elem((n, 2), 1.0), Array2::from_elem((n, 2), -3.0));
        let epsilon = Epsilon::new(0.8).unwrap();
        let draw = |t: f64| {
            let t = UnitTime::new(t).unwrap();
            brownian_bridge_sample(start.view(), end.view(), t, epsilon, Seed(1)).unwrap()
        };
        assert_eq!(draw(0.0), start);
        assert_eq!(draw(1.0), end);
        let at = draw(0.25);
        let variance: f64 = 0.8 * 0.25 * 0.75;
        // Five standard errors: σ/√n of a mean, σ²√(2/n) of a variance.
        let error = 5.0 / (n as f64).sqrt();
        for column in at.columns() {
            assert!(column.mean().unwrap().abs() < error * variance.sqrt());
            assert!((column.var(0.0) - variance).abs() < error * 1.5 * variance);
        }
        assert!(
            brownian_bridge_sample(
                start.view(),
                array![[0.0, 0.0]].view(),
                UnitTime::END,
                epsilon,
                Seed(1)
            )
            .is_err()
        );
    }

    #[test]
    fn cells_are_drawn_as_often_as_their_share() {
        let marginal = array![0.1, 0.0, 0.65, 0.25];
        let drawn = draw_cells(marginal.view(), 20, Seed(1));
        let count = |i| drawn.iter().filter(|&&other| other == i).count();
        assert_eq!((count(0), count(1), count(2), count(3)), (2, 0, 13, 5));
        let even = Array2::from_elem((1, 7), 1.0 / 7.0);
        assert_eq!(draw_cells(even.row(0), 7, Seed(4)), [0, 1, 2, 3, 4, 5, 6]);
        assert!(draw_cells(marginal.view(), 0, Seed(1)).is_empty());
    }
}
