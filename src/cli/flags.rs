//! The one map from names of parameters to flags, in arguments, errors and texts.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use clap::CommandFactory;
use sbcell::pipeline::solvers::{self, KnownParameter};

use crate::cli::Cli;
use crate::cli::places::MODEL_FOLDER;

/// Parameters whose flag differs from their name with hyphens, and this flag.
const CALLED: [(&str, &str); 4] = [
    ("n_neighbours", "n-neighbors"),
    ("relaxation", "relax"),
    ("source_relaxation", "lambda1"),
    ("target_relaxation", "lambda2"),
];

/// Parameters of solvers with a second name of their flag, which the help does not list.
const ALIASES: [(&str, &str); 5] = [
    ("max_iterations", "max-iter"),
    ("tolerance", "tol"),
    ("n_neighbours", "n-neighbours"),
    ("n_layers", "layers"),
    ("n_steps", "steps"),
];

/// The parameters of all solvers, each with its flag as a user types it.
static FLAGS: LazyLock<Vec<(KnownParameter, String)>> = LazyLock::new(|| {
    let flagged = |known: KnownParameter| {
        let flag = format!("--{}", long(known.about.name));
        (known, flag)
    };
    solvers::parameters().into_iter().map(flagged).collect()
});

/// The long flags of all commands, without the leading hyphens.
static ALL: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let program = Cli::command();
    let commands = program.get_subcommands().chain(std::iter::once(&program));
    let arguments = commands.flat_map(clap::Command::get_arguments);
    arguments.filter_map(|argument| argument.get_long().map(str::to_string)).collect()
});

/// The parameters of all solvers, in the order of the help.
pub(crate) fn parameters() -> impl Iterator<Item = &'static KnownParameter> {
    FLAGS.iter().map(|entry| &entry.0)
}

/// The long flag of a parameter, without the leading hyphens.
pub(crate) fn long(parameter: &str) -> String {
    let called = CALLED.into_iter().find(|entry| entry.0 == parameter);
    called.map_or_else(|| parameter.replace('_', "-"), |entry| entry.1.into())
}

/// The second name of the flag of a parameter, if it has one.
pub(crate) fn alias(parameter: &str) -> Option<&'static str> {
    ALIASES.into_iter().find(|entry| entry.0 == parameter).map(|entry| entry.1)
}

/// The words before the name of a parameter in a text of the library. The name can have a value, as in
/// `` the parameter `name = value` ``.
const NAMED: &str = "the parameter `";

/// Replaces the parameters in a text of the library by flags: `` the parameter `n_pcs = 5` `` becomes
/// `` `--n-pcs 5` ``.
///
/// A name without a flag, such as that of an array, loses only the words before it.
pub(crate) fn in_text(text: &str) -> String {
    let mut parts = text.split(NAMED);
    let mut put = parts.next().unwrap_or("").to_string();
    for part in parts {
        put.push('`');
        match part.split_once('`') {
            Some((named, rest)) => {
                put.push_str(&as_typed(named));
                put.push('`');
                put.push_str(rest);
            }
            None => put.push_str(part),
        }
    }
    as_lines(&put)
}

/// Puts flags after a command into its line: `` `sbcell grn` with `--model a` and `--out b` `` becomes
/// `` `sbcell grn --model a --out b` ``.
fn as_lines(text: &str) -> String {
    let mut parts = text.split("`sbcell ");
    let mut put = parts.next().unwrap_or("").to_string();
    for part in parts {
        put.push_str("`sbcell ");
        let Some((line, mut rest)) = part.split_once('`') else {
            put.push_str(part);
            continue;
        };
        put.push_str(line);
        let next = |rest: &str| {
            let flag = [" with `--", " and `--"].iter().find_map(|joint| rest.strip_prefix(joint));
            flag.and_then(|flag| flag.split_once('`'))
                .map(|(flag, after)| (flag.len(), after.len()))
        };
        while let Some((n_flag, n_after)) = next(rest) {
            let end = rest.len() - n_after;
            let flag = &rest[end - 1 - n_flag..end - 1];
            // The folder that a command reads without a flag.
            if flag.strip_prefix("model ") != Some(MODEL_FOLDER) {
                put.push_str(" --");
                put.push_str(flag);
            }
            rest = &rest[end..];
        }
        put.push('`');
        put.push_str(rest);
    }
    put
}

/// As [`in_text`], for a text about the step `step` of a run: a flag that `run` has not becomes `--set STEP.FLAG=VALUE`.
///
/// Flags in command lines of sbcell stay.
pub(crate) fn in_text_of_run(text: &str, step: &str) -> String {
    let text = in_text(text);
    let program = Cli::command();
    let has = |command: &str, flag: &str| {
        let found = program.find_subcommand(command);
        found.is_some_and(|of| of.get_arguments().any(|arg| arg.get_long() == Some(flag)))
    };
    let mut parts = text.split("`--");
    let mut put = parts.next().unwrap_or("").to_string();
    for part in parts {
        let (typed, rest) = part.split_once('`').unwrap_or((part, ""));
        let (flag, value) = typed.split_once(' ').map_or((typed, None), |(f, v)| (f, Some(v)));
        let own = has("run", flag) || !has(step, flag);
        let said = match value {
            _ if own => format!("`--{typed}"),
            Some(value) => format!("`--set {step}.{flag}={value}"),
            None => format!("`--set {step}.{flag}=…"),
        };
        put.push_str(&said);
        if part.contains('`') {
            put.push('`');
            put.push_str(rest);
        }
    }
    put
}

