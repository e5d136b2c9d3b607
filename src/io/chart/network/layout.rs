//! Places of the genes of a network: each component by stress majorisation, components side by side.

use ndarray::Array2;
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;
use petgraph::visit::Dfs;

use crate::io::chart::network::rooms::{Place, Room, extent, pack, separate};
use crate::io::chart::network::stress::{circle, lay_flat, majorise, scaled, stress};
use crate::linalg::clearly_less;

/// Length of an edge between the borders of its nodes in a tree.
const LENGTH: f64 = 62.0;
/// Number of edges per node from which edges are longer, so that there is room between them.
const SPARSE: f64 = 1.2;
/// Largest factor by which edges are longer.
const LONGER: f64 = 1.8;
/// Largest number of circles from which the search of a layout starts.
const STARTS: usize = 12;

/// A node: the room that it needs, and the radius of its circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// Circle and name.
    pub(super) room: Room,
    /// Radius of the circle.
    pub(super) radius: f64,
}

/// Places `nodes` so that those that `edges` join are near each other, and no two rooms overlap. On the whole, edges
/// point to the right and downwards.
///
/// The wanted distance of two nodes is the length of the shortest path between them. For each component, several
/// starts (circles in the order of a depth-first search, and classical scaling) are improved by stress
/// majorisation. The function takes the layout with the smallest product of stress and one plus the share of edge
/// crossings. The same input gives the same places.
pub(super) fn layout(nodes: &[Node], edges: &[(usize, usize)]) -> Vec<Place> {
    let mut places = vec![(0.0, 0.0); nodes.len()];
    let components = components(nodes.len(), edges);
    let mut boxes = Vec::new();
    for members in &components {
        let inside = Component::new(members, nodes, edges);
        let mut of = inside.places();
        separate(&mut of, &inside.rooms);
        let around = extent(&of, &inside.rooms);
        boxes.push((around[2] - around[0], around[3] - around[1]));
        for (&node, at) in members.iter().zip(&of) {
            places[node] = (at.0 - around[0], at.1 - around[1]);
        }
    }
    let corners = pack(&boxes);
    for (members, corner) in components.iter().zip(corners) {
        for &node in members {
            places[node].0 += corner.0;
            places[node].1 += corner.1;
        }
    }
    places
}

/// The nodes of each component, in increasing order; the components in the order of their first nodes.
fn components(n: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut joined = UnionFind::new(n);
    for &(a, b) in edges {
        joined.union(a, b);
    }
    let labels = joined.into_labeling();
    let mut numbers = vec![None; n];
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (node, &label) in labels.iter().enumerate() {
        let number = *numbers[label].get_or_insert_with(|| {
            found.push(Vec::new());
            found.len() - 1
        });
        found[number].push(node);
    }
    found
}

/// A connected part of the network. Nodes are numbered from zero.
struct Component {
    graph: UnGraph<(), f64>,
    /// Ends of the edges as they were given, also of opposite ones.
    ends: Vec<(usize, usize)>,
    rooms: Vec<Room>,
    /// Length of edges between the borders of their nodes.
    length: f64,
}

impl Component {
    fn new(members: &[usize], nodes: &[Node], edges: &[(usize, usize)]) -> Self {
        let mut graph = UnGraph::with_capacity(members.len(), edges.len());
        for _ in members {
            graph.add_node(());
        }
        let place = |node: usize| members.binary_search(&node).ok();
        let ends: Vec<(usize, usize)> =
            edges.iter().filter_map(|edge| Some((place(edge.0)?, place(edge.1)?))).collect();
        let dense = ends.len() as f64 / members.len() as f64 / SPARSE;
        let length = LENGTH * dense.sqrt().clamp(1.0, LONGER);
        let radius = |node: usize| nodes[members[node]].radius;
        for &(a, b) in &ends {
            // `update_edge` keeps opposite edges as one.
            let wanted = length + radius(a) + radius(b);
            graph.update_edge(NodeIndex::new(a), NodeIndex::new(b), wanted);
        }
        let rooms = members.iter().map(|&node| nodes[node].room).collect();
        Self { graph, ends, rooms, length }
    }

