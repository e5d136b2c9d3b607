//! Flags that choose a solver and its hyperparameters, from the descriptions of the solvers.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use sbcell::bridge::Described;
use sbcell::bridge::describe::{Kind, Value};
use sbcell::pipeline::SolverChoice;
use sbcell::pipeline::solvers::{self, KnownParameter, SOLVERS};
use sbcell::{Error, Result};

use crate::cli::flags;

/// The description of a solver.
pub(crate) type Named = &'static dyn Described;

/// `--solver` and the flags of hyperparameters.
///
/// clap's derive cannot make these flags: they come from the descriptions of the solvers in
/// `sbcell::pipeline::solvers`, so that a new hyperparameter needs no line here.
#[derive(Debug, Clone)]
pub(crate) struct SolverArgs {
    /// The solver of `--solver`.
    named: Option<Named>,
    /// The hyperparameters that the user set, by name.
    given: Vec<(&'static str, Value)>,
}

impl SolverArgs {
    /// The chosen solver with the hyperparameters of the flags.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range.
    pub(crate) fn choice(&self) -> Result<SolverChoice> {
        self.named.map_or_else(|| Ok(SolverChoice::default()), |named| self.choice_of(named))
    }

    /// The solver of `--solver`.
    pub(crate) fn named(&self) -> Option<Named> {
        self.named
    }

