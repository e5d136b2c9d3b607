//! Reference fitting: alternates between a linear drift and the coupling that this drift implies.

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};

use crate::error::{Error, Result};
use crate::grn::course::{CourseCells, Steps};
use crate::grn::edge_matrix::EdgeMatrix;
use crate::grn::step::Step;
use crate::linalg::{Cholesky, product, product_tn};

/// Number of fits of the drift; the cells are coupled again between two fits.
const ROUNDS: usize = 4;

/// Ridge penalty of the drift, in units of the variance of a standardised gene.
const PENALTY: f64 = 0.01;

/// A linear drift `A x + b` of standardised expression, per interval of mean length.
struct Drift {
    /// Effects of regulators on genes, `(R, G)`.
    regulation: Array2<f64>,
    /// Effect of a gene on itself, `(G)`; 0 for a regulator, whose effect is in `regulation`.
    own: Array1<f64>,
    /// The constant b, `(G)`.
    constant: Array1<f64>,
}

/// Weighted sums of products of earlier expression and rates of change. Every step has the same
/// weight. A rate is the mean displacement of a cell divided by the length of its step.
struct Sums {
    /// Regulator by regulator, `(R, R)`.
    regulators: Array2<f64>,
    /// Regulator by gene, `(R, G)`.
    own: Array2<f64>,
    /// Regulator by rate of a gene, `(R, G)`.
    rates: Array2<f64>,
    /// Square of each gene, `(G)`.
    own_square: Array1<f64>,
    /// Each gene by its own rate, `(G)`.
    own_rate: Array1<f64>,
    /// Mean of each gene, `(G)`.
    mean: Array1<f64>,
    /// Mean rate of each gene, `(G)`.
    mean_rate: Array1<f64>,
}

/// Edges of the linear process `dX = (AX + b) dt + noise` that agrees best with the couplings that
/// it implies.
///
/// A is fitted by ridge regression of the rate of change on the earlier expression. Then the cells
/// of each step are coupled again by entropic transport from the positions to which A moves them.
/// There are four fits and three new couplings. Importance is the absolute entry of A, the sign is
/// the sign of the entry.
///
/// Source: after Shen, Berlinghieri & Broderick 2024 (iterative reference refinement) and Zhang
/// 2024 (reference fitting). Here A is fitted to whole intervals, not to paths within them.
///
/// # Errors
/// [`Error::Numerical`] if moments are not finite; those of [`Step::by_ends`].
pub(super) fn reference_fitting(cells: &CourseCells<'_>, steps: &Steps) -> Result<EdgeMatrix> {
    let all: Vec<usize> = (0..cells.times.len()).collect();
    let values = cells.expression.standardised(&all);
    let mut steps = steps.clone();
    let mut drift = Drift::fit(cells, &values, &steps)?;
    for _ in 1..ROUNDS {
        let again = steps.steps.iter().zip(&steps.lengths).map(|(step, length)| {
            let from = values.select(Axis(0), &step.sources);
            let ends = drift.ends(&from, cells.expression.regulators(), length / steps.lag);
            let (weights, _) = step.coupling.marginals();
            let targets = values.select(Axis(0), &step.targets);
            let found = Step::by_ends(ends.view(), weights.view(), targets.view())?;
            let kept = |places: Vec<usize>, rows: &[usize]| -> Vec<usize> {
                places.into_iter().map(|place| rows[place]).collect()
            };
            Ok(Step {
                sources: kept(found.sources, &step.sources),
                targets: kept(found.targets, &step.targets),
                coupling: found.coupling,
            })
        });
        steps.steps = again.collect::<Result<_>>()?;
        drift = Drift::fit(cells, &values, &steps)?;
    }
    let Drift { regulation, .. } = drift;
    Ok(EdgeMatrix {
        importance: regulation.mapv(f64::abs),
        strength: regulation.mapv(f64::abs),
        evidence: regulation,
        lag: steps.lag,
    })
}

