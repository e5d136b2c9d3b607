//! Every file that a command writes is as `docs/formats` describes it, and `docs/FORMATS.md` says the same.

mod page;
mod runs;
mod schemas;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sandbox::{Sandbox, root};
use runs::{clones, conditions, course, solvers};
use schemas::Schemas;
use tables::{Compared, Tables};

/// Files that are pictures, pages, networks or `.h5ad`, which have no description here.
const OTHERS: [&str; 7] = ["svg", "png", "pdf", "html", "h5ad", "safetensors", "graphml"];

/// Columns that these command lines do not write: the samples have too few genes of proliferation for growth by genes
/// (`tests/courses/growth_auto.rs`).
const ELSEWHERE: [&str; 1] = ["cells: growth_coupling"];

/// The folder of the descriptions.
fn descriptions() -> std::path::PathBuf {
    root().join("docs/formats")
}

/// Checks the answer of `line` with `--json`.
fn answered(sandbox: &Sandbox, schemas: &Schemas, line: &str) {
    // Flags of `plan` stand before the planned command.
    let asked = match line.strip_prefix("plan ") {
        Some(planned) => format!("plan --json {planned}"),
        None => format!("{line} --json"),
    };
    let said = sandbox.done(&asked).stdout;
    let wrong = schemas.problems("answer", &said);
    assert!(wrong.is_empty(), "`sbcell {line} --json`:\n{}", wrong.join("\n"));
}

/// The schema of a JSON file, by its path.
fn schema_of(name: &str) -> &'static str {
    let path = Path::new(name);
    let file = path.file_name().unwrap().to_str().unwrap();
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match (folder, file) {
        (Some("bridges"), _) => "bridge",
        (Some("plan.parts"), _) => "part",
        (_, "plan.json") => "plan",
        (Some("results" | "unnamed"), "run.json") => "results",
        (_, "sbcell_mqc.json") => "multiqc",
        (_, "model.json") => "model",
        (_, "conditions.json") => "conditions",
        (_, "validation.json") => "validation",
        (_, "inspect.json") => "inspect",
        (_, file) if file == "run.json" || file.ends_with(".run.json") => "record",
        _ => panic!("no schema describes {name}"),
    }
}

/// Checks every file below the folder of `sandbox` except the files `given`. Returns the names of the schemas
/// and columns that were met.
fn checked(sandbox: &Sandbox, schemas: &Schemas, given: &[&str]) -> BTreeSet<String> {
    let mut tables = Tables::read(&descriptions());
    tables.learn(sandbox);
    let (mut met, mut wrong) = (BTreeSet::new(), Vec::new());
    for (name, bytes) in sandbox.files(".") {
        let path = Path::new(&name);
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or("");
        if given.contains(&name.as_str()) || OTHERS.contains(&suffix) {
            continue;
        }
        let problems = if suffix == "json" {
            let schema = schema_of(&name);
            met.insert(schema.to_string());
            schemas.problems(schema, std::str::from_utf8(&bytes).unwrap())
        } else {
            let Compared { table, columns, problems } =
                tables.compared(&sandbox.path(&name), &name);
            met.extend(columns.into_iter().map(|column| format!("{table}: {column}")));
            problems
        };
        wrong.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    let n = wrong.len();
    wrong.truncate(40);
    assert!(wrong.is_empty(), "{n} things differ from docs/formats:\n{}", wrong.join("\n"));
    met
}

#[test]
fn every_output_of_every_command_is_as_described() {
    let schemas = Schemas::read(&descriptions());
    let mut met = BTreeSet::new();
    for (sandbox, lines, given) in [course(), solvers(), conditions(), clones()] {
        for line in lines {
            answered(&sandbox, &schemas, &line);
        }
        met.extend(checked(&sandbox, &schemas, &given));
    }
    // Nothing is described that no command writes.
    met.insert("answer".to_string());
    met.extend(ELSEWHERE.map(String::from));
    let tables = Tables::read(&descriptions());
    let known: BTreeSet<String> = tables.columns().into_iter().chain(schemas.names()).collect();
    let left: Vec<&String> = known.difference(&met).collect();
    assert!(left.is_empty(), "described, but no command of this test writes it: {left:?}");
}

#[test]
fn an_unknown_field_or_column_is_found() {
    let schemas = Schemas::read(&descriptions());
    let sandbox = Sandbox::new();
    let model = root().join("tests/fixtures/old-model/model");
    let text = fs::read_to_string(model.join("model.json")).unwrap();
    assert_eq!(schemas.problems("model", &text), Vec::<String>::new());
    let more = text.replacen('{', "{ \"depth\": 3,", 1);
    assert_eq!(schemas.problems("model", &more).len(), 1);
    let wrong = text.replacen("\"format\": 1", "\"format\": \"1\"", 1);
    assert_eq!(schemas.problems("model", &wrong).len(), 1);
    fs::copy(model.join("cells.parquet"), sandbox.path("cells.parquet")).unwrap();
    fs::copy(model.join("genes.parquet"), sandbox.path("genes.parquet")).unwrap();
    let mut tables = Tables::read(&descriptions());
    tables.learn(&sandbox);
    let head = "gene,control,knockout,shift,lo,hi,linear,deviations,held_down";
    let row = "Sox2,0.5,0,-0.5,,,-0.4,NAN,true";
    for (header, row, n) in [
        (head.to_string(), row.replace("NAN", "-1.5"), 0),
        (head.to_string(), row.replace("NAN", "NaN"), 1),
        (head.to_string(), row.replace("NAN", "often"), 1),
        (format!("{head},more"), row.replace("NAN", "-1.5,true"), 1),
        (head.replace("lo,hi", "hi,lo"), row.replace("NAN", "-1.5"), 2),
        (head.replace("linear", "shift"), row.replace("NAN", "-1.5"), 3),
        (head.replace(",linear", ""), row.replace(",-0.4,NAN", ",-1.5"), 1),
    ] {
        fs::write(sandbox.path("perturb.csv"), format!("{header}\n{row}\n")).unwrap();
        let found = tables.compared(&sandbox.path("perturb.csv"), "perturb.csv");
        assert_eq!(found.table, "perturb");
        assert_eq!(found.problems.len(), n, "{header}: {:?}", found.problems);
    }
}

#[test]
fn the_page_of_formats_lists_the_descriptions() {
    let path = root().join("docs/FORMATS.md");
    let text = fs::read_to_string(&path).unwrap();
    let (head, shown) = text.split_once(page::MARK).unwrap();
    let expected = page::listed(&descriptions());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, format!("{head}{}{expected}", page::MARK)).unwrap();
        return;
    }
    assert!(
        shown == expected,
        "`UPDATE=1 cargo test --release --test cli formats` writes the page"
    );
}
