//! One test for each bug that was found, named after its number.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use sbcell::data::{Column, time};

/// A column read for a subset of cells must forget the categories that no cell of the subset has:
/// `fit --obs-filter time<=6` once listed later times with no cells.
#[test]
fn r001_filtered_times_list_only_times_with_cells() {
    let column = Column::Categories {
        codes: vec![Some(0), Some(1), Some(2), Some(0)],
        categories: Box::new(Column::Floats(vec![0.0, 6.0, 12.0])),
    };
    let axis = time::resolve("time", &column.select(&[0, 1, 3])).unwrap();
    assert_eq!(axis.times(), [0.0, 6.0]);
}
