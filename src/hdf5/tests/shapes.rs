//! Datasets of every shape that the HDF5 library writes, in the formats of HDF5 1.8, 1.10 and 2.0.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::PathBuf;
use std::sync::Arc;

use sbcell_hdf5::{Element, Field, File, Group, Node, Records, Storage, live_bytes, survey};

/// Rows and columns of the datasets, which count from 0 in row-major order.
const SHAPE: [usize; 2] = [7, 4];

fn open(version: &str) -> Arc<File> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    File::open(&folder.join(format!("shapes_{version}.h5"))).unwrap()
}

fn inside(version: &str) -> Group {
    open(version).root().unwrap().group("inside").unwrap().unwrap()
}

fn numbers(group: &Group, name: &str) -> Vec<f64> {
    let dataset = group.dataset(name).unwrap();
    let storage = Storage::new(&dataset).unwrap();
    storage.numbers(0..storage.n_rows()).unwrap()
}

fn counted(n: usize) -> Vec<f64> {
    (0..n).map(|value| value as f64).collect()
}

#[test]
fn every_layout_and_index_reads_as_the_same_numbers() {
    let plain = ["contiguous", "compact", "early"];
    let indices =
        ["one_chunk", "fixed", "may_grow_to", "grows_in_rows", "grows_in_columns", "grows_in_both"];
    for version in ["v18", "v110", "v200"] {
        let inside = inside(version);
        for name in plain {
            assert_eq!(numbers(&inside, name), counted(28), "{version} {name}");
        }
        for how in ["plain", "gzip"] {
            let group = inside.group(how).unwrap().unwrap();
            for name in indices {
                assert_eq!(numbers(&group, name), counted(28), "{version} {how}/{name}");
                let dataset = group.dataset(name).unwrap();
                assert_eq!(dataset.shape(), SHAPE);
                let filters = dataset.filter_names();
                assert_eq!(filters.is_empty(), how == "plain", "{version} {how}/{name}");
                let rows = Storage::new(&dataset).unwrap().numbers::<f32>(3..4).unwrap();
                assert_eq!(rows, [12.0, 13.0, 14.0, 15.0], "{version} {how}/{name}");
            }
        }
        for name in ["pages", "pages_grow"] {
            assert_eq!(numbers(&inside, name), counted(1300), "{version} {name}");
        }
        assert_eq!(numbers(&inside, "solid"), counted(60), "{version} solid");
    }
}

#[test]
fn what_was_never_written_has_the_fill_value() {
    for version in ["v18", "v110", "v200"] {
        let inside = inside(version);
        assert_eq!(numbers(&inside, "no_data"), [2.5; 28], "{version}");
        let filled = |fill: f64| {
            let written = |place: usize| place / 4 < 2 && place % 4 < 3;
            (0..28).map(|at| if written(at) { at as f64 } else { fill }).collect::<Vec<_>>()
        };
        for name in ["holes", "holes_gzip", "holes_grow", "holes_grow_in_both"] {
            assert_eq!(numbers(&inside, name), filled(-1.5), "{version} {name}");
        }
        assert_eq!(numbers(&inside, "holes_of_zeros"), filled(0.0), "{version}");
    }
}

#[test]
fn fields_of_records_are_columns() {
    for version in ["v18", "v110", "v200"] {
        let table = inside(version).dataset("records").unwrap();
        let Element::Record(fields) = table.element() else { panic!("{:?}", table.element()) };
        let [single, big, fixed, text] = &fields[..] else { panic!("{fields:?}") };
        let records = Records::read(&table).unwrap();
        assert_eq!(records.n(), 3);
        assert_eq!(records.numbers::<f64>(single).unwrap(), [0.5, 1.5, 2.5]);
        assert_eq!(records.numbers::<i64>(big).unwrap(), [-1, 0, 300]);
        assert_eq!(records.texts(fixed).unwrap(), ["a", "bc", "def"]);
        assert_eq!(records.texts(text).unwrap(), ["", "é", "long enough"]);
        assert_eq!(records.bytes(big).unwrap(), [255, 255, 0, 0, 1, 44]);
        assert!(records.texts(single).is_err() && records.numbers::<f64>(text).is_err());
        let stored = table.stored_type().unwrap().field("big").unwrap();
        assert_eq!(stored.element(), big.element);
        let outside = Field { offset: table.element_size(), ..single.clone() };
        let error = records.bytes(&outside).unwrap_err().to_string();
        assert!(error.contains("`single` lies outside its record"), "{error}");
    }
}

#[test]
fn files_of_the_library_are_trees_whose_data_are_counted() {
    for version in ["v18", "v110", "v200"] {
        let file = open(version);
        assert!(survey(&file).unwrap().is_tree(), "{version}");
        let root = file.root().unwrap();
        let length = std::fs::metadata(file.path()).unwrap().len();
        let live = live_bytes(&root).unwrap();
        // Six plain datasets of whole chunks, with all their padding, are the larger part.
        assert!((6 * 8 * 28..length).contains(&live), "{version}: {live} of {length}");
    }
}

/// Every byte of the headers and indices changed, one at a time, and every length of the file.
#[test]
fn damage_is_an_error_or_another_number_but_never_a_panic() {
    let bytes = std::fs::read(open("v200").path()).unwrap();
    let step = 13;
    for (turn, at) in (0..bytes.len()).step_by(step).enumerate() {
        let mut damaged = bytes.clone();
        damaged[at] ^= [0xff, 0x01, 0x80][turn % 3];
        read_all(damaged);
    }
    for length in (0..bytes.len()).step_by(997) {
        read_all(bytes[..length].to_vec());
    }
}

fn read_all(bytes: Vec<u8>) {
    let Ok(file) = File::from_bytes(bytes) else { return };
    if let Ok(root) = file.root() {
        let _ = survey(&file);
        read_group(&root, 0);
    }
}

fn read_group(group: &Group, depth: usize) {
    if depth > 4 {
        return;
    }
    for name in group.children().unwrap_or_default() {
        match group.child(&name) {
            Ok(Some(Node::Group(inside))) => read_group(&inside, depth + 1),
            Ok(Some(Node::Dataset(dataset))) => {
                if let Ok(storage) = Storage::new(&dataset) {
                    let _ = storage.numbers::<f64>(0..storage.n_rows());
                }
            }
            _ => {}
        }
    }
}
