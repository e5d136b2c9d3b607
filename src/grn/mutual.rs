//! Mutual information between genes, within cells and from earlier to later cells of a coupling.

use ndarray::{Array1, Array2, ArrayView1, Axis, CowArray};
use rayon::prelude::*;

use crate::grn::expression::{Expression, N_BINS};
use crate::grn::step::Step;
use crate::linalg::product_tn_single;

/// Largest number of earlier cells that are used, evenly spaced over all steps. Tables of 8 × 8
/// bins are estimated well from this number.
const MOST_CELLS: usize = 2000;

/// Expression of every gene in every cell, discretised into eight bins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bins<'a> {
    /// Bin numbers, `(n_cells, n_genes)`.
    codes: &'a Array2<u8>,
}

/// Lagged mutual information between R regulators and G genes over the steps of a course, in nats.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Information {
    /// Information of each earlier regulator with each later gene, `(R, G)`.
    pub(crate) forward: Array2<f64>,
    /// Information of each later regulator with each earlier gene, `(R, G)`.
    pub(crate) backward: Array2<f64>,
}

/// Number of earlier genes whose tables are computed in one matrix product.
const GENES_AT_ONCE: usize = 16;

/// Earlier cells with their masses and the distribution of the bins of their later partners.
struct Followed {
    /// Rows of the earlier cells.
    cells: Vec<usize>,
    /// Share of each earlier cell in the mass of its step.
    masses: Vec<f64>,
    /// Mass of each earlier cell by the bin of its partners, `(cells, 8 G)`: bin b of gene g is in
    /// column `8g + b`.
    later: Array2<f32>,
}

impl<'a> Bins<'a> {
    /// The eight equally populated bins of every gene (see [`Expression`]).
    pub(crate) fn of(expression: &'a Expression) -> Self {
        Self { codes: expression.codes() }
    }

    /// Lagged information in both directions over all `steps`, each with the same weight.
    pub(crate) fn over(self, regulators: &[usize], steps: &[Step]) -> Information {
        let followed = self.follow(&steps.iter().collect::<Vec<_>>());
        let n_genes = self.codes.ncols();
        let genes: Vec<usize> = (0..n_genes).collect();
        let forward = self.table(&followed, regulators, &genes);
        let backward = self.table(&followed, &genes, regulators);
        Information { forward, backward: backward.reversed_axes() }
    }

    /// Information of each of the genes `earlier` with each of the genes `later` in their coupled
    /// cells, over all `steps` with the same weight, `(earlier, later)`.
    pub(crate) fn forward(
        self,
        earlier: &[usize],
        later: &[usize],
        steps: &[&Step],
    ) -> Array2<f64> {
        self.table(&self.follow(steps), earlier, later)
    }

    /// Information of each regulator with each gene in the same cell, `(R, G)`. `groups` are the
    /// cells of each time. All times have the same weight; within a time cells count by `weights`
    /// `(n_cells)`.
    pub(crate) fn within(
        self,
        regulators: &[usize],
        groups: &[Vec<usize>],
        weights: ArrayView1<'_, f64>,
    ) -> Array2<f64> {
        let genes: Vec<usize> = (0..self.codes.ncols()).collect();
        self.within_of(regulators, &genes, groups, weights)
    }

    /// As [`Bins::within`], for the genes `targets`.
    pub(crate) fn within_of(
        self,
        regulators: &[usize],
        targets: &[usize],
        groups: &[Vec<usize>],
        weights: ArrayView1<'_, f64>,
    ) -> Array2<f64> {
        let n_genes = self.codes.ncols();
        let mut followed = Followed::none();
        let stride = stride(groups.iter().map(Vec::len).sum());
        for group in groups {
            let total: f64 = group.iter().map(|&cell| weights[cell]).sum();
            for &cell in group.iter().step_by(stride) {
                if weights[cell] > 0.0 {
                    followed.cells.push(cell);
                    followed.masses.push(weights[cell] / total);
                }
            }
        }
        followed.later = Array2::zeros((followed.cells.len(), N_BINS * n_genes));
        for (place, &cell) in followed.cells.iter().enumerate() {
            for gene in 0..n_genes {
                let bin = usize::from(self.codes[[cell, gene]]);
                followed.later[[place, N_BINS * gene + bin]] = followed.masses[place] as f32;
            }
        }
        self.table(&followed, regulators, targets)
    }

