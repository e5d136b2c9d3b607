//! Reads B-trees of version 2: the links of large groups, and chunks of datasets that may grow in several dimensions.
//!
//! Source: HDF5 file format specification, version 4.0, III.A.2.

use crate::bytes::integer;
use crate::file::File;

/// Records and nodes of one tree that are read at most.
const MOST: usize = 10_000_000;

/// The records of the tree at `address` (from the base of the file), node by node; `None` if it is corrupt.
///
/// Records of one node are in order, nodes are not. Time and memory are in proportion to the nodes, of which each
/// is read once. The depth falls by one from node to child, so a corrupt tree ends too.
pub(crate) fn records(file: &File, address: u64) -> Option<Vec<Vec<u8>>> {
    let (o, l) = (file.offset_size, file.length_size);
    let head = file.read_at(file.base.checked_add(address)?, 18 + o + l)?;
    if &head[..4] != b"BTHD" {
        return None;
    }
    let node_size = integer(&head[6..10]);
    let record = integer(&head[10..12]);
    let depth = integer(&head[12..14]) as usize;
    if record == 0 || node_size <= 10 || depth > 16 {
        return None;
    }
    // A pointer to a child has two counts: its records, and all records below it. Their widths follow from the
    // largest counts that nodes of this size can have.
    let bytes = |most: u64| u64::from((most.max(1).ilog2() / 8) + 1);
    let most_in_leaf = (node_size - 10) / record;
    let n_count = bytes(most_in_leaf);
    let (mut n_total, mut most_below) = (vec![0_u64], most_in_leaf);
    for _ in 1..=depth {
        let pointer = o as u64 + n_count + *n_total.last()?;
        let most = (node_size - 10).checked_sub(pointer)? / (record + pointer);
        most_below = (most + 1).checked_mul(most_below)?.checked_add(most)?;
        n_total.push(bytes(most_below));
    }
    let (root, n_root) = (integer(&head[16..16 + o]), integer(&head[16 + o..18 + o]));
    let mut pending = vec![(root, n_root as usize, depth)];
    let mut found = Vec::new();
    let mut n_nodes = 0;
    while let Some((address, n, depth)) = pending.pop() {
        n_nodes += 1;
        if n == 0 {
            continue;
        }
        if n_nodes > MOST || found.len() > MOST || n as u64 * record > node_size {
            return None;
        }
        let node = file.read_at(file.base.checked_add(address)?, node_size as usize)?;
        let signature: &[u8] = if depth == 0 { b"BTLF" } else { b"BTIN" };
        if &node[..4] != signature {
            return None;
        }
        let end = 6 + n * record as usize;
        found.extend(node.get(6..end)?.chunks_exact(record as usize).map(<[u8]>::to_vec));
        if depth > 0 {
            let (count, total) = (n_count as usize, *n_total.get(depth - 1)? as usize);
            let pointer = o + count + total;
            let pointers = node.get(end..end + (n + 1) * pointer)?;
            for place in pointers.chunks_exact(pointer) {
                let n = integer(&place[o..o + count]) as usize;
                pending.push((integer(&place[..o]), n, depth - 1));
            }
        }
    }
    Some(found)
}