impl Drift {
    /// Ridge regression of the rate of each gene on the regulators and on the gene itself.
    /// `values` is standardised expression, `(n_cells, G)`.
    fn fit(cells: &CourseCells<'_>, values: &Array2<f64>, steps: &Steps) -> Result<Self> {
        let regulators = cells.expression.regulators();
        let sums = Sums::of(values, regulators, steps)?;
        let (n, n_genes) = (regulators.len(), values.ncols());
        let mut drift = Self {
            regulation: Array2::zeros((n, n_genes)),
            own: Array1::zeros(n_genes),
            constant: sums.mean_rate.clone(),
        };
        for gene in 0..n_genes {
            let extra = regulators.binary_search(&gene).is_err();
            let size = n + usize::from(extra);
            let mut system = Array2::<f64>::zeros((size, size));
            system.slice_mut(ndarray::s![..n, ..n]).assign(&sums.regulators);
            let mut right = Array1::<f64>::zeros(size);
            right.slice_mut(ndarray::s![..n]).assign(&sums.rates.column(gene));
            if extra {
                system.slice_mut(ndarray::s![n, ..n]).assign(&sums.own.column(gene));
                (system[[n, n]], right[n]) = (sums.own_square[gene], sums.own_rate[gene]);
            }
            system.diag_mut().mapv_inplace(|x| x + PENALTY);
            let factor = Cholesky::new(system.view()).ok_or_else(|| Error::Numerical {
                what: "fitting a linear drift",
                why: "its moments are not finite".into(),
            })?;
            let found = factor.solve(right.view());
            drift.regulation.column_mut(gene).assign(&found.slice(ndarray::s![..n]));
            drift.own[gene] = if extra { found[n] } else { 0.0 };
            let moved: f64 = regulators.iter().zip(&found).map(|(r, a)| a * sums.mean[*r]).sum();
            drift.constant[gene] -= moved + drift.own[gene] * sums.mean[gene];
        }
        Ok(drift)
    }

    /// Positions of the cells `from` after `time`, in mean intervals, by one step of Euler's method.
    fn ends(&self, from: &Array2<f64>, regulators: &[usize], time: f64) -> Array2<f64> {
        let earlier = from.select(Axis(1), regulators);
        let mut rates = product(earlier.view(), self.regulation.view());
        rates += &(from * &self.own);
        rates += &self.constant;
        from + &(rates * time)
    }
}

impl Sums {
    /// Centred mean products over all `steps`.
    fn of(values: &Array2<f64>, regulators: &[usize], steps: &Steps) -> Result<Self> {
        let (n, n_genes) = (regulators.len(), values.ncols());
        let zero = || Array1::<f64>::zeros(n_genes);
        let mut sums = Self {
            regulators: Array2::zeros((n, n)),
            own: Array2::zeros((n, n_genes)),
            rates: Array2::zeros((n, n_genes)),
            own_square: zero(),
            own_rate: zero(),
            mean: zero(),
            mean_rate: zero(),
        };
        for (step, length) in steps.steps.iter().zip(&steps.lengths) {
            let earlier = values.select(Axis(0), &step.sources);
            let later = values.select(Axis(0), &step.targets);
            let met = step.coupling.conditional_mean(later.view())?;
            let pace = if *length > 0.0 { steps.lag / length } else { 1.0 };
            // A cell without partners has no mass, and its conditional mean is NaN.
            let rates = ((met - &earlier) * pace).mapv(|r| if r.is_nan() { 0.0 } else { r });
            let (masses, _) = step.coupling.marginals();
            let masses = &masses / masses.sum();
            sums.add(&earlier, &rates, masses.view(), regulators);
        }
        sums.centre(regulators, steps.steps.len().max(1) as f64);
        Ok(sums)
    }

