//! The ε of the couplings between observed cells: chosen by the data, that of the bridges, or given.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The ε of the couplings between observed cells, from which fates, transitions and trajectories
/// follow. It is not the ε of the bridges, which is right for populations.
///
/// In files it is `"auto"`, `"fit"` or the number.
///
/// ```
/// use sbcell::pipeline::CouplingEpsilon;
///
/// assert_eq!("auto".parse(), Ok(CouplingEpsilon::Auto));
/// assert_eq!("2.5".parse(), Ok(CouplingEpsilon::Is(2.5)));
/// assert_eq!(serde_json::to_string(&CouplingEpsilon::Fit).unwrap(), "\"fit\"");
/// assert!("some".parse::<CouplingEpsilon>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum CouplingEpsilon {
    /// In a fit, the ε at which two halves of the genes predict the same futures
    /// ([`crate::lineage::coupling_noise`]), or 0.7 of [`crate::lineage::snapshot_width`] for an embedding. In other
    /// commands, the choice of the fit; cells choose among groups of later cells by [`crate::lineage::apart`].
    #[default]
    Auto,
    /// The couplings of the bridges, with their ε.
    Fit,
    /// ε of plain entropic couplings, on data divided by the scale.
    Is(f64),
}

impl CouplingEpsilon {
    /// The couplings of the bridges, where a record of an older version has no entry.
    pub(in crate::pipeline) fn fit() -> Self {
        Self::Fit
    }

    /// Refuses a number that is not finite and positive.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(in crate::pipeline) fn check(self) -> Result<()> {
        match self {
            Self::Is(value) if !(0.0 < value && value < f64::INFINITY) => {
                let (name, must) = ("coupling_epsilon", "`auto`, `fit`, or finite and > 0");
                Err(Error::Parameter { name, must, got: value.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// The form of [`CouplingEpsilon`] in files.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// A number.
    Number(f64),
    /// A word.
    Word(Word),
}

/// The words for an ε of couplings.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// It is chosen.
    Auto,
    /// It is that of the bridges.
    Fit,
}

impl From<Written> for CouplingEpsilon {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(value) => Self::Is(value),
            Written::Word(Word::Auto) => Self::Auto,
            Written::Word(Word::Fit) => Self::Fit,
        }
    }
}

impl From<CouplingEpsilon> for Written {
    fn from(epsilon: CouplingEpsilon) -> Self {
        match epsilon {
            CouplingEpsilon::Is(value) => Self::Number(value),
            CouplingEpsilon::Auto => Self::Word(Word::Auto),
            CouplingEpsilon::Fit => Self::Word(Word::Fit),
        }
    }
}

impl FromStr for CouplingEpsilon {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "fit" => Ok(Self::Fit),
            number => match number.parse::<f64>() {
                Ok(value) if 0.0 < value && value.is_finite() => Ok(Self::Is(value)),
                _ => Err("give `auto`, `fit`, or a number above 0".into()),
            },
        }
    }
}

impl fmt::Display for CouplingEpsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fit => f.write_str("fit"),
            Self::Is(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_read_as_they_are_written() {
        for epsilon in [CouplingEpsilon::Auto, CouplingEpsilon::Fit, CouplingEpsilon::Is(0.125)] {
            assert_eq!(epsilon.to_string().parse(), Ok(epsilon));
            let text = serde_json::to_string(&epsilon).unwrap();
            assert_eq!(serde_json::from_str::<CouplingEpsilon>(&text).unwrap(), epsilon);
        }
        for text in ["0", "-1", "inf", "NaN", "", "Auto"] {
            assert!(text.parse::<CouplingEpsilon>().is_err(), "{text}");
        }
        let refused = CouplingEpsilon::Is(f64::NAN).check().unwrap_err().to_string();
        assert!(refused.contains("`coupling_epsilon`"), "{refused}");
        CouplingEpsilon::Is(3.0).check().unwrap();
    }
}
