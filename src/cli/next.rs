//! The last line of commands: what to do with what they wrote.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use sbcell::io::output::{data_of_model, same_file};
use sbcell::pipeline::Advice;

use crate::cli::grn::default_out;
use crate::cli::places::{model_in, usual_model};
use crate::cli::shared::shown;

/// The next commands after each command: words, and in braces a command or a kind of figure, which is drawn from the
/// file that was written.
const NEXT: [(&str, &str); 7] = [
    (
        "interpolate",
        "{evaluate} tells how far to trust populations in between; {report} shows them",
    ),
    ("fates", "{plot fates}, {drivers} for genes, {diagnose} for how much couplings know"),
    ("transitions", "{plot sankey}"),
    ("trends", "{plot trends}, {plot heatmap}"),
    ("grn", "{plot edges}; {grn-score} if some edges are known"),
    ("velocity", "{plot stream}, {annotate} for scVelo and CellRank"),
    (
        "diagnose",
        "{evaluate} for held-out times; markers, barcodes or more times where doubts are left",
    ),
];

/// The value of a flag that takes one path, if the command has the flag.
fn path_of(id: &str, flags: &ArgMatches) -> Option<PathBuf> {
    flags.try_get_one::<PathBuf>(id).ok().flatten().cloned()
}

/// The line after `evaluate`. The page is named only for a model to which the held-out times belong.
///
/// Scores by clones have no figure, and stand in no page.
fn after_evaluate(flags: &ArgMatches) -> Option<String> {
    if flags.get_flag("clones") {
        return None;
    }
    let out = path_of("out", flags)?;
    let model = model_of_scores(&out, path_of("data", flags).as_deref());
    let draws = Advice::plot_scores(&out, model.as_deref());
    let page = model.map(|model| Advice::of_model(&model).report_with(&out));
    let page = page.map(|page| format!("; {page} has them in words")).unwrap_or_default();
    Some(format!("next: {draws} draws the scores{page}"))
}

/// The folder of the model to which held-out times of the file `data` belong, with their scores in the folder `out`:
/// the model around `out`, or the usual one if it was fitted on this file.
fn model_of_scores(out: &Path, data: Option<&Path>) -> Option<PathBuf> {
    let around = out.parent().filter(|folder| !folder.as_os_str().is_empty()).and_then(model_in);
    let is_fitted = |model: &PathBuf| {
        let fitted = data_of_model(model);
        data.is_some_and(|data| fitted.iter().any(|path| same_file(path, data)))
    };
    around.or_else(|| Some(usual_model()).filter(is_fitted))
}

/// The line of the command `name`, called with `flags`.
pub(crate) fn line(name: &str, flags: &ArgMatches) -> Option<String> {
    if name == "evaluate" {
        return after_evaluate(flags);
    }
    let text = NEXT.iter().find(|entry| entry.0 == name)?.1;
    let path = |id: &str| path_of(id, flags);
    let out = path("out").filter(|_| flags.value_source("out") == Some(ValueSource::CommandLine));
    let advice = Advice::of_model(&path("model").unwrap_or_else(usual_model));
    let mut parts = text.split('{');
    let mut line = format!("next: {}", parts.next().unwrap_or_default());
    for part in parts {
        let (named, rest) = part.split_once('}').unwrap_or((part, ""));
        let said = match (named, named.strip_prefix("plot ")) {
            (_, Some("stream")) => advice.plot("stream", None),
            (_, Some(kind)) => advice.plot(kind, out.as_deref()),
            ("grn-score", _) => {
                let edges = out.clone().unwrap_or_else(|| default_out(None).into());
                format!("`sbcell grn-score --truth NETWORK {}`", shown(&edges))
            }
            _ => advice.line(named),
        };
        line.push_str(&said);
        line.push_str(rest);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;
    use crate::cli::flags::in_text;

    fn of(arguments: &str) -> Option<String> {
        let matches = Cli::command().try_get_matches_from(arguments.split(' ')).unwrap();
        let (name, flags) = matches.subcommand().unwrap();
        line(name, flags).map(|line| in_text(&line))
    }

    #[test]
    fn the_line_names_the_model_and_the_file_that_the_user_named() {
        // With a named model, since the working folder may have results of a run.
        let named = of("sbcell transitions --groupby type --model b").unwrap();
        assert_eq!(named, "next: `sbcell plot sankey --model b`");
        let other = of("sbcell transitions --groupby type --model b --out a.csv").unwrap();
        assert_eq!(other, "next: `sbcell plot sankey a.csv --model b`");
        let diagnose = of("sbcell diagnose --model tests/fixtures/old-model").unwrap();
        assert!(diagnose.starts_with("next: `sbcell evaluate ") && !diagnose.contains("DATA"));
        assert!(diagnose.contains("--timepoints time --layer counts"), "{diagnose}");
        assert!(of("sbcell strip data.h5ad --in-place").is_none());
    }

    #[test]
    fn a_page_of_scores_is_named_for_their_model_only() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results");
        let at = |name: &str| results.join(name).display().to_string();
        let (inside, other) = (at("validation"), at("others"));
        let line = |out: &str| of(&format!("sbcell evaluate data.h5ad --out {out}")).unwrap();
        let drawn = |out: &str| format!("next: `sbcell plot validation {out}");
        // No model is there.
        assert_eq!(line(&inside), format!("{}` draws the scores", drawn(&inside)));
        std::fs::create_dir_all(results.join("model")).unwrap();
        std::fs::write(results.join("model/model.json"), "{}").unwrap();
        let shown = results.display();
        let first = format!("{} --model {shown}` draws the scores", drawn(&inside));
        assert_eq!(line(&inside), format!("{first}; `sbcell report {shown}` has them in words"));
        let page = format!("`sbcell report {shown} --validation {other}` has them in words");
        assert!(line(&other).ends_with(&page), "{}", line(&other));
        assert!(of("sbcell evaluate results --clones").is_none());
    }

    /// Every command that a line names exists, and takes its flags.
    #[test]
    fn the_lines_work_as_printed() {
        for (name, text) in NEXT {
            let rest = match name {
                "fates" | "transitions" | "trends" => " --groupby type",
                _ => "",
            };
            let said = of(&format!("sbcell {name}{rest}")).unwrap();
            assert!(!said.contains('{'), "{said}");
            let lines: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
            assert_eq!(lines.len(), text.matches('{').count(), "{said}");
            for line in lines {
                let parsed = Cli::command().try_get_matches_from(line.split(' '));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }
}
