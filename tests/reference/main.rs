//! Numbers of other implementations, from `data-samples/reference`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod edge_scores;
mod genes;
mod matrices;
mod metrics;
mod network;
mod pca;
mod sinkhorn;
