//! Texts of `sbcell fit`: the times, what was fitted, how far to trust it, and what to do next.

use sbcell::bridge::Stop;
use sbcell::io::model::{Interval, detail_names};
use sbcell::io::validation::{Validation, Verdict};
use sbcell::pipeline::{Advice, FitSummary, Selection};

use crate::cli::shared::{aligned, short, shown};
use crate::cli::terminal::{Lines, Terminal};

/// Largest number of times that are listed one by one.
const MOST_TIMES: usize = 12;

/// Prints the times of the selected cells: in one line, or `as_table`.
pub(crate) fn say_times(selection: &Selection, as_table: bool, terminal: &Terminal) {
    if as_table || terminal.is_verbose() {
        return terminal.say(&times_table(selection));
    }
    let axis = &selection.axis;
    let unit = axis.unit.to_string();
    let unit = if unit.is_empty() { "unit unknown".into() } else { format!("in {unit}") };
    let n_times = axis.levels.len();
    let mut listed: Vec<String> =
        axis.levels.iter().map(|level| format!("{} ({})", level.label, level.n_cells)).collect();
    if n_times > MOST_TIMES {
        listed.splice(MOST_TIMES / 2..n_times - MOST_TIMES / 2, ["…".to_string()]);
    }
    let n_cells: usize = axis.levels.iter().map(|level| level.n_cells).sum();
    terminal.say(&format!(
        "{n_cells} cells at {n_times} times from obs['{}'], {unit}; cells in brackets:",
        axis.column
    ));
    terminal.say(&format!("  {}", listed.join(", ")));
}

/// The times of the selected cells.
fn times_table(selection: &Selection) -> Lines {
    let axis = &selection.axis;
    let unit = axis.unit.to_string();
    let unit = if unit.is_empty() { "unit unknown".into() } else { format!("in {unit}") };
    let rows: Vec<Vec<String>> = axis
        .levels
        .iter()
        .map(|level| vec![level.label.clone(), level.time.to_string(), level.n_cells.to_string()])
        .collect();
    let title = format!("times from obs['{}'], {unit}", axis.column);
    Lines::titled(&title, &aligned(&["label", "time", "cells"], &rows))
}

/// Prints what was fitted. With `--verbose` also the noise and one row for each interval.
pub(crate) fn say_summary(summary: &FitSummary, terminal: &Terminal) {
    if terminal.is_verbose() {
        say_intervals(summary, terminal);
    }
    let open: Vec<String> = summary
        .intervals
        .iter()
        .filter(|interval| interval.report.stop != Stop::Converged)
        .map(|interval| format!("{} → {}", interval.from, interval.to))
        .collect();
    let n_intervals = summary.intervals.len();
    let bridges =
        if n_intervals == 1 { "1 bridge".into() } else { format!("{n_intervals} bridges") };
    let ended = if open.is_empty() {
        "converged".into()
    } else {
        format!("{} of them not converged: {}", open.len(), open.join(", "))
    };
    let n_dims = summary.header.dimensions.len();
    terminal.record("n_intervals", &n_intervals);
    terminal.record("n_dimensions", &n_dims);
    terminal.record("not_converged", &open);
    terminal.say(&format!("fitted {bridges} in {n_dims} dimensions, {ended}"));
}

/// Prints where the model is, and commands that read it.
pub(crate) fn say_next(summary: &FitSummary, terminal: &Terminal) {
    terminal.wrote(&summary.out);
    let out = shown(&summary.out);
    terminal.say(&format!("wrote {out}: fit.csv has one row per interval"));
    let advice = Advice::of_model(&summary.out);
    let next: Vec<String> =
        ["interpolate", "fates", "grn"].into_iter().map(|command| advice.line(command)).collect();
    terminal.say(&format!("next: {}", next.join(", ")));
}

/// Prints the noise, and one row per interval.
fn say_intervals(summary: &FitSummary, terminal: &Terminal) {
    let header = &summary.header;
    let per = if header.time_unit.is_empty() { "unit of time" } else { &header.time_unit };
    terminal.say(&format!(
        "noise: σ² = {} per {per} in data units; ε = {} over the median interval, on data divided \
         by {}",
        short(header.sigma2),
        short(header.epsilon),
        short(header.scale)
    ));
    terminal.say(&match header.coupling_epsilon {
        Some(epsilon) => format!(
            "couplings (fates, transitions, trajectories): entropic with ε = {}, straight to each later time",
            short(epsilon)
        ),
        None => "couplings (fates, transitions, trajectories): those of the bridges".into(),
    });
    let details = detail_names(&summary.intervals);
    let rows: Vec<Vec<String>> =
        summary.intervals.iter().map(|interval| interval_row(interval, &details)).collect();
    let mut columns = vec!["interval", "ε", "stop", "W1", "floor", "energy", "floor", "var ratio"];
    columns.push("iterations");
    columns.extend(details.iter().map(String::as_str));
    terminal.say(&aligned(&columns, &rows));
    terminal.say(
        "W1, energy: the bridge's end against the later snapshot; floor: two halves of that \
         snapshot",
    );
}

