//! The house rules that no compiler checks: layers, sizes, module docs, names.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from low to high; a module imports only from those before it. Equal rank (`error`,
/// `progress`, `rng`, `share`) may import each other.
const LAYERS: [(&str, usize); 17] = [
    ("error", 0),
    ("platform", 0),
    ("progress", 0),
    ("rng", 0),
    ("share", 0),
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
        // Examples in comments may print and open files.
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        let prints = ["println!", "eprintln!", "print!(", "eprint!(", "stdout()", "stderr()"];
        if module != "cli" && prints.iter().any(|word| code.contains(word)) {
            wrong.push(format!("{} prints", path.display()));
        }
        // `hdf5` is the crate below `io::h5ad`, `platform` what `io` needs of the system.
        if !["cli", "io", "hdf5", "platform"].contains(&module.as_str()) && code.contains("std::fs")
        {
            wrong.push(format!("{} opens files", path.display()));
        }
        if module != "cli" && code.contains("std::env") {
            wrong.push(format!("{} reads the environment", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_one_module_asks_for_a_system_or_a_processor() {
    let asks = ["cfg(unix", "cfg!(unix", "cfg(windows", "target_os", "target_arch", "std::os::"];
    let asks = asks.iter().chain(&["feature_detected!", "pulp::Arch", "rustix::"]);
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        // `hdf5` is a crate of its own, with one such place.
        if ["platform", "hdf5"].contains(&module_of(&path).as_str()) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        let found = asks.clone().filter(|word| code.contains(**word));
        wrong.extend(found.map(|word| format!("{}: {word}", path.display())));
    }
    assert!(wrong.is_empty(), "put it into `platform`:\n{}", wrong.join("\n"));
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

/// The first sentence of a file or a folder (of its `mod.rs` or `lib.rs`), cut to fit a line.
fn first_sentence(path: &Path) -> String {
    const WIDTH: usize = 90;
    let inside = |name: &str| path.join(name);
    let file = if path.is_file() { path.to_path_buf() } else { inside("mod.rs") };
    let file = if file.is_file() { file } else { inside("lib.rs") };
    let text = fs::read_to_string(&file).unwrap_or_default();
    let words = text.lines().take_while(|line| line.starts_with("//! ")).map(|line| &line[4..]);
    let joined = words.collect::<Vec<_>>().join(" ");
    let sentence = joined.split_once(". ").map_or(joined.as_str(), |parts| parts.0);
    let sentence = sentence.trim_end_matches('.');
    if sentence.chars().count() <= WIDTH {
        return sentence.to_string();
    }
    let cut: String = sentence.chars().take(WIDTH).collect();
    format!("{} …", cut.rsplit_once(' ').map_or(cut.as_str(), |parts| parts.0))
}

/// A line for each file and folder in `folder`, folders after files, each in order of name (the
/// layers of the crate in the order of their rank).
fn tree(folder: &Path, depth: usize, lines: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let order = |path: &PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        let layer = if depth == 1 { rank(&stem).map_or(0, |rank| rank + 1) } else { 0 };
        (layer, path.is_dir(), name(path))
    };
    entries.sort_by_key(order);
    for path in entries {
        let name = name(&path);
        let shown = if path.is_dir() { format!("{name}/") } else { name.clone() };
        if name == "mod.rs"
            || !(path.is_dir() || path.extension().is_some_and(|suffix| suffix == "rs"))
        {
            continue;
        }
        let left = format!("{}{shown}", "  ".repeat(depth));
        lines.push(format!("{left:<27} {}", first_sentence(&path)).trim_end().to_string());
        if path.is_dir() {
            tree(&path, depth + 1, lines);
        }
    }
}

#[test]
fn the_architecture_page_shows_the_tree_of_source_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let begin = page.find("```text\nsrc/\n").unwrap() + "```text\n".len();
    let end = begin + page[begin..].find("```").unwrap();
    let mut lines = vec!["src/".to_string()];
    tree(&root.join("src"), 1, &mut lines);
    let expected = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        let page = format!("{}{expected}{}", &page[..begin], &page[end..]);
        fs::write(root.join("docs/ARCHITECTURE.md"), page).unwrap();
        return;
    }
    let shown: Vec<&str> = page[begin..end].lines().collect();
    let missing: Vec<&String> =
        lines.iter().filter(|line| !shown.contains(&line.as_str())).collect();
    assert!(
        page[begin..end] == expected,
        "`UPDATE=1 cargo test --release --test tidy` writes the tree in docs/ARCHITECTURE.md: {missing:#?}"
    );
}

/// The code of a file without its unit tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

#[test]
fn the_library_names_parameters_and_no_flags() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if ["cli", "main"].contains(&module_of(&path).as_str()) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            // Commands of other programs have flags of their own.
            let other = ["cargo ", "git lfs "].iter().any(|program| line.contains(program));
            let flag = line.match_indices("--").any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + 2..].chars().next();
                before.is_none_or(|c| " `\"'(".contains(c))
                    && after.is_some_and(|c| c.is_ascii_lowercase())
            });
            if flag && !other {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    let say = "write `` the parameter `n_pcs` ``; `cli/flags.rs` makes it the flag";
    assert!(wrong.is_empty(), "{say}:\n{}", wrong.join("\n"));
}

