//! Limited-memory BFGS: minimises a smooth function, with a decrease in every step.

use std::collections::VecDeque;

/// A smooth function: writes the gradient at the point (first argument) and returns the value.
///
/// A value that is not finite marks a point outside the domain; the line search then shortens the
/// step.
pub type Smooth<'a> = dyn FnMut(&[f64], &mut [f64]) -> f64 + 'a;

/// The state of a minimisation; the caller decides when to stop.
///
/// A step usually takes one evaluation of the function and `4 m n` flops, for `n` variables and a
/// memory of `m` steps. The state has `2 m n` numbers. Source: Nocedal 1980 (two-loop recursion);
/// the line search bisects until the weak Wolfe conditions hold (Lewis and Overton 2013).
#[derive(Debug, Clone)]
pub struct Lbfgs {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    /// Largest number of pairs.
    memory: usize,
    /// The last steps, the oldest first.
    pairs: VecDeque<Pair>,
}

/// A step `s` and the change `y` of the gradient over it, which define a secant condition.
#[derive(Debug, Clone)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// `1 / (sᵀ y)`.
    inverse: f64,
}

impl Lbfgs {
    /// Starts at `point` with a memory of `memory` steps; evaluates the function once.
    pub fn new(point: Vec<f64>, memory: usize, f: &mut Smooth<'_>) -> Self {
        let mut gradient = vec![0.0; point.len()];
        let value = f(&point, &mut gradient);
        Self { point, value, gradient, memory, pairs: VecDeque::new() }
    }

    /// The current point, which has the least value so far.
    pub fn point(&self) -> &[f64] {
        &self.point
    }

    /// The value at the current point.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The gradient at the current point.
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// Moves to a point of lower value; `false` if the line search finds none.
    ///
    /// If the quasi-Newton direction fails, the memory is cleared and the step follows the negative
    /// gradient.
    pub fn step(&mut self, f: &mut Smooth<'_>) -> bool {
        let (mut direction, mut slope) = self.direction();
        if slope.is_nan() || slope >= 0.0 {
            self.pairs.clear();
            (direction, slope) = self.direction();
        }
        if self.search(&direction, slope, f) {
            return true;
        }
        if self.pairs.is_empty() {
            return false;
        }
        self.pairs.clear();
        let (direction, slope) = self.direction();
        self.search(&direction, slope, f)
    }

    /// The quasi-Newton direction `−H ∇f` by the two-loop recursion, and the slope along it.
    fn direction(&self) -> (Vec<f64>, f64) {
        let mut direction: Vec<f64> = self.gradient.iter().map(|g| -g).collect();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = pair.inverse * dot(&pair.step, &direction);
            add(&mut direction, -share, &pair.change);
            shares.push(share);
        }
        // Without memory the first step has at most length one; the caller scales the variables.
        let first = match self.pairs.back() {
            Some(pair) => 1.0 / (pair.inverse * dot(&pair.change, &pair.change)),
            None => 1.0 / dot(&direction, &direction).sqrt().max(1.0),
        };
        for d in &mut direction {
            *d *= first;
        }
        for (pair, share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let other = pair.inverse * dot(&pair.change, &direction);
            add(&mut direction, share - other, &pair.step);
        }
        let slope = dot(&direction, &self.gradient);
        (direction, slope)
    }

    /// Moves along `direction` to a point that satisfies the weak Wolfe conditions.
    ///
    /// After 30 evaluations the best point with sufficient decrease is taken; `false` if there is
    /// none. `slope` is the derivative along `direction` at the current point.
    fn search(&mut self, direction: &[f64], slope: f64, f: &mut Smooth<'_>) -> bool {
        const DESCENT: f64 = 1e-4;
        const CURVATURE: f64 = 0.9;
        const MAX_EVALUATIONS: usize = 30;
        if slope.is_nan() || slope >= 0.0 {
            return false;
        }
        let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
        let mut point = vec![0.0; self.point.len()];
        let mut gradient = vec![0.0; self.point.len()];
        let mut lower: Option<(Vec<f64>, f64, Vec<f64>)> = None;
        for _ in 0..MAX_EVALUATIONS {
            point.copy_from_slice(&self.point);
            add(&mut point, length, direction);
            let value = f(&point, &mut gradient);
            let descends = value <= self.value + DESCENT * length * slope && value < self.value;
            if !descends {
                high = length;
            } else if dot(&gradient, direction) < CURVATURE * slope {
                if lower.as_ref().is_none_or(|best| value < best.1) {
                    lower = Some((point.clone(), value, gradient.clone()));
                }
                low = length;
            } else {
                self.accept(point, value, gradient);
                return true;
            }
            length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
        }
        if let Some((point, value, gradient)) = lower {
            self.accept(point, value, gradient);
            return true;
        }
        false
    }

    /// Moves to `point` and appends the pair of this step to the memory.
    fn accept(&mut self, point: Vec<f64>, value: f64, gradient: Vec<f64>) {
        let step: Vec<f64> = point.iter().zip(&self.point).map(|(new, old)| new - old).collect();
        let change: Vec<f64> =
            gradient.iter().zip(&self.gradient).map(|(new, old)| new - old).collect();
        let curvature = dot(&step, &change);
        // Pairs of positive curvature keep the approximation of the Hessian positive definite.
        if curvature > 1e-12 * dot(&step, &step).sqrt() * dot(&change, &change).sqrt() {
            if self.pairs.len() == self.memory {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { step, change, inverse: 1.0 / curvature });
        }
        (self.point, self.value, self.gradient) = (point, value, gradient);
    }
}