/// Prints how well held-out times were predicted, and what follows. With `--verbose` also the verdict at each time.
pub(crate) fn say_validation(validation: &Validation, terminal: &Terminal) {
    if terminal.is_verbose() {
        for line in &validation.summary {
            terminal.say(line);
        }
        for held in &validation.held_out {
            for words in &held.words {
                terminal.say(&format!("  {}: {words}", held.time));
            }
        }
    }
    let verdicts: Vec<Verdict> = validation
        .held_out
        .iter()
        .filter_map(|held| held.verdicts.first().map(|verdict| verdict.pooled))
        .collect();
    for line in Count::of(&verdicts).lines() {
        terminal.say(&line);
    }
}

/// Numbers of held-out times by verdict against the neighbouring times pooled.
struct Count {
    better: usize,
    equal: usize,
    worse: usize,
    nothing: usize,
}

impl Count {
    fn of(verdicts: &[Verdict]) -> Self {
        let of =
            |wanted: &[Verdict]| verdicts.iter().filter(|found| wanted.contains(found)).count();
        Self {
            better: of(&[Verdict::Better]),
            equal: of(&[Verdict::Equal, Verdict::Unknown]),
            worse: of(&[Verdict::Worse]),
            nothing: of(&[Verdict::Nothing]),
        }
    }

    /// One line on the finding and one on how far to trust it.
    fn lines(&self) -> Vec<String> {
        let Self { better, equal, worse, nothing } = *self;
        let total = better + equal + worse + nothing;
        let rest = match nothing {
            0 => String::new(),
            n => format!(", {n} with nothing to gain"),
        };
        let found = format!(
            "held-out times: {better} of {total} better than the pooled neighbours, {equal} as good, \
             {worse} worse{rest}"
        );
        let trust = if worse > better {
            "trust: between the samples a simple guess is better; do not rely on interpolated cells"
        } else if total == nothing {
            "trust: the times in between hold nothing that a simple guess lacks"
        } else if 2 * better > total - nothing {
            "trust: between the samples the bridge adds to the simplest guess at most times"
        } else {
            "trust: between the samples the simplest guess is about as good (see validation.svg)"
        };
        vec![found, trust.to_string()]
    }
}

/// The row of an interval. `details` are the columns of the solver, in order.
fn interval_row(interval: &Interval, details: &[String]) -> Vec<String> {
    let found = |name: &str| {
        let entry = interval.fit.iter().find(|entry| entry.0 == name);
        short(entry.and_then(|entry| entry.1).unwrap_or(f64::NAN))
    };
    let report = &interval.report;
    let mut row = vec![
        format!("{} → {}", interval.from, interval.to),
        short(interval.epsilon),
        report.stop.to_string(),
    ];
    let names = ["w1", "w1_floor", "energy", "energy_floor", "variance_ratio"];
    row.extend(names.map(found));
    row.push(report.iterations.to_string());
    row.extend(details.iter().map(|name| match report.detail(name) {
        Some(value) if value.fract().abs() < f64::MIN_POSITIVE && value.abs() < 1e9 => {
            value.to_string()
        }
        value => short(value.unwrap_or(f64::NAN)),
    }));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_on_trust_follows_the_verdicts() {
        use Verdict::{Better, Equal, Nothing, Unknown, Worse};
        let trust = |verdicts: &[Verdict]| {
            let lines = Count::of(verdicts).lines();
            assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:?}");
            lines[1].clone()
        };
        assert!(trust(&[Better, Better, Equal, Nothing]).contains("the bridge adds"));
        assert!(trust(&[Better, Equal, Equal, Unknown]).contains("about as good"));
        assert!(trust(&[Better, Worse, Worse]).contains("do not rely"));
        assert!(trust(&[Nothing, Nothing]).contains("nothing"));
        let counted = Count::of(&[Better, Worse, Nothing, Equal, Unknown]).lines()[0].clone();
        assert!(counted.ends_with(
            "1 of 5 better than the pooled neighbours, 2 as good, 1 worse, 1 with nothing to gain"
        ));
    }
}
