//! What a matrix holds (counts, normalised values, logarithms, scaled values), and what speaks for it.

use std::fmt;

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::CellBlocks;
use crate::error::Result;
use crate::preprocess::normalize::median_of_positive;
use crate::progress::Progress;

/// What the values of a matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Whole numbers, none negative: molecules or reads.
    Counts,
    /// Counts brought to one depth and not logged: not negative, not all whole, and the values of
    /// nearly every cell sum to the same number.
    Normalised,
    /// Logarithms of one plus something: not negative, not all whole, none of 20 or more.
    Log1p,
    /// Centred, and perhaps divided by the standard deviation: some are negative.
    Scaled,
    /// None of these, such as intensities of cells without a common depth, or values that are not
    /// finite.
    Other,
}

impl fmt::Display for Values {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Counts => "counts",
            Self::Normalised => "normalised",
            Self::Log1p => "log1p",
            Self::Scaled => "scaled",
            Self::Other => "other",
        })
    }
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValuesEvidence {
    /// Smallest value, zeros included.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Whether all values are whole numbers.
    pub all_whole: bool,
    /// Whether all values are finite.
    pub all_finite: bool,
    /// The depth that the cells have in common, see [`common_depth`].
    pub common_depth: Option<f64>,
}

impl ValuesEvidence {
    /// The one verdict of what a matrix holds; see [`detect`].
    pub fn verdict(&self) -> Values {
        let Self { min, max, all_whole, all_finite, common_depth } = *self;
        if !all_finite {
            return Values::Other;
        }
        match (min < 0.0, all_whole, common_depth.is_some(), max < LOG_LIMIT) {
            (true, ..) => Values::Scaled,
            (false, true, ..) => Values::Counts,
            (false, false, true, _) => Values::Normalised,
            (false, false, false, true) => Values::Log1p,
            (false, false, false, false) => Values::Other,
        }
    }
}

/// What [`detect`] decided, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    /// The decision.
    pub values: Values,
    /// Smallest value, zeros included; 0 for a matrix without values.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Values that are NaN or infinite.
    pub n_not_finite: usize,
    /// Share of whole numbers among the values that are not zero; 1 if there are none.
    pub integer_share: f64,
    /// Share of the cells looked at (with two values or more) whose `exp(x) − 1` are whole
    /// multiples of their smallest, as they are behind the logarithm of scaled counts; `None`
    /// if there are no such cells, or the values are negative or 20 and more.
    pub counts_behind: Option<f64>,
    /// Standard deviation over mean of the cells' sums of `exp(x) − 1`: near zero if every cell
    /// was brought to the same depth before the logarithm; `None` as for `counts_behind`.
    pub depth_spread: Option<f64>,
    /// The depth that nearly all cells have as they are, without a logarithm undone; `None` if they
    /// have none in common.
    pub common_depth: Option<f64>,
}

/// Cells that are looked at one by one; all values are looked at for sign and size.
const N_SAMPLED: usize = 1_000;
/// A logarithm this large would stand for half a billion molecules.
const LOG_LIMIT: f64 = 20.0;
/// Share of the cells that must have the common depth.
const NEARLY_ALL: f64 = 0.99;
/// How far from the common depth a cell may be, as a share of it, if values are too large for
/// logarithms: genes may have been left out after cells were normalised. Depths of cells that were
/// not normalised differ by far more.
const SAME_DEPTH: f64 = 1e-2;
/// The same if values may be logarithms: what rounding to half precision leaves.
const SAME_DEPTH_OF_SMALL: f64 = 1e-4;
/// Values that one task looks at.
const CHUNK: usize = 1 << 16;

/// Decides what `x` holds.
///
/// - counts: every value is whole and none is negative
/// - scaled: some are negative
/// - normalised: none is negative, not all are whole, and the values of 99 of 100 cells sum to the
///   same number: to 1 %, or, if none is 20 or more, to 0.01 % where the sums of `exp(x) − 1` differ
/// - log1p: none is negative, not all are whole, none is 20 or more
/// - other: anything else, and any matrix with a NaN or an infinity
///
/// Logarithms of other things than `1 + count` (of `1 + Ct`, say, or logarithms to base two)
/// cannot be told from `log1p` by sign and size; [`Detected::counts_behind`] and
/// [`Detected::depth_spread`] speak for or against it. One pass over the stored values, with a
/// closer look at no more than 1 000 cells, evenly spaced.
///
/// # Errors
/// Those of reading `x`; none for a matrix in memory.
pub fn detect(x: &dyn CellBlocks, progress: &mut dyn Progress) -> Result<Detected> {
    survey(x, progress).map(|surveyed| surveyed.0)
}

