//! WHAT THE REST OF SBCELL MUST KNOW OF A SOLVER, said beside each solver and nowhere else.

mod any_solver;
mod description;
mod parameter;

pub use any_solver::{AnySolver, CourseSize, Held, Property, Solver};
pub use description::{Described, Description, Settable};
pub(crate) use parameter::parameter;
pub use parameter::{
    About, Field, Kind, MAX_ITERATIONS, Parameter, TOLERANCE, Value, Word, Worded,
};
