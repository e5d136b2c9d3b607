//! Stochastic descent of both networks, with regular evaluations on held-out cells.

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::bridge::flow::batch::{Interval, Rows, Side};
use crate::bridge::flow::networks::{CurvePoint, FlowNetworks};
use crate::bridge::flow::solver::FlowSolver;
use crate::error::Result;
use crate::linalg::{AdamW, Mlp};
use crate::progress::{Event, Progress, report};
use crate::rng::Seed;

/// Rows of a batch in one task. The size is fixed, so sums do not depend on the number of threads.
const CHUNK: usize = 256;

/// Rows on which held-out losses are measured. They are drawn once.
const MEASURED: usize = 2048;

/// Number of evaluations on held-out cells in a training that takes all its steps.
const LOOKS: usize = 50;

/// Steps between two progress reports.
const REPORTED: usize = 10;

/// The result of a training.
pub(in crate::bridge) struct Trained {
    /// The networks with the lowest held-out losses.
    pub(in crate::bridge) networks: FlowNetworks,
    /// Number of steps.
    pub(in crate::bridge) steps: usize,
    /// Held-out losses `[flow, score]` of each interval before the first step.
    pub(in crate::bridge) start: Vec<[f64; 2]>,
    /// The same for the networks that are kept.
    pub(in crate::bridge) end: Vec<[f64; 2]>,
}

/// A network during its descent: the current state, and the state with the lowest held-out loss.
struct Descent {
    /// The current network.
    network: Mlp,
    /// Moments of the gradient.
    adam: AdamW,
    /// The network with the lowest held-out loss.
    best: Mlp,
    /// This loss.
    best_loss: f64,
    /// Number of evaluations since then.
    looks_since_best: usize,
}

impl Descent {
    /// Before the first step.
    fn new(network: Mlp, weight_decay: f64) -> Self {
        let adam = AdamW::new(network.parameters().len(), weight_decay);
        let best = network.clone();
        Self { network, adam, best, best_loss: f64::INFINITY, looks_since_best: 0 }
    }

    /// One AdamW step down the sum of the chunks' gradients, which are added in order.
    fn step<'a>(&mut self, mut sides: impl Iterator<Item = &'a mut Side>, rate: f64) {
        let Some(first) = sides.next() else { return };
        for side in sides {
            for (sum, value) in first.gradient.iter_mut().zip(&side.gradient) {
                *sum += value;
            }
        }
        self.adam.step(self.network.parameters_mut(), &first.gradient, rate);
    }

    /// Compares a held-out loss with the lowest so far and keeps the better network.
    fn look(&mut self, loss: f64) {
        if loss < self.best_loss {
            self.best_loss = loss;
            self.best.clone_from(&self.network);
            self.looks_since_best = 0;
        } else {
            self.looks_since_best += 1;
        }
    }
}

