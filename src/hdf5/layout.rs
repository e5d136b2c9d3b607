//! The data layout message and the chunk indices of the newest HDF5 formats.
//!
//! hdf5-pure does not read layouts of version 5 (HDF5 2 with `libver="latest"`) nor chunks
//! whose length takes three bytes (HDF5 1.10 and later with `libver="latest"`, chunks of 65536
//! elements and more). This reads both, with every chunk index that these layouts have.
//! Source: HDF5 file format specification, version 4.0, IV.A.2.i and VII.

use crate::btree2::records;
use crate::bytes::integer;
use crate::dense_links::undefined;
use crate::file::File;

/// Index blocks of one dataset that are read at most.
const MOST_BLOCKS: u64 = 1 << 24;

/// Where one chunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// First element along each dimension.
    pub(crate) offset: Vec<u64>,
    /// Address in the file (absolute).
    pub(crate) address: u64,
    /// Bytes in the file.
    pub(crate) stored: u64,
    /// Filters that were skipped, one bit each.
    pub(crate) mask: u32,
}

/// How the data of a dataset lie in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One run of bytes from this address (absolute).
    Run {
        /// The first byte.
        address: u64,
        /// Number of bytes.
        length: u64,
    },
    /// Chunks of this shape.
    Chunked {
        /// Elements of a chunk along each dimension.
        shape: Vec<u64>,
    },
    /// Anything else, such as inside the header or never written.
    Other,
}

/// A chunked layout, read from a data layout message.
pub(crate) struct ChunkedLayout {
    /// Elements of a chunk along each dimension.
    pub(crate) shape: Vec<u64>,
    /// Bytes of an element.
    element_size: u64,
    index: Index,
    /// Address of the index, from the base of the file.
    address: u64,
}

/// How the chunks of a dataset are found (VII).
enum Index {
    Single { filtered: Option<(u64, u32)> },
    Implicit,
    FixedArray,
    ExtensibleArray,
    BTree2,
    Unknown(u8),
}

/// One entry of an index: the address of a chunk from the base of the file (all bits set if it was never
/// written), its bytes in the file (0 without filters: those of a whole chunk), and the filters skipped.
type Entry = (u64, u64, u32);

