//! `annotate` and `strip`: what is added, what is refused, and a file that is whole at any moment.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sbcell::io::h5ad::{H5ad, MatrixSource};

use crate::sandbox::{Sandbox, dialect, sample};

const FIT: &str =
    "fit data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 --no-validation";

fn fitted() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(FIT);
    sandbox
}

fn open(sandbox: &Sandbox, name: &str) -> H5ad {
    H5ad::open(&sandbox.path(name)).unwrap()
}

#[test]
fn cells_that_took_part_have_numbers_and_others_have_none() {
    let sandbox = fitted();
    let said =
        sandbox.done("annotate data.h5ad -o out.h5ad --layers velocity --velocity drift").stdout;
    assert!(said.contains("902 of 2449 cells") && said.contains("obsm['X_sbcell']"), "{said}");
    let (before, after) = (open(&sandbox, "data.h5ad"), open(&sandbox, "out.h5ad"));
    let (time, own) = (after.obs("time").unwrap(), after.obs("sbcell_time").unwrap());
    let took_part = |i: usize| time.number(i).unwrap() <= 12.0;
    for i in 0..after.n_cells() {
        assert_eq!(own.number(i), time.number(i).filter(|_| took_part(i)));
    }
    sandbox.done("velocity --space both --out v.csv");
    let table = sandbox.text("v.csv");
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let place = |name: &str| header.iter().position(|other| *other == name).unwrap();
    let (pc2, sox2) = (place("velocity_PC2"), place("velocity_Sox2"));
    let names = after.obs_names().unwrap();
    let velocity = after.obsm("sbcell_velocity").unwrap();
    // Read by another crate: with NaN it would be no matrix that sbcell reads.
    let stored = hdf5_pure::File::open(sandbox.path("out.h5ad")).unwrap();
    let layer = stored.dataset("layers/velocity").unwrap().read_f32().unwrap();
    let genes = after.gene_names(&MatrixSource::X).unwrap();
    let gene = genes.iter().position(|gene| gene == "Sox2").unwrap();
    // This gene is constant in the cells of the fit: it is in the model, and does not move.
    let constant = genes.iter().position(|gene| gene == "Ascl1").unwrap();
    assert!((0..names.len()).all(|row| layer[row * genes.len() + constant].abs() < 1e-6));
    let layer = |row: usize| layer[row * genes.len() + gene];
    let mut n_found = 0;
    for line in table.lines().skip(1) {
        let entries: Vec<&str> = line.split(',').collect();
        let row = names.iter().position(|name| name == entries[0]).unwrap();
        let wanted = entries[pc2].parse::<f64>().unwrap();
        assert_eq!(velocity[[row, 1]].to_bits(), wanted.to_bits());
        let wanted = entries[sox2].parse::<f64>().unwrap() as f32;
        assert_eq!(layer(row).to_bits(), wanted.to_bits());
        n_found += 1;
    }
    assert_eq!(n_found, 902);
    let other = (0..after.n_cells()).find(|&i| !took_part(i)).unwrap();
    assert!(velocity[[other, 1]].is_nan() && layer(other).abs() < f32::MIN_POSITIVE);
    assert_eq!(
        before.obs_columns().unwrap(),
        after.obs_columns().unwrap()[..before.obs_columns().unwrap().len()]
    );
    let mark: serde_json::Value =
        serde_json::from_str(&after.uns_text("sbcell").unwrap().unwrap()).unwrap();
    assert_eq!(mark["keys"].as_array().unwrap().len(), 5);
    assert_eq!(mark["input"]["file"], "data.h5ad");
    assert!(sandbox.path("out.h5ad.run.json").exists());
    // The same again is the same file.
    sandbox.done("annotate data.h5ad -o again.h5ad --layers velocity");
    let bytes = |name: &str| std::fs::read(sandbox.path(name)).unwrap();
    assert!(bytes("again.h5ad") == bytes("out.h5ad"));
}

