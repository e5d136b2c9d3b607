//! Simulated systems of genes in which any gene can be knocked out: Boolean rules, linear, bursting.

use ndarray::{Array1, Array2};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use sbcell::Seed;
use sbcell::io::edges;

use crate::simulated::folder;

/// A system of genes with its network: `signs[[r, g]]` is the sign of the edge from r to g, or 0.
pub(crate) struct System {
    pub(crate) name: String,
    pub(crate) genes: Vec<String>,
    pub(crate) signs: Array2<f64>,
    kind: Kind,
}

enum Kind {
    /// Messenger and protein of each gene, with the genes that are on at the start.
    Boolean { first: Vec<usize> },
    /// `dx = (Wᵀx − x) dt + noise`, from a start.
    Linear { weights: Array2<f64>, start: Array1<f64> },
    /// Promoters that switch, messengers in bursts, and proteins.
    Bursts { base: Array1<f64> },
}

/// Cells of one genotype: one row each, and the number of their time.
pub(crate) struct Cells {
    pub(crate) values: Array2<f64>,
    pub(crate) times: Vec<f64>,
}

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|g| format!("g{}", g + 1)).collect()
}

/// Random signs: each edge with probability `density`, an inhibition with probability `inhibits`.
fn random_signs(n: usize, density: f64, inhibits: f64, rng: &mut impl Rng) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(r, g)| {
        let there = rng.random::<f64>() < density && r != g;
        let sign = if rng.random::<f64>() < inhibits { -1.0 } else { 1.0 };
        if there { sign } else { 0.0 }
    })
}

impl System {
    /// The rules of a network in data-samples: any activator and no inhibitor.
    pub(crate) fn boolean(name: &str, first: &[&str]) -> Self {
        let network = edges::read(&folder().join(format!("{name}.csv"))).unwrap().edges;
        let mut genes: Vec<String> = network
            .iter()
            .flat_map(|edge| [edge.regulator.to_string(), edge.target.to_string()])
            .collect();
        genes.sort();
        genes.dedup();
        let place = |gene: &str| genes.iter().position(|other| other == gene).unwrap();
        let mut signs = Array2::zeros((genes.len(), genes.len()));
        for edge in &network {
            signs[[place(edge.regulator.as_ref()), place(edge.target.as_ref())]] =
                f64::from(edge.sign);
        }
        let first = first.iter().map(|gene| place(gene)).collect();
        Self { name: name.into(), genes, signs, kind: Kind::Boolean { first } }
    }

    /// A random stable linear system with a fifth of all edges.
    pub(crate) fn linear(n: usize, number: u64) -> Self {
        let mut rng = Seed(number).stream("linear", n as u64);
        let signs = random_signs(n, 0.2, 0.5, &mut rng);
        // Of radius at most 0.9 by the norm, so that all decays win.
        let mut weights = signs.mapv(|sign| sign * rng.random_range(0.5..1.0));
        let radius = radius(&weights);
        if radius > 0.9 {
            weights *= 0.9 / radius;
        }
        let start = Array1::from_shape_simple_fn(n, || 2.0 * normal(&mut rng));
        let kind = Kind::Linear { weights, start };
        Self { name: format!("linear {n}, {number}"), genes: names(n), signs, kind }
    }

    /// A random network of bursting genes; the first one is a stimulus without regulators.
    pub(crate) fn bursts(n: usize, number: u64) -> Self {
        let mut rng = Seed(number).stream("bursts", n as u64);
        let mut signs = random_signs(n, 0.2, 0.4, &mut rng);
        signs.column_mut(0).fill(0.0);
        for g in 1..n {
            if signs.column(g).iter().all(|sign| *sign == 0.0) {
                let other = rng.random_range(0..n - 1);
                signs[[if other < g { other } else { other + 1 }, g]] = 1.0;
            }
        }
        let activated = |g: usize| signs.column(g).iter().any(|sign| *sign > 0.0);
        let base = (0..n).map(|g| if activated(g) { -3.0 } else { 1.0 }).collect();
        let name = format!("bursts {n}, {number}");
        Self { name, genes: names(n), signs, kind: Kind::Bursts { base } }
    }

    /// `n` cells at each of `n_times` times; the production of the genes `knocked` is 0.
    pub(crate) fn cells(&self, knocked: &[usize], n: usize, n_times: usize, seed: Seed) -> Cells {
        let mut all =
            Cells { values: Array2::zeros((n * n_times, self.genes.len())), times: vec![] };
        for (row, mut value) in all.values.rows_mut().into_iter().enumerate() {
            let time = row / n;
            let mut rng = seed.stream("cell", row as u64);
            let cell = match &self.kind {
                Kind::Boolean { first } => {
                    // Cells of one time are up to half an interval ahead or behind.
                    let at = 7.0 * (time as f64 + rng.random::<f64>()) / n_times as f64;
                    self.boolean_cell(first, knocked, at, &mut rng)
                }
                Kind::Linear { weights, start } => {
                    let at = 3.0 * time as f64 / (n_times - 1) as f64;
                    linear_cell(weights, start, knocked, at, &mut rng)
                }
                Kind::Bursts { base } => {
                    let at = 12.0 * time as f64 / (n_times - 1) as f64;
                    self.bursting_cell(base, knocked, at, &mut rng)
                }
            };
            value.assign(&cell);
            all.times.push(time as f64);
        }
        all
    }

