//! Lagged moments: correlations of gene expression in earlier cells with expression in later cells.

use std::ops::Range;

use ndarray::{Array1, Array2, Axis, s};
use rayon::prelude::*;

use crate::grn::expression::Expression;
use crate::grn::step::Step;
use crate::grn::step_means::StepMeans;
use crate::linalg::{add_product, product};

/// Number of earlier cells in a block of the sums.
pub(super) const BLOCK: usize = 512;

/// Number of partial sums that run in parallel. Their number is fixed and they are added in order,
/// so that the result does not depend on the number of threads.
const LANES: usize = 4;

/// The functions of a gene's expression ("shapes") that enter the moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shapes {
    /// Numbers of the shapes in earlier cells (see [`Expression::shape`]).
    pub(crate) earlier: &'static [usize],
    /// Numbers of the shapes in later cells.
    pub(crate) later: &'static [usize],
}

/// Correlations of shapes over the coupled pairs of cells of a course. Every step has the same
/// weight.
///
/// With R regulators, G genes, F shapes in earlier and L shapes in later cells: regulator r has the
/// rows `rF..(r+1)F`; later shape l of gene g has the column `lG + g`. A shape that does not vary
/// has correlation 0 with every other one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LaggedMoments {
    /// Correlations among the regulators' shapes in earlier cells, `(RF, RF)`, ones on the diagonal.
    pub(crate) regulators: Array2<f64>,
    /// Correlations of the regulators' earlier shapes with the later shapes, `(RF, LG)`.
    pub(crate) later: Array2<f64>,
    /// Correlations of the regulators' shapes with each gene's own earlier shapes, `(RF, GF)`.
    pub(crate) own: Array2<f64>,
    /// Correlations among the earlier shapes of each gene, `(GF, F)`; gene g has rows `gF..(g+1)F`.
    pub(crate) own_among: Array2<f64>,
    /// Correlations of each gene's earlier shapes with its own later shapes, `(GF, L)`.
    pub(crate) own_later: Array2<f64>,
    /// Gene number of each regulator, increasing.
    pub(crate) regulator_genes: Vec<usize>,
    /// F, the number of earlier shapes of a gene.
    pub(crate) n_shapes: usize,
    /// G, the number of genes.
    pub(crate) n_genes: usize,
}

impl LaggedMoments {
    /// Moments over all coupled pairs of `steps`.
    ///
    /// With n earlier cells, and m later cells coupled to one block of earlier cells: time
    /// `O(n (RF)(RF + GF + LG) + n m LG)`; memory for each lane that of the result plus
    /// `(512 + m)(F + L) G` numbers. Pairs are never expanded into a list of their own.
    pub(crate) fn of(expression: &Expression, steps: &[Step], shapes: Shapes) -> Self {
        let steps: Vec<&Step> = steps.iter().collect();
        Sums::over(expression, &steps, steps.len(), shapes).moments(expression, shapes)
    }
}

/// A block of earlier cells of a step, and the range of later cells coupled to them.
struct Block<'a> {
    step: &'a Step,
    /// Places of the earlier cells in [`Step::sources`].
    rows: Range<usize>,
    /// Smallest range of places in [`Step::targets`] that contains all their partners.
    targets: Range<usize>,
    /// Weight of one unit of the coupling's mass in the sums.
    factor: f64,
}

impl<'a> Block<'a> {
    /// All blocks of `step`, which has the weight `1 / n_steps`.
    fn all(step: &'a Step, n_steps: usize) -> Vec<Self> {
        let factor = 1.0 / (step.coupling.kept() * n_steps as f64);
        let starts = (0..step.sources.len()).step_by(BLOCK);
        starts
            .map(|start| {
                let rows = start..step.sources.len().min(start + BLOCK);
                let met = || rows.clone().flat_map(|row| step.coupling.row(row).0.iter());
                let first = met().min().map_or(0, |place| *place as usize);
                let end = met().max().map_or(0, |place| *place as usize + 1);
                Self { step, rows, targets: first..end, factor }
            })
            .collect()
    }

