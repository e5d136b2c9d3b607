//! Suggestions for a misspelt name: the existing names that are most similar to it.

/// Largest number of suggestions.
const MOST: usize = 3;

/// Longest name that is compared, in characters; longer ones are sentences, not typing errors.
const LONGEST: usize = 80;

/// At most three of `names` that are similar to `asked`, the most similar first.
///
/// Two names are similar in three cases: they differ only in case, spaces and punctuation; their
/// optimal string alignment distance is at most a third of the shorter length; or one contains the
/// other (`pca`, `X_pca`). If some names differ only in case, the function returns only these.
/// Time `O(n l²)` for `n` names of `l` characters.
pub fn nearest<'a>(asked: &str, names: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let wanted = folded(asked);
    let mut found: Vec<(usize, &String)> = Vec::new();
    for name in names {
        let Some(distance) = distance(&wanted, &folded(name)) else { continue };
        if name == asked || found.iter().any(|other| other.1 == name) {
            continue;
        }
        let place = found.partition_point(|other| other.0 <= distance);
        if place < MOST {
            found.insert(place, (distance, name));
            found.truncate(MOST);
        }
    }
    // A name that differs only in case is certainly the one that was meant.
    if found.first().is_some_and(|first| first.0 == 0) {
        found.retain(|other| other.0 == 0);
    }
    found.into_iter().map(|(_, name)| name.clone()).collect()
}

/// The question "did you mean `a` or `b`?"; `None` if `near` is empty.
pub fn did_you_mean(near: &[String]) -> Option<String> {
    let quoted: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = quoted.split_last()?;
    Some(if others.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", others.join(", "))
    })
}

/// `name` in lower case without spaces and punctuation; unchanged if it has no other characters.
fn folded(name: &str) -> String {
    let letters: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if letters.is_empty() { name.to_string() } else { letters }
}

/// Distance of two folded names in typing errors, or [`LONGEST`] plus the difference of lengths if one
/// contains the other; `None` if they are not similar.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    let (n, m) = (wanted.chars().count(), name.chars().count());
    if n > LONGEST || n == 0 {
        return None;
    }
    let allowed = (n.min(m) / 3).max(usize::from(n.min(m) > 1));
    if n.abs_diff(m) <= allowed {
        let typed = strsim::osa_distance(wanted, name);
        if typed <= allowed {
            return Some(typed);
        }
    }
    let (short, long) = if n < m { (wanted, name) } else { (name, wanted) };
    let within = n.min(m) >= 3 && m <= LONGEST && long.contains(short);
    within.then(|| LONGEST + n.abs_diff(m))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(asked: &str, names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        nearest(asked, &names)
    }

    #[test]
    fn the_nearest_come_first_and_what_is_far_does_not() {
        assert_eq!(near("dya", &["time", "day", "time_label"]), ["day"]);
        assert_eq!(near("SOX2", &["Sox17", "Sox2", "Sox21"]), ["Sox2"]);
        assert_eq!(
            near("celltype", &["batch", "cell_type", "cell type"]),
            ["cell_type", "cell type"]
        );
        assert_eq!(near("pca", &["X_umap", "X_pca", "X_pca_harmony"]), ["X_pca", "X_pca_harmony"]);
        assert_eq!(near("Neurons", &["Neuron", "Glia"]), ["Neuron"]);
        assert_eq!(near("gata1", &["Gata2", "Gata3", "Gata4", "Gata6"]).len(), 3);
        for (asked, names) in [("xyz", ["time", "day"]), ("", ["a", "b"]), ("q", ["a", "b"])] {
            assert!(near(asked, &names).is_empty(), "{asked}");
        }
    }

    #[test]
    fn words_list_them() {
        let names = ["a", "b", "c"].map(str::to_string);
        assert_eq!(did_you_mean(&names[..0]), None);
        assert_eq!(did_you_mean(&names[..1]).unwrap(), "did you mean `a`?");
        assert_eq!(did_you_mean(&names).unwrap(), "did you mean `a`, `b` or `c`?");
    }
}
