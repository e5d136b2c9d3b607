//! Networks under a stimulus: those published with HARISSA and CARDAMOM, and random trees.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::families::wiring::{Production, Wiring};

/// Form of a network.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A chain of four.
    Four,
    /// A switch of two genes with a branch after each.
    Branches,
    /// A cycle of five with inhibitions.
    Cycle,
    /// Eight genes that feed forward and inhibit the first.
    Eight,
    /// A random tree of ten.
    Tree,
    /// A chain of this many.
    Rising(usize),
    /// A random tree, and half as many genes that nothing regulates.
    Unregulated,
}

/// A network under a stimulus.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) wiring: Wiring,
    /// Genes that the stimulus activates.
    pub(super) stimulated: Vec<usize>,
    pub(super) toggles: Vec<[usize; 2]>,
    /// Decay rate of protein, so that 96 hours suffice for all genes.
    pub(super) decay: f64,
}

impl Kind {
    /// The kinds in turn; trees are two of six.
    pub(super) fn of(number: u64) -> Self {
        let kinds = [Self::Four, Self::Branches, Self::Cycle, Self::Eight, Self::Tree, Self::Tree];
        kinds[(number % 6) as usize]
    }

    pub(super) fn draw(self, stream: &mut ChaCha8Rng) -> Drawn {
        match self {
            Self::Four => chain(4),
            Self::Branches => branches(),
            Self::Cycle => of_edges(5, &[(0, 1, -1), (1, 2, -1), (2, 3, 1), (3, 4, 1), (4, 0, -1)]),
            Self::Eight => eight(),
            Self::Tree => tree(10, stream),
            Self::Rising(n) => chain(n),
            Self::Unregulated => {
                let n = stream.random_range(6..=10);
                let mut found = tree(n, stream);
                found.wiring.add_unregulated(10.0..40.0, stream);
                found
            }
        }
    }
}

impl Drawn {
    fn new(wiring: Wiring) -> Self {
        let decay = (wiring.depth(&[0]) as f64 + 1.5) / 96.0;
        Self { wiring, stimulated: vec![0], toggles: Vec::new(), decay: decay.max(0.04) }
    }
}

fn of_edges(n: usize, edges: &[(usize, usize, i8)]) -> Drawn {
    let mut wiring = Wiring::default();
    for _ in 0..n {
        wiring.add(Production::Regulated);
    }
    for &(regulator, target, sign) in edges {
        wiring.link(regulator, target, sign);
    }
    Drawn::new(wiring)
}

fn chain(n: usize) -> Drawn {
    of_edges(n, &(1..n).map(|gene| (gene - 1, gene, 1)).collect::<Vec<_>>())
}

/// The switch keeps itself on.
fn branches() -> Drawn {
    let mut edges = vec![(0, 1, 1), (0, 2, 1), (1, 2, -1), (2, 1, -1), (1, 1, 1), (2, 2, 1)];
    edges.extend([(1, 3, 1), (2, 4, 1), (3, 5, 1), (4, 6, 1), (3, 6, -1), (4, 5, -1)]);
    let mut found = of_edges(7, &edges);
    found.toggles = vec![[1, 2]];
    found
}

/// A chain of three that activates three genes, which inhibit its first and keep themselves on.
fn eight() -> Drawn {
    let mut edges = vec![(0, 1, 1), (1, 2, 1), (2, 3, 1), (2, 4, 1), (2, 5, 1)];
    for gene in [3, 4, 5] {
        edges.extend([(gene, 0, -1), (gene, gene, 1)]);
    }
    edges.extend([(5, 6, 1), (4, 7, 1), (6, 7, 1)]);
    of_edges(8, &edges)
}

/// Each gene has one regulator among those before it; one edge in five inhibits.
fn tree(n: usize, stream: &mut ChaCha8Rng) -> Drawn {
    let edges: Vec<(usize, usize, i8)> = (1..n)
        .map(|gene| {
            let regulator = stream.random_range(gene.saturating_sub(4)..gene);
            (regulator, gene, if stream.random_bool(0.2) { -1 } else { 1 })
        })
        .collect();
    of_edges(n, &edges)
}
