//! The dual problem as a function of the source potential alone, with its gradient and curvature.

use crate::bridge::sinkhorn::sides::{Both, Kernel, Plan, Side};

/// Marginals and how strictly they are kept. Potentials are in units of ε.
///
/// The coupling is `P_ij = a_i b_j exp(φ_i + γ_j − C_ij/ε)`. A kept marginal must be `a`. A
/// marginal that is relaxed with `ρ = λ/ε` must be `a exp(−φ/ρ)`, where the derivative of the
/// penalty `λ KL(·‖a)` balances the potential.
#[derive(Debug)]
pub(super) struct Dual {
    /// Masses, all positive.
    pub(super) masses: Both,
    /// Logarithms of the masses.
    pub(super) log_masses: Both,
    /// `λ/ε` of source and target; infinite for a kept marginal.
    pub(super) stiffness: [f64; 2],
}

/// The dual at a source potential, with the optimal target potential.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// φ and the optimal γ.
    pub(super) potentials: Both,
    /// `ln Σ_j b_j exp(γ_j − C_ij/ε)`. Minus this (times τ) is the next φ of Sinkhorn's iteration.
    pub(super) log_rows: Vec<f64>,
    /// Value of the dual in units of ε; higher is better.
    pub(super) value: f64,
    /// Marginal error of the source, `‖P1 − wanted‖₁`. That of the target is zero.
    pub(super) error: f64,
}

/// Accuracy of a Newton step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Care {
    /// Residual of the linear system relative to its right-hand side.
    pub(super) tolerance: f64,
    /// Largest number of products with the coupling.
    pub(super) most: usize,
    /// Addition to the curvature, in units of its diagonal (Levenberg).
    pub(super) damping: f64,
}

impl Dual {
    /// From masses and `λ/ε` of source and target.
    pub(super) fn new(masses: Both, stiffness: [f64; 2]) -> Self {
        let logs = |masses: &[f64]| masses.iter().map(|mass| mass.ln()).collect();
        let log_masses = Both { source: logs(&masses.source), target: logs(&masses.target) };
        Self { masses, log_masses, stiffness }
    }

    /// `λ/ε` of one side.
    fn stiffness_of(&self, side: Side) -> f64 {
        match side {
            Side::Source => self.stiffness[0],
            Side::Target => self.stiffness[1],
        }
    }

    /// `τ = λ/(λ + ε)`; one for a kept marginal.
    pub(super) fn damping(&self, side: Side) -> f64 {
        1.0 / (1.0 + 1.0 / self.stiffness_of(side))
    }

    /// Potentials plus logarithms of masses: the logarithms of the coupling's two factors.
    pub(super) fn logs(&self, potentials: &Both) -> Both {
        let sum = |side| {
            let pairs = potentials.of(side).iter().zip(self.log_masses.of(side));
            pairs.map(|(potential, log)| potential + log).collect()
        };
        Both { source: sum(Side::Source), target: sum(Side::Target) }
    }

    /// The marginal that belongs to a potential: the masses, or their relaxed value.
    pub(super) fn wanted(&self, side: Side, potential: &[f64]) -> Vec<f64> {
        let softness = 1.0 / self.stiffness_of(side);
        let masses = self.masses.of(side);
        masses.iter().zip(potential).map(|(mass, p)| mass * (-p * softness).exp()).collect()
    }

    /// The part of the dual's value of one side: `Σ a φ`, or its relaxed form `ρ Σ a (1 −
    /// exp(−φ/ρ))`.
    fn value_of(&self, side: Side, potential: &[f64]) -> f64 {
        let stiffness = self.stiffness_of(side);
        let gain = |p: f64| {
            if stiffness.is_infinite() { p } else { -stiffness * (-p / stiffness).exp_m1() }
        };
        self.masses.of(side).iter().zip(potential).map(|(mass, p)| mass * gain(*p)).sum()
    }

    /// `−τ ln Σ_j exp(−C_ij/ε + other_j + ln b_j)`: the optimal potential of `side` for `other`.
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

    /// The dual at `source`. Takes one pass for the target potential and one for the row sums.
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

    /// The value of the dual at `source`, in one pass.
    pub(super) fn value_at(&self, kernel: &dyn Kernel, source: &[f64]) -> f64 {
        self.value(source, &self.best(kernel, Side::Target, source))
    }

    /// The value of the dual at `source` and its optimal `target`. The target marginal is then as
    /// wanted, so the coupling has its mass.
    fn value(&self, source: &[f64], target: &[f64]) -> f64 {
        let mass: f64 = self.wanted(Side::Target, target).iter().sum();
        self.value_of(Side::Source, source) + self.value_of(Side::Target, target) - mass + 1.0
    }

    /// Row sums of the coupling.
    fn rows(&self, source: &[f64], log_rows: &[f64]) -> Vec<f64> {
        let pairs = self.masses.source.iter().zip(source).zip(log_rows);
        pairs.map(|((mass, p), log)| mass * (p + log).exp()).collect()
    }

    /// The next source potential of Sinkhorn's iteration.
    pub(super) fn next(&self, point: &Point) -> Vec<f64> {
        let damping = self.damping(Side::Source);
        point.log_rows.iter().map(|log| -damping * log).collect()
    }

    /// Potentials not below those of `point` for which every cell of both sides has pairs of
    /// relevant mass, even if row sums are not yet as wanted or relaxation leaves a cell hardly any
    /// mass.
    pub(super) fn generous(&self, point: &Point) -> Both {
        let damping = self.damping(Side::Target);
        let source = point.potentials.source.iter().zip(&point.log_rows);
        let target = point.potentials.target.iter();
        Both {
            source: source.map(|(p, log)| p.max(-log)).collect(),
            target: target.map(|p| p.max(p / damping)).collect(),
        }
    }

    /// The Newton step from `point`, by conjugate gradients. It solves `((1 + μ) diag(P1 +
    /// wanted/ρ) − P diag(τ/Pᵀ1) Pᵀ) δ = wanted − P1` with the damping μ. A row sum near zero
    /// counts as its wanted value; otherwise the step would not be bounded. Returns the step, its
    /// slope (the derivative of the dual along it) and the number of products with the coupling.
    ///
    /// The matrix is minus the second derivative of the dual. Sinkhorn's iteration is the simplest
    /// solver of the same system; conjugate gradients need about the square root of its number of
    /// steps.
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

/// Minus the second derivative of the dual, as a linear operator.
struct Curvature<'a> {
    /// The coupling P.
    plan: &'a dyn Plan,
    /// Diagonal of the first term, with damping.
    diagonal: Vec<f64>,
    /// `τ/Pᵀ1`.
    share: Vec<f64>,
}

impl Curvature<'_> {
    /// The product with a vector: two products with the coupling.
    fn times(&self, v: &[f64]) -> Vec<f64> {
        let mut columns = self.plan.times(Side::Target, v);
        columns.iter_mut().zip(&self.share).for_each(|(c, share)| *c *= share);
        let back = self.plan.times(Side::Source, &columns);
        let pairs = self.diagonal.iter().zip(v).zip(back);
        pairs.map(|((d, v), back)| d * v - back).collect()
    }

    /// Conjugate gradients with the diagonal as preconditioner; returns the solution and the number
    /// of products.
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
            // No curvature beyond rounding: groups of cells that exchange no mass.
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

/// Scalar product.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
