//! The one map from parameters of solvers to flags, in arguments, errors and texts.

use std::sync::LazyLock;

use sbcell::Error;
use sbcell::pipeline::solvers::{self, KnownParameter};

/// Parameters whose flag is not their name with hyphens.
const CALLED: [(&str, &str); 6] = [
    ("n_neighbours", "n-neighbors"),
    ("n_layers", "layers"),
    ("n_steps", "steps"),
    ("relaxation", "relax"),
    ("source_relaxation", "lambda1"),
    ("target_relaxation", "lambda2"),
];

/// Other names of flags that are taken too.
const ALIASES: [(&str, &str); 3] =
    [("max_iterations", "max-iter"), ("tolerance", "tol"), ("n_neighbours", "n-neighbours")];

/// The parameters of all solvers, with their flags as they are typed.
static FLAGS: LazyLock<Vec<(KnownParameter, String)>> = LazyLock::new(|| {
    let flagged = |known: KnownParameter| {
        let flag = format!("--{}", long(known.about.name));
        (known, flag)
    };
    solvers::parameters().into_iter().map(flagged).collect()
});

/// The parameters of all solvers, as help lists them.
pub(crate) fn parameters() -> impl Iterator<Item = &'static KnownParameter> {
    FLAGS.iter().map(|entry| &entry.0)
}

/// The long flag of a parameter, without hyphens before it.
pub(crate) fn long(parameter: &str) -> String {
    let called = CALLED.into_iter().find(|entry| entry.0 == parameter);
    called.map_or_else(|| parameter.replace('_', "-"), |entry| entry.1.into())
}

/// Another name of the flag of a parameter, if it has one.
pub(crate) fn alias(parameter: &str) -> Option<&'static str> {
    ALIASES.into_iter().find(|entry| entry.0 == parameter).map(|entry| entry.1)
}

/// A parameter of a solver that is out of range, by its flag.
pub(crate) fn by_flag(error: Error) -> Error {
    match error {
        Error::Parameter { name, must, got } => {
            let flag = FLAGS.iter().find(|entry| entry.0.about.name == name);
            Error::Parameter { name: flag.map_or(name, |entry| entry.1.as_str()), must, got }
        }
        other => other,
    }
}

/// A text in which `{parameter}` is put as its flag.
pub(crate) fn put(text: &str) -> String {
    let mut parts = text.split('{');
    let mut put = parts.next().unwrap_or("").to_string();
    for part in parts {
        match part.split_once('}') {
            Some((parameter, rest)) => {
                put.push_str("--");
                put.push_str(&long(parameter));
                put.push_str(rest);
            }
            None => put.push_str(part),
        }
    }
    put
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_parameter_has_a_flag_of_its_own_and_every_exception_a_parameter() {
        let flags: BTreeSet<&str> = FLAGS.iter().map(|entry| entry.1.as_str()).collect();
        assert_eq!(flags.len(), FLAGS.len());
        assert!(flags.contains("--n-gaussians") && flags.contains("--lambda1"));
        for name in CALLED.iter().chain(&ALIASES).map(|entry| entry.0) {
            assert!(parameters().any(|known| known.about.name == name), "{name}");
        }
    }

    #[test]
    fn errors_and_texts_speak_of_flags() {
        let error = |name| Error::Parameter { name, must: "at least 1", got: "0".into() };
        assert!(by_flag(error("n_layers")).to_string().starts_with("`--layers` must be"));
        assert!(by_flag(error("--n-pcs")).to_string().starts_with("`--n-pcs` must be"));
        assert_eq!(put("see {noise_back}, `{n_layers} 3`"), "see --noise-back, `--layers 3`");
        // No mark is of a parameter that is not there.
        for known in parameters() {
            for mark in known.about.help.split('{').skip(1) {
                let name = mark.split('}').next().unwrap();
                assert!(parameters().any(|other| other.about.name == name), "{name}");
            }
        }
    }
}
