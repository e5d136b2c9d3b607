//! The tested cells of two conditions with their expression, and edges among their genes.

use ndarray::{Array1, Array2, Axis};

use crate::error::{Error, Result};
use crate::grn::{CourseCells, EdgeMatrix, Expression};
use crate::io::model::OpenModel;
use crate::pipeline::compare::options::CompareOptions;
use crate::pipeline::compare::pair::Pair;
use crate::pipeline::grn::{
    Effort, FEWEST_CELLS, GrnOptions, Measured, estimate, growth_of, is_slow, points_of,
};
use crate::progress::Progress;

/// Fewest cells of a time in a labelling or a resample.
const FEWEST: usize = 2;

/// Expression and growth of the cells of one condition.
pub(super) struct EdgeSide {
    measured: Measured,
    growth: Option<Array1<f64>>,
}

impl EdgeSide {
    /// Reads the genes among which edges are sought: those of the model, or those that `options` name.
    ///
    /// # Errors
    /// Those of reading the expression.
    pub(super) fn read(
        model: &OpenModel,
        options: &CompareOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let measured = Measured::read(model, &grn_options(options), progress)?;
        Ok(Self { measured, growth: growth_of(model)? })
    }

    /// Checks that edges of both conditions are among the same genes.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(super) fn check_same_genes(&self, other: &Self) -> Result<()> {
        let (own, theirs) = (&self.measured, &other.measured);
        if own.genes == theirs.genes && own.regulators == theirs.regulators {
            return Ok(());
        }
        let (name, must) = ("model", "a folder of conditions with the same genes");
        let got = format!("{} and {} genes", own.genes.len(), theirs.genes.len());
        Err(Error::Parameter { name, must, got })
    }
}

/// The options of `grn` for edges that are compared: its defaults, for all cells.
fn grn_options(options: &CompareOptions) -> GrnOptions {
    GrnOptions::default()
        .with_regulators(options.regulators.clone())
        .with_genes(options.genes.clone())
        .with_cells_per_time(usize::MAX)
        .with_data(options.sets.data.clone())
        .with_seed(options.seed)
}

/// The tested cells of both conditions at the times with enough of them.
pub(super) struct EdgeCells<'p> {
    pair: &'p Pair<'p>,
    measured: &'p Measured,
    options: GrnOptions,
    /// Common times with at least ten tested cells of each condition.
    pub(super) times: Vec<usize>,
    /// Rows of each of these times.
    ranges: Vec<std::ops::Range<usize>>,
    /// Expression of the genes, `(n, genes)`.
    values: Array2<f32>,
    /// Coordinates of the model, `(n, dim)`.
    coordinates: Array2<f64>,
    /// Time of each cell.
    at: Array1<f64>,
    /// Growth rate of each cell in each condition; in a condition that does not have it that of the other.
    growth: Option<[Array1<f64>; 2]>,
}

