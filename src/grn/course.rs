//! The cells of a course with their expression, and the steps between groups of cells.

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};
use rayon::prelude::*;

use crate::error::Result;
use crate::grn::expression::{Expression, THRESHOLDS};
use crate::grn::perturbations::Perturbations;
use crate::grn::smoothed_time::{Smoothing, equal_bins, smoothed_time, whitened_columns};
use crate::grn::step::Step;

/// Smallest mean number of cells in a bin of smoothed time.
const CELLS_OF_A_BIN: usize = 20;

/// Numbers of bins of smoothed time to whose moments linear processes are fitted.
const MOMENT_BINS: [usize; 2] = [12, 6];

/// Largest number of earlier cells from which the memory of genes is estimated.
const MEMORY_CELLS: usize = 2000;

/// Up to this number of genes, distances between cells use the Hill functions of all genes.
pub(crate) const FEW_GENES: usize = 100;

/// The cells of a course: expression, positions, times and weights. This is the input of
/// [`EdgeSearch::run`](crate::grn::EdgeSearch::run).
///
/// ```
/// use ndarray::{Array1, array};
/// use sbcell::grn::{CourseCells, Expression};
/// # fn main() -> sbcell::Result<()> {
/// let values = array![[0.0], [1.0], [2.0], [3.0]];
/// let expression = Expression::new(values, &[0])?;
/// let points = expression.standardised(&[0, 1, 2, 3]);
/// let cells = CourseCells {
///     expression: &expression,
///     points: &points,
///     times: array![0.0, 0.0, 1.0, 1.0],
///     weights: Array1::ones(4),
///     growth: None,
///     perturbed: None,
/// };
/// assert_eq!(cells.snapshots(), [[0, 1], [2, 3]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct CourseCells<'a> {
    /// Expression of all cells, `(n_cells, n_genes)`.
    pub expression: &'a Expression,
    /// Positions of all cells, `(n_cells, dim)`, from which couplings and neighbours are computed.
    pub points: &'a Array2<f64>,
    /// Time of each cell, `n_cells`, in the unit of the course.
    pub times: Array1<f64>,
    /// Weight of each cell, `n_cells`, not negative. In a resample it is the number of times that
    /// the cell was drawn.
    pub weights: Array1<f64>,
    /// Growth rate of each cell per unit of time, `n_cells`, or `None` for even growth. An earlier
    /// cell counts by its expected number of descendants at the later time.
    pub growth: Option<Array1<f64>>,
    /// Genes that were perturbed in each cell, or `None` for cells without perturbations. Cells are
    /// then only paired with cells of the same perturbation, and a target is estimated without the
    /// cells in which it was perturbed.
    pub perturbed: Option<Perturbations>,
}

/// Division of smoothed time into bins with equal numbers of cells.
///
/// ```
/// use sbcell::grn::{Binning, EdgeSearch};
/// let binnings = vec![Binning { n_bins: 8, offset: 0.0 }, Binning { n_bins: 8, offset: 0.5 }];
/// let search = EdgeSearch::default().with_binnings(binnings);
/// assert!(search.binnings.iter().all(|binning| binning.n_bins == 8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binning {
    /// Number of bins. It is reduced so that a bin has at least 20 cells.
    pub n_bins: usize,
    /// Fraction of a bin by which all borders are moved, in [0, 1).
    pub offset: f64,
}

/// The steps of a course and their lengths.
///
/// ```
/// use ndarray::{Array1, array};
/// use sbcell::grn::{CourseCells, Expression};
/// # fn main() -> sbcell::Result<()> {
/// let expression = Expression::new(array![[0.0], [1.0], [2.0], [3.0]], &[0])?;
/// let points = expression.standardised(&[0, 1, 2, 3]);
/// let times = array![0.0, 0.0, 3.0, 3.0];
/// let weights = Array1::ones(4);
/// let (expression, points, growth) = (&expression, &points, None);
/// let cells = CourseCells { expression, points, times, weights, growth, perturbed: None };
/// let steps = cells.steps_between(&cells.snapshots())?;
/// assert_eq!(steps.steps.len(), 1);
/// assert!((steps.lag - 3.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Steps {
    /// The steps, in the order of time.
    pub steps: Vec<Step>,
    /// Mean time from the earlier to the later cells of each step.
    pub lengths: Vec<f64>,
    /// Mean of `lengths`.
    pub lag: f64,
}

