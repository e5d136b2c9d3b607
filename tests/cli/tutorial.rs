//! The tutorials: every command of a page runs, in order, in one folder.

use std::fs;

use crate::sandbox::{Sandbox, root};

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

fn every_command_runs(page: &str) {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("data-samples/networks")).unwrap();
    for name in FILES {
        let name = format!("data-samples/{name}");
        fs::copy(root().join(&name), sandbox.path(&name)).unwrap();
    }
    let text = fs::read_to_string(root().join(page)).unwrap();
    for command in commands(&text) {
        sandbox.done(command);
    }
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
