//! `sbcell man`: manual pages of sbcell and of each command, in a folder.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use sbcell::Result;
use sbcell::io::file::replace;

use crate::cli::shared::shown;
use crate::cli::terminal::Terminal;
use crate::cli::{Cli, Outcome, help};

const EXAMPLES: &str = "\
Examples:
  sbcell man pages
      write pages/sbcell.1, pages/sbcell-fit.1 and so on; `man pages/sbcell-fit.1` shows one
  sbcell man ~/.local/share/man/man1
      where `man sbcell-fit` finds the pages of a user; for all users it is /usr/local/share/man/man1

Pages of an earlier version are replaced; other files in the folder stay.";

/// The definition of an apostrophe at the head of what the crate for manual pages writes.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Write manual pages: one for sbcell, and one for each command
///
/// The folder is created if it is not there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Folder to write to
    #[arg(value_name = "DIR")]
    out: PathBuf,
}

/// Runs `sbcell man`: writes all pages into the folder, each as a whole. Other files there stay as they are.
///
/// # Errors
/// [`Error::Io`](sbcell::Error::Io) if a page cannot be written.
pub(crate) fn run(args: ManArgs, terminal: &mut Terminal) -> Result<Outcome> {
    let ManArgs { out } = args;
    let pages = pages();
    for (name, text) in &pages {
        replace(&out.join(name), |writer| writer.write_all(text.as_bytes()))?;
    }
    terminal.wrote(&out);
    terminal.record("n_pages", &pages.len());
    terminal.say(&format!("wrote {} manual pages to {}", pages.len(), shown(&out)));
    Ok(Outcome::Done)
}

/// File names and texts of all pages: that of sbcell, then those of the commands.
fn pages() -> Vec<(String, String)> {
    let program = help::ordered(Cli::command()).disable_help_subcommand(true);
    // Without a heading, arguments would have a second section called OPTIONS.
    let mut program = program.mut_subcommands(|command| {
        command
            .mut_args(|arg| if arg.is_positional() { arg.help_heading("Arguments") } else { arg })
    });
    program.build();
    let names: Vec<String> =
        program.get_subcommands().map(|command| format!("sbcell-{}", command.get_name())).collect();
    let of = |command: &Command, others: &str| {
        let man = Man::new(command.clone());
        (man.get_filename(), page(&man, command, others))
    };
    let listed: Vec<String> = names.iter().map(|name| format!("{name}(1)")).collect();
    let first = of(&program, &listed.join(", "));
    let rest = program.get_subcommands().map(|command| of(command, "sbcell(1)"));
    std::iter::once(first).chain(rest).collect()
}

/// The text of a page: name, usage, description and flags, then examples, notes and the pages to see.
fn page(man: &Man, command: &Command, others: &str) -> String {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let version = env!("CARGO_PKG_VERSION");
    // Without a date, the same version gives the same bytes.
    let mut text =
        format!("{APOSTROPHE}.TH \"{name}\" \"1\" \"\" \"sbcell {version}\" \"sbcell\"\n");
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = man.render_name_section(&mut bytes);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace("[OPTIONS]", "[FLAGS]");
    bytes.extend(format!(".SH SYNOPSIS\n{}\n", escaped(&usage)).into_bytes());
    let _ = man.render_description_section(&mut bytes);
    let _ = man.render_options_section(&mut bytes);
    if command.has_subcommands() {
        let _ = man.render_subcommands_section(&mut bytes);
    }
    text.push_str(&tidied(&String::from_utf8_lossy(&bytes)));
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, notes) = after.split_once("\n\n").unwrap_or((&after, ""));
    let examples = examples.strip_prefix("Examples:\n").unwrap_or(examples);
    text.push_str(&section("EXAMPLES", examples));
    text.push_str(&section("NOTES", notes));
    text.push_str(".SH \"SEE ALSO\"\n");
    text.push_str(&escaped(others));
    text.push('\n');
    text
}

/// The text of clap without its repeated definition of an apostrophe, and with one request for each empty line.
fn tidied(text: &str) -> String {
    let text = text.replace(APOSTROPHE, "");
    let lines = text.lines().map(|line| if line.trim().is_empty() { ".sp" } else { line });
    let mut kept: Vec<&str> = Vec::new();
    for line in lines {
        let last = kept.last().copied().unwrap_or_default();
        match line {
            ".sp" | ".br" if last == ".sp" => {}
            ".sp" if last == ".br" => {
                kept.pop();
                kept.push(".sp");
            }
            line => kept.push(line.trim_end()),
        }
    }
    kept.push("");
    kept.join("\n")
}

/// A section of text: paragraphs are filled, and lines that are indented stay as they are. Nothing without text.
fn section(title: &str, text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let (mut lines, mut is_filled) = (vec![format!(".SH {title}")], true);
    for line in text.lines() {
        let fills = !line.starts_with(' ');
        if line.trim().is_empty() {
            lines.push(".sp".into());
            continue;
        }
        if fills != is_filled {
            lines.push(if fills { ".fi" } else { ".nf" }.into());
            is_filled = fills;
        }
        lines.push(escaped(line));
    }
    if !is_filled {
        lines.push(".fi".into());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A line of text in which roff sees no request, no escape and no hyphen for a dash.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_request_of_roff() {
        assert_eq!(escaped(".SH --out 'a\\b'"), "\\&.SH \\-\\-out 'a\\eb'");
        assert_eq!(section("NOTES", " \n"), "");
        let (text, wanted) = ("a\n\n  b\n  c\nd", ".SH N\na\n.sp\n.nf\n  b\n  c\n.fi\nd\n");
        assert_eq!(section("N", text), wanted);
        assert_eq!(tidied("a\n.br\n\n.br\nb"), "a\n.sp\nb\n");
    }
}
