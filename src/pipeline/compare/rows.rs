//! The rows of a comparison, and the table of them.

use std::fmt;

use crate::io::table::{Cells, Table};
use crate::metrics::{Estimate, exchange_p, q_values};

/// The kind of a number that is compared.
///
/// ```
/// use sbcell::pipeline::CompareKind;
/// assert_eq!(CompareKind::Fate.to_string(), "fate");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CompareKind {
    /// Energy distance between the populations, at snapshots and halfway between them, in units of the scale.
    Population,
    /// Share of a group among the cells of a time.
    Share,
    /// Share of a group at the last time among the descendants of cells of the first time.
    Fate,
    /// Share of a group among the descendants of a group one time later.
    Transition,
    /// Mean number of descendants of the cells of a group over one interval, relative to the mean cell.
    Growth,
    /// Mean expression of a gene in the cells of a time.
    Trend,
    /// Mean expression of a gene in the cells of a time by their share of the ancestors of a group at the last
    /// time.
    Ancestors,
    /// Effect of a regulator on a target: expression of the target per unit of time for one unit more of the
    /// regulator.
    Edge,
}

impl CompareKind {
    /// All kinds, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Population,
        Self::Share,
        Self::Fate,
        Self::Transition,
        Self::Growth,
        Self::Trend,
        Self::Ancestors,
        Self::Edge,
    ];
}

impl fmt::Display for CompareKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Population => "population",
            Self::Share => "share",
            Self::Fate => "fate",
            Self::Transition => "transition",
            Self::Growth => "growth",
            Self::Trend => "trend",
            Self::Ancestors => "ancestors",
            Self::Edge => "edge",
        })
    }
}

/// One number of one condition against that of the reference.
///
/// ```
/// use sbcell::pipeline::{CompareKind, ComparedRow};
///
/// let row = ComparedRow {
///     kind: CompareKind::Share, reference: "control".into(), condition: "drug".into(), time: 2.0,
///     time_to: None, group: "neuron".into(), target: String::new(), n_cells: [80, 90],
///     values: [0.25, 0.5], difference: 0.25, lo: 0.1, hi: 0.4, relabelled: 0.0, p: 0.005, q: 0.01,
/// };
/// assert_eq!(row.name(), "neuron at 2");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedRow {
    /// The kind of the number.
    pub kind: CompareKind,
    /// Name of the reference condition.
    pub reference: String,
    /// Name of the condition that is compared with it.
    pub condition: String,
    /// The time, or the earlier of two times.
    pub time: f64,
    /// The later of two times, for fates, transitions, growth and edges.
    pub time_to: Option<f64>,
    /// The group of cells, empty for all cells; the regulator of an edge.
    pub group: String,
    /// The group of the descendants, or the gene (the target of an edge); empty for other kinds.
    pub target: String,
    /// Number of cells of the reference and of the condition; of edges, of the cells in which they are sought.
    pub n_cells: [usize; 2],
    /// The number in the reference and in the condition; NaN for distances between them.
    pub values: [f64; 2],
    /// Condition minus reference, or the distance between them.
    pub difference: f64,
    /// Lower end of the 95 % interval of the difference; NaN if there is none.
    pub lo: f64,
    /// Upper end of this interval.
    pub hi: f64,
    /// Mean of the difference under permuted labels.
    pub relabelled: f64,
    /// p-value of the permutation test; NaN if there is none.
    pub p: f64,
    /// q-value of Benjamini and Hochberg over all rows of the kind.
    pub q: f64,
}

impl ComparedRow {
    /// The number in words: groups, gene and times.
    pub fn name(&self) -> String {
        let times = match self.time_to {
            None => format!("at {}", self.time),
            Some(to) => format!("{} → {to}", self.time),
        };
        let all = if self.kind == CompareKind::Population { "all cells" } else { "" };
        let parts = match (self.group.as_str(), self.target.as_str()) {
            ("", "") => all.to_string(),
            ("", target) => target.to_string(),
            (group, "") => group.to_string(),
            (group, target) if self.kind == CompareKind::Trend => format!("{target} in {group}"),
            (group, target) if self.kind == CompareKind::Ancestors => {
                format!("{target} in ancestors of {group}")
            }
            (group, target) => format!("{group} → {target}"),
        };
        format!("{parts} {times}")
    }
}

/// Where and of which cells a number is compared.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) kind: CompareKind,
    pub(super) time: f64,
    pub(super) time_to: Option<f64>,
    pub(super) group: String,
    pub(super) target: String,
    pub(super) n_cells: [usize; 2],
}

/// The numbers of both conditions with their resamples, and the differences under exchanged labels, the
/// observed labels first.
pub(super) struct Found {
    pub(super) sides: [Estimate; 2],
    pub(super) difference: Estimate,
    pub(super) exchanged: Vec<f64>,
}

impl Found {
    /// The difference of two numbers.
    pub(super) fn of(sides: [Estimate; 2], exchanged: Vec<f64>) -> Self {
        let [one, other] = &sides;
        let known = one.has_interval() && other.has_interval();
        let difference = other.with(one, |other, one| other - one);
        let difference = if known { difference } else { difference.without_interval() };
        Self { sides, difference, exchanged }
    }

    /// The same numbers without an interval and without a test.
    pub(super) fn untested(self) -> Self {
        let difference = self.difference.without_interval();
        Self { difference, exchanged: Vec::new(), ..self }
    }
}

