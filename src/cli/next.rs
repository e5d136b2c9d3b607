//! The last line of commands: what to do with what they wrote.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::cli::shared::shown;

/// The next commands after each command. OUT stands for the file that was written, if the user named it.
const NEXT: [(&str, &str); 8] = [
    ("evaluate", "`sbcell plot validation` draws the scores; `sbcell report` has them in words"),
    (
        "interpolate",
        "`sbcell evaluate DATA.h5ad` tells how far to trust populations in between; `sbcell report` shows them",
    ),
    (
        "fates",
        "`sbcell plot fates OUT`, `sbcell drivers` for genes, `sbcell diagnose` for how much couplings know",
    ),
    ("transitions", "`sbcell plot sankey OUT`"),
    ("trends", "`sbcell plot trends OUT --gene GENE`, `sbcell plot heatmap OUT`"),
    (
        "grn",
        "`sbcell plot edges OUT`; `sbcell grn-score --truth NETWORK OUT` if some edges are known",
    ),
    ("velocity", "`sbcell plot stream`, `sbcell annotate DATA.h5ad` for scVelo and CellRank"),
    (
        "diagnose",
        "`sbcell evaluate DATA.h5ad` for held-out times; markers, barcodes or more times where doubts are left",
    ),
];

/// The line of the command `name`, called with `flags`.
pub(crate) fn line(name: &str, flags: &ArgMatches) -> Option<String> {
    let text = NEXT.iter().find(|entry| entry.0 == name)?.1;
    let given = flags.ids().any(|id| id == "out")
        && flags.value_source("out") == Some(ValueSource::CommandLine);
    let out = given.then(|| flags.try_get_one::<PathBuf>("out").ok().flatten()).flatten();
    let text = match out {
        Some(out) => text.replace("OUT", &shown(out)),
        None => text.replace(" OUT", ""),
    };
    Some(format!("next: {text}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn of(arguments: &str) -> Option<String> {
        let matches = Cli::command().try_get_matches_from(arguments.split(' ')).unwrap();
        let (name, flags) = matches.subcommand().unwrap();
        line(name, flags)
    }

    #[test]
    fn the_line_names_the_file_that_the_user_named() {
        assert_eq!(of("sbcell transitions --groupby type").unwrap(), "next: `sbcell plot sankey`");
        let named = of("sbcell transitions --groupby type --out a.csv").unwrap();
        assert_eq!(named, "next: `sbcell plot sankey a.csv`");
        assert!(of("sbcell strip data.h5ad --in-place").is_none());
    }

    /// Every command that a line names exists.
    #[test]
    fn the_commands_of_all_lines_exist() {
        let program = Cli::command();
        for (name, text) in NEXT {
            assert!(program.find_subcommand(name).is_some(), "{name}");
            for part in text.split("`sbcell ").skip(1) {
                let command = part.split([' ', '`']).next().unwrap();
                assert!(program.find_subcommand(command).is_some(), "{command}");
            }
        }
    }
}
