//! What sbcell writes opens in pandas, polars, anndata, scanpy and R, where these are installed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

/// `$SBCELL_PYTHON`, else `python3`.
fn python() -> String {
    std::env::var_os("SBCELL_PYTHON")
        .map_or_else(|| "python3".into(), |path| path.to_string_lossy().into_owned())
}

fn sbcell(folder: &Path, line: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_sbcell"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn other_tools_read_the_same_numbers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::copy(root.join("data-samples/semrau2017_mesc_ra.h5ad"), folder.join("d.h5ad"))
        .unwrap();
    sbcell(folder, "fit d.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 3");
    for name in ["cells.csv", "cells.parquet"] {
        sbcell(folder, &format!("interpolate --n-cells 40 --out {name}"));
    }
    sbcell(folder, "interpolate --n-cells 40 --space genes --out cells.h5ad");
    sbcell(folder, "grn --out edges.csv --bootstrap 3 --permutations 3");
    for export in ["wot", "cellrank", "moscot"] {
        sbcell(folder, &format!("couplings --export {export} --out {export}"));
    }
    let script = root.join("tests/open_outputs.py");
    let Ok(output) = Command::new(python()).arg(script).arg(folder).output() else {
        println!("skipped: no {} here", python());
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
