//! Several courses in one set of coordinates: one for each condition, or for each leaf of a tree of samples.

mod courses;
mod options;
mod run;
mod tree;

pub use courses::{ConditionCourse, Conditions};
pub use options::{ConditionOptions, ParentTable};
pub use run::{ConditionSummary, FittedCondition};
