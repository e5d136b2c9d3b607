//! Cross-fitting: coordinates are learnt from one half of the training cells and compared in the other.

use rand::seq::SliceRandom;

use crate::rng::Seed;

/// Smallest number of cells of a time in a half.
pub(super) const FEWEST: usize = 20;

/// The cells of one part of a cross-fit, as numbers among all cells of an evaluation, increasing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Half {
    /// The cells from which coordinates are learnt.
    pub(super) learnt: Vec<usize>,
    /// The cells from which bridges and null models are made.
    pub(super) used: Vec<usize>,
}

/// Whether each cell is in the second half of its time. `numbers` has the number of each cell's time.
///
/// The halves of a time are drawn at random and differ by at most one cell. `seed` determines them.
pub(super) fn second_half(numbers: &[usize], seed: Seed) -> Vec<bool> {
    let n_times = numbers.iter().max().map_or(0, |last| last + 1);
    let mut of_time = vec![Vec::new(); n_times];
    for (cell, &number) in numbers.iter().enumerate() {
        of_time[number].push(cell);
    }
    let mut second = vec![false; numbers.len()];
    for (number, mut cells) in of_time.into_iter().enumerate() {
        cells.shuffle(&mut seed.stream("evaluate/halves", number as u64));
        let n = cells.len() / 2;
        cells[..n].iter().for_each(|&cell| second[cell] = true);
    }
    second
}

/// Both parts of a cross-fit of the cells `training`: each half learns for the other.
///
/// `None` if a half of some time has fewer than [`FEWEST`] cells.
pub(super) fn halves(training: &[usize], numbers: &[usize], second: &[bool]) -> Option<[Half; 2]> {
    let n_times = training.iter().map(|&cell| numbers[cell] + 1).max().unwrap_or(0);
    let mut n_cells = vec![0; n_times];
    for &cell in training {
        n_cells[numbers[cell]] += 1;
    }
    let fewest = n_cells.into_iter().filter(|&n| n > 0).min().unwrap_or(0);
    if fewest < 2 * FEWEST {
        return None;
    }
    let (a, b): (Vec<usize>, Vec<usize>) = training.iter().partition(|&&cell| !second[cell]);
    Some([Half { learnt: a.clone(), used: b.clone() }, Half { learnt: b, used: a }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_disjoint_have_all_cells_and_every_time_evenly() {
        let numbers: Vec<usize> = (0..205).map(|cell| cell % 5 / 2).collect();
        let second = second_half(&numbers, Seed(1));
        for number in 0..3 {
            let of = |half: bool| {
                (0..205).filter(|&c| numbers[c] == number && second[c] == half).count()
            };
            assert!(of(false) - of(true) <= 1, "{number}");
        }
        let training: Vec<usize> = (0..205).filter(|&cell| numbers[cell] != 1).collect();
        let [one, other] = halves(&training, &numbers, &second).unwrap();
        assert_eq!((&one.learnt, &one.used), (&other.used, &other.learnt));
        let mut all = [one.learnt, one.used].concat();
        all.sort_unstable();
        assert_eq!(all, training);
        assert_ne!(second, second_half(&numbers, Seed(2)));
        assert_eq!(second, second_half(&numbers, Seed(1)));
    }

    #[test]
    fn a_time_of_few_cells_has_no_halves_unless_it_is_held_out() {
        let numbers: Vec<usize> = (0..119).map(|cell| cell / 40).collect();
        let second = second_half(&numbers, Seed(1));
        let all: Vec<usize> = (0..119).collect();
        assert_eq!(halves(&all, &numbers, &second), None);
        assert!(halves(&all[..80], &numbers, &second).is_some());
    }
}
