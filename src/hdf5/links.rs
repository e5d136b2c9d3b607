//! Links of groups: their names, and the addresses or paths to which they lead.

use std::collections::BTreeMap;

use crate::bytes::integer;
use crate::dense_links::{LinkInfo, dense_links};
use crate::file::File;
use crate::group::Group;
use crate::object_header::{LINK, LINK_INFO, SYMBOL_TABLE, messages};

/// Nodes of one group's B-tree that are read at most.
const MOST_NODES: usize = 100_000;

/// Where a name in a group leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// The address of an object, from the base of the file.
    Hard(u64),
    /// The path of an object.
    Soft(String),
}

/// The soft links in a group with their targets; none if the group is corrupt.
pub(crate) fn soft_links(group: &Group) -> BTreeMap<String, String> {
    let links =
        address_of(group.file(), group.path()).and_then(|address| links(group.file(), address));
    links
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, link)| match link {
            Link::Soft(target) => Some((name, target)),
            Link::Hard(_) => None,
        })
        .collect()
}

/// The names in a group that lead to objects of this file, sorted.
pub(crate) fn names(group: &Group) -> Option<Vec<String>> {
    let address = address_of(group.file(), group.path())?;
    Some(links(group.file(), address)?.into_keys().collect())
}

/// The address of the object at `path`, through hard links.
pub(crate) fn address_of(file: &File, path: &str) -> Option<u64> {
    let mut address = file.root;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        match links(file, address)?.remove(name)? {
            Link::Hard(next) => address = next,
            Link::Soft(_) => return None,
        }
    }
    Some(address)
}

/// The links of the group at `address`; none of what is no group.
pub(crate) fn links(file: &File, address: u64) -> Option<BTreeMap<String, Link>> {
    let mut found = BTreeMap::new();
    for message in messages(file, address)? {
        match message.kind {
            LINK_INFO => {
                let info = LinkInfo::parse(file, &message.bytes)?;
                if info.is_dense(file) {
                    for bytes in dense_links(file, info)? {
                        found.extend(link(file, &bytes));
                    }
                }
            }
            LINK => {
                if let Some((name, link)) = link(file, &message.bytes) {
                    found.insert(name, link);
                }
            }
            SYMBOL_TABLE => symbol_table(file, &message.bytes, &mut found)?,
            _ => {}
        }
    }
    Some(found)
}

/// A link message (HDF5 specification, IV.A.2.g).
fn link(file: &File, bytes: &[u8]) -> Option<(String, Link)> {
    let flags = *bytes.get(1)?;
    let mut at = 2;
    let mut kind = 0;
    if flags & 8 != 0 {
        kind = *bytes.get(at)?;
        at += 1;
    }
    if flags & 4 != 0 {
        at += 8;
    }
    if flags & 16 != 0 {
        at += 1;
    }
    let n_size = 1 << (flags & 3);
    let length = usize::try_from(integer(bytes.get(at..at + n_size)?)).ok()?;
    at += n_size;
    let name = String::from_utf8_lossy(bytes.get(at..at.checked_add(length)?)?).into_owned();
    at += length;
    match kind {
        0 => Some((name, Link::Hard(integer(bytes.get(at..at + file.offset_size)?)))),
        1 => {
            let length = integer(bytes.get(at..at + 2)?) as usize;
            let target = bytes.get(at + 2..at + 2 + length)?;
            Some((name, Link::Soft(String::from_utf8_lossy(target).into_owned())))
        }
        _ => None,
    }
}

/// A group of the old format: a B-tree of symbol nodes, and a heap with the names (III.A.1, III.B
/// to III.D).
fn symbol_table(file: &File, message: &[u8], found: &mut BTreeMap<String, Link>) -> Option<()> {
    let (n_offset, n_length) = (file.offset_size, file.length_size);
    let tree = integer(message.get(..n_offset)?);
    let heap = file.base.checked_add(integer(message.get(n_offset..2 * n_offset)?))?;
    let head = file.read_at(heap, 8 + 2 * n_length + n_offset)?;
    if &head[..4] != b"HEAP" {
        return None;
    }
    let size = usize::try_from(integer(&head[8..8 + n_length])).ok()?;
    let data = file.base.checked_add(integer(&head[8 + 2 * n_length..]))?;
    let names = file.read_at(data, size)?;
    let text = |offset: u64| {
        let rest = names.get(usize::try_from(offset).ok()?..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let mut pending = vec![tree];
    for _ in 0..MOST_NODES {
        let Some(address) = pending.pop() else { return Some(()) };
        let start = file.base.checked_add(address)?;
        let head = file.read_at(start, 8)?;
        let n = integer(&head[6..8]) as usize;
        if &head[..4] == b"TREE" {
            // Two siblings, then a key before each child.
            let body = file.read_at(start + 8, 2 * n_offset + n * (n_length + n_offset))?;
            for entry in body[2 * n_offset..].chunks_exact(n_length + n_offset) {
                pending.push(integer(&entry[n_length..]));
            }
        } else if &head[..4] == b"SNOD" {
            let n_entry = 2 * n_offset + 24;
            for entry in file.read_at(start + 8, n * n_entry)?.chunks_exact(n_entry) {
                let name = text(integer(&entry[..n_offset]))?;
                let rest = &entry[2 * n_offset..];
                let link = match integer(&rest[..4]) {
                    2 => Link::Soft(text(integer(&rest[8..12]))?),
                    _ => Link::Hard(integer(&entry[n_offset..2 * n_offset])),
                };
                found.insert(name, link);
            }
        } else {
            return None;
        }
    }
    None
}
