//! NEW CELLS FROM A SNAPSHOT: its bridge to itself, and Markov chains with its distribution.
//!
//! [`Bandwidth`] chooses the variance ε of a step, [`SelfBridge`] is the bridge, and [`Sampler`]
//! draws cells, also given measurements ([`Observed`]). [`Copies`] counts draws that are near copies
//! of cells.
//!
//! Source: Gottwald, Li, Marzouk, Reich. Stable generative modeling using Schrödinger bridges. 2024.
//! arXiv 2401.04372. A step has the variance 2ε there; here ε is the variance of a step, as in all
//! modules. The stationary density, the bandwidth chosen by it, and the noise of [`Scheme::Matched`]
//! are not from this paper.

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
#[doc(hidden)]
pub use scaling::Scaling;
pub use self_bridge::SelfBridge;
