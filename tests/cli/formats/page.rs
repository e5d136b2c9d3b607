//! The lists of `docs/FORMATS.md`, made from the descriptions in `docs/formats`.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::schemas;
use super::tables::{self, ColumnAbout, TableAbout};

/// The line below which the page is generated.
pub(super) const MARK: &str = "<!-- `UPDATE=1 cargo test --release --test cli formats` writes everything below this line. -->\n";

/// The order of the JSON files on the page.
const ORDER: [&str; 11] = [
    "model",
    "bridge",
    "conditions",
    "record",
    "results",
    "validation",
    "inspect",
    "multiqc",
    "plan",
    "part",
    "answer",
];

/// The part of the page below the mark.
pub(super) fn listed(folder: &Path) -> String {
    let mut text = String::from("\n## Tables\n");
    for table in tables::read(folder) {
        write_table(&mut text, &table);
    }
    text.push_str("\n## JSON\n");
    let all = schemas::read(folder);
    assert_eq!(all.len(), ORDER.len(), "the page has another number of JSON files");
    for name in ORDER {
        let schema = &all[name];
        let title = schema["title"].as_str().unwrap();
        let about = schema["description"].as_str().unwrap();
        write!(text, "\n### {title}\n\n{about} Schema: [{name}](formats/{name}.schema.json).\n\n")
            .unwrap();
        text.push_str("| field | type | meaning |\n|---|---|---|\n");
        Fields { whole: schema }.write(&mut text, schema, "");
        if name == "answer" {
            write_summaries(&mut text, schema);
        }
    }
    text
}

/// Heading, sentence and columns of a table.
fn write_table(text: &mut String, table: &TableAbout) {
    let files: Vec<String> = table.files.iter().map(|file| format!("`{file}`")).collect();
    let more = if table.further_columns_may_follow {
        "Further columns may follow."
    } else {
        "No other columns follow."
    };
    write!(
        text,
        "\n### {}\n\nFile {}, written by `{}`; one row for {}. Formats: {}. {more}\n\n",
        table.name,
        files.join(", "),
        table.written_by,
        table.rows,
        table.formats
    )
    .unwrap();
    text.push_str("| column | type | unit | meaning |\n|---|---|---|---|\n");
    for column in &table.columns {
        let ColumnAbout { name, kind, unit, meaning, optional, missing, .. } = column;
        let absent = if *optional { ", optional" } else { "" };
        let missing = if *missing { ", may be missing" } else { "" };
        let unit = if unit == "none" { "" } else { unit };
        writeln!(text, "| `{name}` | {kind}{absent}{missing} | {unit} | {} |", cell(meaning))
            .unwrap();
    }
}

/// Text that fits into a cell of a table of the page.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The fields of one schema, with the whole schema for its references.
struct Fields<'a> {
    whole: &'a Value,
}

impl<'a> Fields<'a> {
    /// `schema`, or the part of the whole schema to which it refers.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        target.and_then(|target| self.whole.pointer(target)).unwrap_or(schema)
    }

    /// Writes a line for each field of an object, and for those of objects in it.
    fn write(&self, text: &mut String, schema: &'a Value, before: &str) {
        let Some(fields) = schema["properties"].as_object() else { return };
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, field) in fields {
            let absent = if required.iter().any(|known| known == name) { "" } else { ", optional" };
            let about = field["description"].as_str().unwrap_or_default();
            let items = self.resolved(&field["items"]);
            let kind = type_of(field, items);
            writeln!(text, "| `{before}{name}` | {kind}{absent} | {} |", cell(about)).unwrap();
            if items.is_object() {
                self.write(text, items, &format!("{before}{name}[]."));
            } else {
                self.write(text, field, &format!("{before}{name}."));
            }
            for other in field["anyOf"].as_array().into_iter().flatten() {
                self.write(text, other, &format!("{before}{name}."));
            }
        }
    }
}

/// The type of a field in words.
fn type_of(field: &Value, items: &Value) -> String {
    if let Some(value) = field.get("const") {
        return format!("`{value}`");
    }
    if let Some(choices) = field["enum"].as_array() {
        let choices: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        return choices.join(" ");
    }
    match &field["type"] {
        Value::String(kind) if kind == "array" => match items["type"].as_str() {
            Some(items) => format!("array of {items}s"),
            None => "array".into(),
        },
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ if field["anyOf"].is_array() => "object or null".into(),
        _ if field["$ref"].is_string() => "object".into(),
        _ => "text or object".into(),
    }
}

/// The columns of the tables of commands.
const HEAD: &str = "| command | field | type | meaning |\n|---|---|---|---|\n";

/// A table of the fields of `summary` for each command, and one of the fields beside `summary`.
fn write_summaries(text: &mut String, schema: &Value) {
    text.push_str(
        "\nThe fields of `summary`. Each command may also have `tables` and `sentences`: what the terminal shows, with \
         rounded numbers; their names may change with any version.\n\n",
    );
    text.push_str(HEAD);
    let inside = "/then/properties/summary/$ref";
    write_commands(text, schema, inside);
    text.push_str(
        "\nFields beside `summary`. `inspect` also has the fields of `inspect.json` there.\n\n",
    );
    text.push_str(HEAD);
    write_commands(text, schema, "/then/$ref");
}

/// A line for each command and field of the parts to which the rules of the schema refer at `pointer`, in the order of
/// the commands.
fn write_commands(text: &mut String, schema: &Value, pointer: &str) {
    let mut parts: Vec<(&str, &Value)> = Vec::new();
    for rule in schema["allOf"].as_array().unwrap() {
        let command = rule["if"]["properties"]["command"]["const"].as_str().unwrap();
        let target = rule.pointer(pointer).and_then(Value::as_str);
        if let Some(target) = target.and_then(|target| target.strip_prefix('#')) {
            parts.push((command, schema.pointer(target).unwrap()));
        }
    }
    parts.sort_by_key(|part| part.0);
    for (command, part) in parts.into_iter().filter(|part| *part != inspection(schema)) {
        // The version is no command but a flag.
        let command = if command == "version" { "--version --json" } else { command };
        let own = part["properties"].as_object().unwrap().iter();
        let shown = ["tables", "sentences"];
        for (name, field) in own.filter(|(name, _)| !shown.contains(&name.as_str())) {
            let about = field["description"].as_str().unwrap_or_default();
            let kind = type_of(field, &field["items"]);
            writeln!(text, "| `{command}` | `{name}` | {kind} | {} |", cell(about)).unwrap();
        }
    }
}

/// The fields of `inspect.json`, which have a table of their own.
fn inspection(schema: &Value) -> (&str, &Value) {
    ("inspect", &schema["$defs"]["inspection"])
}
