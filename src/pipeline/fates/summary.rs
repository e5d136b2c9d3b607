//! The summary of fates: means by time, the baselines beside them, and sentences on both.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::lineage::{FateTable, Fates, fate_correlation, undecided};

/// Largest number of nearest terminal cells that a fate is compared with.
const MOST_NEIGHBOURS: usize = 80;
/// Of this number of terminal cells, at most one is a neighbour: of few, most would be neighbours of every cell.
const ONE_OF: usize = 5;

/// From this correlation over cells on, plan and neighbours agree closely.
const CLOSE: f64 = 0.8;
/// Below this correlation, plan and neighbours hardly agree.
const HARDLY: f64 = 0.5;

/// Means over the cells of one time whose fates are known.
///
/// ```
/// use sbcell::pipeline::{CellSets, FateOptions, example_model, fates};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // cell types left and right
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let found = fates(&model, &FateOptions::default().with_sets(sets), &mut Silent)?;
/// let first = &found.summary[0];
/// assert!((0.0..=1.0).contains(&first.undecided));
/// assert!((first.neighbours.iter().sum::<f64>() - 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FateSummary {
    /// The time.
    pub time: f64,
    /// Mean probability of each fate.
    pub mean: Vec<f64>,
    /// Mean share of each fate among the nearest terminal cells of a cell.
    pub neighbours: Vec<f64>,
    /// Correlation over cells between the fate probabilities and these shares
    /// ([`fate_correlation`](crate::lineage::fate_correlation)). NaN at the last terminal time, where both are
    /// the labels of the cells.
    pub correlation: f64,
    /// Mean over cells of [`undecided`](crate::lineage::undecided): 0 if every cell has one fate, 1 if every cell
    /// is as mixed as the terminal cells.
    pub undecided: f64,
    /// Mean share of descendants that reach a terminal state.
    pub reached: f64,
}

/// The number of nearest terminal cells with which fates are compared: 80, and at most a fifth of all `n_terminal`.
pub(super) fn n_neighbours(n_terminal: usize) -> usize {
    MOST_NEIGHBOURS.min(n_terminal / ONE_OF).max(1)
}

/// The summary of each time of `times`. `neighbours` are the fates of the nearest terminal cells at each time, and
/// `shares` those of all terminal cells.
pub(super) fn summary(
    times: &[f64],
    fates: &Fates,
    neighbours: &[Array2<f64>],
    shares: ArrayView1<'_, f64>,
) -> Vec<FateSummary> {
    let last = fates.tables.len().saturating_sub(1);
    let of_time = |(k, table): (usize, &FateTable)| {
        let undecided = undecided(table.probabilities.view(), shares);
        let known: Vec<f64> = undecided.iter().copied().filter(|u| u.is_finite()).collect();
        let correlation = if k == last {
            f64::NAN
        } else {
            fate_correlation(table.probabilities.view(), neighbours[k].view())
        };
        FateSummary {
            time: times[k],
            mean: means(&table.probabilities).to_vec(),
            neighbours: means(&neighbours[k]).to_vec(),
            correlation,
            undecided: known.iter().sum::<f64>() / known.len().max(1) as f64,
            reached: table.reached.sum() / table.reached.len().max(1) as f64,
        }
    };
    fates.tables.iter().enumerate().map(of_time).collect()
}

/// Mean of the rows without NaN.
fn means(of: &Array2<f64>) -> Array1<f64> {
    let known: Vec<usize> =
        (0..of.nrows()).filter(|&i| of.row(i).iter().all(|p| p.is_finite())).collect();
    of.select(Axis(0), &known).sum_axis(Axis(0)) / known.len().max(1) as f64
}

/// Plain sentences on the fates, one line each: whether they say more than the shares of the terminal cells, and how
/// far their `n_neighbours` nearest terminal cells give the same.
pub(super) fn words(summary: &[FateSummary], n_neighbours: usize) -> Vec<String> {
    mixed(summary).into_iter().chain([agreement(summary, n_neighbours)]).collect()
}

/// At this mean of `undecided` and above, fates say hardly more than the shares.
const MIXED: f64 = 0.9;

/// The sentence that fates say hardly more than the shares of the terminal cells, if this is so at every time.
fn mixed(summary: &[FateSummary]) -> Option<String> {
    let (_, before) = summary.split_last()?;
    let all = !before.is_empty() && before.iter().all(|at| at.undecided >= MIXED);
    all.then(|| {
        "at every time the cells are nearly as mixed as the terminal cells: these fates say hardly more than the \
         shares of the terminal cells"
            .to_string()
    })
}

