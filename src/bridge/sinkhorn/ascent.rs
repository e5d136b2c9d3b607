//! Maximisation of the dual: decreasing ε, Sinkhorn iterations far away, Newton steps near the optimum.

use crate::bridge::sinkhorn::dual::{Care, Dual, Point};
use crate::bridge::sinkhorn::held::HeldKernel;
use crate::bridge::sinkhorn::kernel::DenseKernel;
use crate::bridge::sinkhorn::sides::{Both, Kernel, Side};
use crate::bridge::sinkhorn::sparse::SparseKernel;
use crate::error::Result;
use crate::progress::{Event, Progress, report};

/// The first ε in units of the mean cost.
const FIRST: f64 = 0.5;
/// The approximate factor from one ε to the next.
const FACTOR: f64 = 0.25;

/// Marginal error at which the solver continues with the next ε.
const LOOSE: f64 = 0.05;

/// Newton steps are tried below this marginal error.
const NEAR: f64 = 0.3;
/// Newton steps are also tried after this number of Sinkhorn iterations.
const MOST_PLAIN: usize = 10;

/// Largest number of products with the coupling for one Newton step.
const MOST_PRODUCTS: usize = 200;

/// Largest fraction of a cell's mass that omitted pairs may have, in units of the marginal error
/// that is aimed at.
const NEGLIGIBLE: f64 = 0.01;

/// Smallest damping of Newton steps; below it they are not damped.
const LEAST_DAMPING: f64 = 1e-4;

/// Largest change of a potential in one Newton step, in units of ε.
pub(super) const FARTHEST: f64 = 64.0;

/// Largest decrease of the dual that counts as rounding, relative to its value.
const ROUNDING: f64 = 1e-12;

/// When the maximisation stops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// Marginal error, the larger one of both sides.
    pub(super) tolerance: f64,
    /// Largest number of pairs of passes over the kernel.
    pub(super) max_iterations: usize,
}

/// The result. Potentials are in units of the cost.
#[derive(Debug)]
pub(super) struct Found {
    /// Potential f of the source cells.
    pub(super) source: Vec<f64>,
    /// Potential g of the target cells.
    pub(super) target: Vec<f64>,
    /// Number of pairs of passes over the kernel.
    pub(super) iterations: usize,
    /// Marginal errors of each cell, recomputed over all pairs.
    pub(super) errors: Both,
    /// Value of the dual at the end, in units of the cost.
    pub(super) value: f64,
    /// Value of the dual at `f = 0` with its optimal g.
    pub(super) start_value: f64,
    /// Number of pairs of the last sparse kernel, or of all pairs.
    pub(super) n_pairs: usize,
}

/// Why a maximisation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The marginal error is small enough.
    Reached,
    /// The limit of iterations was reached.
    OutOfIterations,
    /// The potentials moved too far for the kernel.
    Outdated,
}

/// The maximisation with its counters.
pub(super) struct Ascent<'a> {
    /// When to stop.
    pub(super) goal: Goal,
    /// Receives the number of iterations.
    pub(super) progress: &'a mut dyn Progress,
    /// Number of iterations so far.
    pub(super) done: usize,
    /// Damping of the next Newton step.
    pub(super) damping: f64,
    /// Largest change of a potential in the next Newton step, in units of ε.
    pub(super) reach: f64,
}

