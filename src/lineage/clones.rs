//! Clones: cells that share a lineage barcode, also barcodes that were added one after the other.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;

use crate::bridge::SharedClones;
use crate::error::{Error, Result, shape};
use crate::lineage::Groups;

/// The clones of the cells of a course, on one level for each barcode. Levels go from coarse (an early
/// barcode) to fine (a later one, added within the clones of the earlier).
///
/// A cell has a clone on a level if its barcode was read. Barcodes are nested:
///
/// - A cell without a coarse barcode is in the coarse clone of its fine clone, if the other cells of this
///   fine clone are all in one coarse clone.
/// - Cells with the same fine barcode in different coarse clones are in different fine clones. A cell
///   with this fine barcode but no coarse one has no fine clone.
///
/// Two cells are *sisters* on a level if they are in the same clone of this level.
///
/// ```
/// use sbcell::lineage::Clones;
///
/// # fn main() -> sbcell::Result<()> {
/// // Two times of two and three cells; the third late cell has no barcode.
/// let labels = vec![vec!["A".into(), "B".into()], vec!["A".into(), "A".into(), String::new()]];
/// let clones = Clones::of_labels(&[labels])?;
/// assert_eq!(clones.level(0).names(), ["A", "B"]);
/// // The late sisters of the early cell of clone A: one neuron (fate 0) and one glia cell (fate 1).
/// let found = clones.sisters(0, 1, &[Some(0), Some(1), Some(0)], 2, 1)?;
/// assert_eq!((found.cells, found.counts), (vec![0], ndarray::array![[1.0, 1.0]]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clones {
    /// Clones of each level, coarse to fine.
    levels: Vec<Groups>,
    /// For each time the family of each cell (see [`Clones::families`]).
    families: Vec<Vec<Option<usize>>>,
}

/// Early cells with late sisters, and the fates of these sisters. See [`Clones`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Sisters {
    /// The early cells, as indices at their time, increasing.
    pub cells: Vec<usize>,
    /// Number of late sisters with each fate, `(cells.len(), n_fates)`.
    pub counts: Array2<f64>,
    /// The level of the clone whose late cells are counted.
    pub levels: Vec<usize>,
    /// The number of this clone in the level.
    pub clones: Vec<usize>,
    /// The family of each cell, the unit of a bootstrap.
    pub families: Vec<usize>,
}

impl Clones {
    /// Clones from the barcodes of each cell: `levels[level][time][cell]`, coarse to fine. An empty
    /// label, `nan` or `<NA>` means that no barcode was read ([`Groups::is_none`]).
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no level, or no cell with a barcode; [`Error::Shape`] if levels
    /// differ in the number of times or cells.
    pub fn of_labels(levels: &[Vec<Vec<String>>]) -> Result<Self> {
        let Some(first) = levels.first() else { return Err(none("no column of barcodes")) };
        for level in levels {
            shape::rows("barcodes", first.len(), level.len())?;
            for (expected, got) in first.iter().zip(level) {
                shape::rows("barcodes", expected.len(), got.len())?;
            }
        }
        let mut labels = levels.to_vec();
        nest(&mut labels);
        let levels: Vec<Groups> = labels.iter().map(|level| Groups::of_labels(level)).collect();
        if levels.iter().all(|level| level.names().is_empty()) {
            return Err(none("none"));
        }
        let families = families(&levels);
        Ok(Self { levels, families })
    }

    /// Number of levels, one for each barcode.
    pub fn n_levels(&self) -> usize {
        self.levels.len()
    }

    /// The clones of a level; 0 is the coarsest.
    pub fn level(&self, level: usize) -> &Groups {
        &self.levels[level]
    }

    /// The family of each cell at the time of place `k`: its coarsest clone, as a number that is unique
    /// over all levels. Families are independent of each other as far as barcodes tell. `None` for a
    /// cell without a clone.
    pub fn families(&self, k: usize) -> &[Option<usize>] {
        &self.families[k]
    }

