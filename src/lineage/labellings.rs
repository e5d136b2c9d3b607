//! Labellings: the cells of two conditions with their labels as they are, and permuted.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, ArrayView2};
use rand::RngExt;

use crate::error::{Error, Result};
use crate::rng::Seed;

/// The cells of one time that belong to the first and to the second of two conditions. A cell may belong to
/// both.
///
/// ```
/// use sbcell::lineage::Sides;
/// // The second cell belongs to both conditions, as a cell of the culture before it was split.
/// let sides = Sides { first: vec![true, true, false], second: vec![false, true, true] };
/// assert_eq!(sides.n_both(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// Whether each cell belongs to the first condition.
    pub first: Vec<bool>,
    /// Whether each cell belongs to the second condition.
    pub second: Vec<bool>,
}

impl Sides {
    /// Number of cells that belong to both conditions.
    pub fn n_both(&self) -> usize {
        self.first.iter().zip(&self.second).filter(|(a, b)| **a && **b).count()
    }

    /// Whether cell i belongs to exactly one condition, so that its label can be exchanged.
    fn is_free(&self, i: usize) -> bool {
        self.first[i] != self.second[i]
    }
}

/// Memberships of the cells of two conditions, time after time: column 0 as they are, each further column
/// with the labels permuted.
///
/// Under the null hypothesis the labels of cells (or of batches) of one time can be exchanged, so that a
/// number under the observed labels is one draw among those under permuted labels. Cells of both conditions
/// stay in both.
///
/// ```
/// use sbcell::Seed;
/// use sbcell::lineage::{Labellings, Sides};
/// # fn main() -> sbcell::Result<()> {
/// let sides = [Sides { first: vec![true, true, false], second: vec![false, false, true] }];
/// let labels = Labellings::of_cells(&sides, 9, Seed(0))?;
/// assert_eq!(labels.first(0).dim(), (3, 10));
/// assert_eq!(labels.second(0).column(4).sum(), 1.0); // one of three cells in each labelling
/// assert_eq!(labels.distinct(), 3.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Labellings {
    first: Vec<Array2<f64>>,
    second: Vec<Array2<f64>>,
    distinct: f64,
}

impl Labellings {
    /// Permutes the labels of the cells within each time.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two memberships of a time have different lengths.
    pub fn of_cells(sides: &[Sides], n_permutations: usize, seed: Seed) -> Result<Self> {
        let batches: Vec<Vec<usize>> =
            sides.iter().map(|sides| (0..sides.first.len()).collect()).collect();
        // Cells of different times are different units.
        let names: Vec<Vec<(usize, usize)>> = batches
            .iter()
            .enumerate()
            .map(|(k, of)| of.iter().map(|&i| (k, i)).collect())
            .collect();
        Self::of_units(sides, &names, n_permutations, seed)
    }

    /// Permutes the labels of whole batches. `batches` has the batch of each cell, time after time.
    ///
    /// A batch with cells of one condition exchanges its label with batches that have cells at the same times,
    /// and has one label at all times. A batch with cells of both conditions (a donor whose cells were treated
    /// and not treated) exchanges its two labels, or not.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one batch for each cell.
    pub fn of_batches(
        sides: &[Sides],
        batches: &[Vec<String>],
        n_permutations: usize,
        seed: Seed,
    ) -> Result<Self> {
        Self::of_units(sides, batches, n_permutations, seed)
    }

    /// Permutes the labels of the units that `of_cells` names.
    fn of_units<T: Ord + Clone>(
        sides: &[Sides],
        of_cells: &[Vec<T>],
        n_permutations: usize,
        seed: Seed,
    ) -> Result<Self> {
        let units = Units::of(sides, of_cells)?;
        let columns = 1 + n_permutations;
        let as_is = |member: &dyn Fn(&Sides) -> Vec<bool>| -> Vec<Array2<f64>> {
            let of_time = |sides: &Sides| {
                let member = member(sides);
                let number = |i: usize| f64::from(u8::from(member[i]));
                Array2::from_shape_fn((member.len(), columns), |(i, _)| number(i))
            };
            sides.iter().map(of_time).collect()
        };
        let mut first = as_is(&|sides| sides.first.clone());
        let mut second = as_is(&|sides| sides.second.clone());
        for b in 1..columns {
            let turned = units.turned(seed.child("labels", b as u64));
            for (k, names) in of_cells.iter().enumerate() {
                for (i, name) in names.iter().enumerate() {
                    if sides[k].is_free(i) && turned.contains(name) {
                        let (one, other) = (first[k][[i, b]], second[k][[i, b]]);
                        (first[k][[i, b]], second[k][[i, b]]) = (other, one);
                    }
                }
            }
        }
        Ok(Self { first, second, distinct: units.distinct() })
    }

