//! A linear drift that carries the mean and covariance of each group of cells to those of the next.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::grn::course::CourseCells;
use crate::grn::edge_matrix::EdgeMatrix;
use crate::grn::group_moments::Moments;
use crate::grn::moment_targets::Fitted;
use crate::linalg::{Cholesky, Lbfgs, product, product_nt, product_tn};

/// Variance of the noise per mean interval at which the fit starts.
const FIRST_NOISE: f64 = 0.1;

/// Number of steps that the minimisation remembers.
const MEMORY: usize = 20;

/// Number of genes above which each minimisation takes fewer steps.
const SMALL: usize = 60;

/// Number of genes from which intervals are worth a thread each. Those of fewer take less than a millisecond, and
/// threads would mostly wait for each other.
const WORTH_A_THREAD: usize = 64;

/// Smallest number of steps of a minimisation.
const LEAST_STEPS: usize = 25;

/// Steps end when the value falls by less than this fraction.
const TOLERANCE: f64 = 1e-8;

/// Fit of a linear process `dX = (A X + b) dt + √q dW` to the moments of all snapshots.
///
/// Over an interval of length Δ, the process carries a mean μ and a covariance Σ in `n_substeps`
/// Euler steps of length h: `μ ← μ + h(Aμ + b)` and `Σ ← (I + hA) Σ (I + hA)ᵀ + h diag(q)`. A, b
/// and q maximise the Gaussian likelihood of the next snapshot, whose mean and covariance are
/// compared with the carried ones. No pairs of cells are needed: the covariances of N genes at K + 1
/// times are `K N(N + 1)/2` equations for the N² entries of A.
///
/// Entries of A other than the diagonal have a ridge penalty `½ λ w a²`. The first fit has w = 1,
/// each of the `rounds` refits `w = 1/max(|a|/max|a|, floor)`, with a of the previous fit (adaptive
/// ridge, as [`AdaptiveRidge`](crate::grn::AdaptiveRidge)).
///
/// Source: the moments of a linear stochastic process (Särkkä & Solin 2019, section 6.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentFit {
    /// Penalty λ of the first fit, for standardised genes and a likelihood per cell; greater than 0.
    pub penalty: f64,
    /// Whether fits to snapshots choose their penalty by cells held out, among 10, 3, 1 and 0.3
    /// times `penalty`.
    pub held_out: bool,
    /// Number of refits with adapted penalties.
    pub rounds: usize,
    /// Smallest relative size in a penalty, in (0, 1].
    pub floor: f64,
    /// Number of Euler steps of an interval, at least 1.
    pub n_substeps: usize,
    /// Largest number of steps of each minimisation for up to 60 genes; in inverse proportion to the
    /// genes for more, but at least 25.
    pub max_steps: usize,
}

impl Default for MomentFit {
    fn default() -> Self {
        Self { penalty: 0.1, held_out: true, rounds: 3, floor: 0.05, n_substeps: 1, max_steps: 150 }
    }
}

/// The moments at both ends of an interval of length `length`.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    pub(super) earlier: Moments,
    pub(super) later: Moments,
    pub(super) length: f64,
}

/// The parameters of a linear process of N genes, or a gradient with respect to them.
#[derive(Debug, Clone)]
pub(super) struct Process {
    /// A, `(N, N)`: row for the gene that changes, column for the gene that acts.
    pub(super) drift: Array2<f64>,
    /// b, `(N)`.
    pub(super) constant: Array1<f64>,
    /// q, `(N)`, not negative.
    pub(super) noise: Array1<f64>,
}

/// The entries of A that are fitted, in a system of N genes; the others are fixed.
#[derive(Clone)]
pub(super) struct System {
    pub(super) intervals: Vec<Interval>,
    /// Entries of A that are fitted, row by row.
    free: Vec<(usize, usize)>,
    /// Genes whose constant and noise are fitted.
    rows: Vec<usize>,
    pub(super) start: Process,
}