    /// Places before overlaps are removed.
    fn places(&self) -> Vec<Place> {
        let n = self.rooms.len();
        if n < 2 {
            return vec![(0.0, 0.0); n];
        }
        let distances = self.distances();
        let mut roots: Vec<NodeIndex> = self.graph.node_indices().collect();
        roots.sort_by_key(|&root| std::cmp::Reverse(self.graph.neighbors(root).count()));
        let circles =
            roots.into_iter().take(STARTS).map(|root| circle(&self.tour(root), self.length));
        let mut best: Option<(f64, Vec<Place>)> = None;
        for mut places in scaled(&distances).into_iter().chain(circles) {
            majorise(&mut places, &distances);
            let crossed = self.crossings(&places) as f64 / self.graph.edge_count() as f64;
            let score = stress(&places, &distances) * (1.0 + crossed);
            if best.as_ref().is_none_or(|best| clearly_less(score, best.0)) {
                best = Some((score, places));
            }
        }
        let mut places = best.map(|best| best.1).unwrap_or_default();
        lay_flat(&mut places);
        self.point_right_and_down(&mut places);
        places
    }

    /// Mirrors the places so that the sum of all edges points to the right and downwards.
    fn point_right_and_down(&self, places: &mut [Place]) {
        let (mut x, mut y) = (0.0, 0.0);
        for &(from, to) in &self.ends {
            x += places[to].0 - places[from].0;
            y += places[to].1 - places[from].1;
        }
        // Sums within rounding of zero mirror nothing.
        let sign = |sum: f64| if sum < -1e-6 { -1.0 } else { 1.0 };
        for place in places {
            *place = (sign(x) * place.0, sign(y) * place.1);
        }
    }

    /// Lengths of the shortest paths between all nodes.
    fn distances(&self) -> Array2<f64> {
        let n = self.rooms.len();
        let mut distances = Array2::zeros((n, n));
        for from in self.graph.node_indices() {
            for (to, length) in dijkstra(&self.graph, from, None, |edge| *edge.weight()) {
                distances[[from.index(), to.index()]] = length;
            }
        }
        distances
    }

    /// The nodes in the order of a depth-first search. On a circle in this order, no two edges of a tree cross.
    fn tour(&self, root: NodeIndex) -> Vec<usize> {
        let mut search = Dfs::new(&self.graph, root);
        std::iter::from_fn(|| search.next(&self.graph)).map(NodeIndex::index).collect()
    }

    /// Number of pairs of straight edges that cross.
    fn crossings(&self, places: &[Place]) -> usize {
        let ends: Vec<(usize, usize)> = self
            .graph
            .edge_indices()
            .filter_map(|edge| self.graph.edge_endpoints(edge))
            .map(|ends| (ends.0.index(), ends.1.index()))
            .collect();
        let cross = |e: &(usize, usize), f: &(usize, usize)| {
            let shared = [f.0, f.1].iter().any(|node| *node == e.0 || *node == e.1);
            let (a, b, c, d) = (places[e.0], places[e.1], places[f.0], places[f.1]);
            !shared && is_left(a, b, c) != is_left(a, b, d) && is_left(c, d, a) != is_left(c, d, b)
        };
        let pairs = ends.iter().enumerate();
        pairs.map(|(number, e)| ends[..number].iter().filter(|f| cross(e, f)).count()).sum()
    }
}

