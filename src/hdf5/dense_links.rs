//! Reads links that a group keeps in a fractal heap, in the order of the B-tree over their names.

use crate::btree2::records;
use crate::bytes::integer;
use crate::file::File;

/// Where a group keeps its links, from its link info message: a heap, and a tree over their names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkInfo {
    /// Bytes of the message before the addresses.
    pub(crate) at: usize,
    /// Address of the fractal heap, from the base of the file.
    pub(crate) heap: u64,
    /// Address of the B-tree over the names, from the base of the file.
    pub(crate) names: u64,
}

impl LinkInfo {
    /// Reads a link info message (HDF5 specification, IV.A.2.c); `None` if it is too short.
    pub(crate) fn parse(file: &File, message: &[u8]) -> Option<Self> {
        let at = if message.get(1)? & 1 == 0 { 2 } else { 10 };
        let n = file.offset_size;
        let heap = integer(message.get(at..at + n)?);
        let names = integer(message.get(at + n..at + 2 * n)?);
        Some(Self { at, heap, names })
    }

    /// Whether the links are in a heap. If they are not, they are messages of the group's header.
    pub(crate) fn is_dense(&self, file: &File) -> bool {
        self.heap != undefined(file)
    }
}

/// The address that stands for no address: all bits are set.
pub(crate) fn undefined(file: &File) -> u64 {
    if file.offset_size >= 8 { u64::MAX } else { (1 << (8 * file.offset_size)) - 1 }
}

/// The link messages of a group, in the order of the tree; `None` if it is corrupt or compressed.
pub(crate) fn dense_links(file: &File, info: LinkInfo) -> Option<Vec<Vec<u8>>> {
    let heap = Heap::open(file, info.heap)?;
    let mut found = Vec::new();
    for record in records(file, info.names)? {
        // A hash of the name, then the place in the heap.
        found.push(heap.object(record.get(4..)?)?);
    }
    Some(found)
}

/// A fractal heap (III.G), as far as links need it: objects in direct blocks, without filters.
///
/// The blocks are a table of `width` columns. Blocks of the first two rows have `first_block` bytes; each further
/// row doubles the size. Rows of blocks up to `largest_block` hold data; larger ones hold tables in turn.
struct Heap<'c> {
    file: &'c File,
    /// Bytes of an offset within the heap.
    n_offset: usize,
    /// Bytes of the length of an object.
    n_length: usize,
    width: u64,
    first_block: u64,
    largest_block: u64,
    /// Address of the root block, from the base of the file.
    root: u64,
    /// Rows of the root block; 0 if it is a direct block.
    n_rows: usize,
}

impl<'c> Heap<'c> {
    /// Reads the header of the heap at `address`; `None` if it is corrupt or its blocks are compressed.
    fn open(file: &'c File, address: u64) -> Option<Self> {
        let (o, l) = (file.offset_size, file.length_size);
        let start = file.base.checked_add(address)?;
        let head = file.read_at(start, 22 + 12 * l + 3 * o)?;
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
        Some(Self { file, n_offset, n_length, width, first_block, largest_block, root, n_rows })
    }

    /// The object with the identifier `id`: flags, offset, length. Huge and tiny objects are
    /// not supported.
    fn object(&self, id: &[u8]) -> Option<Vec<u8>> {
        if id.first()? & 0x30 != 0 {
            return None;
        }
        let offset = integer(id.get(1..=self.n_offset)?);
        let length = integer(id.get(1 + self.n_offset..1 + self.n_offset + self.n_length)?);
        let address = self.place(offset)?;
        self.file.read_at(self.file.base.checked_add(address)?, length as usize)
    }

    /// The address of the byte `offset` of the heap.
    fn place(&self, offset: u64) -> Option<u64> {
        let (mut block, mut n_rows, mut rest) = (self.root, self.n_rows, offset);
        // Each level of indirect blocks has fewer rows than the level above.
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
        let o = self.file.offset_size;
        let start = self.file.base.checked_add(block)?;
        if self.file.read_at(start, 4)? != b"FHIB" {
            return None;
        }
        let at = (5 + o + self.n_offset) as u64 + child.checked_mul(o as u64)?;
        let address = integer(&self.file.read_at(start.checked_add(at)?, o)?);
        (address != undefined(self.file)).then_some(address)
    }
}
