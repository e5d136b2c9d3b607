//! The warnings of `diagnose` in words.

use std::f64::consts::LOG2_E;

use crate::bridge::SINKHORN;
use crate::lineage::{Kink, Signal};
use crate::pipeline::diagnose::IntervalDiagnosis;

/// A coupling with less information than this (in nats; 0.14 bits) counts as uninformative.
pub(super) const NO_SIGNAL: f64 = 0.1;
/// Smallest share of the unseen half of the coordinates that an informative coupling predicts, above chance.
pub(super) const LITTLE_PREDICTED: f64 = 0.05;
/// With fewer later cells for each cell, the coupling follows single cells.
const FEW_PARTNERS: f64 = 3.0;
/// A cell goes far if more than this share of its mass does.
const FAR: f64 = 0.5;
/// Share of such cells above which a warning is given.
pub(super) const MANY_FAR: f64 = 0.05;
/// Solvers disagree below this correlation of their displacements.
const DISAGREE: f64 = 0.5;
/// A population turns back if the cosine of its velocities before and after a time is lower.
pub(super) const BACK: f64 = -0.1;

/// A warning, and the test that returns the numbers of an interval for which it is given.
type Check = (&'static str, fn(&IntervalDiagnosis) -> Option<String>);

/// All warnings of intervals, in the order in which they are reported.
const CHECKS: [Check; 7] = [
    (
        "no lineage signal: every cell goes to all later cells in proportion (information of the \
         coupling in bits); use less noise (a smaller ε) or closer times",
        |of| {
            let known = of.signal.information;
            number(known < NO_SIGNAL, format!("{:.3}", known * LOG2_E))
        },
    ),
    (
        "a coupling from half of the coordinates predicts hardly anything of the other half (share \
         predicted): the cells have no distinct types that a coupling could follow, or each half of the \
         coordinates tells of other types, as in an embedding",
        |of| {
            let Signal { information, predicted, predicted_by_chance, .. } = of.signal;
            let little = predicted - predicted_by_chance < LITTLE_PREDICTED;
            number(NO_SIGNAL <= information && little, format!("{predicted:.2}"))
        },
    ),
    (
        "the coupling follows single cells (later cells to which a cell is coupled): fates depend on which cells were \
         sampled, look at their confidence intervals; more noise (a larger ε) smooths",
        |of| number(of.signal.partners < FEW_PARTNERS, format!("{:.1}", of.signal.partners)),
    ),
    (
        "cells send most of their mass further than nine of ten random pairs (share of cells): cell types \
         that appear or vanish between these times, growth that the fit ignores, or another batch",
        |of| {
            let share = share_of_far_cells(of);
            number(share > MANY_FAR, format!("{:.0} %", 100.0 * share))
        },
    ),
    (
        "cells die out: they leave less than a tenth of the mean number of descendants (share of cells)",
        |of| number(of.dying > 0.0, format!("{:.0} %", 100.0 * of.dying)),
    ),
    (
        "groups split in proportion, as if the coupling did not depend on them (bits, and by \
         chance)",
        |of| {
            let (own, by_chance) = of.of_groups?;
            let text = format!("{:.3}, {:.3}", own * LOG2_E, by_chance * LOG2_E);
            number(own < 2.0 * by_chance.max(1e-3), text)
        },
    ),
    (
        "entropic transport with the ε of the bridge sends single cells elsewhere than the bridge \
         (correlation of displacements): trust its velocities and paths of single cells less",
        |of| {
            let other = of.agreement.iter().find(|other| other.other == SINKHORN.name)?;
            number(other.correlation < DISAGREE, format!("{:.2}", other.correlation))
        },
    ),
];

/// Share of the source cells that send most of their mass further than nine of ten random pairs are apart.
pub(super) fn share_of_far_cells(of: &IntervalDiagnosis) -> f64 {
    let far = of.far.beyond.iter().filter(|share| **share > FAR).count();
    far as f64 / of.far.beyond.len() as f64
}

/// The text if the warning applies.
fn number(found: bool, text: String) -> Option<String> {
    found.then_some(text)
}

/// One line for each warning that applies, with the intervals or times and their numbers.
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
            "the population turns back (cosine of the velocities before and after): a batch effect, \
             or a change between the samples; {}",
            turned.join(", ")
        ));
    }
    warnings
}
