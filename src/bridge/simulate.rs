//! Paths of a process: Brownian bridges between given ends, and small steps of any drift.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::bridge::{Bridge, UnitTime};
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::rng::Seed;

/// Rows that share a stream of random numbers; fixed, so that draws do not depend on threads.
const CHUNK: usize = 256;

/// Draws `X_t` of the Brownian bridge of variance `epsilon` from each row of `start` to the same
/// row of `end`: `(1−t) x₀ + t x₁ + √(ε t (1−t)) ξ`. All arrays are `(n, dim)`.
///
/// With ends drawn from a bridge's plan this is a draw from the bridge at `t`.
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

/// Moves each row of `x` `(n, dim)` from the first to the second time of `span` by `n_steps`
/// Euler–Maruyama steps of the bridge's drift. A zero number of steps returns `x`.
///
/// Its law is wrong by `O(1 / n_steps)`: [`Bridge::sample_transition`] is exact and faster; this
/// is for whole paths of bridges whose transitions are not known, and for tests. Time
/// `n_steps` evaluations of the drift.
///
/// # Errors
/// As [`Bridge::drift`]; [`Error::Parameter`] if `span` goes backwards.
pub fn euler_maruyama(
    bridge: &dyn Bridge,
    x: ArrayView2<'_, f64>,
    span: (UnitTime, UnitTime),
    n_steps: usize,
    seed: Seed,
) -> Result<Array2<f64>> {
    let (from, to) = (span.0.value(), span.1.value());
    if to < from {
        let got = format!("{from} to {to}");
        return Err(Error::Parameter { name: "to", must: "not before `from`", got });
    }
    let step = (to - from) / n_steps.max(1) as f64;
    let deviation = (bridge.noise_variance() * step).sqrt();
    let mut x = x.to_owned();
    for i in 0..n_steps {
        let drift = bridge.drift(x.view(), UnitTime::new(from + step * i as f64)?)?;
        x.scaled_add(step, &drift);
        let noise = noise(x.dim(), seed.child("simulate/step", i as u64), "simulate/euler");
        x.scaled_add(deviation, &noise);
    }
    Ok(x)
}

/// Draws `n` cells by their `marginal` (summing to one): their indices in increasing order, each
/// as often as its share of `n` rounded up or down.
///
/// The draws are at even steps of the summed marginal from a random start, so that cells which
/// are neighbours in order are drawn together least often, and `n` equal cells out of `n` are
/// each drawn once.
pub fn draw_cells(marginal: ArrayView1<'_, f64>, n: usize, seed: Seed) -> Vec<usize> {
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
    // Rounding of the sum must not lose the last draw.
    chosen.resize(n, last);
    chosen
}

/// Standard normal numbers, one stream for each chunk of rows.
fn noise(shape: (usize, usize), seed: Seed, name: &str) -> Array2<f64> {
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
    use crate::bridge::LightSbBridge;

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

    #[test]
    fn small_steps_of_a_gaussian_bridge_reach_the_target() {
        let (mean0, var0) = (array![1.0], array![0.5]);
        let (mean1, var1) = (array![-2.0], array![1.5]);
        let epsilon = Epsilon::new(0.6).unwrap();
        let bridge = LightSbBridge::from_gaussians(
            (mean0.view(), var0.view()),
            (mean1.view(), var1.view()),
            epsilon,
        )
        .unwrap();
        let n = 20_000;
        let x = noise((n, 1), Seed(2), "test/source") * 0.5_f64.sqrt() + 1.0;
        let span = (UnitTime::START, UnitTime::END);
        let y = euler_maruyama(&bridge, x.view(), span, 200, Seed(3)).unwrap();
        let error = 5.0 / (n as f64).sqrt();
        assert!((y.mean().unwrap() + 2.0).abs() < error * 1.5 + 0.02, "{}", y.mean().unwrap());
        assert!((y.var(0.0) - 1.5).abs() < error * 3.0 + 0.02, "{}", y.var(0.0));
        assert_eq!(euler_maruyama(&bridge, x.view(), span, 0, Seed(3)).unwrap(), x);
        assert!(
            euler_maruyama(&bridge, x.view(), (UnitTime::END, UnitTime::START), 1, Seed(3))
                .is_err()
        );
    }
}
