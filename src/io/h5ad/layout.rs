//! The data layout message and the chunk indices of the newest HDF5 formats.
//!
//! The HDF5 crate does not read layouts of version 5 (HDF5 2 with `libver="latest"`) nor chunks
//! whose length takes three bytes (HDF5 1.10 and later with `libver="latest"`, chunks of 65536
//! elements and more). This reads both, for arrays that can grow in one dimension at most.
//! Source: HDF5 file format specification, version 4.0, IV.A.2.i and VII.

use crate::io::h5ad::hdf5::Container;
use crate::io::h5ad::text::integer;

/// Index blocks of one dataset that are read at most.
const MOST_BLOCKS: u64 = 1 << 24;

/// Where one chunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// First element along each dimension.
    pub(super) offset: Vec<u64>,
    /// Place in the file (absolute).
    pub(super) address: u64,
    /// Bytes there.
    pub(super) stored: u64,
    /// Filters that were skipped, one bit each.
    pub(super) mask: u32,
}

/// How the data of a dataset lie in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    /// One run of bytes from this address (absolute).
    Run { address: u64, length: u64 },
    /// Chunks of this shape.
    Chunked { shape: Vec<u64> },
    /// Anything else, such as inside the header or never written.
    Other,
}

/// A chunked layout, read from its message.
pub(super) struct ChunkedLayout {
    /// Elements of a chunk along each dimension.
    pub(super) shape: Vec<u64>,
    element_size: u64,
    index: Index,
    /// Address of the index, from the base of the file.
    address: u64,
}

enum Index {
    Single { filtered: Option<(u64, u32)> },
    Implicit,
    FixedArray,
    ExtensibleArray,
    Unknown(u8),
}

/// One entry of an index: address, bytes stored (0 if not filtered), filters skipped.
type Entry = (u64, u64, u32);

impl ChunkedLayout {
    /// The layout of a message of version 4 or 5; `None` if it is not chunked, or is corrupt.
    pub(super) fn parse(container: &Container, message: &[u8]) -> Option<Self> {
        let &[4 | 5, 2, flags, n_dimensions, n_bytes] = message.get(..5)? else { return None };
        let (n_dimensions, n_bytes) = (usize::from(n_dimensions), usize::from(n_bytes));
        if n_dimensions < 2 || !(1..=8).contains(&n_bytes) {
            return None;
        }
        let mut at = 5 + n_dimensions * n_bytes;
        let mut shape: Vec<u64> = message.get(5..at)?.chunks_exact(n_bytes).map(integer).collect();
        let element_size = shape.pop()?;
        let kind = *message.get(at)?;
        at += 1;
        let index = match kind {
            1 if flags & 2 != 0 => {
                let n_length = container.length_size;
                let size = integer(message.get(at..at + n_length)?);
                let mask = integer(message.get(at + n_length..at + n_length + 4)?) as u32;
                at += n_length + 4;
                Index::Single { filtered: Some((size, mask)) }
            }
            1 => Index::Single { filtered: None },
            2 => Index::Implicit,
            3 => {
                at += 1;
                Index::FixedArray
            }
            4 => {
                at += 5;
                Index::ExtensibleArray
            }
            other => Index::Unknown(other),
        };
        let address = match index {
            Index::Unknown(_) => 0,
            _ => integer(message.get(at..at + container.offset_size)?),
        };
        Some(Self { shape, element_size, index, address })
    }

