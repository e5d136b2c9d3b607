//! Edges from courses in which genes were perturbed: each target without the cells in which it was set.

mod information;
mod steps;

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::grn::adaptive::{AdaptiveRidge, Components};
use crate::grn::course::{CourseCells, Steps};
use crate::grn::edge_matrix::{EdgeMatrix, Gathered, sign, silence_self, without_self_edges};
use crate::grn::estimate::{DENSE, EdgeSearch, Estimator, HILL, LINEAR, Lag, STANDARD, not_finite};
use crate::grn::lasso::Lasso;
use crate::grn::moments::{LaggedMoments, Shapes, Sums};
use crate::grn::perturbations::{LeftOut, Perturbations};
use crate::grn::step::Step;
use steps::GroupedSteps;

/// Penalty of the regression on means. It is smaller than that on cells, because means have little
/// noise.
const MEANS_PENALTY: f64 = 0.03;

/// A course of perturbed cells, and how its targets leave cells out.
struct Perturbed<'a> {
    search: &'a EdgeSearch,
    cells: &'a CourseCells<'a>,
    groups: &'a Perturbations,
    left_out: Vec<LeftOut>,
}

/// Pairs of cells of all steps, or the means of the cells of each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    Cells,
    Means,
}

impl EdgeSearch {
    /// Estimates the edges of a course in which genes were perturbed in some `groups` of cells.
    ///
    /// Steps lead from cells to cells of the same group, and all steps have the same weight. Every
    /// target is estimated without the groups in which it was perturbed itself; there, its regulators
    /// have no influence on it. As regulators, perturbed genes count with their measured values.
    /// [`Estimator::Ensemble`] and [`Estimator::Hill`] also use a regression on the means of groups
    /// ([`Perturbed::means`]), with a weight in proportion to the share of regulators that were perturbed.
    ///
    /// # Errors
    /// As [`EdgeSearch::run`]; [`Error::Parameter`] for an estimator that cannot leave cells out.
    pub(super) fn run_perturbed(
        &self,
        cells: &CourseCells<'_>,
        groups: &Perturbations,
        given: Option<&Steps>,
    ) -> Result<EdgeMatrix> {
        if given.is_some() {
            let must = "left out for perturbed cells, whose steps stay within their group";
            return Err(Error::Parameter { name: "given", must, got: "steps".into() });
        }
        let pools = [Estimator::ReferenceFitting, Estimator::Moments, Estimator::Neural];
        if pools.contains(&self.estimator) {
            let must = "ensemble, hill, linear, lasso or mutual information for perturbed cells";
            let got = format!("{:?}", self.estimator);
            return Err(Error::Parameter { name: "estimator", must, got });
        }
        let left_out = groups.targets(cells.expression.n_genes());
        let course = Perturbed { search: self, cells, groups, left_out };
        let found = course.edges()?;
        Ok(without_self_edges(found, cells.expression.regulators()))
    }
}

