//! Parameters of `sbcell run`: from the file of parameters, and from flags.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory};
use sbcell::error::nearest;
use sbcell::{Error, Result};
use serde::Serialize;
use toml::{Table, Value};

use crate::cli::Cli;
use crate::cli::run::steps::Step;
use crate::cli::run::values;

/// Name of the file of parameters that is read without being named.
pub(crate) const FILE: &str = "sbcell.toml";

/// Keys of the file outside of the tables of steps.
pub(super) const KEYS: [&str; 6] = ["data", "out", "groupby", "cells", "basis", "skip"];

/// The parameters of a run, as they are recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Config {
    /// The file with the cells.
    pub(crate) data: Option<PathBuf>,
    /// The folder of the results.
    pub(crate) out: Option<PathBuf>,
    /// Column of `obs` with the groups of cells.
    pub(crate) groupby: Option<String>,
    /// Files with groups of cells.
    pub(crate) cells: Vec<PathBuf>,
    /// Embedding on which cells are drawn.
    pub(crate) basis: Option<String>,
    /// Names of the steps that are skipped.
    pub(crate) skip: Vec<String>,
    /// Arguments of each step: flag and value, as its command takes them.
    pub(crate) steps: BTreeMap<String, Vec<String>>,
}

impl Config {
    /// Reads the file of parameters at `path`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is no TOML, or has an unknown key or a value of the wrong kind;
    /// [`Error::Io`].
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::Io {
            action: "read",
            path: path.into(),
            source,
        })?;
        let wrong = |(problem, way_out)| Error::Unreadable { path: path.into(), problem, way_out };
        let config = Self::parse(&text).map_err(wrong)?;
        values::check(&text).map_err(wrong)?;
        Ok(config)
    }

    /// Parses the text of a file of parameters. An error has a problem and a remedy.
    pub(super) fn parse(text: &str) -> std::result::Result<Self, (String, Option<String>)> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            (format!("line {line}: {}", error.message()), None)
        })?;
        let mut config = Self::default();
        for (key, value) in table {
            let at = |table: &str, key: &str| {
                let line = values::line_of(text, table, key);
                move |(problem, way_out): (String, Option<String>)| {
                    (format!("line {line}: {problem}"), way_out)
                }
            };
            let Value::Table(flags) = value else {
                config.set(&key, &value).map_err(at("", &key))?;
                continue;
            };
            let step = Step::of(&key).ok_or_else(|| at(&key, "")(unknown_table(&key)))?;
            let mut all = Vec::new();
            for (flag, value) in flags {
                all.extend(argument(step, &flag, value).map_err(at(&key, &flag))?);
            }
            config.steps.insert(key, all);
        }
        Ok(config)
    }

    /// Sets a key outside of the tables.
    fn set(
        &mut self,
        key: &str,
        value: &Value,
    ) -> std::result::Result<(), (String, Option<String>)> {
        let text = || match value {
            Value::String(text) => Ok(text.clone()),
            other => Err((format!("`{key}` must be a text, got {}", other.type_str()), None)),
        };
        let list = || match value {
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_string))
                .collect::<Option<Vec<String>>>()
                .ok_or_else(|| (format!("`{key}` must be a list of texts"), None)),
            _ => text().map(|one| vec![one]),
        };
        match key {
            "data" => self.data = Some(text()?.into()),
            "out" => self.out = Some(text()?.into()),
            "groupby" => self.groupby = Some(text()?),
            "cells" => self.cells = list()?.into_iter().map(PathBuf::from).collect(),
            "basis" => self.basis = Some(text()?),
            "skip" => {
                self.skip = list()?;
                if let Some(wrong) = self.skip.iter().find(|name| Step::of(name).is_none()) {
                    return Err((format!("`skip` has no step `{wrong}`"), Some(steps_in_words())));
                }
            }
            _ => {
                let names: Vec<String> = KEYS.iter().map(ToString::to_string).collect();
                return Err((format!("there is no key `{key}`"), Some(like(key, &names))));
            }
        }
        Ok(())
    }

    /// Adds `STEP.FLAG=VALUE` of the command line. It replaces the value of the file.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the text has another form, or the step has no such flag.
    pub(crate) fn add(&mut self, text: &str) -> Result<()> {
        let wrong = |got: String| Error::Parameter {
            name: "--set",
            must: "STEP.FLAG=VALUE with a step and a flag of its command, such as fit.n-pcs=20",
            got,
        };
        let (place, value) = text.split_once('=').map_or((text, None), |(a, b)| (a, Some(b)));
        let (name, flag) = place.split_once('.').ok_or_else(|| wrong(text.into()))?;
        let step = Step::of(name).ok_or_else(|| wrong(text.into()))?;
        let argument = flag_of(step, flag).map_err(|(problem, way_out)| {
            wrong(format!("{text} ({})", way_out.unwrap_or(problem)))
        })?;
        let flag = format!("--{}", argument.get_long().unwrap_or_default());
        let all = self.steps.entry(name.to_string()).or_default();
        all.retain(|old| *old != flag && !old.starts_with(&format!("{flag}=")));
        all.push(value.map_or(flag.clone(), |value| format!("{flag}={value}")));
        Ok(())
    }

    /// The arguments of a step.
    pub(crate) fn of(&self, step: Step) -> &[String] {
        self.steps.get(step.name()).map_or(&[], Vec::as_slice)
    }

    /// The arguments of `from` that the command of `to` knows too, without those that `to` has itself.
    pub(crate) fn shared(&self, from: Step, to: Step) -> Vec<String> {
        let own: Vec<&str> = self.of(to).iter().map(|argument| long_of(argument)).collect();
        let known = |argument: &&String| {
            let long = long_of(argument);
            flag_of(to, long).is_ok() && !own.contains(&long)
        };
        self.of(from).iter().filter(known).cloned().collect()
    }
}