    /// The earlier cells of `steps` and the bins of their partners. Memory `8 G` single-precision
    /// numbers for each of at most [`MOST_CELLS`] cells.
    fn follow(self, steps: &[&Step]) -> Followed {
        let n_genes = self.codes.ncols();
        let mut followed = Followed::none();
        let stride = stride(steps.iter().map(|step| step.sources.len()).sum());
        let mut places = Vec::new();
        for step in steps {
            let kept = step.coupling.kept();
            for (place, &cell) in step.sources.iter().enumerate().step_by(stride) {
                let mass: f64 = step.coupling.row(place).1.iter().sum();
                followed.cells.push(cell);
                followed.masses.push(mass / kept);
                places.push((step, place, kept));
            }
        }
        let rows: Vec<Vec<f32>> = places
            .par_iter()
            .map(|&(step, place, kept)| {
                let mut row = vec![0.0; N_BINS * n_genes];
                let (targets, masses) = step.coupling.row(place);
                for (&j, mass) in targets.iter().zip(masses) {
                    let codes = self.codes.row(step.targets[j as usize]);
                    for (gene, &bin) in codes.iter().enumerate() {
                        row[N_BINS * gene + usize::from(bin)] += (mass / kept) as f32;
                    }
                }
                row
            })
            .collect();
        let width = N_BINS * n_genes;
        followed.later =
            Array2::from_shape_fn((rows.len(), width), |(place, column)| rows[place][column]);
        followed
    }

    /// Information of each of the genes `earlier` with each of the genes `later`, `(earlier, later)`.
    /// Time of a matrix product of `(8 · earlier, cells)` with `(cells, 8 · later)`.
    fn table(self, followed: &Followed, earlier: &[usize], later: &[usize]) -> Array2<f64> {
        let columns: Vec<usize> =
            later.iter().flat_map(|gene| (0..N_BINS).map(move |b| N_BINS * gene + b)).collect();
        let laws = if later.len() == self.codes.ncols() {
            followed.later.view().into()
        } else {
            CowArray::from(followed.later.select(Axis(1), &columns))
        };
        // Indicators of the bins times the distributions of the partners: one product gives the
        // tables of many genes.
        let laws = laws.as_standard_layout();
        let width = N_BINS * later.len();
        let found: Vec<Vec<f64>> = earlier
            .par_chunks(GENES_AT_ONCE)
            .map(|genes| {
                let n_rows = N_BINS * genes.len();
                let mut is_in = vec![0.0_f32; followed.cells.len() * n_rows];
                for (slots, &cell) in is_in.chunks_exact_mut(n_rows).zip(&followed.cells) {
                    for (place, &gene) in genes.iter().enumerate() {
                        slots[N_BINS * place + usize::from(self.codes[[cell, gene]])] = 1.0;
                    }
                }
                let mut joint = vec![0.0_f32; n_rows * width];
                if let Some(laws) = laws.as_slice() {
                    product_tn_single(&mut joint, &is_in, laws, followed.cells.len());
                }
                let tables = joint.chunks_exact(N_BINS * width);
                tables.flat_map(|of_gene| informations(of_gene, width)).collect()
            })
            .collect();
        let found = found.concat();
        Array2::from_shape_fn((earlier.len(), later.len()), |(i, j)| found[i * later.len() + j])
    }
}

impl Followed {
    fn none() -> Self {
        Self { cells: Vec::new(), masses: Vec::new(), later: Array2::zeros((0, 0)) }
    }
}

/// Distance between the cells that are used, so that there are at most [`MOST_CELLS`].
fn stride(n_cells: usize) -> usize {
    n_cells.div_ceil(MOST_CELLS).max(1)
}

/// Information of each of the 8 × 8 tables that lie side by side in `joint`, whose rows have
/// `width` numbers.
fn informations(joint: &[f32], width: usize) -> Vec<f64> {
    let mut table = [[0.0; N_BINS]; N_BINS];
    let starts = (0..width).step_by(N_BINS);
    starts
        .map(|start| {
            for (i, row) in table.iter_mut().enumerate() {
                let from = &joint[i * width + start..i * width + start + N_BINS];
                row.iter_mut().zip(from).for_each(|(slot, mass)| *slot = f64::from(*mass));
            }
            information(&table)
        })
        .collect()
}

