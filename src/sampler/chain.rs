//! Markov chains whose stationary distribution is close to that of a snapshot.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bridge::draw_cells;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::linalg::{Cholesky, product};
use crate::progress::{Event, Progress, report};
use crate::rng::{Seed, weighted_index};
use crate::sampler::condition::{Condition, Observed};
use crate::sampler::kernel::CHUNK;
use crate::sampler::self_bridge::SelfBridge;

/// Number of chunks between two progress reports.
const GROUP: usize = 16;

/// The step of a chain, from the conditional mean `m(x)`, the conditional covariance `C(x)` and noise.
///
/// `ξ` is standard normal noise. For infinitely many cells with distribution `N(0, c)`, `m(x) = s x`
/// with `s = (√(c² + ε²/4) − ε/2)/c`, and the stationary variance below follows for each scheme (own
/// derivation, tested in `tests/bridges/sampler_known.rs`). All schemes are stable for every ε, since `m(x)` is
/// in the convex hull of the cells.
///
/// ```
/// use sbcell::sampler::{Sampler, Scheme};
///
/// assert_eq!(Sampler::default().scheme, Scheme::Matched);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The conditional mean, then noise; too wide by half of a step's variance.
    ///
    /// `m(x) + √ε ξ`. At rest `√(c² + ε²/4) + ε/2`, too wide by ε/2 to first order.
    Langevin,
    /// The conditional mean, then noise with the conditional covariance.
    ///
    /// `m(x) + C(x)^½ ξ`: noise only where there are cells. At rest `c`.
    DataAware,
    /// Noise, then the conditional mean; draws lie in the cells' convex hull and are too narrow.
    ///
    /// `m(x + √ε ξ)`. At rest `√(c² + ε²/4) − ε/2`.
    SplitStep,
    /// Split steps, then noise with half of a step's variance; correct to second order in ε.
    ///
    /// The noise of variance `ε/2` is added once to each draw: at rest `√(c² + ε²/4) = c + ε²/8c + …`.
    Corrected,
    /// Split steps, then noise fitted to the cells nearby; exact for normal distributions.
    ///
    /// The noise of covariance `(C(x)⁻¹ + I/ε)⁻¹` is added once to each draw. It is as wide as a step
    /// where cells are dense (`C = ε I` gives `ε/2`) and zero where there are none. At rest `c`.
    ///
    /// Where a step draws from few cells, their covariance is a poor estimate. The scheme therefore
    /// adds the covariance of a step that knows only the variances `c_d` of the axes, with the weight
    /// of one cell: `C + Σ_j p_j² diag(1/(1/ε + 1/c_d))`. A single cell then gets the noise of
    /// `Corrected`; for many cells the term vanishes.
    Matched,
}

/// A sampler: Markov chains that start at cells of a snapshot.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::sampler::{Sampler, SelfBridge};
/// use sbcell::{Epsilon, Seed, Silent};
///
/// let cells = Snapshot::new(array![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])?;
/// let bridge = SelfBridge::new(&cells, Epsilon::new(0.1)?, None, &mut Silent)?;
/// let draws = Sampler::default().sample(&bridge, 10, Seed(1), &mut Silent)?;
/// assert_eq!(draws.dim(), (10, 2));
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// The step of the chain.
    pub scheme: Scheme,
    /// Number of steps from a cell to a draw, ≥ 1.
    ///
    /// Each step moves the distribution of the cells towards the stationary one. With more steps
    /// draws depend less on the first cell, and errors of the scheme accumulate. On real cells one
    /// step gives the best draws (docs/benchmarks).
    pub n_steps: usize,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { scheme: Scheme::Matched, n_steps: 1 }
    }
}

