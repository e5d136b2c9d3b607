//! Principal components of a simulated sparse matrix, against the speed of a plain product.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints")]

fn main() {}