    /// Weights of all pairs as a dense matrix `(rows, targets)`. For blocks of this size a dense
    /// product is faster than sums along the rows of a sparse matrix.
    fn masses(&self) -> Array2<f64> {
        let mut masses = Array2::zeros((self.rows.len(), self.targets.len()));
        for (mut slots, row) in masses.rows_mut().into_iter().zip(self.rows.clone()) {
            let (targets, pairs) = self.step.coupling.row(row);
            for (&target, mass) in targets.iter().zip(pairs) {
                slots[target as usize - self.targets.start] += mass * self.factor;
            }
        }
        masses
    }
}

/// Shapes of earlier cells, and of the later cells that are coupled to them.
struct CoupledShapes {
    /// Earlier shapes of all genes, one row for each earlier cell, `(n, GF)`.
    own: Array2<f64>,
    /// Later shapes summed over the partners of each earlier cell by mass, `(n, LG)`.
    carried: Array2<f64>,
    /// Later shapes, one row for each later cell, `(m, LG)`.
    later: Array2<f64>,
    /// Mass of each earlier cell, `n`.
    of_rows: Array1<f64>,
    /// Mass of each later cell, `m`.
    of_targets: Array1<f64>,
}

/// Weighted sums over pairs of cells, in the layout of [`LaggedMoments`], before centring and
/// scaling. The sums of `own` cover all genes, regulators included.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    weight: f64,
    regulators: Array2<f64>,
    later: Array2<f64>,
    own: Array2<f64>,
    own_among: Array2<f64>,
    own_later: Array2<f64>,
    mean_own: Array1<f64>,
    mean_later: Array1<f64>,
    square_later: Array1<f64>,
}

impl Sums {
    /// Sums over all coupled pairs of `steps`, each with the weight `1 / n_steps`.
    pub(crate) fn over(
        expression: &Expression,
        steps: &[&Step],
        n_steps: usize,
        shapes: Shapes,
    ) -> Self {
        let blocks: Vec<Block<'_>> =
            steps.iter().flat_map(|step| Block::all(step, n_steps)).collect();
        let lanes: Vec<Sums> = (0..LANES.min(blocks.len()))
            .into_par_iter()
            .map(|lane| {
                let mut sums = Sums::zeros(expression, shapes);
                let of_lane = blocks.iter().skip(lane).step_by(LANES);
                of_lane.for_each(|block| sums.add_block(expression, shapes, block));
                sums
            })
            .collect();
        let mut total = Sums::zeros(expression, shapes);
        for lane in &lanes {
            total.add(lane);
        }
        total
    }

    /// Sums over the means of `steps`, each with the weight `1 / n_steps`: all earlier cells of a step
    /// count as one cell whose shapes are their means, and so do all later cells. Cells have the
    /// masses of the coupling. Time `O(n (F + L) G)` for n cells, and `O((RF)(RF + GF + LG))` for each
    /// step.
    pub(crate) fn over_means(
        expression: &Expression,
        steps: &[&Step],
        n_steps: usize,
        shapes: Shapes,
    ) -> Self {
        let f = shapes.earlier.len();
        let weight = 1.0 / n_steps as f64;
        let means: Vec<StepMeans> =
            steps.par_iter().map(|step| StepMeans::of(expression, step, shapes)).collect();
        let mut sums = Self::zeros(expression, shapes);
        for StepMeans { earlier, later } in means {
            sums.add_rows(
                expression.regulators(),
                f,
                &CoupledShapes {
                    own: earlier,
                    carried: &later * weight,
                    later,
                    of_rows: Array1::from_elem(1, weight),
                    of_targets: Array1::from_elem(1, weight),
                },
            );
        }
        sums
    }

    /// Subtracts the sums `other` of a part of the pairs.
    pub(crate) fn subtract(&mut self, mut other: Self) {
        other.scale(-1.0);
        self.add(&other);
    }

    /// The correlations of these sums.
    pub(crate) fn moments(self, expression: &Expression, shapes: Shapes) -> LaggedMoments {
        let n_regulators = expression.regulators().len() * shapes.earlier.len();
        self.correlations(expression.regulators(), shapes.earlier.len(), n_regulators)
    }