impl MomentFit {
    /// Edges of the process that agrees best with neighbouring `groups` of cells.
    ///
    /// `groups` are rows of cells in the order of time, and `lengths` the lengths of the intervals
    /// between them in any unit. Cells count by their weights, earlier cells also by their growth.
    /// Importance is `|a|`, for genes of unit variance and the mean length of an interval; the sign
    /// is that of a. With R regulators, regulators are fitted first, then other genes given the
    /// regulators (by [`MomentFit::targets`]). Time `O(steps · K · R³)` for K intervals, and that of the
    /// other genes.
    ///
    /// The second result is how much worse the process fits than the moments themselves would: the
    /// mean excess of the negative log-likelihood per gene and interval, less what the sampling of
    /// cells causes.
    ///
    /// # Errors
    /// [`Error::Numerical`] if moments are not finite.
    pub(crate) fn edges(
        &self,
        cells: &CourseCells<'_>,
        groups: &[Vec<usize>],
        lengths: &[f64],
    ) -> Result<(EdgeMatrix, f64)> {
        let expression = cells.expression;
        let regulators = expression.regulators();
        let (n_regulators, n_genes) = (regulators.len(), expression.n_genes());
        let others: Vec<usize> =
            (0..n_genes).filter(|gene| regulators.binary_search(gene).is_err()).collect();
        let mut drift = Array2::zeros((n_regulators, n_genes));
        let core = System::of(cells, groups, lengths, regulators);
        let fitted = self.fit(&core, TOLERANCE)?;
        let misfit = core.misfit(&fitted, self.n_substeps);
        for (r, _) in regulators.iter().enumerate() {
            for (t, &target) in regulators.iter().enumerate() {
                drift[[r, target]] = fitted.drift[[t, r]];
            }
        }
        let core = Fitted { intervals: &core.intervals, process: &fitted };
        let of_others = self.targets(cells, groups, core, &others)?;
        for (column, &target) in of_others.columns().into_iter().zip(&others) {
            drift.column_mut(target).assign(&column);
        }
        let found = EdgeMatrix {
            importance: drift.mapv(f64::abs),
            strength: drift.mapv(f64::abs),
            evidence: drift,
            lag: lengths.iter().sum::<f64>() / lengths.len().max(1) as f64,
        };
        Ok((found, misfit))
    }

    /// The process of greatest penalised likelihood, after all rounds. Steps of a round end when the value falls by
    /// less than the fraction `tolerance`.
    pub(super) fn fit(&self, system: &System, tolerance: f64) -> Result<Process> {
        let mut penalties = vec![self.penalty; system.free.len()];
        for (penalty, (row, column)) in penalties.iter_mut().zip(&system.free) {
            if row == column {
                *penalty = 0.0;
            }
        }
        let mut point = system.pack(&system.start);
        let n = system.start.drift.nrows();
        let steps = (self.max_steps * SMALL / n.max(SMALL)).max(LEAST_STEPS);
        for round in 0..=self.rounds {
            let mut value = |point: &[f64], gradient: &mut [f64]| {
                system.value(point, gradient, &penalties, self.n_substeps)
            };
            let mut search = Lbfgs::new(point, MEMORY, &mut value);
            if !search.value().is_finite() {
                let why = "moments are not finite".into();
                return Err(Error::Numerical { what: "fitting moments of snapshots", why });
            }
            for _ in 0..steps {
                let before = search.value();
                let moved = search.step(&mut value);
                if !moved || before - search.value() < tolerance * before.abs().max(1.0) {
                    break;
                }
            }
            point = search.point().to_vec();
            if round < self.rounds {
                self.adapt(&mut penalties, &point, system);
            }
        }
        Ok(system.unpack(&point))
    }

    /// Sets the penalties of the next round from the fitted entries, the first of `point`.
    fn adapt(&self, penalties: &mut [f64], point: &[f64], system: &System) {
        let most = point[..system.free.len()].iter().fold(1e-12_f64, |most, a| most.max(a.abs()));
        for ((penalty, a), (row, column)) in penalties.iter_mut().zip(point).zip(&system.free) {
            if row != column {
                *penalty = self.penalty / (a.abs() / most).max(self.floor);
            }
        }
    }
}

