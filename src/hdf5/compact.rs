//! Moves the links of a group from a heap into its object header, where `hdf5-pure` can add to them.
//!
//! The header of the group keeps its address, so everything that points to it stays valid. Its messages move
//! to a continuation block at the end of the file, with one message for each link.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::bytes::integer;
use crate::dense_links::{LinkInfo, dense_links, undefined};
use crate::error::{Error, Result};
use crate::file::File;
use crate::links::address_of;
use crate::object_header::{CONTINUATION, GROUP_INFO, LINK, LINK_INFO, Message, NIL, messages};

/// Bytes to write at places of a file, from its first byte.
type Patch = (u64, Vec<u8>);

/// Moves the links of those groups at `paths` that keep them in a heap into their headers. Returns whether
/// there was such a group.
///
/// # Errors
/// As [`File::open`], and [`crate::Problem::Io`].
pub(crate) fn compact_groups(copy: &Path, paths: &[&str]) -> Result<bool> {
    let mut any = false;
    for path in paths {
        let file = File::open(copy)?;
        let length = std::fs::metadata(copy).map_err(Error::io("read", copy))?.len();
        let Some(patches) =
            address_of(&file, path).and_then(|address| compacted(&file, address, length))
        else {
            continue;
        };
        drop(file);
        any = true;
        write(copy, &patches).map_err(Error::io("write", copy))?;
    }
    Ok(any)
}

/// Writes the patches and waits until they are on the disk.
fn write(copy: &Path, patches: &[Patch]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(copy)?;
    for (at, bytes) in patches {
        file.seek(SeekFrom::Start(*at))?;
        file.write_all(bytes)?;
    }
    file.sync_all()
}

/// The bytes to write so that the group at `address` has its links in its header. `None` if it has them there
/// already, or is of the old format. `length` is the number of bytes of the file.
fn compacted(file: &File, address: u64, length: u64) -> Option<Vec<Patch>> {
    let start = file.base.checked_add(address)?;
    let head = file.read_at(start, 16)?;
    if &head[..4] != b"OHDR" {
        return None;
    }
    let flags = head[5];
    let ordered = flags & 4 != 0;
    let at = 6 + if flags & 0x20 == 0 { 0 } else { 16 } + if flags & 0x10 == 0 { 0 } else { 4 };
    let n_size = 1_usize << (flags & 3);
    let prefix = file.read_at(start, at + n_size)?;
    let size = usize::try_from(integer(&prefix[at..])).ok()?;
    let block = moved(file, address, ordered)?;

    // The block goes to the end, at a multiple of eight.
    let end = length.next_multiple_of(8);
    let (o, l) = (file.offset_size, file.length_size);
    let mut place = end.checked_sub(file.base)?.to_le_bytes()[..o].to_vec();
    place.extend(&(block.len() as u64).to_le_bytes()[..l]);
    let mut header = Block { bytes: prefix, ordered };
    header.put(&plain(CONTINUATION, place))?;
    let (n_head, whole) = (if ordered { 6 } else { 4 }, at + n_size + size);
    let left = whole.checked_sub(header.bytes.len())?;
    if left >= n_head {
        header.put(&plain(NIL, vec![0; left - n_head]))?;
    } else {
        header.bytes.resize(whole, 0);
    }
    let longer = end + block.len() as u64 - length;
    Some(vec![(end, block), (start, header.summed()), end_of_file(file, longer)?])
}

/// The continuation block: all messages of the header, links of the heap among them.
fn moved(file: &File, address: u64, ordered: bool) -> Option<Vec<u8>> {
    let messages = messages(file, address)?;
    let info = messages.iter().find(|message| message.kind == LINK_INFO)?;
    let dense = LinkInfo::parse(file, &info.bytes)?;
    if !dense.is_dense(file) {
        return None;
    }
    let mut block = Block { bytes: b"OCHK".to_vec(), ordered };
    let mut bytes = info.bytes.clone();
    let none = undefined(file).to_le_bytes();
    for place in bytes.get_mut(dense.at..)?.chunks_exact_mut(file.offset_size) {
        let n = place.len();
        place.copy_from_slice(&none[..n]);
    }
    block.put(&Message { bytes, ..*info })?;
    // As many links as there may be stay in the header.
    block.put(&plain(GROUP_INFO, vec![0, 1, 0xff, 0xff, 6, 0]))?;
    for other in messages.iter().filter(|of| ![NIL, LINK_INFO, GROUP_INFO].contains(&of.kind)) {
        block.put(other)?;
    }
    for link in dense_links(file, dense)? {
        block.put(&plain(LINK, link))?;
    }
    Some(block.summed())
}