impl Sampler {
    /// Draws `n` cells, `(n, dim)`, by chains that start at cells drawn by their weights.
    ///
    /// Time `n · n_steps` evaluations of the conditional mean, each with `4 n_cells dim` flops and
    /// `n_cells` exponentials. `Matched` adds `n_cells dim²` flops for each draw, `DataAware` for each
    /// step. The draws do not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `n_steps` is zero; [`Error::Cancelled`].
    pub fn sample(
        &self,
        bridge: &SelfBridge,
        n: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Array2<f64>> {
        let weights: Array1<f64> = bridge.kernel().log_weights().iter().map(|w| w.exp()).collect();
        let rows = draw_cells(weights.view(), n, seed.child("sampler/start", 0));
        let start = bridge.kernel().points().select(Axis(0), &rows);
        self.run(bridge, start, Prepared::new(Condition::Free, bridge)?, seed, progress)
    }

    /// Draws one cell, given its measurements, for each cell of `observed`.
    ///
    /// A chain starts at a cell drawn by the likelihood of the measurements. If the measurements have
    /// no error, the draws have exactly the measured coordinates.
    ///
    /// # Errors
    /// [`Error::Shape`] if `observed` has another dimension; those of [`Sampler::sample`].
    pub fn sample_given(
        &self,
        bridge: &SelfBridge,
        observed: &Observed,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Array2<f64>> {
        let (expected, got) = (bridge.kernel().dim(), observed.dim());
        if expected != got {
            return Err(Error::Shape {
                what: "the matrix of the measurements",
                unit: "columns",
                expected,
                got,
            });
        }
        let observed = observed.centred(bridge.kernel().centre());
        let start = fitting_cells(bridge, &observed, seed)?;
        let condition = Prepared::new(Condition::Observed(&observed), bridge)?;
        self.run(bridge, start, condition, seed, progress)
    }

    /// Draws from the distribution of the snapshot times a likelihood (Bayesian inference).
    ///
    /// A chain starts at each row of `start`, `(n, dim)`. For [`Condition::Likelihood`] it makes
    /// explicit steps of length `ε/2` along the gradient, as in the paper; the final noise of
    /// `Corrected` and `Matched` then ignores the likelihood.
    ///
    /// # Errors
    /// [`Error::Shape`] if `start` has another dimension; those of [`Sampler::sample`].
    pub fn sample_updated(
        &self,
        bridge: &SelfBridge,
        start: ArrayView2<'_, f64>,
        condition: Condition<'_>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Array2<f64>> {
        let start = bridge.kernel().centred(start)?;
        let centred;
        let condition = match condition {
            Condition::Observed(observed) => {
                centred = observed.centred(bridge.kernel().centre());
                Condition::Observed(&centred)
            }
            other => other,
        };
        self.run(bridge, start, Prepared::new(condition, bridge)?, seed, progress)
    }

    /// Runs a chain from each row of `start`, which is relative to the centre of the cells.
    ///
    /// A chunk of chains has its own random stream, so that draws do not depend on threads.
    fn run(
        &self,
        bridge: &SelfBridge,
        start: Array2<f64>,
        condition: Prepared<'_>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Array2<f64>> {
        let Self { scheme, n_steps } = *self;
        at_least_one("n_steps", n_steps)?;
        let mut x = start;
        let total = x.nrows().div_ceil(CHUNK) as u64;
        report(progress, Event::Begin { what: format!("drawing {} cells", x.nrows()), total })?;
        for (group, mut rows) in x.axis_chunks_iter_mut(Axis(0), CHUNK * GROUP).enumerate() {
            let chunks: Vec<_> = rows.axis_chunks_iter_mut(Axis(0), CHUNK).collect();
            chunks
                .into_par_iter()
                .enumerate()
                .map(|(place, x)| {
                    let chunk = group * GROUP + place;
                    let stream = seed.stream("sampler/chain", chunk as u64);
                    let first = chunk * CHUNK;
                    Chunk { bridge, condition: &condition, first, stream }.run(x, scheme, n_steps)
                })
                .collect::<Result<Vec<()>>>()?;
            report(progress, Event::Step { done: ((group + 1) * GROUP) as u64 })?;
        }
        report(progress, Event::End)?;
        Ok(x + bridge.kernel().centre())
    }
}

/// For each measured cell a cell of the snapshot, drawn by weight and likelihood; centred.
fn fitting_cells(bridge: &SelfBridge, observed: &Observed, seed: Seed) -> Result<Array2<f64>> {
    let kernel = bridge.kernel();
    let fit = observed.fit(bridge.epsilon().value())?;
    let rows: Vec<usize> = (0..observed.n_cells())
        .into_par_iter()
        .map(|row| {
            let logs = observed.log_fit(kernel.points(), row, &fit);
            let logs = logs + ArrayView1::from(kernel.log_weights());
            let largest = logs.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            let shares = logs.mapv(|log| (log - largest).exp());
            let mut stream = seed.stream("sampler/fitting", row as u64);
            let uniform: f64 = StandardUniform.sample(&mut stream);
            weighted_index(shares.iter().copied(), uniform * shares.sum()).unwrap_or(0)
        })
        .collect();
    Ok(kernel.points().select(Axis(0), &rows))
}

/// A condition with the constants for steps of one length.
struct Prepared<'a> {
    condition: Condition<'a>,
    /// The gain of a step of length `ε/4` along the likelihood, half of a full step.
    half: Array2<f64>,
    /// The length `ε/2` of a full step.
    step: f64,
    /// The centre of the cells.
    centre: Array1<f64>,
}

impl<'a> Prepared<'a> {
    /// The condition for steps of this bridge; measurements must be centred.
    fn new(condition: Condition<'a>, bridge: &SelfBridge) -> Result<Self> {
        let step = 0.5 * bridge.epsilon().value();
        let half = match condition {
            Condition::Observed(observed) => observed.gain(0.5 * step)?,
            Condition::Free | Condition::Likelihood(_) => Array2::zeros((0, 0)),
        };
        Ok(Self { condition, half, step, centre: bridge.kernel().centre().to_owned() })
    }

