//! The neighbour graph: undirected, connected, with Euclidean lengths of edges.

use ndarray::ArrayView2;
use petgraph::unionfind::UnionFind;
use rayon::prelude::*;

use super::neighbours::{Lanes, Neighbours};
use crate::error::{Error, Result};
use crate::progress::{Progress, note};

/// An edge that connects two components of a neighbour graph.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::geometry::{NeighbourGraph, neighbours};
///
/// // Two pairs of cells far from each other.
/// let cells = array![[0.0], [1.0], [5.0], [6.0]];
/// let near = neighbours(cells.view(), 1, &mut Silent)?;
/// let graph = NeighbourGraph::new(cells.view(), &near, &mut Silent)?;
/// assert_eq!(graph.links()[0].ends, (1, 2));
/// assert_eq!(graph.links()[0].length, 4.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphLink {
    /// Indices of its two cells, the smaller first.
    pub ends: (u32, u32),
    /// Euclidean length.
    pub length: f64,
}

/// A connected, undirected graph of cells with Euclidean lengths of edges.
///
/// Two cells are connected if one is among the neighbours of the other. Memory 24 bytes for each
/// edge, 12 for each of its ends.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::geometry::{NeighbourGraph, neighbours};
///
/// let cells = array![[0.0], [1.0], [3.0]];
/// let near = neighbours(cells.view(), 1, &mut Silent)?;
/// let graph = NeighbourGraph::new(cells.view(), &near, &mut Silent)?;
/// assert_eq!((graph.n_nodes(), graph.n_edges()), (3, 2));
/// assert_eq!(graph.edges_of(2), (&[1][..], &[2.0][..]));
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NeighbourGraph {
    /// The edges of cell `i` have the positions `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    /// The other end of each edge.
    nodes: Vec<u32>,
    /// The length of each edge.
    lengths: Vec<f64>,
    links: Vec<GraphLink>,
}

impl NeighbourGraph {
    /// The graph of `neighbours`, with links between its components.
    ///
    /// `points`, `(n, dim)`, are those for which the neighbours were computed. An edge exists if one
    /// cell is among the neighbours of the other, so that cells at the margin keep their edges.
    /// Components are connected by their minimum spanning tree; the distance of two components is
    /// that of their nearest two cells. A note reports the number of components and the links.
    /// Connecting them takes the distances of all cells outside the largest component to all cells, at
    /// most `log₂(components)` times.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of points is not that of `neighbours`; [`Error::Cancelled`].
    pub fn new(
        points: ArrayView2<'_, f64>,
        neighbours: &Neighbours,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let (expected, got) = (neighbours.n_points(), points.nrows());
        if expected != got {
            return Err(Error::Shape { what: "the graph", unit: "points", expected, got });
        }
        let mut edges = Vec::with_capacity(expected * neighbours.k());
        for (i, row) in neighbours.indices().rows().into_iter().enumerate() {
            for (&j, &length) in row.iter().zip(neighbours.distances().row(i)) {
                edges.push((i as u32, j, length));
            }
        }
        let mut parts = Parts::new(expected, &edges);
        let n_parts = parts.count();
        let links = parts.join(points);
        edges.extend(links.iter().map(|link| (link.ends.0, link.ends.1, link.length)));
        if n_parts > 1 {
            note(progress, joined(n_parts, &links, neighbours))?;
        }
        Ok(Self::of_edges(expected, &edges, links))
    }

    /// The graph of undirected edges `(a, b, length)`, each given once or in both directions.
    fn of_edges(n_nodes: usize, edges: &[(u32, u32, f64)], links: Vec<GraphLink>) -> Self {
        let turned = edges.iter().map(|&(a, b, length)| (b, a, length));
        let mut ends: Vec<(u32, u32, f64)> = edges.iter().copied().chain(turned).collect();
        ends.sort_unstable_by(|x, y| (x.0, x.1).cmp(&(y.0, y.1)).then(x.2.total_cmp(&y.2)));
        ends.dedup_by_key(|end| (end.0, end.1));
        let mut starts = vec![0; n_nodes + 1];
        for end in &ends {
            starts[end.0 as usize + 1] += 1;
        }
        for node in 0..n_nodes {
            starts[node + 1] += starts[node];
        }
        let nodes = ends.iter().map(|end| end.1).collect();
        let lengths = ends.iter().map(|end| end.2).collect();
        Self { starts, nodes, lengths, links }
    }

    /// Number of cells.
    pub fn n_nodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of undirected edges, links included.
    pub fn n_edges(&self) -> usize {
        self.nodes.len() / 2
    }

    /// The links between components, the shortest first; one fewer than there were components.
    pub fn links(&self) -> &[GraphLink] {
        &self.links
    }

