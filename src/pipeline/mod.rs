//! WHOLE JOBS: what a command does, without the words.

mod inspect;

pub use inspect::{
    Ability, ColumnReport, Embedding, Evidence, Inspection, MatrixReport, Scale, TimeColumn,
    Values, inspect,
};
