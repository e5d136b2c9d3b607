//! Labels as times: `D10`, `48h`, `E7.5`, `week 3`.

use super::unit::TimeUnit;

/// The number of a label and its scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// The number.
    pub(super) value: f64,
    /// The unit and the start of the number.
    pub(super) scale: Scale,
}

/// The unit and the start of a number in a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Not given.
    Bare,
    /// A unit, from the start of the experiment.
    Unit(TimeUnit),
    /// Days from conception (`E7.5`).
    Embryonic,
    /// Days from birth (`P14`).
    Postnatal,
}

/// The reason why a label is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has no reading.
    NotATime,
    /// It has two readings: `day-1` is day 1 or day −1, `3m` is minutes or months.
    TwoReadings,
}

/// Whether a label stands for a missing value in table programs.
pub(super) fn is_missing(label: &str) -> bool {
    let label = label.trim();
    ["", "nan", "na", "n/a", "<na>", "none", "null"]
        .iter()
        .any(|word| label.eq_ignore_ascii_case(word))
}

/// Reads a label: a number, alone or with one unit before or after it.
///
/// Case, spaces and underscores do not matter. A label with other parts (a replicate, a range, a
/// decimal comma) is not a time; no part of a label is ignored.
pub(super) fn read(label: &str) -> Result<Reading, Unread> {
    let text = label.trim().to_lowercase().replace('\u{2212}', "-");
    if let Some(value) = plain_number(&text) {
        return Ok(Reading { value, scale: Scale::Bare });
    }
    let start = text.find(|c: char| c.is_ascii_digit()).ok_or(Unread::NotATime)?;
    let after = &text[start..];
    let end = after.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(after.len());
    let (digits, tail) = after.split_at(end);
    let number = decimal(digits).ok_or(Unread::NotATime)?;
    let (head, negative) = split_sign(&text[..start])?;
    let scale = scale_of(&fold(head), &fold(tail.trim_start_matches('-')))?;
    Ok(Reading { value: if negative { -number } else { number }, scale })
}

