//! Options of `grn`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::preprocess::Species;

/// The estimator of edges.
///
/// ```
/// use sbcell::pipeline::{EdgeSource, GrnOptions};
///
/// // The baseline.
/// let options = GrnOptions::default().with_source(EdgeSource::Correlation);
/// assert!(options.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum EdgeSource {
    /// Hill functions, mutual information and fits to the moments of snapshots, combined.
    ///
    /// [`crate::grn::Estimator::Ensemble`].
    #[default]
    Ensemble,
    /// Additive Hill functions of the regulators in earlier cells.
    ///
    /// [`crate::grn::Estimator::Hill`].
    Hill,
    /// Linear regression on the regulators in earlier cells.
    ///
    /// [`crate::grn::Estimator::Linear`].
    Linear,
    /// The same with the lasso: few regulators per gene.
    ///
    /// [`crate::grn::Estimator::Lasso`].
    Lasso,
    /// Reference fitting: a linear drift and its coupling of cells, estimated in turn.
    ///
    /// [`crate::grn::Estimator::ReferenceFitting`].
    #[cfg_attr(feature = "cli", value(name = "refit"))]
    ReferenceFitting,
    /// Linear process fitted to the means and covariances of the snapshots, without pairs of cells.
    ///
    /// [`crate::grn::Estimator::Moments`].
    Moments,
    /// The network of `[SF]²M` with a penalty on the weights of each regulator.
    ///
    /// It is slow for many genes, above all with resamples and permutations.
    /// [`crate::grn::Estimator::Neural`].
    Ngm,
    /// Lagged mutual information, relative to the other pairs of the same two genes.
    ///
    /// [`crate::grn::Estimator::Mutual`].
    #[cfg_attr(feature = "cli", value(name = "mi"))]
    Mutual,
    /// Slope of the drift: the best affine fit over the cells of a snapshot.
    ///
    /// [`crate::grn::drift_slope`].
    Slope,
    /// Jacobian of the drift along paths; it is symmetric before it is standardised.
    ///
    /// [`crate::grn::path_jacobian`].
    Jacobian,
    /// Correlation over all cells: a baseline without direction.
    Correlation,
}

/// Genes that may regulate.
///
/// ```
/// use sbcell::pipeline::Regulators;
///
/// let named = Regulators::Named(vec!["Sox2".into(), "Gata6".into()]);
/// assert_ne!(named, Regulators::All);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regulators {
    /// All genes that are analysed.
    #[default]
    All,
    /// Genes of a list.
    Named(Vec<String>),
    /// The transcription factors of a species ([`crate::grn::transcription_factors`]).
    Species(Species),
}

/// Parameters of [`grn`](crate::pipeline::grn()).
///
/// ```
/// use sbcell::pipeline::GrnOptions;
///
/// let options = GrnOptions::default().with_top(0);
/// assert!(options.check().unwrap_err().to_string().contains("`top`"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct GrnOptions {
    /// The estimator.
    pub source: EdgeSource,
    /// Number of intervals between the snapshots that are compared; `None` for bins of smoothed time.
    pub lag: Option<usize>,
    /// Pair the cells of neighbouring snapshots by the couplings of the model, instead of own couplings.
    pub model_coupling: bool,
    /// Rank edges across targets, so that targets that are explained better come first. Otherwise the
    /// regulators of each target are ranked among themselves.
    pub across_targets: bool,
    /// Genes that may regulate.
    pub regulators: Regulators,
    /// Genes that may be targets; the genes of the model if `None`.
    pub genes: Option<Vec<String>>,
    /// A column of `obs`: edges for each of its values.
    pub groupby: Option<String>,
    /// Edges for each interval between neighbouring times.
    pub by_time: bool,
    /// A column of `obs` whose values (batches, donors) are resampled instead of cells.
    pub batch: Option<String>,
    /// A column of `obs` with the gene that was perturbed (knocked out) in each cell. Several genes are joined by
    /// `+` or `,`. Controls have no label, or `control`, `ctrl`, `wt`, `wild type`, `wildtype`, `none`,
    /// `non-targeting` or `nt` in any case, or the label `control`. Edges to a gene are then estimated without the
    /// cells in which this gene was perturbed.
    pub perturbation: Option<String>,
    /// A further label of controls in the column of perturbations.
    pub control: Option<String>,
    /// Path of a table of possible edges with weights from 0 to 1, a prior network: importance is multiplied as by
    /// [`Prior`](crate::grn::Prior).
    pub prior: Option<String>,
    /// Weight from 0 to 1 of pairs that are not in this table; 0 if `None`.
    pub prior_default: Option<f64>,
    /// Number of resamples for the stability.
    pub bootstrap: usize,
    /// Number of permutations of the times for the p-values: 0, or at least 3.
    pub permutations: usize,
    /// Largest number of edges of each group and interval, the most important first.
    pub top: usize,
    /// Genes whose regulators are drawn over time. They must be among the analysed genes.
    pub drawn: Vec<String>,
    /// Largest number of cells of each time (and group); more are subsampled at random. At least 10.
    pub cells_per_time: usize,
    /// Path of the `.h5ad` file with the expression; the fitted file if `None`.
    pub data: Option<String>,
    /// Seed of subsamples, resamples, permutations and paths.
    pub seed: u64,
}

