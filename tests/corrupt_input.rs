//! Truncated and altered `.h5ad` files: an answer or an error, never a panic, a hang or an absurd
//! allocation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::path::{Path, PathBuf};

use sbcell::error::Kind;
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::{Error, Result, Silent};

/// One file of each kind: contiguous, chunked with filters, sparse by rows and columns,
/// categorical, records with strings of fixed size and on the heap, the newest HDF5 formats.
const FILES: [&str; 14] = [
    "h5ad-dialects/dense_float32",
    "h5ad-dialects/dense_chunked_odd_shuffle_fletcher",
    "h5ad-dialects/csr_float64_gzip",
    "h5ad-dialects/csc_int64_lzf",
    "h5ad-dialects/dense_f4_blosc",
    "h5ad-dialects/dense_f4_bitshuffle",
    "h5ad-dialects/dense_f4_lz4",
    "h5ad-dialects/nullable_bool_unicode",
    "h5ad-dialects/legacy_06_compound_obs_dense",
    "h5ad-dialects/written_by_anndata_0.6.22.post1_csr",
    "h5ad-dialects/libver_latest",
    "h5ad-storage/latest_chunks",
    "h5ad-storage/latest_csr_grows",
    "h5ad-storage/soft_links_old",
];

fn original(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(format!("{name}.h5ad"))).unwrap()
}

/// Reads all there is; goes on after an error to reach everything. The number of errors.
fn read_everything(path: &Path) -> Result<usize> {
    let file = H5ad::open(path)?;
    let mut errors = Vec::new();
    let mut note = |error: Option<Error>| errors.extend(error);
    note(file.obs_names().err());
    for column in file.obs_columns().unwrap_or_default() {
        note(file.obs(&column).err());
    }
    for source in [MatrixSource::X, MatrixSource::RawX, MatrixSource::Layer("counts".into())] {
        note(file.gene_names(&source).err());
        note(file.matrix_info(&source).err());
        note(file.matrix(&source, &mut Silent).err());
        note(file.matrix_rows(&source, &[0, 2, 3], &mut Silent).err());
        for column in file.var_columns(&source).unwrap_or_default() {
            note(file.var(&source, &column).err());
        }
    }
    note(file.matrices().err());
    for (key, _) in file.obsm_keys().unwrap_or_default() {
        note(file.obsm(&key).err());
    }
    for key in file.uns_keys().unwrap_or_default() {
        note(file.uns_text(&key).err());
    }
    for error in &errors {
        let expected = matches!(error.kind(), Kind::Unreadable | Kind::Usage)
            || matches!(error, Error::Io { .. });
        assert!(expected, "{error}");
    }
    Ok(errors.len())
}

/// The most memory this process ever asked for, in MiB, where the system tells.
fn peak_mib() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? / 1024)
}

fn check_peak(name: &str) {
    /// Threads reserve address space for their stacks and heaps; a file of 60 KB needs nothing.
    const MOST_MIB: usize = 4096;
    if let Some(peak) = peak_mib() {
        assert!(peak < MOST_MIB, "{name}: asked for {peak} MiB");
    }
}

#[test]
fn truncated_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let (bytes, path) = (original(name), folder.path().join("altered.h5ad"));
        std::fs::write(&path, &bytes).unwrap();
        let whole = read_everything(&path).unwrap();
        for length in (0..bytes.len()).step_by(512) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            match read_everything(&path) {
                Err(error) => assert_eq!(error.kind(), Kind::Unreadable, "{name} {length}"),
                Ok(errors) => assert!(errors > whole, "{name}: {length} bytes read like all"),
            }
        }
        check_peak(name);
    }
}

/// Flips bits of one byte at a time, `step` bytes apart.
fn flip_bytes(step: usize) {
    const PATTERNS: [u8; 4] = [0xff, 0x01, 0x80, 0x7f];
    let folder = tempfile::tempdir().unwrap();
    for (start, name) in FILES.into_iter().enumerate() {
        let (mut bytes, path) = (original(name), folder.path().join("altered.h5ad"));
        for (k, place) in (start % step..bytes.len()).step_by(step).enumerate() {
            let kept = bytes[place];
            bytes[place] ^= PATTERNS[k % PATTERNS.len()];
            std::fs::write(&path, &bytes).unwrap();
            bytes[place] = kept;
            // Any answer will do: a wrong byte in a value cannot be seen.
            let _ = read_everything(&path);
        }
        check_peak(name);
    }
}

/// Overwrites eight bytes at a time, `step` bytes apart: sizes and addresses of any value.
fn overwrite_runs(step: usize) {
    let folder = tempfile::tempdir().unwrap();
    for (start, name) in FILES.into_iter().enumerate() {
        let (bytes, path) = (original(name), folder.path().join("altered.h5ad"));
        for (k, place) in (8 + start * 8..bytes.len() - 8).step_by(step).enumerate() {
            let mut bytes = bytes.clone();
            bytes[place..place + 8].fill([0xff, 0x00, 0x7f][k % 3]);
            std::fs::write(&path, &bytes).unwrap();
            let _ = read_everything(&path);
        }
        check_peak(name);
    }
}

#[test]
fn files_with_wrong_bytes_are_read_or_refused() {
    flip_bytes(307);
}

#[test]
fn files_with_overwritten_runs_are_read_or_refused() {
    overwrite_runs(520);
}

#[test]
#[ignore = "slow: 3 min"]
fn files_with_many_wrong_bytes_are_read_or_refused() {
    flip_bytes(3);
    overwrite_runs(16);
}
