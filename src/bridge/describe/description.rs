//! A solver under the name that users type, with its defaults and the parameters that can be set.

use std::fmt::Debug;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::bridge::describe::{About, AnySolver, Parameter, Value};
use crate::error::Result;

/// The name under which users select a solver, and the parameters that they can set.
///
/// ```
/// use sbcell::bridge::describe::{Described, Description, Value};
/// use sbcell::bridge::{AnySolver, GaussianSolver};
///
/// static NORMAL: Description<GaussianSolver> = Description {
///     name: "normal",
///     about: "One Gaussian for each snapshot",
///     plain: GaussianSolver::default,
///     parameters: &[],
/// };
///
/// # fn main() -> sbcell::Result<()> {
/// // Parameters that a solver does not know are ignored.
/// let solver = NORMAL.with(&[("tolerance", Value::Number(0.1))])?;
/// assert_eq!(solver.family(), "gaussian");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Description<S: 'static> {
    /// The name as users type it.
    pub name: &'static str,
    /// One line for the help.
    pub about: &'static str,
    /// Creates the solver with its defaults.
    pub plain: fn() -> S,
    /// The parameters that can be set, in lists that several names can share.
    pub parameters: &'static [&'static [Parameter<S>]],
}

/// A [`Description`] of any solver; the registry of the pipeline contains one for each name. See
/// [`Description`] for an example.
pub trait Described: Debug + Sync {
    /// The name as users type it.
    fn name(&self) -> &'static str;

    /// One line for the help.
    fn about(&self) -> &'static str;

    /// The solver with its defaults.
    fn plain(&self) -> Arc<dyn AnySolver>;

    /// The parameters that can be set.
    fn parameters(&self) -> Vec<Settable>;

    /// The solver with the parameters in `given` (name, value). Names that the solver does not know
    /// are ignored.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a value of the wrong kind. [`AnySolver::check`] checks the
    /// ranges.
    fn with(&self, given: &[(&str, Value)]) -> Result<Arc<dyn AnySolver>>;

    /// The solver with hyperparameters from a file.
    ///
    /// # Errors
    /// Those of serde, for a field that is missing or unknown.
    fn read(&self, parameters: serde_json::Value) -> serde_json::Result<Arc<dyn AnySolver>>;
}

/// A parameter of a solver with its default and the remarks for this solver.
#[derive(Debug, Clone)]
#[doc(hidden)]
pub struct Settable {
    /// Name and texts of the parameter.
    pub about: &'static About,
    /// The default; `None` if there is none.
    pub default: Option<Value>,
    /// A remark for this solver alone; may be empty.
    pub own: &'static str,
}

impl<S: AnySolver + DeserializeOwned> Described for Description<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn plain(&self) -> Arc<dyn AnySolver> {
        Arc::new((self.plain)())
    }

    fn parameters(&self) -> Vec<Settable> {
        let plain = (self.plain)();
        let settable = |parameter: &Parameter<S>| {
            let Parameter { about, own, get, set: _ } = parameter;
            Settable { about, default: get(&plain), own }
        };
        self.parameters.iter().copied().flatten().map(settable).collect()
    }

    fn with(&self, given: &[(&str, Value)]) -> Result<Arc<dyn AnySolver>> {
        let mut solver = (self.plain)();
        for parameter in self.parameters.iter().copied().flatten() {
            if let Some(entry) = given.iter().find(|entry| entry.0 == parameter.about.name) {
                (parameter.set)(&mut solver, &entry.1)?;
            }
        }
        Ok(Arc::new(solver))
    }

    fn read(&self, parameters: serde_json::Value) -> serde_json::Result<Arc<dyn AnySolver>> {
        Ok(Arc::new(serde_json::from_value::<S>(parameters)?))
    }
}
