//! Mutual information of regulators with targets, each target without the cells in which it was perturbed.

use ndarray::{Array1, Array2, Axis, s};

use crate::grn::edge_matrix::{Gathered, silence_self, unit_columns};
use crate::grn::interventions::Perturbed;
use crate::grn::interventions::steps::GroupedSteps;
use crate::grn::mutual::{Bins, context_likelihood};

impl Perturbed<'_> {
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
    pub(super) fn mutual(&self, courses: &[GroupedSteps]) -> Gathered {
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
    pub(super) fn directed_information(
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
