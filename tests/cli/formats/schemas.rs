//! The JSON schemas of `docs/formats`, and what a text has against them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jsonschema::{Registry, Validator};
use serde_json::Value;

/// The schemas by the names of their files, without suffix.
pub(super) struct Schemas(BTreeMap<String, Validator>);

/// The schemas in `folder` as JSON, by name.
pub(super) fn read(folder: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if let Some(name) = file.strip_suffix(".schema.json") {
            let text = fs::read_to_string(&path).unwrap();
            let schema: Value = serde_json::from_str(&text).unwrap();
            let draft = "https://json-schema.org/draft/2020-12/schema";
            assert_eq!(schema["$schema"], draft, "{file}");
            found.insert(name.to_string(), schema);
        }
    }
    found
}

impl Schemas {
    /// Reads all schemas in `folder` and checks them against the schema of schemas.
    pub(super) fn read(folder: &Path) -> Self {
        let all = read(folder);
        let mut registry = Registry::new();
        for schema in all.values() {
            assert!(jsonschema::meta::is_valid(schema), "{}", schema["$id"]);
            registry = registry.add(schema["$id"].as_str().unwrap(), schema.clone()).unwrap();
        }
        let registry = registry.prepare().unwrap();
        let validator =
            |schema: &Value| jsonschema::options().with_registry(&registry).build(schema).unwrap();
        Self(all.iter().map(|(name, schema)| (name.clone(), validator(schema))).collect())
    }

    /// The names of all schemas.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.0.keys().cloned()
    }

    /// What `text` has against the schema `name`: one line for each problem.
    pub(super) fn problems(&self, name: &str, text: &str) -> Vec<String> {
        let read: Value = match serde_json::from_str(text) {
            Ok(read) => read,
            Err(error) => return vec![format!("no JSON: {error}")],
        };
        let errors = self.0[name].iter_errors(&read);
        errors.map(|error| format!("{}: {error:.300}", error.instance_path())).collect()
    }
}