    /// Empty sums for the genes and regulators of `expression`.
    fn zeros(expression: &Expression, shapes: Shapes) -> Self {
        let (f, l) = (shapes.earlier.len(), shapes.later.len());
        let (r, g) = (expression.regulators().len() * f, expression.n_genes());
        Self {
            weight: 0.0,
            regulators: Array2::zeros((r, r)),
            later: Array2::zeros((r, l * g)),
            own: Array2::zeros((r, g * f)),
            own_among: Array2::zeros((g * f, f)),
            own_later: Array2::zeros((g * f, l)),
            mean_own: Array1::zeros(g * f),
            mean_later: Array1::zeros(l * g),
            square_later: Array1::zeros(l * g),
        }
    }

    /// Adds the pairs of one block.
    fn add_block(&mut self, expression: &Expression, shapes: Shapes, block: &Block<'_>) {
        let (f, n_genes) = (shapes.earlier.len(), expression.n_genes());
        let Block { step, rows, targets, .. } = block;
        let masses = block.masses();
        let later =
            evaluated(expression, &step.targets[targets.clone()], shapes.later, [n_genes, 1]);
        let own = evaluated(expression, &step.sources[rows.clone()], shapes.earlier, [1, f]);
        let carried = product(masses.view(), later.view());
        let (of_rows, of_targets) = (masses.sum_axis(Axis(1)), masses.sum_axis(Axis(0)));
        let rows = CoupledShapes { own, carried, later, of_rows, of_targets };
        self.add_rows(expression.regulators(), f, &rows);
    }

    /// Adds the products of `rows`. `genes` are the regulators' gene numbers and `f` the number of
    /// earlier shapes.
    fn add_rows(&mut self, genes: &[usize], f: usize, rows: &CoupledShapes) {
        let CoupledShapes { own, carried, later, of_rows, of_targets } = rows;
        self.weight += of_rows.sum();
        self.mean_own += &of_rows.dot(own);
        self.mean_later += &of_targets.dot(later);
        for (row, mass) in later.rows().into_iter().zip(of_targets) {
            for (sum, value) in self.square_later.iter_mut().zip(row) {
                *sum += mass * value * value;
            }
        }
        self.add_own(own, carried, of_rows, f);
        let mut regulators = Array2::<f64>::zeros((own.nrows(), self.regulators.nrows()));
        for (r, &gene) in genes.iter().enumerate() {
            let mut place = regulators.slice_mut(s![.., r * f..(r + 1) * f]);
            place.assign(&own.slice(s![.., gene * f..(gene + 1) * f]));
        }
        add_product(self.later.view_mut(), 1.0, regulators.t(), carried.view());
        let weighted = &regulators * &of_rows.view().insert_axis(Axis(1));
        add_product(self.regulators.view_mut(), 1.0, weighted.t(), regulators.view());
        add_product(self.own.view_mut(), 1.0, weighted.t(), own.view());
    }

    /// Adds the products of each gene's `own` earlier shapes `(rows, GF)` among themselves, and with
    /// its later shapes. `carried` `(rows, LG)` are the later shapes summed over partners by mass;
    /// `masses` are those of the earlier cells; `f` is the number of earlier shapes.
    fn add_own(
        &mut self,
        own: &Array2<f64>,
        carried: &Array2<f64>,
        masses: &Array1<f64>,
        f: usize,
    ) {
        let n_later = self.own_later.ncols();
        let n_genes = self.own_later.nrows() / f;
        let rows = own.rows().into_iter().zip(carried.rows()).zip(masses);
        for ((own, carried), &mass) in rows {
            let (Some(own), Some(carried)) = (own.as_slice(), carried.as_slice()) else { continue };
            let (Some(among), Some(later)) =
                (self.own_among.as_slice_mut(), self.own_later.as_slice_mut())
            else {
                continue;
            };
            let slots = among.chunks_exact_mut(f * f).zip(later.chunks_exact_mut(f * n_later));
            for (gene, ((among, later), own)) in slots.zip(own.chunks_exact(f)).enumerate() {
                for (a, value) in own.iter().enumerate() {
                    for (b, other) in own.iter().enumerate() {
                        among[a * f + b] += mass * value * other;
                    }
                    for l in 0..n_later {
                        later[a * n_later + l] += value * carried[l * n_genes + gene];
                    }
                }
            }
        }
    }