impl System {
    /// The system of all pairs of `genes`.
    pub(super) fn of(
        cells: &CourseCells<'_>,
        groups: &[Vec<usize>],
        lengths: &[f64],
        genes: &[usize],
    ) -> Self {
        let mean = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        let intervals = groups
            .par_windows(2)
            .zip(lengths)
            .map(|(pair, &length)| {
                let mut weights = cells.weights.clone();
                if let Some(rates) = &cells.growth {
                    for &row in &pair[0] {
                        weights[row] *= (rates[row] * length).exp();
                    }
                }
                Interval {
                    earlier: Moments::of(cells, &pair[0], genes, weights.view()),
                    later: Moments::of(cells, &pair[1], genes, cells.weights.view()),
                    length: length / mean,
                }
            })
            .collect();
        let n = genes.len();
        let start = Process {
            drift: Array2::zeros((n, n)),
            constant: Array1::zeros(n),
            noise: Array1::from_elem(n, FIRST_NOISE),
        };
        let free = (0..n).flat_map(|row| (0..n).map(move |column| (row, column))).collect();
        Self { intervals, free, rows: (0..n).collect(), start }
    }

    /// Mean excess of the negative log-likelihood of `process` over that of the later moments
    /// themselves, per gene and interval, less the excess that sampling alone would cause.
    ///
    /// Moments of n cells differ from those of all cells by a divergence of `(N + 3)/(4n)` per gene
    /// in the mean (a mean and a covariance have `N(N + 3)/2` entries, each of which costs `1/(2n)`),
    /// at either end of an interval.
    fn misfit(&self, process: &Process, n_substeps: usize) -> f64 {
        let n = process.constant.len() as f64;
        let excess = |interval: &Interval| {
            let (value, _) = interval.value(process, n_substeps)?;
            let least = 0.5 * (n + Cholesky::new(interval.later.covariance.view())?.log_det());
            let cells = 1.0 / interval.earlier.n_cells + 1.0 / interval.later.n_cells;
            Some((value - least) / n - 0.25 * (n + 3.0) * cells)
        };
        let of: Vec<f64> = self.intervals.iter().filter_map(excess).collect();
        (of.iter().sum::<f64>() / of.len().max(1) as f64).max(0.0)
    }

    /// The fitted parameters in one list: entries of A, then constants, then logarithms of noise.
    fn pack(&self, process: &Process) -> Vec<f64> {
        let drift = self.free.iter().map(|&(row, column)| process.drift[[row, column]]);
        let constant = self.rows.iter().map(|&row| process.constant[row]);
        let noise = self.rows.iter().map(|&row| process.noise[row].ln());
        drift.chain(constant).chain(noise).collect()
    }

    /// The process of a list of parameters, as [`System::pack`] makes it.
    fn unpack(&self, point: &[f64]) -> Process {
        let mut process = self.start.clone();
        let (drift, rest) = point.split_at(self.free.len());
        let (constant, noise) = rest.split_at(self.rows.len());
        for (&(row, column), a) in self.free.iter().zip(drift) {
            process.drift[[row, column]] = *a;
        }
        for ((&row, b), q) in self.rows.iter().zip(constant).zip(noise) {
            process.constant[row] = *b;
            process.noise[row] = q.exp();
        }
        process
    }

    /// The penalised mean negative log-likelihood of the intervals, up to a constant, and its
    /// gradient. Not finite outside of the domain.
    fn value(
        &self,
        point: &[f64],
        gradient: &mut [f64],
        penalties: &[f64],
        n_substeps: usize,
    ) -> f64 {
        let process = self.unpack(point);
        let of_part = |part: &Interval| part.value(&process, n_substeps);
        let parts: Vec<Option<(f64, Process)>> = if process.constant.len() < WORTH_A_THREAD {
            self.intervals.iter().map(of_part).collect()
        } else {
            self.intervals.par_iter().map(of_part).collect()
        };
        gradient.fill(0.0);
        let share = 1.0 / self.intervals.len().max(1) as f64;
        let mut total = 0.0;
        let (n_free, n_rows) = (self.free.len(), self.rows.len());
        for part in parts {
            let Some((value, slope)) = part else { return f64::INFINITY };
            total += share * value;
            for (place, &(row, column)) in self.free.iter().enumerate() {
                gradient[place] += share * slope.drift[[row, column]];
            }
            for (place, &row) in self.rows.iter().enumerate() {
                gradient[n_free + place] += share * slope.constant[row];
                gradient[n_free + n_rows + place] += share * slope.noise[row] * process.noise[row];
            }
        }
        for ((slot, a), penalty) in gradient.iter_mut().zip(point).zip(penalties) {
            total += 0.5 * penalty * a * a;
            *slot += penalty * a;
        }
        total
    }
}

