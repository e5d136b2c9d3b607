//! Edges from courses in which genes were perturbed: each target without the cells in which it was set.

use ndarray::{Array1, Array2, Axis, s};

use crate::error::{Error, Result};
use crate::grn::adaptive::{AdaptiveRidge, Components};
use crate::grn::course::{CourseCells, Steps};
use crate::grn::edge_matrix::{
    EdgeMatrix, Gathered, sign, silence_self, unit_columns, without_self_edges,
};
use crate::grn::estimate::{
    DENSE, EdgeSearch, Estimator, HILL, LINEAR, Lag, MERGED, STANDARD, not_finite,
};
use crate::grn::lasso::Lasso;
use crate::grn::moments::{LaggedMoments, Shapes, Sums};
use crate::grn::mutual::{Bins, context_likelihood};
use crate::grn::perturbations::{LeftOut, Perturbations};
use crate::grn::step::Step;

/// Penalty of the regression on means. It is smaller than that on cells, because means have little
/// noise.
const MEANS_PENALTY: f64 = 0.03;

/// Weight of the regression on means if all regulators were perturbed.
const MEANS_WEIGHT: f64 = 2.0;

/// Steps within the groups of a course, and the group of each step.
struct GroupedSteps {
    steps: Steps,
    groups: Vec<usize>,
}