    /// Another solver, with those flags that it has.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range.
    pub(crate) fn choice_of(&self, solver: Named) -> Result<SolverChoice> {
        solver.with(&self.given).map(SolverChoice::from)
    }
}

impl Args for SolverArgs {
    fn augment_args(command: Command) -> Command {
        let solver = Arg::new("solver")
            .long("solver")
            .value_name("SOLVER")
            .value_parser(named())
            .default_value(SolverChoice::default().name())
            .help("Method that computes the bridges")
            .help_heading("Solver");
        let all: Vec<KnownParameter> = flags::parameters().cloned().collect();
        let command = all.iter().fold(command.arg(solver), |command, known| {
            let title = solvers::title(&all, known.about.group);
            command.next_help_heading(title).arg(argument(known))
        });
        // Flags that a command adds after these do not belong to a solver.
        command.next_help_heading(None::<&'static str>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SolverArgs {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let value = |known: &'static KnownParameter| {
            let name = known.about.name;
            let value =
                is_given(matches, name).then(|| matches.get_one::<Value>(name)).flatten()?;
            Some((name, value.clone()))
        };
        let named = matches.get_one::<Named>("solver").copied();
        Ok(Self { named, given: flags::parameters().filter_map(value).collect() })
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Whether a flag stands on the command line, rather than at its default.
fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// Parser for the name of a solver.
pub(crate) fn named() -> ValueParser {
    let known =
        SOLVERS.map(|solver| PossibleValue::new(solver.name()).help(flags::put(solver.about())));
    let parser = PossibleValuesParser::new(known)
        .try_map(|name| solvers::named(&name).ok_or("not the name of a solver"));
    ValueParser::new(parser)
}

/// The flag of a hyperparameter, with its help, default and second name.
fn argument(known: &KnownParameter) -> Arg {
    let about = known.about;
    let help = flags::put(about.help);
    let own: Vec<String> =
        known.own.iter().map(|entry| format!("{}: {}", entry.0, flags::put(entry.1))).collect();
    let more: Vec<String> = [flags::put(about.more), own.join(" ")]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let mut argument = Arg::new(about.name)
        .long(flags::long(about.name))
        .value_name(about.placeholder)
        .value_parser(parser(about.kind))
        .allow_negative_numbers(matches!(about.kind, Kind::Number { signed: true }));
    if let Some(alias) = flags::alias(about.name) {
        argument = argument.alias(alias);
    }
    if let Some(default) = &known.default {
        argument = argument.default_value(default.to_string());
    }
    if !more.is_empty() {
        argument = argument.long_help(format!("{help}\n\n{}", more.join("\n\n")));
    }
    argument.help(help)
}

/// The parser for the value of a hyperparameter.
fn parser(kind: Kind) -> ValueParser {
    match kind {
        Kind::Count { most } => ValueParser::new(move |text: &str| count(text, most)),
        Kind::CountOrAuto => ValueParser::new(count_or_auto),
        Kind::Number { .. } => ValueParser::new(|text: &str| text.parse().map(Value::Number)),
        Kind::OneOf(words) => {
            let known = words().into_iter().map(|word| {
                let value = PossibleValue::new(word.name);
                if word.about.is_empty() { value } else { value.help(flags::put(word.about)) }
            });
            ValueParser::new(PossibleValuesParser::new(known).map(Value::Word))
        }
    }
}

/// Parses a count of at most `most`, so that no typing error asks for all memory.
fn count(text: &str, most: usize) -> std::result::Result<Value, String> {
    match text.parse::<usize>() {
        Ok(number) if number <= most => Ok(Value::Count(number)),
        Ok(_) => Err(format!("must be at most {most}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses `auto` or a count. The solver checks the range with its other parameters.
fn count_or_auto(text: &str) -> std::result::Result<Value, String> {
    if text == "auto" {
        return Ok(Value::Auto);
    }
    text.parse().map(Value::Count).map_err(|_| "not a number or `auto`".into())
}

/// Refuses a flag that the chosen solver does not have.
///
/// A value that changes nothing for the chosen solver is accepted, such as `--cost euclidean`.
///
/// # Errors
/// [`Error::ParameterOfOtherSolver`] with the solvers that have the flag.
pub(crate) fn check_flags(matches: &ArgMatches) -> Result<()> {
    let Some(&solver) = matches.get_one::<Named>("solver") else { return Ok(()) };
    // `evaluate --compare` chooses several solvers; one of them must have the flag.
    let chosen: Vec<&str> = match matches.try_get_many::<Named>("compare") {
        Ok(Some(several)) => several.map(|solver| solver.name()).collect(),
        Ok(None) | Err(_) => vec![solver.name()],
    };
    for known in flags::parameters() {
        let name = known.about.name;
        let neutral = || {
            let value = matches.get_one::<Value>(name).map(ToString::to_string);
            value.as_deref() == known.about.neutral
        };
        let means_something = chosen.iter().any(|one| known.solvers.contains(one));
        if means_something || !is_given(matches, name) || neutral() {
            continue;
        }
        return Err(Error::ParameterOfOtherSolver {
            parameter: name.to_string(),
            solver: chosen[0].to_string(),
            solvers: known.solvers.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(arguments: &[&str]) -> ArgMatches {
        let command = SolverArgs::augment_args(Command::new("fit").no_binary_name(true));
        command.try_get_matches_from(arguments).unwrap()
    }

    #[test]
    fn flags_of_another_solver_are_refused_by_name() {
        let parsed = |arguments: &[&str]| check_flags(&matches(arguments));
        assert!(parsed(&[]).is_ok());
        assert!(parsed(&["--solver", "sinkhorn", "--cost", "geodesic-path"]).is_ok());
        assert!(parsed(&["--solver", "lightsb", "--cost", "euclidean"]).is_ok());
        for bad in [
            &["--solver", "lightsb", "--cost", "geodesic-heat"][..],
            &["--solver", "i-cfm", "--cost", "geodesic-heat"],
            &["--solver", "sinkhorn", "--n-gaussians", "3"],
            &["--lambda1", "3"],
            &["--solver", "ot", "--width", "3"],
            &["--solver", "gaussian", "--tolerance", "3"],
        ] {
            let error = parsed(bad).unwrap_err();
            assert!(error.hint().is_some_and(|hint| hint.contains("`solver = ")), "{error}");
        }
    }

    #[test]
    fn flags_become_the_parameters_of_the_solver() {
        let chosen = |arguments: &[&str]| {
            let choice =
                SolverArgs::from_arg_matches(&matches(arguments)).unwrap().choice().unwrap();
            (choice.name(), choice.parameters().unwrap())
        };
        assert_eq!(chosen(&[]).1, SolverChoice::default().parameters().unwrap());
        let (family, lightsb) =
            chosen(&["--n-gaussians", "7", "--covariance", "full", "--tol", "0.5"]);
        assert_eq!(family, "lightsb");
        assert_eq!(lightsb["n_gaussians"]["is"], 7);
        assert_eq!(lightsb["covariance"]["is"], "full");
        assert_eq!(lightsb["tolerance"], 0.5);
        let (family, flow) = chosen(&["--solver", "ot-cfm", "--n-layers", "2", "--n-steps", "9"]);
        assert_eq!((family, &flow["n_layers"], &flow["n_steps"]), ("flow", &2.into(), &9.into()));
        assert_eq!((&flow["block"], &flow["noise"]), (&4096.into(), &false.into()));
        let spline = chosen(&["--solver", "spline", "--relax", "inf", "--momentum", "-1"]).1;
        assert!(spline["members"][0]["relaxation"].is_null());
        assert_eq!(spline["members"][0]["momentum"], -1.0);
        let sinkhorn = ["--solver", "sinkhorn", "--lambda2", "3", "--n-neighbours", "4"];
        let sinkhorn = chosen(&sinkhorn).1;
        assert!(sinkhorn["source_relaxation"].is_null());
        assert_eq!(sinkhorn["target_relaxation"], 3.0);
        assert_eq!(sinkhorn["cost"]["n_neighbours"], 4);
    }
}
