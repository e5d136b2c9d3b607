//! Points on random paths with what networks are to say there: inputs, targets, loss, gradient.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::bridge::Interpolant;
use crate::bridge::flow::affine::{Affine, PathAt};
use crate::bridge::flow::pairs::Pairs;
use crate::data::Snapshot;
use crate::linalg::{Mlp, Pass};

/// What is drawn from in one interval.
#[derive(Debug)]
pub(super) struct Interval<'a> {
    pub(super) source: &'a Snapshot,
    pub(super) target: &'a Snapshot,
    pub(super) pairs: &'a Pairs,
    pub(super) field: &'a Field,
}

/// How the outputs of networks are read in one interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) affine: Affine,
    pub(super) path: Interpolant,
    /// The networks' time at local time 0, and its length over the interval.
    pub(super) clock: [f64; 2],
}

impl Field {
    /// What the network's score is counted in: `2/√ε`, the score's size where noise is all there is.
    pub(super) fn score_unit(&self) -> f64 {
        if self.path.epsilon > 0.0 { 2.0 / self.path.epsilon.sqrt() } else { 0.0 }
    }
}

/// Rows of a batch, with room for their way through both networks.
#[derive(Debug)]
pub(super) struct Rows {
    count: usize,
    dim: usize,
    /// Interval of each row.
    intervals: Vec<usize>,
    pub(super) flow: Side,
    pub(super) score: Option<Side>,
}

/// One network's part in a batch.
#[derive(Debug)]
pub(super) struct Side {
    pass: Pass,
    /// The loss of a row is the mean over coordinates of `(amplitude · output − wanted)²`.
    wanted: Vec<f32>,
    amplitude: Vec<f32>,
    pub(super) gradient: Vec<f32>,
}

impl Rows {
    /// Room for `n_rows` rows through networks like these.
    pub(super) fn new(n_rows: usize, flow: &Mlp, score: Option<&Mlp>) -> Self {
        let dim = flow.sizes()[0] - 1;
        let side = |network: &Mlp| Side {
            pass: Pass::new(network.sizes(), n_rows),
            wanted: vec![0.0; n_rows * dim],
            amplitude: vec![1.0; n_rows],
            gradient: vec![0.0; network.parameters().len()],
        };
        let intervals = vec![0; n_rows];
        Self { count: n_rows, dim, intervals, flow: side(flow), score: score.map(side) }
    }

    /// Number of rows in interval `k`.
    pub(super) fn count_in(&self, k: usize) -> usize {
        self.intervals.iter().filter(|interval| **interval == k).count()
    }

