//! Stochastic differential equations of mRNA and protein under Boolean rules (BoolODE, Pratapa 2020).

use ndarray::{Array2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use sbcell::Seed;

use crate::families::boolean_networks::{Drawn, Shape};
use crate::families::wiring::{Rule, even_times, of_cells, spread};
use crate::simulated::Simulated;

/// Transcription and decay of mRNA, translation and decay of protein, per unit of time.
const TRANSCRIPTION: f64 = 20.0;
const MRNA_DECAY: f64 = 10.0;
const TRANSLATION: f64 = 10.0;
const PROTEIN_DECAY: f64 = 1.0;
/// mRNA and protein of a gene that is on.
const ON: f64 = TRANSCRIPTION / MRNA_DECAY;
const ON_PROTEIN: f64 = ON * TRANSLATION / PROTEIN_DECAY;
/// Noise per square root of level and time. BoolODE multiplies by 10 and the step, which is 0.01.
const NOISE: f64 = 1.0;
const STEP: f64 = 0.01;
/// mRNA of a gene that is off at the start.
const OFF: f64 = 0.01;

const N_TIMES: usize = 8;
const N_CELLS: usize = 200;

/// A course of a random network of this shape in which every regulated gene goes on and off.
pub(super) fn course(shape: Shape, seed: Seed) -> Simulated {
    for attempt in 0..1000 {
        let seed = seed.child("attempt", attempt);
        let drawn = shape.draw(&mut seed.stream("network", 0));
        let few = drawn.simulate(30, seed);
        if !drawn.varies(&few, 30) {
            continue;
        }
        let values = drawn.simulate(N_CELLS, seed);
        if drawn.varies(&values, N_CELLS) {
            let times = of_cells(&drawn.times(), N_CELLS);
            return drawn.wiring.course(values, times, &mut seed.stream("order", 0));
        }
    }
    unreachable!("a thousand networks without one that varies");
}

impl Drawn {
    fn times(&self) -> Vec<f64> {
        even_times(self.end / 20.0, self.end, N_TIMES)
    }

    /// mRNA of `n_cells` cells at each time, `(N_TIMES n_cells, n_genes)`.
    fn simulate(&self, n_cells: usize, seed: Seed) -> Array2<f32> {
        let times = of_cells(&self.times(), n_cells);
        let cells: Vec<f32> = times
            .par_iter()
            .enumerate()
            .flat_map_iter(|(cell, &time)| self.cell(time, &mut seed.stream("cell", cell as u64)))
            .collect();
        Array2::from_shape_vec((times.len(), self.wiring.n_genes()), cells).unwrap()
    }

    /// mRNA of one cell at `time`.
    fn cell(&self, time: f64, stream: &mut ChaCha8Rng) -> Vec<f32> {
        let n = self.wiring.n_genes();
        let rules = &self.wiring.rules;
        let mut mrna: Vec<f64> = self.start.iter().map(|on| (on * ON).max(OFF)).collect();
        let mut protein: Vec<f64> = mrna.iter().map(|x| x * ON_PROTEIN / ON).collect();
        // The protein of the initiating gene is made only now, so that its targets change too.
        protein[self.first] = OFF;
        let mut on = vec![0.0; n];
        let n_steps = (time / STEP).round() as usize;
        for step in 0..n_steps {
            for (on, p) in on.iter_mut().zip(&protein) {
                let power = (p / (ON_PROTEIN / 2.0)).powi(10);
                *on = power / (1.0 + power);
            }
            for gene in 0..n {
                let level = rules[gene]
                    .own_level(step as f64 * STEP)
                    .unwrap_or_else(|| probability(&rules[gene], &on));
                let (x, p) = (mrna[gene], protein[gene]);
                let drift = TRANSCRIPTION * level - MRNA_DECAY * x;
                mrna[gene] = stepped(x, drift, stream);
                protein[gene] = stepped(p, TRANSLATION * x - PROTEIN_DECAY * p, stream);
            }
        }
        mrna.into_iter().map(|x| x as f32).collect()
    }

    /// Whether each regulated gene is on in a part of the cells, and each toggle goes both ways.
    fn varies(&self, values: &Array2<f32>, n_cells: usize) -> bool {
        let end = values.nrows() - n_cells;
        let rules = self.wiring.rules.iter().enumerate();
        let mut genes = rules.filter(|(gene, rule)| {
            rule.n_regulators() > 0 && rule.is_regulated() && *gene != self.first
        });
        let varied = genes.all(|(gene, _)| {
            let column = values.index_axis(Axis(1), gene);
            spread(column.iter().map(|&x| f64::from(x))) > 0.25 * ON
        });
        varied
            && self.toggles.iter().flatten().all(|&gene| {
                let column = values.index_axis(Axis(1), gene);
                spread(column.iter().skip(end).map(|&x| f64::from(x))) > 0.35 * ON
            })
    }
}

/// One step of Euler and Maruyama; a level that would become negative stays.
fn stepped(level: f64, drift: f64, stream: &mut ChaCha8Rng) -> f64 {
    let normal: f64 = StandardNormal.sample(stream);
    let next = level + drift * STEP + NOISE * (level * STEP).sqrt() * normal;
    if next < 0.0 { level } else { next }
}

/// Probability that the rule holds if each regulator is on with its probability.
fn probability(rule: &Rule, on: &[f64]) -> f64 {
    let activators = rule.activators.iter().map(|&gene| on[gene]);
    let active = if rule.activators.is_empty() {
        1.0
    } else if rule.needs_all {
        activators.product()
    } else {
        1.0 - activators.map(|on| 1.0 - on).product::<f64>()
    };
    active * rule.inhibitors.iter().map(|&gene| 1.0 - on[gene]).product::<f64>()
}