    /// Memberships in the first condition of the cells at place `k`, `(n, 1 + permutations)`: 1 or 0.
    pub fn first(&self, k: usize) -> ArrayView2<'_, f64> {
        self.first[k].view()
    }

    /// Memberships in the second condition, as [`Labellings::first`].
    pub fn second(&self, k: usize) -> ArrayView2<'_, f64> {
        self.second[k].view()
    }

    /// Number of different labellings. A p-value cannot be below its inverse.
    pub fn distinct(&self) -> f64 {
        self.distinct
    }
}

/// The units whose labels are exchanged.
struct Units<T> {
    /// Units of one condition by the times at which they have cells: those of the first condition, then those
    /// of the second.
    strata: Vec<[Vec<T>; 2]>,
    /// Units with cells of both conditions.
    mixed: Vec<T>,
}

impl<T: Ord + Clone> Units<T> {
    /// Sorts the units.
    fn of(sides: &[Sides], of_cells: &[Vec<T>]) -> Result<Self> {
        let mut seen: BTreeMap<&T, ([bool; 2], BTreeSet<usize>)> = BTreeMap::new();
        for (k, sides) in sides.iter().enumerate() {
            let names = of_cells.get(k).map_or(&[][..], Vec::as_slice);
            for got in [sides.second.len(), names.len()] {
                let expected = sides.first.len();
                if expected != got {
                    let (what, unit) = ("the conditions of a time", "cells");
                    return Err(Error::Shape { what, unit, expected, got });
                }
            }
            for (i, name) in names.iter().enumerate().filter(|(i, _)| sides.is_free(*i)) {
                let (labels, times) = seen.entry(name).or_default();
                labels[usize::from(sides.second[i])] = true;
                times.insert(k);
            }
        }
        let mut mixed = Vec::new();
        let mut strata: BTreeMap<BTreeSet<usize>, [Vec<T>; 2]> = BTreeMap::new();
        for (name, (labels, times)) in seen {
            if labels == [true, true] {
                mixed.push(name.clone());
            } else {
                strata.entry(times).or_default()[usize::from(labels[1])].push(name.clone());
            }
        }
        Ok(Self { strata: strata.into_values().collect(), mixed })
    }

    /// The units whose label differs from their own in one random labelling.
    fn turned(&self, seed: Seed) -> BTreeSet<T> {
        let mut stream = seed.stream("labels", 0);
        let mut turned = BTreeSet::new();
        for [first, second] in &self.strata {
            let mut all: Vec<usize> = (0..first.len() + second.len()).collect();
            // The first part of a random order gets the first label.
            for place in (1..all.len()).rev() {
                all.swap(place, stream.random_range(0..=place));
            }
            for (place, &unit) in all.iter().enumerate() {
                let (was, is) = (unit < first.len(), place < first.len());
                if was != is {
                    let own = if was { &first[unit] } else { &second[unit - first.len()] };
                    turned.insert(own.clone());
                }
            }
        }
        for unit in &self.mixed {
            if stream.random_range(0..2) == 1 {
                turned.insert(unit.clone());
            }
        }
        turned
    }

