//! A pass over all values of a matrix: the evidence for their kind, and the depth of every cell.

use std::ops::Range;

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::CellBlocks;
use crate::error::Result;
use crate::preprocess::values::{Detected, LOG_LIMIT, ValuesEvidence, common_depth};
use crate::progress::Progress;
use crate::share::Packed;

/// Number of sampled cells; sign and size are checked for all values.
const N_SAMPLED: usize = 1_000;
/// Largest relative difference from the common depth if values are too large for logarithms.
///
/// Genes may be removed after normalisation, which changes depths slightly. Depths of cells without
/// normalisation differ by far more.
const SAME_DEPTH: f64 = 1e-2;
/// Largest relative difference if values may be logarithms: the rounding of half precision.
const SAME_DEPTH_OF_SMALL: f64 = 1e-4;
/// Number of values in one task.
const CHUNK: usize = 1 << 16;

/// The kind of values of `x`, and the depth of every cell: the sum of its values.
///
/// One pass over the stored values, without their columns. Time `O(stored values)` in parallel.
///
/// # Errors
/// As for [`crate::preprocess::detect`].
pub(crate) fn survey(
    x: &dyn CellBlocks,
    progress: &mut dyn Progress,
) -> Result<(Detected, Array1<f64>)> {
    let n_cells = x.n_cells();
    let found = Survey::of(x, 0..n_cells, n_cells, progress)?;
    let detected = found.detected();
    Ok((detected, found.depths.0.into()))
}

/// The findings about the values of some cells. Those of all cells do not depend on how the cells were divided, to
/// the bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Survey {
    /// Statistics of all values.
    seen: Seen,
    /// The sampled cells, in order.
    looks: Vec<Look>,
    /// The sum of the values of each cell.
    pub(crate) depths: Packed<f64>,
}

impl Survey {
    /// Surveys `x`, which has the cells `cells` of a course of `n_all` cells.
    ///
    /// # Errors
    /// Those of reading `x`.
    pub(crate) fn of(
        x: &dyn CellBlocks,
        cells: Range<usize>,
        n_all: usize,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let mut seen = Seen::default();
        let step = n_all.div_ceil(N_SAMPLED).max(1);
        let mut looks = Vec::new();
        let mut depths = vec![0.0; x.n_cells()];
        x.each_values(progress, &mut |first, block| {
            let parts = block.values.par_chunks(CHUNK).map(Seen::of).collect::<Vec<_>>();
            for part in &parts {
                seen.join(part);
            }
            if block.values.len() < block.n_cells() * block.n_genes {
                seen.add(0.0);
            }
            let is_sampled = |i: usize| (cells.start + first + i).is_multiple_of(step);
            let looked: Vec<(f64, Option<Look>)> = (0..block.n_cells())
                .into_par_iter()
                .with_min_len(64)
                .map(|i| {
                    let values = block.cell(i);
                    let depth = values.iter().map(|&value| f64::from(value)).sum::<f64>();
                    (depth, is_sampled(i).then(|| Look::behind_the_logarithm(values)))
                })
                .collect();
            for (i, (depth, look)) in looked.into_iter().enumerate() {
                depths[first + i] = depth;
                looks.extend(look);
            }
            Ok(())
        })?;
        Ok(Self { seen, looks, depths: Packed(depths) })
    }

    /// Adds the findings about the cells that follow.
    pub(crate) fn join(&mut self, next: Self) {
        self.seen.join(&next.seen);
        self.looks.extend(next.looks);
        self.depths.0.extend(next.depths.0);
    }

    /// The kind of values.
    pub(crate) fn detected(&self) -> Detected {
        self.seen.decide(&self.looks, &self.depths.0)
    }
}

/// A [`Survey`] as it is written. Depths may be infinite, which JSON has no number for.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Smallest and largest value.
    ends: Packed<f64>,
    /// Numbers of values: other than zero, integers among them, not finite.
    counts: [usize; 3],
    /// [`Look::depth`] of each sampled cell.
    look_depths: Packed<f64>,
    /// [`Look::whole`] of each sampled cell.
    look_whole: Vec<Option<bool>>,
    /// The sum of the values of each cell.
    depths: Packed<f64>,
}

impl From<Survey> for Stored {
    fn from(Survey { seen, looks, depths }: Survey) -> Self {
        Self {
            ends: Packed(vec![seen.min, seen.max]),
            counts: [seen.n_nonzero, seen.n_integer, seen.n_not_finite],
            look_depths: Packed(looks.iter().map(|look| look.depth).collect()),
            look_whole: looks.iter().map(|look| look.whole).collect(),
            depths,
        }
    }
}

impl From<Stored> for Survey {
    fn from(stored: Stored) -> Self {
        let end = |i: usize, none: f64| stored.ends.0.get(i).copied().unwrap_or(none);
        let [n_nonzero, n_integer, n_not_finite] = stored.counts;
        let (min, max) = (end(0, f64::INFINITY), end(1, f64::NEG_INFINITY));
        let looks = stored.look_depths.0.into_iter().zip(stored.look_whole);
        Self {
            seen: Seen { min, max, n_nonzero, n_integer, n_not_finite },
            looks: looks.map(|(depth, whole)| Look { depth, whole }).collect(),
            depths: stored.depths,
        }
    }
}

