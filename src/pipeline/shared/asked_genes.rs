//! Lists of gene names that users give, matched with the genes of a file or a model.

use std::collections::BTreeSet;

use crate::data::{GeneIndex, Naming, count_folded};
use crate::error::{Error, Result, did_you_mean, nearest};
use crate::pipeline::fit::selection::no_genes;
use crate::progress::{self, Progress};

/// The genes of a list that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedGenes {
    /// Indices of the genes that were found, increasing.
    pub(crate) columns: Vec<usize>,
    /// Number of names that were found. One name without a version may match several genes.
    pub(crate) n_found: usize,
    /// The names that were not found, in alphabetical order.
    pub(crate) missing: Vec<String>,
}

impl AskedGenes {
    /// Finds the names `wanted` among the genes `present`.
    ///
    /// A name matches a gene of the same name, or else a gene of the same Ensembl number, with or without a
    /// version (`ENSG00000111640` and `ENSG00000111640.15`). A note tells how many were found by number.
    /// Time O((n + m) log n) for n genes and m names.
    ///
    /// # Errors
    /// [`Error::NoGenes`] if no name is found; [`Error::FewGenes`] as [`refuse_strangers`].
    pub(crate) fn find(
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

/// The genes `asked`, each as `present` spells it: in the order of `asked`, without repetitions.
///
/// Names match as in [`AskedGenes::find`]. A note names each gene that was found by its Ensembl number.
///
/// # Errors
/// For the first gene that is not found, the error that `missing` makes from its name.
pub(crate) fn named_genes(
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

/// The first three of the `missing` names in words, each with similar names of `present`.
pub(crate) fn missing_words(missing: &[String], present: &[String]) -> String {
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

/// Refuses a list that is probably written for another species.
///
/// Human symbols are in upper case (`SOX2`), mouse symbols are not (`Sox2`). A list for the wrong species can
/// still match a few genes by chance, such as `T`. The list is refused if it would match more than twice as
/// many genes without regard to case as the `n_found` genes that it matches.
///
/// # Errors
/// [`Error::FewGenes`] with the naming of both lists.
pub(crate) fn refuse_strangers(
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
