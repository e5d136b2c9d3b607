//! The solvers that sbcell knows by name, and the choice of one of them.
//!
//! [`SOLVERS`] is the registry: a new solver gets one entry there and is then known to the command
//! line, to model files and to `evaluate`. Each entry describes the solver and its parameters
//! ([`Described`]); no other code matches on solvers. A solver outside of this crate needs no entry:
//! [`SolverChoice::of`] takes any [`crate::bridge::AnySolver`].

mod auto;
mod choice;
pub(super) mod inner_score;

pub use auto::{AutoSolver, AutoWay};
pub use choice::SolverChoice;

use std::collections::BTreeSet;

use crate::bridge::describe::{About, Value};
use crate::bridge::{
    DSBM, Described, GAUSSIAN, I_CFM, LIGHTSB, OT, OT_CFM, Property, SF2M, SINKHORN, SPLINE, Solver,
};
use crate::pipeline::solvers::auto::AUTO;

/// All solvers, in the order of the help text. Each has a name; solvers of one family share their
/// parameters.
///
/// ```
/// use sbcell::pipeline::solvers;
///
/// assert!(solvers::SOLVERS.iter().any(|solver| solver.name() == "sinkhorn"));
/// assert_eq!(solvers::named("ot").unwrap().plain().family(), "ot");
/// assert!(solvers::named("unknown").is_none());
/// ```
pub static SOLVERS: [&dyn Described; 10] =
    [&LIGHTSB, &GAUSSIAN, &SINKHORN, &OT, &SF2M, &SPLINE, &AUTO, &OT_CFM, &I_CFM, &DSBM];

/// The solver with the name `name`; see [`SOLVERS`].
pub fn named(name: &str) -> Option<&'static dyn Described> {
    SOLVERS.into_iter().find(|solver| solver.name() == name)
}

/// The first solver of `family`. It reads the recorded parameters of every solver of the family.
pub(crate) fn of_family(family: &str) -> Option<&'static dyn Described> {
    SOLVERS.into_iter().find(|solver| solver.plain().family() == family)
}

/// The names of all families, in the order of [`SOLVERS`].
pub(crate) fn families() -> Vec<&'static str> {
    let mut families: Vec<&'static str> = Vec::new();
    for family in SOLVERS.map(|solver| solver.plain().family()) {
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families
}

/// The names of all solvers that have `property` with their default parameters.
#[doc(hidden)]
pub fn with(property: Property) -> Vec<&'static str> {
    let has = |solver: &&dyn Described| solver.plain().properties().contains(&property);
    SOLVERS.into_iter().filter(has).map(Described::name).collect()
}

/// The names of all solvers that can find the bridge for an Ornstein-Uhlenbeck reference: they solve
/// each interval alone, and their bridges have the noise of the reference.
pub(crate) fn for_any_reference() -> Vec<&'static str> {
    let each = |name: &&str| {
        named(name).is_some_and(|solver| matches!(solver.plain().solver(), Solver::Each(_)))
    };
    with(Property::Diffuses).into_iter().filter(each).collect()
}

/// A parameter of solvers, with all solvers that have it.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct KnownParameter {
    /// Its name, kind, unit and help text.
    pub about: &'static About,
    /// The names of the solvers that have it, in the order of [`SOLVERS`].
    pub solvers: Vec<&'static str>,
    /// The default for the help text, if all solvers have the same.
    pub default: Option<Value>,
    /// Remarks that hold for one solver: the solver's name and the text.
    pub own: Vec<(&'static str, &'static str)>,
}