    /// The cells connected to cell `i`, by increasing index, and the lengths of these edges.
    pub fn edges_of(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.starts[i]..self.starts[i + 1];
        (&self.nodes[range.clone()], &self.lengths[range])
    }
}

/// The note on links between components, with the usual length of edges for comparison.
fn joined(n_parts: usize, links: &[GraphLink], neighbours: &Neighbours) -> String {
    let mut usual: Vec<f64> =
        neighbours.distances().column(neighbours.k() - 1).iter().copied().collect();
    usual.sort_by(f64::total_cmp);
    let longest = links.last().map_or(0.0, |link| link.length);
    format!(
        "the neighbour graph had {n_parts} components; links between their nearest cells \
         (number: {}) connect them, with lengths from {} to {longest:.3} (the median distance of neighbour {} is {:.3})",
        links.len(),
        links.first().map_or_else(String::new, |link| format!("{:.3}", link.length)),
        neighbours.k(),
        usual[usual.len() / 2]
    )
}

/// The components of a graph while links are added.
struct Parts {
    sets: UnionFind<u32>,
    n_nodes: usize,
}

impl Parts {
    /// The components under these edges.
    fn new(n_nodes: usize, edges: &[(u32, u32, f64)]) -> Self {
        let mut sets = UnionFind::new(n_nodes);
        for edge in edges {
            sets.union(edge.0, edge.1);
        }
        Self { sets, n_nodes }
    }

    /// The component of each node, numbered from 0 in the order of first nodes, and all their sizes.
    fn labels(&self) -> (Vec<u32>, Vec<usize>) {
        const NONE: u32 = u32::MAX;
        let mut number = vec![NONE; self.n_nodes];
        let mut sizes = Vec::new();
        let labels = (0..self.n_nodes as u32)
            .map(|node| {
                let root = self.sets.find(node) as usize;
                if number[root] == NONE {
                    number[root] = sizes.len() as u32;
                    sizes.push(0);
                }
                sizes[number[root] as usize] += 1;
                number[root]
            })
            .collect();
        (labels, sizes)
    }

    /// Number of components.
    fn count(&self) -> usize {
        self.labels().1.len()
    }

    /// Connects all components by Borůvka's algorithm and returns the links, the shortest first.
    ///
    /// In each round every component except the largest adds its shortest edge to another one. Ties
    /// go to smaller indices, so that no cycle arises.
    fn join(&mut self, points: ArrayView2<'_, f64>) -> Vec<GraphLink> {
        let mut links: Vec<GraphLink> = Vec::new();
        let rows: Vec<Vec<f64>> = points.rows().into_iter().map(|row| row.to_vec()).collect();
        let mut lanes = None;
        loop {
            let (labels, sizes) = self.labels();
            if sizes.len() == 1 {
                break;
            }
            let lanes = lanes.get_or_insert_with(|| Lanes::new(points));
            let largest = (0..sizes.len()).fold(0, |a, b| if sizes[b] > sizes[a] { b } else { a });
            let outside: Vec<u32> = (0..self.n_nodes as u32)
                .filter(|&i| labels[i as usize] as usize != largest)
                .collect();
            let ways: Vec<(f64, u32, u32)> = outside
                .par_chunks(16)
                .flat_map_iter(|chunk| {
                    let mut squares = Vec::new();
                    let labels = &labels;
                    let lanes = &lanes;
                    let rows = &rows;
                    chunk.iter().map(move |&i| {
                        lanes.squared_distances(&rows[i as usize], &mut squares);
                        way_out(i, &squares, labels)
                    })
                })
                .collect();
            let mut shortest = vec![(f64::INFINITY, u32::MAX, u32::MAX); sizes.len()];
            for (&i, way) in outside.iter().zip(ways) {
                let best = &mut shortest[labels[i as usize] as usize];
                if order(&way, best).is_lt() {
                    *best = way;
                }
            }
            for (square, a, b) in shortest.into_iter().filter(|way| way.1 != u32::MAX) {
                if self.sets.union(a, b) {
                    links.push(GraphLink { ends: (a, b), length: square.sqrt() });
                }
            }
        }
        links.sort_by(|a, b| a.length.total_cmp(&b.length).then(a.ends.cmp(&b.ends)));
        links
    }
}

/// The order of edges by squared length, then by indices.
fn order(a: &(f64, u32, u32), b: &(f64, u32, u32)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2)))
}

