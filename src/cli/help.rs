//! The layout of `-h` and `--help`: examples first, then flags in sections of one order.
//!
//! Commands declare flags where they use them. This file puts the pages of all commands in one order, so that
//! no command has to think of it. The short help (`-h`) fits a screen:
//!
//! 1. one sentence and the usage;
//! 2. up to three examples;
//! 3. the common flags, one line each: the first sentence of their help;
//! 4. where all flags are.
//!
//! The whole help (`--help`) has all sentences, the usage and all examples. Then come the arguments, the
//! sections Input and Output, those of the command, and the flags of every command. Notes on columns and exit
//! codes are at the end.
//!
//! Texts are wrapped here to the width of the terminal, at most 100 columns. Lines in the source may therefore
//! end anywhere. Examples and tables keep their lines.

use clap::builder::{PossibleValue, StyledStr};
use clap::{Arg, ArgAction, Command};

use crate::cli::help_order::{COMMON, PLACED, SECTIONS, SHORTER, WANTED};
use crate::cli::width;

/// Section of the flags that all commands share.
pub(crate) const EVERYWHERE: &str = "Flags of every command";

/// Number of flags in `-h` of a command that [`COMMON`] does not list.
const N_OTHER: usize = 6;

/// Number of examples in `-h`.
const N_EXAMPLES: usize = 3;

/// Order of the parts of every page.
const TEMPLATE: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";

/// The program with its help in the order of all pages. Flags and their meaning stay as they are.
///
/// The page of the program itself lists the commands by what a person wants.
pub(crate) fn arranged(program: Command) -> Command {
    let program = program
        .disable_help_flag(true)
        .arg(help_flag())
        .mut_args(|arg| arg.help_heading(EVERYWHERE).hide_short_help(true))
        .mut_subcommands(|command| page(&command));
    let groups = groups(&program);
    let short =
        format!("{groups}\n\n`sbcell COMMAND -h` is a short help, `--help` shows all flags");
    program
        .mut_subcommands(|command| command.hide(true))
        .override_usage("sbcell [FLAGS] <COMMAND>")
        .disable_help_subcommand(false)
        .help_template(TEMPLATE)
        .before_help(short)
        .before_long_help(groups)
}

/// The flag that shows help.
fn help_flag() -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .global(true)
        .help("Print help: `-h` in short, `--help` in full")
}

/// The program with the flags of each command in the order of all pages; texts stay as they are.
pub(crate) fn ordered(program: Command) -> Command {
    let program = program.disable_help_flag(true).arg(help_flag());
    let program = program.mut_args(|arg| arg.help_heading(EVERYWHERE));
    program.mut_subcommands(|command| {
        let mut arguments: Vec<Arg> = command.get_arguments().map(placed).collect();
        arguments.sort_by_key(rank);
        let again = Command::new(command.get_name().to_string())
            .args(arguments)
            .groups(command.get_groups().cloned());
        let text = |text: Option<&StyledStr>| text.cloned().unwrap_or_default();
        again
            .about(text(command.get_about()))
            .long_about(text(command.get_long_about().or(command.get_about())))
            .after_help(text(command.get_after_help()))
    })
}

/// The commands in groups, one line each.
fn groups(program: &Command) -> String {
    let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
    let listed = |name: &&str| WANTED.iter().any(|group| group.1.contains(name));
    let others: Vec<&str> = names.iter().copied().filter(|name| !listed(name)).collect();
    let mut lines = Vec::new();
    for (title, wanted) in WANTED.into_iter().chain([("Others", others.as_slice())]) {
        let found = wanted.iter().filter_map(|name| program.find_subcommand(name));
        let rows = found.map(|command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            (format!("  {}", command.get_name()), about)
        });
        let rows: Vec<(String, String)> = rows.collect();
        if !rows.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(in_two(&rows, 15));
        }
    }
    lines.join("\n")
}

