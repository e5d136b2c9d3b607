//! The basis of the network simplex method: a spanning tree with flows and dual prices.

/// Stands for a missing node in links.
const NONE: u32 = u32::MAX;

/// A rooted tree over `n` sources (nodes `0..n`), `m` targets (`n..n + m`) and a root.
///
/// Every arc goes from a source to a target or from a source to the root. The kind of the lower
/// node of an arc therefore determines its direction. Arcs to the root are empty and cost nothing.
/// Memory: 36 bytes for each node.
#[derive(Debug)]
pub(super) struct SpanningTree {
    n: usize,
    m: usize,
    /// Parent of each node, [`NONE`] for the root.
    parent: Vec<u32>,
    /// Number of arcs to the root.
    depth: Vec<u32>,
    /// First child of each node; the children of a node are a doubly linked list.
    first_child: Vec<u32>,
    /// Next child of the same parent.
    next: Vec<u32>,
    /// Previous child of the same parent.
    previous: Vec<u32>,
    /// Flow of the arc to the parent.
    flow: Vec<i64>,
    /// Dual prices; the prices of the two ends of an arc of the tree sum to its cost.
    price: Vec<f64>,
}

impl SpanningTree {
    /// `n + m + 1` nodes without arcs.
    pub(super) fn new(n: usize, m: usize) -> Self {
        let nodes = n + m + 1;
        let none = vec![NONE; nodes];
        Self {
            n,
            m,
            parent: none.clone(),
            depth: vec![0; nodes],
            first_child: none.clone(),
            next: none.clone(),
            previous: none,
            flow: vec![0; nodes],
            price: vec![0.0; nodes],
        }
    }

    /// Makes `node` a child of `parent`; their arc carries `flow`.
    pub(super) fn attach(&mut self, node: usize, parent: usize, flow: i64) {
        self.flow[node] = flow;
        self.link(node, parent);
    }

    /// Makes source `i` a child of the root; their arc is empty.
    pub(super) fn attach_to_root(&mut self, i: usize) {
        self.attach(i, self.n + self.m, 0);
    }

    /// Prices of the sources and of the targets.
    pub(super) fn prices(&self) -> (&[f64], &[f64]) {
        (&self.price[..self.n], &self.price[self.n..self.n + self.m])
    }

