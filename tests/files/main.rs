//! Files as others write and read them: every dialect of `.h5ad`, edits of it, and our outputs in other tools.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    clippy::print_stdout,
    reason = "a test stops at the first surprise; what was stored is compared bit for bit"
)]

mod h5ad_dialects;
mod h5ad_edit;
mod open_annotated;
mod open_outputs;
mod tools;