/// The name of the flag of an argument such as `--n-pcs=20`.
fn long_of(argument: &str) -> &str {
    argument.trim_start_matches('-').split('=').next().unwrap_or_default()
}

/// The arguments of one key of the table of a step.
pub(super) fn argument(
    step: Step,
    key: &str,
    value: Value,
) -> std::result::Result<Vec<String>, (String, Option<String>)> {
    let argument = flag_of(step, key)?;
    let flag = format!("--{}", argument.get_long().unwrap_or_default());
    Ok(match value {
        Value::Boolean(false) => Vec::new(),
        Value::Boolean(true) => vec![flag],
        Value::Array(items) => {
            let texts = items
                .iter()
                .map(|item| plain(key, item))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            match argument.get_value_delimiter() {
                Some(between) => vec![format!("{flag}={}", texts.join(&between.to_string()))],
                None => texts.iter().map(|text| format!("{flag}={text}")).collect(),
            }
        }
        other => vec![format!("{flag}={}", plain(key, &other)?)],
    })
}

/// A text or a number as an argument.
fn plain(key: &str, value: &Value) -> std::result::Result<String, (String, Option<String>)> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        other => {
            Err((format!("`{key}` must be a text or a number, got {}", other.type_str()), None))
        }
    }
}

/// The command of a step.
pub(super) fn command_of(step: Step) -> Command {
    let program = Cli::command();
    program.find_subcommand(step.name()).cloned().unwrap_or_else(|| Command::new(step.name()))
}

/// The flags that the table of a step may have.
pub(super) fn flags_of(step: Step) -> Vec<Arg> {
    let command = command_of(step);
    let takes = |argument: &&Arg| {
        let long = argument.get_long().unwrap_or_default();
        !long.is_empty()
            && !argument.is_global_set()
            && !step.own_flags().contains(&long)
            && !matches!(argument.get_action(), ArgAction::Help | ArgAction::Version)
    };
    command.get_arguments().filter(takes).cloned().collect()
}

