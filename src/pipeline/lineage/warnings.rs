//! What `diagnose` warns of, in words.

use crate::bridge::SINKHORN;
use crate::lineage::{Kink, Signal};
use crate::pipeline::lineage::diagnose::IntervalDiagnosis;

/// A plan that knows less, in nats, knows nothing.
const NO_SIGNAL: f64 = 0.1;
/// Half of the coordinates say at least this of the other half where cells are of kinds.
const LITTLE_UNSEEN: f64 = 0.05;
/// Fewer partners are single cells followed.
const FEW_PARTNERS: f64 = 3.0;
/// Cells whose mass goes far by more than this, and the share of such cells to speak of.
const FAR: f64 = 0.5;
const MANY_FAR: f64 = 0.05;
/// Solvers with a lower correlation disagree.
const DISAGREE: f64 = 0.5;

/// Populations whose velocity after a time has a lower cosine with that before turn back.
const BACK: f64 = -0.1;

/// What is said of an interval in which something is to be wary of.
type Check = (&'static str, fn(&IntervalDiagnosis) -> Option<String>);

const CHECKS: [Check; 7] = [
    (
        "no lineage signal: every cell goes everywhere in proportion (nats known of where a cell \
         goes); take less noise (a smaller ε) or closer times",
        |of| {
            let known = of.signal.information;
            number(known < NO_SIGNAL, format!("{known:.3}"))
        },
    ),
    (
        "half of the coordinates say hardly anything of where the other half goes (share carried): \
         cells are not of kinds that a plan could follow",
        |of| {
            let Signal { information, unseen, unseen_permuted, .. } = of.signal;
            let little = NO_SIGNAL <= information && unseen - unseen_permuted < LITTLE_UNSEEN;
            number(little, format!("{unseen:.2}"))
        },
    ),
    (
        "the plan follows single cells (partners of a cell): fates jump with every cell that was \
         sampled, look at their intervals; more noise (a larger ε) smooths",
        |of| number(of.signal.partners < FEW_PARTNERS, format!("{:.1}", of.signal.partners)),
    ),
    (
        "cells send most of their mass further than nine of ten random pairs (share of cells): kinds that \
         come or go between these times, growth that is not accounted for, or another batch",
        |of| {
            let far = of.far.beyond.iter().filter(|share| **share > FAR).count();
            let share = far as f64 / of.far.beyond.len() as f64;
            number(share > MANY_FAR, format!("{:.0} %", 100.0 * share))
        },
    ),
    (
        "cells leave hardly any descendants, less than a tenth of the mean cell's (share of cells)",
        |of| number(of.dead > 0.0, format!("{:.0} %", 100.0 * of.dead)),
    ),
    (
        "groups split in proportion, as if nothing were known of them (nats, and with groups dealt \
         anew)",
        |of| {
            let (own, dealt) = of.of_groups?;
            number(own < 2.0 * dealt.max(1e-3), format!("{own:.3}, {dealt:.3}"))
        },
    ),
    (
        "entropic transport with the same ε sends single cells elsewhere (correlation of \
         displacements): trust groups and populations more than single cells",
        |of| {
            let other = of.agreement.iter().find(|other| other.other == SINKHORN.name)?;
            number(other.correlation < DISAGREE, format!("{:.2}", other.correlation))
        },
    ),
];

fn number(found: bool, text: String) -> Option<String> {
    found.then_some(text)
}

/// One line for each thing to be wary of, with the intervals it is seen in.
pub(super) fn warnings(intervals: &[IntervalDiagnosis], kinks: &[(f64, Kink)]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (text, seen) in CHECKS {
        let found: Vec<String> = intervals
            .iter()
            .filter_map(|of| Some(format!("{} → {}: {}", of.times.0, of.times.1, seen(of)?)))
            .collect();
        if !found.is_empty() {
            warnings.push(format!("{text}; {}", found.join(", ")));
        }
    }
    let back = |(time, kink): &(f64, Kink)| {
        (kink.mean_cosine < BACK).then(|| format!("{time}: {:.2}", kink.mean_cosine))
    };
    let turned: Vec<String> = kinks.iter().filter_map(back).collect();
    if !turned.is_empty() {
        warnings.push(format!(
            "the population turns back (cosine of the velocities before and after): a batch of its own, \
             or a change between the samples; {}",
            turned.join(", ")
        ));
    }
    warnings
}
