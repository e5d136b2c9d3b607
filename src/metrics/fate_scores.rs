//! Scores of predicted fate probabilities against the fates of late sisters (cells of the same clone).

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};

use crate::error::{Error, Result, shape};
use crate::metrics::{Drawn, Estimate, Resamples};

/// A number that compares predicted with observed fates.
///
/// With the predicted probability `p_if` of cell i for fate f, the share `s_if` of this fate among the
/// late sisters of the cell, and means over cells:
///
/// | metric | of one fate | of all fates |
/// |---|---|---|
/// | correlation | Pearson correlation of `p_if` and `s_if` | the same after centring each fate, over all fates |
/// | AUROC | area under the ROC curve of `p_if` for cells whose sisters mostly have this fate | mean over fates |
/// | log-likelihood | `s ln p + (1 − s) ln(1 − p)` | `Σ_f s_f ln p_f` |
/// | Brier | `s (1 − p)² + (1 − s) p²` | the sum over fates |
///
/// The log-likelihood is the mean over the sisters of a cell, in nats. Cells whose most frequent fate is
/// not unique do not count for the AUROC. With two fates all metrics but the AUROC of both fates agree
/// by symmetry, except that the Brier score of all fates is twice that of one.
///
/// ```
/// use sbcell::metrics::FateMetric;
///
/// assert_eq!(FateMetric::Brier.name(), "brier");
/// assert!(FateMetric::Auroc.is_better(0.8, 0.7) && FateMetric::Brier.is_better(0.1, 0.2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FateMetric {
    /// Pearson correlation of probabilities and shares.
    Correlation,
    /// Area under the receiver operating characteristic of the most frequent fate; ties count half.
    Auroc,
    /// Mean logarithm of the probability of the fate of a late sister, in nats.
    LogLikelihood,
    /// Mean squared difference between probabilities and fates.
    Brier,
}

impl FateMetric {
    /// All metrics.
    pub const ALL: [Self; 4] = [Self::Correlation, Self::Auroc, Self::LogLikelihood, Self::Brier];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Correlation => "correlation",
            Self::Auroc => "auroc",
            Self::LogLikelihood => "log_likelihood",
            Self::Brier => "brier",
        }
    }

    /// Whether `one` is a better value than `other`: smaller for [`FateMetric::Brier`], larger otherwise.
    pub fn is_better(self, one: f64, other: f64) -> bool {
        if self == Self::Brier { one < other } else { one > other }
    }
}

/// Early cells with the fates of their late sisters, and the resamples of their clones.
///
/// ```
/// use ndarray::array;
/// use sbcell::Seed;
/// use sbcell::metrics::{FateMetric, FateScoring, Resamples};
///
/// # fn main() -> sbcell::Result<()> {
/// // Four cells of three clones. The sisters of the first two cells have fate 0.
/// let sisters = array![[2.0, 0.0], [2.0, 0.0], [1.0, 3.0], [0.0, 1.0]];
/// let clones = [0, 0, 1, 2];
/// let scoring = FateScoring::new(sisters, Resamples::of_groups(&clones, 100, Seed(0)), &clones)?;
/// let predicted = array![[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8]];
/// let scores = scoring.scores(predicted.view(), 0.01)?;
/// assert_eq!(scores.overall(FateMetric::Auroc).value, 1.0);
/// assert!(scores.of_fate(0, FateMetric::Correlation).value > 0.9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FateScoring {
    /// Shares of the fates among the late sisters, `(n_cells, n_fates)`.
    shares: Array2<f64>,
    /// The unique most frequent fate of the sisters of each cell.
    majority: Vec<Option<usize>>,
    /// Number of times that each cell is in the sample and in each resample.
    resamples: Resamples,
    /// Whether there are enough clones for intervals.
    is_enough: bool,
}

/// The scores of one prediction. See [`FateScoring`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FateScores {
    /// In the order of [`FateMetric::ALL`], for each fate.
    fates: Vec<Vec<Estimate>>,
    /// In the order of [`FateMetric::ALL`].
    overall: Vec<Estimate>,
}

impl FateScores {
    /// The score of the fate number `fate`.
    pub fn of_fate(&self, fate: usize, metric: FateMetric) -> &Estimate {
        &self.fates[fate][metric as usize]
    }

