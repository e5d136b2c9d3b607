//! Reading a sparse matrix from `.h5ad`: against reading its bytes, and against inflating them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};
use sbcell::linalg::Csr;
use sbcell::{Seed, Silent};

use crate::machine::Limit;
use crate::timing::shared;
use crate::{Counted, Line};

/// As many that indices and values, 50 MB each, are new pages whenever they are read.
const N_CELLS: usize = 25_000;
const N_GENES: usize = 2_000;
/// Values per cell.
const N_VALUES: usize = 500;

/// Numbers in a compressed chunk as our writer makes them, and its level.
const CHUNK: usize = 1 << 15;
const LEVEL: u32 = 4;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 17;

/// An element is a stored value: its index and itself, eight bytes.
pub(crate) fn matrix() -> Vec<Line> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let matrix = counts();
    let elements = matrix.n_stored() as f64;
    let size = format!("{N_CELLS} × {N_GENES}, {N_VALUES} in a row");
    let read = |path: &PathBuf| {
        shared(elements, || {
            H5ad::open(path).unwrap().matrix(&MatrixSource::X, &mut Silent).unwrap()
        })
    };

    let path = written(folder, "roofline.h5ad", &matrix, false);
    let bytes = elements * 8.0;
    let bound = Limit::Measured("bytes of the file", plain(&path, elements));
    // Written to a buffer and read, written to the result, which is looked through twice: for
    // order and range of indices, and for NaN.
    let counted = Counted { element: "stored value", flops: 0.0, bytes: 8.0 * 4.0 };
    let whole = Line::new("`H5ad::matrix`, not compressed", &size, counted, bound, read(&path));
    fs::remove_file(&path).unwrap();

    let path = written(folder, "roofline_gzip.h5ad", &matrix, true);
    let chunks = compressed(&matrix);
    let packed: usize = chunks.iter().map(|chunk| chunk.0.len()).sum();
    let bound = Limit::Measured("inflate", inflated(&chunks, elements));
    let size = format!("{size}, {:.1} times smaller", bytes / packed as f64);
    // Also inflated, and unshuffled, to memory that is read again.
    let counted = Counted { element: "stored value", flops: 0.0, bytes: 8.0 * 7.0 };
    let gzip = Line::new("`H5ad::matrix`, gzip", &size, counted, bound, read(&path));
    fs::remove_file(&path).unwrap();
    vec![whole, gzip]
}

/// Counts as skewed as real ones: most are 1.
fn counts() -> Csr {
    let mut random = Seed(0).stream("bench/read_h5ad", 0);
    let step = N_GENES / N_VALUES;
    let (mut indices, mut values) = (Vec::new(), Vec::new());
    for _ in 0..N_CELLS {
        for k in 0..N_VALUES {
            indices.push((k * step + random.random_range(0..step)) as u32);
            values.push((1 + random.next_u32().leading_zeros() / 2) as f32);
        }
    }
    let indptr = (0..=N_CELLS).map(|i| i * N_VALUES).collect();
    Csr::new(N_GENES, indptr, indices, values).unwrap()
}

fn written(folder: &Path, name: &str, matrix: &Csr, gzip: bool) -> PathBuf {
    let path = folder.join(name);
    let names = |prefix: &str, n: usize| -> Vec<String> {
        (0..n).map(|i| format!("{prefix}{i}")).collect()
    };
    let content = H5adContent {
        obs_names: &names("cell", N_CELLS),
        var_names: &names("gene", N_GENES),
        x: Some(MatrixContent::Sparse(matrix)),
        gzip,
        ..Default::default()
    };
    write_h5ad(&path, &content).unwrap();
    path
}

/// Nanoseconds per element to bring the bytes of a file into fresh memory.
fn plain(path: &Path, elements: f64) -> [f64; 2] {
    let length = fs::metadata(path).unwrap().len() as usize;
    shared(elements, || {
        let file = File::open(path).unwrap();
        let mut bytes = vec![0_u8; length];
        bytes.par_chunks_mut(PIECE).enumerate().for_each(|(k, piece)| {
            file.read_exact_at(piece, (k * PIECE) as u64).unwrap();
        });
        bytes
    })
}

/// Indices and values in chunks: bytes of equal significance together, then deflated; with their
/// length.
fn compressed(matrix: &Csr) -> Vec<(Vec<u8>, usize)> {
    let rows = || (0..matrix.n_rows()).map(|i| matrix.row(i));
    let indices: Vec<[u8; 4]> = rows().flat_map(|row| row.0).map(|i| i.to_le_bytes()).collect();
    let values: Vec<[u8; 4]> = rows().flat_map(|row| row.1).map(|x| x.to_le_bytes()).collect();
    let chunks: Vec<&[[u8; 4]]> = indices.chunks(CHUNK).chain(values.chunks(CHUNK)).collect();
    let packed = |chunk: &&[[u8; 4]]| {
        let shuffled: Vec<u8> =
            (0..4).flat_map(|plane| chunk.iter().map(move |bytes| bytes[plane])).collect();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL));
        encoder.write_all(&shuffled).unwrap();
        (encoder.finish().unwrap(), shuffled.len())
    };
    chunks.par_iter().map(packed).collect()
}

/// Nanoseconds per element to inflate all chunks, each over the one before.
fn inflated(chunks: &[(Vec<u8>, usize)], elements: f64) -> [f64; 2] {
    shared(elements, || {
        chunks.par_iter().for_each_init(Vec::new, |out, (bytes, length)| {
            out.clear();
            out.reserve(*length);
            let mut inflate = Decompress::new(true);
            inflate.decompress_vec(bytes, out, FlushDecompress::Finish).unwrap();
            assert_eq!(out.len(), *length, "length of a chunk");
        });
    })
}
