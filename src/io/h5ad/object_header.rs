//! Messages of an object header, for the few things the HDF5 crate does not tell.

use crate::io::h5ad::hdf5::Container;
use crate::io::h5ad::text::integer;

/// Messages and blocks read from one header at most; real headers have a few dozen.
const MOST: usize = 10_000;

pub(super) const CONTINUATION: u16 = 0x10;

/// One message: its type, its flags, its place in the order of creation, its bytes.
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) flags: u8,
    pub(super) order: u16,
    pub(super) bytes: Vec<u8>,
}

/// The messages of the object at `address` (from the base of the file), with those in
/// continuation blocks; `None` if there is no valid header (HDF5 specification, IV.A.1).
pub(super) fn messages(container: &Container, address: u64) -> Option<Vec<Message>> {
    let start = container.base.checked_add(address)?;
    let head = container.read_at(start, 16)?;
    let mut found = Vec::new();
    if &head[..4] == b"OHDR" {
        let flags = head[5];
        let times = if flags & 0x20 == 0 { 0 } else { 16 };
        let phases = if flags & 0x10 == 0 { 0 } else { 4 };
        let n_size = 1 << (flags & 3);
        let at = 6 + times + phases;
        let prefix = container.read_at(start, at + n_size)?;
        let size = usize::try_from(integer(&prefix[at..])).ok()?;
        let block = container.read_at(start.checked_add((at + n_size) as u64)?, size)?;
        collect(container, &block, Version::Two { ordered: flags & 4 != 0 }, &mut found)?;
    } else if head[0] == 1 {
        let size = usize::try_from(integer(&head[8..12])).ok()?;
        let block = container.read_at(start.checked_add(16)?, size)?;
        collect(container, &block, Version::One, &mut found)?;
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

fn collect(
    container: &Container,
    block: &[u8],
    version: Version,
    found: &mut Vec<Message>,
) -> Option<()> {
    let (n_offset, n_length) = (container.offset_size, container.length_size);
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
            let start = container.base.checked_add(integer(&place[..n_offset]))?;
            let length = usize::try_from(integer(&place[n_offset..])).ok()?;
            let next = container.read_at(start, length)?;
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