/// Mutual information `Σ p log(p / (p_i p_j))` in nats of a table of masses, which need not sum to
/// one; 0 for an empty table.
fn information<const N: usize>(joint: &[[f64; N]]) -> f64 {
    let entropy = |of: f64| if of > 0.0 { of * of.ln() } else { 0.0 };
    let (mut columns, mut total, mut found) = ([0.0; N], 0.0, 0.0);
    for row in joint {
        let mut sum = 0.0;
        for (column, &mass) in columns.iter_mut().zip(row) {
            *column += mass;
            sum += mass;
            found += entropy(mass);
        }
        total += sum;
        found -= entropy(sum);
    }
    found += entropy(total) - columns.iter().map(|of| entropy(*of)).sum::<f64>();
    if total > 0.0 { (found / total).max(0.0) } else { 0.0 }
}

/// Context likelihood of relatedness: `√(z₁² + z₂²)`, where `z₁` and `z₂` are the z-scores of an
/// entry of `information` `(R, G)` within its row and within its column. Negative z-scores count as
/// 0. Entries of a gene with itself are left out of means and deviations, and are 0 in the result.
///
/// Source: Faith et al. 2007.
pub(crate) fn context_likelihood(information: &Array2<f64>, regulators: &[usize]) -> Array2<f64> {
    let counts = |r: usize, g: usize| regulators[r] != g;
    let (n_regulators, n_genes) = information.dim();
    let standard = |entries: Vec<f64>| {
        let n = entries.len().max(1) as f64;
        let mean = entries.iter().sum::<f64>() / n;
        let variance = entries.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    };
    let rows: Vec<(f64, f64)> = (0..n_regulators)
        .map(|r| {
            let genes = (0..n_genes).filter(|&g| counts(r, g));
            standard(genes.map(|g| information[[r, g]]).collect())
        })
        .collect();
    let columns: Vec<(f64, f64)> = (0..n_genes)
        .map(|g| {
            let sources = (0..n_regulators).filter(|&r| counts(r, g));
            standard(sources.map(|r| information[[r, g]]).collect())
        })
        .collect();
    let above = |value: f64, (mean, spread): (f64, f64)| {
        if spread > 0.0 { ((value - mean) / spread).max(0.0) } else { 0.0 }
    };
    Array2::from_shape_fn((n_regulators, n_genes), |(r, g)| {
        let value = information[[r, g]];
        if counts(r, g) { above(value, rows[r]).hypot(above(value, columns[g])) } else { 0.0 }
    })
}

