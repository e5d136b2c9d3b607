//! Lists and numbers as text in messages.

use std::fmt::{self, Display, Formatter};

use crate::error::visible;

/// Some names of genes, as an example in a message: `SOX2, MYC (symbols in capitals, as for human)`.
///
/// ```
/// use sbcell::error::GeneNames;
///
/// let names = GeneNames { style: "Ensembl IDs", first: vec!["ENSG00000181449".into()] };
/// assert_eq!(names.to_string(), "ENSG00000181449 (Ensembl IDs)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneNames {
    /// The style in which most of the names are written, in words.
    pub style: &'static str,
    /// The first names, at most five.
    pub first: Vec<String>,
}

impl fmt::Display for GeneNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.first.join(", "), self.style)
    }
}

/// A text as one word of a shell, in quotes where it needs them.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A number of bytes with a decimal unit: `1.5 GB`, `20 MB`, `3 kB`, `12 B`.
pub fn bytes_in_words(bytes: f64) -> String {
    match bytes {
        1e9.. => format!("{:.1} GB", bytes / 1e9),
        1e6.. => format!("{:.0} MB", bytes / 1e6),
        1e3.. => format!("{:.0} kB", bytes / 1e3),
        _ => format!("{bytes:.0} B"),
    }
}

/// A number with three significant digits, as a decimal from 0.001 to 100 000: `0.0123`, `1.23e-7`.
pub fn number(value: f64) -> String {
    if (1e-3..1e5).contains(&value.abs()) {
        let places = (2 - value.abs().log10().floor() as i32).max(0) as usize;
        format!("{value:.places$}")
    } else {
        format!("{value:.2e}")
    }
}

/// ` (process 12)`, or nothing if the number of the process is not known.
pub(super) fn process(number: Option<u32>) -> String {
    number.map(|number| format!(" (process {number})")).unwrap_or_default()
}

/// At most twenty times with commas between them, and the number of further ones.
pub(super) fn listed(times: &[f64]) -> String {
    let shown: Vec<String> = times.iter().take(SHOWN).map(ToString::to_string).collect();
    format!("{}{}", shown.join(", "), and_more(times.len()))
}

/// The first five labels in backticks, and the number of further ones.
pub(super) fn first_few(labels: &[String]) -> String {
    let shown: Vec<String> = labels.iter().take(5).map(|label| format!("`{label}`")).collect();
    let rest = labels.len().saturating_sub(5);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Alternatives in backticks: "`a`, `b` or `c`".
pub(super) fn one_of(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match shown.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => shown.join(""),
    }
}

/// "cell `a`", or "3 cells, such as a, b" with the first of `n` cells.
pub(super) fn some_cells(n: usize, first: &[String]) -> String {
    match first {
        [one] if n == 1 => format!("cell `{one}`"),
        _ => format!("{n} cells, such as {}", first.join(", ")),
    }
}

/// Paths inside a file with the verb: "`obs/x` is" or "`obs/x`, `obs/y` are".
pub(super) fn there(keys: &[String]) -> String {
    format!("{} {}", list(keys), if keys.len() == 1 { "is" } else { "are" })
}

/// The words before "not among" for a gene that the file has.
pub(super) fn in_file_but(in_file: bool) -> &'static str {
    if in_file { "in the file, but " } else { "" }
}

/// "only `label`", or "none".
pub(super) fn one_or_none(found: Option<&str>) -> String {
    found.map_or_else(|| "none".into(), |label| format!("only `{label}`"))
}

/// One indented line for each column, with escapes for invisible characters; empty without columns.
pub(super) fn table(columns: &[(String, String)]) -> String {
    let lines: Vec<String> = columns
        .iter()
        .map(|(name, of)| format!("\n  `{}`: {}", visible(name), visible(of)))
        .collect();
    lines.concat()
}

/// Largest number of names shown from a list.
const SHOWN: usize = 20;

/// At most twenty names in backticks, and the number of further ones.
pub(super) fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    format!("{}{}", shown.join(", "), and_more(names.len()))
}

/// " and 3 more" if a list of `n` is longer than [`SHOWN`].
fn and_more(n: usize) -> String {
    if n > SHOWN { format!(" and {} more", n - SHOWN) } else { String::new() }
}

/// `about 2.0 GB of memory, more than the 1.0 GB`.
pub(super) fn memory_beyond(needed: f64, given: f64) -> String {
    let [needed, given] = [needed, given].map(bytes_in_words);
    format!("about {needed} of memory, more than the {given}")
}

/// A unit of a plan that needs more memory than there is.
///
/// ```
/// use sbcell::error::UnitMemory;
///
/// let found = UnitMemory { unit: 3, needed: 2e9, given: 1e9, place: "this machine" };
/// assert!(found.to_string().starts_with("unit 3 needs about"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitMemory {
    /// Number of the unit.
    pub unit: usize,
    /// Memory that the plan foretells, in bytes.
    pub needed: f64,
    /// Memory that there is, in bytes.
    pub given: f64,
    /// The place that has it: `this machine`, `this container`, `this job of Slurm`.
    pub place: &'static str,
}

impl Display for UnitMemory {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { unit, needed, given, place } = *self;
        write!(out, "unit {unit} needs {} that {place} has", memory_beyond(needed, given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let all = [0.012_345, 1.234_5, 12.345, 1234.5, 1.234_5e-7].map(number);
        assert_eq!(all, ["0.0123", "1.23", "12.3", "1234", "1.23e-7"]);
    }
}