    /// The chunks of a dataset of the extents `shape` that may grow to `most` (`None`: without
    /// end). Chunks that were never written are left out.
    ///
    /// Errors say what is wrong with the index.
    pub(super) fn chunks(
        &self,
        container: &Container,
        shape: &[u64],
        most: &[Option<u64>],
    ) -> Result<Vec<Chunk>, String> {
        let corrupt = || "its chunk index is corrupt".to_string();
        let whole =
            self.shape.iter().try_fold(self.element_size, |n, &length| n.checked_mul(length));
        let whole = whole.ok_or_else(corrupt)?;
        let grid: Vec<u64> =
            shape.iter().zip(&self.shape).map(|(n, chunk)| n.div_ceil((*chunk).max(1))).collect();
        let n_chunks = grid.iter().try_fold(1_u64, |n, &k| n.checked_mul(k)).ok_or_else(corrupt)?;
        if n_chunks > MOST_BLOCKS || self.shape.len() != shape.len() || most.len() != shape.len() {
            return Err(corrupt());
        }
        let entries: Vec<Entry> = match &self.index {
            Index::Single { filtered } => {
                let (stored, mask) = filtered.unwrap_or((whole, 0));
                vec![(self.address, stored, mask)]
            }
            Index::Implicit => {
                (0..n_chunks).map(|k| (self.address.saturating_add(k * whole), whole, 0)).collect()
            }
            Index::FixedArray => fixed_array(container, self.address).ok_or_else(corrupt)?,
            Index::ExtensibleArray => {
                extensible_array(container, self.address, n_chunks).ok_or_else(corrupt)?
            }
            Index::Unknown(kind) => {
                return Err(format!("its chunk index (type {kind}) cannot be read"));
            }
        };
        let order = Order::new(&self.shape, &grid, most);
        let undefined = u64::MAX >> (64 - 8 * container.offset_size.clamp(1, 8));
        let mut found = Vec::new();
        for k in 0..n_chunks {
            let coordinates = coordinates(k, &grid);
            let place = usize::try_from(order.place(&coordinates)).map_err(|_| corrupt())?;
            let Some(&(address, stored, mask)) = entries.get(place) else { continue };
            if address == undefined || address == u64::MAX {
                continue;
            }
            found.push(Chunk {
                offset: coordinates.iter().zip(&self.shape).map(|(k, n)| k * n).collect(),
                address: container.base.checked_add(address).ok_or_else(corrupt)?,
                stored: if stored == 0 { whole } else { stored },
                mask,
            });
        }
        Ok(found)
    }
}

/// Chunk number `k` of a grid, row by row.
fn coordinates(mut k: u64, grid: &[u64]) -> Vec<u64> {
    let mut out = vec![0; grid.len()];
    for (coordinate, &n) in out.iter_mut().zip(grid).rev() {
        *coordinate = k % n.max(1);
        k /= n.max(1);
    }
    out
}

/// The order of chunks in an index: row by row over the largest extents, the dimension that can
/// grow without end first.
struct Order {
    /// What one step along each dimension adds.
    steps: Vec<u64>,
}

impl Order {
    fn new(chunk: &[u64], grid: &[u64], most: &[Option<u64>]) -> Self {
        let n = chunk.len();
        let mut dimensions: Vec<usize> = (0..n).collect();
        if let Some(unlimited) = most.iter().position(Option::is_none) {
            dimensions.remove(unlimited);
            dimensions.insert(0, unlimited);
        }
        let mut steps = vec![1; n];
        let mut step = 1_u64;
        for &dimension in dimensions.iter().rev() {
            steps[dimension] = step;
            let length = most[dimension]
                .map_or(grid[dimension], |most| most.div_ceil(chunk[dimension].max(1)));
            step = step.saturating_mul(length);
        }
        Self { steps }
    }

    fn place(&self, coordinates: &[u64]) -> u64 {
        coordinates
            .iter()
            .zip(&self.steps)
            .fold(0, |sum: u64, (k, step)| sum.saturating_add(k.saturating_mul(*step)))
    }
}

/// Entries of `size` bytes: an address and, if there is room for more, the bytes stored and the
/// filters skipped.
fn entries(container: &Container, bytes: &[u8], size: usize, out: &mut Vec<Entry>) -> Option<()> {
    let n_offset = container.offset_size;
    let n_stored = if size == n_offset { 0 } else { size.checked_sub(n_offset + 4)? };
    if n_stored > 8 {
        return None;
    }
    out.extend(bytes.chunks_exact(size).map(|entry| {
        let address = integer(&entry[..n_offset]);
        let stored = integer(&entry[n_offset..n_offset + n_stored]);
        let mask = if n_stored == 0 { 0 } else { integer(&entry[n_offset + n_stored..]) as u32 };
        (address, stored, mask)
    }));
    Some(())
}