/// A number in the notation of computers, possibly with an exponent.
fn plain_number(text: &str) -> Option<f64> {
    let looks_like = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.ends_with(|c: char| c.is_ascii_digit() || c == '.')
        && !text.contains("inf");
    if !looks_like {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Digits with at most one decimal point, which must not be at the end.
fn decimal(digits: &str) -> Option<f64> {
    if digits.ends_with('.') || digits.matches('.').count() > 1 {
        return None;
    }
    digits.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Removes a sign from the end of the text before the number; `true` for a minus.
///
/// A hyphen directly after a word is ambiguous: it may be a minus or separate the word.
fn split_sign(head: &str) -> Result<(&str, bool), Unread> {
    if let Some(rest) = head.strip_suffix('+') {
        return Ok((rest, false));
    }
    let Some(rest) = head.strip_suffix('-') else {
        let hyphen = head.trim_end().ends_with('-');
        return if hyphen { Err(Unread::TwoReadings) } else { Ok((head, false)) };
    };
    if rest.is_empty() || rest.ends_with(char::is_whitespace) {
        return Ok((rest, true));
    }
    Err(Unread::TwoReadings)
}

/// `word` without spaces and underscores; `embryonic day` becomes `embryonicday`.
fn fold(word: &str) -> String {
    word.chars().filter(|c| !(c.is_whitespace() || *c == '_')).collect()
}

/// The scale from the words before and after the number together.
fn scale_of(head: &str, tail: &str) -> Result<Scale, Unread> {
    let neutral = matches!(head, "" | "t" | "time" | "timepoint" | "tp" | "age");
    match (head, tail) {
        ("e" | "embryonicday", "") => Ok(Scale::Embryonic),
        ("p" | "pn" | "pnd" | "postnatalday", "") => Ok(Scale::Postnatal),
        ("m", "") => Err(Unread::TwoReadings),
        (_, "") if neutral => Ok(Scale::Bare),
        (_, "") => TimeUnit::from_word(head).map(Scale::Unit).ok_or(Unread::NotATime),
        (_, "m") if neutral => Err(Unread::TwoReadings),
        _ if neutral => TimeUnit::from_word(tail).map(Scale::Unit).ok_or(Unread::NotATime),
        _ => Err(Unread::NotATime),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(value: f64, unit: TimeUnit) -> Reading {
        Reading { value, scale: Scale::Unit(unit) }
    }

    #[test]
    fn reads_every_way_to_write_day_ten() {
        for label in [
            "D10",
            "d10",
            "day10",
            "Day 10",
            "day_10",
            "10d",
            "10 days",
            " DAY  10 ",
            "10-days",
            "D+10",
            "day 10.0",
            "10 dpi",
            "t10d",
            "Time 10 d",
        ] {
            assert_eq!(read(label), Ok(unit(10.0, TimeUnit::Days)), "{label}");
        }
    }

    #[test]
    fn reads_the_other_units() {
        for label in ["48h", "48 hr", "48hrs", "H48", "hour 48", "48_hours", "48hpf"] {
            assert_eq!(read(label), Ok(unit(48.0, TimeUnit::Hours)), "{label}");
        }
        for label in ["wk3", "week 3", "3 weeks", "3w"] {
            assert_eq!(read(label), Ok(unit(3.0, TimeUnit::Weeks)), "{label}");
        }
        assert_eq!(read("3mo"), Ok(unit(3.0, TimeUnit::Months)));
        assert_eq!(read("month 3"), Ok(unit(3.0, TimeUnit::Months)));
        assert_eq!(read("0min"), Ok(unit(0.0, TimeUnit::Minutes)));
        assert_eq!(read("2 years"), Ok(unit(2.0, TimeUnit::Years)));
        assert_eq!(read("E7.5"), Ok(Reading { value: 7.5, scale: Scale::Embryonic }));
        assert_eq!(read("P0"), Ok(Reading { value: 0.0, scale: Scale::Postnatal }));
    }

    #[test]
    fn reads_numbers_and_signs() {
        for (label, value) in [
            ("6", 6.0),
            ("6.0", 6.0),
            ("-1", -1.0),
            ("+2", 2.0),
            ("1e2", 100.0),
            (".5", 0.5),
            ("t48", 48.0),
            ("\u{2212}1", -1.0),
            ("Timepoint 2", 2.0),
        ] {
            assert_eq!(read(label), Ok(Reading { value, scale: Scale::Bare }), "{label}");
        }
        assert_eq!(read("-1d"), Ok(unit(-1.0, TimeUnit::Days)));
        assert_eq!(read("day -1"), Ok(unit(-1.0, TimeUnit::Days)));
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for label in [
            "D0_rep1",
            "E10.5-E11",
            "Day 00-03",
            "7,5",
            "7.5.1",
            "early",
            "2d12h",
            "day 3 h",
            "D3 (ctrl)",
            "2020-01-05",
            "1/2",
            "inf",
            "infinity",
            "D1.",
            "batch3",
            "3 cells",
            "E7.5d",
            "10%",
            "1e999",
            "e",
            "d",
        ] {
            assert_eq!(read(label), Err(Unread::NotATime), "{label}");
        }
        for label in ["day-1", "D-1", "day - 1", "3m", "M3", "E-7.5"] {
            assert_eq!(read(label), Err(Unread::TwoReadings), "{label}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_read_back(value in -1e6_f64..1e6) {
            prop_assert_eq!(read(&format!("{value}h")), Ok(unit(value, TimeUnit::Hours)));
            prop_assert_eq!(read(&format!("Day {value}")), Ok(unit(value, TimeUnit::Days)));
            let bare = read(&format!("{value:?}"));
            prop_assert_eq!(bare, Ok(Reading { value, scale: Scale::Bare }));
        }

        #[test]
        fn days_are_ordered_as_numbers(a in 0_u32..100_000, b in 0_u32..100_000) {
            let value = |day: u32| read(&format!("D{day}")).unwrap().value;
            prop_assert_eq!(value(a).total_cmp(&value(b)), a.cmp(&b));
        }

        #[test]
        fn any_text_is_read_or_refused(label in ".*") {
            if let Ok(reading) = read(&label) {
                prop_assert!(reading.value.is_finite());
            }
        }
    }
}
