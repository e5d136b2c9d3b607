//! The summary in three sentences, and the warnings of a report.
//!
//! The sentences use only numbers that the page shows. They are the same for the same results.

use crate::bridge::Stop;
use crate::io::model::Model;
use crate::io::report::{FateAt, Fates, HeldOutScore, Part, Report, counted, place_of_warnings};
use crate::pipeline::shared::advice::Advice;

/// Number of cells of a time below which a warning is shown.
const FEW: usize = 50;

/// Fills the three sentences from the parts of the report.
pub(super) fn fill(report: &mut Report, model: &Model, advice: &Advice) {
    report.summary = [found(report, model), trust(report), next(report, model, advice)];
}

/// The first sentence: cells, times and coordinates, and the commonest fates of the first cells.
fn found(report: &Report, model: &Model) -> String {
    let n: usize = report.times.iter().map(|at| at.n_cells).sum();
    let (first, last) = (report.times.first(), report.times.last());
    let unit = if report.unit.is_empty() { String::new() } else { format!(" {}", report.unit) };
    let span = first.zip(last).map_or_else(String::new, |(first, last)| {
        format!(", from {} to {}{unit}", first.time, last.time)
    });
    let genes = match model.genes.len() {
        0 => String::new(),
        genes => format!(" of {genes} genes"),
    };
    let dimensions = model.header.dimensions.len();
    let mut text = format!(
        "One process connects {n} cells of {} times{span}, in {dimensions} coordinates{genes}",
        report.times.len()
    );
    if let Some(fates) = report.fates.shown()
        && let Some(words) = of_fates(fates, &report.unit)
    {
        text.push_str("; ");
        text.push_str(&words);
    }
    text.push('.');
    text
}

/// The commonest fates of the first cells, and how undecided cells are early and late.
fn of_fates(fates: &Fates, unit: &str) -> Option<String> {
    let first = fates.at.first()?;
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut shares: Vec<(f64, &String)> =
        first.probabilities.iter().map(mean).zip(&fates.names).collect();
    shares.sort_by(|one, other| other.0.total_cmp(&one.0));
    let named: Vec<String> = shares
        .iter()
        .take(3)
        .map(|(share, name)| format!("{:.0} % {name}", 100.0 * share))
        .collect();
    let percent = |at: &FateAt| format!("{:.0} %", 100.0 * at.undecided);
    let last = fates.at.len().checked_sub(2).and_then(|place| fates.at.get(place));
    let later = last.filter(|at| at.time > first.time && at.undecided.is_finite());
    let later = later
        .map_or_else(String::new, |at| format!(", and {} at {}", percent(at), time(at.time, unit)));
    let how = match first.undecided {
        high if high > 0.8 => "hardly",
        middle if middle > 0.4 => "partly",
        _ => "mostly",
    };
    let open = if first.undecided.is_finite() {
        format!(
            ", and single cells are {how} decided (their fates are {} as uncertain as these shares{later})",
            percent(first)
        )
    } else {
        String::new()
    };
    let at = time(first.time, unit);
    Some(format!("cells at {at} become {} on average{open}", named.join(", ")))
}

/// A time with its unit: `72 h`, or `time 72` where the unit is unknown.
fn time(time: f64, unit: &str) -> String {
    if unit.is_empty() { format!("time {time}") } else { format!("{time} {unit}") }
}

/// The second sentence: at how many held-out times the prediction is better or worse than the neighbouring times
/// pooled. More than half of the times decide the advice.
fn trust(report: &Report) -> String {
    let Part::Shown(scores) = &report.validation else {
        return "No time was held out, so nothing is known about how well populations in between are predicted."
            .into();
    };
    let n = scores.len();
    let count = |sign: i8| scores.iter().filter(|score| score.sign == sign).count();
    let (better, worse) = (count(1), count(-1));
    let advice = if 2 * worse > n {
        "do not trust the populations in between"
    } else if 2 * better > n {
        "the populations in between are worth more than the measured times around them"
    } else {
        "between the measured times, the model says little more than the neighbouring times do"
    };
    format!(
        "Of {}, the model predicted {better} better than a simple guess (neighbouring times \
         pooled), {} about as well, and {worse} worse: {advice}.",
        counted(n, "held-out time"),
        n - better - worse
    )
}

