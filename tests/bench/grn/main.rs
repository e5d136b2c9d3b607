//! Edges against known networks: the tables of docs/BENCHMARKS.md, made and not typed.
//!
//! `cargo bench --bench grn` runs everything; `-- courses`, `thinned`, `dense`, `ablations`,
//! `choice`, `direction`, `real`, `interventions` or `scale` (alone or with genes, regulators and cells) one part. What
//! `docs/pictures/draw.py` draws is written to `target/grn-bench`.
//!
//! `-- families` prints scores of methods on the simulated families, `leave-family-out` those of
//! settings chosen on all families but one, `reliability` calibrates the confidence, `sizes` prints those of linear systems up to 500 genes. A number
//! is the number of courses of each family. `-- export FOLDER` writes the courses with their networks.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod ablations;
mod choice;
mod direction;
mod families;
mod interventions;
mod real;
mod scale;
mod simulated;
mod tables;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let size = |words: &[String]| [0, 1, 2].map(|i| words[i].parse().unwrap());
    match words.first().map(String::as_str) {
        Some("scale-fit") => return scale::prepare(size(&words[1..])),
        Some("scale-grn") => return scale::one(size(&words[1..])),
        Some("export") => return families::export(words[1].as_ref()),
        Some("scale") if words.len() > 3 => return scale::run(&[size(&words[1..])]),
        _ => {}
    }
    let parts: [(&str, fn()); 13] = [
        ("courses", tables::courses),
        ("thinned", tables::thinned),
        ("dense", tables::dense),
        ("ablations", ablations::run),
        ("choice", choice::run),
        ("direction", direction::run),
        ("real", real::run),
        ("families", families::methods_by_family),
        ("leave-family-out", families::leave_family_out),
        ("reliability", families::reliability),
        ("sizes", families::sizes),
        ("interventions", interventions::run),
        ("scale", || scale::run(&[[1000, 100, 10_000], [2000, 200, 50_000]])),
    ];
    for (name, part) in parts {
        if words.is_empty() || words.iter().any(|word| word == name) {
            part();
        }
    }
}
