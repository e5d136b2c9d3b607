//! The commands `annotate` and `strip`: results of a model written into the `.h5ad` of its cells, and removed again.

mod join;
mod mark;
mod options;
mod parts;
mod run;
mod strip;

pub use mark::{Mark, MarkInput, marks};
pub use options::{AnnotateOptions, KEY, VelocityKind};
pub use run::{Annotated, annotate};
pub use strip::{Stripped, strip};
