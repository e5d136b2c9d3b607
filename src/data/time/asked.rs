//! Times in commands: the label of a snapshot, a number, or a label of the same kind.

use super::labels::{Scale, read};
use super::unit::TimeUnit;
use crate::error::{Error, Result};

/// Relative difference below which two numbers are equal: the rounding of single precision.
const ROUNDING: f64 = f32::EPSILON as f64;

/// Largest difference of equal times, as a share of the shortest interval.
const OF_INTERVAL: f64 = 1e-4;

/// The labels and times of the snapshots of a course.
///
/// ```
/// use sbcell::data::time::KnownTimes;
///
/// let known = KnownTimes::new([("D0".into(), 0.0), ("D4".into(), 4.0)], "d");
/// assert_eq!(known.any("at", "d4")?, 4.0);
/// assert_eq!(known.any("at", "48h")?, 2.0);
/// assert!(known.any("at", "late").is_err());
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct KnownTimes {
    /// Labels and times, with increasing times.
    snapshots: Vec<(String, f64)>,
    unit: Option<TimeUnit>,
}

impl KnownTimes {
    /// The course with these labels and increasing times.
    ///
    /// `unit` is written as `d`, `h`, …, and empty if it is not known.
    pub fn new(snapshots: impl IntoIterator<Item = (String, f64)>, unit: &str) -> Self {
        Self { snapshots: snapshots.into_iter().collect(), unit: TimeUnit::from_word(unit) }
    }

    /// The time that `text` denotes, at a snapshot or between snapshots.
    ///
    /// The text is, in this order: the label of a snapshot (in any case), a number, or a label of the
    /// same kind (`D4` is 4 if times are in days). A number within rounding of a snapshot is that
    /// snapshot. `flag` is the name of the argument in messages.
    ///
    /// # Errors
    /// [`Error::UnknownTime`] if the text is none of these; [`Error::Parameter`] if it is the label
    /// of one time and the number of another.
    pub fn any(&self, flag: &'static str, text: &str) -> Result<f64> {
        self.resolve(flag, text, |time| {
            let (first, last) = self.ends();
            (first..=last).contains(&time)
        })
    }

    /// As [`KnownTimes::any`], for arguments that must be the time of a snapshot.
    ///
    /// A text that is both a label and a number is ambiguous only if the number is a snapshot too. A
    /// number between snapshots is returned; the caller refuses it.
    ///
    /// # Errors
    /// As for [`KnownTimes::any`].
    pub fn observed(&self, flag: &'static str, text: &str) -> Result<f64> {
        self.resolve(flag, text, |time| self.snapshots.iter().any(|known| same(known.1, time)))
    }

