//! Counts of genes of sampled cells: programs of fates, maturity, division and death, and nuisance.

use ndarray::{Array1, Array2, ArrayView1};
use rand::RngExt;
use rand_distr::{Distribution, Gamma, LogNormal, Normal, Poisson, StandardNormal};
use rayon::prelude::*;
use sbcell::Seed;
use sbcell::preprocess::{GeneSets, Species};

use crate::families::{Family, MOST_FATES};
use crate::population::{Cell, PerFate, births, deaths, softmax};

/// Genes of apoptosis.
const N_APOPTOSIS: usize = 60;
/// Genes that a fate switches on early, and genes of its mature cells.
const N_EARLY: usize = 50;
const N_MATURE: usize = 40;
/// Genes of immature cells.
const N_STEM: usize = 60;

/// Programs beside those of the fates: immaturity, two phases of division, death.
const N_OTHER: usize = 4;
/// Programs that have nothing to do with fates.
const N_NUISANCE: usize = 18;
/// Standard deviation of their loadings.
const NUISANCE: f64 = 0.2;
/// Standard deviation of a gene's logarithm between replicates.
const BATCH: f64 = 0.1;
/// Share of the counts of a cell that come from its whole replicate.
const AMBIENT: f64 = 0.05;
/// Dispersion of the negative binomial counts: variance `μ + φ μ²`.
const DISPERSION: f64 = 0.2;
/// Logarithmic standard deviation of the number of counts of a cell.
const DEPTH_SPREAD: f64 = 0.35;
/// Days over which undecided cells approach their largest expression of a fate's early genes.
const PRIMING: f64 = 1.5;
/// Days after the decision over which early genes, and genes of mature cells, approach their level.
const COMMITTING: f64 = 1.5;
const MATURING: f64 = 3.0;
/// Logarithmic standard deviation of the pace of a cell.
const PACE: f64 = 0.5;
/// Births per day at which half of the cells are in a phase of division that shows.
const HALF_CYCLING: f64 = 0.6;

/// A cell at the time of its sampling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) cell: Cell,
    pub(crate) time: f64,
    pub(crate) batch: usize,
}

/// The genes of a course with their loadings.
#[derive(Debug)]
pub(crate) struct Genes {
    pub(crate) names: Vec<String>,
    /// Logarithms of expression without any program, `(n_batches, n_genes)`.
    base: Array2<f64>,
    /// Early and mature programs of each fate, then the other programs and nuisance, `(n_programs, n_genes)`.
    loadings: Array2<f64>,
}

impl Genes {
    /// Draws genes. Those of division and death have the names by which sbcell finds them in mouse.
    pub(crate) fn draw(family: &Family, seed: Seed) -> Self {
        let mut stream = seed.stream("fates/genes", 0);
        let sets = GeneSets::shipped(Species::Mouse);
        let first = |entry: &String| entry.split_whitespace().next().map(String::from);
        let mut names: Vec<String> = sets.proliferation.iter().filter_map(first).collect();
        let n_division = names.len();
        names.extend(sets.apoptosis.iter().take(N_APOPTOSIS).filter_map(first));
        names.extend((names.len()..family.n_genes).map(|gene| format!("Gene{gene}")));

        let n_fates = family.fates.len();
        let n_programs = 2 * n_fates + N_OTHER + N_NUISANCE;
        let mut loadings = Array2::zeros((n_programs, family.n_genes));
        let mut next = 0;
        let mut block = |program: usize, n: usize, mean: f64, stream: &mut _| {
            let normal = Normal::new(mean, 0.25 * mean).unwrap();
            for gene in next..next + n {
                loadings[[program, gene]] = normal.sample(stream);
            }
            next += n;
        };
        let other = 2 * n_fates;
        block(other + 1, n_division / 2, 0.7, &mut stream);
        block(other + 2, n_division - n_division / 2, 0.7, &mut stream);
        block(other + 3, N_APOPTOSIS, 0.6, &mut stream);
        for fate in 0..n_fates {
            block(2 * fate, N_EARLY, 0.9, &mut stream);
            block(2 * fate + 1, N_MATURE, 1.0, &mut stream);
        }
        block(other, N_STEM, 1.5, &mut stream);
        for program in other + N_OTHER..n_programs {
            let normal = Normal::new(0.0, NUISANCE).unwrap();
            loadings.row_mut(program).mapv_inplace(|_: f64| normal.sample(&mut stream));
        }

        let level = Normal::new(-1.0, 1.2).unwrap();
        let gene_levels =
            Array1::from_shape_simple_fn(family.n_genes, || level.sample(&mut stream));
        let own = Normal::new(0.0, BATCH).unwrap();
        let base = Array2::from_shape_fn((family.n_batches, family.n_genes), |(_, gene)| {
            gene_levels[gene] + own.sample(&mut stream)
        });
        Self { names, base, loadings }
    }

