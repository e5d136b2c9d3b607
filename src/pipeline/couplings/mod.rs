//! The command `couplings`: which cell goes to which, in files of sbcell and of other tools.

mod density;
mod options;
mod run;
mod write;

pub use options::{CouplingOptions, Export, coupling_files};
pub use run::{WrittenCoupling, couplings};