/// Reads forward from an address.
struct Cursor<'c> {
    container: &'c Container,
    at: u64,
}

impl<'c> Cursor<'c> {
    /// Starts behind the signature, which must be there.
    fn new(container: &'c Container, address: u64, signature: [u8; 4]) -> Option<Self> {
        let mut cursor = Self { container, at: container.base.checked_add(address)? };
        (cursor.bytes(4)? == signature).then_some(cursor)
    }

    fn bytes(&mut self, n: usize) -> Option<Vec<u8>> {
        let bytes = self.container.read_at(self.at, n)?;
        self.at += n as u64;
        Some(bytes)
    }

    fn number(&mut self, n: usize) -> Option<u64> {
        self.bytes(n).map(|bytes| integer(&bytes))
    }

    fn address(&mut self) -> Option<u64> {
        self.number(self.container.offset_size)
    }

    fn length(&mut self) -> Option<u64> {
        self.number(self.container.length_size)
    }
}

fn fixed_array(container: &Container, address: u64) -> Option<Vec<Entry>> {
    let mut head = Cursor::new(container, address, *b"FAHD")?;
    head.number(2)?;
    let size = head.number(1)? as usize;
    let page_bits = head.number(1)? as u32;
    let n = head.length()?;
    let block = head.address()?;
    let mut out = Vec::new();
    let mut block = Cursor::new(container, block, *b"FADB")?;
    block.number(2)?;
    block.address()?;
    let page = 1_u64.checked_shl(page_bits)?;
    if size == 0 || n > MOST_BLOCKS {
        return None;
    }
    if n <= page {
        entries(container, &block.bytes(n as usize * size)?, size, &mut out)?;
        return Some(out);
    }
    // A bit for each page that was written, a checksum, then the pages, each with a checksum.
    let n_pages = n.div_ceil(page);
    let written = block.bytes(n_pages.div_ceil(8) as usize)?;
    block.number(4)?;
    for k in 0..n_pages {
        let n_here = page.min(n - k * page) as usize;
        let bytes = block.bytes(n_here * size)?;
        block.number(4)?;
        if page_written(&written, k) {
            entries(container, &bytes, size, &mut out)?;
        } else {
            out.extend(std::iter::repeat_n((u64::MAX, 0, 0), n_here));
        }
    }
    Some(out)
}

/// Whether page `k` was written: the first page has the highest bit of the first byte.
fn page_written(bits: &[u8], k: u64) -> bool {
    bits[k as usize / 8] & (128 >> (k % 8)) != 0
}

/// What the header of an extensible array says of its blocks.
struct Growth {
    size: usize,
    /// Bytes of an offset inside the array.
    n_offset: usize,
    /// Entries of a page; longer data blocks are split into pages.
    page: u64,
}