/// The third sentence: the next command. A validation comes first, then results that are missing, then `diagnose`.
fn next(report: &Report, model: &Model, advice: &Advice) -> String {
    // A model of an embedding may lie in a file without genes.
    let genes = !model.genes.is_empty();
    let missing = [
        ("fates", report.fates.shown().is_none()),
        ("transitions", report.transitions.shown().is_none()),
        ("trends", genes && report.trends.shown().is_none()),
        ("grn", genes && report.edges.shown().is_none()),
        ("interpolate", report.populations.shown().is_none()),
    ];
    let mut wanted = missing.into_iter().filter(|part| part.1).map(|part| part.0);
    let first = if report.warnings.is_empty() {
        String::new()
    } else {
        format!("Read the warnings first ({}), then ", place_of_warnings())
    };
    let rest = if report.validation.shown().is_none() {
        format!("run {} to see how far to trust the fit", advice.line("evaluate"))
    } else if let Some(command) = wanted.next() {
        let others = wanted.map(|name| format!("`sbcell {name}`")).collect::<Vec<_>>();
        let others = match others.len() {
            0 => String::new(),
            _ => format!(", also {} (the page has the whole lines)", others.join(", ")),
        };
        format!("add what is missing here with {}{others}", advice.line(command))
    } else {
        format!(
            "run {} before you build on single fates or edges, and test the first edges and genes in an experiment",
            advice.line("diagnose")
        )
    };
    let mut text = format!("{first}{rest}.");
    if let Some(start) = text.get_mut(..1) {
        start.make_ascii_uppercase();
    }
    text
}

/// Sorts the notes of the fit into warnings, notes and details, and adds what the results show.
pub(super) fn sort_notes(report: &mut Report, model: &Model, notes: Vec<String>) {
    let open: Vec<String> = model
        .intervals
        .iter()
        .filter(|interval| interval.report.stop != Stop::Converged)
        .map(|interval| format!("{} → {}", interval.from, time(interval.to, &report.unit)))
        .collect();
    if !open.is_empty() {
        report.warnings.push(format!(
            "The solver did not converge on {}: results of these intervals are not those of the model that was asked \
             for.",
            open.join(", ")
        ));
    }
    for at in report.times.iter().filter(|at| at.n_cells < FEW) {
        let when = time(at.time, &report.unit);
        let when = when.strip_prefix("time ").unwrap_or(&when);
        let text = format!("Time {when} has only {}.", counted(at.n_cells, "cell"));
        report.warnings.push(text);
    }
    if let Part::Shown(scores) = &report.validation {
        let worse: Vec<&HeldOutScore> = scores.iter().filter(|score| score.sign < 0).collect();
        if !worse.is_empty() {
            let times: Vec<String> =
                worse.iter().map(|score| time(score.time, &report.unit)).collect();
            report.warnings.push(format!(
                "The prediction is worse than the simple guess at {}: do not use populations near these times.",
                times.join(", ")
            ));
        }
    }
    if let Part::Shown(scores) = &report.validation {
        let narrow = scores.iter().filter(|score| score.too_narrow);
        let times: Vec<String> = narrow.map(|score| time(score.time, &report.unit)).collect();
        if !times.is_empty() {
            report.warnings.push(format!(
                "The population is too narrow at {} (held out): predicted cells vary less than measured \
                 ones, so rare and extreme cells are missing in populations between the times.",
                times.join(", ")
            ));
        }
    }
    for note in notes {
        if note.contains(" by the objective on held-out cells") || note.contains(" of 1): ") {
            report.details.push(note);
        } else if ["check ", "leave ", "may show", "did not converge"]
            .iter()
            .any(|word| note.contains(word))
        {
            report.warnings.push(note);
        } else {
            report.notes.push(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::report::Interval95;

    #[test]
    fn times_have_their_unit_or_are_called_times_and_one_is_singular() {
        assert_eq!((time(72.0, "h"), time(0.5, "")), ("72 h".into(), "time 0.5".into()));
        let at = |time, undecided| FateAt {
            time,
            undecided,
            probabilities: vec![vec![0.75, 0.75], vec![0.25, 0.25]],
        };
        let names = vec!["A".to_string(), "B".to_string()];
        let fates = Fates { names, at: vec![at(0.0, 0.95), at(6.0, 0.94), at(9.0, 0.0)] };
        let words = of_fates(&fates, "h").unwrap();
        assert!(words.starts_with("cells at 0 h become 75 % A, 25 % B"), "{words}");
        assert!(words.ends_with("and 94 % at 6 h)"), "{words}");
        assert!(of_fates(&fates, "").unwrap().starts_with("cells at time 0 become"));
        let none = || Interval95 { value: 0.0, lo: 0.0, hi: 0.0 };
        let score = HeldOutScore {
            time: 6.0,
            method: "a".into(),
            n_cells: 9,
            prediction: none(),
            pooled: none(),
            best: ("b".into(), none()),
            floor: 0.0,
            ratio: none(),
            too_narrow: false,
            verdict: String::new(),
            sign: 1,
        };
        let report = Report { validation: Part::Shown(vec![score]), ..Report::default() };
        assert!(trust(&report).starts_with("Of 1 held-out time, the model"), "{}", trust(&report));
    }
}