/// What `x` holds, and the depth of every cell: the sum of its values. One pass, without genes.
///
/// # Errors
/// As [`detect`].
pub fn survey(x: &dyn CellBlocks, progress: &mut dyn Progress) -> Result<(Detected, Array1<f64>)> {
    let mut seen = Seen::default();
    let step = x.n_cells().div_ceil(N_SAMPLED).max(1);
    let mut looks = Vec::new();
    let mut depths = Array1::zeros(x.n_cells());
    x.each_values(progress, &mut |first, block| {
        let parts = block.values.par_chunks(CHUNK).map(Seen::of).collect::<Vec<_>>();
        for part in &parts {
            seen.join(part);
        }
        if block.values.len() < block.n_cells() * block.n_genes {
            seen.add(0.0);
        }
        let looked: Vec<(f64, Option<Look>)> = (0..block.n_cells())
            .into_par_iter()
            .with_min_len(64)
            .map(|i| {
                let values = block.cell(i);
                let depth = values.iter().map(|&value| f64::from(value)).sum::<f64>();
                (depth, ((first + i) % step == 0).then(|| Look::behind_the_logarithm(values)))
            })
            .collect();
        for (i, (depth, look)) in looked.into_iter().enumerate() {
            depths[first + i] = depth;
            looks.extend(look);
        }
        Ok(())
    })?;
    let detected = seen.decide(&looks, depths.as_slice().unwrap_or(&[]));
    Ok((detected, depths))
}

/// The depth that nearly all cells with any value have, up to the share `tolerance` of it; `None` if
/// there is none, or fewer than two such cells.
pub fn common_depth(depths: &[f64], tolerance: f64) -> Option<f64> {
    let depth = median_of_positive(depths);
    let n = depths.iter().filter(|&&depth| depth > 0.0).count();
    let same = depths.iter().filter(|&&other| (other - depth).abs() <= tolerance * depth).count();
    (2 <= n && NEARLY_ALL * n as f64 <= same as f64).then_some(depth)
}

/// What was seen of the values so far; in any order.
struct Seen {
    min: f64,
    max: f64,
    n_nonzero: usize,
    n_integer: usize,
    n_not_finite: usize,
}

impl Default for Seen {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { min, max, n_nonzero: 0, n_integer: 0, n_not_finite: 0 }
    }
}

impl Seen {
    fn of(values: &[f32]) -> Self {
        let mut seen = Self::default();
        for &value in values {
            seen.add(f64::from(value));
        }
        seen
    }

    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.n_not_finite += 1;
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value.abs() > 0.0 {
            self.n_nonzero += 1;
            self.n_integer += usize::from(value.fract().abs() <= 0.0);
        }
    }

    fn join(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.n_nonzero += other.n_nonzero;
        self.n_integer += other.n_integer;
        self.n_not_finite += other.n_not_finite;
    }

    fn decide(mut self, looks: &[Look], depths: &[f64]) -> Detected {
        if self.max < self.min {
            (self.min, self.max) = (0.0, 0.0);
        }
        let common_depth = self.common_depth(looks, depths);
        let evidence = ValuesEvidence {
            min: self.min,
            max: self.max,
            all_whole: self.n_integer == self.n_nonzero,
            all_finite: self.n_not_finite == 0,
            common_depth,
        };
        let values = evidence.verdict();
        let could_be_log = self.n_not_finite == 0 && 0.0 <= self.min && self.max < LOG_LIMIT;
        let (counts_behind, depth_spread) =
            if could_be_log { behind_the_logarithm(looks) } else { (None, None) };
        let nonzero = self.n_nonzero.max(1) as f64;
        Detected {
            values,
            min: self.min,
            max: self.max,
            n_not_finite: self.n_not_finite,
            integer_share: if self.n_nonzero == 0 { 1.0 } else { self.n_integer as f64 / nonzero },
            counts_behind,
            depth_spread,
            common_depth,
        }
    }

    /// The depth that cells have in common before any logarithm is undone, and not after.
    fn common_depth(&self, looks: &[Look], depths: &[f64]) -> Option<f64> {
        if self.n_not_finite > 0 || self.min < 0.0 {
            return None;
        }
        if self.max >= LOG_LIMIT {
            return common_depth(depths, SAME_DEPTH);
        }
        let unlogged: Vec<f64> = looks.iter().map(|look| look.depth).collect();
        let is_log = common_depth(&unlogged, SAME_DEPTH_OF_SMALL).is_some();
        common_depth(depths, SAME_DEPTH_OF_SMALL).filter(|_| !is_log)
    }
}