    /// The product of the binomial coefficients of the strata, and of two for each mixed unit.
    fn distinct(&self) -> f64 {
        let choose = |[first, second]: &[Vec<T>; 2]| -> f64 {
            let (n, k) = (first.len() + second.len(), first.len().min(second.len()));
            (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product()
        };
        let mixed = self.mixed.iter().map(|_| 2.0).product::<f64>();
        (self.strata.iter().map(choose).product::<f64>() * mixed).round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{all_distances, energies, exchange_p};

    fn sides(first: &[u8], second: &[u8]) -> Sides {
        let of = |all: &[u8]| all.iter().map(|one| *one == 1).collect();
        Sides { first: of(first), second: of(second) }
    }

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sizes_stay_and_cells_of_both_conditions_stay_in_both() {
        let times = [sides(&[1, 1, 1, 0, 0], &[0, 0, 1, 1, 1]), sides(&[1, 0], &[0, 1])];
        let labels = Labellings::of_cells(&times, 200, Seed(3)).unwrap();
        for b in 0..201 {
            assert!((labels.first(0).column(b).sum() - 3.0).abs() < 1e-12);
            assert!((labels.second(0).column(b).sum() - 3.0).abs() < 1e-12);
            assert!((labels.first(0)[[2, b]] * labels.second(0)[[2, b]] - 1.0).abs() < 1e-12);
            let both = &labels.first(0) + &labels.second(0);
            assert!([0, 1, 3, 4].iter().all(|&i| (both[[i, b]] - 1.0).abs() < 1e-12));
        }
        assert_eq!(labels.first(0).column(0).to_vec(), [1.0, 1.0, 1.0, 0.0, 0.0]);
        // Each free cell has each label in half of the labellings: 100 ± 7.
        let of_first = labels.first(0).row(0).sum();
        assert!((60.0..140.0).contains(&of_first), "{of_first}");
        // Six labellings of the first time, two of the second.
        assert!((labels.distinct() - 12.0).abs() < 1e-9);
    }

    /// The energy distance of cells that were labelled by chance: p-values are uniform.
    #[test]
    fn p_values_are_uniform_where_labels_are_by_chance() {
        use rand_distr::{Distribution, StandardNormal};
        let (n, n_rounds) = (14, 300);
        let mut found = Vec::new();
        for round in 0..n_rounds {
            let mut stream = Seed(9).stream("test", round);
            let points: Array2<f64> =
                Array2::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut stream));
            let first: Vec<bool> = (0..n).map(|i| i < 6).collect();
            let second = first.iter().map(|first| !first).collect();
            let labels = Labellings::of_cells(&[Sides { first, second }], 39, Seed(round)).unwrap();
            let distances = all_distances(points.view());
            let values = energies(distances.view(), labels.first(0), labels.second(0));
            found.push(exchange_p(&values.to_vec()));
        }
        // 300 values: the mean is 0.51 ± 0.017, 15 ± 3.8 are at most 0.05.
        let mean = found.iter().sum::<f64>() / n_rounds as f64;
        let small = found.iter().filter(|p| **p <= 0.0501).count();
        assert!((0.45..0.57).contains(&mean), "{mean}");
        assert!((4..30).contains(&small), "{small}");
    }

    #[test]
    fn batches_keep_one_label_and_exchange_it_with_batches_of_the_same_times() {
        // a, b against c, d at both times; e only at the second, alone in its stratum.
        let times =
            [sides(&[1, 1, 1, 0, 0], &[0, 0, 0, 1, 1]), sides(&[1, 1, 0, 0, 0], &[0, 0, 1, 1, 1])];
        let batches = [names(&["a", "a", "b", "c", "d"]), names(&["a", "b", "c", "d", "e"])];
        let labels = Labellings::of_batches(&times, &batches, 100, Seed(1)).unwrap();
        assert!((labels.distinct() - 6.0).abs() < 1e-9);
        let mut found = BTreeSet::new();
        for b in 0..101 {
            let (one, two) =
                (labels.first(0).column(b).to_vec(), labels.first(1).column(b).to_vec());
            assert_eq!((one[0].to_bits(), one[1].to_bits()), (one[1].to_bits(), two[0].to_bits()));
            assert_eq!((one[2] as u8, one[3] as u8), (two[1] as u8, two[2] as u8));
            assert_eq!(two[4] as u8, 0);
            found.insert(two.iter().map(|x| *x as u8).collect::<Vec<_>>());
        }
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn paired_batches_exchange_their_labels_within() {
        let times = [sides(&[1, 0, 0, 1, 0], &[0, 1, 1, 0, 1])];
        let batches = [names(&["x", "x", "x", "y", "y"])];
        let labels = Labellings::of_batches(&times, &batches, 60, Seed(1)).unwrap();
        assert!((labels.distinct() - 4.0).abs() < 1e-9);
        let found: BTreeSet<Vec<u8>> =
            (0..61).map(|b| labels.first(0).column(b).iter().map(|x| *x as u8).collect()).collect();
        let wanted = [[1, 0, 0, 1, 0], [0, 1, 1, 1, 0], [1, 0, 0, 0, 1], [0, 1, 1, 0, 1]]
            .map(|of| of.to_vec());
        assert_eq!(found, wanted.into_iter().collect());
        assert!(Labellings::of_batches(&times, &[names(&["x"])], 1, Seed(1)).is_err());
    }
}