impl Ascent<'_> {
    /// Maximises the dual for `epsilon`, with marginals `masses`, penalties `lambdas` (infinite for
    /// a kept marginal) and the kernels `kernel_at(ε)`. `mean_cost` determines the first ε.
    pub(super) fn run<'k>(
        &mut self,
        kernel_at: &dyn Fn(f64) -> DenseKernel<'k>,
        masses: &Both,
        lambdas: [f64; 2],
        mean_cost: f64,
        epsilon: f64,
    ) -> Result<Found> {
        let mut source = vec![0.0; masses.source.len()];
        let kernel = kernel_at(epsilon);
        // If no cost is above 80 ε, the kernel has no vanishing rows, and ε need not decrease from a
        // larger value.
        let unscaled = HeldKernel::unscaled(&kernel, self.goal.tolerance);
        let dual = Dual::new(masses.clone(), lambdas.map(|lambda| lambda / epsilon));
        let start_value = epsilon
            * match &unscaled {
                Some(held) => dual.value_at(held, &source),
                None => dual.value_at(&kernel, &source),
            };
        for now in if unscaled.is_some() { vec![] } else { above(epsilon, FIRST * mean_cost) } {
            let dual = Dual::new(masses.clone(), lambdas.map(|lambda| lambda / now));
            let potential = source.iter().map(|f| f / now).collect();
            let point = self.stage(&dual, &kernel_at(now), potential, LOOSE)?.0;
            source = dual.next(&point).iter().map(|p| p * now).collect();
        }
        let potential = source.iter().map(|f| f / epsilon).collect();
        let last = self.last(&dual, &kernel, unscaled, potential)?;
        Ok(Found { start_value: start_value.min(last.value), ..last })
    }

    /// The final ε: continues until the errors over all pairs are small enough.
    fn last(
        &mut self,
        dual: &Dual,
        kernel: &DenseKernel<'_>,
        mut unscaled: Option<HeldKernel<'_>>,
        start: Vec<f64>,
    ) -> Result<Found> {
        let mut goal = self.goal.tolerance;
        let mut start = start;
        loop {
            let (point, n_pairs) = match unscaled.take() {
                Some(held) => {
                    let start = dual.at(&held, start);
                    self.count(1)?;
                    (self.ascend(dual, &held, start, goal)?.0, kernel.n_all())
                }
                None => self.stage(dual, kernel, start, goal)?,
            };
            let epsilon = kernel.epsilon();
            let source = dual.next(&point);
            let potentials = Both { source, target: point.potentials.target };
            let errors = errors(dual, kernel, &potentials);
            let sum = |side| errors.of(side).iter().sum::<f64>();
            let largest = f64::max(sum(Side::Source), sum(Side::Target));
            let scaled = |side| potentials.of(side).iter().map(|p| p * epsilon).collect();
            if largest <= self.goal.tolerance || self.left() == 0 || goal < 1e-15 {
                return Ok(Found {
                    source: scaled(Side::Source),
                    target: scaled(Side::Target),
                    iterations: self.done,
                    errors,
                    value: epsilon * point.value,
                    start_value: 0.0,
                    n_pairs,
                });
            }
            (start, goal) = (potentials.source, 0.25 * goal);
        }
    }

    /// One ε: selects the pairs of relevant mass, or stores all pairs, and repeats this when the
    /// potentials have moved too far.
    fn stage(
        &mut self,
        dual: &Dual,
        dense: &DenseKernel<'_>,
        start: Vec<f64>,
        goal: f64,
    ) -> Result<(Point, usize)> {
        let mut point = dual.at(dense, start);
        self.count(1)?;
        loop {
            let (near, n_pairs) = near(dual, dense, &point, goal);
            let (next, end) = match &near {
                Some(near) => {
                    let from = dual.at(&**near, point.potentials.source.clone());
                    self.ascend(dual, &**near, from, goal)?
                }
                None => self.ascend(dual, dense, point.clone(), goal)?,
            };
            if end != End::Outdated {
                return Ok((next, n_pairs));
            }
            // The dual must have risen over all pairs, not only over those that were kept.
            let checked = dual.at(dense, next.potentials.source);
            self.count(1)?;
            if checked.value >= point.value - ROUNDING * point.value.abs() {
                self.reach = (2.0 * self.reach).min(FARTHEST);
                point = checked;
            } else {
                self.reach = (0.25 * self.reach).max(1.0);
                self.count(1)?;
                point = dual.at(dense, dual.next(&point));
            }
        }
    }

    /// Maximises the dual with one kernel: Sinkhorn iterations while the marginal error is large,
    /// Newton steps when it is below 0.3 or after ten iterations. A Newton step that does not raise
    /// the dual is replaced by a Sinkhorn iteration.
    fn ascend(
        &mut self,
        dual: &Dual,
        kernel: &dyn Kernel,
        start: Point,
        goal: f64,
    ) -> Result<(Point, End)> {
        let mut point = start;
        let mut n_plain = 0;
        loop {
            if point.error <= goal {
                return Ok((point, End::Reached));
            }
            if self.left() == 0 {
                return Ok((point, End::OutOfIterations));
            }
            if !kernel.covers(&point.potentials) {
                return Ok((point, End::Outdated));
            }
            let newton = point.error < NEAR || n_plain >= MOST_PLAIN;
            let next = if newton { self.newton(dual, kernel, &point, goal)? } else { None };
            n_plain = if newton { 0 } else { n_plain + 1 };
            point = if let Some(next) = next {
                next
            } else {
                self.count(1)?;
                dual.at(kernel, dual.next(&point))
            };
        }
    }

    /// One Newton step, shortened until the dual rises; `None` if it does not.
    fn newton(
        &mut self,
        dual: &Dual,
        kernel: &dyn Kernel,
        point: &Point,
        goal: f64,
    ) -> Result<Option<Point>> {
        /// Shortest step that is tried, relative to the first.
        const SHORTEST: f64 = 1e-3;
        let care = Care {
            tolerance: point.error.max(0.3 * goal / point.error).clamp(1e-4, 0.1),
            most: MOST_PRODUCTS.min(self.left()),
            damping: self.damping,
        };
        let (step, slope, n_products) = dual.newton_step(kernel, point, care);
        self.count(n_products)?;
        // After a long step other pairs matter than those from which it was computed.
        let farthest = step.iter().fold(0.0, |most: f64, part| most.max(part.abs()));
        let full = if farthest > self.reach { self.reach / farthest } else { 1.0 };
        let mut length = full;
        while length > SHORTEST * full && self.left() > 0 {
            let start = &point.potentials.source;
            let moved = start.iter().zip(&step).map(|(p, step)| p + length * step).collect();
            let next = dual.at(kernel, moved);
            self.count(1)?;
            let risen = next.value >= point.value + 1e-4 * length * slope;
            let level = next.value >= point.value - ROUNDING * point.value.abs();
            if next.error.is_finite() && (risen || level && next.error < 0.5 * point.error) {
                // Groups of cells that exchange little mass make steps too long in a few
                // directions. Damping shortens only those.
                self.damping = if length < full {
                    (4.0 * self.damping).clamp(LEAST_DAMPING, 1.0)
                } else if self.damping > LEAST_DAMPING {
                    0.25 * self.damping
                } else {
                    0.0
                };
                return Ok(Some(next));
            }
            length *= 0.3;
        }
        self.damping = (16.0 * self.damping).clamp(LEAST_DAMPING, 1.0);
        Ok(None)
    }

    /// Number of iterations that are left.
    fn left(&self) -> usize {
        self.goal.max_iterations.saturating_sub(self.done)
    }

    /// Counts pairs of passes over the kernel and reports them.
    fn count(&mut self, n: usize) -> Result<()> {
        self.done = self.goal.max_iterations.min(self.done + n);
        report(self.progress, Event::Step { done: self.done as u64 })
    }
}

