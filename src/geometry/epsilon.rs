//! The variance of the reference process, with one meaning.

use crate::error::{Error, Result};

/// Variance per unit of local time of the reference process `dX = √ε dW`.
///
/// Equally the entropic regularisation of the static problem with cost `½‖x−y‖²`. Codes that
/// use the cost `‖x−y‖²` have a regularisation of twice this value.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Epsilon(f64);

impl Epsilon {
    /// Takes the variance itself.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless finite and > 0.
    pub fn new(variance: f64) -> Result<Self> {
        if 0.0 < variance && variance < f64::INFINITY {
            return Ok(Self(variance));
        }
        let must = "finite and > 0";
        Err(Error::Parameter { name: "epsilon", must, got: variance.to_string() })
    }

    /// From the noise level of `dX = σ dW`: ε = σ².
    ///
    /// # Errors
    /// As [`Epsilon::new`].
    pub fn from_sigma(sigma: f64) -> Result<Self> {
        Self::new(sigma * sigma)
    }

    /// From the regularisation of a code whose cost is `‖x−y‖²`: ε = reg / 2.
    ///
    /// # Errors
    /// As [`Epsilon::new`].
    pub fn from_squared_cost_reg(reg: f64) -> Result<Self> {
        Self::new(reg / 2.0)
    }

    /// The variance.
    pub fn value(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_conventions_agree() {
        let epsilon = Epsilon::new(0.09).unwrap();
        assert!((Epsilon::from_sigma(0.3).unwrap().value() - epsilon.value()).abs() < 1e-15);
        assert_eq!(Epsilon::from_squared_cost_reg(0.18).unwrap(), epsilon);
    }

    #[test]
    fn rejects_nan_zero_and_infinity() {
        for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert!(Epsilon::new(bad).is_err());
        }
    }
}