    /// Counts of `cells`, `(n_cells, n_genes)`.
    pub(crate) fn count(&self, family: &Family, cells: &[Seen], seed: Seed) -> Array2<f32> {
        let shares: Vec<Array1<f64>> = (0..cells.len())
            .into_par_iter()
            .map(|i| {
                let mut stream = seed.stream("fates/programs", i as u64);
                let activity = activity(family, &cells[i], &mut stream);
                let logs = self.loadings.t().dot(&activity) + self.base.row(cells[i].batch);
                let levels = logs.mapv(f64::exp);
                &levels / levels.sum()
            })
            .collect();
        let ambient = ambient(cells, &shares);
        let rows: Vec<Vec<f32>> = (0..cells.len())
            .into_par_iter()
            .map(|i| {
                let mut stream = seed.stream("fates/counts", i as u64);
                let around = &ambient[cells[i].batch];
                row(family.depth, shares[i].view(), around.view(), &mut stream)
            })
            .collect();
        Array2::from_shape_vec((cells.len(), family.n_genes), rows.concat()).unwrap()
    }
}

/// Mean shares of the genes in each batch.
fn ambient(cells: &[Seen], shares: &[Array1<f64>]) -> Vec<Array1<f64>> {
    let n_batches = cells.iter().map(|cell| cell.batch + 1).max().unwrap_or(0);
    let mean = |batch: usize| {
        let of_batch = cells.iter().zip(shares).filter(|(cell, _)| cell.batch == batch);
        let mut sum = Array1::zeros(shares[0].len());
        of_batch.for_each(|(_, of_cell)| sum += of_cell);
        let total: f64 = sum.sum();
        sum / total.max(f64::MIN_POSITIVE)
    };
    (0..n_batches).map(mean).collect()
}

/// The counts of one cell.
fn row(
    median: f64,
    shares: ArrayView1<'_, f64>,
    around: ArrayView1<'_, f64>,
    stream: &mut impl RngExt,
) -> Vec<f32> {
    let depth: f64 = LogNormal::new(median.ln(), DEPTH_SPREAD).unwrap().sample(stream);
    let gamma = Gamma::new(1.0 / DISPERSION, DISPERSION).unwrap();
    let mut count = |own: f64, around: f64| {
        let factor: f64 = gamma.sample(stream);
        let mean = depth * ((1.0 - AMBIENT) * own * factor + AMBIENT * around);
        if mean > 0.0 { Poisson::new(mean).unwrap().sample(stream) as f32 } else { 0.0 }
    };
    shares.iter().zip(around).map(|(own, around)| count(*own, *around)).collect()
}

/// How active the programs are in a cell.
fn activity(family: &Family, seen: &Seen, stream: &mut impl RngExt) -> Array1<f64> {
    let Seen { cell, time, .. } = seen;
    let pace: f64 = LogNormal::new(0.0, PACE).unwrap().sample(stream);
    let primed = primed(family, cell, *time, pace);
    let mut early = primed;
    let (mut mature, mut maturity) = ([0.0; MOST_FATES], 0.0);
    if let Some((fate, since)) = cell.decided {
        let age = pace * (time - since - family.delay).max(0.0);
        let committed = 1.0 - (-age / COMMITTING).exp();
        maturity = 1.0 - (-age / MATURING).exp();
        early = early.map(|level| level * (1.0 - committed));
        early[fate] += committed * (1.0 - family.fading * maturity).max(0.0);
        mature[fate] = maturity.powf(1.5);
    }
    let normal = |stream: &mut _| -> f64 { StandardNormal.sample(stream) };
    let mut of = Vec::new();
    for fate in 0..family.fates.len() {
        of.extend([early[fate], mature[fate]]);
    }
    let priming: f64 = primed.iter().sum();
    of.push((1.0 - 0.3 * priming) * (1.0 - maturity));
    of.extend(division(births(family, cell, *time), stream));
    of.push(4.0 * deaths(family, cell) + 0.5 * normal(stream));
    of.extend((0..N_NUISANCE).map(|_| normal(stream)));
    Array1::from(of)
}

/// The two phases of division: on a circle in cells that divide, none in others.
fn division(births: f64, stream: &mut impl RngExt) -> [f64; 2] {
    let phase = std::f64::consts::TAU * stream.random::<f64>();
    if stream.random::<f64>() < births / (births + HALF_CYCLING) {
        [1.0 + phase.cos(), 1.0 + phase.sin()]
    } else {
        [0.0, 0.0]
    }
}

/// Early genes of the fates in a cell that shows no decision.
fn primed(family: &Family, cell: &Cell, time: f64, pace: f64) -> PerFate {
    let mut of = cell.visible;
    let fates = family.fates.iter().zip(&mut of);
    fates.for_each(|(rates, logit)| *logit += rates.logit);
    softmax(&mut of[..family.fates.len()]);
    let level = family.shown * (1.0 - (-pace * time / PRIMING).exp());
    of.map(|share| level * share)
}
