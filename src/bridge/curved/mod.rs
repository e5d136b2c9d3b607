//! CURVED: any bridge along the curve of the course, since populations do not turn at snapshots.
//!
//! The mean of a bridge moves on the straight line between the means of its snapshots. A curved
//! bridge adds the distance of a smooth curve through all means from this line ([`Curve`]).
//! `docs/METHODS.md` (section 3, The curve of the course) derives the formulas.
//!
//! # Files
//!
//! - `curve`: the curve of one interval, from the means of the course
//! - `process`: the bridge along this curve; `record`: its numbers

mod curve;
mod process;
mod record;

pub use curve::Curve;
pub use process::{CurvedBridge, plain};
pub use record::CurvedRecord;
