//! The house rules that no compiler checks: layers, sizes, module docs, names.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from low to high; a module imports only from those before it. Equal rank (`error`,
/// `progress`, `rng`) may import each other.
const LAYERS: [(&str, usize); 15] = [
    ("error", 0),
    ("progress", 0),
    ("rng", 0),
    ("linalg", 1),
    ("data", 2),
    ("preprocess", 3),
    ("geometry", 4),
    ("bridge", 5),
    ("sampler", 6),
    ("grn", 7),
    ("metrics", 8),
    ("lineage", 9),
    ("io", 10),
    ("pipeline", 11),
    ("cli", 12),
];

const VAGUE: [&str; 8] =
    ["utils", "util", "common", "helpers", "helper", "misc", "types", "manager"];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().find(|layer| layer.0 == module).map(|layer| layer.1)
}

/// The top-level module a file belongs to: `src/io/h5ad/read.rs` → `io`.
fn module_of(path: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = path.strip_prefix(src).unwrap().iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_string()
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = rank(&module_of(&path)) else { continue };
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            for part in line.split("crate::").skip(1) {
                let name: String =
                    part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if let Some(other) = rank(&name)
                    && other > own
                {
                    wrong.push(format!("{}:{} imports {name}", path.display(), number + 1));
                }
            }
            if line.contains("crate::{") {
                wrong.push(format!("{}:{} `use crate::{{`", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or("");
        if !(first.starts_with("//! ") && first.len() > 20) {
            wrong.push(format!("{}: first line must be `//! ` and a sentence", path.display()));
        }
        let lines = text.lines().count();
        if lines > 500 {
            wrong.push(format!("{}: {lines} lines, at most 500", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_vague_names() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(!VAGUE.contains(&stem), "{}: say what it is for", path.display());
    }
}

#[test]
fn only_the_terminal_prints_and_only_io_opens_files() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let code = text.split("#[cfg(test)]").next().unwrap();
        let prints = ["println!", "eprintln!", "print!(", "eprint!(", "stdout()", "stderr()"];
        if module != "cli" && prints.iter().any(|word| code.contains(word)) {
            wrong.push(format!("{} prints", path.display()));
        }
        // `hdf5` is the crate below `io::h5ad`.
        if !["cli", "io", "hdf5"].contains(&module.as_str()) && code.contains("std::fs") {
            wrong.push(format!("{} opens files", path.display()));
        }
        if module != "cli" && code.contains("std::env") {
            wrong.push(format!("{} reads the environment", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_one_crate_of_the_workspace_knows_hdf5() {
    let below = ["hdf5_pure", "flate2::Decompress", "zstd::", "lz4::"];
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| module_of(path) != "hdf5")
        .filter(|(_, text)| below.iter().any(|name| text.contains(name)))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "not through `sbcell_hdf5`: {}", wrong.join(", "));
}

#[test]
fn the_architecture_page_names_every_file() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md"))
            .unwrap();
    let missing: Vec<String> = sources()
        .into_iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_string())
        .filter(|name| name != "mod.rs" && !page.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in docs/ARCHITECTURE.md: {}", missing.join(", "));
}
