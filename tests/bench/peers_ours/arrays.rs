//! Arrays in `.npy` files, little-endian and in rows, as numpy reads and writes them.

use std::fs;
use std::path::Path;

use ndarray::{Array1, Array2, ArrayView2};

/// The shape and the bytes of an array whose numbers are `kind` (`<f8`, `<f4`, `<i4`, `<i8`).
fn read(path: &Path, kind: &str) -> (Vec<usize>, Vec<u8>) {
    let mut bytes = fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"), "{}: not .npy, version 1", path.display());
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..start].to_vec()).unwrap();
    assert!(header.contains(kind), "{}: {header}, not {kind}", path.display());
    assert!(header.contains("'fortran_order': False"), "{}: in columns", path.display());
    let inside = header.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape = inside.split(',').filter_map(|word| word.trim().parse().ok()).collect();
    bytes.drain(..start);
    (shape, bytes)
}

fn numbers<T, const N: usize>(bytes: &[u8], of: fn([u8; N]) -> T) -> Vec<T> {
    bytes.chunks_exact(N).map(|part| of(part.try_into().unwrap())).collect()
}

pub(crate) fn floats(path: &Path) -> Vec<f32> {
    numbers(&read(path, "<f4").1, f32::from_le_bytes)
}

pub(crate) fn indices(path: &Path) -> Vec<u32> {
    numbers(&read(path, "<i4").1, u32::from_le_bytes)
}

pub(crate) fn offsets(path: &Path) -> Vec<usize> {
    numbers(&read(path, "<i8").1, |bytes| u64::from_le_bytes(bytes) as usize)
}

/// Points in double precision, one a row.
pub(crate) fn points(path: &Path) -> Array2<f64> {
    let (shape, bytes) = read(path, "<f8");
    Array2::from_shape_vec((shape[0], shape[1]), numbers(&bytes, f64::from_le_bytes)).unwrap()
}

fn write(path: &Path, kind: &str, shape: &str, bytes: impl Iterator<Item = u8>) {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    let width = (10 + header.len() + 1).next_multiple_of(64) - 11;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(((width + 1) as u16).to_le_bytes());
    file.extend(format!("{header:<width$}\n").bytes());
    file.extend(bytes);
    fs::write(path, file).unwrap();
}

pub(crate) fn write_table(path: &Path, values: ArrayView2<'_, f64>) {
    let shape = format!("{}, {}", values.nrows(), values.ncols());
    write(path, "<f8", &shape, values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(crate) fn write_indices(path: &Path, values: ArrayView2<'_, u32>) {
    let shape = format!("{}, {}", values.nrows(), values.ncols());
    write(path, "<u4", &shape, values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(crate) fn write_row(path: &Path, values: &Array1<f64>) {
    let shape = format!("{},", values.len());
    write(path, "<f8", &shape, values.iter().flat_map(|value| value.to_le_bytes()));
}
