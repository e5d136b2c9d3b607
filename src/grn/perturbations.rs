//! The genes that were perturbed in each cell: knock-outs and controls as groups of cells.

use std::collections::BTreeMap;

use ndarray::ArrayView1;

use crate::error::{Error, Result};

/// Groups of cells in which the same genes were perturbed. A perturbed gene has a value that was set,
/// not regulated, so a regression of this gene must leave its cells out.
///
/// ```
/// use sbcell::grn::Perturbations;
/// # fn main() -> sbcell::Result<()> {
/// // Two controls, then two cells in which gene 1 was knocked out.
/// let perturbed = Perturbations::new(vec![0, 0, 1, 1], vec![vec![], vec![1]])?;
/// assert_eq!(perturbed.groups_of(1), [1]);
/// assert!(perturbed.groups_of(0).is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Perturbations {
    /// Group of each cell.
    groups: Vec<usize>,
    /// Perturbed genes of each group, increasing.
    genes: Vec<Vec<usize>>,
}

impl Perturbations {
    /// The group of each cell, `n_cells`, and the columns of the `genes` that were perturbed in each
    /// group: none in controls, and none where the perturbed gene was not measured.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a group has no entry in `genes`.
    pub fn new(groups: Vec<usize>, genes: Vec<Vec<usize>>) -> Result<Self> {
        if let Some(group) = groups.iter().find(|group| **group >= genes.len()) {
            let must = "numbers of groups whose perturbed genes are given";
            return Err(Error::Parameter { name: "groups", must, got: group.to_string() });
        }
        let genes = genes.into_iter().map(|mut of| {
            of.sort_unstable();
            of.dedup();
            of
        });
        Ok(Self { groups, genes: genes.collect() })
    }

    /// Number of groups.
    pub fn n_groups(&self) -> usize {
        self.genes.len()
    }

    /// Group of the cell in row `cell`.
    pub fn group(&self, cell: usize) -> usize {
        self.groups[cell]
    }

    /// The groups in which `gene` was perturbed, increasing.
    pub fn groups_of(&self, gene: usize) -> Vec<usize> {
        let groups = self.genes.iter().enumerate();
        groups.filter(|(_, genes)| genes.contains(&gene)).map(|(group, _)| group).collect()
    }

    /// Whether `gene` was perturbed in the cell in row `cell`.
    pub fn is_set(&self, cell: usize, gene: usize) -> bool {
        self.genes[self.groups[cell]].contains(&gene)
    }

    /// The perturbations of the cells `rows`, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let groups = rows.iter().map(|&row| self.groups[row]).collect();
        Self { groups, genes: self.genes.clone() }
    }

    /// The genes 0 to `n_genes` by the groups in which they were perturbed. Genes of one entry are
    /// estimated from the same cells. The first entry are the genes that were never perturbed.
    pub(crate) fn targets(&self, n_genes: usize) -> Vec<LeftOut> {
        let mut by_groups: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for gene in 0..n_genes {
            by_groups.entry(self.groups_of(gene)).or_default().push(gene);
        }
        by_groups.into_iter().map(|(groups, targets)| LeftOut { groups, targets }).collect()
    }

    /// Share of the genes `regulators` that were perturbed in some cell of positive weight.
    pub(crate) fn share_of(&self, regulators: &[usize], weights: ArrayView1<'_, f64>) -> f64 {
        let mut used = vec![false; self.genes.len()];
        for (group, weight) in self.groups.iter().zip(&weights) {
            used[*group] |= *weight > 0.0;
        }
        let set = |gene: &&usize| self.groups_of(**gene).into_iter().any(|group| used[group]);
        regulators.iter().filter(set).count() as f64 / regulators.len().max(1) as f64
    }
}

/// Targets that were perturbed in the same groups of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The groups whose cells are left out, increasing.
    pub(crate) groups: Vec<usize>,
    /// The targets, increasing.
    pub(crate) targets: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_listed_by_the_groups_that_they_leave_out() {
        let genes = vec![vec![], vec![2, 0, 2], vec![2], vec![]];
        let perturbed = Perturbations::new(vec![0, 1, 2, 3, 1], genes).unwrap();
        assert!(perturbed.is_set(1, 0) && !perturbed.is_set(2, 0) && !perturbed.is_set(3, 2));
        let found = perturbed.targets(4);
        let expected = [(vec![], vec![1, 3]), (vec![1], vec![0]), (vec![1, 2], vec![2])];
        assert_eq!(found.len(), 3);
        for (of, (groups, targets)) in found.into_iter().zip(expected) {
            assert_eq!(of, LeftOut { groups, targets });
        }
        let few = perturbed.select(&[4, 0]);
        assert_eq!((few.group(0), few.group(1)), (1, 0));
        // Gene 0 only counts while a cell of group 1 has weight.
        let share = |weights: [f64; 5]| perturbed.share_of(&[0, 1, 2], ArrayView1::from(&weights));
        assert!((share([1.0; 5]) - 2.0 / 3.0).abs() < 1e-12);
        assert!((share([1.0, 0.0, 1.0, 1.0, 0.0]) - 1.0 / 3.0).abs() < 1e-12);
        assert!(Perturbations::new(vec![0, 2], vec![vec![], vec![1]]).is_err());
    }
}