    /// Adds the cells of one step: `earlier` expression and `rates`, both `(n, G)`, by `masses`.
    fn add(
        &mut self,
        earlier: &Array2<f64>,
        rates: &Array2<f64>,
        masses: ArrayView1<'_, f64>,
        regulators: &[usize],
    ) {
        let weighted = earlier * &masses.insert_axis(Axis(1));
        let of_regulators = weighted.select(Axis(1), regulators);
        let plain = earlier.select(Axis(1), regulators);
        self.regulators += &product_tn(of_regulators.view(), plain.view());
        self.own += &product_tn(of_regulators.view(), earlier.view());
        self.rates += &product_tn(of_regulators.view(), rates.view());
        self.own_square += &(&weighted * earlier).sum_axis(Axis(0));
        self.own_rate += &(&weighted * rates).sum_axis(Axis(0));
        self.mean += &weighted.sum_axis(Axis(0));
        self.mean_rate += &masses.dot(rates);
    }

    /// Divides by the number of steps and subtracts the products of means.
    fn centre(&mut self, regulators: &[usize], n_steps: f64) {
        self.regulators /= n_steps;
        self.own /= n_steps;
        self.rates /= n_steps;
        for of in [&mut self.own_square, &mut self.own_rate, &mut self.mean, &mut self.mean_rate] {
            *of /= n_steps;
        }
        let (mean, mean_rate) = (self.mean.clone(), self.mean_rate.clone());
        for (i, &gene) in regulators.iter().enumerate() {
            let own = mean[gene];
            for (j, &other) in regulators.iter().enumerate() {
                self.regulators[[i, j]] -= own * mean[other];
            }
            self.own.row_mut(i).scaled_add(-own, &mean);
            self.rates.row_mut(i).scaled_add(-own, &mean_rate);
        }
        Zip::from(&mut self.own_square).and(&mean).for_each(|square, m| *square -= m * m);
        Zip::from(&mut self.own_rate)
            .and(&mean)
            .and(&mean_rate)
            .for_each(|product, m, r| *product -= m * r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grn::Expression;

    #[test]
    fn a_linear_process_gives_its_drift_back() {
        // x rests, y is drawn towards x: later y = y + 0.4 (x − y), cells far apart, two times of
        // the same cells: the right pairs are the nearest ones.
        let n = 120;
        let place = |i: usize, s: f64| ((i + 1) as f64 * s).fract() as f32;
        let mut values = Array2::<f32>::zeros((2 * n, 3));
        for i in 0..n {
            let (x, y, z) = (place(i, 0.618_034), place(i, 0.414_214), place(i, 0.302_776));
            for (gene, (before, after)) in
                [(x, x), (y, y + 0.4 * (x - y)), (z, z)].into_iter().enumerate()
            {
                values[[i, gene]] = before;
                values[[n + i, gene]] = after;
            }
        }
        let expression = Expression::new(values, &[0, 1, 2]).unwrap();
        let all: Vec<usize> = (0..2 * n).collect();
        let points = expression.standardised(&all);
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..2 * n).map(|i| if i < n { 0.0 } else { 3.0 }).collect(),
            weights: Array1::ones(2 * n),
            growth: None,
            perturbed: None,
        };
        let steps = cells.steps_between(&cells.snapshots()).unwrap();
        let found = reference_fitting(&cells, &steps).unwrap();
        assert!((found.lag - 3.0).abs() < 1e-9);
        let first = found.importance[[0, 1]];
        // Shrunk by the ridge from 0.4 in about equal spreads, and by imperfect pairs.
        assert!(found.evidence[[0, 1]] > 0.15, "{}", found.evidence);
        for ((r, g), other) in found.importance.indexed_iter().filter(|((r, g), _)| r != g) {
            assert!((r, g) == (0, 1) || *other < 0.5 * first, "{}", found.evidence);
        }
        // And y decays.
        assert!(found.evidence[[1, 1]] < -0.15);
    }

