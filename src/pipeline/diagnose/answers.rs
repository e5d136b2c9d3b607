//! Three plain sentences that answer what a reader of `diagnose` asks first.

use crate::lineage::Kink;
use crate::pipeline::diagnose::IntervalDiagnosis;
use crate::pipeline::diagnose::run::DYING;
use crate::pipeline::diagnose::warnings::{
    BACK, LITTLE_PREDICTED, MANY_FAR, NO_SIGNAL, share_of_far_cells,
};

/// Growth within this of one is that of a coupling that keeps the mass of every cell.
const EVEN: f64 = 1e-6;

/// The answers to three questions, each with its numbers: whether the couplings know more than chance, whether
/// there are jumps, and whether cells die or turn. `embedded`: the coordinates are an embedding of the file.
pub(super) fn answers(
    intervals: &[IntervalDiagnosis],
    kinks: &[(f64, Kink)],
    embedded: bool,
) -> Vec<String> {
    vec![chance(intervals, embedded), jumps(intervals), ends(intervals, kinks)]
}

/// Whether the couplings know more than chance.
///
/// Coordinates of an embedding that do not predict each other do not show that a coupling knows nothing: each
/// may tell of something else, as the axes of a map do.
fn chance(intervals: &[IntervalDiagnosis], embedded: bool) -> String {
    let ask = "Do the couplings know more than chance?";
    let signal = |of: &&IntervalDiagnosis| of.signal.information >= NO_SIGNAL;
    let lost: Vec<&IntervalDiagnosis> = intervals.iter().filter(|of| !signal(of)).collect();
    if lost.len() == intervals.len() {
        return format!("{ask} No: every cell goes to all later cells alike.");
    }
    if intervals.iter().all(|of| of.signal.predicted.is_nan()) {
        return format!(
            "{ask} This cannot be tested: the model has one coordinate, so that no half of the coordinates \
             can predict the other."
        );
    }
    let knows = |of: &IntervalDiagnosis| {
        let gain = of.signal.predicted - of.signal.predicted_by_chance;
        of.signal.information >= NO_SIGNAL && gain >= LITTLE_PREDICTED
    };
    let not: Vec<String> = intervals.iter().filter(|of| !knows(of)).map(named).collect();
    // Without information a coupling knows nothing in any coordinates.
    let open = embedded && intervals.iter().any(|of| !knows(of) && signal(&of));
    let verdict = match (not.len(), open) {
        (0, _) => "Yes".to_string(),
        (n, true) if n == intervals.len() => "This cannot be told".to_string(),
        (n, false) if n == intervals.len() => "No".to_string(),
        (_, true) => format!("Yes, except in {}, where it cannot be told", not.join(", ")),
        (_, false) => format!("Yes, except in {}", not.join(", ")),
    };
    let why = if open {
        ". The coordinates of an embedding can tell of different things, so that half of them need not predict \
         the others where the couplings know much; fit the genes, if the file has them, or score the fates by clones"
    } else {
        ""
    };
    format!(
        "{ask} {verdict}: from half of the coordinates a coupling predicts {} of the other half, and {} by \
         chance (with permuted coordinates){why}.",
        span(intervals, |of| of.signal.predicted),
        span(intervals, |of| of.signal.predicted_by_chance)
    )
}

/// Whether mass goes unusually far.
fn jumps(intervals: &[IntervalDiagnosis]) -> String {
    let far: Vec<String> = intervals
        .iter()
        .filter(|of| share_of_far_cells(of) > MANY_FAR)
        .map(|of| format!("{} ({:.0} % of the cells)", named(of), 100.0 * share_of_far_cells(of)))
        .collect();
    if far.is_empty() {
        return format!(
            "Are there jumps? No: {} of the mass goes further than nine of ten random pairs of cells are \
             apart.",
            span(intervals, |of| of.far_mass)
        );
    }
    format!(
        "Are there jumps? Yes, in {}: they send most of their mass further than nine of ten random pairs of \
         cells are apart.",
        far.join(", ")
    )
}

/// Whether cells die and whether the population turns.
fn ends(intervals: &[IntervalDiagnosis], kinks: &[(f64, Kink)]) -> String {
    let even = |of: &IntervalDiagnosis| of.far.growth.iter().all(|own| (own - 1.0).abs() < EVEN);
    let dying: Vec<String> = intervals
        .iter()
        .filter(|of| of.dying > 0.0)
        .map(|of| format!("{} ({} of the cells)", named(of), percent(of.dying)))
        .collect();
    let die = if intervals.iter().all(even) {
        "No cell can die, because these couplings give every cell the same number of descendants"
            .into()
    } else if dying.is_empty() {
        format!("Every cell leaves at least {DYING} of the descendants of the mean cell")
    } else {
        format!("Cells die out in {}", dying.join(", "))
    };
    let back: Vec<String> = kinks
        .iter()
        .filter(|(_, kink)| kink.mean_cosine < BACK)
        .map(|(time, _)| time.to_string())
        .collect();
    let turn = if kinks.is_empty() {
        "there is no inner time at which the population could turn".to_string()
    } else if back.is_empty() {
        format!("the population turns back at none of {} inner times", kinks.len())
    } else {
        format!(
            "the population turns back at {} of {} inner times ({})",
            back.len(),
            kinks.len(),
            back.join(", ")
        )
    };
    format!("Do cells die or turn? {die}; {turn}.")
}

/// The times of an interval.
fn named(of: &IntervalDiagnosis) -> String {
    format!("{} → {}", of.times.0, of.times.1)
}