    /// Half a step along the likelihood, before or after the step of the bridge.
    ///
    /// An explicit step along a gradient is a full step, before the step of the bridge.
    fn advance(&self, mut x: ArrayViewMut2<'_, f64>, first: usize, before: bool) {
        match self.condition {
            Condition::Observed(observed) => observed.advance(x, first, self.half.view()),
            Condition::Likelihood(gradient) if before => {
                let slope = gradient((&x + &self.centre).view());
                x.scaled_add(self.step, &slope);
            }
            Condition::Free | Condition::Likelihood(_) => {}
        }
    }
}

/// Some chains with their random stream.
struct Chunk<'a, R> {
    bridge: &'a SelfBridge,
    condition: &'a Prepared<'a>,
    /// Number of the first chain.
    first: usize,
    stream: R,
}

impl<R: Rng> Chunk<'_, R> {
    /// Replaces the starting points `x` by draws after `n_steps` steps.
    fn run(mut self, mut x: ArrayViewMut2<'_, f64>, scheme: Scheme, n_steps: usize) -> Result<()> {
        let mut state = x.to_owned();
        for _ in 0..n_steps {
            match scheme {
                Scheme::Langevin => {
                    state = self.mean(&state).1;
                    self.condition.advance(state.view_mut(), self.first, true);
                    self.add_noise(&mut state, 1.0);
                }
                Scheme::DataAware => state = self.data_aware(&state),
                Scheme::SplitStep | Scheme::Corrected | Scheme::Matched => {
                    self.add_noise(&mut state, 1.0);
                    self.condition.advance(state.view_mut(), self.first, true);
                    state = self.mean(&state).1;
                }
            }
            self.condition.advance(state.view_mut(), self.first, false);
        }
        match scheme {
            Scheme::Corrected => self.correct(&mut state)?,
            Scheme::Matched => self.match_noise(&mut state)?,
            Scheme::Langevin | Scheme::DataAware | Scheme::SplitStep => {}
        }
        x.assign(&state);
        Ok(())
    }

    /// The probabilities of the cells in a step from each place, and the conditional means.
    fn mean(&self, x: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        let p = self.bridge.weights_at(x.view());
        let mean = product(p.view(), self.bridge.kernel().points());
        (p, mean)
    }

    /// Adds noise of variance `share · ε ρ(x)`.
    fn add_noise(&mut self, x: &mut Array2<f64>, share: f64) {
        let scales = self.bridge.kernel().local_scales(x.view());
        let epsilon = self.bridge.epsilon().value();
        for (mut row, scale) in x.rows_mut().into_iter().zip(scales) {
            let deviation = (share * epsilon * scale).sqrt();
            for value in &mut row {
                let noise: f64 = StandardNormal.sample(&mut self.stream);
                *value += deviation * noise;
            }
        }
    }

    /// A step of [`Scheme::DataAware`].
    fn data_aware(&mut self, x: &Array2<f64>) -> Array2<f64> {
        let (p, mut next) = self.mean(x);
        for (mut row, p) in next.rows_mut().into_iter().zip(p.rows()) {
            let noise = self.like_cells(p, row.view());
            row += &noise.0;
        }
        self.condition.advance(next.view_mut(), self.first, true);
        next
    }

    /// A draw of `N(0, C)` for the covariance `C` under these probabilities, and a root of `C`.
    ///
    /// The draw is a sum of one standard normal number for each cell times `√p_j (x_j − m)`, which
    /// needs no decomposition.
    fn like_cells(
        &mut self,
        p: ArrayView1<'_, f64>,
        mean: ArrayView1<'_, f64>,
    ) -> (Array1<f64>, Array2<f64>) {
        let spread = self.bridge.spread(p, mean);
        let white = normal(spread.nrows(), &mut self.stream);
        (white.dot(&spread), spread)
    }

    /// Adds the final noise of [`Scheme::Corrected`], conditional on measurements.
    fn correct(&mut self, x: &mut Array2<f64>) -> Result<()> {
        let Condition::Observed(observed) = self.condition.condition else {
            self.add_noise(x, 0.5);
            return Ok(());
        };
        let scales = self.bridge.kernel().local_scales(x.view());
        for (mut row, scale) in x.rows_mut().into_iter().zip(scales) {
            let variance = 0.5 * self.bridge.epsilon().value() * scale;
            let mut noise = normal(row.len(), &mut self.stream) * variance.sqrt();
            let covariance = Array2::from_diag(&Array1::from_elem(row.len(), variance));
            observed.settle(noise.view_mut(), covariance.view(), &mut self.stream)?;
            row += &noise;
        }
        Ok(())
    }

    /// Adds the final noise of [`Scheme::Matched`], conditional on measurements.
    ///
    /// Its covariance is `(C⁻¹ + I/ε)⁻¹ = C − C (C + εI)⁻¹ C`, where `C` includes the prior. The noise
    /// is a draw of `N(0, C)` minus its regression on the draw plus noise of variance ε.
    fn match_noise(&mut self, x: &mut Array2<f64>) -> Result<()> {
        let (p, mean) = self.mean(x);
        let scales = self.bridge.kernel().local_scales(x.view());
        let places = x.rows_mut().into_iter().zip(p.rows()).zip(mean.rows()).zip(scales);
        for (((mut place, p), mean), scale) in places {
            let epsilon = self.bridge.epsilon().value() * scale;
            let (mut draw, spread) = self.like_cells(p, mean);
            let unknown = self.bridge.prior_step(epsilon) * p.dot(&p);
            draw += &(normal(place.len(), &mut self.stream) * &unknown.mapv(f64::sqrt));
            let mut seen = product(spread.view().reversed_axes(), spread.view());
            seen.diag_mut().zip_mut_with(&unknown, |value, unknown| *value += unknown + epsilon);
            let factor =
                Cholesky::new(seen.view()).ok_or_else(|| singular("the covariance of a step"))?;
            let look = &draw + &(normal(place.len(), &mut self.stream) * epsilon.sqrt());
            // C (C + εI)⁻¹ = I − ε (C + εI)⁻¹.
            let mut noise = &draw - &look + &(factor.solve(look.view()) * epsilon);
            if let Condition::Observed(observed) = self.condition.condition {
                let mut covariance = factor.inverse() * (-epsilon * epsilon);
                covariance.diag_mut().mapv_inplace(|value| value + epsilon);
                observed.settle(noise.view_mut(), covariance.view(), &mut self.stream)?;
            }
            place += &noise;
        }
        Ok(())
    }
}

