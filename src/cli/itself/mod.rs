//! Commands about sbcell itself: completions of shells, manual pages, the state of the machine, the version.

pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod machine;
pub(crate) mod manual;
pub(crate) mod version;
