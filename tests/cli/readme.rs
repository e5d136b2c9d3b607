//! The README's sample output: its main command runs, and prints what the README shows.

use std::fs;

use crate::sandbox::{Sandbox, root, sample};

/// The heading of the section with the sample output.
const HEADING: &str = "## Output of a fit";

/// The share by which a number may differ: solvers stop elsewhere on another type of CPU, and an
/// energy distance near its floor is a difference of nearly equal numbers.
const SHARE: f64 = 0.05;
const NEAR_ZERO: f64 = 0.02;

#[test]
fn the_main_command_prints_the_sample_output_of_the_readme() {
    let sandbox = Sandbox::new();
    let data = "data-samples/semrau2017_mesc_ra.h5ad";
    fs::create_dir(sandbox.path("data-samples")).unwrap();
    fs::copy(sample("semrau2017_mesc_ra"), sandbox.path(data)).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let command = readme.lines().find_map(|line| line.strip_prefix("cargo run --release -- fit "));
    let command = format!("fit {}", command.unwrap());
    assert!(command.contains(data), "{command}");
    let printed = sandbox.done(&command).stdout;
    let printed: Vec<&str> = printed.lines().collect();

    let begin = readme.find(HEADING).unwrap();
    let begin = begin + readme[begin..].find("```text\n").unwrap() + "```text\n".len();
    let end = begin + readme[begin..].find("```").unwrap();
    let shown: Vec<&str> = readme[begin..end].lines().collect();
    // The last line of the block says that more lines follow.
    let (more, shown) = shown.split_last().unwrap();
    assert_eq!(more.trim(), "…");
    assert!(printed.len() > shown.len());
    if std::env::var_os("UPDATE").is_some() {
        let block = format!("{}\n{more}\n", printed[..shown.len()].join("\n"));
        let updated = format!("{}{block}{}", &readme[..begin], &readme[end..]);
        fs::write(root().join("README.md"), updated).unwrap();
        return;
    }
    let differing: Vec<String> = printed
        .iter()
        .zip(shown)
        .filter(|(printed, shown)| !alike(printed, shown))
        .map(|(printed, shown)| format!("printed: {printed}\nREADME:  {shown}"))
        .collect();
    let advice = "`UPDATE=1 cargo test --release --test cli readme` writes the README anew";
    assert!(differing.is_empty(), "{}\n{advice}", differing.join("\n"));
}

/// Whether two lines have the same words and, nearly, the same numbers.
fn alike(a: &str, b: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (a.split_whitespace().collect(), b.split_whitespace().collect());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| word_alike(a, b))
}

fn word_alike(a: &str, b: &str) -> bool {
    let number =
        |word: &str| word.trim_matches(|c: char| "[](),;%".contains(c)).parse::<f64>().ok();
    match (number(a), number(b)) {
        // Counts of iterations, Gaussians and parameters go with the stopping place.
        (Some(a), Some(b)) => (a - b).abs() <= (SHARE * a.abs().max(b.abs())).max(NEAR_ZERO),
        _ => a == b,
    }
}

#[test]
fn numbers_may_differ_a_little_and_words_not_at_all() {
    assert!(alike("noise: σ² = 0.100 per unit", "noise:  σ² = 0.101 per unit"));
    assert!(!alike("noise: σ² = 0.100 per unit", "noise: σ² = 0.200 per unit"));
    assert!(!alike("better than the time before", "worse than the time before"));
    assert!(!alike("6 → 12 converged 10", "6 → 12 converged 10 1"));
}