/// One cell, should its values be logarithms of one plus something.
struct Look {
    /// Sum of `exp(x) − 1`.
    depth: f64,
    /// Whether these are whole multiples of the smallest; `None` with fewer than two.
    whole: Option<bool>,
}

impl Look {
    fn behind_the_logarithm(values: &[f32]) -> Self {
        let row: Vec<f64> = values.iter().map(|&value| f64::from(value).exp_m1()).collect();
        let positive = || row.iter().copied().filter(|&value| value > 0.0);
        let smallest = positive().fold(f64::INFINITY, f64::min);
        // The smallest is one molecule in nearly every cell. A value in single precision leaves
        // an error of about 1e-6 of the ratio.
        let whole = || {
            positive().all(|value| {
                let ratio = value / smallest;
                (ratio - ratio.round()).abs() <= 1e-4 + 1e-5 * ratio
            })
        };
        Self { depth: row.iter().sum(), whole: (2 <= positive().count()).then(whole) }
    }
}

/// `counts_behind` and `depth_spread`.
fn behind_the_logarithm(looks: &[Look]) -> (Option<f64>, Option<f64>) {
    let n_cells = looks.iter().filter(|look| look.whole.is_some()).count();
    if n_cells == 0 {
        return (None, None);
    }
    let n_whole = looks.iter().filter(|look| look.whole == Some(true)).count();
    let n = looks.len() as f64;
    let mean = looks.iter().map(|look| look.depth).sum::<f64>() / n;
    let square = looks.iter().map(|look| (look.depth - mean).powi(2)).sum::<f64>();
    (Some(n_whole as f64 / n_cells as f64), Some((square / n).sqrt() / mean))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use crate::data::Matrix;
    use crate::linalg::Csr;
    use crate::progress::Silent;

    use super::*;

    fn counts() -> Array2<f32> {
        Array2::from_shape_fn((40, 12), |(i, j)| {
            let n = i * 5 + j * j + 7 * i * j;
            if n % 3 == 0 { 0.0 } else { (1 + n % (5 + i % 4)) as f32 }
        })
    }

    fn found(x: Array2<f32>) -> Detected {
        detect(&Matrix::Dense(x), &mut Silent).unwrap()
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        let detected = found(counts());
        assert_eq!(detected.values, Values::Counts);
        assert_eq!((detected.min, detected.max), (0.0, 8.0));
        assert!((detected.integer_share - 1.0).abs() < 1e-15);
        assert_eq!(found(Array2::zeros((3, 3))).values, Values::Counts);
        assert_eq!(found(Array2::zeros((0, 3))).values, Values::Counts);
    }

    #[test]
    fn logarithms_of_counts_are_found_with_and_without_normalisation() {
        let plain = found(counts().mapv(f32::ln_1p));
        assert_eq!(plain.values, Values::Log1p);
        assert!(plain.counts_behind.unwrap() > 0.8, "{plain:?}");
        assert!(plain.depth_spread.unwrap() > 0.05);
        let mut normalized = counts();
        for mut row in normalized.rows_mut() {
            let sum = row.sum();
            row.mapv_inplace(|value| (value / sum * 50.0).ln_1p());
        }
        let normalized = found(normalized);
        assert_eq!(normalized.values, Values::Log1p);
        assert!(normalized.counts_behind.unwrap() > 0.8, "{normalized:?}");
        assert!(normalized.depth_spread.unwrap() < 1e-5);
    }

    #[test]
    fn other_logarithms_have_no_counts_behind_them() {
        let other = found(counts().mapv(|count| (1.0 + 0.37 * count).powf(1.3).log2()));
        assert_eq!(other.values, Values::Log1p);
        assert!(other.counts_behind.unwrap() < 0.5, "{other:?}");
    }

    /// Counts brought to the depth `depth`.
    fn normalised(depth: f32) -> Array2<f32> {
        let mut x = counts();
        for mut row in x.rows_mut() {
            let sum = row.sum();
            row.mapv_inplace(|value| value / sum * depth);
        }
        x
    }

    #[test]
    fn a_common_depth_before_the_logarithm_is_that_of_normalised_values() {
        for depth in [1.0, 7.5, 50.0, 1e3, 1e4, 1e6] {
            let detected = found(normalised(depth));
            assert_eq!(detected.values, Values::Normalised, "{detected:?}");
            assert!((detected.common_depth.unwrap() / f64::from(depth) - 1.0).abs() < 1e-5);
            let logged = found(normalised(depth).mapv(f32::ln_1p));
            assert_eq!((logged.values, logged.common_depth), (Values::Log1p, None), "{logged:?}");
        }
        // One odd cell and an empty one of many do not hide it, no common depth does.
        let many = |change: fn(usize) -> f32| {
            let x = normalised(1e4);
            let x = Array2::from_shape_fn((400, 12), |(i, j)| x[[i % 40, j]] * change(i));
            found(x).values
        };
        assert_eq!(
            many(|i| if i == 7 { 30.5 } else { f32::from(u8::from(i != 9)) }),
            Values::Normalised
        );
        assert_eq!(many(|i| 1.0 + 0.004 * (i % 3) as f32), Values::Normalised);
        assert_eq!(many(|i| 1.0 + 0.1 * (i % 3) as f32), Values::Other);
        // Whole numbers are counts, whatever they sum to.
        assert_eq!(found(Array2::from_elem((9, 4), 25.0)).values, Values::Counts);
        assert_eq!(found(array![[100.5, 20.0]]).values, Values::Other);
    }

    #[test]
    fn negative_values_are_scaled_and_the_rest_is_other() {
        assert_eq!(found(counts() - 1.5).values, Values::Scaled);
        assert_eq!(found(counts() * 10.5).values, Values::Other);
        let broken = found(array![[1.0, f32::NAN], [-1.0, f32::INFINITY]]);
        assert_eq!((broken.values, broken.n_not_finite), (Values::Other, 2));
    }

    #[test]
    fn sparse_zeros_count_and_sparse_and_dense_agree() {
        let sparse = |values: Vec<f32>| {
            let x = Csr::new(3, vec![0, 2, 2, 4], vec![0, 2, 1, 2], values).unwrap();
            detect(&Matrix::Sparse(x), &mut Silent).unwrap()
        };
        let detected = sparse(vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(detected, found(array![[1., 0., 2.], [0., 0., 0.], [0., 3., 4.]]));
        assert_eq!((detected.values, detected.min), (Values::Counts, 0.0));
        assert_eq!(sparse(vec![0.5, 1.0, 1.5, 2.0]).values, Values::Log1p);
    }

    /// 99 of 100 cells have the depth, and those below it count as those above.
    #[test]
    fn nearly_all_cells_have_a_common_depth() {
        let depths = |n_odd: usize, odd: f64| -> Vec<f64> {
            (0..200).map(|i| if i < n_odd { odd } else { 10.0 }).collect()
        };
        for odd in [5.0, 20.0] {
            assert_eq!(common_depth(&depths(2, odd), 1e-2), Some(10.0));
            assert_eq!(common_depth(&depths(3, odd), 1e-2), None);
        }
        assert_eq!(common_depth(&depths(200, 10.0), 1e-2), Some(10.0));
        // Off by 0.9 %, 1.1 %.
        assert_eq!(common_depth(&depths(3, 10.09), 1e-2), Some(10.0));
        assert_eq!(common_depth(&depths(3, 10.11), 1e-2), None);
        assert_eq!((common_depth(&[10.0], 1e-2), common_depth(&[0.0, 0.0], 1e-2)), (None, None));
    }

    #[test]
    fn logarithms_are_below_twenty() {
        let most = |most: f32| {
            let mut x = counts().mapv(f32::ln_1p);
            x[[3, 2]] = most;
            found(x).values
        };
        assert_eq!((most(19.5), most(20.5)), (Values::Log1p, Values::Other));
    }

    #[test]
    fn the_spread_of_depths_is_a_deviation_over_a_mean() {
        // Depths 10 and 30 behind the logarithm.
        let x = array![[4.0_f32, 6.0], [12.0, 18.0]].mapv(f32::ln_1p);
        assert!((found(x).depth_spread.unwrap() - 0.5).abs() < 1e-6);
    }
}
