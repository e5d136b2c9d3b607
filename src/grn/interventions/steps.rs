//! Steps from cells to later cells of the same perturbation.

use crate::error::{Error, Result};
use crate::grn::course::{CourseCells, Steps};
use crate::grn::estimate::{DENSE, Lag, MERGED};
use crate::grn::interventions::Perturbed;
use crate::grn::step::Step;

/// Steps within the groups of a course, and the group of each step.
pub(super) struct GroupedSteps {
    pub(super) steps: Steps,
    pub(super) groups: Vec<usize>,
}

impl GroupedSteps {
    /// The steps of the groups `of`, or with `others` those of all other groups.
    pub(super) fn of_groups(&self, of: &[usize], others: bool) -> Vec<&Step> {
        let steps = self.steps.steps.iter().zip(&self.groups);
        steps.filter(|(_, group)| of.contains(group) != others).map(|(step, _)| step).collect()
    }
}

impl Perturbed<'_> {
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
    pub(super) fn snapshot_steps(&self) -> Result<GroupedSteps> {
        self.grouped(|course| match self.search.lag {
            Lag::Auto => Ok(course.steps_between(&course.merged_snapshots(DENSE, MERGED))?.steps),
            Lag::Intervals(lag) if lag > 0 && lag < course.snapshots().len() => {
                Ok(self.search.snapshot_steps(course, None)?.steps)
            }
            Lag::Intervals(_) => Ok(Vec::new()),
        })
    }

    /// Steps between bins of smoothed time within each group, as [`EdgeSearch::binned_steps`].
    pub(super) fn binned_steps(&self) -> Result<Vec<GroupedSteps>> {
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
}