/// A command with its flags in the order of all pages and its common flags in the short help.
///
/// clap shows sections in the order in which their first flags were added, so the command is made anew from
/// its sorted flags.
fn page(command: &Command) -> Command {
    let name = command.get_name();
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, notes) = text.split_once("\n\n").unwrap_or((&text, ""));
    let examples: Vec<String> = examples.lines().map(String::from).collect();
    let mut arguments: Vec<Arg> = command.get_arguments().map(placed).collect();
    arguments.sort_by_key(rank);
    let all = format!("`sbcell {name} --help` shows all flags");
    let short = [first(&examples), common(name, &arguments), all];
    let short: Vec<String> = short.into_iter().filter(|part| !part.is_empty()).collect();
    let hidden = arguments.into_iter().map(|arg| arg.hide_short_help(true));
    let empty = Command::new(name.to_string())
        .aliases(command.get_all_aliases().map(String::from).collect::<Vec<_>>());
    let page = empty
        .args(hidden)
        .groups(command.get_groups().cloned())
        .help_template(TEMPLATE)
        .before_help(short.join("\n\n"))
        .before_long_help(lines(&examples))
        .after_long_help(wrapped(notes));
    let page = command.get_about().cloned().map_or(page.clone(), |about| page.about(about));
    command.get_long_about().cloned().map_or(page.clone(), |about| page.long_about(about))
}

/// A flag in the section of all pages.
fn placed(arg: &Arg) -> Arg {
    if arg.is_positional() {
        return arg.clone();
    }
    let id = arg.get_id().as_str();
    let heading = arg.get_help_heading().map(String::from);
    let own = PLACED.iter().find(|placed| placed.0 == id).map(|placed| placed.1.to_string());
    let own = match (id, heading.as_deref()) {
        ("coupling_epsilon", Some("Noise")) | ("groupby", Some("Genes and cells")) => None,
        ("coupling_epsilon", _) => Some("Couplings".to_string()),
        ("basis", Some("Groups of cells")) => Some("Options".to_string()),
        _ => own,
    };
    arg.clone().help_heading(own.or(heading).unwrap_or_else(|| "Options".into()))
}

/// Where a flag stands: arguments without a flag first, then by section, `--out` first in its own.
fn rank(arg: &Arg) -> (usize, bool) {
    if arg.is_positional() {
        return (0, false);
    }
    let heading = arg.get_help_heading().unwrap_or("");
    // The sections of the solvers follow each other.
    let section = if heading.starts_with("Solver") { "Solver" } else { heading };
    let place = SECTIONS.iter().position(|known| *known == section);
    let other = 2 * SECTIONS.len() - 3;
    (place.map_or(other, |place| 2 * place + 1), arg.get_id() != "out")
}

/// The first examples of a page.
fn first(examples: &[String]) -> String {
    let mut n_seen = 0;
    let lines = examples.iter().take_while(|line| {
        n_seen += usize::from(line.starts_with("  sbcell "));
        n_seen <= N_EXAMPLES
    });
    self::lines(&lines.cloned().collect::<Vec<_>>())
}

/// Lines that stay apart, each wrapped to the width of the page. A command is never broken.
fn lines(lines: &[String]) -> String {
    let width = width::of_help();
    let filled = lines.iter().map(|line| {
        let indent = line.len() - line.trim_start().len();
        let is_command = line.starts_with("  sbcell ");
        if is_command { line.clone() } else { fill(line, indent, width) }
    });
    filled.collect::<Vec<_>>().join("\n")
}

/// The common flags of a command, one line each; nothing if it has none.
fn common(name: &str, arguments: &[Arg]) -> String {
    let shown = |arg: &&Arg| !arg.is_hide_set();
    let rows: Vec<(String, String)> = match COMMON.iter().find(|of| of.0 == name) {
        Some((_, ids)) => {
            let find = |id: &&str| arguments.iter().find(|arg| arg.get_id() == id);
            ids.iter().filter_map(find).map(|arg| row(name, arg)).collect()
        }
        None => arguments.iter().filter(shown).take(N_OTHER).map(|arg| row(name, arg)).collect(),
    };
    if rows.is_empty() {
        return String::new();
    }
    let spec = rows.iter().map(|row| row.0.chars().count()).max().unwrap_or(0);
    let mut lines = vec!["Common flags:".to_string()];
    lines.extend(in_two(&rows, spec));
    for arg in arguments.iter().filter(|arg| arg.is_positional()) {
        let values = arg.get_possible_values();
        let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        if !names.is_empty() {
            let value = arg.get_value_names().unwrap_or_default();
            let value = value.first().map(ToString::to_string).unwrap_or_default();
            let line = format!("\n{value}: {}", names.join(", "));
            lines.push(fill(&line, 2, width::of_help()));
        }
    }
    lines.join("\n")
}

