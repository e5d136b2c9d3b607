//! The neural estimator `ngm`: edges from networks trained by flow matching, one for each target.

use ndarray::{Array1, Array2};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::error::Result;
use crate::grn::course::{CourseCells, Steps};
use crate::grn::edge_matrix::EdgeMatrix;
use crate::grn::expression::N_SHAPES;
use crate::linalg::{AdamW, Mlp, Pass, PreciseMlp};
use crate::rng::Seed;

/// Number of pairs of cells that are drawn once, before the training.
const N_PAIRS: usize = 20_000;

/// Smallest distance of a drawn local time from the ends of an interval, where the flow diverges.
const CLIP: f64 = 1e-3;

/// Number of points over which the derivative of a network is averaged for the sign of edges.
const N_SLOPES: usize = 256;

/// Scale of the initial weights of the first layer, relative to an initialisation that preserves
/// variances. Small initial weights make the final lengths of the weights reflect the training.
const START: f32 = 0.1;

/// Neural graphical model of `[SF]²M`: one network for the drift of each target, trained by flow
/// matching on coupled pairs of cells.
///
/// A network has one hidden layer with `SELU` activations and reads the standardised expression of
/// all regulators, and of the target itself if that is no regulator. The importance of an edge is
/// the Euclidean length of its regulator's weights in the first layer, relative to all regulators.
/// Drifts do not depend on time. The score is not learnt, because edges do not need it.
///
/// Source: Tong et al. 2024 (arXiv 2307.03672), section 5.3 and appendix; penalty on groups of
/// weights after Bellot, Branson & van der Schaar 2022.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NeuralFlow {
    /// Width of the hidden layer.
    pub(crate) hidden: usize,
    /// σ of the Brownian bridges between coupled cells, in standard deviations of a gene over an
    /// interval of mean length.
    pub(crate) sigma: f64,
    /// Factor of the group penalty in the loss: the sum over inputs of the length of their weights.
    pub(crate) penalty: f64,
    /// Number of steps of the stochastic descent.
    pub(crate) n_steps: usize,
    /// Number of points in a step.
    pub(crate) batch: usize,
    /// Learning rate.
    pub(crate) rate: f64,
}

impl Default for NeuralFlow {
    fn default() -> Self {
        Self { hidden: 100, sigma: 0.1, penalty: 1e-5, n_steps: 100, batch: 128, rate: 0.01 }
    }
}

/// An earlier cell, a later cell, and the length of a mean interval divided by that of their step.
type Pair = (usize, usize, f64);

/// The training problem of one target gene.
struct Target<'a> {
    cells: &'a CourseCells<'a>,
    pairs: &'a [Pair],
    gene: usize,
    /// Genes that the network reads: the regulators, then the target if it is none of them.
    inputs: Vec<usize>,
}

impl NeuralFlow {
    /// Trains one network for each gene, in parallel, and returns the edges. Time
    /// `O(n_steps · batch · hidden · R)` for each gene.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if a weight of a trained network is not finite.
    pub(crate) fn edges(
        &self,
        cells: &CourseCells<'_>,
        steps: &Steps,
        seed: Seed,
    ) -> Result<EdgeMatrix> {
        let regulators = cells.expression.regulators();
        let pairs = pairs(steps, seed);
        let columns: Vec<(Vec<f64>, Vec<f64>)> = (0..cells.expression.n_genes())
            .into_par_iter()
            .map(|gene| {
                let mut inputs = regulators.to_vec();
                if regulators.binary_search(&gene).is_err() {
                    inputs.push(gene);
                }
                let target = Target { cells, pairs: &pairs, gene, inputs };
                self.column(&target, seed.child("grn/ngm", gene as u64))
            })
            .collect::<Result<_>>()?;
        let shape = (regulators.len(), columns.len());
        let slopes = Array2::from_shape_fn(shape, |(r, g)| columns[g].1[r]);
        Ok(EdgeMatrix {
            importance: Array2::from_shape_fn(shape, |(r, g)| columns[g].0[r]),
            strength: slopes.mapv(f64::abs),
            evidence: slopes,
            lag: steps.lag,
        })
    }