impl ChunkedLayout {
    /// The layout of a message of version 4 or 5; `None` if it is not chunked, or is corrupt.
    pub(crate) fn parse(file: &File, message: &[u8]) -> Option<Self> {
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
                let n_length = file.length_size;
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
            5 => {
                at += 6;
                Index::BTree2
            }
            other => Index::Unknown(other),
        };
        let address = match index {
            Index::Unknown(_) => 0,
            _ => integer(message.get(at..at + file.offset_size)?),
        };
        Some(Self { shape, element_size, index, address })
    }

    /// The chunks of a dataset of the extents `shape` that may grow to `most` (`None`: without
    /// end). Chunks that were never written are left out.
    ///
    /// Errors say what is wrong with the index.
    pub(crate) fn chunks(
        &self,
        file: &File,
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
            Index::FixedArray => fixed_array(file, self.address).ok_or_else(corrupt)?,
            Index::ExtensibleArray => {
                extensible_array(file, self.address, n_chunks).ok_or_else(corrupt)?
            }
            Index::BTree2 => {
                return self.by_records(file, &grid, whole).ok_or_else(corrupt);
            }
            Index::Unknown(kind) => {
                return Err(format!("its chunk index (type {kind}) cannot be read"));
            }
        };
        let order = Order::new(&self.shape, &grid, most);
        let undefined = undefined(file);
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
                address: file.base.checked_add(address).ok_or_else(corrupt)?,
                stored: if stored == 0 { whole } else { stored },
                mask,
            });
        }
        Ok(found)
    }

    /// The chunks of a B-tree, whose records say where in the dataset a chunk is (III.A.2, types 10 and 11).
    fn by_records(&self, file: &File, grid: &[u64], whole: u64) -> Option<Vec<Chunk>> {
        let (n_offset, n_place) = (file.offset_size, 8 * self.shape.len());
        if self.address == undefined(file) {
            return Some(Vec::new());
        }
        // More records than chunks are a chunk twice.
        let n_chunks = grid.iter().product::<u64>();
        let mut found = Vec::new();
        for record in records(file, self.address)? {
            let n_stored = record.len().checked_sub(n_offset + n_place)?;
            let (stored, mask) = match n_stored {
                0 => (whole, 0),
                5..=12 => {
                    let end = n_offset + n_stored;
                    (integer(&record[n_offset..end - 4]), integer(&record[end - 4..end]) as u32)
                }
                _ => return None,
            };
            let place: Vec<u64> =
                record[n_offset + n_stored..].chunks_exact(8).map(integer).collect();
            if place.iter().zip(grid).any(|(k, n)| k >= n) {
                return None;
            }
            if found.len() as u64 >= n_chunks {
                return None;
            }
            found.push(Chunk {
                offset: place.iter().zip(&self.shape).map(|(k, n)| k * n).collect(),
                address: file.base.checked_add(integer(&record[..n_offset]))?,
                stored,
                mask,
            });
        }
        Some(found)
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
    /// The number of entries to the next chunk along each dimension.
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
fn entries(file: &File, bytes: &[u8], size: usize, out: &mut Vec<Entry>) -> Option<()> {
    let n_offset = file.offset_size;
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

/// Reads forward from an address of the file; every read is checked against the end of the file.
struct Cursor<'c> {
    file: &'c File,
    at: u64,
}

impl<'c> Cursor<'c> {
    /// Starts behind the signature, which must be there.
    fn new(file: &'c File, address: u64, signature: [u8; 4]) -> Option<Self> {
        let mut cursor = Self { file, at: file.base.checked_add(address)? };
        (cursor.bytes(4)? == signature).then_some(cursor)
    }

    fn bytes(&mut self, n: usize) -> Option<Vec<u8>> {
        let bytes = self.file.read_at(self.at, n)?;
        self.at += n as u64;
        Some(bytes)
    }

    fn number(&mut self, n: usize) -> Option<u64> {
        self.bytes(n).map(|bytes| integer(&bytes))
    }

    fn address(&mut self) -> Option<u64> {
        self.number(self.file.offset_size)
    }

    fn length(&mut self) -> Option<u64> {
        self.number(self.file.length_size)
    }
}

/// The entries of a fixed array (VII.C), by pages if it is long.
fn fixed_array(file: &File, address: u64) -> Option<Vec<Entry>> {
    let mut head = Cursor::new(file, address, *b"FAHD")?;
    head.number(2)?;
    let size = head.number(1)? as usize;
    let page_bits = head.number(1)? as u32;
    let n = head.length()?;
    let block = head.address()?;
    let mut out = Vec::new();
    let mut block = Cursor::new(file, block, *b"FADB")?;
    block.number(2)?;
    block.address()?;
    let page = 1_u64.checked_shl(page_bits)?;
    if size == 0 || n > MOST_BLOCKS {
        return None;
    }
    if n <= page {
        entries(file, &block.bytes(n as usize * size)?, size, &mut out)?;
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
            entries(file, &bytes, size, &mut out)?;
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

/// The first `wanted` entries of an extensible array (VII.D).
fn extensible_array(file: &File, address: u64, wanted: u64) -> Option<Vec<Entry>> {
    let mut head = Cursor::new(file, address, *b"EAHD")?;
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
    let mut block = Cursor::new(file, block, *b"EAIB")?;
    block.number(2)?;
    block.address()?;
    let mut out = Vec::new();
    entries(file, &block.bytes(n_index * size)?, size, &mut out)?;
    let n_offset = (bits as usize).div_ceil(8);
    let mut growth = Growth { file, size, n_offset, page, out };
    // Super block u has 2^⌊u/2⌋ data blocks of 2^⌈u/2⌉ times the smallest length. The data blocks
    // of the first ones are listed here, the others in secondary blocks.
    let n_super = 1 + bits.checked_sub(smallest.ilog2())?;
    let n_listed = 2 * n_pointers.ilog2();
    let n_blocks = |u: u32| 1_u64 << (u / 2);
    let length = |u: u32| smallest.saturating_mul(1 << u.div_ceil(2));
    let mut undecided = Vec::new();
    for u in 0..n_listed.min(n_super) {
        for _ in 0..n_blocks(u) {
            undecided.push((block.address()?, length(u)));
        }
    }
    for (address, length) in undecided {
        if growth.out.len() as u64 >= wanted {
            return Some(growth.out);
        }
        growth.data_block(address, length, None)?;
    }
    for u in n_listed..n_super {
        if growth.out.len() as u64 >= wanted {
            break;
        }
        growth.secondary_block(block.address()?, n_blocks(u), length(u))?;
    }
    Some(growth.out)
}

/// An extensible array as it is read: what its header says of its blocks, and the entries so far.
struct Growth<'f> {
    file: &'f File,
    /// Bytes of an entry.
    size: usize,
    /// Bytes of an offset inside the array.
    n_offset: usize,
    /// Entries of a page. Data blocks that are longer are split into pages.
    page: u64,
    out: Vec<Entry>,
}

impl Growth<'_> {
    /// Reads a secondary block: the addresses of `n_blocks` data blocks of `length` entries each.
    fn secondary_block(&mut self, address: u64, n_blocks: u64, length: u64) -> Option<()> {
        if n_blocks.checked_mul(length)? > MOST_BLOCKS {
            return None;
        }
        if !self.is_there(address) {
            self.absent(n_blocks * length);
            return Some(());
        }
        let mut block = Cursor::new(self.file, address, *b"EASB")?;
        block.number(2)?;
        block.address()?;
        block.bytes(self.n_offset)?;
        let n_pages = if length > self.page { length / self.page } else { 0 };
        let written = block.bytes((n_blocks * n_pages.div_ceil(8)) as usize)?;
        let mut addresses = Vec::new();
        for _ in 0..n_blocks {
            addresses.push(block.address()?);
        }
        let n_bytes = n_pages.div_ceil(8) as usize;
        for (k, address) in addresses.into_iter().enumerate() {
            let pages = (n_bytes > 0).then(|| &written[k * n_bytes..(k + 1) * n_bytes]);
            self.data_block(address, length, pages)?;
        }
        Some(())
    }

    /// Reads a data block of `length` entries. `pages` has a bit for each page that was written.
    fn data_block(&mut self, address: u64, length: u64, pages: Option<&[u8]>) -> Option<()> {
        if length > MOST_BLOCKS {
            return None;
        }
        if !self.is_there(address) {
            self.absent(length);
            return Some(());
        }
        let mut block = Cursor::new(self.file, address, *b"EADB")?;
        block.number(2)?;
        block.address()?;
        block.bytes(self.n_offset)?;
        if length <= self.page {
            let bytes = block.bytes(length as usize * self.size)?;
            return entries(self.file, &bytes, self.size, &mut self.out);
        }
        block.number(4)?;
        for k in 0..length / self.page {
            let bytes = block.bytes(self.page as usize * self.size)?;
            block.number(4)?;
            if pages.is_none_or(|bits| page_written(bits, k)) {
                entries(self.file, &bytes, self.size, &mut self.out)?;
            } else {
                self.absent(self.page);
            }
        }
        Some(())
    }

    /// Whether there is a block at `address`: blocks without a chunk are not written.
    fn is_there(&self, address: u64) -> bool {
        self.file.base.checked_add(address).is_some_and(|start| self.file.holds(start, 4))
    }

    /// Adds `n` entries of chunks that were never written.
    fn absent(&mut self, n: u64) {
        self.out.extend(std::iter::repeat_n((u64::MAX, 0, 0), n as usize));
    }
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