/// Smoothed time of the cells that have weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SmoothedCells {
    /// Rows of the cells with positive weight, increasing.
    pub(crate) rows: Vec<usize>,
    /// Smoothed time of each of them, in numbers of snapshots.
    pub(crate) tau: Array1<f64>,
}

impl SmoothedCells {
    /// Rows of the cells of each bin of smoothed time, in the order of time.
    pub(crate) fn groups(&self, binning: Binning) -> Vec<Vec<usize>> {
        let n_bins = binning.n_bins.min(self.rows.len() / CELLS_OF_A_BIN).max(2);
        let bins = equal_bins(&self.tau, n_bins, binning.offset);
        let rows = |bin: &Vec<usize>| bin.iter().map(|&place| self.rows[place]).collect();
        bins.iter().map(rows).collect()
    }

    /// The groups of cells to whose moments linear processes are fitted.
    pub(crate) fn groups_for_moments(&self) -> Vec<Vec<Vec<usize>>> {
        MOMENT_BINS.map(|n_bins| self.groups(Binning { n_bins, offset: 0.0 })).to_vec()
    }
}

impl CourseCells<'_> {
    /// Rows of the cells of each time, in the order of time. Cells of weight 0 are left out.
    pub fn snapshots(&self) -> Vec<Vec<usize>> {
        let times = &self.times;
        let mut order: Vec<usize> =
            (0..times.len()).filter(|&cell| self.weights[cell] > 0.0).collect();
        order.sort_by(|&a, &b| times[a].total_cmp(&times[b]).then(a.cmp(&b)));
        let same = |a: &usize, b: &usize| times[*a].total_cmp(&times[*b]).is_eq();
        order.chunk_by(same).map(<[usize]>::to_vec).collect()
    }

    /// Rows of the cells of each time, or of each perturbation and time. Cells of weight 0 are left out.
    /// Resamples draw within these sets.
    pub(crate) fn strata(&self) -> Vec<Vec<usize>> {
        let Some(perturbed) = &self.perturbed else { return self.snapshots() };
        let snapshots = self.snapshots();
        let of_group = |group: usize| {
            let snapshots = snapshots.iter();
            snapshots.map(move |rows| -> Vec<usize> {
                rows.iter().copied().filter(|&row| perturbed.group(row) == group).collect()
            })
        };
        let all = (0..perturbed.n_groups()).flat_map(of_group);
        all.filter(|rows| !rows.is_empty()).collect()
    }

    /// The snapshots. If there are more than `dense`, neighbouring snapshots are merged into `most`
    /// groups with numbers of snapshots that differ by at most one.
    pub(crate) fn merged_snapshots(&self, dense: usize, most: usize) -> Vec<Vec<usize>> {
        let snapshots = self.snapshots();
        let n = snapshots.len();
        if n <= dense {
            return snapshots;
        }
        let mut merged = vec![Vec::new(); most];
        for (k, rows) in snapshots.into_iter().enumerate() {
            merged[k * most / n].extend(rows);
        }
        merged
    }

    /// Smoothed time of the cells that have weight. The time of a cell is the number of its
    /// snapshot. Neighbours are near in the Hill functions of all genes, or in `points` if there
    /// are more than 100 genes.
    ///
    /// # Errors
    /// Those of the search of neighbours.
    pub(crate) fn smoothed(&self, smoothing: Smoothing) -> Result<SmoothedCells> {
        let mut numbers = Array1::zeros(self.times.len());
        for (k, rows) in self.snapshots().iter().enumerate() {
            for &row in rows {
                numbers[row] = k as f64;
            }
        }
        let rows: Vec<usize> =
            (0..self.times.len()).filter(|&cell| self.weights[cell] > 0.0).collect();
        let numbers = numbers.select(Axis(0), &rows);
        let places = if self.expression.n_genes() <= FEW_GENES {
            self.shapes(&rows)
        } else {
            self.points.select(Axis(0), &rows)
        };
        let tau = smoothed_time(places.view(), &numbers, smoothing)?;
        Ok(SmoothedCells { rows, tau })
    }

    /// The Hill functions of all genes in the cells `rows`, `(rows.len(), 3 n_genes)`, each
    /// standardised over these cells.
    fn shapes(&self, rows: &[usize]) -> Array2<f64> {
        let n_shapes = THRESHOLDS.len();
        let width = self.expression.n_genes() * n_shapes;
        let mut shapes = Array2::zeros((rows.len(), width));
        for (mut row, &cell) in shapes.rows_mut().into_iter().zip(rows) {
            let Some(row) = row.as_slice_mut() else { continue };
            for shape in 0..n_shapes {
                self.expression.fill_shape(cell, shape, shape, n_shapes, row);
            }
        }
        whitened_columns(shapes.view())
    }

    /// Steps between neighbouring groups of cells, coupled by entropic transport ([`Step::paired`]).
    /// `groups` are rows of cells, in the order of time.
    ///
    /// # Errors
    /// Those of [`Step::paired`].
    pub fn steps_between(&self, groups: &[Vec<usize>]) -> Result<Steps> {
        let pairs: Vec<&[Vec<usize>]> = groups.windows(2).collect();
        let steps: Vec<Step> = pairs
            .into_par_iter()
            .map(|pair| {
                let (earlier, later) = (pair[0].as_slice(), pair[1].as_slice());
                match &self.growth {
                    None => Step::paired(earlier, later, self.points, self.weights.view()),
                    Some(rates) => {
                        let elapsed = self.mean_time(&pair[1]) - self.mean_time(&pair[0]);
                        let mut weights = self.weights.clone();
                        for &row in &pair[0] {
                            weights[row] *= (rates[row] * elapsed).exp();
                        }
                        Step::paired(earlier, later, self.points, weights.view())
                    }
                }
            })
            .collect::<Result<_>>()?;
        Ok(self.timed(steps))
    }

    /// Steps between neighbouring bins of smoothed time ([`CourseCells::smoothed`]).
    ///
    /// # Errors
    /// Those of [`Step::paired`].
    pub(crate) fn steps_of_bins(&self, cells: &SmoothedCells, binning: Binning) -> Result<Steps> {
        self.steps_between(&cells.groups(binning))
    }

    /// Lengths of the intervals between the mean times of neighbouring groups of cells.
    pub(crate) fn lengths_between(&self, groups: &[Vec<usize>]) -> Vec<f64> {
        groups.windows(2).map(|pair| self.mean_time(&pair[1]) - self.mean_time(&pair[0])).collect()
    }

    /// Memory: the mean over genes of the correlation between a gene's expression in earlier cells
    /// and in their coupled later cells. It is near 1 if little changes over a step. At most 2000
    /// earlier cells are used. Genes that do not vary are left out.
    pub fn memory(&self, steps: &Steps) -> f64 {
        let n_genes = self.expression.n_genes();
        let n_cells: usize = steps.steps.iter().map(|step| step.sources.len()).sum();
        let stride = n_cells.div_ceil(MEMORY_CELLS).max(1);
        // Sums of x, y, x², y² and xy for each gene, with x earlier and y later expression.
        let mut sums = Array2::<f64>::zeros((5, n_genes));
        let mut total = 0.0;
        for step in &steps.steps {
            let kept = step.coupling.kept();
            let places: Vec<usize> = (0..step.sources.len()).step_by(stride).collect();
            let cells: Vec<usize> = places.iter().map(|&place| step.sources[place]).collect();
            let (earlier, later) =
                (self.expression.standardised(&cells), self.expression.standardised(&step.targets));
            for (x, &place) in earlier.rows().into_iter().zip(&places) {
                let (targets, masses) = step.coupling.row(place);
                let (mut mean, mut square) = (Array1::zeros(n_genes), Array1::zeros(n_genes));
                let mut own = 0.0;
                for (&target, &mass) in targets.iter().zip(masses) {
                    let mass = mass / kept;
                    let y = later.row(target as usize);
                    own += mass;
                    mean.scaled_add(mass, &y);
                    Zip::from(&mut square).and(&y).for_each(|sum, y| *sum += mass * y * y);
                }
                total += own;
                sums.row_mut(0).scaled_add(own, &x);
                sums.row_mut(1).scaled_add(1.0, &mean);
                sums.row_mut(2).scaled_add(own, &(&x * &x));
                sums.row_mut(3).scaled_add(1.0, &square);
                sums.row_mut(4).scaled_add(1.0, &(&x * &mean));
            }
        }
        sums /= total.max(f64::MIN_POSITIVE);
        let correlations = sums.columns().into_iter().filter_map(|of| {
            let (vx, vy) = (of[2] - of[0] * of[0], of[3] - of[1] * of[1]);
            (vx > 1e-9 && vy > 1e-9).then(|| (of[4] - of[0] * of[1]) / (vx * vy).sqrt())
        });
        let found: Vec<f64> = correlations.collect();
        found.iter().sum::<f64>() / found.len().max(1) as f64
    }

    /// Share of the variance of each gene that is between the means of the snapshots (η²), `n_genes`.
    /// All snapshots have the same weight; within one, cells count by their weights. 0 for a gene that
    /// does not vary.
    pub(crate) fn change_of_genes(&self) -> Array1<f64> {
        let snapshots = self.snapshots();
        let n_genes = self.expression.n_genes();
        let mut means = Array2::zeros((snapshots.len(), n_genes));
        let mut within = Array1::<f64>::zeros(n_genes);
        for (k, rows) in snapshots.iter().enumerate() {
            let values = self.expression.standardised(rows);
            let weights: Array1<f64> = rows.iter().map(|&row| self.weights[row]).collect();
            let weights = &weights / weights.sum();
            let mean = weights.dot(&values);
            within += &weights.dot(&(&values - &mean).mapv(|value| value * value));
            means.row_mut(k).assign(&mean);
        }
        let between = means.var_axis(Axis(0), 0.0);
        let within = within / snapshots.len().max(1) as f64;
        Zip::from(&between).and(&within).map_collect(|between, within| {
            let total = between + within;
            if total > 0.0 { between / total } else { 0.0 }
        })
    }

    /// Weighted mean time of the cells `rows`.
    fn mean_time(&self, rows: &[usize]) -> f64 {
        let total: f64 = rows.iter().map(|&row| self.weights[row]).sum();
        rows.iter().map(|&row| self.weights[row] * self.times[row]).sum::<f64>() / total
    }

    /// Computes the lengths of `steps` from the times of their cells, weighted by the marginals of
    /// the couplings. Use this for steps with a coupling of your own.
    pub fn timed(&self, steps: Vec<Step>) -> Steps {
        let mean = |rows: &[usize], masses: ArrayView1<'_, f64>| {
            let sum: f64 = rows.iter().zip(masses).map(|(&row, mass)| self.times[row] * mass).sum();
            sum / masses.sum()
        };
        let lengths: Vec<f64> = steps
            .iter()
            .map(|step| {
                let (sources, targets) = step.coupling.marginals();
                mean(&step.targets, targets.view()) - mean(&step.sources, sources.view())
            })
            .collect();
        let lag = lengths.iter().sum::<f64>() / steps.len().max(1) as f64;
        Steps { steps, lengths, lag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_of_a_gene_is_the_share_of_its_variance_between_times() {
        // Gene 0 changes only between times, gene 1 only within, gene 2 does not vary.
        let values = ndarray::array![
            [1.0, 0.0, 2.0],
            [1.0, 4.0, 2.0],
            [3.0, 0.0, 2.0],
            [3.0, 4.0, 2.0],
            [3.5, 4.0, 2.0]
        ];
        let expression = Expression::new(values, &[0]).unwrap();
        let points = expression.standardised(&[0, 1, 2, 3, 4]);
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: ndarray::array![0.0, 0.0, 1.0, 1.0, 1.0],
            weights: ndarray::array![1.0, 1.0, 1.0, 1.0, 0.0],
            growth: None,
            perturbed: None,
        };
        let change = cells.change_of_genes();
        assert!((change[0] - 1.0).abs() < 1e-12 && change[1].abs() < 1e-12);
        assert!(change[2].abs() < 1e-12);
    }

    #[test]
    fn an_earlier_cell_counts_for_its_descendants_at_the_later_time() {
        let values = Array2::from_shape_fn((8, 1), |(i, _)| (i % 4) as f32);
        let expression = Expression::new(values, &[0]).unwrap();
        let points = expression.standardised(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let mut growth = Array1::zeros(8);
        growth[1] = 2.0_f64.ln();
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: Array1::from(vec![1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]),
            weights: Array1::ones(8),
            growth: Some(growth),
            perturbed: None,
        };
        let steps = cells.steps_between(&cells.snapshots()).unwrap();
        assert!((steps.lag - 2.0).abs() < 1e-12);
        // Two doublings in two units of time.
        let (masses, _) = steps.steps[0].coupling.marginals();
        for (mass, expected) in masses.iter().zip([1.0, 4.0, 1.0, 1.0]) {
            assert!((mass - expected).abs() < 0.02, "{masses}");
        }
    }

    #[test]
    fn memory_is_the_mean_correlation_over_pairs() {
        let values = Array2::from_shape_fn((12, 3), |(i, j)| {
            if j == 2 { 1.0 } else { ((i + 2) as f32 * [0.618_034, 0.414_214][j]).fract() }
        });
        let expression = Expression::new(values.clone(), &[0]).unwrap();
        let points = Array2::zeros((12, 1));
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..12).map(|i| f64::from(i / 6)).collect(),
            weights: Array1::ones(12),
            growth: None,
            perturbed: None,
        };
        let pairs: Vec<(usize, usize, f64)> =
            (0..6).flat_map(|i| [(i, i, 1.0 + i as f64), (i, (i + 1) % 6, 0.5)]).collect();
        let sorted = {
            let mut s = pairs.clone();
            s.sort_by_key(|p| (p.0, p.1));
            s
        };
        let coupling = crate::bridge::Coupling::new(6, 6, sorted).unwrap();
        let step = Step { sources: (0..6).collect(), targets: (6..12).collect(), coupling };
        let found = cells.memory(&cells.timed(vec![step]));
        let total: f64 = pairs.iter().map(|pair| pair.2).sum();
        let correlation = |gene: usize| {
            let mean = |f: &dyn Fn(f64, f64) -> f64| {
                let value = |row: usize| f64::from(values[[row, gene]]);
                pairs.iter().map(|(i, j, m)| m / total * f(value(*i), value(6 + j))).sum::<f64>()
            };
            let (mx, my) = (mean(&|x, _| x), mean(&|_, y| y));
            let (vx, vy) = (mean(&|x, _| (x - mx).powi(2)), mean(&|_, y| (y - my).powi(2)));
            mean(&|x, y| (x - mx) * (y - my)) / (vx * vy).sqrt()
        };
        // The third gene does not vary and does not count.
        assert!((found - 0.5 * (correlation(0) + correlation(1))).abs() < 1e-6);
    }

    #[test]
    fn bins_hold_twenty_cells_at_least() {
        let values = Array2::from_shape_fn((100, 2), |(i, j)| (i * (j + 1)) as f32);
        let expression = Expression::new(values, &[0]).unwrap();
        let rows: Vec<usize> = (0..100).collect();
        let points = expression.standardised(&rows);
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..100).map(|i| f64::from(i / 25)).collect(),
            weights: Array1::ones(100),
            growth: None,
            perturbed: None,
        };
        let tau = SmoothedCells { rows, tau: cells.times.clone() };
        let of = |n_bins, offset| cells.steps_of_bins(&tau, Binning { n_bins, offset }).unwrap();
        assert_eq!(of(24, 0.0).steps.len(), 4);
        assert_eq!(of(3, 0.0).steps.len(), 2);
        let halves = of(24, 0.5);
        assert_eq!(halves.steps.len(), 5);
        assert_eq!(halves.steps[0].sources.len(), 10);
    }

    #[test]
    fn many_snapshots_are_merged_evenly() {
        let values = Array2::from_shape_fn((20, 1), |(i, _)| i as f32);
        let expression = Expression::new(values, &[0]).unwrap();
        let points = Array2::zeros((20, 1));
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..20).map(f64::from).collect(),
            weights: Array1::ones(20),
            growth: None,
            perturbed: None,
        };
        assert_eq!(cells.merged_snapshots(20, 8).len(), 20);
        let sizes: Vec<usize> = cells.merged_snapshots(12, 8).iter().map(Vec::len).collect();
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (8, 20));
        assert!(sizes.iter().all(|size| (2..=3).contains(size)));
    }
}
