//! Names of columns: whether a name denotes a time, and in which unit.

use super::unit::TimeUnit;

/// Names of columns of times without separators, the most likely first.
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

/// Words at the beginning or end of a longer name of a column of times (`sample_time`).
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

/// Words in names of columns whose numbers are computed from the cells or count something else.
const NOT_TIME: [&str; 9] =
    ["pseudo", "pseudotime", "latent", "velocity", "diffusion", "cycle", "doubling", "run", "per"];

/// Whether the name may be that of a column of times: `time`, `Time point`, `collection_day`.
///
/// Case, spaces, underscores and hyphens do not matter. Names of computed times (`latent_time`,
/// `dpt_pseudotime`) are refused.
pub(crate) fn is_time_name(name: &str) -> bool {
    name_rank(name).is_some()
}

/// The unit in the name of a column: `day`, `time_hours`, `age (weeks)`.
pub(super) fn unit_of_name(name: &str) -> Option<TimeUnit> {
    let words = words(name);
    let long = |word: &&String| word.len() > 1 || words.len() > 1;
    words.iter().rev().filter(long).find_map(|word| TimeUnit::from_word(word))
}

/// The rank of a name among names of columns of times, 0 for the most likely; `None` for others.
pub(crate) fn name_rank(name: &str) -> Option<usize> {
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

/// The words of a name in lower case; `collectionDay` has two.
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