/// The superblock with an end of file that is `more` bytes later.
fn end_of_file(file: &File, more: u64) -> Option<Patch> {
    let o = file.offset_size;
    let head = file.read_at(file.base, 100)?;
    let version = *head.get(8)?;
    let (at, sum) = match version {
        0 => (24 + 2 * o, None),
        1 => (28 + 2 * o, None),
        2 | 3 => (12 + 2 * o, Some(12 + 4 * o)),
        _ => return None,
    };
    let old = integer(head.get(at..at + o)?);
    let mut block = head.get(..sum.unwrap_or(at + o))?.to_vec();
    block[at..at + o].copy_from_slice(&old.checked_add(more)?.to_le_bytes()[..o]);
    if sum.is_some() {
        block.extend(checksum(&block).to_le_bytes());
    }
    Some((file.base, block))
}

/// Part of a header of version 2, as it grows.
struct Block {
    bytes: Vec<u8>,
    /// Whether messages have a place in the order of creation.
    ordered: bool,
}

impl Block {
    fn put(&mut self, message: &Message) -> Option<()> {
        self.bytes.push(u8::try_from(message.kind).ok()?);
        self.bytes.extend(u16::try_from(message.bytes.len()).ok()?.to_le_bytes());
        self.bytes.push(message.flags);
        if self.ordered {
            self.bytes.extend(message.order.to_le_bytes());
        }
        self.bytes.extend(&message.bytes);
        Some(())
    }

    fn summed(mut self) -> Vec<u8> {
        self.bytes.extend(checksum(&self.bytes).to_le_bytes());
        self.bytes
    }
}

fn plain(kind: u16, bytes: Vec<u8>) -> Message {
    Message { kind, flags: 0, order: 0, bytes }
}

/// Jenkins' lookup3, the checksum of metadata (HDF5 specification, VI: `hashlittle` from zero).
fn checksum(bytes: &[u8]) -> u32 {
    let begin = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (begin, begin, begin);
    let word = |part: &[u8]| {
        let mut four = [0; 4];
        four[..part.len()].copy_from_slice(part);
        u32::from_le_bytes(four)
    };
    let mut rest = bytes;
    while rest.len() > 12 {
        a = a.wrapping_add(word(&rest[..4]));
        b = b.wrapping_add(word(&rest[4..8]));
        c = c.wrapping_add(word(&rest[8..12]));
        for (turn, x) in [(4, 0), (6, 1), (8, 2), (16, 0), (19, 1), (4, 2)] {
            let (p, q, r) = match x {
                0 => (&mut a, &mut c, b),
                1 => (&mut b, &mut a, c),
                _ => (&mut c, &mut b, a),
            };
            *p = p.wrapping_sub(*q) ^ q.rotate_left(turn);
            *q = q.wrapping_add(r);
        }
        rest = &rest[12..];
    }
    if rest.is_empty() {
        return c;
    }
    let part = |from: usize| word(&rest[from.min(rest.len())..(from + 4).min(rest.len())]);
    a = a.wrapping_add(part(0));
    b = b.wrapping_add(part(4));
    c = c.wrapping_add(part(8));
    let turn = |x: u32, y: u32, n: u32| (x ^ y).wrapping_sub(y.rotate_left(n));
    c = turn(c, b, 14);
    a = turn(a, c, 11);
    b = turn(b, a, 25);
    c = turn(c, b, 16);
    a = turn(a, c, 4);
    b = turn(b, a, 14);
    turn(c, b, 24)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_checksum_is_lookup3() {
        // Values of Bob Jenkins' own driver (lookup3.c, driver5).
        assert_eq!(checksum(b""), 0xdead_beef);
        assert_eq!(checksum(b"Four score and seven years ago"), 0x1777_0551);
    }
}
