//! MORE CELLS LIKE THESE: the bridge of a snapshot to itself, and chains at rest in its law.
//!
//! Source: Gottwald, Li, Marzouk, Reich. Stable generative modeling using Schrödinger bridges. 2024.
//! arXiv 2401.04372. There a step has the variance 2ε; here ε is the variance of a step, as
//! everywhere in this library. The density at rest, the bandwidth chosen by it, and the noise that
//! [`Scheme::Matched`] adds are ours.

mod bandwidth;
mod chain;
mod condition;
mod copies;
mod kernel;
mod predictive;
mod scaling;
mod self_bridge;

pub use bandwidth::{Bandwidth, ChosenBandwidth};
pub use chain::{Sampler, Scheme};
pub use condition::{Condition, Gradient, Observed};
pub use copies::Copies;
pub use kernel::Kernel;
pub use scaling::Scaling;
pub use self_bridge::SelfBridge;
