//! The number of principal components: those above the noise edge, or a number that is given.

use std::fmt;
use std::str::FromStr;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::linalg::clearly_less;

/// The number of principal components: chosen by the data, or given.
///
/// In files it is `"auto"` or the number.
///
/// ```
/// use sbcell::preprocess::NPcs;
///
/// assert_eq!("auto".parse(), Ok(NPcs::Auto));
/// assert_eq!("20".parse(), Ok(NPcs::from(20)));
/// assert_eq!(serde_json::to_string(&NPcs::Is(20)).unwrap(), "20");
/// assert!("some".parse::<NPcs>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum NPcs {
    /// As many as the correlation matrix of the genes has eigenvalues above the [`noise_edge`], from 2 to
    /// [`NPcs::MOST`].
    #[default]
    Auto,
    /// At most this number of components.
    Is(usize),
}

/// The form of [`NPcs`] in files.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// A number.
    Number(usize),
    /// The word `auto`.
    Word(Word),
}

/// The only word for a number of components.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// The number is chosen.
    Auto,
}

impl From<Written> for NPcs {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(n) => Self::Is(n),
            Written::Word(Word::Auto) => Self::Auto,
        }
    }
}

impl From<NPcs> for Written {
    fn from(n_pcs: NPcs) -> Self {
        match n_pcs {
            NPcs::Is(n) => Self::Number(n),
            NPcs::Auto => Self::Word(Word::Auto),
        }
    }
}

impl From<usize> for NPcs {
    fn from(n: usize) -> Self {
        Self::Is(n)
    }
}

impl FromStr for NPcs {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(n)) => Ok(Self::Is(n)),
            _ => Err("must be `auto` or a whole number".into()),
        }
    }
}

impl fmt::Display for NPcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Is(n) => write!(f, "{n}"),
        }
    }
}

impl NPcs {
    /// Largest number of components that [`NPcs::Auto`] chooses.
    pub const MOST: usize = 50;

    /// Smallest number of components that [`NPcs::Auto`] chooses, if the matrix has as many.
    pub const FEWEST: usize = 2;

    /// The largest number of components that can be used.
    pub fn most(self) -> usize {
        match self {
            Self::Auto => Self::MOST,
            Self::Is(n) => n,
        }
    }

    /// Checks the range.
    ///
    /// # Errors
    /// [`Error::Parameter`] for zero components.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Is(0) => {
                let (name, must) = ("n_pcs", "at least 1");
                Err(Error::Parameter { name, must, got: "0".into() })
            }
            _ => Ok(()),
        }
    }
}

/// The largest eigenvalue of the correlation matrix of `n_genes` independent genes in `n_cells` cells:
/// `(1 + √(n_genes / (n_cells − 1)))²`.
///
/// It is the upper edge of the law of Marchenko and Pastur, to which the spectrum of independent genes of
/// variance one tends as cells and genes grow together. It is also the limit of parallel analysis, which
/// permutes the values of each gene among cells: on the sample courses and on simulated counts, the largest
/// eigenvalue of permuted genes is 0.97 to 1.01 of it (`docs/decisions/0026`).
///
/// Source: Marchenko and Pastur 1967; Horn 1965 (parallel analysis).
///
/// ```
/// use sbcell::preprocess::noise_edge;
///
/// assert!((noise_edge(101, 100) - 4.0).abs() < 1e-12);
/// // Ten times the cells: noise is less correlated by chance.
/// assert!(noise_edge(1001, 100) < 1.8);
/// ```
pub fn noise_edge(n_cells: usize, n_genes: usize) -> f64 {
    let share = n_genes as f64 / n_cells.saturating_sub(1).max(1) as f64;
    (1.0 + share.sqrt()).powi(2)
}

/// The eigenvalues and the edge by which [`NPcs::Auto`] chooses the number of components.
///
/// ```
/// use ndarray::array;
/// use sbcell::preprocess::Scree;
///
/// let scree = Scree { eigenvalues: array![2.9, 1.7, 0.3, 0.1], edge: 1.5 };
/// assert_eq!(scree.n_above(), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Scree {
    /// The largest eigenvalues of the correlation matrix of the genes, decreasing and not negative: as many
    /// as components can be chosen.
    pub eigenvalues: Array1<f64>,
    /// The [`noise_edge`] of the cells and of the genes that vary.
    pub edge: f64,
}

impl Scree {
    /// The number of eigenvalues that are clearly above the edge.
    pub fn n_above(&self) -> usize {
        let Self { eigenvalues, edge } = self;
        eigenvalues.iter().take_while(|&&value| clearly_less(*edge, value)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_a_word_or_a_number_and_read_again() {
        for (n_pcs, text) in [(NPcs::Auto, "\"auto\""), (NPcs::Is(7), "7")] {
            assert_eq!(serde_json::to_string(&n_pcs).unwrap(), text);
            assert_eq!(serde_json::from_str::<NPcs>(text).unwrap(), n_pcs);
            assert_eq!(n_pcs.to_string().parse::<NPcs>().unwrap(), n_pcs);
        }
        for bad in ["\"some\"", "-1", "1.5"] {
            assert!(serde_json::from_str::<NPcs>(bad).is_err(), "{bad}");
        }
        assert!(NPcs::Is(0).check().is_err() && NPcs::Auto.check().is_ok());
    }

    #[test]
    fn values_on_the_edge_are_not_above_it() {
        let n_above = |edge: f64| {
            let eigenvalues = ndarray::array![4.0, 2.0, 1.0 + 1e-9, 0.5];
            Scree { eigenvalues, edge }.n_above()
        };
        assert_eq!((n_above(1.0), n_above(0.9)), (2, 3));
    }
}