/// A flag as it is typed, and what it is.
fn row(command: &str, arg: &Arg) -> (String, String) {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let flag = arg.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
    let spec = match (arg.is_positional(), arg.get_action().takes_values(), optional) {
        (true, _, _) => format!("[{value}]"),
        (_, false, _) => flag,
        (_, _, true) => format!("{flag} [<{value}>]"),
        _ => format!("{flag} <{value}>"),
    };
    let short = arg.get_short().map_or("    ".into(), |short| format!("-{short}, "));
    let mut help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
    if let Some(default) = arg.get_default_values().first().and_then(|value| value.to_str())
        && arg.get_action().takes_values()
    {
        help = format!("{help} [default: {default}]");
    }
    if let Some(own) = SHORTER.iter().find(|own| own.0 == command && arg.get_id() == own.1) {
        help = own.2.to_string();
    }
    let lead = if arg.is_positional() { String::new() } else { short };
    (format!("  {lead}{spec}"), help)
}

/// Lines of two columns; the second is cut to the width of the page, at a place where a sentence may end.
fn in_two(rows: &[(String, String)], first: usize) -> Vec<String> {
    let room = width::of_help().saturating_sub(first + 2);
    let lines = rows.iter().map(|(left, right)| format!("{left:first$}  {}", brief(right, room)));
    lines.collect()
}

/// The first sentence of a text, with its default if both fit; less of it if it does not fit.
///
/// A sentence is cut before a colon, a comma or a bracket, at the last of these places that fits. Brackets
/// stay whole.
fn brief(text: &str, room: usize) -> String {
    let (text, default) = match text.rsplit_once(" [default: ") {
        Some((text, default)) => {
            let value = default.split(']').next().unwrap_or(default);
            (text, format!(" [default: {value}]"))
        }
        None => (text, String::new()),
    };
    let sentence = text.split(". ").next().unwrap_or(text).trim_end_matches('.');
    let fits = |text: &str| text.chars().count() <= room;
    let with = format!("{sentence}{default}");
    if fits(&with) {
        return with;
    }
    if fits(sentence) {
        return sentence.to_string();
    }
    let cuts = [": ", "; ", ", such as ", " (", ", "];
    let ends = cuts.iter().flat_map(|cut| sentence.match_indices(cut).map(|found| found.0));
    let whole = |text: &&str| text.matches('(').count() == text.matches(')').count() && fits(text);
    let shorter = ends.filter_map(|end| sentence.get(..end)).filter(whole);
    let shorter = shorter.max_by_key(|text| text.len());
    shorter.map_or_else(|| cut_at_a_word(sentence, room), String::from)
}

/// As many words as fit, and an ellipsis.
fn cut_at_a_word(text: &str, room: usize) -> String {
    let mut cut = String::new();
    for word in text.split(' ') {
        if cut.chars().count() + word.chars().count() + 1 > room {
            break;
        }
        cut.push_str(word);
        cut.push(' ');
    }
    format!("{}…", cut.trim_end())
}

/// Paragraphs wrapped to the width of the page. Lines that continue a sentence are joined before.
///
/// A line without indent continues the one above, and so does one that is indented to the second column
/// of a table; every other indented line begins anew.
pub(crate) fn wrapped(text: &str) -> String {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let last = lines.last_mut().filter(|last| !last.0.is_empty() && !line.is_empty());
        match last {
            Some((above, hang)) if indent == *hang && !above.ends_with(':') => {
                above.push(' ');
                above.push_str(line.trim_start());
            }
            _ => lines.push((line.to_string(), hang(line, indent))),
        }
    }
    let width = width::of_help();
    let lines = lines.iter().map(|(line, hang)| fill(line, *hang, width));
    lines.collect::<Vec<_>>().join("\n")
}