/// The values of ε from `first` down to `epsilon`, without `epsilon` itself, in equal ratios.
fn above(epsilon: f64, first: f64) -> Vec<f64> {
    let n_steps = ((epsilon / first).ln() / FACTOR.ln()).round().max(0.0);
    let factor = (epsilon / first).powf(1.0 / n_steps.max(1.0));
    (0..n_steps as usize).map(|step| first * factor.powi(step as i32)).collect()
}

/// The kernel for steps from `point`, and its number of pairs: a sparse kernel if few pairs matter,
/// a stored one if it fits into memory, else `None`.
fn near<'a>(
    dual: &Dual,
    dense: &'a DenseKernel<'_>,
    point: &Point,
    goal: f64,
) -> (Option<Box<dyn Kernel + 'a>>, usize) {
    let generous = dual.generous(point);
    if let Some(sparse) = SparseKernel::new(dense, &generous, NEGLIGIBLE * goal) {
        let n_pairs = sparse.n_pairs();
        return (Some(Box::new(sparse)), n_pairs);
    }
    let held = HeldKernel::new(dense, generous, goal);
    (held.map(|held| Box::new(held) as Box<dyn Kernel + 'a>), dense.n_all())
}

/// `|P1 − wanted|` of every cell over all pairs.
fn errors(dual: &Dual, dense: &DenseKernel<'_>, potentials: &Both) -> Both {
    let sums = dense.marginals(&dual.logs(potentials));
    let error = |side: Side| {
        let wanted = dual.wanted(side, potentials.of(side));
        sums.of(side).iter().zip(wanted).map(|(sum, wanted)| (sum - wanted).abs()).collect()
    };
    Both { source: error(Side::Source), target: error(Side::Target) }
}
