//! Files that are written, replaced, annotated and stripped.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sbcell::io::file::replace;
use sbcell::io::h5ad::{Edited, H5ad, H5adEdit, edit_h5ad};

use crate::sandbox::{Sandbox, dialect, root};

/// 60 cells at five times, and a model of them.
fn fitted(file: PathBuf, time: &str) -> Sandbox {
    let sandbox = Sandbox::with(&file);
    sandbox.done(&format!(
        "fit data.h5ad --timepoints {time} --solver gaussian --n-pcs 3 --no-validation"
    ));
    sandbox
}

fn small() -> Sandbox {
    fitted(dialect("csr_float32"), "time")
}

fn hard(name: &str) -> PathBuf {
    root().join(format!("tests/fixtures/h5ad-edit/{name}.h5ad"))
}

/// Names in the folder of a sandbox.
fn names(sandbox: &Sandbox) -> BTreeSet<String> {
    let entries = fs::read_dir(sandbox.path("")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn r030_inputs_and_models_are_never_written_over() {
    let sandbox = small();
    let data = fs::read(sandbox.path("data.h5ad")).unwrap();
    let model = sandbox.files("sbcell-out");
    fs::hard_link(sandbox.path("data.h5ad"), sandbox.path("linked.h5ad")).unwrap();
    fs::write(sandbox.path("genes.csv"), "g1\n").unwrap();
    for (line, word) in [
        ("interpolate -o data.h5ad", "read by this command"),
        ("interpolate -o linked.h5ad", "read by this command"),
        ("sample --at 6 --format h5ad -o ./data.h5ad", "read by this command"),
        ("interpolate --format csv -o data.h5ad", "read by this command"),
        ("interpolate -o sbcell-out/cells.parquet", "belongs to a fitted model"),
        ("velocity -o sbcell-out/genes.parquet", "belongs to a fitted model"),
        ("grn --format csv -o sbcell-out/model.json", "belongs to a fitted model"),
        ("grn --format csv -o sbcell-out/bridges/new.csv", "belongs to a fitted model"),
        ("grn --genes genes.csv -o genes.csv", "read by this command"),
        ("grn --genes genes.csv --plot ./genes.csv", "read by this command"),
        ("fit data.h5ad --timepoints time --out data.h5ad", "read by this command"),
        ("evaluate data.h5ad --timepoints time --out data.h5ad", "read by this command"),
        ("annotate data.h5ad -o sbcell-out/cells.parquet", "belongs to a fitted model"),
    ] {
        for line in [line.to_string(), format!("{line} --overwrite")] {
            let refused = sandbox.run(&line);
            assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
            assert!(refused.stderr.contains(word), "{line}: {}", refused.stderr);
        }
    }
    assert!(fs::read(sandbox.path("data.h5ad")).unwrap() == data);
    assert!(sandbox.files("sbcell-out") == model);
    assert_eq!(sandbox.text("genes.csv"), "g1\n");
    assert_eq!(names(&sandbox).len(), 4);
}

#[test]
fn r031_what_is_not_ours_is_replaced_only_if_asked() {
    let sandbox = small();
    fs::write(sandbox.path("notes.csv"), "by hand").unwrap();
    fs::write(sandbox.path("empty.csv"), "").unwrap();
    fs::write(sandbox.path("t.wide.csv"), "by hand").unwrap();
    for line in ["velocity -o notes.csv", "transitions --groupby time_label -o t.csv"] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("already exists, and sbcell did not write it"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    }
    assert!(!sandbox.path("t.csv").exists());
    assert_eq!(sandbox.text("notes.csv"), "by hand");
    sandbox.done("velocity -o empty.csv");
    sandbox.done("velocity -o notes.csv --overwrite");
    // Ours now, until somebody changes it.
    sandbox.done("velocity -o notes.csv");
    let more = sandbox.text("notes.csv") + "a line\n";
    fs::write(sandbox.path("notes.csv"), &more).unwrap();
    assert_eq!(sandbox.run("velocity -o notes.csv").code, 2);
    assert_eq!(sandbox.text("notes.csv"), more);
    // What goes beside the model may be written again, and so may a chart.
    sandbox.done("interpolate --at 3");
    sandbox.done("interpolate --at 3");
    let grn = "grn --bootstrap 0 --plot edges.svg -o edges.csv";
    if sandbox.run(grn).code == 0 {
        sandbox.done(grn);
    }
    sandbox.done("couplings --export wot");
    sandbox.done("couplings --export wot");
    fs::write(sandbox.path("couplings/tmaps_g.txt"), "by hand").unwrap();
    assert_eq!(sandbox.run("couplings --export wot").code, 2);
}

#[cfg(unix)]
#[test]
fn r032_a_dash_is_standard_output_and_devices_stay_devices() {
    use std::os::unix::fs::FileTypeExt;
    let sandbox = small();
    let before = names(&sandbox);
    let table = sandbox.done("velocity -o -");
    assert!(table.stdout.starts_with("id,time,"), "{}", table.stdout);
    assert_eq!(table.stdout.lines().count(), 61);
    assert!(table.stderr.contains("wrote -"), "{}", table.stderr);
    let shares = sandbox.done("trajectory --groupby time_label -o -").stdout;
    assert!(shares.lines().all(|line| line.contains(',')), "{shares}");
    let populations = sandbox.done("interpolate --at 3 -o -").stdout;
    assert!(populations.starts_with("time,particle,"), "{populations}");
    for line in [
        "annotate data.h5ad -o -",
        "annotate data.h5ad -o /dev/null",
        "strip data.h5ad -o /dev/null",
        "couplings -o -",
        "evaluate data.h5ad --timepoints time -o -",
        "fit data.h5ad --timepoints time -o -",
        "interpolate --format h5ad -o -",
        "grn --plot -",
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
    }
    sandbox.done("velocity -o /dev/null");
    sandbox.done("interpolate --at 3 --format h5ad -o /dev/null");
    let null = fs::metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());
    assert!(!PathBuf::from("/dev/null.run.json").exists());
    assert_eq!(names(&sandbox), before);
    let pipe = sandbox.path("pipe");
    if Command::new("mkfifo").arg(&pipe).status().is_ok_and(|made| made.success()) {
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut text = String::new();
                fs::File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        sandbox.done("velocity -o pipe");
        assert_eq!(reader.join().unwrap(), table.stdout);
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert!(!sandbox.path("pipe.run.json").exists());
    }
}

#[cfg(unix)]
#[test]
fn r033_ten_annotations_at_once_lose_nothing() {
    let sandbox = small();
    let run = |k: usize| -> Child {
        Command::new(env!("CARGO_BIN_EXE_sbcell"))
            .args(["annotate", "data.h5ad", "--in-place", "--key-added", &format!("k{k}")])
            .current_dir(sandbox.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<Child> = (0..10).map(run).collect();
    let mut said_done = BTreeSet::new();
    for (k, child) in children.into_iter().enumerate() {
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        match ended.status.code() {
            Some(0) => _ = said_done.insert(format!("k{k}")),
            code => {
                assert_eq!(code, Some(1), "{said}");
                assert!(said.contains("another process") && said.contains("hint:"), "{said}");
            }
        }
    }
    let file = H5ad::open(&sandbox.path("data.h5ad")).unwrap();
    let found: BTreeSet<String> =
        file.uns_keys().unwrap().into_iter().filter(|key| key.starts_with('k')).collect();
    assert!(!said_done.is_empty());
    assert_eq!(found, said_done);
}

#[cfg(unix)]
#[test]
fn r034_a_file_that_is_held_is_not_changed() {
    let sandbox = small();
    let path = sandbox.path("data.h5ad");
    let bytes = fs::read(&path).unwrap();
    let writer = fs::File::open(&path).unwrap();
    writer.lock().unwrap();
    for line in ["annotate data.h5ad --in-place", "strip data.h5ad --in-place"] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 1, "{line}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("another process is writing to `")
                && refused.stderr.contains("data.h5ad`"),
            "{}",
            refused.stderr
        );
    }
    assert!(fs::read(&path).unwrap() == bytes);
    // A copy may be made all the same, and one who only reads is in nobody's way.
    sandbox.done("annotate data.h5ad -o copy.h5ad");
    writer.unlock().unwrap();
    writer.lock_shared().unwrap();
    sandbox.done("annotate data.h5ad --in-place");
}

/// What is changed between the copy and the rename is not lost.
#[test]
fn r035_a_change_during_an_edit_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5ad");
    fs::write(&path, "old").unwrap();
    let edited = sbcell::io::file::replace_by_copy(&path, &path, |copy| {
        fs::write(copy, "edited").unwrap();
        fs::write(&path, "of another").unwrap();
        Ok(())
    });
    let message = edited.unwrap_err().to_string();
    assert!(message.contains("another process changed"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "of another");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn r036_temporaries_have_random_names_plain_permissions_and_do_not_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let victim = at("victim");
    fs::write(&victim, "kept").unwrap();
    let pid = std::process::id();
    for name in [format!(".a.csv.tmp-{pid}"), format!(".a.csv.sbcell-{pid}")] {
        symlink(&victim, at(&name)).unwrap();
    }
    // Left by the dead, and held by the living.
    fs::write(at(".a.csv.sbcell-abcdefghij"), "half").unwrap();
    fs::write(at(".a.csv.sbcell-0123456789"), "half").unwrap();
    let holder = fs::File::open(at(".a.csv.sbcell-0123456789")).unwrap();
    holder.lock().unwrap();
    // A file of somebody with a name that is nearly one of ours.
    fs::write(at(".a.csv.sbcell-backup"), "mine").unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        replace(&at("a.csv"), |writer| {
            let entries = fs::read_dir(folder.path())?;
            seen.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
            writer.write_all(b"new")
        })
        .unwrap();
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    assert_eq!(fs::read_to_string(at("a.csv")).unwrap(), "new");
    assert!(!at(".a.csv.sbcell-abcdefghij").exists());
    assert!(at(".a.csv.sbcell-0123456789").exists() && at(".a.csv.sbcell-backup").exists());
    // Two runs, two names.
    assert_eq!(seen.iter().filter(|name| name.starts_with(".a.csv.sbcell-")).count(), 5);
    fs::write(at("plain"), "").unwrap();
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode();
    assert_eq!(mode("a.csv"), mode("plain"));
}

#[test]
fn r037_long_names_and_odd_times_have_files() {
    let sandbox = small();
    let name = format!("{}.csv", "x".repeat(251));
    sandbox.done(&format!("velocity -o {name}"));
    sandbox.done(&format!("velocity -o {name}"));
    let cells: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
    let far: Vec<f64> = (0..20).map(|i| if i < 10 { 1e-300 } else { 0.1 + 0.2 }).collect();
    let far = sbcell::data::Column::Floats(far);
    let x = ndarray::Array2::from_shape_fn((20, 3), |(i, g)| ((i * 7 + g * 3) % 11) as f64);
    let content = sbcell::io::h5ad::H5adContent {
        obs_names: &cells,
        obs: &[("t", &far)],
        obsm: &[("X_pca", x.view())],
        ..Default::default()
    };
    sbcell::io::h5ad::write_h5ad(&sandbox.path("far.h5ad"), &content).unwrap();
    let fit = "fit far.h5ad --timepoints t --use-rep X_pca --solver ot --no-validation --out far";
    let said = sandbox.run(fit);
    assert!(!said.stderr.contains("name too long"), "{}", said.stderr);
    assert_eq!(said.code, 0, "{}", said.stderr);
    sandbox.done("couplings --model far --export csv --out pairs");
    assert!(sandbox.path("pairs/1e-300_0.30000000000000004.csv").exists());
}

#[test]
fn r038_strip_removes_only_what_annotate_writes() {
    let sandbox = small();
    sandbox.done("annotate data.h5ad --in-place");
    let path = sandbox.path("data.h5ad");
    let mark = H5ad::open(&path).unwrap().uns_text("sbcell").unwrap().unwrap();
    for crafted in ["X", "obs/time", "obs", "uns", "obsm/X_pca", "obs/sbcell_/../time", "uns/other"]
    {
        let text = mark.replace("\"obs/sbcell_time\"", &format!("\"{crafted}\""));
        assert_ne!(text, mark);
        let edit = H5adEdit { uns: vec![("sbcell".into(), text)], ..H5adEdit::default() };
        edit_h5ad(&path, &path, &edit).unwrap();
        let bytes = fs::read(&path).unwrap();
        for line in ["strip data.h5ad --in-place", "annotate data.h5ad --in-place"] {
            let refused = sandbox.run(line);
            assert_eq!(refused.code, 3, "{line}: {}", refused.stderr);
            assert!(refused.stderr.contains(&format!("`{crafted}`")), "{}", refused.stderr);
        }
        assert!(fs::read(&path).unwrap() == bytes);
    }
    let created = mark.replace("\"created\":[", "\"created\":[\"X\",").replace(",]", "]");
    let edit = H5adEdit { uns: vec![("sbcell".into(), created)], ..H5adEdit::default() };
    edit_h5ad(&path, &path, &edit).unwrap();
    assert_eq!(sandbox.run("strip data.h5ad --in-place").code, 3);
    let edit = H5adEdit { uns: vec![("sbcell".into(), mark)], ..H5adEdit::default() };
    edit_h5ad(&path, &path, &edit).unwrap();
    sandbox.done("strip data.h5ad --in-place");
}

#[test]
fn r039_a_group_that_holds_itself_is_an_error() {
    let sandbox = fitted(hard("selfloop_obs"), "time");
    let bytes = fs::read(sandbox.path("data.h5ad")).unwrap();
    for line in ["annotate data.h5ad --in-place", "annotate data.h5ad -o out.h5ad"] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 3, "{}", refused.stderr);
        assert!(refused.stderr.contains("`obs/selfloop`"), "{}", refused.stderr);
    }
    assert!(fs::read(sandbox.path("data.h5ad")).unwrap() == bytes);
    sandbox.done("inspect data.h5ad");
}

