//! Bytes as a table of columns: read as edges and as cells, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbcell::io::cell_table::CellTable;
use sbcell::io::{edges, table};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("sbcell-fuzz-{}.parquet", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        let _ = (table::read_parquet(&path), edges::read(&path), CellTable::read(&path));
    }
});
