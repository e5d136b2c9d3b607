//! Undoes filters that are not part of HDF5 but common with hdf5plugin: zstd, LZ4, bitshuffle, Blosc.
//!
//! Formats: <https://github.com/HDFGroup/hdf5_plugins> (docs of LZ4 and zstd),
//! <https://github.com/kiyo-masui/bitshuffle> and
//! <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>. Sizes in the data are
//! checked against the size of the chunk before anything is allocated.

use crate::bytes::integer;
use crate::filters::{inflate, unshuffle};

/// The bytes, or the problem in words.
type Unpacked = Result<Vec<u8>, String>;

/// One zstd frame of at most `most` bytes.
pub(crate) fn zstd(bytes: &[u8], most: usize) -> Unpacked {
    zstd::bulk::decompress(bytes, most).map_err(|_| "a zstd chunk is corrupt".into())
}

/// LZ4 blocks: their total and single size (big-endian), then each block with its packed size.
pub(crate) fn lz4(bytes: &[u8], most: usize) -> Unpacked {
    let corrupt = || "an LZ4 chunk is corrupt".to_string();
    let mut reader = Reader { bytes, at: 0 };
    let total = reader.big(8).filter(|&total| total <= most).ok_or_else(corrupt)?;
    let block = reader.big(4).filter(|&block| block > 0).ok_or_else(corrupt)?;
    let mut out = Vec::with_capacity(total);
    while out.len() < total {
        let length = block.min(total - out.len());
        let packed = reader.big(4).ok_or_else(corrupt)?;
        let packed = reader.take(packed).ok_or_else(corrupt)?;
        out.extend(lz4_block(packed, length)?);
    }
    Ok(out)
}

/// Bitshuffle, alone or over LZ4 or zstd, as `parameters` of the filter say.
pub(crate) fn bitshuffle(bytes: &[u8], parameters: &[u32], most: usize) -> Unpacked {
    let corrupt = || "a bitshuffle chunk is corrupt".to_string();
    let parameter = |place: usize| parameters.get(place).map_or(0, |&value| value as usize);
    let size = parameter(2);
    if size == 0 {
        return Err(corrupt());
    }
    let codec = parameter(4);
    if codec == 0 {
        let block = if parameter(3) == 0 { default_block(size) } else { parameter(3) };
        return Ok(bytes
            .chunks((block * size).max(1))
            .flat_map(|b| unshuffle_bits(b, size))
            .collect());
    }
    let mut reader = Reader { bytes, at: 0 };
    let total = reader.big(8).filter(|&total| total <= most).ok_or_else(corrupt)?;
    let block = reader.big(4).filter(|&block| block >= 8 * size).ok_or_else(corrupt)?;
    let mut out = Vec::with_capacity(total);
    while total - out.len() >= 8 * size {
        // Whole groups of eight elements; what is left over follows as it is.
        let length = block.min((total - out.len()) / (8 * size) * (8 * size));
        let packed = reader.big(4).ok_or_else(corrupt)?;
        let packed = reader.take(packed).ok_or_else(corrupt)?;
        let shuffled = match codec {
            2 => lz4_block(packed, length)?,
            3 => zstd(packed, length)?,
            _ => return Err(format!("bitshuffle with codec {codec} is not supported")),
        };
        if shuffled.len() != length {
            return Err(corrupt());
        }
        out.extend(unshuffle_bits(&shuffled, size));
    }
    let rest = total - out.len();
    out.extend_from_slice(reader.take(rest).ok_or_else(corrupt)?);
    Ok(out)
}

/// Blosc 1: a header, the starts of the blocks, and in each block one or more packed streams.
pub(crate) fn blosc(bytes: &[u8], most: usize) -> Unpacked {
    let corrupt = || "a Blosc chunk is corrupt".to_string();
    let head = bytes.get(..16).ok_or_else(corrupt)?;
    let (flags, size) = (head[2], usize::from(head[3]).max(1));
    let total = integer(&head[4..8]) as usize;
    let block = integer(&head[8..12]) as usize;
    if total > most || (block == 0 && total > 0) {
        return Err(corrupt());
    }
    if flags & 2 != 0 {
        return Ok(bytes.get(16..16 + total).ok_or_else(corrupt)?.to_vec());
    }
    let mut out = Vec::with_capacity(total);
    let mut k = 0;
    while out.len() < total {
        let length = block.min(total - out.len());
        let start = bytes.get(16 + 4 * k..20 + 4 * k).ok_or_else(corrupt)?;
        let mut reader = Reader { bytes, at: integer(start) as usize };
        let split = flags & 16 == 0 && size <= 16 && block / size >= 128 && length == block;
        let n_streams = if split { size } else { 1 };
        let mut shuffled = Vec::with_capacity(length);
        for _ in 0..n_streams {
            let n = length / n_streams;
            let packed = reader.little(4).ok_or_else(corrupt)?;
            let packed = reader.take(packed).ok_or_else(corrupt)?;
            if packed.len() == n {
                shuffled.extend_from_slice(packed);
                continue;
            }
            shuffled.extend(match flags >> 5 {
                1 => lz4_block(packed, n)?,
                3 => inflate(packed, n)?,
                4 => zstd(packed, n)?,
                0 => return Err("Blosc with the codec blosclz is not supported".into()),
                codec => return Err(format!("Blosc with codec {codec} is not supported")),
            });
        }
        if shuffled.len() != length {
            return Err(corrupt());
        }
        out.extend(match flags & 5 {
            1 if size > 1 => unshuffle(&shuffled, size),
            // A block that is not made of groups of eight elements is left as it is.
            4 if (length / size).is_multiple_of(8) => unshuffle_bits(&shuffled, size),
            _ => shuffled,
        });
        k += 1;
    }
    Ok(out)
}

/// One LZ4 block of exactly `length` bytes; as long as that, it was stored as it is.
fn lz4_block(packed: &[u8], length: usize) -> Unpacked {
    if packed.len() == length {
        return Ok(packed.to_vec());
    }
    let corrupt = || "an LZ4 block is corrupt".to_string();
    let size = i32::try_from(length).map_err(|_| corrupt())?;
    let out = lz4::block::decompress(packed, Some(size)).map_err(|_| corrupt())?;
    if out.len() == length { Ok(out) } else { Err(corrupt()) }
}

/// Elements of a block if the filter does not say.
fn default_block(size: usize) -> usize {
    (8192 / size / 8 * 8).max(128)
}

/// Bit `b` of every element lie together, eight elements to a byte, the first in the lowest bit.
/// Elements beyond a multiple of eight are left as they are.
fn unshuffle_bits(bytes: &[u8], size: usize) -> Vec<u8> {
    let n = bytes.len() / size / 8 * 8;
    let mut out = vec![0; bytes.len()];
    for (bit, plane) in bytes[..n * size].chunks_exact((n / 8).max(1)).enumerate() {
        for (group, &eight) in plane.iter().enumerate() {
            for i in 0..8 {
                out[(group * 8 + i) * size + bit / 8] |= (eight >> i & 1) << (bit % 8);
            }
        }
    }
    out[n * size..].copy_from_slice(&bytes[n * size..]);
    out
}

/// Reads forward through bytes.
struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(n)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn little(&mut self, n: usize) -> Option<usize> {
        self.take(n).and_then(|bytes| usize::try_from(integer(bytes)).ok())
    }

    fn big(&mut self, n: usize) -> Option<usize> {
        let bytes = self.take(n)?;
        let value = bytes.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).ok()
    }
}