/// Statistics of the values so far, which do not depend on their order.
#[derive(Debug, Clone, PartialEq)]
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
    /// The statistics of `values`.
    fn of(values: &[f32]) -> Self {
        let mut seen = Self::default();
        for &value in values {
            seen.add(f64::from(value));
        }
        seen
    }

    /// Includes one value.
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

    /// Includes the values of `other`.
    fn join(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.n_nonzero += other.n_nonzero;
        self.n_integer += other.n_integer;
        self.n_not_finite += other.n_not_finite;
    }

    /// The result from the statistics, the sampled cells and the depths of all cells.
    fn decide(&self, looks: &[Look], depths: &[f64]) -> Detected {
        let (min, max) = if self.max < self.min { (0.0, 0.0) } else { (self.min, self.max) };
        let common_depth = self.common_depth(looks, depths);
        let evidence = ValuesEvidence {
            min,
            max,
            all_whole: self.n_integer == self.n_nonzero,
            all_finite: self.n_not_finite == 0,
            common_depth,
        };
        let values = evidence.verdict();
        let could_be_log = self.n_not_finite == 0 && 0.0 <= min && max < LOG_LIMIT;
        let (counts_behind, depth_spread) =
            if could_be_log { behind_the_logarithm(looks) } else { (None, None) };
        let nonzero = self.n_nonzero.max(1) as f64;
        Detected {
            values,
            min,
            max,
            n_not_finite: self.n_not_finite,
            integer_share: if self.n_nonzero == 0 { 1.0 } else { self.n_integer as f64 / nonzero },
            counts_behind,
            depth_spread,
            common_depth,
        }
    }

    /// The common depth of the values themselves, unless `exp(x) − 1` has a common depth too.
    ///
    /// In the latter case the values are logarithms.
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

/// A sampled cell under the assumption that its values are `ln(1 + y)`.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    /// Sum of `y = exp(x) − 1`.
    depth: f64,
    /// Whether all `y` are multiples of the smallest one; `None` with fewer than two.
    whole: Option<bool>,
}

impl Look {
    /// Examines the stored values of one cell.
    fn behind_the_logarithm(values: &[f32]) -> Self {
        let row: Vec<f64> = values.iter().map(|&value| f64::from(value).exp_m1()).collect();
        let positive = || row.iter().copied().filter(|&value| value > 0.0);
        let smallest = positive().fold(f64::INFINITY, f64::min);
        // The smallest value is one molecule in nearly every cell. Rounding to single precision
        // changes a ratio by about 1e-6 of it.
        let whole = || {
            positive().all(|value| {
                let ratio = value / smallest;
                (ratio - ratio.round()).abs() <= 1e-4 + 1e-5 * ratio
            })
        };
        Self { depth: row.iter().sum(), whole: (2 <= positive().count()).then(whole) }
    }
}

/// [`Detected::counts_behind`] and [`Detected::depth_spread`] from the sampled cells.
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
    use ndarray::Array2;

    use super::*;
    use crate::data::{BLOCK_CELLS, Matrix};
    use crate::progress::Silent;

    #[test]
    fn shards_of_cells_tell_the_same_as_all_cells_to_the_bit() {
        let n = 3 * BLOCK_CELLS + 77;
        for scale in [1.0, 0.3, -0.2, 1e30] {
            let value = |i: usize, j: usize| (i * 7 + j * j * 3 + i * j) % 11;
            let x = Array2::from_shape_fn((n, 5), |(i, j)| value(i, j) as f32 * scale);
            let whole = Survey::of(&Matrix::Dense(x.clone()), 0..n, n, &mut Silent).unwrap();
            let mut joined: Option<Survey> = None;
            for cells in [0..BLOCK_CELLS, BLOCK_CELLS..3 * BLOCK_CELLS, 3 * BLOCK_CELLS..n] {
                let part = x.slice(ndarray::s![cells.clone(), ..]).to_owned();
                let found = Survey::of(&Matrix::Dense(part), cells, n, &mut Silent).unwrap();
                let text = serde_json::to_string(&found).unwrap();
                let read: Survey = serde_json::from_str(&text).unwrap();
                assert_eq!(read, found);
                match &mut joined {
                    Some(joined) => joined.join(read),
                    None => joined = Some(read),
                }
            }
            let joined = joined.unwrap();
            assert_eq!(joined, whole);
            assert_eq!(joined.detected(), whole.detected());
        }
        let none = Survey::of(&Matrix::Dense(Array2::zeros((0, 3))), 0..0, 0, &mut Silent).unwrap();
        let text = serde_json::to_string(&none).unwrap();
        assert_eq!(serde_json::from_str::<Survey>(&text).unwrap(), none);
    }
}