impl Perturbed<'_> {
    /// The edges by the estimator of the search.
    fn edges(&self) -> Result<EdgeMatrix> {
        let snapshots = self.snapshot_steps()?;
        let binned = match self.search.lag {
            Lag::Auto => self.binned_steps()?,
            Lag::Intervals(_) => Vec::new(),
        };
        let alone = if binned.is_empty() { std::slice::from_ref(&snapshots) } else { &binned };
        let plain = EdgeSearch::plain_signs(self.cells);
        match self.search.estimator {
            Estimator::Mutual => Ok(self.mutual(alone).finish(&plain)),
            Estimator::Linear | Estimator::Lasso => Ok(self.gather(alone)?.finish(&plain)),
            Estimator::Hill => {
                let mut found = self.gather(alone)?.finish(&plain);
                self.add_means(&mut found, &snapshots)?;
                Ok(found)
            }
            _ => self.ensemble(&binned, &snapshots),
        }
    }

    /// The sum of the regressions on bins of smoothed time and on snapshots, of directed information
    /// and of the regression on means. The sign is the majority of the three regressions; in a dense
    /// course it is that of the regression on bins.
    fn ensemble(&self, binned: &[GroupedSteps], snapshots: &GroupedSteps) -> Result<EdgeMatrix> {
        let search = self.search;
        let nothing = Array2::zeros(self.shape());
        let is_dense = self.cells.snapshots().len() > DENSE;
        let of_snapshots = || -> Result<EdgeMatrix> {
            Ok(self.gather(std::slice::from_ref(snapshots))?.finish(&nothing))
        };
        let mut found =
            if binned.is_empty() { of_snapshots()? } else { self.gather(binned)?.finish(&nothing) };
        let means = self.add_means(&mut found, snapshots)?;
        if !binned.is_empty() && !is_dense {
            let direct = of_snapshots()?;
            found.importance.scaled_add(search.snapshot_weight, &direct.importance);
            let others = [Some(direct), means].into_iter().flatten();
            found.evidence.mapv_inplace(sign);
            for other in others {
                found.evidence += &other.evidence.mapv(sign);
            }
        }
        let information = self.directed_information(binned, snapshots);
        found.importance.scaled_add(search.information_weight, &information);
        Ok(found)
    }

    /// Adds the regression on the means of `snapshots` to the importance of `found`, with a weight in
    /// proportion to the share of regulators that were perturbed. Returns this regression, or `None` if
    /// the weight is 0.
    fn add_means(
        &self,
        found: &mut EdgeMatrix,
        snapshots: &GroupedSteps,
    ) -> Result<Option<EdgeMatrix>> {
        let regulators = self.cells.expression.regulators();
        let share = self.groups.share_of(regulators, self.cells.weights.view());
        let weight = self.search.means_weight * share;
        if weight <= 0.0 {
            return Ok(None);
        }
        let means = self.means(snapshots)?;
        found.importance.scaled_add(weight, &means.importance);
        Ok(Some(means))
    }

    /// Number of regulators and of genes.
    fn shape(&self) -> (usize, usize) {
        (self.cells.expression.regulators().len(), self.cells.expression.n_genes())
    }

    /// Moments for the targets `of`: those over all steps but the ones of the groups that these
    /// targets leave out. `total` are the sums over all steps.
    fn moments_without(
        &self,
        of: &LeftOut,
        total: &Sums,
        course: &GroupedSteps,
        units: Units,
        shapes: Shapes,
    ) -> LaggedMoments {
        let mut sums = total.clone();
        if !of.groups.is_empty() {
            sums.subtract(self.sums(&course.of_groups(&of.groups, false), course, units, shapes));
        }
        sums.moments(self.cells.expression, shapes)
    }

    /// Sums over some `steps` of `course`.
    fn sums(&self, steps: &[&Step], course: &GroupedSteps, units: Units, shapes: Shapes) -> Sums {
        let (expression, n_steps) = (self.cells.expression, course.groups.len());
        match units {
            Units::Cells => Sums::over(expression, steps, n_steps, shapes),
            Units::Means => Sums::over_means(expression, steps, n_steps, shapes),
        }
    }

    /// The components of all regulators, for each later shape. Each target has the regression without
    /// the groups that it leaves out.
    fn components(
        &self,
        course: &GroupedSteps,
        units: Units,
        shapes: Shapes,
    ) -> Result<Vec<Components>> {
        let total = self.sums(&course.of_groups(&[], true), course, units, shapes);
        let empty = || {
            let zeros = Array2::zeros(self.shape());
            Components { strength: zeros.clone(), slope: zeros }
        };
        let mut all: Vec<Components> = shapes.later.iter().map(|_| empty()).collect();
        for of in &self.left_out {
            if course.of_groups(&of.groups, true).is_empty() {
                continue;
            }
            let moments = self.moments_without(of, &total, course, units, shapes);
            let ridge = match units {
                Units::Cells => self.search.ridge,
                Units::Means => AdaptiveRidge { penalty: MEANS_PENALTY, ..self.search.ridge },
            };
            let found = match (self.search.estimator, units) {
                (Estimator::Lasso, Units::Cells) => vec![Lasso::default().solve(&moments, 0)],
                _ => ridge.solve_for(&moments, &of.targets).ok_or_else(not_finite)?,
            };
            for (all, found) in all.iter_mut().zip(&found) {
                for &target in &of.targets {
                    all.strength.column_mut(target).assign(&found.strength.column(target));
                    all.slope.column_mut(target).assign(&found.slope.column(target));
                }
            }
        }
        Ok(all)
    }

    /// Sums the regressions on each of `courses`, as [`EdgeSearch::gather`].
    fn gather(&self, courses: &[GroupedSteps]) -> Result<Gathered> {
        let shapes = match self.search.estimator {
            Estimator::Linear | Estimator::Lasso => LINEAR,
            _ => HILL,
        };
        let mut sum = Gathered::zeros(self.shape());
        // An offset of the borders adds one step to each group.
        let fewest = courses.iter().map(|course| course.groups.len()).min().unwrap_or(0);
        for course in courses {
            let of_shapes = self.components(course, Units::Cells, shapes)?;
            let signs = course.groups.len() <= fewest + self.groups.n_groups();
            self.add_components(&mut sum, shapes, of_shapes, signs);
            sum.lag += course.steps.lag / courses.len() as f64;
        }
        sum.strength /= courses.len() as f64;
        Ok(sum)
    }

    /// Adds the scores of the components of each later shape to `sum`, and their signs if `signs`.
    fn add_components(
        &self,
        sum: &mut Gathered,
        shapes: Shapes,
        of_shapes: Vec<Components>,
        signs: bool,
    ) {
        for (later, components) in shapes.later.iter().zip(of_shapes) {
            let mut squares = components.strength.mapv(|s| s * s);
            silence_self(&mut squares, self.cells.expression.regulators());
            let scores = self.search.comparable(squares);
            if signs {
                sum.evidence += &(&scores * &components.slope.mapv(f64::signum));
            }
            sum.importance += &scores;
            if *later == STANDARD {
                sum.strength += &components.strength;
            }
            sum.count += 1.0;
        }
    }

    /// Regression of the mean later shapes of each target on the mean earlier shapes of the regulators,
    /// over the snapshots of all groups.
    ///
    /// Means of cells have little noise, and they differ between groups by what the perturbations
    /// changed. One equation for each group and interval then separates direct from indirect effects:
    /// an effect that other genes pass on is explained by these genes.
    fn means(&self, snapshots: &GroupedSteps) -> Result<EdgeMatrix> {
        let of_shapes = self.components(snapshots, Units::Means, HILL)?;
        let mut sum = Gathered::zeros(self.shape());
        self.add_components(&mut sum, HILL, of_shapes, true);
        Ok(sum.finish(&Array2::zeros(self.shape())))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;
    use crate::bridge::Coupling;
    use crate::grn::expression::Expression;

    /// Numbers without a pattern.
    fn noise(i: usize, j: usize) -> f32 {
        let place = (i as f32 + 1.0) * 0.618_034 + (j as f32 + 1.0) * 0.414_214 * (i as f32 + 0.5);
        place.fract()
    }

    fn close(ours: f64, theirs: f64) {
        assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
    }

    /// Four groups of 40 cells at two times: controls, gene 1 set, genes 0 and 1 set, gene 2 set.
    fn course() -> (Array2<f32>, Perturbations) {
        let sets = vec![vec![], vec![1], vec![0, 1], vec![2]];
        let groups: Vec<usize> = (0..160).map(|i| i / 40).collect();
        let perturbed = Perturbations::new(groups, sets).unwrap();
        let values =
            Array2::from_shape_fn(
                (160, 4),
                |(i, j)| {
                    if perturbed.is_set(i, j) { 0.0 } else { noise(i, j) }
                },
            );
        (values, perturbed)
    }

    fn with<T>(
        values: Array2<f32>,
        perturbed: &Perturbations,
        f: impl FnOnce(&CourseCells<'_>) -> T,
    ) -> T {
        let n = values.nrows();
        let expression = Expression::new(values, &[0, 1, 2]).unwrap();
        let points = expression.standardised(&(0..n).collect::<Vec<_>>());
        f(&CourseCells {
            expression: &expression,
            points: &points,
            // Two times within each group.
            times: (0..n).map(|i| f64::from(i % 40 >= 20)).collect(),
            weights: Array1::ones(n),
            growth: None,
            perturbed: Some(perturbed.clone()),
        })
    }

    #[test]
    fn moments_of_a_target_are_those_of_the_steps_that_it_keeps() {
        let (values, perturbed) = course();
        with(values, &perturbed, |cells| {
            let search = EdgeSearch::default();
            let left_out = perturbed.targets(4);
            let groups = &perturbed;
            let of = Perturbed { search: &search, cells, groups, left_out: left_out.clone() };
            let steps = of.snapshot_steps().unwrap();
            assert_eq!(steps.groups, [0, 1, 2, 3]);
            let total = of.sums(&steps.of_groups(&[], true), &steps, Units::Cells, HILL);
            for out in &left_out {
                let ours = of.moments_without(out, &total, &steps, Units::Cells, HILL);
                let of_group = steps.steps.steps.iter().zip(&steps.groups);
                let kept = of_group.filter(|(_, group)| !out.groups.contains(group));
                let kept: Vec<Step> = kept.map(|(step, _)| step.clone()).collect();
                assert_eq!(kept.len(), 4 - out.groups.len());
                // No cell of these steps has a target that was set.
                let mut rows =
                    kept.iter().flat_map(|step| step.sources.iter().chain(&step.targets));
                assert!(rows.all(|&row| out.targets.iter().all(|&g| !perturbed.is_set(row, g))));
                let theirs = LaggedMoments::of(cells.expression, &kept, HILL);
                for (a, b) in [
                    (&ours.regulators, &theirs.regulators),
                    (&ours.later, &theirs.later),
                    (&ours.own, &theirs.own),
                    (&ours.own_among, &theirs.own_among),
                    (&ours.own_later, &theirs.own_later),
                ] {
                    a.iter().zip(b).for_each(|(a, b)| close(*a, *b));
                }
            }
        });
    }

    #[test]
    fn moments_of_means_are_correlations_over_the_means_of_steps() {
        let values = Array2::from_shape_fn((240, 3), |(i, j)| noise(i, j));
        let expression = Expression::new(values, &[0, 2]).unwrap();
        let steps: Vec<Step> = (0..6)
            .map(|k| {
                let pairs = (0..20).map(|i| (i, (i + k) % 20, 0.1 + f64::from(noise(i, k + 9))));
                let mut pairs: Vec<_> = pairs.collect();
                pairs.sort_by_key(|pair| (pair.0, pair.1));
                let coupling = Coupling::new(20, 20, pairs).unwrap();
                let side = |from: usize| (from..from + 20).collect();
                Step { sources: side(40 * k), targets: side(40 * k + 20), coupling }
            })
            .collect();
        let all: Vec<&Step> = steps.iter().collect();
        let moments = Sums::over_means(&expression, &all, 6, HILL).moments(&expression, HILL);
        let mean = |step: &Step, later: bool, gene: usize, shape: usize| {
            let (mut sum, mut total) = (0.0, 0.0);
            for (i, j, mass) in step.coupling.pairs() {
                let cell = if later { step.targets[j] } else { step.sources[i] };
                sum += mass * expression.shape(cell, gene, shape);
                total += mass;
            }
            sum / total
        };
        let list = |later, gene, shape| -> Vec<f64> {
            steps.iter().map(|step| mean(step, later, gene, shape)).collect()
        };
        let correlation = |a: &[f64], b: &[f64]| {
            let mean = |of: &[f64]| of.iter().sum::<f64>() / 6.0;
            let covariance = |a: &[f64], b: &[f64]| {
                let (ma, mb) = (mean(a), mean(b));
                a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>()
            };
            covariance(a, b) / (covariance(a, a) * covariance(b, b)).sqrt()
        };
        for (r, gene) in [0, 2].into_iter().enumerate() {
            for shape in 0..3 {
                let x = list(false, gene, shape);
                for target in 0..3 {
                    for (l, later) in [0, STANDARD].into_iter().enumerate() {
                        let y = list(true, target, later);
                        let ours = moments.later[[3 * r + shape, 3 * l + target]];
                        close(ours, correlation(&x, &y));
                    }
                    let own = list(false, target, 1);
                    close(moments.own[[3 * r + shape, 3 * target + 1]], correlation(&x, &own));
                }
            }
        }
    }

    /// Gene 1 follows gene 0 at once, and neither has a memory, so that time tells nothing. Gene 2 is
    /// noise. Group 1 has gene 0 set, group 2 gene 1.
    fn without_memory() -> (Array2<f32>, Perturbations) {
        let groups = (0..1200).map(|i| i / 40 % 3).collect();
        let perturbed = Perturbations::new(groups, vec![vec![], vec![0], vec![1]]).unwrap();
        let values = Array2::from_shape_fn((1200, 3), |(i, j)| {
            let x = if perturbed.is_set(i, 0) { 0.0 } else { 1.0 + noise(i, 0) };
            match j {
                _ if perturbed.is_set(i, j) => 0.0,
                0 => x,
                1 => x + 0.3 * noise(i, 1),
                _ => noise(i, 2),
            }
        });
        (values, perturbed)
    }

    #[test]
    fn interventions_tell_a_direction_that_correlation_cannot() {
        let (values, perturbed) = without_memory();
        with(values, &perturbed, |cells| {
            for estimator in [Estimator::Ensemble, Estimator::Hill, Estimator::Linear] {
                let search =
                    EdgeSearch { estimator, across_targets: true, ..EdgeSearch::default() };
                let ratio = |cells: &CourseCells<'_>| {
                    let found = search.run(cells, None).unwrap();
                    assert!(found.evidence[[0, 1]] > 0.0, "{:?}", found.evidence);
                    found.importance[[0, 1]] / found.importance[[1, 0]]
                };
                let found = ratio(cells);
                assert!(found > 5.0, "{estimator:?}: {found}");
                // Without the cells of the knock-outs neither direction is preferred.
                let weights =
                    (0..1200).map(|i| f64::from(perturbed.group(i) == 0)).collect::<Array1<_>>();
                let plain = CourseCells { weights, perturbed: None, ..cells.clone() };
                let plain = ratio(&plain);
                assert!((0.3..3.0).contains(&plain), "{estimator:?}: {plain}");
            }
        });
    }
}
