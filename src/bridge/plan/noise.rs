//! The noise of paths: none, equal in all directions, or with a covariance.

use ndarray::{Array2, ArrayView2};

use crate::bridge::plan::pairs::Parts;
use crate::error::{Error, Result};
use crate::linalg::{Cholesky, product};

/// Noise per unit of local time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Noise {
    /// Without noise: paths are curves.
    None,
    /// This variance in every direction.
    Even(f64),
    /// A covariance.
    Shaped(Shape),
}

/// A positive definite covariance with its Cholesky factor and its inverse.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// The covariance Γ, d × d.
    pub(super) covariance: Array2<f64>,
    /// Its Cholesky factor.
    cholesky: Cholesky,
    /// Its inverse.
    inverse: Array2<f64>,
}

impl Shape {
    /// Decomposes a covariance. Takes `O(d³)` time.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless it is finite and positive definite.
    pub(super) fn new(covariance: Array2<f64>) -> Result<Self> {
        let finite = covariance.iter().all(|value| value.is_finite());
        let cholesky = finite.then(|| Cholesky::new(covariance.view())).flatten();
        let Some(cholesky) = cholesky else {
            let (name, must) = ("covariance of the noise", "finite and positive definite");
            return Err(Error::Parameter { name, must, got: "another matrix".into() });
        };
        let inverse = cholesky.inverse();
        Ok(Self { covariance, cholesky, inverse })
    }

    /// `L` with `L Lᵀ` the covariance.
    pub(super) fn factor(&self) -> ArrayView2<'_, f64> {
        self.cholesky.lower()
    }
}

impl Noise {
    /// Whether there is no noise.
    pub(super) fn is_none(&self) -> bool {
        match self {
            Self::None => true,
            Self::Even(variance) => *variance <= 0.0,
            Self::Shaped(_) => false,
        }
    }

    /// `Γ⁻¹ c / time` for parts c, with the covariance Γ of this noise. Without noise the parts are
    /// returned unchanged.
    pub(super) fn over(&self, parts: &Parts, time: f64) -> Parts {
        parts.map(|part| match self {
            Self::None => part.clone(),
            Self::Even(variance) => part / (variance * time),
            Self::Shaped(shape) => product(part.view(), shape.inverse.view()) / time,
        })
    }

    /// Points in coordinates in which the noise is equal in every direction, up to its size.
    pub(super) fn evened(&self, points: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut evened = points.to_owned();
        if let Self::Shaped(shape) = self {
            for mut row in evened.rows_mut() {
                let white = shape.cholesky.whiten(row.view());
                row.assign(&white);
            }
        }
        evened
    }

    /// Mean variance over directions.
    pub(super) fn variance(&self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Even(variance) => *variance,
            Self::Shaped(shape) => {
                shape.covariance.diag().sum() / shape.covariance.nrows().max(1) as f64
            }
        }
    }
}
