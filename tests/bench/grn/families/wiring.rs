//! Genes with their signed regulators, of which the simulators make courses.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::simulated::Simulated;

/// Source of a gene's production, which is a share of its maximum.
#[derive(Debug, Clone, Copy)]
pub(super) enum Production {
    /// The regulators.
    Regulated,
    /// A constant.
    Constant(f64),
    /// A level that relaxes with time constant `slowness` from one value to another.
    Trend { from: f64, to: f64, slowness: f64 },
}

/// The regulators of a gene.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) activators: Vec<usize>,
    pub(super) inhibitors: Vec<usize>,
    /// Whether all activators are needed, or any of them.
    pub(super) needs_all: bool,
    pub(super) production: Production,
}

/// A network of genes.
#[derive(Debug, Clone, Default)]
pub(super) struct Wiring {
    pub(super) rules: Vec<Rule>,
}

impl Rule {
    pub(super) fn n_regulators(&self) -> usize {
        self.activators.len() + self.inhibitors.len()
    }

    pub(super) fn is_regulated(&self) -> bool {
        matches!(self.production, Production::Regulated)
    }

    /// Share of the maximal production at a time if no regulator sets it.
    pub(super) fn own_level(&self, time: f64) -> Option<f64> {
        match self.production {
            Production::Regulated => None,
            Production::Constant(level) => Some(level),
            Production::Trend { from, to, slowness } => {
                Some(to + (from - to) * (-time.max(0.0) / slowness).exp())
            }
        }
    }
}

impl Wiring {
    /// Adds a gene without regulators and returns its number.
    pub(super) fn add(&mut self, production: Production) -> usize {
        let rule =
            Rule { activators: Vec::new(), inhibitors: Vec::new(), needs_all: false, production };
        self.rules.push(rule);
        self.rules.len() - 1
    }

    /// Adds a gene that `regulator` activates or inhibits.
    pub(super) fn add_after(&mut self, regulator: usize, sign: i8) -> usize {
        let gene = self.add(Production::Regulated);
        self.link(regulator, gene, sign);
        gene
    }

    pub(super) fn link(&mut self, regulator: usize, target: usize, sign: i8) {
        let rule = &mut self.rules[target];
        if sign > 0 {
            rule.activators.push(regulator);
        } else {
            rule.inhibitors.push(regulator);
        }
    }

    /// Adds an edge if it is new, no self-loop, and the target has fewer than three regulators.
    pub(super) fn try_link(&mut self, regulator: usize, target: usize, sign: i8) -> bool {
        let rule = &self.rules[target];
        let known = rule.activators.iter().chain(&rule.inhibitors).any(|&r| r == regulator);
        let possible =
            regulator != target && !known && rule.n_regulators() < 3 && rule.is_regulated();
        if possible {
            self.link(regulator, target, sign);
        }
        possible
    }

    /// Adds half as many genes that nothing regulates: constant ones and ones with a trend, in turn.
    /// The first of each kind regulates another gene, and so do three of ten others.
    pub(super) fn add_unregulated(&mut self, slowness: Range<f64>, stream: &mut ChaCha8Rng) {
        let n = self.n_genes();
        for number in 0..n / 2 {
            let regulates = number < 2 || stream.random_bool(0.3);
            let production = if number % 2 == 0 {
                // Near the threshold if it regulates.
                let level = if regulates { 0.4..0.6 } else { 0.1..0.9 };
                Production::Constant(stream.random_range(level))
            } else {
                let (low, high) = (stream.random_range(0.0..0.2), stream.random_range(0.7..1.0));
                let slowness = stream.random_range(slowness.clone());
                if stream.random_bool(0.5) {
                    Production::Trend { from: low, to: high, slowness }
                } else {
                    Production::Trend { from: high, to: low, slowness }
                }
            };
            let gene = self.add(production);
            if regulates {
                let sign = if stream.random_bool(0.5) { 1 } else { -1 };
                self.try_link(gene, stream.random_range(1..n), sign);
            }
        }
    }

    pub(super) fn n_genes(&self) -> usize {
        self.rules.len()
    }

    /// Largest number of edges on a shortest way from one of `roots`.
    pub(super) fn depth(&self, roots: &[usize]) -> usize {
        let mut depths: Vec<Option<usize>> = vec![None; self.n_genes()];
        for &root in roots {
            depths[root] = Some(0);
        }
        for depth in 1..=self.n_genes() {
            let reached: Vec<usize> = (0..self.n_genes())
                .filter(|&gene| depths[gene].is_none())
                .filter(|&gene| {
                    let rule = &self.rules[gene];
                    let mut all = rule.activators.iter().chain(&rule.inhibitors);
                    all.any(|&r| depths[r] == Some(depth - 1))
                })
                .collect();
            for gene in reached {
                depths[gene] = Some(depth);
            }
        }
        depths.into_iter().flatten().max().unwrap_or(0)
    }

    /// The course with genes in random order, so that their order says nothing about the network.
    pub(super) fn course(
        &self,
        values: Array2<f32>,
        times: Vec<f64>,
        stream: &mut ChaCha8Rng,
    ) -> Simulated {
        let name = |gene: usize| format!("g{}", gene + 1);
        let mut network = BTreeMap::new();
        for (target, rule) in self.rules.iter().enumerate() {
            for (regulators, sign) in [(&rule.activators, 1), (&rule.inhibitors, -1)] {
                for &regulator in regulators.iter().filter(|&&r| r != target) {
                    network.insert((name(regulator), name(target)), sign);
                }
            }
        }
        let mut order: Vec<usize> = (0..self.n_genes()).collect();
        order.shuffle(stream);
        Simulated {
            name: String::new(),
            values: values.select(Axis(1), &order),
            times,
            genes: order.into_iter().map(name).collect(),
            network,
        }
    }
}

/// `number` times from `first` to `last` at even steps.
pub(super) fn even_times(first: f64, last: f64, number: usize) -> Vec<f64> {
    (0..number).map(|k| first + (last - first) * k as f64 / (number - 1) as f64).collect()
}

/// Each of `times` for `n_cells` cells.
pub(super) fn of_cells(times: &[f64], n_cells: usize) -> Vec<f64> {
    times.iter().flat_map(|&time| std::iter::repeat_n(time, n_cells)).collect()
}

/// Standard deviation of a column.
pub(super) fn spread(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}