impl Default for GrnOptions {
    fn default() -> Self {
        Self {
            source: EdgeSource::default(),
            lag: None,
            model_coupling: false,
            across_targets: false,
            regulators: Regulators::default(),
            genes: None,
            groupby: None,
            by_time: false,
            batch: None,
            perturbation: None,
            control: None,
            prior: None,
            prior_default: None,
            bootstrap: 20,
            permutations: 20,
            top: 100_000,
            drawn: Vec::new(),
            cells_per_time: 2500,
            data: None,
            seed: 0,
        }
    }
}

impl GrnOptions {
    /// Checks the ranges, and that no parameter is without effect next to another.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first value out of range or without effect.
    pub fn check(&self) -> Result<()> {
        let refuse =
            |name, must, got: usize| Err(Error::Parameter { name, must, got: got.to_string() });
        if self.top == 0 {
            return refuse("top", "at least 1", 0);
        }
        if self.cells_per_time < 10 {
            return refuse("cells_per_time", "at least 10", self.cells_per_time);
        }
        if self.lag == Some(0) {
            return refuse("lag", "auto, or at least 1", 0);
        }
        if (1..3).contains(&self.permutations) {
            return refuse("permutations", "0, or at least 3", self.permutations);
        }
        if let Some(weight) = self.prior_default.filter(|weight| !(0.0..=1.0).contains(weight)) {
            let must = "between 0 and 1";
            return Err(Error::Parameter { name: "prior_default", must, got: weight.to_string() });
        }
        self.check_together()
    }

    /// Refuses combinations in which a parameter would have no effect.
    fn check_together(&self) -> Result<()> {
        let refuse =
            |name, must: &'static str| Err(Error::Parameter { name, must, got: "both".into() });
        if self.model_coupling && self.lag.is_some_and(|lag| lag > 1) {
            return refuse("coupling", "own where the parameter `lag` spans several intervals");
        }
        if self.source == EdgeSource::Moments && (self.lag.is_some() || self.model_coupling) {
            let name = if self.lag.is_some() { "lag" } else { "coupling" };
            return refuse(
                name,
                "left out with the parameter `source = moments`, which pairs no cells",
            );
        }
        let scaled =
            [EdgeSource::Ensemble, EdgeSource::Hill, EdgeSource::Linear, EdgeSource::Lasso];
        if self.across_targets && !self.of_field() && !scaled.contains(&self.source) {
            return refuse(
                "rank",
                "within where the parameter `source` is moments, mi, refit, ngm or correlation",
            );
        }
        if self.control.is_some() && self.perturbation.is_none() {
            let must = "left out without the parameter `perturbation_key`";
            let got = self.control.clone().unwrap_or_default();
            return Err(Error::Parameter { name: "control", must, got });
        }
        if let (Some(weight), None) = (self.prior_default, &self.prior) {
            let must = "left out without the parameter `prior`";
            return Err(Error::Parameter { name: "prior_default", must, got: weight.to_string() });
        }
        let leave_out = scaled.contains(&self.source) || self.source == EdgeSource::Mutual;
        if self.perturbation.is_some() && !self.of_field() && !leave_out {
            return refuse(
                "perturbation_key",
                "left out with the parameter `source = moments`, `refit`, `ngm` or `correlation`",
            );
        }
        if self.perturbation.is_some() && self.model_coupling {
            return refuse("coupling", "own with the parameter `perturbation_key`");
        }
        let of_cells = [
            ("prior", self.prior.is_some()),
            ("perturbation_key", self.perturbation.is_some()),
            ("groupby", self.groupby.is_some()),
            ("by", self.by_time),
            ("lag", self.lag.is_some()),
            ("coupling", self.model_coupling),
            ("batch_key", self.batch.is_some()),
            ("genes", self.genes.is_some()),
            ("data", self.data.is_some()),
            ("rank", self.across_targets),
            ("plot_gene", !self.drawn.is_empty()),
        ];
        match of_cells.into_iter().find(|(_, given)| *given) {
            Some((name, _)) if self.of_field() => refuse(
                name,
                "left out with the parameter `source = slope` or `jacobian`, which see the model only",
            ),
            _ => Ok(()),
        }
    }

    /// Whether the estimator compares earlier with later cells, so that edges have a direction in time.
    pub(super) fn compares_order(&self) -> bool {
        !self.of_field() && self.source != EdgeSource::Correlation
    }

    /// Whether edges come from the fitted drift, and not from pairs of cells.
    pub(super) fn of_field(&self) -> bool {
        matches!(self.source, EdgeSource::Slope | EdgeSource::Jacobian)
    }
}