#[test]
fn tables_become_columns_and_a_second_annotation_replaces_the_first() {
    let sandbox = fitted();
    let names = open(&sandbox, "data.h5ad").obs_names().unwrap();
    let fates = format!("id,time,blood,skin/hair\n{},0,0.25,0.75\nnobody,0,1,0\n", names[1]);
    std::fs::write(sandbox.path("fates.csv"), fates).unwrap();
    let kinds = format!("cell\tkind\n{}\tearly\n{}\tlate\n", names[0], names[1]);
    std::fs::write(sandbox.path("kinds.tsv"), kinds).unwrap();
    let said = sandbox.done("annotate data.h5ad --in-place --fates fates.csv --table kinds.tsv");
    assert!(said.stderr.contains("1 of 2 cells of fates.csv"), "{}", said.stderr);
    let file = open(&sandbox, "data.h5ad");
    assert_eq!(file.obs("sbcell_fate_blood").unwrap().number(1), Some(0.25));
    assert_eq!(file.obs("sbcell_fate_skin_hair").unwrap().number(1), Some(0.75));
    assert_eq!(file.obs("sbcell_fate_blood").unwrap().number(0), None);
    let kind = file.obs("sbcell_kind").unwrap();
    let labels: Vec<Option<String>> = (0..3).map(|i| kind.label(i)).collect();
    assert_eq!(labels, [Some("early".into()), Some("late".into()), None]);
    drop(file);
    sandbox.done("annotate data.h5ad --in-place");
    let columns = open(&sandbox, "data.h5ad").obs_columns().unwrap();
    assert!(columns.contains(&"sbcell_time".into()));
    assert!(!columns.iter().any(|name| name.contains("fate") || name.contains("kind")));
    std::fs::write(sandbox.path("bad.csv"), "id,time,time\na,0,1\n").unwrap();
    std::fs::write(sandbox.path("own.csv"), format!("id,growth\n{},1\n", names[0])).unwrap();
    std::fs::write(sandbox.path("others.csv"), "id,blood\nnobody,1\n").unwrap();
    for (table, code, word) in [
        ("bad.csv", 3, "two columns"),
        ("own.csv", 2, "sbcell_growth"),
        ("others.csv", 2, "nobody"),
    ] {
        let refused = sandbox.run(&format!("annotate data.h5ad --in-place --table {table}"));
        assert_eq!(refused.code, code, "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
}

#[test]
fn models_live_side_by_side_and_strip_takes_out_one_or_all() {
    let sandbox = fitted();
    let was = open(&sandbox, "data.h5ad");
    let state = |file: &H5ad| {
        (
            file.obs_columns().unwrap(),
            file.obsm_keys().unwrap(),
            file.uns_keys().unwrap(),
            file.layers().unwrap(),
        )
    };
    let original = state(&was);
    let x = was.matrix(&MatrixSource::X, &mut sbcell::Silent).unwrap();
    drop(was);
    sandbox.done("annotate data.h5ad --in-place --layers velocity");
    let one = state(&open(&sandbox, "data.h5ad"));
    let taken = sandbox.run("annotate data.h5ad --in-place --key-added other --layers velocity");
    assert_eq!(taken.code, 2, "{}", taken.stderr);
    assert!(taken.stderr.contains("`layers/velocity` is already in"), "{}", taken.stderr);
    assert!(taken.stderr.contains("--overwrite"), "{}", taken.stderr);
    sandbox.done("annotate data.h5ad --in-place --key-added other --layers velocity --overwrite");
    let said = sandbox.done("strip data.h5ad --in-place --key sbcell").stdout;
    assert!(said.contains("removed obs['sbcell_time']") && said.contains("left: other"), "{said}");
    assert!(!said.contains("layers"), "{said}");
    let file = open(&sandbox, "data.h5ad");
    assert!(file.obs_columns().unwrap().contains(&"other_time".into()));
    assert_eq!(file.layers().unwrap().len(), one.3.len());
    drop(file);
    sandbox.done("annotate data.h5ad --in-place --layers velocity --overwrite");
    sandbox.done("strip data.h5ad -o bare.h5ad");
    let bare = open(&sandbox, "bare.h5ad");
    assert_eq!(state(&bare), original);
    assert_eq!(bare.matrix(&MatrixSource::X, &mut sbcell::Silent).unwrap(), x);
    drop(bare);
    let bytes = std::fs::read(sandbox.path("bare.h5ad")).unwrap();
    let said = sandbox.done("strip bare.h5ad --in-place").stdout;
    assert!(said.contains("no annotation of sbcell") && said.contains("unchanged"), "{said}");
    assert!(std::fs::read(sandbox.path("bare.h5ad")).unwrap() == bytes);
    sandbox.done("strip bare.h5ad -o copy.h5ad");
    assert!(std::fs::read(sandbox.path("copy.h5ad")).unwrap() == bytes);
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let sandbox = fitted();
    let bytes = std::fs::read(sandbox.path("data.h5ad")).unwrap();
    std::fs::write(sandbox.path("mine.h5ad"), "mine").unwrap();
    std::fs::write(sandbox.path("taken.csv"), "id,time\n").unwrap();
    for (line, code, word) in [
        ("annotate data.h5ad -o data.h5ad", 2, "--in-place"),
        ("annotate data.h5ad -o ./data.h5ad --overwrite", 2, "--in-place"),
        ("annotate data.h5ad -o mine.h5ad", 2, "already exists, and sbcell did not write it"),
        ("annotate data.h5ad", 2, "--in-place"),
        ("annotate data.h5ad --in-place -o out.h5ad", 2, "cannot be used with"),
        ("annotate data.h5ad --in-place --key a/b", 2, "--key"),
        ("annotate data.h5ad --in-place --project X_umap", 2, "X_umap"),
        ("annotate mine.h5ad --in-place", 3, "not an HDF5 file"),
        ("strip mine.h5ad --in-place", 3, "not an HDF5 file"),
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, code, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains(word), "{line}: {}", refused.stderr);
    }
    assert!(std::fs::read(sandbox.path("data.h5ad")).unwrap() == bytes);
    assert_eq!(sandbox.text("mine.h5ad"), "mine");
    std::fs::copy(dialect("csr_float32"), sandbox.path("others.h5ad")).unwrap();
    let refused = sandbox.run("annotate others.h5ad --in-place");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("none of the cells of the model"), "{}", refused.stderr);
}

