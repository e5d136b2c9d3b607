//! Sinkhorn scalings of one coupling to many pairs of marginals at once.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::error::Result;
use crate::linalg::Anderson;

/// Largest number of iterations.
const MOST_ROUNDS: usize = 100;
/// The last iterations are not accelerated, since only plain ones never increase the error.
const PLAIN_ROUNDS: usize = 5;
/// Marginal error of the source at which they stop.
const ROWS_OFF: f64 = 1e-4;
/// Change of the source marginal at which they stop as well: no scaling comes closer.
const STANDS: f64 = 1e-6;
/// An error above this multiple of the smallest one so far ends an extrapolation.
const ASTRAY: f64 = 2.0;
/// Largest logarithm of a factor; sums over pairs are then finite.
const FARTHEST: f64 = 500.0;
/// Number of pairs of marginals that are scaled together. It bounds the memory.
const TOGETHER: usize = 128;

/// Products with the ratios `K_ij = T_ij / (r_i c_j)` of a coupling T with marginals r and c.
pub(super) trait Ratios {
    /// `Σ_j K_ij b_cj` for each row c of `b`, k × n_target; k × n_source.
    fn pull(&self, b: ArrayView2<'_, f64>) -> Result<Array2<f64>>;

    /// `Σ_i a_ci K_ij` for each row c of `a`, k × n_source; k × n_target.
    fn push(&self, a: ArrayView2<'_, f64>) -> Result<Array2<f64>>;

    /// Sums below this are not known well enough.
    fn least(&self) -> f64;

    /// Whether extrapolation helps. It does not if pairs are missing, since there may then be no
    /// scaling to the wanted marginals.
    fn is_complete(&self) -> bool;
}

/// Factors a and b such that `a_i K_ij b_j` has the wanted marginals.
#[derive(Debug)]
pub(super) struct Factors {
    /// Factors of the source cells, k × n_source.
    pub(super) source: Array2<f64>,
    /// Factors of the target cells, k × n_target.
    pub(super) target: Array2<f64>,
    /// Whether each of the k scalings had sums below [`Ratios::least`] or that were not finite. Its
    /// factors then mean nothing.
    pub(super) lost: Vec<bool>,
}

/// Wanted marginals, each row one pair of them: k × n_source and k × n_target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Wanted masses of the source cells.
    pub(super) source: ArrayView2<'a, f64>,
    /// Wanted masses of the target cells.
    pub(super) target: ArrayView2<'a, f64>,
}

/// Scales `ratios` to `wanted` marginals by Sinkhorn iterations, which are extrapolated by Anderson
/// acceleration if all pairs have mass. `progress` is told the done share, from 0 to 1.
///
/// Target marginals are exact. Source marginals are within 1e-4 (sum of absolute differences), or
/// as close as 100 iterations come. An iteration takes one pull and one push for the pairs of
/// marginals that are not yet reached. Memory: about 150 bytes for each source cell and 50 bytes
/// for each target cell, for each of at most 128 pairs of marginals that are scaled together.
///
/// Source of the acceleration: Chizat, Roussillon, Léger, Vialard, Peyré 2020 (arXiv 2006.08172).
///
/// # Errors
/// Those of the products and of `progress`.
pub(super) fn rescale(
    ratios: &dyn Ratios,
    wanted: Wanted<'_>,
    progress: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<Factors> {
    let mut source = Array2::zeros(wanted.source.dim());
    let mut target = Array2::zeros(wanted.target.dim());
    let k = wanted.source.nrows();
    let mut lost = Vec::with_capacity(k);
    for first in (0..k).step_by(TOGETHER) {
        let group = first..k.min(first + TOGETHER);
        let mut scalings: Vec<Scaling> = group
            .clone()
            .map(|row| Scaling::new(wanted.source.row(row), wanted.target.row(row)))
            .collect();
        let mut done: f64 = 0.0;
        for round in 0..MOST_ROUNDS {
            let share = scalings.iter().map(Scaling::done).sum::<f64>() / group.len() as f64;
            done = done.max(share).max(round as f64 / MOST_ROUNDS as f64);
            progress((first as f64 + done * group.len() as f64) / k as f64)?;
            if !iterate(ratios, &mut scalings, round)? {
                break;
            }
        }
        for (row, scaling) in group.zip(scalings) {
            source.row_mut(row).assign(&ArrayView1::from(&scaling.a));
            target.row_mut(row).assign(&ArrayView1::from(&scaling.b));
            lost.push(scaling.state == State::Lost);
        }
    }
    progress(1.0)?;
    Ok(Factors { source, target, lost })
}

/// One iteration of the scalings that are not done; `false` if all are.
fn iterate(ratios: &dyn Ratios, scalings: &mut [Scaling], round: usize) -> Result<bool> {
    let least = ratios.least();
    let extrapolates = ratios.is_complete() && round + PLAIN_ROUNDS < MOST_ROUNDS;
    let mut open: Vec<&mut Scaling> =
        scalings.iter_mut().filter(|scaling| scaling.state == State::Open).collect();
    if open.is_empty() {
        return Ok(false);
    }
    let columns = ratios.push(stacked(open.iter().map(|scaling| &scaling.a)).view())?;
    let with = |sums: &Array2<f64>, open: &mut [&mut Scaling], work: Work<'_>| {
        let sums: Vec<ArrayView1<'_, f64>> = sums.rows().into_iter().collect();
        open.par_iter_mut().zip(sums).for_each(|(scaling, sums)| work(scaling, sums));
    };
    with(&columns, &mut open, &|scaling, sums| scaling.match_target(sums, least));
    let rows = ratios.pull(stacked(open.iter().map(|scaling| &scaling.b)).view())?;
    let is_last = round + 1 == MOST_ROUNDS;
    with(&rows, &mut open, &|scaling, sums| {
        scaling.compare_source(sums, least);
        if scaling.state == State::Open && !is_last {
            scaling.step(sums, extrapolates);
        }
    });
    Ok(true)
}

/// Work on one scaling with the sums of a product.
type Work<'a> = &'a (dyn Fn(&mut Scaling, ArrayView1<'_, f64>) + Sync);

/// Vectors of equal length as rows.
fn stacked<'a>(rows: impl ExactSizeIterator<Item = &'a Vec<f64>>) -> Array2<f64> {
    let k = rows.len();
    let values: Vec<f64> = rows.flatten().copied().collect();
    let n = values.len() / k.max(1);
    Array2::from_shape_vec((k, n), values).unwrap_or_default()
}

/// How far a scaling is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its marginals are not yet reached.
    Open,
    /// It is as close as it gets.
    Done,
    /// Its sums are not known well enough.
    Lost,
}

/// The scaling to one pair of marginals.
#[derive(Debug)]
struct Scaling {
    /// Wanted source masses p.
    p: Vec<f64>,
    /// Wanted target masses q.
    q: Vec<f64>,
    /// Logarithms of the factors of the source cells.
    log_a: Vec<f64>,
    /// Factors of the source cells.
    a: Vec<f64>,
    /// Factors of the target cells.
    b: Vec<f64>,
    /// Source masses in the last iteration.
    masses: Vec<f64>,
    /// The last iterations.
    anderson: Anderson,
    /// Marginal error of the first iteration and the smallest one.
    errors: Option<(f64, f64)>,
    /// Whether it is done.
    state: State,
}

impl Scaling {
    /// Before the first iteration: `a = p`, which is right if `q` is the marginal of the coupling.
    fn new(p: ArrayView1<'_, f64>, q: ArrayView1<'_, f64>) -> Self {
        let (p, q) = (p.to_vec(), q.to_vec());
        Self {
            log_a: p.iter().map(|p| p.ln()).collect(),
            a: p.clone(),
            b: vec![0.0; q.len()],
            masses: vec![0.0; p.len()],
            anderson: Anderson::default(),
            errors: None,
            state: State::Open,
            p,
            q,
        }
    }

