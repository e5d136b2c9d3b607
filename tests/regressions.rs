//! One test for each bug that was found, named after its number, in a file for each part of the tool.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::format_collect, reason = "short tables in tests")]

#[path = "regressions/files.rs"]
mod files;
#[path = "regressions/fitting.rs"]
mod fitting;
#[path = "regressions/forged.rs"]
mod forged;
#[path = "regressions/formulas.rs"]
mod formulas;
#[path = "regressions/labels.rs"]
mod labels;
#[path = "regressions/limits.rs"]
mod limits;
#[path = "regressions/messages.rs"]
mod messages;
#[path = "regressions/models.rs"]
mod models;
#[allow(dead_code, reason = "shared with the tests of the binary, which use all of it")]
#[path = "cli/sandbox.rs"]
mod sandbox;
#[path = "regressions/solvers.rs"]
mod solvers;
