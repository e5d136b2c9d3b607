//! The tutorials: every command of a page runs, in order, in one folder.

use std::fs;

use crate::readme::word_alike;
use crate::sandbox::{Answer, Sandbox, root};

/// Files of `data-samples` that the tutorials read.
const FILES: [&str; 6] = [
    "semrau2017_mesc_ra.h5ad",
    "semrau2017_groups.csv",
    "chu2016_hesc_de.h5ad",
    "networks/dyn-linear.h5ad",
    "networks/dyn-linear.csv",
    "networks/semrau2017_chip.csv",
];

/// The pages that have a test below.
const PAGES: [&str; 5] = ["can-i-believe-it", "edges", "fates", "first-hour", "interop"];

/// The commands in the `sh` blocks of a page, without the name of the program.
fn commands(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                found.push(line.strip_prefix("sbcell ").unwrap_or_else(|| panic!("{line}")));
            }
            _ => {}
        }
    }
    found
}

/// Runs the commands of a page in order, and finds every printed line of the page in what they printed or wrote.
fn every_command_runs(page: &str) {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("data-samples/networks")).unwrap();
    for name in FILES {
        let name = format!("data-samples/{name}");
        fs::copy(root().join(&name), sandbox.path(&name)).unwrap();
    }
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (mut kind, mut printed, mut missing) = ("", String::new(), Vec::new());
    for line in text.lines() {
        match (kind, line) {
            ("", _) if line.starts_with("```") => kind = line,
            (_, "```") => kind = "",
            ("```sh", _) => printed += &said(&sandbox.done(line.strip_prefix("sbcell ").unwrap())),
            ("```text", _) => match line.strip_prefix("$ sbcell ") {
                // A command that ends with an error.
                Some(command) => printed += &said(&sandbox.run(command)),
                None if is_printed(line, &printed) => {}
                None => missing.push(line),
            },
            _ => {}
        }
    }
    assert!(missing.is_empty(), "{page} shows what was not printed:\n{}", missing.join("\n"));
}

/// All that a command printed.
fn said(answer: &Answer) -> String {
    format!("{}\n{}\n", answer.stdout, answer.stderr)
}

/// Whether the words of a line stand one after the other in `printed`. `…` stands for any words; numbers may differ
/// a little.
fn is_printed(line: &str, printed: &str) -> bool {
    let printed: Vec<&str> = printed.split_whitespace().collect();
    line.split('…').all(|part| {
        let part = part.trim_start_matches([';', ',', ' ']);
        let words: Vec<&str> = part.split_whitespace().collect();
        let words = words.as_slice();
        let fits = |window: &[&str]| window.iter().zip(words).all(|(a, b)| alike(a, b));
        words.is_empty() || printed.windows(words.len()).any(fits)
    })
}

/// Whether two words are alike, with or without a comma.
fn alike(a: &str, b: &str) -> bool {
    word_alike(a.trim_end_matches(','), b.trim_end_matches(','))
}

#[test]
fn printed_lines_are_found_across_line_breaks_and_others_are_not() {
    let printed = "wrote 1640 edges\nto edges.csv, 3 s\n";
    assert!(is_printed("wrote 1640 edges to …", printed) && is_printed("…", printed));
    assert!(is_printed("wrote 1641 edges", printed));
    assert!(!is_printed("wrote 1940 edges", printed) && !is_printed("read 1640 edges", printed));
}

#[test]
fn every_tutorial_has_a_test_and_commands() {
    let mut found: Vec<String> = fs::read_dir(root().join("docs/tutorials"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    found.sort();
    assert_eq!(found, PAGES);
    for page in PAGES {
        let text = fs::read_to_string(root().join(format!("docs/tutorials/{page}.md"))).unwrap();
        let n_commands = commands(&text).len();
        assert!(n_commands >= 5, "{page}: only {n_commands} commands were found");
    }
}

#[test]
fn the_first_hour_runs() {
    every_command_runs("docs/tutorials/first-hour.md");
}

#[test]
fn the_tutorial_of_fates_runs() {
    every_command_runs("docs/tutorials/fates.md");
}

#[test]
fn the_tutorial_of_edges_runs() {
    every_command_runs("docs/tutorials/edges.md");
}

#[test]
fn the_tutorial_of_trust_runs() {
    every_command_runs("docs/tutorials/can-i-believe-it.md");
}

#[test]
fn the_tutorial_of_other_tools_runs() {
    every_command_runs("docs/tutorials/interop.md");
}

#[test]
fn the_commands_of_the_index_run() {
    every_command_runs("docs/TUTORIAL.md");
}