/// Trains on pairs of `training` and stops by pairs of `held_out`; both have the same intervals.
/// The weights are those of `initial` at first, or random.
///
/// Each step takes `6 · batch · parameters` flops for each network.
pub(in crate::bridge) fn train(
    solver: &FlowSolver,
    training: &[Interval<'_>],
    held_out: &[Interval<'_>],
    initial: Option<&FlowNetworks>,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Trained> {
    let descent = |known: Option<&Mlp>, index: u64| {
        let network = known.cloned().unwrap_or_else(|| solver.network(training, seed, index));
        Descent::new(network, solver.weight_decay)
    };
    let mut flow = descent(initial.map(FlowNetworks::flow), 0);
    let noisy = training.iter().any(|interval| interval.field.path.epsilon > 0.0);
    let mut score = noisy.then(|| descent(initial.and_then(FlowNetworks::score), 1));
    let mut measured = chunks(MEASURED, &flow, score.as_ref());
    draw(&mut measured, held_out, seed, "flow/held out", 0);
    let mut batch = chunks(solver.batch, &flow, score.as_ref());
    draw(&mut batch, training, seed, "flow/batch", 0);
    let first = measure(&mut batch, training.len(), &flow.network, network(score.as_ref()));

    let every = solver.max_iterations.div_ceil(LOOKS);
    let (mut curve, mut sums, mut since, mut steps) = (Vec::new(), mean(&first), 1, 0);
    let start = measure(&mut measured, held_out.len(), &flow.network, network(score.as_ref()));
    loop {
        if steps % every == 0 || steps == solver.max_iterations {
            let losses =
                measure(&mut measured, held_out.len(), &flow.network, network(score.as_ref()));
            let [flow_held_out, score_held_out] = mean(&losses);
            flow.look(flow_held_out);
            if let Some(score) = &mut score {
                score.look(score_held_out);
            }
            let per = 1.0 / since as f64;
            let (flow_training, score_training) = (sums[0] * per, sums[1] * per);
            (sums, since) = ([0.0; 2], 0);
            curve.push(CurvePoint {
                step: steps,
                flow_training,
                flow_held_out,
                score_training,
                score_held_out,
            });
        }
        let patient = |descent: &Descent| descent.looks_since_best < solver.patience;
        let hopeful = patient(&flow) || score.as_ref().is_some_and(patient);
        if steps == solver.max_iterations || !hopeful {
            break;
        }
        draw(&mut batch, training, seed, "flow/batch", steps);
        let (flow_now, score_now) = (&flow.network, network(score.as_ref()));
        let losses: Vec<[f64; 2]> = batch
            .par_iter_mut()
            .map(|rows| rows.gradients(flow_now, score_now, solver.batch))
            .collect();
        for loss in losses {
            sums = [0, 1].map(|side| sums[side] + loss[side] / solver.batch as f64);
        }
        let rate = solver.rate(steps);
        flow.step(batch.iter_mut().map(|rows| &mut rows.flow), rate);
        if let Some(score) = &mut score {
            score.step(batch.iter_mut().filter_map(|rows| rows.score.as_mut()), rate);
        }
        (steps, since) = (steps + 1, since + 1);
        if steps % REPORTED == 0 {
            report(progress, Event::Step { done: steps as u64 })?;
        }
    }
    report(progress, Event::Step { done: steps as u64 })?;
    let end = measure(&mut measured, held_out.len(), &flow.best, score.as_ref().map(|s| &s.best));
    let networks = FlowNetworks::new(flow.best, score.map(|score| score.best), curve)?;
    Ok(Trained { networks, steps, start, end })
}

/// The current network of a descent, if there is one.
fn network(descent: Option<&Descent>) -> Option<&Mlp> {
    descent.map(|descent| &descent.network)
}

/// Memory for `n` rows in chunks.
fn chunks(n: usize, flow: &Descent, score: Option<&Descent>) -> Vec<Rows> {
    (0..n.div_ceil(CHUNK))
        .map(|chunk| Rows::new(CHUNK.min(n - chunk * CHUNK), &flow.network, network(score)))
        .collect()
}

/// Draws the rows of all chunks, each from a stream of its own, for step `step` of the stream
/// `name`.
fn draw(chunks: &mut [Rows], intervals: &[Interval<'_>], seed: Seed, name: &str, step: usize) {
    let n_chunks = chunks.len();
    chunks.par_iter_mut().enumerate().for_each(|(chunk, rows)| {
        let mut stream = seed.stream(name, (step * n_chunks + chunk) as u64);
        rows.draw(intervals, chunk * CHUNK, &mut stream);
    });
}

/// Mean losses `[flow, score]` in each interval.
fn measure(
    chunks: &mut [Rows],
    n_intervals: usize,
    flow: &Mlp,
    score: Option<&Mlp>,
) -> Vec<[f64; 2]> {
    let parts: Vec<Vec<[f64; 2]>> = chunks
        .par_iter_mut()
        .map(|rows| {
            let mut sums = vec![[0.0; 2]; n_intervals];
            rows.losses(flow, score, &mut sums);
            sums
        })
        .collect();
    (0..n_intervals)
        .map(|k| {
            let n_rows = chunks.iter().map(|rows| rows.count_in(k)).sum::<usize>().max(1) as f64;
            [0, 1].map(|side| parts.iter().map(|part| part[k][side]).sum::<f64>() / n_rows)
        })
        .collect()
}

/// Mean over intervals.
fn mean(losses: &[[f64; 2]]) -> [f64; 2] {
    [0, 1]
        .map(|side| losses.iter().map(|loss| loss[side]).sum::<f64>() / losses.len().max(1) as f64)
}

impl FlowSolver {
    /// The learning rate of a step: half a cosine from the initial rate to zero.
    fn rate(&self, step: usize) -> f64 {
        let passed = step as f64 / self.max_iterations as f64;
        self.learning_rate * 0.5 * (1.0 + (PI * passed).cos())
    }

    /// A network with random weights and an output of zero, of the sizes of this solver.
    fn network(&self, intervals: &[Interval<'_>], seed: Seed, index: u64) -> Mlp {
        let dim = intervals.first().map_or(0, |interval| interval.source.dim());
        let mut sizes = vec![dim + 1];
        sizes.extend(std::iter::repeat_n(self.width, self.n_layers));
        sizes.push(dim);
        Mlp::random(&sizes, &mut seed.stream("flow/network", index))
    }
}
