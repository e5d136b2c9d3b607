//! Assembles datasets whose chunks were not all written, with the fill value elsewhere.
//!
//! Only for layouts that `hdf5-pure` does not know; it reads all others.

use crate::bytes::integer;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::layout::Chunk;
use crate::object_header::{FILL_VALUE, Message, OLD_FILL_VALUE};
use crate::storage::unpack;

/// Bit of a message's flags: the header holds a reference to the message.
const SHARED: u8 = 2;

/// Writes the elements of `dataset`, of any number of dimensions, into `out`, which is all zeros and has
/// exactly their bytes. Elements of chunks that are not among `chunks` have the fill value.
///
/// # Errors
/// [`crate::Problem::Object`] if a chunk or the fill value is corrupt.
pub(crate) fn assemble(
    dataset: &Dataset,
    chunk_shape: &[u64],
    chunks: &[Chunk],
    out: &mut [u8],
) -> Result<()> {
    let size = dataset.element_size();
    let fill = dataset.fill_value();
    let fill = fill.ok_or_else(|| dataset.error("its fill value is corrupt"))?;
    if fill.iter().any(|&byte| byte != 0) {
        out.chunks_exact_mut(size).for_each(|element| element.copy_from_slice(&fill));
    }
    let filters = dataset.filters();
    let chunk_shape: Vec<usize> = chunk_shape.iter().map(|&length| length as usize).collect();
    let length = chunk_shape.iter().product::<usize>() * size;
    for chunk in chunks {
        let bytes = unpack(dataset, &filters, chunk, length)?;
        let first: Vec<usize> = chunk.offset.iter().map(|&at| at as usize).collect();
        Block { chunk_shape: &chunk_shape, first: &first, bytes: &bytes }.put(
            dataset.shape(),
            size,
            out,
        );
    }
    Ok(())
}

/// A chunk with its place in a dataset.
struct Block<'b> {
    chunk_shape: &'b [usize],
    /// Its first element along each dimension.
    first: &'b [usize],
    bytes: &'b [u8],
}

impl Block<'_> {
    /// Copies what is inside of `shape` to its place in `out`, line by line of the last dimension.
    fn put(&self, shape: &[usize], size: usize, out: &mut [u8]) {
        let n = shape.len();
        let (Some(&line), Some(&last)) = (self.chunk_shape.last(), self.first.last()) else {
            return;
        };
        let Some(left) = shape[n - 1].checked_sub(last) else { return };
        let width = line.min(left) * size;
        for (k, bytes) in self.bytes.chunks_exact(line * size).enumerate() {
            let (mut rest, mut at, mut step, mut inside) = (k, last, shape[n - 1], true);
            for dimension in (0..n - 1).rev() {
                let place = self.first[dimension] + rest % self.chunk_shape[dimension];
                rest /= self.chunk_shape[dimension];
                inside &= place < shape[dimension];
                at += place * step;
                step *= shape[dimension];
            }
            if inside {
                out[at * size..at * size + width].copy_from_slice(&bytes[..width]);
            }
        }
    }
}

/// The fill value that the messages of a header name, zeros if they name none (IV.A.2.e and f); `None` if it
/// is corrupt or kept elsewhere.
pub(crate) fn fill_value(messages: &[Message], element_size: usize) -> Option<Vec<u8>> {
    let zeros = || Some(vec![0; element_size]);
    let newest = messages.iter().find(|message| message.kind == FILL_VALUE);
    let found = newest.or_else(|| messages.iter().find(|of| of.kind == OLD_FILL_VALUE));
    let Some(Message { kind, flags, bytes, .. }) = found else { return zeros() };
    if flags & SHARED != 0 {
        return None;
    }
    let (is_defined, at) = match (*kind, bytes.first()) {
        (OLD_FILL_VALUE, _) => (true, 0),
        (_, Some(1)) => (true, 4),
        (_, Some(2)) => (*bytes.get(3)? != 0, 4),
        (_, Some(3)) => (bytes.get(1)? & 0x20 != 0, 2),
        _ => return None,
    };
    if !is_defined {
        return zeros();
    }
    let size = usize::try_from(integer(bytes.get(at..at + 4)?)).ok()?;
    match size {
        0 => zeros(),
        _ if size == element_size => bytes.get(at + 4..at + 4 + size).map(<[u8]>::to_vec),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_at_the_edges_of_a_dataset() {
        // Chunks of 2 × 2 × 2 in an array of 2 × 3 × 3; the second along both last dimensions.
        let bytes: Vec<u8> = (1..=8).collect();
        let mut out = [0; 18];
        let block = Block { chunk_shape: &[2, 2, 2], first: &[0, 2, 2], bytes: &bytes };
        block.put(&[2, 3, 3], 1, &mut out);
        let mut expected = [0; 18];
        (expected[8], expected[17]) = (1, 5);
        assert_eq!(out, expected);
    }

    #[test]
    fn every_version_of_the_fill_value_is_read() {
        let value = |kind, bytes: &[u8]| {
            let message = Message { kind, flags: 0, order: 0, bytes: bytes.to_vec() };
            fill_value(&[message], 2)
        };
        assert_eq!(value(FILL_VALUE, &[3, 0x2a, 2, 0, 0, 0, 7, 8]), Some(vec![7, 8]));
        assert_eq!(value(FILL_VALUE, &[3, 0x0a]), Some(vec![0, 0]));
        assert_eq!(value(FILL_VALUE, &[2, 2, 2, 1, 2, 0, 0, 0, 7, 8]), Some(vec![7, 8]));
        assert_eq!(value(FILL_VALUE, &[2, 2, 2, 0]), Some(vec![0, 0]));
        assert_eq!(value(FILL_VALUE, &[1, 2, 2, 1, 0, 0, 0, 0]), Some(vec![0, 0]));
        assert_eq!(value(OLD_FILL_VALUE, &[2, 0, 0, 0, 7, 8]), Some(vec![7, 8]));
        assert_eq!(value(FILL_VALUE, &[3, 0x2a, 9, 0, 0, 0, 7, 8]), None);
        assert_eq!(value(FILL_VALUE, &[3, 0x2a, 2, 0, 0, 0, 7]), None);
        assert_eq!(value(FILL_VALUE, &[9]), None);
        assert_eq!(fill_value(&[], 2), Some(vec![0, 0]));
    }
}