impl GroupedSteps {
    /// The steps of the groups `of`, or with `others` those of all other groups.
    fn of_groups(&self, of: &[usize], others: bool) -> Vec<&Step> {
        let steps = self.steps.steps.iter().zip(&self.groups);
        steps.filter(|(_, group)| of.contains(group) != others).map(|(step, _)| step).collect()
    }
}

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
    /// ([`Perturbed::means`]), with the weight 2 times the share of regulators that were perturbed.
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
        if matches!(self.estimator, Estimator::ReferenceFitting | Estimator::Neural) {
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
    /// and of the regression on means. The sign is the majority of the three regressions.
    fn ensemble(&self, binned: &[GroupedSteps], snapshots: &GroupedSteps) -> Result<EdgeMatrix> {
        let search = self.search;
        let nothing = Array2::zeros(self.shape());
        let is_dense = self.cells.snapshots().len() > DENSE;
        let of_snapshots = || -> Result<EdgeMatrix> {
            Ok(self.gather(std::slice::from_ref(snapshots))?.finish(&nothing))
        };
        let mut found = if binned.is_empty() {
            of_snapshots()?
        } else {
            let mut found = self.gather(binned)?.finish(&nothing);
            if !is_dense {
                let direct = of_snapshots()?;
                found.importance.scaled_add(search.snapshot_weight, &direct.importance);
                found.evidence = found.evidence.mapv(sign) + direct.evidence.mapv(sign);
            }
            found
        };
        let information = self.directed_information(binned, snapshots);
        found.importance.scaled_add(search.information_weight, &information);
        self.add_means(&mut found, snapshots)?;
        Ok(found)
    }

    /// Adds the regression on the means of `snapshots` to `found`, with a weight in proportion to the
    /// share of regulators that were perturbed. Its sign counts as much as that of another regression.
    fn add_means(&self, found: &mut EdgeMatrix, snapshots: &GroupedSteps) -> Result<()> {
        let regulators = self.cells.expression.regulators();
        let share = match self.cells.weights.as_slice() {
            Some(weights) => self.groups.share_of(regulators, weights),
            None => self.groups.share_of(regulators, &self.cells.weights.to_vec()),
        };
        if share > 0.0 {
            let means = self.means(snapshots)?;
            found.importance.scaled_add(MEANS_WEIGHT * share, &means.importance);
            found.evidence += &means.evidence.mapv(sign);
        }
        Ok(())
    }

    /// Number of regulators and of genes.
    fn shape(&self) -> (usize, usize) {
        (self.cells.expression.regulators().len(), self.cells.expression.n_genes())
    }

    /// The course of every group that has cells at two times at least: the same cells, with weight in
    /// this group only.
    fn courses(&self) -> impl Iterator<Item = (usize, CourseCells<'_>)> {
        (0..self.groups.n_groups()).filter_map(|group| {
            let mut of_group = CourseCells { perturbed: None, ..self.cells.clone() };
            for (cell, weight) in of_group.weights.iter_mut().enumerate() {
                if self.groups.group(cell) != group {
                    *weight = 0.0;
                }
            }
            (of_group.snapshots().len() > 1).then_some((group, of_group))
        })
    }

    /// The steps that `steps` makes of the course of each group.
    fn grouped(
        &self,
        steps: impl Fn(&CourseCells<'_>) -> Result<Vec<Step>>,
    ) -> Result<GroupedSteps> {
        let (mut all, mut groups) = (Vec::new(), Vec::new());
        for (group, course) in self.courses() {
            let of_group = steps(&course)?;
            groups.extend(std::iter::repeat_n(group, of_group.len()));
            all.extend(of_group);
        }
        if all.is_empty() {
            let must = "at least two in one group of cells";
            return Err(Error::Parameter { name: "number of times", must, got: "fewer".into() });
        }
        Ok(GroupedSteps { steps: self.cells.timed(all), groups })
    }

    /// Steps between the snapshots of each group that are as far apart as the lag says. Groups with
    /// too few times have none.
    fn snapshot_steps(&self) -> Result<GroupedSteps> {
        self.grouped(|course| match self.search.lag {
            Lag::Auto => Ok(course.steps_between(&course.merged_snapshots(DENSE, MERGED))?.steps),
            Lag::Intervals(lag) if lag > 0 && lag < course.snapshots().len() => {
                Ok(self.search.snapshot_steps(course, None)?.steps)
            }
            Lag::Intervals(_) => Ok(Vec::new()),
        })
    }

    /// Steps between bins of smoothed time within each group, as [`EdgeSearch::binned_steps`].
    fn binned_steps(&self) -> Result<Vec<GroupedSteps>> {
        let search = self.search;
        let courses: Vec<_> = self
            .courses()
            .map(|(group, course)| Ok((group, course.smoothed(search.smoothing)?)))
            .collect::<Result<_>>()?;
        let all: Vec<(GroupedSteps, f64)> = search
            .binnings
            .iter()
            .map(|binning| {
                let (mut steps, mut groups) = (Vec::new(), Vec::new());
                for (group, smoothed) in &courses {
                    let of_group = self.cells.steps_of_bins(smoothed, *binning)?.steps;
                    groups.extend(std::iter::repeat_n(*group, of_group.len()));
                    steps.extend(of_group);
                }
                let steps = self.cells.timed(steps);
                let memory = self.cells.memory(&steps);
                Ok((GroupedSteps { steps, groups }, memory))
            })
            .collect::<Result<_>>()?;
        let least = all.iter().fold(f64::INFINITY, |least, (_, memory)| least.min(*memory));
        let kept = all.into_iter().filter(|(_, memory)| *memory <= least.max(search.most_memory));
        Ok(kept.map(|(steps, _)| steps).collect())
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

    /// Information of each earlier gene `(earlier)` with each later gene of all genes; every later gene
    /// without the groups in which it was perturbed.
    fn lagged(&self, earlier: &[usize], later: &[usize], course: &GroupedSteps) -> Array2<f64> {
        let bins = Bins::of(self.cells.expression);
        let mut found = Array2::zeros((earlier.len(), self.cells.expression.n_genes()));
        for of in &self.left_out {
            let targets: Vec<usize> =
                of.targets.iter().copied().filter(|gene| later.contains(gene)).collect();
            let steps = course.of_groups(&of.groups, true);
            if steps.is_empty() || targets.is_empty() {
                continue;
            }
            let part = bins.forward(earlier, &targets, &steps);
            for (column, &target) in part.columns().into_iter().zip(&targets) {
                found.column_mut(target).assign(&column);
            }
        }
        found
    }

    /// Context likelihood of lagged information, averaged over `courses`.
    fn mutual(&self, courses: &[GroupedSteps]) -> Gathered {
        let regulators = self.cells.expression.regulators();
        let all: Vec<usize> = (0..self.cells.expression.n_genes()).collect();
        let mut sum = Gathered::zeros(self.shape());
        for course in courses {
            let forward = self.lagged(regulators, &all, course);
            sum.importance += &context_likelihood(&forward, regulators);
            sum.lag += course.steps.lag / courses.len() as f64;
            sum.count += 1.0;
        }
        sum.strength.fill(f64::NAN);
        sum
    }

    /// Mutual information within cells, times the share of the lagged information that goes from
    /// regulator to target, as [`EdgeSearch::directed_information`]. Information with a later gene, and
    /// with a target within cells, leaves out the groups in which this gene was perturbed.
    fn directed_information(
        &self,
        binned: &[GroupedSteps],
        snapshots: &GroupedSteps,
    ) -> Array2<f64> {
        let regulators = self.cells.expression.regulators();
        let all: Vec<usize> = (0..self.cells.expression.n_genes()).collect();
        let (mut forward, mut backward) =
            (Array2::<f64>::zeros(self.shape()), Array2::<f64>::zeros(self.shape()));
        for course in std::iter::once(snapshots).chain(binned) {
            let mut onward = self.lagged(regulators, &all, course);
            let mut back = self.lagged(&all, regulators, course).select(Axis(1), regulators);
            silence_self(&mut onward, regulators);
            regulators.iter().enumerate().for_each(|(r, &gene)| back[[gene, r]] = 0.0);
            // The scale of a later regulator is the length of its column in the forward matrix.
            let lengths: Array1<f64> = regulators
                .iter()
                .map(|&gene| onward.column(gene).mapv(|x| x * x).sum().sqrt())
                .collect();
            let scale = lengths.mapv(|length| if length > 0.0 { 1.0 / length } else { 0.0 });
            backward += &(&back.t() * &scale.insert_axis(Axis(1)));
            forward += &unit_columns(onward);
        }
        let mut within = self.within();
        silence_self(&mut within, regulators);
        let share = &forward / &(&forward + &backward).mapv(|both| both.max(1e-12));
        self.search.comparable(within * share)
    }

    /// Information of each regulator with each gene in the same cell; every gene without the groups in
    /// which it was perturbed.
    fn within(&self) -> Array2<f64> {
        let regulators = self.cells.expression.regulators();
        let bins = Bins::of(self.cells.expression);
        let strata = self.cells.strata();
        let mut found = Array2::zeros(self.shape());
        for of in &self.left_out {
            let kept: Vec<Vec<usize>> = strata
                .iter()
                .filter(|rows| {
                    rows.first().is_some_and(|row| !of.groups.contains(&self.groups.group(*row)))
                })
                .cloned()
                .collect();
            let part = bins.within_of(regulators, &of.targets, &kept, self.cells.weights.view());
            for (column, &target) in part.columns().into_iter().zip(&of.targets) {
                found.slice_mut(s![.., target]).assign(&column);
            }
        }
        found
    }
}
