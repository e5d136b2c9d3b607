//! The values of a file of parameters: each is checked as its command would, and a wrong one is named with its line.

use clap::error::ErrorKind;
use toml::{Table, Value};

use crate::cli::run::config::{argument, command_of};
use crate::cli::run::steps::Step;

/// The number of the line of `key` in `table` of the text (the header of the table for an empty `key`, an empty
/// `table` for keys outside of tables); the line of the table if the key stands elsewhere, and 1 without either.
pub(super) fn line_of(text: &str, table: &str, key: &str) -> usize {
    let bare = |word: &str| word.trim().trim_matches(['"', '\'']).to_string();
    let (mut current, mut header) = (String::new(), 1);
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            current = bare(rest.split(']').next().unwrap_or_default());
            if current == table {
                header = place + 1;
            }
            continue;
        }
        let Some((name, _)) = line.split_once('=') else { continue };
        let name = bare(name);
        let dotted = current.is_empty() && name == format!("{table}.{key}");
        if current == table && !key.is_empty() && name == key || dotted {
            return place + 1;
        }
        // An inline table.
        if current.is_empty() && name == table {
            header = place + 1;
        }
    }
    header
}

/// Checks the value of each key in the tables of steps, as the command of the step does.
///
/// An error has a problem and a remedy.
pub(super) fn check(text: &str) -> Result<(), (String, Option<String>)> {
    let Ok(table) = text.parse::<Table>() else { return Ok(()) };
    for (name, flags) in table {
        let (Some(step), Value::Table(flags)) = (Step::of(&name), flags) else { continue };
        let command = command_of(step);
        for (key, value) in flags {
            let arguments = argument(step, &key, value)?;
            let line = std::iter::once(name.clone()).chain(arguments);
            let Err(error) = command.clone().try_get_matches_from(line) else { continue };
            // Other arguments of the command are missing here, and conflicts concern several keys.
            let own = [
                ErrorKind::ValueValidation,
                ErrorKind::InvalidValue,
                ErrorKind::UnknownArgument,
                ErrorKind::TooManyValues,
            ];
            if !own.contains(&error.kind()) {
                continue;
            }
            let said = error.render().to_string();
            let said = said.lines().next().unwrap_or_default();
            let said = said.strip_prefix("error: ").unwrap_or(said);
            let line = line_of(text, &name, &key);
            let way_out = format!("`sbcell {name} --help` lists the values of `{key}`");
            return Err((format!("line {line}: `{key}` of [{name}]: {said}"), Some(way_out)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_its_table() {
        let text =
            "data = 'a'\nfit.seed-x = 1\n\n[fit]\n# n-pcs = 3\n \"n-pcs\" = 4\n[grn]\nn-pcs=5\n";
        assert_eq!(line_of(text, "", "data"), 1);
        assert_eq!(line_of(text, "fit", "seed-x"), 2);
        assert_eq!(line_of(text, "fit", "n-pcs"), 6);
        assert_eq!(line_of(text, "grn", "n-pcs"), 8);
        assert_eq!(line_of(text, "grn", ""), 7);
        assert_eq!(line_of("fit = { n-pcs = 3 }", "fit", "n-pcs"), 1);
    }

    #[test]
    fn wrong_values_are_named_with_line_and_key() {
        let problem = |text: &str| check(text).unwrap_err().0;
        let many = problem("[fit]\nn-pcs = 3\n\n[grn]\nbootstrap = 'many'\n");
        assert!(many.starts_with("line 5: `bootstrap` of [grn]: invalid value 'many'"), "{many}");
        assert!(problem("[fit]\nuse-raw = 3").starts_with("line 2: `use-raw` of [fit]: "));
        assert!(problem("[fit]\nsolver = 'best'").starts_with("line 2: `solver` of [fit]: "));
        for fine in ["", "[fit]\nn-pcs = 3", "[fates]\nat = 3", "[grn]\nbootstrap = 4", "[fit"] {
            assert!(check(fine).is_ok(), "{fine}");
        }
    }
}