/// The row of `subject` between the conditions `names`.
pub(super) fn row(subject: Subject, names: [&str; 2], found: &Found) -> ComparedRow {
    let Subject { kind, time, time_to, group, target, n_cells } = subject;
    let Found { sides, difference, exchanged } = found;
    // A distance can only be too large, a difference also too small.
    let sizes: Vec<f64> = match kind {
        CompareKind::Population => exchanged.clone(),
        _ => exchanged.iter().map(|value| value.abs()).collect(),
    };
    let finite: Vec<f64> =
        exchanged.iter().skip(1).copied().filter(|value| value.is_finite()).collect();
    ComparedRow {
        kind,
        reference: names[0].to_string(),
        condition: names[1].to_string(),
        time,
        time_to,
        group,
        target,
        n_cells,
        values: [sides[0].value, sides[1].value],
        difference: difference.value,
        lo: difference.lo,
        hi: difference.hi,
        relabelled: finite.iter().sum::<f64>() / finite.len() as f64,
        p: exchange_p(&sizes),
        q: f64::NAN,
    }
}

/// Fills in the q-values, over all rows of one kind.
pub(super) fn fill_q(rows: &mut [ComparedRow]) {
    for kind in CompareKind::ALL {
        let places: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].kind == kind).collect();
        let p: Vec<f64> = places.iter().map(|&i| rows[i].p).collect();
        for (place, q) in places.into_iter().zip(q_values(&p)) {
            rows[place].q = q;
        }
    }
}

/// The table of `rows`.
pub(super) fn table(rows: &[ComparedRow]) -> Table {
    let texts = |of: &dyn Fn(&ComparedRow) -> String| Cells::Texts(rows.iter().map(of).collect());
    let gaps = |of: &dyn Fn(&ComparedRow) -> f64| Cells::Floats(rows.iter().map(of).collect());
    let count =
        |side: usize| Cells::Integers(rows.iter().map(|row| row.n_cells[side] as i64).collect());
    Table::default()
        .with("kind", texts(&|row| row.kind.to_string()))
        .with("reference", texts(&|row| row.reference.clone()))
        .with("condition", texts(&|row| row.condition.clone()))
        .with("time", gaps(&|row| row.time))
        .with("time_to", gaps(&|row| row.time_to.unwrap_or(f64::NAN)))
        .with("group", texts(&|row| row.group.clone()))
        .with("target", texts(&|row| row.target.clone()))
        .with("n_reference", count(0))
        .with("n_condition", count(1))
        .with("value_reference", gaps(&|row| row.values[0]))
        .with("value_condition", gaps(&|row| row.values[1]))
        .with("difference", gaps(&|row| row.difference))
        .with("lo", gaps(&|row| row.lo))
        .with("hi", gaps(&|row| row.hi))
        .with("relabelled", gaps(&|row| row.relabelled))
        .with("p", gaps(&|row| row.p))
        .with("q", gaps(&|row| row.q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_two_sided_and_distances_one_sided() {
        let subject = |kind| Subject {
            kind,
            time: 1.0,
            time_to: None,
            group: "a".into(),
            target: String::new(),
            n_cells: [3, 3],
        };
        let side = |value: f64| Estimate::of(&ndarray::array![value, value - 0.1, value + 0.1]);
        let exchanged = vec![-0.5, 0.6, 0.1, -0.2];
        let found = Found::of([side(1.0), side(0.5)], exchanged);
        let one = row(subject(CompareKind::Share), ["x", "y"], &found);
        assert!((one.difference + 0.5).abs() < 1e-12 && (one.p - 0.5).abs() < 1e-12);
        assert!((one.relabelled - 0.5 / 3.0).abs() < 1e-12 && one.lo.is_finite());
        let distance = row(subject(CompareKind::Population), ["x", "y"], &found);
        assert!((distance.p - 1.0).abs() < 1e-12);
        let lone = Found::of([side(1.0), side(0.5).without_interval()], Vec::new());
        let lone = row(subject(CompareKind::Share), ["x", "y"], &lone);
        assert!(lone.lo.is_nan() && lone.p.is_nan() && (lone.difference + 0.5).abs() < 1e-12);
    }

    #[test]
    fn q_values_are_over_the_rows_of_one_kind() {
        let subject = |kind| Subject {
            kind,
            time: 1.0,
            time_to: Some(2.0),
            group: "a".into(),
            target: "b".into(),
            n_cells: [3, 3],
        };
        let side = |value: f64| Estimate::of(&ndarray::array![value]);
        let made = |kind, n_larger: usize| {
            let exchanged = (0..10).map(|b| if b <= n_larger { 1.0 } else { 0.0 }).collect();
            row(subject(kind), ["x", "y"], &Found::of([side(0.0), side(1.0)], exchanged))
        };
        let mut rows = vec![
            made(CompareKind::Fate, 0),
            made(CompareKind::Share, 0),
            made(CompareKind::Fate, 3),
        ];
        fill_q(&mut rows);
        let q: Vec<f64> = rows.iter().map(|row| row.q).collect();
        assert!(
            (q[0] - 0.2).abs() < 1e-12 && (q[1] - 0.1).abs() < 1e-12 && (q[2] - 0.4).abs() < 1e-12
        );
        assert_eq!(rows[0].name(), "a → b 1 → 2");
        assert_eq!(table(&rows).n_rows(), 3);
    }
}