/// `name`, `name = value` or `name, name` in the form of flags.
fn as_typed(named: &str) -> String {
    let (names, value) = named.split_once(" = ").map_or((named, None), |(n, v)| (n, Some(v)));
    let typed = |name: &str| {
        let flag = long(name);
        if ALL.contains(&flag) { format!("--{flag}") } else { name.to_string() }
    };
    let names: Vec<String> = names.split(", ").map(typed).collect();
    let names = names.join(", ");
    value.map_or(names.clone(), |value| format!("{names} {value}"))
}

/// Replaces each `{parameter}` in a help text of a solver by its flag.
pub(crate) fn put(text: &str) -> String {
    let mut parts = text.split('{');
    let mut put = parts.next().unwrap_or("").to_string();
    for part in parts {
        match part.split_once('}') {
            Some((parameter, rest)) => {
                put.push_str("--");
                put.push_str(&long(parameter));
                put.push_str(rest);
            }
            None => put.push_str(part),
        }
    }
    put
}

#[cfg(test)]
mod tests {
    use sbcell::Error;

    use super::*;

    #[test]
    fn every_parameter_has_a_flag_of_its_own_and_every_exception_a_parameter() {
        let flags: BTreeSet<&str> = FLAGS.iter().map(|entry| entry.1.as_str()).collect();
        assert_eq!(flags.len(), FLAGS.len());
        assert!(flags.contains("--n-gaussians") && flags.contains("--lambda1"));
        for name in CALLED.iter().chain(&ALIASES).map(|entry| entry.0) {
            assert!(parameters().any(|known| known.about.name == name), "{name}");
        }
    }

    #[test]
    fn advice_is_a_line_that_works_as_printed() {
        let advice = sbcell::pipeline::Advice::new("a b/model".as_ref(), "a b".as_ref());
        let text = format!("first {}; then {}.", advice.line("fates"), advice.line("diagnose"));
        assert_eq!(
            in_text(&text),
            "first `sbcell fates --model 'a b' --groupby COLUMN --out 'a b/fates.csv'`; then \
             `sbcell diagnose --model 'a b'`."
        );
        let usual = sbcell::pipeline::Advice::of_model(MODEL_FOLDER.as_ref());
        assert_eq!(in_text(&usual.line("grn")), "`sbcell grn --out edges.csv`");
        let other = "run `sbcell fit` with care and `--out x`, or `sbcell grn`";
        assert_eq!(in_text(other), other);
    }

    #[test]
    fn texts_about_a_step_of_a_run_name_what_run_takes() {
        let of = |text: &str| in_text_of_run(text, "fit");
        assert_eq!(of("set the parameter `obs_filter`."), "set `--set fit.obs-filter=…`.");
        assert_eq!(of("the parameter `n_pcs = 5`, too"), "`--set fit.n-pcs=5`, too");
        let own = "the parameter `layer = counts` or the parameter `timepoints`";
        assert_eq!(of(own), "`--layer counts` or `--timepoints`");
        assert_eq!(of("`sbcell fit` with the parameter `n_pcs = 3`"), "`sbcell fit --n-pcs 3`");
    }

    #[test]
    fn errors_and_texts_speak_of_flags() {
        let range = |name| Error::Parameter { name, must: "at least 1", got: "0".into() };
        let shown = |name| in_text(&range(name).to_string());
        assert_eq!(shown("n_neighbours"), "`--n-neighbors` must be at least 1, got 0");
        assert_eq!(shown("n_pcs"), "`--n-pcs` must be at least 1, got 0");
        assert_eq!(shown("knockout, set"), "`--knockout, --set` must be at least 1, got 0");
        assert_eq!(shown("number of cells"), "`number of cells` must be at least 1, got 0");
        let text =
            "set the parameter `data = a b.h5ad`, not the parameter `in_place`; `n_pcs` stays";
        assert_eq!(in_text(text), "set `--data a b.h5ad`, not `--in-place`; `n_pcs` stays");
        assert_eq!(in_text("the parameter `open"), "`open");
        assert_eq!(put("see {noise_back}, `{n_layers} 3`"), "see --noise-back, `--n-layers 3`");
        // Each mark names a parameter of some solver.
        for known in parameters() {
            for mark in known.about.help.split('{').skip(1) {
                let name = mark.split('}').next().unwrap();
                assert!(parameters().any(|other| other.about.name == name), "{name}");
            }
        }
    }
}