/// Pearson correlation of each of R regulators with each of G genes in the same cell, pooled over
/// times, `(R, G)`. This is the baseline for edges.
///
/// `groups` are the rows of the cells of each time. All times have the same weight; within a time
/// cells count by `weights` `(n_cells)`. The correlation is 0 where a gene does not vary. Time
/// `O(n_cells R G)`.
///
/// ```
/// use ndarray::{Array1, array};
/// use sbcell::grn::{Expression, correlations};
/// # fn main() -> sbcell::Result<()> {
/// // The second gene falls as the first one rises.
/// let expression = Expression::new(array![[0.0, 3.0], [1.0, 2.0], [2.0, 1.0]], &[0])?;
/// let found = correlations(&expression, &[vec![0, 1, 2]], Array1::ones(3).view());
/// assert!((found[[0, 1]] + 1.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
pub fn correlations(
    expression: &Expression,
    groups: &[Vec<usize>],
    weights: ArrayView1<'_, f64>,
) -> Array2<f64> {
    let (n_cells, n_genes) = expression.values().dim();
    let mut masses = Array1::<f64>::zeros(n_cells);
    for group in groups {
        let total: f64 = group.iter().map(|&cell| weights[cell]).sum();
        for &cell in group {
            masses[cell] = weights[cell] / total.max(f64::MIN_POSITIVE);
        }
    }
    masses /= masses.sum();
    let mut centred = expression.values().mapv(f64::from);
    let mean = masses.dot(&centred);
    centred -= &mean;
    for mut column in centred.columns_mut() {
        let variance = column.iter().zip(&masses).map(|(x, m)| m * x * x).sum::<f64>();
        let scale = if variance > 1e-18 { 1.0 / variance.sqrt() } else { 0.0 };
        column *= scale;
    }
    let weighted = &centred * &masses.insert_axis(Axis(1));
    let of_regulators = weighted.select(Axis(1), expression.regulators());
    let found = crate::linalg::product_tn(of_regulators.view(), centred.view());
    debug_assert_eq!(found.ncols(), n_genes);
    found
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::Coupling;

    #[test]
    fn a_table_of_counts_has_the_information_of_its_sums() {
        let joint = [[4.0, 0.0], [1.0, 3.0]];
        let expected = 0.5 * (0.5_f64 / (0.5 * 0.625)).ln()
            + 0.125 * (0.125_f64 / (0.5 * 0.625)).ln()
            + 0.375 * (0.375_f64 / (0.5 * 0.375)).ln();
        assert!((information(&joint) - expected).abs() < 1e-12);
    }

    #[test]
    fn a_later_copy_is_known_and_the_reverse_is_not() {
        // Gene 1 of later cell i is gene 0 of earlier cell i; nothing else is related.
        let noise = |i: usize, s: f32| (i as f32 * s).fract();
        let mut values = Array2::from_shape_fn((800, 2), |(i, j)| {
            noise(i + 1, [0.618_034, 0.414_214][j] + 0.1 * (i % 7) as f32)
        });
        for i in 0..400 {
            values[[400 + i, 1]] = values[[i, 0]];
        }
        let expression = Expression::new(values, &[0, 1]).unwrap();
        let bins = Bins::of(&expression);
        let coupling = Coupling::new(400, 400, (0..400).map(|i| (i, i, 0.0025))).unwrap();
        let step = Step { sources: (0..400).collect(), targets: (400..800).collect(), coupling };
        let found = bins.over(&[0, 1], std::slice::from_ref(&step));
        assert!(found.forward[[0, 1]] > 1.6 && found.forward[[1, 0]] < 0.3, "{found:?}");
        // Backward is the other way round: regulator 1 later with gene 0 earlier.
        assert!((found.backward[[1, 0]] - found.forward[[0, 1]]).abs() < 1e-6);
        // In one cell a gene with itself has all its information, log 8 if its bins are even.
        let weights = Array1::ones(800);
        let within = bins.within(&[0, 1], &[(0..800).collect()], weights.view());
        assert!((within[[0, 0]] - 8.0_f64.ln()).abs() < 0.01);
    }

    #[test]
    fn context_is_that_of_row_and_column() {
        let table = array![[9.0, 1.0, 3.0], [2.0, 9.0, 2.0]];
        let found = context_likelihood(&table, &[0, 1]);
        assert_eq!((found[[0, 0]], found[[1, 1]]), (0.0, 0.0));
        // Row 0: entries 1, 3: mean 2, spread 1. Column 2: 3, 2: mean 2.5, spread 0.5.
        assert!((found[[0, 2]] - 2.0_f64.sqrt()).abs() < 1e-12);
        assert!((found[[1, 2]] - 0.0).abs() < 1e-12);
    }

    #[test]
    fn correlations_are_pearsons() {
        let values = array![[1.0, 2.0, 5.0], [2.0, 1.0, 5.0], [4.0, 0.5, 5.0], [0.0, 3.0, 5.0]];
        let expression = Expression::new(values, &[0, 2]).unwrap();
        let weights = Array1::ones(4);
        let found = correlations(&expression, &[vec![0, 1, 2, 3]], weights.view());
        // Means 7/4 and 13/8; sums of products.
        let (x, y) = ([1.0, 2.0, 4.0, 0.0], [2.0, 1.0, 0.5, 3.0]);
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            x.iter().zip(&y).map(|(x, y)| f(x - 1.75, y - 1.625)).sum()
        };
        let expected = sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
        assert!((found[[0, 1]] - expected).abs() < 1e-6);
        assert!(found[[1, 0]].abs() < 1e-12);
    }
}
