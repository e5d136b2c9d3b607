//! Damaged inputs of every kind, and what is promised of them: an answer or one error, never a panic, a
//! hang, an absurd allocation or a result that is not finite.
//!
//! Bounded as it stands (a fixed seed, seconds). For hours: `DAMAGE_COUNT=100000 DAMAGE_SEED=7 cargo test
//! --release --test damage -- --nocapture`. The count is that of damaged inputs of each kind; runs of the
//! binary are a hundredth of it. An input that breaks the promise is kept in `target/tmp/damage` and named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and takes its size from the environment"
)]

mod binary;
mod dice;
mod h5ad;
mod models;
mod promise;
mod seeds;
mod texts;
