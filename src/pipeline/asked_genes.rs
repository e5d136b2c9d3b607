//! Genes that are asked for by a list, found among those that are there, or refused with both namings.

use std::collections::BTreeSet;

use crate::data::{GeneIndex, Naming, count_folded};
use crate::error::{Error, Result, did_you_mean, nearest};
use crate::pipeline::fit::selection::no_genes;
use crate::progress::{self, Progress};

/// What was found of a list of genes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AskedGenes {
    /// Places of the genes that are there, increasing.
    pub(super) columns: Vec<usize>,
    /// How many of the names were found.
    pub(super) n_found: usize,
    /// The names that were not.
    pub(super) missing: Vec<String>,
}

impl AskedGenes {
    /// Finds `wanted` among `present`: by the same name, or by Ensembl number whatever its version,
    /// which is said.
    ///
    /// # Errors
    /// [`Error::NoGenes`] if none is there; [`Error::FewGenes`] as [`refuse_strangers`].
    pub(super) fn find(
        wanted: &[String],
        present: &[String],
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let index = GeneIndex::new(present);
        let (mut columns, mut missing) = (BTreeSet::new(), Vec::new());
        let (mut n_found, mut by_number) = (0, None);
        let names: BTreeSet<&String> = wanted.iter().collect();
        for name in names {
            let Some(found) = index.find(name) else {
                missing.push(name.clone());
                continue;
            };
            n_found += 1;
            if found.by_number {
                let example = (name.clone(), present[found.places[0]].clone());
                by_number = Some((by_number.map_or(0, |(n, _)| n) + 1, example));
            }
            columns.extend(found.places);
        }
        if columns.is_empty() {
            return Err(no_genes(wanted, present));
        }
        refuse_strangers(wanted, present, n_found)?;
        if let Some((n, (name, there))) = by_number {
            let text = format!(
                "{n} genes were found by their Ensembl number, whatever its version (`{name}` is \
                 `{there}`)"
            );
            progress::note(progress, text)?;
        }
        Ok(Self { columns: columns.into_iter().collect(), n_found, missing })
    }
}

/// Each gene of `asked` as it is written among `present`, in this order, each once: by the same name,
/// or by Ensembl number whatever its version, which is said.
///
/// # Errors
/// What `missing` makes of the first that is not there.
pub(super) fn named_genes(
    asked: &[String],
    present: &[String],
    missing: impl Fn(&String) -> Error,
    progress: &mut dyn Progress,
) -> Result<Vec<String>> {
    let index = GeneIndex::new(present);
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for name in asked {
        let place = index.find(name).ok_or_else(|| missing(name))?;
        let there: Vec<&String> = place.places.iter().map(|&place| &present[place]).collect();
        if place.by_number {
            let shown: Vec<String> = there.iter().map(|name| format!("`{name}`")).collect();
            let text = format!(
                "`{name}` is {}: by its Ensembl number, whatever its version",
                shown.join(", ")
            );
            progress::note(progress, text)?;
        }
        found.extend(there.into_iter().filter(|name| seen.insert(*name)).cloned());
    }
    Ok(found)
}

/// The first of `missing` names, each with those of `present` that may be meant.
pub(super) fn missing_words(missing: &[String], present: &[String]) -> String {
    const SHOWN: usize = 3;
    let word = |name: &String| match did_you_mean(&nearest(name, present)) {
        Some(meant) => format!("`{name}` ({meant})"),
        None => format!("`{name}`"),
    };
    let shown: Vec<String> = missing.iter().take(SHOWN).map(word).collect();
    let more = missing.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Refuses a list of which fewer than half as many names are there as would be if case did not matter:
/// it is written as for another species, and what matches does so by chance (`T` in a list of human is
/// a gene of mouse).
///
/// # Errors
/// [`Error::FewGenes`] with how both are written.
pub(super) fn refuse_strangers(
    wanted: &[String],
    present: &[String],
    n_found: usize,
) -> Result<()> {
    let n_folded = count_folded(wanted, present);
    if 2 * n_found >= n_folded {
        return Ok(());
    }
    let naming = |names: &[String]| Naming::of(names.iter().map(String::as_str));
    let first = |names: &[String]| names.iter().take(5).cloned().collect();
    let (asked, there) = (naming(wanted), naming(present));
    Err(Error::FewGenes {
        n_found,
        n_wanted: wanted.iter().collect::<BTreeSet<_>>().len(),
        n_folded,
        wanted: Box::new((asked.words(), first(wanted))),
        present: (there.words(), first(present)),
        way_out: Naming::way_out(asked, there),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_for_another_species_are_refused_and_lists_with_few_members_are_not() {
        let mouse = names(&["Sox2", "Nanog", "Myc", "T", "Actb"]);
        let find = |wanted: &[&str]| AskedGenes::find(&names(wanted), &mouse, &mut Silent);
        let error = find(&["SOX2", "NANOG", "MYC", "T", "GATA1"]).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("1 of 5") && message.contains("4 if case"), "{message}");
        assert!(error.hint().unwrap().contains("mouse"));
        let found = find(&["Sox2", "T", "Gata1", "Gata2", "Gata3", "Gata4"]).unwrap();
        assert_eq!((found.columns, found.n_found, found.missing.len()), (vec![0, 3], 2, 4));
        assert!(find(&["T"]).is_ok());
        assert!(matches!(find(&["SOX2"]), Err(Error::NoGenes { .. })));
    }
}