/// The column at which a line goes on: that of its second column, or its own.
fn hang(line: &str, indent: usize) -> usize {
    let Some(body) = line.get(indent..).filter(|_| 0 < indent) else { return 0 };
    let gap = body.find("  ").map(|gap| {
        let rest = body.get(gap..).unwrap_or("");
        indent + body.get(..gap).unwrap_or("").chars().count() + rest.len()
            - rest.trim_start().len()
    });
    gap.unwrap_or(indent + 4)
}

/// Units that stay on the line of their number.
const UNITS: [&str; 19] = [
    "%", "h", "d", "s", "ms", "min", "hour", "hours", "day", "days", "week", "weeks", "month",
    "months", "B", "kB", "MB", "GB", "mm",
];

/// Whether a line may not be broken between `word` and `next`: a number and its unit, or `time` and its number.
fn belong_together(word: &str, next: &str) -> bool {
    let unit = next.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
    let begins = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let number = word.ends_with(|c: char| c.is_ascii_digit());
    number && UNITS.contains(&unit) || word.trim_start_matches('(') == "time" && begins(next)
}

/// A line filled to `width` characters; further lines begin with `hang` spaces. A number and its unit stay together.
pub(crate) fn fill(line: &str, hang: usize, width: usize) -> String {
    let (mut filled, mut used) = (String::new(), 0);
    let words: Vec<&str> = line.split(' ').collect();
    // Spaces at the start and between columns stay.
    for (number, word) in words.iter().enumerate() {
        let length = word.chars().count();
        let space = usize::from(0 < number);
        let together = words[number..].windows(2).take_while(|two| belong_together(two[0], two[1]));
        let with_unit = length + together.map(|two| 1 + two[1].chars().count()).sum::<usize>();
        let tied = 0 < number && belong_together(words[number - 1], word);
        if used + space + with_unit > width && hang < used && !tied {
            filled = filled.trim_end().to_string();
            filled.push('\n');
            filled.push_str(&" ".repeat(hang));
            used = hang;
        } else if 0 < space {
            filled.push(' ');
            used += 1;
        }
        filled.push_str(word);
        used += length;
    }
    filled
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn lines_that_continue_a_sentence_are_joined_and_tables_stay() {
        let text =
            "One sentence that\ngoes on.\n\nKinds:\n  a    first\n       more\n  bcd  second";
        let joined = "One sentence that goes on.\n\nKinds:\n  a    first more\n  bcd  second";
        assert_eq!(wrapped(text), joined);
        let narrow = "  a    first\n       more\n       words";
        assert_eq!(fill("  a    first more words", 7, 12), narrow);
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        let text = "their fates are 95 % as uncertain, and 94 % at time 72, after 1.5 h; end";
        for width in 12..40 {
            let filled = fill(text, 2, width);
            for parts in ["95\n", "94\n", "time\n", "1.5\n"] {
                assert!(!filled.contains(parts), "{width}: {filled}");
            }
            assert_eq!(filled.split_whitespace().collect::<Vec<_>>().join(" "), text);
            let widest = filled.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width, "{width}: {filled}");
        }
    }

    #[test]
    fn short_texts_end_where_a_sentence_may_end() {
        let text = "Chart to draw, .svg or .png (a, b) [default: none]. You can repeat it";
        assert_eq!(brief("One. Two [default: x]", 30), "One [default: x]");
        assert_eq!(brief(text, 100), "Chart to draw, .svg or .png (a, b) [default: none]");
        assert_eq!(brief("Chart to draw, .svg or .png (a, b)", 31), "Chart to draw, .svg or .png");
        assert_eq!(brief("no place to cut this text", 12), "no place to…");
    }

    #[test]
    fn common_flags_and_groups_name_what_there_is() {
        let program = Cli::command();
        for (name, ids) in COMMON {
            let Some(command) = program.find_subcommand(name) else { continue };
            for id in ids {
                assert!(command.get_arguments().any(|arg| arg.get_id() == id), "{name} {id}");
            }
        }
        for command in program.get_subcommands() {
            let name = command.get_name();
            assert!(WANTED.iter().any(|group| group.1.contains(&name)), "{name} is in no group");
            assert!(COMMON.iter().any(|of| of.0 == name), "{name} has no common flags");
        }
    }
}
