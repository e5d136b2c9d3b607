//! The dual problem as a function of the source potential alone, its slope and curvature.

use crate::bridge::sinkhorn::sides::{Both, Kernel, Plan, Side};

/// Marginals and how strictly they are kept; potentials are in units of ε.
///
/// The plan is `P_ij = a_i b_j exp(φ_i + γ_j − C_ij/ε)`. A marginal that is kept must be `a`; one
/// that is relaxed with `ρ = λ/ε` must be `a exp(−φ/ρ)`, where the penalty `λ KL(·‖a)` has its
/// least value.
#[derive(Debug)]
pub(super) struct Dual {
    /// Masses, all positive.
    pub(super) masses: Both,
    pub(super) log_masses: Both,
    /// `λ/ε` of source and target; infinite if kept.
    pub(super) stiffness: [f64; 2],
}

/// The dual function at a source potential, with the best target potential for it.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) potentials: Both,
    /// `ln Σ_j b_j exp(γ_j − C_ij/ε)`: minus this (times τ) would be the next `φ`.
    pub(super) log_rows: Vec<f64>,
    /// Value of the dual in units of ε; higher is better.
    pub(super) value: f64,
    /// `‖P1 − wanted‖₁` of the source; that of the target is zero.
    pub(super) error: f64,
}

/// How exactly Newton's step is to be found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Care {
    /// Residual of the linear system, as a share of its right side.
    pub(super) tolerance: f64,
    /// Products with the plan at most.
    pub(super) most: usize,
    /// What is added to the curvature, in units of its diagonal (Levenberg).
    pub(super) damping: f64,
}

impl Dual {
    pub(super) fn new(masses: Both, stiffness: [f64; 2]) -> Self {
        let logs = |masses: &[f64]| masses.iter().map(|mass| mass.ln()).collect();
        let log_masses = Both { source: logs(&masses.source), target: logs(&masses.target) };
        Self { masses, log_masses, stiffness }
    }

    fn stiffness_of(&self, side: Side) -> f64 {
        match side {
            Side::Source => self.stiffness[0],
            Side::Target => self.stiffness[1],
        }
    }

    /// `τ = λ / (λ + ε)`, one for a marginal that is kept.
    pub(super) fn damping(&self, side: Side) -> f64 {
        1.0 / (1.0 + 1.0 / self.stiffness_of(side))
    }

    /// Potentials plus logarithms of masses: the logarithms of the plan's two factors.
    pub(super) fn logs(&self, potentials: &Both) -> Both {
        let sum = |side| {
            let pairs = potentials.of(side).iter().zip(self.log_masses.of(side));
            pairs.map(|(potential, log)| potential + log).collect()
        };
        Both { source: sum(Side::Source), target: sum(Side::Target) }
    }

    /// The marginal that belongs to a potential: the masses, or what relaxing makes of them.
    pub(super) fn wanted(&self, side: Side, potential: &[f64]) -> Vec<f64> {
        let softness = 1.0 / self.stiffness_of(side);
        let masses = self.masses.of(side);
        masses.iter().zip(potential).map(|(mass, p)| mass * (-p * softness).exp()).collect()
    }

    /// The part of the dual's value that belongs to one side: `Σ a φ`, or its relaxed form
    /// `ρ Σ a (1 − exp(−φ/ρ))`.
    fn value_of(&self, side: Side, potential: &[f64]) -> f64 {
        let stiffness = self.stiffness_of(side);
        let gain = |p: f64| {
            if stiffness.is_infinite() { p } else { -stiffness * (-p / stiffness).exp_m1() }
        };
        self.masses.of(side).iter().zip(potential).map(|(mass, p)| mass * gain(*p)).sum()
    }

    /// `−τ ln Σ_j exp(−C_ij/ε + other_j + ln b_j)`: the best potential of `side` for `other`.
    pub(super) fn best(&self, kernel: &dyn Kernel, side: Side, other: &[f64]) -> Vec<f64> {
        let damping = self.damping(side);
        let logs = self.log_masses.of(side.other());
        let other: Vec<f64> = other.iter().zip(logs).map(|(p, log)| p + log).collect();
        let mut best = kernel.log_sums(side, &other);
        for sum in &mut best {
            *sum *= -damping;
        }
        best
    }

    /// The dual function at `source`: one pass for the target's potential, one for the rows.
    pub(super) fn at(&self, kernel: &dyn Kernel, source: Vec<f64>) -> Point {
        let target = self.best(kernel, Side::Target, &source);
        let logs = target.iter().zip(&self.log_masses.target).map(|(p, log)| p + log);
        let log_rows = kernel.log_sums(Side::Source, &logs.collect::<Vec<_>>());
        let wanted = self.wanted(Side::Source, &source);
        let rows = self.rows(&source, &log_rows);
        let error = rows.iter().zip(&wanted).map(|(row, wanted)| (row - wanted).abs()).sum();
        let value = self.value(&source, &target);
        Point { potentials: Both { source, target }, log_rows, value, error }
    }

    /// The dual at `source` and the best target potential for it, in one pass.
    pub(super) fn value_at(&self, kernel: &dyn Kernel, source: &[f64]) -> f64 {
        self.value(source, &self.best(kernel, Side::Target, source))
    }

