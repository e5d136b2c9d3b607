//! Sets of genes of proliferation and apoptosis, for human and mouse.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::data::GeneIndex;
use crate::error::{Error, Result};

/// A species for which sbcell contains lists of genes.
///
/// ```
/// use sbcell::preprocess::Species;
///
/// let species: Species = "mouse".parse()?;
/// assert_eq!(species, Species::Mouse);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Species {
    /// Human, with symbols such as `MKI67`.
    Human,
    /// Mouse, with symbols such as `Mki67`.
    Mouse,
}

impl FromStr for Species {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "human" => Ok(Self::Human),
            "mouse" => Ok(Self::Mouse),
            _ => Err(Error::Parameter {
                name: "growth_genes",
                must: "human or mouse",
                got: text.to_string(),
            }),
        }
    }
}

/// Genes of proliferation and of apoptosis.
///
/// An entry is a symbol, or several synonyms of one gene with blanks between them. The first synonym
/// that is in the data counts.
///
/// ```
/// use sbcell::preprocess::{GeneSets, Species};
///
/// let sets = GeneSets::shipped(Species::Human);
/// assert!(sets.proliferation.iter().any(|gene| gene == "MKI67"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneSets {
    /// Genes of proliferation.
    pub proliferation: Vec<String>,
    /// Genes of apoptosis.
    pub apoptosis: Vec<String>,
}

impl GeneSets {
    /// The lists in sbcell.
    ///
    /// Proliferation: the genes of S and G2/M phase of Tirosh et al. 2016. Apoptosis: hallmarks of
    /// `MSigDB` (Liberzon et al. 2015, CC BY 4.0), `HALLMARK_APOPTOSIS` for human and
    /// `HALLMARK_P53_PATHWAY` for mouse, as in moscot.
    pub fn shipped(species: Species) -> Self {
        let (proliferation, apoptosis) = match species {
            Species::Human => {
                (include_str!("human_proliferation.txt"), include_str!("human_apoptosis.txt"))
            }
            Species::Mouse => {
                (include_str!("mouse_proliferation.txt"), include_str!("mouse_apoptosis.txt"))
            }
        };
        let lines = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            lines.map(str::to_string).collect()
        };
        Self { proliferation: lines(proliferation), apoptosis: lines(apoptosis) }
    }
}

/// The positions in `genes` of the entries of `set`, increasing, and the entries that are missing.
///
/// An Ensembl ID is found in any version.
pub fn find_genes<'a>(set: &'a [String], genes: &[String]) -> (Vec<usize>, Vec<&'a str>) {
    let index = GeneIndex::new(genes);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for entry in set {
        match entry.split_whitespace().find_map(|name| index.find(name)) {
            Some(gene) => found.extend(gene.places),
            None => missing.push(entry.as_str()),
        }
    }
    found.sort_unstable();
    found.dedup();
    (found, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_hold_what_their_sources_hold() {
        for (species, apoptosis, known) in
            [(Species::Human, 161, "MKI67"), (Species::Mouse, 193, "Mki67")]
        {
            let sets = GeneSets::shipped(species);
            assert_eq!(sets.proliferation.len(), 97, "43 of S and 54 of G2/M phase");
            assert_eq!(sets.apoptosis.len(), apoptosis);
            assert!(sets.proliferation.iter().any(|gene| gene == known));
            for set in [&sets.proliferation, &sets.apoptosis] {
                let mut names: Vec<&String> = set.iter().collect();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), set.len());
            }
        }
    }

    #[test]
    fn genes_are_found_by_any_of_their_names() {
        let set = ["PCNA", "MLF1IP CENPU", "ABSENT"].map(String::from);
        for name in ["MLF1IP", "CENPU"] {
            let genes = ["X", name, "PCNA"].map(String::from);
            assert_eq!(find_genes(&set, &genes), (vec![1, 2], vec!["ABSENT"]));
        }
    }
}
