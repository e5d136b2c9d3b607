//! The variance of the reference process, with one convention in all modules.

use crate::error::{Error, Result};

/// The variance ε per unit of local time of the reference process `dX = √ε dW`.
///
/// ε is also the entropic regularisation of the static problem with cost `½‖x−y‖²`. Programs with
/// the cost `‖x−y‖²` have a regularisation of 2ε.
///
/// ```
/// use sbcell::Epsilon;
///
/// assert_eq!(Epsilon::from_sigma(0.5)?.value(), 0.25);
/// assert_eq!(Epsilon::from_squared_cost_reg(0.2)?, Epsilon::new(0.1)?);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Epsilon(f64);

impl Epsilon {
    /// ε from the variance itself.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless it is finite and > 0.
    pub fn new(variance: f64) -> Result<Self> {
        if 0.0 < variance && variance < f64::INFINITY {
            return Ok(Self(variance));
        }
        let must = "finite and > 0";
        Err(Error::Parameter { name: "epsilon", must, got: variance.to_string() })
    }

    /// ε = σ² from the noise level σ of `dX = σ dW`.
    ///
    /// # Errors
    /// As for [`Epsilon::new`].
    pub fn from_sigma(sigma: f64) -> Result<Self> {
        Self::new(sigma * sigma)
    }

    /// ε = `reg` / 2 from the regularisation of a program with the cost `‖x−y‖²`, such as POT.
    ///
    /// # Errors
    /// As for [`Epsilon::new`].
    pub fn from_squared_cost_reg(reg: f64) -> Result<Self> {
        Self::new(reg / 2.0)
    }

    /// The variance ε.
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