/// All parameters of all solvers. Those without a group come first. The groups follow, each behind
/// the last solver that has a parameter of it.
#[doc(hidden)]
pub fn parameters() -> Vec<KnownParameter> {
    let mut all: Vec<KnownParameter> = Vec::new();
    for solver in SOLVERS {
        for settable in solver.parameters() {
            let about = settable.about;
            let own = (!settable.own.is_empty()).then_some((solver.name(), settable.own));
            match all.iter_mut().find(|known| known.about.name == about.name) {
                Some(known) => {
                    known.solvers.push(solver.name());
                    known.own.extend(own);
                }
                None => all.push(KnownParameter {
                    about,
                    solvers: vec![solver.name()],
                    default: settable.default.filter(|_| about.shows_default),
                    own: own.into_iter().collect(),
                }),
            }
        }
    }
    let place = |group: &str| {
        let known = of_group(&all, group);
        SOLVERS.into_iter().rposition(|solver| known.contains(&solver.name()))
    };
    let places: Vec<Option<usize>> = all
        .iter()
        .map(|known| Some(known.about.group).filter(|group| !group.is_empty()).and_then(place))
        .collect();
    let mut placed: Vec<_> = places.into_iter().zip(all).collect();
    placed.sort_by_key(|entry| entry.0);
    placed.into_iter().map(|entry| entry.1).collect()
}

/// The title of a group of parameters in the help text: the solvers that have any of them.
#[doc(hidden)]
pub fn title(parameters: &[KnownParameter], group: &str) -> String {
    let known = of_group(parameters, group);
    let names: Vec<&str> =
        SOLVERS.map(Described::name).into_iter().filter(|name| known.contains(name)).collect();
    match names.as_slice() {
        _ if group.is_empty() => "Solver".into(),
        [one] => format!("Solver {one}"),
        several => format!("Solvers {}", several.join(", ")),
    }
}

/// The solvers that have a parameter of `group`.
fn of_group(parameters: &[KnownParameter], group: &str) -> BTreeSet<&'static str> {
    let of = parameters.iter().filter(|known| known.about.group == group);
    of.flat_map(|known| known.solvers.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_documented() {
        let names: BTreeSet<&str> = SOLVERS.map(Described::name).into_iter().collect();
        assert_eq!(names.len(), SOLVERS.len());
        for solver in SOLVERS {
            assert!(solver.about().len() > 20, "{}", solver.name());
            assert_eq!(named(solver.name()).unwrap().name(), solver.name());
            solver.plain().check().unwrap();
        }
        assert!(named("of-the-future").is_none() && of_family("of_the_future").is_none());
        assert_eq!(
            families(),
            ["lightsb", "gaussian", "sinkhorn", "ot", "flow", "spline", "auto", "dsbm"]
        );
    }

    #[test]
    fn parameters_are_distinct_documented_and_mean_one_thing() {
        let all = parameters();
        let names: BTreeSet<&str> = all.iter().map(|known| known.about.name).collect();
        assert_eq!(names.len(), all.len());
        for known in &all {
            assert!(known.about.help.len() > 15, "{}", known.about.name);
        }
        for solver in SOLVERS {
            let mut own = BTreeSet::new();
            for settable in solver.parameters() {
                let name = settable.about.name;
                assert!(own.insert(name), "{name} twice in {}", solver.name());
                let known = all.iter().find(|known| known.about.name == name).unwrap();
                assert_eq!(known.about.help, settable.about.help, "{name}");
                if known.about.shows_default {
                    assert_eq!(known.default, settable.default, "{name} of {}", solver.name());
                }
                // Setting the default changes nothing.
                if let Some(value) = settable.default {
                    let same = solver.with(&[(name, value)]).unwrap();
                    assert_eq!(same.parameters().unwrap(), solver.plain().parameters().unwrap());
                }
            }
        }
    }

    #[test]
    fn groups_come_after_the_solvers_that_know_them() {
        let all = parameters();
        let mut titles: Vec<String> = Vec::new();
        for known in &all {
            let title = title(&all, known.about.group);
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        assert_eq!(
            titles,
            [
                "Solver",
                "Solver lightsb",
                "Solver sinkhorn",
                "Solvers spline, auto",
                "Solvers sinkhorn, ot, sf2m, ot-cfm",
                "Solvers sf2m, ot-cfm, i-cfm, dsbm",
                "Solver dsbm",
            ]
        );
    }

    #[test]
    fn lists_of_solvers_are_those_of_their_properties() {
        assert_eq!(with(Property::KnowsScore), ["lightsb", "gaussian", "sinkhorn", "sf2m", "dsbm"]);
        assert_eq!(for_any_reference(), ["lightsb", "gaussian", "sinkhorn"]);
    }
}
