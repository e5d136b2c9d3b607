//! The file of parameters that `sbcell run --init-config` writes: every flag of every step, with its help.

use std::fmt::Write;

use clap::{Arg, ArgAction};

use crate::cli::run::config::flags_of;
use crate::cli::run::steps::Step;

/// The lines above the tables. Each key has a `#`, so that the file as written changes nothing.
const HEAD: &str = "\
# Parameters of `sbcell run`. Remove the # before a key to set it.
# Each table is a step, and each of its keys a flag of the command of that name.
# Flags on the command line come before this file. Unknown keys are refused.

# File with the cells
# data = \"data.h5ad\"
# Folder of the results
# out = \"sbcell-results\"
# Column of obs with groups of cells
# groupby = \"cell_type\"
# Files with groups of cells, in place of a column
# cells = [\"groups.csv\"]
# Embedding on which cells are drawn
# basis = \"X_umap\"
# Steps to leave out
# skip = [\"grn\"]
";

/// The text of the file.
pub(super) fn template() -> String {
    let mut text = HEAD.to_string();
    for step in Step::ALL {
        let flags = flags_of(step);
        if flags.is_empty() {
            continue;
        }
        let _ = write!(text, "\n[{}]\n", step.name());
        for flag in flags {
            let _ = write!(text, "{}", entry(&flag));
        }
    }
    text
}

/// The help of a flag, and its key with the default or the form of the value.
fn entry(flag: &Arg) -> String {
    let long = flag.get_long().unwrap_or_default();
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("# {help}\n# {long} = {}\n", value(flag))
}

/// The default of a flag as TOML, or the form of its value.
fn value(flag: &Arg) -> String {
    if matches!(flag.get_action(), ArgAction::SetTrue | ArgAction::SetFalse) {
        return "true".into();
    }
    let defaults = flag.get_default_values();
    let text = if defaults.is_empty() {
        let names = flag.get_value_names().unwrap_or_default();
        names.first().map(ToString::to_string).unwrap_or_default()
    } else {
        defaults.iter().map(|one| one.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
    };
    let number = text.parse::<f64>().is_ok_and(f64::is_finite);
    if number && !text.starts_with(['+', '.']) && !text.ends_with('.') {
        text
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::*;

    #[test]
    fn the_file_as_written_sets_nothing() {
        let table: Table = template().parse().unwrap();
        assert!(table.values().all(|value| value.as_table().is_some_and(Table::is_empty)));
        assert!(table.contains_key("fit") && table.contains_key("grn"));
    }

    /// Every key of the file is one that is read.
    #[test]
    fn every_line_without_its_mark_is_a_key() {
        let all = template();
        let table = all[all.find("\n[").unwrap()..].lines();
        let (mut step, mut n_keys) = (String::new(), 0);
        for line in table {
            if line.starts_with('[') {
                step = line.to_string();
            }
            let Some(line) = line.strip_prefix("# ") else { continue };
            let key = line.split(" = ").next().unwrap();
            if key.contains(' ') || !line.contains(" = ") {
                continue;
            }
            let parsed = crate::cli::run::config::Config::parse(&format!("{step}\n{line}\n"));
            assert!(parsed.is_ok(), "{step} {line}: {parsed:?}");
            n_keys += 1;
        }
        assert!(n_keys > 100, "{n_keys}");
    }
}
