//! One test for each bug that was found, named after its number, in a file for each part of the tool.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::format_collect, reason = "short tables in tests")]

#[path = "../support/course.rs"]
mod course;
mod files;
mod fitting;
mod forged;
mod formulas;
mod labels;
mod limits;
mod messages;
mod models;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod solvers;
#[path = "../support/mod.rs"]
mod support;
