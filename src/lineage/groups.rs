//! Groups of cells: cell types, clusters, or any sets of cells.

use std::collections::BTreeSet;

use ndarray::Array2;

use crate::error::{Error, Result};

/// Assignment of the cells of a course to groups. A cell belongs to one group or to none. Cells are in
/// the order of the snapshots, time after time.
///
/// ```
/// use sbcell::lineage::Groups;
/// # fn main() -> sbcell::Result<()> {
/// // Two times of two cells; the second cell of the first time has no label.
/// let labels = [["stem", ""], ["neuron", "stem"]].map(|at| at.map(String::from).to_vec());
/// let groups = Groups::of_labels(&labels);
/// assert_eq!(groups.names(), ["neuron", "stem"]);
/// assert_eq!(groups.at(0), [Some(groups.find("stem")?), None]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    names: Vec<String>,
    /// Number of the group of each cell, time after time.
    of_cells: Vec<Vec<Option<usize>>>,
}

impl Groups {
    /// Whether a label means "no group": an empty label, `nan` or `<NA>`, which programs write for a
    /// missing entry of a text column. Other words (`NA`, `None`) may be names of groups.
    pub fn is_none(label: &str) -> bool {
        let label = label.trim();
        label.is_empty() || label.eq_ignore_ascii_case("nan") || label == "<NA>"
    }

    /// Groups from one label for each cell, time after time. Cells with a label that [means no
    /// group](Self::is_none) are in none. Groups are numbered by sorted names.
    pub fn of_labels(labels: &[Vec<String>]) -> Self {
        let names: BTreeSet<&String> =
            labels.iter().flatten().filter(|label| !Self::is_none(label)).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let of_cells = labels
            .iter()
            .map(|at| at.iter().map(|label| names.binary_search(label).ok()).collect())
            .collect();
        Self { names, of_cells }
    }

    /// Names of the groups, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of times.
    pub fn n_times(&self) -> usize {
        self.of_cells.len()
    }

    /// Number of the group of each cell at the time of place `k`, `n_cells`.
    pub fn at(&self, k: usize) -> &[Option<usize>] {
        &self.of_cells[k]
    }

    /// Number of the group `name`. Names that are numbers are compared as numbers: `96` is `96.0`.
    ///
    /// # Errors
    /// [`Error::UnknownGroup`], with the names of all groups.
    pub fn find(&self, name: &str) -> Result<usize> {
        let number = |text: &str| text.parse::<f64>().ok();
        let same = |other: &String| {
            other == name
                || number(name).zip(number(other)).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
        };
        self.names.iter().position(same).ok_or_else(|| Error::UnknownGroup {
            name: name.to_string(),
            groups: self.names.clone(),
        })
    }

    /// Numbers of the groups that have cells at the time of place `k`, increasing.
    pub fn present(&self, k: usize) -> Vec<usize> {
        let here: BTreeSet<usize> = self.of_cells[k].iter().flatten().copied().collect();
        here.into_iter().collect()
    }

    /// Indicators of `groups` at the time of place `k`, `(n_cells, groups.len())`: 1 for the cells of
    /// a group, 0 for others.
    pub fn indicators(&self, k: usize, groups: &[usize]) -> Array2<f64> {
        let cells = &self.of_cells[k];
        Array2::from_shape_fn((cells.len(), groups.len()), |(i, g)| {
            f64::from(u8::from(cells[i] == Some(groups[g])))
        })
    }

    /// The cells of the times at `places` only, in this order.
    #[must_use]
    pub fn at_places(&self, places: &[usize]) -> Self {
        let of_cells = places.iter().map(|&k| self.of_cells[k].clone()).collect();
        Self { names: self.names.clone(), of_cells }
    }

    /// The same cells with only the group `name`; cells of other groups are in none.
    ///
    /// # Errors
    /// As [`Groups::find`].
    pub fn only(&self, name: &str) -> Result<Self> {
        let wanted = self.find(name)?;
        let keep = |of: &Option<usize>| (*of == Some(wanted)).then_some(0);
        let of_cells = self.of_cells.iter().map(|at| at.iter().map(keep).collect()).collect();
        Ok(Self { names: vec![name.to_string()], of_cells })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_sorted_groups_and_empty_ones_none() {
        let labels = [vec!["b", "", "a"], vec!["b", "b"]];
        let labels = labels.map(|at| at.iter().map(ToString::to_string).collect::<Vec<_>>());
        let groups = Groups::of_labels(&labels);
        assert_eq!(groups.names(), ["a", "b"]);
        assert_eq!(groups.at(0), [Some(1), None, Some(0)]);
        assert_eq!((groups.present(0), groups.present(1)), (vec![0, 1], vec![1]));
        assert_eq!(groups.indicators(0, &[1]).column(0).to_vec(), [1.0, 0.0, 0.0]);
        assert_eq!(groups.at_places(&[1, 0]).at(1), groups.at(0));
        let only = groups.only("b").unwrap();
        assert_eq!(
            (only.names(), only.at(0)),
            (&["b".to_string()][..], &[Some(0), None, None][..])
        );
        let message = groups.find("c").unwrap_err().to_string();
        assert!(message.contains("`c`"));
        let times = Groups::of_labels(&[vec!["96.0".into(), "nan".into(), "NA".into()]]);
        assert_eq!(times.find("96").unwrap(), 0);
        assert_eq!(times.at(0), [Some(0), None, Some(1)]);
    }
}