    /// The dual at `source` and its best `target`, where the target's marginal is as wanted, so
    /// that the plan has the mass of that.
    fn value(&self, source: &[f64], target: &[f64]) -> f64 {
        let mass: f64 = self.wanted(Side::Target, target).iter().sum();
        self.value_of(Side::Source, source) + self.value_of(Side::Target, target) - mass + 1.0
    }

    fn rows(&self, source: &[f64], log_rows: &[f64]) -> Vec<f64> {
        let pairs = self.masses.source.iter().zip(source).zip(log_rows);
        pairs.map(|((mass, p), log)| mass * (p + log).exp()).collect()
    }

    /// Sinkhorn's next source potential.
    pub(super) fn next(&self, point: &Point) -> Vec<f64> {
        let damping = self.damping(Side::Source);
        point.log_rows.iter().map(|log| -damping * log).collect()
    }

    /// Potentials not below those of `point` for which every cell of both sides has pairs that
    /// matter, even if rows are not yet as wanted or relaxing leaves a cell hardly any mass.
    pub(super) fn generous(&self, point: &Point) -> Both {
        let damping = self.damping(Side::Target);
        let source = point.potentials.source.iter().zip(&point.log_rows);
        let target = point.potentials.target.iter();
        Both {
            source: source.map(|(p, log)| p.max(-log)).collect(),
            target: target.map(|p| p.max(p / damping)).collect(),
        }
    }

    /// Newton's step from `point`, by conjugate gradients: solves
    /// `((1 + μ) diag(P1 + wanted/ρ) − P diag(τ/Pᵀ1) Pᵀ) δ = wanted − P1` with the damping μ; a row
    /// that has next to nothing yet counts as what is wanted of it, or its step would have no end.
    /// Returns the step, its slope (the derivative of the dual along it) and the number of
    /// products with the plan.
    ///
    /// The matrix is minus the second derivative of the dual, and Sinkhorn's iteration is the
    /// same system solved by the simplest iteration: conjugate gradients need about the square
    /// root of its number of steps.
    pub(super) fn newton_step(
        &self,
        kernel: &dyn Kernel,
        point: &Point,
        care: Care,
    ) -> (Vec<f64>, f64, usize) {
        let logs = self.logs(&point.potentials);
        let plan = kernel.plan(&logs);
        let rows = self.rows(&point.potentials.source, &point.log_rows);
        let wanted = self.wanted(Side::Source, &point.potentials.source);
        let softness = 1.0 / self.stiffness[0];
        let columns = self.wanted(Side::Target, &point.potentials.target);
        let curvature = Curvature {
            plan: &*plan,
            diagonal: rows
                .iter()
                .zip(&wanted)
                .map(|(r, w)| (1.0 + care.damping) * (r.max(*w) + w * softness))
                .collect(),
            share: columns.iter().map(|c| self.damping(Side::Target) / c.max(1e-300)).collect(),
        };
        let slope: Vec<f64> = wanted.iter().zip(&rows).map(|(w, r)| w - r).collect();
        let (step, n_products) = curvature.solve(&slope, care.tolerance, care.most);
        let along = dot(&slope, &step);
        (step, along, n_products)
    }
}

/// Minus the second derivative of the dual, as what it does to vectors.
struct Curvature<'a> {
    plan: &'a dyn Plan,
    diagonal: Vec<f64>,
    share: Vec<f64>,
}

impl Curvature<'_> {
    fn times(&self, v: &[f64]) -> Vec<f64> {
        let mut columns = self.plan.times(Side::Target, v);
        columns.iter_mut().zip(&self.share).for_each(|(c, share)| *c *= share);
        let back = self.plan.times(Side::Source, &columns);
        let pairs = self.diagonal.iter().zip(v).zip(back);
        pairs.map(|((d, v), back)| d * v - back).collect()
    }

    /// Conjugate gradients, preconditioned by the diagonal.
    fn solve(&self, right: &[f64], tolerance: f64, most: usize) -> (Vec<f64>, usize) {
        let scaled = |r: &[f64]| -> Vec<f64> {
            r.iter().zip(&self.diagonal).map(|(r, d)| r / d.max(1e-300)).collect()
        };
        let mut x = vec![0.0; right.len()];
        let mut residual = right.to_vec();
        let mut z = scaled(&residual);
        let mut direction = z.clone();
        let mut square = dot(&residual, &z);
        let goal = square * tolerance * tolerance;
        let mut n_products = 0;
        while n_products < most && square > goal {
            let image = self.times(&direction);
            n_products += 1;
            let curvature = dot(&direction, &image);
            // Flat to rounding: groups of cells that exchange nothing.
            if curvature <= 1e-14 * square {
                break;
            }
            let length = square / curvature;
            for i in 0..x.len() {
                x[i] += length * direction[i];
                residual[i] -= length * image[i];
            }
            z = scaled(&residual);
            let next = dot(&residual, &z);
            let ratio = next / square;
            square = next;
            for (direction, z) in direction.iter_mut().zip(&z) {
                *direction = z + ratio * *direction;
            }
        }
        if n_products <= 1 && x.iter().all(|x| x.abs() < f64::MIN_POSITIVE) {
            x = scaled(right);
        }
        (x, n_products)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