    /// Trains the network of one target. Returns, for each input, the length of its first-layer
    /// weights (all lengths normalised to a unit vector) and the mean derivative of the drift.
    fn column(&self, target: &Target<'_>, seed: Seed) -> Result<(Vec<f64>, Vec<f64>)> {
        let n_inputs = target.inputs.len();
        let sizes = [n_inputs, self.hidden, 1];
        let mut network = Mlp::random(&sizes, &mut seed.stream("weights", 0));
        let n_read = n_inputs * self.hidden;
        network.parameters_mut()[..n_read].iter_mut().for_each(|weight| *weight *= START);
        let mut descent = AdamW::new(network.parameters().len(), 0.0);
        let mut gradient = vec![0.0; network.parameters().len()];
        let mut pass = Pass::new(&sizes, self.batch);
        let mut stream = seed.stream("batches", 0);
        let mut wanted = vec![0.0_f32; self.batch];
        for _ in 0..self.n_steps {
            for (row, wanted) in pass.input_mut().chunks_exact_mut(n_inputs).zip(&mut wanted) {
                *wanted = self.draw(target, row, &mut stream);
            }
            network.forward(&mut pass);
            let (output, by_output) = pass.output_and_gradient();
            for ((by, out), wanted) in by_output.iter_mut().zip(output).zip(&wanted) {
                *by = 2.0 * (out - wanted) / self.batch as f32;
            }
            network.backward(&mut pass, &mut gradient);
            let lengths = lengths(network.parameters(), n_inputs, self.hidden);
            let weights = &network.parameters()[..n_read];
            for (place, (slot, weight)) in gradient.iter_mut().zip(weights).enumerate() {
                *slot += (self.penalty * f64::from(*weight) / lengths[place % n_inputs]) as f32;
            }
            descent.step(network.parameters_mut(), &gradient, self.rate);
        }
        let mut points = Array2::zeros((N_SLOPES, n_inputs));
        let mut row = vec![0.0; n_inputs];
        for mut point in points.rows_mut() {
            self.draw(target, &mut row, &mut stream);
            point.iter_mut().zip(&row).for_each(|(slot, value)| *slot = f64::from(*value));
        }
        let slopes = PreciseMlp::new(&network)?.summed_jacobian(points.view(), n_inputs);
        let slopes = slopes.row(0).mapv(|sum| sum / N_SLOPES as f64).to_vec();
        let of_regulators: Array1<f64> =
            lengths(network.parameters(), n_inputs, self.hidden).into();
        let size = of_regulators.dot(&of_regulators).sqrt();
        Ok(((of_regulators / size).to_vec(), slopes))
    }

    /// Draws a point on the Brownian bridge of a random pair into `row`, and returns the flow of the
    /// target gene there (METHODS, "Flows").
    fn draw(&self, target: &Target<'_>, row: &mut [f32], stream: &mut impl rand::Rng) -> f32 {
        let standard = N_SHAPES - 1;
        let value = |cell, gene| target.cells.expression.shape(cell, gene, standard);
        let (from, to, pace) = target.pairs[stream.random_range(0..target.pairs.len())];
        let t: f64 = stream.random_range(CLIP..1.0 - CLIP);
        let width = (t * (1.0 - t)).sqrt();
        let mut noise_of_own = 0.0;
        for (slot, &gene) in row.iter_mut().zip(&target.inputs) {
            let noise: f64 = StandardNormal.sample(stream);
            let noise = self.sigma * noise / pace.sqrt();
            if gene == target.gene {
                noise_of_own = noise;
            }
            let between = (1.0 - t) * value(from, gene) + t * value(to, gene);
            *slot = (between + width * noise) as f32;
        }
        let gone = value(to, target.gene) - value(from, target.gene);
        (pace * (gone + (1.0 - 2.0 * t) / (2.0 * width) * noise_of_own)) as f32
    }
}

/// Draws about [`N_PAIRS`] pairs from the couplings, the same number from each step.
fn pairs(steps: &Steps, seed: Seed) -> Vec<Pair> {
    let each = N_PAIRS.div_ceil(steps.steps.len().max(1));
    let of_steps = steps.steps.iter().zip(&steps.lengths).enumerate();
    of_steps
        .flat_map(|(k, (step, length))| {
            let pace = if *length > 0.0 { steps.lag / length } else { 1.0 };
            let drawn = step.coupling.draw(each, seed.child("grn/pairs", k as u64));
            drawn.into_iter().map(move |(i, j)| (step.sources[i], step.targets[j], pace))
        })
        .collect()
}

