//! The style of gene names: symbols of human or mouse, or accession numbers.

/// A style of gene names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Symbols in capitals, as for human: `SOX2`.
    Capitals,
    /// Symbols with one capital, as for mouse: `Sox2`.
    Capitalised,
    /// Ensembl IDs: `ENSG00000181449`, `ENSMUSG00000074637`.
    Ensembl,
    /// NCBI gene IDs: `6657`.
    Numbers,
    /// No style applies to more than half of the names.
    Other,
}

impl Naming {
    /// The style of more than half of `names`.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        const ALL: [Naming; 4] =
            [Naming::Capitals, Naming::Capitalised, Naming::Ensembl, Naming::Numbers];
        let mut counts = [0; ALL.len()];
        let mut n_names = 0;
        for name in names {
            n_names += 1;
            let naming = Self::of_one(name);
            if let Some(place) = ALL.iter().position(|known| *known == naming) {
                counts[place] += 1;
            }
        }
        let most = (0..ALL.len()).find(|&place| 2 * counts[place] > n_names);
        most.map_or(Self::Other, |place| ALL[place])
    }

    /// The style of one name, from its letters and digits.
    fn of_one(name: &str) -> Self {
        let letters = || name.chars().filter(char::is_ascii_alphabetic);
        let after_first = name.chars().skip(1);
        let digits = |text: &str| text.len() >= 6 && text.chars().all(|c| c.is_ascii_digit());
        let number = name.split('.').next().unwrap_or_default();
        if number.starts_with("ENS") && digits(number.trim_start_matches(char::is_alphabetic)) {
            Self::Ensembl
        } else if !name.is_empty() && name.chars().all(|c| c.is_ascii_digit()) {
            Self::Numbers
        } else if letters().count() == 0 {
            Self::Other
        } else if letters().all(|c| c.is_ascii_uppercase()) {
            Self::Capitals
        } else if name.starts_with(|c: char| c.is_ascii_uppercase())
            && after_first.filter(char::is_ascii_alphabetic).all(|c| c.is_ascii_lowercase())
        {
            Self::Capitalised
        } else {
            Self::Other
        }
    }

    /// The style in words, for messages.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Capitals => "symbols in capitals, as for human",
            Self::Capitalised => "symbols with one capital, as for mouse",
            Self::Ensembl => "Ensembl IDs",
            Self::Numbers => "numbers",
            Self::Other => "names of several styles",
        }
    }

    /// The hint for a user who requests genes of style `wanted` from data of style `present`.
    pub(crate) fn way_out(wanted: Self, present: Self) -> &'static str {
        match (wanted, present) {
            (Self::Capitals, Self::Capitalised) => {
                "the data look like mouse: give gene names of mouse (for the parameter `tfs`: `mouse`)"
            }
            (Self::Capitalised, Self::Capitals) => {
                "the data look like human: give gene names of human (for the parameter `tfs`: `human`)"
            }
            (_, Self::Ensembl | Self::Numbers) => {
                "rename the genes of the data first, such as `adata.var_names = \
                 adata.var['gene_symbols']`, or give these IDs instead of symbols"
            }
            (Self::Ensembl | Self::Numbers, _) => "give gene symbols instead of IDs",
            _ => "write the names as in the file, in the same case",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_how_they_are_written() {
        let cases = [
            (["SOX2", "NKX2-5", "H1-4"], Naming::Capitals),
            (["Sox2", "Nkx2-5", "H1f4"], Naming::Capitalised),
            (["ENSG00000181449", "ENSMUSG00000074637.2", "x"], Naming::Ensembl),
            (["6657", "123", "5"], Naming::Numbers),
            (["g1", "g2", "G3x"], Naming::Other),
        ];
        for (names, naming) in cases {
            assert_eq!(Naming::of(names), naming, "{names:?}");
        }
        assert_eq!(Naming::of([]), Naming::Other);
    }
}
