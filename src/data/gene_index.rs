//! The positions of genes by name; Ensembl IDs are found also without their version.

use std::collections::{BTreeMap, BTreeSet};

/// The positions of genes by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GeneIndex<'a> {
    /// Positions of exact names.
    exact: BTreeMap<&'a str, usize>,
    /// Positions of Ensembl IDs without version.
    by_number: BTreeMap<&'a str, Vec<usize>>,
}

/// The positions of one gene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GenePlace {
    /// Its positions; several if a file has several versions of one Ensembl ID.
    pub(crate) places: Vec<usize>,
    /// Whether the version of the Ensembl ID differs or is missing on one side.
    pub(crate) by_number: bool,
}

impl<'a> GeneIndex<'a> {
    /// An index of the genes of a file; a duplicate name has its first position.
    pub(crate) fn new(genes: &'a [String]) -> Self {
        let mut exact = BTreeMap::new();
        let mut by_number: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, gene) in genes.iter().enumerate() {
            exact.entry(gene.as_str()).or_insert(place);
            if let Some(number) = ensembl_number(gene) {
                by_number.entry(number).or_default().push(place);
            }
        }
        Self { exact, by_number }
    }

    /// The gene with exactly this name, or all genes with this Ensembl ID in any version.
    pub(crate) fn find(&self, name: &str) -> Option<GenePlace> {
        if let Some(&place) = self.exact.get(name) {
            return Some(GenePlace { places: vec![place], by_number: false });
        }
        let places = self.by_number.get(ensembl_number(name)?)?.clone();
        Some(GenePlace { places, by_number: true })
    }
}

/// Number of different names in `wanted` that are in `genes` if case and versions are ignored.
pub(crate) fn count_folded(wanted: &[String], genes: &[String]) -> usize {
    let folded = |name: &String| ensembl_number(name).unwrap_or(name).to_lowercase();
    let there: BTreeSet<String> = genes.iter().map(folded).collect();
    let asked: BTreeSet<&String> = wanted.iter().collect();
    asked.into_iter().filter(|name| there.contains(&folded(name))).count()
}

/// `ENSG00000181449` for `ENSG00000181449.15`; `None` for names that are not Ensembl IDs.
fn ensembl_number(name: &str) -> Option<&str> {
    let number = name.split_once('.').map_or(name, |parts| {
        let is_version = !parts.1.is_empty() && parts.1.bytes().all(|c| c.is_ascii_digit());
        if is_version { parts.0 } else { name }
    });
    let digits = number.strip_prefix("ENS")?.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let is_number = digits.len() >= 6 && digits.bytes().all(|c| c.is_ascii_digit());
    is_number.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn versions_of_ensembl_numbers_do_not_matter_and_other_names_must_be_the_same() {
        let genes = names(&["ENSMUSG00000000001.4", "Sox2", "ENSG00000181449", "RP11-34P13.7"]);
        let index = GeneIndex::new(&genes);
        let found = |name: &str| index.find(name).map(|found| (found.places, found.by_number));
        assert_eq!(found("ENSMUSG00000000001"), Some((vec![0], true)));
        assert_eq!(found("ENSMUSG00000000001.5"), Some((vec![0], true)));
        assert_eq!(found("ENSMUSG00000000001.4"), Some((vec![0], false)));
        assert_eq!(found("ENSG00000181449.15"), Some((vec![2], true)));
        for name in
            ["SOX2", "RP11-34P13", "RP11-34P13.8", "ENSMUSG00000000002", "ENSG00000181449.x"]
        {
            assert_eq!(found(name), None, "{name}");
        }
    }

    #[test]
    fn several_versions_are_all_found() {
        let genes = names(&["ENSG00000181449.1", "ENSG00000181449.2"]);
        let index = GeneIndex::new(&genes);
        assert_eq!(index.find("ENSG00000181449").map(|found| found.places), Some(vec![0, 1]));
    }

    #[test]
    fn case_is_ignored_in_counting() {
        let genes = names(&["Sox2", "T", "Nanog"]);
        assert_eq!(count_folded(&names(&["SOX2", "NANOG", "T", "MYC", "MYC"]), &genes), 3);
    }
}