    /// Adds the sums of another lane.
    fn add(&mut self, other: &Self) {
        self.weight += other.weight;
        self.regulators += &other.regulators;
        self.later += &other.later;
        self.own += &other.own;
        self.own_among += &other.own_among;
        self.own_later += &other.own_later;
        self.mean_own += &other.mean_own;
        self.mean_later += &other.mean_later;
        self.square_later += &other.square_later;
    }

    /// Multiplies every sum by `factor`.
    fn scale(&mut self, factor: f64) {
        self.weight *= factor;
        self.regulators *= factor;
        self.later *= factor;
        self.own *= factor;
        self.own_among *= factor;
        self.own_later *= factor;
        self.mean_own *= factor;
        self.mean_later *= factor;
        self.square_later *= factor;
    }

    /// Centres and scales the sums to correlations. `genes` are the regulators' gene numbers, `f`
    /// the number of earlier shapes and `n_regulators` the number of regulators times `f`.
    fn correlations(mut self, genes: &[usize], f: usize, n_regulators: usize) -> LaggedMoments {
        self.scale(1.0 / self.weight.max(f64::MIN_POSITIVE));
        let n_genes = self.mean_own.len() / f;
        let regulator = |place: usize| genes[place / f] * f + place % f;
        let inverse = |variance: f64| if variance > 1e-9 { 1.0 / variance.sqrt() } else { 0.0 };
        let own_scales = (0..n_genes * f)
            .map(|i| inverse(self.own_among[[i, i % f]] - self.mean_own[i] * self.mean_own[i]));
        let own = Units { scales: own_scales.collect(), means: self.mean_own };
        let pick = |of: &Array1<f64>| (0..n_regulators).map(|place| of[regulator(place)]).collect();
        let regulators = Units { means: pick(&own.means), scales: pick(&own.scales) };
        let later_scales = self
            .square_later
            .iter()
            .zip(&self.mean_later)
            .map(|(square, mean)| inverse(square - mean * mean));
        let later = Units { scales: later_scales.collect(), means: self.mean_later };

        let mut moments = LaggedMoments {
            regulators: regulators.correlate(self.regulators, &regulators, |_, j| j),
            later: regulators.correlate(self.later, &later, |_, j| j),
            own: regulators.correlate(self.own, &own, |_, j| j),
            own_among: own.correlate(self.own_among, &own, |i, j| i / f * f + j),
            own_later: own.correlate(self.own_later, &later, |i, l| l * n_genes + i / f),
            regulator_genes: genes.to_vec(),
            n_shapes: f,
            n_genes,
        };
        // A shape that does not vary also needs a one on the diagonal, so that systems are solvable.
        moments.regulators.diag_mut().fill(1.0);
        for i in 0..n_genes * f {
            moments.own_among[[i, i % f]] = 1.0;
        }
        moments
    }
}

/// Shapes of all genes in `cells`, one row for each cell. `[by_shape, by_gene]` are the strides:
/// shape number k of gene g is in column `k · by_shape + g · by_gene`.
pub(super) fn evaluated(
    expression: &Expression,
    cells: &[usize],
    shapes: &[usize],
    [by_shape, by_gene]: [usize; 2],
) -> Array2<f64> {
    let mut found = Array2::zeros((cells.len(), shapes.len() * expression.n_genes()));
    for (mut row, &cell) in found.rows_mut().into_iter().zip(cells) {
        let Some(row) = row.as_slice_mut() else { continue };
        for (k, &shape) in shapes.iter().enumerate() {
            expression.fill_shape(cell, shape, k * by_shape, by_gene, row);
        }
    }
    found
}

/// Means of shapes, and the factors that scale them to unit variance.
struct Units {
    means: Array1<f64>,
    scales: Array1<f64>,
}

