//! A solver with its hyperparameters: chosen, written to files and read back.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bridge::{AnySolver, LightSbSolver, Mass, Property};
use crate::pipeline::solvers;

/// A solver with its hyperparameters. It can be any [`AnySolver`], also one that you wrote.
///
/// In files it is `{FAMILY: {PARAMETER: VALUE, …}}`. Only families of [`solvers::SOLVERS`] can be read
/// back. The default is LightSB with its default parameters.
///
/// ```
/// use sbcell::bridge::OtSolver;
/// use sbcell::pipeline::SolverChoice;
///
/// let choice = SolverChoice::of(OtSolver::default());
/// assert_eq!(choice.name(), "ot");
/// let text = serde_json::to_string(&choice).unwrap();
/// assert_eq!(serde_json::from_str::<SolverChoice>(&text).unwrap(), choice);
/// assert_eq!(SolverChoice::default().name(), "lightsb");
/// ```
#[derive(Debug, Clone)]
pub struct SolverChoice(Arc<dyn AnySolver>);

impl SolverChoice {
    /// The choice of `solver`.
    pub fn of(solver: impl AnySolver + 'static) -> Self {
        Self(Arc::new(solver))
    }

    /// The name of the solver's family, such as `flow` for `sf2m`.
    pub fn name(&self) -> &'static str {
        self.0.family()
    }

    /// Whether the solver has `property` with its present parameters.
    pub fn has(&self, property: Property) -> bool {
        self.0.properties().contains(&property)
    }

    /// The same solver with the given treatment of the earlier cells' weights; `None` if it has no such
    /// parameter.
    pub(crate) fn with_mass(&self, mass: Mass) -> Option<Self> {
        self.0.with_mass(mass).map(Self)
    }
}

impl Deref for SolverChoice {
    type Target = dyn AnySolver;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl From<Arc<dyn AnySolver>> for SolverChoice {
    fn from(solver: Arc<dyn AnySolver>) -> Self {
        Self(solver)
    }
}

impl Default for SolverChoice {
    fn default() -> Self {
        Self::of(LightSbSolver::default())
    }
}

impl PartialEq for SolverChoice {
    /// Two choices are equal if they are written to files in the same way.
    fn eq(&self, other: &Self) -> bool {
        let parameters = |choice: &Self| choice.0.parameters().ok();
        self.name() == other.name() && parameters(self) == parameters(other)
    }
}

/// Writes all parameters, also those at their defaults, so that a file does not change its meaning with a
/// later default.
impl Serialize for SolverChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parameters = self.0.parameters().map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name(), &parameters)?;
        map.end()
    }
}

/// Refuses a map that has not exactly one entry, and a family that is not in the registry.
impl<'de> Deserialize<'de> for SolverChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let n_entries = entries.len();
        let (Some((family, parameters)), 1) = (entries.into_iter().next(), n_entries) else {
            return Err(D::Error::invalid_length(n_entries, &"one solver"));
        };
        let Some(described) = solvers::of_family(&family) else {
            let known: Vec<String> =
                solvers::families().iter().map(|name| format!("`{name}`")).collect();
            let known = known.join(", ");
            return Err(D::Error::custom(format!(
                "unknown solver `{family}`, expected one of {known}"
            )));
        };
        described.read(parameters).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bridge::{FlowSolver, GaussianSolver, OtSolver};

    #[test]
    fn a_choice_is_its_family_with_all_parameters_and_is_read_back() {
        let ot = SolverChoice::of(OtSolver::default());
        let text = serde_json::to_value(&ot).unwrap();
        let cost = json!({"kind": "euclidean", "n_neighbours": 15, "heat_time": 50.0});
        assert_eq!(text, json!({"ot": {"cost": cost}}));
        assert_eq!(
            serde_json::to_value(SolverChoice::of(GaussianSolver {})).unwrap(),
            json!({"gaussian": {}})
        );
        for described in solvers::SOLVERS {
            let choice = SolverChoice::from(described.plain());
            let text = serde_json::to_string(&choice).unwrap();
            assert!(text.starts_with(&format!("{{\"{}\":{{", choice.name())), "{text}");
            let read: SolverChoice = serde_json::from_str(&text).unwrap();
            assert!(read == choice && read.name() == choice.name());
        }
        let (some, other) = (FlowSolver::sf2m(), FlowSolver::ot_cfm());
        assert_ne!(SolverChoice::of(some), SolverChoice::of(other));
        assert_ne!(ot, SolverChoice::default());
    }

    #[test]
    fn what_is_not_known_is_named() {
        let refused =
            |text: &str| serde_json::from_str::<SolverChoice>(text).unwrap_err().to_string();
        let unknown = refused(r#"{"of_the_future": {"depth": 3}}"#);
        assert!(unknown.contains("of_the_future") && unknown.contains("`lightsb`"), "{unknown}");
        assert!(refused(r#"{"gaussian": {"depth": 3}}"#).contains("depth"));
        assert!(refused(r#"{"spline": {"mass": "kept"}}"#).contains("members"));
        assert!(refused("{}").contains("one solver"));
        assert!(refused(r#"{"gaussian": {}, "ot": {}}"#).contains("one solver"));
    }
}