/// Whether `c` is to the left of the line from `a` to `b`.
fn is_left(a: Place, b: Place, c: Place) -> bool {
    (b.0 - a.0) * (c.1 - a.1) > (b.1 - a.1) * (c.0 - a.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::chart::network::rooms::overlap;

    fn nodes(n: usize) -> Vec<Node> {
        let node = |i: usize| {
            let radius = 6.0 + 2.0 * (i % 5) as f64;
            Node { room: Room { half: 28.0, up: radius, down: radius + 15.0 }, radius }
        };
        (0..n).map(node).collect()
    }

    fn apart(a: Place, b: Place) -> f64 {
        (a.0 - b.0).hypot(a.1 - b.1)
    }

    /// A network of hubs, chains and two small components.
    fn network() -> Vec<(usize, usize)> {
        let mut edges: Vec<(usize, usize)> = (1..12).map(|leaf| (0, leaf)).collect();
        edges.extend((12..24).map(|leaf| (1 + leaf % 3, leaf)));
        edges.extend([(12, 17), (18, 3), (20, 21), (24, 25), (26, 27), (27, 28), (28, 26)]);
        edges
    }

    #[test]
    fn no_two_nodes_overlap_and_places_are_the_same_again() {
        let nodes = nodes(29);
        let found = layout(&nodes, &network());
        let boxes: Vec<[f64; 4]> =
            nodes.iter().zip(&found).map(|(node, &at)| node.room.at(at)).collect();
        for (i, a) in boxes.iter().enumerate() {
            assert!(boxes[..i].iter().all(|b| !overlap(*a, *b)), "{i}");
            assert!(a[0] > -1e-9 && a[1] > -1e-9, "{a:?}");
        }
        assert_eq!(layout(&nodes, &network()), found);
    }

    #[test]
    fn a_path_of_five_has_its_ends_farthest_apart_and_is_level() {
        let found = layout(&nodes(5), &[(0, 3), (3, 1), (1, 4), (4, 2)]);
        let ends = apart(found[0], found[2]);
        for i in 0..5 {
            for j in 0..i {
                assert!(apart(found[i], found[j]) <= ends + 1e-9, "{i} {j}: {found:?}");
            }
        }
        assert!((found[0].1 - found[2].1).abs() < 0.05 * ends, "{found:?}");
    }

    #[test]
    fn edges_point_to_the_right_and_downwards() {
        let found = layout(&nodes(3), &[(2, 0), (0, 1)]);
        assert!(found[2].0 < found[0].0 && found[0].0 < found[1].0, "{found:?}");
        let edges: Vec<(usize, usize)> = (1..15).map(|node| (node, (node - 1) / 2)).collect();
        let found = layout(&nodes(15), &edges);
        let sum = |of: fn(Place) -> f64| -> f64 {
            edges.iter().map(|&(from, to)| of(found[to]) - of(found[from])).sum()
        };
        // Overlaps that are removed move nodes by less than this.
        assert!(sum(|at| at.0) > -20.0 && sum(|at| at.1) > -20.0, "{found:?}");
    }

    #[test]
    fn edges_of_dense_networks_are_longer() {
        let all: Vec<usize> = (0..8).collect();
        let every: Vec<(usize, usize)> = (0..8).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        let length = |edges: &[(usize, usize)]| Component::new(&all, &nodes(8), edges).length;
        assert!((length(&every[..7]) - LENGTH).abs() < 1e-9);
        let expected = LENGTH * (28.0_f64 / 8.0 / SPARSE).sqrt();
        assert!((length(&every) - expected).abs() < 1e-9);
    }

    #[test]
    fn joined_nodes_are_near_each_other() {
        let edges = network();
        let found = layout(&nodes(29), &edges);
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let joined: Vec<f64> = edges.iter().map(|&(a, b)| apart(found[a], found[b])).collect();
        let all: Vec<f64> = (0..29)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| apart(found[i], found[j]))
            .collect();
        assert!(mean(&joined) < 0.6 * mean(&all), "{} {}", mean(&joined), mean(&all));
    }

    #[test]
    fn components_are_found_and_trees_are_drawn_without_crossings() {
        let of = components(6, &[(4, 1), (1, 5), (2, 0)]);
        assert_eq!(of, [vec![0, 2], vec![1, 4, 5], vec![3]]);
        let edges: Vec<(usize, usize)> = (1..15).map(|node| ((node - 1) / 2, node)).collect();
        let all: Vec<usize> = (0..15).collect();
        let tree = Component::new(&all, &nodes(15), &edges);
        assert_eq!(tree.crossings(&tree.places()), 0);
        assert_eq!(tree.crossings(&circle(&tree.tour(NodeIndex::new(3)), 10.0)), 0);
        let square = Component::new(&all[..4], &nodes(4), &[(0, 2), (1, 3), (0, 1), (2, 3)]);
        let corners: [Place; 4] = [(0.0, 0.0), (9.0, 1.0), (8.0, 9.0), (1.0, 8.0)];
        assert_eq!(square.crossings(&corners), 1);
        assert!(layout(&[], &[]).is_empty());
    }
}
