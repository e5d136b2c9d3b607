//! Random Boolean networks made of chains, switches of two genes, rings, and edges across.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::families::wiring::{Production, Wiring};

/// Parts of a random network.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A chain of 6 to 9 genes, with feedback and edges across.
    Chain,
    /// A chain that ends in a switch, and two branches.
    Switch,
    /// A ring with an odd number of inhibitions, and genes that it regulates.
    Ring,
    /// Two switches, one after the other.
    Switches,
    /// A chain of this many genes without more edges, all off at first.
    Rising(usize),
    /// A chain or a switch, and half as many genes that nothing regulates.
    Unregulated,
}

/// A random network with its state at the start.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) wiring: Wiring,
    /// Share of the maximal mRNA of each gene at the start.
    pub(super) start: Vec<f64>,
    /// The initiating gene.
    pub(super) first: usize,
    pub(super) toggles: Vec<[usize; 2]>,
    /// The last time.
    pub(super) end: f64,
}

impl Shape {
    /// A chain, a switch, a ring or two switches, in turn.
    pub(super) fn of(number: u64) -> Self {
        [Self::Chain, Self::Switch, Self::Ring, Self::Switches][(number % 4) as usize]
    }

    pub(super) fn draw(self, stream: &mut ChaCha8Rng) -> Drawn {
        match self {
            Self::Chain => {
                let n = stream.random_range(6..=9);
                chain(n, stream)
            }
            Self::Switch => switch(stream),
            Self::Ring => ring(stream),
            Self::Switches => switches(stream),
            Self::Rising(n) => {
                let mut wiring = Wiring::default();
                wiring.add(Production::Regulated);
                extend(&mut wiring, 0, n - 1);
                let mut drawn = Drawn::new(wiring, Vec::new());
                drawn.start[0] = 0.0;
                drawn
            }
            Self::Unregulated => {
                let drawn = if stream.random_bool(0.5) {
                    let n = stream.random_range(6..=9);
                    chain(n, stream)
                } else {
                    switch(stream)
                };
                with_unregulated(drawn, stream)
            }
        }
    }
}

impl Drawn {
    /// A network that begins with gene 0 on and all others off.
    fn new(wiring: Wiring, toggles: Vec<[usize; 2]>) -> Self {
        let mut start = vec![0.0; wiring.n_genes()];
        start[0] = 1.0;
        let end = 0.8 * wiring.depth(&[0]) as f64 + 1.5 + 1.2 * toggles.len() as f64;
        Self { wiring, start, first: 0, toggles, end }
    }
}

/// Adds a chain of `n` genes that begins after gene `from`; returns its last gene.
fn extend(wiring: &mut Wiring, from: usize, n: usize) -> usize {
    (0..n).fold(from, |last, _| wiring.add_after(last, 1))
}

/// Adds `n` edges between genes of `among`, of random sign and logic.
fn cross(wiring: &mut Wiring, among: std::ops::Range<usize>, n: usize, stream: &mut ChaCha8Rng) {
    for _ in 0..n {
        let (from, to) = (stream.random_range(among.clone()), stream.random_range(among.clone()));
        let sign = if stream.random_bool(0.5) { 1 } else { -1 };
        if wiring.try_link(from, to, sign) {
            wiring.rules[to].needs_all = sign > 0 && stream.random_bool(0.5);
        }
    }
}

fn chain(n: usize, stream: &mut ChaCha8Rng) -> Drawn {
    let mut wiring = Wiring::default();
    wiring.add(Production::Regulated);
    let last = extend(&mut wiring, 0, n - 1);
    if stream.random_bool(0.5) {
        wiring.link(last, 0, -1);
    }
    let n_more = stream.random_range(1..=3);
    cross(&mut wiring, 1..n, n_more, stream);
    Drawn::new(wiring, Vec::new())
}

