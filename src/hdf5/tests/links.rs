//! Links of every kind, in the formats of HDF5 1.8 and 2.0.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use sbcell_hdf5::{
    Editor, Extended, File, Group, NewDataset, Node, Problem, Storage, Values, edit_copy, survey,
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn value(root: &Group, path: &str) -> f64 {
    let dataset = root.dataset(path).unwrap();
    Storage::new(&dataset).unwrap().numbers(0..1).unwrap()[0]
}

#[test]
fn links_of_large_groups_and_soft_links_are_followed() {
    for version in ["v18", "v200"] {
        let file = File::open(&fixture(&format!("links_{version}.h5"))).unwrap();
        let root = file.root().unwrap();
        let names = [
            "circle",
            "elcric",
            "group",
            "many",
            "nowhere",
            "second",
            "soft",
            "soft soft",
            "through",
        ];
        assert_eq!(root.children().unwrap(), names, "{version}");
        let many = root.group("many").unwrap().unwrap();
        let all: Vec<String> = (0..40).map(|k| format!("name {k:02}")).collect();
        assert_eq!(many.children().unwrap(), all, "{version}");
        for (path, expected) in [
            ("many/name 39", 39.0),
            ("second", 7.0),
            ("soft", 8.0),
            ("soft soft", 8.0),
            ("through", 9.0),
            ("group/name 10", 10.0),
        ] {
            assert!((value(&root, path) - expected).abs() < 1e-12, "{version} {path}");
        }
        assert!(matches!(root.child("group").unwrap(), Some(Node::Group(_))));
        assert!(root.child("nowhere").unwrap().is_none());
        assert!(root.child("none").unwrap().is_none());
        let circle = root.child("circle").unwrap_err().to_string();
        assert!(circle.contains("leads in a circle"), "{circle}");
        let found = survey(&file).unwrap();
        assert!(found.soft && found.shared && !found.unknown && !found.is_tree());
    }
}

#[test]
fn a_group_that_contains_itself_is_refused() {
    for version in ["v18", "v200"] {
        let file = File::open(&fixture(&format!("loop_{version}.h5"))).unwrap();
        let error = survey(&file).unwrap_err();
        assert!(matches!(error.problem, Problem::Circle { .. }), "{error}");
        assert!(error.to_string().contains("outer/inner/outer again"), "{error}");
    }
}

/// hdf5-pure refuses to add to a group whose links are in a heap.
#[test]
fn a_group_whose_links_are_in_a_heap_is_extended() {
    let folder = tempfile::tempdir().unwrap();
    let (source, copy) = (fixture("links_v200.h5"), folder.path().join("copy.h5"));
    std::fs::copy(&source, &copy).unwrap();
    let apply = |path: &Path| {
        let editor = Editor::open(path)?;
        editor.dataset("many/new", &NewDataset::new(Values::F64(&[40.0])))?;
        editor.commit()?;
        editor.close()
    };
    assert_eq!(edit_copy(&source, &copy, &["", "many"], &apply).unwrap(), Extended::InPlace);
    let root = File::open(&copy).unwrap().root().unwrap();
    assert_eq!(root.group("many").unwrap().unwrap().children().unwrap().len(), 41);
    for (path, expected) in [("many/new", 40.0), ("many/name 00", 0.0), ("second", 7.0)] {
        assert!((value(&root, path) - expected).abs() < 1e-12, "{path}");
    }
    // Without the group in the list, what it takes is to write the file anew, and soft links forbid that.
    std::fs::copy(&source, &copy).unwrap();
    let error = edit_copy(&source, &copy, &[], &apply).unwrap_err();
    assert!(matches!(error.problem, Problem::NotEdited(_)), "{error}");
}
