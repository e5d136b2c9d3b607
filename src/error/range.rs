//! Checks of ranges that many parameters share.

use crate::error::{Error, Result};

/// Refuses a count of zero, by the name of the parameter.
///
/// # Errors
/// [`Error::Parameter`].
pub(crate) fn at_least_one(name: &'static str, value: usize) -> Result<()> {
    if value >= 1 {
        return Ok(());
    }
    Err(Error::Parameter { name, must: "at least 1", got: value.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_is_refused() {
        assert!(at_least_one("steps", 1).is_ok());
        let said = at_least_one("steps", 0).unwrap_err().to_string();
        assert_eq!(said, "the parameter `steps` must be at least 1, got 0");
    }
}