#[test]
fn r040_tables_of_records_are_annotated() {
    for name in ["legacy_06_compound_obs_dense", "written_by_anndata_0.6.22.post1_csr"] {
        let sandbox = fitted(dialect(name), "time");
        let said = sandbox.done("annotate data.h5ad -o out.h5ad");
        assert!(said.stderr.contains("anndata 0.6"), "{}", said.stderr);
        let (before, after) = (
            H5ad::open(&sandbox.path("data.h5ad")).unwrap(),
            H5ad::open(&sandbox.path("out.h5ad")).unwrap(),
        );
        assert_eq!(before.obs_names().unwrap(), after.obs_names().unwrap());
        let columns = before.obs_columns().unwrap();
        for column in &columns {
            assert_eq!(before.obs(column).unwrap(), after.obs(column).unwrap(), "{column}");
        }
        let x = sbcell::io::h5ad::MatrixSource::X;
        assert_eq!(before.gene_names(&x).unwrap(), after.gene_names(&x).unwrap());
        assert_eq!(before.var_columns(&x).unwrap(), after.var_columns(&x).unwrap());
        let matrix = |file: &H5ad| file.matrix(&x, &mut sbcell::Silent).unwrap();
        assert_eq!(matrix(&before), matrix(&after));
        sandbox.done("strip out.h5ad --in-place");
        let stripped = H5ad::open(&sandbox.path("out.h5ad")).unwrap();
        assert_eq!(stripped.obs_columns().unwrap(), columns);
    }
}

