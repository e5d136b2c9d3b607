//! The printed blocks of the README and of the page on output: the commands run, and print what the pages show.

use std::fs;

use crate::sandbox::{Sandbox, root, sample};

/// The share by which a number may differ: solvers stop elsewhere on another type of CPU, and an
/// energy distance near its floor is a difference of nearly equal numbers.
const SHARE: f64 = 0.05;
const NEAR_ZERO: f64 = 0.02;

/// A page, and the beginning of the line with its command.
struct Page {
    file: &'static str,
    command: &'static str,
}

#[test]
fn the_main_command_prints_the_block_of_the_readme() {
    let page = Page { file: "README.md", command: "cargo run --release -- run " };
    page.check("run", &["semrau2017_groups.csv"]);
}

#[test]
fn a_fit_prints_the_block_of_the_page_on_output() {
    let page = Page { file: "docs/OUTPUT.md", command: "sbcell fit " };
    page.check("fit", &[]);
}

impl Page {
    /// Runs the command with the sample and `more` files of `data-samples`, and compares what it prints with the
    /// first block of text; with `UPDATE` set it writes the block anew. A last line `…` says that more lines follow.
    fn check(&self, name: &str, more: &[&str]) {
        let sandbox = Sandbox::new();
        let data = "data-samples/semrau2017_mesc_ra.h5ad";
        fs::create_dir(sandbox.path("data-samples")).unwrap();
        fs::copy(sample("semrau2017_mesc_ra"), sandbox.path(data)).unwrap();
        for file in more {
            let file = format!("data-samples/{file}");
            fs::copy(root().join(&file), sandbox.path(&file)).unwrap();
        }
        let path = root().join(self.file);
        let text = fs::read_to_string(&path).unwrap();
        let command = text.lines().find_map(|line| line.strip_prefix(self.command)).unwrap();
        assert!(command.contains(data), "{command}");
        let printed = sandbox.done(&format!("{name} {command}")).stdout;
        let printed: Vec<&str> = printed.lines().map(without_time).collect();

        let begin = text.find("```text\n").unwrap() + "```text\n".len();
        let end = begin + text[begin..].find("```").unwrap();
        let shown: Vec<&str> = text[begin..end].lines().collect();
        let (last, first) = shown.split_last().unwrap();
        let part = last.trim() == "…" && !first.is_empty();
        let shown = if part { first } else { &shown };
        if std::env::var_os("UPDATE").is_some() {
            let n_lines = if part { shown.len() } else { printed.len() };
            let more = if part { "…\n" } else { "" };
            let block = format!("{}\n{more}", printed[..n_lines].join("\n"));
            fs::write(path, format!("{}{block}{}", &text[..begin], &text[end..])).unwrap();
            return;
        }
        assert!(part || printed.len() == shown.len(), "{printed:#?}");
        let differing: Vec<String> = printed
            .iter()
            .zip(shown)
            .filter(|(printed, shown)| !alike(printed, shown))
            .map(|(printed, shown)| format!("printed: {printed}\n{}: {shown}", self.file))
            .collect();
        let advice = "`UPDATE=1 cargo test --release --test cli readme` writes the block anew";
        assert!(differing.is_empty(), "{}\n{advice}", differing.join("\n"));
    }
}

/// A line of a step without the time that it took.
fn without_time(line: &str) -> &str {
    let Some((before, time)) = line.rsplit_once(", ") else { return line };
    let digits = time.trim_end_matches(" min").trim_end_matches(" s");
    let timed = digits.len() < time.len() && digits.chars().all(|c| c.is_ascii_digit());
    if line.starts_with('[') && timed { before } else { line }
}

/// Whether two lines have the same words and, nearly, the same numbers.
fn alike(a: &str, b: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (a.split_whitespace().collect(), b.split_whitespace().collect());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| word_alike(a, b))
}

/// Whether two words are the same or, nearly, the same numbers.
pub(crate) fn word_alike(a: &str, b: &str) -> bool {
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