    /// The done share of the way from the first error to the last, on a logarithmic scale.
    fn done(&self) -> f64 {
        match (self.state, self.errors) {
            (State::Open, None) => 0.0,
            (State::Open, Some((first, least))) if first > ROWS_OFF => {
                ((first / least).ln() / (first / ROWS_OFF).ln()).clamp(0.0, 1.0)
            }
            _ => 1.0,
        }
    }

    /// `b = q / sums`, so that the target marginal is exact.
    fn match_target(&mut self, sums: ArrayView1<'_, f64>, least: f64) {
        for ((b, q), sum) in self.b.iter_mut().zip(&self.q).zip(sums) {
            if *q > 0.0 && !(*sum >= least && sum.is_finite()) {
                self.state = State::Lost;
            }
            *b = if *q > 0.0 && *sum > 0.0 { q / sum } else { 0.0 };
        }
    }

    /// Compares the source marginal `a · sums` with p.
    fn compare_source(&mut self, sums: ArrayView1<'_, f64>, least: f64) {
        let (mut error, mut change) = (0.0, 0.0);
        for (i, sum) in sums.iter().enumerate().filter(|entry| self.p[entry.0] > 0.0) {
            if !(*sum >= least && sum.is_finite()) {
                self.state = State::Lost;
            }
            let mass = self.a[i] * sum;
            error += (mass - self.p[i]).abs();
            change += (mass - self.masses[i]).abs();
            self.masses[i] = mass;
        }
        if self.state == State::Lost {
            return;
        }
        let (first, smallest) = self.errors.unwrap_or((error, error));
        if error <= ROWS_OFF || self.errors.is_some() && change <= STANDS {
            self.state = State::Done;
        }
        if error > ASTRAY * smallest {
            self.anderson.forget();
        }
        self.errors = Some((first, smallest.min(error)));
    }

    /// The next factors of the source: `p / sums`, extrapolated if asked for.
    fn step(&mut self, sums: ArrayView1<'_, f64>, extrapolates: bool) {
        let mut next = self.log_a.clone();
        let mut residual = vec![0.0; next.len()];
        for (i, sum) in sums.iter().enumerate() {
            // A cell without drawn partners has no mass, from the first iteration on.
            if self.a[i] > 0.0 && *sum > 0.0 {
                next[i] = (self.p[i] / sum).ln();
                residual[i] = next[i] - self.log_a[i];
            } else {
                next[i] = f64::NEG_INFINITY;
            }
        }
        if extrapolates {
            // Infinite differences would spread.
            let finite = |x: f64| if x.is_finite() { x } else { 0.0 };
            let bounded = next.iter().map(|x| finite(*x)).collect();
            let ahead = self.anderson.next(bounded, residual, &self.p);
            for (next, ahead) in next.iter_mut().zip(ahead).filter(|pair| pair.0.is_finite()) {
                *next = ahead;
            }
        }
        for ((a, log), next) in self.a.iter_mut().zip(&mut self.log_a).zip(next) {
            *log = next.min(FARTHEST);
            *a = log.exp();
        }
    }
}