/// The flag of a step with this name or second name, with hyphens or underscores.
fn flag_of(step: Step, key: &str) -> std::result::Result<Arg, (String, Option<String>)> {
    let asked = key.replace('_', "-");
    let named = |argument: &Arg| {
        let more = argument.get_all_aliases().unwrap_or_default();
        argument.get_long() == Some(asked.as_str()) || more.contains(&asked.as_str())
    };
    let all = flags_of(step);
    if let Some(found) = all.iter().find(|argument| named(argument)) {
        return Ok(found.clone());
    }
    if step.own_flags().contains(&asked.as_str()) {
        let problem = format!("[{}] may not have `{key}`, which `run` sets itself", step.name());
        return Err((problem, Some("leave it out".into())));
    }
    let names: Vec<String> = all.iter().filter_map(Arg::get_long).map(str::to_string).collect();
    Err((format!("[{}] has no key `{key}`", step.name()), Some(like(&asked, &names))))
}

/// The problem of a table that is no step.
fn unknown_table(name: &str) -> (String, Option<String>) {
    (format!("there is no step [{name}]"), Some(steps_in_words()))
}

/// The names of all steps.
fn steps_in_words() -> String {
    let names: Vec<&str> = Step::ALL.into_iter().map(Step::name).collect();
    format!("the steps are {}", names.join(", "))
}

/// The names like `asked`, or all names.
fn like(asked: &str, names: &[String]) -> String {
    let near = nearest(asked, names);
    if near.is_empty() {
        format!("the keys are {}", names.join(", "))
    } else {
        format!("did you mean `{}`?", near.join("` or `"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let (problem, way_out) = Config::parse(text).unwrap_err();
        format!("{problem} | {}", way_out.unwrap_or_default())
    }

    #[test]
    fn keys_become_arguments_of_their_command() {
        let text = "data = 'a.h5ad'\nskip = ['grn']\n[fit]\ntimepoints = 'day'\nn_pcs = 20\nuse-raw = true\n\
                    [interpolate]\nat = [1, 2.5]\n[report]\ndata = 'b.h5ad'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.data, Some("a.h5ad".into()));
        assert_eq!(config.skip, ["grn"]);
        let mut fit = config.of(Step::Fit).to_vec();
        fit.sort();
        assert_eq!(fit, ["--n-pcs=20", "--timepoints=day", "--use-raw"]);
        assert_eq!(config.of(Step::Interpolate), ["--at=1,2.5"]);
        assert_eq!(config.of(Step::Report), ["--data=b.h5ad"]);
        assert!(config.of(Step::Grn).is_empty());
    }

    #[test]
    fn unknown_keys_are_refused_with_the_likeliest_one() {
        assert_eq!(
            problem("[fit]\n\nn-pc = 3"),
            "line 3: [fit] has no key `n-pc` | did you mean `n-pcs`?"
        );
        assert!(
            problem("[fitt]\nn-pcs = 3")
                .starts_with("line 1: there is no step [fitt] | the steps are inspect")
        );
        assert_eq!(problem("dat = 'x'"), "line 1: there is no key `dat` | did you mean `data`?");
        assert!(problem("[fit]\nout = 'x'").contains("which `run` sets itself"));
        assert!(problem("skip = ['edges']").starts_with("line 1: `skip` has no step `edges`"));
        assert!(problem("data = 3").starts_with("line 1: `data` must be a text, got integer"));
        assert!(problem("data = 'a'\n[fit\n").starts_with("line 2:"));
        assert!(
            problem("[fit]\nn-pcs = {a = 1}")
                .starts_with("line 2: `n-pcs` must be a text or a number")
        );
    }

    #[test]
    fn a_flag_replaces_the_value_of_the_file() {
        let mut config = Config::parse("[fit]\nn-pcs = 20\nlayer = 'counts'").unwrap();
        config.add("fit.n_pcs=30").unwrap();
        let mut fit = config.of(Step::Fit).to_vec();
        fit.sort();
        assert_eq!(fit, ["--layer=counts", "--n-pcs=30"]);
        for wrong in ["n-pcs=3", "fitt.n-pcs=3", "fit.n-pc=3"] {
            assert!(config.add(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn evaluation_takes_what_it_shares_with_the_fit() {
        let text = "[fit]\nlayer = 'counts'\nmemory = '4G'\nn-pcs = 5\n[evaluate]\nn-pcs = 7";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.shared(Step::Fit, Step::Evaluate), ["--layer=counts"]);
    }
}
