//! `ngm`: edges from a flow whose networks read each regulator through weights of its own.

use ndarray::{Array1, Array2};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::error::Result;
use crate::grn::course::{CourseCells, Steps};
use crate::grn::estimate::EdgeMatrix;
use crate::grn::expression::N_SHAPES;
use crate::linalg::{AdamW, Mlp, Pass, PreciseMlp};
use crate::rng::Seed;

/// Pairs that are drawn before the training and used again and again.
const N_PAIRS: usize = 20_000;

/// Times are drawn this far from the ends of an interval at least.
const CLIP: f64 = 1e-3;

/// Rows at which the slope of a network is averaged for the sign.
const N_SLOPES: usize = 256;

/// Weights of the first layer begin as this part of what keeps variances, so that their lengths
/// are what was learnt.
const START: f32 = 0.1;

/// A drift for each target, `SELU` between a first layer that reads all regulators and one
/// output, trained by flow matching on pairs of cells of neighbouring snapshots: the graphical
/// model of `[SF]²M`. An edge is as important as its regulator's weights in the first layer are
/// long.
///
/// Drifts do not depend on time; the score is not learnt, edges do not need it. A gene that does
/// not regulate reads its own expression besides.
///
/// Source: Tong et al. 2024 (arXiv 2307.03672), section 5.3 and appendix; penalty on groups of
/// weights after Bellot, Branson & van der Schaar 2022.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeuralFlow {
    /// Width of the hidden layer.
    pub hidden: usize,
    /// σ of the Brownian bridges between paired cells, in standard deviations of a gene over a
    /// mean interval.
    pub sigma: f64,
    /// Weight of the sum of the lengths of each regulator's weights in the loss.
    pub penalty: f64,
    /// Steps of the descent.
    pub n_steps: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
}

impl Default for NeuralFlow {
    fn default() -> Self {
        Self { hidden: 100, sigma: 0.1, penalty: 1e-5, n_steps: 100, batch: 128, rate: 0.01 }
    }
}

/// An earlier cell, a later one, and how long a mean interval is in units of theirs.
type Pair = (usize, usize, f64);

/// What is trained for one target, and on what.
struct Target<'a> {
    cells: &'a CourseCells<'a>,
    pairs: &'a [Pair],
    gene: usize,
    inputs: Vec<usize>,
}

impl NeuralFlow {
    /// Edges from pairs of `steps`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if a network trains to what is not finite.
    pub fn edges(&self, cells: &CourseCells<'_>, steps: &Steps, seed: Seed) -> Result<EdgeMatrix> {
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

    /// Lengths of the first layer's weights, of unit length together, and the mean slope, for each
    /// input of one target.
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

    /// A point on the bridge of a pair, in `row`, and the flow there (METHODS, "Flows").
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

/// [`N_PAIRS`] pairs, as many of each step.
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

/// Length of the weights of each input in the first layer, `(hidden, inputs)`.
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
