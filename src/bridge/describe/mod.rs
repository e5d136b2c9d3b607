//! DESCRIPTIONS OF SOLVERS: the name, parameters, properties, work and memory of each solver.
//!
//! A solver describes itself in the file `description.rs` of its folder, and nowhere else. The
//! command line, the pipeline, model files and hints take everything from two traits: [`AnySolver`]
//! for a solver with its hyperparameters, and [`Described`] for the name under which users select
//! it. [`Description`] implements [`Described`] for any solver that implements serde and
//! [`AnySolver`].
//!
//! ```
//! use sbcell::bridge::describe::{About, Description, Kind, Parameter, Value};
//! use sbcell::bridge::describe::{Described, Field};
//! use sbcell::bridge::OtSolver;
//!
//! static EXACT: Description<OtSolver> = Description {
//!     name: "exact",
//!     about: "Exact optimal transport",
//!     plain: OtSolver::default,
//!     parameters: &[],
//! };
//!
//! assert_eq!(EXACT.name(), "exact");
//! assert!(EXACT.parameters().is_empty());
//! # let _ = (About::new("n", Kind::ANY_COUNT, "A number"), Value::Count(1), 1_usize.value());
//! # let _: Option<Parameter<OtSolver>> = None;
//! ```

mod any_solver;
mod description;
mod parameter;

pub use any_solver::{AnySolver, Candidate, CourseSize, Held, Property, Solver};
pub use description::{Described, Description, Settable};
pub(crate) use parameter::parameter;
pub use parameter::{
    About, Field, Kind, MAX_ITERATIONS, Parameter, TOLERANCE, Value, Word, Worded,
};