impl Interval {
    /// The negative log-likelihood `½(tr(P⁻¹E) + log det P)` of the later moments, and its gradient.
    /// P is the carried covariance, and E the second moment of later cells about the carried mean.
    /// `None` if P is not positive definite.
    pub(super) fn value(&self, process: &Process, n_substeps: usize) -> Option<(f64, Process)> {
        let h = self.length / n_substeps as f64;
        let mut step = &process.drift * h;
        step.diag_mut().mapv_inplace(|value| value + 1.0);
        let (mut mean, mut covariance) =
            (self.earlier.mean.clone(), self.earlier.covariance.clone());
        // Means before each Euler step, and the covariances times the step.
        let mut path = Vec::with_capacity(n_substeps);
        for _ in 0..n_substeps {
            let half = product(step.view(), covariance.view());
            covariance = product_nt(half.view(), step.view());
            covariance.diag_mut().scaled_add(h, &process.noise);
            let next = step.dot(&mean) + &process.constant * h;
            path.push((std::mem::replace(&mut mean, next), half));
        }
        let factor = Cholesky::new(covariance.view())?;
        let inverse = factor.inverse();
        let gap = &self.later.mean - &mean;
        let pulled = inverse.dot(&gap);
        let spread = product(inverse.view(), self.later.covariance.view());
        let value = 0.5 * (spread.diag().sum() + gap.dot(&pulled) + factor.log_det());
        let mut of_covariance = inverse.clone() - product(spread.view(), inverse.view());
        for (mut row, a) in of_covariance.rows_mut().into_iter().zip(&pulled) {
            row.scaled_add(-a, &pulled);
        }
        of_covariance *= 0.5;
        let mut of_mean = -pulled;
        let n = of_mean.len();
        let mut slope = Process {
            drift: Array2::zeros((n, n)),
            constant: Array1::zeros(n),
            noise: Array1::zeros(n),
        };
        for (place, (before, half)) in path.iter().enumerate().rev() {
            slope.drift.scaled_add(2.0 * h, &product(of_covariance.view(), half.view()));
            for (mut row, a) in slope.drift.rows_mut().into_iter().zip(&of_mean) {
                row.scaled_add(h * a, before);
            }
            slope.constant.scaled_add(h, &of_mean);
            slope.noise.scaled_add(h, &of_covariance.diag());
            if place > 0 {
                let half = product_tn(step.view(), of_covariance.view());
                of_covariance = product(half.view(), step.view());
                of_mean = step.t().dot(&of_mean);
            }
        }
        value.is_finite().then_some((value, slope))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Moments that follow the Euler steps of a known process exactly.
    fn followed(drift: &Array2<f64>, n_substeps: usize) -> System {
        let n = drift.nrows();
        let process = Process {
            drift: drift.clone(),
            constant: Array1::from_shape_fn(n, |i| 0.3 - 0.2 * i as f64),
            noise: Array1::from_elem(n, 0.05),
        };
        let mut moments = Moments {
            mean: Array1::from_shape_fn(n, |i| 0.5 * (i as f64 - 1.0)),
            covariance: Array2::from_shape_fn((n, n), |(i, j)| {
                if i == j { 0.6 + 0.1 * i as f64 } else { 0.1 / (1.0 + i as f64 + j as f64) }
            }),
            weights: Array1::zeros(0),
            n_cells: 1e9,
        };
        let mut intervals = Vec::new();
        for length in [0.8, 1.2, 1.0, 1.0, 0.7, 1.3] {
            let earlier = moments.clone();
            let h = length / n_substeps as f64;
            let step = Array2::<f64>::eye(n) + &(&process.drift * h);
            for _ in 0..n_substeps {
                moments.mean = step.dot(&moments.mean) + &process.constant * h;
                moments.covariance = step.dot(&moments.covariance).dot(&step.t());
                moments.covariance.diag_mut().scaled_add(h, &process.noise);
            }
            intervals.push(Interval { earlier, later: moments.clone(), length });
        }
        let start = Process {
            drift: Array2::zeros((n, n)),
            constant: Array1::zeros(n),
            noise: Array1::from_elem(n, FIRST_NOISE),
        };
        let free = (0..n).flat_map(|row| (0..n).map(move |column| (row, column))).collect();
        System { intervals, free, rows: (0..n).collect(), start }
    }

    fn known() -> Array2<f64> {
        array![[-0.4, 0.0, 0.5], [0.6, -0.3, 0.0], [0.0, -0.7, -0.2]]
    }

    #[test]
    fn the_gradient_is_that_of_the_likelihood() {
        for n_substeps in [1, 3] {
            let system = followed(&known(), 2);
            let penalties: Vec<f64> = (0..9).map(|i| 0.1 * f64::from(i)).collect();
            let point: Vec<f64> =
                (0..15).map(|i| 0.3 * (f64::from(i) * 1.7).sin() - 0.02 * f64::from(i)).collect();
            let mut gradient = vec![0.0; 15];
            system.value(&point, &mut gradient, &penalties, n_substeps);
            let mut unused = vec![0.0; 15];
            for i in 0..15 {
                let mut at = |shift: f64| {
                    let mut moved = point.clone();
                    moved[i] += shift;
                    system.value(&moved, &mut unused, &penalties, n_substeps)
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - gradient[i]).abs() < 1e-6, "{i}: {slope} {}", gradient[i]);
            }
        }
    }