#[test]
fn r041_an_index_that_is_also_a_column_is_no_obstacle() {
    let sandbox = Sandbox::with(&dialect("csr_float32"));
    let path = sandbox.path("data.h5ad");
    let cells = H5ad::open(&path).unwrap().obs_names().unwrap();
    let names: Vec<&str> = cells.iter().map(String::as_str).collect();
    let file = hdf5_pure::File::open_rw(&path).unwrap();
    let root = file.root();
    root.delete("obs/_index").unwrap();
    root.create_dataset("obs/barcode", |dataset| {
        dataset.with_vlen_strings(&names);
    })
    .unwrap();
    let obs = file.group("obs").unwrap();
    let order = ["time", "time_label", "barcode"].map(str::to_string).to_vec();
    obs.set_attr("_index", hdf5_pure::AttrValue::VarLenString("barcode".into())).unwrap();
    obs.set_attr("column-order", hdf5_pure::AttrValue::VarLenStringArray(order)).unwrap();
    file.commit().unwrap();
    drop((root, obs));
    file.close().unwrap();
    sandbox.done("fit data.h5ad --timepoints time --solver gaussian --n-pcs 3 --no-validation");
    sandbox.done("annotate data.h5ad --in-place");
    let file = hdf5_pure::File::open(&path).unwrap();
    let attributes = file.group("obs").unwrap().attrs().unwrap();
    let listed = attributes["column-order"].as_strings().unwrap().to_vec();
    assert_eq!(listed, ["time", "time_label", "barcode", "sbcell_time"]);
    drop(file);
    sandbox.done("strip data.h5ad --in-place");
    assert_eq!(H5ad::open(&path).unwrap().obs_names().unwrap(), cells);
}