    /// Splits `TIME:REST`, or returns `None` and the whole text if it does not start with a time.
    ///
    /// Both the label of the time and `REST` may contain colons.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an ambiguous time.
    pub fn before_colon<'a>(
        &self,
        flag: &'static str,
        text: &'a str,
    ) -> Result<(Option<f64>, &'a str)> {
        for (colon, _) in text.match_indices(':') {
            match self.observed(flag, &text[..colon]) {
                Ok(time) => return Ok((Some(time), &text[colon + 1..])),
                Err(Error::UnknownTime { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok((None, text))
    }

    /// The first and the last time.
    fn ends(&self) -> (f64, f64) {
        let time = |known: Option<&(String, f64)>| known.map_or(f64::NAN, |known| known.1);
        (time(self.snapshots.first()), time(self.snapshots.last()))
    }

    /// The work of [`KnownTimes::any`]; `is_meant` tells whether a number is a plausible time.
    fn resolve(
        &self,
        flag: &'static str,
        text: &str,
        is_meant: impl Fn(f64) -> bool,
    ) -> Result<f64> {
        let number = text.trim().parse().ok().filter(|n: &f64| n.is_finite());
        let number = number.map(|number| self.snapped(number + 0.0));
        match (self.by_label(text.trim()), number) {
            (Some(of_label), Some(number)) if !same(of_label, number) && is_meant(number) => {
                Err(Error::Parameter {
                    name: flag,
                    must: "an unambiguous time",
                    got: format!(
                        "`{text}`, which is the label of time {of_label} and also a time itself"
                    ),
                })
            }
            (Some(time), _) | (None, Some(time)) => Ok(time),
            (None, None) => self.by_kind(text).ok_or_else(|| Error::UnknownTime {
                flag,
                text: text.to_string(),
                snapshots: self.snapshots.clone(),
            }),
        }
    }

    /// The time of the snapshot with this label, first with equal case, then in any case.
    fn by_label(&self, text: &str) -> Option<f64> {
        // Several labels of one time are joined by ` = `.
        let parts =
            |label: &str, is: &dyn Fn(&str) -> bool| is(label) || label.split(" = ").any(is);
        let find = |is: &dyn Fn(&str) -> bool| {
            self.snapshots.iter().find(|known| parts(&known.0, is)).map(|known| known.1)
        };
        find(&|label| label.trim() == text)
            .or_else(|| find(&|label| label.trim().eq_ignore_ascii_case(text)))
    }

    /// The time of a new label, of the same kind as the existing ones or with a convertible unit.
    fn by_kind(&self, text: &str) -> Option<f64> {
        let reading = read(text).ok()?;
        let time = match reading.scale {
            Scale::Bare => reading.value,
            Scale::Unit(unit) => reading.value * unit.minutes()? / self.unit?.minutes()?,
            Scale::Embryonic | Scale::Postnatal => {
                let first = self.snapshots.first()?.0.split(" = ").next()?;
                read(first).ok().filter(|own| own.scale == reading.scale)?;
                reading.value
            }
        };
        Some(self.snapped(time))
    }

    /// The time of the snapshot that equals `number` within rounding, otherwise `number`.
    fn snapped(&self, number: f64) -> f64 {
        let times: Vec<f64> = self.snapshots.iter().map(|known| known.1).collect();
        let apart = times.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        let near = |time: &f64| {
            let off = (time - number).abs();
            off <= ROUNDING * number.abs().max(time.abs()) && off <= OF_INTERVAL * apart
        };
        times.into_iter().find(near).unwrap_or(number)
    }
}

fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(labels: &[(&str, f64)], unit: &str) -> KnownTimes {
        KnownTimes::new(labels.iter().map(|(label, time)| (label.to_string(), *time)), unit)
    }

    fn close(found: Result<f64>, expected: f64) {
        let found = found.unwrap();
        assert!(same(found, expected), "{found} {expected}");
    }

    #[test]
    fn labels_numbers_and_labels_of_the_same_kind_are_times() {
        let days = known(&[("D0", 0.0), ("D4 = day 4", 4.0), ("D10", 10.0)], "d");
        for (text, time) in
            [("D4", 4.0), ("d4", 4.0), ("day 4", 4.0), ("4", 4.0), ("D7", 7.0), ("36h", 1.5)]
        {
            close(days.any("at", text), time);
            close(days.any("at", &format!(" {text} ")), time);
        }
        let stages = known(&[("E6.5", 6.5), ("E7.5", 7.5)], "d");
        close(stages.any("at", "E7.0"), 7.0);
        assert!(stages.any("at", "P1").is_err());
        let message = days.any("at", "early").unwrap_err();
        assert!(message.to_string().contains("early"), "{message}");
        assert!(message.hint().unwrap().contains("`D10`"));
        assert!(known(&[("a", 1.0), ("b", 2.0)], "").any("at", "2d").is_err());
        assert!(days.any("at", "nan").is_err() && days.any("at", "").is_err());
    }

    #[test]
    fn a_number_within_rounding_of_a_snapshot_is_that_snapshot() {
        let stored = f64::from(0.3_f32);
        let times = known(&[("0.1", 0.1), ("0.3", stored), ("0.7", 0.7)], "");
        close(times.any("at", "0.3"), stored);
        close(times.observed("at", "0.69999998"), 0.7);
        close(times.any("at", "0.3001"), 0.3001);
        let seconds = known(&[("a", 1.7e9), ("b", 1.7e9 + 100.0)], "");
        close(seconds.any("at", "1700000001"), 1.7e9 + 1.0);
    }

    #[test]
    fn a_label_that_is_another_time_is_refused_only_where_both_can_be_meant() {
        let mapped = known(&[("1", 0.0), ("2", 24.0), ("3", 48.0)], "h");
        assert!(mapped.any("at", "2").unwrap_err().to_string().contains("time 24"));
        close(mapped.any("at", "2.0"), 2.0);
        close(mapped.any("at", "24"), 24.0);
        close(mapped.observed("at", "2"), 24.0);
        let crossed = known(&[("24", 0.0), ("0", 24.0)], "h");
        assert!(crossed.observed("at", "24").is_err());
    }

    #[test]
    fn a_time_before_a_colon_is_told_from_a_name_with_colons() {
        let days = known(&[("D0", 0.0), ("t:4", 4.0)], "d");
        let parts = |text| days.before_colon("to", text).unwrap();
        assert_eq!(parts("4:CD8:naive"), (Some(4.0), "CD8:naive"));
        assert_eq!(parts("t:4:B"), (Some(4.0), "B"));
        assert_eq!(parts("CD8:naive"), (None, "CD8:naive"));
        assert_eq!(parts("B"), (None, "B"));
    }

    #[test]
    fn rounding_is_that_of_single_precision_and_far_less_than_an_interval() {
        let days = known(&[("a", 0.0), ("b", 100.0)], "d");
        close(days.any("at", "99.999995"), 100.0);
        close(days.any("at", "99.9995"), 99.9995);
        // A label of the kind is as near.
        close(days.any("at", "99.999995d"), 100.0);
        // The shortest interval counts, wherever it is.
        let near = known(&[("a", 1000.0), ("b", 1000.05), ("c", 2000.0)], "d");
        close(near.any("at", "1000.00004"), 1_000.000_04);
    }

    #[test]
    fn a_label_is_another_time_up_to_the_ends_of_the_course_and_not_beyond() {
        let mapped = known(&[("5", 0.0), ("9", 3.0), ("0", 5.0)], "");
        assert!(mapped.any("at", "5").is_err() && mapped.any("at", "0").is_err());
        close(mapped.any("at", "9"), 3.0);
    }
}