#[test]
fn functions_take_no_tuples_apart() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let start = line.trim_start().trim_start_matches("mut ");
            let pattern = start.strip_prefix('(').and_then(|rest| rest.split_once("): ("));
            let names = |names: &str| {
                names.contains(',')
                    && names.chars().all(|c| c.is_alphanumeric() || "_, &".contains(c))
            };
            if pattern.is_some_and(|parts| names(parts.0)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "give them a struct or parameters:\n{}", wrong.join("\n"));
}

#[test]
fn public_functions_take_no_tuples() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (at, _) in without_tests(&text).match_indices("pub fn ") {
            let rest = &text[at..];
            let signature = &rest[..rest.find(" {").unwrap_or(rest.len())];
            let parameters = signature.split(" -> ").next().unwrap();
            if parameters.contains(": (") || parameters.contains(": &(") {
                let name: String = signature[7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                wrong.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a file holds tests only.
fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_string_lossy();
    let inside = path.iter().any(|folder| folder == "tests");
    inside || ["tests", "known"].iter().any(|end| stem.ends_with(end))
}

#[test]
fn the_code_is_documented_and_files_are_short() {
    let (mut n_doc, mut n_code, mut lengths) = (0.0, 0.0, Vec::new());
    let mut riddles = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        lengths.push(text.lines().count());
        for line in without_tests(&text).lines().map(str::trim) {
            if line.starts_with("///") || line.starts_with("//!") {
                n_doc += 1.0;
                if line.starts_with("/// What ") || line.starts_with("//! What ") {
                    riddles.push(format!("{}: {line}", path.display()));
                }
            } else if !line.is_empty() && !line.starts_with("//") {
                n_code += 1.0;
            }
        }
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 180, "median of {} lines", lengths[lengths.len() / 2]);
    let share = n_doc / n_code;
    assert!(share >= 0.3, "{share:.3} doc lines for each line of code");
    assert!(riddles.is_empty(), "say it with a subject first:\n{}", riddles.join("\n"));
}

fn markdown_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// The pages that people read: `README.md`, `docs/**/*.md` and `data-samples/README.md`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md"), root.join("data-samples/README.md")];
    markdown_files(&root.join("docs"), &mut found);
    found.sort();
    found
}

/// The lines of a page outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The targets of links and pictures in a page, `TARGET` of `[text](TARGET)`; code does not count.
fn targets(text: &str) -> Vec<String> {
    let lines: Vec<&str> = prose(text).filter(|line| !line.starts_with("    ")).collect();
    let mut found = Vec::new();
    for paragraph in lines.join("\n").split("\n\n") {
        // Every second part of a paragraph lies between backticks.
        let parts: Vec<&str> = paragraph.split('`').step_by(2).collect();
        for part in parts.join("").split("](").skip(1) {
            found.extend(part.split_once(')').map(|parts| parts.0.to_string()));
        }
    }
    found
}

/// The anchors of a page by GitHub's rule: small letters, digits, `-` and `_` of each heading, a
/// hyphen for each space, and a number after the second heading of a name.
fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphabetic() || c.is_ascii_digit() || "-_ ".contains(*c);
        let anchor = heading.chars().filter(kept).collect::<String>().replace(' ', "-");
        let before = seen.iter().filter(|earlier| **earlier == anchor).count();
        seen.push(anchor.clone());
        found.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
    }
    found
}

#[test]
fn anchors_follow_the_rule_of_github() {
    let page = "# 1 What is fitted\n## ε of populations, and `ε`\n```sh\n# no heading\n```\n## Held-out times °\n## A\n## A\n";
    let expected = ["1-what-is-fitted", "ε-of-populations-and-ε", "held-out-times-", "a", "a-1"];
    assert_eq!(anchors(page), expected);
    let page =
        "[a](b.md#c) and ![d](e.svg)\n`[f](g)`, `l\nm`\n    [h](i)\n```\n[j](k)\n```\n[n](o.md)\n";
    assert_eq!(targets(page), ["b.md#c", "e.svg", "o.md"]);
}

#[test]
fn links_of_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in targets(&text) {
            // An empty target is a chapter without a page in the table of contents.
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (name, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = page.parent().unwrap();
            let path = if name.is_empty() { page.clone() } else { folder.join(name) };
            let known = || anchors(&fs::read_to_string(&path).unwrap_or_default());
            if !path.exists() {
                wrong.push(format!("{}: no file {target}", page.display()));
            } else if !anchor.is_empty() && !known().iter().any(|known| known == anchor) {
                wrong.push(format!("{}: no heading {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let contents = targets(&fs::read_to_string(docs.join("SUMMARY.md")).unwrap());
    let mut found = Vec::new();
    markdown_files(&docs, &mut found);
    found.sort();
    let missing: Vec<String> = found
        .iter()
        .map(|path| path.strip_prefix(&docs).unwrap().to_str().unwrap().to_string())
        .filter(|name| name != "SUMMARY.md" && !contents.contains(name))
        .collect();
    assert!(missing.is_empty(), "add to docs/SUMMARY.md: {}", missing.join(", "));
}
