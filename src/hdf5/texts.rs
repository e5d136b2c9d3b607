//! Decodes texts, of fixed size or on the global heap.

use std::collections::BTreeMap;

use crate::bytes::integer;
use crate::dataset::Dataset;
use crate::element::Element;
use crate::error::Result;
use crate::file::File;

/// Heap collections remembered; those of one column lie one after another.
const REMEMBERED: usize = 64;

/// Strings at `offset` of each record of `stride` bytes.
///
/// # Errors
/// [`crate::Problem::Object`] if they are not strings, or are not in the file.
pub(crate) fn decode(
    dataset: &Dataset,
    element: &Element,
    bytes: &[u8],
    offset: usize,
    stride: usize,
) -> Result<Vec<String>> {
    let mut heap = Heap::new(dataset);
    let size = match element {
        Element::FixedText { size, .. } => *size,
        Element::HeapText => heap.reference_size(),
        _ => return Err(dataset.error("does not hold text")),
    };
    if stride == 0 || offset.checked_add(size).is_none_or(|end| end > stride) {
        return Err(dataset.error("its strings lie outside their records"));
    }
    let fields = bytes.chunks_exact(stride).map(|record| &record[offset..offset + size]);
    match element {
        Element::FixedText { blanks, .. } => {
            Ok(fields.map(|field| fixed(field, *blanks)).collect())
        }
        _ => fields.map(|reference| heap.string(reference)).collect(),
    }
}

/// A string of fixed size ends at its first NUL; `blanks` that pad it are not part of it.
fn fixed(bytes: &[u8], blanks: bool) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    if blanks { text.trim_end_matches(' ').to_string() } else { text.into_owned() }
}

/// The global heap (HDF5 specification, III.E): collections of numbered objects.
struct Heap<'a> {
    dataset: &'a Dataset,
    collections: BTreeMap<u64, Collection>,
}

struct Collection {
    bytes: Vec<u8>,
    /// Start and length of each object, by its number.
    objects: BTreeMap<u16, (usize, usize)>,
}

impl<'a> Heap<'a> {
    fn new(dataset: &'a Dataset) -> Self {
        Self { dataset, collections: BTreeMap::new() }
    }

    /// A reference is a length (4 bytes), an address and a number (4 bytes).
    fn reference_size(&self) -> usize {
        8 + self.dataset.file().offset_size
    }

    fn string(&mut self, reference: &[u8]) -> Result<String> {
        let n_address = self.dataset.file().offset_size;
        let length = integer(&reference[..4]) as usize;
        let address = integer(&reference[4..4 + n_address]);
        let number = integer(&reference[4 + n_address..]);
        if length == 0 || address == 0 {
            return Ok(String::new());
        }
        if !self.collections.contains_key(&address) {
            let found = Collection::read(self.dataset.file(), address).ok_or_else(|| {
                self.dataset.error(format!("the heap with its strings is corrupt at {address}"))
            })?;
            if self.collections.len() >= REMEMBERED {
                self.collections.pop_first();
            }
            self.collections.insert(address, found);
        }
        let missing = || self.dataset.error(format!("string {number} at {address} is missing"));
        let collection = self.collections.get(&address).ok_or_else(missing)?;
        let object = u16::try_from(number).ok().and_then(|n| collection.objects.get(&n));
        let &(start, size) = object.ok_or_else(missing)?;
        if length > size {
            return Err(missing());
        }
        let bytes = &collection.bytes[start..start + length];
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(length);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

impl Collection {
    /// `None` if there is no valid collection at `address`.
    fn read(file: &File, address: u64) -> Option<Self> {
        let n_length = file.length_size;
        let start = file.base.checked_add(address)?;
        let head = file.read_at(start, 8 + n_length)?;
        if &head[..4] != b"GCOL" {
            return None;
        }
        let size = usize::try_from(integer(&head[8..])).ok()?;
        let bytes = file.read_at(start, size)?;
        let mut objects = BTreeMap::new();
        let mut at = 8 + n_length;
        // An object is its number (2 bytes), a reference count (2), 4 bytes unused, its size and
        // its data, filled up to a multiple of 8. Number 0 is the free space at the end.
        while at + 8 + n_length <= bytes.len() {
            let number = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            let size = usize::try_from(integer(&bytes[at + 8..at + 8 + n_length])).ok()?;
            let start = at + 8 + n_length;
            let end = start.checked_add(size)?;
            if number == 0 {
                break;
            }
            if end > bytes.len() {
                return None;
            }
            objects.insert(number, (start, size));
            at = end.checked_next_multiple_of(8)?;
        }
        Some(Self { bytes, objects })
    }
}
