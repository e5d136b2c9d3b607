//! Bridges and the sampler against answers that are known, and what every solver promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and prints what it measured"
)]

mod agreement;
mod answers;
mod dsbm_known;
mod flow_known;
mod gaussian_known;
mod geodesic_courses;
mod known_answers;
mod known_sinkhorn;
mod limits;
mod marginal_score;
mod mixture_bridges;
mod other_diffusion;
mod ou_known;
mod plan_bent;
mod plan_bridge;
mod plan_ends;
mod sampler_known;
mod solver_contract;
mod spline_known;
#[path = "../support/mod.rs"]
mod support;