impl<'p> EdgeCells<'p> {
    /// Gathers the cells; `None` if fewer than two times have enough.
    pub(super) fn new(pair: &'p Pair<'p>, sides: [&'p EdgeSide; 2]) -> Option<Self> {
        let enough = |k: &usize| (0..2).all(|side| pair.cells[*k].n_tested(side) >= FEWEST_CELLS);
        let times: Vec<usize> = (0..pair.times.len()).filter(enough).collect();
        if times.len() < 2 {
            return None;
        }
        let rows_of = |k: usize, side: usize| -> &[usize] {
            &pair.sides[side].course.rows[pair.cells[k].places[side]]
        };
        // The condition of each cell, and its row in the model of this condition.
        let mut owners: Vec<[usize; 2]> = Vec::new();
        let (mut ranges, mut at) = (Vec::new(), Vec::new());
        for &k in &times {
            let of = |side: usize| -> Vec<[usize; 2]> {
                rows_of(k, side).iter().map(|&row| [side, row]).collect()
            };
            let start = owners.len();
            owners.extend(pair.cells[k].values([&of(0), &of(1)]));
            ranges.push(start..owners.len());
            at.resize(owners.len(), pair.times[k]);
        }
        let (genes, dim) = (sides[0].measured.genes.len(), pair.sides[0].model.points.ncols());
        let mut values = Array2::zeros((owners.len(), genes));
        let mut coordinates = Array2::zeros((owners.len(), dim));
        for (i, &[side, row]) in owners.iter().enumerate() {
            values.row_mut(i).assign(&sides[side].measured.values.row(row));
            coordinates.row_mut(i).assign(&pair.sides[side].model.points.row(row));
        }
        let growth = growth(pair, sides, &times, &owners);
        let (measured, options) = (&sides[0].measured, grn_options(pair.options));
        let at = Array1::from(at);
        Some(Self { pair, measured, options, times, ranges, values, coordinates, at, growth })
    }

    /// Name of a gene.
    pub(super) fn gene(&self, number: usize) -> &str {
        &self.measured.genes[number]
    }

    /// Columns of the regulators, by the rows of [`EdgeMatrix`].
    pub(super) fn regulators(&self) -> &[usize] {
        &self.measured.regulators
    }

    /// Whether there are so many genes that the estimates are light.
    pub(super) fn is_light(&self) -> bool {
        is_slow(self.values.ncols())
    }

    /// Number of cells of the condition `side`.
    pub(super) fn n_cells(&self, side: usize) -> usize {
        self.times.iter().map(|&k| self.pair.cells[k].n_tested(side)).sum()
    }

    /// The `most` most important edges of the cells of both conditions together, as rows and columns of
    /// [`EdgeMatrix`]. The order does not depend on labels, so that it does not favour edges that differ. It is across
    /// targets: among few regulators of one target nearly every edge is important.
    ///
    /// # Errors
    /// Those of the estimator.
    pub(super) fn first(&self, most: usize) -> Result<Vec<[usize; 2]>> {
        let all: Vec<usize> = (0..self.at.len()).collect();
        let across = self.options.clone().with_across_targets(true);
        let importance = self.edges(&across, 0, &all, None)?.0.importance;
        let (regulators, targets) = (self.regulators(), &self.measured.targets);
        let mut edges: Vec<[usize; 2]> = importance
            .indexed_iter()
            .filter(|((r, g), value)| regulators[*r] != *g && targets[*g] && **value > 0.0)
            .map(|((r, g), _)| [r, g])
            .collect();
        edges.sort_by(|a, b| importance[*b].total_cmp(&importance[*a]).then(a.cmp(b)));
        edges.truncate(most);
        Ok(edges)
    }

    /// Effects of the edges `shown` in the cells that labelling `b` gives to the condition `side`. NaN if a time has
    /// fewer than two.
    ///
    /// # Errors
    /// Those of the estimator.
    pub(super) fn labelled(&self, side: usize, b: usize, shown: &[[usize; 2]]) -> Result<Vec<f64>> {
        let mut rows = Vec::new();
        for (&k, range) in self.times.iter().zip(&self.ranges) {
            let labels = &self.pair.labels;
            let labels = if side == 0 { labels.first(k) } else { labels.second(k) };
            let own = labels.column(b);
            let before = rows.len();
            rows.extend(range.clone().filter(|i| own[i - range.start] > 0.0));
            if rows.len() - before < FEWEST {
                return Ok(vec![f64::NAN; shown.len()]);
            }
        }
        self.effects(side, &rows, None, shown)
    }

    /// Effects of the edges `shown` in resample `b` of the cells of the condition `side`.
    ///
    /// # Errors
    /// Those of the estimator.
    pub(super) fn resampled(
        &self,
        side: usize,
        b: usize,
        shown: &[[usize; 2]],
    ) -> Result<Vec<f64>> {
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        for (&k, range) in self.times.iter().zip(&self.ranges) {
            let cells = &self.pair.cells[k];
            let all = self.pair.resampled[side].weights(cells.places[side]);
            let n = all.nrows() as f64;
            let own = cells.weights(side, all.slice(ndarray::s![.., b..=b]));
            let is_own = cells.weights(side, all.slice(ndarray::s![.., 0..1]));
            let drawn: Vec<usize> = (0..range.len()).filter(|&i| is_own[[i, 0]] > 0.0).collect();
            // A time with almost no cells in a resample keeps all of them.
            let few = drawn.iter().filter(|&&i| own[[i, 0]] > 0.0).count() < FEWEST;
            rows.extend(drawn.iter().map(|i| range.start + i));
            weights.extend(drawn.iter().map(|&i| if few { 1.0 } else { n * own[[i, 0]] }));
        }
        self.effects(side, &rows, Some(Array1::from(weights)), shown)
    }

    /// Effects of the edges `shown` in the cells `rows`.
    fn effects(
        &self,
        side: usize,
        rows: &[usize],
        weights: Option<Array1<f64>>,
        shown: &[[usize; 2]],
    ) -> Result<Vec<f64>> {
        let found = self.edges(&self.options, side, rows, weights)?;
        let effects = found.0.effects(&found.1);
        Ok(shown.iter().map(|edge| effects[*edge]).collect())
    }

    /// The edges in the cells `rows`, which grow as in the condition `side`, and their expression.
    fn edges(
        &self,
        options: &GrnOptions,
        side: usize,
        rows: &[usize],
        weights: Option<Array1<f64>>,
    ) -> Result<(EdgeMatrix, Expression)> {
        let expression = Expression::new(self.values.select(Axis(0), rows), self.regulators())?;
        let points = points_of(&expression, || self.coordinates.select(Axis(0), rows));
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: self.at.select(Axis(0), rows),
            weights: weights.unwrap_or_else(|| Array1::ones(rows.len())),
            growth: self.growth.as_ref().map(|rates| rates[side].select(Axis(0), rows)),
            perturbed: None,
        };
        let edges = estimate(&cells, options, None, Effort::Pairs)?;
        Ok((edges, expression))
    }
}

/// Growth rates of the cells `owners` in each condition, if either condition has rates.
fn growth(
    pair: &Pair<'_>,
    sides: [&EdgeSide; 2],
    times: &[usize],
    owners: &[[usize; 2]],
) -> Option<[Array1<f64>; 2]> {
    if sides.iter().all(|side| side.growth.is_none()) {
        return None;
    }
    let rate = |side: usize, row: usize| sides[side].growth.as_ref().map_or(0.0, |of| of[row]);
    let of_owner: Array1<f64> = owners.iter().map(|&[side, row]| rate(side, row)).collect();
    Some([0, 1].map(|side| {
        let mut found = of_owner.clone();
        let mut start = 0;
        for &k in times {
            let cells = &pair.cells[k];
            let rows = &pair.sides[side].course.rows[cells.places[side]];
            let column = |of: &dyn Fn(usize) -> f64| {
                let of_rows: Array1<f64> = rows.iter().map(|&row| of(row)).collect();
                cells.weights(side, of_rows.insert_axis(Axis(1)).view()).remove_axis(Axis(1))
            };
            let (own, rates) = (column(&|_| 1.0), column(&|row| rate(side, row)));
            for (i, (own, rate)) in own.iter().zip(&rates).enumerate() {
                if *own > 0.0 {
                    found[start + i] = *rate;
                }
            }
            start += own.len();
        }
        found
    }))
}
