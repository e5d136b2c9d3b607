//! The command `velocity`: the direction and speed of every cell.

mod options;
mod run;
mod write;

pub use options::{VelocityOptions, VelocitySpace};
pub use run::{SpeedAt, Velocities, velocity};
pub use write::write_velocities;
