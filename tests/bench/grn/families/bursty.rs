//! Promoters with bursts of mRNA whose frequency depends on proteins (Herbach 2017, Ventre 2023).

use ndarray::Array2;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Poisson};
use rayon::prelude::*;
use sbcell::Seed;

use crate::families::bursty_networks::{Drawn, Kind};
use crate::families::wiring::{Rule, of_cells, spread};
use crate::simulated::Simulated;

/// Bursts of a gene that is on, for each mean life of its mRNA.
const BURSTS: f64 = 2.0;
/// Share of these bursts that remains if the gene is off.
const LEAK: f64 = 0.02;
/// Effect of a protein at its maximum on the log odds of being on, and the log odds without it.
const EFFECT: f64 = 10.0;
const BASAL: f64 = 5.0;
/// How much faster mRNA decays than protein; half-lives of 9 and 46 hours.
const RATIO: f64 = 46.0 / 9.0;
/// Mean lives of protein before the stimulus.
const BURN_IN: f64 = 6.0;

const TIMES: [f64; 9] = [0.0, 6.0, 12.0, 24.0, 36.0, 48.0, 60.0, 72.0, 96.0];

/// A course of a network of this kind, 5 to 9 times of 100 to 300 cells.
pub(super) fn course(kind: Kind, seed: Seed) -> Simulated {
    for attempt in 0..1000 {
        let seed = seed.child("attempt", attempt);
        let mut stream = seed.stream("network", 0);
        let drawn = kind.draw(&mut stream);
        let mut times = TIMES[1..8].to_vec();
        times.shuffle(&mut stream);
        times.truncate(stream.random_range(3..=7));
        times.extend([TIMES[0], TIMES[8]]);
        times.sort_by(f64::total_cmp);
        let n_cells = 50 * stream.random_range(2..=6);
        let times = of_cells(&times, n_cells);
        let levels = drawn.simulate(&times, seed);
        if !drawn.varies(&levels, n_cells) {
            continue;
        }
        let values = counted(&levels, &mut stream);
        return drawn.wiring.course(values, times, &mut stream);
    }
    unreachable!("a thousand networks without one that varies");
}

/// Logarithms of counts. A gene that is on has 4 to 60 on average.
fn counted(levels: &Array2<f64>, stream: &mut ChaCha8Rng) -> Array2<f32> {
    let mut values = Array2::zeros(levels.raw_dim());
    for (mut column, levels) in values.columns_mut().into_iter().zip(levels.columns()) {
        let scale = 4.0 * 15.0_f64.powf(stream.random_range(0.0..1.0));
        for (value, level) in column.iter_mut().zip(levels) {
            let count: f64 = Poisson::new(scale * level + 1e-9).unwrap().sample(stream);
            *value = count.ln_1p() as f32;
        }
    }
    values
}

impl Drawn {
    /// mRNA of cells at `times`, 1 on average if a gene is on.
    fn simulate(&self, times: &[f64], seed: Seed) -> Array2<f64> {
        let cells: Vec<f64> = times
            .par_iter()
            .enumerate()
            .flat_map_iter(|(cell, &time)| self.cell(time, &mut seed.stream("cell", cell as u64)))
            .collect();
        Array2::from_shape_vec((times.len(), self.wiring.n_genes()), cells).unwrap()
    }

    /// mRNA of one cell `time` after the stimulus. Possible bursts come at the rate of genes that are
    /// all on, and one happens with the probability that its gene is on (thinning, exact).
    fn cell(&self, time: f64, stream: &mut ChaCha8Rng) -> Vec<f64> {
        let rules = &self.wiring.rules;
        let n = rules.len();
        let (d1, d0) = (self.decay, self.decay * RATIO);
        let mut mrna: Vec<f64> = rules.iter().map(initial).collect();
        let mut protein = mrna.clone();
        let mut now = -BURN_IN / d1;
        let rate = n as f64 * BURSTS * d0;
        loop {
            let wait: f64 = Exp1.sample(stream);
            let next = (now + wait / rate).min(time);
            let (m, p) = ((-d0 * (next - now)).exp(), (-d1 * (next - now)).exp());
            let made = d1 / (d0 - d1) * (p - m);
            for (mrna, protein) in mrna.iter_mut().zip(&mut protein) {
                *protein = *protein * p + made * *mrna;
                *mrna *= m;
            }
            now = next;
            if now >= time {
                return mrna;
            }
            let gene = stream.random_range(0..n);
            if stream.random_range(0.0..1.0) < self.on(gene, now, &protein) {
                let size: f64 = Exp1.sample(stream);
                mrna[gene] += size / BURSTS;
            }
        }
    }

    /// Share of the greatest burst frequency that a gene has.
    fn on(&self, gene: usize, now: f64, protein: &[f64]) -> f64 {
        let rule = &self.wiring.rules[gene];
        let level = rule.own_level(now).unwrap_or_else(|| {
            let stimulated = self.stimulated.contains(&gene);
            let n_active = rule.activators.len() + usize::from(stimulated);
            let n_needed = if rule.needs_all { n_active } else { n_active.min(1) };
            // A gene acts on itself half as much, so that it does not go on without a stimulus.
            let acts = |g: usize| if g == gene { 0.5 } else { 1.0 } * protein[g];
            let sum = |of: &[usize]| of.iter().map(|&g| acts(g)).sum::<f64>();
            let stimulus = f64::from(stimulated && now > 0.0);
            let odds = BASAL - EFFECT * n_needed as f64
                + EFFECT * (stimulus + sum(&rule.activators) - sum(&rule.inhibitors));
            1.0 / (1.0 + (-odds).exp())
        });
        LEAK + (1.0 - LEAK) * level
    }

    /// Whether the mean of each regulated gene changes over time, and each switch goes both ways.
    fn varies(&self, levels: &Array2<f64>, n_cells: usize) -> bool {
        let rules = self.wiring.rules.iter().enumerate();
        let mut regulated = rules.filter(|(_, rule)| rule.is_regulated());
        let moved = regulated.all(|(gene, _)| {
            let values = levels.column(gene).to_vec();
            let means = values.chunks(n_cells).map(|of| of.iter().sum::<f64>() / n_cells as f64);
            spread(means) > 0.07
        });
        let last = levels.nrows() - n_cells;
        let used = |gene: usize| {
            levels.column(gene).iter().skip(last).filter(|&&level| level > 0.3).count()
        };
        let both = |pair: &[usize; 2]| pair.iter().all(|&gene| used(gene) * 6 > n_cells);
        moved && self.toggles.iter().all(both)
    }
}

/// Level at which a gene begins.
fn initial(rule: &Rule) -> f64 {
    let only_inhibited = rule.activators.is_empty() && !rule.inhibitors.is_empty();
    rule.own_level(0.0).unwrap_or(f64::from(only_inhibited))
}
