//! Regulatory edges, from pairs of cells or from the fitted drift.

use crate::error::Result;
use crate::io::chart::Profiles;
use crate::io::edges::EdgeRow;
use crate::io::model::OpenModel;
use crate::pipeline::grn::{GrnOptions, jacobian, search};
use crate::pipeline::shared::genes_left_out::with_genes_of_file;
use crate::progress::Progress;

/// Ranked edges, with quantities that help to judge them. See [`grn`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundEdges {
    /// The edges, sorted by group, interval, and decreasing confidence, or importance where there is no confidence.
    pub rows: Vec<EdgeRow>,
    /// For each edge the correlation of regulator and target over its cells; empty for edges of the fitted
    /// field.
    pub correlations: Vec<f64>,
    /// How many of the first edges are also first by correlation; `None` for edges of the fitted field.
    pub overlap: Option<Overlap>,
    /// Mean expression of every gene at every time; `None` for edges of the fitted field.
    pub profiles: Option<Profiles>,
    /// Groups and intervals in which all edges are equal or not finite, so that their order has no meaning.
    pub degenerate: Vec<String>,
}

/// The first edges of an estimate compared with the first edges by absolute correlation.
///
/// ```
/// use sbcell::pipeline::Overlap;
///
/// // The estimate agrees with correlation no more than by chance.
/// let overlap = Overlap { first: 100, shared: 10, by_chance: 10.0 };
/// assert!(overlap.shared as f64 <= overlap.by_chance);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Number of first edges: one for each gene, or a tenth of all edges if that is more.
    pub first: usize,
    /// Number of them that are also among the first by absolute correlation.
    pub shared: usize,
    /// Expected number for a random order, `first² / n_edges`.
    pub by_chance: f64,
}

/// Ranks regulatory edges between the genes of `model`.
///
/// Most estimators compare the expression of earlier and later cells along couplings; [`EdgeSource::Slope`] and
/// [`EdgeSource::Jacobian`] read the fitted drift instead. Edges of pairs of cells have a stability (share of
/// resamples that agree) and p- and q-values (against permuted times).
///
/// [`EdgeSource::Slope`]: crate::pipeline::EdgeSource::Slope
/// [`EdgeSource::Jacobian`]: crate::pipeline::EdgeSource::Jacobian
///
/// ```
/// use sbcell::pipeline::{EdgeSource, GrnOptions, example_model, grn};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // four genes
/// let options = GrnOptions::default().with_source(EdgeSource::Slope);
/// let found = grn(&model, &options, &mut Silent)?;
/// assert_eq!(found.rows.len(), 12);
/// assert!(found.rows[0].importance >= found.rows[11].importance);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of finding and reading the file with the expression; [`crate::Error::NoGenes`] if no regulator is among
/// the genes; [`crate::Error::Parameter`]; [`crate::Error::Cancelled`].
pub fn grn(
    model: &OpenModel,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<FoundEdges> {
    options.check()?;
    if options.of_field() {
        let rows = jacobian::of_field(model, options, progress)
            .map_err(|error| with_genes_of_file(error, model, options.data.as_deref()))?;
        let degenerate = rows.iter().all(|edge| edge.importance == 0.0);
        let degenerate = if degenerate { vec!["all cells".into()] } else { Vec::new() };
        return Ok(FoundEdges {
            rows,
            correlations: Vec::new(),
            overlap: None,
            profiles: None,
            degenerate,
        });
    }
    search::search(model, options, progress)
}