#[test]
fn r042_links_in_a_heap_and_references_to_categories_are_kept() {
    let sandbox = fitted(hard("many_references"), "day");
    let path = sandbox.path("data.h5ad");
    let columns = H5ad::open(&path).unwrap().obs_columns().unwrap();
    let labels = |column: &str| {
        let column = H5ad::open(&path).unwrap().obs(column).unwrap();
        (0..column.len()).map(|i| column.label(i)).collect::<Vec<_>>()
    };
    let was: Vec<_> = columns.iter().map(|column| labels(column)).collect();
    let bytes = fs::read(&path).unwrap();
    sandbox.done("annotate data.h5ad --in-place --layers velocity");
    let found = H5ad::open(&path).unwrap().obs_columns().unwrap();
    assert_eq!(found[..columns.len()], columns[..]);
    assert!(found.contains(&"sbcell_time".into()));
    for (column, was) in columns.iter().zip(&was) {
        assert_eq!(labels(column), *was, "{column}");
    }
    // What references lead to is where it was: the headers of datasets have not moved.
    let after = fs::read(&path).unwrap();
    let same = bytes.iter().zip(&after).filter(|(one, other)| one == other).count();
    assert!(same as f64 > 0.9 * bytes.len() as f64, "{same} of {}", bytes.len());
    sandbox.done("strip data.h5ad --in-place");
    assert_eq!(H5ad::open(&path).unwrap().obs_columns().unwrap(), columns);
}

