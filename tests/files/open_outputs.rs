//! What sbcell writes opens in pandas, polars, anndata, scanpy and R, where these are installed.

use std::path::Path;

use crate::tools::{check, sbcell};

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
    check("open_outputs.py", folder);
}