/// How far the plan and the nearest terminal cells give the same fates.
fn agreement(summary: &[FateSummary], n_neighbours: usize) -> String {
    let near = if n_neighbours == 1 {
        "nearest terminal cell".to_string()
    } else {
        format!("{n_neighbours} nearest terminal cells")
    };
    let known: Vec<&FateSummary> = summary.iter().filter(|at| at.correlation.is_finite()).collect();
    let order = |a: &&&FateSummary, b: &&&FateSummary| a.correlation.total_cmp(&b.correlation);
    let (Some(least), Some(most)) = (known.iter().min_by(order), known.iter().max_by(order)) else {
        return format!(
            "the fates by the plan and by the {near} cannot be compared: one of \
             them is the same for all cells"
        );
    };
    let (how, so) = if least.correlation >= CLOSE {
        ("agree closely", "")
    } else if most.correlation < HARDLY || least.correlation < 0.0 {
        (
            "hardly agree",
            "; check the fates with clones, markers or another time before you trust either",
        )
    } else {
        ("agree in part", "; where they differ, the data alone do not say which is right")
    };
    let span = if known.len() == 1 {
        format!("{:.2} at {}", least.correlation, least.time)
    } else {
        let (least, most) = (least, most);
        format!(
            "{:.2} at {} to {:.2} at {}",
            least.correlation, least.time, most.correlation, most.time
        )
    };
    format!(
        "the fates by the plan and by the {near} {how} (correlation over cells: \
         {span}){so}"
    )
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn at(time: f64, correlation: f64) -> FateSummary {
        let (mean, neighbours) = (vec![0.5, 0.5], vec![0.4, 0.6]);
        FateSummary { time, mean, neighbours, correlation, undecided: 0.5, reached: 1.0 }
    }

    #[test]
    fn the_sentence_says_how_far_plan_and_neighbours_agree() {
        let said = |of: &[f64]| {
            let rows: Vec<FateSummary> =
                of.iter().enumerate().map(|(k, c)| at(k as f64, *c)).collect();
            words(&rows, 80).join("\n")
        };
        let close = said(&[0.85, 0.95, f64::NAN]);
        assert!(close.contains("agree closely") && close.contains("0.85 at 0 to 0.95 at 1"));
        assert!(said(&[0.85, 0.6]).contains("agree in part"));
        assert!(said(&[0.4]).contains("hardly agree (correlation over cells: 0.40 at 0)"));
        assert!(said(&[f64::NAN]).contains("cannot be compared"));
        assert!(words(&[at(0.0, 0.9)], 1)[0].contains("by the nearest terminal cell agree"));
        // Undecided at all times but the last, and at one of them not.
        let undecided = |of: [f64; 3]| {
            words(&of.map(|undecided| FateSummary { undecided, ..at(0.0, 0.9) }), 80)
        };
        assert!(undecided([0.95, 0.92, 0.0])[0].contains("hardly more than the shares"));
        assert_eq!(undecided([0.95, 0.8, 0.0]).len(), 1);
        assert_eq!([3, 40, 399, 400, 5000].map(n_neighbours), [1, 8, 79, 80, 80]);
    }

    #[test]
    fn means_are_over_cells_with_known_fates() {
        let probabilities = array![[1.0, 0.0], [0.5, 0.5], [f64::NAN, f64::NAN]];
        let table = |probabilities: Array2<f64>| FateTable {
            lo: probabilities.clone(),
            hi: probabilities.clone(),
            reached: array![1.0, 0.5, 0.0],
            descendants: array![1.0, 1.0, 1.0],
            probabilities,
        };
        let names = vec!["A".into(), "B".into()];
        let tables = vec![table(probabilities.clone()), table(probabilities)];
        let fates = Fates { names, tables };
        let near = array![[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]];
        let shares = array![0.5, 0.5];
        let found = summary(&[0.0, 1.0], &fates, &[near.clone(), near], shares.view());
        assert_eq!(found[0].mean, [0.75, 0.25]);
        assert_eq!((found[0].undecided, found[0].reached), (0.5, 0.5));
        assert!((found[0].neighbours[0] - 0.5).abs() < 1e-12);
        assert!((found[0].correlation - 1.0).abs() < 1e-12 && found[1].correlation.is_nan());
    }
}
