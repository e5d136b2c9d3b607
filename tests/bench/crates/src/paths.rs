//! Shortest paths on a graph of nearest neighbours against petgraph's Dijkstra.

use ndarray::Array2;
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sbcell::Silent;
use sbcell::geometry::{NeighbourGraph, neighbours, path_cost};

use crate::{compare, median_of_five};

const N_SOURCES: usize = 64;

pub(crate) fn run() {
    for n in [2000, 20_000] {
        let mut stream = ChaCha8Rng::seed_from_u64(4);
        let points = Array2::from_shape_simple_fn((n, 5), || stream.random::<f64>());
        let near = neighbours(points.view(), 15, &mut Silent).unwrap();
        let graph = NeighbourGraph::new(points.view(), &near, &mut Silent).unwrap();
        let sources: Vec<usize> = (0..N_SOURCES).map(|i| i * n / N_SOURCES).collect();
        let targets: Vec<usize> = (0..n).collect();
        let mut costs = None;
        let ours = median_of_five(|| {
            costs = Some(path_cost(&graph, &sources, &targets, &mut Silent).unwrap());
        });
        let costs = costs.unwrap();

        let mut theirs = UnGraph::<(), f64, u32>::with_capacity(n, graph.n_edges());
        for _ in 0..n {
            theirs.add_node(());
        }
        for i in 0..n {
            let (nodes, lengths) = graph.edges_of(i);
            for (&j, &length) in nodes.iter().zip(lengths).filter(|edge| *edge.0 as usize > i) {
                theirs.add_edge(NodeIndex::new(i), NodeIndex::new(j as usize), length);
            }
        }
        let mut worst = 0.0_f64;
        let petgraph = median_of_five(|| {
            for (row, &source) in sources.iter().enumerate() {
                let lengths =
                    dijkstra(&theirs, NodeIndex::new(source), None, |edge| *edge.weight());
                for (node, length) in lengths {
                    let half_square = 0.5 * length * length;
                    worst = worst.max((costs.get(row, node.index()) - half_square).abs());
                }
            }
        });
        println!("n = {n}: largest difference of a cost {worst:.1e}");
        // Ours shares the sources between threads; petgraph has one.
        compare(&format!("{N_SOURCES} sources to {n} cells, ours on all cores"), ours, petgraph);
    }
}