#[test]
fn r043_annotations_that_come_and_go_do_not_make_a_file_grow() {
    let sandbox = Sandbox::with(&root().join("data-samples/semrau2017_mesc_ra.h5ad"));
    sandbox.done(
        "fit data.h5ad --timepoints time --obs-filter time<=12 --solver gaussian --n-pcs 3 \
         --no-validation",
    );
    let length = || fs::metadata(sandbox.path("data.h5ad")).unwrap().len();
    let none = length();
    sandbox.done("annotate data.h5ad --in-place --layers velocity");
    let one = length();
    let lengths: Vec<u64> = (0..6)
        .map(|_| {
            sandbox.done("annotate data.h5ad --in-place --layers velocity");
            length()
        })
        .collect();
    // Names of cells take more room where the file was written anew: 170 kB here, once.
    assert!(lengths[5] <= lengths[1] && lengths[5] < one + one / 2, "{one} {lengths:?}");
    sandbox.done("strip data.h5ad --in-place");
    let stripped = length();
    assert!(stripped < one, "{none} {one} {stripped}");
    sandbox.done("annotate data.h5ad --in-place --layers velocity");
    assert!(length() <= lengths[5] + (1 << 16), "{lengths:?} {}", length());
    sandbox.done("inspect data.h5ad");
}

