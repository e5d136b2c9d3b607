//! The command `fit`: the cells of an `.h5ad` file → one bridge for each interval, in a model folder.
//!
//! [`Plan::read`] reads cells, times and growth once. [`Plan::estimate`] says what a fit would take,
//! [`Plan::run`] fits. [`fit`] and [`estimate`] do both steps at once.

pub(super) mod auto_growth;
mod choose;
pub(super) mod clock;
mod conditions;
mod coupling;
mod estimate;
pub(super) mod footprint;
pub(super) mod growth;
mod growth_share;
mod hashing;
mod intervals;
pub(super) mod oddities;
pub(super) mod options;
pub(super) mod plan;
mod probe;
mod reference;
mod route;
pub(super) mod run;
pub(super) mod scale;
pub(super) mod selection;
mod shards;
pub(super) mod solve;
pub(super) mod units;
mod write;

pub use clock::{Asynchrony, Bending, Timing};
pub use conditions::{
    ConditionCourse, ConditionOptions, ConditionSummary, Conditions, FittedCondition, ParentTable,
};
pub use estimate::{FitEstimate, estimate};
pub use growth::{GrowthOptions, GrowthPrior, GrowthTable};
pub use options::{FitOptions, Noise, Source, TimeOptions, ValuesChoice};
pub use plan::Plan;
pub use reference::Reference;
pub use run::{FitSummary, Running, fit};
pub use selection::{Selection, select};
