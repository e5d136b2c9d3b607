//! The bytes of a file, read at any place by any thread, and little-endian integers in them.

use std::fs::File;
use std::io;

use hdf5_pure::{FormatError, Source};

/// Where the bytes of an open file come from.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file on disk, with its length at the time it was opened.
    Disk { file: File, length: u64 },
    /// A file that is held in memory.
    Memory(Vec<u8>),
}

impl Bytes {
    /// Bytes in the file.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Disk { length, .. } => *length,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `buffer` with the bytes from `offset`.
    ///
    /// # Errors
    /// The system's, or `UnexpectedEof` if the file ends before.
    pub(crate) fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Disk { file, .. } => read_exact_at(file, offset, buffer),
            Self::Memory(bytes) => {
                let from = usize::try_from(offset).ok();
                let end = from.and_then(|from| from.checked_add(buffer.len()));
                let found = from.zip(end).and_then(|(from, end)| bytes.get(from..end));
                let found = found.ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer.copy_from_slice(found);
                Ok(())
            }
        }
    }
}

/// [`Bytes`] that `hdf5-pure` can own while [`crate::File`] reads them too.
#[derive(Debug)]
pub(crate) struct SharedBytes(pub(crate) std::sync::Arc<Bytes>);

impl Source for SharedBytes {
    fn len(&self) -> u64 {
        self.0.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        self.0.read_exact_at(offset, buffer).map_err(|error| FormatError::Source(error.to_string()))
    }
}

/// Reads without moving the position that other threads share.
#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    let mut done = 0;
    while done < buffer.len() {
        match file.seek_read(&mut buffer[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// A little-endian integer of up to eight bytes.
pub(crate) fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_ends_where_its_bytes_end() {
        let bytes = Bytes::Memory(vec![1, 2, 3]);
        let mut two = [0; 2];
        bytes.read_exact_at(1, &mut two).unwrap();
        assert_eq!(two, [2, 3]);
        assert!(bytes.read_exact_at(2, &mut two).is_err());
        assert!(bytes.read_exact_at(u64::MAX, &mut two).is_err());
    }

    #[test]
    fn integers_are_little_endian() {
        assert_eq!(integer(&[1, 2]), 513);
        assert_eq!(integer(&[]), 0);
        assert_eq!(integer(&[255; 8]), u64::MAX);
    }
}