    /// The score of all fates together.
    pub fn overall(&self, metric: FateMetric) -> &Estimate {
        &self.overall[metric as usize]
    }
}

impl FateScoring {
    /// From the number of late sisters of each cell with each fate, `(n_cells, n_fates)`, and the
    /// resamples of the cells, which should be resamples of the clones in `clones`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the resamples or the clones have another number of cells;
    /// [`Error::Parameter`] if there is no cell, or a cell without a sister.
    pub fn new(sisters: Array2<f64>, resamples: Resamples, clones: &[usize]) -> Result<Self> {
        shape::rows("resamples", sisters.nrows(), resamples.counts().nrows())?;
        shape::rows("clones", sisters.nrows(), clones.len())?;
        let totals = sisters.sum_axis(Axis(1));
        if totals.is_empty() || !totals.iter().all(|total| *total > 0.0) {
            let (name, must) = ("sisters", "at least one for each cell, and at least one cell");
            return Err(Error::Parameter { name, must, got: format!("{} cells", totals.len()) });
        }
        let majority = |row: ArrayView1<'_, f64>| {
            let most = row.iter().fold(0.0, |most: f64, n| most.max(*n));
            let mut at = (0..row.len()).filter(|&fate| row[fate] >= most);
            let first = at.next();
            if at.next().is_some() { None } else { first }
        };
        let majority = sisters.rows().into_iter().map(majority).collect();
        let shares = sisters / totals.insert_axis(Axis(1));
        let is_enough = Drawn::batches(clones).is_enough();
        Ok(Self { shares, majority, resamples, is_enough })
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.shares.nrows()
    }

    /// Scores the probabilities `predicted`, `(n_cells, n_fates)`, whose rows sum to one.
    ///
    /// For the log-likelihood, probabilities below `least` are raised to `least` and rows scaled to sum
    /// to one, because n cells do not show that a fate is impossible. Scores that are not defined (a
    /// constant has no correlation) are NaN. Time `O(n_fates (n log n + n n_resamples))`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `predicted` has another shape; [`Error::Parameter`] if a probability is not
    /// between 0 and 1, or `least` is not between 0 and 1.
    pub fn scores(&self, predicted: ArrayView2<'_, f64>, least: f64) -> Result<FateScores> {
        shape::rows("predicted fates", self.shares.nrows(), predicted.nrows())?;
        shape::columns("predicted fates", self.shares.ncols(), predicted.ncols())?;
        let is_share = |p: &f64| (-1e-9..=1.0 + 1e-9).contains(p);
        let bad = predicted.iter().chain([&least]).find(|p| !is_share(p));
        if let Some(bad) = bad {
            let (name, must) = ("predicted fates", "between 0 and 1");
            return Err(Error::Parameter { name, must, got: bad.to_string() });
        }
        let raised = raised(predicted, least);
        let n_fates = self.shares.ncols();
        let moments: Vec<Moments> =
            (0..n_fates).map(|f| self.moments(predicted.column(f), f)).collect();
        let aurocs: Vec<Array1<f64>> =
            (0..n_fates).map(|f| self.auroc(predicted.column(f), f)).collect();
        let briers: Vec<Array1<f64>> = (0..n_fates).map(|f| self.brier(predicted, f)).collect();
        let fates = (0..n_fates)
            .map(|f| {
                let all = [
                    correlation(&moments[f..=f]),
                    aurocs[f].clone(),
                    self.likelihood(raised.column(f), f),
                    briers[f].clone(),
                ];
                all.map(|values| self.estimate(&values)).to_vec()
            })
            .collect();
        let together = (0..self.n_cells())
            .map(|i| (0..n_fates).map(|f| product_log(self.shares[[i, f]], raised[[i, f]])).sum());
        let overall = [
            correlation(&moments),
            mean_of_defined(&aurocs),
            self.means(together.collect()),
            briers.iter().fold(Array1::zeros(self.resamples.n_columns()), |sum, of| sum + of),
        ];
        let overall = overall.map(|values| self.estimate(&values)).to_vec();
        Ok(FateScores { fates, overall })
    }

    /// The estimate of a number from its values in the sample and the resamples.
    fn estimate(&self, values: &Array1<f64>) -> Estimate {
        let estimate = Estimate::of(values);
        if self.is_enough { estimate } else { estimate.without_interval() }
    }

    /// Means of `values` over the cells, in the sample and each resample.
    fn means(&self, values: Array1<f64>) -> Array1<f64> {
        let counts = self.resamples.counts();
        values.dot(&counts) / counts.sum_axis(Axis(0))
    }

    /// Variances and covariance of the probabilities `p` and the shares of `fate`.
    fn moments(&self, p: ArrayView1<'_, f64>, fate: usize) -> Moments {
        let s = self.shares.column(fate);
        // Centring first keeps digits.
        let (p0, s0) = (p.mean().unwrap_or(0.0), s.mean().unwrap_or(0.0));
        let (p, s) = (&p - p0, &s - s0);
        let (mp, ms) = (self.means(p.clone()), self.means(s.clone()));
        Moments {
            predicted: self.means(&p * &p) - &mp * &mp,
            observed: self.means(&s * &s) - &ms * &ms,
            both: self.means(&p * &s) - &mp * &ms,
        }
    }

    /// `s ln p + (1 − s) ln(1 − p)` of one fate.
    fn likelihood(&self, p: ArrayView1<'_, f64>, fate: usize) -> Array1<f64> {
        let of = |(p, s): (&f64, &f64)| product_log(*s, *p) + product_log(1.0 - s, 1.0 - p);
        self.means(p.iter().zip(self.shares.column(fate)).map(of).collect())
    }

    /// `s (1 − p)² + (1 − s) p²` of one fate.
    fn brier(&self, predicted: ArrayView2<'_, f64>, fate: usize) -> Array1<f64> {
        let of = |(p, s): (&f64, &f64)| s * (1.0 - p).powi(2) + (1.0 - s) * p * p;
        self.means(predicted.column(fate).iter().zip(self.shares.column(fate)).map(of).collect())
    }

    /// The area under the ROC curve of `p` for the cells whose sisters mostly have `fate`, in the sample
    /// and each resample; NaN without cells of both kinds.
    fn auroc(&self, p: ArrayView1<'_, f64>, fate: usize) -> Array1<f64> {
        let mut order: Vec<usize> = (0..p.len()).filter(|&i| self.majority[i].is_some()).collect();
        order.sort_by(|&a, &b| p[a].total_cmp(&p[b]).then(a.cmp(&b)));
        let counts = self.resamples.counts();
        let of_column = |counts: ArrayView1<'_, f64>| {
            let (mut below, mut present, mut area) = (0.0, 0.0, 0.0);
            // Probabilities that agree to twelve digits are ties: rounding must not rank them.
            for ties in order.chunk_by(|&a, &b| (p[a] - p[b]).abs() < 1e-12) {
                let (mut hits, mut misses) = (0.0, 0.0);
                for &i in ties {
                    let own = if self.majority[i] == Some(fate) { &mut hits } else { &mut misses };
                    *own += counts[i];
                }
                area += hits * (below + 0.5 * misses);
                below += misses;
                present += hits;
            }
            if present > 0.0 && below > 0.0 { area / (present * below) } else { f64::NAN }
        };
        counts.columns().into_iter().map(of_column).collect()
    }
}

