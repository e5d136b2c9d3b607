//! Gene names made unique, by the rule of anndata's `var_names_make_unique`.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::progress::{self, Progress};

/// Appends a number to each repeated name (`Name`, `Name-1`, `Name-2`, …) and notes how many there are.
///
/// The first occurrence keeps its name. A number that would give an existing name is skipped, as in anndata.
/// The order stays. Time O(n log n) for n names.
///
/// # Errors
/// [`crate::Error::Cancelled`] if `progress` stops the run.
pub(crate) fn unique(names: Vec<String>, progress: &mut dyn Progress) -> Result<Vec<String>> {
    let mut taken: BTreeSet<String> = names.iter().cloned().collect();
    if taken.len() == names.len() {
        return Ok(names);
    }
    let mut seen = BTreeSet::new();
    let mut repeated = Vec::new();
    let renamed = names
        .into_iter()
        .map(|name| {
            if seen.insert(name.clone()) {
                return name;
            }
            let mut number = 1;
            while taken.contains(&format!("{name}-{number}")) {
                number += 1;
            }
            let fresh = format!("{name}-{number}");
            taken.insert(fresh.clone());
            repeated.push(name);
            fresh
        })
        .collect();
    let text = format!(
        "{} gene names occur more than once (`{}`); the later ones get a suffix, as in `{}-1`",
        repeated.len(),
        repeated[0],
        repeated[0]
    );
    progress::note(progress, text)?;
    Ok(renamed)
}