    /// The clones of the cells at the places `from` and `to`, level by level, for couplings that respect
    /// them.
    pub fn between(&self, from: usize, to: usize) -> Vec<SharedClones> {
        let of = |level: &Groups| SharedClones {
            source: level.at(from).to_vec(),
            target: level.at(to).to_vec(),
        };
        self.levels.iter().map(of).collect()
    }

    /// Number of cells with a clone at the time of place `k`.
    pub fn n_cells(&self, k: usize) -> usize {
        self.families[k].iter().flatten().count()
    }

    /// The cells at place `early` that have late sisters, with the fates of these sisters. `fates` is the
    /// fate of each cell at place `late`, below `n_fates`; sisters without a fate do not count.
    ///
    /// The sisters of a cell are those of its finest clone with at least `least` late cells. Time and
    /// memory in proportion to cells and clones.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one fate for each late cell; [`Error::Parameter`] if `least` is
    /// zero.
    pub fn sisters(
        &self,
        early: usize,
        late: usize,
        fates: &[Option<usize>],
        n_fates: usize,
        least: usize,
    ) -> Result<Sisters> {
        crate::error::range::at_least_one("min_sisters", least)?;
        shape::rows("fates", self.families[late].len(), fates.len())?;
        let counts = self.late_cells(late, fates, n_fates);
        let mut found = Sisters {
            cells: Vec::new(),
            counts: Array2::zeros((0, n_fates)),
            levels: Vec::new(),
            clones: Vec::new(),
            families: Vec::new(),
        };
        let mut rows = Vec::new();
        for (i, family) in self.families[early].iter().enumerate() {
            let Some(family) = *family else { continue };
            let finest = (0..self.levels.len()).rev().find_map(|level| {
                let clone = self.levels[level].at(early)[i]?;
                (counts[level].row(clone).sum() >= least as f64).then_some((level, clone))
            });
            if let Some((level, clone)) = finest {
                rows.extend(counts[level].row(clone));
                found.cells.push(i);
                found.levels.push(level);
                found.clones.push(clone);
                found.families.push(family);
            }
        }
        found.counts = Array2::from_shape_vec((found.cells.len(), n_fates), rows)
            .unwrap_or_else(|_| Array2::zeros((0, n_fates)));
        Ok(found)
    }

    /// The largest number of late sisters with a fate that a cell at place `early` has on any level: above it,
    /// [`Clones::sisters`] finds no cell.
    pub(crate) fn most_sisters(
        &self,
        early: usize,
        late: usize,
        fates: &[Option<usize>],
        n_fates: usize,
    ) -> usize {
        let counts = self.late_cells(late, fates, n_fates);
        let of_level = |(level, counts): (&Groups, &Array2<f64>)| {
            let own = level.at(early).iter().flatten();
            own.map(|&clone| counts.row(clone).sum() as usize).max().unwrap_or(0)
        };
        self.levels.iter().zip(&counts).map(of_level).max().unwrap_or(0)
    }

    /// For each level the number of cells at place `late` of each clone and fate, `(n_clones, n_fates)`.
    fn late_cells(&self, late: usize, fates: &[Option<usize>], n_fates: usize) -> Vec<Array2<f64>> {
        let of_level = |level: &Groups| {
            let mut counts = Array2::zeros((level.names().len(), n_fates));
            for (clone, fate) in level.at(late).iter().zip(fates) {
                if let (Some(clone), Some(fate)) = (clone, fate) {
                    counts[[*clone, *fate]] += 1.0;
                }
            }
            counts
        };
        self.levels.iter().map(of_level).collect()
    }
}

/// The error of cells without barcodes.
fn none(got: &str) -> Error {
    let (name, must) = ("clone_key", "barcodes that some cells of the model have");
    Error::Parameter { name, must, got: got.into() }
}

