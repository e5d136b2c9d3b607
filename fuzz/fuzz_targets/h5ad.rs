//! Bytes as an `.h5ad`: everything in it is read, or refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sbcell::Silent;
use sbcell::io::h5ad::{H5ad, MatrixSource};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("sbcell-fuzz-{}.h5ad", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        read(&path);
    }
});

fn read(path: &Path) {
    let Ok(file) = H5ad::open(path) else { return };
    let _ = (file.obs_names(), file.dialect(), file.matrices(), file.layers());
    for column in file.obs_columns().unwrap_or_default() {
        let _ = file.obs(&column);
    }
    for source in [MatrixSource::X, MatrixSource::RawX] {
        let _ = (file.gene_names(&source), file.matrix_info(&source));
        let _ = file.matrix(&source, &mut Silent);
        for column in file.var_columns(&source).unwrap_or_default() {
            let _ = file.var(&source, &column);
        }
    }
    for (key, _) in file.obsm_keys().unwrap_or_default() {
        let _ = file.obsm(&key);
    }
    for key in file.uns_keys().unwrap_or_default() {
        let _ = file.uns_text(&key);
    }
}