/// The first `wanted` entries.
fn extensible_array(container: &Container, address: u64, wanted: u64) -> Option<Vec<Entry>> {
    let mut head = Cursor::new(container, address, *b"EAHD")?;
    head.number(2)?;
    let size = head.number(1)? as usize;
    let bits = head.number(1)? as u32;
    let n_index = head.number(1)? as usize;
    let smallest = head.number(1)?;
    let n_pointers = head.number(1)?;
    let page = 1_u64.checked_shl(head.number(1)? as u32)?;
    for _ in 0..6 {
        head.length()?;
    }
    let block = head.address()?;
    if size == 0 || bits > 64 || !smallest.is_power_of_two() || !n_pointers.is_power_of_two() {
        return None;
    }
    let growth = Growth { size, n_offset: (bits as usize).div_ceil(8), page };
    let mut block = Cursor::new(container, block, *b"EAIB")?;
    block.number(2)?;
    block.address()?;
    let mut out = Vec::new();
    entries(container, &block.bytes(n_index * size)?, size, &mut out)?;
    // Super block u has 2^⌊u/2⌋ data blocks of 2^⌈u/2⌉ times the smallest length. The data blocks
    // of the first ones are listed here, the others in secondary blocks.
    let n_super = 1 + bits.checked_sub(smallest.ilog2())?;
    let n_listed = 2 * n_pointers.ilog2();
    let shape = |u: u32| (1_u64 << (u / 2), smallest.saturating_mul(1 << u.div_ceil(2)));
    let mut undecided = Vec::new();
    for u in 0..n_listed.min(n_super) {
        let (n_blocks, length) = shape(u);
        for _ in 0..n_blocks {
            undecided.push((block.address()?, length));
        }
    }
    for (address, length) in undecided {
        if out.len() as u64 >= wanted {
            return Some(out);
        }
        data_block(container, &growth, address, (length, None), &mut out)?;
    }
    for u in n_listed..n_super {
        if out.len() as u64 >= wanted {
            break;
        }
        let address = block.address()?;
        secondary_block(container, &growth, address, shape(u), &mut out)?;
    }
    Some(out)
}

fn secondary_block(
    container: &Container,
    growth: &Growth,
    address: u64,
    (n_blocks, length): (u64, u64),
    out: &mut Vec<Entry>,
) -> Option<()> {
    if n_blocks.checked_mul(length)? > MOST_BLOCKS {
        return None;
    }
    if container.base.checked_add(address).is_none_or(|start| !container.holds(start, 4)) {
        let n = (n_blocks * length) as usize;
        out.extend(std::iter::repeat_n((u64::MAX, 0, 0), n));
        return Some(());
    }
    let mut block = Cursor::new(container, address, *b"EASB")?;
    block.number(2)?;
    block.address()?;
    block.bytes(growth.n_offset)?;
    let n_pages = if length > growth.page { length / growth.page } else { 0 };
    let written = block.bytes((n_blocks * n_pages.div_ceil(8)) as usize)?;
    let mut addresses = Vec::new();
    for _ in 0..n_blocks {
        addresses.push(block.address()?);
    }
    let n_bytes = n_pages.div_ceil(8) as usize;
    for (k, address) in addresses.into_iter().enumerate() {
        let pages = (n_bytes > 0).then(|| &written[k * n_bytes..(k + 1) * n_bytes]);
        data_block(container, growth, address, (length, pages), out)?;
    }
    Some(())
}

/// The entries of a data block of `length`; `pages` has a bit for each page that was written.
fn data_block(
    container: &Container,
    growth: &Growth,
    address: u64,
    (length, pages): (u64, Option<&[u8]>),
    out: &mut Vec<Entry>,
) -> Option<()> {
    if length > MOST_BLOCKS {
        return None;
    }
    let absent = |n: u64| std::iter::repeat_n((u64::MAX, 0, 0), n as usize);
    if container.base.checked_add(address).is_none_or(|start| !container.holds(start, 4)) {
        out.extend(absent(length));
        return Some(());
    }
    let mut block = Cursor::new(container, address, *b"EADB")?;
    block.number(2)?;
    block.address()?;
    block.bytes(growth.n_offset)?;
    if length <= growth.page {
        let bytes = block.bytes(length as usize * growth.size)?;
        return entries(container, &bytes, growth.size, out);
    }
    block.number(4)?;
    for k in 0..length / growth.page {
        let bytes = block.bytes(growth.page as usize * growth.size)?;
        block.number(4)?;
        if pages.is_none_or(|bits| page_written(bits, k)) {
            entries(container, &bytes, growth.size, out)?;
        } else {
            out.extend(absent(growth.page));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the HDF5 library sets them: page k is the bit `0x80 >> (k % 8)` of byte k / 8.
    #[test]
    fn the_first_page_has_the_highest_bit() {
        let bits = [0b1010_0000, 0b0000_0001];
        let written: Vec<u64> = (0..16).filter(|&k| page_written(&bits, k)).collect();
        assert_eq!(written, [0, 2, 15]);
    }
}
