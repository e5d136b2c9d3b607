//! Escapes text of files for HTML, attributes and JSON inside a page, and numbers as people read them.

use crate::error::visible;

/// `text` as HTML, also within quotes of an attribute. Hidden characters become visible.
pub(super) fn html(text: &str) -> String {
    let text = visible(text);
    let mut put = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => put.push_str("&amp;"),
            '<' => put.push_str("&lt;"),
            '>' => put.push_str("&gt;"),
            '"' => put.push_str("&quot;"),
            '\'' => put.push_str("&#39;"),
            c => put.push(c),
        }
    }
    put
}

/// `text` as HTML in which parts between backticks are code.
pub(super) fn prose(text: &str) -> String {
    let mut put = String::new();
    let mut parts = text.split('`').peekable();
    let mut inside = false;
    while let Some(part) = parts.next() {
        // A backtick without a partner is text.
        let alone = inside && parts.peek().is_none();
        match (inside, alone) {
            (true, false) => {
                put.push_str("<code>");
                put.push_str(&html(part));
                put.push_str("</code>");
            }
            (true, true) => {
                put.push('`');
                put.push_str(&html(part));
            }
            // A percent sign stays on the line of its number.
            (false, _) => put.push_str(&html(part).replace(" %", "\u{a0}%")),
        }
        inside = !inside;
    }
    put
}

/// JSON that can stand inside a `<script>` element: no character that HTML interprets remains.
pub(super) fn json(text: &str) -> String {
    text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// A number for readers, with three significant digits; a dash if it is not finite.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let size = value.abs();
    if size < 5e-13 {
        return "0".into();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let digits = (2 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text.as_str()
    };
    text.replace('-', "−")
}

/// A time: all digits that it has.
pub(super) fn time(value: f64) -> String {
    let text = format!("{value}");
    if text.len() > 9 { number(value) } else { text.replace('-', "−") }
}

/// A count with thin spaces between groups of three digits.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut put = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            put.push('\u{2009}');
        }
        put.push(digit);
    }
    put
}

/// `n` with the noun in singular or plural: `1 cell`, `2 cells`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// The number `value` in an SVG picture, with one decimal at most.
pub(super) fn place(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.abs() < 0.05 { "0".into() } else { format!("{rounded}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert() {
        let text = html("</script><img src=x onerror='a()'>&\"\u{202e}");
        assert!(!text.contains(['<', '>', '"', '\'', '\u{202e}']), "{text}");
        assert_eq!(html("a & b"), "a &amp; b");
        let text = json(r#"{"a":"</script><!-- & >"}"#);
        assert!(!text.contains(['<', '>', '&']), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["a"], "</script><!-- & >");
    }

    #[test]
    fn code_is_between_two_backticks() {
        assert_eq!(prose("run `sbcell <x>` now"), "run <code>sbcell &lt;x&gt;</code> now");
        assert_eq!(prose("one ` alone"), "one ` alone");
        assert_eq!(prose("`a` and `b"), "<code>a</code> and `b");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (f64::NAN, "–"),
            (0.123_456, "0.123"),
            (-2.5, "−2.5"),
            (1234.56, "1235"),
            (1e-9, "1.00e−9"),
            (40.0, "40"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!((time(0.5).as_str(), time(96.0).as_str()), ("0.5", "96"));
        assert_eq!((count(2449), count(50_000)), ("2449".into(), "50\u{2009}000".into()));
        assert_eq!((counted(1, "cell"), counted(0, "cell")), ("1 cell".into(), "0 cells".into()));
        assert_eq!((place(-0.01), place(3.25), place(3.0)), ("0".into(), "3.3".into(), "3".into()));
    }
}