/// Adds two genes that `from` activates, that inhibit each other and keep themselves on.
fn add_toggle(wiring: &mut Wiring, from: usize) -> [usize; 2] {
    let pair = [wiring.add_after(from, 1), wiring.add_after(from, 1)];
    for (gene, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        wiring.link(gene, gene, 1);
        wiring.link(other, gene, -1);
    }
    pair
}

fn switch(stream: &mut ChaCha8Rng) -> Drawn {
    let mut wiring = Wiring::default();
    wiring.add(Production::Regulated);
    let n_before = stream.random_range(1..=3);
    let last = extend(&mut wiring, 0, n_before);
    let pair = add_toggle(&mut wiring, last);
    let branches = wiring.n_genes();
    for gene in pair {
        let n = stream.random_range(1..=2);
        extend(&mut wiring, gene, n);
    }
    if stream.random_bool(0.5) {
        for gene in pair {
            wiring.link(gene, 0, -1);
        }
    }
    let (n_genes, n_more) = (wiring.n_genes(), stream.random_range(1..=3));
    cross(&mut wiring, branches..n_genes, n_more, stream);
    if stream.random_bool(0.5) {
        let target = stream.random_range(branches..n_genes);
        let regulator = pair[stream.random_range(0..2)];
        wiring.try_link(regulator, target, -1);
    }
    Drawn::new(wiring, vec![pair])
}

fn switches(stream: &mut ChaCha8Rng) -> Drawn {
    let mut wiring = Wiring::default();
    wiring.add(Production::Regulated);
    let n_before = stream.random_range(1..=2);
    let last = extend(&mut wiring, 0, n_before);
    let first = add_toggle(&mut wiring, last);
    let between = wiring.add_after(first[0], 1);
    let second = add_toggle(&mut wiring, between);
    let branches = wiring.n_genes();
    for gene in [first[1], second[0], second[1]] {
        if wiring.n_genes() < 12 {
            wiring.add_after(gene, 1);
        }
    }
    let (n_genes, n_more) = (wiring.n_genes(), stream.random_range(1..=2));
    cross(&mut wiring, branches..n_genes, n_more, stream);
    let mut drawn = Drawn::new(wiring, vec![first]);
    // The second switch needs time too.
    drawn.end += 1.2;
    drawn
}

fn ring(stream: &mut ChaCha8Rng) -> Drawn {
    let mut wiring = Wiring::default();
    wiring.add(Production::Regulated);
    let n = stream.random_range(4..=6);
    // None or two inhibitions besides the one that closes the ring.
    let inhibitions: [usize; 2] = if stream.random_bool(0.5) {
        let first = stream.random_range(1..n - 1);
        [first, stream.random_range(first + 1..n)]
    } else {
        [0, 0]
    };
    for gene in 1..n {
        wiring.add_after(gene - 1, if inhibitions.contains(&gene) { -1 } else { 1 });
    }
    wiring.link(n - 1, 0, -1);
    for _ in 0..stream.random_range(2..=4) {
        let regulator = stream.random_range(0..wiring.n_genes());
        let sign = if stream.random_bool(0.7) { 1 } else { -1 };
        let gene = wiring.add_after(regulator, sign);
        if stream.random_bool(0.5) {
            let other = stream.random_range(0..n);
            let sign = if stream.random_bool(0.5) { 1 } else { -1 };
            wiring.try_link(other, gene, sign);
        }
    }
    let mut drawn = Drawn::new(wiring, Vec::new());
    drawn.end = 0.8 * 1.5 * n as f64 + 1.5;
    drawn
}

/// Adds half as many genes that nothing regulates.
fn with_unregulated(mut drawn: Drawn, stream: &mut ChaCha8Rng) -> Drawn {
    let n = drawn.wiring.n_genes();
    drawn.wiring.add_unregulated(0.15 * drawn.end..0.5 * drawn.end, stream);
    let added = &drawn.wiring.rules[n..];
    drawn.start.extend(added.iter().map(|rule| rule.own_level(0.0).unwrap_or(0.0)));
    drawn
}
