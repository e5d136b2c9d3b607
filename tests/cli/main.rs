//! The binary as a person meets it: words, files and exit codes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod after_run;
mod annotate;
mod clones;
#[path = "../support/course.rs"]
mod course;
mod edges;
mod errors;
mod evaluate;
mod export;
mod formats;
mod help;
mod interrupt;
mod itself;
mod json;
mod lineage;
mod old_models;
mod parts;
mod plan;
mod plan_stages;
mod plot;
mod processes;
mod progress;
mod readme;
mod report;
mod run;
mod sample;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod solvers;
mod tables;
mod tutorial;
mod velocity;
mod verify;
mod whole_run;
mod width;
