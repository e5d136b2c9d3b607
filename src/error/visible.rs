//! Escapes for control characters and other invisible characters in texts: `\u{1b}`, `\n`.

use std::borrow::Cow;
use std::fmt::Write;

use crate::error::Error;

impl Error {
    /// The message for a terminal or a file: names from files are escaped by [`visible`].
    ///
    /// The message has one line, except for errors with a table of columns.
    pub fn shown(&self) -> String {
        let message = self.to_string();
        match self {
            // Their tables have a line for each column; names in it are escaped already.
            Self::TimeColumnsDisagree { .. } | Self::NoTimeColumn { .. } => {
                visible_lines(&message).into_owned()
            }
            _ => visible(&message).into_owned(),
        }
    }
}

/// `text` on one line, with an escape for every character that is not printed as itself.
///
/// Names come from files of unknown origin and could otherwise control the terminal. The function
/// escapes control characters, line breaks and tabs, marks that change the direction of text
/// (U+202A to U+202E, U+2066 to U+2069), characters without width, and characters that XML forbids.
/// The result is valid in XML 1.0 after `<`, `>`, `&` and quotes are escaped. It borrows `text` if
/// nothing is escaped.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => {
                // Writing to a string does not fail.
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// As [`visible`], but line breaks remain.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(visible).collect::<Vec<_>>().join("\n"))
}

/// As [`visible`], for JSON text: writes the same characters as JSON escapes (`\u001b`).
///
/// A JSON parser reads the result as the same value. Line breaks remain, since within JSON strings
/// they are escaped already.
pub fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // A line break in JSON text is always between values.
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether [`visible`] escapes this character.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Marks of the direction of text.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Line separators and characters without width. Joiners are part of some scripts and stay.
            | '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
            // Noncharacters, which XML forbids.
            | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_becomes_an_escape_and_the_rest_stays() {
        assert_eq!(visible("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(visible("a\nb\tc\rd"), "a\\nb\\tc\\rd");
        assert_eq!(visible("a\u{202e}b\u{2066}\u{9b}\u{7f}"), "a\\u{202e}b\\u{2066}\\u{9b}\\u{7f}");
        for plain in ["Sox2", "β-catenin, σ²Δt → é", "日本語", "a\\nb", ""] {
            assert!(matches!(visible(plain), Cow::Borrowed(same) if same == plain));
        }
        assert_eq!(visible_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let names = ["\u{202e}x", "\u{1b}[5m\n", "\u{e0041}", "é\u{9b}"];
        let shown = visible_json(&serde_json::to_string_pretty(&names).unwrap());
        assert!(!shown.contains(|c| c != '\n' && is_hidden(c)), "{shown}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), names);
    }

    #[test]
    fn nothing_that_xml_forbids_is_left() {
        let all: String = ('\0'..=char::MAX).collect();
        let forbidden = |c: char| {
            let allowed = matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}')
                || matches!(c, '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
            !allowed
        };
        assert!(!visible(&all).contains(forbidden));
    }
}