/// The error for a matrix that must be positive definite.
fn singular(what: &'static str) -> Error {
    Error::Numerical { what, why: "it is not positive definite".into() }
}

/// `n` independent standard normal numbers.
fn normal(n: usize, stream: &mut impl Rng) -> Array1<f64> {
    Array1::from_shape_simple_fn(n, || StandardNormal.sample(stream))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Epsilon;
    use crate::data::Snapshot;
    use crate::progress::Silent;

    const SCHEMES: [Scheme; 5] = [
        Scheme::Langevin,
        Scheme::DataAware,
        Scheme::SplitStep,
        Scheme::Corrected,
        Scheme::Matched,
    ];

    fn cells(n: usize) -> Snapshot {
        let mut stream = Seed(5).stream("test/cells", 0);
        let mut points = Array2::<f64>::zeros((n, 3));
        points.mapv_inplace(|_| StandardNormal.sample(&mut stream));
        Snapshot::new(points * &array![1.0, 0.5, 2.0] + &array![40.0, -3.0, 0.0]).unwrap()
    }

    fn bridge(n: usize, epsilon: f64, neighbour: Option<usize>) -> SelfBridge {
        let epsilon = Epsilon::new(epsilon).unwrap();
        SelfBridge::new(&cells(n), epsilon, neighbour, &mut Silent).unwrap()
    }

    #[test]
    fn draws_depend_on_the_seed_and_not_on_threads() {
        for neighbour in [None, Some(6)] {
            let bridge = bridge(120, 0.4, neighbour);
            for scheme in SCHEMES {
                let sampler = Sampler { scheme, n_steps: 5 };
                let draw = |threads, seed| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    let draw = || sampler.sample(&bridge, 200, Seed(seed), &mut Silent);
                    pool.unwrap().install(draw).unwrap()
                };
                assert_eq!(draw(1, 3), draw(3, 3), "{scheme:?}");
                assert_ne!(draw(1, 3), draw(1, 4), "{scheme:?}");
            }
        }
    }

    #[test]
    fn what_is_held_stays_and_the_rest_follows_it() {
        let bridge = bridge(300, 0.3, None);
        let values = array![[40.5, -3.1], [39.0, -2.8]];
        let observed = Observed::columns(&[0, 1], 3, values, 0.0).unwrap();
        for scheme in [Scheme::SplitStep, Scheme::Corrected, Scheme::Matched] {
            let sampler = Sampler { scheme, n_steps: 10 };
            let given = observed.repeated(50);
            let draws = sampler.sample_given(&bridge, &given, Seed(1), &mut Silent).unwrap();
            for (i, row) in draws.rows().into_iter().enumerate() {
                let expected = if i < 50 { [40.5, -3.1] } else { [39.0, -2.8] };
                assert!((row[0] - expected[0]).abs() < 1e-9, "{scheme:?} {row}");
                assert!((row[1] - expected[1]).abs() < 1e-9, "{scheme:?} {row}");
            }
            assert!(draws.column(2).var(0.0) > 1.0, "{scheme:?}: the rest is free");
        }
    }

    #[test]
    fn refuses_no_steps_and_other_dimensions() {
        let bridge = bridge(30, 0.3, None);
        let none = Sampler { n_steps: 0, ..Sampler::default() };
        assert!(none.sample(&bridge, 3, Seed(0), &mut Silent).is_err());
        let other = Observed::columns(&[0], 2, array![[1.0]], 0.0).unwrap();
        let sampler = Sampler::default();
        assert!(sampler.sample_given(&bridge, &other, Seed(0), &mut Silent).is_err());
        assert_eq!(sampler.sample(&bridge, 0, Seed(0), &mut Silent).unwrap().dim(), (0, 3));
    }
}
