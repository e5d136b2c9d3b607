//! Whole courses whose truth is known: fitted, interpolated, scored, read for edges, and taken up again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and prints what it measured"
)]

mod cross_fit;
mod edges_known;
mod examples;
mod fit_known;
mod flow_model;
mod growth;
mod growth_auto;
mod growth_genes;
mod held_out;
mod knockouts;
mod metric_on_trial;
mod networks;
mod new_solver;
mod resume;
#[path = "../support/mod.rs"]
mod support;