    /// Source, target and flow of every arc of the tree except those to the root.
    pub(super) fn flows(&self) -> impl Iterator<Item = (usize, usize, i64)> + '_ {
        (0..self.n + self.m).filter_map(|node| {
            let parent = self.parent[node] as usize;
            let (source, target) = if node < self.n { (node, parent) } else { (parent, node) };
            (target < self.n + self.m).then(|| (source, target - self.n, self.flow[node]))
        })
    }

    /// Whether every arc without flow points towards the root, so that no target is its lower node.
    #[cfg(test)]
    pub(super) fn is_strongly_feasible(&self) -> bool {
        let flows = &self.flow[..self.n + self.m];
        flows.iter().all(|&flow| flow >= 0) && flows[self.n..].iter().all(|&flow| flow > 0)
    }

    /// Recomputes depths and prices from the root downwards; `cost` is `(n, m)` in rows.
    ///
    /// Pivots change prices by differences, whose rounding errors this removes. Time `O(n + m)`.
    pub(super) fn refresh_prices(&mut self, cost: &[f64]) {
        let root = self.n + self.m;
        let mut node = root;
        while let Some(next) = self.next_in_subtree(node, root) {
            node = next;
            let parent = self.parent[node] as usize;
            self.depth[node] = self.depth[parent] + 1;
            let (source, target) = if node < self.n { (node, parent) } else { (parent, node) };
            self.price[node] = if target == root {
                0.0
            } else {
                cost[source * self.m + target - self.n] - self.price[parent]
            };
        }
    }

    /// Adds the arc from `source` to `target` to the tree and removes the blocking arc.
    ///
    /// As much flow as possible moves around the cycle that the new arc closes. If several arcs
    /// block, the last one leaves, counted from the top of the cycle in the direction of the new
    /// arc (Cunningham's rule). Thus every empty arc continues to point towards the root. Time
    /// proportional to the cycle and the subtree that moves.
    pub(super) fn pivot(&mut self, source: usize, target: usize, reduced_cost: f64) {
        let leaving = self.blocking(source, target);
        if leaving.flow > 0 {
            self.push(source, leaving.top, leaving.flow, true);
            self.push(target, leaving.top, leaving.flow, false);
        }
        let (below, above) =
            if leaving.on_source_side { (source, target) } else { (target, source) };
        self.rehang(below, above, leaving.node, leaving.flow);
        self.shift_prices(below, reduced_cost);
    }

    /// Finds the blocking arc on the two paths from the ends of the new arc to their common ancestor.
    fn blocking(&self, source: usize, target: usize) -> Blocking {
        let (mut a, mut b) = (source, target);
        let (mut source_side, mut target_side) = ((i64::MAX, a), (i64::MAX, b));
        while a != b {
            if self.depth[a] >= self.depth[b] {
                // On this side the flow of arcs that start at the lower node decreases.
                if a < self.n && self.flow[a] < source_side.0 {
                    source_side = (self.flow[a], a);
                }
                a = self.parent[a] as usize;
            } else {
                if b >= self.n && self.flow[b] <= target_side.0 {
                    target_side = (self.flow[b], b);
                }
                b = self.parent[b] as usize;
            }
        }
        let on_source_side = source_side.0 < target_side.0;
        let (flow, node) = if on_source_side { source_side } else { target_side };
        Blocking { node, flow, top: a, on_source_side }
    }

    /// Changes the flow of every arc from `node` up to `top` by `flow`.
    ///
    /// Arcs that start at their lower node lose flow on the source side and gain it on the target
    /// side.
    fn push(&mut self, mut node: usize, top: usize, flow: i64, source_side: bool) {
        while node != top {
            let loses = (node < self.n) == source_side;
            self.flow[node] += if loses { -flow } else { flow };
            node = self.parent[node] as usize;
        }
    }

    /// Removes the arc above `cut`, reverses the path from `node` to `cut`, and makes `node` a child
    /// of `above` with an arc that carries `flow`.
    fn rehang(&mut self, node: usize, above: usize, cut: usize, flow: i64) {
        let (mut node, mut above, mut flow) = (node, above, flow);
        loop {
            let (old_parent, old_flow) = (self.parent[node] as usize, self.flow[node]);
            self.unlink(node);
            self.attach(node, above, flow);
            if node == cut {
                return;
            }
            (above, flow, node) = (node, old_flow, old_parent);
        }
    }

    /// Changes all prices in the subtree of `top` and recomputes the depths there.
    ///
    /// Nodes of the same kind as `top` (source or target) gain `shift`, the others lose it.
    fn shift_prices(&mut self, top: usize, shift: f64) {
        let like_top = top < self.n;
        let mut node = top;
        loop {
            self.depth[node] = self.depth[self.parent[node] as usize] + 1;
            self.price[node] += if (node < self.n) == like_top { shift } else { -shift };
            match self.next_in_subtree(node, top) {
                Some(next) => node = next,
                None => return,
            }
        }
    }

    /// The node after `node` in the preorder of the subtree of `top`.
    fn next_in_subtree(&self, node: usize, top: usize) -> Option<usize> {
        if self.first_child[node] != NONE {
            return Some(self.first_child[node] as usize);
        }
        let mut node = node;
        while node != top {
            if self.next[node] != NONE {
                return Some(self.next[node] as usize);
            }
            node = self.parent[node] as usize;
        }
        None
    }

    /// Inserts `node` at the front of the children of `parent`.
    fn link(&mut self, node: usize, parent: usize) {
        let first = self.first_child[parent];
        self.parent[node] = parent as u32;
        self.previous[node] = NONE;
        self.next[node] = first;
        if first != NONE {
            self.previous[first as usize] = node as u32;
        }
        self.first_child[parent] = node as u32;
    }

    /// Removes `node` from the children of its parent.
    fn unlink(&mut self, node: usize) {
        let (previous, next) = (self.previous[node], self.next[node]);
        if previous == NONE {
            self.first_child[self.parent[node] as usize] = next;
        } else {
            self.next[previous as usize] = next;
        }
        if next != NONE {
            self.previous[next as usize] = previous;
        }
    }
}

/// The arc that leaves the tree.
struct Blocking {
    /// Its lower node.
    node: usize,
    /// The flow that moves around the cycle.
    flow: i64,
    /// The common ancestor of the ends of the new arc.
    top: usize,
    /// Whether the arc is on the path from the source.
    on_source_side: bool,
}