/// Second moments of a fate in the sample and each resample.
struct Moments {
    /// Variance of the probabilities.
    predicted: Array1<f64>,
    /// Variance of the shares.
    observed: Array1<f64>,
    /// Covariance.
    both: Array1<f64>,
}

/// The correlation from moments that are summed over fates; NaN for a constant.
fn correlation(fates: &[Moments]) -> Array1<f64> {
    let n = fates.first().map_or(0, |first| first.both.len());
    let sum = |of: fn(&Moments) -> &Array1<f64>| {
        fates.iter().fold(Array1::zeros(n), |sum: Array1<f64>, fate| sum + of(fate))
    };
    let (x, y) = (sum(|fate| &fate.predicted), sum(|fate| &fate.observed));
    Zip::from(&sum(|fate| &fate.both)).and(&x).and(&y).map_collect(|both, x, y| {
        // Rounding leaves a constant with a variance of about 1e-16 of its square.
        if *x > 1e-14 && *y > 1e-14 { both / (x * y).sqrt() } else { f64::NAN }
    })
}

/// The mean of the numbers that are defined, in the sample and each resample.
fn mean_of_defined(all: &[Array1<f64>]) -> Array1<f64> {
    let n = all.first().map_or(0, Array1::len);
    (0..n)
        .map(|b| {
            let defined: Vec<f64> = all.iter().map(|of| of[b]).filter(|v| v.is_finite()).collect();
            defined.iter().sum::<f64>() / defined.len() as f64
        })
        .collect()
}

