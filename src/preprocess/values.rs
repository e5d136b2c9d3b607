//! The kind of values of a matrix: counts, normalised values, logarithms or scaled values.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::CellBlocks;
use crate::error::Result;
use crate::preprocess::normalize::median_of_positive;
use crate::preprocess::survey::survey;
use crate::progress::Progress;

/// The kind of values of a matrix.
///
/// ```
/// use sbcell::preprocess::Values;
///
/// assert_eq!(Values::Log1p.to_string(), "log1p");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Numbers of molecules or reads: integers, not negative.
    Counts,
    /// Counts scaled to a common depth, without a logarithm: not negative, not all integers, and with
    /// the same sum in nearly every cell.
    Normalised,
    /// Logarithms of one plus a value: not negative, not all integers, all below 20.
    Log1p,
    /// Centred values, perhaps divided by their standard deviation: some are negative.
    Scaled,
    /// Other values, such as intensities without a common depth, or values that are not finite.
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

/// The evidence for a kind of values, as numbers about a whole matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValuesEvidence {
    /// Smallest value, zeros included.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Whether all values are integers.
    pub all_whole: bool,
    /// Whether all values are finite.
    pub all_finite: bool,
    /// The common depth of the cells, see [`common_depth`].
    pub common_depth: Option<f64>,
}

impl ValuesEvidence {
    /// The kind of values by the rules of [`detect`].
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

/// The result of [`detect`], with its evidence; see there for an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    /// The kind of values.
    pub values: Values,
    /// Smallest value, zeros included; 0 for a matrix without values.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Number of values that are NaN or infinite.
    pub n_not_finite: usize,
    /// Share of integers among the values other than zero; 1 without such values.
    pub integer_share: f64,
    /// Share of the sampled cells in which all `exp(x) − 1` are multiples of the smallest one.
    ///
    /// The logarithm of scaled counts has this property. Only cells with two or more values count;
    /// `None` if there are none, or if values are negative or at least 20.
    pub counts_behind: Option<f64>,
    /// Coefficient of variation of the sums of `exp(x) − 1` of the sampled cells.
    ///
    /// It is near zero if every cell was scaled to the same depth before the logarithm. `None` as for
    /// `counts_behind`.
    pub depth_spread: Option<f64>,
    /// The common sum of values of nearly all cells; `None` if there is none, or if the values are
    /// logarithms.
    pub common_depth: Option<f64>,
}

/// Limit of logarithms; `exp(20)` would be half a billion molecules.
pub(super) const LOG_LIMIT: f64 = 20.0;
/// Share of the cells that must have the common depth.
const NEARLY_ALL: f64 = 0.99;

/// Finds the kind of values of `x`.
///
/// - counts: all values are integers, none is negative
/// - scaled: some values are negative
/// - normalised: no value is negative, not all are integers, and the values of 99 % of the cells have
///   the same sum: within 1 %, or within 0.01 % if all values are below 20 and the sums of
///   `exp(x) − 1` differ
/// - log1p: no value is negative, not all are integers, all are below 20
/// - other: all other cases, and every matrix with NaN or an infinite value
///
/// Other logarithms (to base two, or of `1 + Ct`) have the sign and size of `log1p`.
/// [`Detected::counts_behind`] and [`Detected::depth_spread`] are evidence for or against them. The
/// function makes one pass over the stored values and examines at most 1 000 evenly spaced cells in
/// detail.
///
/// # Errors
/// Errors of reading `x`; none for a matrix in memory.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::{Values, detect};
///
/// let x = Matrix::Dense(array![[0.0, 0.7, 1.1], [0.7, 0.0, 2.3]]);
/// let found = detect(&x, &mut Silent)?;
/// assert_eq!(found.values, Values::Log1p);
/// assert!(found.integer_share < 1.0);
/// # sbcell::Result::Ok(())
/// ```
pub fn detect(x: &dyn CellBlocks, progress: &mut dyn Progress) -> Result<Detected> {
    survey(x, progress).map(|surveyed| surveyed.0)
}

/// The common depth of 99 % of the cells with positive depth, within a relative `tolerance`.
///
/// It is their median; `None` if they differ, or if fewer than two cells have a positive depth.
pub fn common_depth(depths: &[f64], tolerance: f64) -> Option<f64> {
    let depth = median_of_positive(depths);
    let n = depths.iter().filter(|&&depth| depth > 0.0).count();
    let same = depths.iter().filter(|&&other| (other - depth).abs() <= tolerance * depth).count();
    (2 <= n && NEARLY_ALL * n as f64 <= same as f64).then_some(depth)
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
