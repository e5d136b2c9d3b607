//! Units of time, with their names and lengths.

use std::fmt;

/// The unit of a time axis.
///
/// ```
/// use sbcell::data::time::TimeUnit;
///
/// assert_eq!(TimeUnit::Days.minutes(), Some(1440.0));
/// assert_eq!(TimeUnit::Hours.to_string(), "h");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeUnit {
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days; also embryonic days (`E7.5`) and postnatal days (`P0`).
    Days,
    /// Weeks of 7 days.
    Weeks,
    /// Months of 30.4375 days (a twelfth of a year).
    Months,
    /// Years of 365.25 days.
    Years,
    /// Numbers without a known unit.
    Unknown,
}

impl TimeUnit {
    /// All units with a known length, the shortest first.
    pub(super) const KNOWN: [Self; 6] =
        [Self::Minutes, Self::Hours, Self::Days, Self::Weeks, Self::Months, Self::Years];

    /// Length in minutes; `None` for [`TimeUnit::Unknown`].
    pub fn minutes(self) -> Option<f64> {
        match self {
            Self::Minutes => Some(1.0),
            Self::Hours => Some(60.0),
            Self::Days => Some(1440.0),
            Self::Weeks => Some(10_080.0),
            Self::Months => Some(43_830.0),
            Self::Years => Some(525_960.0),
            Self::Unknown => None,
        }
    }

    /// The unit that a lower-case word denotes; `None` for `m`, which may be minutes or months.
    pub(in crate::data) fn from_word(word: &str) -> Option<Self> {
        match word {
            "min" | "mins" | "minute" | "minutes" => Some(Self::Minutes),
            "h" | "hr" | "hrs" | "hour" | "hours" | "hpf" | "hpi" | "hpt" => Some(Self::Hours),
            "d" | "day" | "days" | "dpf" | "dpi" | "dpt" => Some(Self::Days),
            "w" | "wk" | "wks" | "week" | "weeks" => Some(Self::Weeks),
            "mo" | "mos" | "mon" | "month" | "months" => Some(Self::Months),
            "y" | "yr" | "yrs" | "year" | "years" => Some(Self::Years),
            _ => None,
        }
    }

    /// The plural of the unit in a sentence.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Weeks => "weeks",
            Self::Months => "months",
            Self::Years => "years",
            Self::Unknown => "numbers without a unit",
        }
    }
}

impl fmt::Display for TimeUnit {
    /// Writes `min`, `h`, `d`, `wk`, `mo`, `yr`, or nothing for an unknown unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minutes => "min",
            Self::Hours => "h",
            Self::Days => "d",
            Self::Weeks => "wk",
            Self::Months => "mo",
            Self::Years => "yr",
            Self::Unknown => "",
        })
    }
}
