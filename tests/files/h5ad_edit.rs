//! Parts added to any `.h5ad` and taken out again: everything else stays as it was, to the bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use sbcell::Error;
use sbcell::data::Column;
use sbcell::io::h5ad::{Edited, H5ad, H5adEdit, edit_h5ad};

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/fixtures/h5ad-dialects", "tests/fixtures/h5ad-storage", "data-samples"];
    let mut found: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "h5ad"))
        .collect();
    found.sort();
    found
}

/// Every group and dataset by path: its type, shape, filters, attributes and values in words.
fn content(path: &Path) -> BTreeMap<String, String> {
    let file = hdf5_pure::File::open(path).unwrap();
    let mut found = BTreeMap::new();
    walk(&file.root(), "", &mut found);
    found
}

fn walk(group: &hdf5_pure::Group, path: &str, found: &mut BTreeMap<String, String>) {
    let sorted = |attrs| BTreeMap::from_iter::<Vec<(String, hdf5_pure::AttrValue)>>(attrs);
    let attrs = sorted(group.attrs().unwrap().into_iter().collect());
    found.insert(format!("{path}/"), format!("{attrs:?}"));
    // Groups of the old format with soft links are not listed by the crate.
    for name in group.groups().unwrap_or_default() {
        walk(&group.group(&name).unwrap(), &format!("{path}/{name}"), found);
    }
    for name in group.datasets().unwrap_or_default() {
        let Ok(dataset) = group.dataset(&name) else { continue };
        let attrs = sorted(dataset.attrs().unwrap_or_default().into_iter().collect());
        let values = match dataset.read_string() {
            Ok(texts) => format!("{texts:?}"),
            // What needs a filter that the crate does not know is compared as it is stored.
            Err(_) => match dataset.read_raw() {
                Ok(bytes) => format!("{bytes:?}"),
                Err(_) => format!("{:?}", dataset.chunks().map(|c| stored(path, &c))),
            },
        };
        let kind = format!("{:?} {:?}", dataset.datatype(), dataset.shape());
        // A file that is written anew does not name filters that need no name.
        let filters: Vec<_> =
            dataset.filter_pipeline().into_iter().map(|of| (of.id, of.client_data)).collect();
        found.insert(format!("{path}/{name}"), format!("{kind} {filters:?} {attrs:?} {values}"));
    }
}

/// Where chunks are and how long: an edit that does not touch them leaves them there.
fn stored(_path: &str, chunks: &[hdf5_pure::Chunk]) -> Vec<(u64, u64)> {
    chunks.iter().map(|chunk| (chunk.address, chunk.storage_size)).collect()
}

/// The categories and numbers added to `n` cells of a file.
fn columns(n: usize) -> Vec<(String, Column)> {
    let texts = (0..n).map(|i| (i % 3 != 0).then(|| format!("kind {}", i % 2))).collect();
    let floats = (0..n).map(|i| if i % 5 == 0 { f64::NAN } else { i as f64 / 7.0 }).collect();
    let whole = (0..n).map(|i| Some(i as i64)).collect();
    vec![
        ("sbcell_time".into(), Column::Floats(floats)),
        ("sbcell_fate_é".into(), Column::Texts(texts)),
        ("sbcell_rank".into(), Column::Integers(whole)),
    ]
}

/// Columns are those that were there in their order, then those that were added.
fn assert_columns(source: &Path, edited: &H5ad, order: &[String]) {
    let mut listed: Vec<String> =
        order.iter().cloned().chain(columns(0).into_iter().map(|c| c.0)).collect();
    let mut found = edited.obs_columns().unwrap();
    if !content(source)["/obs/"].contains("column-order") {
        found.sort();
        listed.sort();
    }
    assert_eq!(found, listed, "{}", source.display());
}

#[test]
fn any_dialect_takes_additions_and_gives_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.h5ad"), folder.path().join("two.h5ad"));
    let (mut extended, mut anew, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut converted = Vec::new();
    for source in fixtures() {
        let name = source.file_stem().unwrap().to_str().unwrap().to_string();
        let Ok(file) = H5ad::open(&source) else { continue };
        let n = file.n_cells();
        let n_genes = file.gene_names(&sbcell::io::h5ad::MatrixSource::X).map_or(0, |g| g.len());
        let points = Array2::from_shape_fn((n, 3), |(i, d)| i as f64 - d as f64 / 3.0);
        let layer = Array2::from_shape_fn((n, n_genes), |(i, g)| (i * g) as f32);
        let edit = H5adEdit {
            obs: columns(n),
            obsm: vec![("sbcell_velocity".into(), points.view())],
            layers: vec![("velocity".into(), layer.view())],
            uns: vec![("sbcell".into(), "{\"a\": \"é\"}".into())],
            ..H5adEdit::default()
        };
        let before = content(&source);
        let order = file.obs_columns().unwrap();
        match edit_h5ad(&source, &one, &edit) {
            Ok(Edited::Extended) => extended.push(name.clone()),
            Ok(Edited::Rewritten) => anew.push(name.clone()),
            Ok(Edited::Converted) => {
                // Tables of records are groups now, which `tests/regressions/files.rs` compares.
                converted.push(name);
                continue;
            }
            Err(Error::Unreadable { way_out: Some(_), problem, .. }) => {
                refused.push(format!("{name}: {problem}"));
                assert!(!one.exists(), "{name}");
                continue;
            }
            Err(other) => panic!("{name}: {other}"),
        }
        let edited = H5ad::open(&one).unwrap();
        assert_columns(&source, &edited, &order);
        for (column, wanted) in columns(n) {
            let read = edited.obs(&column).unwrap();
            let labels = |c: &Column| (0..n).map(|i| c.label(i)).collect::<Vec<_>>();
            assert_eq!(labels(&read), labels(&wanted), "{name}: {column}");
        }
        assert_eq!(edited.obsm("sbcell_velocity").unwrap(), points, "{name}");
        assert_eq!(edited.uns_text("sbcell").unwrap().as_deref(), Some("{\"a\": \"é\"}"));
        let with = content(&one);
        for (path, was) in &before {
            if path == "/obs/" {
                continue;
            }
            assert!(with.get(path) == Some(was), "{name}: {path} is not as it was");
        }
        // And out again: what is left is what was there.
        let slots = ["obsm", "layers", "uns"].map(str::to_string);
        let created = slots.into_iter().filter(|slot| !before.contains_key(&format!("/{slot}/")));
        let remove = edit.written().into_iter().chain(created).collect();
        edit_h5ad(&one, &two, &H5adEdit { remove, ..H5adEdit::default() }).unwrap();
        let after = content(&two);
        assert_eq!(H5ad::open(&two).unwrap().obs_columns().unwrap(), order, "{name}");
        let paths = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(paths(&after), paths(&before), "{name}");
        for (path, was) in &before {
            assert!(after.get(path) == Some(was), "{name}: {path}\n{was}\n{}", after[path]);
        }
        std::fs::remove_file(&one).unwrap();
    }
    println!(
        "extended {}, rewritten {anew:?}, converted {converted:?}, refused {refused:#?}",
        extended.len()
    );
    assert!(extended.len() > 60 && converted.len() > 4, "{} {converted:?}", extended.len());
    // Soft links, and what the reader does not know either.
    assert!(refused.len() < 5, "{refused:#?}");
}