/// A share in per cent; shares below one per cent are not rounded to none.
fn percent(share: f64) -> String {
    if 0.0 < share && share < 0.005 {
        "under 1 %".into()
    } else {
        format!("{:.0} %", 100.0 * share)
    }
}

/// The least and the largest share of all intervals that have one, in per cent.
fn span(intervals: &[IntervalDiagnosis], of: fn(&IntervalDiagnosis) -> f64) -> String {
    let shares = || intervals.iter().map(of).filter(|share| share.is_finite());
    let (least, most) = (shares().fold(f64::INFINITY, f64::min), shares().fold(f64::MIN, f64::max));
    // Adding zero turns −0 into 0.
    let (least, most) = ((100.0 * least).round() + 0.0, (100.0 * most).round() + 0.0);
    if least >= most { format!("{most} %") } else { format!("{least} to {most} %") }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::lineage::{FarCells, Signal};

    fn interval(
        t0: f64,
        predicted: f64,
        beyond: Array1<f64>,
        growth: Array1<f64>,
    ) -> IntervalDiagnosis {
        let signal = Signal {
            information: 1.0,
            most: 2.0,
            by_chance: 0.9,
            by_chance_deviation: 0.1,
            partners: 4.0,
            predicted,
            predicted_by_chance: -0.001,
        };
        let dying = growth.iter().filter(|own| **own < DYING).count() as f64 / growth.len() as f64;
        IntervalDiagnosis {
            times: (t0, t0 + 1.0),
            signal,
            far_mass: beyond.mean().unwrap_or(f64::NAN),
            far: FarCells { reach: 1.0, beyond, partners: growth.clone(), growth },
            dying,
            of_groups: None,
            agreement: Vec::new(),
        }
    }

    fn kink(mean_cosine: f64) -> (f64, Kink) {
        (1.0, Kink { place: 1, mean_cosine, speed_ratio: 1.0, cosines: array![mean_cosine] })
    }

    fn none() -> Array1<f64> {
        Array1::zeros(4)
    }

    #[test]
    fn a_course_without_oddities_is_answered_by_yes_no_and_no() {
        let all = [0.0, 1.0].map(|t| interval(t, 0.2 + 0.1 * t, none(), Array1::ones(4)));
        let said = answers(&all, &[kink(0.3)], true);
        assert_eq!(said.len(), 3);
        assert!(said[0].contains("chance? Yes: ") && said[0].contains("20 to 30 %"), "{}", said[0]);
        assert!(said[0].contains("and 0 % by chance"), "{}", said[0]);
        assert!(said[1].contains("jumps? No: 0 % of the mass"), "{}", said[1]);
        assert!(
            said[2].contains("No cell can die") && said[2].contains("none of 1 inner"),
            "{}",
            said[2]
        );
    }

    #[test]
    fn intervals_with_oddities_are_named() {
        let grown = array![0.01, 1.33, 1.33, 1.33];
        let all = [
            interval(0.0, 0.2, none(), Array1::ones(4)),
            interval(1.0, 0.01, array![0.9, 0.0, 0.0, 0.0], grown),
        ];
        let said = answers(&all, &[kink(-0.4)], false);
        assert!(said[0].contains("Yes, except in 1 → 2: "), "{}", said[0]);
        assert!(said[1].contains("Yes, in 1 → 2 (25 % of the cells)"), "{}", said[1]);
        assert!(said[2].contains("die out in 1 → 2 (25 % of the cells)"), "{}", said[2]);
        assert!(said[2].contains("turns back at 1 of 1 inner times (1)"), "{}", said[2]);
        let mild = [interval(0.0, 0.0, none(), array![0.5, 1.5, 1.0, 1.0])];
        let said = answers(&mild, &[], false);
        assert!(said[0].contains("chance? No: from half"), "{}", said[0]);
        assert!(
            said[2].contains("at least 0.1 of") && said[2].contains("no inner time"),
            "{}",
            said[2]
        );
    }

    #[test]
    fn an_embedding_whose_halves_do_not_predict_each_other_tells_nothing() {
        let of = |t: f64, predicted: f64| interval(t, predicted, none(), Array1::ones(4));
        let said =
            |all: &[IntervalDiagnosis], embedded: bool| answers(all, &[], embedded).remove(0);
        let open = said(&[of(0.0, 0.0)], true);
        assert!(open.contains("chance? This cannot be told: from half"), "{open}");
        assert!(open.contains("fit the genes"), "{open}");
        let genes = said(&[of(0.0, 0.0)], false);
        assert!(genes.contains("chance? No: ") && !genes.contains("embedding"), "{genes}");
        let part = said(&[of(0.0, 0.3), of(1.0, 0.0)], true);
        assert!(part.contains("except in 1 → 2, where it cannot be told: "), "{part}");
        // An interval without information is a no, whatever the coordinates.
        let mut lost = of(1.0, 0.0);
        lost.signal.information = 0.0;
        let part = said(&[of(0.0, 0.3), lost], true);
        assert!(part.contains("except in 1 → 2: ") && !part.contains("told"), "{part}");
    }

    #[test]
    fn without_information_or_a_second_coordinate_it_is_said() {
        let mut lost = interval(0.0, 0.3, none(), Array1::ones(4));
        lost.signal.information = 0.0;
        assert!(
            answers(&[lost], &[], true)[0].contains("No: every cell goes to all later cells alike")
        );
        let one = interval(0.0, f64::NAN, none(), Array1::ones(4));
        assert!(answers(&[one], &[], false)[0].contains("cannot be tested"));
    }
}