/// Largest share of cells that may contradict an order of two barcodes: errors of reading.
const MISREAD: f64 = 0.05;

/// Whether the clones `coarse` lie within the clones `fine`, one label for each cell: the barcodes were given
/// in the wrong order.
///
/// Among cells with both, nearly all of a clone `coarse` are in one clone `fine`, and most of a clone `fine`
/// are in several clones `coarse`. Clones of one cell tell nothing.
pub(crate) fn is_reversed(coarse: &[String], fine: &[String]) -> bool {
    let both: Vec<(&String, &String)> = coarse
        .iter()
        .zip(fine)
        .filter(|(coarse, fine)| !Groups::is_none(coarse) && !Groups::is_none(fine))
        .collect();
    // Share of the cells whose clone (first of a pair) has several clones of the other kind.
    let split = |pairs: &[(&String, &String)]| {
        let mut others: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (own, other) in pairs {
            others.entry(own).or_default().push(other);
        }
        let large = || others.values().filter(|of| of.len() > 1);
        let divided = large().filter(|of| of.iter().any(|other| *other != of[0]));
        let n: usize = large().map(Vec::len).sum();
        divided.map(Vec::len).sum::<usize>() as f64 / n as f64
    };
    let turned: Vec<(&String, &String)> = both.iter().map(|(own, other)| (*other, *own)).collect();
    // Without a clone of two cells the share is NaN.
    split(&both) <= MISREAD && split(&turned) > 0.5
}

/// Fills in coarse barcodes from fine ones and splits fine barcodes by coarse ones, level by level.
fn nest(labels: &mut [Vec<Vec<String>>]) {
    // From fine to coarse, so that a barcode is passed on over several levels.
    for level in (1..labels.len()).rev() {
        let (coarse, fine) = labels.split_at_mut(level);
        let (coarse, fine) = (&mut coarse[level - 1], &fine[0]);
        let parents = parents(coarse, fine);
        for (own, fine) in coarse.iter_mut().flatten().zip(fine.iter().flatten()) {
            if let Some([parent]) = parents.get(fine).map(Vec::as_slice)
                && Groups::is_none(own)
            {
                own.clone_from(parent);
            }
        }
    }
    // From coarse to fine, so that a split of a level is passed on to the finer ones.
    for level in 1..labels.len() {
        let (coarse, fine) = labels.split_at_mut(level);
        let (coarse, fine) = (&coarse[level - 1], &mut fine[0]);
        let parents = parents(coarse, fine);
        for (own, coarse) in fine.iter_mut().flatten().zip(coarse.iter().flatten()) {
            if parents.get(own).is_some_and(|parents| parents.len() > 1) {
                *own =
                    if Groups::is_none(coarse) { String::new() } else { format!("{coarse}/{own}") };
            }
        }
    }
}

/// The coarse clones of the cells of each fine clone, sorted.
fn parents(coarse: &[Vec<String>], fine: &[Vec<String>]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (coarse, fine) in coarse.iter().flatten().zip(fine.iter().flatten()) {
        if !Groups::is_none(coarse) && !Groups::is_none(fine) {
            found.entry(fine).or_default().insert(coarse);
        }
    }
    found
        .into_iter()
        .map(|(fine, all)| (fine.clone(), all.into_iter().cloned().collect()))
        .collect()
}

