//! Bytes as an HDF5 file: every object in it is read, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbcell_hdf5::{Element, File, Group, Node, Records, Storage, live_bytes, survey};

/// Groups inside groups that are read; links may lead in circles.
const DEEPEST: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = File::from_bytes(bytes.to_vec()) else { return };
    let Ok(root) = file.root() else { return };
    // Only where links do not lead in circles is there an end to the objects.
    if survey(&file).is_ok() {
        let _ = live_bytes(&root);
        read(&root, 0);
    }
});

fn read(group: &Group, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    for name in group.children().unwrap_or_default() {
        let dataset = match group.child(&name) {
            Ok(Some(Node::Group(inside))) => {
                read(&inside, depth + 1);
                continue;
            }
            Ok(Some(Node::Dataset(dataset))) => dataset,
            _ => continue,
        };
        let _ = (dataset.filter_names(), dataset.stored_bytes(), dataset.stored_type());
        if let Element::Record(fields) = dataset.element()
            && let Ok(records) = Records::read(&dataset)
        {
            for field in fields {
                let _ = (records.numbers::<f64>(field), records.texts(field));
            }
        }
        if let Ok(storage) = Storage::new(&dataset) {
            let rows = 0..storage.n_rows();
            let _ = (storage.numbers::<f64>(rows.clone()), storage.bytes(rows), storage.texts());
        }
    }
}
