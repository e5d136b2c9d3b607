//! What is damaged: a small file of cells, and a model of it by every solver.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// 60 cells and 12 genes at five times.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.h5ad"))
}

/// Flags of `fit`, one entry for each kind of bridge and of what goes with it.
const FITS: [(&str, &str); 10] = [
    ("lightsb", "--n-gaussians 2"),
    ("full", "--n-gaussians 2 --covariance full --growth-file growth.csv"),
    ("gaussian", "--solver gaussian"),
    ("sinkhorn", "--solver sinkhorn --growth-file growth.csv"),
    ("ot", "--solver ot"),
    ("spline", "--solver spline --growth-file growth.csv --noise-back 0.5"),
    ("drawn", "--solver spline --mass kept --pull 0.3"),
    ("ends", "--solver spline --width-by ends"),
    ("pulled", "--solver sinkhorn --reference ou --ou-rate 0.01"),
    ("flow", "--solver sf2m --max-iterations 30 --steps 10"),
];

/// The models with their names, each fitted once in this process, beside `data.h5ad`.
pub(crate) fn models() -> &'static [(&'static str, PathBuf)] {
    static MODELS: OnceLock<(tempfile::TempDir, Vec<(&'static str, PathBuf)>)> = OnceLock::new();
    let (_, models) = MODELS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(fixture("h5ad-dialects/dense_float32"), folder.path().join("data.h5ad"))
            .unwrap();
        let cells = sbcell::io::h5ad::H5ad::open(&folder.path().join("data.h5ad")).unwrap();
        let names = cells.obs_names().unwrap();
        let growth = names.iter().enumerate().map(|(i, cell)| format!("{cell},{}\n", 1 + i % 2));
        std::fs::write(folder.path().join("growth.csv"), growth.collect::<String>()).unwrap();
        let models = FITS.into_iter().map(|(name, flags)| {
            let line = format!("-q fit data.h5ad --timepoints time --n-pcs 3 --out {name} {flags}");
            let output = Command::new(env!("CARGO_BIN_EXE_sbcell"))
                .args(line.split_whitespace())
                .current_dir(folder.path())
                .output()
                .unwrap();
            let code = output.status.code();
            assert!(
                code == Some(0) || code == Some(4),
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            (name, folder.path().join(name))
        });
        let models = models.collect();
        (folder, models)
    });
    models
}
