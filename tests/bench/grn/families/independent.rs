//! Genes that do not regulate each other, with courses of their own over time.

use std::collections::BTreeMap;

use ndarray::Array2;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sbcell::Seed;

use crate::simulated::Simulated;

/// A gene's mean over time: rises, falls, rises and falls, or stays.
struct Trend {
    height: f64,
    middle: f64,
    pace: f64,
    kind: usize,
    noise: f64,
}

impl Trend {
    fn at(&self, time: f64) -> f64 {
        let step = 1.0 / (1.0 + (-(time - self.middle) * self.pace).exp());
        let shape = match self.kind {
            0 => step,
            1 => 1.0 - step,
            2 => (-(time - self.middle).powi(2) * self.pace / 3.0).exp(),
            _ => 0.0,
        };
        2.0 + self.height * shape
    }
}

/// Course number `number`. In every second one, cells are ahead or behind their time, with all genes
/// together; in every other pair of courses values are `ln(1 + count)`.
pub(super) fn course(number: usize) -> Simulated {
    let mut stream = Seed(77).stream("bench/independent", number as u64);
    let n_genes = [8, 12, 20, 30][stream.random_range(0..4)];
    let n_times = [4, 6, 8][stream.random_range(0..3)];
    let n_cells = [100, 200, 400][stream.random_range(0..3)];
    let trends: Vec<Trend> = (0..n_genes)
        .map(|_| Trend {
            height: -stream.random_range(1e-9_f64..1.0).ln(),
            middle: stream.random_range(1.0..8.0),
            pace: stream.random_range(0.3..2.0),
            kind: stream.random_range(0..5),
            noise: stream.random_range(0.3..1.0),
        })
        .collect();
    let mut times: Vec<f64> = (0..n_times).map(|_| stream.random_range(0.0..10.0)).collect();
    times.sort_by(f64::total_cmp);
    let ahead = 0.7 * (number % 2) as f64;
    let mut values = Array2::zeros((n_times * n_cells, n_genes));
    let mut of_cells = Vec::new();
    for (row, mut cell) in values.rows_mut().into_iter().enumerate() {
        let time = times[row / n_cells];
        of_cells.push(time);
        let shift: f64 = StandardNormal.sample(&mut stream);
        for (slot, trend) in cell.iter_mut().zip(&trends) {
            let noise: f64 = StandardNormal.sample(&mut stream);
            let value = trend.at(time + ahead * shift) + trend.noise * noise;
            *slot = if number % 4 >= 2 {
                let count = rand_distr::Poisson::new((value - 1.0).exp()).unwrap();
                (1.0 + count.sample(&mut stream)).ln() as f32
            } else {
                value as f32
            };
        }
    }
    let genes = (0..n_genes).map(|gene| format!("g{}", gene + 1)).collect();
    Simulated { name: String::new(), values, times: of_cells, genes, network: BTreeMap::default() }
}
