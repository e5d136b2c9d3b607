//! Lists and numbers in the words of messages.

use crate::error::visible;

/// A number of bytes in words.
pub fn bytes_in_words(bytes: f64) -> String {
    match bytes {
        1e9.. => format!("{:.1} GB", bytes / 1e9),
        1e6.. => format!("{:.0} MB", bytes / 1e6),
        1e3.. => format!("{:.0} kB", bytes / 1e3),
        _ => format!("{bytes:.0} B"),
    }
}

/// A number with three significant digits.
pub fn number(value: f64) -> String {
    if (1e-3..1e5).contains(&value.abs()) {
        let places = (2 - value.abs().log10().floor() as i32).max(0) as usize;
        format!("{value:.places$}")
    } else {
        format!("{value:.2e}")
    }
}

/// The number of a process, in words that follow what it does.
pub(super) fn process(number: Option<u32>) -> String {
    number.map(|number| format!(" (process {number})")).unwrap_or_default()
}

/// Times with commas between them.
pub(super) fn listed(times: &[f64]) -> String {
    let shown: Vec<String> = times.iter().take(SHOWN).map(ToString::to_string).collect();
    format!("{}{}", shown.join(", "), and_more(times.len()))
}

/// The first five of a list in backticks, and how many more there are.
pub(super) fn first_few(labels: &[String]) -> String {
    let shown: Vec<String> = labels.iter().take(5).map(|label| format!("`{label}`")).collect();
    let rest = labels.len().saturating_sub(5);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Names of which one may be chosen: "`a`, `b` or `c`".
pub(super) fn one_of(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match shown.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => shown.join(""),
    }
}

/// One cell by its name, or how many with the first ones.
pub(super) fn some_cells(n: usize, first: &[String]) -> String {
    match first {
        [one] if n == 1 => format!("cell `{one}`"),
        _ => format!("{n} cells, such as {}", first.join(", ")),
    }
}

/// Paths inside a file, and the verb that follows.
pub(super) fn there(keys: &[String]) -> String {
    format!("{} {}", list(keys), if keys.len() == 1 { "is" } else { "are" })
}

pub(super) fn one_or_none(found: Option<&str>) -> String {
    found.map_or_else(|| "none".into(), |label| format!("only `{label}`"))
}

/// One indented line for each column; nothing if there is none.
pub(super) fn table(columns: &[(String, String)]) -> String {
    let lines: Vec<String> = columns
        .iter()
        .map(|(name, of)| format!("\n  `{}`: {}", visible(name), visible(of)))
        .collect();
    lines.concat()
}

/// Names shown of a long list.
const SHOWN: usize = 20;

/// The first names, in quotes.
pub(super) fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    format!("{}{}", shown.join(", "), and_more(names.len()))
}

/// How many of a list of `n` are not shown.
fn and_more(n: usize) -> String {
    if n > SHOWN { format!(" and {} more", n - SHOWN) } else { String::new() }
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
