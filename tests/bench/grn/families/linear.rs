//! Random linear systems, as in the tests of StructureFlow.

use ndarray::Array2;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use sbcell::Seed;

use crate::families::wiring::{Production, Wiring, of_cells};
use crate::simulated::Simulated;

/// Size and density of a system, and whether all of its modes decay.
#[derive(Debug, Clone, Copy)]
pub(super) struct System {
    pub(super) n_genes: usize,
    pub(super) density: f64,
    pub(super) is_stable: bool,
}

const TIMES: [f64; 5] = [0.0, 0.5, 1.0, 1.5, 2.0];
const N_CELLS: usize = 1000;
const STEP: f64 = 0.05;
/// Noise of the process per square root of time, and of observation.
const DIFFUSION: f64 = 0.1;
const OBSERVATION: f64 = 0.1;
/// Standard deviation at the start.
const START: f64 = 0.5;
/// Largest exponent of growth over the course; a faster system is observed for a shorter time.
const MOST_GROWTH: f64 = 3.0;

/// Regulators with weights of each gene.
type Weights = Vec<Vec<(usize, f64)>>;

impl System {
    /// 10, 25 and 50 genes at two densities, in turn, every second one stable.
    pub(super) fn of(number: u64) -> Self {
        let number = number as usize;
        Self {
            n_genes: [10, 25, 50][number % 3],
            density: [0.05, 0.2][number / 3 % 2],
            is_stable: number.is_multiple_of(2),
        }
    }

    pub(super) fn course(self, seed: Seed) -> Simulated {
        let mut stream = seed.stream("network", 0);
        let weights = self.draw(&mut stream);
        let abscissa = abscissa(&weights);
        let decay = if self.is_stable { abscissa.max(0.0) } else { 0.0 };
        let scale = (MOST_GROWTH / (abscissa - decay).max(1e-9) / TIMES[4]).min(1.0);
        let times = of_cells(&TIMES.map(|time| time * scale), N_CELLS);
        let cells: Vec<f32> = times
            .par_iter()
            .enumerate()
            .flat_map_iter(|(cell, &time)| {
                observed(&weights, decay, time, &mut seed.stream("cell", cell as u64))
            })
            .collect();
        let values = Array2::from_shape_vec((times.len(), self.n_genes), cells).unwrap();
        let mut wiring = Wiring::default();
        for _ in 0..self.n_genes {
            wiring.add(Production::Regulated);
        }
        for (target, regulators) in weights.iter().enumerate() {
            for &(regulator, weight) in regulators {
                wiring.link(regulator, target, if weight < 0.0 { -1 } else { 1 });
            }
        }
        wiring.course(values, times, &mut stream)
    }

    /// Weights of a random graph with at least three edges.
    fn draw(self, stream: &mut ChaCha8Rng) -> Weights {
        let n = self.n_genes;
        loop {
            let mut weights: Weights = vec![Vec::new(); n];
            for (target, regulators) in weights.iter_mut().enumerate() {
                for regulator in (0..n).filter(|&regulator| regulator != target) {
                    if stream.random_bool(self.density) {
                        let size = stream.random_range(0.5..1.0);
                        let sign = if stream.random_bool(0.5) { 1.0 } else { -1.0 };
                        regulators.push((regulator, size * sign));
                    }
                }
            }
            if weights.iter().map(Vec::len).sum::<usize>() >= 3 {
                return weights;
            }
        }
    }
}

/// Largest real part of the eigenvalues.
fn abscissa(weights: &Weights) -> f64 {
    let mut dense = faer::Mat::<f64>::zeros(weights.len(), weights.len());
    for (target, regulators) in weights.iter().enumerate() {
        for &(regulator, weight) in regulators {
            dense[(target, regulator)] = weight;
        }
    }
    let values = dense.eigenvalues().unwrap();
    values.into_iter().map(|value| value.re).fold(f64::NEG_INFINITY, f64::max)
}

/// One cell at `time`, as it is observed.
fn observed(weights: &Weights, decay: f64, time: f64, stream: &mut ChaCha8Rng) -> Vec<f32> {
    let n = weights.len();
    let mut state: Vec<f64> = (0..n).map(|_| START * normal(stream)).collect();
    let mut drift = vec![0.0; n];
    let n_steps = (time / STEP).ceil();
    let step = time / n_steps.max(1.0);
    for _ in 0..n_steps as usize {
        for (gene, regulators) in weights.iter().enumerate() {
            let sum: f64 = regulators.iter().map(|&(r, weight)| weight * state[r]).sum();
            drift[gene] = sum - decay * state[gene];
        }
        for (x, drift) in state.iter_mut().zip(&drift) {
            *x += drift * step + DIFFUSION * step.sqrt() * normal(stream);
        }
    }
    state.into_iter().map(|x| (x + OBSERVATION * normal(stream)) as f32).collect()
}

fn normal(stream: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(stream)
}
