//! Bytes as every small file that users bring: read, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbcell::io::cell_table::CellTable;
use sbcell::io::{edges, lists, measured};

fuzz_target!(|bytes: &[u8]| {
    for ending in ["csv", "gmt"] {
        let name = format!("sbcell-fuzz-{}.{ending}", std::process::id());
        let path = std::env::temp_dir().join(name);
        if std::fs::write(&path, bytes).is_err() {
            continue;
        }
        let _ = (lists::read_names(&path), lists::read_time_map(&path), lists::read_growth(&path));
        let _ = (lists::read_cell_groups(&path), CellTable::read(&path), edges::read(&path));
        let _ = measured::read_measured(&path);
    }
});
