//! Populations of generated cells, and the coordinates in which they are returned.

use ndarray::{Array1, Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::model::Model;

/// Coordinates of an output.
///
/// ```
/// use sbcell::pipeline::{InterpolateOptions, Space};
///
/// let options = InterpolateOptions::default().with_space(Space::Genes);
/// assert_ne!(options.space, InterpolateOptions::default().space);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// The coordinates in which the bridges were fitted.
    #[default]
    Pca,
    /// Expression of the model's genes, on the scale of the fit (log1p for counts).
    Genes,
}

/// Cells at one time, drawn from a bridge or observed.
///
/// ```
/// use sbcell::pipeline::Population;
///
/// let points = ndarray::array![[0.0, 1.0], [2.0, 3.0]];
/// let weights = ndarray::array![0.5, 0.5];
/// let cells = Population { time: 1.5, points, weights, observed: false };
/// assert_eq!(cells.weights.dot(&cells.points), ndarray::array![1.0, 2.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// The time, in the unit of the file's time column.
    pub time: f64,
    /// Coordinates in the fitted space, `(n_cells, dim)`, in data units.
    pub points: Array2<f64>,
    /// Weights of the cells; they sum to one.
    pub weights: Array1<f64>,
    /// Whether the cells were resampled from an observed snapshot, and not drawn from the bridge.
    pub observed: bool,
}

impl Population {
    /// Generated cells of equal weight.
    pub(crate) fn generated(time: f64, points: Array2<f64>) -> Self {
        let n = points.nrows();
        let weights = Array1::from_elem(n, 1.0 / n as f64);
        Self { time, points, weights, observed: false }
    }
}

/// Refuses genes of a model that has none.
///
/// # Errors
/// [`Error::NoGeneSpace`].
pub(crate) fn check_space(model: &Model, space: Space) -> Result<()> {
    if space == Space::Genes && model.pca.is_none() {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    }
    Ok(())
}

/// The cells of all `populations` one below the other, `(n, names)`, in `space`, and the names of the columns.
///
/// # Errors
/// [`Error::NoGeneSpace`] if genes are asked of a model without them.
pub(crate) fn joined(
    model: &Model,
    populations: &[Population],
    space: Space,
) -> Result<(Vec<String>, Array2<f64>)> {
    let views: Vec<_> = populations.iter().map(|population| population.points.view()).collect();
    let joined = concatenate(Axis(0), &views)
        .map_err(|error| Error::Numerical { what: "joining times", why: error.to_string() })?;
    match (space, &model.pca) {
        (Space::Pca, _) => Ok((model.header.dimensions.clone(), joined)),
        (Space::Genes, Some(pca)) => Ok((model.genes.clone(), pca.inverse(joined.view())?)),
        (Space::Genes, None) => {
            Err(Error::NoGeneSpace { source_name: model.header.source.clone() })
        }
    }
}
