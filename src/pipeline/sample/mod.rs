//! The command `sample`: more cells like those of a time, unmeasured genes of measured cells, and null courses.

mod impute;
mod likelihood;
mod options;
mod run;
mod write;

pub use impute::{Imputed, impute};
pub use likelihood::{Likelihood, read_likelihood, sample_posterior};
pub use options::{BandwidthChoice, MeasuredOptions, Null, SampleOptions};
pub use run::{SampleReport, Sampled, sample};
pub use write::{write_imputed, write_samples};