#[test]
fn r044_an_edit_says_how_the_file_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.h5ad");
    let edit = H5adEdit { uns: vec![("note".into(), "a".into())], ..H5adEdit::default() };
    let how = |file: PathBuf| edit_h5ad(&file, &out, &edit).unwrap();
    assert_eq!(how(dialect("csr_float32")), Edited::Extended);
    assert_eq!(how(hard("many_references")), Edited::Extended);
    assert_eq!(how(dialect("legacy_06_h5sparse_csr")), Edited::Converted);
}

/// Before anndata 0.6 was old, `obsm` was a table of records too.
#[test]
fn r045_arrays_in_records_become_arrays() {
    use hdf5_pure::{AttrValue, CompoundTypeBuilder, Datatype};
    let sandbox = Sandbox::with(&dialect("legacy_06_compound_obs_dense"));
    let path = sandbox.path("data.h5ad");
    let pair =
        Datatype::Array { base_type: Box::new(hdf5_pure::make_f32_type()), dimensions: vec![2] };
    let record = CompoundTypeBuilder::new().field("X_umap", pair).f64_field("depth").build();
    let bytes: Vec<u8> = (0..60_u16)
        .flat_map(|i| {
            let (a, b, depth) = (f32::from(i), f32::from(i) / 2.0, f64::from(i) * 3.0);
            [a.to_le_bytes().to_vec(), b.to_le_bytes().to_vec(), depth.to_le_bytes().to_vec()]
        })
        .flatten()
        .collect();
    let file = hdf5_pure::File::open_rw(&path).unwrap();
    let root = file.root();
    root.create_dataset("obsm", |dataset| {
        dataset.with_raw_data(record.unwrap(), bytes, 60);
        dataset.set_attr("note", AttrValue::I64(1));
    })
    .unwrap();
    file.commit().unwrap();
    drop(root);
    file.close().unwrap();
    sandbox.done("fit data.h5ad --timepoints time --solver gaussian --n-pcs 3 --no-validation");
    let said = sandbox.done("annotate data.h5ad --in-place");
    assert!(said.stderr.contains("anndata 0.6"), "{}", said.stderr);
    let file = H5ad::open(&path).unwrap();
    let umap = file.obsm("X_umap").unwrap();
    let wanted = |(i, d): (usize, usize)| if d == 0 { i as f64 } else { i as f64 / 2.0 };
    assert_eq!(umap, ndarray::Array2::from_shape_fn((60, 2), wanted));
    let depth = file.obsm("depth").unwrap();
    assert_eq!(depth, ndarray::Array2::from_shape_fn((60, 1), |(i, _)| i as f64 * 3.0));
    assert!(file.obsm("sbcell_velocity").is_ok());
}

/// A table on standard output goes behind what a file holds, and a reader may stop early.
#[test]
fn r046_standard_output_is_appended_to_and_may_be_closed() {
    let sandbox = small();
    let start = |to: std::process::Stdio| {
        std::process::Command::new(env!("CARGO_BIN_EXE_sbcell"))
            .args(["velocity", "-o", "-"])
            .current_dir(sandbox.path("."))
            .stdout(to)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    std::fs::write(sandbox.path("kept.txt"), "first\n").unwrap();
    let kept = std::fs::OpenOptions::new().append(true).open(sandbox.path("kept.txt")).unwrap();
    assert!(start(kept.into()).wait().unwrap().success());
    let text = sandbox.text("kept.txt");
    assert!(text.starts_with("first\nid,time,"), "{text}");
    let mut closed = start(std::process::Stdio::piped());
    drop(closed.stdout.take());
    assert!(closed.wait().unwrap().success());
}