/// The shortest edge from cell `i` to another component: squared length and both ends, the smaller
/// first.
///
/// `squares` are the squared distances of `i` to all cells, `labels` the components.
fn way_out(i: u32, squares: &[f64], labels: &[u32]) -> (f64, u32, u32) {
    let own = labels[i as usize];
    let mut best = (f64::INFINITY, u32::MAX, u32::MAX);
    for (j, (&square, &label)) in squares.iter().zip(labels).enumerate() {
        if label != own && square <= best.0 {
            let way = (square, i.min(j as u32), i.max(j as u32));
            if order(&way, &best).is_lt() {
                best = way;
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::geometry::neighbours;
    use crate::progress::{Event, Silent};

    fn graph(points: &Array2<f64>, k: usize) -> NeighbourGraph {
        let near = neighbours(points.view(), k, &mut Silent).unwrap();
        NeighbourGraph::new(points.view(), &near, &mut Silent).unwrap()
    }

    #[test]
    fn edges_go_both_ways_and_are_there_once() {
        let points = array![[0.0], [1.0], [2.5], [2.6]];
        let graph = graph(&points, 1);
        assert_eq!(graph.edges_of(1), (&[0, 2][..], &[1.0, 1.5][..]));
        assert_eq!(graph.edges_of(2).0, &[1, 3]);
        assert_eq!((graph.n_nodes(), graph.n_edges()), (4, 3));
        assert_eq!(graph.links(), &[GraphLink { ends: (1, 2), length: 1.5 }]);
    }

    #[test]
    fn parts_are_joined_by_their_minimum_spanning_tree() {
        // Seven groups; the links must be those that Prim's method finds among all pairs.
        let n = 84;
        let points = Array2::from_shape_fn((n, 2), |(i, d)| {
            let (group, place) = ((i % 7) as f64, (i * 13 + d * 7) as f64);
            10.0 * (group * (1.0 + d as f64 * 0.7)).sin() * (1.0 + group) + place.cos()
        });
        let built = graph(&points, 3);
        let near = neighbours(points.view(), 3, &mut Silent).unwrap();
        let mut edges = Vec::new();
        for (i, row) in near.indices().rows().into_iter().enumerate() {
            edges.extend(row.iter().map(|&j| (i as u32, j, 1.0)));
        }
        let parts = Parts::new(n, &edges);
        let (labels, sizes) = parts.labels();
        assert!(sizes.len() > 3, "{sizes:?}");
        let between = |a: usize, b: usize| {
            let mut best = f64::INFINITY;
            for i in (0..n).filter(|&i| labels[i] as usize == a) {
                for j in (0..n).filter(|&j| labels[j] as usize == b) {
                    let square = (&points.row(i) - &points.row(j)).mapv(|d| d * d).sum();
                    best = best.min(square.sqrt());
                }
            }
            best
        };
        let (mut inside, mut expected) = (vec![0], Vec::new());
        while inside.len() < sizes.len() {
            let outside = (0..sizes.len()).filter(|part| !inside.contains(part));
            let ways = outside.flat_map(|b| inside.iter().map(move |&a| (a, b)));
            let (length, next) =
                ways.map(|(a, b)| (between(a, b), b)).min_by(|x, y| x.0.total_cmp(&y.0)).unwrap();
            inside.push(next);
            expected.push(length);
        }
        expected.sort_by(f64::total_cmp);
        let lengths: Vec<f64> = built.links().iter().map(|link| link.length).collect();
        assert_eq!(lengths, expected);
        let whole: Vec<(u32, u32, f64)> = (0..n)
            .flat_map(|i| built.edges_of(i).0.iter().map(move |&j| (i as u32, j, 0.0)))
            .collect();
        assert_eq!(Parts::new(n, &whole).count(), 1);
    }

    #[test]
    fn says_how_many_parts_there_were() {
        struct Notes(Vec<String>);
        impl Progress for Notes {
            fn report(&mut self, event: &Event) -> std::ops::ControlFlow<()> {
                if let Event::Note { text } = event {
                    self.0.push(text.clone());
                }
                std::ops::ControlFlow::Continue(())
            }
        }
        let points = array![[0.0, 0.0], [0.0, 1.0], [3.0, 0.0], [3.0, 1.0], [3.0, 1.0]];
        let near = neighbours(points.view(), 1, &mut Silent).unwrap();
        let mut notes = Notes(Vec::new());
        let graph = NeighbourGraph::new(points.view(), &near, &mut notes).unwrap();
        // 0–1 and 2–3–4: cells 3 and 4 are one another's neighbours, and 3 is nearest to 2.
        assert_eq!(graph.links().len(), 1);
        assert!(
            notes.0[0].contains("had 2 components; links between their nearest cells (number: 1)"),
            "{:?}",
            notes.0
        );
        let narrow = points.slice(ndarray::s![..3, ..]);
        assert!(NeighbourGraph::new(narrow, &near, &mut Silent).is_err());
    }
}
