//! Batches: points on random paths, with inputs, targets, losses and gradients of the networks.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::bridge::Interpolant;
use crate::bridge::flow::affine::{Affine, PathAt};
use crate::bridge::flow::pairs::Pairs;
use crate::data::Snapshot;
use crate::linalg::{Mlp, Pass};

/// One interval from which points are drawn.
#[derive(Debug)]
pub(in crate::bridge) struct Interval<'a> {
    /// The snapshot at local time 0.
    pub(in crate::bridge) source: &'a Snapshot,
    /// The snapshot at local time 1.
    pub(in crate::bridge) target: &'a Snapshot,
    /// The distribution of pairs.
    pub(in crate::bridge) pairs: &'a Pairs,
    /// The units of the networks in this interval.
    pub(in crate::bridge) field: &'a Field,
}

/// How the outputs of the networks are read in one interval.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bridge) struct Field {
    /// The affine prediction to which the networks add their output.
    pub(in crate::bridge) affine: Affine,
    /// The path between paired cells.
    pub(in crate::bridge) path: Interpolant,
    /// The networks' time at local time 0, and its length over the interval.
    pub(in crate::bridge) clock: [f64; 2],
}

impl Field {
    /// The unit of the network's score, `2/√ε`: the size of the score where noise alone spreads the
    /// cells. Zero without noise.
    pub(super) fn score_unit(&self) -> f64 {
        if self.path.epsilon > 0.0 { 2.0 / self.path.epsilon.sqrt() } else { 0.0 }
    }
}

/// The rows of one chunk of a batch, with memory for their pass through both networks.
#[derive(Debug)]
pub(super) struct Rows {
    /// Number of rows.
    count: usize,
    /// Number of dimensions d.
    dim: usize,
    /// Interval of each row.
    intervals: Vec<usize>,
    /// The part of the velocity network.
    pub(super) flow: Side,
    /// The part of the score network.
    pub(super) score: Option<Side>,
}

/// The part of one network in a chunk.
#[derive(Debug)]
pub(super) struct Side {
    /// Memory for the pass through the network.
    pass: Pass,
    /// Targets. The loss of a row is the mean over coordinates of `(amplitude · output − wanted)²`.
    wanted: Vec<f32>,
    /// Factor of the output of each row.
    amplitude: Vec<f32>,
    /// Gradient of the summed loss by the parameters.
    pub(super) gradient: Vec<f32>,
}

impl Rows {
    /// Memory for `n_rows` rows through networks of these sizes.
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

    /// Draws every row again. Row r belongs to interval `(first + r) mod` (number of intervals).
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

    /// Draws a pair, a time and noise, and writes input and targets of one row. `totals` and
    /// `per_reach` are those of the interval: [`Affine::totals`] and 1/[`Affine::reach`].
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
                // The residual of γ · score + z after the affine prediction of the score.
                let left = noise - deviation * known.precision * x;
                score.wanted[place + d] = -left as f32;
            }
        }
        input[dim] = (field.clock[0] + t * field.clock[1]) as f32;
        if let Some(score) = &mut self.score {
            score.amplitude[row] = (deviation * field.score_unit()) as f32;
        }
    }

    /// Evaluates the networks and adds the loss of each row to the sum `[flow, score]` of its
    /// interval.
    pub(super) fn losses(&mut self, flow: &Mlp, score: Option<&Mlp>, sums: &mut [[f64; 2]]) {
        self.share_inputs();
        self.flow.pass_forward(flow, &self.intervals, |k, loss| sums[k][0] += loss);
        if let (Some(side), Some(network)) = (&mut self.score, score) {
            side.pass_forward(network, &self.intervals, |k, loss| sums[k][1] += loss);
        }
    }

    /// Losses of flow and score, each summed over rows. Leaves in both sides the gradient of this
    /// sum divided by `n_total` rows.
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

    /// Copies the inputs to the score network; both networks see the same points.
    fn share_inputs(&mut self) {
        if let Some(score) = &mut self.score {
            score.pass.input_mut().copy_from_slice(self.flow.pass.input_mut());
        }
    }
}

impl Side {
    /// Evaluates the network and leaves the residual `amplitude · output − wanted` in the place of
    /// the gradient. Calls `add` with the interval and the loss of each row.
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

    /// Propagates the residuals back to the parameters; `factor` scales the gradient.
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