/// The scalar product of two vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four independent sums, so that the additions do not wait for each other.
    let mut sums = [0.0; 4];
    let (quads_a, rest_a) = a.as_chunks::<4>();
    let (quads_b, rest_b) = b.as_chunks::<4>();
    for (a, b) in quads_a.iter().zip(quads_b) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

/// `out += factor · a`.
fn add(out: &mut [f64], factor: f64, a: &[f64]) {
    for (out, a) in out.iter_mut().zip(a) {
        *out += factor * a;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut value = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
            value += 100.0 * a * a + b * b;
            gradient[i] += -400.0 * a * x[i] - 2.0 * b;
            gradient[i + 1] += 200.0 * a;
        }
        value
    }

    #[test]
    fn reaches_the_bottom_of_a_bent_valley_and_never_goes_up() {
        let mut search = Lbfgs::new(vec![-1.2; 10], 8, &mut rosenbrock);
        let mut last = search.value();
        while search.step(&mut rosenbrock) && search.value() > 1e-24 {
            assert!(search.value() < last);
            last = search.value();
        }
        assert!(search.point().iter().all(|x| (x - 1.0).abs() < 1e-9), "{:?}", search.point());
        assert!(dot(search.gradient(), search.gradient()) < 1e-16);
    }

    #[test]
    fn a_quadratic_in_few_variables_takes_few_steps() {
        let mut evaluations = 0;
        let mut f = |x: &[f64], gradient: &mut [f64]| {
            evaluations += 1;
            gradient[0] = 2.0 * x[0] + x[1];
            gradient[1] = 40.0 * x[1] + x[0];
            x[0] * x[0] + x[0] * x[1] + 20.0 * x[1] * x[1]
        };
        let mut search = Lbfgs::new(vec![3.0, -2.0], 5, &mut f);
        for _ in 0..12 {
            search.step(&mut f);
        }
        assert!(search.value() < 1e-14, "{}", search.value());
        assert!(evaluations < 40, "{evaluations}");
    }

    #[test]
    fn steps_back_from_where_the_function_is_not_finite() {
        let mut f = |x: &[f64], gradient: &mut [f64]| {
            gradient[0] = 1.0 - 1.0 / x[0];
            if x[0] > 0.0 { x[0] - x[0].ln() } else { f64::NAN }
        };
        let mut search = Lbfgs::new(vec![1e-3], 5, &mut f);
        for _ in 0..60 {
            search.step(&mut f);
        }
        assert!((search.point()[0] - 1.0).abs() < 1e-6, "{:?}", search.point());
    }
}