/// Probabilities of at least about `least`, with rows that sum to one.
fn raised(predicted: ArrayView2<'_, f64>, least: f64) -> Array2<f64> {
    let mut raised = predicted.mapv(|p| p.max(least));
    for mut row in raised.rows_mut() {
        let total = row.sum();
        row /= total;
    }
    raised
}

/// `s ln p`, which is 0 for s = 0.
fn product_log(s: f64, p: f64) -> f64 {
    if s > 0.0 { s * p.ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::rng::Seed;

    /// Cells of eleven clones with three fates and numbers that stand for chance.
    fn example() -> (Array2<f64>, Array2<f64>, Vec<usize>) {
        let chance = |i: usize, f: usize| ((i * 37 + f * 11) as f64 * 1.7).sin().abs();
        let sisters = Array2::from_shape_fn((40, 3), |(i, f)| {
            (4.0 * chance(i / 2, f)).floor() + f64::from(u8::from(f == i / 2 % 3))
        });
        let mut predicted = Array2::from_shape_fn((40, 3), |(i, f)| {
            // Some ties, and some zeros.
            (4.0 * chance(i / 2, f) + 2.0 * chance(i + 7, f)).floor()
        });
        for mut row in predicted.rows_mut() {
            row[0] += 1.0;
            let total = row.sum();
            row /= total;
        }
        (sisters, predicted, (0..40).map(|i| i / 4).collect())
    }

    /// Every metric by its definition, one sister after the other, for cells drawn `counts` times.
    fn slow(
        sisters: &Array2<f64>,
        p: &Array2<f64>,
        counts: ArrayView1<'_, f64>,
        fate: usize,
        least: f64,
    ) -> [f64; 4] {
        let (mut x, mut y, mut hits, mut misses) = (vec![], vec![], vec![], vec![]);
        let (mut log, mut brier, mut n) = (0.0, 0.0, 0.0);
        for i in (0..p.nrows()).flat_map(|i| vec![i; counts[i] as usize]) {
            let row = sisters.row(i);
            let total = row.sum();
            x.push(p[[i, fate]]);
            y.push(row[fate] / total);
            let best = row.iter().copied().fold(0.0, f64::max);
            if row.iter().filter(|n| best <= **n).count() == 1 {
                if best <= row[fate] { &mut hits } else { &mut misses }.push(p[[i, fate]]);
            }
            let floor: Vec<f64> = p.row(i).iter().map(|p| p.max(least)).collect();
            let q = floor[fate] / floor.iter().sum::<f64>();
            for f in (0..row.len()).flat_map(|f| vec![f; row[f] as usize]) {
                log += if f == fate { q.ln() } else { (1.0 - q).ln() } / total;
                brier += (p[[i, fate]] - f64::from(u8::from(f == fate))).powi(2) / total;
            }
            n += 1.0;
        }
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (mx, my) = (mean(&x), mean(&y));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            x.iter().zip(&y).map(|(x, y)| of(x - mx, y - my)).sum()
        };
        let r = sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
        let wins: f64 = hits
            .iter()
            .flat_map(|h| {
                misses
                    .iter()
                    .map(move |m| if h > m { 1.0 } else { 0.5 * f64::from(u8::from(h >= m)) })
            })
            .sum();
        [r, wins / (hits.len() * misses.len()) as f64, log / n, brier / n]
    }

    #[test]
    fn metrics_and_their_resamples_are_those_of_the_definitions() {
        let (sisters, predicted, clones) = example();
        let resamples = Resamples::of_groups(&clones, 20, Seed(3));
        let scoring = FateScoring::new(sisters.clone(), resamples.clone(), &clones).unwrap();
        let scores = scoring.scores(predicted.view(), 0.02).unwrap();
        for fate in 0..3 {
            for (b, counts) in resamples.counts().columns().into_iter().enumerate() {
                let slow = slow(&sisters, &predicted, counts, fate, 0.02);
                for (metric, slow) in FateMetric::ALL.into_iter().zip(slow) {
                    let of = scores.of_fate(fate, metric);
                    let found = if b == 0 { of.value } else { of.resampled[b - 1] };
                    // Without cells of both kinds both are NaN.
                    let same = found.is_nan() && slow.is_nan() || (found - slow).abs() < 1e-12;
                    assert!(same, "{fate} {b} {metric:?} {found} {slow}");
                }
            }
        }
    }

    #[test]
    fn two_fates_are_one_question_and_the_overall_scores_those_of_either() {
        let sisters = array![[3.0, 1.0], [1.0, 0.0], [0.0, 2.0], [1.0, 1.0]];
        let p = array![[0.6, 0.4], [1.0, 0.0], [0.3, 0.7], [0.5, 0.5]];
        let clones = [0, 1, 2, 3];
        let resamples = Resamples::of_cells(4, 0, Seed(0));
        let scores = FateScoring::new(sisters, resamples, &clones).unwrap();
        let scores = scores.scores(p.view(), 0.0).unwrap();
        let overall = |metric| scores.overall(metric).value;
        for metric in FateMetric::ALL {
            let factor = if metric == FateMetric::Brier { 2.0 } else { 1.0 };
            for fate in 0..2 {
                let of = scores.of_fate(fate, metric).value;
                assert!((overall(metric) - factor * of).abs() < 1e-12, "{metric:?}");
            }
        }
        // The last cell has no unique majority; the others are ranked rightly.
        assert!((overall(FateMetric::Auroc) - 1.0).abs() < 1e-12);
        let log = 0.75 * 0.6_f64.ln() + 0.25 * 0.4_f64.ln() + 0.7_f64.ln() + 0.5_f64.ln();
        assert!((overall(FateMetric::LogLikelihood) - log / 4.0).abs() < 1e-12);
        let brier = 0.75 * 0.16 + 0.25 * 0.36 + 0.09 + 0.25;
        assert!((overall(FateMetric::Brier) - 2.0 * brier / 4.0).abs() < 1e-12);
        assert!(scores.overall(FateMetric::Brier).lo.is_nan());
    }

    #[test]
    fn a_constant_has_no_correlation_no_rank_and_the_entropy_as_likelihood() {
        let (sisters, predicted, clones) = example();
        let resamples = Resamples::of_groups(&clones, 50, Seed(3));
        let scoring = FateScoring::new(sisters.clone(), resamples, &clones).unwrap();
        let mean = scoring.shares.mean_axis(Axis(0)).unwrap();
        let constant = Array2::from_shape_fn(predicted.dim(), |(_, f)| mean[f]);
        let scores = scoring.scores(constant.view(), 1e-3).unwrap();
        assert!(scores.overall(FateMetric::Correlation).value.is_nan());
        assert!((scores.overall(FateMetric::Auroc).value - 0.5).abs() < 1e-12);
        let entropy: f64 = mean.iter().map(|p| p * p.ln()).sum();
        assert!((scores.overall(FateMetric::LogLikelihood).value - entropy).abs() < 1e-12);
        let own = scoring.scores(predicted.view(), 1e-3).unwrap();
        let gain =
            own.overall(FateMetric::Auroc).with(scores.overall(FateMetric::Auroc), |a, b| a - b);
        assert!(gain.lo < gain.value && gain.value < gain.hi);
        // All cells of one clone: no interval.
        let one = vec![0; clones.len()];
        let resamples = Resamples::of_groups(&one, 10, Seed(3));
        let scoring = FateScoring::new(sisters, resamples, &one).unwrap();
        let scores = scoring.scores(predicted.view(), 1e-3).unwrap();
        assert!(scores.overall(FateMetric::Brier).lo.is_nan());
        let wrong = predicted.mapv(|p| p * 3.0);
        assert!(scoring.scores(wrong.view(), 1e-3).is_err());
        assert!(
            FateScoring::new(Array2::zeros((1, 2)), Resamples::of_cells(1, 0, Seed(0)), &[0])
                .is_err()
        );
    }
}