#[test]
fn files_of_any_age_are_annotated() {
    let sandbox = Sandbox::with(&dialect("legacy_06_compound_obs_dense"));
    sandbox.done("fit data.h5ad --timepoints time --solver gaussian --no-validation");
    let said = sandbox.done("annotate data.h5ad -o out.h5ad");
    assert!(said.stderr.contains("anndata 0.6"), "{}", said.stderr);
    sandbox.done("inspect out.h5ad");
    // The latest format with many columns, whose links are in a heap.
    let sandbox = Sandbox::with(&dialect("libver_latest"));
    sandbox.done("fit data.h5ad --timepoints time --solver gaussian --no-validation");
    sandbox.done("annotate data.h5ad --in-place --layers velocity");
    sandbox.done("inspect data.h5ad");
}

#[test]
fn velocities_are_seen_on_an_embedding() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    sandbox.done(
        "fit data.h5ad --timepoints --use-rep X_pca --obs-filter time<=1 --n-gaussians 3 --no-validation",
    );
    sandbox.done("annotate data.h5ad -o out.h5ad --project X_pca --velocity drift");
    let file = open(&sandbox, "out.h5ad");
    let (arrows, velocity) =
        (file.obsm("velocity_pca").unwrap(), file.obsm("sbcell_velocity").unwrap());
    // Projected on the coordinates of the fit themselves, arrows point along the velocities.
    let mut cosines: Vec<f64> = Vec::new();
    for (arrow, velocity) in arrows.rows().into_iter().zip(velocity.rows()) {
        if velocity[0].is_nan() {
            assert!(arrow.iter().all(|value| *value == 0.0));
            continue;
        }
        cosines.push(arrow.dot(&velocity) / (arrow.dot(&arrow) * velocity.dot(&velocity)).sqrt());
    }
    cosines.sort_by(f64::total_cmp);
    assert!(cosines[cosines.len() / 2] > 0.8, "{}", cosines[cosines.len() / 2]);
    let refused = sandbox.run("annotate data.h5ad -o genes.h5ad --layers velocity");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("has no genes"), "{}", refused.stderr);
}

/// Killed at moments spread over a run, and at many while the copy is written, the file holds the old
/// bytes or the new; what the dead left is cleared by the next run.
#[cfg(unix)]
#[test]
fn a_kill_at_any_moment_leaves_a_whole_file() {
    const KILLS: u32 = 24;
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    sandbox.done("fit data.h5ad --timepoints --use-rep X_pca --solver gaussian --no-validation");
    let path = sandbox.path("data.h5ad");
    let old = std::fs::read(&path).unwrap();
    sandbox.done("annotate data.h5ad --in-place");
    let new = std::fs::read(&path).unwrap();
    let begun = Instant::now();
    sandbox.done("annotate data.h5ad --in-place");
    let whole = begun.elapsed();
    let (mut n_old, mut n_new, mut n_cut) = (0, 0, 0);
    for k in 0..KILLS {
        std::fs::write(&path, &old).unwrap();
        let before = left(&sandbox);
        let mut child = Command::new(env!("CARGO_BIN_EXE_sbcell"))
            .args(["annotate", "data.h5ad", "--in-place"])
            .current_dir(sandbox.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if k % 3 == 0 {
            std::thread::sleep(whole * k / KILLS);
        } else {
            // As soon as there is a new copy, or a little later.
            while left(&sandbox).is_subset(&before) && child.try_wait().unwrap().is_none() {}
            std::thread::sleep(Duration::from_micros(300) * (k / 3));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes == old || bytes == new, "killed for the {k}th time");
        if bytes == old {
            n_old += 1;
        } else {
            n_new += 1;
        }
        n_cut += usize::from(!left(&sandbox).is_empty());
    }
    println!("{n_old} old, {n_new} new; {n_cut} left a copy behind");
    assert!(n_old > 0 && n_cut > 0);
    std::fs::write(&path, &old).unwrap();
    sandbox.done("annotate data.h5ad --in-place");
    assert!(std::fs::read(&path).unwrap() == new);
    assert!(left(&sandbox).is_empty());
}

/// Hidden files beside the data.
#[cfg(unix)]
fn left(sandbox: &Sandbox) -> BTreeSet<String> {
    let entries = std::fs::read_dir(sandbox.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}
