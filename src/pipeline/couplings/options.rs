//! Options of `couplings`, and the names of its files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::temporary::number_in_name;
use crate::pipeline::shared::clone_couplings::CloneCoupling;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

/// The file of all intervals for CellRank.
const CELLRANK: &str = "cellrank.h5ad";

/// The table of growth rates for wot.
pub(super) const WOT_GROWTH: &str = "tmaps_g.txt";

/// File format of couplings.
///
/// ```
/// use sbcell::pipeline::Export;
///
/// assert_eq!(Export::Csv.for_spreadsheets(true), Export::SpreadsheetCsv);
/// assert_eq!(Export::Wot.for_spreadsheets(true), Export::Wot);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// `FROM_TO.parquet` with `source`, `target`, `mass`.
    #[default]
    Parquet,
    /// The same table, comma-separated.
    Csv,
    /// The same, as [`crate::io::table::TableFormat::SpreadsheetCsv`].
    #[cfg_attr(feature = "cli", value(skip))]
    SpreadsheetCsv,
    /// `tmaps_FROM_TO.h5ad`, cells × cells, whose rows sum to the growth, and `tmaps_g.txt`.
    Wot,
    /// `cellrank.h5ad` with all cells, without `X`, and `obsp['T_fwd']`, whose rows sum to one.
    Cellrank,
    /// `FROM_TO.parquet` with `id`, then one column per target cell.
    Moscot,
}

impl Export {
    /// With `safe`, CSV becomes [`Export::SpreadsheetCsv`], whose names no spreadsheet executes as formulas. Other
    /// formats stay.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        if safe && self == Self::Csv { Self::SpreadsheetCsv } else { self }
    }

    /// The name of the file of the interval between the times `from` and `to`.
    pub(super) fn file(self, from: f64, to: f64) -> String {
        let stem = format!("{}_{}", number_in_name(from), number_in_name(to));
        match self {
            Self::Parquet | Self::Moscot => format!("{stem}.parquet"),
            Self::Csv | Self::SpreadsheetCsv => format!("{stem}.csv"),
            Self::Wot => format!("tmaps_{stem}.h5ad"),
            Self::Cellrank => CELLRANK.to_string(),
        }
    }
}

/// Parameters of [`couplings`](crate::pipeline::couplings()).
///
/// ```
/// use sbcell::pipeline::{CouplingOptions, Export};
///
/// let options = CouplingOptions::default().with_format(Export::Wot);
/// assert_eq!(options.least, 1e-4);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct CouplingOptions {
    /// The format of the files.
    pub format: Export,
    /// Pairs of cells with less mass than this share of `1/n_source`, the mass of an average source cell, are left
    /// out. In `[0, 1)`.
    pub least: f64,
    /// Whether tables of pairs have the log densities of the plan, `log_given` and `log_density`, in the units of
    /// the data.
    pub density: bool,
    /// ε of the couplings; by default the choice of the fit. Densities are those of the bridges, so that
    /// with `density` the couplings are too, whatever the default.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// Whether couplings use clones. Then there are no densities.
    #[serde(default, skip_serializing_if = "CloneCoupling::is_unused")]
    pub clones: CloneCoupling,
    /// Seed of couplings that are drawn, and of densities that are fitted.
    pub seed: u64,
}

impl Default for CouplingOptions {
    fn default() -> Self {
        let (format, clones) = (Export::default(), CloneCoupling::default());
        let coupling_epsilon = CouplingEpsilon::default();
        Self { format, least: 1e-4, density: false, coupling_epsilon, clones, seed: 0 }
    }
}

impl CouplingOptions {
    /// ε of the couplings that are written: that of the bridges if their densities are written beside.
    pub(super) fn links(&self) -> CouplingEpsilon {
        match self.coupling_epsilon {
            CouplingEpsilon::Auto if self.density => CouplingEpsilon::Fit,
            other => other,
        }
    }

    /// Checks the range of `least`, and that a format with densities is a table of pairs.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(super) fn check(&self) -> Result<()> {
        let pairs = [Export::Parquet, Export::Csv, Export::SpreadsheetCsv];
        if self.density && !pairs.contains(&self.format) {
            let (name, must) = ("density", "used with a table of pairs, in parquet or csv");
            return Err(Error::Parameter { name, must, got: "another format".into() });
        }
        if let (true, CouplingEpsilon::Is(value)) = (self.density, self.coupling_epsilon) {
            let (name, must) = ("coupling_epsilon", "`auto` or `fit` with `density`");
            return Err(Error::Parameter { name, must, got: value.to_string() });
        }
        if self.density && self.clones.is_used() {
            let (name, must) =
                ("density", "used without clones, which the fitted plan does not know");
            return Err(Error::Parameter { name, must, got: "both".into() });
        }
        if (0.0..1.0).contains(&self.least) {
            return Ok(());
        }
        let (name, must) = ("least", "at least 0 and below 1");
        Err(Error::Parameter { name, must, got: self.least.to_string() })
    }
}

/// The files that [`couplings`](crate::pipeline::couplings()) writes into the folder `out` for snapshots at `times`.
#[doc(hidden)]
pub fn coupling_files(out: &Path, times: &[f64], export: Export) -> Vec<PathBuf> {
    let mut names: Vec<String> =
        times.windows(2).map(|pair| export.file(pair[0], pair[1])).collect();
    names.dedup();
    if export == Export::Wot {
        names.push(WOT_GROWTH.to_string());
    }
    names.into_iter().map(|name| out.join(name)).collect()
}
