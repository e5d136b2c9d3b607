//! A solver as it is chosen: under a name, from plain hyperparameters some of which can be set.

use std::fmt::Debug;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::bridge::describe::{About, AnySolver, Parameter, Value};
use crate::error::Result;

/// A name that users may give a solver by, and what they can then set.
#[derive(Debug)]
pub struct Description<S: 'static> {
    /// The name, as it is typed.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// The solver when nothing is set.
    pub plain: fn() -> S,
    /// What can be set, in lists that several names may share.
    pub parameters: &'static [&'static [Parameter<S>]],
}

/// A [`Description`] of whatever solver.
pub trait Described: Debug + Sync {
    /// The name, as it is typed.
    fn name(&self) -> &'static str;

    /// One line.
    fn about(&self) -> &'static str;

    /// The solver when nothing is set.
    fn plain(&self) -> Arc<dyn AnySolver>;

    /// What can be set.
    fn parameters(&self) -> Vec<Settable>;

    /// The solver with what is `given`, of which it passes over what it does not know.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a value of the wrong kind. Ranges are for
    /// [`AnySolver::check`].
    fn with(&self, given: &[(&str, Value)]) -> Result<Arc<dyn AnySolver>>;

    /// The solver with hyperparameters as they are in files.
    ///
    /// # Errors
    /// Those of serde, for a field that is missing or not known.
    fn read(&self, parameters: serde_json::Value) -> serde_json::Result<Arc<dyn AnySolver>>;
}

/// A parameter of a solver, its default, and what is to be said of it for this solver alone.
#[derive(Debug, Clone)]
pub struct Settable {
    /// What is said of it.
    pub about: &'static About,
    /// The value when nothing is set; `None` if there is none.
    pub default: Option<Value>,
    /// What is to be said of it for this solver alone; may be empty.
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
