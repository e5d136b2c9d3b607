//! Bytes as an HDF5 file that is edited: the edit succeeds and can be read back, or is refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sbcell_hdf5::{Editor, File, NewAttribute, NewDataset, Values, edit_copy, survey};

fuzz_target!(|bytes: &[u8]| {
    let path = |name: &str| {
        std::env::temp_dir().join(format!("sbcell-fuzz-{}.{name}.h5", std::process::id()))
    };
    let (source, copy) = (path("source"), path("copy"));
    let is_tree = File::from_bytes(bytes.to_vec())
        .and_then(|file| survey(&file))
        .is_ok_and(|found| found.is_tree());
    if !is_tree || std::fs::write(&source, bytes).is_err() || std::fs::write(&copy, bytes).is_err()
    {
        return;
    }
    if edit_copy(&source, &copy, &[""], &apply).is_ok() {
        let root = File::open(&copy).and_then(|file| file.root()).expect("an edited file");
        assert_eq!(root.dataset("added").expect("the new dataset").shape(), [3]);
    }
});

fn apply(path: &Path) -> sbcell_hdf5::Result<()> {
    let editor = Editor::open(path)?;
    editor.dataset("added", &NewDataset::new(Values::F64(&[1.0, 2.0, 3.0])))?;
    editor.attribute("", "edited", NewAttribute::Text("yes".into()))?;
    editor.commit()?;
    editor.close()
}
