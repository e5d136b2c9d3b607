//! Undoes the filters of chunks: deflate, shuffle, Fletcher-32, LZF and those of third parties.

use flate2::{Decompress, FlushDecompress, Status};
use hdf5_pure::Filter;

use crate::third_party;

const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;
const SZIP: u16 = 4;
const NBIT: u16 = 5;
const SCALE_OFFSET: u16 = 6;
const LZF: u16 = 32_000;
const BLOSC: u16 = 32_001;
const LZ4: u16 = 32_004;
const BITSHUFFLE: u16 = 32_008;
const ZSTD: u16 = 32_015;
const KNOWN: [u16; 8] = [DEFLATE, SHUFFLE, FLETCHER32, LZF, BLOSC, LZ4, BITSHUFFLE, ZSTD];

/// Whether [`undo`] knows all filters.
pub(crate) fn all_known(filters: &[Filter]) -> bool {
    filters.iter().all(|filter| KNOWN.contains(&filter.id))
}

/// The first filter that neither [`undo`] nor hdf5-pure knows.
pub(crate) fn first_unknown(filters: &[Filter]) -> Option<&Filter> {
    let known = |id| KNOWN.contains(&id) || matches!(id, SZIP | NBIT | SCALE_OFFSET);
    filters.iter().find(|filter| !known(filter.id))
}

/// The name under which a filter is registered.
pub(crate) fn name(filter: &Filter) -> String {
    match filter.id {
        DEFLATE => "gzip".into(),
        SHUFFLE => "shuffle".into(),
        FLETCHER32 => "fletcher32".into(),
        SZIP => "szip".into(),
        NBIT => "nbit".into(),
        SCALE_OFFSET => "scaleoffset".into(),
        LZF => "lzf".into(),
        BLOSC => "blosc".into(),
        LZ4 => "lz4".into(),
        BITSHUFFLE => "bitshuffle".into(),
        32_013 => "zfp".into(),
        ZSTD => "zstd".into(),
        32_026 => "blosc2".into(),
        id => filter.name.clone().unwrap_or_else(|| format!("filter {id}")),
    }
}

/// Undoes `filters` (listed as applied, those set in `mask` were skipped) on one chunk whose
/// elements have `element_size` bytes and which has `length` bytes in all.
///
/// At most `length` bytes (and a checksum) are ever allocated per step. Errors say what is wrong
/// with the chunk.
pub(crate) fn undo(
    filters: &[Filter],
    mask: u32,
    element_size: usize,
    length: usize,
    mut bytes: Vec<u8>,
) -> Result<Vec<u8>, String> {
    // Fletcher-32 adds four bytes to whatever comes before it.
    let most = length + 4 * filters.len();
    for (place, filter) in filters.iter().enumerate().rev() {
        if place < 32 && mask & (1 << place) != 0 {
            continue;
        }
        bytes = match filter.id {
            DEFLATE => inflate(&bytes, most)?,
            SHUFFLE => {
                let size = filter.client_data.first().map_or(element_size, |&size| size as usize);
                unshuffle(&bytes, size)
            }
            FLETCHER32 => check_sum(bytes)?,
            LZF => unpack_lzf(&bytes, most)?,
            BLOSC => third_party::blosc(&bytes, most)?,
            LZ4 => third_party::lz4(&bytes, most)?,
            BITSHUFFLE => third_party::bitshuffle(&bytes, &filter.client_data, most)?,
            ZSTD => third_party::zstd(&bytes, most)?,
            _ => return Err(format!("filter {} is not supported", name(filter))),
        };
    }
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(format!("a chunk has {} bytes, expected {length}", bytes.len()))
    }
}

/// One zlib stream of at most `most` bytes.
pub(crate) fn inflate(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(most);
    let status = Decompress::new(true).decompress_vec(bytes, &mut out, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd) => Ok(out),
        _ => Err("a gzip chunk is corrupt".into()),
    }
}

/// Bytes of equal significance lie together; puts them back into elements.
pub(crate) fn unshuffle(bytes: &[u8], size: usize) -> Vec<u8> {
    let n = bytes.len().checked_div(size).unwrap_or(0);
    let mut out = vec![0; bytes.len()];
    match size {
        4 => interleave::<4>(bytes, n, &mut out),
        8 => interleave::<8>(bytes, n, &mut out),
        2 => interleave::<2>(bytes, n, &mut out),
        _ => {
            for (place, plane) in bytes[..n * size].chunks_exact(n.max(1)).enumerate() {
                for (i, &byte) in plane.iter().enumerate() {
                    out[i * size + place] = byte;
                }
            }
        }
    }
    // Bytes at the end that do not fill an element are not shuffled.
    out[n * size..].copy_from_slice(&bytes[n * size..]);
    out
}

fn interleave<const SIZE: usize>(bytes: &[u8], n: usize, out: &mut [u8]) {
    let planes: [&[u8]; SIZE] = std::array::from_fn(|place| &bytes[place * n..(place + 1) * n]);
    for (i, element) in out.chunks_exact_mut(SIZE).enumerate() {
        for (byte, plane) in element.iter_mut().zip(planes) {
            *byte = plane[i];
        }
    }
}

/// Checks and removes the four bytes of the Fletcher-32 checksum (HDF5 specification, IV.A.2.l;
/// sums of big-endian words modulo 65535).
fn check_sum(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let Some(length) = bytes.len().checked_sub(4) else {
        return Err("a chunk is shorter than its checksum".into());
    };
    let stored = [bytes[length], bytes[length + 1], bytes[length + 2], bytes[length + 3]];
    bytes.truncate(length);
    let (mut low, mut high) = (0_u64, 0_u64);
    for block in bytes.chunks(720) {
        for pair in block.chunks(2) {
            let second = pair.get(1).copied().unwrap_or(0);
            low += u64::from(u16::from_be_bytes([pair[0], second]));
            high += low;
        }
        low = (low & 0xffff) + (low >> 16);
        high = (high & 0xffff) + (high >> 16);
    }
    let fold = |mut sum: u64| {
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u32
    };
    if u32::from_le_bytes(stored) == (fold(high) << 16 | fold(low)) {
        Ok(bytes)
    } else {
        Err("a chunk does not match its checksum".into())
    }
}

/// LZF: a control byte below 32 is followed by that many literals plus one; any other holds the
/// length (3 bits, 7 means one more byte follows) and distance (13 bits) of a copy.
fn unpack_lzf(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let corrupt = || "an LZF chunk is corrupt".to_string();
    let mut out = Vec::with_capacity(most);
    let mut at = 0;
    let mut next = || {
        let byte = bytes.get(at).copied();
        at += 1;
        byte
    };
    // Literals are short (at most 32), so byte by byte is fast enough.
    while let Some(control) = next() {
        if control < 32 {
            for _ in 0..=control {
                out.push(next().ok_or_else(corrupt)?);
            }
        } else {
            let mut length = usize::from(control >> 5);
            if length == 7 {
                length += usize::from(next().ok_or_else(corrupt)?);
            }
            let low = usize::from(next().ok_or_else(corrupt)?);
            let distance = (usize::from(control & 31) << 8 | low) + 1;
            let start = out.len().checked_sub(distance).ok_or_else(corrupt)?;
            if out.len() + length + 2 > most {
                return Err(corrupt());
            }
            for place in start..start + length + 2 {
                out.push(out[place]);
            }
        }
        if out.len() > most {
            return Err(corrupt());
        }
    }
    Ok(out)
}
