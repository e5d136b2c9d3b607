//! Links of a group that are kept in a fractal heap, found through the B-tree over their names.

use crate::io::h5ad::hdf5::Container;
use crate::io::h5ad::text::integer;

/// Links and nodes of one group that are read at most.
const MOST: usize = 10_000_000;

/// A heap and the tree over the names of what is in it, as a link info message tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkInfo {
    /// Where the addresses begin in the message.
    pub(super) at: usize,
    pub(super) heap: u64,
    pub(super) names: u64,
}

impl LinkInfo {
    /// Reads a link info message (HDF5 specification, IV.A.2.c); `None` if it is too short.
    pub(super) fn parse(container: &Container, message: &[u8]) -> Option<Self> {
        let at = if message.get(1)? & 1 == 0 { 2 } else { 10 };
        let n = container.offset_size;
        let heap = integer(message.get(at..at + n)?);
        let names = integer(message.get(at + n..at + 2 * n)?);
        Some(Self { at, heap, names })
    }

    /// Whether the links are in a heap at all.
    pub(super) fn is_dense(&self, container: &Container) -> bool {
        self.heap != undefined(container)
    }
}

/// The address that stands for none.
pub(super) fn undefined(container: &Container) -> u64 {
    if container.offset_size >= 8 { u64::MAX } else { (1 << (8 * container.offset_size)) - 1 }
}

/// The link messages of a group, in the order of the tree; `None` if it is corrupt or compressed.
pub(super) fn dense_links(container: &Container, info: LinkInfo) -> Option<Vec<Vec<u8>>> {
    let heap = Heap::open(container, info.heap)?;
    let mut found = Vec::new();
    for record in records(container, info.names)? {
        // A hash of the name, then the place in the heap.
        found.push(heap.object(record.get(4..)?)?);
    }
    Some(found)
}

/// A fractal heap (III.G), as far as links need it: objects in blocks, without filters.
struct Heap<'c> {
    container: &'c Container,
    n_offset: usize,
    n_length: usize,
    width: u64,
    first_block: u64,
    largest_block: u64,
    root: u64,
    n_rows: usize,
}

impl<'c> Heap<'c> {
    fn open(container: &'c Container, address: u64) -> Option<Self> {
        let (o, l) = (container.offset_size, container.length_size);
        let start = container.base.checked_add(address)?;
        let head = container.read_at(start, 22 + 12 * l + 3 * o)?;
        let n_filters = integer(&head[7..9]);
        if &head[..4] != b"FRHP" || n_filters != 0 {
            return None;
        }
        let largest_object = integer(&head[10..14]);
        let at = 14 + 10 * l + 2 * o;
        let number = |from: usize, n: usize| Some(integer(head.get(from..from + n)?));
        let width = number(at, 2)?;
        let first_block = number(at + 2, l)?;
        let largest_block = number(at + 2 + l, l)?;
        let bits = number(at + 2 + 2 * l, 2)?;
        let root = number(at + 6 + 2 * l, o)?;
        let n_rows = number(at + 6 + 2 * l + o, 2)? as usize;
        if width == 0 || first_block == 0 || !(1..=64).contains(&bits) || n_rows > 64 {
            return None;
        }
        let longest = largest_object.min(largest_block).max(1);
        let n_length = (longest.ilog2() / 8 + 1) as usize;
        let n_offset = bits.div_ceil(8) as usize;
        Some(Self {
            container,
            n_offset,
            n_length,
            width,
            first_block,
            largest_block,
            root,
            n_rows,
        })
    }

    /// The object with this identifier.
    fn object(&self, id: &[u8]) -> Option<Vec<u8>> {
        if id.first()? & 0x30 != 0 {
            return None;
        }
        let offset = integer(id.get(1..=self.n_offset)?);
        let length = integer(id.get(1 + self.n_offset..1 + self.n_offset + self.n_length)?);
        let address = self.place(offset)?;
        self.container.read_at(self.container.base.checked_add(address)?, length as usize)
    }

    /// The address of the byte `offset` of the heap.
    fn place(&self, offset: u64) -> Option<u64> {
        let (mut block, mut n_rows, mut rest) = (self.root, self.n_rows, offset);
        // Each level of indirect blocks is of fewer rows than the one above.
        for _ in 0..64 {
            if n_rows == 0 {
                return block.checked_add(rest);
            }
            let (mut row, mut begin) = (0, 0_u64);
            loop {
                if row >= n_rows {
                    return None;
                }
                let end = begin.checked_add(self.block(row)?.checked_mul(self.width)?)?;
                if rest < end {
                    break;
                }
                (row, begin) = (row + 1, end);
            }
            let size = self.block(row)?;
            let column = (rest - begin) / size;
            rest = (rest - begin) % size;
            let child = (row as u64).checked_mul(self.width)?.checked_add(column)?;
            block = self.child(block, child)?;
            // An indirect block holds as many rows as its size needs.
            n_rows = if size <= self.largest_block {
                0
            } else {
                let rows = (size / (self.first_block.checked_mul(self.width)?)).max(1);
                rows.ilog2() as usize + 1
            };
        }
        None
    }

    /// The size of the blocks of a row.
    fn block(&self, row: usize) -> Option<u64> {
        self.first_block.checked_mul(1_u64.checked_shl(row.saturating_sub(1) as u32)?)
    }

    /// The address of a child of an indirect block.
    fn child(&self, block: u64, child: u64) -> Option<u64> {
        let o = self.container.offset_size;
        let start = self.container.base.checked_add(block)?;
        if self.container.read_at(start, 4)? != b"FHIB" {
            return None;
        }
        let at = (5 + o + self.n_offset) as u64 + child.checked_mul(o as u64)?;
        let address = integer(&self.container.read_at(start.checked_add(at)?, o)?);
        (address != undefined(self.container)).then_some(address)
    }
}

/// The records of a B-tree of version 2 (III.A.2), by nodes from the left.
fn records(container: &Container, address: u64) -> Option<Vec<Vec<u8>>> {
    let (o, l) = (container.offset_size, container.length_size);
    let head = container.read_at(container.base.checked_add(address)?, 18 + o + l)?;
    if &head[..4] != b"BTHD" {
        return None;
    }
    let node_size = integer(&head[6..10]);
    let record = integer(&head[10..12]);
    let depth = integer(&head[12..14]) as usize;
    if record == 0 || node_size <= 10 || depth > 16 {
        return None;
    }
    // Widths of the counts in pointers, by depth of the node pointed to.
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
        let node = container.read_at(container.base.checked_add(address)?, node_size as usize)?;
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