    #[test]
    fn one_round_is_ridge_regression_of_the_pairs() {
        let values = Array2::from_shape_fn((40, 2), |(i, j)| {
            ((i * (j + 2) * 7 + j) as f32 * 0.618_034).fract()
        });
        let expression = Expression::new(values, &[0]).unwrap();
        let all: Vec<usize> = (0..40).collect();
        let z = expression.standardised(&all);
        let cells = CourseCells {
            expression: &expression,
            points: &z,
            times: (0..40).map(|i| f64::from(i / 20)).collect(),
            weights: Array1::ones(40),
            growth: None,
            perturbed: None,
        };
        let coupling = crate::bridge::Coupling::new(20, 20, (0..20).map(|i| (i, i, 0.05))).unwrap();
        let step = Step { sources: (0..20).collect(), targets: (20..40).collect(), coupling };
        let drift = Drift::fit(&cells, &z, &cells.timed(vec![step])).unwrap();
        // Gene 1 on gene 0 and its own past, by Cramer's rule.
        let mean = |f: &dyn Fn(usize) -> f64| (0..20).map(f).sum::<f64>() / 20.0;
        let rate = |i: usize| z[[20 + i, 1]] - z[[i, 1]];
        let (mx, my, mr) = (mean(&|i| z[[i, 0]]), mean(&|i| z[[i, 1]]), mean(&rate));
        let xx = mean(&|i| (z[[i, 0]] - mx).powi(2)) + PENALTY;
        let yy = mean(&|i| (z[[i, 1]] - my).powi(2)) + PENALTY;
        let xy = mean(&|i| (z[[i, 0]] - mx) * (z[[i, 1]] - my));
        let xr = mean(&|i| (z[[i, 0]] - mx) * (rate(i) - mr));
        let yr = mean(&|i| (z[[i, 1]] - my) * (rate(i) - mr));
        let det = xx * yy - xy * xy;
        assert!((drift.regulation[[0, 1]] - (xr * yy - yr * xy) / det).abs() < 1e-10);
        assert!((drift.own[1] - (yr * xx - xr * xy) / det).abs() < 1e-10);
        // The mean cell moves at the mean rate.
        let at_mean = drift.constant[1] + drift.regulation[[0, 1]] * mx + drift.own[1] * my;
        assert!((at_mean - mr).abs() < 1e-10);
    }

    #[test]
    fn displacement_counts_by_the_time_it_took() {
        // y gains 0.3 x per unit of time; one interval lasts 1, the next 3, where x varies less.
        let n = 100;
        let place = |i: usize, s: f32| ((i + 1) as f32 * s).fract();
        let mut values = Array2::<f32>::zeros((3 * n, 2));
        for i in 0..n {
            let (x, later_x, y) =
                (2.0 * place(i, 0.618_034), 0.5 * place(i, 0.414_214), place(i, 0.302_776));
            let (first, second) = (y + 0.3 * x, y + 0.3 * x + 3.0 * 0.3 * later_x);
            for (k, (x, y)) in [(x, y), (later_x, first), (later_x, second)].into_iter().enumerate()
            {
                (values[[k * n + i, 0]], values[[k * n + i, 1]]) = (x, y);
            }
        }
        let expression = Expression::new(values, &[0, 1]).unwrap();
        let rows: Vec<usize> = (0..3 * n).collect();
        let z = expression.standardised(&rows);
        let cells = CourseCells {
            expression: &expression,
            points: &z,
            times: rows.iter().map(|row| [0.0, 1.0, 4.0][row / n]).collect(),
            weights: Array1::ones(3 * n),
            growth: None,
            perturbed: None,
        };
        let steps = (0..2).map(|k| {
            let pairs = (0..n).map(|i| (i, i, 1.0));
            let coupling = crate::bridge::Coupling::new(n, n, pairs).unwrap();
            let side = |k: usize| (k * n..(k + 1) * n).collect();
            Step { sources: side(k), targets: side(k + 1), coupling }
        });
        let steps = cells.timed(steps.collect());
        assert!((steps.lag - 2.0).abs() < 1e-9);
        let drift = Drift::fit(&cells, &z, &steps).unwrap();
        // Per mean interval of 2, in standard deviations.
        let expected = 2.0 * 0.3 * expression.spread()[0] / expression.spread()[1];
        let found = drift.regulation[[0, 1]];
        assert!((found / expected - 1.0).abs() < 0.1, "{found} {expected}");
    }
}
