//! What `annotate` writes is read by anndata, scanpy, scVelo, CellRank and R, where these are installed.

use std::path::Path;

use crate::tools::{check, sbcell};

#[test]
fn other_tools_find_what_was_added() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let copy = |from: &str, to: &str| std::fs::copy(root.join(from), folder.join(to)).unwrap();
    copy("data-samples/semrau2017_mesc_ra.h5ad", "d.h5ad");
    // An embedding to project on: the coordinates of the fit, under the name of scanpy's.
    sbcell(folder, "fit d.h5ad --timepoints time --n-gaussians 3 --no-validation --out all");
    sbcell(folder, "annotate d.h5ad -o all.h5ad --model all --key-added pca");
    sbcell(folder, "velocity --model all --out velocity.csv");
    let fates = "id,time,blood\ncell_1,0,0.25\n";
    std::fs::write(folder.join("fates.csv"), fates).unwrap();
    let kinds = "id,kind\ncell_0,early\ncell_1,late\n";
    std::fs::write(folder.join("kinds.csv"), kinds).unwrap();
    std::fs::write(folder.join("kinds60.csv"), "id,kind\n0h-001,early\n0h-002,late\n").unwrap();
    let line = "--model all --project X_pca --layers velocity --fates fates.csv --table kinds.csv";
    sbcell(folder, &format!("annotate all.h5ad -o annotated.h5ad {line}"));
    for name in
        ["written_by_anndata_0.7.8_csr", "libver_latest", "nullable_string_array", "everything"]
    {
        copy(&format!("tests/fixtures/h5ad-dialects/{name}.h5ad"), &format!("{name}.h5ad"));
        let fit = format!("fit {name}.h5ad --timepoints time --solver gaussian --no-validation");
        sbcell(folder, &format!("{fit} --out {name}"));
        let out = format!("dialect-{name}.h5ad");
        sbcell(
            folder,
            &format!("annotate {name}.h5ad -o {out} --model {name} --table kinds60.csv"),
        );
    }
    check("open_annotated.py", folder);
}