/// The coarsest clone of each cell, numbered over all levels.
fn families(levels: &[Groups]) -> Vec<Vec<Option<usize>>> {
    let n_times = levels.first().map_or(0, Groups::n_times);
    (0..n_times)
        .map(|k| {
            let mut families = vec![None; levels[0].at(k).len()];
            let mut first = 0;
            for level in levels {
                for (family, clone) in families.iter_mut().zip(level.at(k)) {
                    *family = family.or(clone.map(|clone| first + clone));
                }
                first += level.names().len();
            }
            families
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn level(times: &[&[&str]]) -> Vec<Vec<String>> {
        times.iter().map(|at| at.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn sisters_are_those_of_the_finest_clone_with_enough_late_cells() {
        let founder = level(&[&["A", "A", "B", "", "C"], &["A", "A", "A", "B", "D"]]);
        let second = level(&[&["1", "2", "", "", ""], &["1", "1", "3", "", ""]]);
        let clones = Clones::of_labels(&[founder, second]).unwrap();
        let fates = [Some(0), Some(1), Some(1), Some(0), None];
        let found = clones.sisters(0, 1, &fates, 2, 1).unwrap();
        // Cell 0 has sisters by its second barcode, cell 1 only by its founder, cell 4 none.
        assert_eq!(found.cells, [0, 1, 2]);
        assert_eq!(found.levels, [1, 0, 0]);
        assert_eq!(found.counts, array![[1.0, 1.0], [1.0, 2.0], [1.0, 0.0]]);
        assert_eq!(found.families, [0, 0, 1]);
        // With three sisters at least, cell 0 counts those of its founder too, and cell 2 none.
        let found = clones.sisters(0, 1, &fates, 2, 3).unwrap();
        assert_eq!((found.cells, found.levels), (vec![0, 1], vec![0, 0]));
        // The founder A has three late cells, and no clone has more.
        assert_eq!(clones.most_sisters(0, 1, &fates, 2), 3);
        assert!(clones.sisters(0, 1, &fates, 2, 4).unwrap().cells.is_empty());
        assert_eq!(clones.most_sisters(0, 1, &[None; 5], 2), 0);
        assert_eq!((clones.n_cells(0), clones.n_cells(1)), (4, 5));
        assert!(clones.sisters(0, 1, &fates[..2], 2, 1).is_err());
        assert!(clones.sisters(0, 1, &fates, 2, 0).is_err());
    }

    #[test]
    fn the_wrong_order_of_barcodes_is_seen_and_equal_or_crossed_ones_are_not() {
        let of = |labels: &str| labels.split(' ').map(str::to_string).collect::<Vec<_>>();
        let founder = of("A A A B B B C C");
        let second = of("1 1 2 3 4 4 5 nan");
        assert!(is_reversed(&second, &founder) && !is_reversed(&founder, &second));
        assert!(!is_reversed(&founder, &founder));
        // Barcodes that are used again in each founder are no order at all.
        let again = of("1 2 3 1 2 3 1 2");
        assert!(!is_reversed(&founder, &again) && !is_reversed(&again, &founder));
        // Founders of one cell, and late barcodes that are used again.
        assert!(!is_reversed(&of("A B C D"), &of("1 1 2 2")));
        assert!(!is_reversed(&[], &[]));
    }

    #[test]
    fn a_missing_coarse_barcode_follows_from_the_fine_one_unless_it_is_in_several_clones() {
        let founder = level(&[&["A", "", "A", "B", ""]]);
        let second = level(&[&["1", "1", "2", "2", "2"]]);
        let clones = Clones::of_labels(&[founder, second]).unwrap();
        assert_eq!(clones.level(0).at(0), [Some(0), Some(0), Some(0), Some(1), None]);
        assert_eq!(clones.level(1).names(), ["1", "A/2", "B/2"]);
        assert_eq!(clones.level(1).at(0), [Some(0), Some(0), Some(1), Some(2), None]);
        // A fine clone without a founder is a family of its own.
        let clones = Clones::of_labels(&[level(&[&["A", ""]]), level(&[&["", "9"]])]).unwrap();
        assert_eq!(clones.families(0), [Some(0), Some(1)]);
        assert!(Clones::of_labels(&[level(&[&["", "nan"]])]).is_err());
        assert!(Clones::of_labels(&[]).is_err());
        let short = level(&[&["A"]]);
        assert!(Clones::of_labels(&[level(&[&["A", ""]]), short]).is_err());
    }
}
