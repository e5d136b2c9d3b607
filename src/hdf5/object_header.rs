//! Messages of object headers, which say what an object is and where its data or links are.

use crate::bytes::integer;
use crate::file::File;

/// Messages and blocks read from one header at most; real headers have a few dozen.
const MOST: usize = 10_000;

/// Types of messages (HDF5 specification, IV.A.2).
pub(crate) const NIL: u16 = 0x00;
pub(crate) const LINK_INFO: u16 = 0x02;
pub(crate) const OLD_FILL_VALUE: u16 = 0x04;
pub(crate) const FILL_VALUE: u16 = 0x05;
pub(crate) const LINK: u16 = 0x06;
pub(crate) const LAYOUT: u16 = 0x08;
pub(crate) const GROUP_INFO: u16 = 0x0a;
pub(crate) const CONTINUATION: u16 = 0x10;
pub(crate) const SYMBOL_TABLE: u16 = 0x11;

/// One message of an object header.
pub(crate) struct Message {
    /// Its type, such as [`LAYOUT`].
    pub(crate) kind: u16,
    /// Bit 1: the message is kept elsewhere, and `bytes` refers to it.
    pub(crate) flags: u8,
    /// Its place in the order of creation, 0 if the header does not keep it.
    pub(crate) order: u16,
    /// Its content.
    pub(crate) bytes: Vec<u8>,
}

/// The messages of the object at `address` (from the base of the file), with those in continuation blocks; `None`
/// if there is no valid header (HDF5 specification, IV.A.1). Checksums are not compared.
pub(crate) fn messages(file: &File, address: u64) -> Option<Vec<Message>> {
    let start = file.base.checked_add(address)?;
    let head = file.read_at(start, 16)?;
    let mut found = Vec::new();
    if &head[..4] == b"OHDR" {
        let flags = head[5];
        let times = if flags & 0x20 == 0 { 0 } else { 16 };
        let phases = if flags & 0x10 == 0 { 0 } else { 4 };
        let n_size = 1 << (flags & 3);
        let at = 6 + times + phases;
        let prefix = file.read_at(start, at + n_size)?;
        let size = usize::try_from(integer(&prefix[at..])).ok()?;
        let block = file.read_at(start.checked_add((at + n_size) as u64)?, size)?;
        collect(file, &block, Version::Two { ordered: flags & 4 != 0 }, &mut found)?;
    } else if head[0] == 1 {
        let size = usize::try_from(integer(&head[8..12])).ok()?;
        let block = file.read_at(start.checked_add(16)?, size)?;
        collect(file, &block, Version::One, &mut found)?;
    } else {
        return None;
    }
    Some(found)
}

#[derive(Clone, Copy)]
enum Version {
    One,
    /// Whether each message has a creation order.
    Two {
        ordered: bool,
    },
}

fn collect(file: &File, block: &[u8], version: Version, found: &mut Vec<Message>) -> Option<()> {
    let (n_offset, n_length) = (file.offset_size, file.length_size);
    let mut blocks = vec![block.to_vec()];
    let mut n_blocks = 0;
    while let Some(block) = blocks.pop() {
        n_blocks += 1;
        let mut at = 0;
        while let Some((message, end)) = message(&block, at, version) {
            at = end;
            if found.len() >= MOST || n_blocks >= MOST {
                return None;
            }
            if message.kind != CONTINUATION {
                found.push(message);
                continue;
            }
            let place = message.bytes.get(..n_offset + n_length)?;
            let start = file.base.checked_add(integer(&place[..n_offset]))?;
            let length = usize::try_from(integer(&place[n_offset..])).ok()?;
            let next = file.read_at(start, length)?;
            blocks.push(match version {
                Version::One => next,
                // "OCHK" before, a checksum behind.
                Version::Two { .. } => next.get(4..length.checked_sub(4)?)?.to_vec(),
            });
        }
    }
    Some(())
}

/// The message at `at` and where the next one starts; `None` at the end.
fn message(block: &[u8], at: usize, version: Version) -> Option<(Message, usize)> {
    let (kind, size, flags, n_head) = match version {
        Version::One => {
            let head = block.get(at..at + 8)?;
            (integer(&head[..2]) as u16, integer(&head[2..4]) as usize, head[4], 8)
        }
        Version::Two { ordered } => {
            let head = block.get(at..at + 4)?;
            let n_head = if ordered { 6 } else { 4 };
            (u16::from(head[0]), integer(&head[1..3]) as usize, head[3], n_head)
        }
    };
    let order = match version {
        Version::Two { ordered: true } => integer(block.get(at + 4..at + 6)?) as u16,
        _ => 0,
    };
    let bytes = block.get(at + n_head..at + n_head + size)?.to_vec();
    Some((Message { kind, flags, order, bytes }, at + n_head + size))
}