/// Euclidean length of the first-layer weights `(hidden, inputs)` of each input, at least 1e-12.
fn lengths(parameters: &[f32], n_inputs: usize, hidden: usize) -> Vec<f64> {
    let weights = &parameters[..n_inputs * hidden];
    let squares = weights.chunks_exact(n_inputs).fold(vec![0.0; n_inputs], |mut sums, row| {
        sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += f64::from(*w).powi(2));
        sums
    });
    squares.into_iter().map(|square: f64| square.sqrt().max(1e-12)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Coupling;
    use crate::grn::step::Step;
    use crate::grn::{CourseCells, Expression};

    #[test]
    fn a_driven_gene_reads_its_driver_and_the_sign_is_that_of_the_slope() {
        // Later gene 1 has lost what gene 0 had before; genes 0 and 2 stay. Gene 3 does not regulate.
        let n = 300;
        let place = |i: usize, s: f64| ((i + 1) as f64 * s).fract() as f32;
        let mut values = Array2::from_shape_fn((2 * n, 4), |(i, j)| {
            place(i % n, [0.618_034, 0.414_214, 0.302_776, 0.236_068][j])
        });
        for i in 0..n {
            values[[n + i, 1]] -= values[[i, 0]];
        }
        let expression = Expression::new(values, &[0, 1, 2]).unwrap();
        let points = Array2::zeros((2 * n, 1));
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..2 * n).map(|i| if i < n { 0.0 } else { 4.0 }).collect(),
            weights: Array1::ones(2 * n),
            growth: None,
            perturbed: None,
        };
        let coupling = Coupling::new(n, n, (0..n).map(|i| (i, i, 1.0))).unwrap();
        let step = Step { sources: (0..n).collect(), targets: (n..2 * n).collect(), coupling };
        let steps = cells.timed(vec![step]);
        let flow = NeuralFlow { n_steps: 300, ..NeuralFlow::default() };
        let found = flow.edges(&cells, &steps, Seed(3)).unwrap();
        let column = found.importance.column(1);
        assert!(column[0] > 1.25 * column[2], "{column}");
        assert!(found.evidence[[0, 1]] < -0.2, "{}", found.evidence);
        assert!(found.evidence[[2, 1]].abs() < 0.5 * found.evidence[[0, 1]].abs());
        // Per mean interval: the displacement of gene 1 is −(spread of 0 / spread of 1) times gene 0.
        let slope = -expression.spread()[0] / expression.spread()[1];
        assert!((found.evidence[[0, 1]] / slope - 1.0).abs() < 0.35, "{slope}");
        assert!((found.lag - 4.0).abs() < 1e-12);
        assert_eq!(found, flow.edges(&cells, &steps, Seed(3)).unwrap());
        // The penalty shortens what reads nothing.
        let heavy = NeuralFlow { penalty: 0.3, ..flow }.edges(&cells, &steps, Seed(3)).unwrap();
        let share = |of: &EdgeMatrix| of.importance[[2, 1]] / of.importance[[0, 1]];
        assert!(share(&heavy) < 0.7 * share(&found), "{} {}", share(&heavy), share(&found));
    }

    #[test]
    fn pairs_come_evenly_from_all_steps_and_know_their_pace() {
        let coupling = || Coupling::new(1, 1, [(0, 0, 1.0)]).unwrap();
        let step = |source, target| Step {
            sources: vec![source],
            targets: vec![target],
            coupling: coupling(),
        };
        let steps =
            Steps { steps: vec![step(0, 1), step(1, 2)], lengths: vec![1.0, 3.0], lag: 2.0 };
        let drawn = pairs(&steps, Seed(0));
        assert_eq!(drawn.len(), N_PAIRS);
        let of_first = drawn.iter().filter(|pair| pair.0 == 0).count();
        assert_eq!(of_first, N_PAIRS / 2);
        for (from, to, pace) in drawn {
            assert_eq!(to, from + 1);
            assert!((pace - [2.0, 2.0 / 3.0][from]).abs() < 1e-12);
        }
    }
}