    /// Draws every row anew; row `r` is in interval `(first + r) mod` their number.
    pub(super) fn draw(&mut self, intervals: &[Interval<'_>], first: usize, stream: &mut impl Rng) {
        let totals: Vec<[f64; 3]> =
            intervals.iter().map(|interval| interval.field.affine.totals()).collect();
        let reaches: Vec<f64> =
            intervals.iter().map(|interval| interval.field.affine.reach()).collect();
        for row in 0..self.count {
            let k = (first + row) % intervals.len();
            self.intervals[row] = k;
            self.draw_row(row, &intervals[k], totals[k], 1.0 / reaches[k], stream);
        }
    }

    fn draw_row(
        &mut self,
        row: usize,
        interval: &Interval<'_>,
        totals: [f64; 3],
        per_reach: f64,
        stream: &mut impl Rng,
    ) {
        let Interval { source, target, pairs, field } = interval;
        let (i, j) = pairs.draw(stream);
        let t: f64 = StandardUniform.sample(stream);
        let path = PathAt::new(&field.path, t);
        let (x0, x1) = (source.points(), target.points());
        let (x0, x1) = (x0.row(i), x1.row(j));
        let per_spread = 1.0 / field.affine.spread(totals, &path);
        let deviation = path.noise.sqrt();
        let (dim, place) = (self.dim, row * self.dim);
        let input = &mut self.flow.pass.input_mut()[row * (dim + 1)..(row + 1) * (dim + 1)];
        for d in 0..dim {
            let known = field.affine.coordinate(&path, d);
            let noise: f64 = if self.score.is_some() { StandardNormal.sample(stream) } else { 0.0 };
            let x = path.alpha * x0[d] + path.beta * x1[d] + deviation * noise - known.mean;
            input[d] = (x * per_spread) as f32;
            let speed = path.alpha_speed * x0[d] + path.beta_speed * x1[d];
            let left = speed - known.speed - known.slope * x;
            self.flow.wanted[place + d] = (left * per_reach) as f32;
            if let Some(score) = &mut self.score {
                // γ · score + z, with the known part of the score.
                let left = noise - deviation * known.precision * x;
                score.wanted[place + d] = -left as f32;
            }
        }
        input[dim] = (field.clock[0] + t * field.clock[1]) as f32;
        if let Some(score) = &mut self.score {
            score.amplitude[row] = (deviation * field.score_unit()) as f32;
        }
    }

    /// Sends the rows through the networks and adds the loss of each row to that of its interval.
    pub(super) fn losses(&mut self, flow: &Mlp, score: Option<&Mlp>, sums: &mut [[f64; 2]]) {
        self.share_inputs();
        self.flow.pass_forward(flow, &self.intervals, |k, loss| sums[k][0] += loss);
        if let (Some(side), Some(network)) = (&mut self.score, score) {
            side.pass_forward(network, &self.intervals, |k, loss| sums[k][1] += loss);
        }
    }

    /// Losses of flow and score, each the mean over coordinates summed over rows; leaves the
    /// gradients of these sums, divided by `n_total` rows, in both sides.
    pub(super) fn gradients(
        &mut self,
        flow: &Mlp,
        score: Option<&Mlp>,
        n_total: usize,
    ) -> [f64; 2] {
        let mut sums = vec![[0.0; 2]; self.intervals.iter().max().map_or(1, |k| k + 1)];
        self.losses(flow, score, &mut sums);
        let factor = 2.0 / (n_total * self.dim) as f32;
        self.flow.pass_backward(flow, factor);
        if let (Some(side), Some(network)) = (&mut self.score, score) {
            side.pass_backward(network, factor);
        }
        sums.iter().fold([0.0; 2], |sum, loss| [sum[0] + loss[0], sum[1] + loss[1]])
    }

    fn share_inputs(&mut self) {
        if let Some(score) = &mut self.score {
            score.pass.input_mut().copy_from_slice(self.flow.pass.input_mut());
        }
    }
}

impl Side {
    /// Output → residual `amplitude · output − wanted`, left in the gradient's place.
    fn pass_forward(
        &mut self,
        network: &Mlp,
        intervals: &[usize],
        mut add: impl FnMut(usize, f64),
    ) {
        network.forward(&mut self.pass);
        let dim = self.wanted.len() / self.amplitude.len().max(1);
        let (output, residual) = self.pass.output_and_gradient();
        for (row, k) in intervals.iter().enumerate() {
            let (amplitude, place) = (self.amplitude[row], row * dim..(row + 1) * dim);
            let residual = &mut residual[place.clone()];
            let mut sum = 0.0_f32;
            for ((left, output), wanted) in
                residual.iter_mut().zip(&output[place.clone()]).zip(&self.wanted[place])
            {
                *left = amplitude * output - wanted;
                sum += *left * *left;
            }
            add(*k, f64::from(sum) / dim as f64);
        }
    }

    fn pass_backward(&mut self, network: &Mlp, factor: f32) {
        let dim = self.wanted.len() / self.amplitude.len().max(1);
        let residual = self.pass.output_and_gradient().1;
        for (residual, amplitude) in residual.chunks_exact_mut(dim.max(1)).zip(&self.amplitude) {
            for value in residual {
                *value *= factor * amplitude;
            }
        }
        network.backward(&mut self.pass, &mut self.gradient);
    }
}