impl Units {
    /// Turns mean `products` of these shapes with those of `other` into correlations. Entry (i, j)
    /// belongs to shape i here and to shape `column(i, j)` of `other`.
    fn correlate(
        &self,
        mut products: Array2<f64>,
        other: &Self,
        column: impl Fn(usize, usize) -> usize,
    ) -> Array2<f64> {
        for ((i, j), value) in products.indexed_iter_mut() {
            let j = column(i, j);
            *value -= self.means[i] * other.means[j];
            *value *= self.scales[i] * other.scales[j];
        }
        products
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Coupling;

    /// Numbers without a pattern.
    fn noise(i: usize, j: usize) -> f32 {
        let place = (i as f32 + 1.0) * 0.618_034 + (j as f32 + 1.0) * 0.414_214 * (i as f32 + 0.5);
        place.fract()
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "one case, all its entries")]
    fn they_are_correlations_over_pairs_listed_one_by_one() {
        let values = Array2::from_shape_fn((700, 3), |(i, j)| noise(i, j));
        let expression = Expression::new(values, &[2, 0]).unwrap();
        // More earlier cells than a block holds; two steps of different mass.
        let pairs: Vec<(usize, usize, f64)> = (0..300)
            .flat_map(|i| {
                let (a, b) = (i % 7, 7 + i % 93);
                [(i, a, 0.1 + f64::from(noise(i, 9))), (i, b, 0.5)]
            })
            .collect();
        let second = vec![(0, 1, 2.0), (1, 0, 1.0), (1, 1, 0.25)];
        let step = |sources, targets, pairs: &[(usize, usize, f64)], shape: (usize, usize)| Step {
            sources,
            targets,
            coupling: Coupling::new(shape.0, shape.1, pairs.iter().copied()).unwrap(),
        };
        let steps = [
            step((0..300).collect(), (300..400).collect(), &pairs, (300, 100)),
            step(vec![500, 501], vec![600, 699], &second, (2, 2)),
        ];
        let shapes = Shapes { earlier: &[0, 2], later: &[3, 1] };
        let moments = LaggedMoments::of(&expression, &steps, shapes);

        let mut lists: Vec<(f64, usize, usize)> = Vec::new();
        for (step, pairs) in steps.iter().zip([&pairs, &second]) {
            let total: f64 = pairs.iter().map(|pair| pair.2).sum();
            lists.extend(
                pairs
                    .iter()
                    .map(|(i, j, mass)| (mass / total / 2.0, step.sources[*i], step.targets[*j])),
            );
        }
        let correlation = |a: &dyn Fn(usize, usize) -> f64, b: &dyn Fn(usize, usize) -> f64| {
            let mean = |f: &dyn Fn(usize, usize) -> f64| -> f64 {
                lists.iter().map(|(mass, i, j)| mass * f(*i, *j)).sum()
            };
            let (ma, mb) = (mean(a), mean(b));
            let covariance = |u: &dyn Fn(usize, usize) -> f64,
                              mu: f64,
                              v: &dyn Fn(usize, usize) -> f64,
                              mv: f64|
             -> f64 {
                lists.iter().map(|(mass, i, j)| mass * (u(*i, *j) - mu) * (v(*i, *j) - mv)).sum()
            };
            covariance(a, ma, b, mb) / (covariance(a, ma, a, ma) * covariance(b, mb, b, mb)).sqrt()
        };
        let earlier = |gene: usize, shape: usize| {
            let expression = &expression;
            move |i: usize, _: usize| expression.shape(i, gene, [0, 2][shape])
        };
        let after = |gene: usize, shape: usize| {
            let expression = &expression;
            move |_: usize, j: usize| expression.shape(j, gene, [3, 1][shape])
        };
        let close =
            |ours: f64, theirs: f64| assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
        let genes = [0, 2];
        for a in 0..4 {
            let row = earlier(genes[a / 2], a % 2);
            for b in 0..4 {
                let other = earlier(genes[b / 2], b % 2);
                close(moments.regulators[[a, b]], correlation(&row, &other));
            }
            for b in 0..6 {
                let later = after(b % 3, b / 3);
                close(moments.later[[a, b]], correlation(&row, &later));
                let own = earlier(b / 2, b % 2);
                close(moments.own[[a, b]], correlation(&row, &own));
            }
        }
        for a in 0..6 {
            let row = earlier(a / 2, a % 2);
            for b in 0..2 {
                close(moments.own_among[[a, b]], correlation(&row, &earlier(a / 2, b)));
                close(moments.own_later[[a, b]], correlation(&row, &after(a / 2, b)));
            }
        }
    }
}