    #[test]
    fn the_value_is_the_gaussian_cross_entropy_of_one_gene() {
        let moments = |mean: f64, variance: f64| Moments {
            mean: array![mean],
            covariance: array![[variance]],
            weights: Array1::zeros(0),
            n_cells: 1e9,
        };
        let interval =
            Interval { earlier: moments(1.0, 2.0), later: moments(0.5, 1.5), length: 2.0 };
        let process = Process { drift: array![[-0.25]], constant: array![0.5], noise: array![0.3] };
        // Mean 0.5·1 + 1 = 1.5, variance 0.25·2 + 0.6 = 1.1; E = 1.5 + 1².
        let (value, _) = interval.value(&process, 1).unwrap();
        assert!((value - 0.5 * (2.5 / 1.1 + 1.1_f64.ln())).abs() < 1e-12);
    }

    #[test]
    fn a_process_that_moments_follow_is_found_with_its_direction() {
        for n_substeps in [1, 3] {
            let fit = MomentFit { penalty: 1e-7, rounds: 0, n_substeps, ..MomentFit::default() };
            let found = fit.fit(&followed(&known(), n_substeps), TOLERANCE).unwrap();
            let gap = (&found.drift - &known()).mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
            assert!(gap < 0.02, "{:?}", found.drift);
            let system = followed(&known(), n_substeps);
            assert!(system.misfit(&found, n_substeps) < 1e-4);
            assert!(system.misfit(&system.start, n_substeps) > 0.1);
        }
    }

    #[test]
    fn a_penalty_shrinks_what_moments_do_not_need() {
        let system = followed(&known(), 1);
        let free = MomentFit { rounds: 0, ..MomentFit::default() }.fit(&system, TOLERANCE).unwrap();
        let adapted = MomentFit::default().fit(&system, TOLERANCE).unwrap();
        // No edge from gene 0 to gene 2: the adaptive rounds bring it nearer to zero.
        let share = |of: &Process| of.drift[[2, 0]].abs() / of.drift[[2, 1]].abs();
        assert!(share(&adapted) < share(&free), "{} {}", share(&adapted), share(&free));
    }
}