    /// BoolODE (Pratapa et al. 2020): Hill functions of exponent 10 of the proteins.
    fn boolean_cell(
        &self,
        first: &[usize],
        knocked: &[usize],
        until: f64,
        rng: &mut impl Rng,
    ) -> Array1<f64> {
        let n = self.genes.len();
        let dt = 0.01;
        let mut x = Array1::from_elem(n, 0.01);
        for &g in first {
            x[g] = 2.0;
        }
        for &g in knocked {
            x[g] = 0.0;
        }
        let mut p = &x * 10.0;
        for _ in 0..(until / dt).round() as usize {
            let on = p.mapv(|p: f64| (p / 10.0).powi(10)).mapv(|h| h / (1.0 + h));
            for g in 0..n {
                let product = |sign: f64| -> Option<f64> {
                    let of = (0..n).filter(|&r| self.signs[[r, g]] * sign > 0.0);
                    let of: Vec<f64> = of.map(|r| 1.0 - on[r]).collect();
                    (!of.is_empty()).then(|| of.iter().product())
                };
                let active = product(1.0).map_or(1.0, |off| 1.0 - off);
                let free = product(-1.0).unwrap_or(1.0);
                let production = if knocked.contains(&g) { 0.0 } else { 20.0 * active * free };
                let noise = [normal(rng), normal(rng)].map(|z| z * f64::sqrt(dt));
                let (old_x, old_p) = (x[g], p[g]);
                x[g] =
                    (old_x + (production - 10.0 * old_x) * dt + old_x.sqrt() * noise[0]).max(0.0);
                p[g] = (old_p + (10.0 * old_x - old_p) * dt + old_p.sqrt() * noise[1]).max(0.0);
            }
        }
        x
    }

    /// Two-state promoters, the rate of switching on driven by the proteins; log counts.
    fn bursting_cell(
        &self,
        base: &Array1<f64>,
        knocked: &[usize],
        until: f64,
        rng: &mut impl Rng,
    ) -> Array1<f64> {
        let n = self.genes.len();
        let dt = 0.02;
        let on = |g: usize| g > 0 && base[g] > 0.0 && !knocked.contains(&g);
        let mut x: Array1<f64> = (0..n).map(|g| f64::from(on(g))).collect();
        let (mut p, mut open) = (x.clone(), vec![false; n]);
        for _ in 0..(until / dt).round() as usize {
            let drive = p.dot(&self.signs) * 8.0 + base;
            for g in 0..n {
                let drive = if g == 0 { 3.0 } else { drive[g] };
                let rate = if open[g] { 4.0 } else { 2.0 / (1.0 + (-drive).exp()) };
                if rng.random::<f64>() < rate * dt {
                    open[g] = !open[g];
                }
                let produced = if open[g] && !knocked.contains(&g) { 3.0 } else { 0.0 };
                x[g] += (produced - x[g]) * dt;
                p[g] += 0.3 * (x[g] - p[g]) * dt;
            }
        }
        // Counts with the variance of a Poisson draw.
        x.mapv(|x| (20.0 * x + (20.0 * x).sqrt() * normal(rng)).round().max(0.0).ln_1p())
    }
}

fn linear_cell(
    weights: &Array2<f64>,
    start: &Array1<f64>,
    knocked: &[usize],
    until: f64,
    rng: &mut impl Rng,
) -> Array1<f64> {
    let dt = 0.01;
    let clamp = |x: &mut Array1<f64>| {
        for &g in knocked {
            x[g] = 0.0;
        }
    };
    let mut x = start.mapv(|value| value + 0.5 * normal(rng));
    clamp(&mut x);
    for _ in 0..(until / dt).round() as usize {
        let drift = x.dot(weights) - &x;
        x += &drift.mapv(|drift| drift * dt + 0.3 * f64::sqrt(dt) * normal(rng));
        clamp(&mut x);
    }
    x
}

/// An upper estimate of the spectral radius: the growth of the absolute values under powers.
fn radius(weights: &Array2<f64>) -> f64 {
    let n = weights.nrows();
    let mut x = Array1::from_shape_fn(n, |i| 1.0 + 0.1 * i as f64);
    let mut log = 0.0;
    let rounds = 200;
    for _ in 0..rounds {
        x = x.dot(weights);
        let length = x.dot(&x).sqrt().max(f64::MIN_POSITIVE);
        x /= length;
        log += length.ln();
    }
    f64::exp(log / f64::from(rounds))
}
