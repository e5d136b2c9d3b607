//! What the name of a column says: whether it may be the time, and in which unit.

use super::unit::TimeUnit;

/// Names that mean time, best first, without separators.
const NAMES: [&str; 23] = [
    "time",
    "timepoint",
    "timepoints",
    "day",
    "days",
    "hour",
    "hours",
    "hpf",
    "hpi",
    "dpf",
    "dpi",
    "week",
    "weeks",
    "month",
    "months",
    "minute",
    "minutes",
    "timeinfo",
    "timelabel",
    "t",
    "stage",
    "age",
    "timecourse",
];

/// Words that make a longer name mean time when they begin or end it (`sample_time`).
const WORDS: [&str; 19] = [
    "time",
    "timepoint",
    "timepoints",
    "day",
    "days",
    "hour",
    "hours",
    "hr",
    "hrs",
    "hpf",
    "hpi",
    "dpf",
    "dpi",
    "week",
    "weeks",
    "month",
    "months",
    "stage",
    "age",
];

/// Words of names whose numbers are computed from the cells, or count something else.
const NOT_TIME: [&str; 9] =
    ["pseudo", "pseudotime", "latent", "velocity", "diffusion", "cycle", "doubling", "run", "per"];

/// Whether a column of this name may be the time: `time`, `Time point`, `day`, `hpf`, `stage`,
/// `collection_day`, … Case, spaces, underscores and hyphens do not matter; names of computed
/// times (`latent_time`, `dpt_pseudotime`) are refused.
pub fn is_time_name(name: &str) -> bool {
    name_rank(name).is_some()
}

/// The unit in a column's name: `day`, `time_hours`, `age (weeks)`.
pub(super) fn unit_of_name(name: &str) -> Option<TimeUnit> {
    let words = words(name);
    let long = |word: &&String| word.len() > 1 || words.len() > 1;
    words.iter().rev().filter(long).find_map(|word| TimeUnit::from_word(word))
}

/// How good a name for the time is, smaller is better; `None` if it is no name for it.
pub fn name_rank(name: &str) -> Option<usize> {
    let words = words(name);
    let computed = |word: &String| NOT_TIME.contains(&word.as_str()) || word.starts_with("pseudo");
    if words.iter().any(computed) {
        return None;
    }
    let folded = words.concat();
    let exact = NAMES.iter().position(|known| *known == folded);
    let ends = [words.first(), words.last()];
    let longer = || {
        let place = |word: &String| WORDS.iter().position(|known| known == word);
        ends.into_iter().flatten().filter_map(place).min().map(|place| NAMES.len() + place)
    };
    exact.or_else(longer)
}

/// The words of a name, in lower case; `collectionDay` has two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let camel = before.is_lowercase() && c.is_uppercase();
        if camel || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_of_time_columns() {
        for name in [
            "time",
            "Time point",
            "time_point",
            "TimePoint",
            "day",
            "Days",
            "hpf",
            "stage",
            "Age",
            "t",
            "time_info",
            "time-label",
            "sample_time",
            "collection_day",
            "collectionDay",
            "time_hours",
            "age_weeks",
            "sbcell_time",
        ] {
            assert!(is_time_name(name), "{name}");
        }
        for name in [
            "",
            "pseudotime",
            "dpt_pseudotime",
            "latent_time",
            "batch",
            "lifetime",
            "stages",
            "n_t",
            "percent_mito",
            "velocity_pseudotime",
            "run_day",
            "times_seen",
        ] {
            assert!(!is_time_name(name), "{name}");
        }
        assert_eq!(unit_of_name("age (weeks)"), Some(TimeUnit::Weeks));
        assert_eq!(unit_of_name("time_h"), Some(TimeUnit::Hours));
        assert_eq!(unit_of_name("d"), None);
        assert_eq!(unit_of_name("stage"), None);
    }
}
