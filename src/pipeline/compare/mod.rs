//! The command `compare`: condition against condition, with intervals, p-values and q-values.

mod course_rows;
mod edge_cells;
mod edge_rows;
mod mean_rows;
mod options;
mod pair;
mod population_rows;
mod rows;
mod run;
mod side;
mod ways;

pub use options::CompareOptions;
pub use rows::{CompareKind, ComparedRow};
pub use run::{Compared, ConditionModel, compare, condition_folders};

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod tests;
